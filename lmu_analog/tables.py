"""Tables of numbers as instruments, spreadsheets and simulators write them: one reader for all that are read.

Own code, because parsers of CSV take the first row for a header whatever it says, and name neither row nor
cell of what they cannot read.
"""

import csv
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from lmu_analog.errors import DesignError
from lmu_analog.files_in import read_bytes

MOST_BYTES = 200_000_000
MOST_ROWS = 5_000_000
LONGEST_PREAMBLE = 1000  # lines before the first row of numbers
BLOCK = 10**7  # characters that are split into lines at a time
DELIMITERS = (";", "\t", ",", " ")
TIME_UNITS = {"h": 3600.0, "min": 60.0, "s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9, "ps": 1e12}
WORDS_OF_TIME = {
    "time", "t", "zeit", "temps", "tiempo", "tempo", "tempi", "tid", "tijd", "czas", "timestamp", "elapsed",
    "seconds", "second", "secs", "sec", "x-axis",
}  # fmt: skip
COUNTERS = {
    "sample", "samples", "index", "idx", "n", "#", "nr", "no", "number", "sequence", "seq", "point", "points",
    "row", "rows", "i", "k", "count", "step", "steps",
}  # fmt: skip
# Preambles in which a row of key and value may stand right before the numbers.
_KEYS = re.compile(
    r"record length|sample interval|sampl(e|ing) (rate|period)|trigger|source|(vertical|horizontal)|model|firmware"
    r"|probe|point format|[xy] ?(inc|org|units|disp)|points|type|revision|coupling|bandwidth|memory|data",
    re.IGNORECASE,
)
_NUMBER_LIKE = re.compile(
    r"[+\-−±]?(nan|inf|infinity|n/?a|null|none|∞|#[A-Z].*|-+|[.,]?\d.*|[OoQDIl|\d]*[.,][OoQDIl|\d]+)",
    re.IGNORECASE,
)
_BRACKETS = re.compile(r"(?P<name>.*?)\s*[\[({<]\s*(?P<unit>[^\[\](){}<>]*?)\s*[\])}>]")
_VECTOR = re.compile(r"[vi]\((?P<net>[^()\s]*)\)", re.IGNORECASE)  # of a simulator: v(x0), i(vout)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+")  # or a decimal comma before three digits
_REMARK = re.compile(r"\s#.*$")
_LINES = re.compile(r"\r\n|\r|\n")
_HEADING = re.compile(r"[^\s\[({]*(?:\s*[\[({][^\])}]*[\])}])?")


@dataclass(frozen=True, eq=False)
class Table:
    """Numbers in columns.

    Attributes
    ----------
    path : str
        Where it is from, for errors.
    columns : (n, c) array
        Finite numbers as they stand in the file: no unit is applied.
    lines : (n,) array
        Line of every row in the file, from 1.
    headings : tuple of str
        What stands over each column; empty without a header.
    names, units : tuple of str
        The same taken apart; a unit is empty where none is given.
    preamble : dict
        Keys (lower case) and values of the lines above the header.
    comments : tuple of (int, str)
        Lines and texts of the comments above the numbers.
    counts : bool
        Whether the first column is written 0, 1, 2, ... or 1, 2, 3, ... without a name.
    """

    path: str
    columns: Float[np.ndarray, "n c"]
    lines: Int[np.ndarray, " n"]
    headings: tuple[str, ...]
    names: tuple[str, ...]
    units: tuple[str, ...]
    preamble: dict[str, list[str]]
    comments: tuple[tuple[int, str], ...] = ()
    counts: bool = False

    def where(self, row: int) -> str:
        """Name a row for an error."""
        return f"{self.path}, line {self.lines[row]}"

    def find(self, column: str) -> list[int]:
        """Give the columns of a name, as it stands in the header or without its unit, or of a number from 1."""
        asked = column.strip().lower()
        for known in (self.headings, self.names):
            if found := [k for k, name in enumerate(known) if name.lower() == asked]:
                return found
        inside = asked.isdecimal() and len(asked) < 6 and 1 <= int(asked) <= self.columns.shape[1]
        return [int(asked) - 1] if inside else []

    @property
    def listed(self) -> str:
        """The columns for an error."""
        shown = [repr(name[:40]) for name in self.headings[:8]]
        shown = shown or [str(k + 1) for k in range(min(8, self.columns.shape[1]))]
        return ", ".join(shown) + (", ..." if self.columns.shape[1] > 8 else "")


def read_table(path: Path | str, *, wanted: str, suffixes: bool = False) -> Table:
    """Read a table of numbers.

    Accepted are UTF-8, UTF-16 and cp1252; comma, semicolon, tab or spaces between cells, a line ``sep=;`` that
    says so, and separators at the ends; a decimal comma where it is not what separates; quotes; comments
    (``#``, ``%``, ``!``, ``//``, ``*``, ``;``); a preamble of an instrument; a header, and a row of units. A row
    is no header if one of its cells looks like a number.

    Parameters
    ----------
    path : Path or str
    wanted : str
        What the table should hold, for errors: "rows of two numbers, seconds and volts".
    suffixes : bool, optional
        Whether numbers without a header may have SPICE's suffixes, as in ``1m 0.5``.

    Raises
    ------
    DesignError
        If the file cannot be read, or a row is no row of numbers; the message names line and cell.
    """
    return parse_table(str(path), read_text(path, wanted=wanted), wanted=wanted, suffixes=suffixes)


def parse_table(path: str, text: str, *, wanted: str, suffixes: bool = False) -> Table:
    """Read a table as `read_table` does, from the text of the file called ``path``."""
    delimiter, body, comments = _body(text)
    if not body:
        raise DesignError(f"{path}: no rows of numbers; give {wanted}")
    first, delimiter = _first_row(body, delimiter, suffixes=suffixes)
    if first is None:
        return _refuse_words(path, body, wanted)
    oscilloscope = _three_key_columns(body, delimiter)
    if oscilloscope is not None:
        body, preamble = oscilloscope
        headings: tuple[str, ...] = ()
        units: tuple[str, ...] = ()
        first = 0
    else:
        width = len(cells_of(_REMARK.sub("", body[first][1]), delimiter))
        headings, units, preamble = _header(path, body[:first], delimiter, width=width, wanted=wanted)
        if not headings:
            headings = _commented(comments, body[first][0], delimiter, width=width)
    columns, lines = _numbers(
        path, body[first:], delimiter, suffixes=suffixes and not headings, wanted=wanted
    )
    apart = [split_heading(h) for h in headings]
    names = tuple(name for name, _ in apart)
    own = units or ("",) * len(headings)
    units = tuple(below or unit for below, (_, unit) in zip(own, apart, strict=True))
    counts = not headings and _counts(
        columns[:, 0], [cells_of(line, delimiter)[0] for _, line in body[first:][:2]]
    )
    above = tuple((line_number, said) for line_number, said in comments if line_number < lines[0])
    return Table(path, columns, lines, headings, names, units, preamble, above, counts)


def read_text(path: Path | str, *, wanted: str, file: str = "a table", most: int = MOST_BYTES) -> str:
    """Read the text of a file: UTF-8, UTF-16 (either byte order, with or without its mark) or cp1252.

    Raises
    ------
    DesignError
        If it cannot be read, is too large, or is no text.
    """
    content = read_bytes(path, most=most, wanted=file).rstrip(b"\x1a")  # DOS ended files so
    half = len(content) // 2
    encodings = ["utf-8-sig", "cp1252"]
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    elif half and content[1::2].count(0) > 0.9 * half and not content[::2].count(0):
        encodings = ["utf-16-le"]
    elif half and content[::2].count(0) > 0.9 * half and not content[1::2].count(0):
        encodings = ["utf-16-be"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not _BINARY.search(text):
            return text
    raise DesignError(f"{path}: no text in UTF-8, UTF-16 or cp1252; give {wanted}")


_BINARY = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ufffd]")


def text_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line that is not blank, without spaces at its ends."""
    number, rest = 0, ""
    for begin in range(0, len(text) or 1, BLOCK):  # a list of all lines would need the memory twice
        block = rest + text[begin : begin + BLOCK]
        last = begin + BLOCK >= len(text)
        pending = "\r" if block.endswith("\r") and not last else ""  # its \n may come next
        *whole, rest = _LINES.split(block[: len(block) - len(pending)])
        rest += pending
        for line in [*whole, rest] if last else whole:
            number += 1
            if line := line.strip():
                yield number, line


def separator(line: str) -> str | None:
    """Give what a spreadsheet's first line ``sep=;`` says."""
    found = re.fullmatch(r'"?sep=(.)?"?', line, re.IGNORECASE)
    return None if found is None else found[1] or "\t"  # a tab at the end was stripped


def number(cell: str, *, comma: bool = False) -> float | None:
    """Give the number in a cell, with a decimal point or comma; None where it is none."""
    plain = cell.replace("−", "-")
    if comma:
        if "." in plain or plain.count(",") > 1:
            return None
        plain = plain.replace(",", ".")
    try:
        return None if "_" in plain else float(plain)
    except ValueError:
        return None


def looks_like_number(cell: str) -> bool:
    """Say whether a cell was meant as a number: ``O.9``, ``nan``, ``1 V``, ``12:30``."""
    return _NUMBER_LIKE.fullmatch(cell) is not None


def split_heading(heading: str) -> tuple[str, str]:
    """Take a unit off a heading: ``Time (ms)``, ``u[V]``, ``t/ms``, ``Time, s``, ``CH1 in V``, ``t_us``, ``mV``.

    Returns
    -------
    name, unit : str
        The unit as it is written, empty where there is none.
    """
    text = heading.strip()
    if vector := _VECTOR.fullmatch(text):
        prefixed = vector["net"] in ("mV", "uV", "µV", "kV", "mA", "uA", "µA", "nA")
        return (text[: text.index("(")], vector["net"]) if prefixed else (text, "")
    if found := _BRACKETS.fullmatch(text):
        return found["name"] or text, found["unit"]
    found = re.fullmatch(r"(.*?\S)(?:\s*[,/]\s*|\s+in\s+|[_\s]\s*)([^\s,/_]+)", text)
    if found and known_unit(found[2]):
        return found[1], found[2]
    if found := re.fullmatch(r"in\s+(\S+)", text):
        return text, found[1]
    if found := re.fullmatch(r"(CH\d+)(V)", text, re.IGNORECASE):  # as one maker has it
        return found[1], found[2]
    return text, text if known_unit(text) and text.lower() not in ("h", "min", "v", "k") else ""


def known_unit(unit: str) -> bool:
    """Say whether a word is a unit of time or voltage."""
    return time_scale(unit) is not None or volt_scale(unit) is not None


def time_scale(unit: str) -> tuple[float, float] | None:
    """Give what multiplies and then divides a number in this unit to give seconds; None for other units."""
    short = _short(unit, "s", ("sec", "secs", "second", "seconds"))
    if unit.lower() in ("min", "mins", "minute", "minutes"):
        short = "min"
    if unit.lower() in ("h", "hr", "hrs", "hour", "hours"):
        short = "h"
    known = TIME_UNITS.get(short)
    if known is None:
        return None
    # A quotient rounds once: 0.05 ms is 5e-05 s.
    return (known, 1.0) if short in ("h", "min") else (1.0, known)


def volt_scale(unit: str) -> tuple[float, float] | None:
    """Give what multiplies and then divides a number in this unit to give volts; None for other units."""
    short = _short(unit, "V", ("volt", "volts"))
    known = {"V": (1.0, 1.0), "mV": (1.0, 1e3), "uV": (1.0, 1e6), "nV": (1.0, 1e9), "kV": (1e3, 1.0)}
    return known.get(short)


def ampere_scale(unit: str) -> tuple[float, float] | None:
    """Give what multiplies and then divides a number in this unit to give amperes; None for other units."""
    short = _short(unit, "A", ("amp", "amps", "ampere", "amperes"))
    known = {"A": (1.0, 1.0), "mA": (1.0, 1e3), "uA": (1.0, 1e6), "nA": (1.0, 1e9)}
    return known.get(short)


_PREFIXES = {"milli": "m", "micro": "u", "nano": "n", "pico": "p", "kilo": "k"}


def _short(unit: str, symbol: str, words: tuple[str, ...]) -> str:
    """Write a unit as prefix and symbol: ``msec``, ``microseconds``, ``Volt``, ``mv``; capitals M stay mega."""
    plain = unit.strip().replace("\u00b5", "u").replace("\u03bc", "u")
    if plain[:1] == "M" and plain.lower()[:5] != "milli" and plain.lower()[:5] != "micro":
        return plain
    lower = plain.lower()
    for word in (*sorted(words, key=len, reverse=True), symbol.lower()):
        if lower.endswith(word):
            prefix = lower[: len(lower) - len(word)]
            return _PREFIXES.get(prefix, prefix) + symbol if prefix in (*_PREFIXES, *"munpk", "") else plain
    return plain


# A semicolon begins a comment where words follow and it does not separate; a row of separators says nothing.
_COMMENT = re.compile(r"#(?![,;\t])|[%!*]|//|;[^;\d]*[^\W\d][^;]*$|[-=_+|\s]{3,}$|[,;\t \"]+$")


def _body(text: str) -> tuple[str | None, list[tuple[int, str]], list[tuple[int, str]]]:
    """Give the separator that is named, the lines, and the comments before the first of them with numbers."""
    delimiter, body, comments = None, [], []
    for line_number, line in text_lines(text):
        if not body and (named := separator(line)) is not None:
            delimiter = named
        elif not _COMMENT.match(line):
            body.append((line_number, line))
        elif len(comments) < LONGEST_PREAMBLE:
            comments.append((line_number, line.lstrip("#%!/*; ")))
    return delimiter, body, comments


def cells_of(line: str, delimiter: str) -> list[str]:
    """Split a line into cells, with quotes, spaces and trailing separators taken off."""
    if delimiter == " ":
        return line.split()
    if '"' in line:
        try:
            split = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))
        except csv.Error:  # a cell of more than 131072 characters
            split = [line]
        cells = [cell.strip() for cell in split]
    else:
        cells = [cell.strip() for cell in line.split(delimiter)]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _first_row(body: list[tuple[int, str]], named: str | None, *, suffixes: bool) -> tuple[int | None, str]:
    """Find the first line of numbers alone, and what separates its cells."""
    for index, (_, whole) in enumerate(body[:LONGEST_PREAMBLE]):
        line = _REMARK.sub("", whole)
        for delimiter in DELIMITERS if named is None else (named,):
            if named is None and delimiter not in line and not (delimiter == "," and " " not in line):
                continue
            cells = cells_of(line, delimiter)
            while cells and not cells[0]:  # three empty cells before the numbers, in one maker's tables
                cells.pop(0)
            for comma in (False, True):  # between commas it is in quotes
                if cells and all(_plain(cell, comma, suffixes) is not None for cell in cells):
                    return index, delimiter
    return None, ","


