"""The compiled steady state: the algorithm of ``steady``, tone by tone, and the error over the window.

Only compiled kernels import this: it needs Numba.
"""

# pyright: basic
# What Numba compiles has no types before it is called.

import numpy as np
from numba import njit

from lmu_analog.memory import steady
from lmu_analog.memory.lanes import LANES, dot1, dot2, dot4, mix2, shift, take2

TRUSTED = steady.TRUSTED


@njit(nogil=True, error_model="numpy")
def hessenberg(H, b, V, scale, n):
    """Bring (H, b) to controller-Hessenberg form in place; write reflector k into row k of V."""
    work = np.zeros((n + 4, LANES))
    for k in range(n - 1):
        for i in range(k, n):
            V[k * n + i] = b[i] if k == 0 else H[i * n + k - 1]
        _reflector(V[k * n + k : (k + 1) * n], scale[k], work[0])
        for i in range(k, n):
            if k == 0:
                b[i] = work[0] if i == k else 0.0
            else:
                H[i * n + k - 1] = work[0] if i == k else 0.0
        j = k
        while j < n:
            if j + 4 <= n:
                dot4(work, j, 1, V, k * n + k, 1, H, k * n + j, n, 1, n - k)
                j += 4
            else:
                dot1(work, j, 1, V, k * n + k, 1, H, k * n + j, n, 1, n - k)
                j += 1
        _scaled(work, scale[k], k, n)
        for i in range(k, n):
            shift(H, i * n + k, 1, V, k * n + i, work, k, 1, n - k)
        i = 0
        while i < n:
            if i + 4 <= n:
                dot4(work, i, 1, V, k * n + k, 1, H, i * n + k, 1, n, n - k)
                i += 4
            else:
                dot1(work, i, 1, V, k * n + k, 1, H, i * n + k, 1, n, n - k)
                i += 1
        _scaled(work, scale[k], 0, n)
        for i in range(n):
            shift(H, i * n + k, 1, work, i, V, k * n + k, 1, n - k)


@njit(nogil=True, error_model="numpy")
def _reflector(v, scale, first):
    """Turn a column into the reflector that leaves only its first entry, and tell what that becomes."""
    total = np.zeros((2, LANES))
    dot1(total, 0, 1, v, 0, 1, v, 0, 1, 1, len(v))
    for lane in range(LANES):
        norm = np.sqrt(total[0, lane])
        first[lane] = norm if v[0, lane] < 0.0 else -norm
        v[0, lane] -= first[lane]
    dot1(total, 1, 1, v, 0, 1, v, 0, 1, 1, len(v))
    for lane in range(LANES):
        scale[lane] = 2.0 / total[1, lane] if total[1, lane] > 0.0 else 0.0


@njit(nogil=True, error_model="numpy")
def _scaled(rows, scale, start, stop):
    for k in range(start, stop):
        for lane in range(LANES):
            rows[k, lane] *= scale[lane]


@njit(nogil=True, error_model="numpy")
def hyman(form, w, z, work, n):
    """Solve (jw - H) z = b e_1, H with its reflectors; z has n real parts, then n imaginary ones."""
    H, b, V, scale = form
    z[:] = 0.0
    z[n - 1] = 1.0
    for i in range(n - 1, -1, -1):
        for lane in range(LANES):
            work[0, lane], work[1, lane] = -w * z[n + i, lane], w * z[i, lane]
        take2(work, 0, 1, H, i * n + i, 1, z, i, 1, n, n - i)
        if i:
            for lane in range(LANES):
                part = 1.0 / H[i * n + i - 1, lane]
                z[i - 1, lane], z[n + i - 1, lane] = work[0, lane] * part, work[1, lane] * part
    for lane in range(LANES):
        size = b[0, lane] / (work[0, lane] * work[0, lane] + work[1, lane] * work[1, lane])
        work[0, lane] *= size
        work[1, lane] *= size
    for i in range(n):
        for lane in range(LANES):
            re, im = z[i, lane], z[n + i, lane]
            z[i, lane] = re * work[0, lane] + im * work[1, lane]
            z[n + i, lane] = im * work[0, lane] - re * work[1, lane]
    reflected(V, scale, z, work, n)


@njit(nogil=True, error_model="numpy")
def reflected(V, scale, z, work, n):
    """Apply the reflectors, last first, to the two columns of z, in place."""
    for k in range(n - 2, -1, -1):
        dot2(work, 0, 1, V, k * n + k, 1, z, k, 1, n, n - k)
        _scaled(work, scale[k], 0, 2)
        shift(z, k, 1, work, 0, V, k * n + k, 1, n - k)
        shift(z, n + k, 1, work, 1, V, k * n + k, 1, n - k)


