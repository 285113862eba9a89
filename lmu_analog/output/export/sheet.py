r"""Parts laid out on schematic sheets: symbols, wires and labels as data, in steps of 1.27 mm to the right and down.

An op-amp is drawn with what is joined to its inputs, wires and all:

              +--[C]--------+
    x0 --[R]--+--|-\        |
    u  --[R]--+  |  op>-----+-- x1
        GND -----|+/

A fully differential one has the same above and, upside down, below. Everything else stands beside, a net label at
every pin. Equal labels are joined, as on any schematic. What belongs together is a block; blocks are set in rows.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from lmu_analog.circuits.components import GROUND
from lmu_analog.circuits.interface import REFERENCE

Point = tuple[int, int]
Turn = Literal["right", "left", "down"]
_ROW = 8  # from one part to the next below
_STUB = 2  # of wire between a pin and its label
_INPUT_X, _BUS_X, _AMPLIFIER_X, _OUT_X = 22, 32, 46, 58  # columns of an amplifier's cell
_PLUS_BUS_X, _PAIR_BUS_X = 36, 28
_SUPPLIED = 4  # a reach beyond this is that of supply pins
_TEXT = 5  # steps that the texts of a part need above and below its body
_GAP = 4  # between blocks
MARGIN, TITLE = 16, 44  # steps around a sheet, and below for the title block
_PAPERS = {"A4": (233, 165), "A3": (330, 233), "A2": (467, 330), "A1": (662, 467), "A0": (936, 662)}  # steps
PASSIVE = ("resistor", "capacitor", "inductor")


@dataclass(frozen=True)
class Device:
    """A part, or one unit of it, as the layout sees it.

    Attributes
    ----------
    name : str
        Unique: reference designator and unit.
    kind : str
        ``resistor``, ``op-amp``, ...
    nets : tuple of (str, str)
        Net of every pin that carries a signal.
    ends : tuple of (str, Point)
        Where these pins end, as the part stands turned to the right.
    reach : int
        How far it extends up and down, pins of the supply included.
    """

    name: str
    kind: str
    nets: tuple[tuple[str, str], ...]
    ends: tuple[tuple[str, Point], ...]
    reach: int = 2

    @property
    def net(self) -> dict[str, str]:
        """Net of every pin."""
        return dict(self.nets)


@dataclass(frozen=True)
class Part:
    """A part with its centre. Turned left, its left is its right; turned down, its left is above."""

    device: Device
    at: Point
    turn: Turn = "right"

    @property
    def ends(self) -> dict[str, Point]:
        """Where its pins are, by name."""
        return {name: self._there(end) for name, end in self.device.ends}

    def _there(self, end: Point) -> Point:
        x, y = {"right": end, "left": (-end[0], end[1]), "down": (-end[1], end[0])}[self.turn]
        return self.at[0] + x, self.at[1] + y


@dataclass(frozen=True)
class Wire:
    """A straight wire."""

    start: Point
    end: Point


@dataclass(frozen=True)
class Label:
    """The name of the net at a point, and which way it is written; ground and rails have symbols."""

    net: str
    at: Point
    toward: Point = (1, 0)


@dataclass(frozen=True)
class Box:
    """A sheet within a sheet, with its corner above and to the left, its size, and its pins."""

    name: str
    file: str
    at: Point
    size: Point
    ends: tuple[tuple[str, Point], ...]


Item = Part | Wire | Label | Box
Block = tuple[Item, ...]


@dataclass(frozen=True)
class Paper:
    """A size of paper, in steps; the name is empty for one of no standard."""

    name: str
    size: Point

    @property
    def room(self) -> Point:
        """What is left of it within margins and above the title block."""
        return self.size[0] - 2 * MARGIN, self.size[1] - MARGIN - TITLE


PAPERS = tuple(Paper(name, size) for name, size in _PAPERS.items())


def blocks(devices: Sequence[Device]) -> list[Block]:
    """Group parts: every amplifier with the passive parts around it, then what is left, each by itself."""
    rest = list(devices)
    found: list[Block] = []
    for amplifier in [d for d in rest if "minus" in d.net and "op-amp" in d.kind]:
        nets = amplifier.net
        out = nets.get("out", nets.get("out_plus"))
        # All that stands at the output of a follower is at its minus input too, and belongs to what it drives.
        minus = [] if nets["minus"] == out else _joined(rest, nets["minus"])
        plus = [d for d in _joined(rest, nets["plus"]) if d not in minus]
        back = [d for d in minus if out in d.net.values()]
        minus = [d for d in minus if d not in back]
        if "out" in nets:
            found.append(tuple(_cell(amplifier, back, minus, plus)))
        else:
            lower = [d for d in plus if nets["out_minus"] in d.net.values()]
            plus = [d for d in plus if d not in lower]
            found.append(tuple(_differential_cell(amplifier, (back, minus), (lower, plus))))
            back = [*back, *lower]
        used = {d.name for d in (amplifier, *back, *minus, *plus)}
        rest = [d for d in rest if d.name not in used]
    return found + [alone(d) for d in rest]


def _joined(devices: list[Device], net: str) -> list[Device]:
    """Give the passive parts at a net; none at ground, nor at what stands for it with a single supply."""
    return [
        d for d in devices if net not in (GROUND, REFERENCE) and d.kind in PASSIVE and net in d.net.values()
    ]


def _cell(amplifier: Device, back: list[Device], minus: list[Device], plus: list[Device]) -> Iterator[Item]:
    """Draw an op-amp: feedback above, a wire in a follower, inputs to its left, those of the plus input below."""
    nets = amplifier.net
    follows = nets["minus"] == nets["out"]
    above = [0] if follows else [_ROW * k for k in range(len(back))]
    centre = (above[-1] if above else -_ROW) + _clear(amplifier)
    drawn = Part(amplifier, (_AMPLIFIER_X, centre))
    first = drawn.ends["minus"][1]
    places, out = drawn.ends, (_OUT_X, drawn.ends["out"][1])
    rows = [first + _ROW * k for k in range(max(1, len(minus)))]
    lowest = max(rows[-1], places["plus"][1])
    below = [lowest + _ROW * (k + 1) for k in range(len(plus))]
    yield drawn
    yield from _output(places["out"], out, nets["out"], above)
    if follows:
        yield Wire((_BUS_X, 0), (_OUT_X, 0))
    yield from _feedback(back, above[: len(back)], nets["out"], _BUS_X)
    yield from _inputs(minus, rows, nets["minus"], _BUS_X)
    yield from _inputs(plus, below, nets["plus"], _PLUS_BUS_X)
    yield from _bus(_BUS_X, [*above, *rows, places["minus"][1]])
    yield from (Wire((_BUS_X, places["minus"][1]), places["minus"]), Label(nets["minus"], (_BUS_X, first)))
    corner = (_PLUS_BUS_X, places["plus"][1])
    yield from (Wire(corner, places["plus"]), Label(nets["plus"], corner, _down(nets["plus"])))
    yield from _bus(_PLUS_BUS_X, [corner[1], *below])


def _differential_cell(
    amplifier: Device, upper: tuple[list[Device], list[Device]], lower: tuple[list[Device], list[Device]]
) -> Iterator[Item]:
    """Draw a fully differential op-amp: each half with its feedback and inputs, the lower one upside down."""
    nets, drawn = amplifier.net, Part(amplifier, (_AMPLIFIER_X, 0))
    places = drawn.ends
    yield drawn
    for side, pin, end, (back, inputs) in (
        (-1, "minus", "out_plus", upper),
        (1, "plus", "out_minus", lower),
    ):
        rows = [side * (_ROW // 2 + _ROW * k) for k in range(max(1, len(inputs)))]
        beyond = [side * (_clear(amplifier) + _ROW * k) for k in range(len(back))]
        out = (_OUT_X, places[end][1])
        yield from _output(places[end], out, nets[end], beyond)
        yield from _feedback(back, beyond, nets[end], _PAIR_BUS_X)
        yield from _inputs(inputs, rows, nets[pin], _PAIR_BUS_X)
        yield from _bus(_PAIR_BUS_X, [*beyond, *rows, places[pin][1]])
        yield from (
            Wire((_PAIR_BUS_X, places[pin][1]), places[pin]),
            Label(nets[pin], (_PAIR_BUS_X, rows[0])),
        )


def _clear(amplifier: Device) -> int:
    """Say how far from an amplifier's centre its feedback is: between stand the symbols of its supply."""
    return 16 if amplifier.reach > _SUPPLIED else 10


