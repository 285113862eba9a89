"""The compiled direct solution: a whole block of sparse circuits, from values to profiles, in one kernel.

Only ``kernel_direct`` imports this, and only where the kernel "numba" is asked for: it needs Numba.
"""

# pyright: basic, reportCallIssue=false, reportGeneralTypeIssues=false
# What Numba compiles has no types before it is called, and an intrinsic is called without its first argument.

import numpy as np

from lmu_analog.engine.compiled import play
from lmu_analog.engine.compiled_solve import in_single, misfit, multiply_pivots, play_at, read_states
from lmu_analog.ensembles.compiled import farthest
from lmu_analog.memory.compiled_tones import TRUSTED, add_constant, add_errors, halve
from lmu_analog.memory.lanes import LANES, fill, inner, outermost


@outermost
def run_direct(values, model, tones, around, window):
    """Run a block of samples.

    Parameters
    ----------
    values : (m, s) array
        Parameters of the linear circuit; s is a multiple of ``LANES``.
    model, tones, around, window : tuple
        See ``ensembles.kernel_direct``.

    Returns
    -------
    tuple
        Profiles (s, q); which samples are solved, (s,) bool; determinants over the nominal ones' sizes, real
        and imaginary, (2, q, s); equations (o,) of the sample that strays most, and its response (2, K, p).
    """
    equations, early, nominal, rows, layout = model
    samples, (_, _, ideal, norm) = values.shape[1], window
    profile = np.empty((samples, ideal.shape[1]))
    solved = np.zeros(samples, np.bool_)
    determinants = np.empty((2, len(around[3]), samples), np.float32)
    watched, seen = farthest(values, nominal), np.empty((2, len(ideal), len(tones[4][2])))
    registers = np.empty((max(equations[3], early[3]), LANES))
    given = np.empty((max(len(equations[2]), len(early[2])), LANES))
    single = np.empty((len(early[2]), LANES), np.float32)
    boards = np.empty((rows, LANES)), np.empty((rows, LANES), np.float32)
    for first in range(0, samples, LANES):
        play(early[:3], values, first, registers, given)
        total, here = np.zeros((ideal.shape[1], LANES)), slice(first, first + LANES)
        watch = watched - first, seen
        solved[here] = respond((given, layout), tones, (boards[0], window, total), watch)
        surround((given, single, layout), around, boards[1], determinants[:, :, here])
        for lane in range(LANES):
            for q in range(ideal.shape[1]):
                profile[first + lane, q] = np.sqrt(total[q, lane] / norm)
    play(equations[:3], values, watched // LANES * LANES, registers, given)
    return profile, solved, determinants, given[: len(equations[2]), watched % LANES].copy(), seen


@inner
def respond(equations, tones, into, watch):
    """Add half the squared errors of all tones, and the square of what offsets leave; tell what to trust."""
    given, (entries, sums) = equations
    cuts, still, program, points, readout, terms = tones
    (board, (phasor, rows, ideal, _), total), (watched, seen) = into, watch
    p, n = len(readout[2]), sums[2]
    x, y, work = np.empty((2 * n, LANES)), np.empty((2 * p, LANES)), np.empty((4, LANES))
    fits = np.ones(LANES, np.bool_)
    for first, last, start, stop in cuts:
        fill(x, 0, 0.0, 2 * n)
        for k in range(first, last):
            play_at(program, (start, stop), (entries, given, points[k]), board, x)
            misfit(sums, given, points[k], x, work)
            for lane in range(LANES):
                size = work[0, lane] * work[0, lane] + work[1, lane] * work[1, lane]
                if not size <= (TRUSTED * terms[k]) ** 2:
                    fits[lane] = False
            read_states(readout, x, y, p)
            if 0 <= watched < LANES:
                for i in range(p):
                    seen[0, k, i], seen[1, k, i] = y[i, watched], y[p + i, watched]
            add_errors(y, phasor[k], rows, ideal[k], (total, work))
    halve(total, work)
    if len(still):
        at_rest(equations, (still[0], program, points, readout), (board, rows, total), fits)
    return fits


@inner
def at_rest(equations, still, into, fits):
    """Add the square of what offsets leave; tell what not to trust."""
    given, (entries, sums) = equations
    (k, _, start, stop), program, points, (output, reach, direct) = still
    board, rows, total = into
    p, n = len(direct), sums[2]
    x, y, work = np.empty((2 * n, LANES)), np.empty((2 * p, LANES)), np.empty((2, LANES))
    fill(x, 0, 0.0, 2 * n)
    play_at(program, (start, stop), (entries, given, points[k]), board, x)
    misfit(sums, given, points[k, :0], x, work)
    for lane in range(LANES):
        if not abs(work[0, lane]) <= TRUSTED * abs(given[sums[0] + sums[1] * (n + 1), lane]):
            fits[lane] = False
    read_states((output, reach, np.zeros(p)), x, y, p)
    add_constant(y, rows, total, work)


@inner
def surround(equations, around, board, determinants):
    """Write the determinants at the contour's points over the sizes of the nominal ones, in single precision."""
    given, single, (entries, sums) = equations
    cuts, program, sizes, points, nominal = around
    in_single(given, entries, sizes, single)
    n = sums[2]
    pivots = np.empty((2 * n + 2, LANES), np.float32)
    for first, last, start, stop in cuts:
        for k in range(first, last):
            play_at(program, (start, stop), (entries, single, points[k]), board, pivots)
            multiply_pivots(pivots, nominal[k], n)
            for lane in range(LANES):
                determinants[0, k, lane] = pivots[2 * n, lane]
                determinants[1, k, lane] = pivots[2 * n + 1, lane]
