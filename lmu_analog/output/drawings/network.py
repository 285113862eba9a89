"""The network on one sheet: blocks and arrows where links are few, a crossbar or a map of sizes where many."""

from __future__ import annotations

from collections import Counter

import numpy as np

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.output.drawings.links import Link, Network, network
from lmu_analog.output.drawings.sheet import Area, Item, Label, Sheet, Wire, box, dot
from lmu_analog.output.style import BLUE, VERMILLION

_SPARSE = 5.0  # links a block: up to here arrows can be followed
_SHARED = 4  # links of one block on the same side, above which they share a rail
_MOST_VALUES = 8  # states of a crossbar with values; larger ones show sizes
_DECADES = 3.0  # of sizes that squares tell apart
WIDE, TAP, HIGH = 4.4, 0.95, 1.0  # a block's width, the pitch of its inputs, its height beside them
TRACK, FIRST = 0.6, 7.6  # pitch of the vertical wires, and how far the first is from the blocks
_COLOUR = {1: BLUE, -1: VERMILLION}
_MARK = {1: "+", -1: "−"}


def network_sheet(circuit: Circuit) -> Sheet:
    """Draw what drives what: a block diagram, a crossbar with values, or a map of sizes and signs."""
    drawn = network(circuit)
    about = f"Network of the {circuit.family} circuit, {circuit.realization}, order {circuit.order}: "
    if len(drawn.links) <= _SPARSE * len(drawn.blocks):
        about += "integrators and sums as blocks, coefficients as arrows with sign and value."
        return Sheet("Block diagram", about, tuple(_block_diagram(drawn)))
    scale = "" if drawn.physical else " (coefficients times θ)"
    if len(drawn.blocks) <= _MOST_VALUES:
        about += "a crossbar of coefficients; columns drive, rows receive."
        return Sheet(f"Crossbar{scale}: columns drive rows", about, tuple(crossbar(drawn)))
    about += "sizes of the coefficients as squares, logarithmic over three decades; hollow where negative."
    return Sheet(f"Coefficients{scale}: columns drive rows", about, tuple(_size_map(drawn)))


def _block_diagram(drawn: Network) -> list[Item]:
    """Draw blocks in a column; signals run in tracks beside it, allotted from the left (channel routing)."""
    ports: dict[Link, float] = {}
    rails = _collected(drawn)
    tops: dict[str, float] = {drawn.source: 0.0}
    items: list[Item] = [Label((0.0, 0.0), drawn.source, align="right", bold=True)]
    y = -1.4
    for block in drawn.blocks:
        inputs = [link for link in drawn.links if link.target == block.name]
        if block.name in rails:
            inputs = inputs[:1]  # one port, which the rail leads into
        height = max(1.6, HIGH + TAP * len(inputs))
        symbol = {"integrator": "∫", "filter": "1/(1+sτ)", "sum": "Σ"}[block.kind]
        items += [
            box((-WIDE, y - height), WIDE, height),
            Label((-WIDE + 0.3, y - 0.5), block.name, bold=True, size=9.0),
            Label((-0.3, y - 0.5), symbol, align="right", size=9.0 if block.kind == "filter" else 11.0),
            *([Label((-WIDE + 0.3, y - 1.15), block.text, size=7.5)] if block.text else []),
        ]
        tops[block.name] = y - 0.5
        for k, link in enumerate(inputs):
            ports[link] = y - HIGH - TAP * (k + 0.3)
        y -= height + 0.7
    return [*items, *_route(drawn, rails, tops=tops, ports=ports)]


def _collected(drawn: Network) -> set[str]:
    """Name the blocks with so many inputs that these share one rail; no block feeds two rails."""
    count = Counter(link.target for link in drawn.links)
    chosen: set[str] = set()
    feeding: set[str] = set()
    for name, n in count.most_common():
        sources = {link.source for link in drawn.links if link.target == name}
        if n > _SHARED and not sources & feeding:
            chosen.add(name)
            feeding |= sources
    return chosen


def _route(
    drawn: Network, rails: set[str], *, tops: dict[str, float], ports: dict[Link, float]
) -> list[Item]:
    """Give every signal, and every shared rail, a track that is free over its whole height, and wire it.

    A signal goes from a block's output to its track, and from there into every port that it feeds. A rail collects
    what goes into one block; every signal joins it with its coefficient.
    """
    names = (drawn.source, *(b.name for b in drawn.blocks))
    feeds = {name: [k for k in drawn.links if k.source == name and k.target not in rails] for name in names}
    joins = {name: [k for k in drawn.links if k.target == name] for name in rails}
    spans: dict[tuple[str, str], list[float]] = {}
    for name, links in feeds.items():
        if links:
            spans["from", name] = [tops[name], *(ports[link] for link in links)]
    for name, links in joins.items():
        spans["into", name] = [ports[links[0]], *(tops[link.source] for link in links)]
    tracks = _tracks(spans)
    starts = {drawn.source: 0.3}  # behind the name of the input; others begin at their block
    items: list[Item] = []
    for (way, name), at in spans.items():
        x = FIRST + TRACK * tracks[way, name]
        items.append(Wire(((x, max(at)), (x, min(at)))))
        y = at[0]
        if way == "from":
            items += [Wire(((starts.get(name, 0.0), y), (x, y))), dot((x, y))]
            for link in feeds[name]:
                y = ports[link]
                items += [Wire(((x, y), (0.0, y)), arrow=True), dot((x, y)), *_said(link, y)]
        else:
            items += [
                Wire(((x, y), (0.0, y)), arrow=True),
                Label((0.6, y + 0.36), "sum of the rail", size=7.0),
            ]
            for link in joins[name]:
                y = tops[link.source]
                items += [Wire(((starts.get(link.source, 0.0), y), (x, y)), arrow=True), *_said(link, y)]
    return items