def _plain(cell: str, comma: bool, suffixes: bool) -> float | None:
    value = number(cell, comma=comma)
    return spice_number(cell) if value is None and suffixes else value


def spice_number(cell: str) -> float | None:
    """Give a number with one of SPICE's suffixes, ``1m`` or ``2.5u``; None for others, and for ``M``.

    In SPICE an ``M`` is milli, as ``m`` is, and everywhere else mega: it is nobody's guess.
    """
    found = re.fullmatch(
        r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)(meg|MEG|Meg|[TtGgKkmUuµNnPpFf])[sV]?", cell
    )
    if found is None:
        return None
    power = {"t": 12, "g": 9, "meg": 6, "k": 3, "m": -3, "u": -6, "µ": -6, "n": -9, "p": -12, "f": -15}
    digits, _, exponent = found[1].lower().partition("e")
    return float(f"{digits}e{int(exponent or 0) + power[found[2].lower()]}")


def _three_key_columns(
    body: list[tuple[int, str]], delimiter: str
) -> tuple[list[tuple[int, str]], dict[str, list[str]]] | None:
    """Take off the keys that one maker writes beside the first rows: ``Record Length,2500,,-0.5,0.1``."""
    head = [cells_of(line, delimiter) for _, line in body[:20]]
    if delimiter != "," or any(len(cells) != 5 or cells[2] for cells in head):
        return None
    if any(number(cell) is None for cells in head for cell in cells[3:]) or not head[0][0]:
        return None
    preamble = {cells[0].lower(): [cells[1]] for cells in head if cells[0]}
    return [(k, ",".join(cells_of(line, delimiter)[3:])) for k, line in body], preamble


