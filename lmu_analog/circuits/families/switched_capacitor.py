r"""Two-phase switched-capacitor memories: fully differential integrators, signs by crossing wires.

A branch from source j into integrator i, one of two halves; phase 1 / phase 2 say where a switch leads::

    x_j  --1-\                        /-1--  ground
              >-- l_j --| |-- r_i ---<
    away --2-/          C             \-2--  virtual ground of i

The left plate ends phase 2 on ground, or on the other half of x_j. To ground the integrator gets
C x_j[k-1]: exact matrices of a zero-order hold. To the other half it gets C (x_j[k] + x_j[k-1]): the
bilinear map, all integrators settling together. Both plates are driven or at virtual ground, so stray capacitances
to ground have no effect. Branches share the switches of their source and of their integrator: 8 d + 4 in all.

A tap is such a stage with the phases exchanged: it takes charge in phase 1, while the integrators hold, from the plates
that they have already, and holds its sum through phase 2. Beside the feedback capacitor a second one of the same size
samples the output in phase 2 and takes its charge back in phase 1: an integrator that forgets all of its past, whose
op-amp has feedback at every moment and whose output never returns to zero. 8 switches each::

    x_j  --1-\                        /-2--  ground           y[k] = sum of w_j x_j[k], from phase 1 of cycle k + 1
              >-- l_j --| |-- r_y ---<                        until its end, and held through the phase 2 after it
    away --2-/                        \-1--  virtual ground
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
from lmu_analog.circuits.families.options import Options, difference_taps
from lmu_analog.circuits.rules import check
from lmu_analog.memory.realizations import Realization
from lmu_analog.memory.reference import discretize
from lmu_analog.memory.statespace import StateSpace
from lmu_analog.memory.structure import (
    Structure,
    eliminate,
    entries,
    first_variables,
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
    """A capacitor pair into a stage: switched by the clock, or between two op-amps for good.

    Attributes
    ----------
    name : str
        Coefficient that it sets, for example ``a[2,3]``.
    target : str
        ``x3``, or a tap.
    source : str
        ``u``, ``x3``, or a tap.
    ratio : float
        Signed capacitance in units of the integrating capacitor.
    switched : bool
    """

    name: str
    target: str
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
        Clock (200/theta without one), integrating capacitor of each half, op-amp, and taps of integrators.

    Returns
    -------
    Circuit
        Pairs ``x0p``, ``x0n``, ... are the integrators' outputs, valid at the end of phase 2 and until the
        next phase 2 begins. The input is sampled when phase 1 ends. Pairs ``tap1p``, ``tap1n``, ... are valid at
        the end of phase 1 and until the next phase 1 begins.
    """
    clock = TICKS / realization.theta if options.clock is None else options.clock
    own = options.own_nets
    scale = np.where([k in own for k in range(len(scale))], 0.5 * scale, scale)  # half of a tap each
    whole = scaled(realization.structure, scale)
    structure = first_variables(whole, whole.variables - len(own))
    holds = realization.name == "legendre"
    branches = _held(structure, 1.0 / clock) if holds else _bilinear(structure, 1.0 / clock)
    n = structure.dynamic
    components: list[Component] = [Follower("Ein", f"{INPUT}n", GROUND, INPUT, 1.0, "balanced input")]
    for i in range(n):
        components += _stage(f"x{i}", options, f"int_{i}", f"integrator {i}")
    for name in own.values():
        components += _stage(name, options, f"{name}_fb", f"summer {name}")
    branches += _sums(whole, own, swing=1.0 if holds else 2.0)
    components += _capacitors(branches, options.capacitance)
    components += _switches(components, branches, clock=clock, holds=holds)
    readout = realization.readout[:, :n] / (2.0 * scale[:n])
    probes = difference_probes(readout, [f"x{i}" for i in range(n)])
    nets = [own.get(k, f"x{k}") for k in range(whole.variables)]  # summers of the structure are in no tap
    taps = difference_taps(options.taps, nets, 2.0 * scale)
    name, theta = realization.name, realization.theta
    return check(
        Circuit("switched-capacitor", name, theta, tuple(components), probes, clock=clock, taps=taps)
    )


