"""The compiled exact engine: a whole block of samples, from values to profiles, in one kernel.

Only ``exact`` imports this, and only where the kernel "numba" is asked for: it needs Numba.
"""

# pyright: basic, reportCallIssue=false, reportGeneralTypeIssues=false
# What Numba compiles has no types before it is called, and an intrinsic is called without its first argument.

import numpy as np

from lmu_analog.engine.compiled import play, sweep_lanes
from lmu_analog.ensembles.compiled_slow import (
    DERIVATIVES,
    apply,
    direct,
    find_solvent,
    forced,
    near_unit,
    outputs,
)
from lmu_analog.ensembles.compiled_stability import certify
from lmu_analog.memory.compiled_tones import (
    TRUSTED,
    add_constant,
    add_errors,
    at_rest,
    halve,
    hessenberg,
    hyman,
    put_back,
    read,
)
from lmu_analog.memory.lanes import LANES, add, copy, fill, inner, mix1, outermost, take


@outermost
def run_block(values, model, tones, certificate):
    """Run a block of samples.

    Parameters
    ----------
    values : (m, s) array
        Parameters of the linear circuit; s is a multiple of ``LANES``.
    model, tones, certificate : tuple
        See ``ensembles.kernel``.

    Returns
    -------
    tuple
        Profiles (s, q); which samples are solved, and which are proved to be stable, (s,) bool; state matrices
        (s, n, n) of those that are not; equations (o,) of the sample that strays most, and its response, real
        and imaginary, (2, K, p).
    """
    equations, slow, plan, start, aim, shape = model
    n, p = shape[0], shape[1]
    samples, (w, _, _, ideal, norm) = values.shape[1], tones
    profile, matrices = np.empty((samples, ideal.shape[1])), np.empty((samples, n, n))
    solved, stable = np.zeros((2, samples), np.bool_)
    watched, seen = farthest(values, start[1]), np.empty((2, len(w), p))
    registers = np.empty((max(slow[3], equations[3]), LANES))
    out = np.empty((max(len(slow[2]), len(equations[2])), LANES))
    for first in range(0, samples, LANES):
        play(slow[:3], values, first, registers, out)
        sweep_lanes(out, n, shape[2], plan)
        A, B, C, feed, pushed, reached = system(out, start[0], aim, shape, plan)
        if not reached:
            continue
        total, here = np.zeros((ideal.shape[1], LANES)), slice(first, first + LANES)
        solved[here] = respond((A, B, C, feed, pushed), tones, total, (watched - first, seen), n)
        certify(A, certificate, stable[here], n)
        for lane in range(LANES):
            for q in range(ideal.shape[1]):
                profile[first + lane, q] = np.sqrt(total[q, lane] / norm)
            if not stable[first + lane]:
                for cell in range(n * n):
                    matrices[first + lane, cell // n, cell % n] = A[cell, lane]
    play(equations[:3], values, watched // LANES * LANES, registers, out)
    return profile, solved, stable, matrices, out[: len(equations[2]), watched % LANES].copy(), seen


@inner
def farthest(values, nominal):
    """Find the sample that strays most from the nominal circuit."""
    strays = np.zeros(values.shape[1])
    for k in range(len(values)):
        if nominal[k] != 0.0:
            part = 1.0 / nominal[k]
            for sample in range(len(strays)):
                strays[sample] = max(strays[sample], abs(values[k, sample] * part - 1.0))
    return np.argmax(strays)


@inner
def system(out, start, aim, shape, plan):
    """Turn what is left of the equations into a state space, in units of the rate.

    Gives A, B, C, what derivatives of the input add, what constants push (empty where there are none), and
    whether the solvent was reached.
    """
    n, p, width, probed, has_rest = shape
    powers, cells = (width - 1) // (n + 1), n * n
    M, b, rest = np.empty((powers * cells, LANES)), np.empty((powers * n, LANES)), np.empty((n, LANES))
    for line in range(len(plan)):
        j, i, other = plan[line]
        if other < 0:
            for k in range(powers):
                copy(M, k * cells + j * n, out, i * width + n * k, 1, n)
                copy(b, k * n + j, out, i * width + n * powers + k, 1, 1)
            copy(rest, j, out, (i + 1) * width - 1, 1, 1)
    behind = n * width + 1
    C, D = np.empty((probed * p * n, LANES)), np.empty((probed * p, LANES))
    copy(C, 0, out, behind, 1, probed * p * n)
    copy(D, 0, out, behind + probed * p * n, 1, probed * p)
    if len(aim[0]):
        aimed(M, b, rest, C, aim)
    for i in range(n):
        for lane in range(LANES):
            M[cells + i * (n + 1), lane] -= 1.0
    A, work = np.empty((cells, LANES)), np.empty((cells, LANES))
    for cell in range(cells):
        fill(A, cell, start[cell], 1)
    take(A, 0, M, 0, 1, cells)
    Q, f = np.empty(((powers - 1) * cells, LANES)), np.empty((powers * n, LANES))
    reached = find_solvent(M, A, Q, work, n, powers)
    forced(Q, b, f, work, n, powers)
    parts = np.zeros(((DERIVATIVES + 1 + max(probed, 2)) * n, LANES))
    direct(f, A, parts, work, n, powers)
    apply(parts, (DERIVATIVES + 1) * n, A, 0, parts, 0, n, n)
    add(parts, (DERIVATIVES + 1) * n, f, 0, 1, n)
    B = np.empty((n, LANES))
    copy(B, 0, parts, (DERIVATIVES + 1) * n, 1, n)
    pushed = np.empty((n + p * n if has_rest else 0, LANES))
    if has_rest:
        near_unit(Q, rest, pushed, 0, work, n)
        copy(pushed, n, C, 0, 1, p * n)
    feed = np.empty(((DERIVATIVES + 1) * p, LANES))
    outputs(C, D, A, parts, feed, n, p)
    return A, B, C, feed, pushed, reached


@inner
def aimed(M, b, rest, C, aim):
    """Turn equations and states into those in which the solvent is near, in place."""
    left, right = aim
    n = len(rest)
    half, turned = np.empty((n * n, LANES)), np.empty_like(C)
    for k in range(len(M) // (n * n)):
        for i in range(n):
            for j in range(n):
                mix1(half, i * n + j, 1, left, i * n, 1, M, k * n * n + j, n, 1, n)
        right_of(M, k * n * n, half, right, n)
        left_of(b, k * n, left, half, n)
    left_of(rest, 0, left, half, n)
    right_of(turned, 0, C, right, n)
    copy(C, 0, turned, 0, 1, len(C))


@inner
def left_of(column, start, left, work, n):
    """Multiply n rows of a column by a matrix that all lanes share, in place."""
    copy(work, 0, column, start, 1, n)
    for i in range(n):
        mix1(column, start + i, 1, left, i * n, 1, work, 0, 1, 1, n)


@inner
def right_of(result, start, rows, right, n):
    """Multiply rows of n entries by a matrix that all lanes share."""
    for i in range(len(rows) // n):
        for j in range(n):
            mix1(result, start + i * n + j, 1, right, j, n, rows, i * n, 1, 1, n)


@inner
def respond(system, tones, total, watch, n):
    """Add half the squared errors of all tones, and the square of what stays at rest; tell what to trust."""
    A, B, C, feed, pushed = system
    w, phasor, rows, ideal, _ = tones
    p, (watched, seen) = len(feed) // (DERIVATIVES + 1), watch
    form = reduced(A, B, n)
    x, y = np.empty((2 * n, LANES)), np.empty((2 * p, LANES))
    work, terms = np.empty((4, LANES)), np.empty((3, LANES))
    fill(terms, 0, 0.0, 3)
    for k in range(len(w)):
        hyman(form, w[k], x, work, n)
        put_back((A, B, work), w[k], x, terms, n)
        read(C, feed, x, w[k], y, n)
        if 0 <= watched < LANES:
            for i in range(p):
                seen[0, k, i], seen[1, k, i] = y[i, watched], y[p + i, watched]
        add_errors(y, phasor[k], rows, ideal[k], (total, work))
    halve(total, work)
    if len(pushed):
        at_rest(form, pushed, x, work, n)
        apply(y, 0, pushed, n, x, 0, n, p)
        add_constant(y, rows, total, work)
    return trusted(terms, B)


@inner
def trusted(terms, B):
    """Compare the residuals of all tones together with the largest term, lane by lane."""
    found = np.empty(LANES, np.bool_)
    for i in range(len(B)):
        for lane in range(LANES):
            terms[2, lane] = max(terms[2, lane], abs(B[i, lane]))
    for lane in range(LANES):
        found[lane] = terms[1, lane] <= TRUSTED * (terms[0, lane] + terms[2, lane])
    return found


@inner
def reduced(A, B, n):
    """Give (A, B) in controller-Hessenberg form: H, b, reflectors, their 2/v'v, and 1 over the subdiagonal."""
    H, V, inverse = np.empty((n * n, LANES)), np.empty((n * n, LANES)), np.empty((n, LANES))
    b, share = np.empty((n, LANES)), np.empty((n + 1, LANES))
    copy(H, 0, A, 0, 1, n * n)
    copy(b, 0, B, 0, 1, n)
    hessenberg(H, b, V, share, n)
    for i in range(1, n):
        for lane in range(LANES):
            inverse[i, lane] = 1.0 / H[i * n + i - 1, lane]
    return H, b, V, share, inverse
