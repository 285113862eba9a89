"""The direct solution tone by tone, against all node equations solved by LAPACK and against the poles."""

from dataclasses import replace

import numpy as np
import pytest

from lmu_analog.building import build
from lmu_analog.circuits.circuit import twin_values
from lmu_analog.circuits.components import Resistor
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.circuits.nodal.pencil import table
from lmu_analog.circuits.nodal.whole import agree, response_of
from lmu_analog.design import Design
from lmu_analog.engine.order import products
from lmu_analog.engine.plan import plan_tones
from lmu_analog.engine.solve import determinants, prepare, steady_states
from lmu_analog.engine.winding import stability
from lmu_analog.ensembles import exact
from lmu_analog.ensembles.direct import planned_directly
from lmu_analog.ensembles.exact import exact_chunk
from lmu_analog.errors import CircuitError
from lmu_analog.mismatch.law import Mismatch, draw, sample
from lmu_analog.storage.store import UNSTABLE

PAIRS = [(name, r) for name, f in FAMILIES.items() for r in f.realizations if f.model != "sampled"]
STRAY = {c: "5 %" for c in ("resistor", "capacitor", "inductor", "transconductor", "tau", "opamp")}


def strayed(design: Design, samples: int):
    """The linear circuit of a design, and values of its parameters for some samples."""
    circuit, law = build(design), Mismatch.of(design)
    values = sample(circuit, law, draw(circuit, law, seed=0, samples=range(samples)))
    return circuit.twin or circuit, twin_values(circuit, values) if circuit.twin else values


@pytest.mark.parametrize("opamp", ["ideal", "LM358"])
@pytest.mark.parametrize(("family", "realization"), PAIRS)
def test_responses_and_determinants_are_those_of_the_whole_circuit(family, realization, opamp):
    design = Design(
        order=5, theta="1 ms", family=family, realization=realization, opamp=opamp, mismatch=STRAY
    )
    circuit, values = strayed(design, 6)
    plan = plan_tones(circuit, design.stimulus.frequency)
    given = prepare(plan, table(circuit, plan.index, values, rate=plan.rate), 6)
    ((_, found),) = steady_states(plan, given)
    whole = table(circuit, plan.index, values, rate=plan.rate)
    wanted = [response_of(whole, plan.index.size, k, turns=1j * plan.w).T for k in range(6)]
    # Growth of entries is held to a thousand; LAPACK rounds, too.
    np.testing.assert_allclose(found.y, wanted, atol=1e-10 * np.abs(wanted).max())
    assert found.trusted.all()
    rest = extract(circuit, values).offset
    if found.rest is not None:
        np.testing.assert_allclose(found.rest, rest, atol=1e-8 * max(np.abs(rest).max(), 1e-9))
    s = 1j * plan.contour.w[:, None]
    nominal = extract(circuit).poles
    ratio = [np.prod((s - poles) / (s - nominal), axis=1) for poles in extract(circuit, values).poles]
    ours = determinants(plan, given)
    # Single precision; eigenvalues of unscaled states are good to some 1e-7.
    np.testing.assert_allclose(ours / ours[:, -1:], ratio / np.array(ratio)[:, -1:], rtol=1e-4)


@pytest.mark.parametrize("realization", ["ladder", "bus-ladder", "cap-feedforward"])
def test_cost_grows_with_the_number_of_states_alone(realization):
    cost = []
    for order in (8, 16, 32):
        design = Design(
            order=order, theta="1 ms", realization=realization, opamp={"gain": "120 dB", "gbw": "1 GHz"}
        )
        cost.append(products(plan_tones(build(design), design.stimulus.frequency).tones))
    # Twice the states, twice the products, but for what the pivots' order does.
    assert 1.8 < cost[1] / cost[0] < 2.5
    assert 1.8 < cost[2] / cost[1] < 2.5


def test_the_quicker_way_is_taken():
    def planned(order, realization):
        design = Design(order=order, theta="1 ms", realization=realization, opamp="OPA2192")
        return planned_directly(build(design), design.stimulus)

    assert planned(12, "ladder") is not None
    assert planned(12, "legendre") is None
    clocked = Design(order=3, theta="1 ms", family="switched-capacitor", clock="100 kHz")
    assert planned_directly(build(clocked), clocked.stimulus) is None


@pytest.mark.parametrize("kernel", ["numpy", "float32", "numba"])
def test_samples_that_are_in_doubt_are_computed_from_their_state_space(kernel, monkeypatch):
    if kernel == "numba":
        pytest.importorskip("numba")
    wild = {c: {"tolerance": "15 %", "distribution": "gauss"} for c in ("resistor", "capacitor")}
    design = Design(order=12, theta="1 ms", realization="cap-feedforward", opamp="OPA2192", mismatch=wild)
    found = exact_chunk(design, 0, range(200), kernel=kernel)
    monkeypatch.setattr(exact, "planned_directly", lambda *_: None)
    exact._prepared.cache_clear()
    wanted = exact_chunk(design, 0, range(200))
    exact._prepared.cache_clear()
    np.testing.assert_array_equal(found.status, wanted.status)
    assert 0 < (found.status == UNSTABLE).sum() < 200
    # Near instability a response is ill-conditioned; single precision holds three digits there.
    rtol = 1e-2 if kernel == "float32" else 1e-5
    np.testing.assert_allclose(found.window_nrmse, wanted.window_nrmse, rtol=rtol)


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
    circuit, values = strayed(design, 60)
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
    circuit, values = strayed(design, 400)
    plan = plan_tones(circuit, design.stimulus.frequency)
    given = prepare(plan, table(circuit, plan.index, values, rate=plan.rate), len(values))
    found, certain = stability(plan.contour, determinants(plan, given))
    truth = extract(circuit, values).poles.real.max(axis=1) < 0.0
    np.testing.assert_array_equal(found[certain], truth[certain])
    assert not truth.all()


def test_a_circuit_with_a_pole_at_the_axis_has_no_plan():
    design = Design(order=3, theta="1 ms", realization="ladder")
    circuit = build(design)
    with pytest.raises(CircuitError, match="imaginary axis|order of elimination"):
        plan_tones(_without_damping(circuit), design.stimulus.frequency)


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
        plan_tones(build(design), design.stimulus.frequency)


def test_a_singular_sample_agrees_with_nothing():
    content = {(0, 0): (1.0, 0.0), (1, 0): (1.0, 0.0), (0, 2): (1.0,), (2, 1): (1.0,)}
    found = response_of(content, 2, 0, turns=np.array([1j]))
    assert not agree(np.zeros((1, 1), complex), found, float)
