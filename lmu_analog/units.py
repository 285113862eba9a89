"""Quantities as text: the one place that knows prefixes; everywhere else numbers are SI floats."""

import math
import re
from functools import cache
from numbers import Integral, Real
from typing import TypeGuard

from lmu_analog.errors import DesignError, shown

PREFIXES = {"T": 12, "G": 9, "M": 6, "k": 3, "": 0, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15}
ICE = 273.15  # K at 0 C
UNITS = ("s", "Hz", "V", "F", "Ohm", "H", "A", "S", "V/s", "V/rtHz", "A/rtHz")

# The exponent is short so that absurd texts fail to match instead of stalling int().
_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:[eE]([+-]?[0-9]{1,4}))?\s*(\S*)")
# The micro sign, the Greek letters mu and omega, the sign for ohms, a minus of typesetting, and degrees.
_SIGNS = str.maketrans(
    {
        "\u00b5": "u",
        "\u03bc": "u",
        "\u2126": "\u03a9",
        "\u2212": "-",
        "\u00b2": "2",
        "\u00ba": "\u00b0",
        "\u2103": "\u00b0C",
    }
)
_WORDS = {
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    "hertz": "Hz",
    **dict.fromkeys(("v", "volt", "volts"), "V"),
    **dict.fromkeys(("farad", "farads"), "F"),
    **dict.fromkeys(("\u03c9", "ohm", "ohms"), "Ohm"),
    **dict.fromkeys(("henry", "henrys", "henries"), "H"),
    **dict.fromkeys(("amp", "amps", "ampere", "amperes"), "A"),
    "siemens": "S",
    "%": "%",
    "percent": "%",
}
_SPELLED = {"femto": "f", "pico": "p", "nano": "n", "micro": "u", "milli": "m", "kilo": "k"}
_SPELLED |= {"mega": "M", "kil": "k", "meg": "M", "giga": "G", "tera": "T"}
_ROOT = re.compile(r"(?:\u221a|sqrt|rt)\(?Hz\)?|Hz(?:\^\(?(?:0?\.5|1/2)\)?|\u00bd)")
_PLUS_MINUS = re.compile(r"\s*(?:\u00b1|\+/-|\+-)\s*")
_INFIX = {
    "Ohm": "fpnumkKMGT",
    "F": "fpnum",
    "H": "fpnum",
    "Hz": "kKMGT",
}  # 4k7 and 4n7, as IEC 60062 writes them
_POINTS = {"Ohm": "R", "V": "V"}  # 4R7 and 3V3: the unit stands for the decimal point
_AREAS = {"": 0, "m2": 0, "mm2": -6, "um2": -12, "nm2": -18}
_LENGTHS = {"": 0, "m": 0, "mm": -3, "um": -6, "nm": -9}
_SHARES = {"": 0, "%": -2, "\u2030": -3, "ppm": -6}
_PREFIX_OF = {power: prefix for prefix, power in PREFIXES.items()}


