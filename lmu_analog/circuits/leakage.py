"""Capacitors that leak: an insulation resistance beside each."""

from dataclasses import replace

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import Capacitor, Component, Resistor, leakage_of
from lmu_analog.circuits.rules import check
from lmu_analog.errors import CircuitError


def leaky(circuit: Circuit, time_constant: float) -> Circuit:
    """Put an insulation resistance beside every capacitor.

    Parameters
    ----------
    circuit : Circuit
        Linear, or at transistor level; its small-signal equivalent leaks alike.
    time_constant : float, s
        Insulation resistance times capacitance, as data sheets state it (Ohm F). An integrator then forgets
        with this time constant; the window error is about theta/(sqrt(3) time_constant).

    Returns
    -------
    Circuit
        With resistors ``Rleak_...`` that never deviate.

    Raises
    ------
    CircuitError
        If the time constant is not positive.
    """
    if not time_constant > 0.0:
        raise CircuitError(f"time constant of the leakage = {time_constant:g} s; it must be positive")
    leaks: list[Component] = [
        Resistor(f"Rleak_{c.name}", c.a, c.b, time_constant / c.value, leakage_of(c.name), ())
        for c in circuit.only(Capacitor)
    ]
    linear = None if circuit.small_signal is None else leaky(circuit.small_signal, time_constant)
    return check(replace(circuit, components=(*circuit.components, *leaks), small_signal=linear))
