"""The physical structure of a realization: which element sets which coefficient.

E z' = F z + G u, with the dynamic variables first and algebraic ones (a summer's output) after them.
Each coefficient is one physical element and enters one entry of E, F or G; entries that no element sets,
such as the leak of a first-order filter, stay fixed.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float

from lmu_analog.memory.statespace import StateSpace

# Of the largest term in its equation: a smaller term is rounding. Measured over all realizations up to order 64 and
# five kinds of BLAS kernels, what is zero on paper is up to 3e-14, and what is not at least 7e-12.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Coefficient:
    """One physical element.

    Attributes
    ----------
    name : str
        For example ``a[2,3]``.
    matrix : {"E", "F", "G"}
        The matrix it enters.
    row, column : int
        Where it enters.
    value : float
        What it adds there: s in E for a time constant, else 1/s or no unit.
    """

    name: str
    matrix: Literal["E", "F", "G"]
    row: int
    column: int
    value: float


@dataclass(frozen=True, eq=False)
class Structure:
    """E z' = F z + G u with ``dynamic`` dynamic variables, then algebraic ones.

    Attributes
    ----------
    E, F : (v, v) arrays
        Fixed parts, without the coefficients.
    G : (v, 1) array
        Fixed part.
    coefficients : tuple of Coefficient
        All that a physical element sets.
    dynamic : int
        Number n of dynamic variables.
    """

    E: Float[np.ndarray, "v v"]
    F: Float[np.ndarray, "v v"]
    G: Float[np.ndarray, "v 1"]
    coefficients: tuple[Coefficient, ...]
    dynamic: int

    @property
    def variables(self) -> int:
        """Number v of variables, dynamic and algebraic."""
        return len(self.E)

    @property
    def values(self) -> Float[np.ndarray, " c"]:
        """Nominal coefficients, (c,)."""
        return np.array([c.value for c in self.coefficients])


@dataclass(frozen=True)
class Asked:
    """What the coordinates of a realization may depend on, beside the memory.

    Attributes
    ----------
    tau, second_tau : float, s
        Time constants of synapse filters.
    turns : float or None
        Periods of the highest frequency of the band in a window, bandwidth times theta; those that the memory
        holds to 1 % unless given.
    """

    tau: float
    second_tau: float
    turns: float | None


# A realization: T of z = T m; the structure; and how the variables give m, where that is not just T^-1 on the states.
Built = tuple[np.ndarray, Structure, np.ndarray | None]


def matrices(
    structure: Structure, values: Float[np.ndarray, "*s c"] | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Put coefficient values, nominal by default, into E, F and G, each (..., v, v) or (..., v, 1)."""
    values = structure.values if values is None else values
    lead = values.shape[:-1]
    fixed = {"E": structure.E, "F": structure.F, "G": structure.G}
    filled = {k: np.broadcast_to(m, (*lead, *m.shape)).copy() for k, m in fixed.items()}
    for k, c in enumerate(structure.coefficients):
        filled[c.matrix][..., c.row, c.column] += values[..., k]
    return filled["E"], filled["F"], filled["G"]


