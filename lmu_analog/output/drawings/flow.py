"""The signal-flow graph: states on a line by their distance from the input, gains as arcs."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
import numpy as np

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import Amplifier
from lmu_analog.circuits.devices.models import IDEAL
from lmu_analog.circuits.nodal.flow import signal_flow
from lmu_analog.output.drawings.sheet import Arc, Area, Item, Label, Sheet
from lmu_analog.output.style import BLUE, VERMILLION

_MOST_GAINS = 60  # arcs that show their gain; of more, their strength alone is shown
_RADIUS = 0.75
_DECADES = 2.0  # of gains that the strength of a line tells apart


def flow_sheet(circuit: Circuit) -> Sheet:
    """Draw x' = A x + B u, or the sampled equivalent, as a graph (Mason, Proc. IRE 41, 1953); op-amps are ideal."""
    # Fast poles of real op-amps are no part of the picture.
    parts = [replace(c, model=IDEAL) if isinstance(c, Amplifier) else c for c in circuit.components]
    graph = signal_flow(replace(circuit, components=tuple(parts)))
    sampled = circuit.clock is not None
    unit = "gain a sample" if sampled else "gain times θ"
    title = f"Signal flow: {unit}; forward above, backward below, dashed where negative"
    about = (
        f"Signal-flow graph of the {circuit.family} circuit, {circuit.realization}, order {circuit.order}: "
        f"{graph.number_of_nodes()} nodes from left to right by their distance from the input, "
        f"{graph.number_of_edges()} arcs."
    )
    return Sheet(title, about, tuple(_items(graph, 1.0 if sampled else circuit.theta)))


def layers(graph: nx.DiGraph[str]) -> list[str]:
    """Give the nodes by their distance from the input, the nearest first; states as numbered within."""
    source = next(name for name, data in graph.nodes(data=True) if data["kind"] == "input")
    distance = nx.single_source_shortest_path_length(graph, source)
    states = [name for name in graph if name != source]
    far = len(graph)
    return [source, *sorted(states, key=lambda name: (distance.get(name, far), int(name[1:])))]


def _items(graph: nx.DiGraph[str], unit: float) -> list[Item]:
    names = layers(graph)
    place = {name: k for k, name in enumerate(names)}
    edges = [(place[a], place[b], unit * data["gain"]) for a, b, data in graph.edges(data=True)]
    told = len(edges) <= _MOST_GAINS
    pitch = 4.4 if told else 2.2
    if told and len(names) > 12:  # a chain: what is told of neighbours needs little room
        pitch = 2.7
    step = 1.15 if told else 0.55
    largest = max(abs(gain) for *_, gain in edges)
    items: list[Item] = []
    for a, b, gain in edges:
        strength = float(np.clip(1.0 + np.log10(abs(gain) / largest) / _DECADES, 0.12, 1.0))
        items += _edge((pitch * a, pitch * b), abs(b - a) * step, gain, strength=strength, told=told)
    for k, name in enumerate(names):
        turn = np.linspace(0.0, 2.0 * np.pi, 33)[:-1]
        ring = tuple((pitch * k + _RADIUS * float(np.cos(t)), _RADIUS * float(np.sin(t))) for t in turn)
        items += [Area(ring, width=1.2), Label((pitch * k, 0.0), name, align="center", size=8.0)]
    return items


def _edge(
    ends: tuple[float, float], height: float, gain: float, *, strength: float, told: bool
) -> list[Item]:
    """Draw one gain as an arc; its apex is its own, for no two arcs share both middle and span."""
    a, b = ends
    width = 0.5 + 1.3 * strength if told else 0.3 + 0.6 * strength
    alpha = 1.0 if told else max(0.15, strength)
    style = Arc(ends, ends, 0.0, BLUE if gain > 0.0 else VERMILLION, width, gain < 0.0, alpha)
    said = f"{gain:.3g}".replace("-", "−")
    if a == b:
        loop = replace(style, start=(a - 0.45, -0.6), end=(a + 0.45, -0.6), height=-1.0)
        return [loop, *([Label((a, -1.95), said, align="center", size=6.5)] if told else [])]
    side = 1.0 if b > a else -1.0
    rise = height + (0.9 if told and side < 0.0 else 0.0)  # below the loops
    start, end = (a + side * 0.5, side * 0.56), (b - side * 0.5, side * 0.56)
    arc = replace(style, start=start, end=end, height=rise)
    text = Label((0.5 * (a + b), side * (0.56 + rise + 0.32)), said, align="center", size=6.5)
    return [arc, *([text] if told else [])]
