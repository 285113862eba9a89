"""Prices of parts, from a file of one's own: a row a part."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from lmu_analog.errors import DesignError
from lmu_analog.tables import cells_of, number, read_text, separator, split_heading, text_lines
from lmu_analog.units import parse, write

LARGEST_FILE = 1_000_000  # bytes
LARGEST_PRICE, MOST_AMPLIFIERS, MOST_PIECES = 1e6, 64, 10**9
CLASSES = ("resistor", "capacitor", "inductor", "transconductor", "connector")
_UNITS = {"resistor": "Ohm", "capacitor": "F", "inductor": "H", "transconductor": "S"}
_WANTED = "rows of part,price or part,price,amplifiers"
_HEADS = {
    "part": {"part", "parts", "name", "component", "item"},
    "price": {"price", "cost", "each", "unit price", "price each"},
    "amplifiers": {"amplifiers", "amplifier", "amps", "channels"},
    "quantity": {"quantity", "qty", "from", "pieces"},
    "maker": {"maker", "manufacturer", "mfr"},
    "number": {"part number", "part_number", "mpn", "manufacturer part number", "mfr part number"},
    "mouser": {"mouser", "mouser part number"},
    "lcsc": {"lcsc", "lcsc part number", "jlcpcb part"},
}
_PLAIN = ("part", "price", "amplifiers")  # columns that need no header
_COMMENT = re.compile(r"(^|\s)#.*")  # LT1013CN8#PBF is a part
_PERCENT = re.compile(r"([\d.,]+)\s*%\s*$")
_THOUSANDS = re.compile(r"[1-9]\d{0,2}([,.' ]\d{3})+([,.]\d+)?")


@dataclass(frozen=True)
class Price:
    """What one part costs, a package where it is an amplifier.

    Attributes
    ----------
    each : float
        In the file's currency, of the fewest pieces that it is given for.
    amplifiers : int or None
        In one package; None where the file does not say.
    breaks : tuple of (int, float)
        Pieces from which on a price holds, and that price, rising; empty where there is one price alone.
    maker, number, mouser, lcsc : str
        Who makes it, the maker's part number, and those of two distributors; empty where the file does not say.
    """

    each: float
    amplifiers: int | None = None
    breaks: tuple[tuple[int, float], ...] = ()
    maker: str = ""
    number: str = ""
    mouser: str = ""
    lcsc: str = ""

    def at(self, quantity: int) -> float:
        """Price of one, of so many."""
        found = [each for least, each in self.breaks if least <= quantity]
        return found[-1] if found else self.each


def name_of(kind: str, value: float | None = None, tolerance: float | None = None) -> str:
    """Name a class of parts as price lists do: ``resistor 10 kOhm 1 %``.

    Parameters
    ----------
    kind : str
        One of ``CLASSES``.
    value : float, optional
        SI unit of the class.
    tolerance : float, optional
        A fraction.
    """
    words = [kind]
    if value is not None:
        words.append(write(value, _UNITS[kind]))
    if tolerance is not None:
        words.append(f"{100.0 * tolerance:.6g} %")
    return " ".join(words)


def price_of(prices: Mapping[str, Price], names: Iterable[str]) -> tuple[str, Price] | None:
    """Find the first of some names, the most exact first, that has a price."""
    return next(((name, prices[name]) for name in names if name in prices), None)


def names_of(kind: str, value: float | None, tolerances: Iterable[float | None]) -> list[str]:
    """Give the names that a price may stand under, the most exact first, none of them twice.

    Parameters
    ----------
    kind : str
    value : float or None
        SI unit of the class.
    tolerances : iterable of (float or None)
        Fractions, the most wanted first.
    """
    known = [t for t in tolerances if t is not None]
    found = [] if value is None else [*(name_of(kind, value, t) for t in known), name_of(kind, value)]
    return list(dict.fromkeys([*found, *(name_of(kind, None, t) for t in known), kind]))


def read_prices(path: Path | str) -> dict[str, Price]:
    """Read a table of ``part,price`` or ``part,price,amplifiers``.

    A part is the name of an amplifier, or a class: ``resistor``, ``capacitor``, ``inductor``, ``transconductor`` or
    ``connector``, with a value, a tolerance or both where it is to be more exact (``resistor 10 kOhm 1 %``). A header
    is optional, and ``#`` starts a comment. Semicolons or tabs may stand between cells, and then decimal commas too.
    A header may name more columns, in any order: ``quantity`` (pieces from which on the price holds; rows of the same
    part are its price breaks), ``maker``, ``part number``, ``mouser`` and ``lcsc``.

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
    columns: tuple[str, ...] = ()  # that a header names
    for index, (count, line) in enumerate(lines if named is None else lines[1:]):
        cells, where = cells_of(line, delimiter), f"{path}, line {count}"
        if not cells:
            continue
        if index == 0 and (heads := _header(cells)):
            columns = heads
            continue
        if set(columns) - set(_PLAIN) or (columns and columns != _PLAIN[: len(columns)]):
            name, price, least = _named_row(cells, where, columns=columns)
        else:
            name, price = _row(cells, where, exact=delimiter != "," or len(columns) == 3)
            least = None
        name = _exact_name(name, where)
        spelled = next((known for known in found if known.lower() == name.lower()), None)
        if spelled is None:
            found[name] = price
        elif least is None or least in (quantity for quantity, _ in found[spelled].breaks):
            raise DesignError(f"{where}: {name[:40]!r} has a price already; give it once")
        else:
            found[spelled] = _with_break(found[spelled], least, price.each)
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
    spelling = {name.lower(): name for name in (*CLASSES, *known)}
    exact = {name for name in prices if name.split()[0] in CLASSES}  # spelled by _exact_name
    if unknown := [name for name in prices if name not in exact and name.lower() not in spelling]:
        near = get_close_matches(unknown[0].lower(), sorted(spelling), cutoff=0.5)
        hint = f", near {', '.join(spelling[name] for name in near)}" if near else ""
        raise DesignError(
            f"prices: unknown part {unknown[0][:40]!r}{hint}; known are {', '.join(CLASSES)}, those that lmu-analog "
            "parts lists, and the design's own"
        )
    return {name if name in exact else spelling[name.lower()]: price for name, price in prices.items()}