def _down(net: str) -> Point:
    """Say which way the name of a net is written beside a wire: ground hangs below."""
    return (0, 1) if net == GROUND else (1, 0)


def _away(net: str) -> Point:
    """Say the same at a pin without a wire, which has room to its left."""
    return (-1, 0) if net == REFERENCE else _down(net)


def _output(pin: Point, out: Point, net: str, rows: list[int]) -> Iterator[Item]:
    yield from (Wire(pin, out), Wire(out, (out[0] + _STUB, out[1])), Label(net, (out[0] + _STUB, out[1])))
    yield from _bus(out[0], [*rows, out[1]])


def _feedback(devices: list[Device], rows: list[int], net: str, bus: int) -> Iterator[Item]:
    for device, y in zip(devices, rows, strict=True):
        part = _facing(device, (_AMPLIFIER_X, y), net)
        left, right = sorted(part.ends.values())
        yield from (part, Wire((bus, y), left), Wire(right, (_OUT_X, y)))


def _inputs(devices: list[Device], rows: list[int], net: str, bus: int) -> Iterator[Item]:
    for device, y in zip(devices, rows, strict=False):  # without inputs there is a row all the same
        part = _facing(device, (_INPUT_X, y), net)
        left, right = sorted(part.ends.values())
        far = next((n for _, n in device.nets if n != net), net)
        yield from (part, Wire(right, (bus, y)), Wire((left[0] - _STUB, y), left))
        yield Label(far, (left[0] - _STUB, y), toward=(-1, 0))


