r"""Two-phase switched-capacitor memories: fully differential integrators, signs by crossing wires.

A branch from source j into integrator i, one of two halves; phase 1 / phase 2 say where a switch leads::

    x_j  --1-\                        /-1--  ground
              >-- l_j --| |-- r_i ---<
    away --2-/          C             \-2--  virtual ground of i

The left plate ends phase 2 on ground, or on the other half of x_j. To ground the integrator gets
C x_j[k-1]: exact matrices of a zero-order hold. To the other half it gets C (x_j[k] + x_j[k-1]): the
bilinear map, all integrators settling together. Both plates are driven or at virtual ground, so stray capacitances
to ground have no effect. Branches share the switches of their source and of their integrator: 8 d + 4 in all.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from lmu_analog.circuits.circuit import Circuit, difference_probes
from lmu_analog.circuits.components import (
    GROUND,
    INPUT,
    Capacitor,
    Component,
    DifferentialOpAmp,
    Follower,
    Switch,
    identifier,
)
from lmu_analog.circuits.families.options import Options
from lmu_analog.circuits.rules import check
from lmu_analog.memory.realizations import Realization
from lmu_analog.memory.reference import discretize
from lmu_analog.memory.statespace import StateSpace
from lmu_analog.memory.structure import (
    Structure,
    eliminate,
    entries,
    inputs,
    matrices,
    scaled,
    without_rounding,
)

TICKS = 200.0  # of the clock in theta, unless the design gives a clock
TIME_CONSTANTS = 1000.0  # R C of every switch in half a clock: the sample of u lags by two of them
HALVES = {"p": "n", "n": "p"}  # each with the other


@dataclass(frozen=True)
class Branch:
    """A capacitor pair into integrator ``row``: switched by the clock, or between two op-amps for good.

    Attributes
    ----------
    name : str
        Coefficient that it sets, for example ``a[2,3]``.
    row : int
    source : str
        ``u``, or ``x3``.
    ratio : float
        Signed capacitance in units of the integrating capacitor.
    switched : bool
    """

    name: str
    row: int
    source: str
    ratio: float
    switched: bool = True


def switched_capacitor(realization: Realization, scale: np.ndarray, options: Options) -> Circuit:
    """Map a structure of integrators onto fully differential switched-capacitor integrators.

    ``legendre`` implements the matrices of the zero-order hold, all others the bilinear map of their own
    coefficients; summers are left out, what they sum goes straight into the integrators.

    Parameters
    ----------
    realization : Realization
        With unit diagonal in E.
    scale : (v,) array
        Volts at each output of a pair for one unit of every variable, positive.
    options : Options
        Clock (200/theta without one), integrating capacitor of each half, op-amp.

    Returns
    -------
    Circuit
        Pairs ``x0p``, ``x0n``, ... are the integrators' outputs, valid at the end of phase 2 and until the
        next phase 2 begins. The input is sampled when phase 1 ends.
    """
    clock = TICKS / realization.theta if options.clock is None else options.clock
    structure = scaled(realization.structure, scale)
    holds = realization.name == "legendre"
    branches = _held(structure, 1.0 / clock) if holds else _bilinear(structure, 1.0 / clock)
    n = structure.dynamic
    components: list[Component] = [Follower("Ein", f"{INPUT}n", GROUND, INPUT, 1.0, "balanced input")]
    for i in range(n):
        role, ends = f"integrator {i}", (f"gx{i}n", f"gx{i}p", f"x{i}p", f"x{i}n")
        components.append(DifferentialOpAmp(f"Uint_{i}", *ends, options.opamp, role))
        for h in HALVES:
            components.append(Capacitor(f"Cint_{i}_{h}", f"gx{i}{h}", f"x{i}{h}", options.capacitance, role))
    components += _capacitors(branches, options.capacitance)
    components += _switches(components, branches, clock=clock, holds=holds)
    readout = realization.readout[:, :n] / (2.0 * scale[:n])
    probes = difference_probes(readout, [f"x{i}" for i in range(n)])
    name, theta = realization.name, realization.theta
    return check(Circuit("switched-capacitor", name, theta, tuple(components), probes, clock=clock))


def _held(structure: Structure, dt: float) -> list[Branch]:
    """Branches of x[k] - x[k-1] = (Ad - 1) x[k-1] + Bd u[k], the zero-order hold."""
    A, B = eliminate(structure)
    n = len(A)
    memory = discretize(StateSpace(A, B, np.eye(n), np.zeros((n, 1))), dt)
    step = memory.A - np.eye(n)
    each = np.hstack([memory.A, memory.B])
    into = (
        *entries("a", "F", without_rounding(step, of=each)),
        *inputs("b", without_rounding(memory.B, of=each)),
    )
    return [Branch(c.name, c.row, INPUT if c.matrix == "G" else f"x{c.column}", c.value) for c in into]


def _bilinear(structure: Structure, dt: float) -> list[Branch]:
    """Branches of E (x[k] - x[k-1]) = dt/2 F (x[k] + x[k-1]) + dt G u[k], the algebraic variables inserted."""
    E, F, G = matrices(structure)
    n = structure.dynamic
    if structure.variables > n:
        inserted = F[:n, n:] @ np.linalg.solve(F[n:, n:], np.concatenate([F[n:, :n], G[n:]], axis=1))
        each = np.hstack([F[:n, :n], inserted, G[:n]])
        F = without_rounding(F[:n, :n] - inserted[:, :n], of=each)
        G = without_rounding(G[:n] - inserted[:, n:], of=each)
    permanent = E[:n, :n] - np.eye(n)
    return [
        *(Branch(c.name, c.row, f"x{c.column}", 0.5 * dt * c.value) for c in entries("a", "F", F[:n, :n])),
        *(Branch(c.name, c.row, INPUT, dt * c.value) for c in inputs("b", G[:n])),
        *(Branch(c.name, c.row, f"x{c.column}", c.value, False) for c in entries("c", "E", permanent)),
    ]


def _capacitors(branches: list[Branch], unit: float) -> list[Component]:
    """One capacitor a half and branch; a negative ratio crosses, and a permanent one inverts by itself."""
    parts: list[Component] = []
    for branch in branches:
        for half, other in HALVES.items():
            side = half if branch.ratio > 0.0 else other
            left, right = (
                (f"l{branch.source}{side}", f"r{branch.row}{half}")
                if branch.switched
                else (_output(branch.source, side), f"gx{branch.row}{half}")
            )
            name = f"C{identifier(branch.name)}_{half}"
            parts.append(Capacitor(name, left, right, abs(branch.ratio) * unit, branch.name))
    return parts


def _output(source: str, half: str) -> str:
    return (INPUT if half == "p" else f"{INPUT}n") if source == INPUT else f"{source}{half}"


def _switches(
    capacitors: list[Component], branches: list[Branch], *, clock: float, holds: bool
) -> list[Component]:
    """Two switches at every plate that moves; the on-resistance goes with what the plate carries."""
    load: defaultdict[str, float] = defaultdict(float)
    for c in capacitors:
        if isinstance(c, Capacitor):
            for net in (c.a, c.b):
                load[net] += c.value
    places = [
        *((f"l{s}{h}", _output(s, h), GROUND if holds or s == INPUT else _output(s, HALVES[h]))
          for s in dict.fromkeys(b.source for b in branches if b.switched) for h in HALVES),
        *((f"r{i}{h}", GROUND, f"gx{i}{h}")
          for i in dict.fromkeys(b.row for b in branches if b.switched) for h in HALVES),
    ]  # fmt: skip
    parts: list[Component] = []
    for plate, during_1, during_2 in places:
        resistance = 0.5 / (clock * TIME_CONSTANTS * load[plate])
        parts.append(Switch(f"S{plate}_1", plate, during_1, 1, resistance, f"plate {plate}"))
        parts.append(Switch(f"S{plate}_2", plate, during_2, 2, resistance, f"plate {plate}"))
    return parts
