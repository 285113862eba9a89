"""Op-amp circuits: they implement the memory exactly, with the promised number of parts."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmu_analog.circuits.circuit import Term
from lmu_analog.circuits.components import Capacitor, OpAmp, Resistor
from lmu_analog.circuits.devices.models import IDEAL
from lmu_analog.circuits.families.active_rc import active_rc, choose_signs
from lmu_analog.circuits.families.options import Options
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.circuits.scaling import peak_scale
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.realizations import Realization, realize
from lmu_analog.memory.statespace import StateSpace, frequency_response
from lmu_analog.memory.structure import Coefficient, Structure, eliminate, matrices

pytestmark = pytest.mark.usefixtures("any_coordinates")  # large orders, and claims of all coordinates

NAMES = FAMILIES["active-rc"].realizations
seeds = st.integers(0, 2**32 - 1)


def built(name, order, *, theta=1.0, capacitance=1e-6):
    made = realize(legendre(order, theta), name)
    return active_rc(made, np.ones(made.structure.variables), Options(capacitance=capacitance, opamp=IDEAL))


def count(circuit, kind, prefix=""):
    return sum(isinstance(c, kind) and c.name.startswith(prefix) for c in circuit.components)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=10)  # for each of many realizations
@given(
    order=st.integers(1, 24),
    theta=st.floats(1e-9, 1e6),
    capacitance=st.floats(1e-15, 1e-3),
    amplitude=st.floats(1e-6, 1e3),
    band=st.floats(0.01, 1.0),
)
def test_a_mapped_memory_reads_back_as_the_memory(name, order, theta, capacitance, amplitude, band):
    made = realize(legendre(order, theta), name)
    scale = peak_scale(made.structure, band * order / (8 * theta), amplitude=amplitude, swing=3.5)
    back = extract(active_rc(made, scale, Options(capacitance=capacitance, opamp=IDEAL)))
    ideal = legendre(order, theta)
    A = np.linalg.solve(back.C.T, (back.C @ back.A).T).T
    # Peaks of far states are tiny in a small band, so scales span many decades: row sizes are the measure.
    size = np.abs(ideal.A).max()
    np.testing.assert_allclose(A, ideal.A, atol=1e-9 * size)
    np.testing.assert_allclose(back.C @ back.B, ideal.B, atol=1e-9 * size)
    np.testing.assert_allclose(back.D, 0.0, atol=1e-9)
    np.testing.assert_array_equal(back.offset, 0.0)


@pytest.mark.parametrize("name", ["legendre", "orthonormal"])
@given(order=st.integers(1, 16))
def test_a_matrix_takes_d_squared_plus_d_resistors_and_two_for_each_inverter(name, order):
    circuit = built(name, order)
    inverters = count(circuit, OpAmp, "Uinv")
    assert count(circuit, Resistor) == order**2 + order + 2 * inverters
    assert count(circuit, Capacitor) == order
    assert count(circuit, OpAmp) == order + inverters <= 2 * order + 1
    assert count(circuit, Resistor, "Rinv") == 2 * inverters


@given(order=st.integers(2, 32))
def test_cap_feedforward_takes_parts_in_proportion_to_the_order(order):
    circuit = built("cap-feedforward", order)
    inverters = count(circuit, OpAmp, "Uinv")
    assert count(circuit, Capacitor) == 2 * order - 2
    # Integrators: u and S twice, a[1,0], one for each later state; summer: d weights, feedback, balance.
    assert count(circuit, Resistor) - 2 * inverters <= (order + 3) + order + 2
    assert count(circuit, OpAmp, "Uint") == order
    assert count(circuit, OpAmp, "Usum") == 1
    assert count(circuit, OpAmp) <= 1.5 * order + 2.5  # docs/reference-figures.md: ~1.5 d + 2


@given(order=st.integers(2, 32))
def test_no_capacitor_of_cap_feedforward_is_fed_from_an_inverter(order):
    circuit = built("cap-feedforward", order)
    assert not [c for c in circuit.components if isinstance(c, Capacitor) and c.a.endswith("n")]


def cost(structure, signs):
    """Count inverters, those in capacitor paths fourfold (an inverter, and three for its phase)."""
    E, F, G = matrices(structure)
    n = structure.dynamic
    total = int(any(G[i, 0] * signs[i] > 0 for i in range(n)))
    for j in range(structure.variables):
        resistive = any(i != j and F[i, j] * signs[i] * signs[j] > 0 for i in range(n))
        capacitive = any(i != j and E[i, j] * signs[i] * signs[j] < 0 for i in range(n))
        total += int(resistive or capacitive) + 3 * int(capacitive)
    return total


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=10)  # for each of many realizations
@given(order=st.integers(1, 20))
def test_chosen_signs_never_cost_more_than_no_signs(name, order):
    structure = realize(legendre(order), name).structure
    signs = choose_signs(structure)
    assert set(np.abs(signs)) == {1.0}
    assert cost(structure, signs) <= cost(structure, np.ones(structure.variables))
    flips = [cost(structure, np.where(np.arange(len(signs)) == k, -signs, signs)) for k in range(len(signs))]
    assert min(flips) >= cost(structure, signs)  # and no single flip helps any more


def summing(seed, states):
    """Draw leaky integrators, fed by a summer of all of them and of the input, with weights of any sign."""
    rng = np.random.default_rng(seed)
    v = states + 1
    E, F = np.diag([*np.ones(states), 0.0]), np.zeros((v, v))
    F[states, states] = -1.0
    sizes = np.exp(rng.uniform(-1.5, 1.5, 3 * states + 2)) * rng.choice([-1.0, 1.0], 3 * states + 2)
    weights = iter(sizes.tolist())
    coefficients = [Coefficient(f"a[{i},{i}]", "F", i, i, -abs(next(weights))) for i in range(states)]
    coefficients += [Coefficient(f"s[{i}]", "F", i, states, next(weights)) for i in range(states)]
    coefficients += [Coefficient(f"sum[{i}]", "F", states, i, next(weights)) for i in range(states)]
    coefficients += [
        Coefficient("sumu", "G", states, 0, next(weights)),
        Coefficient("b[0]", "G", 0, 0, next(weights)),
    ]
    structure = Structure(E, F, np.zeros((v, 1)), tuple(coefficients), states)
    A, B = eliminate(structure)
    system = StateSpace(A, B, np.eye(states), np.zeros((states, 1)))
    return Realization("drawn", system, np.eye(states), structure, 1.0, np.eye(states, v))


@given(seed=seeds, states=st.integers(1, 5))
def test_the_difference_amplifier_sums_with_any_weights(seed, states):
    made = summing(seed, states)
    scale = np.exp(np.random.default_rng(seed).uniform(-1, 1, states + 1))
    circuit = active_rc(made, scale, Options(capacitance=1e-6, opamp=IDEAL))
    back = extract(circuit)
    A = np.linalg.solve(back.C.T, (back.C @ back.A).T).T
    # Weights span two decades and scales one; each matrix entry is a few products.
    np.testing.assert_allclose(A, made.system.A, atol=1e-11 * np.abs(made.system.A).max())
    np.testing.assert_allclose(back.C @ back.B, made.system.B, atol=1e-11 * np.abs(made.system.B).max())


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=10)  # for each of many realizations
@given(order=st.integers(1, 12), band=st.floats(0.9, 1.2), amplitude=st.floats(1e-3, 10.0))
def test_no_sine_of_the_band_drives_any_output_beyond_the_swing(name, order, band, amplitude):
    made = realize(legendre(order), name)
    bandwidth, swing = band * order / 6, 3.5
    scale = peak_scale(made.structure, bandwidth, amplitude=amplitude, swing=swing)
    circuit = active_rc(made, scale, Options(capacitance=1e-6, opamp=IDEAL))
    outputs = [c.out for c in circuit.components if isinstance(c, OpAmp) and not c.name.startswith("Uinv_u")]
    seen = replace(circuit, probes=tuple((Term("v", net, 1.0),) for net in outputs))
    f = np.linspace(bandwidth / 1009, bandwidth, 1009)
    peaks = amplitude * np.abs(frequency_response(extract(seen), f)).max(axis=0)
    # The scale searches 400 frequencies, which finds broad peaks to 1e-3.
    assert peaks.max() <= swing * (1 + 1e-3)
    assert peaks.min() >= swing * (1 - 1e-3)  # and every output uses the swing that it has, on this grid too


@given(order=st.integers(1, 12), capacitance=st.floats(1e-13, 1e-6))
def test_the_capacitance_sets_the_impedance_level_alone(order, capacitance):
    small, large = (built("cap-feedforward", order, capacitance=c) for c in (capacitance, 10 * capacitance))
    for a, b in zip(small.components, large.components, strict=True):
        if isinstance(a, Capacitor):
            assert b.value == pytest.approx(10 * a.value, rel=1e-13)
        elif isinstance(a, Resistor):
            assert b.value == pytest.approx(a.value / 10, rel=1e-13)
        else:
            assert a == b


def test_the_memory_of_one_state_is_a_leaky_integrator_without_inverter():
    circuit = built("legendre", 1, theta=2.0, capacitance=1e-6)
    assert sorted(c.name for c in circuit.components) == ["Cint_0", "Ra_0_0", "Rb_0", "Uint_0"]
    assert [c.value for c in circuit.components if isinstance(c, Resistor)] == pytest.approx(
        [2e6, 2e6], rel=1e-13
    )
    assert circuit.probes == ((Term("v", "x0", -1.0),),)