def _header(cells: list[str]) -> tuple[str, ...]:
    """Name the columns of a header, which names a part and a price at least; empty where the line is none."""
    names: list[str] = []
    for cell in cells:
        spelled = {cell.strip().lower(), split_heading(cell)[0].lower()}
        column = next((name for name, heads in _HEADS.items() if spelled & heads), None)
        if column is None or column in names:
            return ()
        names.append(column)
    return tuple(names) if {"part", "price"} <= set(names) else ()


def _exact_name(name: str, where: str) -> str:
    """Spell a class with its value and tolerance as ``name_of`` does; other names stay."""
    first, _, rest = name.strip().partition(" ")
    kind = first.lower()
    if kind not in CLASSES or not rest:
        return name
    text, percent = rest.strip(), None
    if found := _PERCENT.search(text):
        percent = number(found[1], comma="," in found[1])
        text = text[: found.start()].strip()
    try:
        value = parse(text, _UNITS[kind]) if text else None
        if (found and (percent is None or not 0.0 < percent < 100.0)) or (
            value is not None and not value > 0.0
        ):
            raise DesignError("a tolerance is between 0 and 100 %, a value positive")
    except (DesignError, KeyError) as error:
        raise DesignError(
            f"{where}: {name[:40]!r}; write {kind}, {kind} 1 %, or a value with its unit: "
            f"{error if isinstance(error, DesignError) else 'none is known of ' + kind}"
        ) from None
    return name_of(kind, value, None if percent is None else percent / 100.0)


