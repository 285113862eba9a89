"""Second-order synapse filters: two first-order filters in cascade, recurrent weights for both poles."""

import numpy as np

from lmu_analog.memory.statespace import StateSpace
from lmu_analog.memory.structure import Coefficient, Structure, entries, inputs

Built = tuple[np.ndarray, Structure, np.ndarray | None]


def two_pole(system: StateSpace, theta: float, taus: tuple[float, float]) -> Built:
    """Principle 3 for synapses 1/((t1 s + 1)(t2 s + 1)), the input's derivative included.

    Their drive must be w = A^H m + B_0 u + B_1 u' with A^H = t1 t2 A^2 + (t1 + t2) A + I,
    B_0 = ((t1 + t2) I + t1 t2 A) B, B_1 = t1 t2 B (Voelker and Eliasmith, Neural Computation 30, 2018,
    section 3.3). Nothing differentiates u: the second filter takes the part of u that the first would have
    made of B_1 u' (derived here),

        t1 p' = -p + A^H x + (B_0 - B_1/t1) u,    t2 x' = -x + p + (B_1/t1) u.

    Then x = m and p = (I + t2 A) m. Besides the memory's poles there are those of -(1/t1 + 1/t2) I - A, which
    the input does not reach. They decay as long as 1/t1 + 1/t2 exceeds every -Re of the memory's poles, and
    without magnifying what mismatch feeds them where it exceeds d^2/theta, the sum of those.
    """
    _, second = taus
    late = second * system.B
    early = _drive(system, taus) - late
    return _cascade(system, taus, (early, late))


def two_pole_without_derivative(system: StateSpace, theta: float, taus: tuple[float, float]) -> Built:
    """``two_pole`` with B_1 left out: fewer inputs, and no longer exactly the memory.

    It keeps x = m for a constant input alone; ``transform`` stays that of ``two_pole``.
    """
    return _cascade(system, taus, (_drive(system, taus), np.zeros_like(system.B)))


def _drive(system: StateSpace, taus: tuple[float, float]) -> np.ndarray:
    """B_0."""
    first, second = taus
    return (first + second) * system.B + first * second * (system.A @ system.B)


def _cascade(system: StateSpace, taus: tuple[float, float], drives: tuple[np.ndarray, np.ndarray]) -> Built:
    """Write filters x, the second poles, then p, the first ones; ``drives`` lead from u into p and into x."""
    (first, second), d, one = taus, system.order, np.eye(system.order)
    weights = first * second * (system.A @ system.A) + (first + second) * system.A + one
    E, F, G = np.zeros((2 * d, 2 * d)), np.zeros((2 * d, 2 * d)), np.zeros((2 * d, 1))
    E[range(d), range(d)], E[range(d, 2 * d), range(d, 2 * d)] = second, first
    F[d:, :d] = weights
    G[d:], G[:d] = drives
    taus_of = tuple(Coefficient(f"tau[{i}]", "E", i, i, float(E[i, i])) for i in range(2 * d))
    through = tuple(Coefficient(f"p[{i}]", "F", i, d + i, 1.0) for i in range(d))
    coefficients = (*taus_of, *through, *entries("w", "F", F), *inputs("b", G))
    structure = Structure(np.zeros_like(E), -np.eye(2 * d), np.zeros_like(G), coefficients, 2 * d)
    transform = np.vstack([one, one + second * system.A])
    return transform, structure, np.hstack([one, np.zeros((d, d))])
