"""Fully differential op-amp circuits: they implement the memory exactly, with the promised number of parts."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit, Term
from lmu_analog.circuits.components import Capacitor, DifferentialOpAmp, Follower, Resistor
from lmu_analog.circuits.families.active_rc import active_rc
from lmu_analog.circuits.families.differential import active_rc_differential
from lmu_analog.circuits.families.options import Options
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.circuits.scaling import peak_scale
from lmu_analog.design import Design
from lmu_analog.ensembles.montecarlo import monte_carlo
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.realizations import realize
from lmu_analog.memory.statespace import frequency_response
from lmu_analog.mismatch.law import sample_circuit
from lmu_analog.simulation import simulate
from lmu_analog.spice import ngspice
from lmu_analog.spice.deck import Sweep, deck, vector
from lmu_analog.spice.worker import Worker

pytestmark = pytest.mark.usefixtures("any_coordinates")  # large orders, and claims of all coordinates

FAMILY = "active-rc-differential"
NAMES = FAMILIES[FAMILY].realizations
# Rails far off: the circuit is linear, as extraction takes it to be.
REAL = {"gain": "100 dB", "gbw": "5 MHz", "offset": "2 mV", "offset_max": "3 mV", "rail": "1000 V"}
PAIRS = [*((name, 6) for name in NAMES), ("cap-feedforward", 3), ("cap-feedforward", 12)]
SPREAD = {"resistor": "3 %", "capacitor": "3 %", "opamp": "10 %"}


def design(order: int, name: str, **changes: object) -> Design:
    return Design(order=order, theta="1 ms", family=FAMILY, realization=name, **changes)


def built(name: str, order: int, **options: object) -> Circuit:
    made = realize(legendre(order), name)
    return active_rc_differential(made, np.ones(made.structure.variables), Options(**options))


def kinds(circuit: Circuit) -> Counter:
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
    band=st.floats(0.5, 1.0),
)
def test_a_mapped_memory_reads_back_as_the_memory(name, order, theta, capacitance, band):
    made = realize(legendre(order, theta), name)
    bandwidth = band * order / (8 * theta)
    scale = peak_scale(made.structure, bandwidth, amplitude=0.5, swing=3.5)
    back = extract(active_rc_differential(made, scale, Options(capacitance=capacitance)))
    f = np.linspace(0.0, 2 * bandwidth, 21)
    ideal = frequency_response(legendre(order, theta), f)
    # States are the d differences and, seen by no probe, the d means of the virtual grounds.
    assert back.order == 2 * order
    np.testing.assert_allclose(frequency_response(back, f), ideal, atol=1e-9)
    np.testing.assert_allclose(back.D, 0.0, atol=1e-9)
    np.testing.assert_array_equal(back.offset, 0.0)


@given(order=st.integers(2, 48))
def test_cap_feedforward_takes_4d_plus_8_resistors_and_4d_minus_4_capacitors(order):
    made = kinds(built("cap-feedforward", order))
    assert made == {
        Resistor: 4 * order + 8,
        Capacitor: 4 * order - 4,
        DifferentialOpAmp: order + 1,
        Follower: 1,
    }


@pytest.mark.parametrize("name", ["legendre", "orthonormal"])
@given(order=st.integers(1, 16))
def test_a_matrix_takes_twice_d_squared_plus_d_resistors_and_no_inverter(name, order):
    made = kinds(built(name, order))
    assert made[Resistor] == 2 * (order**2 + order)
    assert made[Capacitor] == 2 * order
    assert made[DifferentialOpAmp] == order


@pytest.mark.parametrize(("name", "most"), [("ladder", 4), ("bus-ladder", 7)])
def test_ladders_take_parts_in_proportion_to_the_order(name, most):
    counts = [len(built(name, order).components) for order in (12, 24, 36, 48)]
    assert len(set(np.diff(counts))) == 1
    assert np.diff(counts)[0] == 12 * (most + 3)  # and two capacitors and an op-amp a state


@pytest.mark.parametrize("name", NAMES)
def test_values_and_names_are_those_of_the_single_ended_circuit_in_each_half(name):
    made = realize(legendre(5), name)
    scale, options = np.linspace(1.0, 2.0, made.structure.variables), Options(capacitance=1e-6)
    single = {c.name: c for c in active_rc(made, scale, options).components}
    pairs = {c.name: c for c in active_rc_differential(made, scale, options).components}
    for name, part in single.items():
        if isinstance(part, Resistor | Capacitor) and not name.startswith(("Rinv", "Rsum")):
            for half in "pn":
                assert pairs[f"{name}_{half}"].value == pytest.approx(part.value, rel=1e-13)
                assert pairs[f"{name}_{half}"].role == part.role


def test_each_output_alone_stays_within_the_swing():
    asked = design(8, "cap-feedforward")
    circuit = build(asked)
    nets = [net for c in circuit.components if isinstance(c, DifferentialOpAmp) for net in (c.out_plus,)]
    seen = Circuit("", "", 1.0, circuit.components, tuple((Term("v", net, 1.0),) for net in nets))
    f = np.linspace(asked.bandwidth / 1009, asked.bandwidth, 1009)
    peaks = asked.amplitude * np.abs(frequency_response(extract(seen), f)).max(axis=0)
    # The scale searches 400 frequencies, which finds broad peaks to 1e-3.
    np.testing.assert_allclose(peaks, (1.0 - asked.headroom) * asked.supply, rtol=1e-3)


@pytest.mark.ngspice
@pytest.mark.parametrize("order", [3, 6, 12])
@pytest.mark.parametrize("name", NAMES)
def test_ngspice_the_extraction_and_the_ideal_memory_agree(name, order, worker):
    asked = design(order, name)
    circuit = build(asked)
    f, simulated = ac(circuit, asked.bandwidth, worker)
    ideal = frequency_response(legendre(order, asked.theta), f)
    np.testing.assert_allclose(frequency_response(extract(circuit), f), ideal, atol=1e-9)
    # Ideal op-amps have a gain of 1e8 in a deck: 1e-8 times noise gains of some tens, well within 1e-4.
    np.testing.assert_allclose(simulated, ideal, atol=1e-4)


@pytest.mark.ngspice
@pytest.mark.parametrize(("name", "order"), PAIRS)
def test_both_engines_simulate_alike(name, order):
    exact, simulated = (simulate(design(order, name), engine=e) for e in ("exact", "ngspice"))
    # 1e-4 absolute is what the step of the decks is chosen for (spice/deck.py).
    np.testing.assert_allclose(simulated.states, exact.states, atol=1e-4)
    assert float(simulated.window_nrmse) == pytest.approx(float(exact.window_nrmse), abs=1e-4)


@pytest.mark.ngspice
@pytest.mark.parametrize("order", [3, 12])
@pytest.mark.parametrize("name", NAMES)
def test_ngspice_ac_equals_extraction_of_a_mismatched_circuit_with_one_pole_opamps(name, order, worker):
    asked = design(order, name, opamp=REAL, mismatch=SPREAD)
    circuit = sample_circuit(asked, seed=3, index=5)
    f, simulated = ac(circuit, asked.bandwidth, worker)
    # Same linear equations, solved twice; conditioning of op-amp poles 1e4 apart from the band costs digits.
    np.testing.assert_allclose(simulated, frequency_response(extract(circuit), f), rtol=1e-6, atol=1e-9)


@pytest.mark.ngspice
def test_offsets_shift_the_states_alike_in_both_engines():
    asked = design(4, "cap-feedforward", opamp=REAL)
    exact, simulated = (simulate(asked, engine=e) for e in ("exact", "ngspice"))
    assert float(abs(exact.states.mean("time") - exact.ideal_states.mean("time")).max()) > 1e-4
    # The offset itself is a DC solution; what differs is ngspice's step error.
    np.testing.assert_allclose(simulated.states, exact.states, atol=1e-4)


def test_mismatch_of_both_halves_and_of_every_opamp_costs_accuracy():
    asked = design(6, "cap-feedforward", opamp=REAL, mismatch=SPREAD)
    run = monte_carlo(asked, 20, 1)
    assert np.isfinite(run.window_nrmse).all()
    assert float(run.window_nrmse.mean()) > float(simulate(asked).window_nrmse)


def test_the_deck_keeps_the_single_input_and_reads_differences():
    text = deck(build(design(3, "legendre")), Sweep(2, 1.0, 2.0)).lower()
    assert "* input = v(u)\n" in text
    assert "\nein un 0 0 u 1.0\n" in text
    for state, line in enumerate(line for line in text.splitlines() if line.startswith("* probe")):
        assert line.endswith(f"*v(x{state}n)")
        assert f"*v(x{state}p) - " in line
