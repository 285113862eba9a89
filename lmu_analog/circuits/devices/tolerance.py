"""How much a class of components deviates: tolerance, distribution, and what devices share."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.components import Component, MismatchClass, kind_of
from lmu_analog.circuits.patterns import picks, read_patterns
from lmu_analog.errors import DesignError, shown
from lmu_analog.units import area, fraction, length
from lmu_analog.units import tolerance as read_fraction

Distribution = Literal["gauss3", "gauss", "uniform", "lognormal"]
Scale = Literal["none", "units"]

CLASSES: tuple[str, ...] = get_args(MismatchClass)
DISTRIBUTIONS: tuple[str, ...] = get_args(Distribution)
MOST_SAMPLES = 10_000_000  # of an ensemble
MADE_OF_UNITS = ("resistor", "capacitor", "inductor", "transconductor")
BY_TECHNOLOGY = ("edge", "sheet")  # fields that nobody writes
LEAST_WIDTH = 1e-8  # m
LEAST_AREA, LARGEST_AREA = 1e-16, 1e-2  # m^2: 10 nm squared to 10 cm squared


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
    scale : {"none", "units"}
        Whether larger devices are made of more units and deviate less, see ``spreads``.
    area : float or None, m^2
        Of the device (with ``scale``, of the smallest); a technology then says how much it deviates, and the
        three figures above are not used.
    device : str
        Name of the technology's device; the first of the class unless given.
    width : float or None, m
        Of the device of that area; unless given as the value asks, see ``spreads``.
    edge, sheet : float, m and Ohm
        From the technology: what the width and the length of a device deviate by, as ``tolerance`` is given, and
        the resistance of a square, 0 where it has none.
    """

    tolerance: float = 0.0
    distribution: Distribution = "gauss3"
    lot: float = 0.0
    scale: Scale = "none"
    area: float | None = None
    device: str = ""
    width: float | None = None
    edge: float = 0.0
    sheet: float = 0.0

    @property
    def by_technology(self) -> bool:
        """Whether a technology says how much the class deviates."""
        return self.area is not None or bool(self.device)


@dataclass(frozen=True)
class Group:
    """Components whose local draws are correlated: a matched array, parts in one package.

    Attributes
    ----------
    components : tuple of str
        Patterns, see ``circuits.patterns``.
    correlation : float
        Of any two of them in the same quantity and class, 0 to 1.
    """

    components: tuple[str, ...]
    correlation: float


@dataclass(frozen=True)
class PartTolerance:
    """A tolerance of its own for some components, by the law of their class.

    Attributes
    ----------
    components : tuple of str
        Patterns, see ``circuits.patterns``.
    tolerance : float
        Local, as in ``Tolerance``; it replaces that of the class.
    """

    components: tuple[str, ...]
    tolerance: float


# What the figure of a law is, in words.
LAWS: dict[str, str] = {
    "gauss3": "normal, 3 sigma",
    "gauss": "normal, 1 sigma",
    "uniform": "uniform",
    "lognormal": "lognormal, 1 sigma",
}


def law_text(tolerance: Tolerance) -> str:
    """Write a tolerance with its law, as it is printed everywhere: ``1 %, normal, 3 sigma``.

    ``3 sigma``: the figure is three standard deviations, and no part deviates more; ``1 sigma``: it is one, and
    parts may deviate more; ``uniform``: all errors within it are equally likely.
    """
    unit = " for the smallest, over the root of the units" if tolerance.scale == "units" else ""
    lot = f", lot {100.0 * tolerance.lot:.3g} %" if tolerance.lot else ""
    return f"{100.0 * tolerance.tolerance:.3g} %, {LAWS[tolerance.distribution]}{unit}{lot}"


def read_tolerance(given: object) -> Tolerance:
    """Read ``"1 %"``, ``{tolerance = "1 %", distribution = "uniform", lot = "5 %"}`` or ``{area = "25 um2"}``.

    Raises
    ------
    DesignError
        If a key, a distribution or a number is wrong, or a tolerance is given beside an area.
    """
    if isinstance(given, Tolerance):
        unused = ("tolerance", "distribution", "lot") if given.by_technology else ("area", "device", "width")
        unused = (*unused, *BY_TECHNOLOGY)
        given = {key: value for key, value in asdict(given).items() if key not in unused}
    table: dict[str, Any] = given if isinstance(given, dict) else {"tolerance": given}
    known = [f.name for f in fields(Tolerance) if f.name not in BY_TECHNOLOGY]
    if extra := sorted(set(table) - set(known)):
        raise DesignError(f"unknown key {shown(extra[0])}; known are {', '.join(known)}")
    if table.keys() & {"area", "device", "width"}:
        return _by_technology(table)
    if not table.keys() & {"tolerance", "lot"}:
        raise DesignError("a tolerance table needs tolerance, lot, or both; or area or device")
    distribution = table.get("distribution", "gauss3")
    if distribution not in DISTRIBUTIONS:
        raise DesignError(f"unknown distribution {shown(distribution)}; known are {', '.join(DISTRIBUTIONS)}")
    local, lot = (_spread(table.get(key, 0.0)) for key in ("tolerance", "lot"))
    return Tolerance(local, distribution, lot, _scale(table))