@njit(nogil=True, error_model="numpy")
def put_back(system, w, x, seen, n):
    """Put x back into jw x = A x + B: keep the largest term (row 0 of seen) and residual (row 1)."""
    A, B = system
    moved = np.empty((2, LANES))
    for i in range(n):
        dot2(moved, 0, 1, A, i * n, 1, x, 0, 1, n, n)
        for lane in range(LANES):
            re, im = moved[0, lane] + B[i, lane], moved[1, lane]
            seen[0, lane] = max(seen[0, lane], abs(re), abs(im))
            left, right = abs(re + w * x[n + i, lane]), abs(im - w * x[i, lane])
            # Written so that what is no number stays in sight.
            if not left <= seen[1, lane]:
                seen[1, lane] = left
            if not right <= seen[1, lane]:
                seen[1, lane] = right


@njit(nogil=True, error_model="numpy")
def read(C, feed, x, w, y, n):
    """Write y = C x + f_0 + jw f_1 - w^2 f_2 - j w^3 f_3, real parts first."""
    p = len(y) // 2
    for i in range(p):
        dot2(y, i, p, C, i * n, 1, x, 0, 1, n, n)
        for lane in range(LANES):
            y[i, lane] += feed[i, lane] - w * w * feed[2 * p + i, lane]
            y[p + i, lane] += w * (feed[p + i, lane] - w * w * feed[3 * p + i, lane])


@njit(nogil=True, error_model="numpy")
def add_errors(y, tone, rows, ideal, total):
    """Add the squares of what a tone's states miss at every place of the window, given its phasor.

    A Legendre polynomial is even or odd about the middle, so a place and its mirror image share the work.
    """
    p, q = len(y) // 2, len(total)
    for i in range(p):
        for lane in range(LANES):
            re, im = y[i, lane], y[p + i, lane]
            y[i, lane], y[p + i, lane] = re * tone.real - im * tone.imag, re * tone.imag + im * tone.real
    half = np.empty((4, LANES))
    for k in range((q + 1) // 2):
        mix2(half, 0, 1, rows, k * p, 2, y, 0, 2, p, (p + 1) // 2)
        mix2(half, 2, 1, rows, k * p + 1, 2, y, 1, 2, p, p // 2)
        here, there = ideal[k], ideal[q - 1 - k]
        for lane in range(LANES):
            re, im = half[0, lane] + half[2, lane] - here.real, half[1, lane] + half[3, lane] - here.imag
            total[k, lane] += re * re + im * im
        if k < q - 1 - k:
            for lane in range(LANES):
                re, im = half[0, lane] - half[2, lane] - there.real, half[1, lane] - half[3, lane] - there.imag
                total[q - 1 - k, lane] += re * re + im * im


@njit(nogil=True, error_model="numpy")
def at_rest(form, g, x, work, n):
    """Solve A x = g with A in controller-Hessenberg form: rotations, then back substitution; H is lost.

    Both have two columns, of which the second is not used.
    """
    H, _, V, scale = form
    for k in range(n - 1):
        dot1(work, 0, 1, V, k * n + k, 1, g, k, 1, 1, n - k)
        _scaled(work, scale[k], 0, 1)
        shift(g, k, 1, work, 0, V, k * n + k, 1, n - k)
    for k in range(n - 1):
        for lane in range(LANES):
            first, second = H[k * n + k, lane], H[(k + 1) * n + k, lane]
            size = np.hypot(first, second)
            work[0, lane], work[1, lane] = first / size, second / size
        for j in range(k, n + 1):
            rows, at, below = (H, k * n + j, (k + 1) * n + j) if j < n else (g, k, k + 1)
            for lane in range(LANES):
                c, s, up, down = work[0, lane], work[1, lane], rows[at, lane], rows[below, lane]
                rows[at, lane], rows[below, lane] = c * up + s * down, c * down - s * up
    x[:] = 0.0
    for i in range(n - 1, -1, -1):
        dot1(work, 0, 1, H, i * n + i, 1, x, i, 1, 1, n - i)
        for lane in range(LANES):
            x[i, lane] = (g[i, lane] - work[0, lane]) / H[i * n + i, lane]
    reflected(V, scale, x, work, n)
