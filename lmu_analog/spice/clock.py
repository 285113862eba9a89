"""Switches and the two-phase clock that drives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmu_analog.circuits.components import GROUND, Switch

if TYPE_CHECKING:
    from PySpice.Spice.Netlist import Circuit as PySpiceCircuit

GAP = 0.02  # of a period: both phases are open, before each of them
EDGE = 2e-3  # of a period: how long a clock's edge takes; switches move in its middle
_OFF = 1e12  # off-resistance over on-resistance: what leaks in thousands of periods is below 1e-7


def place_clock(written: PySpiceCircuit, clock: float, *, start: float, gap: float = GAP) -> None:
    """Write the clock sources: phase 1 ends, and takes the sample, at (k - 1/2)/clock, phase 2 at k/clock.

    Both from ``start``, s, on; both phases are open for a share ``gap`` of the period before each.

    Nets ``clk1`` and ``clk2`` are 1 V while the switches of that phase are closed, which is while the clock
    is above 0.5 V.
    """
    period = 1.0 / clock
    edge, width = EDGE * period, (0.5 - gap - EDGE) * period
    for phase in (1, 2):
        delay = start + (0.5 * (phase - 1) + gap - 0.5 * EDGE) * period
        pulse = f"PULSE(0 1 {delay!r} {edge!r} {edge!r} {width!r} {period!r})"
        written.V(f"clk{phase}", f"clk{phase}", GROUND, pulse)


def place_switch(written: PySpiceCircuit, switch: Switch, known: dict[float, str]) -> None:
    """Write a voltage-controlled switch, with a model for every on-resistance."""
    if switch.value not in known:
        known[switch.value] = f"sw_{len(known)}"
        off = _OFF * switch.value
        written.model(known[switch.value], "SW", ron=switch.value, roff=off, vt=0.5, vh=0.0)
    control, model = f"clk{switch.phase}", known[switch.value]
    written.VoltageControlledSwitch(switch.name[1:], switch.a, switch.b, control, GROUND, model=model)
