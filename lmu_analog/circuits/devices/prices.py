"""Prices of parts, from a file of one's own: a row a part."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lmu_analog.errors import DesignError
from lmu_analog.tables import cells_of, number, read_text, separator, split_heading, text_lines

LARGEST_FILE = 1_000_000  # bytes
LARGEST_PRICE, MOST_AMPLIFIERS = 1e6, 64
CLASSES = ("resistor", "capacitor", "inductor", "transconductor")
_WANTED = "rows of part,price or part,price,amplifiers"
_HEADS = (
    {"part", "parts", "name", "component", "item"},
    {"price", "cost", "each", "unit price", "price each"},
    {"amplifiers", "amplifier", "amps", "channels"},
)
_COMMENT = re.compile(r"(^|\s)#.*")  # LT1013CN8#PBF is a part
_THOUSANDS = re.compile(r"[1-9]\d{0,2}([,.' ]\d{3})+([,.]\d+)?")


@dataclass(frozen=True)
class Price:
    """What one package costs.

    Attributes
    ----------
    each : float
        In the file's currency.
    amplifiers : int
        In one package; one for all but op-amps.
    """

    each: float
    amplifiers: int = 1


def read_prices(path: Path | str) -> dict[str, Price]:
    """Read a table of ``part,price`` or ``part,price,amplifiers``.

    A part is the name of an op-amp, or ``resistor``, ``capacitor``, ``inductor`` or ``transconductor``; a header is
    optional, and ``#`` starts a comment. Semicolons or tabs may stand between cells, and then decimal commas too.

    Raises
    ------
    DesignError
        If the file cannot be read, or a row is wrong or has a decimal comma between commas; the message names the
        line.
    """
    lines = [
        (count, plain)
        for count, line in text_lines(
            read_text(path, wanted=_WANTED, file="a table of prices", most=LARGEST_FILE)
        )
        if (plain := _COMMENT.sub("", line).strip())
    ]
    named = separator(lines[0][1]) if lines else None
    delimiter = named or next((d for d in ";\t" if any(d in line for _, line in lines)), ",")
    found: dict[str, Price] = {}
    columns = 0  # that a header names
    for index, (count, line) in enumerate(lines if named is None else lines[1:]):
        cells, where = cells_of(line, delimiter), f"{path}, line {count}"
        if not cells:
            continue
        if index == 0 and _is_header(cells):
            columns = len(cells)
            continue
        name, price = _row(cells, where, exact=delimiter != "," or columns == 3)
        if name.lower() in (known.lower() for known in found):
            raise DesignError(f"{where}: {name[:40]!r} has a price already; give it once")
        found[name] = price
    if not found:
        raise DesignError(f"{path} holds no price; give {_WANTED}")
    return found


def priced(prices: Mapping[str, Price], known: Iterable[str]) -> dict[str, Price]:
    """Give prices by the names that are known, in their spelling.

    Raises
    ------
    DesignError
        If a name is unknown.
    """
    spelling = {name.lower(): name for name in known}
    if unknown := [name for name in prices if name.lower() not in spelling]:
        raise DesignError(
            f"prices: unknown part {unknown[0][:40]!r}; known are {', '.join(spelling.values())}"
        )
    return {spelling[name.lower()]: price for name, price in prices.items()}


def _is_header(cells: list[str]) -> bool:
    names = [split_heading(cell)[0].lower() for cell in cells]
    return 2 <= len(cells) <= 3 and all(n in heads for n, heads in zip(names, _HEADS, strict=False))


def _row(cells: list[str], where: str, *, exact: bool) -> tuple[str, Price]:
    if not 2 <= len(cells) <= 3:
        raise DesignError(f"{where}: {len(cells)} cells; give {_WANTED}, with a decimal point")
    name, *figures = cells
    single = name.lower() in CLASSES
    if len(cells) == 3 and (single or figures[1].startswith("0") or not (exact or "." in figures[0])):
        raise DesignError(
            f"{where}: {','.join(figures)[:40]!r} may be a price with a decimal comma; write {name[:40]},2.45 or "
            f"{name[:40]};2,45" + ("" if single else ", or a header part,price,amplifiers")
        )
    each, amplifiers = _price(figures[0]), 1
    if len(figures) == 2:
        amplifiers = int(figures[1]) if figures[1].isdecimal() and len(figures[1]) < 9 else None
    if each is None or amplifiers is None:
        raise DesignError(
            f"{where}: {','.join(figures)[:40]!r}; give a price such as 2.45, and a whole number of amplifiers"
        )
    if not (0.0 <= each <= LARGEST_PRICE and 1 <= amplifiers <= MOST_AMPLIFIERS):
        raise DesignError(
            f"{where}: price {each:g}, {amplifiers} amplifiers; 0 to {LARGEST_PRICE:g} and 1 to "
            f"{MOST_AMPLIFIERS} are accepted"
        )
    return name, Price(each, amplifiers)


def _price(cell: str) -> float | None:
    """Read a price with a decimal point or comma; None if it is none, or 1,234 may be either."""
    if _THOUSANDS.fullmatch(cell) and ("," in cell or "'" in cell or " " in cell):
        return None
    return number(cell, comma="," in cell)