def _named_row(cells: list[str], where: str, *, columns: tuple[str, ...]) -> tuple[str, Price, int | None]:
    """Read a row whose columns a header names: the part, its price, and from how many pieces on it holds."""
    if len(cells) > len(columns):
        raise DesignError(f"{where}: {len(cells)} cells, and the header names {len(columns)}")
    row = dict(zip(columns, [*cells, *[""] * (len(columns) - len(cells))], strict=True))
    name, each = row["part"], _price(row["price"])
    if not name or each is None or not 0.0 <= each <= LARGEST_PRICE:
        raise DesignError(f"{where}: {','.join(cells)[:40]!r}; give a part and a price such as 2.45")
    if "." not in row["price"] and _is_fraction(row, columns[columns.index("price") + 1 :][:1]):
        raise DesignError(
            f"{where}: {','.join(cells)[:40]!r} may have a decimal comma; write 2.45, or semicolons between cells"
        )
    whole: dict[str, int | None] = {}
    for key, most in (("amplifiers", MOST_AMPLIFIERS), ("quantity", MOST_PIECES)):
        cell = row.get(key, "")
        if cell and not (cell.isdecimal() and len(cell) < 10 and 1 <= int(cell) <= most):
            raise DesignError(f"{where}: {key} {cell[:20]!r}; a whole number from 1 to {most} is wanted")
        whole[key] = int(cell) if cell else None
    least = whole["quantity"]
    price = Price(
        each,
        whole["amplifiers"],
        () if least is None else ((least, each),),
        **{key: row.get(key, "") for key in ("maker", "number", "mouser", "lcsc")},
    )
    return name, price, least


def _is_fraction(row: Mapping[str, str], after: tuple[str, ...]) -> bool:
    """Say whether the cell after a price may be what stands behind its decimal comma."""
    counted = {"amplifiers", "quantity"}
    return any(row[key].isdecimal() and (key not in counted or row[key].startswith("0")) for key in after)


def _with_break(price: Price, least: int, each: float) -> Price:
    """Add a price from so many pieces on."""
    breaks = tuple(sorted({*(price.breaks or ((1, price.each),)), (least, each)}))
    return replace(price, breaks=breaks, each=breaks[0][1])


def _row(cells: list[str], where: str, *, exact: bool) -> tuple[str, Price]:
    if not 2 <= len(cells) <= 3:
        raise DesignError(f"{where}: {len(cells)} cells; give {_WANTED}, with a decimal point")
    name, *figures = cells
    single = name.lower().partition(" ")[0] in CLASSES
    if len(cells) == 3 and (single or figures[1].startswith("0") or not (exact or "." in figures[0])):
        raise DesignError(
            f"{where}: {','.join(figures)[:40]!r} may be a price with a decimal comma; write {name[:40]},2.45 or "
            f"{name[:40]};2,45" + ("" if single else ", or a header part,price,amplifiers")
        )
    each, amplifiers = _price(figures[0]), None
    if len(figures) == 2:
        amplifiers = int(figures[1]) if figures[1].isdecimal() and len(figures[1]) < 9 else None
    if each is None or (amplifiers is None and len(figures) == 2):
        raise DesignError(
            f"{where}: {','.join(figures)[:40]!r}; give a price such as 2.45, and a whole number of amplifiers"
        )
    count = 1 if amplifiers is None else amplifiers
    if not (0.0 <= each <= LARGEST_PRICE and 1 <= count <= MOST_AMPLIFIERS):
        raise DesignError(
            f"{where}: price {each:g}, {count} amplifiers; 0 to {LARGEST_PRICE:g} and 1 to "
            f"{MOST_AMPLIFIERS} are accepted"
        )
    return name, Price(each, amplifiers)


def _price(cell: str) -> float | None:
    """Read a price with a decimal point or comma; None if it is none, or 1,234 may be either."""
    if _THOUSANDS.fullmatch(cell) and ("," in cell or "'" in cell or " " in cell):
        return None
    return number(cell, comma="," in cell)
