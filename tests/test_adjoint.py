"""One adjoint solve gives what small steps of every parameter give."""

import numpy as np
import pytest

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.circuits.nodal.adjoint import derivatives
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.design import Design
from lmu_analog.memory.sampled import steady_response

FREQUENCY = np.array([70.0, 333.0, 700.0])
STEP = 1e-5  # relative
SETTINGS = {
    "switched-capacitor": {"clock": "100 kHz"},
    "dpi": {"capacitance": "10 pF", "supply": "3 V"},
    "gm-c": {"transconductor": {"gain": "60 dB", "parasitic": "10 fF", "pole": "10 MHz"}},
}
REAL = {"gain": "100 dB", "gbw": "3 MHz", "offset": "1 mV", "bias": "20 pA", "rail": "4 V"}
WITH_OPAMPS = ("active-rc", "active-rc-differential", "switched-capacitor", "crossbar")
CASES = [
    (family, name, opamp)
    for family, f in FAMILIES.items()
    for name in f.realizations
    for opamp in ("ideal", REAL)
    if opamp == "ideal" or family in WITH_OPAMPS
]


def by_steps(circuit: Circuit) -> tuple[np.ndarray, np.ndarray]:
    """Central differences of what extraction gives: states (f, d, m) and offset (d, m), per unit or per volt."""
    values = circuit.values
    step = np.where(values == 0.0, 1e-3, STEP * np.abs(values))
    up, down = (extract(circuit, values + sign * np.diag(step)) for sign in (1.0, -1.0))
    states = steady_response(up, FREQUENCY) - steady_response(down, FREQUENCY)
    offset = np.zeros((len(values), circuit.order))
    if up.offset is not None and down.offset is not None:
        offset = up.offset - down.offset
    unit = np.where(values == 0.0, 1.0, np.abs(values)) / (2.0 * step)
    return np.moveaxis(states * unit[:, None, None], 0, -1), (offset * unit[:, None]).T


@pytest.mark.parametrize(("family", "name", "opamp"), CASES)
def test_the_adjoint_is_the_difference_quotient(family: str, name: str, opamp: object):
    design = Design(
        order=4, theta="1 ms", bandwidth="500 Hz", family=family, realization=name, opamp=opamp,
        **SETTINGS.get(family, {}),
    )  # fmt: skip
    circuit = build(design)
    found = derivatives(circuit, FREQUENCY)
    unit = np.where(circuit.values == 0.0, 1.0, np.abs(circuit.values))
    states, offset = by_steps(circuit)
    # The quotient: rounding of extraction, 1e-12, over its step, 1e-5; 3.4e-7 was the largest seen.
    np.testing.assert_allclose(found.by_parameter * unit, states, atol=1e-6 * np.abs(states).max())
    np.testing.assert_allclose(
        found.offset_by_parameter * unit, offset, atol=1e-6 * np.abs(offset).max() + 1e-12
    )
    np.testing.assert_allclose(found.states, steady_response(extract(circuit), FREQUENCY), atol=1e-9)


def test_transistors_answer_as_their_small_signal_equivalent():
    circuit = build(
        Design(order=2, theta="1 ms", bandwidth="100 Hz", family="gm-c", realization="legendre",
               capacitance="10 pF", supply="3 V", level="transistor")
    )  # fmt: skip
    states, _ = by_steps(circuit)
    unit = np.where(circuit.values == 0.0, 1.0, np.abs(circuit.values))
    found = derivatives(circuit, FREQUENCY).by_parameter * unit
    np.testing.assert_allclose(found, states, atol=1e-6 * np.abs(states).max())


def test_an_impedance_level_alone_does_not_matter():
    circuit = build(Design(order=5, theta="1 ms", realization="legendre"))
    kinds = np.array([p.classes[0] for p in circuit.parameters])
    power = np.where(kinds == "resistor", 1.0, np.where(kinds == "capacitor", -1.0, 0.0))
    # R -> R(1 + e), C -> C/(1 + e) leaves every RC product: Euler's theorem for homogeneous functions.
    change = derivatives(circuit, FREQUENCY).by_parameter @ (power * circuit.values)
    np.testing.assert_allclose(change, 0.0, atol=1e-12)
