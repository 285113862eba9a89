r"""A circuit laid out on a schematic sheet: symbols, wires and labels as data, in steps of 1.27 mm.

An op-amp with one output is drawn with what is joined to its inputs, wires and all:

              +--[C]--------+
    x0 --[R]--+--|-\        |
    u  --[R]--+  |  op>-----+-- x1
        GND -----|+/

Everything else stands beside, a net label at every pin. Equal labels are joined, as on any schematic.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import GROUND, Capacitor, Inductor, OpAmp, Resistor
from lmu_analog.output.export.board import Placed, board

Point = tuple[int, int]
_ROW = 8  # from one part to the next below
_STUB = 2  # of wire between a pin and its label
INPUT_X, BUS_X, AMPLIFIER_X, OUT_X, WIDTH = 22, 32, 46, 58, 76  # columns of an amplifier's cell
_PLUS_BUS_X = 36
_LOOSE = (32, 16)  # cell of a part that stands alone
ACROSS = 304  # width of the sheet, four amplifiers
MARGIN, TITLE = 24, 40  # steps around it all, and for the title block below

# Where the pins are, to the right and down, and which way they point.
_TWO_ENDS = {"a": (-4, 0), "b": (4, 0)}
_AMPLIFIER = {"minus": (-6, -2), "plus": (-6, 2), "out": (6, 0)}
SHAPES: dict[str, dict[str, Point]] = {
    "resistor": _TWO_ENDS,
    "capacitor": _TWO_ENDS,
    "inductor": _TWO_ENDS,
    "voltage source": _TWO_ENDS,
    "current source": _TWO_ENDS,
    "ammeter": _TWO_ENDS,
    "switch": {**_TWO_ENDS, "clock": (0, 4)},
    "op-amp": _AMPLIFIER,
    "ideal amplifier": _AMPLIFIER,
    "transconductor": _AMPLIFIER,
    "differential op-amp": {"minus": (-6, -2), "plus": (-6, 2), "out_plus": (6, -2), "out_minus": (6, 2)},
    "transistor": {"drain": (2, -4), "gate": (-4, 0), "source": (2, 4), "bulk": (6, 0)},
}


@dataclass(frozen=True)
class Part:
    """A part with its centre; turned, its left is its right."""

    placed: Placed
    at: Point
    turned: bool = False

    @property
    def ends(self) -> dict[str, Point]:
        """Where its pins are, by name."""
        side = -1 if self.turned else 1
        return {
            name: (self.at[0] + side * dx, self.at[1] + dy)
            for name, (dx, dy) in SHAPES[self.placed.kind].items()
        }


@dataclass(frozen=True)
class Wire:
    """A straight wire."""

    start: Point
    end: Point


@dataclass(frozen=True)
class Label:
    """The name of the net at a point; "0" is drawn as ground."""

    net: str
    at: Point
    leftward: bool = False


Item = Part | Wire | Label


def sheet(circuit: Circuit) -> tuple[Item, ...]:
    """Lay a circuit out: first the amplifiers with their parts, then what is left."""
    rest = list(board(circuit))
    blocks: list[tuple[Item, ...]] = []
    for amplifier in [p for p in rest if isinstance(p.component, OpAmp)]:
        block = tuple(_cell(amplifier, rest))
        blocks.append(block)
        drawn = [item.placed for item in block if isinstance(item, Part)]
        rest = [p for p in rest if p not in drawn]
    blocks += [tuple(_alone(p)) for p in rest]
    return tuple(_arranged(blocks))


def junctions(items: Iterable[Item]) -> tuple[Point, ...]:
    """Give the points where three or more ends of wires meet."""
    ends = Counter(end for w in items if isinstance(w, Wire) for end in (w.start, w.end))
    return tuple(point for point, count in ends.items() if count > 2)


def size(items: Iterable[Item]) -> Point:
    """Give width and height of the sheet, room for the title block included."""
    points = [item.end if isinstance(item, Wire) else item.at for item in items]
    return max(x for x, _ in points) + MARGIN, max(y for _, y in points) + TITLE


def _joined(parts: list[Placed], net: str) -> list[Placed]:
    """Give the passive parts at a net; none at ground."""
    if net == GROUND:
        return []
    passive = [p for p in parts if isinstance(p.component, Resistor | Capacitor | Inductor)]
    return [p for p in passive if net in dict(p.pins).values()]


def _cell(amplifier: Placed, parts: list[Placed]) -> Iterator[Item]:
    """Draw an op-amp with the parts around it: feedback above, inputs to its left, those of the plus input below."""
    nets = dict(amplifier.pins)
    at_minus = _joined(parts, nets["minus"])
    feedback = [p for p in at_minus if nets["out"] in dict(p.pins).values()]
    minus = [p for p in at_minus if p not in feedback]
    plus = [p for p in _joined(parts, nets["plus"]) if p not in at_minus]
    first = _ROW * (len(feedback) + 1)
    drawn = Part(amplifier, (AMPLIFIER_X, first + 2))
    ends, out = drawn.ends, (OUT_X, first + 2)
    yield drawn
    yield from (Wire(ends["out"], out), Wire(out, (OUT_X + _STUB, out[1])))
    yield Label(nets["out"], (OUT_X + _STUB, out[1]))
    rows = [first + _ROW * k for k in range(max(1, len(minus)))]
    above = [_ROW * (k + 1) for k in range(len(feedback))]
    below = [rows[-1] + _ROW * (k + 1) for k in range(len(plus))]
    for placed, y in zip(feedback, above, strict=True):
        part = _facing(placed, (AMPLIFIER_X, y), nets["out"])
        left, right = sorted(part.ends.values())
        yield from (part, Wire((BUS_X, y), left), Wire(right, (OUT_X, y)))
    yield from _chain([*((OUT_X, y) for y in above), out])
    inputs = ((BUS_X, nets["minus"], minus, rows), (_PLUS_BUS_X, nets["plus"], plus, below))
    for bus, net, joined, ys in inputs:
        for placed, y in zip(joined, ys, strict=False):  # without inputs there is a row all the same
            yield from _input(_facing(placed, (INPUT_X, y), net), net, bus)
    yield from _chain([(BUS_X, y) for y in [*above, *rows]])
    yield from (Wire((BUS_X, first), ends["minus"]), Label(nets["minus"], (BUS_X, first)))
    corner = (_PLUS_BUS_X, ends["plus"][1])
    yield from (Wire(corner, ends["plus"]), Label(nets["plus"], corner))
    yield from _chain([corner, *((_PLUS_BUS_X, y) for y in below)])


def _facing(placed: Placed, at: Point, net: str) -> Part:
    """Turn a part with two ends so that its right one is at a net."""
    return Part(placed, at, turned=dict(placed.pins)["b"] != net)


def _input(part: Part, net: str, bus: int) -> Iterator[Item]:
    left, right = sorted(part.ends.values())
    far = next((n for _, n in part.placed.pins if n != net), net)
    yield from (part, Wire(right, (bus, right[1])), Wire((left[0] - _STUB, left[1]), left))
    yield Label(far, (left[0] - _STUB, left[1]), leftward=True)


def _chain(points: Iterable[Point]) -> Iterator[Wire]:
    """Join points one after the other, so that every wire ends where another begins."""
    ordered = list(points)
    yield from (Wire(a, b) for a, b in pairwise(ordered))


def _alone(placed: Placed) -> Iterator[Item]:
    """Draw a part with a label at every pin."""
    part = Part(placed, (_LOOSE[0] // 2, _LOOSE[1] // 2))
    yield part
    for name, net in placed.pins:
        x, y = part.ends[name]
        dx, dy = SHAPES[placed.kind][name]
        sideways = abs(dx) >= abs(dy)
        step = _STUB if (dx if sideways else dy) > 0 else -_STUB
        end = (x + step, y) if sideways else (x, y + step)
        yield from (Wire((x, y), end), Label(net, end, leftward=sideways and step < 0))


def _arranged(blocks: list[tuple[Item, ...]]) -> Iterator[Item]:
    """Set blocks side by side, and below where the sheet ends."""
    x, y, tallest = MARGIN, MARGIN, 0
    for block in blocks:
        parts = [item.placed.component for item in block if isinstance(item, Part)]
        wide = WIDTH if any(isinstance(part, OpAmp) for part in parts) else _LOOSE[0]
        high = max(_LOOSE[1], size(block)[1] - TITLE + _ROW)
        if x + wide > MARGIN + ACROSS:
            x, y, tallest = MARGIN, y + tallest, 0
        yield from (_moved(item, (x, y)) for item in block)
        x, tallest = x + wide, max(tallest, high)


def _moved(item: Item, by: Point) -> Item:
    def there(point: Point) -> Point:
        return point[0] + by[0], point[1] + by[1]

    if isinstance(item, Wire):
        return Wire(there(item.start), there(item.end))
    return replace(item, at=there(item.at))