def _header(
    path: str, above: list[tuple[int, str]], delimiter: str, *, width: int, wanted: str
) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, list[str]]]:
    """Read what stands above the numbers: headings, units below them, and the preamble."""
    rows = [(line_number, line, cells_of(line, delimiter)) for line_number, line in above]
    headings, units, steps = (), (), {}
    if rows and not _is_key(rows[-1][2], width):
        units = _units_row(rows[-1][2], width, alone=len(rows) == 1)
        steps = _steps(rows)
        below = 1 if units and len(rows) > 1 else 0
        line_number, line, cells = rows[-1 - below]
        cells = cells[:width] if steps else cells
        if len(cells) != width:
            cells = next((c for c in _otherwise(line, delimiter) if len(c) == width), cells)
        headings = _headings(f"{path}, line {line_number}", line, cells, width=width, wanted=wanted)
        rows = rows[: -1 - below]
        units = units if below else ()
        if rows and not units and (units := _units_row(rows[-1][2], width, alone=False)):  # above the names
            rows = rows[:-1]
    for line_number, _, cells in rows:
        if looks_like_number(cells[0]):
            raise DesignError(f"{path}, line {line_number}: {cells[0][:40]!r} is not a number; give {wanted}")
    pairs = [(cells[0].rstrip(":"), cells[1:]) for _, _, cells in rows if len(cells) > 1]
    pairs += [
        (cells[0].partition(s)[0], [cells[0].partition(s)[2].strip()])
        for _, _, cells in rows
        for s in ":="
        if len(cells) == 1 and s in cells[0]
    ]
    keys = {key.strip().lower(): values for key, values in pairs}
    return headings, units, keys | {key: [value] for key, value in steps.items()}


