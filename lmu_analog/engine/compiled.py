"""The compiled way from the values of circuits to matrix polynomials: see ``tape`` and ``remainder``.

Only compiled kernels import this: it needs Numba.
"""

# pyright: basic, reportCallIssue=false
# What Numba compiles has no types before it is called, and an intrinsic is called without its first argument.

from lmu_analog.engine import tape
from lmu_analog.memory.lanes import (
    LANES,
    add,
    add_product,
    copy,
    fill,
    inner,
    minus,
    mix1,
    plus,
    product_less,
    reciprocal,
    scale,
    shift,
    take_product,
    times,
)

LOAD, PLUS, MINUS, TIMES, RECIPROCAL, SCALE = (
    tape.LOAD,
    tape.PLUS,
    tape.MINUS,
    tape.TIMES,
    tape.RECIPROCAL,
    tape.SCALE,
)
OFFSET, ADD_PRODUCT, TAKE_PRODUCT, PRODUCT_LESS = (
    tape.OFFSET,
    tape.ADD_PRODUCT,
    tape.TAKE_PRODUCT,
    tape.PRODUCT_LESS,
)


@inner
def play(program, values, start, rows, out):
    """Run a program for samples start .. start + LANES - 1 of values (m, s), into out (o, LANES)."""
    code, constant, template = program
    groups = values.shape[1] // LANES
    copy(out, 0, template, 0, 1, len(template))
    for line in range(len(code)):
        operation, o, a, b, c = code[line]
        if operation == ADD_PRODUCT:
            add_product(rows, o, a, b, c)
        elif operation == TAKE_PRODUCT:
            take_product(rows, o, a, b, c)
        elif operation == TIMES:
            times(rows, o, a, b, c)
        elif operation == PLUS:
            plus(rows, o, a, b, c)
        elif operation == MINUS:
            minus(rows, o, a, b, c)
        elif operation == PRODUCT_LESS:
            product_less(rows, o, a, b, c)
        elif operation == LOAD:
            copy(rows, o, values, a * groups + start // LANES, 1, 1)
        else:
            _unary(operation, (o, a), (constant, line), rows, out)


@inner
def _unary(operation, places, number, rows, out):
    """Do what has one operand; ``number`` says where its constant is."""
    (o, a), (constant, line) = places, number
    if operation == RECIPROCAL:
        reciprocal(rows, o, a, 0, 0)
    elif operation == SCALE:
        mix1(rows, o, 0, constant, line, 0, rows, a, 0, 0, 1)
    elif operation == OFFSET:
        fill(rows, o, constant[line], 1)
        add(rows, o, rows, a, 1, 1)
    else:  # STORE
        mix1(out, o, 0, constant, line, 0, rows, a, 0, 0, 1)


@inner
def sweep_lanes(board, n, width, plan):
    """Sweep M_1 to nearly the unit matrix, in place, as ``remainder.sweep`` does.

    ``board`` has n times ``width`` rows; ``plan`` lists (column, row, other row or -1 for the row itself).
    """
    for line in range(len(plan)):
        j, i, k = plan[line]
        if k < 0:
            reciprocal(board, n * width, i * width + n + j, 0, 0)
            scale(board, i * width, board, n * width, 0, width)
        else:
            copy(board, n * width, board, k * width + n + j, 1, 1)
            shift(board, k * width, 1, board, n * width, board, i * width, 1, width)
