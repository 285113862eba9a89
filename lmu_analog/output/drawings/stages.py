"""Op-amp stages: what feeds each input from the left, what feeds back above or below."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import TypeVar

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import (
    GROUND,
    Amplifier,
    Capacitor,
    Inductor,
    OpAmp,
    Resistor,
    Switch,
    outputs,
)
from lmu_analog.output.drawings.parts import SYMBOLS, beside, between, caption, net_end
from lmu_analog.output.drawings.sheet import Item, Label, Symbol, Wire, dot, ground, moved

MOST_ROWS = 8  # parts at one net; of more, the first and the last are drawn
PITCH = 1.25  # units between rows
LEFT, BUS = -10.6, -1.4  # where input rows begin, and the wire that they join
_LETTER = 0.3  # width of one of the name beside it
_WIDE = 2.165  # of an op-amp
_INPUTS = 1.25  # between its inputs
_PART = 2.6  # length of a symbol with its leads

TwoEnded = Resistor | Capacitor | Inductor | Switch
Part = TypeVar("Part")


def some(parts: Sequence[Part]) -> tuple[list[Part | None], int]:
    """Choose what is drawn of a long list, None for what is left out; and how many are left out."""
    if len(parts) <= MOST_ROWS:
        return list(parts), 0
    return [*parts[: MOST_ROWS - 3], None, *parts[-2:]], len(parts) - MOST_ROWS + 1


def bus(entries: Sequence[object], step: float) -> list[Item]:
    """Join rows at x = 0, so far apart, by a wire with a dot at every row but the last."""
    if len(entries) < 2:
        return []
    wire = Wire(((0.0, 0.0), (0.0, (len(entries) - 1) * step)))
    return [wire, *(dot((0.0, k * step)) for k, part in enumerate(entries[:-1]) if part is not None)]


def rows(parts: Sequence[TwoEnded], near: str, *, up: bool) -> tuple[list[Item], float]:
    """Draw parts as rows from their nets to a bus at x = 0 that begins at y = 0; give the bus's far end."""
    entries, left_out = some(parts)
    items: list[Item] = []
    step = PITCH if up else -PITCH
    start = LEFT - BUS
    for k, part in enumerate(entries):
        y = k * step
        if part is None:
            items.append(Label((start + 0.4, y), f"⋮  {left_out} more", size=8.0))
            continue
        items += [
            Symbol(SYMBOLS[type(part)], (-_PART - 0.5, y), (-0.5, y)),
            Wire(((-0.5, y), (0.0, y))),
            Label((-_PART - 0.7, y + 0.38), caption(part), align="right", size=7.5),
            Wire(((start + 1.0, y), (-_PART - 0.5, y))),
            net_end(between(part, near), (start + 1.0, y), "left"),
        ]
    return [*items, *bus(entries, step)], (len(entries) - 1) * step


def stage(circuit: Circuit, amplifier: Amplifier, *, drawn: Container[str] = ()) -> list[Item]:
    """Draw an op-amp with all that hangs on its inputs; nets that are drawn elsewhere end in their names."""
    # The nets that feed back to the inverting and to the other input; none, "", for one output.
    out_top, out_bottom = (*outputs(amplifier), "")[:2]
    items: list[Item] = [
        Symbol("opamp", (0.0, 0.0), (_WIDE, 0.0)),
        Label((0.9, -1.8), amplifier.name, size=7.0),
        *(
            _followed()
            if amplifier.minus == out_top
            else _side(circuit, amplifier.minus, out_top, y=0.0, up=True)
        ),
        *(
            [Wire(((0.0, -_INPUTS), (-0.5, -_INPUTS))), net_end(amplifier.plus, (-0.5, -_INPUTS), "left")]
            if amplifier.plus in drawn
            else _side(circuit, amplifier.plus, out_bottom, y=-_INPUTS, up=False)
        ),
    ]
    if isinstance(amplifier, OpAmp):
        tip = -0.5 * _INPUTS
        items.append(Wire(((_WIDE, tip), (_WIDE + 2.4, tip))))
        items.append(Label((_WIDE + 2.6, tip), amplifier.out, bold=True))
        if any(out_top in (p.a, p.b) for p in beside(circuit, amplifier.minus)):
            items.append(dot((_WIDE + 1.2, tip)))
    return items


