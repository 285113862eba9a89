"""Ways to build the same memory: coordinates, and the elements that set each coefficient.

All have the input-output map of the Legendre memory; they differ in cost and in what mismatch does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from lmu_analog.errors import DesignError
from lmu_analog.memory.legendre import window_length
from lmu_analog.memory.statespace import StateSpace
from lmu_analog.memory.structure import Coefficient, Structure, eliminate

DEFAULT_TAU = (
    0.1  # of theta, for principle3: near theta/d for common orders, far from the disastrous tau << theta/d
)


@dataclass(frozen=True, eq=False)
class Realization:
    """A memory in coordinates that a circuit can carry.

    The invariant: z = T m obeys ``structure``, and ``system`` maps u to m.

    Attributes
    ----------
    name : str
        One of ``REALIZATIONS``.
    system : StateSpace
        States z, outputs the Legendre states m.
    transform : (d, d) array
        T of z = T m.
    structure : Structure
        The elements.
    theta : float, s
        Length of the window.
    """

    name: str
    system: StateSpace
    transform: Float[np.ndarray, "d d"]
    structure: Structure
    theta: float


def realize(system: StateSpace, name: str, *, tau: float | None = None) -> Realization:
    """Give the Legendre memory another physical structure.

    Parameters
    ----------
    system : StateSpace
        From ``legendre``.
    name : str
        One of ``REALIZATIONS``.
    tau : float, s, optional
        Time constant of the synapse filters of ``principle3``; a tenth of theta unless given.

    Raises
    ------
    DesignError
        If the name is unknown, or tau is not a positive time.
    """
    if name not in REALIZATIONS:
        raise DesignError(f"unknown realization {name!r}; known are {', '.join(REALIZATIONS)}")
    theta = window_length(system)
    tau = DEFAULT_TAU * theta if tau is None else tau
    if not 0.0 < tau < np.inf:
        raise DesignError(f"tau = {tau:g} s is not a positive time")
    T, structure = REALIZATIONS[name](system, theta, tau)
    A, B = eliminate(structure)
    readout = StateSpace(A, B, np.linalg.inv(T), np.zeros((system.order, 1)))
    return Realization(name, readout, T, structure, theta)


def _integrators(A: np.ndarray, B: np.ndarray) -> Structure:
    """Integrators z_i' = sum_j a_ij z_j + b_i u, an element for every non-zero coefficient."""
    n = len(A)
    coefficients = [*_entries("a", "F", A), *_inputs("b", B)]
    return Structure(np.eye(n), np.zeros((n, n)), np.zeros((n, 1)), tuple(coefficients), n)


def _filters(A: np.ndarray, B: np.ndarray, tau: np.ndarray) -> Structure:
    """First-order filters tau_i x_i' = -x_i + sum_j w_ij x_j + w_i u (NEF Principle 3).

    W = diag(tau) A + I, b' = diag(tau) B (Voelker and Eliasmith, Neural Computation 30, 2018, eq. 3.3).
    """
    n = len(A)
    W = tau[:, None] * A + np.eye(n)
    # What cancels exactly on paper leaves rounding of a few ulp of the entries it came from.
    W[np.abs(W) < 1e-13 * np.abs(tau[:, None] * A).max()] = 0.0
    taus = [Coefficient(f"tau[{i}]", "E", i, i, float(t)) for i, t in enumerate(tau)]
    coefficients = [*taus, *_entries("w", "F", W), *_inputs("b", tau[:, None] * B)]
    return Structure(np.zeros((n, n)), -np.eye(n), np.zeros((n, 1)), tuple(coefficients), n)


def _entries(letter: str, matrix: Literal["E", "F"], M: np.ndarray) -> list[Coefficient]:
    return [
        Coefficient(f"{letter}[{i},{j}]", matrix, int(i), int(j), float(M[i, j])) for i, j in np.argwhere(M)
    ]


def _inputs(letter: str, B: np.ndarray) -> list[Coefficient]:
    return [Coefficient(f"{letter}[{i}]", "G", int(i), 0, float(B[i, 0])) for i in np.flatnonzero(B)]


def _legendre(system: StateSpace, theta: float, tau: float) -> tuple[np.ndarray, Structure]:
    return np.eye(system.order), _integrators(system.A, system.B)


def _orthonormal(system: StateSpace, theta: float, tau: float) -> tuple[np.ndarray, Structure]:
    """Use z_i = m_i / sqrt(2i+1), with alternating sign the LegT memory of HiPPO (Gu et al., NeurIPS 2020)."""
    t = 1.0 / np.sqrt(2.0 * np.arange(system.order) + 1.0)
    return np.diag(t), _integrators(t[:, None] * system.A / t, t[:, None] * system.B)


def _cap_feedforward(system: StateSpace, theta: float, tau: float) -> tuple[np.ndarray, Structure]:
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
    return np.eye(d), Structure(E, F, np.zeros((d + 1, 1)), tuple(coefficients), d)


def _unit_weight(system: StateSpace, theta: float, tau: float) -> tuple[np.ndarray, Structure]:
    """First-order filters tau_i = theta/(2i+1): weights +-1 and no self-weight (derived here)."""
    return np.eye(system.order), _filters(system.A, system.B, theta / (2.0 * np.arange(system.order) + 1.0))


def _principle3(system: StateSpace, theta: float, tau: float) -> tuple[np.ndarray, Structure]:
    return np.eye(system.order), _filters(system.A, system.B, np.full(system.order, tau))


REALIZATIONS: dict[str, Callable[[StateSpace, float, float], tuple[np.ndarray, Structure]]] = {
    "legendre": _legendre,
    "orthonormal": _orthonormal,
    "cap-feedforward": _cap_feedforward,
    "unit-weight": _unit_weight,
    "principle3": _principle3,
}
