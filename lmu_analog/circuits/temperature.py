"""The values of a circuit at a temperature."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.errors import DesignError, shown
from lmu_analog.units import coefficient

NOMINAL = 300.15  # K, 27 C, SPICE's own: where values are nominal
LARGEST_TC1, LARGEST_TC2 = 0.01, 1e-4  # 1/K, 1/K^2: beyond, a polynomial says nothing


@dataclass(frozen=True)
class Drift:
    """Temperature coefficients of one class: ``tc1``, 1/K, and ``tc2``, 1/K^2."""

    tc1: float = 0.0
    tc2: float = 0.0


def read_drift(given: object) -> Drift:
    """Read ``"25 ppm"`` (a kelvin) or ``{tc1 = "25 ppm", tc2 = "0.5 ppm"}``.

    Raises
    ------
    DesignError
        If a key or a number is wrong.
    """
    if isinstance(given, Drift):
        given = asdict(given)
    table = given if isinstance(given, dict) else {"tc1": given}
    if extra := sorted(set(table) - {"tc1", "tc2"}):
        raise DesignError(f"unknown key {shown(extra[0])}; known are tc1, tc2")
    found = Drift(coefficient(table.get("tc1", 0.0)), coefficient(table.get("tc2", 0.0), power=2))
    if abs(found.tc1) > LARGEST_TC1 or abs(found.tc2) > LARGEST_TC2:
        raise DesignError(
            f"tc1 = {found.tc1:g}/K, tc2 = {found.tc2:g}/K^2; at most {LARGEST_TC1:g} and {LARGEST_TC2:g} are "
            "accepted"
        )
    return found


def at_temperature(
    circuit: Circuit,
    drifts: Mapping[str, Drift],
    temperature: Float[np.ndarray, "*t"] | float,
    *,
    values: Float[np.ndarray, "*s m"] | None = None,
) -> Float[np.ndarray, "*r m"]:
    """Give the values of ``circuit.parameters`` at a temperature.

    p (1 + TC1 dT + TC2 dT^2) for every class of a parameter; offset voltages stay.

    Parameters
    ----------
    circuit : Circuit
    drifts : dict of mismatch class to Drift
        A class left out does not move.
    temperature : float or (...) array, K
    values : (..., m) array, optional
        At the nominal temperature, for example mismatch samples; the nominal values unless given. Its
        leading axes and those of the temperature broadcast.

    Returns
    -------
    (..., m) array
        SI units.

    Raises
    ------
    DesignError
        If a part would have no or a negative value, which names its class in ``[drift]``.
    """
    rise = np.asarray(temperature, float)[..., None] - NOMINAL
    of = {kind: 1.0 + drift.tc1 * rise + drift.tc2 * rise**2 for kind, drift in drifts.items()}
    factors = [
        np.prod([of.get(kind, np.ones_like(rise)) for kind in p.classes], axis=0)
        if p.classes and not p.name.endswith(".offset")
        else np.ones_like(rise)
        for p in circuit.parameters
    ]
    for parameter, factor in zip(circuit.parameters, factors, strict=True):
        if (factor <= 0.0).any():
            worst = np.unravel_index(np.argmin(factor), factor.shape)[0] if factor.ndim > 1 else 0
            kelvin = float(np.ravel(temperature)[worst])
            raise DesignError(
                f"[drift] {', '.join(parameter.classes)}: at {kelvin:g} K {parameter.name} would be "
                f"{float(factor.min()):.3g} times its value at {NOMINAL:g} K; give smaller coefficients"
            )
    start = circuit.values if values is None else values
    return start * np.concatenate(factors, axis=-1)
