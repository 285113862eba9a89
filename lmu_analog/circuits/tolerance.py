"""How far a class of components strays: tolerance, distribution, and the part that a lot shares."""

from dataclasses import dataclass
from typing import Literal, cast, get_args

from lmu_analog.circuits.components import MismatchClass
from lmu_analog.errors import DesignError
from lmu_analog.units import fraction

Distribution = Literal["gauss3", "gauss", "uniform", "lognormal"]

CLASSES: tuple[str, ...] = get_args(MismatchClass)
DISTRIBUTIONS: tuple[str, ...] = get_args(Distribution)


@dataclass(frozen=True)
class Tolerance:
    """The spread of one class; fractions of the nominal value.

    Attributes
    ----------
    tolerance : float
        Of every device (local). ``gauss3``: three sigma, truncated there; ``gauss``: sigma;
        ``uniform``: half width; ``lognormal``: coefficient of variation with mean 1.
    distribution : str
        One of ``DISTRIBUTIONS``.
    lot : float
        The same for what all devices of the class share in one circuit (global).
    """

    tolerance: float
    distribution: Distribution = "gauss3"
    lot: float = 0.0


def read_tolerance(given: object) -> Tolerance:
    """Read ``"1 %"`` or ``{tolerance = "1 %", distribution = "uniform", lot = "5 %"}``.

    Raises
    ------
    DesignError
        If a key, a distribution or a number is wrong.
    """
    if isinstance(given, Tolerance):
        given = {"tolerance": given.tolerance, "distribution": given.distribution, "lot": given.lot}
    table = given if isinstance(given, dict) else {"tolerance": given}
    if extra := sorted(set(table) - {"tolerance", "distribution", "lot"}):
        raise DesignError(f"unknown key {extra[0]!r:.40}; known are tolerance, distribution, lot")
    distribution = table.get("distribution", "gauss3")
    if distribution not in DISTRIBUTIONS:
        raise DesignError(f"unknown distribution {distribution!r:.40}; known are {', '.join(DISTRIBUTIONS)}")
    if "tolerance" not in table and "lot" not in table:
        raise DesignError("a tolerance table needs tolerance, lot, or both")
    local, lot = (_spread(table.get(key, 0.0)) for key in ("tolerance", "lot"))
    return Tolerance(local, cast("Distribution", distribution), lot)


def _spread(given: object) -> float:
    value = fraction(given)
    if not 0.0 <= value < 1.0:
        raise DesignError(f"a tolerance of {100 * value:g} % is outside 0 to 100 %")
    return value
