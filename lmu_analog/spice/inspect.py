"""Errors that ngspice accepts without a message, found in the deck before it runs.

A resistor without a value becomes 1 mOhm and R = 0 a short; a ``.control`` section may do anything. Decks
of this package have none of these, so finding one means a fault, not a choice.
"""

import math

from lmu_analog.errors import SimulationError

_FORBIDDEN = (".control", ".include", ".inc", ".lib", ".shell", ".csparam", ".exec", ".system")


def inspect(deck: str) -> str:
    """Return the deck unchanged if its passive elements and cards are sound.

    Raises
    ------
    SimulationError
        With line number, for a R, C or L that is not name, two nodes and a positive value, and for cards
        that run commands or read files.
    """
    lines = deck.splitlines()
    within = 0  # of subcircuits, which are ours or vetted, and may write values in any form
    for number, line in enumerate(lines[1:], start=2):
        fields = line.split()
        if not fields or line.startswith(("*", "+")):
            continue
        if fields[0].lower().startswith(_FORBIDDEN):
            raise SimulationError(f"deck line {number}: {fields[0]} is not allowed in a deck", deck=deck)
        within += {".subckt": 1, ".ends": -1}.get(fields[0].lower(), 0)
        if not within and fields[0][0].lower() in "rcl" and not _is_passive(fields):
            raise SimulationError(
                f"deck line {number}: {line[:60]!r} is no name, two nodes and a positive value", deck=deck
            )
    if not lines or lines[-1].strip().lower() != ".end":
        raise SimulationError("the deck does not end in .end; it was cut short", deck=deck)
    return deck


def _is_passive(fields: list[str]) -> bool:
    try:
        value = float(fields[3]) if len(fields) == 4 else math.nan
    except ValueError:
        return False
    return 0.0 < value < math.inf
