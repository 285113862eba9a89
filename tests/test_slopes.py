"""Derivatives of state spaces are those of the node equations, by the adjoint."""

import numpy as np
import pytest

from lmu_analog.building import build
from lmu_analog.circuits.nodal.adjoint import derivatives
from lmu_analog.design import Design
from lmu_analog.memory.statespace import StateSpace
from lmu_analog.reduction.reduced import planned
from lmu_analog.reduction.slopes import slopes

FREQUENCY = np.array([100.0, 1000.0])


def design(family: str = "active-rc", realization: str | None = None, **more) -> Design:
    given = {"order": 5, "theta": "1 ms", "bandwidth": "1 kHz", "opamp": "TL072", **more}
    return Design(family=family, realization=realization, **given)


def responses(nominal: StateSpace, by_parameter: StateSpace) -> np.ndarray:
    """Give d states / d parameter over the input's phasor, (f, d, m)."""
    found = []
    for s in 2j * np.pi * FREQUENCY:
        late = s if nominal.dt is None else 1.0
        back = 1.0 if nominal.dt is None else np.exp(-s * nominal.dt)
        resolvent = np.linalg.inv(late * np.eye(nominal.order) - back * nominal.A)
        state = resolvent @ nominal.B
        moved = resolvent @ (back * by_parameter.A @ state + by_parameter.B)
        total = nominal.C @ moved + by_parameter.C @ state + by_parameter.D
        if by_parameter.slope is not None:
            total = total + s * by_parameter.slope
        found.append(total[..., 0].T * (1.0 if nominal.dt is None else np.exp(-0.5 * s * nominal.dt)))
    return np.array(found)


@pytest.mark.parametrize("reduced", [True, False])
@pytest.mark.parametrize(
    ("family", "realization"),
    [
        ("active-rc", "legendre"),
        ("active-rc-differential", "cap-feedforward"),
        ("gm-c", "rlc-ladder"),
        ("dpi", "unit-weight"),  # through its small-signal equivalent
        ("passive-rlc", "rlc-ladder"),
        ("switched-capacitor", "ladder"),
    ],
)
def test_slopes_give_the_adjoint_s_derivatives(family, realization, reduced):
    circuit = build(design(family, realization))
    plan = planned(circuit, band=1000.0) if reduced else None
    found = responses(*slopes(circuit, plan, np.arange(len(circuit.parameters))))
    wanted = derivatives(circuit, FREQUENCY).by_parameter
    size = np.abs(circuit.values)
    error = np.abs((found - wanted) * size).max() / np.abs(wanted * size).max()
    # Reading back rounds to 1e-12, over a step of 1e-3; a reduction, right to 2e-9 of the response of circuits that
    # deviate by a percent, is a hundred times less so in derivatives.
    assert error < (2e-7 if reduced else 5e-9)


def test_offsets_are_differentiated_by_volts():
    circuit = build(design(mismatch={"opamp": "10 %"}))
    places = np.flatnonzero([p.name.endswith(".offset") for p in circuit.parameters])
    _, found = slopes(circuit, planned(circuit, band=1000.0), places)
    wanted = derivatives(circuit, FREQUENCY[:1]).offset_by_parameter[:, places]
    assert found.offset is not None
    np.testing.assert_allclose(found.offset.T, wanted, rtol=1e-8, atol=1e-8 * np.abs(wanted).max())


def test_no_parameters_have_no_slopes():
    circuit = build(design())
    nominal, found = slopes(circuit, planned(circuit, band=1000.0), np.arange(0))
    assert found.A.shape == (0, *nominal.A.shape)
