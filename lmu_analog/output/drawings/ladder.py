"""The passive ladder, whole: sections from left to right, in rows."""

from __future__ import annotations

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import (
    GROUND,
    Ammeter,
    Capacitor,
    Component,
    Inductor,
    OpAmp,
    Resistor,
    Transconductor,
)
from lmu_analog.output.drawings.parts import SYMBOLS, between, caption, stacked, value
from lmu_analog.output.drawings.sheet import Item, Label, Symbol, Wire, dot, ground, moved

SERIES, SHUNT = 4.4, 3.6  # width of a part along the ladder, and of one to ground
_ACROSS = 9.0  # units: longer ladders go on below
_DROP = 7.0  # from one row to the next


def ladder(circuit: Circuit) -> list[Item]:
    """Draw a ladder of series parts between nodes and parts from nodes to ground.

    The virtual ground of an op-amp, on which a coil stands that is sensed, is drawn as its name.
    Behind a gyrator there is a capacitor in place of a coil: it is drawn beside the ladder's coil symbol.
    """
    parts = circuit.only(Resistor, Capacitor, Inductor)
    parts = [*(c for c in parts if not c.name.startswith(("Cl_", "Rleak_"))), *_coils(circuit)]
    behind = {c.a: c.b for c in circuit.only(Ammeter)}
    grounds = {GROUND, *(c.minus for c in circuit.only(OpAmp) if c.plus == GROUND)}
    items: list[Item] = [Label((-0.2, 0.0), circuit.source, align="right", bold=True)]
    net: str | None = circuit.source
    x = y = 0.0
    while net is not None:
        for shunt in (p for p in parts if net in (p.a, p.b) and between(p, net) in grounds):
            items += _shunt(shunt, between(shunt, net), x=x, y=y)
            x += SHUNT
        ahead = [p for p in parts if p.a == net and p.b not in grounds]
        net = None
        for series in ahead:
            if x > _ACROSS:
                items += [Wire(((x - SHUNT, y), (x, y))), Label((x + 0.2, y), series.a, bold=True)]
                x, y = 0.0, y - _DROP
                items.append(Label((-0.2, y), series.a, align="right", bold=True))
            net = behind.get(series.b, series.b)
            items += _series(series, net, x=x, y=y)
            x += SERIES
    items.pop()  # the wire on from the last part
    return [*items, *_notes(circuit, y - _DROP + 1.5)]


def _coils(circuit: Circuit) -> list[Inductor]:
    """Give the coils that gyrators stand for: L = C/g^2 between the input nets."""
    stores = {c.a: c for c in circuit.only(Capacitor) if c.name.startswith("Cl_")}
    gyrators = [c for c in circuit.only(Transconductor) if c.out in stores]
    return [
        Inductor(f"L_{c.name.split('_')[1]}", c.plus, c.minus, stores[c.out].value / c.value**2, c.role)
        for c in gyrators
    ]


def _notes(circuit: Circuit, y: float) -> list[Item]:
    stores = [c for c in circuit.only(Capacitor) if c.name.startswith("Cl_")]
    if not stores:
        return []
    each = value(circuit.only(Transconductor)[0])
    lines = [f"Every coil is a gyrator of two {each} transconductors and a capacitor:"]
    lines += [",  ".join(caption(c) for c in stores[k : k + 6]) for k in range(0, len(stores), 6)]
    return [Label((0.0, y - 0.9 * k), line, size=8.0) for k, line in enumerate(lines)]


def _series(part: Component, net: str, *, x: float, y: float) -> list[Item]:
    items: list[Item] = [
        Symbol(SYMBOLS[type(part)], (0.4, 0.0), (SERIES - 1.0, 0.0)),
        Wire(((0.0, 0.0), (0.4, 0.0))),
        Wire(((SERIES - 1.0, 0.0), (SERIES, 0.0))),
        *stacked(part, (0.5 * SERIES - 0.3, 1.4), align="center"),
        Label((SERIES, 0.45), net, align="center", size=7.0),
    ]
    return moved(items, x, y)


def _shunt(part: Component, net: str, *, x: float, y: float) -> list[Item]:
    end = ground((0.0, -2.8)) if net == GROUND else Label((0.0, -3.2), net, align="center", bold=True)
    items: list[Item] = [
        Symbol(SYMBOLS[type(part)], (0.0, 0.0), (0.0, -2.8)),
        dot((0.0, 0.0)),
        end,
        *stacked(part, (0.6, -1.1)),
        Wire(((0.0, 0.0), (SHUNT, 0.0))),
    ]
    return moved(items, x, y)
