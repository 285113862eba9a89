"""Vector instructions on complex numbers, one circuit a lane: number r has its real part in row 2 r, then imaginary.

As in ``lanes`` products are rounded before they are added. Only compiled kernels import this: it needs Numba.
"""

# pyright: basic, reportCallIssue=false, reportAttributeAccessIssue=false
# Numba has no types that a checker could read.

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from lmu_analog.memory.lanes import LANES, Writer


def _elementwise(compute):
    """Make number o = compute(a, b, c) of numbers, which may be of the same rows."""

    def on_rows(typingctx, rows, o, a, b, c):
        def write(context, builder, signature, args):
            start, *places = args
            w = Writer(context, builder, signature.args[0].dtype)
            start = w.start_of(signature.args[0], start)
            rows = [w.step(place.type(0), place, place.type(2)) for place in places]
            pairs = [(w.load(start, r), w.load(start, builder.add(r, r.type(1)))) for r in rows[1:]]
            for k, part in enumerate(compute(builder, *pairs)):
                w.store(part, start, builder.add(rows[0], rows[0].type(k)))
            return context.get_dummy_value()

        t = types.int64
        return types.void(rows, t, t, t, t), write

    return intrinsic(on_rows)


def _product(builder, a, b):
    real = builder.fsub(builder.fmul(a[0], b[0]), builder.fmul(a[1], b[1]))
    return real, builder.fadd(builder.fmul(a[0], b[1]), builder.fmul(a[1], b[0]))


def _sum(builder, a, b):
    return tuple(builder.fadd(x, y) for x, y in zip(a, b, strict=True))


def _difference(builder, a, b):
    return tuple(builder.fsub(x, y) for x, y in zip(a, b, strict=True))


def _reciprocal(builder, a, b, c):
    square = builder.fadd(builder.fmul(a[0], a[0]), builder.fmul(a[1], a[1]))
    share = builder.fdiv(ir.Constant(square.type, [1.0] * LANES), square)
    return builder.fmul(a[0], share), builder.fneg(builder.fmul(a[1], share))


plus = _elementwise(lambda builder, a, b, c: _sum(builder, a, b))
minus = _elementwise(lambda builder, a, b, c: _difference(builder, a, b))
times = _elementwise(lambda builder, a, b, c: _product(builder, a, b))
add_product = _elementwise(lambda builder, a, b, c: _sum(builder, c, _product(builder, a, b)))
take_product = _elementwise(lambda builder, a, b, c: _difference(builder, c, _product(builder, a, b)))
product_less = _elementwise(lambda builder, a, b, c: _difference(builder, _product(builder, a, b), c))
reciprocal = _elementwise(_reciprocal)
