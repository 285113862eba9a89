"""Decks of circuits with several inputs, each a list of points in time.

All inputs are 0 V at the start, so that the transient starts at the DC operating point. ``uic`` would start with all
nets at 0 V, but transistors do not find their way from there.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import GROUND, Mosfet, Supply
from lmu_analog.errors import DesignError
from lmu_analog.spice.cards import Deck, Directive, Source, directive
from lmu_analog.spice.deck import OPTIONS, Transient, analysis_line, expression, options, vector, written
from lmu_analog.spice.elements import EDGE, clock_cards, element_cards, library
from lmu_analog.spice.netlist import MOST_PWL_POINTS, ordered, points_text

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
        starts with the voltages of its ``operating_point``.
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
    parts = [c for c in circuit.components if not (isinstance(c, Supply) and c.a in inputs)]
    elements = [
        *(_source(net, points, ac="1" if net == circuit.source else "") for net, points in inputs.items()),
        *element_cards(parts),
        *(() if circuit.clock is None else clock_cards(circuit.clock, start=0.0, gap=EDGE)),
    ]
    comments = (
        f"theta = {circuit.theta!r}",
        *notes,
        *(f"input = v({net})" for net in inputs),
        *(f"probe {label} = {expression(probe)}" for label, probe in probes),
    )
    cards = (
        *ordered(elements),
        *(Directive("ic", f"v({net})={volts!r}") for net, volts in circuit.operating_point),
        directive(
            _TRANSISTOR_OPTIONS if circuit.clock is None and circuit.only(Mosfet) else options(circuit)
        ),
        directive(analysis_line(analysis)),
        Directive("save", " ".join(dict.fromkeys(wanted))),
    )
    return written(Deck(f"{circuit.family}, {circuit.realization}", comments, cards, library(parts)))


def _source(net: str, points: np.ndarray, *, ac: str) -> Source:
    if len(points) > MOST_PWL_POINTS:
        raise DesignError(
            f"input {net} has {len(points)} points, and ngspice takes {MOST_PWL_POINTS} in reasonable time; "
            "give fewer steps, or use the exact engine"
        )
    return Source(f"V{net}", (net, GROUND), "0", ac, "PWL", points_text(points))
