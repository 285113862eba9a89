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


def algebraic_response(structure: Structure) -> StateSpace:
    """State space whose outputs are all variables, (v,): what swings at every active output."""
    A, B = eliminate(structure)
    _, F, G = matrices(structure)
    n, v = structure.dynamic, structure.variables
    C, D = np.eye(v, n), np.zeros((v, 1))
    if v > n:
        C[n:] = -np.linalg.solve(F[n:, n:], F[n:, :n])
        D[n:] = -np.linalg.solve(F[n:, n:], G[n:])
    return StateSpace(A, B, C, D)


def scaled(structure: Structure, scale: Float[np.ndarray, " v"]) -> Structure:
    """Measure every variable in other units, V = scale z, rows scaled alike; names stay.

    Parameters
    ----------
    structure : Structure
    scale : (v,) array
        May be negative: a state is then carried inverted.
    """
    ratio = scale[:, None] / scale
    factor = {"E": ratio, "F": ratio, "G": scale[:, None]}
    coefficients = tuple(
        replace(c, value=float(c.value * factor[c.matrix][c.row, c.column])) for c in structure.coefficients
    )
    return Structure(
        structure.E * ratio,
        structure.F * ratio,
        structure.G * scale[:, None],
        coefficients,
        structure.dynamic,
    )
