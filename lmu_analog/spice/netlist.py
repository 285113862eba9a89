"""A circuit with its input source as cards, and cards as a PySpice netlist."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeGuard

import numpy as np

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import GROUND
from lmu_analog.errors import CircuitError
from lmu_analog.spice.cards import (
    FILE_NET,
    FILE_SOURCE,
    Card,
    Directive,
    Element,
    Model,
    Source,
    Subcircuit,
    directive,
    number,
)
from lmu_analog.spice.elements import clock_cards, element_cards, library
from lmu_analog.stimulus import Recording, Stimulus, Tones

if TYPE_CHECKING:
    from PySpice.Spice.Netlist import Circuit as PySpiceCircuit
    from PySpice.Spice.Netlist import Netlist

MOST_PWL_POINTS = (
    2000  # ngspice searches a PWL list from its start at every step; longer ones come from a file
)
RECORDING_FILE = "input.txt"
_NUMBERS_A_LINE = 8  # of a PWL list: four points
_RAMP = 1e-3  # of a sample: how fast a recording that does not begin at zero gets there
# Cards stand in this order, as PySpice writes them: definitions before their use, models last.
_ORDER: dict[type, int] = {Directive: 0, Subcircuit: 1, Element: 2, Source: 2, Model: 3}


def netlist(
    circuit: Circuit, stimulus: Stimulus | None = None, *, rippling: str | None = None
) -> PySpiceCircuit:
    """Write a circuit as a PySpice netlist, ready to simulate.

    Parameters
    ----------
    circuit : Circuit
    stimulus : Tones or Recording, optional
        The input; without it the source is 0 V with AC 1.
    rippling : str, optional
        A supply of the circuit that has AC 1 in place of the input.

    Returns
    -------
    PySpice.Spice.Netlist.Circuit
        Element names are those of the circuit; op-amps are subcircuits, or E sources when ideal.
    """
    title = f"{circuit.family} {circuit.realization}, order {circuit.order}"
    return pyspice(title, circuit_cards(circuit, stimulus, rippling=rippling), library(circuit.components))


def circuit_cards(
    circuit: Circuit, stimulus: Stimulus | None = None, *, rippling: str | None = None
) -> tuple[Card, ...]:
    """Give the cards of a circuit and of its input, as ``netlist`` takes them, in the order of a deck."""
    sources = (
        _source_cards(circuit.source, stimulus)
        if rippling is None
        else [Source("Vin", (circuit.source, GROUND), "0")]
    )
    found = [*sources, *element_cards(circuit.components, rippling=rippling)]
    if circuit.clock is not None:
        found += clock_cards(circuit.clock, start=lead(stimulus))
    found += [directive(f".nodeset v({net})={volts!r}") for net, volts in circuit.operating_point]
    return ordered(found)


def ordered(cards: Iterable[Card]) -> tuple[Card, ...]:
    """Sort cards as they stand in a deck; those of one sort keep their order."""
    return tuple(sorted(cards, key=lambda card: _ORDER[type(card)]))


def pyspice(title: str, cards: Iterable[Card], library: str = "") -> PySpiceCircuit:
    """Build a PySpice netlist from cards, and the text of users' models, which stands in it as it is."""
    from PySpice.Spice.Netlist import Circuit as PySpiceCircuit

    written = PySpiceCircuit(title)
    raw = [library] if library else []
    for card in cards:
        match card:
            case Directive():
                raw.append(f".{card.word} {card.rest}")
            case Source(wave="FILE"):
                above, _ = card.nodes
                written.V(card.name[1:], above, FILE_NET, _drive(card))
                raw = [
                    f"Ain %vd([{FILE_NET} {GROUND}]) {FILE_SOURCE}",
                    f'.model {FILE_SOURCE} filesource (file="{card.numbers[0]}" amploffset=[0] amplscale=[1] '
                    "timeoffset=0 timescale=1 timerelative=false amplstep=false)",
                    *raw,
                ]
            case _:
                _put(written, card)
    written.raw_spice = "".join(f"{line}\n" for line in raw)
    return written


