"""What drives what in a circuit: integrators, filters and sums as blocks, coefficients as links."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import (
    GROUND,
    Amplifier,
    Capacitor,
    Component,
    DifferentialOpAmp,
    OpAmp,
    Resistor,
    Switch,
    Transconductor,
)
from lmu_analog.circuits.families.registry import drawing_of
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.output.drawings.parts import beside, between, in_series, short, value, with_ideal_amplifiers

_Signal = tuple[str, int]  # block or input, and whether a net carries it as it is or inverted
_OFF = 1e-2  # of a cell that is on: mismatch makes no more of one that is off
_NEGLIGIBLE = 1e-9  # of the largest gain into a state: rounding of the extraction


@dataclass(frozen=True)
class Block:
    """One integrator, filter or sum; ``text`` is what it stores on, or its load."""

    name: str
    kind: Literal["integrator", "filter", "sum"]
    text: str


@dataclass(frozen=True)
class Link:
    """A coefficient from a block or the input into a block.

    Attributes
    ----------
    source, target : str
    name, text : str
        Of the component that sets it, and its value.
    sign : int
        +1 or -1, as the target counts it.
    weight : float
        Its size; links of one circuit compare.
    """

    source: str
    target: str
    name: str
    text: str
    sign: int
    weight: float


@dataclass(frozen=True)
class Network:
    """A circuit as blocks and links; ``physical`` says whether a link is a component."""

    source: str
    blocks: tuple[Block, ...]
    links: tuple[Link, ...]
    physical: bool = True


def _in_parallel(links: Iterable[Link]) -> tuple[Link, ...]:
    """Take parts between the same blocks as one link."""
    merged: dict[tuple[str, str, int, str], Link] = {}
    for link in links:
        key = link.source, link.target, link.sign, link.name[:1]
        if (before := merged.get(key)) is not None:
            text, weight = f"{before.text} ∥ {link.text}", before.weight + link.weight
            link = replace(before, text=text, weight=weight)
        merged[key] = link
    return tuple(merged.values())


def network(circuit: Circuit) -> Network:
    """Read blocks and links off the components; off the state space where elements are shared, or how is not known.

    Raises
    ------
    CircuitError
        If the circuit has no state space and no blocks either.
    """
    linear = in_series(circuit.small_signal or circuit)
    match drawing_of(circuit):
        case "ladder" | "plain":
            return _states(linear)
        case "crossbar":
            return _crossbar(linear)
        case "nodes" | "synapses" | "dpi":
            return _transconductors(linear)
        case "stages" | "switched":
            return _amplifiers(linear)


def _amplifiers(circuit: Circuit) -> Network:
    """Blocks are op-amps; an inverter is the sign of what it inverts."""
    blocks: list[Block] = []
    signals: dict[str, _Signal] = {
        circuit.source: (circuit.source, 1),
        f"{circuit.source}n": (circuit.source, -1),
    }
    into: dict[str, _Signal] = {}
    for c in circuit.components:
        match c:
            case OpAmp() if c.role.startswith("inverter"):
                signals[c.out] = (c.role.split()[1], -1)
            case OpAmp():
                blocks.append(Block(c.out, _kind(c), _stored(circuit, c.minus, c.out)))
                signals[c.out] = (c.out, 1)
                into |= {c.minus: (c.out, -1), **({c.plus: (c.out, 1)} if c.plus != GROUND else {})}
            case DifferentialOpAmp():
                name = c.out_plus[:-1]
                blocks.append(Block(name, _kind(c), _stored(circuit, c.minus, c.out_plus)))
                signals |= {c.out_plus: (name, 1), c.out_minus: (name, -1)}
                into[c.minus] = (name, -1)
            case _:
                continue
    _through_switches(circuit, signals, into)
    return Network(circuit.source, tuple(blocks), _in_parallel(_links(circuit, signals, into)))


def _kind(c: Amplifier) -> Literal["integrator", "sum"]:
    return "sum" if c.role.startswith("summer") else "integrator"


def _stored(circuit: Circuit, minus: str, out: str) -> str:
    return ", ".join(value(p) for p in beside(circuit, minus) if between(p, minus) == out and _own(p))


def _own(part: Component) -> bool:
    """Whether a part makes the block, and is no coefficient."""
    return part.role.startswith(("integrator", "summer", "inverter", "leakage"))


def _through_switches(circuit: Circuit, signals: dict[str, _Signal], into: dict[str, _Signal]) -> None:
    """Take a source's plate for what it holds in phase 1, an integrator's for where it leads in phase 2.

    A charge that passes through both plates arrives uninverted. A tap takes its charge in phase 1: inverted.
    """
    for c in circuit.only(Switch):
        if c.phase == 1 and c.b in signals:
            signals[c.a] = signals[c.b]
        if c.b in into:
            name, sign = into[c.b]
            into[c.a] = (name, sign if c.phase == 1 else -sign)


def _links(circuit: Circuit, signals: dict[str, _Signal], into: dict[str, _Signal]) -> Iterator[Link]:
    for c in circuit.only(Resistor, Capacitor):
        if _own(c):
            continue
        for near, far in ((c.b, c.a), (c.a, c.b)):
            if near in into and far in signals:
                (target, way), (source, sign) = into[near], signals[far]
                weight = 1.0 / c.value if isinstance(c, Resistor) else c.value
                yield Link(source, target, c.name, value(c), way * sign, weight)
                break


def _transconductors(circuit: Circuit) -> Network:
    """Blocks are nets that transconductors drive; one that a net drives itself with is its load."""
    driven = circuit.only(Transconductor)
    signals = {circuit.source, *(c.out for c in driven)}  # others are biases
    links: list[Link] = []
    blocks: list[Block] = []
    for net in dict.fromkeys(c.out for c in driven):
        stores = [p for p in beside(circuit, net) if isinstance(p, Capacitor)]
        leaks = [p for p in beside(circuit, net) if isinstance(p, Resistor)]
        loads = [c for c in driven if c.out == net == c.minus and not stores]
        told = [short(p.value, "Ohm") for p in leaks]
        told += [short(p.value, "F") for p in stores] or [short(p.value, "S") for p in loads]
        kind = "sum" if not stores else "filter" if leaks else "integrator"
        blocks.append(Block(net, kind, ", ".join(told)))
        links += [
            Link(source, net, c.name, short(c.value, "S"), sign, c.value)
            for c in driven
            if c.out == net and c not in loads
            for source, sign in ((c.plus, 1), (c.minus, -1))
            if source in signals
        ]
    order = {"integrator": 0, "filter": 0, "sum": 1}
    return Network(circuit.source, tuple(sorted(blocks, key=lambda b: order[b.kind])), tuple(links))


def _crossbar(circuit: Circuit) -> Network:
    """Take a pair of cells as a weight: +1 where p is on, -1 where n is, none where both are off.

    A tap's row has them the other way round, and no filter that inverts.
    """
    resistors = {c.name: c.value for c in circuit.only(Resistor)}
    cells = [name for name in resistors if name.startswith("Rcell")]
    on, off = (1.0 / extreme(resistors[name] for name in cells) for extreme in (min, max))
    taps = [net for net in dict.fromkeys(tap.net for tap in circuit.taps) if f"Rneg_{net}" in resistors]
    blocks = [Block(c.b, "filter", value(c)) for c in circuit.only(Capacitor) if "tau" in c.role]
    blocks += [Block(net, "sum", "") for net in taps]
    links: list[Link] = []
    for name in cells:
        _, row, j, bit = name.split("_")
        source = circuit.source if int(j) == circuit.order else f"x{j}"
        target, way = (row, -1) if row in taps else (f"x{row}", 1)
        weight = (1.0 / resistors[name] - off) / (on - off)
        if weight < _OFF:
            continue
        weight *= resistors[f"Rdif_{row}"] / resistors[f"Rneg_{row}"]
        sign = way if bit == "p" else -way
        text = f"{sign * weight:+.3g}".replace("-", "−")
        links.append(Link(source, target, name, text, sign, weight))
    return Network(circuit.source, tuple(blocks), tuple(links))


def _states(circuit: Circuit) -> Network:
    """Blocks are the states of the extracted system, links its coefficients times theta."""
    system = extract(with_ideal_amplifiers(circuit))
    names = [*(f"z{k}" for k in range(system.order)), circuit.source]
    gains = circuit.theta * np.concatenate([system.A, system.B], axis=1)
    floor = _NEGLIGIBLE * np.abs(gains).max(axis=1, keepdims=True)
    links: list[Link] = []
    for i, j in np.argwhere(np.abs(gains) > floor).tolist():
        gain = float(gains[i, j])
        text = f"{gain:+.3g}".replace("-", "−")
        links.append(Link(names[j], names[i], "", text, int(np.sign(gain)), abs(gain)))
    blocks = tuple(Block(name, "integrator", "") for name in names[:-1])
    return Network(circuit.source, blocks, tuple(links), physical=False)
