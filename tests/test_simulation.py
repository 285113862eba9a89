"""Two engines, one answer: exact propagation and ngspice agree, and both agree with independent software."""

import numpy as np
import pytest
from scipy import signal

from lmu_analog.building import build
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.design import Design
from lmu_analog.errors import SimulationError
from lmu_analog.memory import window
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.statespace import StateSpace, frequency_response
from lmu_analog.mismatch.law import sample_circuit
from lmu_analog.simulation import engines_apart, exact_states, grid, reference_states, settling, simulate
from lmu_analog.spice import ngspice
from lmu_analog.spice.deck import Sweep, deck, vector
from lmu_analog.stimulus import Recording, Tones, chirp, multitone, step

PAIRS = [
    ("active-rc", "legendre"),
    ("active-rc", "orthonormal"),
    ("active-rc", "cap-feedforward"),
    ("rc-synapse", "unit-weight"),
    ("rc-synapse", "principle3"),
]


def design(order: int, pair: tuple[str, str] = PAIRS[2], **changes: object) -> Design:
    return Design(order=order, theta="1 ms", family=pair[0], realization=pair[1]).replace(**changes)


@pytest.mark.ngspice
@pytest.mark.parametrize("order", [3, 6, 12])
@pytest.mark.parametrize("pair", PAIRS)
def test_ngspice_and_the_exact_engine_agree_on_the_window_error(pair, order):
    exact, simulated = (simulate(design(order, pair), engine=e) for e in ("exact", "ngspice"))
    # 1e-4 absolute is what the step of the decks is chosen for (spice/deck.py).
    assert abs(float(exact.window_nrmse) - float(simulated.window_nrmse)) < 1e-4
    np.testing.assert_allclose(simulated.states, exact.states, atol=1e-4)


def test_engines_that_differ_beyond_a_thousandth_of_the_input_are_told_apart():
    exact = simulate(design(3))
    rms = float(np.sqrt(np.mean(exact.input.values**2)))
    other = np.array([1.0, 0.0, np.sqrt(5.0)])  # over the window, P0 + sqrt(5) P2 has the mean square 2
    assert engines_apart({"exact": exact}) is None
    for apart, line in ((0.9e-3, None), (2e-3, "0.2 % of rms(u) apart, above 0.1 %")):
        states = exact.states + apart * rms * np.sqrt(0.5) * other
        said = engines_apart({"exact": exact, "ngspice": exact.assign(states=states)})
        assert said is None if line is None else line in (said or "")


@pytest.mark.ngspice
@pytest.mark.parametrize("order", [3, 6, 12])
@pytest.mark.parametrize("pair", PAIRS)
def test_ngspice_ac_equals_the_ideal_memory(pair, order):
    asked = design(order, pair)
    circuit, sweep = build(asked), Sweep(20, asked.bandwidth / 20, asked.bandwidth)
    vectors = ngspice.run(deck(circuit, sweep), sweep)
    states = np.stack([sum(t.factor * vectors[vector(t)] for t in p) for p in circuit.probes], axis=-1)
    ideal = frequency_response(legendre(order, asked.theta), vectors["frequency"].real)
    # Ideal op-amps have a gain of 1e8 in a deck: 1e-8 times noise gains of some tens, well within 1e-4.
    np.testing.assert_allclose(states, ideal, atol=1e-4)


@pytest.mark.ngspice
@pytest.mark.parametrize("order", [3, 6])
def test_ngspice_ac_equals_extraction_with_one_pole_opamps(order):
    asked = design(
        order, opamp={"gain": "100 dB", "gbw": "5 MHz", "rail": "1000 V"}, mismatch={"resistor": "5 %"}
    )
    circuit = sample_circuit(asked, seed=3, index=5)
    sweep = Sweep(20, asked.bandwidth / 20, asked.bandwidth)
    vectors = ngspice.run(deck(circuit, sweep), sweep)
    states = np.stack([sum(t.factor * vectors[vector(t)] for t in p) for p in circuit.probes], axis=-1)
    response = frequency_response(extract(circuit), vectors["frequency"].real)
    # Same linear equations, solved twice; conditioning of op-amp poles 1e4 apart from the band costs digits.
    np.testing.assert_allclose(states, response, rtol=1e-6, atol=1e-9)


@pytest.mark.ngspice
def test_offsets_shift_the_states_alike_in_both_engines():
    asked = design(4, opamp={"gain": "120 dB", "gbw": "10 MHz", "offset": "5 mV", "rail": "1000 V"})
    exact, simulated = (simulate(asked, engine=e) for e in ("exact", "ngspice"))
    shift = exact.states.mean("time") - exact.ideal_states.mean("time")
    assert float(abs(shift).max()) > 1e-3
    # The offset itself is a DC solution; what differs is ngspice's step error.
    np.testing.assert_allclose(simulated.states, exact.states, atol=1e-4)


@pytest.mark.ngspice
@pytest.mark.parametrize("jump", [0.0, 0.3])
def test_engines_agree_on_a_recording_from_rest(jump, tmp_path):
    time = 1e-5 * np.arange(600)
    volts = 0.4 * np.sin(2e3 * np.pi * time) * np.exp(-300 * time) + jump
    path = tmp_path / "recording.csv"
    path.write_text("".join(f"{t!r},{v!r}\n" for t, v in zip(time.tolist(), volts.tolist(), strict=True)))
    asked = design(6, file=path)
    exact, simulated = (simulate(asked, engine=e) for e in ("exact", "ngspice"))
    # A jump at the start is a ramp of a thousandth of a sample (1e-8 s) in the deck: 1e-5 theta late.
    np.testing.assert_allclose(simulated.states, exact.states, atol=3e-4)
    assert abs(float(exact.window_nrmse) - float(simulated.window_nrmse)) < 1e-4


