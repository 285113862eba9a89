"""The table of circuit families: which realizations each can implement, and who builds it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import Component, is_leakage, is_outside
from lmu_analog.circuits.families.active_rc import active_rc
from lmu_analog.circuits.families.crossbar import crossbar
from lmu_analog.circuits.families.differential import active_rc_differential
from lmu_analog.circuits.families.dpi import dpi
from lmu_analog.circuits.families.gm_c import gm_c
from lmu_analog.circuits.families.options import Options
from lmu_analog.circuits.families.passive import passive_rlc
from lmu_analog.circuits.families.switched_capacitor import switched_capacitor
from lmu_analog.circuits.families.synapse import rc_synapse
from lmu_analog.memory.realizations import Realization

Drawing = Literal["plain", "stages", "switched", "nodes", "synapses", "ladder", "crossbar", "dpi"]


@dataclass(frozen=True)
class Family:
    """A way to build circuits.

    Attributes
    ----------
    build : callable
        (realization, scale, options) -> Circuit, electrical rules checked.
    realizations : tuple of str
        What it can implement; the first is the default.
    model : {"linear", "sampled", "nonlinear"}
        Whether extraction gives the whole truth.
    about : str
        One line for people.
    on_chip : bool
        Whether its parts are made on a chip: no standard values, no ranges of parts on a board, nothing to order.
    drawing : one of ``Drawing``
        How one cell is drawn, and what drives what (``output/drawings/``); "plain" fits any circuit.
    cell : {"none", "stiff", "loaded"}
        Whether a network's cell can be made of such memories (single-ended, in continuous time, states as
        voltages), and whether their outputs drive resistors.
    has_taps : bool
        Whether outputs that show the window's content can be part of it.
    has_interface : bool
        Whether what stands around a memory on a board can be part of it, see ``circuits/interface.py``: an input
        buffer, a single supply, loads at its outputs.
    has_summers : bool
        Whether the algebraic variables of a realization have nets of their own, on which taps may find what they show.
    has_one_rail : bool
        Whether it runs from ground and the positive supply alone.
    """

    build: Callable[[Realization, np.ndarray, Options], Circuit]
    realizations: tuple[str, ...]
    model: Literal["linear", "sampled", "nonlinear"]
    about: str
    on_chip: bool = False
    drawing: Drawing = "plain"
    cell: Literal["none", "stiff", "loaded"] = "none"
    has_taps: bool = False
    has_interface: bool = False
    has_summers: bool = True
    has_one_rail: bool = False


def is_on_chip(circuit: Circuit) -> bool:
    """Tell whether a circuit's parts are made on a chip; a family that is not in the table has parts on a board."""
    row = FAMILIES.get(circuit.family)
    return row is not None and row.on_chip


def is_left_out(circuit: Circuit, component: Component) -> bool:
    """Tell what no list of parts and no schematic has: what nobody places, but for sources and supplies of a chip."""
    return is_leakage(component) or (is_outside(component) and not is_on_chip(circuit))


def drawing_of(circuit: Circuit) -> Drawing:
    """Tell how a circuit is drawn: as its family's row says, and plainly where it is in no table."""
    row = FAMILIES.get(circuit.family)
    return "plain" if row is None else row.drawing


# Realizations of integrators and one summer at most.
INTEGRATORS = (
    "cap-feedforward",
    "legendre",
    "orthonormal",
    "balanced",
    "contractive",
    "ladder",
    "block-ladder",
    "bus-ladder",
)

FAMILIES: dict[str, Family] = {
    "active-rc": Family(
        active_rc,
        INTEGRATORS,
        "linear",
        "op-amp integrators, inverters and a summer",
        drawing="stages",
        cell="stiff",
        has_taps=True,
        has_interface=True,
    ),
    "active-rc-differential": Family(
        active_rc_differential,
        INTEGRATORS,
        "linear",
        "fully differential op-amp integrators and a summer",
        drawing="stages",
        has_taps=True,
        has_interface=True,
    ),
    "gm-c": Family(
        gm_c,
        (*INTEGRATORS, "rlc-ladder"),
        "linear",
        "transconductors and grounded capacitors",
        on_chip=True,
        drawing="nodes",
        cell="loaded",
        has_taps=True,
    ),
    "rc-synapse": Family(
        rc_synapse,
        ("unit-weight", "principle3", "principle3-two-pole"),
        "linear",
        "first- or second-order synapse filters with recurrent weights",
        drawing="synapses",
        has_taps=True,
        has_interface=True,
    ),
    "switched-capacitor": Family(
        switched_capacitor,
        ("cap-feedforward", "legendre", "ladder"),
        "sampled",
        "two-phase switched-capacitor integrators, fully differential; theta follows the clock",
        on_chip=True,
        drawing="switched",
        has_taps=True,
        has_summers=False,
    ),
    "dpi": Family(
        dpi,
        ("unit-weight",),
        "nonlinear",
        "current-mode differential-pair integrators, transistors in weak inversion",
        on_chip=True,
        drawing="dpi",
        has_taps=True,
        has_one_rail=True,
    ),
    "passive-rlc": Family(
        passive_rlc,
        ("rlc-ladder",),
        "linear",
        "a doubly terminated ladder of resistors, inductors and capacitors",
        drawing="ladder",
        has_taps=True,
    ),
    "crossbar": Family(
        crossbar,
        ("unit-weight",),
        "linear",
        "pairs of on/off cells as weights, op-amps at the bit lines, first-order filters",
        on_chip=True,
        drawing="crossbar",
        has_taps=True,
    ),
}
