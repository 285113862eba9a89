"""A circuit as a PySpice netlist, with its input source."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from lmu_analog.circuits.circuit import (
    GROUND,
    Capacitor,
    Circuit,
    Inductor,
    OpAmp,
    OpAmpModel,
    Resistor,
    Transconductor,
)
from lmu_analog.stimulus import Recording, Stimulus, Tones

if TYPE_CHECKING:
    from PySpice.Spice.Netlist import Circuit as PySpiceCircuit
    from PySpice.Spice.Netlist import SubCircuit

IDEAL_GAIN = 1e8  # stands for infinity: error 1e-8 times the noise gain, and ngspice still solves to 1e-12
MOST_PWL_POINTS = (
    2000  # ngspice searches a PWL list from its start at every step; longer ones come from a file
)
RECORDING_FILE = "input.txt"
POINTS_A_LINE = 4
RAMP = 1e-3  # of a sample: how fast a recording that does not begin at zero gets there


def netlist(circuit: Circuit, stimulus: Stimulus | None = None) -> PySpiceCircuit:
    """Write a circuit as a PySpice netlist, ready to simulate.

    Parameters
    ----------
    circuit : Circuit
    stimulus : Tones or Recording, optional
        The input; without it the source is 0 V with AC 1.

    Returns
    -------
    PySpice.Spice.Netlist.Circuit
        Element names are those of the circuit; op-amps are subcircuits, or E sources when ideal.
    """
    from PySpice.Spice.Netlist import Circuit as PySpiceCircuit

    written = PySpiceCircuit(f"{circuit.family} {circuit.realization}, order {circuit.order}")
    _place_source(written, circuit.source, stimulus)
    models: dict[OpAmpModel, str] = {}
    for c in circuit.components:
        name = c.name[1:]
        match c:
            case Resistor():
                written.R(name, c.a, c.b, c.value)
            case Capacitor():
                written.C(name, c.a, c.b, c.value)
            case Inductor():
                written.L(name, c.a, c.b, c.value)
            case Transconductor():
                # SPICE's current leaves the first node, so ground comes first.
                written.VCCS(name, GROUND, c.out, c.plus, c.minus, c.value)
            case OpAmp() if c.model.ideal:
                written.VCVS(name, c.out, GROUND, c.plus, c.minus, IDEAL_GAIN)
            case OpAmp():
                if c.model not in models:
                    models[c.model] = _model_name(c.model.name, len(models))
                    written.subcircuit(opamp_subcircuit(c.model, models[c.model]))
                written.X(name, models[c.model], c.plus, c.minus, c.out)
    return written


def opamp_subcircuit(model: OpAmpModel, name: str) -> SubCircuit:
    """Write a one-pole op-amp: input stage, pole, clamp outside the rails, limited output.

    The pole is 1 S into C = 1/w_t beside R = A0. The slew limit bends the input stage's current, the rails
    bend the output by tanh; feedback straightens it as long as there is loop gain. The clamp holds the
    pole's node near the rails, so that the op-amp recovers from overload.
    """
    from PySpice.Spice.Netlist import SubCircuit

    written = SubCircuit(name, "p", "n", "out")
    crossover = 2.0 * math.pi * model.gbw
    plus = "p"
    if model.offset:
        written.V("os", "q", "p", model.offset)
        plus = "q"
    if math.isfinite(model.slew):
        limit = model.slew / crossover
        written.BehavioralSource(
            "in", GROUND, "x", current_expression=f"{limit!r}*tanh(v({plus},n)/{limit!r})"
        )
    else:
        written.VCCS("in", GROUND, "x", plus, "n", 1.0)
    written.C("pole", "x", GROUND, 1.0 / crossover)
    if math.isfinite(model.gain):
        written.R("pole", "x", GROUND, model.gain)
    if math.isfinite(model.rail):
        clamp, rail = 4.0 * model.rail, model.rail
        current = f"1e3*(max(v(x)-{clamp!r},0)+min(v(x)+{clamp!r},0))"
        written.BehavioralSource("clamp", "x", GROUND, current_expression=current)
        written.BehavioralSource("out", "out", GROUND, voltage_expression=f"{rail!r}*tanh(v(x)/{rail!r})")
    else:
        written.VCVS("out", "out", GROUND, "x", GROUND, 1.0)
    return written


def _model_name(part: str, number: int) -> str:
    letters = "".join(c if c.isalnum() else "_" for c in part)
    return f"op_{letters}" if number == 0 else f"op_{letters}_{number}"


def lead(stimulus: Stimulus | None) -> float:
    """Time, s, by which a deck's clock is ahead of the recording's: a jump at its start needs a ramp."""
    if isinstance(stimulus, Recording) and stimulus.values[0] != 0.0:
        return stimulus.dt
    return 0.0


def recording_points(stimulus: Recording) -> np.ndarray:
    """Give the (n, 2) times, s, and volts of a recording on the deck's clock, at rest before it."""
    start = lead(stimulus)
    points = np.column_stack([stimulus.time + start, stimulus.values])
    if start:
        points = np.vstack([[0.0, 0.0], [start * (1.0 - RAMP), 0.0], points])
    return points


def needs_file(stimulus: Stimulus | None) -> bool:
    """Whether the deck reads its input from ``RECORDING_FILE`` beside it."""
    return isinstance(stimulus, Recording) and len(stimulus.values) > MOST_PWL_POINTS


def _place_source(written: PySpiceCircuit, net: str, stimulus: Stimulus | None) -> None:
    match stimulus:
        case None:
            written.V("in", net, GROUND, "DC 0 AC 1")
        case Tones():
            _place_tones(written, net, stimulus)
        case Recording() if needs_file(stimulus):
            written.V("in", net, "file", "DC 0 AC 1")
            written.raw_spice += (
                f"Ain %vd([file {GROUND}]) source\n"
                f'.model source filesource (file="{RECORDING_FILE}" amploffset=[0] amplscale=[1] '
                "timeoffset=0 timescale=1 timerelative=false amplstep=false)\n"
            )
        case Recording():
            pairs = [f"{t!r} {v!r}" for t, v in recording_points(stimulus).tolist()]
            lines = [" ".join(pairs[k : k + POINTS_A_LINE]) for k in range(0, len(pairs), POINTS_A_LINE)]
            written.V("in", net, GROUND, "DC 0 AC 1 PWL(" + "\n+ ".join(lines) + ")")


def _place_tones(written: PySpiceCircuit, net: str, tones: Tones) -> None:
    """One SIN source a tone, in series: cheap and exact."""
    phasors = tones.phasor
    count = len(phasors)
    for k, (f, phasor) in enumerate(zip(tones.frequency.tolist(), phasors.tolist(), strict=True)):
        below = GROUND if k == count - 1 else f"in{k}"
        above = net if k == 0 else f"in{k - 1}"
        # cos(wt + a) = sin(wt + a + 90 degrees), and SPICE's SIN takes degrees.
        degrees = math.degrees(math.atan2(phasor.imag, phasor.real)) + 90.0
        ac = "DC 0 AC 1 " if k == 0 else ""
        written.V(f"in{k}", above, below, f"{ac}SIN(0 {abs(phasor)!r} {f!r} 0 0 {degrees!r})")
