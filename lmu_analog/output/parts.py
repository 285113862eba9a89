"""The catalogue of amplifiers as a table for people, and as data for scripts."""

from typing import Any

from lmu_analog.circuits.devices.packages import form_of
from lmu_analog.circuits.devices.parts import PRICE_CLASSES, catalogue, confidence_of
from lmu_analog.output.layout import lined_up
from lmu_analog.output.text_tables import Table, quantity

# Figures in the table, with their units; all are in the data.
_SHOWN = {"gbw": "Hz", "slew": "V/s", "offset_max": "V", "noise": "V/rtHz", "current": "A"}
_MICROSECONDS = 1e-6  # by which slew rates are given
_ABOUT = ("like", "read", "confidence")  # keys about figures, which are none themselves
_UNKNOWN = "–"


def content() -> dict[str, Any]:
    """Give every part with all its figures, SI units and gain in dB, and where each figure is from."""
    return {
        "parts": [
            {
                "part": name,
                **{key: value for key, value in part.items() if key not in _ABOUT},
                "confidence": {key: confidence_of(part, key) for key in part if key not in _ABOUT},
            }
            for name, part in catalogue().items()
        ],
        "price_classes_usd": {name: list(limits) for name, limits in PRICE_CLASSES.items()},
    }


def table() -> str:
    """Lay the catalogue out: single-ended amplifiers, then fully differential ones."""
    columns = (
        "part",
        "in a package",
        "input",
        "GBW",
        "slew",
        "offset",
        "noise",
        "current",
        "supply (V)",
        "price",
    )
    found = {
        differential: tuple(
            _row(name) for name in sorted(catalogue()) if form_of(name).differential is differential
        )
        for differential in (False, True)
    }
    single = Table("Op-amps", (*columns, "figures read"), found[False])
    double = Table("Fully differential amplifiers", (*columns, "figures read"), found[True])
    classes = ", ".join(f"{name} {low:g} to {high:g}" for name, (low, high) in PRICE_CLASSES.items())
    note = (
        "Largest offset; current of one amplifier. figures read: so many were read in a copy of the maker's data\n"
        "sheet, the others are from memory: check them before use.\n"
        f"Price classes, USD each of a hundred, from memory: {classes}."
    )
    return "\n\n".join([lined_up(single), lined_up(double), note])


def _row(name: str) -> tuple[str, ...]:
    part = catalogue()[name]
    low, high = part["supply"]  # type: ignore[misc]
    figures = (_figure(part, key, unit) for key, unit in _SHOWN.items())
    return (
        name,
        str(form_of(name).amplifiers),
        str(part["kind"]),
        *figures,
        f"{low:g} to {high:g}",
        str(part["price_class"]),
        str(sum(confidence_of(part, key) == "read" for key in part)),
    )


def _figure(part: dict[str, object], key: str, unit: str) -> str:
    if key not in part:
        return _UNKNOWN
    value = float(part[key])  # type: ignore[arg-type]
    return f"{value * _MICROSECONDS:g} V/µs" if unit == "V/s" else quantity(value, unit)
