"""The compiled certificates of ``stability``: what they do not prove is left to the eigenvalues.

Only compiled kernels import this: it needs Numba.
"""

# pyright: basic, reportCallIssue=false
# What Numba compiles has no types before it is called, and an intrinsic is called without its first argument.

import numpy as np

from lmu_analog.ensembles.compiled_slow import multiply
from lmu_analog.memory import stability
from lmu_analog.memory.lanes import LANES, copy, fill, inner, mixes, scale, shift

LARGEST_LYAPUNOV, SQUARINGS, PROVED = stability.LARGEST_LYAPUNOV, stability.SQUARINGS, stability.PROVED
INVERTED = 1e-9  # largest entry of (1 - hA) Y - 1: below what single precision makes of A


@inner
def certify(A, certificate, proved, n):
    """Tell which A are stable for certain, (LANES,) bool; ``certificate`` is (T, T^-1, h)."""
    T, back, step = certificate
    turned, work = np.empty((n * n, LANES)), np.empty((n * n, LANES))
    _turn(T, back, A, (work, turned), n)
    proved[:] = False
    if n <= LARGEST_LYAPUNOV:
        _contracts(turned, work, proved, n)
        if proved.all():
            return
    _powers_shrink(turned, step, work, proved, n)


@inner
def _turn(T, back, A, into, n):
    """Write T A T^-1 into the second of two arrays."""
    between, turned = into
    for j in range(n):
        mixes(between, j, n, back, j, n, A, 0, 1, n, n, n)
    for i in range(n):
        mixes(turned, i * n, 1, T, i * n, 1, between, 0, n, 1, n, n)


@inner
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


@inner
def _powers_shrink(A, step, work, proved, n):
    """Tell where a power of the Cayley map has a norm below one."""
    power, other = np.empty((n * n, LANES), np.float32), np.empty((n * n, LANES), np.float32)
    inverted = np.ones(LANES, np.bool_)
    _cayley(A, step, work, (power, inverted), n)
    for _ in range(SQUARINGS):
        multiply(other, 0, power, 0, power, n)
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


@inner
def _cayley(A, step, work, into, n):
    """Write the Cayley map of step A, and tell where the inverse in it is one; A is lost."""
    power, inverted = into
    for cell in range(n * n):
        unit = 1.0 if cell % (n + 1) == 0 else 0.0
        for lane in range(LANES):
            A[cell, lane] = unit - step * A[cell, lane]
    inverse = np.empty((n * n, LANES))
    copy(inverse, 0, A, 0, 1, n * n)
    _invert(inverse, n)
    multiply(work, 0, A, 0, inverse, n)
    for cell in range(n * n):
        unit = 1.0 if cell % (n + 1) == 0 else 0.0
        for lane in range(LANES):
            if not abs(work[cell, lane] - unit) <= INVERTED:
                inverted[lane] = False
            power[cell, lane] = 2.0 * inverse[cell, lane] - unit


@inner
def _invert(X, n):
    """Invert in place without exchanges; who calls puts the result back."""
    share = np.empty((1, LANES))
    for k in range(n):
        for lane in range(LANES):
            share[0, lane] = 1.0 / X[k * n + k, lane]
            X[k * n + k, lane] = 1.0
        scale(X, k * n, share, 0, 0, n)
        for i in range(n):
            if i != k:
                copy(share, 0, X, i * n + k, 1, 1)
                fill(X, i * n + k, 0.0, 1)
                shift(X, i * n, 1, share, 0, X, k * n, 1, n)
