"""The table of circuit families: which realizations each can carry, and who builds it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from lmu_analog.circuits.active_rc import active_rc
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.synapse import rc_synapse


@dataclass(frozen=True)
class Family:
    """A way to build circuits.

    Attributes
    ----------
    build : callable
        (realization, scale, *, capacitance, opamp) -> Circuit.
    realizations : tuple of str
        What it can carry; the first is the default.
    model : {"linear", "sampled", "nonlinear"}
        Whether extraction gives the whole truth.
    about : str
        One line for people.
    """

    build: Callable[..., Circuit]
    realizations: tuple[str, ...]
    model: Literal["linear", "sampled", "nonlinear"]
    about: str


FAMILIES: dict[str, Family] = {
    "active-rc": Family(
        active_rc,
        ("cap-feedforward", "legendre", "orthonormal"),
        "linear",
        "op-amp integrators, inverters and a summer",
    ),
    "rc-synapse": Family(
        rc_synapse,
        ("unit-weight", "principle3"),
        "linear",
        "first-order synapse filters with recurrent weights",
    ),
}
