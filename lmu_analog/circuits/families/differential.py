"""Fully differential op-amp integrators and summers from any structure: signs are crossings of wires.

Every signal is a pair of nets, ``x3p`` and ``x3n``, that swing oppositely about ground:

    from  x_p --R--+--C--- out_p         a negative coefficient; a positive one crosses, x_n to the
                 [ - + ]                 upper half
    from  x_n --R--+--C--- out_n

Each half integrates V_i' = -sum_j V_j/(R_ij C) - sum_j (C_ij/C) V_j', as a single-ended circuit does, so
its parts have the same values; there are two of each, and no inverters.
"""

from collections.abc import Callable

import numpy as np

from lmu_analog.circuits.circuit import Circuit, difference_probes
from lmu_analog.circuits.components import (
    GROUND,
    INPUT,
    Capacitor,
    Component,
    DifferentialOpAmp,
    Follower,
    Resistor,
    identifier,
)
from lmu_analog.circuits.families.integrators import Integrators, predistorted
from lmu_analog.circuits.families.options import Options, difference_taps
from lmu_analog.circuits.rules import check
from lmu_analog.memory.realizations import Realization
from lmu_analog.memory.structure import Coefficient, scaled

HALVES = ("p", "n")
OTHER = {"p": "n", "n": "p"}
INPUT_PAIR = {"p": INPUT, "n": f"{INPUT}n"}


def active_rc_differential(realization: Realization, scale: np.ndarray, options: Options) -> Circuit:
    """Map a structure of integrators and summers onto fully differential op-amps.

    Parameters
    ----------
    realization : Realization
        With unit diagonal in E: every dynamic variable is an integrator.
    scale : (v,) array
        Volts at each single output for one unit of every variable, positive; the difference of the two
        outputs is twice that. Each output is what a rail limits.
    options : Options
        Integrating capacitor of each half, the same everywhere, and op-amp.

    Returns
    -------
    Circuit
        Pairs ``x0p``, ``x0n``, ... are the integrators' outputs, ``y0p``, ``y0n``, ... the summers'. The
        input stays v(u); an ideal source of gain -1 makes its other half ``un``.
    """
    scale = np.where(
        [k in options.own_nets for k in range(len(scale))], 0.5 * scale, scale
    )  # half of a tap each
    structure = predistorted(scaled(realization.structure, scale), options)
    builder = _Builder(structure, options.capacitance, options.opamp, options.own_nets)
    n, v = structure.dynamic, structure.variables
    components: list[Component] = [Follower("Ein", INPUT_PAIR["n"], GROUND, INPUT, 1.0, "balanced input")]
    for i in range(v):
        components += builder.integrator(i) if i < n else builder.summer(i)
    nets = [builder.net(i) for i in range(v)]
    probes = difference_probes(realization.readout / (2.0 * scale), nets)
    name, theta = realization.name, realization.theta
    taps = difference_taps(options.taps, nets, 2.0 * scale)
    return check(Circuit("active-rc-differential", name, theta, tuple(components), probes, taps=taps))


class _Builder(Integrators):
    """Writes components for one variable at a time."""

    def integrator(self, i: int) -> list[Component]:
        """Op-amp, and in each half the integrating capacitor and a resistor or capacitor a coefficient."""
        role = f"integrator {i}"
        return [
            self._amplifier(f"Uint_{i}", i, role),
            *(Capacitor(f"Cint_{i}_{h}", *self._feedback(i, h), self.capacitance, role) for h in HALVES),
            *self._inputs(i, lambda size: 1.0 / (size * self.capacitance)),
        ]

    def summer(self, i: int) -> list[Component]:
        """Op-amp, and in each half the feedback resistor and one for every weight."""
        role = f"summer {i}"
        return [
            self._amplifier(f"U{self.name(i)}", i, role),
            *(
                Resistor(f"R{self.name(i)}_fb_{h}", *self._feedback(i, h), self.unit, f"{role} feedback")
                for h in HALVES
            ),
            *self._inputs(i, lambda size: self.unit / size),
        ]

    def _amplifier(self, name: str, i: int, role: str) -> Component:
        out = self.net(i)
        # Negative feedback: the half that ends in out_p starts at the inverting input.
        return DifferentialOpAmp(name, f"g{out}n", f"g{out}p", f"{out}p", f"{out}n", self.opamp, role)

    def _feedback(self, i: int, half: str) -> tuple[str, str]:
        return f"g{self.net(i)}{half}", f"{self.net(i)}{half}"

    def _inputs(self, i: int, resistance: Callable[[float], float]) -> list[Component]:
        """One part a half and coefficient; resistors by the size of the weight, capacitors in proportion."""
        parts: list[Component] = []
        for c in self.into(i):
            for half in HALVES:
                name, size, virtual = f"{identifier(c.name)}_{half}", abs(c.value), f"g{self.net(i)}{half}"
                source = self._signal(c, half)
                if c.matrix == "E":
                    parts.append(Capacitor(f"C{name}", source, virtual, size * self.capacitance, c.name))
                else:
                    parts.append(Resistor(f"R{name}", source, virtual, resistance(size), c.name))
        return parts

    def _signal(self, c: Coefficient, half: str) -> str:
        """Give the net that feeds a half, which inverts: on the left of the equation (E) plus is minus."""
        inverts = c.value > 0.0 if c.matrix == "E" else c.value < 0.0
        side = half if inverts else OTHER[half]
        return INPUT_PAIR[side] if c.matrix == "G" else f"{self.net(c.column)}{side}"
