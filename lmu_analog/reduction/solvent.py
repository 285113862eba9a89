"""From a matrix polynomial to a state space: the modes that stay when its small leading terms vanish.

M_0 x + M_1 s x + M_2 s^2 x + ... = (b_0 + b_1 s + ...) u. A right solvent A, M_0 + M_1 A + M_2 A^2 + ... = 0, splits
M(s) = N(s) (s - A) with nothing left over (Gohberg, Lancaster and Rodman, Matrix Polynomials, 1982, section
4.1), so that x = (s - A)^-1 N(s)^-1 b(s) u. Where M_2, M_3, ... are small beside M_1 the fixed point of
A = -M_1^-1 (M_0 + M_2 A^2 + ...) is the solvent of the slow modes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from scipy import linalg

from lmu_analog.errors import CircuitError
from lmu_analog.memory.statespace import StateSpace

DERIVATIVES = 3  # of the input that reach the output at once: the next is (band / fast poles)^4
MOST_ROUNDS = 40
# Of the largest entry: a change below has come down to rounding.
ROUNDED = 1e-13


@dataclass(frozen=True, eq=False)
class Polynomial:
    """Many matrix polynomials with their input, in s/rate, and the outputs y = C(s) x + D(s) u.

    Attributes
    ----------
    M : sequence of (s, n, n) arrays
        Coefficients of 1, s, s^2, ...; M_1 is the unit matrix but for something small.
    b : sequence of (s, n) arrays
        As many as M.
    C : sequence of (p, n) or (s, p, n) arrays
    D : sequence of (p,) or (s, p) arrays
        As many as C.
    constant : (s, n) array or None
        Constant right side: what offsets drive.
    shown : (s, p) array or None
        Constants that the outputs show beside it.
    start : (n, n) array or None
        Where to look for the solvent; -M_0 unless given.
    """

    M: Sequence[np.ndarray]
    b: Sequence[np.ndarray]
    C: Sequence[np.ndarray]
    D: Sequence[np.ndarray]
    constant: np.ndarray | None = None
    start: np.ndarray | None = None
    shown: np.ndarray | None = None


def state_space(polynomial: Polynomial, rate: float) -> StateSpace:
    """Give the slow modes as a state space, s samples of n states.

    Raises
    ------
    CircuitError
        If the fixed point is not reached: fast and slow modes lie too close together.
    """
    A = solvent(polynomial.M, polynomial.start)
    forced = _forced(polynomial, A)
    direct = _direct(forced, A)
    B = forced[0] + _times(A, direct[0])
    C, feed = _outputs(polynomial, A, B, direct=direct)
    offset = polynomial.shown
    if polynomial.constant is not None:
        # At DC M_0 x = h; the probes read C_0 x.
        at_dc = np.linalg.solve(polynomial.M[0], polynomial.constant[..., None])[..., 0]
        by_states = _times(polynomial.C[0], at_dc)
        offset = by_states if offset is None else by_states + offset
    derivatives = np.stack([part / rate**k for k, part in enumerate(feed[1:], 1)], axis=-1)
    slope = derivatives if derivatives.any() else None
    return StateSpace(rate * A, rate * B[..., None], C, feed[0][..., None], None, offset, slope)


def nominal_solvent(M: Sequence[np.ndarray]) -> np.ndarray:
    """Give the solvent of the slowest modes of one polynomial, (n, n), from the eigenvectors of its pencil."""
    n, powers = len(M[0]), len(M) - 1
    left, right = np.eye(n * powers), np.zeros((n * powers, n * powers))
    left[-n:, -n:] = M[-1]
    right[:-n, n:] = np.eye(n * (powers - 1))
    right[-n:] = -np.hstack(M[:-1])
    poles, vectors = cast("tuple[np.ndarray, np.ndarray]", linalg.eig(right, left))
    slow = np.argsort(np.abs(poles))[:n]
    modes = vectors[:n, slow]
    return np.real((modes * poles[slow]) @ np.linalg.inv(modes))


def solvent(M: Sequence[np.ndarray], start: np.ndarray | None = None) -> np.ndarray:
    """Iterate to the solvent A of M_0 + M_1 A + M_2 A^2 + ..., (s, n, n), from ``start`` or -M_0."""
    small = M[1] - np.eye(M[0].shape[-1])
    A = -M[0]
    if len(M) == 2 and not small.any():
        return A
    if start is not None:
        A = np.broadcast_to(start, A.shape)
    change, largest = np.empty_like(M[0]), 0.0
    for _ in range(MOST_ROUNDS):
        with np.errstate(over="ignore", invalid="ignore"):
            # -A of the next round, in place: passes over memory cost as much as the products.
            renewed = _higher(M[2:], small, A) @ A
            renewed += M[0]
            np.add(renewed, A, out=change)
        A = np.negative(renewed, out=renewed)
        before, largest = largest, max(change.max(), -change.min())
        if not np.isfinite(largest):
            break
        # What is left shrinks by the same factor as the last change did.
        if not largest * (min(1.0, largest / before) if before else 1.0) > ROUNDED * max(A.max(), -A.min()):
            return A
    raise CircuitError("fast and slow modes of the circuit lie too close together to be parted")


def _higher(higher: Sequence[np.ndarray], small: np.ndarray, A: np.ndarray) -> np.ndarray:
    """Give small + M_2 A + M_3 A^2 + ..."""
    if not higher:
        return small
    total = higher[-1] @ A
    for M in higher[-2::-1]:
        total += M
        total = total @ A
    total += small
    return total


def _forced(polynomial: Polynomial, A: np.ndarray) -> list[np.ndarray]:
    """Give the series N(s)^-1 b(s), as many vectors (s, n) as b has."""
    quotient = [polynomial.M[-1]]
    for M in polynomial.M[-2:0:-1]:
        quotient.insert(0, M + quotient[0] @ A)
    found: list[np.ndarray] = []
    for k, b in enumerate(polynomial.b):
        right = b - sum((_times(N, found[k - j]) for j, N in enumerate(quotient[1 : k + 1], 1)), start=0.0)
        found.append(_solved(quotient[0], right))
    return found


def _solved(N: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve N x = right for an N near the unit matrix."""
    x, size = right, np.abs(right).max(initial=0.0)
    for _ in range(MOST_ROUNDS):
        renewed = right + (x - _times(N, x))
        change = np.abs(renewed - x).max(initial=0.0)
        x = renewed
        if not change > ROUNDED * size:
            break
    return x


