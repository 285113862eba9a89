"""The compiled certificates of ``stability``: what they do not prove is left to the eigenvalues.

Only compiled kernels import this: it needs Numba.
"""

# pyright: basic
# What Numba compiles has no types before it is called.

import numpy as np
from numba import njit

from lmu_analog.memory import stability
from lmu_analog.memory.compiled import multiply
from lmu_analog.memory.lanes import LANES, mix1, mix4, shift

LARGEST_LYAPUNOV, SQUARINGS, PROVED = stability.LARGEST_LYAPUNOV, stability.SQUARINGS, stability.PROVED
INVERTED = 1e-6  # largest entry of (1 - hA) Y - 1: far below what single precision adds to the powers


@njit(nogil=True, error_model="numpy")
def certify(A, certificate, proved, n):
    """Tell which A are stable for certain, (LANES,) bool; ``certificate`` is (T, T^-1, h)."""
    T, back, step = certificate
    turned, work = np.empty((2, n * n, LANES))
    _turn(T, back, A, (work, turned), n)
    proved[:] = False
    if n <= LARGEST_LYAPUNOV:
        _contracts(turned, work, proved, n)
        if proved.all():
            return
    _powers_shrink(turned, step, work, proved, n)


@njit(nogil=True, error_model="numpy")
def _turn(T, back, A, into, n):
    """Write T A T^-1 into the second of two arrays."""
    between, turned = into
    for j in range(n):
        i = 0
        while i < n:
            if i + 4 <= n:
                mix4(between, i * n + j, n, back, j, n, A, i * n, 1, n, n)
                i += 4
            else:
                mix1(between, i * n + j, n, back, j, n, A, i * n, 1, n, n)
                i += 1
    for i in range(n):
        j = 0
        while j < n:
            if j + 4 <= n:
                mix4(turned, i * n + j, 1, T, i * n, 1, between, j, n, 1, n)
                j += 4
            else:
                mix1(turned, i * n + j, 1, T, i * n, 1, between, j, n, 1, n)
                j += 1


@njit(nogil=True, error_model="numpy")
def _contracts(A, S, proved, n):
    """Tell where -(A + A') has positive pivots."""
    for i in range(n):
        for j in range(i, n):
            for lane in range(LANES):
                S[i * n + j, lane] = -(A[i * n + j, lane] + A[j * n + i, lane])
    proved[:] = True
    share = np.empty((1, LANES))
    for k in range(n):
        for lane in range(LANES):
            if not S[k * n + k, lane] > 0.0:
                proved[lane] = False
        for i in range(k + 1, n):
            for lane in range(LANES):
                share[0, lane] = S[k * n + i, lane] / S[k * n + k, lane]
            shift(S, i * n + i, 1, share, 0, S, k * n + i, 1, n - i)


@njit(nogil=True, error_model="numpy")
def _powers_shrink(A, step, work, proved, n):
    """Tell where a power of the Cayley map has a norm below one."""
    for cell in range(n * n):
        unit = 1.0 if cell % (n + 1) == 0 else 0.0
        for lane in range(LANES):
            A[cell, lane] = unit - step * A[cell, lane]
    inverse = A.copy()
    _invert(inverse, n)
    multiply(work, A, inverse, n, n)
    inverted = np.ones(LANES, np.bool_)
    power, other = np.empty((2, n * n, LANES), np.float32)
    for cell in range(n * n):
        unit = 1.0 if cell % (n + 1) == 0 else 0.0
        for lane in range(LANES):
            if not abs(work[cell, lane] - unit) <= INVERTED:
                inverted[lane] = False
            power[cell, lane] = 2.0 * inverse[cell, lane] - unit
    for _ in range(SQUARINGS):
        multiply(other, power, power, n, n)
        power, other = other, power
        size = np.zeros(LANES, np.float32)
        for cell in range(n * n):
            for lane in range(LANES):
                size[lane] += power[cell, lane] * power[cell, lane]
        for lane in range(LANES):
            if inverted[lane] and size[lane] < PROVED * PROVED:
                proved[lane] = True
        if proved.all():
            break


@njit(nogil=True, error_model="numpy")
def _invert(X, n):
    """Invert in place without exchanges; who calls puts the result back."""
    share = np.empty((1, LANES))
    for k in range(n):
        for lane in range(LANES):
            share[0, lane] = 1.0 / X[k * n + k, lane]
            X[k * n + k, lane] = 1.0
        for j in range(n):
            for lane in range(LANES):
                X[k * n + j, lane] *= share[0, lane]
        for i in range(n):
            if i != k:
                share[0] = X[i * n + k]
                X[i * n + k] = 0.0
                shift(X, i * n, 1, share, 0, X, k * n, 1, n)