@pytest.mark.ngspice
def test_a_long_recording_comes_from_a_file_and_gives_the_same(tmp_path):
    time = 2e-6 * np.arange(3000)
    path = tmp_path / "recording.csv"
    np.savetxt(path, np.column_stack([time, 0.4 * np.sin(2e3 * np.pi * time)]), delimiter=",", fmt="%.17g")
    asked = design(4, file=path)
    exact, simulated = (simulate(asked, engine=e) for e in ("exact", "ngspice"))
    np.testing.assert_allclose(simulated.states, exact.states, atol=1e-4)


@pytest.mark.ngspice
@pytest.mark.parametrize("signal_kind", ["sine", "noise", "step", "chirp"])
def test_engines_agree_on_every_kind_of_signal(signal_kind):
    exact, simulated = (simulate(design(4, signal=signal_kind), engine=e) for e in ("exact", "ngspice"))
    assert abs(float(exact.window_nrmse) - float(simulated.window_nrmse)) < 3e-4


def test_the_steady_state_is_where_scipy_ends_up():
    asked = design(5)
    evaluation_grid = grid(asked.stimulus, asked.theta)
    states = exact_states(extract(build(asked)), evaluation_grid)
    ideal = legendre(5, asked.theta)
    period = asked.stimulus.period
    time = np.linspace(0.0, 4 * period, 80_001)
    _, settled, _ = signal.lsim((ideal.A, ideal.B, ideal.C, ideal.D), asked.stimulus(time), time)
    expected = np.stack([np.interp(3 * period + evaluation_grid.time, time, m) for m in settled.T], axis=-1)
    # lsim holds the input linear over 4 periods/80000 and np.interp adds as much: (w h)^2/8 is about 1e-6.
    np.testing.assert_allclose(states, expected, atol=3e-6)


def test_an_ideal_circuit_has_the_truncation_error_and_no_more():
    result = simulate(design(6, bandwidth="1 kHz"))
    assert float(result.window_nrmse) == pytest.approx(float(result.truncation_nrmse), rel=1e-9)
    # architecture: .0112664 for d = 6 at bandwidth x theta = 1.
    assert float(result.window_nrmse) == pytest.approx(0.0112664, rel=1e-5)


def test_an_ideal_circuit_is_the_numpy_memory_to_second_order_in_its_step():
    result = simulate(design(6, bandwidth="1 kHz"))
    # (w dt)^2/24 with w = 2 pi/theta and dt = theta/1000 is 1.6e-6, times a gain of about one.
    assert 0.0 < float(result.reference_nrmse) < 5e-6


@pytest.mark.parametrize(
    "stimulus", [multitone(1e3, 0.5), chirp(1e3, 0.5, duration=8e-3), step(0.5, duration=5e-3, dt=1e-5)]
)
def test_the_reference_memory_follows_the_continuous_one(stimulus):
    evaluation_grid = grid(stimulus, 1e-3)
    ideal = exact_states(legendre(6, 1e-3), evaluation_grid)
    # A step is seen half a sample off its place at worst: 13/2 per theta (the state's fastest slope) x theta/2000.
    np.testing.assert_allclose(
        reference_states(evaluation_grid, 6, 1e-3), ideal, atol=4e-3 if stimulus.rms == 0.5 else 1e-4
    )


def test_the_profile_adds_up_to_the_window_error():
    result = simulate(design(6, opamp="TL072", supply="12 V"))
    total = np.sqrt(result.profile.values**2 @ window.QUADRATURE.weight)
    assert float(result.window_nrmse) == pytest.approx(total, rel=1e-12)


def test_estimate_and_window_give_the_profile():
    result = simulate(design(6))
    error = np.sqrt(((result.estimate - result.window) ** 2).mean("time")) / np.sqrt((result.input**2).mean())
    np.testing.assert_allclose(error, result.profile, rtol=1e-9)


def test_a_recording_is_zero_before_it_begins():
    evaluation_grid = grid(Recording(1e-4, np.array([0.0, 1.0, 0.5, 0.25])), 1e-3)
    assert (evaluation_grid.stimulus(evaluation_grid.time[:, None] - 1e-3) == 0.0).all()


def test_an_unstable_circuit_is_an_error_that_names_the_pole():
    unstable = StateSpace(np.array([[50.0]]), np.ones((1, 1)), np.ones((1, 1)), np.zeros((1, 1)))
    with pytest.raises(SimulationError, match=r"unstable: a pole has the real part 0.05/theta"):
        settling(unstable, 1e-3)


def test_results_carry_units_and_provenance():
    result = simulate(design(3))
    assert result.states.attrs["units"] == "V"
    assert result.time.attrs["units"] == "s"
    assert result.attrs["engine"] == "exact"
    assert result.attrs["design"] == design(3).digest


def test_tones_of_ones_own_are_used_as_they_are():
    asked = design(4, tones=[[100.0, 0.1, 0.0], [300.0, 0.0, "50 mV"]])
    assert isinstance(asked.stimulus, Tones)
    result = simulate(asked)
    assert float(abs(result.input).max()) == pytest.approx(asked.full_scale, rel=1e-3)
