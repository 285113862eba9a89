"""Self-contained decks: the netlist with its header, analysis and saved vectors."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from lmu_analog.circuits.circuit import Circuit, Term
from lmu_analog.spice.netlist import lead, netlist
from lmu_analog.stimulus import Recording, Stimulus, Tones

# Largest step of the trapezoidal rule, in thousandths of theta, for an error of 1e-4 of full scale over
# ten theta; measured at the band where the ideal memory is 1 % wrong. The error goes with its square.
STEP_ORDERS = (1.0, 3.0, 6.0, 12.0, 24.0, 48.0, 64.0)
STEP_PERMILLE = (4.0, 3.6, 1.9, 1.5, 1.1, 0.6, 0.5)
FINER = 0.5  # of that step: four times less error, so that ngspice's is small beside the circuit's
STEPS_PER_CYCLE = 250.0  # of the highest tone, where that is finer still


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
        For tones: the wait, one theta, one period. For a recording: all of it.
    """
    step = FINER * 1e-3 * float(np.interp(circuit.order, STEP_ORDERS, STEP_PERMILLE)) * circuit.theta
    match stimulus:
        case Tones():
            step = min(step, 1.0 / (STEPS_PER_CYCLE * float(stimulus.frequency.max())))
            return Transient(settle + circuit.theta + stimulus.period, step)
        case Recording():
            return Transient(lead(stimulus) + stimulus.duration, min(step, stimulus.dt))


def deck(
    circuit: Circuit, analysis: Analysis, stimulus: Stimulus | None = None, *, notes: tuple[str, ...] = ()
) -> str:
    """Write a deck that ``ngspice -b -r out.raw deck.cir`` runs.

    Parameters
    ----------
    circuit : Circuit
    analysis : Transient or Sweep
    stimulus : Tones or Recording, optional
    notes : tuple of str
        Lines for the header, for example seed and sample.

    Returns
    -------
    str
        Line 1 the title, then comments with a ``* probe`` line for every state, elements, analysis, saved
        vectors, ``.end``.
    """
    body = [
        line
        for line in str(netlist(circuit, stimulus)).splitlines()
        if line and not line.startswith(".title")
    ]
    lines = [
        f"Legendre memory, {circuit.family} {circuit.realization}, order {circuit.order}",
        f"* family = {circuit.family}",
        f"* realization = {circuit.realization}",
        f"* order = {circuit.order}",
        f"* theta = {circuit.theta!r}",
        *(f"* {_one_line(note)}" for note in notes),
        f"* input = v({circuit.source})",
        *(f"* probe m{i} = {expression(probe)}" for i, probe in enumerate(circuit.probes)),
        *body,
        # Newton must not stop short of the small signals of a memory; linear circuits do not mind.
        ".options reltol=1e-5 abstol=1e-14 vntol=1e-8",
        _card(analysis),
        ".save " + " ".join(saved(circuit)),
        ".end",
    ]
    return "\n".join(lines) + "\n"


def saved(circuit: Circuit) -> tuple[str, ...]:
    """Vectors that a deck saves: the input and all that the probes read."""
    return tuple(dict.fromkeys([f"v({circuit.source})", *(vector(t) for p in circuit.probes for t in p)]))


def vector(term: Term) -> str:
    """Name the vector that a term reads, in lower case as ngspice does."""
    return f"{term.kind}({term.of.lower()})"


def expression(probe: tuple[Term, ...]) -> str:
    """Write a probe as a linear expression."""
    text = " + ".join(f"{t.factor!r}*{vector(t)}" for t in probe)
    return text.replace("+ -", "- ")


def _card(analysis: Analysis) -> str:
    match analysis:
        case Transient():
            return f".tran {analysis.step!r} {analysis.stop!r} 0 {analysis.step!r}"
        case Sweep():
            return f".ac {analysis.spacing} {analysis.points} {analysis.start!r} {analysis.stop!r}"


def _one_line(text: str) -> str:
    """Keep a note from becoming anything but one comment."""
    return "".join(c if c.isprintable() else " " for c in text)[:200]
