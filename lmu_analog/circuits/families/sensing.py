"""Taps of a passive ladder: amplifiers that see its states without a load, and sums of what they see.

Half of the states are voltages of nodes, the others currents through series capacitors, of which no end is on ground.
By Kirchhoff's law such a current is what all coils further on take to ground, and what the last resistor does:

    R I(C_i) = sum over even j > i of R I(L_j) + V(last node)

So every coil stands on the virtual ground of an amplifier instead of ground, which takes no voltage from it, and every
node is at an input that takes no current. The ladder stays what it was: with ideal op-amps taps are exact.

    n_k --|+ op>--+-- a_k = g V(n_k)        n_j --L_j--+--g R--+
       +--|-      |                                   f_j      |
       +--(g-1)---+                                    +--|- op>--+-- i_j = -g R I(L_j)
       1                                           0 -----|+
       0
"""

import math
from collections import defaultdict

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.components import GROUND, Component, OpAmp, Resistor, Transconductor, identifier
from lmu_analog.circuits.families.options import Options
from lmu_analog.circuits.families.summing import difference_amplifier
from lmu_analog.memory.realizations import Realization
from lmu_analog.memory.structure import ROUNDING

# Ohm: of amplifiers, where the level is not chosen. No ladder sees them: only outputs of op-amps do.
USUAL = 22e3
# What is sensed: ("n", k) is the voltage of node k, ("L", j) the current of coil j times R.
Sense = tuple[str, int]


def variables_by_senses(order: int) -> list[dict[Sense, float]]:
    """Say what every variable of ``rlc-ladder`` is, of voltages of nodes and of currents of coils to ground.

    Variables are those of the realization in its order, voltages and currents times R: one for every coil and series
    capacitor, then nodes, then currents of the capacitors.
    """
    last = order - order % 2

    def past(i: int) -> dict[Sense, float]:
        """Give the current through capacitor i, which is what all beyond it takes."""
        return {**{("L", j): 1.0 for j in range(2, order, 2) if j > i}, ("n", last): 1.0}

    first = defaultdict(float, past(1))
    first["n", 0] += 1.0  # the coil at the input feeds its own resistor, too
    stored: list[dict[Sense, float]] = [dict(first)]
    stored += [
        {("L", i): 1.0} if i % 2 == 0 else {("n", i - 1): 1.0, ("n", i + 1): -1.0} for i in range(1, order)
    ]
    nodes: list[dict[Sense, float]] = [{("n", k): 1.0} for k in range(0, order + 1, 2)]
    return [*stored, *nodes, *(past(i) for i in range(1, order, 2))]


def weights_of_taps(
    realization: Realization, scale: Float[np.ndarray, " v"], options: Options
) -> dict[str, dict[Sense, float]]:
    """Give for every tap with an amplifier of its own the weight of what is sensed, V for V; none of them is zero."""
    senses = variables_by_senses(len(realization.readout))
    found: dict[str, dict[Sense, float]] = {}
    for variable, name in options.own_nets.items():
        terms = [
            (sense, float(scale[variable]) * c.value * share)
            for c in realization.structure.coefficients
            if c.row == variable
            for sense, share in senses[c.column].items()
        ]
        total: defaultdict[Sense, float] = defaultdict(float)
        for sense, term in terms:
            total[sense] += term
        # Terms may cancel; what rounding leaves of them would be a resistor of gigaohms.
        largest = max(abs(term) for _, term in terms)
        found[name] = {s: total[s] for s in sorted(total) if abs(total[s]) > ROUNDING * largest}
    return found


def sense_gains(
    weights: dict[str, dict[Sense, float]], realization: Realization, scale: Float[np.ndarray, " v"]
) -> dict[Sense, int]:
    """Share the gain that taps need between the amplifiers that sense and those that sum.

    Of both, bandwidth shrinks with the gain: a sum of weights w by 1 + sum w/g, an amplifier of gain g by g. With
    g = sqrt(sum w) they lose alike, and least together. Whole numbers from 1 on; nothing has more gain than it is
    needed with, and no output leaves the swing that signals are scaled to.
    """
    largest: defaultdict[Sense, float] = defaultdict(float)
    for row in weights.values():
        for sense, weight in row.items():
            largest[sense] = max(largest[sense], abs(weight))
    senses = variables_by_senses(len(realization.readout))
    place = {next(iter(of)): k for k, of in enumerate(senses) if list(of.values()) == [1.0]}
    usual = math.sqrt(sum(largest.values()))
    return {
        sense: max(1, math.floor(min(round(usual), round(weight), float(scale[place[sense]]))))
        for sense, weight in sorted(largest.items())
    }


def foot(coil: int) -> str:
    """Name the net that a sensed coil stands on."""
    return f"f{coil}"


def sensed_sums(
    weights: dict[str, dict[Sense, float]], gains: dict[Sense, int], *, level: float, options: Options
) -> list[Component]:
    """Build the amplifiers that sense nodes and coils, then one for every sum.

    Parameters
    ----------
    weights, gains : dict
        From ``weights_of_taps`` and ``sense_gains``.
    level : float, Ohm
        R of the ladder.
    options : Options
        The op-amp.
    """
    parts: list[Component] = []
    opamp = options.opamp
    for (kind, k), gain in gains.items():
        if kind == "L":
            role, out = f"current of L[{k}]", f"i{k}"
            parts += [
                OpAmp(f"Ucur_{k}", GROUND, foot(k), out, opamp, role),
                Resistor(f"Rcur_{k}", foot(k), out, gain * level, role),
            ]
            continue
        role, out = f"voltage of node {k}", f"a{k}"
        minus = out if gain == 1 else f"h{k}"
        parts.append(OpAmp(f"Uvol_{k}", f"n{k}", minus, out, opamp, role))
        if gain > 1:
            parts.append(Resistor(f"Rvol_{k}_fb", minus, out, (gain - 1) * USUAL, role))
            parts.append(Resistor(f"Rvol_{k}_gnd", minus, GROUND, USUAL, role))
    for name, row in weights.items():
        inputs = [
            (
                _role(name, sense),
                f"a{sense[1]}" if sense[0] == "n" else f"i{sense[1]}",
                weight / _way(sense, gains),
            )
            for sense, weight in row.items()
        ]
        parts += difference_amplifier(
            name, inputs, feedback=USUAL, opamp=opamp, name=name, role=f"summer {name}"
        )
    return parts


def _way(sense: Sense, gains: dict[Sense, int]) -> float:
    """Give the gain with which a sense arrives; currents come inverted."""
    return float(gains[sense]) if sense[0] == "n" else -float(gains[sense])


def _role(tap: str, sense: Sense) -> str:
    return f"{tap}[{sense[0]}{sense[1]}]"


def transconductor_sums(
    weights: dict[str, dict[Sense, float]], level: float, options: Options
) -> list[Component]:
    """Build sums of currents into a resistor, for a ladder whose coils are gyrators.

    What a gyrator keeps on its capacitor is the current of the coil times R, and inputs of transconductors are no load:
    there is nothing to sense.
    """
    parts: list[Component] = []
    for name, row in weights.items():
        parts.append(Resistor(f"R{name}", name, GROUND, level, f"load of {name}"))
        for sense, weight in row.items():
            net = f"n{sense[1]}" if sense[0] == "n" else f"l{sense[1]}"
            pins = (net, GROUND) if weight > 0.0 else (GROUND, net)
            role = _role(name, sense)
            g = abs(weight) / level
            parts.append(
                Transconductor(f"G{identifier(role)}", name, *pins, g, role, model=options.transconductor)
            )
    return parts
