"""Transconductors and grounded capacitors: they implement the memory exactly, parasitics absorbed where they can be."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit, Term
from lmu_analog.circuits.components import GROUND, Capacitor, Transconductor
from lmu_analog.circuits.devices.models import OtaModel
from lmu_analog.circuits.families.gm_c import gm_c
from lmu_analog.circuits.families.options import Options
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.circuits.scaling import peak_scale
from lmu_analog.design import Design
from lmu_analog.ensembles.montecarlo import monte_carlo
from lmu_analog.errors import CircuitError
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.realizations import realize
from lmu_analog.memory.statespace import frequency_response
from lmu_analog.mismatch.law import sample_circuit
from lmu_analog.simulation import simulate
from lmu_analog.spice import ngspice
from lmu_analog.spice.deck import Sweep, deck, vector
from lmu_analog.spice.worker import Worker

pytestmark = pytest.mark.usefixtures("any_coordinates")  # large orders, and claims of all coordinates

NAMES = FAMILIES["gm-c"].realizations
LINEAR = ["cap-feedforward", "ladder", "bus-ladder", "rlc-ladder"]
REAL = {"gain": 1000, "parasitic": "50 fF", "pole": "1 GHz"}
PAIRS = [
    *((name, 6) for name in NAMES),
    *((name, order) for name in ("cap-feedforward", "rlc-ladder") for order in (3, 12)),
]
SPREAD = {"transconductor": "3 %", "capacitor": "3 %"}


def design(order: int, name: str, **changes: object) -> Design:
    return Design(order=order, theta="1 ms", family="gm-c", realization=name, **changes)


def built(name: str, order: int, **options: object) -> Circuit:
    made = realize(legendre(order), name)
    return gm_c(made, np.ones(made.structure.variables), Options(**options))


def count(circuit: Circuit) -> Counter:
    return Counter(type(c) for c in circuit.components)


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """One process for all runs of this file: starting one takes longer than a sweep."""
    with Worker() as started:
        yield started


def ac(circuit: Circuit, bandwidth: float, worker: Worker) -> tuple[np.ndarray, np.ndarray]:
    sweep = Sweep(20, bandwidth / 20, bandwidth)
    vectors = worker.call(ngspice.run_here, (deck(circuit, sweep), sweep), timeout=60.0)
    states = [sum(t.factor * vectors[vector(t)] for t in p) for p in circuit.probes]
    return vectors["frequency"].real, np.stack(states, axis=-1)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=5)  # for each of many realizations
@given(
    order=st.integers(1, 16),
    theta=st.floats(1e-9, 1e6),
    capacitance=st.floats(1e-15, 1e-3),
    band=st.floats(0.01, 1.0),
)
def test_a_mapped_memory_reads_back_as_the_memory(name, order, theta, capacitance, band):
    made = realize(legendre(order, theta), name)
    scale = peak_scale(made.structure, band * order / (8 * theta), amplitude=0.5, swing=3.5)
    back = extract(gm_c(made, scale, Options(capacitance=capacitance)))
    ideal = legendre(order, theta)
    A = np.linalg.solve(back.C.T, (back.C @ back.A).T).T
    # Peaks of far states are tiny in a small band, so scales span many decades: row sizes are the measure.
    size = np.abs(ideal.A).max()
    np.testing.assert_allclose(A, ideal.A, atol=1e-9 * size)
    np.testing.assert_allclose(back.C @ back.B, ideal.B, atol=1e-9 * size)
    np.testing.assert_allclose(back.D, 0.0, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_every_storage_element_is_a_capacitor_to_ground(name):
    circuit = built(name, 7)
    assert set(count(circuit)) == {Capacitor, Transconductor}
    assert count(circuit)[Capacitor] == 7
    assert {c.b for c in circuit.components if isinstance(c, Capacitor)} == {GROUND}


@pytest.mark.parametrize(("name", "a_state"), list(zip(LINEAR, [5, 2, 3.5, 4], strict=True)))
def test_transconductors_grow_in_proportion_to_the_order(name, a_state):
    counts = [count(built(name, order))[Transconductor] for order in (12, 24, 36, 48)]
    np.testing.assert_array_equal(np.diff(counts), 12 * a_state)
    assert counts[0] <= 12 * a_state + 3


@given(order=st.integers(1, 12))
def test_a_matrix_takes_a_transconductor_for_every_coefficient(order):
    structure = realize(legendre(order), "legendre").structure
    values = {c.name: c.value for c in built("legendre", order, capacitance=1e-12).components}
    for c in structure.coefficients:
        name = "G" + c.name.replace("[", "_").replace(",", "_").removesuffix("]")
        assert values[name] == pytest.approx(abs(c.value) * 1e-12, rel=1e-13)


@pytest.mark.parametrize("name", NAMES)
def test_no_net_leaves_the_swing(name):
    asked = design(8, name)
    circuit = build(asked)
    nets = [net for net in circuit.nets if net != circuit.source]
    seen = replace(circuit, probes=tuple((Term("v", net, 1.0),) for net in nets))
    f = np.linspace(asked.bandwidth / 1009, asked.bandwidth, 1009)
    peaks = asked.amplitude * np.abs(frequency_response(extract(seen), f)).max(axis=0)
    # The scale searches 400 frequencies, which finds broad peaks to 1e-3.
    assert peaks.max() <= (1.0 - asked.headroom) * asked.supply * (1 + 1e-3)


def test_an_input_range_below_the_supply_takes_its_place():
    wide, narrow = (design(4, "ladder", transconductor=t) for t in (None, {"limit": "500 mV"}))
    for a, b in zip(build(wide).probes, build(narrow).probes, strict=True):
        assert b[0].factor == pytest.approx(10.0 * a[0].factor, rel=1e-12)


@pytest.mark.parametrize("name", ["legendre", "orthonormal", "balanced", "ladder"])
def test_parasitics_of_states_vanish_in_their_capacitors(name):
    loaded, ideal = (
        build(design(6, name, capacitance="5 pF", transconductor=t)) for t in ({"parasitic": "50 fF"}, None)
    )
    drivers = Counter(c.out for c in loaded.components if isinstance(c, Transconductor))
    for c in loaded.components:
        if isinstance(c, Capacitor):
            assert c.value == pytest.approx(5e-12 - drivers[c.a] * 50e-15, rel=1e-12)
    f = np.linspace(0.1, 1.0, 10) * 1e3
    # Two sums that are equal on paper.
    responses = [frequency_response(extract(circuit), f) for circuit in (loaded, ideal)]
    np.testing.assert_allclose(responses[0], responses[1], atol=1e-12)


def test_parasitics_beyond_the_capacitance_are_an_error_that_says_what_to_do():
    with pytest.raises(
        CircuitError,
        match=r"^Cint_0: 7 transconductors add 3.5e-13 F to its net, which may have 3e-13 F; "
        r"raise capacitance or lower the transconductor's parasitic$",
    ):
        built("legendre", 6, capacitance=3e-13, transconductor=OtaModel("ota", parasitic=50e-15))


@pytest.mark.parametrize("name", LINEAR)
def test_a_pole_without_anything_that_sets_the_voltage_of_a_sum_is_an_error(name):
    if name == "ladder":  # has no sum
        assert extract(built(name, 4, transconductor=OtaModel("ota", pole=1e9))).order > 4
        return
    with pytest.raises(
        CircuitError, match=r"^transconductors with a pole leave .* give them a gain or a par"
    ):
        built(name, 4, transconductor=OtaModel("ota", pole=1e9))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("order", [1, 2, 3, 12, 24])
def test_parasitics_at_nets_without_capacitor_leave_the_circuit_stable(name, order):
    asked = design(order, name, capacitance="50 pF", transconductor={"parasitic": "50 fF"})
    poles = extract(build(asked)).poles
    # The slowest pole of the ideal memory, which the parasitics of a thousandth of C move by little.
    slowest = legendre(order, asked.theta).poles.real.max()
    assert poles.real.max() == pytest.approx(slowest, rel=0.1)


@pytest.mark.ngspice
@pytest.mark.parametrize("order", [3, 6, 12])
@pytest.mark.parametrize("name", NAMES)
def test_ngspice_the_extraction_and_the_ideal_memory_agree(name, order, worker):
    asked = design(order, name)
    circuit = build(asked)
    f, simulated = ac(circuit, asked.bandwidth, worker)
    ideal = frequency_response(legendre(order, asked.theta), f)
    np.testing.assert_allclose(frequency_response(extract(circuit), f), ideal, atol=1e-9)
    # Ideal transconductors are exact in a deck too.
    np.testing.assert_allclose(simulated, ideal, atol=1e-9)


@pytest.mark.ngspice
@pytest.mark.parametrize(
    ("name", "order"),
    [
        *((name, 6) for name in NAMES),
        ("cap-feedforward", 3),
        ("cap-feedforward", 12),
        ("rlc-ladder", 3),
        ("rlc-ladder", 12),
    ],
)
def test_both_engines_simulate_alike(name, order):
    exact, simulated = (simulate(design(order, name), engine=e) for e in ("exact", "ngspice"))
    # 1e-4 absolute is what the step of the decks is chosen for (spice/deck.py).
    np.testing.assert_allclose(simulated.states, exact.states, atol=1e-4)
    assert float(simulated.window_nrmse) == pytest.approx(float(exact.window_nrmse), abs=1e-4)


@pytest.mark.ngspice
@pytest.mark.parametrize("order", [3, 12])
@pytest.mark.parametrize("name", NAMES)
def test_ngspice_ac_equals_extraction_of_a_mismatched_circuit_of_real_transconductors(name, order, worker):
    asked = design(order, name, capacitance="50 pF", transconductor=REAL, mismatch=SPREAD)
    circuit = sample_circuit(asked, seed=3, index=5)
    f, simulated = ac(circuit, asked.bandwidth, worker)
    # Same linear equations, solved twice; poles at 1 GHz, 1e5 beyond the band, cost digits.
    np.testing.assert_allclose(simulated, frequency_response(extract(circuit), f), rtol=1e-6, atol=1e-9)


@pytest.mark.ngspice
def test_a_small_signal_does_not_see_the_input_range():
    asked = design(4, "cap-feedforward", transconductor={"limit": "1 V"}, amplitude="1 mV", headroom="99 %")
    exact, simulated = (simulate(asked, engine=e) for e in ("exact", "ngspice"))
    # tanh x = x - x^3/3: at a hundredth of the range 3e-5 of 1 mV, times gains of some ten.
    np.testing.assert_allclose(simulated.states, exact.states, atol=1e-6)


@pytest.mark.parametrize("name", ["cap-feedforward", "rlc-ladder"])
def test_mismatch_costs_accuracy(name):
    asked = design(6, name, capacitance="50 pF", transconductor=REAL, mismatch=SPREAD)
    run = monte_carlo(asked, 20, 1)
    assert np.isfinite(run.window_nrmse).all()
    assert float(run.window_nrmse.mean()) > float(simulate(asked).window_nrmse)