def _is_key(cells: list[str], width: int) -> bool:
    """Say whether the row right above the numbers is still one of the preamble."""
    return bool(_KEYS.match(cells[0])) and (
        cells[0].endswith(":") or any(map(looks_like_number, cells[1:])) or (len(cells) == 1 and width > 1)
    )


def _units_row(cells: list[str], width: int, *, alone: bool) -> tuple[str, ...]:
    """Read a row such as ``(ms),(V)`` or ``second,Volt``; nothing if it is none."""
    found = []
    for cell in cells[:width]:
        bracketed = _BRACKETS.fullmatch(cell)
        unit = bracketed["unit"] if bracketed and not bracketed["name"] else cell
        if not (
            known_unit(unit) or (bracketed and not bracketed["name"]) or unit.lower() in COUNTERS or not unit
        ):
            return ()
        found.append(unit)
    return tuple(found) if len(found) == width and any(found) and not alone else ()


def _steps(rows: list[tuple[int, str, list[str]]]) -> dict[str, str]:
    """Read start and increment where a header has columns of them that only the row of units fills."""
    said = dict(re.findall(r"\b(t0|tInc)\s*=\s*([^\s,;]+?)s?(?=[\s,;]|$)", rows[-1][1]))
    if "tInc" in said:
        found = {"start": said.get("t0", "0"), "increment": said["tInc"]}
        return found if all(number(value) is not None for value in found.values()) else {}
    if len(rows) < 2:
        return {}
    above, below = ([cell.lower() for cell in rows[k][2]] for k in (-2, -1))
    found = {key: below[above.index(key)] for key in ("start", "increment") if key in above[: len(below)]}
    return found if all(number(value) is not None for value in found.values()) else {}