def _by_technology(table: dict[str, Any]) -> Tolerance:
    if double := sorted(table.keys() & {"tolerance", "distribution", "lot"}):
        raise DesignError(f"{double[0]} beside area or device: the technology says it; give one of them")
    device, size = table.get("device", ""), table.get("area")
    if not isinstance(device, str):
        raise DesignError(f"device is the name of one, not {shown(device)}")
    if size is not None:
        size = area(size)
        if not LEAST_AREA <= size <= LARGEST_AREA:
            raise DesignError(f"area = {size:g} m^2 is outside {LEAST_AREA:g} to {LARGEST_AREA:g} m^2")
    width = table.get("width")
    if width is not None:
        width = length(width)
        if size is None:
            raise DesignError("width without area: give the area W L too, for example area = '100 um2'")
        if not LEAST_WIDTH <= width <= size / LEAST_WIDTH:
            raise DesignError(
                f"width = {width:g} m with area = {size:g} m^2; width and length are at least {LEAST_WIDTH:g} m"
            )
    return Tolerance(scale=_scale(table), area=size, device=device, width=width)


def _scale(table: dict[str, Any]) -> Scale:
    scale = table.get("scale", "none")
    if scale not in get_args(Scale):
        raise DesignError(f"unknown scale {shown(scale)}; known are {', '.join(get_args(Scale))}")
    return scale


def read_groups(given: object) -> tuple[Group, ...]:
    """Read ``[{components = "Ra_*", correlation = 0.8}, ...]``.

    Raises
    ------
    DesignError
        If a key is missing or unknown, or the correlation is outside 0 to 1.
    """
    if not isinstance(given, list | tuple):
        raise DesignError(f"groups are tables of components and correlation, not {shown(given)}")
    return tuple(entry if isinstance(entry, Group) else _read_group(entry) for entry in given)


def _read_group(given: object) -> Group:
    if not isinstance(given, dict) or set(given) != {"components", "correlation"}:
        raise DesignError(f"a group is a table of components and correlation, not {shown(given, 60)}")
    correlation = fraction(given["correlation"])
    if not 0.0 <= correlation <= 1.0:
        raise DesignError(f"correlation = {correlation:g} is outside 0 to 1")
    patterns = read_patterns(given["components"])
    if not patterns:
        raise DesignError("a group without components; name some, for example components = 'Ra_*'")
    return Group(patterns, correlation)


def read_part_tolerances(given: object) -> tuple[PartTolerance, ...]:
    """Read ``[{components = "Rint_*", tolerance = "0.1 %"}, ...]``.

    Raises
    ------
    DesignError
        If a key is missing or unknown, or a tolerance is no fraction.
    """
    if not isinstance(given, list | tuple):
        raise DesignError(f"parts are tables of components and tolerance, not {shown(given)}")
    return tuple(
        entry if isinstance(entry, PartTolerance) else _read_part_tolerance(entry) for entry in given
    )


def _read_part_tolerance(given: object) -> PartTolerance:
    if not isinstance(given, dict) or set(given) != {"components", "tolerance"}:
        raise DesignError(f"a part is a table of components and tolerance, not {shown(given, 60)}")
    patterns = read_patterns(given["components"])
    if not patterns:
        raise DesignError("a part without components; name some, for example components = 'Rint_*'")
    return PartTolerance(patterns, _spread(given["tolerance"]))


def own_tolerance(
    component: Component, classes: Collection[str], parts: Sequence[PartTolerance]
) -> tuple[str, float] | None:
    """Give the class and the tolerance that a part says of a component, the last that names it; None where none does.

    Of a component that several classes act on, that is the class of its kind, or the first.
    """
    acting = [c for c in component.classes if c in classes]
    own = [part.tolerance for part in parts if acting and any(picks(p, component) for p in part.components)]
    if not own:
        return None
    kind = kind_of(component).name
    return kind if kind in acting else acting[0], own[-1]


def spreads(tolerance: Tolerance, nominal: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    """Give the local tolerance of devices of one class, (k,), from their nominal values.

    With ``scale = "units"`` the smallest is one unit, which deviates by the tolerance, and a device of n times
    its value is made of n of them (resistors in series, capacitors in parallel) that deviate independently:
    its sum deviates by the tolerance over sqrt(n). n need not be whole.

    Where the technology says how far edges deviate, width W and length L of a device do so independently: its
    tolerance is the root of tolerance^2 + (edge/W)^2 + (edge/L)^2. W L is the area; W is as given, or makes the value
    (a resistor has value/sheet squares), or that of a square.
    """
    if not len(nominal):
        return np.zeros(0)
    count = nominal / nominal.min() if tolerance.scale == "units" else np.ones(len(nominal))
    local = np.full(len(nominal), tolerance.tolerance)
    if tolerance.edge and tolerance.area is not None:
        squares = nominal / count / tolerance.sheet if tolerance.sheet else np.ones(len(nominal))
        width = np.sqrt(tolerance.area / squares) if tolerance.width is None else tolerance.width
        across, along = tolerance.edge / width, tolerance.edge * width / tolerance.area
        # Products, because a power is the C library's: another processor may round it otherwise.
        local = np.sqrt(local * local + across * across + along * along)
    return local / np.sqrt(count)


def _spread(given: object) -> float:
    value = read_fraction(given)
    if not 0.0 <= value < 1.0:
        raise DesignError(
            f"a tolerance of {100 * value:g} % is outside 0 to 100 %; write for example '1 %' or 0.01"
        )
    return value
