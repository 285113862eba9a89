"""Self-contained decks: the netlist with its header, analysis and saved vectors."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from lmu_analog.circuits.circuit import Circuit, Output, Term, reading_taps
from lmu_analog.circuits.components import Bias, Inductor, Mosfet
from lmu_analog.errors import DesignError
from lmu_analog.spice.cards import Deck, Directive, directive
from lmu_analog.spice.elements import library
from lmu_analog.spice.netlist import circuit_cards, lead, pyspice
from lmu_analog.stimulus import Recording, Stimulus, Tones

# Largest step of the trapezoidal rule, in thousandths of theta, for an error of 1e-4 of full scale over
# ten theta; measured at the band where the ideal memory is 1 % wrong. The error goes with its square.
_STEP_ORDERS = (1.0, 3.0, 6.0, 12.0, 24.0, 48.0, 64.0)
_STEP_PERMILLE = (4.0, 3.6, 1.9, 1.5, 1.1, 0.6, 0.5)
_FINER = 0.5  # of that step: four times less error, so that ngspice's is small beside the circuit's
MOST_VALUES = 1e8  # steps times vectors: about 4 GB, and some minutes
SPARE_TICKS = 2.0
_STEPS_PER_TICK = 10.0  # of a clock: charges settle to where they must whatever the step on the way
_STEPS_PER_CYCLE = 250.0  # of the highest tone, where that is finer still

# Newton must not stop short of the small signals of a memory; linear circuits do not mind.
OPTIONS = ".options reltol=1e-5 abstol=1e-14 vntol=1e-8"
# Absolute tolerance of transistor circuits beside their smallest bias, and the most: a tighter one never ends.
BIAS_SHARE, LOOSEST = 3e-5, 1e-12
# What ngspice leaves between every net and ground after stepping to an operating point; its default, 1e-12 S,
# is some picoamperes, too much beside currents in weak inversion.
_GMIN = "gmin=1e-18"
# Flux, in V times theta, below which ngspice does not watch a coil: its default, 1e-14 Vs, is a rounding error
# of such coils and drives the step to zero. The largest step keeps the accuracy.
_FLUX = 1e-5
# Stiff: the trapezoidal rule would ring at every edge, Gear's second order does not. What charges do on the way
# to rest is without interest, hence the loose step control (trtol, chgtol); a tight one fails at the edges.
TRTOL, CLOCKED_TRTOL = 7.0, 1e5  # ngspice's own, and that of clocked circuits
_CLOCKED_OPTIONS = ".options method=gear reltol=1e-5 abstol=1e-12 vntol=1e-8 trtol=1e5 chgtol=1e-12"


# Seconds that ngspice takes for a time step, by what is in the circuit; measured to within a factor of two on one
# processor of 2023, orders 3 to 24 of six families. Clocked circuits take seven steps where one is asked for.
SECONDS_A_PART, SECONDS_AN_AMPLIFIER, SECONDS_A_TRANSISTOR = 5e-7, 1.5e-5, 2e-5
_CLOCKED_STEPS = 7.0


@dataclass(frozen=True)
class Transient:
    """Transient analysis from 0 to ``stop``, s, with the largest step ``step``, s."""

    stop: float
    step: float


@dataclass(frozen=True)
class Sweep:
    """AC analysis at ``points`` frequencies from ``start`` to ``stop``, Hz."""

    points: int
    start: float
    stop: float
    spacing: Literal["lin", "dec"] = "lin"


Analysis = Transient | Sweep


def transient(circuit: Circuit, stimulus: Stimulus, *, settle: float) -> Transient:
    """Choose stop and step for a circuit.

    Parameters
    ----------
    circuit : Circuit
    stimulus : Stimulus
    settle : float, s
        What to wait for a steady state; without effect for a recording, which starts from rest.

    Returns
    -------
    Transient
        For tones: the wait, one theta, one period. For a recording: all of it. With a clock, two of its
        periods more, so that the last time of the evaluation grid lies between samples.
    """
    step = _FINER * 1e-3 * float(np.interp(circuit.order, _STEP_ORDERS, _STEP_PERMILLE)) * circuit.theta
    match stimulus:
        case Tones():
            stop = settle + circuit.theta + stimulus.period
            step = min(step, 1.0 / (_STEPS_PER_CYCLE * float(stimulus.frequency.max())))
        case Recording():
            stop, step = lead(stimulus) + stimulus.duration, min(step, stimulus.dt)
    found = _bounded(Transient(stop, step), circuit)
    if circuit.clock is None:
        return found
    clocked = Transient(stop + SPARE_TICKS / circuit.clock, 1.0 / (_STEPS_PER_TICK * circuit.clock))
    return _bounded(clocked, circuit)


def step_seconds(circuit: Circuit) -> float:
    """Estimate how long ngspice takes for one of the steps that ``transient`` asks for, s."""
    seconds = SECONDS_A_PART * len(circuit.components)
    seconds += SECONDS_AN_AMPLIFIER * sum(not c.model.ideal for c in circuit.amplifiers)
    seconds += SECONDS_A_TRANSISTOR * len(circuit.only(Mosfet))
    return seconds if circuit.clock is None else _CLOCKED_STEPS * seconds


def _bounded(analysis: Transient, circuit: Circuit) -> Transient:
    """Refuse a deck that would run for hours or fill the memory."""
    steps = analysis.stop / analysis.step
    if steps * (circuit.order + 2) > MOST_VALUES:
        raise DesignError(
            f"[signal] is too slow, fast or long beside theta = {circuit.theta:g} s: a deck would take "
            f"{steps:.2g} steps, at most {MOST_VALUES / (circuit.order + 2):.2g} are accepted at order "
            f"{circuit.order}; bring theta and the signal's times closer, or use the exact engine"
        )
    return analysis


def deck(
    circuit: Circuit,
    analysis: Analysis,
    stimulus: Stimulus | None = None,
    *,
    notes: tuple[str, ...] = (),
    rippling: str | None = None,
) -> str:
    """Write a deck that ``ngspice -b -r out.raw deck.cir`` runs.

    Parameters
    ----------
    circuit : Circuit
    analysis : Transient or Sweep
    stimulus : Tones or Recording, optional
    notes : tuple of str
        Lines for the header, for example seed and sample.
    rippling : str, optional
        A supply of the circuit that has AC 1 in place of the input.

    Returns
    -------
    str
        Line 1 the title, then comments with a ``* probe`` line for every state, elements, analysis, saved
        vectors, ``.end``.
    """
    return written(described(circuit, analysis, stimulus, notes=notes, rippling=rippling))


def described(
    circuit: Circuit,
    analysis: Analysis,
    stimulus: Stimulus | None = None,
    *,
    notes: tuple[str, ...] = (),
    rippling: str | None = None,
) -> Deck:
    """Give what a deck says, for any dialect; the arguments are those of ``deck``."""
    comments = (
        f"family = {circuit.family}",
        f"realization = {circuit.realization}",
        f"order = {circuit.order}",
        f"theta = {circuit.theta!r}",
        *([] if circuit.clock is None else [_clock(circuit)]),
        *(_one_line(note) for note in notes),
        f"input = v({circuit.source})",
        *(f"probe m{i} = {expression(probe)}" for i, probe in enumerate(circuit.probes)),
        *(f"{t.name} = {expression(t.terms)}, {t.gain!r} times {_wanted(t)}" for t in circuit.taps),
    )
    from_rest = " uic" if circuit.clock is not None and isinstance(analysis, Transient) else ""
    cards = (
        *circuit_cards(circuit, stimulus, rippling=rippling),
        directive(options(circuit) + _long_steps(circuit, analysis)),
        directive(analysis_line(analysis) + from_rest),
        Directive("save", " ".join(saved(circuit))),
    )
    title = f"Legendre memory, {circuit.family} {circuit.realization}, order {circuit.order}"
    return Deck(title, comments, cards, library(circuit.components))


def _clock(circuit: Circuit) -> str:
    taps = ", and what taps show of them half a period later" if circuit.taps else ""
    return f"clock = {circuit.clock!r}, states are valid at its multiples{taps}"


def _wanted(tap: Output) -> str:
    if tap.of.weights is None:
        return f"u(t - {tap.of.r!r} theta)"
    return " + ".join(f"{w!r}*m{i}" for i, w in enumerate(tap.of.weights) if w).replace("+ -", "- ")


def written(of: Deck) -> str:
    """Write a deck for ngspice; PySpice writes its elements."""
    last = [c for c in of.cards if isinstance(c, Directive) and c.word != "nodeset"]
    first = of.cards[: len(of.cards) - len(last)]
    elements = str(pyspice(of.title, first, of.library))
    lines = [
        of.title,
        *(f"* {comment}" for comment in of.comments),
        *(line for line in elements.splitlines() if line and not line.startswith(".title")),
        *(f".{c.word} {c.rest}" for c in last),
        ".end",
    ]
    return "\n".join(lines) + "\n"


def options(circuit: Circuit) -> str:
    """Choose ngspice's tolerances for a circuit."""
    if circuit.clock is not None:
        return _CLOCKED_OPTIONS
    if circuit.only(Mosfet):
        biases = [abs(c.value) for c in circuit.only(Bias) if c.value]
        tolerance = min(LOOSEST, BIAS_SHARE * min(biases)) if biases else 1e-14
        return f"{OPTIONS.replace('1e-14', repr(tolerance))} {_GMIN}"
    return f"{OPTIONS} chgtol={_FLUX * circuit.theta!r}" if circuit.only(Inductor) else OPTIONS