def _facing(device: Device, at: Point, net: str) -> Part:
    """Turn a part with two ends so that its right one is at a net."""
    return Part(device, at, "right" if device.net["b"] == net else "left")


def _bus(x: int, ys: Iterable[int]) -> Iterator[Wire]:
    """Join points of a column one after the other, so that every wire ends where another begins."""
    yield from (Wire((x, a), (x, b)) for a, b in pairwise(sorted(set(ys))))


def alone(device: Device, turn: Turn = "right") -> Block:
    """Draw a part with a label at every pin."""
    part = Part(device, (0, 0), turn)
    items: list[Item] = [part]
    for name, net in device.nets:
        x, y = part.ends[name]
        sideways = device.kind == "connector" or abs(x) >= abs(y)
        toward = (1 if x > 0 else -1, 0) if sideways else (0, 1 if y > 0 else -1)
        end = (x + _STUB * toward[0], y + _STUB * toward[1])
        items += [Wire((x, y), end), Label(net, end, toward)]
    return tuple(items)


def tied(device: Device) -> Block:
    """Draw a spare op-amp as a follower, a wire from its output to its minus input."""
    part = Part(device, (0, 0))
    ends, nets = part.ends, device.net
    out, minus, plus = ends["out"], ends["minus"], ends["plus"]
    corners = ((out[0] + 2, out[1]), (out[0] + 2, -_ROW), (minus[0] - 2, -_ROW), (minus[0] - 2, minus[1]))
    path = (out, *corners, minus)
    wires = [Wire(a, b) for a, b in pairwise(path)]
    return (part, *wires, Label(nets["out"], corners[0]), Label(nets["plus"], plus, _away(nets["plus"])))


def beside(*drawn: Block) -> Block:
    """Set blocks side by side as one."""
    items: list[Item] = []
    x = 0
    for block in drawn:
        left, top, right, _ = bounds(block)
        items += [moved(item, (x - left, -top)) for item in block]
        x += right - left + _GAP
    return tuple(items)


def junctions(items: Iterable[Item]) -> tuple[Point, ...]:
    """Give the points where three or more ends of wires meet."""
    ends = Counter(end for w in items if isinstance(w, Wire) for end in (w.start, w.end))
    return tuple(point for point, count in ends.items() if count > 2)