def _stage(name: str, options: Options, element: str, role: str) -> list[Component]:
    """Give an op-amp and the capacitors that hold its output, from ``element`` in their names."""
    ends = (f"g{name}n", f"g{name}p", f"{name}p", f"{name}n")
    return [
        DifferentialOpAmp(f"U{element.removesuffix('_fb')}", *ends, options.opamp, role),
        *(
            Capacitor(f"C{element}_{h}", f"g{name}{h}", f"{name}{h}", options.capacitance, role)
            for h in HALVES
        ),
    ]


def _takes(stage: str) -> int:
    """Give the phase in which a stage takes charge: 1 for a tap; in the other its plate is at its output."""
    return 2 if stage == INPUT or stage.startswith("x") else 1


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
    return [Branch(c.name, f"x{c.row}", INPUT if c.matrix == "G" else f"x{c.column}", c.value) for c in into]


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
        *(
            Branch(c.name, f"x{c.row}", f"x{c.column}", 0.5 * dt * c.value)
            for c in entries("a", "F", F[:n, :n])
        ),
        *(Branch(c.name, f"x{c.row}", INPUT, dt * c.value) for c in inputs("b", G[:n])),
        *(Branch(c.name, f"x{c.row}", f"x{c.column}", c.value, False) for c in entries("c", "E", permanent)),
    ]


def _sums(whole: Structure, own: dict[int, str], *, swing: float) -> list[Branch]:
    """Branches of 0 = -y + sum of w_j x_j, ``swing`` times x_j being what a plate moves by; y[k-1] is taken back."""
    weights = [
        Branch(c.name, own[c.row], f"x{c.column}", c.value / swing)
        for c in whole.coefficients
        if c.row in own
    ]
    return [*weights, *(Branch(f"{name}[reset]", name, name, -1.0) for name in own.values())]


def _capacitors(branches: list[Branch], unit: float) -> list[Component]:
    """One capacitor a half and branch; a negative ratio crosses, and a permanent one inverts by itself.

    So does a plate that arrives at the source's output, and does not leave it, as the stage takes its charge.
    """
    parts: list[Component] = []
    for branch in branches:
        inverts = branch.switched and _takes(branch.source) != _takes(branch.target)
        for half, other in HALVES.items():
            side = half if (branch.ratio > 0.0) != inverts else other
            left, right = (
                (f"l{branch.source}{side}", f"{_right(branch.target)}{half}")
                if branch.switched
                else (_output(branch.source, side), f"g{branch.target}{half}")
            )
            name = f"C{identifier(branch.name)}_{half}"
            parts.append(Capacitor(name, left, right, abs(branch.ratio) * unit, branch.name))
    return parts


def _right(target: str) -> str:
    """Name the right plate of a stage's branches: ``r3``, ``rtap1``."""
    return f"r{target.removeprefix('x')}"


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
    switched = [b for b in branches if b.switched]
    # A plate, where it is while a stage holds, where it is while it takes its charge, and the phase of that.
    places = [
        *((f"l{s}{h}", _output(s, h), _output(s, HALVES[h]) if s.startswith("x") and not holds else GROUND, _takes(s))
          for s in dict.fromkeys(b.source for b in switched) for h in HALVES),
        *((f"{_right(t)}{h}", GROUND, f"g{t}{h}", _takes(t))
          for t in dict.fromkeys(b.target for b in switched) for h in HALVES),
    ]  # fmt: skip
    parts: list[Component] = []
    for plate, holding, taking, takes in places:
        resistance = 0.5 / (clock * TIME_CONSTANTS * load[plate])
        for phase in (1, 2):
            net = taking if phase == takes else holding
            parts.append(Switch(f"S{plate}_{phase}", plate, net, phase, resistance, f"plate {plate}"))
    return parts