def parse(text: object, unit: str) -> float:
    """Read a quantity such as ``"10 pF"``; a bare number is taken in ``unit``.

    Units may be written in other ways that mean one thing: ``kΩ``, ``usec``, ``nV/√Hz``, ``4k7``, ``4R7``.

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
    wanted = f"a number in {unit} such as '1.5 {unit}' or '1.5 m{unit}'"
    return _read(_infix(text, unit) if isinstance(text, str) else text, _powers(unit), wanted)


def magnitude(text: object, unit: str) -> float:
    """Read a quantity that may be written with its sign left open, such as a supply of ``"±5 V"``."""
    return parse(_PLUS_MINUS.sub("", text, count=1) if _both_signs(text) else text, unit)


def share(text: object) -> float:
    """Read a fraction that is seldom above 1: ``"5 %"`` or 0.05; a bare number above 1 was meant in per cent.

    Returns
    -------
    value : float, 1
    """
    value = fraction(text)
    bare = not isinstance(text, str) or text.strip()[-1] in "0123456789."
    if bare and value > 1.0:
        raise DesignError(f"{shown(text)} is {100 * value:g} %; write '{value:g} %' or {value / 100:g}")
    return value


def tolerance(text: object) -> float:
    """Read a tolerance such as ``"1 %"``, ``"±1 %"`` or 0.01.

    Returns
    -------
    value : float, 1
    """
    return share(_PLUS_MINUS.sub("", text, count=1) if _both_signs(text) else text)


def coefficient(text: object, *, power: int = 1) -> float:
    """Read a temperature coefficient such as ``"25 ppm"`` or ``"25 ppm/K"``, or with power 2 ``"0.5 ppm/K^2"``.

    Returns
    -------
    value : float, 1/K or 1/K^2
    """
    if isinstance(text, str):
        found = re.fullmatch(r"(.*?)\s*/\s*(?:K|kelvin|\u00b0 ?C|degC|C)(\^?2)?\s*", text.translate(_SIGNS))
        if found and bool(found[2]) == (power == 2):
            return fraction(found[1])
    return fraction(text)


def fraction(text: object) -> float:
    """Read a fraction such as ``"1 %"``, ``"500 ppm"`` or 0.01.

    Returns
    -------
    value : float, 1
    """
    return _read(text, _SHARES, "a fraction such as '1 %', '500 ppm' or 0.01")


def whole(given: object, what: str, *, low: int, high: int) -> int:
    """Read a whole number, Python's or NumPy's.

    Parameters
    ----------
    given : object
    what : str
        What is counted, for the error: "samples".
    low, high : int
        The least and the most that are accepted.

    Raises
    ------
    DesignError
        If it is no whole number (2.0 is none, nor is text), or outside.
    """
    if is_whole(given) and low <= given <= high:
        return int(given)
    said, kind = (int(given), "") if is_whole(given) else (given, f", and this is {_kind(given)}")
    raise DesignError(f"{shown(said)} {what}; a whole number from {low} to {high} is accepted{kind}")


def is_whole(given: object) -> TypeGuard[int]:
    """Tell a whole number, Python's or NumPy's; ``True`` is none."""
    return isinstance(given, Integral) and not isinstance(given, bool)


def _kind(given: object) -> str:
    if isinstance(given, str):
        return "text"
    return "nothing" if given is None else f"of type {type(given).__name__}"


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
    if isinstance(text, str):
        text = re.sub(r"(?:\u00b0 ?C|deg ?C|celsius)\s*$", "C", text.translate(_SIGNS))
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
    if isinstance(text, str):
        text = re.sub(r"db\s*$", "dB", text, flags=re.IGNORECASE)
    if not (isinstance(text, str) and text.rstrip().endswith("dB")):
        return _read(text, _powers("V/V"), wanted)  # data sheets say 200 V/mV
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
    plain = re.sub(r"\s*/\s*", "/", text.strip().translate(_SIGNS))
    if re.match(r"[+-]?\d+(?:[,_' ]\d|,$)", plain):
        raise DesignError(
            f"{shown(text)} has a comma or a separator in its digits; write a decimal point alone, {wanted}"
        )
    found = _QUANTITY.fullmatch(plain)
    if not found:
        raise DesignError(f"{shown(text)} is not a quantity; write {wanted}")
    digits, exponent, suffix = found.groups()
    suffix = suffix if suffix in powers else _standard(suffix)
    if suffix not in powers:
        known = [unit for unit in UNITS if suffix in _powers(unit)]
        known += [unit for unit in ("%", "ppm", "dB") if suffix == unit]
        given = f"is in {known[0]}" if known else f"has no known unit ({shown(suffix)})"
        raise DesignError(f"{shown(text)} {given}; write {wanted}")
    # One conversion from decimal to binary, hence correctly rounded; 4.7 * 1e-9 would not be.
    return float(f"{digits}e{int(exponent or 0) + powers[suffix]}")


def _standard(suffix: str) -> str:
    """Write a unit in our symbols: ``kΩ`` as kOhm, ``usec`` as us, ``nV/√Hz`` as nV/rtHz, ``um^2`` as um2."""
    suffix = re.sub(r"\^2|\*\*2", "2", _ROOT.sub("rtHz", suffix))
    return "/".join(_standard_part(part) for part in suffix.split("/"))


def _standard_part(part: str) -> str:
    lower = part.lower()
    for word in sorted(_WORDS, key=len, reverse=True):
        head = part[: len(part) - len(word)]
        prefix = _SPELLED.get(head.lower(), "k" if head == "K" else head)
        if lower.endswith(word) and prefix in PREFIXES:
            return prefix + _WORDS[word]
    if lower in ("pf", "nf", "uf"):
        return lower[0] + "F"
    if lower in ("hz", "khz", "mhz", "ghz") and part[0] != "m":  # mhz may be either
        return {"k": "k", "m": "M", "g": "G"}.get(lower[0], "") + "Hz"
    return "k" + part[1:] if part[:1] == "K" and part[1:] in UNITS else part


def _infix(text: str, unit: str) -> str:
    """Write ``4k7`` as 4.7 k and the unit, ``4R7`` and ``3V3`` as 4.7 Ohm and 3.3 V; other texts as they are."""
    letters, point = _INFIX.get(unit, ""), _POINTS.get(unit, "")
    if not letters + point or len(text) > 40:
        return text
    found = re.fullmatch(rf"\s*([+-]?)(\d*)([{letters}{point}])(\d*)\s*(\S*)\s*", text.translate(_SIGNS))
    if not found or (found[5] and _standard(found[5]) != unit):
        return text
    sign, before, letter, after, _ = found.groups()
    if letter == point and (before or after) and (unit == "Ohm" or (before and after)):
        return f"{sign}{before or 0}.{after or 0} {unit}"
    if letter != point and before and after:
        return f"{sign}{before}.{after} {'k' if letter == 'K' else letter}{unit}"
    return text


def _both_signs(text: object) -> TypeGuard[str]:
    return isinstance(text, str) and _PLUS_MINUS.match(text) is not None
