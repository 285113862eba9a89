"""Series of resistors and capacitors that one can order, from ``passives.toml``, and the one that has a value."""

import tomllib
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float

from lmu_analog.circuits.devices.values import TIE, members, nearest

Kind = Literal["resistor", "capacitor"]

# What one part costs, USD; from memory, as the classes of the series are.
PRICE_CLASSES = {
    "a": (0.0, 0.01),
    "b": (0.01, 0.03),
    "c": (0.03, 0.1),
    "d": (0.1, 0.3),
    "e": (0.3, 1.0),
    "f": (1.0, 3.0),
    "g": (3.0, 30.0),
}
QUANTITIES = (1, 100, 1000)  # pieces that the price classes of a series are for
USUAL = {"resistor": 0.01, "capacitor": 0.05}  # tolerance that is ordered where a design states none
SOLD_IN = {"resistor": "E96", "capacitor": "E12"}  # series that a value which is none of any is ordered from


@dataclass(frozen=True)
class Class:
    """What there is of a series at one tolerance.

    Attributes
    ----------
    tolerance : float
        A fraction.
    series : str
        E-series of the values.
    prices : (str, str, str)
        Price class for each of ``QUANTITIES``.
    tc : float or None, 1/K
        Largest temperature coefficient; None where it is no straight line.
    """

    tolerance: float
    series: str
    prices: tuple[str, str, str]
    tc: float | None

    def has(self, value: float) -> bool:
        """Tell whether a positive value is sold: makers that list a series finer than E24 list those of E24, too."""
        both = (self.series, "E24") if int(self.series[1:]) > 24 else (self.series,)
        return any(is_member(value, series) for series in both)

    def price(self, quantity: int) -> str:
        """Price class of one part, of so many."""
        return self.prices[max(k for k, least in enumerate(QUANTITIES) if least <= max(quantity, 1))]


@dataclass(frozen=True)
class Series:
    """Parts of one kind, material and size.

    Attributes
    ----------
    name, kind, material, size : str
    footprint : str
        KiCad's.
    least, largest : float
        Of the values, Ohm or F.
    voltage : float, V
        That they stand.
    drift : float or None
        Largest change over the temperature range, a fraction, where it is no straight line.
    linear : bool
        Whether the value is independent of the voltage, so that a filter can be made of it.
    classes : tuple of Class
        From the widest tolerance to the narrowest.
    """

    name: str
    kind: Kind
    material: str
    size: str
    footprint: str
    least: float
    largest: float
    voltage: float
    drift: float | None
    linear: bool
    classes: tuple[Class, ...]


@dataclass(frozen=True)
class Choice:
    """A series, and the class of it that a part is ordered from."""

    series: Series
    of: Class


@dataclass(frozen=True)
class Stock:
    """What is asked of all parts of a kind, and so which of their values can be ordered.

    Attributes
    ----------
    kind : {"resistor", "capacitor"}
    tolerance : float or None
        Largest one, a fraction; that of ``USUAL`` where None.
    voltage : float, V
        That they must stand.
    """

    kind: Kind
    tolerance: float | None = None
    voltage: float = 0.0

    def has(self, values: Float[np.ndarray, "*s"]) -> Bool[np.ndarray, "*s"]:
        """Tell which positive values can be ordered, each as the nearest of ``SOLD_IN``, (...)."""
        standard = nearest(values, SOLD_IN[self.kind])
        found = [_has(self, float(value)) for value in standard.ravel()]
        return np.array(found, bool).reshape(standard.shape)


@lru_cache(maxsize=4096)
def _has(stock: Stock, value: float) -> bool:
    return choose(stock.kind, value, tolerance=stock.tolerance, voltage=stock.voltage) is not None


@cache
def passives() -> dict[str, Series]:
    """Read the series that ship with the package."""
    text = resources.files("lmu_analog.circuits.devices").joinpath("passives.toml").read_text("utf-8")
    return {name: _series(name, table) for name, table in tomllib.loads(text).items()}


def choose(
    kind: Kind,
    value: float,
    *,
    tolerance: float | None = None,
    voltage: float = 0.0,
    decoupling: bool = False,
) -> Choice | None:
    """Find what to order for a value: the cheapest series that has it, of those the one listed first.

    Parameters
    ----------
    kind : {"resistor", "capacitor"}
    value : float
        Ohm or F; a standard value, or none of the series has it.
    tolerance : float, optional
        Largest one, a fraction; that of ``USUAL`` unless given.
    voltage : float, V
        That the part must stand.
    decoupling : bool
        Whether its value matters little, so that ceramics of high permittivity will do.

    Returns
    -------
    Choice or None
        None where no series has it.
    """
    widest = USUAL[kind] if tolerance is None else tolerance
    found = [
        Choice(series, of)
        for series in passives().values()
        if series.kind == kind
        and (decoupling or series.linear)
        and series.least * (1.0 - TIE) <= value <= series.largest * (1.0 + TIE)
        and series.voltage >= voltage
        for of in series.classes
        if (decoupling or of.tolerance <= widest * (1.0 + TIE)) and of.has(value)
    ]
    return min(found, key=lambda choice: choice.of.price(QUANTITIES[1]), default=None)


def is_member(value: float, series: str) -> bool:
    """Tell whether a positive value is one of a series."""
    return bool(np.isclose(float(nearest(value, series)), value, rtol=TIE, atol=0.0))


def _series(name: str, table: dict[str, Any]) -> Series:
    classes = tuple(_class({"tc": table.get("tc"), **of}) for of in table["classes"])
    drift = table.get("drift")
    return Series(
        name,
        table["kind"],
        table["material"],
        table["size"],
        table["footprint"],
        *map(float, table["range"]),
        voltage=float(table["voltage"]),
        drift=None if drift is None else 1e-2 * drift,
        linear=table.get("linear", True),
        classes=tuple(sorted(classes, key=lambda of: -of.tolerance)),
    )


def _class(table: dict[str, Any]) -> Class:
    members(table["series"])  # an unknown one is an error
    first, second, third = table["price"]
    tc = None if table["tc"] is None else 1e-6 * table["tc"]
    return Class(1e-2 * table["tolerance"], table["series"], (first, second, third), tc)
