"""Where ngspice found no operating point: which nets would not settle, and the nearest conditions that have one."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from lmu_analog.circuits.devices.pdk import Pdk
from lmu_analog.errors import SimulationError
from lmu_analog.silicon.ensemble import settle
from lmu_analog.silicon.samples import Bench, Conditions
from lmu_analog.spice.worker import Worker

NAMED = 4  # nets in a message
WORDS = "no operating point"  # of the errors that this is about, see ``spice.session``
# ngspice lists the last two voltages of all nets; those that had not settled end in an asterisk, or are no numbers.
_LISTED = re.compile(r"(\S+)\s+(\S+)\s+(\S+)(\s+\*)?")
_NO_NUMBERS = ("nan", "-nan", "inf", "-inf")


def at(conditions: Conditions) -> str:
    """Name conditions in a few words."""
    others = [
        f"{corner} {what}"
        for corner, what in ((conditions.mim, "capacitors"), (conditions.resistor, "resistors"))
        if corner != "typical"
    ]
    more = f" with {' and '.join(others)}" if others else ""
    return f"{conditions.corner}{more}, {conditions.temperature:g} C, {100.0 * conditions.supply:g} % of the supply"


def unsettled(error: SimulationError) -> list[str]:
    """Name the nets that had no voltage yet when ngspice gave up; none where it does not say."""
    listed = [m for line in error.log.splitlines() if (m := _LISTED.fullmatch(line.strip()))]
    found = [m[1] for m in listed if m[4] or m[2] in _NO_NUMBERS or m[3] in _NO_NUMBERS]
    # Nets inside the kit's own subcircuits, and currents, are none that a user knows.
    return [net for net in dict.fromkeys(found) if not set(net) & {".", "#"}]


def lost(conditions: Conditions, error: SimulationError, others: Iterable[Conditions]) -> str:
    """Say where there is no operating point, at which nets, and the nearest conditions that have one.

    Parameters
    ----------
    conditions : Conditions
    error : SimulationError
        ngspice's.
    others : iterable of Conditions
        That have one.
    """
    nets = unsettled(error)
    more = f" and {len(nets) - NAMED} more" if len(nets) > NAMED else ""
    where = f" (not settled: {', '.join(nets[:NAMED])}{more})" if nets else ""
    near = nearest(conditions, list(others))
    there = "none of those tried has one" if near is None else f"the nearest that has one is {at(near)}"
    return f"{at(conditions)}: {WORDS}{where}; {there}"


def nearest(conditions: Conditions, others: Sequence[Conditions]) -> Conditions | None:
    """Find the conditions that differ least: in few things first, then in temperature and supply."""

    def apart(other: Conditions) -> tuple[float, ...]:
        corners = sum(
            getattr(conditions, name) != getattr(other, name) for name in ("corner", "mim", "resistor")
        )
        kelvin = abs(conditions.temperature - other.temperature)
        share = abs(conditions.supply - other.supply)
        return corners + (kelvin > 0.0) + (share > 0.0), corners, kelvin / 100.0 + share / 0.1

    return min(others, key=apart, default=None)


def around(conditions: Conditions, pdk: Pdk) -> list[Conditions]:
    """Give conditions that differ in one thing, to see which of them has an operating point."""
    corners = [c for c in pdk.corners["mos"] if c != conditions.corner]
    return [
        *(replace(conditions, corner=corner) for corner in corners),
        *(replace(conditions, temperature=t) for t in (-40.0, 85.0, 125.0)),
        *(replace(conditions, supply=share * conditions.supply) for share in (1.1, 0.9)),
    ]


def explained(
    bench: Bench, error: SimulationError, *, has_point: Callable[[Bench], bool] | None = None
) -> SimulationError:
    """Give ngspice's error with the nets, the corner and the nearest corner that has an operating point.

    Parameters
    ----------
    bench : Bench
        That has none.
    error : SimulationError
        Another one than that of a lost operating point is given back as it is.
    has_point : callable, optional
        Tells whether a bench has one; ngspice is asked unless given.
    """
    if WORDS not in str(error):
        return error
    seen = has_point or _has_point
    tried = around(bench.conditions, bench.installed.pdk)
    others = [other for other in tried if seen(replace(bench, conditions=other))]
    text = lost(bench.conditions, error, others)
    return SimulationError(text, deck=error.deck, log=error.log)


def _has_point(bench: Bench) -> bool:
    with Worker() as worker:
        try:
            settle(bench, worker)
        except SimulationError:
            return False
    return True
