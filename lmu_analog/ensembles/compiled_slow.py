"""The compiled way from matrix polynomials to responses; the same algorithms as ``solvent`` and ``steady``.

A matrix is an array of rows of lanes, entry (i, j) in row n i + j. Only compiled kernels import this: it needs
Numba.
"""

# pyright: basic, reportCallIssue=false
# What Numba compiles has no types before it is called, and an intrinsic is called without its first argument.

import numpy as np

from lmu_analog.memory.lanes import LANES, add, copy, dots, fill, inner, negative, pile, take, widen
from lmu_analog.reduction import solvent

MOST_ROUNDS, DERIVATIVES = solvent.MOST_ROUNDS, solvent.DERIVATIVES
ROUNDED = solvent.ROUNDED[np.dtype(np.float64)]


@inner
def multiply(out, o, a, first, b, n):
    """Make out[o:] = a[first:] b, all n by n."""
    for i in range(n):
        dots(out, o + i * n, 1, a, first + i * n, 1, b, 0, n, 1, n, n)


@inner
def apply(out, o, a, first, x, i, n, rows):
    """Make out[o:] = a[first:] x[i:], for a matrix of so many rows and n columns."""
    dots(out, o, 1, x, i, 1, a, first, 1, n, n, rows)


@inner
def largest(rows, start, count):
    """Give the largest number among rows, and the sum of all, which shows where one is no number."""
    seen, most, total = np.empty((2, LANES)), 0.0, 0.0
    fill(seen, 0, 0.0, 2)
    widen(seen, 0, rows, start, count)
    pile(seen, 1, rows, start, count)
    for lane in range(LANES):
        most, total = max(most, seen[0, lane]), total + seen[1, lane]
    return most, total


@inner
def quotient(M, A, Q, n, powers):
    """Write Q_0 - 1, Q_1, ... of M(s) = Q(s) (s - A) one after another; ``M[1]`` comes without its unit."""
    cells = n * n
    top = powers - 2
    copy(Q, top * cells, M, (top + 1) * cells, 1, cells)
    for k in range(top - 1, -1, -1):
        multiply(Q, k * cells, Q, (k + 1) * cells, A, n)
        add(Q, k * cells, M, (k + 1) * cells, 1, cells)


@inner
def find_solvent(M, A, Q, work, n, powers):
    """Iterate A to the solvent, from what it holds, with its quotient; tell whether it was reached."""
    cells = n * n
    for _ in range(MOST_ROUNDS):
        quotient(M, A, Q, n, powers)
        multiply(work, 0, Q, 0, A, n)
        add(work, 0, M, 0, 1, cells)  # what A is the negative of
        add(A, 0, work, 0, 1, cells)
        change, total = largest(A, 0, cells)
        negative(A, 0, work, 0, 1, cells)
        if not np.isfinite(total):
            return False
        if not change > ROUNDED * largest(A, 0, cells)[0]:
            quotient(M, A, Q, n, powers)
            return True
    return False


@inner
def forced(Q, b, f, work, n, powers):
    """Write the series f_k of Q(s)^-1 b(s), ``powers`` vectors one after another."""
    for k in range(powers):
        for j in range(1, min(k, powers - 2) + 1):
            apply(work, 0, Q, j * n * n, f, (k - j) * n, n, n)
            take(b, k * n, work, 0, 1, n)
        near_unit(Q, b, f, k * n, work, n)


@inner
def near_unit(Q, right, x, start, work, n):
    """Solve (1 + Q) x = right for a small Q; both are rows start .. start + n - 1."""
    copy(x, start, right, start, 1, n)
    size, _ = largest(right, start, n)
    for _ in range(MOST_ROUNDS):
        apply(work, 0, Q, 0, x, start, n, n)
        take(work, 0, right, start, 1, n)  # what x is the negative of
        add(x, start, work, 0, 1, n)
        change, _ = largest(x, start, n)
        negative(x, start, work, 0, 1, n)
        if not change > ROUNDED * size:
            break


@inner
def direct(f, A, X, work, n, powers):
    """Write the polynomial part X_0 .. X_3 of (s - A)^-1 f(s)."""
    fill(X, 0, 0.0, (DERIVATIVES + 1) * n)
    for k in range(min(DERIVATIVES + 1, powers - 1)):
        for j in range(powers - 1, k, -1):
            apply(work, 0, A, 0, X, k * n, n, n)
            copy(X, k * n, work, 0, 1, n)
            add(X, k * n, f, j * n, 1, n)


@inner
def outputs(C, D, A, parts, feed, n, p):
    """Write into ``feed`` what u, u', ... add at once to p outputs, and into C[0] what all its powers come to.

    ``parts`` holds X_0 .. X_3, then B, and takes A B, A^2 B, ... behind it; C has as many powers as D.
    """
    powers = len(D) // p
    fill(feed, 0, 0.0, (DERIVATIVES + 1) * p)
    work = np.empty((p * n, LANES))
    for k in range(1, powers - 1):
        apply(parts, (DERIVATIVES + 1 + k) * n, A, 0, parts, (DERIVATIVES + k) * n, n, n)
    for k in range(powers):
        for m in range(DERIVATIVES + 1):
            source = m - k if m >= k else DERIVATIVES + k - m
            apply(work, 0, C, k * p * n, parts, source * n, n, p)
            add(feed, m * p, work, 0, 1, p)
    add(feed, 0, D, 0, 1, min(powers, DERIVATIVES + 1) * p)
    for k in range(powers - 2, -1, -1):
        for i in range(p):
            dots(work, i * n, 1, C, ((k + 1) * p + i) * n, 1, A, 0, n, 1, n, n)
        add(C, k * p * n, work, 0, 1, p * n)
