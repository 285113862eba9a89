"""State spaces with the sources of nonlinear laws, against the node equations and ``extract``."""

import numpy as np
import pytest

from lmu_analog.building import build
from lmu_analog.circuits.nodal.extract import extract, probe_rows, split
from lmu_analog.circuits.nodal.forced import forced
from lmu_analog.circuits.nodal.saturation import limits
from lmu_analog.circuits.nodal.stamps import stamp
from lmu_analog.design import Design

OPAMP = {
    "gain": "80 dB",
    "gbw": "5 MHz",
    "slew": "2 V/us",
    "offset": "1 mV",
    "output_resistance": "100 Ohm",
    "input_capacitance": "5 pF",
}
OTA = {"gain": "60 dB", "limit": "200 mV", "parasitic": "5 fF", "pole": "10 MHz"}
DESIGNS = [
    Design(order=3, theta=1e-3, opamp=OPAMP, realization="cap-feedforward"),
    Design(order=3, theta=1e-3, family="active-rc-differential", opamp={"gain": "80 dB", "gbw": "5 MHz"}),
    Design(order=3, theta=1e-3, family="gm-c", opamp="ideal", transconductor=OTA),
]


def parts(design: Design):
    circuit = build(design)
    plan = split(circuit)
    values = circuit.values * np.array([[1.0], [1.02]])
    equations, limited = stamp(circuit, plan.index, values), limits(circuit, plan.index, values)
    return circuit, plan, values, equations, limited


@pytest.mark.parametrize("design", DESIGNS, ids=lambda d: d.family)
def test_without_sources_it_is_the_circuits_state_space(design):
    circuit, plan, values, equations, limited = parts(design)
    found, wanted = forced(plan, equations, limited), extract(circuit, values)
    n = len(limited.seen)
    pairs = [(found.A, wanted.A), (found.B[..., n : n + 1], wanted.B), (found.C[:, n:], wanted.C)]
    for given, true in [*pairs, (found.D[:, n:, n : n + 1], wanted.D)]:
        # The same operations but for columns that ride along: rounding of the elimination.
        np.testing.assert_allclose(given, true, rtol=1e-9, atol=1e-9 * np.abs(true).max())
    at_dc = found.D[:, n:, -1] - (found.C[:, n:] @ np.linalg.solve(found.A, found.B[..., -1:]))[..., 0]
    np.testing.assert_allclose(at_dc, wanted.offset, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("design", DESIGNS, ids=lambda d: d.family)
def test_its_response_to_sources_is_that_of_the_node_equations(design):
    circuit, plan, _, equations, limited = parts(design)
    found = forced(plan, equations, limited)
    n = len(limited.seen)
    read = np.concatenate([limited.seen, probe_rows(circuit, plan.index)[0]])
    for frequency in (10.0, 1e3, 1e6):
        s = 2j * np.pi * frequency
        wanted = read @ np.linalg.solve(s * equations.E - equations.F, limited.push)
        x = np.linalg.solve(s * np.eye(found.A.shape[-1]) - found.A, found.B[..., :n])
        given = found.C @ x + found.D[..., :n]
        # Node equations mix siemens and 1/s: their solution is good to about 1e-10 of its largest entry.
        np.testing.assert_allclose(given, wanted, atol=1e-8 * np.abs(wanted).max())
