"""The per-frequency engine, against all node equations solved by LAPACK and against the poles."""

from dataclasses import replace

import numpy as np
import pytest

from lmu_analog.building import build
from lmu_analog.circuits.circuit import small_signal_values
from lmu_analog.circuits.components import Resistor
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.circuits.nodal.pencil import pencil_entries
from lmu_analog.circuits.nodal.whole import agree, largest_deviation, response_of
from lmu_analog.design import Design
from lmu_analog.engine import interpreter, native
from lmu_analog.engine.frequency import PerFrequency
from lmu_analog.engine.order import products
from lmu_analog.engine.plan import plan_frequencies
from lmu_analog.ensembles import exact
from lmu_analog.ensembles.exact import exact_chunk
from lmu_analog.errors import CircuitError
from lmu_analog.memory.window import tone_profile
from lmu_analog.mismatch.law import Mismatch, draw, sample
from lmu_analog.storage.results import UNSTABLE


def needs_native(name: str):
    return pytest.param(name, marks=pytest.mark.skipif(not native.is_there(), reason="no C compiler here"))


PAIRS = [(name, r) for name, f in FAMILIES.items() for r in f.realizations if f.model != "sampled"]
LAW = {c: "5 %" for c in ("resistor", "capacitor", "inductor", "transconductor", "tau", "opamp")}


def deviated(design: Design, samples: int):
    """The linear circuit of a design, and values of its parameters for some samples."""
    circuit, law = build(design), Mismatch.of(design)
    values = sample(circuit, law, draw(circuit, law, seed=0, samples=range(samples)))
    return circuit.small_signal or circuit, small_signal_values(
        circuit, values
    ) if circuit.small_signal else values


def prepared(circuit, design, play=interpreter.play):
    """The per-frequency engine for a circuit all of whose parameters differ."""
    plan = plan_frequencies(circuit, design.stimulus.frequency)
    return PerFrequency.of(plan, np.ones(len(circuit.values), bool), design.stimulus, play=play)


@pytest.mark.parametrize("opamp", ["ideal", "LM358"])
@pytest.mark.parametrize(("family", "realization"), PAIRS)
def test_responses_and_determinants_are_those_of_the_whole_circuit(family, realization, opamp):
    design = Design(order=5, theta="1 ms", family=family, realization=realization, opamp=opamp, mismatch=LAW)
    circuit, values = deviated(design, 6)
    engine = prepared(circuit, design)
    plan = engine.plan
    played = [interpreter.play(engine.job, values.T.copy(), k) for k in range(6)]
    found = np.array([one.response[0] + 1j * one.response[1] for one in played])
    whole = pencil_entries(circuit, plan.index, values, rate=plan.rate)
    wanted = np.array([response_of(whole, plan.index.size, k, turns=1j * plan.w) for k in range(6)])
    # Growth of entries is held to a thousand; LAPACK rounds, too.
    np.testing.assert_allclose(found, wanted, atol=1e-10 * np.abs(wanted).max())
    assert played[0].fits.all()
    system = extract(circuit, values)
    tones = design.stimulus
    states = wanted * tones.phasor[:, None]
    error = tone_profile(states, (tones.frequency, tones.phasor), circuit.theta, offset=system.offset)
    np.testing.assert_allclose(played[0].profile.T, error, rtol=1e-6)
    s = 1j * plan.contour.w[:, None]
    nominal = extract(circuit).poles
    ratio = [np.prod((s - poles) / (s - nominal), axis=1) for poles in system.poles]
    re, im = played[0].determinant
    ours = (re + 1j * im).T / engine.unit
    # Single precision; eigenvalues of unscaled states are good to some 1e-7.
    np.testing.assert_allclose(ours / ours[:, -1:], ratio / np.array(ratio)[:, -1:], rtol=1e-4)


@pytest.mark.parametrize("realization", ["ladder", "bus-ladder", "cap-feedforward"])
def test_cost_grows_with_the_number_of_states_alone(realization):
    cost = []
    for order in (8, 16, 32):
        design = Design(
            order=order, theta="1 ms", realization=realization, opamp={"gain": "120 dB", "gbw": "1 GHz"}
        )
        cost.append(products(plan_frequencies(build(design), design.stimulus.frequency).tones))
    # Twice the states, twice the products, but for what the pivots' order does.
    assert 1.8 < cost[1] / cost[0] < 2.5
    assert 1.8 < cost[2] / cost[1] < 2.5


def test_the_quicker_solver_is_taken(monkeypatch):
    def taken(order, realization, kernel=None):
        design = Design(order=order, theta="1 ms", realization=realization, opamp="OPA2192")
        return exact.solver_of(design, kernel)

    monkeypatch.setattr(native, "is_there", lambda: False)
    assert taken(12, "ladder") == "per-frequency"
    assert taken(12, "legendre") == "state-space"
    assert taken(12, "legendre", "numpy") == "per-frequency"  # a player that is asked for plays
    monkeypatch.setattr(native, "is_there", lambda: True)
    assert taken(12, "legendre") == "per-frequency"
    clocked = Design(order=3, theta="1 ms", family="switched-capacitor", clock="100 kHz")
    assert exact.solver_of(clocked) == "state-space"


