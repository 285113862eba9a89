"""What ngspice does wrong without a message: found in a deck before it runs, and in its answer.

A resistor without a value becomes 1 mOhm and R = 0 a short; a ``.control`` section may do anything. Decks of this
package have none of these, so finding one means a fault, not a choice. A card that ngspice reads otherwise than it
stands (a function or parameter of a user's model under one of SPICE's own names, for example) would give good numbers
for another signal, so the voltages at its inputs are compared with the sources that stand in the deck.
"""

import math
import re
from collections.abc import Iterator

import numpy as np

from lmu_analog.circuits.components import GROUND
from lmu_analog.errors import SimulationError
from lmu_analog.spice.cards import FILE_NET, Source, read_source

# Of the input's largest value. Measured in ngspice 39: 1e-13 for tones, points and files; phases of a million radians
# lose 1e-10.
_APART = 1e-6
INPUT = re.compile(r"\* input = v\((\S+)\)")
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
        is_sound = len(fields) == 4 and 0.0 < _number(fields[3]) < math.inf
        if not within and fields[0][0].lower() in "rcl" and not is_sound:
            raise SimulationError(
                f"deck line {number}: {line[:60]!r} is no name, two nodes and a positive value", deck=deck
            )
    if not lines or lines[-1].strip().lower() != ".end":
        raise SimulationError("the deck does not end in .end; it was cut short", deck=deck)
    return deck


def check_inputs(deck: str, vectors: dict[str, np.ndarray], *, recording: np.ndarray | None = None) -> None:
    """Compare the voltages at a deck's inputs with what its sources say.

    Parameters
    ----------
    deck : str
        Nets named by lines ``* input = v(net)`` are read, if the vectors have them.
    vectors : dict
        Of ngspice's answer, with ``time`` or ``frequency``.
    recording : (n, 2) array, optional
        Times, s, and volts of the file that an input comes from.

    Raises
    ------
    SimulationError
        If they differ by more than 1e-6 of the input's largest value.
    """
    nets = [net.lower() for net in INPUT.findall(deck)]
    sources = {source.nodes[0].lower(): source for source in _sources(deck)} if nets else {}
    for net in nets:
        got = vectors.get(f"v({net})")
        chain = list(_chain(net, sources))
        if got is None or not chain:
            continue
        if "time" in vectors:
            wanted = sum(_wave(source, vectors["time"], recording) for source in chain)
        else:
            wanted = np.full(len(got), sum(_number(source.ac or "0") for source in chain))
        largest = float(np.max(np.abs(wanted)))
        apart = float(np.max(np.abs(got - wanted)))
        if not apart <= _APART * largest + 1e-12:
            raise SimulationError(
                f"ngspice's input v({net}) differs from the signal by {apart:.3g} V: something in the deck, a model "
                "perhaps, changes the source",
                deck=deck,
            )


def _sources(deck: str) -> Iterator[Source]:
    """Read the voltage sources outside of subcircuits."""
    within = 0
    for line in deck.replace("\n+", " ").splitlines()[1:]:
        word, *rest = line.split() or [""]
        within += {".subckt": 1, ".ends": -1}.get(word.lower(), 0)
        if not within and word[:1].upper() == "V" and len(rest) > 2:
            yield read_source(word, rest)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _chain(net: str, sources: dict[str, Source]) -> Iterator[Source]:
    """Follow sources in series from a net to ground, or to the net that a file drives; none if they end elsewhere."""
    found: list[Source] = []
    while net not in (GROUND, FILE_NET):
        if net not in sources or len(found) > len(sources):
            return
        found.append(sources[net])
        net = sources[net].nodes[1].lower()
    yield from found


def _wave(source: Source, time: np.ndarray, recording: np.ndarray | None) -> np.ndarray:
    """Evaluate a source at times, V."""
    dc, numbers = _number(source.constant), np.array(source.numbers, float)
    if source.nodes[1].lower() == FILE_NET and recording is not None:
        return dc + np.interp(time, recording[:, 0], recording[:, 1])
    match source.wave:
        case "SIN":
            offset, amplitude, frequency, delay, damping, degrees = numbers
            late = np.maximum(time - delay, 0.0)
            phase = 2.0 * np.pi * frequency * late + np.radians(degrees)
            return offset + amplitude * np.exp(-damping * late) * np.sin(phase)
        case "PWL":
            return np.interp(time, numbers[::2], numbers[1::2])
        case _:
            return np.full(len(time), dc)
