"""RC synapses: they implement the memory exactly, with one filter for each state."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmu_analog.circuits.components import Capacitor, Resistor, Transconductor
from lmu_analog.circuits.devices.models import IDEAL
from lmu_analog.circuits.families.options import Options
from lmu_analog.circuits.families.synapse import rc_synapse
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.circuits.scaling import peak_scale
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.realizations import realize

NAMES = ("unit-weight", "principle3")  # one filter a state; tests/test_two_pole.py has two


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=12)  # for each realization
@given(
    order=st.integers(1, 24),
    theta=st.floats(1e-9, 1e6),
    capacitance=st.floats(1e-15, 1e-3),
    amplitude=st.floats(1e-6, 1e3),
)
def test_a_mapped_memory_reads_back_as_the_memory(name, order, theta, capacitance, amplitude):
    made = realize(legendre(order, theta), name)
    scale = peak_scale(made.structure, order / (8 * theta), amplitude=amplitude, swing=3.5)
    back = extract(rc_synapse(made, scale, Options(capacitance=capacitance, opamp=IDEAL)))
    ideal = legendre(order, theta)
    A = np.linalg.solve(back.C.T, (back.C @ back.A).T).T
    np.testing.assert_allclose(
        A, ideal.A, atol=1e-9 * np.abs(ideal.A).max()
    )  # leak and self-weight cancel in part
    np.testing.assert_allclose(back.C @ back.B, ideal.B, atol=1e-9 * np.abs(ideal.B).max())
    np.testing.assert_array_equal(back.D, 0.0)


@given(order=st.integers(1, 16), theta=st.floats(1e-6, 1e3), capacitance=st.floats(1e-13, 1e-6))
def test_every_synapse_is_one_filter_with_unit_weights(order, theta, capacitance):
    made = realize(legendre(order, theta), "unit-weight")
    circuit = rc_synapse(made, np.ones(order), Options(capacitance=capacitance, opamp=IDEAL))
    parts = {
        kind: [c for c in circuit.components if isinstance(c, kind)]
        for kind in (Resistor, Capacitor, Transconductor)
    }
    assert [len(p) for p in parts.values()] == [order, order, order**2]
    resistance = np.array([r.value for r in parts[Resistor]])
    # R C = theta/(2i+1), and |w| = 1: products of three correctly rounded numbers.
    np.testing.assert_allclose(resistance * capacitance, theta / (2 * np.arange(order) + 1), rtol=1e-12)
    for g in parts[Transconductor]:
        assert g.value * resistance[int(g.out[1:])] == pytest.approx(1.0, rel=1e-12)


@given(order=st.integers(1, 12))
def test_a_negative_weight_swaps_the_inputs_and_every_value_stays_positive(order):
    made = realize(legendre(order), "unit-weight")
    weights = {c.name: c.value for c in made.structure.coefficients}
    circuit = rc_synapse(made, np.ones(order), Options(capacitance=1e-9, opamp=IDEAL))
    for g in (c for c in circuit.components if isinstance(c, Transconductor)):
        assert g.value > 0
        assert (g.minus if weights[g.role] > 0 else g.plus) == "0"
        assert "0" not in (g.plus if weights[g.role] > 0 else g.minus).removeprefix("x0").removeprefix("x10")


def test_a_time_constant_scatters_through_its_capacitor_and_the_weights_do_not():
    made = realize(legendre(4, 1e-3), "unit-weight")
    circuit = rc_synapse(made, np.ones(4), Options(capacitance=1e-9, opamp=IDEAL))
    classes = {c.name: c.classes for c in circuit.components}
    assert {n for n, c in classes.items() if "tau" in c} == {f"Ctau_{i}" for i in range(4)}
    assert {c for n, c in classes.items() if n[0] == "G"} == {("transconductor",)}
    slower = np.array([2.0 if p.name == "Ctau_1" else 1.0 for p in circuit.parameters]) * circuit.values
    A, B = extract(circuit, slower).A, extract(circuit, slower).B
    ideal = legendre(4, 1e-3)
    half = np.array([[1.0], [0.5], [1.0], [1.0]])
    np.testing.assert_allclose(
        A, half * ideal.A, atol=1e-12 * np.abs(ideal.A).max()
    )  # row 1 is twice as slow
    np.testing.assert_allclose(B, half * ideal.B, rtol=1e-12)
