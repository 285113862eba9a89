"""The compiled steady state, as in ``steady`` but by reflections, tone by tone; and the error over the window.

Only compiled kernels import this: it needs Numba.
"""

# pyright: basic, reportCallIssue=false
# What Numba compiles has no types before it is called, and an intrinsic is called without its first argument.

import numpy as np

from lmu_analog.memory import steady
from lmu_analog.memory.lanes import (
    LANES,
    copy,
    dot1,
    dot2,
    dots,
    fill,
    inner,
    mix1,
    mix2,
    scale,
    shift,
    take2,
)

TRUSTED = steady.TRUSTED[np.dtype(np.float64)]


@inner
def hessenberg(H, b, V, share, n):
    """Bring (H, b) to controller-Hessenberg form in place; reflector k is row k of V, its 2/v'v of share."""
    work = np.empty((n, LANES))
    for k in range(n - 1):
        for i in range(k, n):
            if k == 0:
                copy(V, i, b, i, 1, 1)
                fill(b, i, 0.0, 1)
            else:
                copy(V, k * n + i, H, i * n + k - 1, 1, 1)
                fill(H, i * n + k - 1, 0.0, 1)
        _reflector(V, k * n + k, n - k, share, k)
        if k == 0:
            copy(b, 0, share, n, 1, 1)
        else:
            copy(H, k * n + k - 1, share, n, 1, 1)
        dots(work, k, 1, V, k * n + k, 1, H, k * n + k, n, 1, n - k, n - k)
        scale(work, k, share, k, 0, n - k)
        for i in range(k, n):
            shift(H, i * n + k, 1, V, k * n + i, work, k, 1, n - k)
        dots(work, 0, 1, V, k * n + k, 1, H, k, 1, n, n - k, n)
        scale(work, 0, share, k, 0, n)
        for i in range(n):
            shift(H, i * n + k, 1, work, i, V, k * n + k, 1, n - k)


@inner
def _reflector(v, start, n, share, k):
    """Turn a column into the reflector that leaves only its first entry; write 2/v'v into row k of share.

    The last row tells what the entry becomes.
    """
    last = len(share) - 1
    dot1(share, k, 1, v, start, 1, v, start, 1, 1, n)
    for lane in range(LANES):
        norm = np.sqrt(share[k, lane])
        first = norm if v[start, lane] < 0.0 else -norm
        share[last, lane] = first
        v[start, lane] -= first
    dot1(share, k, 1, v, start, 1, v, start, 1, 1, n)
    for lane in range(LANES):
        size = share[k, lane]
        share[k, lane] = 2.0 / size if size > 0.0 else 0.0


@inner
def hyman(form, w, z, work, n):
    """Solve (jw - H) z = b e_1, H with its reflectors; z has n real parts, then n imaginary ones."""
    H, b, V, share, inverse = form
    fill(z, n - 1, 1.0, 1)
    fill(z, 2 * n - 1, 0.0, 1)
    fill(work, 2, -w, 1)
    fill(work, 3, w, 1)
    for i in range(n - 1, -1, -1):
        copy(work, 0, z, n + i, 1, 1)
        copy(work, 1, z, i, 1, 1)
        scale(work, 0, work, 2, 1, 2)
        take2(work, 0, 1, H, i * n + i, 1, z, i, 1, n, n - i)
        if i:
            copy(z, i - 1, work, 0, 1, 1)
            copy(z, n + i - 1, work, 1, 1, 1)
            scale(z, i - 1, inverse, i, 1, 1)
            scale(z, n + i - 1, inverse, i, 1, 1)
    for lane in range(LANES):
        size = b[0, lane] / (work[0, lane] * work[0, lane] + work[1, lane] * work[1, lane])
        work[0, lane] *= size
        work[1, lane] *= size
    for i in range(n):
        for lane in range(LANES):
            re, im = z[i, lane], z[n + i, lane]
            z[i, lane] = re * work[0, lane] + im * work[1, lane]
            z[n + i, lane] = im * work[0, lane] - re * work[1, lane]
    reflected(V, share, z, work, n)


@inner
def reflected(V, share, z, work, n):
    """Apply the reflectors, last first, to the two columns of z, in place."""
    for k in range(n - 2, -1, -1):
        dot2(work, 0, 1, V, k * n + k, 1, z, k, 1, n, n - k)
        scale(work, 0, share, k, 0, 2)
        shift(z, k, 1, work, 0, V, k * n + k, 1, n - k)
        shift(z, n + k, 1, work, 1, V, k * n + k, 1, n - k)


