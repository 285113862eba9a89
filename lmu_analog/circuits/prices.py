"""Prices of parts, from a file of one's own: a row a part."""

import csv
import math
from dataclasses import dataclass
from pathlib import Path

from lmu_analog.errors import DesignError

HEADER = ("part", "price", "amplifiers")
LARGEST_FILE = 1_000_000  # bytes
LARGEST_PRICE, MOST_AMPLIFIERS = 1e6, 64


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


def read_prices(path: Path) -> dict[str, Price]:
    """Read a CSV of ``part,price`` or ``part,price,amplifiers``.

    A part is the name of an op-amp, or ``resistor``, ``capacitor`` or ``inductor``; a header is optional, and ``#``
    starts a comment.

    Raises
    ------
    DesignError
        If the file cannot be read, or a row is wrong; the message names the line.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise DesignError(f"{path} has more than {LARGEST_FILE} bytes; a row a part is wanted")
        lines = path.read_text("utf-8-sig").splitlines()
    except OSError as error:
        raise DesignError(f"{path}: cannot be read ({error.strerror}); give a readable .csv") from None
    except UnicodeDecodeError:
        raise DesignError(f"{path} is not UTF-8 text; a .csv of part,price is wanted") from None
    found: dict[str, Price] = {}
    for number, line in enumerate(lines, start=1):
        cells = [cell.strip() for cell in next(csv.reader([line.partition("#")[0]]), [])]
        if not any(cells) or tuple(cells) == HEADER[: len(cells)]:
            continue
        name, price = _row(cells, f"{path}, line {number}")
        if name in found:
            raise DesignError(f"{path}, line {number}: {name[:40]!r} has a price already; give it once")
        found[name] = price
    if not found:
        raise DesignError(f"{path} holds no price; rows of part,price are wanted")
    return found


def _row(cells: list[str], where: str) -> tuple[str, Price]:
    if not 2 <= len(cells) <= 3:
        raise DesignError(f"{where}: {len(cells)} cells; part,price or part,price,amplifiers is wanted")
    try:
        each, amplifiers = float(cells[1]), int(cells[2]) if len(cells) == 3 else 1
    except ValueError:
        raise DesignError(
            f"{where}: {','.join(cells[1:])[:40]!r}; a price, and a whole number of amplifiers"
        ) from None
    if not (math.isfinite(each) and 0.0 <= each <= LARGEST_PRICE and 1 <= amplifiers <= MOST_AMPLIFIERS):
        raise DesignError(
            f"{where}: price {each:g}, {amplifiers} amplifiers; 0 to {LARGEST_PRICE:g} and 1 to "
            f"{MOST_AMPLIFIERS} are accepted"
        )
    return cells[0], Price(each, amplifiers)
