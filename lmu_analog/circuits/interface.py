"""What stands around a memory: the loads at its outputs.

Families know nothing of it: each function takes a finished circuit and gives it with more parts.
"""

from dataclasses import dataclass, replace

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import GROUND, LOAD, Capacitor, Component, Resistor
from lmu_analog.circuits.rules import check


@dataclass(frozen=True)
class Load:
    """What a receiver puts between an output and ground.

    Attributes
    ----------
    resistance : float or None, Ohm
    capacitance : float or None, F
    """

    resistance: float | None = None
    capacitance: float | None = None


def output_nets(circuit: Circuit) -> tuple[str, ...]:
    """Give the nets that receivers are connected to: those of the taps, or of the states where there are none."""
    read = [tap.terms for tap in circuit.taps] or circuit.probes
    return tuple(dict.fromkeys(term.of for terms in read for term in terms if term.kind == "v"))


def loaded(circuit: Circuit, load: Load) -> Circuit:
    """Put a load at every output; of a pair of nets at each.

    Parameters
    ----------
    circuit : Circuit
    load : Load

    Returns
    -------
    Circuit
        With resistors ``Rload_...`` and capacitors ``Cload_...`` to ground that never deviate: they are the receiver's.
    """
    parts: list[Component] = []
    for net in output_nets(circuit):
        if load.resistance is not None:
            parts.append(Resistor(f"Rload_{net}", net, GROUND, load.resistance, LOAD, ()))
        if load.capacitance is not None:
            parts.append(Capacitor(f"Cload_{net}", net, GROUND, load.capacitance, LOAD, ()))
    return check(replace(circuit, components=(*circuit.components, *parts)))
