"""Decks of circuits with several inputs, each a list of points in time.

All inputs are 0 V at the start, so that the operating point is rest; ``uic`` would be rest too, but transistors
do not find their way from there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import GROUND, Inductor, Mosfet, Supply
from lmu_analog.errors import DesignError
from lmu_analog.spice.clock import EDGE, place_clock
from lmu_analog.spice.deck import CLOCKED_OPTIONS, FLUX, OPTIONS, Transient, expression, vector
from lmu_analog.spice.elements import place
from lmu_analog.spice.netlist import MOST_PWL_POINTS, POINTS_A_LINE

_TRANSISTOR_OPTIONS = OPTIONS.replace("abstol=1e-14", "abstol=1e-12")  # a tighter one never ends


def driven_deck(
    circuit: Circuit,
    analysis: Transient,
    inputs: Mapping[str, np.ndarray],
    *,
    labels: Sequence[str],
    notes: Sequence[str] = (),
) -> str:
    """Write a deck that ``ngspice -b -r out.raw deck.cir`` runs.

    Parameters
    ----------
    circuit : Circuit
        Its source and all other driven nets, at each of which a ``Supply`` stands, have an entry in ``inputs``; it
        starts with the voltages of its ``rest``.
    analysis : Transient
    inputs : dict of net to (n, 2) array
        Times, s, and volts; straight between.
    labels : sequence of str
        What each probe of the circuit is called.
    notes : sequence of str
        Lines for the header.

    Raises
    ------
    DesignError
        If an input has more points than ngspice searches in reasonable time.
    """
    probes = list(zip(labels, circuit.probes, strict=True))
    wanted = [f"v({net})" for net in inputs] + [vector(term) for _, probe in probes for term in probe]
    lines = [
        f"{circuit.family}, {circuit.realization}",
        f"* theta = {circuit.theta!r}",
        *(f"* {note}" for note in notes),
        *(f"* input = v({net})" for net in inputs),
        *(f"* probe {label} = {expression(probe)}" for label, probe in probes),
        *_body(circuit, inputs),
        *(f".ic v({net})={volts!r}" for net, volts in circuit.rest),
        _options(circuit),
        f".tran {analysis.step!r} {analysis.stop!r} 0 {analysis.step!r}",
        ".save " + " ".join(dict.fromkeys(wanted)),
        ".end",
    ]
    return "\n".join(lines) + "\n"


def _body(circuit: Circuit, inputs: Mapping[str, np.ndarray]) -> list[str]:
    from PySpice.Spice.Netlist import Circuit as PySpiceCircuit

    written = PySpiceCircuit(circuit.family)
    for net, points in inputs.items():
        written.V(net, net, GROUND, f"DC 0{' AC 1' if net == circuit.source else ''} {_pwl(net, points)}")
    place(written, [c for c in circuit.components if not (isinstance(c, Supply) and c.a in inputs)])
    if circuit.clock is not None:
        place_clock(written, circuit.clock, start=0.0, gap=EDGE)
    return [line for line in str(written).splitlines() if line and not line.startswith(".title")]


def _pwl(net: str, points: np.ndarray) -> str:
    if len(points) > MOST_PWL_POINTS:
        raise DesignError(
            f"input {net} has {len(points)} points, and ngspice takes {MOST_PWL_POINTS} in reasonable time; "
            "give fewer steps, or use the exact engine"
        )
    pairs = [f"{t!r} {v!r}" for t, v in np.asarray(points, float).tolist()]
    lines = [" ".join(pairs[k : k + POINTS_A_LINE]) for k in range(0, len(pairs), POINTS_A_LINE)]
    return "PWL(" + "\n+ ".join(lines) + ")"


def _options(circuit: Circuit) -> str:
    if circuit.clock is not None:
        return CLOCKED_OPTIONS
    if circuit.only(Mosfet):
        return _TRANSISTOR_OPTIONS
    return f"{OPTIONS} chgtol={FLUX * circuit.theta!r}" if circuit.only(Inductor) else OPTIONS
