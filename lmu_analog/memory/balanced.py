"""The balanced memory, whose values have no closed form: LAPACK's answer, made better until no digit is in doubt.

What LAPACK rounds depends on the processor, and values of elements are rounded to twelve digits: errors of 1e-13 would
show in the last one now and then. Here they are of 1e-30, see ``fixed_point``; the window is theta = 1.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import isqrt

import numpy as np
from jaxtyping import Float
from scipy import linalg

from lmu_analog.memory.fixed_point import BITS, ENOUGH, MOST, floats, ladder, product, whole
from lmu_analog.memory.statespace import StateSpace
from lmu_analog.memory.structure import Asked, Built, integrators
from lmu_analog.memory.tridiagonal import KEPT


def balanced(system: StateSpace, theta: float, asked: Asked) -> Built:
    """Make the controllability Gramian equal the observability Gramian of the whole window.

    The taps' Gramian has C^T C = integral of c_r^T c_r dr = diag(1/(2i+1)), the identity in orthonormal
    coordinates (square-root method, Laub et al., IEEE Trans. Automatic Control 32, 1987). The last state counts
    positively in Legendre state m_0, the others negatively.
    """
    made = found(system.order)  # the inverse only ranks terms: no element's value comes from it
    return np.linalg.inv(made.readout), integrators(made.A / theta, made.B / theta), made.readout


@dataclass(frozen=True, eq=False)
class Balanced:
    """The memory over theta = 1 in balanced coordinates, and Legendre states of them."""

    A: Float[np.ndarray, "d d"]
    B: Float[np.ndarray, "d 1"]
    readout: Float[np.ndarray, "d d"]


@lru_cache(maxsize=KEPT)
def found(order: int) -> Balanced:
    """Find the balanced memory of an order."""
    # In the Schwarz form the controllability Gramian is the identity, so what remains is to turn its coordinates.
    A, readout = ladder(order)
    taps = readout.T @ (readout // (2 * np.arange(order).astype(object)[:, None] + 1)) >> BITS
    turned, squares = _eigen(_observability(A, taps))
    root = np.array([isqrt(isqrt(x << BITS) << BITS) for x in squares], object)  # of Hankel's singular values
    read = product(readout, turned)
    # Signs are free, and LAPACK's depend on the processor, too; up to thirteen states it gave these.
    sign = np.where((read[0] > 0) == (np.arange(order) == order - 1), 1, -1).astype(object)
    turned, read = turned * sign, read * sign
    drive = isqrt(2 * order**2 << 2 * BITS)
    return Balanced(
        floats((root[:, None] * product(product(turned.T, A), turned)) // root),
        floats((root * turned[0] * drive)[:, None] >> 2 * BITS),
        floats((read << BITS) // root),
    )


def _observability(A: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """Solve A^T X + X A + taps = 0, each time for what is left of it."""
    solution, factor = np.zeros_like(taps), floats(A).T
    for _ in range(MOST):
        half = product(solution, A)
        left = half + half.T + taps
        scale = float(np.abs(left).max())
        step = linalg.solve_continuous_lyapunov(factor, -(left / scale).astype(float))
        solution = solution + whole(0.5 * (step + step.T), scale)
        if scale < ENOUGH * 2.0**BITS:
            break
    return solution


def _eigen(symmetric: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give eigenvectors, side by side, and eigenvalues, the largest first (Ogita and Aishima, JJIAM 35, 2018)."""
    vectors = whole(np.linalg.eigh(floats(symmetric))[1][:, ::-1], 2.0**BITS)
    unit, values = np.diag(np.full(len(symmetric), 1 << BITS, object)), np.diag(symmetric)
    for _ in range(MOST):
        lacking = unit - product(vectors.T, vectors)
        seen = product(vectors.T, product(symmetric, vectors))
        values = (np.diag(seen) << BITS) // (unit - lacking).diagonal()
        apart = values - values[:, None]
        np.fill_diagonal(apart, 1)
        step = ((seen << BITS) + values * lacking) // apart
        np.fill_diagonal(step, lacking.diagonal() // 2)
        vectors = vectors + product(vectors, step)
        if np.abs(step).max() < ENOUGH * 2.0**BITS:
            break
    return vectors, values
