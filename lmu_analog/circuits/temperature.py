"""What temperature does to the values of a circuit."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.circuit import Circuit

NOMINAL = 300.15  # K, 27 C: SPICE's own


@dataclass(frozen=True)
class TemperatureLaw:
    """Temperature coefficients of every mismatch class; a class left out does not move.

    Attributes
    ----------
    tc1 : dict
        Class to linear coefficient, 1/K.
    tc2 : dict
        Class to quadratic coefficient, 1/K^2.
    nominal : float, K
        Where values are nominal.
    """

    tc1: Mapping[str, float]
    tc2: Mapping[str, float] = field(default_factory=dict)
    nominal: float = NOMINAL


def at_temperature(
    circuit: Circuit,
    law: TemperatureLaw,
    temperature: Float[np.ndarray, "*t"] | float,
    *,
    values: Float[np.ndarray, "*s m"] | None = None,
) -> Float[np.ndarray, "*r m"]:
    """Give the values of ``circuit.parameters`` at a temperature.

    p (1 + TC1 dT + TC2 dT^2) for every class of a parameter; offset voltages stay.

    Parameters
    ----------
    circuit : Circuit
    law : TemperatureLaw
    temperature : float or (...) array, K
    values : (..., m) array, optional
        At the nominal temperature, for example mismatch samples; the nominal values unless given. Its
        leading axes and those of the temperature broadcast.

    Returns
    -------
    (..., m) array
        SI units.
    """
    rise = np.asarray(temperature, float)[..., None] - law.nominal
    factors = [
        np.prod([1.0 + law.tc1.get(c, 0.0) * rise + law.tc2.get(c, 0.0) * rise**2 for c in p.classes], axis=0)
        if p.classes and not p.name.endswith(".offset")
        else np.ones_like(rise)
        for p in circuit.parameters
    ]
    start = circuit.values if values is None else values
    return start * np.concatenate(factors, axis=-1)
