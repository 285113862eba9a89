import numpy as np
import pytest

from lmu_analog.building import build
from lmu_analog.circuits.circuit import small_signal_values
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.design import Design
from lmu_analog.ensembles import exact
from lmu_analog.ensembles.exact import block_size, exact_chunk, exact_draws
from lmu_analog.errors import CircuitError
from lmu_analog.memory import window
from lmu_analog.memory.sampled import steady_response
from lmu_analog.memory.statespace import growth, respond
from lmu_analog.mismatch.law import Mismatch, draw, sample
from lmu_analog.reduction import reduced
from lmu_analog.simulation import grid, ideal_window, simulate
from lmu_analog.storage.results import GOOD, UNSTABLE
from lmu_analog.theory.first_order import first_order

PAIRS = [(name, r) for name, family in FAMILIES.items() for r in family.realizations]
MISMATCH = {c: "5 %" for c in ("resistor", "capacitor", "inductor", "transconductor", "tau", "opamp")}


def whole_circuit(design: Design, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Take all states, by LAPACK: profile and largest real part of a pole."""
    circuit, law = build(design), Mismatch.of(design)
    values = sample(circuit, law, draw(circuit, law, seed=0, samples=range(samples)))
    system = (
        extract(circuit.small_signal, small_signal_values(circuit, values))
        if circuit.small_signal
        else extract(circuit, values)
    )
    evaluation_grid = grid(design.stimulus, design.theta)
    if design.file:
        states = respond(system, evaluation_grid.values, evaluation_grid.stimulus.dt)
        return window.time_profile(
            states, ideal_window(evaluation_grid, design.theta), evaluation_grid.rms
        ), growth(system)
    tones = design.stimulus
    phasor = steady_response(system, tones.frequency) * tones.phasor[:, None]
    wave = (tones.frequency, tones.phasor)
    return window.tone_profile(phasor, wave, design.theta, offset=system.offset), growth(system)


@pytest.mark.parametrize(("family", "realization"), PAIRS)
def test_samples_are_those_of_the_whole_circuit(family, realization):
    design = Design(
        order=4, theta="1 ms", family=family, realization=realization, opamp="OPA2192", mismatch=MISMATCH
    )
    wanted, _ = whole_circuit(design, 8)
    results = exact_chunk(design, 0, range(8))
    assert (results.status == GOOD).all()
    # Responses agree to 1e-8 of the largest; the error is a hundredth of it.
    np.testing.assert_allclose(results.profile, wanted, rtol=1e-5)


def test_unstable_samples_are_found():
    wild = {"resistor": {"tolerance": "15 %", "distribution": "gauss"}}
    design = Design(order=12, theta="1 ms", realization="legendre", opamp="OPA2192", mismatch=wild)
    _, largest = whole_circuit(design, 64)
    status = exact_chunk(design, 0, range(64)).status
    np.testing.assert_array_equal(status == UNSTABLE, largest > 0.0)
    assert 0 < (status == UNSTABLE).sum() < 64


def test_recordings_are_those_of_the_whole_circuit(tmp_path):
    times = np.linspace(0.0, 4e-3, 120)
    np.savetxt(tmp_path / "in.csv", np.column_stack([times, np.sin(4000.0 * times)]), delimiter=",")
    design = Design(order=4, theta="1 ms", opamp="OPA2192", file=tmp_path / "in.csv", mismatch=MISMATCH)
    wanted, _ = whole_circuit(design, 5)
    # Poles a thousand times beyond the band have died out within a piece; 1e-5 of them is left.
    np.testing.assert_allclose(exact_chunk(design, 0, range(5)).profile, wanted, rtol=1e-4)


def test_a_sample_is_the_same_to_the_bit_in_any_stretch():
    design = Design(order=3, theta="1 ms", opamp="OPA2192", mismatch=MISMATCH)
    size = block_size(design)
    whole = exact_chunk(design, 2, range(size + 40))
    for stretch in (range(3, 5), range(size - 2, size + 2), range(size, size + 40)):
        part = exact_chunk(design, 2, stretch)
        np.testing.assert_array_equal(part.profile, whole.profile[stretch.start : stretch.stop])


def test_draws_of_ones_own_are_run_too():
    design = Design(order=3, theta="1 ms", mismatch=MISMATCH)
    circuit, law = build(design), Mismatch.of(design)
    z = draw(circuit, law, seed=0, samples=range(6))
    error, status = exact_draws(design, z)
    np.testing.assert_allclose(error, exact_chunk(design, 0, range(6)).window_nrmse, rtol=1e-10)
    assert (status == GOOD).all()


def test_a_circuit_that_cannot_be_reduced_takes_all_its_states(monkeypatch):
    monkeypatch.setattr(exact, "_frequency_plan", lambda *_: None)
    design = Design(order=3, theta="1 ms", opamp="OPA2192", mismatch=MISMATCH, nrmse="7 %")
    slow = exact_chunk(design, 0, range(4)).profile

    def refuse(*_, **__):
        raise CircuitError("no")

    monkeypatch.setattr(reduced, "slow_states", refuse)
    np.testing.assert_allclose(exact_chunk(design, 0, range(4)).profile, slow, rtol=1e-6)
    monkeypatch.setattr(reduced, "plan_reduction", refuse)
    unplanned = design.replace(nrmse="8 %")  # another digest: nothing is remembered of it
    assert block_size(unplanned) == exact.SMALL_BLOCK
    np.testing.assert_allclose(exact_chunk(unplanned, 0, range(4)).profile, slow, rtol=1e-6)


# Per-frequency solve, state spaces (of 20 states), clocked circuits. Where 33 nodes miss 1e-3.
@pytest.mark.parametrize(
    ("family", "order", "turns"),
    [("active-rc", 3, 21.0), ("gm-c", 20, 14.9), ("gm-c", 34, 8.0), ("switched-capacitor", 2, 21.0)],
)
def test_wide_and_long_windows_are_integrated_to_1e_6_by_every_engine(family, order, turns):
    given = {"clock": "2 MHz"} if family == "switched-capacitor" else {}
    design = Design(
        order=order, theta="1 ms", bandwidth=f"{turns} kHz", family=family, mismatch=MISMATCH, **given
    )
    circuit, law, tones = build(design), Mismatch.of(design), design.stimulus
    z = draw(circuit, law, seed=0, samples=range(3))
    system = extract(circuit, sample(circuit, law, z))
    states = steady_response(system, tones.frequency) * tones.phasor[:, None]
    finest, wave = window.gauss_legendre(600), (tones.frequency, tones.phasor)  # exact to rounding
    profile = window.tone_profile(states, wave, design.theta, offset=system.offset, quadrature=finest)
    wanted = window.window_nrmse(profile, finest)
    good = growth(system) < 0.0
    found = exact_chunk(design, 0, range(3))
    assert good.any()
    np.testing.assert_allclose(found.window_nrmse[good], wanted[good], rtol=1e-6)
    few = window.window_nrmse(found.profile[good])  # the stored profile keeps its 33 points
    assert (np.abs(few / wanted[good] - 1.0) > 1e-4).any()
    nominal = simulate(design)
    assert float(nominal.window_nrmse) == pytest.approx(exact_draws(design, 0.0 * z[:1])[0][0], rel=1e-6)
    assert first_order(design).nominal == pytest.approx(float(nominal.window_nrmse), rel=1e-6)
