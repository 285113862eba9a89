"""First-order synapse filters with recurrent weights: R, C and transconductors (NEF Principle 3).

Filter i is R_i C_i = tau_i to ground; a weight w_ij is a transconductor |w_ij|/R_i from x_j into x_i. A
negative weight swaps the transconductor's inputs.
"""

import numpy as np

from lmu_analog.circuits.circuit import Circuit, voltage_probes
from lmu_analog.circuits.components import (
    GROUND,
    INPUT,
    Capacitor,
    Component,
    Resistor,
    Transconductor,
    identifier,
)
from lmu_analog.circuits.families.options import Options, voltage_taps
from lmu_analog.circuits.rules import check
from lmu_analog.memory.realizations import Realization
from lmu_analog.memory.structure import scaled


def rc_synapse(realization: Realization, scale: np.ndarray, options: Options) -> Circuit:
    """Map a structure of first-order filters onto RC synapses.

    Parameters
    ----------
    realization : Realization
        ``unit-weight`` or ``principle3``.
    scale : (d,) array
        Volts on a synapse for one unit of its variable.
    options : Options
        The synapse capacitor, the same everywhere, and taps: weights into a resistor. Nothing else has an effect.

    Returns
    -------
    Circuit
        Nets ``x0``, ``x1``, ... are the synapses. The capacitor has the class ``tau`` besides its own:
        a time constant scatters, the weights do not.
    """
    structure = scaled(realization.structure, scale)
    taus = {c.row: c.value for c in structure.coefficients if c.matrix == "E"}
    capacitance = options.capacitance
    components: list[Component] = []
    for i, tau in taus.items():
        resistance = tau / capacitance
        components.append(
            Capacitor(f"Ctau_{i}", f"x{i}", GROUND, capacitance, f"tau[{i}]", ("capacitor", "tau"))
        )
        components.append(Resistor(f"Rtau_{i}", f"x{i}", GROUND, resistance, f"tau[{i}]"))
        for c in structure.coefficients:
            if c.row == i and c.matrix != "E":
                signal = INPUT if c.matrix == "G" else f"x{c.column}"
                pins = (signal, GROUND) if c.value > 0.0 else (GROUND, signal)
                gm = abs(c.value) / resistance
                components.append(Transconductor(f"G{identifier(c.name)}", f"x{i}", *pins, gm, c.name))
    usual = float(np.exp(np.mean(np.log([tau / capacitance for tau in taus.values()]))))
    for i, net in options.own_nets.items():
        components.append(Resistor(f"R{net}", net, GROUND, usual, f"load of {net}"))
        for c in structure.coefficients:
            if c.row == i:
                pins = (f"x{c.column}", GROUND) if c.value > 0.0 else (GROUND, f"x{c.column}")
                gm = abs(c.value) / usual
                components.append(Transconductor(f"G{identifier(c.name)}", net, *pins, gm, c.name))
    nets = [options.own_nets.get(j, f"x{j}") for j in range(structure.variables)]
    probes, taps = voltage_probes(realization.readout / scale, nets), voltage_taps(options.taps, nets, scale)
    name, theta = realization.name, realization.theta
    return check(Circuit("rc-synapse", name, theta, tuple(components), probes, taps=taps))
