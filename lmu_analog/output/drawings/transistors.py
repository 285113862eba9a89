"""Cells of transistors: the five-transistor OTA and the differential-pair integrator."""

from __future__ import annotations

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import Component, Mosfet
from lmu_analog.output.drawings.parts import stacked
from lmu_analog.output.drawings.sheet import Align, Item, Label, Point, Symbol, Wire, dot, ground

_TALL = 1.5  # of a transistor
GATE = 1.367  # how far its gate reaches


def _fet(part: Mosfet, at: Point, *, gate: str) -> list[Item]:
    """Draw a transistor with its upper end at a point, its gate to one side, its name to the other."""
    x, y = at
    side = 1.0 if gate == "right" else -1.0
    align = "right" if gate == "right" else "left"
    kind = "nmos" if part.model.kind == "n" else "pmos"
    return [
        Symbol(kind, at, (x + side * GATE, y - _TALL)),
        Label((x - side * 0.15, y - 0.5), part.name, align=align, size=7.0),
        Label((x - side * 0.15, y - 1.0), f"W/L {float(f'{part.value:.3g}'):g}", align=align, size=7.0),
    ]


def ota(circuit: Circuit, name: str) -> list[Item]:
    """Draw the OTA whose tail is called ``name``."""
    parts = {c.name: c for c in circuit.only(Mosfet)}
    tail, plus, minus, diode, mirror = (parts[f"{name}{s}"] for s in ("", "_p", "_n", "_d", "_m"))
    left, right, middle = 0.0, 5.6, 2.8
    return [
        *_fet(diode, (left, 6.0), gate="right"),
        *_fet(mirror, (right, 6.0), gate="left"),
        Wire(((left, 6.0), (left, 6.4), (right, 6.4), (right, 6.0))),
        Label((middle, 6.8), diode.source, align="center", bold=True),
        Wire(((left + GATE, 5.25), (right - GATE, 5.25))),
        Wire(((left + GATE, 5.25), (left + GATE, 4.1), (left, 4.1))),
        dot((left, 4.1)),
        dot((left + GATE, 5.25)),
        *_fet(plus, (left, 3.2), gate="left"),
        *_fet(minus, (right, 3.2), gate="right"),
        Wire(((left, 4.5), (left, 3.2))),
        Wire(((right, 4.5), (right, 3.2))),
        dot((right, 3.85)),
        Wire(((right, 3.85), (right + 2.4, 3.85))),
        Label((right + 2.6, 3.85), minus.drain, bold=True),
        Label((left - GATE - 0.2, 2.45), plus.gate, align="right", bold=True),
        Label((right + GATE + 0.2, 2.45), minus.gate, bold=True),
        Wire(((left, 1.7), (left, 1.2), (right, 1.2), (right, 1.7))),
        dot((middle, 1.2)),
        Wire(((middle, 1.2), (middle, 0.6))),
        *_fet(tail, (middle, 0.6), gate="left"),
        Label((middle - GATE - 0.2, -0.15), tail.gate, align="right", bold=True),
        Wire(((middle, -0.9), (middle, -1.2))),
        Label((middle, -1.6), tail.source, align="center", bold=True),
    ]


def dpi(circuit: Circuit, i: int) -> list[Item]:
    """Draw filter ``i`` of a DPI circuit: input mirror, pair, capacitor, leak and output."""
    parts: dict[str, Component] = {c.name: c for c in circuit.components}
    devices = {c.name: c for c in circuit.only(Mosfet)}

    def transistor(name: str, at: Point, gate: str) -> list[Item]:
        return _fet(devices[f"M{name}_{i}"], at, gate=gate)

    def beside(name: str, at: Point, align: Align) -> list[Item]:
        return stacked(parts[f"{name}_{i}"], at, align=align, size=7.0, gap=0.5)

    top, one, two, out = 8.0, 5.5, 11.5, 18.0
    store = two - 2.4
    return [
        Wire(((0.0, top), (out, top))),
        Label((-0.2, top), "vdd", align="right", bold=True),
        # The diode that takes the sum of the currents in.
        *transistor("in", (0.0, 1.5), "right"),
        ground((0.0, 0.0)),
        Wire(((0.0, 1.5), (0.0, 3.0))),
        Label((0.0, 3.4), devices[f"Min_{i}"].drain, align="center", bold=True),
        Wire(((0.0, 2.1), (GATE, 2.1), (GATE, 0.75))),
        dot((0.0, 2.1)),
        dot((GATE, 0.75)),
        # The pair on its tail.
        *transistor("tail", (8.5, 1.5), "left"),
        Wire(((GATE, 0.75), (8.5 - GATE, 0.75))),
        ground((8.5, 0.0)),
        Wire(((one, 2.6), (one, 2.2), (two, 2.2), (two, 2.6))),
        Wire(((8.5, 2.2), (8.5, 1.5))),
        dot((8.5, 2.2)),
        *transistor("one", (one, 4.1), "left"),
        Wire(((one, 4.1), (one, top))),
        *beside("Vthr", (one - GATE - 0.2, 3.6), "right"),
        *transistor("two", (two, 4.1), "right"),
        Wire(((two + GATE, 3.35), (two + GATE, 4.8), (two, 4.8))),
        # The capacitor and the leak between the rail and the filter's net.
        Symbol("capacitor", (store, top), (store, 4.8)),
        dot((store, top)),
        *beside("Ctau", (store - 0.6, 6.8), "right"),
        Symbol("source-i", (two, top), (two, 4.8)),
        dot((two, top)),
        *beside("Itau", (two + 0.8, 6.8), "left"),
        dot((two, 4.8)),
        dot((two + GATE, 4.8)),
        # The output, and what sets its direct current.
        *transistor("out", (out, 6.0), "left"),
        Wire(((out, 6.0), (out, top))),
        Wire(((store, 4.8), (out - GATE - 1.0, 4.8), (out - GATE - 1.0, 5.25), (out - GATE, 5.25))),
        Wire(((two, 4.8), (two, 4.1))),
        Label((out - 3.2, 5.15), f"syn_{i}", align="center", size=7.0),
        Wire(((out, 4.5), (out, 3.4))),
        dot((out, 3.4)),
        Symbol("source-i", (out, 3.4), (out, 0.8)),
        ground((out, 0.8)),
        *beside("Iout", (out - 0.8, 2.3), "right"),
        Wire(((out, 3.4), (out + 2.4, 3.4)), arrow=True),
        Label((out + 2.6, 3.4), f"state {i}: current Vout_{i}", size=7.5),
    ]