@pytest.mark.parametrize("kernel", ["numpy", needs_native("native")])
def test_samples_that_are_in_doubt_are_computed_from_their_state_space(kernel):
    wild = {c: {"tolerance": "15 %", "distribution": "gauss"} for c in ("resistor", "capacitor")}
    design = Design(order=12, theta="1 ms", realization="cap-feedforward", opamp="OPA2192", mismatch=wild)
    found = exact_chunk(design, 0, range(200), kernel=kernel)
    wanted = exact_chunk(design, 0, range(200), solver="state-space")
    np.testing.assert_array_equal(found.status, wanted.status)
    assert 0 < (found.status == UNSTABLE).sum() < 200
    # Near instability a response is ill-conditioned.
    np.testing.assert_allclose(found.window_nrmse, wanted.window_nrmse, rtol=1e-5)


@pytest.mark.usefixtures("small_blocks")
def test_a_nominal_circuit_that_is_unstable_is_told_apart_from_its_stable_samples():
    # Op-amps too slow for the summer of so many states: half of the samples oscillate, among them the nominal one.
    spread = {"opamp": {"tolerance": "5 %", "distribution": "gauss", "lot": "15 %"}}
    design = Design(
        order=24,
        theta="1 ms",
        opamp={"gbw": "2.7 MHz", "gain": "120 dB"},
        mismatch=spread,
        realization="cap-feedforward",
    )
    circuit, values = deviated(design, 60)
    assert extract(circuit).poles.real.max() > 0.0
    largest = extract(circuit, values).poles.real.max(axis=1)
    status = exact_chunk(design, 0, range(60)).status
    np.testing.assert_array_equal(status == UNSTABLE, largest > 0.0)
    assert 0 < (status == UNSTABLE).sum() < 60


def test_what_is_certain_behind_output_resistances_is_what_the_poles_say():
    # Conductances of 10 mS nearly cancel in the equations of the outputs; a span that they rule misses all else.
    spread = {"resistor": {"tolerance": "18 %", "distribution": "gauss", "lot": "20 %"}}
    slow = {"gain": "110 dB", "gbw": "9 kHz", "output_resistance": 100.0, "input_capacitance": 5e-12}
    design = Design(
        order=8,
        theta="26.5 ms",
        realization="ladder",
        capacitance="300 nF",
        opamp=slow,
        mismatch=spread,
    )
    circuit, values = deviated(design, 400)
    found = prepared(circuit, design).run(values)
    truth = extract(circuit, values).poles.real.max(axis=1) < 0.0
    np.testing.assert_array_equal(found.stable[found.certain], truth[found.certain])
    assert found.certain.mean() > 0.1
    assert not truth.all()


def test_a_circuit_with_a_pole_at_the_axis_has_no_plan():
    design = Design(order=3, theta="1 ms", realization="ladder")
    circuit = build(design)
    with pytest.raises(CircuitError, match="imaginary axis|order of elimination"):
        plan_frequencies(_without_damping(circuit), design.stimulus.frequency)


def _without_damping(circuit):
    """Leave out the ladder's termination: what is left swings for ever."""
    ends = [c for c in circuit.components if isinstance(c, Resistor) and c.role == "a[0,0]"]
    kept = tuple(c for c in circuit.components if c not in ends)
    assert len(kept) < len(circuit.components)
    return replace(circuit, components=kept)


def test_circuits_whose_eigenvalues_are_rounding_are_left_to_the_state_space():
    # A window of three hours and op-amps of megahertz: eleven decades between the poles.
    design = Design(
        order=6, theta="1e4 s", realization="cap-feedforward", opamp="OPA2192", capacitance="1 mF"
    )
    with pytest.raises(CircuitError, match="too many decades apart|too far apart"):
        plan_frequencies(build(design), design.stimulus.frequency)


def test_the_largest_deviation_counts_in_either_direction_relative_to_the_nominal_value():
    nominal = np.array([2.0, 0.0, 1e-9])
    values = np.tile(nominal, (6, 1))
    values[1, 0] = 2.2
    values[2, 0] = 1.7
    values[3, 1] = 7.0  # an offset voltage has no nominal value to compare with
    values[4, 2] = 1.1e-9
    assert largest_deviation(values, nominal) == 2
    values[5, 2] = 1.2e-9
    assert largest_deviation(values, nominal) == 5
    values[1, 0] = 3.0
    assert largest_deviation(values, nominal) == 1
    values[0, 2] = 0.3e-9
    assert largest_deviation(values, nominal) == 0


def test_a_singular_sample_agrees_with_nothing():
    content = {(0, 0): (1.0, 0.0), (1, 0): (1.0, 0.0), (0, 2): (1.0,), (2, 1): (1.0,)}
    found = response_of(content, 2, 0, turns=np.array([1j]))
    assert not agree(np.zeros((1, 1), complex), found)


def test_what_leaves_a_residual_or_disagrees_with_all_equations_is_not_certain():
    design = Design(order=4, theta="1 ms", opamp="OPA2192", mismatch=LAW)
    circuit, values = deviated(design, 20)
    assert prepared(circuit, design).run(values).certain.all()

    def with_a_residual(job, given, watched):
        played = interpreter.play(job, given, watched)
        return replace(played, fits=played.fits & (np.arange(20) != 3))

    assert prepared(circuit, design, with_a_residual).run(values).certain.tolist() == [
        k != 3 for k in range(20)
    ]

    def disagreeing(job, given, watched):
        played = interpreter.play(job, given, watched)
        # The sample that deviates most is the one that is looked at.
        assert watched == largest_deviation(values, circuit.values)
        return replace(played, response=played.response * (1.0 + 1e-6))

    assert not prepared(circuit, design, disagreeing).run(values).certain.any()
