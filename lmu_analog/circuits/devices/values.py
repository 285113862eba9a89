"""Standard values: the series E6 to E192 of IEC 60063."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lmu_analog.errors import DesignError, shown

SERIES = ("E6", "E12", "E24", "E48", "E96", "E192")
# IEC 60063: up to E24 the values are rounded by history, not by rule.
E24 = (1.0, 1.1, 1.2, 1.3, 1.5, 1.6, 1.8, 2.0, 2.2, 2.4, 2.7, 3.0, 3.3, 3.6, 3.9, 4.3, 4.7, 5.1, 5.6, 6.2,
       6.8, 7.5, 8.2, 9.1)  # fmt: skip
TIE = 1e-9  # of the values: closer, two choices are equally good, and rounding must not choose
EXCEPTION = 9.20  # of E192, which rounding would make 9.19


def members(series: str) -> Float[np.ndarray, " n"]:
    """Give the values of a series in [1, 10), rising, (n,).

    Raises
    ------
    DesignError
        If the series is unknown.
    """
    if series not in SERIES:
        raise DesignError(f"unknown series {shown(series)}; known are {', '.join(SERIES)}")
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


@dataclass(frozen=True)
class Pair:
    """Two standard values in one place: ``summed`` (resistors in series, capacitors in parallel), or not."""

    first: float
    second: float
    summed: bool

    @property
    def value(self) -> float:
        """What the two make together."""
        total = self.first + self.second
        return total if self.summed else self.first * self.second / total


def best_pair(value: float, series: str, *, summed: bool, limits: tuple[float, float] | None = None) -> Pair:
    """Find the pair of standard values, each within two decades of a value, that comes closest to it.

    All pairs are tried: for every first the two seconds on either side of what is missing. Of equally
    close ones the most even is taken, which deviates least.

    Parameters
    ----------
    value : float
        Positive.
    series : str
    summed : bool
        Whether the two add, or their reciprocals do.
    limits : (float, float), optional
        Between which both lie, if any values do.
    """
    base = 10.0 ** np.floor(np.log10(value))
    known = nearest(np.outer(10.0 ** np.arange(-2, 3), members(series) * base).ravel(), series)
    if limits is not None:
        inside = known[(known >= limits[0] * (1.0 - TIE)) & (known <= limits[1] * (1.0 + TIE))]
        known = inside if len(inside) > 1 else known
    scale, goal = (known, value) if summed else (1.0 / known[::-1], 1.0 / value)
    above = np.searchsorted(scale, goal - scale)
    seconds = np.clip(np.stack([above - 1, above]), 0, len(scale) - 1)
    error = np.abs(np.log((scale + scale[seconds]) / goal))
    uneven = np.abs(np.log(scale / scale[seconds]))
    side, first = np.unravel_index(np.where(error <= error.min() + TIE, uneven, np.inf).argmin(), error.shape)
    chosen = known if summed else known[::-1]
    large, small = sorted((chosen[first], chosen[seconds[side, first]]), reverse=True)
    return Pair(float(large), float(small), summed)


def around(value: float, series: str) -> Float[np.ndarray, " n"]:
    """Give the members of a series within half a decade of a value, (n,)."""
    base = 10.0 ** np.floor(np.log10(value))
    all_values = np.concatenate([members(series) * base * ten for ten in (0.1, 1.0, 10.0)])
    return all_values[np.abs(np.log10(all_values / value)) <= 0.5]


def members_between(series: str, low: float, high: float) -> Float[np.ndarray, " n"]:
    """Give the members of a series from ``low`` to ``high``, both positive, rising, (n,)."""
    decades = 10.0 ** np.arange(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1)
    found = nearest(np.outer(decades, members(series)).ravel(), series)
    return found[(found >= low) & (found <= high)]
