"""The table of circuit families: which realizations each can carry, and who builds it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lmu_analog.circuits.active_rc import active_rc
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.crossbar import crossbar
from lmu_analog.circuits.differential import active_rc_differential
from lmu_analog.circuits.dpi import dpi
from lmu_analog.circuits.gm_c import gm_c
from lmu_analog.circuits.options import Options
from lmu_analog.circuits.passive import passive_rlc
from lmu_analog.circuits.switched_capacitor import switched_capacitor
from lmu_analog.circuits.synapse import rc_synapse
from lmu_analog.memory.realizations import Realization


@dataclass(frozen=True)
class Family:
    """A way to build circuits.

    Attributes
    ----------
    build : callable
        (realization, scale, options) -> Circuit, electrical rules checked.
    realizations : tuple of str
        What it can carry; the first is the default.
    model : {"linear", "sampled", "nonlinear"}
        Whether extraction gives the whole truth.
    about : str
        One line for people.
    """

    build: Callable[[Realization, np.ndarray, Options], Circuit]
    realizations: tuple[str, ...]
    model: Literal["linear", "sampled", "nonlinear"]
    about: str


FAMILIES: dict[str, Family] = {
    "active-rc": Family(
        active_rc,
        ("cap-feedforward", "legendre", "orthonormal", "balanced", "ladder", "bus-ladder"),
        "linear",
        "op-amp integrators, inverters and a summer",
    ),
    "active-rc-differential": Family(
        active_rc_differential,
        ("cap-feedforward", "legendre", "orthonormal", "balanced", "ladder", "bus-ladder"),
        "linear",
        "fully differential op-amp integrators and a summer",
    ),
    "gm-c": Family(
        gm_c,
        ("cap-feedforward", "legendre", "orthonormal", "balanced", "ladder", "bus-ladder", "rlc-ladder"),
        "linear",
        "transconductors and grounded capacitors",
    ),
    "rc-synapse": Family(
        rc_synapse,
        ("unit-weight", "principle3", "principle3-two-pole"),
        "linear",
        "first- or second-order synapse filters with recurrent weights",
    ),
    "switched-capacitor": Family(
        switched_capacitor,
        ("cap-feedforward", "legendre", "ladder"),
        "sampled",
        "two-phase switched-capacitor integrators, fully differential; theta follows the clock",
    ),
    "dpi": Family(
        dpi,
        ("unit-weight",),
        "nonlinear",
        "current-mode differential-pair integrators, transistors in weak inversion",
    ),
    "passive-rlc": Family(
        passive_rlc,
        ("rlc-ladder",),
        "linear",
        "a doubly terminated ladder of resistors, inductors and capacitors",
    ),
    "crossbar": Family(
        crossbar,
        ("unit-weight",),
        "linear",
        "pairs of on/off cells as weights, op-amps at the bit lines, first-order filters",
    ),
}
