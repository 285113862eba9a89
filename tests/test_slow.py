import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit, Term
from lmu_analog.circuits.components import Capacitor, OpAmp, Resistor
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.design import Design
from lmu_analog.errors import CircuitError
from lmu_analog.memory.statespace import frequency_response
from lmu_analog.reduction.slow import plan_reduction, slow_states

FAST = {"gain": "120 dB", "gbw": "10 MHz", "rail": "1000 V"}
LINEAR = [(f, r) for f, family in FAMILIES.items() for r in family.realizations if f != "switched-capacitor"]


def deviated(circuit: Circuit, samples: int = 6, sigma: float = 0.02) -> np.ndarray:
    z = np.random.default_rng(3).standard_normal((samples, len(circuit.values)))
    return circuit.values * (1.0 + sigma * z)


def linear(design: Design) -> Circuit:
    circuit = build(design)
    return circuit.small_signal or circuit


@pytest.mark.parametrize("opamp", ["ideal", "OPA2192"])
@pytest.mark.parametrize(("family", "realization"), LINEAR)
def test_the_slow_states_respond_as_the_whole_circuit(family, realization, opamp):
    circuit = linear(Design(order=6, theta="1 ms", family=family, realization=realization, opamp=opamp))
    values = deviated(circuit)
    frequency = np.linspace(100.0, 1000.0, 7)
    wanted = frequency_response(extract(circuit, values), frequency)
    found = frequency_response(slow_states(plan_reduction(circuit, band=1000.0), values), frequency)
    # The reduction is accepted at 1e-9 on circuits that deviate alike; ten times that for others of their kind.
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-8 * np.abs(wanted).max())


@pytest.mark.parametrize("order", [1, 3, 12, 24])
def test_as_many_states_are_left_as_the_memory_has(order):
    circuit = build(Design(order=order, theta="1 ms", realization="legendre", opamp=FAST, bandwidth="1 kHz"))
    system = slow_states(plan_reduction(circuit, band=1000.0), circuit.values[None])
    assert (system.order, extract(circuit).order > order) == (order, True)


def test_what_op_amp_offsets_leave_is_kept():
    circuit = build(Design(order=4, theta="1 ms", opamp={**FAST, "offset": "2 mV", "bias": "3 nA"}))
    system = slow_states(plan_reduction(circuit, band=1000.0), circuit.values[None])
    # Both solve the same equations at DC; gains of 1e6 leave ten digits.
    np.testing.assert_allclose(system.offset[0], extract(circuit).offset, rtol=1e-8)


def test_slow_op_amps_are_states_like_others():
    circuit = build(Design(order=3, theta="10 us", opamp={"gain": "100 dB", "gbw": "1 MHz"}))
    system = slow_states(plan_reduction(circuit, band=1e5), deviated(circuit))
    assert system.order > 3
    wanted = frequency_response(extract(circuit, deviated(circuit)), np.array([1e4, 1e5]))
    found = frequency_response(system, np.array([1e4, 1e5]))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-8 * np.abs(wanted).max())


@settings(max_examples=10, deadline=None)
@given(order=st.integers(1, 6), theta=st.floats(1e-5, 1.0), gbw=st.floats(1e6, 1e9))
def test_any_memory_is_reduced_or_refused(order, theta, gbw):
    circuit = build(Design(order=order, theta=theta, opamp={"gain": "110 dB", "gbw": gbw}))
    band = 1.0 / theta
    try:
        system = slow_states(plan_reduction(circuit, band=band), deviated(circuit, 2))
    except CircuitError:
        return
    frequency = band * np.array([0.2, 1.0])
    wanted = frequency_response(extract(circuit, deviated(circuit, 2)), frequency)
    np.testing.assert_allclose(
        frequency_response(system, frequency), wanted, rtol=0, atol=1e-8 * np.abs(wanted).max()
    )


def test_a_sample_whose_modes_cannot_be_parted_is_refused():
    circuit = build(Design(order=4, theta="1 ms", opamp=FAST))
    reduction = plan_reduction(circuit, band=1000.0)
    values = np.repeat(circuit.values[None], 3, axis=0)
    gbw = [k for k, p in enumerate(circuit.parameters) if p.name.endswith(".gbw")]
    values[1, gbw] /= 1e4  # op-amps that are no faster than the memory
    with pytest.raises(CircuitError, match="too close together"):
        slow_states(reduction, values)


def test_results_do_not_depend_on_the_samples_beside_them_beyond_rounding():
    circuit = build(Design(order=6, theta="1 ms", opamp=FAST))
    reduction, values = plan_reduction(circuit, band=1000.0), deviated(circuit, 40)
    whole, part = slow_states(reduction, values), slow_states(reduction, values[7:9])
    np.testing.assert_allclose(whole.A[7:9], part.A, rtol=0, atol=1e-11 * np.abs(part.A).max())


def test_a_bare_low_pass_is_reduced_by_hand():
    r, c, gbw = 1e4, 1e-9, 1e8
    model = build(Design(order=1, opamp={"gain": "120 dB", "gbw": gbw})).components[0].model
    parts = (
        Resistor("R", "u", "a", r, "in", ("resistor",)),
        Capacitor("C", "a", "0", c, "store", ("capacitor",)),
        OpAmp("U", "a", "b", "b", model, "follower", ("opamp",)),
    )
    circuit = Circuit("by hand", "follower", 1e-5, parts, ((Term("v", "b", 1.0),),))
    system = slow_states(plan_reduction(circuit, band=1e4), circuit.values[None])
    assert system.order == 1
    s = 2j * np.pi * 1e4
    follower = 1.0 / (1.0 + s / (2 * np.pi * gbw) + 1e-6)
    wanted = follower / (1.0 + s * r * c)
    np.testing.assert_allclose(frequency_response(system, np.array([1e4]))[0, 0, 0], wanted, rtol=1e-9)