def _long_steps(circuit: Circuit, analysis: Analysis) -> str:
    """Let ngspice take steps of more than a second.

    Where currents change little, its bound of the truncation error (spice3 ``CKTterr``) is a step of sqrt(trtol) s,
    2.6 s, whatever the tolerances: theta = 1e6 s would take 17 million steps in place of 25 thousand.
    """
    if not isinstance(analysis, Transient) or analysis.step <= 1.0:
        return ""
    return f" trtol={(TRTOL if circuit.clock is None else CLOCKED_TRTOL) * analysis.step**2!r}"


def saved(circuit: Circuit) -> tuple[str, ...]:
    """Vectors that a deck saves: the input and all that the probes read."""
    read = [t for terms in reading_taps(circuit).probes for t in terms]
    return tuple(dict.fromkeys([f"v({circuit.source})", *map(vector, read)]))


def vector(term: Term) -> str:
    """Name the vector that a term reads, in lower case as ngspice does."""
    return f"{term.kind}({term.of.lower()})"


def expression(probe: tuple[Term, ...]) -> str:
    """Write a probe as a linear expression."""
    text = " + ".join(f"{t.factor!r}*{vector(t)}" for t in probe)
    return text.replace("+ -", "- ")


def analysis_line(analysis: Analysis) -> str:
    """Write the card of an analysis."""
    match analysis:
        case Transient():
            return f".tran {analysis.step!r} {analysis.stop!r} 0 {analysis.step!r}"
        case Sweep():
            return f".ac {analysis.spacing} {analysis.points} {analysis.start!r} {analysis.stop!r}"


def _one_line(text: str) -> str:
    """Keep a note from becoming anything but one comment."""
    return "".join(c if c.isprintable() else " " for c in text)[:200]
