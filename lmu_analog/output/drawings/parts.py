"""What the drawings say about components: symbols, values, and series resistors taken as one."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Literal

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import (
    GROUND,
    Amplifier,
    Bias,
    Capacitor,
    Component,
    Inductor,
    Passive,
    Resistor,
    Supply,
    Switch,
    kind_of,
    terminals,
)
from lmu_analog.circuits.devices.models import IDEAL
from lmu_analog.output.drawings.sheet import Align, Item, Kind, Label, Point, ground
from lmu_analog.units import write

SYMBOLS: dict[type, Kind] = {
    Resistor: "resistor",
    Capacitor: "capacitor",
    Inductor: "inductor",
    Switch: "switch",
    Bias: "source-i",
    Supply: "source-v",
}


def short(value: float, unit: str) -> str:
    """Write a value with three digits, as on a schematic."""
    return write(float(f"{value:.3g}"), unit).replace("Ohm", "Ω").replace(" u", " µ")


def value(component: Component) -> str:
    """Write the value of a component; a switch shows its phase."""
    if isinstance(component, Switch):
        return f"φ{component.phase}"
    known = kind_of(component)
    return short(getattr(component, known.value), known.unit) if known.unit else ""


def caption(component: Component) -> str:
    """Give name and value."""
    return f"{component.name}  {value(component)}"


def stacked(
    part: Component, at: Point, *, align: Align = "left", size: float = 7.5, gap: float = 0.6
) -> list[Item]:
    """Write name and value of a part, the value below."""
    x, y = at
    return [Label(at, part.name, align, size), Label((x, y - gap), value(part), align, size)]


def net_end(net: str, at: Point, side: Literal["left", "right"], *, gap: float = 0.2) -> Item:
    """End a wire in the ground, or in the name of its net."""
    if net == GROUND:
        return ground(at, side)
    x, y = at
    if side == "left":
        return Label((x - gap, y), net, align="right", bold=True)
    return Label((x + gap, y), net, bold=True)


def in_series(circuit: Circuit) -> Circuit:
    """Take two resistors with a net of their own between them as one, so that every signal path is one part."""
    touching: defaultdict[str, list[Component]] = defaultdict(list)
    for c in circuit.components:
        for net in terminals(c):
            touching[net].append(c)
    gone: dict[str, Component | None] = {}
    for net, around in touching.items():
        match around:
            case [Resistor() as first, Resistor() as second] if first.b == net == second.a:
                total = first.value + second.value
                gone[first.name] = replace(first, b=second.b, value=total, name=f"{first.name}+")
                gone[second.name] = None
            case _:
                continue
    kept = [gone.get(c.name, c) for c in circuit.components]
    return replace(circuit, components=tuple(c for c in kept if c is not None))


def with_ideal_amplifiers(circuit: Circuit) -> Circuit:
    """Make op-amps ideal: fast poles of real ones are no part of a picture of states."""
    parts = (replace(c, model=IDEAL) if isinstance(c, Amplifier) else c for c in circuit.components)
    return replace(circuit, components=tuple(parts))


def between(part: Passive | Switch, near: str) -> str:
    """Give the other net of a two-terminal part."""
    return part.b if part.a == near else part.a


def beside(circuit: Circuit, net: str) -> list[Passive | Switch]:
    """Give the two-terminal parts at a net, those that only leak left out."""
    parts = circuit.only(Resistor, Capacitor, Inductor, Switch)
    return [c for c in parts if net in (c.a, c.b) and net != GROUND and not c.name.startswith("Rleak_")]
