"""A circuit as a PySpice netlist, with its input source."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeGuard

import numpy as np

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import GROUND
from lmu_analog.spice.clock import place_clock
from lmu_analog.spice.elements import place
from lmu_analog.stimulus import Recording, Stimulus, Tones

if TYPE_CHECKING:
    from PySpice.Spice.Netlist import Circuit as PySpiceCircuit

MOST_PWL_POINTS = (
    2000  # ngspice searches a PWL list from its start at every step; longer ones come from a file
)
RECORDING_FILE = "input.txt"
POINTS_A_LINE = 4
RAMP = 1e-3  # of a sample: how fast a recording that does not begin at zero gets there


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
    from PySpice.Spice.Netlist import Circuit as PySpiceCircuit

    written = PySpiceCircuit(f"{circuit.family} {circuit.realization}, order {circuit.order}")
    if rippling is None:
        _place_source(written, circuit.source, stimulus)
    else:
        written.V("in", circuit.source, GROUND, "DC 0")
    place(written, circuit.components, rippling=rippling)
    if circuit.clock is not None:
        place_clock(written, circuit.clock, start=lead(stimulus))
    for net, volts in circuit.rest:
        written.raw_spice += f".nodeset v({net})={volts!r}\n"
    return written


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


def needs_file(stimulus: Stimulus | None) -> TypeGuard[Recording]:
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
