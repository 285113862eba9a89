"""What a deck's inputs must be, read from its own text: ngspice's answer is compared with it after every run.

A card that ngspice reads otherwise than it stands (a function or parameter of a user's model under one of SPICE's own
names, for example) would otherwise give good numbers for another signal.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lmu_analog.errors import SimulationError

# Of the input's largest value. Measured in ngspice 39: 1e-13 for tones, points and files; phases of a million radians
# lose 1e-10.
_APART = 1e-6
INPUT = re.compile(r"\* input = v\((\S+)\)")
_SOURCE = re.compile(r"(V\S*) (\S+) (\S+) (.*)", re.IGNORECASE)
_WAVE = re.compile(r"(SIN|PWL)\(([^)]*)\)", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class _Source:
    """A voltage source between two nets: DC and AC value, and its wave with its numbers."""

    above: str
    below: str
    dc: float
    ac: float
    wave: str
    numbers: np.ndarray


def check_inputs(deck: str, vectors: dict[str, np.ndarray], *, recording: np.ndarray | None = None) -> None:
    """Compare the voltages at a deck's inputs with what its sources say.

    Parameters
    ----------
    deck : str
        Nets named by lines ``* input = v(net)`` are looked at, if the vectors have them.
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
    sources = {source.above: source for source in _sources(deck)} if nets else {}
    for net in nets:
        got = vectors.get(f"v({net})")
        chain = list(_chain(net, sources))
        if got is None or not chain:
            continue
        if "time" in vectors:
            wanted = sum(_wave(source, vectors["time"], recording) for source in chain)
        else:
            wanted = np.full(len(got), sum(source.ac for source in chain))
        largest = float(np.max(np.abs(wanted)))
        apart = float(np.max(np.abs(got - wanted)))
        if not apart <= _APART * largest + 1e-12:
            raise SimulationError(
                f"ngspice's input v({net}) differs from the signal by {apart:.3g} V: something in the deck, a model "
                "perhaps, changes the source",
                deck=deck,
            )


def _sources(deck: str) -> Iterator[_Source]:
    """Read the voltage sources outside of subcircuits."""
    within = 0
    for line in deck.replace("\n+", " ").splitlines()[1:]:
        within += {".subckt": 1, ".ends": -1}.get(line[:8].split(" ", 1)[0].lower(), 0)
        found = _SOURCE.fullmatch(line) if not within and line[:1] in "vV" else None
        if not found:
            continue
        rest = found[4]
        wave = _WAVE.search(rest)
        value = {word: re.search(rf"\b{word} (\S+)", rest) for word in ("DC", "AC")}
        plain = rest if re.fullmatch(r"\S+", rest) else "0"
        yield _Source(
            found[2].lower(),
            found[3].lower(),
            _number(value["DC"][1] if value["DC"] else plain),
            _number(value["AC"][1] if value["AC"] else "0"),
            wave[1].upper() if wave else "",
            np.array(wave[2].split(), float) if wave else np.zeros(0),
        )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _chain(net: str, sources: dict[str, _Source]) -> Iterator[_Source]:
    """Follow sources in series from a net to ground, or to the net that a file drives; none if they end elsewhere."""
    found: list[_Source] = []
    while net not in ("0", "file"):
        if net not in sources or len(found) > len(sources):
            return
        found.append(sources[net])
        net = sources[net].below
    yield from found


def _wave(source: _Source, time: np.ndarray, recording: np.ndarray | None) -> np.ndarray:
    """Evaluate a source at times, V."""
    if source.below == "file" and recording is not None:
        return source.dc + np.interp(time, recording[:, 0], recording[:, 1])
    match source.wave:
        case "SIN":
            offset, amplitude, frequency, delay, damping, degrees = source.numbers
            late = np.maximum(time - delay, 0.0)
            phase = 2.0 * np.pi * frequency * late + np.radians(degrees)
            return offset + amplitude * np.exp(-damping * late) * np.sin(phase)
        case "PWL":
            return np.interp(time, source.numbers[::2], source.numbers[1::2])
        case _:
            return np.full(len(time), source.dc)
