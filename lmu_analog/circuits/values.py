"""Standard values: the series E6 to E192 of IEC 60063."""

import numpy as np
from jaxtyping import Float

from lmu_analog.errors import DesignError

SERIES = ("E6", "E12", "E24", "E48", "E96", "E192")
# IEC 60063: up to E24 the values are rounded by history, not by rule.
E24 = (1.0, 1.1, 1.2, 1.3, 1.5, 1.6, 1.8, 2.0, 2.2, 2.4, 2.7, 3.0, 3.3, 3.6, 3.9, 4.3, 4.7, 5.1, 5.6, 6.2,
       6.8, 7.5, 8.2, 9.1)  # fmt: skip
EXCEPTION = 9.20  # of E192, which rounding would make 9.19


def members(series: str) -> Float[np.ndarray, " n"]:
    """Give the values of a series in [1, 10), rising, (n,).

    Raises
    ------
    DesignError
        If the series is unknown.
    """
    if series not in SERIES:
        raise DesignError(f"unknown series {series!r:.40}; known are {', '.join(SERIES)}")
    count = int(series[1:])
    if count <= 24:
        return np.array(E24[:: 24 // count])
    rounded = np.round(10.0 ** (np.arange(count) / count), 2)
    return np.where(rounded == 9.19, EXCEPTION, rounded)


def nearest(value: Float[np.ndarray, "*s"] | float, series: str) -> Float[np.ndarray, "*s"]:
    """Give the member of a series whose ratio to each positive value is closest to one, (...)."""
    value = np.asarray(value, float)
    known = members(series)
    ends = np.concatenate([known, [10.0]])
    decade = np.floor(np.log10(value))
    mantissa = value / 10.0**decade
    borders = np.sqrt(ends[1:] * ends[:-1])  # the geometric mean is equally far from both
    # Three digits and a power of ten are whole numbers, so their quotient is the float nearest to the decimal.
    digits = np.round(100.0 * ends[np.searchsorted(borders, mantissa)])
    power = decade - 2.0
    return np.where(power < 0.0, digits / 10.0 ** np.abs(power), digits * 10.0 ** np.abs(power))


def around(value: float, series: str) -> Float[np.ndarray, " n"]:
    """Give the members of a series within half a decade of a value, (n,)."""
    base = 10.0 ** np.floor(np.log10(value))
    all_values = np.concatenate([members(series) * base * ten for ten in (0.1, 1.0, 10.0)])
    return all_values[np.abs(np.log10(all_values / value)) <= 0.5]