def _headings(where: str, line: str, cells: list[str], *, width: int, wanted: str) -> tuple[str, ...]:
    numbered = bool(cells) and is_time(*split_heading(cells[0])) and all(c.isdecimal() for c in cells[1:])
    if any(map(looks_like_number, cells)) and not numbered:
        wrong = next((c for c in cells if number(c) is None and looks_like_number(c)), None)
        wrong = wrong or next((c for c in cells if number(c) is None), cells[0])
        raise DesignError(f"{where}: {wrong[:40]!r} is not a number; give {wanted}")
    if len(cells) != width:
        raise DesignError(
            f"{where}: {len(cells)} names ({line[:40]!r}), and the rows below have {width} numbers; give {wanted}"
        )
    return tuple(cells)


def _otherwise(line: str, delimiter: str) -> Iterator[list[str]]:
    """Split a header by what does not separate the numbers below it."""
    yield from (cells_of(line, d) for d in DELIMITERS if d != delimiter and d != " " and d in line)
    yield [cell.strip() for cell in re.split(r"\s{2,}|\t", line) if cell.strip()]
    yield [cell.strip() for cell in _HEADING.findall(line) if cell.strip()]
    yield line.split()


def _commented(comments: list[tuple[int, str]], first: int, delimiter: str, *, width: int) -> tuple[str, ...]:
    """Take the last comment above the numbers as the header, as NumPy writes it, if it names time or a unit."""
    above = [text for line_number, text in comments if line_number < first]
    if not above:
        return ()
    for cells in (cells_of(above[-1], delimiter), *_otherwise(above[-1], delimiter)):
        fits = len(cells) == width and width > 1
        if fits and not any(map(looks_like_number, cells)) and is_time(*split_heading(cells[0])):
            return tuple(cells)
    return ()


