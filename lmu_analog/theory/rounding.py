"""Error added by standard values: window error over the common resistor, at the level of coefficients."""

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.devices.values import nearest
from lmu_analog.memory.legendre import legendre, usable_band
from lmu_analog.memory.realizations import realize
from lmu_analog.memory.statespace import frequency_response
from lmu_analog.memory.steady import many_responses
from lmu_analog.memory.structure import read_out
from lmu_analog.memory.window import gauss_legendre

STEPS = 100  # common resistors R_0 = 10^(k/100) in a decade
NODES = 80  # frequencies of the norm


def rounding_errors(
    order: int,
    series: str,
    *,
    realization: str = "legendre",
    bandwidth: float | None = None,
    start: float = 0.0,
) -> Float[np.ndarray, " r"]:
    """Round every resistor of integrators with equal capacitors, for each common resistor of a decade.

    A coefficient f is a resistor R_0/|f| (theta = 1, states unscaled), rounded to the series; those of
    summers too. Capacitors stay exact.

    Parameters
    ----------
    order : int
    series : str
        E6 to E192.
    realization : str
        Any of integrators and summers.
    bandwidth : float, optional
        w_m theta/(2 pi) of the norm of ``coefficients``; where the ideal memory is 1 % wrong unless given.
    start : float
        First common resistor, in steps of the scan, 0 to 1: the smallest error depends on it.

    Returns
    -------
    (100,) array
        Added window error, a fraction of the input, for R_0 = 10^((start + k)/100).
    """
    made = realize(legendre(order), realization)
    plain = np.abs(made.structure.values)
    common = 10.0 ** ((start + np.arange(STEPS)) / STEPS)[:, None]
    resistive = np.array([c.matrix != "E" for c in made.structure.coefficients], bool)
    rounded = np.where(resistive, common / nearest(common / plain, series), plain)
    values = np.sign(made.structure.values) * rounded
    rule = gauss_legendre(NODES)
    frequency = rule.r * (usable_band(order) if bandwidth is None else bandwidth)
    found = many_responses(read_out(made.structure, made.readout, values), frequency)
    power = np.abs(found - frequency_response(made.system, frequency)) ** 2
    return np.sqrt(power @ (1.0 / (2.0 * np.arange(order) + 1.0)) @ rule.weight)
