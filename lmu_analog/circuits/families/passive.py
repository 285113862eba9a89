"""The memory as a doubly terminated ladder of inductors, capacitors and two resistors.

u --L_0--+--C_1--+--C_3--+-- ...      node 0, node 2, node 4, ...
         R       L_2     L_4          (to ground; the last node has R beside what it has)

Taps are amplifiers beside it that leave it as it is, see ``sensing``.
"""

import math
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
from lmu_analog.circuits.families.options import Options, voltage_taps
from lmu_analog.circuits.families.sensing import (
    foot,
    sense_gains,
    sensed_sums,
    transconductor_sums,
    variables_by_senses,
    weights_of_taps,
)
from lmu_analog.circuits.rules import check
from lmu_analog.errors import DesignError
from lmu_analog.memory.realizations import Realization
from lmu_analog.memory.structure import Coefficient

LARGEST_SHARE = 0.5  # of a coil: beyond it the phase error of the op-amp, which stays, is worse
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
        Without effect on the ladder: nothing in a passive circuit saturates, or could amplify. Amplifiers of taps
        stay within it.
    options : Options
        C, taps and their op-amp, and ``variant``: with ``gyrator`` every inductor L is a capacitor L/R^2 behind
        transconductors 1/R of ``transconductor``'s figures; their input range limits the signal, and their parasitic
        capacitance is left out at the ladder's own nodes. With ``predistort`` a coil that stands on an op-amp's
        input is smaller by the inductance of that, which is its resistor over the op-amp's crossover.

    Returns
    -------
    Circuit
        Nets ``n0``, ``n2``, ... are the nodes, ``c1``, ``c3``, ... lie behind the capacitors; amplifiers
        have the voltages of nodes on ``a0``, ... and the currents of coils on ``i2``, ...

    Raises
    ------
    DesignError
        If a tap takes what is there and is no voltage, or an op-amp's input is more than half of a coil.
    """
    order, theta = len(realization.readout), realization.theta
    level = theta / (FIRST_CAPACITOR * options.capacitance)
    weights = weights_of_taps(realization, scale, options)
    gyrators = options.variant == "gyrator"
    gains = {} if gyrators else sense_gains(weights, realization, scale)
    parts: list[Component] = []
    for c in realization.structure.coefficients:  # all of them for R = 1 Ohm
        if c.row not in options.own_nets:
            parts += _element(c, order, level)
    if gyrators:
        coils = {part.name: _gyrator(part, level, options) for part in parts if isinstance(part, Inductor)}
        parts = [new for part in parts for new in coils.get(part.name, [part])]
        parts += transconductor_sums(weights, level, options)
    else:
        sensed = {f"L_{k}": gain for (kind, k), gain in gains.items() if kind == "L"}
        parts = [
            _on_input(part, sensed[part.name] * level, options)
            if isinstance(part, Inductor) and part.name in sensed
            else part
            for part in parts
        ]
        parts += sensed_sums(weights, gains, level=level, options=options)
    probes = tuple(
        (Term("v", f"n{i}", 2.0 * i + 1.0),)
        if i % 2 == 0
        else (Term("i", f"V_{i}", -(2.0 * i + 1.0) * level),)
        for i in range(order)
    )
    taps = voltage_taps(options.taps, *_nets(options, scale, order))
    return check(Circuit("passive-rlc", realization.name, theta, tuple(parts), probes, taps=taps))


def _nets(options: Options, scale: np.ndarray, order: int) -> tuple[list[str], np.ndarray]:
    """Give for every variable its net, and volts for one unit of it; only of those that taps are read from.

    Raises
    ------
    DesignError
        If one of them is no voltage of a net.
    """
    nets, volts = [""] * len(scale), np.ones(len(scale))
    senses = variables_by_senses(order)
    for tap in options.taps:
        if tap.own:
            nets[tap.variable], volts[tap.variable] = tap.name, scale[tap.variable]
            continue
        of = senses[tap.variable]
        (kind, k), share = next(iter(of.items()))
        if len(of) > 1 or (kind == "L" and options.variant != "gyrator"):
            raise DesignError(
                f"[circuit] taps: {tap.of.label} is a current in this circuit, or a difference of voltages; give it a "
                "gain, and it gets an amplifier of its own"
            )
        nets[tap.variable], volts[tap.variable] = f"n{k}" if kind == "n" else f"l{k}", 1.0 / share
    return nets, volts


def _on_input(coil: Inductor, resistor: float, options: Options) -> Inductor:
    """Let a coil stand on the virtual ground of an op-amp, which with a finite crossover w_t is an inductance R/w_t."""
    own = 0.0
    if options.predistort == "gbw" and math.isfinite(options.opamp.gbw):
        own = resistor / (2.0 * math.pi * options.opamp.gbw)
    if own > LARGEST_SHARE * coil.value:
        least = resistor / (2.0 * math.pi * LARGEST_SHARE * coil.value)
        raise DesignError(
            f"[circuit] predistort: the input of an op-amp is {own / coil.value:.3g} of {coil.name}, at most "
            f"{LARGEST_SHARE:g} can be made up for; take one of {least:.3g} Hz or more"
        )
    return replace(coil, b=foot(int(coil.name.removeprefix("L_"))), value=coil.value - own)


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