def _direct(forced: list[np.ndarray], A: np.ndarray) -> list[np.ndarray]:
    """Part (s - A)^-1 (f_0 + f_1 s + ...) from its polynomial part X_0 + X_1 s + ...; those X."""
    found = [np.zeros_like(forced[0])] * (DERIVATIVES + 1)
    for k in range(min(DERIVATIVES + 1, len(forced) - 1)):
        for f in reversed(forced[k + 1 :]):
            found[k] = f + _times(A, found[k])
    return found


def _outputs(
    polynomial: Polynomial, A: np.ndarray, B: np.ndarray, *, direct: list[np.ndarray]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Read C(s) x + D(s) u off x = z + X(s) u with s z = A z + B u: C, and what u, u', ... add at once."""
    C = polynomial.C[-1]
    for lower in polynomial.C[-2::-1]:
        C = lower + C @ A
    pushes = [B]  # s^k z takes A^(k-1) B from u, A^(k-2) B from u', ...
    feed = [np.zeros((*A.shape[:-2], C.shape[-2]))] * (DERIVATIVES + 1)
    for k, part in enumerate(polynomial.C):
        for m in range(DERIVATIVES + 1):
            if m >= k:
                feed[m] = feed[m] + _times(part, direct[m - k])
            else:
                feed[m] = feed[m] + _times(part, pushes[k - 1 - m])
        if k:
            pushes.append(_times(A, pushes[-1]))
    for m, part in enumerate(polynomial.D[: DERIVATIVES + 1]):
        feed[m] = feed[m] + part
    return np.broadcast_to(C, (*A.shape[:-2], *C.shape[-2:])), feed


def _times(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    return (matrix @ vector[..., None])[..., 0]
