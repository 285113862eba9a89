"""A sheet of drawing as data: symbols, wires and labels at coordinates.

One unit is 0.24 inch on paper; y points up. Two-terminal symbols lie between their ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from lmu_analog.output.style import INK

Point = tuple[float, float]
Align = Literal["left", "center", "right"]
Kind = Literal[
    "resistor", "capacitor", "inductor", "switch", "source-i", "source-v", "ground", "opamp", "nmos", "pmos", "dot"
]  # fmt: skip

INCH = 0.24  # of a unit
_POINT = 1.0 / 72.0 / INCH  # of type, in units
_LETTER = 0.62  # mean width of a letter over the size of the type


@dataclass(frozen=True)
class Symbol:
    """A symbol of the schematic.

    Attributes
    ----------
    kind : str
    start, end : (x, y)
        Ends of a two-terminal symbol. An op-amp has its inverting input at ``start``; a transistor its upper
        end there, and its gate to the side of ``end``; a ground hangs from ``start`` towards ``end``.
    """

    kind: Kind
    start: Point
    end: Point


@dataclass(frozen=True)
class Wire:
    """A line through points, with an arrowhead at its last where ``arrow``; ``width`` in points of type."""

    points: tuple[Point, ...]
    arrow: bool = False
    colour: str = INK
    width: float = 0.9
    dashed: bool = False
    alpha: float = 1.0


@dataclass(frozen=True)
class Arc:
    """A curve from ``start`` to ``end`` that rises by ``height`` to the left of its way, with an arrowhead."""

    start: Point
    end: Point
    height: float
    colour: str = INK
    width: float = 0.9
    dashed: bool = False
    alpha: float = 1.0


@dataclass(frozen=True)
class Area:
    """A closed outline, filled with ``fill`` where given."""

    points: tuple[Point, ...]
    colour: str = INK
    fill: str | None = None
    width: float = 0.9
    alpha: float = 1.0


@dataclass(frozen=True)
class Label:
    """A line of text, ``size`` in points of type."""

    at: Point
    text: str
    align: Align = "left"
    size: float = 8.0
    bold: bool = False
    colour: str = INK


Item = Symbol | Wire | Arc | Area | Label


@dataclass(frozen=True)
class Sheet:
    """Items under a title; ``about`` says in words what is drawn."""

    title: str
    about: str
    items: tuple[Item, ...]


def box(corner: Point, width: float, height: float, *, fill: str | None = None) -> Area:
    """Give a rectangle by its lower left corner."""
    x, y = corner
    return Area(((x, y), (x + width, y), (x + width, y + height), (x, y + height)), fill=fill)


def dot(at: Point) -> Symbol:
    """Give the dot of wires that are joined."""
    return Symbol("dot", at, at)


def ground(at: Point, towards: Literal["down", "left", "right"] = "down") -> Symbol:
    """Give a ground that hangs from a point."""
    dx, dy = {"down": (0.0, -1.0), "left": (-1.0, 0.0), "right": (1.0, 0.0)}[towards]
    return Symbol("ground", at, (at[0] + dx, at[1] + dy))


def points(item: Item) -> tuple[Point, ...]:
    """Give points that an item reaches, for its extent; type is as wide as its letters usually are."""
    match item:
        case Wire() | Area():
            return item.points
        case Arc(start=a, end=b):
            middle = (0.5 * (a[0] + b[0]), 0.5 * (a[1] + b[1]))
            length = max(((b[0] - a[0]) ** 2 + (b[1] - a[1]) ** 2) ** 0.5, 1e-9)
            nx, ny = -(b[1] - a[1]) / length, (b[0] - a[0]) / length
            return a, b, (middle[0] + item.height * nx, middle[1] + item.height * ny)
        case Label(at=(x, y)):
            wide, high = _LETTER * item.size * _POINT * len(item.text), 0.6 * item.size * _POINT
            left = x - wide * {"left": 0.0, "center": 0.5, "right": 1.0}[item.align]
            return (left, y - high), (left + wide, y + high)
        case Symbol("opamp", (x, y)):
            return (x, y + 0.625), (x + 2.2, y - 1.875)
        case Symbol("nmos" | "pmos", (x, y), (to, _)):
            return (x, y), (to, y - 1.5)
        case Symbol("ground", (x, y)):
            return (x - 0.4, y), (x + 0.4, y - 0.7)
        case Symbol():
            return item.start, item.end


def extent(items: Iterable[Item]) -> tuple[float, float, float, float]:
    """Give left, bottom, right and top of all that is drawn."""
    reached = [p for item in items for p in points(item)]
    x, y = [p[0] for p in reached], [p[1] for p in reached]
    return min(x), min(y), max(x), max(y)


def moved(items: Iterable[Item], dx: float, dy: float) -> list[Item]:
    """Shift items."""

    def there(p: Point) -> Point:
        return p[0] + dx, p[1] + dy

    shifted: list[Item] = []
    for item in items:
        match item:
            case Wire() | Area():
                shifted.append(replace(item, points=tuple(there(p) for p in item.points)))
            case Arc() | Symbol():
                shifted.append(replace(item, start=there(item.start), end=there(item.end)))
            case Label():
                shifted.append(replace(item, at=there(item.at)))
    return shifted


def side_by_side(groups: Iterable[list[Item]], *, gap: float = 2.0, across: float = 17.5) -> list[Item]:
    """Set groups beside one another, their tops level, in rows of at most ``across`` units."""
    placed: list[Item] = []
    x = y = lowest = 0.0
    for items in groups:
        left, bottom, right, top = extent(items)
        if x > 0.0 and x + right - left > across:
            x, y = 0.0, lowest - gap
        placed += moved(items, x - left, y - top)
        x += right - left + gap
        lowest = min(lowest, y - (top - bottom))
    return placed
