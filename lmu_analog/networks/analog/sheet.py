"""What a cell's circuit is: its parts, what they stand for, and the voltages of its signals."""

from dataclasses import dataclass, fields, replace

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import GROUND, Component
from lmu_analog.memory.statespace import StateSpace
from lmu_analog.networks.analog.options import CellOptions
from lmu_analog.networks.network import LMULayer

NETS = {"a", "b", "out", "plus", "minus", "drain", "gate", "source", "bulk"}  # fields that name a net


@dataclass(frozen=True)
class Levels:
    """Largest absolute values that a cell meets, which its voltages are scaled for.

    Attributes
    ----------
    x : float
        Of all inputs.
    u : float
        Of what drives the memories.
    """

    x: float
    u: float


@dataclass(frozen=True)
class Volts:
    """Volts that stand for 1 in the network: of inputs, memories, hidden units and arguments of tanh."""

    x: float
    memory: float
    hidden: float
    argument: float


@dataclass(frozen=True, eq=False)
class Cell:
    """A cell as a circuit.

    Attributes
    ----------
    circuit : Circuit
        Its probes give the hidden units, then the Legendre states of every memory, without unit.
    labels : tuple of str
        Names of the probes: h0, ..., m0_0, ...
    layer : LMULayer
        With the weights that the values of the parts make.
    memory : StateSpace
        Of one memory's circuit, from u to the Legendre states, in s.
    memory_circuit : Circuit
        Of one memory.
    sums : dict of tuple of Component
        The weighted sums, by their nets.
    step : float, s
    volts : Volts
    options : CellOptions
    """

    circuit: Circuit
    labels: tuple[str, ...]
    layer: LMULayer
    memory: StateSpace
    memory_circuit: Circuit
    sums: dict[str, tuple[Component, ...]]
    step: float
    volts: Volts
    options: CellOptions


def renamed(component: Component, prefix: str) -> Component:
    """Put a memory's part on the cell's sheet: its name and nets begin with ``prefix``, u included."""
    changes = {
        f.name: f"{prefix}{getattr(component, f.name)}"
        for f in fields(component)
        if f.name in NETS and getattr(component, f.name) != GROUND
    }
    return replace(component, name=f"{component.name[0]}{prefix}{component.name[1:]}", **changes)
