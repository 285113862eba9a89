"""Switches and the two-phase clock that drives them."""

from collections.abc import Iterator

from lmu_analog.circuits.components import GROUND, Switch
from lmu_analog.spice.cards import Card, Element, Model, Source, number

GAP = 0.02  # of a period: both phases are open, before each of them
EDGE = 2e-3  # of a period: how long a clock's edge takes; switches move in its middle
_OFF = 1e12  # off-resistance over on-resistance: what leaks in thousands of periods is below 1e-7


def clock_cards(clock: float, *, start: float, gap: float = GAP) -> Iterator[Source]:
    """Give the clock sources: phase 1 ends, and takes the sample, at (k - 1/2)/clock, phase 2 at k/clock.

    Both from ``start``, s, on; both phases are open for a share ``gap`` of the period before each.

    Nets ``clk1`` and ``clk2`` are 1 V while the switches of that phase are closed, which is while the clock
    is above 0.5 V.
    """
    period = 1.0 / clock
    edge, width = EDGE * period, (0.5 - gap - EDGE) * period
    for phase in (1, 2):
        delay = start + (0.5 * (phase - 1) + gap - 0.5 * EDGE) * period
        times = tuple(number(time) for time in (delay, edge, edge, width, period))
        yield Source(f"Vclk{phase}", (f"clk{phase}", GROUND), wave="PULSE", numbers=("0", "1", *times))


def switch_cards(switch: Switch, known: dict[float, str]) -> Iterator[Card]:
    """Give a voltage-controlled switch, and a model for every on-resistance that is not known yet."""
    if switch.value not in known:
        known[switch.value] = f"sw_{len(known)}"
        figures = {"roff": _OFF * switch.value, "ron": switch.value, "vh": 0.0, "vt": 0.5}
        yield Model(known[switch.value], "SW", {name: number(figure) for name, figure in figures.items()})
    yield Element(switch.name, (switch.a, switch.b, f"clk{switch.phase}", GROUND), known[switch.value])
