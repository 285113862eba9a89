"""Matrices of whole multiples of 2^-BITS: errors of 1e-30, which are gone where a number becomes a double.

Arrays of Python's integers, which every machine multiplies alike; the window is theta = 1.
"""

from math import isqrt

import numpy as np
from jaxtyping import Float

from lmu_analog.memory.tridiagonal import fixed, schwarz

BITS = 160  # values go from 1e-7 to 1e4, and a few hundred roundings add up
ENOUGH = 2.0**-70  # of one: what such a correction leaves is far below the last digit of a double
MOST = 8  # corrections: two or three suffice


def ladder(order: int) -> tuple[np.ndarray, np.ndarray]:
    """Give A of the Schwarz form and Legendre states of its states; its drive is sqrt(2) d at the first state."""
    form = schwarz(order)
    A = np.zeros((order, order), object)
    for k, square in enumerate(form.squares):
        A[k + 1, k] = fixed(1, square, BITS)
        A[k, k + 1] = -A[k + 1, k]
    A[0, 0] = -(order**2) << BITS
    return A, np.array([[fixed(x, c.weight, BITS) for x in c.entries] for c in form.columns], object).T


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Multiply two matrices."""
    return a @ b >> BITS


def floats(x: np.ndarray) -> Float[np.ndarray, "..."]:
    """Give the nearest doubles."""
    return (x / (1 << BITS)).astype(float)  # whole numbers: one rounding, on every machine the same


def whole(x: Float[np.ndarray, "r c"], scale: float) -> np.ndarray:
    """Give whole numbers of a scale, as exactly as doubles say them."""
    return np.array([[int(each * scale) for each in row] for row in x.tolist()], object).reshape(x.shape)


def orthonormal(near: Float[np.ndarray, "n n"]) -> np.ndarray:
    """Give the orthogonal matrix nearest to one that is orthogonal but for rounding (Björck and Bowie, 1971)."""
    found, unit = whole(near, 2.0**BITS), np.diag(np.full(len(near), 1 << BITS, object))
    for _ in range(MOST):
        lacking = unit - product(found.T, found)
        found = found + (product(found, lacking) >> 1)
        if np.abs(lacking).max() < ENOUGH * 2.0**BITS:
            break
    return found


def root(x: int) -> int:
    """Give the square root of a whole number, in units of 2^-BITS."""
    return isqrt(x << 2 * BITS)


def commuting(order: int) -> np.ndarray:
    """Give the d matrices that commute with A of the Schwarz form and have a one in their first row alone, (d, d, d).

    N_k has it in column k: with A^T e_k = s_(k-1) e_(k-1) - s_k e_(k+1), but -d^2 e_0 for the first term at k = 0,
    N_k A has the first row s_(k-1) e_(k-1) - s_k e_(k+1), hence is s_(k-1) N_(k-1) - s_k N_(k+1).
    """
    A, _ = ladder(order)
    found = [np.diag(np.full(order, 1 << BITS, object))]
    for k in range(order - 1):
        known = found[0] * A[0, 0] if k == 0 else found[k - 1] * A[k, k - 1]
        found.append((known - _times(found[k], A)) // A[k + 1, k])
    return np.array(found)


def _times(x: np.ndarray, tridiagonal: np.ndarray) -> np.ndarray:
    """Multiply without the shift, and without the zeros."""
    found = x * tridiagonal.diagonal()
    found[:, :-1] += x[:, 1:] * tridiagonal.diagonal(-1)
    found[:, 1:] += x[:, :-1] * tridiagonal.diagonal(1)
    return found


def factor(positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the upper triangular L with L^T L = ``positive``, and its inverse (Cholesky)."""
    n, one = len(positive), 1 << BITS
    left, L = positive.copy(), np.zeros_like(positive)
    for k in range(n):
        L[k, k:] = (left[k, k:] << BITS) // isqrt(left[k, k] << BITS)
        left[k:, k:] -= L[k, k:, None] * L[k, k:] >> BITS
    inverse = np.zeros_like(positive)
    for k in range(n - 1, -1, -1):
        rest = -(L[k, k + 1 :] @ inverse[k + 1 :]) if k + 1 < n else np.zeros(n, object)
        rest[k] += one << BITS
        inverse[k] = rest // L[k, k]
    return L, inverse