def _tracks(spans: dict[tuple[str, str], list[float]]) -> dict[tuple[str, str], int]:
    """Left-edge algorithm: short signals first, each in the first track where nothing is in its way."""
    taken: list[list[tuple[float, float]]] = []
    tracks: dict[tuple[str, str], int] = {}
    for key in sorted(spans, key=lambda k: (max(spans[k]) - min(spans[k]), -max(spans[k]))):
        low, high = min(spans[key]) - 0.3, max(spans[key]) + 0.3
        for track in range(len(taken) + 1):
            if track == len(taken):
                taken.append([])
            if all(high < a or low > b for a, b in taken[track]):
                taken[track].append((low, high))
                tracks[key] = track
                break
    return tracks


def _said(link: Link, y: float) -> list[Item]:
    """Write sign, name and value above the wire of a coefficient."""
    return [
        Label(
            (0.75, y + 0.36), _MARK[link.sign], align="center", size=8.0, bold=True, colour=_COLOUR[link.sign]
        ),
        Label((1.15, y + 0.36), f"{link.name}  {link.text}".strip(), size=7.0),
    ]


def _driving(drawn: Network) -> list[str]:
    """Name what drives something, the input first: a tap, for one, drives nothing and needs no column."""
    driving = {link.source for link in drawn.links}
    return [name for name in (drawn.source, *(b.name for b in drawn.blocks)) if name in driving]


def crossbar(drawn: Network) -> list[Item]:
    """Draw a column for every signal, a row for every block, and each coefficient where they cross."""
    names = _driving(drawn)
    rows = [b.name for b in drawn.blocks]
    pitch, high = 3.7, 1.7
    across, down = pitch * len(names), -high * len(drawn.blocks)
    items: list[Item] = []
    for j, name in enumerate(names):
        x = pitch * (j + 0.5)
        items += [Wire(((x, 0.2), (x, down + 0.5))), Label((x, 0.7), name, align="center", bold=True)]
    for i, block in enumerate(drawn.blocks):
        y = -high * (i + 0.5)
        items.append(Wire(((0.4, y), (across + 1.6, y)), arrow=True))
        items += [box((across + 1.6, y - 0.65), 4.4, 1.3), Label((across + 1.9, y), block.name, bold=True)]
        items.append(Label((across + 5.7, y), block.text, align="right", size=7.0))
    for link in drawn.links:
        x, y = pitch * (names.index(link.source) + 0.5), -high * (rows.index(link.target) + 0.5)
        said = link.text if link.text[:1] in "+−" else f"{_MARK[link.sign]}{link.text}"
        items += [_square(x, y, 0.22, sign=link.sign), Label((x + 0.3, y + 0.5), said, size=7.0)]
    return [*items, *_key(down - 0.9)]


def _square(x: float, y: float, half: float, *, sign: int, width: float = 1.2) -> Area:
    """Draw a square around a point, hollow where negative."""
    colour = _COLOUR[sign]
    corners = ((x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half))
    return Area(corners, colour=colour, fill=colour if sign > 0 else None, width=width)


def _size_map(drawn: Network) -> list[Item]:
    """Draw a square for every coefficient: its side is the logarithm of its size, hollow where negative."""
    names = _driving(drawn)
    row = {b.name: i for i, b in enumerate(drawn.blocks)}
    every = 1 if len(names) <= 32 else 4
    items: list[Item] = [
        Label((j, 1.0), n, align="center", size=7.0) for j, n in enumerate(names) if j % every == 0
    ]
    items += [Label((-1.0, -i), n, align="right", size=7.0) for n, i in row.items() if i % every == 0]
    largest = max(link.weight for link in drawn.links)
    for link in drawn.links:
        size = 1.0 + np.log10(link.weight / largest) / _DECADES
        s = float(0.45 * max(0.12, size))
        x, y = names.index(link.source), -row[link.target]
        items.append(_square(x, y, s, sign=link.sign, width=0.7))
    return [*items, *_key(-len(row) - 0.8)]


def _key(y: float) -> list[Item]:
    items: list[Item] = []
    for x, sign, word in ((0.0, 1, "positive"), (5.0, -1, "negative")):
        items += [_square(x + 0.22, y, 0.22, sign=sign), Label((x + 0.8, y), word, size=7.5)]
    return items
