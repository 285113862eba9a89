"""The compiled solution of sparse equations, tone by tone: see ``solve`` and ``circuits.tape``.

Only compiled kernels import this: it needs Numba.
"""

# pyright: basic, reportCallIssue=false
# What Numba compiles has no types before it is called, and an intrinsic is called without its first argument.

import numpy as np

from lmu_analog.engine import tape
from lmu_analog.memory.complex_lanes import (
    add_product,
    minus,
    plus,
    product_less,
    reciprocal,
    take_product,
    times,
)
from lmu_analog.memory.lanes import LANES, copy, dot2, fill, inner, mix1, negative, take

LOAD, PLUS, MINUS, TIMES = tape.LOAD, tape.PLUS, tape.MINUS, tape.TIMES
RECIPROCAL, STORE = tape.RECIPROCAL, tape.STORE
ADD_PRODUCT, TAKE_PRODUCT, PRODUCT_LESS = tape.ADD_PRODUCT, tape.TAKE_PRODUCT, tape.PRODUCT_LESS


@inner
def play_at(program, lines, equations, rows, out):
    """Run lines of a program at one s, into out; LOAD evaluates an entry from its coefficients, given rows.

    The powers 1, s, s^2, ... come by their sizes, with the signs; every second is imaginary.
    """
    (code, constant), (entries, given, powers) = program, equations
    for line in range(lines[0], lines[1]):
        operation, o, a, b, c = code[line]
        if operation == TAKE_PRODUCT:
            take_product(rows, o, a, b, c)
        elif operation == TIMES:
            times(rows, o, a, b, c)
        elif operation == LOAD:
            start, count = entries[a]
            mix1(rows, 2 * o, 0, powers, 0, 2, given, start, 2, 0, (count + 1) // 2)
            mix1(rows, 2 * o + 1, 0, powers, 1, 2, given, start + 1, 2, 0, count // 2)
        elif operation == RECIPROCAL:
            reciprocal(rows, o, a, 0, 0)
        elif operation == STORE:
            if constant[line] > 0.0:
                copy(out, 2 * o, rows, 2 * a, 1, 2)
            else:
                negative(out, 2 * o, rows, 2 * a, 1, 2)
        else:
            _seldom(operation, rows, (o, a, b, c))


@inner
def _seldom(operation, rows, places):
    """Do what a program does less often."""
    o, a, b, c = places
    if operation == ADD_PRODUCT:
        add_product(rows, o, a, b, c)
    elif operation == PRODUCT_LESS:
        product_less(rows, o, a, b, c)
    elif operation == PLUS:
        plus(rows, o, a, b, c)
    else:
        minus(rows, o, a, b, c)


@inner
def misfit(sums, given, powers, x, work):
    """Put x back into the mixed sum; ``sums`` is where that begins, its powers, and n. Into two rows of work.

    Without powers it is at s = 0, where offsets drive.
    """
    start, count, n = sums
    fill(work, 0, 0.0, 2)
    if not len(powers):
        dot2(work, 0, 1, given, start, 1, x, 0, 2, 1, n)
        take(work, 0, given, start + count * (n + 1), 1, 1)
        return
    for k in range(count):
        dot2(work, 2, 1, given, start + k * n, 1, x, 0, 2, 1, n)
        right = start + count * n + k
        for lane in range(LANES):
            re, im = work[2, lane] - given[right, lane], work[3, lane]
            if k % 2 == 0:
                work[0, lane] += powers[k] * re
                work[1, lane] += powers[k] * im
            else:  # times j
                work[0, lane] -= powers[k] * im
                work[1, lane] += powers[k] * re


@inner
def read_states(readout, x, y, p):
    """Read outputs off x, a number a column, into y: real parts in the first p rows, imaginary in the others."""
    output, reach, direct = readout
    n = len(output) // p
    for i in range(p):
        first, count = reach[i]
        mix1(y, i, 0, output, i * n + first, 1, x, 2 * first, 2, 0, count)
        mix1(y, p + i, 0, output, i * n + first, 1, x, 2 * first + 1, 2, 0, count)
        if direct[i] != 0.0:
            for lane in range(LANES):
                y[i, lane] += direct[i]


@inner
def multiply_pivots(pivots, scale, n):
    """Multiply n pivots into the number behind them, each with a scale of its own."""
    fill(pivots, 2 * n, np.float32(1.0), 1)
    fill(pivots, 2 * n + 1, np.float32(0.0), 1)
    for k in range(n):
        times(pivots, n, n, k, 0)
        mix1(pivots, 2 * n, 0, scale, k, 0, pivots, 2 * n, 0, 0, 1)
        mix1(pivots, 2 * n + 1, 0, scale, k, 0, pivots, 2 * n + 1, 0, 0, 1)


@inner
def in_single(given, entries, scale, into):
    """Write coefficients, each entry's with its scale, in single precision."""
    for e in range(len(entries)):
        start, count = entries[e]
        for k in range(start, start + count):
            for lane in range(LANES):
                into[k, lane] = np.float32(given[k, lane] * scale[e])
