"""Taps: outputs of a circuit that show its input delayed."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from lmu_analog import Design, DesignError, monte_carlo, simulate
from lmu_analog.building import build
from lmu_analog.circuits.circuit import reading_taps
from lmu_analog.circuits.components import Capacitor
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.circuits.nodal.settling import BOLTZMANN, feedback_factors, sampled_noise
from lmu_analog.engine import native
from lmu_analog.ensembles import exact
from lmu_analog.ensembles.exact import tap_errors
from lmu_analog.ensembles.taps import tap_spreads
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.reference import discretize
from lmu_analog.memory.sampled import bilinear, steady_response
from lmu_analog.memory.statespace import frequency_response
from lmu_analog.memory.taps import of_states
from lmu_analog.memory.window import readout
from lmu_analog.mismatch.law import sample_circuit
from lmu_analog.output import summary, tables
from lmu_analog.output.starting import new_design
from lmu_analog.simulation import grid, ngspice_task, read_taps, settling
from lmu_analog.spice import ngspice
from lmu_analog.spice.checksums import items
from lmu_analog.spice.deck import Sweep, deck
from lmu_analog.spice.readback import circuit_of, header, read_edited
from lmu_analog.spice.worker import Worker

TAPS = [0.5, {"r": 1.0}, {"r": 0.25, "gain": 2.0}]
SPREAD = {"tolerance": "1 %", "distribution": "gauss"}
LAW = {name: SPREAD for name in ("resistor", "capacitor", "inductor", "transconductor", "tau")}
MODELS = {name: family.model for name, family in FAMILIES.items() if family.has_taps}
PAIRS = [
    (name, r) for name, model in MODELS.items() if model == "linear" for r in FAMILIES[name].realizations
]
SAMPLED = FAMILIES["switched-capacitor"].realizations
SOME = [(name, FAMILIES[name].realizations[-1]) for name, model in MODELS.items() if model != "sampled"]


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker() as started:
        yield started


def design(order=6, **more) -> Design:
    return Design(**{"order": order, "theta": "20 ms", "taps": TAPS, **more})


@pytest.mark.parametrize(("family", "realization"), PAIRS)
@pytest.mark.parametrize("order", [3, 12])
def test_taps_show_the_ideal_memory_at_their_delay(family, realization, order):
    asked = design(order, family=family, realization=realization)
    circuit = build(asked)
    frequency = np.linspace(0.1, 1.0, 5) * asked.bandwidth
    found = frequency_response(extract(reading_taps(circuit)), frequency)[:, order:]
    ideal = frequency_response(legendre(order, asked.theta), frequency)
    wanted = ideal @ readout(order, np.array([0.5, 1.0, 0.25])).T
    np.testing.assert_allclose(found, wanted, atol=1e-9)
    assert [(tap.name, tap.of.r, tap.gain) for tap in circuit.taps] == [
        ("tap1", 0.5, 1.0),
        ("tap2", 1.0, 1.0),
        ("tap3", 0.25, 2.0),
    ]


@pytest.mark.ngspice
@pytest.mark.parametrize(("family", "realization"), PAIRS)
@pytest.mark.parametrize("order", [3, 6, 12])
def test_ngspice_finds_the_same_on_the_nets_of_taps(worker, family, realization, order):
    asked = design(order, family=family, realization=realization, opamp={"gain": "100 dB", "gbw": "1 MHz"})
    circuit = build(asked)
    sweep = Sweep(5, 0.2 * asked.bandwidth, asked.bandwidth)
    vectors = worker.call(ngspice.run_here, (deck(circuit, sweep), sweep), timeout=60.0)
    frequency = np.real(vectors["frequency"])
    seen = np.stack(
        [sum(t.factor * vectors[f"v({t.of.lower()})"] for t in tap.terms) / tap.gain for tap in circuit.taps],
        -1,
    )
    wanted = frequency_response(extract(reading_taps(circuit)), frequency)[:, order:]
    assert np.abs(seen - wanted).max() < 1e-6 * np.abs(wanted).max()


@pytest.mark.ngspice
def test_both_engines_measure_taps_against_the_delayed_input():
    asked = design(3, capacitance="1 nF")
    one, other = simulate(asked), simulate(asked, engine="ngspice")
    assert one.tap_nrmse.values == pytest.approx(other.tap_nrmse.values, abs=1e-4)
    delayed = asked.stimulus(one.time.values[:, None] - asked.theta * one.tap_r.values)
    apart = one.taps.values / one.tap_gain.values - delayed
    rms = np.sqrt(np.mean(one.input.values**2))
    assert one.tap_nrmse.values == pytest.approx(np.sqrt(np.mean(apart**2, axis=0)) / rms)


@pytest.mark.ngspice
def test_taps_are_no_states_in_an_ensemble_of_ngspice():
    asked = design(2, capacitance="1 nF", mismatch=LAW, tones=[[10.0, 0.4, 0.0]])
    one, other = (monte_carlo(asked, 1, workers=1, engine=engine) for engine in ("exact", "ngspice"))
    np.testing.assert_allclose(other.window_nrmse, one.window_nrmse, atol=1e-4)


def test_what_is_there_already_is_found_with_its_gain_and_sign():
    circuit = build(design(taps=[{"r": 1.0, "gain": "native"}, 1.0]))
    native_tap, own = circuit.taps
    # The summer of cap-feedforward is the oldest end of the window, inverted and scaled to the rails.
    assert (native_tap.net, round(native_tap.gain, 6)) == ("y0", -7.0)
    # A tap of its own needs that output alone: one weight, and no sum over all states.
    assert (own.net, own.gain) == ("tap2", 1.0)
    weights = [c for c in circuit.components if c.role.startswith("tap2[")]
    assert len(weights) == 1
    assert simulate(design(taps=[1.0])).tap_nrmse.item() == pytest.approx(
        simulate(design(taps=[{"r": 1.0, "gain": "native"}])).tap_nrmse.item(), rel=1e-9
    )


def test_what_is_not_there_is_refused_in_one_line():
    with pytest.raises(
        DesignError, match=r"^\[circuit\] taps: nothing in this circuit shows u\(t - 0.5 theta\)"
    ):
        build(design(taps=[{"r": 0.5, "gain": "native"}]))


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"taps": [1.5]}, "[circuit] taps: 1.5"),
        ({"taps": [float("nan")]}, "[circuit] taps"),
        ({"taps": 0.5}, "[circuit] taps: taps are a list"),
        ({"taps": [{"gain": 1.0}]}, "[circuit] taps: a tap is a delay"),
        ({"taps": [{"r": 1.0, "gian": 1.0}]}, "[circuit] taps: a tap is a delay"),
        ({"taps": [{"r": 1.0, "gain": -1.0}]}, "[circuit] taps: -1"),
        ({"taps": [0.5] * 33}, "[circuit] taps: taps are a list of at most 32"),
        ({"outputs": [{"weights": [1.0]}]}, "[circuit] output: 1 weights for 6 states"),
        ({"outputs": [{"weights": [float("inf")] * 6}]}, "[circuit] output: weights must be finite"),
        ({"outputs": [{"weights": [0.0] * 6}]}, "[circuit] output: weights must be finite"),
        ({"outputs": [{"weights": "none.npz"}]}, "[circuit] output: none.npz: no such file"),
        ({"outputs": [{"weights": [True] * 6}]}, "[circuit] output: weights are numbers"),
        ({"outputs": [{"gain": 1.0}]}, "[circuit] output: an output is"),
        ({"taps": [], "tap_nrmse": "3 %"}, "[spec] tap_nrmse: needs [circuit] taps"),
    ],
)
def test_bad_taps_get_one_line(given, wrong):
    with pytest.raises(DesignError) as error:
        design(**given)
    assert str(error.value).startswith(wrong)
    assert "\n" not in str(error.value)


def test_a_family_without_taps_names_those_that_have_them(monkeypatch):
    monkeypatch.setitem(FAMILIES, "dpi", replace(FAMILIES["dpi"], has_taps=False))
    with pytest.raises(DesignError, match=r"^\[circuit\] taps: dpi has none; active-rc, .*, crossbar have$"):
        design(family="dpi")


def test_designs_without_taps_keep_their_digest_and_their_circuit():
    plain = Design(order=4, theta="20 ms")
    assert plain.digest != design(4).digest
    assert plain.digest == plain.replace(taps=[]).digest
    kept = {c.name for c in build(plain).components}
    assert kept <= {c.name for c in build(design(4)).components}


@pytest.mark.parametrize(("family", "realization"), SOME)
def test_every_engine_finds_the_same_errors_of_taps(family, realization):
    slow = {"gain": "90 dB", "gbw": "300 kHz", "offset": "1 mV"}
    asked = design(4, family=family, realization=realization, opamp=slow, mismatch={**LAW, "opamp": "20 %"})
    named = exact._Named(asked.digest, asked)
    prepared, values = exact._prepared(named), exact._values(named, 0, range(24), plan=exact.RANDOM)
    ways = [("per-frequency", "numpy"), ("state-space", "numpy")]
    if native.is_there():
        ways.append(("per-frequency", "native"))
    found = {way: exact._block(exact._engines(named, *way), prepared.circuit, values)[0] for way in ways}
    reference = found["per-frequency", "numpy"]
    for way, profile in found.items():
        assert profile.shape == (24, len(prepared.rule.weight) + 3)
        # State spaces leave fast modes out of the window, 1e-8 of the error; players round alike.
        np.testing.assert_allclose(profile, reference, rtol=0.0 if way[0] == "per-frequency" else 1e-6)
    alone = tap_errors(asked, 0, range(3, 5))
    assert (alone == reference[3:5, -3:]).all()
    for k, row in enumerate(alone, 3):
        run = simulate(asked, circuit=sample_circuit(asked, seed=0, index=k))
        np.testing.assert_allclose(row, run.tap_nrmse.values, rtol=1e-7)


def test_recordings_have_taps_too():
    asked = design(4, signal="chirp", mismatch=LAW)
    found = tap_errors(asked, 0, range(2))
    run = simulate(asked, circuit=sample_circuit(asked, seed=0, index=1))
    np.testing.assert_allclose(found[1], run.tap_nrmse.values, rtol=1e-9)


def test_an_ensemble_says_of_every_tap_what_first_order_theory_predicts():
    asked = design(6, mismatch=LAW, tap_nrmse="4 %")
    run = monte_carlo(asked, 2000, workers=1)
    found = tap_spreads(run, asked)
    assert [tap.name for tap in found] == ["tap1", "tap2", "tap3"]
    errors = tap_errors(asked, 0, range(2000))
    for tap, error in zip(found, errors.T, strict=True):
        assert abs(tap.theory.ratio - 1.0) < 0.06
        assert tap.nrmse["median"] < tap.nrmse["p95"]
        assert tap.good.value == np.mean(error <= 0.04)
    content = summary.ensemble(run, asked, nominal=0.0, seconds=1.0, resumed=0, path=None)
    # In a run of another engine, too, taps are those of the linear circuit, and it is said.
    assert "exact engine; yield" in tables.ensemble({**content, "engine": "ngspice"})
    assert [(tap["net"], tap["r"], tap["gain"]) for tap in content["taps"]] == [
        ("tap1", 0.5, 1.0),
        ("tap2", 1.0, 1.0),
        ("tap3", 0.25, 2.0),
    ]


OUTPUTS = [{"weights": [1.0, 0.0, 0.0, 0.0]}, {"weights": [0.0, 0.5, -0.25, 0.0], "gain": 2.0}]


@pytest.mark.parametrize(("family", "realization"), SOME)
def test_outputs_show_any_sum_of_the_ideal_states(family, realization):
    asked = design(4, family=family, realization=realization, taps=[1.0], outputs=OUTPUTS, mismatch=LAW)
    circuit = build(asked)
    assert [(tap.name, tap.gain) for tap in circuit.taps] == [("tap1", 1.0), ("out1", 1.0), ("out2", 2.0)]
    run = simulate(asked)
    ideal = run.ideal_states.values @ np.array([row["weights"] for row in OUTPUTS]).T
    np.testing.assert_allclose(run.taps.values[:, 1:] / run.tap_gain.values[1:], ideal, atol=1e-9)
    content = summary.simulation(run)
    assert [tap["r"] for tap in content["taps"]] == [1.0, None, None]
    assert "against 2 of its weighted sum" in tables.simulation(content)
    # The mean over the window is the first state, and the ideal one is what it is measured against.
    assert run.tap_nrmse.values[1:] == pytest.approx(0.0, abs=1e-8)
    errors = tap_errors(asked, 0, range(3))
    for k, row in enumerate(errors):
        alone = simulate(asked, circuit=sample_circuit(asked, seed=0, index=k))
        np.testing.assert_allclose(row, alone.tap_nrmse.values, rtol=1e-6, atol=1e-9)
    assert (errors[:, 1:] > 1e-5).all()
    spreads = tap_spreads(monte_carlo(asked, 1000, workers=1), asked)
    assert all(abs(tap.theory.ratio - 1.0) < 0.06 for tap in spreads)


def test_weights_come_from_a_file_beside_the_design(tmp_path):
    np.save(tmp_path / "w.npy", [0.5, 0.25, 0.0])
    np.savez(tmp_path / "w.npz", other=[1.0], weights=[1.0, 2.0, 3.0])
    (tmp_path / "d.toml").write_text(
        '[memory]\norder = 3\ntheta = "1 ms"\n[[circuit.output]]\nweights = "w.npy"\n'
        '[[circuit.output]]\nweights = "w.npz"\ngain = 0.5\n'
    )
    asked = Design.load(tmp_path / "d.toml")
    assert [(tap.weights, tap.gain) for tap in asked.outputs] == [
        ((0.5, 0.25, 0.0), 1.0),
        ((1.0, 2.0, 3.0), 0.5),
    ]
    np.save(tmp_path / "w.npy", [0.5, 0.25, 0.1])
    assert Design.load(tmp_path / "d.toml").digest != asked.digest
    (tmp_path / "w.npy").write_bytes(b"no array")
    with pytest.raises(
        DesignError, match=r"w\.npy: no array 'weights' of numbers in it; give a \.npy or \.npz"
    ):
        Design.load(tmp_path / "d.toml")
    np.save(tmp_path / "w.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(DesignError, match="no array 'weights' of numbers"):
        Design.load(tmp_path / "d.toml")


def test_a_new_design_has_the_taps_that_are_asked_for(tmp_path):
    path = tmp_path / "d.toml"
    asked = new_design({"theta": "20 ms", "order": 3, "taps": ["0.5", "1"]}, path)
    assert [(tap.r, tap.gain) for tap in asked.taps] == [(0.5, 1.0), (1.0, 1.0)]
    assert Design.load(path).taps == asked.taps
    ladder = tmp_path / "ladder.toml"
    new_design({"theta": "20 ms", "order": 3, "family": "passive-rlc", "taps": ["1"]}, ladder)
    assert 'supply = "5 V"' in ladder.read_text()  # of amplifiers that it has for taps alone


def test_a_deck_names_nets_delays_and_gains():
    text = deck(build(design(3)), Sweep(2, 1.0, 2.0))
    assert "* tap1 = 1.0*v(tap1), 1.0 times u(t - 0.5 theta)" in text
    assert " v(tap3)" in next(line for line in text.splitlines() if line.startswith(".save"))


def sampled(order: int, realization: str, **more) -> Design:
    return design(order, family="switched-capacitor", realization=realization, **more)


def sampled_response(asked: Design, frequency: np.ndarray) -> np.ndarray:
    """Give the response of a discretised memory, whose samples of the input come half a period early, at its taps."""
    method = discretize if asked.realization == "legendre" else bilinear
    memory = method(legendre(asked.order, asked.theta), 1.0 / build(asked).clock)
    weights = np.array([of_states(tap, asked.order) for tap in (*asked.taps, *asked.outputs)])
    return steady_response(memory, frequency) @ weights.T


@pytest.mark.parametrize("realization", SAMPLED)
@pytest.mark.parametrize("order", [3, 12])
def test_sampled_taps_sum_the_states_of_the_discretised_memory_without_delay(realization, order):
    weights = np.linspace(-1.0, 1.0, order).tolist()
    asked = sampled(order, realization, outputs=[{"weights": weights, "gain": 0.5}])
    circuit, frequency = build(asked), np.linspace(0.1, 1.0, 5) * asked.bandwidth
    found = steady_response(extract(reading_taps(circuit)), frequency)[:, order:]
    np.testing.assert_allclose(found, sampled_response(asked, frequency), atol=1e-9)
    assert [(tap.net, tap.gain) for tap in circuit.taps][2:] == [("tap3", 2.0), ("out1", 0.5)]
    plain = build(asked.replace(taps=[], outputs=[]))
    added = [c for c in circuit.components if c not in plain.components and not c.name.startswith("Sl")]
    counts = Counter(type(c).__name__ for c in added)
    # Each has an op-amp, a plate for its branches (two switches a half), and what its output is held and reset on.
    branches = sum(c.role.startswith(("tap", "out")) and "reset" not in c.role for c in added)
    assert branches <= 8 * order
    assert counts == {"DifferentialOpAmp": 4, "Switch": 16, "Capacitor": 16 + branches}


@pytest.mark.ngspice
@pytest.mark.parametrize("realization", SAMPLED)
def test_ngspice_finds_sampled_taps_when_phase_1_ends_and_held_through_phase_2(worker, realization):
    asked = sampled(3, realization, clock="1 kHz", tones=[[10.0, 0.4, 0.1]])
    circuit, seen, tones = build(asked), grid(asked.stimulus, asked.theta), asked.stimulus
    settle = settling(extract(circuit), asked.theta)
    analysis, text, _ = ngspice_task(circuit, tones, settle=settle)
    vectors = worker.call(ngspice.run_here, (text, analysis), timeout=60.0)
    ticks = np.arange(int(settle * circuit.clock) + 1, int(analysis.stop * circuit.clock)) / circuit.clock
    turning = np.exp(2j * np.pi * ticks[:, None] * tones.frequency) * tones.phasor
    wanted = np.real(turning @ sampled_response(asked, tones.frequency))
    read = read_taps(vectors, circuit, seen, analysis=analysis)
    exact_taps = simulate(asked).taps.values / simulate(asked).tap_gain.values
    for k, tap in enumerate(circuit.taps):
        wave = sum(t.factor * vectors[f"v({t.of.lower()})"] for t in tap.terms) / tap.gain

        def at(later: float, wave=wave) -> np.ndarray:
            return np.interp(ticks + later / circuit.clock, vectors["time"], wave)

        # What a tap shows of a tick it shows when phase 1 ends; the sample is 1e-3 of a period late, as are states.
        assert np.abs(at(0.5) - wanted[:, k]).max() < 1e-3 * 0.4
        assert np.abs(at(0.95) - at(0.5)).max() < 1e-5 * 0.4
        assert np.abs(at(0.0) - at(0.5)).max() > 1e-2 * 0.4  # one step of the clock
        assert np.abs(read[:, k] - exact_taps[:, k]).max() < 1e-3 * 0.4


def test_sampled_taps_are_found_on_integrators_and_not_on_summers_that_are_left_out():
    first = [{"weights": [1.0, 0.0, 0.0]}]
    with pytest.raises(DesignError, match=r"nothing in this circuit shows u\(t - 1 theta\)"):
        build(sampled(3, "cap-feedforward", taps=[{"r": 1.0, "gain": "native"}]))
    own = build(sampled(3, "legendre", taps=[], outputs=first))
    # The first state is an output already, and a copy of it takes one branch a half.
    assert sum(c.role == "out1[0]" for c in own.components) == 2
    assert not any(c.role == "out1[2]" for c in own.components)


def test_noise_of_a_sampled_tap_is_that_of_its_states_and_of_its_own_branches():
    asked = sampled(2, "ladder", taps=[{"r": 0.3, "gain": 0.7}])
    circuit = build(asked)
    found = sampled_noise(reading_taps(circuit))
    weights = of_states(asked.taps[0], 2)
    own = [c for c in circuit.components if c.name.startswith("Ctap1_") and c.name.endswith("_p")]
    held = next(c.value for c in own if "_fb_" in c.name)
    # When phase 2 ends its plate keeps kT C in each half, which phase 1 adds to the difference, over the gain.
    charge = BOLTZMANN * 300.0 * (sum(c.value for c in own) - held)
    expected = weights @ found[:2, :2] @ weights + 2.0 * charge / (held * 0.7) ** 2
    assert found[2, 2] == pytest.approx(expected, rel=1e-9)
    beta = held / sum(c.value for c in own)
    assert feedback_factors(circuit)["Utap1"] == pytest.approx(beta, rel=1e-12)


def test_an_ensemble_of_sampled_taps_is_what_first_order_theory_predicts():
    asked = sampled(3, "cap-feedforward", mismatch=LAW, outputs=[{"weights": [0.0, 1.0, 0.5]}])
    spreads = tap_spreads(monte_carlo(asked, 400, workers=1), asked)
    # 400 samples leave 3.5 % of one standard deviation, and less where many parts share in it.
    assert all(abs(tap.theory.ratio - 1.0) < 0.06 for tap in spreads)
    for k, row in enumerate(tap_errors(asked, 0, range(2))):
        alone = simulate(asked, circuit=sample_circuit(asked, seed=0, index=k))
        np.testing.assert_allclose(row, alone.tap_nrmse.values, rtol=1e-6)


def test_a_sampled_deck_is_read_back_with_its_taps_and_says_when_they_are_valid():
    asked = sampled(3, "legendre", outputs=[{"weights": [0.0, 1.0, 0.5]}])
    circuit = build(asked)
    text = deck(circuit, Sweep(2, 1.0, 2.0))
    assert "states are valid at its multiples, and what taps show of them half a period later" in text
    back = circuit_of(read_edited(text))
    values = {c.name.lower(): c.value for c in circuit.only(Capacitor)}
    assert {c.name.lower(): c.value for c in back.only(Capacitor)} == pytest.approx(values, rel=1e-12)
    changed = text.replace("1.0 times 1.0*m1 + 0.5*m2", "1.0 times 1.0*m1")
    (one,), (other,) = (
        [item.checksum for item in items(read, header(read)) if item.name == "out1"]
        for read in map(read_edited, (text, changed))
    )
    assert one != other
