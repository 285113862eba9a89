"""Op-amp integrators, inverters and a summer from any structure of integrators.

An inverting integrator with C_i gives V_i' = -sum_j V_j/(R_ij C_i) - sum_j (C_ij/C_i) V_j', so a
coefficient of the wrong sign is fed from the inverted signal. States may be inverted; the signs
are chosen for few inverters, and none in capacitor paths where that can be had.
"""

import numpy as np

from lmu_analog.circuits.circuit import Circuit, voltage_probes
from lmu_analog.circuits.components import (
    GROUND,
    INPUT,
    Capacitor,
    Component,
    OpAmp,
    Resistor,
    identifier,
)
from lmu_analog.circuits.families.integrators import Integrators, predistorted
from lmu_analog.circuits.families.options import Options, voltage_taps
from lmu_analog.circuits.families.summing import difference_amplifier
from lmu_analog.circuits.rules import check
from lmu_analog.memory.realizations import Realization
from lmu_analog.memory.structure import Coefficient, Structure, matrices, scaled

CAPACITOR_PENALTY = 3  # an inverter in a capacitor path adds its phase to the noise gain: worth three others


def active_rc(realization: Realization, scale: np.ndarray, options: Options) -> Circuit:
    """Map a structure of integrators and summers onto single-ended op-amps.

    Parameters
    ----------
    realization : Realization
        With unit diagonal in E: every dynamic variable is an integrator.
    scale : (v,) array
        Volts at the output for one unit of every variable, positive.
    options : Options
        Integrating capacitor, the same everywhere, and op-amp.

    Returns
    -------
    Circuit
        Nets ``x0``, ``x1``, ... are the integrators' outputs, ``y0``, ... the summers'.
    """
    signs = choose_signs(realization.structure, kept=len(options.own_nets))
    structure = predistorted(scaled(realization.structure, signs * scale), options)
    builder = _Builder(structure, options.capacitance, options.opamp, options.own_nets)
    components: list[Component] = []
    for i in range(structure.dynamic):
        components += builder.integrator(i)
    for i in range(structure.dynamic, structure.variables):
        components += builder.summer(i)
    components += builder.inverters(components)
    nets = [builder.net(k) for k in range(structure.variables)]
    probes = voltage_probes(realization.readout / (signs * scale), nets)
    name, theta = realization.name, realization.theta
    taps = voltage_taps(options.taps, nets, signs * scale)
    return check(Circuit("active-rc", name, theta, tuple(components), probes, taps=taps))


def choose_signs(structure: Structure, *, kept: int = 0) -> np.ndarray:
    """Choose +1 or -1 for every variable so that few signals must be inverted: (v,) array.

    Steepest descent over single flips from four regular patterns; deterministic. The last ``kept`` stay +1.
    """
    E, F, G = matrices(structure)
    n, v = structure.dynamic, structure.variables
    E, F = np.sign(E - np.diag(np.diag(E)))[:n], np.sign(F - np.diag(np.diag(F)))[:n]
    k = np.arange(v)
    patterns = [np.ones(v), (-1.0) ** k, np.where(k % 4 < 2, 1.0, -1.0), np.where((k + 1) % 4 < 2, 1.0, -1.0)]

    for pattern in patterns:
        pattern[v - kept :] = 1.0

    def cost(s: np.ndarray) -> int:
        resistive = (F * s * s[:n, None] > 0.0).any(axis=0)
        capacitive = (E * s * s[:n, None] < 0.0).any(axis=0)
        source = (np.sign(G[:n, 0]) * s[:n] > 0.0).any()
        return int((resistive | capacitive).sum() + CAPACITOR_PENALTY * capacitive.sum() + source)

    best = min(patterns, key=cost)
    while True:
        flipped = [np.where(k == j, -best, best) for j in range(v - kept)]
        better = min(flipped, key=cost)
        if cost(better) >= cost(best):
            return best
        best = better


class _Builder(Integrators):
    """Writes components for one variable at a time."""

    def _signal(self, coefficient: Coefficient, inverted: bool) -> str:
        name = INPUT if coefficient.matrix == "G" else self.net(coefficient.column)
        return f"{name}n" if inverted else name

    def integrator(self, i: int) -> list[Component]:
        """Op-amp, integrating capacitor, and one resistor or capacitor a coefficient."""
        virtual, out = f"g{i}", self.net(i)
        parts: list[Component] = [
            OpAmp(f"Uint_{i}", GROUND, virtual, out, self.opamp, f"integrator {i}"),
            Capacitor(f"Cint_{i}", virtual, out, self.capacitance, f"integrator {i}"),
        ]
        for c in self.into(i):
            name = identifier(c.name)
            if c.matrix == "E":
                source = self._signal(c, inverted=c.value < 0.0)
                parts.append(Capacitor(f"C{name}", source, virtual, abs(c.value) * self.capacitance, c.name))
            else:
                source = self._signal(c, inverted=c.value > 0.0)
                parts.append(
                    Resistor(f"R{name}", source, virtual, 1.0 / (abs(c.value) * self.capacitance), c.name)
                )
        return parts

    def summer(self, i: int) -> list[Component]:
        """Difference amplifier: both inputs see the same conductance, so each input has its own weight."""
        inputs = [(c.name, self._signal(c, False), c.value) for c in self.into(i)]
        name, role = self.name(i), f"summer {i}"
        return difference_amplifier(
            self.net(i), inputs, feedback=self.unit, opamp=self.opamp, name=name, role=role
        )

    def inverters(self, components: list[Component]) -> list[Component]:
        """Unity inverters for every signal that is used inverted."""
        used = {c.a for c in components if isinstance(c, Resistor | Capacitor)}
        signals = [INPUT, *(self.net(k) for k in range(self.structure.variables))]
        parts: list[Component] = []
        for signal in signals:
            if f"{signal}n" in used:
                role, virtual, out = f"inverter {signal}", f"h{signal}", f"{signal}n"
                parts.append(OpAmp(f"Uinv_{signal}", GROUND, virtual, out, self.opamp, role))
                parts.append(Resistor(f"Rinv_{signal}_in", signal, virtual, self.unit, role))
                parts.append(Resistor(f"Rinv_{signal}_fb", virtual, out, self.unit, role))
        return parts
