"""The memory as a doubly terminated ladder of inductors, capacitors and two resistors.

u --L_0--+--C_1--+--C_3--+-- ...      node 0, node 2, node 4, ...
         R       L_2     L_4          (to ground; the last node has R beside what it has)
"""

from dataclasses import replace

import numpy as np

from lmu_analog.circuits.circuit import Circuit, Term
from lmu_analog.circuits.components import (
    GROUND,
    INPUT,
    Ammeter,
    Capacitor,
    Component,
    Inductor,
    Resistor,
    Transconductor,
)
from lmu_analog.circuits.families.options import Options
from lmu_analog.circuits.rules import check
from lmu_analog.memory.realizations import Realization
from lmu_analog.memory.structure import Coefficient

FIRST_CAPACITOR = 6.0  # C_1 = theta/(6 R) sets R, at order 1 too


def passive_rlc(realization: Realization, scale: np.ndarray, options: Options) -> Circuit:
    """Map the RLC ladder onto itself, at the impedance level of its first series capacitor.

    L_0 = R theta/2, C_i = theta/(2 R (2i+1)) for odd i, L_i = R theta/(2(2i+1)) for even i >= 2,
    R = theta/(6 C). Then m_i = (2i+1) V(node i) for even i, and -(2i+1) R I(C_i) for odd i, which an
    ammeter, a source of 0 V, reads.

    Parameters
    ----------
    realization : Realization
        ``rlc-ladder``.
    scale : (v,) array
        Without effect: nothing in a passive circuit saturates, or could amplify.
    options : Options
        C, and ``variant``: with ``gyrator`` every inductor L is a capacitor L/R^2 behind transconductors
        1/R of ``transconductor``'s figures; their input range limits the signal, and their parasitic
        capacitance is left out at the ladder's own nodes.

    Returns
    -------
    Circuit
        Nets ``n0``, ``n2``, ... are the nodes, ``c1``, ``c3``, ... lie behind the capacitors.
    """
    order, theta = len(realization.readout), realization.theta
    level = theta / (FIRST_CAPACITOR * options.capacitance)
    parts: list[Component] = []
    for c in realization.structure.coefficients:  # all of them for R = 1 Ohm
        parts += _element(c, order, level)
    if options.variant == "gyrator":
        coils = {part.name: _gyrator(part, level, options) for part in parts if isinstance(part, Inductor)}
        parts = [new for part in parts for new in coils.get(part.name, [part])]
    probes = tuple(
        (Term("v", f"n{i}", 2.0 * i + 1.0),)
        if i % 2 == 0
        else (Term("i", f"V_{i}", -(2.0 * i + 1.0) * level),)
        for i in range(order)
    )
    return check(Circuit("passive-rlc", realization.name, theta, tuple(parts), probes))


def _element(c: Coefficient, order: int, level: float) -> list[Component]:
    kind, i = c.name[0], int(c.name[2:-1])
    match kind:
        case "L":
            ends = (INPUT, "n0") if i == 0 else (f"n{i}", GROUND)
            return [Inductor(f"L_{i}", *ends, c.value * level, c.name)]
        case "C":
            behind = f"c{i}"
            return [
                Capacitor(f"C_{i}", f"n{i - 1}", behind, c.value / level, c.name),
                Ammeter(f"V_{i}", behind, f"n{i + 1}", f"current of {c.name}"),
            ]
        case _:
            last = order - order % 2
            return [Resistor(f"R_{i}", "n0" if i == 0 else f"n{last}", GROUND, level / abs(c.value), c.name)]


def _gyrator(coil: Inductor, level: float, options: Options) -> list[Component]:
    """Integrate the voltage across on C = L/R^2 and turn the result into the current, by g = 1/R each."""
    i, g = coil.name.removeprefix("L_"), 1.0 / level
    inner, model, role = f"l{i}", options.transconductor, coil.role
    at_node = replace(model, parasitic=0.0)  # it would close a loop of capacitors through an ammeter
    parts: list[Component] = [
        Transconductor(f"Gin_{i}", inner, coil.a, coil.b, g, role, model=model),
        Capacitor(f"Cl_{i}", inner, GROUND, coil.value * g**2, role),
    ]
    if coil.b == GROUND:
        return [*parts, Transconductor(f"Gout_{i}", coil.a, GROUND, inner, g, role, model=at_node)]
    # The other end hangs on the source, which needs no current taken from it.
    return [*parts, Transconductor(f"Gout_{i}", coil.b, inner, GROUND, g, role, model=at_node)]
