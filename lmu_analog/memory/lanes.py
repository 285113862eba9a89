"""Vector instructions for compiled kernels: many circuits side by side, one a lane.

An array is a column of rows of ``LANES`` numbers; each row is one entry of as many matrices. Numba cannot
know that two arrays do not overlap, and therefore hardly vectorises what runs over rows; these intrinsics write
the vectors themselves. Products are rounded before they are added, on every machine, so that equal draws give
equal bits wherever they are computed. Only compiled kernels import this: it needs Numba.
"""

# pyright: basic, reportCallIssue=false, reportAttributeAccessIssue=false
# Numba has no types that a checker could read.

import inspect

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 32
UNROLLED = 2  # sums that run beside one another: an addition takes some cycles, and two can start in each


def outermost(function):
    """Compile what Python calls, and keep it on disk; Numba compares the time of that function's file alone."""
    # A checker of annotations may have wrapped the function before; Numba wants the bare one.
    return njit(cache=True, nogil=True, error_model="numpy")(inspect.unwrap(function))


def inner(function):
    """Compile what only kernels call; wrappers for Python would take as long again."""
    compiled = njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
    return compiled(inspect.unwrap(function))


class Writer:
    """Writes instructions on rows of lanes for one kind of number."""

    def __init__(self, context, builder, kind):
        self.context, self.builder = context, builder
        scalar = context.get_value_type(kind)
        self.vector, self.bytes = ir.VectorType(scalar, LANES), 4 if kind == types.float32 else 8
        self.zero = ir.Constant(self.vector, [0.0] * LANES)

    def start_of(self, kind, array):
        """Give the address of an array's first number."""
        return self.context.make_array(kind)(self.context, self.builder, array).data

    def step(self, first, count, size):
        """Give first + count size."""
        return self.builder.add(first, self.builder.mul(count, size))

    def _place(self, start, row):
        number = self.builder.gep(start, [self.builder.mul(row, row.type(LANES))])
        return self.builder.bitcast(number, self.vector.as_pointer())

    def load(self, start, row):
        """Load a row."""
        loaded = self.builder.load(self._place(start, row))
        loaded.align = self.bytes
        return loaded

    def store(self, value, start, row):
        """Store a row."""
        self.builder.store(value, self._place(start, row)).align = self.bytes

    def spread(self, start, at):
        """Repeat one number of an array in all lanes."""
        return self.repeat(self.builder.load(self.builder.gep(start, [at])))

    def repeat(self, number):
        """Repeat a number in all lanes."""
        index = ir.IntType(32)
        single = self.builder.insert_element(ir.Constant(self.vector, ir.Undefined), number, index(0))
        return self.builder.shuffle_vector(
            single, single, ir.Constant(ir.VectorType(index, LANES), [0] * LANES)
        )


def _write_sums(context, builder, signature, args, shape):
    """Write the sums of ``_products``; all adding up stays in registers."""
    out, o, wo, a, i, di, b, j, dj, wj, n = args
    broadcast, minus, width = shape
    w, whole = Writer(context, builder, signature.args[0].dtype), o.type
    out, a, b = (w.start_of(signature.args[k], x) for k, x in ((0, out), (3, a), (6, b)))
    places = [w.step(o, whole(c), wo) for c in range(width)]
    first = [w.load(out, place) if minus else w.zero for place in places]
    sums = [[cgutils.alloca_once_value(builder, x) for x in first]]
    sums += [[cgutils.alloca_once_value(builder, w.zero) for _ in places] for _ in range(UNROLLED - 1)]
    combine = builder.fsub if minus else builder.fadd

    def term(k, into):
        at, row = w.step(i, k, di), w.step(j, k, dj)
        left = w.spread(a, at) if broadcast else w.load(a, at)
        for c, total in enumerate(into):
            right = w.load(b, w.step(row, whole(c), wj))
            builder.store(combine(builder.load(total), builder.fmul(left, right)), total)

    even = builder.mul(builder.sdiv(n, whole(UNROLLED)), whole(UNROLLED))
    with cgutils.for_range_slice(builder, whole(0), even, whole(UNROLLED), whole) as (k, _):
        for u, into in enumerate(sums):
            term(builder.add(k, whole(u)), into)
    with cgutils.for_range_slice(builder, even, n, whole(1), whole) as (k, _):
        term(k, sums[0])
    for c, place in enumerate(places):
        total = builder.load(sums[0][c])
        for more in sums[1:]:
            total = builder.fadd(total, builder.load(more[c]))
        w.store(total, out, place)
    return context.get_dummy_value()


def _products(*, broadcast=False, minus=False, width=1):
    """Make out[o + c wo] = sum over k < n of a[i + k di] b[j + k dj + c wj] for c < width, or out -= that.

    With ``broadcast`` the numbers of a are the same for all lanes, one a place.
    """
    t = types.int64

    def rows(typingctx, out, o, wo, a, i, di, b, j, dj, wj, n):
        def write(context, builder, signature, args):
            return _write_sums(context, builder, signature, args, (broadcast, minus, width))

        return types.void(out, t, t, a, t, t, b, t, t, t, t), write

    return intrinsic(rows)


dot1, dot2, dot4 = (_products(width=width) for width in (1, 2, 4))
take2 = _products(minus=True, width=2)
mix1, mix2, mix4 = (_products(broadcast=True, width=width) for width in (1, 2, 4))


@inner
def dots(out, o, wo, a, i, di, b, j, dj, wj, n, width):
    """Make out[o + c wo] = sum over k < n of a[i + k di] b[j + k dj + c wj] for c < width."""
    c = 0
    while c < width:
        if c + 4 <= width:
            dot4(out, o + c * wo, wo, a, i, di, b, j + c * wj, dj, wj, n)
            c += 4
        else:
            dot1(out, o + c * wo, wo, a, i, di, b, j + c * wj, dj, wj, n)
            c += 1


