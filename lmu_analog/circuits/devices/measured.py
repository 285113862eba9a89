"""Measured parts, from a file of one's own: a row a part."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lmu_analog.circuits.devices.passives import Kind
from lmu_analog.errors import DesignError, shown
from lmu_analog.tables import cells_of, read_text, separator, text_lines
from lmu_analog.units import parse

LARGEST_FILE = 10_000_000  # bytes
MOST = 100_000  # parts
RANGE = (1e-21, 1e18)  # in any unit
UNITS: dict[Kind, str] = {"resistor": "Ohm", "capacitor": "F"}
_LETTERS: dict[str, Kind] = {"R": "resistor", "C": "capacitor"}
_LONGEST = 60  # characters of a name
_Column = Literal["name", "value", "nominal", "kind"]
_HEADS: dict[_Column, set[str]] = {
    "name": {"name", "part", "label", "reference", "id"},
    "value": {"value", "measured"},
    "nominal": {"nominal", "marked", "bin"},
    "kind": {"kind", "class", "type"},
}
_PLAIN: tuple[_Column, ...] = ("name", "value", "nominal", "kind")  # without a header, as many as there are
_WANTED = "rows of name,value such as R1,10.02 kOhm, and columns nominal and kind if wanted"
_COMMENT = re.compile(r"(^|\s)#.*")


@dataclass(frozen=True)
class MeasuredPart:
    """One resistor or capacitor at hand.

    Attributes
    ----------
    name : str
        What is written on it, or on its bag.
    kind : {"resistor", "capacitor"}
    value : float
        As it was measured, SI unit.
    nominal : float or None
        What it is sold as; None where nobody says.
    """

    name: str
    kind: Kind
    value: float
    nominal: float | None = None


def read_measured(path: Path | str) -> tuple[MeasuredPart, ...]:
    """Read a table of ``name,value``, ``name,value,nominal`` or ``name,value,nominal,kind``.

    A header is optional, and may name the columns in any order; ``#`` starts a comment. What a part is the unit of its
    value says, or else its kind, or the letter R or C that its name begins with. Semicolons or tabs may stand between
    cells, and then decimal commas too.

    Raises
    ------
    DesignError
        If the file cannot be read, a row is wrong, or a name is there twice; the message names the line.
    """
    found: dict[str, MeasuredPart] = {}
    for where, row in _rows(Path(path)):
        part = _part(where, row)
        if part.name in found:
            raise DesignError(
                f"{where}: {shown(part.name)} is there already; every part has a name of its own"
            )
        if len(found) == MOST:
            raise DesignError(f"{where}: more than {MOST} parts")
        found[part.name] = part
    if not found:
        raise DesignError(f"{path} holds no part; give {_WANTED}")
    return tuple(found.values())


def _rows(path: Path) -> Iterator[tuple[str, dict[_Column, str]]]:
    text = read_text(path, wanted=_WANTED, file="a table of measured parts", most=LARGEST_FILE)
    lines = [(n, plain) for n, line in text_lines(text) if (plain := _COMMENT.sub("", line).strip())]
    named = separator(lines[0][1]) if lines else None
    lines = lines[named is not None :]
    delimiter = named or next((d for d in ";\t" if any(d in line for _, line in lines)), ",")
    columns = _PLAIN
    for index, (count, line) in enumerate(lines):
        cells, where = [cell.strip() for cell in cells_of(line, delimiter)], f"{path}, line {count}"
        if index == 0 and (heads := _header(cells, where)):
            columns = heads
            continue
        is_short = len(cells) < (2 if columns is _PLAIN else len(columns))
        if is_short or len(cells) > len(columns):
            raise DesignError(f"{where}: {len(cells)} cells; give {_WANTED}")
        if delimiter != ",":  # a comma is that of a decimal number then
            cells = [cells[0], *(c.replace(",", ".") if c.count(",") == 1 else c for c in cells[1:])]
        yield where, dict(zip(columns, cells, strict=False))


def _header(cells: list[str], where: str) -> tuple[_Column, ...]:
    """Give what a header's columns are, none where the row is no header."""
    found: list[_Column] = []
    for cell in cells:
        column: _Column | None = next((name for name in _PLAIN if cell.lower() in _HEADS[name]), None)
        if column is None or column in found:
            if not found:
                return ()
            raise DesignError(f"{where}: {shown(cell)} is no column once more; known are {', '.join(_HEADS)}")
        found.append(column)
    if not {"name", "value"} <= set(found):
        raise DesignError(f"{where}: a header without name and value; give {_WANTED}")
    return tuple(found)


def _part(where: str, row: dict[_Column, str]) -> MeasuredPart:
    name = row["name"]
    if not name or len(name) > _LONGEST:
        raise DesignError(f"{where}: a name has 1 to {_LONGEST} characters, not {len(name)}")
    kind = _kind(where, row)
    nominal = row.get("nominal")
    return MeasuredPart(
        name,
        kind,
        _value(where, row["value"], kind),
        _value(where, nominal, kind) if nominal else None,
    )


def _kind(where: str, row: dict[_Column, str]) -> Kind:
    kind: Kind | None
    if given := row.get("kind"):
        kind = next((k for k in UNITS if given.lower() in (k, f"{k}s", k[0])), None)
        if kind is None:
            raise DesignError(f"{where}: unknown kind {shown(given)}; known are {', '.join(UNITS)}")
        return kind
    for kind, unit in UNITS.items():
        if not _is_bare(row["value"]) and _has_unit(row["value"], unit):
            return kind
    if (kind := _LETTERS.get(row["name"][:1].upper())) is None:
        raise DesignError(f"{where}: {shown(row['value'])} of what? write a unit, Ohm or F, or a column kind")
    return kind


def _has_unit(text: str, unit: str) -> bool:
    try:
        parse(text, unit)
    except DesignError:
        return False
    return True


def _is_bare(text: str) -> bool:
    """Tell whether a value has no unit, so that any would do."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _value(where: str, text: str, kind: Kind) -> float:
    try:
        value = parse(float(text) if _is_bare(text) else text, UNITS[kind])
    except DesignError as error:
        raise DesignError(f"{where}: {error}") from None
    if not RANGE[0] <= value <= RANGE[1]:
        raise DesignError(f"{where}: {value:g} {UNITS[kind]} of a {kind}; it must be positive")
    return float(f"{value:.11e}")