def bounds(items: Iterable[Item]) -> tuple[int, int, int, int]:
    """Give the least and the largest x and y, texts included: left, top, right, bottom."""
    boxes = [_extent(item) for item in items]
    return (
        min(b[0] for b in boxes),
        min(b[1] for b in boxes),
        max(b[2] for b in boxes),
        max(b[3] for b in boxes),
    )


def _extent(item: Item) -> tuple[int, int, int, int]:
    if isinstance(item, Wire):
        (x, y), (u, v) = item.start, item.end
        return min(x, u), min(y, v), max(x, u), max(y, v)
    x, y = item.at
    if isinstance(item, Label):
        if item.toward[0] == 0:
            return x - 3, y - 5, x + 3, y + 5
        reach = len(item.net) + 2
        return (
            x - reach if item.toward[0] < 0 else x - 2,
            y - 3,
            x + 2 if item.toward[0] < 0 else x + reach,
            y + 4,
        )
    if isinstance(item, Box):
        return x, y - 3, x + max(item.size[0], len(item.file) + 5), y + item.size[1] + 3
    xs, ys = zip(*(end for end in item.ends.values()), strict=True) if item.device.ends else ((x,), (y,))
    if item.turn == "down":  # texts stand to the right
        return min(*xs, x) - 2, min(*ys, y), max(*xs, x) + 10, max(*ys, y)
    reach = item.device.reach + _TEXT
    right = max(*xs, x) + (12 if item.device.kind in ("point", "supply unit") else 2)
    return min(*xs, x) - 2, min(*ys, y - reach), right, max(*ys, y + reach)


def moved(item: Item, by: Point) -> Item:
    """Move an item."""

    def there(point: Point) -> Point:
        return point[0] + by[0], point[1] + by[1]

    if isinstance(item, Wire):
        return Wire(there(item.start), there(item.end))
    if isinstance(item, Box):
        return replace(item, at=there(item.at), ends=tuple((net, there(end)) for net, end in item.ends))
    return replace(item, at=there(item.at))


def set_on(paper: Paper, drawn: Sequence[Block]) -> list[Block]:
    """Set blocks side by side, below where a row ends, and on the next sheet where the paper does."""
    sheets: list[list[Item]] = [[]]
    wide, high = paper.room
    x = y = tallest = 0
    for block in drawn:
        left, top, right, bottom = bounds(block)
        width, height = right - left, bottom - top
        if x and x + width > wide:
            x, y, tallest = 0, y + tallest + _GAP, 0
        if sheets[-1] and y + height > high:
            sheets.append([])
            x = y = tallest = 0
        by = (MARGIN + x - left, MARGIN + y - top)
        sheets[-1] += [moved(item, by) for item in block]
        x, tallest = x + width + _GAP, max(tallest, height)
    return [tuple(items) for items in sheets]


def on_one(drawn: Sequence[Block]) -> tuple[Paper, Block]:
    """Set blocks on one sheet, of the smallest paper that they fit on."""
    for paper in PAPERS:
        sheets = set_on(paper, drawn)
        if len(sheets) == 1 and fits(paper, drawn):
            return paper, sheets[0]
    widest = max(PAPERS[-1].size[0], *(bounds(b)[2] - bounds(b)[0] + 2 * MARGIN for b in drawn))
    (items,) = set_on(Paper("", (widest, 10**9)), drawn)
    return Paper("", (widest, bounds(items)[3] + TITLE)), items


def fits(paper: Paper, drawn: Iterable[Block]) -> bool:
    """Tell whether no block is larger than a sheet."""
    sizes = ((right - left, bottom - top) for left, top, right, bottom in map(bounds, drawn))
    return all(width <= paper.room[0] and height <= paper.room[1] for width, height in sizes)


def on_many(drawn: Sequence[Block]) -> tuple[Paper, list[Block]]:
    """Set blocks on sheets of one size: A3, or the smallest larger one that every block fits on."""
    for paper in PAPERS[1:]:
        if fits(paper, drawn):
            return paper, set_on(paper, drawn)
    paper, items = on_one(drawn)
    return paper, [items]
