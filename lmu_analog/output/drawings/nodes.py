"""Nets that currents add up on: transconductors from the left, what stores or loads to the right."""

from __future__ import annotations

from collections.abc import Sequence

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import Capacitor, Resistor, Transconductor
from lmu_analog.output.drawings.parts import SYMBOLS, beside, caption, net_end, stacked
from lmu_analog.output.drawings.sheet import Area, Item, Label, Symbol, Wire, dot, ground
from lmu_analog.output.drawings.stages import bus, some

_PITCH = 2.0
_TIP = 1.9  # length of a transconductor's triangle


def transconductor(part: Transconductor, *, y: float) -> list[Item]:
    """Draw a transconductor whose output lies at (0, y)."""
    back = -_TIP - 0.8
    items: list[Item] = [
        Area(((back, y + 0.8), (back, y - 0.8), (back + _TIP, y))),
        Label((back + 0.12, y + 0.36), "+", size=7.0),
        Label((back + 0.12, y - 0.36), "−", size=7.0),
        Label((back + 0.95, y), "gm", align="center", size=7.0),
        Wire(((back + _TIP, y), (0.0, y))),
        Label((back - 2.6, y), caption(part), align="right", size=7.5),
    ]
    for net, level in ((part.plus, y + 0.36), (part.minus, y - 0.36)):
        items.append(Wire(((back - 0.7, level), (back, level))))
        items.append(net_end(net, (back - 0.7, level), "left", gap=0.15))
    return items


def node(circuit: Circuit, net: str) -> list[Item]:
    """Draw a net with the transconductors that drive it and the parts between it and ground."""
    sources = [c for c in circuit.only(Transconductor) if c.out == net]
    shown, left_out = some(sources)
    items: list[Item] = []
    for k, part in enumerate(shown):
        if part is None:
            items.append(Label((-6.0, -_PITCH * k), f"⋮  {left_out} more"))
        else:
            items += transconductor(part, y=-_PITCH * k)
    items += bus(shown, -_PITCH)
    stores = [c for c in beside(circuit, net) if isinstance(c, Resistor | Capacitor)]
    return [*items, *_hung(stores, net)]


def _hung(stores: Sequence[Resistor | Capacitor], net: str) -> list[Item]:
    """Draw parts from the rail at y = 0 down to ground, and the net's name at its end."""
    items: list[Item] = []
    x = 0.0
    for part in stores:
        x += 2.0 if part is stores[0] else 4.6
        items.append(Symbol(SYMBOLS[type(part)], (x, 0.0), (x, -2.4)))
        items += [dot((x, 0.0)), ground((x, -2.4)), *stacked(part, (x + 0.6, -1.0))]
    end = x + 2.2
    return [*items, Wire(((0.0, 0.0), (end, 0.0))), Label((end + 0.2, 0.0), net, bold=True)]
