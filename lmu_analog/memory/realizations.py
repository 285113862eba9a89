"""Ways to build the same memory: coordinates, and the elements that set each coefficient.

All have the input-output map of the Legendre memory; they differ in cost and in what mismatch does.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lmu_analog.errors import DesignError, shown
from lmu_analog.memory.balanced import balanced
from lmu_analog.memory.ladders import bus_ladder, ladder, rlc_ladder
from lmu_analog.memory.legendre import window_length
from lmu_analog.memory.statespace import StateSpace
from lmu_analog.memory.structure import (
    Coefficient,
    Structure,
    filters,
    integrators,
    read_out,
    significant,
)
from lmu_analog.memory.synapses import two_pole, two_pole_without_derivative

DEFAULT_TAU = (
    0.1  # of theta, for principle3: near theta/d for common orders, far from the disastrous tau << theta/d
)
# Of tau, for principle3-two-pole, but at most theta/d^2: a slower second pole lets the cascade's extra poles,
# which no input should reach, magnify every error (at 1 % and d = 24 all of 200 circuits are unstable).
SECOND_POLE = 0.2

# T of z = T m; the structure; and how the variables give m, where that is not just T^-1 on the states.
Built = tuple[np.ndarray, Structure, np.ndarray | None]


@dataclass(frozen=True, eq=False)
class Realization:
    """A memory in coordinates that a circuit can implement.

    The invariant: z = T m obeys ``structure``, and ``system`` maps u to m.

    Attributes
    ----------
    name : str
        One of ``REALIZATIONS``.
    system : StateSpace
        States z, outputs the Legendre states m.
    transform : (n, d) array
        T of z = T m; square but for ``principle3-two-pole``, whose filters have two states each.
    structure : Structure
        The elements.
    theta : float, s
        Length of the window.
    readout : (d, v) array
        m from all variables of the structure, the algebraic ones included.
    """

    name: str
    system: StateSpace
    transform: Float[np.ndarray, "n d"]
    structure: Structure
    theta: float
    readout: Float[np.ndarray, "d v"]


def realize(
    system: StateSpace,
    name: str,
    *,
    tau: float | None = None,
    second_tau: float | None = None,
    variant: str = "",
) -> Realization:
    """Give the Legendre memory another physical structure.

    Parameters
    ----------
    system : StateSpace
        From ``legendre``.
    name : str
        One of ``REALIZATIONS``.
    tau : float, s, optional
        Time constant of the synapse filters of ``principle3``, and the first of its two-pole form; a tenth
        of theta unless given.
    second_tau : float, s, optional
        Second pole of ``principle3-two-pole``; a fifth of tau unless given, at most theta/d^2.
    variant : str
        ``no-derivative`` leaves the input's derivative out of ``principle3-two-pole``, which then has the
        memory's map no longer. Other variants, and other realizations, are not touched.

    Raises
    ------
    DesignError
        If the name is unknown, or a time constant is not a positive time.
    """
    if name not in REALIZATIONS:
        raise DesignError(f"unknown realization {shown(name)}; known are {', '.join(REALIZATIONS)}")
    theta = window_length(system)
    tau = DEFAULT_TAU * theta if tau is None else tau
    second = min(SECOND_POLE * tau, theta / system.order**2) if second_tau is None else second_tau
    for label, value in (("tau", tau), ("second tau", second)):
        if not 0.0 < value < np.inf:
            raise DesignError(f"{label} = {value:g} s is not a positive time")
    builder = VARIANTS.get((name, variant), REALIZATIONS[name])
    T, structure, readout = builder(system, theta, (tau, second))
    if readout is None:
        readout = np.zeros((system.order, structure.variables))
        readout[:, : structure.dynamic] = np.linalg.inv(T)
    structure, readout = significant(structure, readout, T)
    return Realization(name, read_out(structure, readout), T, structure, theta, readout)


def _legendre(system: StateSpace, theta: float, taus: tuple[float, float]) -> Built:
    return np.eye(system.order), integrators(system.A, system.B), None


def _orthonormal(system: StateSpace, theta: float, taus: tuple[float, float]) -> Built:
    """Use z_i = m_i / sqrt(2i+1), with alternating sign the LegT memory of HiPPO (Gu et al., NeurIPS 2020)."""
    t = 1.0 / np.sqrt(2.0 * np.arange(system.order) + 1.0)
    return np.diag(t), integrators(t[:, None] * system.A / t, t[:, None] * system.B), None


def _cap_feedforward(system: StateSpace, theta: float, taus: tuple[float, float]) -> Built:
    """Feed each integrator from its two predecessors, one through a capacitor (derived here).

    x_i' = (2i+1)/(2i-3) x_{i-2}' + 2 (2i+1)/theta x_{i-1} for i >= 2; x_0 and x_1 take u and S = sum x_j.
    """
    d = system.order
    sum_at = d
    E, F = np.zeros((d + 1, d + 1)), np.zeros((d + 1, d + 1))
    E[np.arange(d), np.arange(d)] = 1.0
    F[sum_at, sum_at] = -1.0
    coefficients = [
        Coefficient("b[0]", "G", 0, 0, 1.0 / theta),
        Coefficient("s[0]", "F", 0, sum_at, -1.0 / theta),
    ]
    if d > 1:
        coefficients += [
            Coefficient("b[1]", "G", 1, 0, -3.0 / theta),
            Coefficient("s[1]", "F", 1, sum_at, -3.0 / theta),
            Coefficient("a[1,0]", "F", 1, 0, 6.0 / theta),
        ]
    for i in range(2, d):
        coefficients.append(Coefficient(f"a[{i},{i - 1}]", "F", i, i - 1, 2.0 * (2 * i + 1) / theta))
        coefficients.append(Coefficient(f"c[{i},{i - 2}]", "E", i, i - 2, -(2 * i + 1) / (2 * i - 3)))
    coefficients += [Coefficient(f"sum[{j}]", "F", sum_at, j, 1.0) for j in range(d)]
    return np.eye(d), Structure(E, F, np.zeros((d + 1, 1)), tuple(coefficients), d), None


def _unit_weight(system: StateSpace, theta: float, taus: tuple[float, float]) -> Built:
    """First-order filters tau_i = theta/(2i+1): weights +-1 and no self-weight (derived here)."""
    tau = theta / (2.0 * np.arange(system.order) + 1.0)
    return np.eye(system.order), filters(system.A, system.B, tau), None


def _principle3(system: StateSpace, theta: float, taus: tuple[float, float]) -> Built:
    return np.eye(system.order), filters(system.A, system.B, np.full(system.order, taus[0])), None


Builder = Callable[[StateSpace, float, tuple[float, float]], Built]
REALIZATIONS: dict[str, Builder] = {
    "legendre": _legendre,
    "orthonormal": _orthonormal,
    "balanced": balanced,
    "cap-feedforward": _cap_feedforward,
    "ladder": ladder,
    "bus-ladder": bus_ladder,
    "rlc-ladder": rlc_ladder,
    "unit-weight": _unit_weight,
    "principle3": _principle3,
    "principle3-two-pole": two_pole,
}
VARIANTS: dict[tuple[str, str], Builder] = {
    ("principle3-two-pole", "no-derivative"): two_pole_without_derivative,
}
