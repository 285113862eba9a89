"""The last state of a memory that nothing is fed back to: one fixed matrix times the series, instead of a scan."""

import numpy as np
from jaxtyping import Float

from lmu_analog.memory.statespace import StateSpace


def last_state(memory: StateSpace, steps: int) -> Float[np.ndarray, "t n"]:
    """Give the matrix M with which a series u, (..., steps), leaves the memory m = u M.

    Row t is A^(steps - 1 - t) B. As many columns as are there are multiplied by a power of A at once, so that a
    series of t steps takes log2(t) products.

    Parameters
    ----------
    memory : StateSpace
        Sampled: m[k] = A m[k-1] + B u[k].
    steps : int
    """
    rows, power = memory.B.T, memory.A.T  # the last input first
    while len(rows) < steps:
        rows = np.concatenate([rows, rows @ power])
        power = power @ power
    return rows[:steps][::-1].copy()


def scanned(memory: StateSpace, u: Float[np.ndarray, "c t"]) -> Float[np.ndarray, "c n"]:
    """Give the same step by step, in the dtype of u: what the matrix is measured against."""
    A, B = memory.A.T.astype(u.dtype), memory.B[:, 0].astype(u.dtype)
    m, moved = np.zeros((2, len(u), len(A)), u.dtype)
    for k in range(u.shape[1]):
        np.matmul(m, A, out=moved)
        moved += u[:, k : k + 1] * B
        m, moved = moved, m
    return m