def _put(written: Netlist, card: Card) -> None:
    """Put one card into a PySpice netlist or subcircuit."""
    from PySpice.Spice.Netlist import SubCircuit

    match card:
        case Element():
            _put_element(written, card)
        case Source():
            place_source = written.I if card.name[0] == "I" else written.V
            # Sources of subcircuits are constant, and their value stands alone.
            text = card.dc if isinstance(written, SubCircuit) else _drive(card)
            place_source(card.name[1:], *card.nodes, text)
        case Model():
            written.model(card.name, card.kind, **card.figures)
        case Subcircuit():
            inner = SubCircuit(card.name, *card.pins)
            for part in card.cards:
                _put(inner, part)
            written.subcircuit(inner)
        case Directive():
            raise CircuitError(f".{card.word} stands within a subcircuit, where our decks have none")


def _put_element(written: Netlist, card: Element) -> None:
    name, nodes, value = card.name[1:], card.nodes, card.value
    match card.name[0]:
        case "R" | "C" | "L" as letter:
            getattr(written, letter)(name, *nodes, float(value))
        case "E":
            written.VCVS(name, *nodes, value)
        case "G":
            written.VCCS(name, *nodes, value)
        case "B":
            quantity, _, expression = value.partition("=")
            written.BehavioralSource(name, *nodes, **{quantity: expression})
        case "S":
            written.VoltageControlledSwitch(name, *nodes, model=value)
        case "X":
            written.X(name, value, *nodes)
        case letter:
            raise CircuitError(f"{card.name}: our decks have no elements {letter}...")


def _drive(card: Source) -> str:
    """Write what a source does, in ngspice's words."""
    wave = ""
    if card.wave and card.wave != "FILE":
        step = _NUMBERS_A_LINE if card.wave == "PWL" else len(card.numbers)
        starts = range(0, len(card.numbers), step)
        lines = [" ".join(card.numbers[k : k + step]) for k in starts]
        wave = f"{card.wave}(" + "\n+ ".join(lines) + ")"
    parts = (f"DC {card.dc}" if card.dc else "", f"AC {card.ac}" if card.ac else "", wave)
    return " ".join(part for part in parts if part)


def lead(stimulus: Stimulus | None) -> float:
    """Time, s, by which a deck's clock is ahead of the recording's: a jump at its start needs a ramp."""
    if isinstance(stimulus, Recording) and stimulus.values[0] != 0.0:
        return stimulus.dt
    return 0.0


def recording_points(stimulus: Recording) -> np.ndarray:
    """Give the (n, 2) times, s, and volts of a recording on the deck's clock, zero before it."""
    start = lead(stimulus)
    points = np.column_stack([stimulus.time + start, stimulus.values])
    if start:
        points = np.vstack([[0.0, 0.0], [start * (1.0 - _RAMP), 0.0], points])
    return points


def needs_file(stimulus: Stimulus | None) -> TypeGuard[Recording]:
    """Whether the deck reads its input from ``RECORDING_FILE`` beside it."""
    return isinstance(stimulus, Recording) and len(stimulus.values) > MOST_PWL_POINTS


def _source_cards(net: str, stimulus: Stimulus | None) -> Iterator[Source]:
    match stimulus:
        case None:
            yield Source("Vin", (net, GROUND), "0", "1")
        case Tones():
            yield from _tones(net, stimulus)
        case Recording() if needs_file(stimulus):
            yield Source("Vin", (net, GROUND), "0", "1", "FILE", (RECORDING_FILE,))
        case Recording():
            yield Source("Vin", (net, GROUND), "0", "1", "PWL", points_text(recording_points(stimulus)))


def points_text(points: np.ndarray) -> tuple[str, ...]:
    """Write (n, 2) times and values as the numbers of a PWL source."""
    return tuple(repr(value) for point in np.asarray(points, float).tolist() for value in point)


def _tones(net: str, tones: Tones) -> Iterator[Source]:
    """One SIN source a tone, in series: cheap and exact."""
    phasors = tones.phasor
    count = len(phasors)
    for k, (f, phasor) in enumerate(zip(tones.frequency.tolist(), phasors.tolist(), strict=True)):
        below = GROUND if k == count - 1 else f"in{k}"
        above = net if k == 0 else f"in{k - 1}"
        # cos(wt + a) = sin(wt + a + 90 degrees), and SPICE's SIN takes degrees.
        degrees = math.degrees(math.atan2(phasor.imag, phasor.real)) + 90.0
        dc, ac = ("0", "1") if k == 0 else ("", "")
        wave = ("0", number(abs(phasor)), number(f), "0", "0", number(degrees))
        yield Source(f"Vin{k}", (above, below), dc, ac, "SIN", wave)
