"""The contractive memory: dense, in the coordinates in which errors of its elements do the least.

It has as many coefficients as the Legendre memory. Its coordinates are found by descent over orthogonal matrices and
vectors m, see ``turning``; whatever these are, energy is not gained.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from lmu_analog.memory import fixed_point
from lmu_analog.memory.fixed_point import BITS, floats
from lmu_analog.memory.legendre import usable_band
from lmu_analog.memory.repeatable import inverse, minimise, orthonormal, product, scattered, triangular
from lmu_analog.memory.statespace import StateSpace
from lmu_analog.memory.structure import Asked, Built, integrators
from lmu_analog.memory.turning import Errors, added, errors

KEPT = 64  # pairs of order and band
STEPS, ENOUGH = 500, 2e-4  # at order 24 what further steps gain is below 1 %; of S in fifteen steps
# Steps that bring coefficients up which are far below the rest of their row, and what these cost until then: without
# them a row of order 12 has resistors over 1 : 20,000, with them over 1 : 100, and S is .2 % larger.
MORE_STEPS, SPREAD, FIRST_MORE = 120, 1e-7, 1e-3
# Of the variance of time constants beside that of other coefficients. In a circuit of equal parts it is one; less
# is better for the coefficients and worse for the circuit.
CAPACITORS = 0.25
# Of m, beside the drive: about its best size, for which a step that suits Q suits m, and where it starts, in this unit,
# because at zero it has no slope.
UNIT, START = 0.03, 0.7
DIGITS = 3  # of the band: S is flat about its least value
# Of the band that the memory holds: outside it is a bad choice of order, and coordinates of the nearest end serve.
LEAST_BAND, MOST_BAND = 0.25, 1.5


@dataclass(frozen=True, eq=False)
class Turned:
    """The memory over theta = 1 in contractive coordinates, and Legendre states of them."""

    A: Float[np.ndarray, "d d"]
    B: Float[np.ndarray, "d 1"]
    readout: Float[np.ndarray, "d d"]


def contractive(system: StateSpace, theta: float, asked: Asked) -> Built:
    """Choose coordinates in which energy only decays and independent errors of all elements add the least."""
    made = found(system.order, band(system.order, asked.turns))
    return np.linalg.inv(made.readout), integrators(made.A / theta, made.B / theta), made.readout


def band(order: int, turns: float | None) -> float:
    """Give the band, in periods a window, for which coordinates are looked for; the usual one unless given."""
    usual = usable_band(order)
    turns = usual if turns is None else turns
    return float(f"{min(max(turns, LEAST_BAND * usual), MOST_BAND * usual):.{DIGITS - 1}e}")


@dataclass(frozen=True, eq=False)
class Parameters:
    """Of the coordinates: an orthogonal matrix, and m in parts ``UNIT`` of the drive."""

    Q: np.ndarray
    m: np.ndarray


@lru_cache(maxsize=KEPT)
def found(order: int, turns: float) -> Turned:
    """Find the contractive memory of an order for a band."""
    of = errors(order, turns, share=CAPACITORS)
    exact = fixed_point.commuting(order)
    commuting = UNIT * of.drive * floats(exact)
    rows, columns = np.triu_indices(order, 1)
    one = np.eye(order)

    def look_at(of: Errors, at: Parameters) -> tuple[float, np.ndarray]:
        value, moment, by_m = look(of, commuting, at)
        return value, np.concatenate([moment[rows, columns] - moment[columns, rows], by_m])

    def moved(at: Parameters, step: np.ndarray) -> Parameters:  # Q by Cayley's map
        half = np.zeros((order, order))
        half[rows, columns], half[columns, rows] = 0.5 * step[: len(rows)], -0.5 * step[: len(rows)]
        return Parameters(product(inverse(one - half), at.Q + product(half, at.Q)), at.m + step[len(rows) :])

    at = Parameters(orthonormal(scattered(order, order, 0)), START * scattered(1, order, 1)[0])
    at, _ = minimise(at, lambda x: look_at(of, x), moved, steps=STEPS, enough=ENOUGH)
    wide = replace(of, spread=SPREAD)
    at, _ = minimise(at, lambda x: look_at(wide, x), moved, steps=MORE_STEPS, enough=ENOUGH, first=FIRST_MORE)
    m = fixed_point.whole(UNIT * at.m[None], 2.0**BITS)[0] * fixed_point.root(2 * order**2) >> BITS
    F = (m[:, None, None] * exact).sum(axis=0) >> BITS
    return turned(fixed_point.orthonormal(at.Q), F)


def look(of: Errors, commuting: np.ndarray, at: Parameters) -> tuple[float, np.ndarray, np.ndarray]:
    """Give S, its derivatives by Q times Q^T, and those by m."""
    F = np.add.reduce(at.m[:, None, None] * commuting, axis=0)
    L, back = triangular(np.eye(len(F)) + product(F.T, F))
    T, V = product(at.Q, L), product(at.Q, np.ascontiguousarray(back.T))
    value, by_T, by_V = added(of, T, V)
    moment = product(by_T, np.ascontiguousarray(T.T)) + product(by_V, np.ascontiguousarray(V.T))
    # Through L and its inverse, then through L^T L = P (Murray, arXiv:1602.07527), then through P = 1 + F^T F.
    by_L = product(at.Q.T, by_T) - product(back.T, product(np.ascontiguousarray(by_V.T), V))
    half = np.tril(product(L, np.ascontiguousarray(np.tril(by_L.T))))
    half[np.diag_indices(len(half))] *= 0.5
    by_P = product(back, product(half, np.ascontiguousarray(back.T)))
    by_F = product(F, by_P + by_P.T)
    return value, moment, np.add.reduce((by_F * commuting).reshape(len(F), -1).T.copy(), axis=0)


def turned(Q: np.ndarray, F: np.ndarray | None = None) -> Turned:
    """Give the ladder in the coordinates Q L with L^T L = 1 + F^T F, or Q alone.

    Parameters
    ----------
    Q, F : (d, d) arrays of int
        In units of ``fixed_point``; Q orthogonal, F such that it commutes with the ladder.
    """
    order = len(Q)
    A, readout = fixed_point.ladder(order)
    drive = fixed_point.root(2 * order**2)
    T, back = Q, Q.T
    if F is not None:
        L, inverse_of = fixed_point.factor(
            np.diag(np.full(order, 1 << BITS, object)) + fixed_point.product(F.T, F)
        )
        T, back = fixed_point.product(Q, L), fixed_point.product(inverse_of, Q.T)
    return Turned(
        floats(fixed_point.product(fixed_point.product(T, A), back)),
        floats(T[:, :1] * drive >> BITS),
        floats(fixed_point.product(readout, back)),
    )