@inner
def put_back(system, w, x, seen, n):
    """Put x back into jw x = A x + B: keep the largest term (row 0 of seen) and the sum of residuals (row 1)."""
    A, B, moved = system
    for i in range(n):
        dot2(moved, 0, 1, A, i * n, 1, x, 0, 1, n, n)
        for lane in range(LANES):
            re, im = moved[0, lane] + B[i, lane], moved[1, lane]
            seen[0, lane] = max(seen[0, lane], abs(re), abs(im))
            # A sum, unlike the largest, shows what is no number.
            seen[1, lane] += abs(re + w * x[n + i, lane]) + abs(im - w * x[i, lane])


@inner
def read(C, feed, x, w, y, n):
    """Write y = C x + f_0 + jw f_1 - w^2 f_2 - j w^3 f_3, real parts first."""
    p = len(y) // 2
    for i in range(p):
        dot2(y, i, p, C, i * n, 1, x, 0, 1, n, n)
        for lane in range(LANES):
            y[i, lane] += feed[i, lane] - w * w * feed[2 * p + i, lane]
            y[p + i, lane] += w * (feed[p + i, lane] - w * w * feed[3 * p + i, lane])


@inner
def add_errors(y, tone, rows, ideal, into):
    """Add the squares of what a tone's states miss at every place of the window, given its phasor.

    A Legendre polynomial is even or odd about the middle, so a place and its mirror image share the work.
    """
    total, half = into
    p, q = len(y) // 2, len(total)
    for i in range(p):
        for lane in range(LANES):
            re, im = y[i, lane], y[p + i, lane]
            y[i, lane], y[p + i, lane] = re * tone.real - im * tone.imag, re * tone.imag + im * tone.real
    for k in range((q + 1) // 2):
        mix2(half, 0, 1, rows, k * p, 2, y, 0, 2, p, (p + 1) // 2)
        mix2(half, 2, 1, rows, k * p + 1, 2, y, 1, 2, p, p // 2)
        here, there = ideal[k], ideal[q - 1 - k]
        for lane in range(LANES):
            re, im = half[0, lane] + half[2, lane] - here.real, half[1, lane] + half[3, lane] - here.imag
            total[k, lane] += re * re + im * im
        if k < q - 1 - k:
            for lane in range(LANES):
                re, im = (
                    half[0, lane] - half[2, lane] - there.real,
                    half[1, lane] - half[3, lane] - there.imag,
                )
                total[q - 1 - k, lane] += re * re + im * im


@inner
def halve(total, work):
    """Turn squares of amplitudes into mean squares."""
    fill(work, 0, 0.5, 1)
    scale(total, 0, work, 0, 0, len(total))


@inner
def add_constant(y, rows, total, work):
    """Add the squares of what constant states show at every place of the window."""
    p = len(y) // 2
    for q in range(len(total)):
        mix1(work, 0, 1, rows, q * p, 1, y, 0, 1, 1, p)
        for lane in range(LANES):
            total[q, lane] += work[0, lane] * work[0, lane]


@inner
def at_rest(form, g, x, work, n):
    """Solve A x = g with A in controller-Hessenberg form: rotations, then back substitution; H and g are lost.

    x has a second column, which is not used.
    """
    H, _, V, share, _ = form
    for k in range(n - 1):
        dot1(work, 0, 1, V, k * n + k, 1, g, k, 1, 1, n - k)
        scale(work, 0, share, k, 0, 1)
        shift(g, k, 1, work, 0, V, k * n + k, 1, n - k)
    for k in range(n - 1):
        for lane in range(LANES):
            first, second = H[k * n + k, lane], H[(k + 1) * n + k, lane]
            size = np.hypot(first, second)
            work[0, lane], work[1, lane] = first / size, second / size
        for j in range(k, n):
            _rotated(H, k * n + j, (k + 1) * n + j, work)
        _rotated(g, k, k + 1, work)
    fill(x, 0, 0.0, 2 * n)
    for i in range(n - 1, -1, -1):
        dot1(work, 0, 1, H, i * n + i, 1, x, i, 1, 1, n - i)
        for lane in range(LANES):
            x[i, lane] = (g[i, lane] - work[0, lane]) / H[i * n + i, lane]
    reflected(V, share, x, work, n)


@inner
def _rotated(rows, upper, lower, turn):
    for lane in range(LANES):
        up, down = rows[upper, lane], rows[lower, lane]
        rows[upper, lane] = turn[0, lane] * up + turn[1, lane] * down
        rows[lower, lane] = turn[0, lane] * down - turn[1, lane] * up