def _followed() -> list[Item]:
    """Draw the wire from the output of a follower to its inverting input."""
    far, tip = _WIDE + 1.2, -0.5 * _INPUTS
    return [Wire(((0.0, 0.0), (-0.5, 0.0), (-0.5, 1.6), (far, 1.6), (far, tip)))]


def _side(circuit: Circuit, net: str, out: str, *, y: float, up: bool) -> list[Item]:
    """Draw one input: its rows, its feedback over or under the op-amp, a ground if that is all."""
    sign = 1.0 if up else -1.0
    if net == GROUND:
        return [Wire(((0.0, y), (-0.5, y), (-0.5, y - 0.5))), ground((-0.5, y - 0.5))]
    parts, at = beside(circuit, net), min(BUS, -_LETTER * len(net) - 0.2)
    inputs = [p for p in parts if between(p, net) != out or not out]
    feedback = [p for p in parts if p not in inputs]
    drawn, end = rows(inputs, net, up=up) if inputs else ([], 0.0)
    items = moved(drawn, at, y)
    items.append(Wire(((at, y), (0.0, y))))
    items.append(Label((at + 0.15, y + 0.32 * sign), net, size=7.0))
    tip = -0.5 * _INPUTS if up and not out.endswith("p") else y - sign * 0.31
    lowest = max(abs(end) + PITCH, 1.6)
    for k, part in enumerate(feedback):
        level = y + sign * (lowest + k * PITCH)
        items.append(Symbol(SYMBOLS[type(part)], (at + 1.0, level), (_WIDE + 0.4, level)))
        items.append(Wire(((at, y), (at, level), (at + 1.0, level))))
        items.append(Wire(((_WIDE + 0.4, level), (_WIDE + 1.2, level), (_WIDE + 1.2, tip))))
        items.append(
            Label((0.5 * (at + _WIDE) + 0.7, level + sign * 0.62), caption(part), align="center", size=7.5)
        )
    if feedback:
        items.append(dot((at, y)))
    if out and tip != -0.5 * _INPUTS:  # one of two outputs
        items.append(Wire(((1.44, tip), (_WIDE + 2.4, tip))))
        items.append(Label((_WIDE + 2.6, tip), out, bold=True))
        items.append(dot((_WIDE + 1.2, tip)))
    return items


def fan(circuit: Circuit, net: str) -> list[Item]:
    """Draw the plate of switched capacitors: the capacitors on it, and its two switches."""
    parts = beside(circuit, net)
    switches = [p for p in parts if isinstance(p, Switch)]
    drawn, end = rows([p for p in parts if p not in switches], net, up=True)
    items = [*drawn, Wire(((0.0, 0.0), (1.6, 0.0))), Label((0.2, end + 0.5), net, bold=True)]
    return [*items, *_pole(switches, net, x=1.6)]


def plate(circuit: Circuit, net: str) -> list[Item]:
    """Draw the two switches of a plate alone."""
    switches = [p for p in beside(circuit, net) if isinstance(p, Switch)]
    return [Label((-0.2, 0.0), net, align="right", bold=True), *_pole(switches, net, x=0.0)]


def _pole(switches: Sequence[TwoEnded], net: str, *, x: float) -> list[Item]:
    """Draw switches that share a net at (x, 0), one above the other."""
    items: list[Item] = []
    for k, switch in enumerate(switches):
        y, far = -1.7 * k, between(switch, net)
        items.append(Wire(((x, 0.0), (x, y), (x + 0.9, y))))
        items.append(Symbol("switch", (x + 0.9, y), (x + 2.9, y)))
        items.append(Label((x + 1.9, y + 0.62), caption(switch), align="center", size=7.5))
        items += [Wire(((x + 2.9, y), (x + 3.1, y))), net_end(far, (x + 3.1, y), "right")]
    return items