@inner
def mixes(out, o, wo, a, i, di, b, j, dj, wj, n, width):
    """Make the same sums with numbers a that all lanes share."""
    c = 0
    while c < width:
        if c + 4 <= width:
            mix4(out, o + c * wo, wo, a, i, di, b, j + c * wj, dj, wj, n)
            c += 4
        else:
            mix1(out, o + c * wo, wo, a, i, di, b, j + c * wj, dj, wj, n)
            c += 1


def _write_shift(context, builder, signature, args):
    out, o, do, a, i, b, j, dj, n = args
    w, whole = Writer(context, builder, signature.args[0].dtype), o.type
    out, a, b = (w.start_of(signature.args[k], x) for k, x in ((0, out), (3, a), (5, b)))
    share = w.load(a, i)
    with cgutils.for_range_slice(builder, whole(0), n, whole(1), whole) as (k, _):
        place = w.step(o, k, do)
        part = builder.fmul(share, w.load(b, w.step(j, k, dj)))
        w.store(builder.fsub(w.load(out, place), part), out, place)
    return context.get_dummy_value()


@intrinsic
def shift(typingctx, out, o, do, a, i, b, j, dj, n):
    """Make out[o + k do] -= a[i] b[j + k dj] for k < n."""
    t = types.int64
    return types.void(out, t, t, a, t, b, t, t, t), _write_shift


def _elementwise(compute):
    """Make rows[o] = compute(rows[a], rows[b], rows[c]), where the numbers may be of the same rows."""

    def on_rows(typingctx, rows, o, a, b, c):
        def write(context, builder, signature, args):
            start, o, *places = args
            w = Writer(context, builder, signature.args[0].dtype)
            start = w.start_of(signature.args[0], start)
            w.store(compute(builder, *(w.load(start, place) for place in places)), start, o)
            return context.get_dummy_value()

        t = types.int64
        return types.void(rows, t, t, t, t), write

    return intrinsic(on_rows)


plus = _elementwise(lambda builder, a, b, c: builder.fadd(a, b))
minus = _elementwise(lambda builder, a, b, c: builder.fsub(a, b))
times = _elementwise(lambda builder, a, b, c: builder.fmul(a, b))
add_product = _elementwise(lambda builder, a, b, c: builder.fadd(c, builder.fmul(a, b)))
take_product = _elementwise(lambda builder, a, b, c: builder.fsub(c, builder.fmul(a, b)))
product_less = _elementwise(lambda builder, a, b, c: builder.fsub(builder.fmul(a, b), c))
reciprocal = _elementwise(lambda builder, a, b, c: builder.fdiv(ir.Constant(a.type, [1.0] * LANES), a))


def _rowwise(compute):
    """Make out[o + k] = compute(out[o + k], a[i + k di]) for k < n; with di = 0 one row serves all."""

    def on_rows(typingctx, out, o, a, i, di, n):
        def write(context, builder, signature, args):
            out, o, a, i, di, n = args
            w, whole = Writer(context, builder, signature.args[0].dtype), o.type
            out, a = w.start_of(signature.args[0], out), w.start_of(signature.args[2], a)
            with cgutils.for_range_slice(builder, whole(0), n, whole(1), whole) as (k, _):
                place = builder.add(o, k)
                w.store(compute(builder, w.load(out, place), w.load(a, w.step(i, k, di))), out, place)
            return context.get_dummy_value()

        t = types.int64
        return types.void(out, t, a, t, t, t), write

    return intrinsic(on_rows)


copy = _rowwise(lambda builder, old, given: given)
add = _rowwise(lambda builder, old, given: builder.fadd(old, given))
take = _rowwise(lambda builder, old, given: builder.fsub(old, given))
scale = _rowwise(lambda builder, old, given: builder.fmul(old, given))
negative = _rowwise(lambda builder, old, given: builder.fneg(given))


def _reduction(compute):
    """Make out[o] = compute(out[o], |a[i + k]|) for k < n, one after another."""

    def on_rows(typingctx, out, o, a, i, n):
        def write(context, builder, signature, args):
            out, o, a, i, n = args
            w, whole = Writer(context, builder, signature.args[0].dtype), o.type
            out, a = w.start_of(signature.args[0], out), w.start_of(signature.args[2], a)
            total = cgutils.alloca_once_value(builder, w.load(out, o))
            with cgutils.for_range_slice(builder, whole(0), n, whole(1), whole) as (k, _):
                given = w.load(a, builder.add(i, k))
                size = builder.select(builder.fcmp_ordered("<", given, w.zero), builder.fneg(given), given)
                builder.store(compute(builder, builder.load(total), size), total)
            w.store(builder.load(total), out, o)
            return context.get_dummy_value()

        t = types.int64
        return types.void(out, t, a, t, t), write

    return intrinsic(on_rows)


widen = _reduction(lambda builder, old, size: builder.select(builder.fcmp_ordered("<", old, size), size, old))
pile = _reduction(lambda builder, old, size: builder.fadd(old, size))


@intrinsic
def fill(typingctx, out, o, number, n):
    """Make out[o + k] = number for k < n."""

    def write(context, builder, signature, args):
        out, o, number, n = args
        w, whole = Writer(context, builder, signature.args[0].dtype), o.type
        out, row = w.start_of(signature.args[0], out), w.repeat(number)
        with cgutils.for_range_slice(builder, whole(0), n, whole(1), whole) as (k, _):
            w.store(row, out, builder.add(o, k))
        return context.get_dummy_value()

    t = types.int64
    return types.void(out, t, out.dtype, t), write
