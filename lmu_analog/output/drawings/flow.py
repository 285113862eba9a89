"""The signal flow: a graph of few gains, states on a line by their distance from the input; of many, their matrix."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
import numpy as np

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.nodal.flow import signal_flow
from lmu_analog.output.drawings.parts import with_ideal_amplifiers
from lmu_analog.output.drawings.sheet import Arc, Area, Item, Label, Sheet, Wire, box
from lmu_analog.output.style import BLUE, VERMILLION

_MOST_ARCS = 40  # that an eye follows; more gains are the matrix that they are
_RADIUS = 0.75
_PITCH = 2.9  # of the graph's nodes
_DECADES = 2.0  # of gains that the strength of a line tells apart
_MOST_VALUES = 12  # states of a matrix with a number in every cell
_WIDE, _HIGH = 1.5, 1.05  # units: such a cell
_ACROSS = 15.0  # units: a matrix without numbers
_LARGEST, _SMALLEST = 0.8, 0.28  # units: its cells
_SHADES = 3.0  # decades of gains that the shade of a cell tells apart
_DARKEST = 0.6  # opacity of the largest: a number on it stays readable


def flow_sheet(circuit: Circuit) -> Sheet:
    """Draw x' = A x + B u, or the sampled equivalent: as a graph (Mason, Proc. IRE 41, 1953), or as a matrix.

    Op-amps are ideal.
    """
    graph = signal_flow(with_ideal_amplifiers(circuit))
    sampled = circuit.clock is not None
    named = "gain a sample" if sampled else "gain times θ"
    unit = 1.0 if sampled else circuit.theta
    of = f"of the {circuit.family} circuit, {circuit.realization}, order {circuit.order}"
    count = graph.number_of_edges()
    if count <= _MOST_ARCS:
        about = (
            f"Signal-flow graph {of}: {graph.number_of_nodes()} nodes from left to right by their distance from the "
            f"input, {count} arcs; forward above, backward below, dashed where negative."
        )
        return Sheet(f"Signal-flow graph: {named}", about, tuple(_graph(graph, unit)))
    names, gains = matrix(graph)
    about = (
        f"Signal-flow matrix {of}: what every column drives every row with, {count} of {gains.size} gains; "
        f"the darker a cell, the larger, over {_SHADES:g} decades; blue where positive, orange "
        f"{'' if len(names) <= _MOST_VALUES else 'and struck through '}where negative, empty where there is none."
    )
    return Sheet(f"Signal-flow matrix: {named}", about, tuple(_cells(names, unit * gains, graph)))


def layers(graph: nx.DiGraph[str]) -> list[str]:
    """Give the nodes by their distance from the input, the nearest first; states as numbered within."""
    source = _source(graph)
    distance = nx.single_source_shortest_path_length(graph, source)
    far = len(graph)
    return [source, *sorted(_states(graph), key=lambda name: (distance.get(name, far), int(name[1:])))]


def matrix(graph: nx.DiGraph[str]) -> tuple[list[str], np.ndarray]:
    """Give the names of the states as numbered, and (B, A): (n, 1 + n), what input and states drive them with, 1/s."""
    names = sorted(_states(graph), key=lambda name: int(name[1:]))
    columns = [_source(graph), *names]
    gains = np.zeros((len(names), len(columns)))
    for a, b, data in graph.edges(data=True):
        gains[names.index(b), columns.index(a)] = data["gain"]
    return names, gains


def _source(graph: nx.DiGraph[str]) -> str:
    return next(name for name, data in graph.nodes(data=True) if data["kind"] == "input")


def _states(graph: nx.DiGraph[str]) -> list[str]:
    return [name for name, data in graph.nodes(data=True) if data["kind"] == "state"]


def _cells(names: list[str], gains: np.ndarray, graph: nx.DiGraph[str]) -> list[Item]:
    """Draw a matrix as a table of shaded cells, with numbers where there is room for them."""
    told = len(names) <= _MOST_VALUES
    side = float(np.clip(_ACROSS / gains.shape[1], _SMALLEST, _LARGEST))
    wide, high = (_WIDE, _HIGH) if told else (side, side)
    every = 1 if told else int(np.ceil(0.9 / side))  # of the names: they must not touch
    gap = 0.3 * wide  # between the input and the states
    edges = [0.0, wide, *(wide + gap + wide * k for k in range(len(names) + 1))]
    lefts = [edges[0], *edges[2:-1]]
    bottom = -high * len(names)
    items: list[Item] = []
    largest = float(np.abs(gains).max())
    for i, j in np.argwhere(gains):
        items += _cell(
            (lefts[j], -high * (i + 1)), (wide, high), float(gains[i, j]), largest=largest, told=told
        )
    rules = [((x, 0.0), (x, bottom)) for x in edges]
    for k in range(len(names) + 1):
        y = -high * k
        rules += [((edges[0], y), (edges[1], y)), ((edges[2], y), (edges[-1], y))]
    items += [Wire(ends, width=0.4, alpha=0.35) for ends in rules]
    size = 8.0 if told else 7.0
    items.append(Label((lefts[0] + 0.5 * wide, 0.55), _source(graph), align="center", size=size, bold=True))
    for k, name in enumerate(names):
        if k % every == 0:
            x, y = lefts[k + 1] + 0.5 * wide, -high * (k + 0.5)
            items.append(Label((x, 0.55), name, align="center", size=size))
            items.append(Label((-0.25, y), name, align="right", size=size))
    return [*items, *_scale(largest, bottom - 2.2, told=told)]


def _cell(
    corner: tuple[float, float], size: tuple[float, float], gain: float, *, largest: float, told: bool
) -> list[Item]:
    """Shade a cell by its gain and write the number into it; without one a stroke marks what is negative."""
    (x, y), (wide, high) = corner, size
    shade = float(np.clip(1.0 + np.log10(abs(gain) / largest) / _SHADES, 0.1, 1.0))
    colour = BLUE if gain > 0.0 else VERMILLION
    ground = replace(box(corner, wide, high, fill=colour), colour=colour, width=0.0, alpha=_DARKEST * shade)
    if told:
        return [ground, Label((x + 0.5 * wide, y + 0.5 * high), short(gain), align="center", size=7.0)]
    stroke = Wire(((x, y), (x + wide, y + high)), width=0.6, alpha=0.7)
    return [ground] if gain > 0.0 else [ground, stroke]


def short(gain: float) -> str:
    """Write a gain with two or three digits in at most four letters and its sign: 285, 12.3, 0.46, 3e-4."""
    size = abs(gain)
    if 0.0095 <= size < 9999.5:
        text = f"{size:.2f}" if size < 9.995 else f"{size:.1f}" if size < 99.95 else f"{size:.0f}"
    else:
        digit, _, power = f"{size:.0e}".partition("e")
        text = f"{digit}e{int(power)}"
    return f"−{text}" if gain < 0.0 else text


def _scale(largest: float, y: float, *, told: bool) -> list[Item]:
    """Draw what the shades mean: cells of the largest gain and of tenths of it, of both signs, and an empty one."""
    steps = [largest * 10.0**-k for k in range(int(_SHADES))]
    shown = [*(-gain for gain in steps), 0.0, *reversed(steps)]
    wide, high = 1.9, 0.8
    items: list[Item] = []
    for k, gain in enumerate(shown):
        corner = (wide * k, y)
        if gain:
            drawn = _cell(corner, (wide, high), gain, largest=largest, told=False)
            items += [item for item in drawn if not (told and isinstance(item, Wire))]
        items.append(replace(box(corner, wide, high), width=0.4, alpha=0.5))
        text = short(gain) if gain else "none"
        items.append(Label((wide * (k + 0.5), y - 0.55), text, align="center", size=7.0))
    return items


def _graph(graph: nx.DiGraph[str], unit: float) -> list[Item]:
    names = layers(graph)
    place = {name: k for k, name in enumerate(names)}
    edges = [(place[a], place[b], unit * data["gain"]) for a, b, data in graph.edges(data=True)]
    largest = max(abs(gain) for *_, gain in edges)
    items: list[Item] = []
    for a, b, gain in edges:
        strength = float(np.clip(1.0 + np.log10(abs(gain) / largest) / _DECADES, 0.12, 1.0))
        items += _edge((_PITCH * a, _PITCH * b), 1.15 * abs(b - a), gain, strength=strength)
    for k, name in enumerate(names):
        turn = np.linspace(0.0, 2.0 * np.pi, 33)[:-1]
        ring = tuple((_PITCH * k + _RADIUS * float(np.cos(t)), _RADIUS * float(np.sin(t))) for t in turn)
        items += [Area(ring, width=1.2), Label((_PITCH * k, 0.0), name, align="center", size=8.0)]
    return items


def _edge(ends: tuple[float, float], height: float, gain: float, *, strength: float) -> list[Item]:
    """Draw one gain as an arc; its apex is its own, for no two arcs share both middle and span."""
    a, b = ends
    style = Arc(ends, ends, 0.0, BLUE if gain > 0.0 else VERMILLION, 0.5 + 1.3 * strength, gain < 0.0)
    said = f"{gain:.3g}".replace("-", "−")
    if a == b:
        loop = replace(style, start=(a - 0.45, -0.6), end=(a + 0.45, -0.6), height=-1.0)
        return [loop, Label((a, -1.95), said, align="center", size=7.0)]
    side = 1.0 if b > a else -1.0
    rise = height + (0.9 if side < 0.0 else 0.0)  # below the loops
    start, end = (a + side * 0.5, side * 0.56), (b - side * 0.5, side * 0.56)
    arc = replace(style, start=start, end=end, height=rise)
    # Between neighbours within the arc: above it, wider arcs pass.
    level = 0.56 + rise + (-0.75 if abs(b - a) < 1.5 * _PITCH else 0.32)
    return [arc, Label((0.5 * (a + b), side * level), said, align="center", size=7.0)]
