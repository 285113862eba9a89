"""Quantities as text: the one place that knows prefixes; everywhere else numbers are SI floats."""

import math
import re
from functools import cache
from numbers import Real

from lmu_analog.errors import DesignError, shown

PREFIXES = {"T": 12, "G": 9, "M": 6, "k": 3, "": 0, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15}
ICE = 273.15  # K at 0 C
UNITS = ("s", "Hz", "V", "F", "Ohm", "H", "A", "S", "V/s", "V/rtHz", "A/rtHz")

# The exponent is short so that absurd texts fail to match instead of stalling int().
_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:[eE]([+-]?[0-9]{1,4}))?\s*(\S*)")
_MICRO = str.maketrans("\u00b5\u03bc", "uu")  # the micro sign and the Greek letter mu
_AREAS = {"": 0, "m2": 0, "mm2": -6, "um2": -12, "nm2": -18}
_LENGTHS = {"": 0, "m": 0, "mm": -3, "um": -6, "nm": -9}
_SHARES = {"": 0, "%": -2, "ppm": -6}
_PREFIX_OF = {power: prefix for prefix, power in PREFIXES.items()}


def parse(text: object, unit: str) -> float:
    """Read a quantity such as ``"10 pF"``; a bare number is taken in ``unit``.

    Parameters
    ----------
    text : str, float or int
        Anything else, as a TOML file may hold, is refused.
    unit : str
        One of `UNITS`; for ``"V/s"`` the time may have a prefix too, as in ``"20 V/us"``.

    Returns
    -------
    value : float, SI unit
        The float nearest to the decimal number written.

    Raises
    ------
    DesignError
        If the text is not a finite number in ``unit``.
    """
    return _read(text, _powers(unit), f"a number in {unit} such as '1.5 {unit}' or '1.5 m{unit}'")


def fraction(text: object) -> float:
    """Read a fraction such as ``"1 %"``, ``"500 ppm"`` or 0.01.

    Returns
    -------
    value : float, 1
    """
    return _read(text, _SHARES, "a fraction such as '1 %', '500 ppm' or 0.01")


def area(text: object) -> float:
    """Read the area of a device such as ``"25 um2"``.

    Returns
    -------
    value : float, m^2
    """
    return _read(text, _AREAS, "an area such as '25 um2'")


def length(text: object) -> float:
    """Read the width or length of a device such as ``"2 um"``.

    Returns
    -------
    value : float, m
    """
    return _read(text, _LENGTHS, "a length such as '2 um'")


def temperature(text: object) -> float:
    """Read a temperature such as ``"85 C"``, ``"358 K"`` or 358.15.

    Returns
    -------
    value : float, K
    """
    wanted = "a temperature such as '85 C' or '358.15 K'"
    if isinstance(text, str) and text.rstrip().endswith("C"):
        return round(_read(text, {"C": 0}, wanted) + ICE, 9)  # else -40 C is 2e-14 K off its decimal
    return _read(text, {"": 0, "K": 0}, wanted)


def gain(text: object) -> float:
    """Read a voltage gain such as ``"106 dB"`` or 2e5.

    Returns
    -------
    value : float, V/V
    """
    wanted = "a gain such as '106 dB' or 2e5"
    if not (isinstance(text, str) and text.rstrip().endswith("dB")):
        return _read(text, {"": 0}, wanted)
    decibels = _read(text, {"dB": 0}, wanted)
    if decibels > 6000:  # 10**308 is the largest float
        raise DesignError(f"{shown(text)} is too large; write {wanted}")
    return 10 ** (decibels / 20)


def write(value: float, unit: str) -> str:
    """Write a quantity in engineering notation with up to six significant digits.

    Parameters
    ----------
    value : float, SI unit
    unit : str

    Returns
    -------
    text : str
        For example ``"10 pF"``; `parse` reads it back to within 5e-6 of the value.
    """
    digits, _, exponent = f"{value:.5e}".partition("e")
    power = 3 * (int(exponent or 0) // 3)
    if not math.isfinite(value) or power not in _PREFIX_OF:
        return f"{value:.6g} {unit}"
    return f"{float(f'{digits}e{int(exponent) - power}'):.6g} {_PREFIX_OF[power]}{unit}"


@cache
def _powers(unit: str) -> dict[str, int]:
    """Every way to write the unit, with its power of ten; the empty text stands for SI."""
    over, _, under = unit.partition("/")
    if not under:
        return {"": 0} | {prefix + unit: power for prefix, power in PREFIXES.items()}
    pairs = ((a, b) for a in PREFIXES for b in PREFIXES)
    return {"": 0} | {f"{a}{over}/{b}{under}": PREFIXES[a] - PREFIXES[b] for a, b in pairs}


def _read(text: object, powers: dict[str, int], wanted: str) -> float:
    if isinstance(text, bool) or not isinstance(text, str | Real):
        raise DesignError(f"{shown(text)} is not a quantity; write {wanted}")
    try:
        value = _from_text(text, powers, wanted) if isinstance(text, str) else float(text)
    except OverflowError:
        raise DesignError(f"a whole number beyond the range of floats; write {wanted}") from None
    if not math.isfinite(value):
        raise DesignError(f"{shown(text)} is not finite; write {wanted}")
    return value


def _from_text(text: str, powers: dict[str, int], wanted: str) -> float:
    found = _QUANTITY.fullmatch(text.strip())
    if not found:
        raise DesignError(f"{shown(text)} is not a quantity; write {wanted}")
    digits, exponent, suffix = found.groups()
    suffix = suffix.translate(_MICRO)
    if suffix not in powers:
        known = [unit for unit in UNITS if suffix in _powers(unit)]
        known += [unit for unit in ("%", "ppm", "dB") if suffix == unit]
        given = f"is in {known[0]}" if known else f"has no known unit ({shown(suffix)})"
        raise DesignError(f"{shown(text)} {given}; write {wanted}")
    # One conversion from decimal to binary, hence correctly rounded; 4.7 * 1e-9 would not be.
    return float(f"{digits}e{int(exponent or 0) + powers[suffix]}")