def is_time(name: str, unit: str) -> bool:
    """Say whether a column holds times, by its name or unit."""
    words = re.split(r"[^\w#-]+|_", name.lower())
    return time_scale(unit) is not None if unit else bool(WORDS_OF_TIME & set(words))


def is_counter(name: str) -> bool:
    """Say whether a column counts rows, by its name."""
    words = [word for word in re.split(r"[^\w#]+|_", name.lower()) if word]
    return not words or (bool(COUNTERS & set(words)) and not WORDS_OF_TIME & set(words))


def _numbers(
    path: str, rows: list[tuple[int, str]], delimiter: str, *, suffixes: bool, wanted: str
) -> tuple[np.ndarray, np.ndarray]:
    """Read the rows of numbers, all as wide as the first."""
    if len(rows) > MOST_ROWS:
        raise DesignError(
            f"{path}, line {rows[MOST_ROWS][0]}: too long, at most {MOST_ROWS} rows are accepted"
        )
    comma = delimiter != "," and _decimal_comma(path, rows)
    ends = " \t" if delimiter == " " else f" \t{delimiter}"
    width, values = 0, array("d")
    for line_number, line in rows:
        plain = line.rstrip(ends).replace(",", "." if comma else ",")
        try:
            row = [float(cell) for cell in (plain.split() if delimiter == " " else plain.split(delimiter))]
        except ValueError:
            row = None
        where = f"{path}, line {line_number}"
        if row is None or "_" in plain:
            cells = cells_of(_REMARK.sub("", line), delimiter)
            row = [
                _cell(cell, where, comma or "," in cell, suffixes=suffixes, wanted=wanted) for cell in cells
            ]
        width = width or len(row)
        if len(row) != width:
            raise DesignError(f"{where}: {len(row)} cells, and {width} in the rows above; give {wanted}")
        values.extend(row)
    columns = np.array(values).reshape(-1, width)
    if not np.isfinite(columns).all():
        index, column = (int(k) for k in np.argwhere(~np.isfinite(columns))[0])
        cell = cells_of(rows[index][1], delimiter)[column]
        raise DesignError(f"{path}, line {rows[index][0]}: {cell[:40]!r} is not finite; give {wanted}")
    return columns, np.array([line_number for line_number, _ in rows])


def _decimal_comma(path: str, rows: list[tuple[int, str]]) -> bool:
    """Say whether numbers have decimal commas; refuse points beside them, which may separate thousands."""
    first = next((n for n, line in rows if "," in line and "," in _REMARK.sub("", line)), None)
    if first is None:
        return False
    point = next((n for n, line in rows if "." in line and "." in _REMARK.sub("", line)), None)
    if point is not None:
        raise DesignError(
            f"{path}: a comma in the numbers of line {first}, a point in those of line {point}; "
            "write one decimal mark throughout, and none for thousands"
        )
    cells = (cell for _, line in rows if "," in line for cell in re.split(r"[;\t ]+", _REMARK.sub("", line)))
    if all("," not in cell or _THOUSANDS.fullmatch(cell.strip('"')) for cell in cells):
        raise DesignError(
            f"{path}, line {first}: commas may be decimal or separate thousands; write decimal points, or all digits"
        )
    return True


def _counts(column: np.ndarray, first: list[str]) -> bool:
    """Say whether ten rows or more are numbered: fewer, as in examples, may well be seconds."""
    whole = len(column) >= 10 and column[0] in (0.0, 1.0) and all(cell.isdecimal() for cell in first)
    return whole and bool(np.all(np.diff(column) == 1.0))


def _cell(cell: str, where: str, comma: bool, *, suffixes: bool, wanted: str) -> float:
    value = None if _THOUSANDS.fullmatch(cell) else _plain(cell, comma, suffixes)
    if value is None:
        raise DesignError(f"{where}: {cell[:40]!r} is not a number; give {wanted}")
    return value


def _refuse_words(path: str, body: list[tuple[int, str]], wanted: str) -> Table:
    """Refuse a table in which no row is numbers alone, by its first row that was meant to be."""
    for line_number, line in body[:LONGEST_PREAMBLE]:
        for cell in re.split(r"[;,\t]", line):
            if looks_like_number(cell.strip().strip('"')) and number(cell) is None:
                raise DesignError(
                    f"{path}, line {line_number}: {cell.strip()[:40]!r} is not a number; give {wanted}"
                )
    raise DesignError(f"{path}: no rows of numbers; give {wanted}")