def eliminate(
    structure: Structure, values: Float[np.ndarray, "*s c"] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Give A (..., n, n) and B (..., n, 1) of the dynamic variables, the algebraic ones solved for."""
    E, F, G = matrices(structure, values)
    n = structure.dynamic
    A, B = F[..., :n, :n], G[..., :n, :]
    if structure.variables > n:
        solved = np.linalg.solve(F[..., n:, n:], np.concatenate([F[..., n:, :n], G[..., n:, :]], axis=-1))
        A = A - F[..., :n, n:] @ solved[..., :n]
        B = B - F[..., :n, n:] @ solved[..., n:]
    solved = np.linalg.solve(E[..., :n, :n], np.concatenate([A, B], axis=-1))
    return solved[..., :n], solved[..., n:]


def algebraic_response(structure: Structure, values: Float[np.ndarray, "*s c"] | None = None) -> StateSpace:
    """State space whose outputs are all variables, (v,): what swings at every active output."""
    A, B = eliminate(structure, values)
    _, F, G = matrices(structure, values)
    n, v = structure.dynamic, structure.variables
    C, D = np.zeros((*A.shape[:-2], v, n)), np.zeros((*A.shape[:-2], v, 1))
    C[..., :n, :] = np.eye(n)
    if v > n:
        C[..., n:, :] = -np.linalg.solve(F[..., n:, n:], F[..., n:, :n])
        D[..., n:, :] = -np.linalg.solve(F[..., n:, n:], G[..., n:, :])
    return StateSpace(A, B, C, D)


def read_out(
    structure: Structure, readout: Float[np.ndarray, "d v"], values: Float[np.ndarray, "*s c"] | None = None
) -> StateSpace:
    """State space whose outputs are a fixed combination of all variables, (d,)."""
    all_variables = algebraic_response(structure, values)
    return StateSpace(all_variables.A, all_variables.B, readout @ all_variables.C, readout @ all_variables.D)


def first_variables(structure: Structure, count: int) -> Structure:
    """Leave out the last variables, which none of the others need."""
    kept = tuple(c for c in structure.coefficients if c.row < count)
    E, F, G = structure.E[:count, :count], structure.F[:count, :count], structure.G[:count]
    return replace(structure, E=E, F=F, G=G, coefficients=kept)


def integrators(A: Float[np.ndarray, "n n"], B: Float[np.ndarray, "n 1"]) -> Structure:
    """Integrators z_i' = sum_j a_ij z_j + b_i u, an element for every non-zero coefficient."""
    n = len(A)
    coefficients = (*entries("a", "F", A), *inputs("b", B))
    return Structure(np.eye(n), np.zeros((n, n)), np.zeros((n, 1)), coefficients, n)


def filters(
    A: Float[np.ndarray, "n n"], B: Float[np.ndarray, "n 1"], tau: Float[np.ndarray, " n"]
) -> Structure:
    """First-order filters tau_i x_i' = -x_i + sum_j w_ij x_j + b_i u (NEF Principle 3).

    W = diag(tau) A + I, b = diag(tau) B (Voelker and Eliasmith, Neural Computation 30, 2018, eq. 3.3).
    """
    n = len(A)
    W = tau[:, None] * A + np.eye(n)
    taus = tuple(Coefficient(f"tau[{i}]", "E", i, i, float(t)) for i, t in enumerate(tau))
    coefficients = (*taus, *entries("w", "F", W), *inputs("b", tau[:, None] * B))
    return Structure(np.zeros((n, n)), -np.eye(n), np.zeros((n, 1)), coefficients, n)


def without_rounding(
    M: Float[np.ndarray, "r c"], *, of: Float[np.ndarray, "r c2"]
) -> Float[np.ndarray, "r c"]:
    """Set to zero what is below ``ROUNDING`` of the largest in its row of ``of``, the terms that it came from."""
    return np.where(np.abs(M) < ROUNDING * np.abs(of).max(axis=1, keepdims=True), 0.0, M)


def significant(
    structure: Structure, readout: Float[np.ndarray, "d v"], transform: Float[np.ndarray, "n d"]
) -> tuple[Structure, Float[np.ndarray, "d v"]]:
    """Leave out the coefficients, and set to zero the weights, that are zero but for rounding.

    Each is measured by the term that it makes of its variable, which is as large as |T| makes it of Legendre
    states of one; it is rounding below ``ROUNDING`` of the largest term of its equation. Units do not matter.

    Parameters
    ----------
    structure : Structure
    readout : (d, v) array
        Of all variables.
    transform : (n, d) array
        T of z = T m.
    """
    of_states = algebraic_response(structure)
    size = np.abs(of_states.C @ transform).sum(axis=1) + np.abs(of_states.D[:, 0])
    E, F, G = matrices(structure)
    largest = np.abs(E * size).max(axis=1), np.abs(np.hstack([F * size, G])).max(axis=1)

    def counts(c: Coefficient) -> bool:  # for itself: a fixed part may stand in the same place
        term = abs(c.value) * (1.0 if c.matrix == "G" else size[c.column])
        return bool(term >= ROUNDING * largest[c.matrix != "E"][c.row])

    kept = tuple(c for c in structure.coefficients if counts(c))
    # A weight that stays keeps its last digit, which sizes would not: they are LAPACK's.
    zero = without_rounding(readout * size, of=readout * size) == 0.0
    return replace(structure, coefficients=kept), np.where(zero, 0.0, readout)


def entries(letter: str, matrix: Literal["E", "F"], M: np.ndarray) -> tuple[Coefficient, ...]:
    """Name every non-zero entry of a matrix."""
    return tuple(
        Coefficient(f"{letter}[{i},{j}]", matrix, int(i), int(j), float(M[i, j])) for i, j in np.argwhere(M)
    )


def inputs(letter: str, B: np.ndarray) -> tuple[Coefficient, ...]:
    """Name every non-zero entry of an input column."""
    return tuple(Coefficient(f"{letter}[{i}]", "G", int(i), 0, float(B[i, 0])) for i in np.flatnonzero(B))


def scaled(structure: Structure, scale: Float[np.ndarray, " v"]) -> Structure:
    """Measure every variable in other units, V = scale z, rows scaled alike; names stay.

    Parameters
    ----------
    structure : Structure
    scale : (v,) array
        May be negative: the state is then inverted.
    """
    ratio = scale[:, None] / scale
    factor = {"E": ratio, "F": ratio, "G": scale[:, None]}
    coefficients = tuple(
        replace(c, value=float(c.value * factor[c.matrix][c.row, c.column])) for c in structure.coefficients
    )
    E, F, G = structure.E * ratio, structure.F * ratio, structure.G * scale[:, None]
    return replace(structure, E=E, F=F, G=G, coefficients=coefficients)
