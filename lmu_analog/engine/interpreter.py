"""The player of jobs in NumPy: real and imaginary parts in arrays of their own, and +, -, *, / and square root alone.

NumPy's complex products, ``abs`` and sums of products round differently on different processors, so none is used.
"""

import numpy as np
from jaxtyping import Float

from lmu_analog.engine import program as op
from lmu_analog.engine.job import TRUSTED, Eliminations, Job, Played, Window
from lmu_analog.engine.program import Program

CELLS = 32768  # points times samples of one array: what a call of NumPy costs is small beside them
Array = np.ndarray


def play(job: Job, values: Float[np.ndarray, "m s"], watched: int) -> Played:
    """Run samples.

    Parameters
    ----------
    job : Job
    values : (m, s) array
        Parameters of the linear circuit, SI units.
    watched : int
        The sample whose response and equations are given.
    """
    samples = values.shape[1]
    places, points = len(job.window.rows) + len(job.window.taps), len(job.contour.powers)
    profile, fits = np.empty((places, samples)), np.ones(samples, bool)
    determinant = np.empty((2, points, samples), np.float32)
    response = np.empty((2, len(job.bound), len(job.window.direct)))
    step = max(2, CELLS // max(len(job.bound), points))
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # such a sample is in doubt
        coefficients = run_program(job.pencil.entries, values)
        for start in range(0, samples, step):
            cut = slice(start, min(start + step, samples))
            given = coefficients[:, cut]
            y, offsets, fits[cut] = _responses(job, given)
            if cut.start <= watched < cut.stop:
                response[:] = y[..., watched - cut.start].transpose(2, 1, 0)
            profile[:, cut] = _errors(job.window, y, offsets)
            determinant[..., cut] = _determinants(job, given)
    equations = run_program(job.pencil.equations, values[:, watched : watched + 1])[:, 0]
    return Played(profile, fits, determinant, response, equations)


def run_program(program: Program, values: Float[np.ndarray, "m s"]) -> Float[np.ndarray, "o s"]:
    """Run a program of real instructions for samples with parameters (m, s); its outputs (o, s)."""
    out = np.repeat(program.template[:, None], values.shape[1], axis=1)
    register = np.empty((program.registers, values.shape[1]))
    for (operation, o, a, b, c), constant in zip(
        program.code.tolist(), program.constant.tolist(), strict=True
    ):
        if operation == op.STORE:
            np.multiply(register[a], constant, out=out[o])
        elif operation == op.LOAD:
            register[o] = values[a]
        elif operation in _OF_CONSTANT:
            _OF_CONSTANT[operation](register[a], constant, register[o])
        elif operation in _OF_TWO:
            _OF_TWO[operation](register[a], register[b], out=register[o])
        else:
            product = register[a] * register[b]
            first, second = (product, register[c]) if operation == op.PRODUCT_LESS else (register[c], product)
            _OF_PRODUCT[operation](first, second, out=register[o])
    return out


_OF_CONSTANT = {
    op.SCALE: np.multiply,
    op.OFFSET: np.add,
    op.RECIPROCAL: lambda x, _, out: np.divide(1.0, x, out=out),
}
_OF_TWO = {op.PLUS: np.add, op.MINUS: np.subtract, op.TIMES: np.multiply}
_OF_PRODUCT = {op.ADD_PRODUCT: np.add, op.TAKE_PRODUCT: np.subtract, op.PRODUCT_LESS: np.subtract}


class _Code:
    """Reads the code of a pass."""

    def __init__(self, code: list[int]) -> None:
        self.code, self.at = code, 0

    def one(self) -> int:
        self.at += 1
        return self.code[self.at - 1]

    def several(self, count: int) -> list[int]:
        self.at += count
        return self.code[self.at - count : self.at]


class _Workspace:
    """Complex entries of the equations of some samples at some points: an array (places, 2, q, s)."""

    def __init__(self, places: int, powers: Array, samples: int) -> None:
        self.powers = powers[:, :, None]
        self.entry = np.empty((places, 2, len(powers), samples), powers.dtype)

    def load(self, code: _Code, given: Array) -> None:
        """Evaluate the entries at all points, and clear what fills in."""
        power = self.powers
        for _ in range(code.one()):
            place, first, count = code.several(3)
            re, im = self.entry[place]
            re[:] = given[first]
            if count > 2:
                re += power[:, 2] * given[first + 2]
            if count < 2:
                im[:] = 0.0
                continue
            np.multiply(power[:, 1], given[first + 1], out=im)
            if count > 3:
                im += power[:, 3] * given[first + 3]
        for place in code.several(code.one()):
            self.entry[place] = 0.0

    def eliminate(self, code: _Code) -> list[Array]:
        """Run all steps in place; the pivots, (2, q, s) each."""
        pivots: list[Array] = []
        turned = np.empty_like(self.entry)  # of pivot rows, times j
        for _ in range(code.one()):
            for _ in range(code.one()):
                if code.one() == 2:
                    first, target, start, second, count = code.several(5)
                    self._take(first, target, turned, start, count + 1)
                    self._take(target, target + 1, turned, second, count)
                    continue
                factor, runs = code.several(2)
                for _ in range(runs):
                    target, start, count = code.several(3)
                    self._take(factor, target, turned, start, count)
            pivot, start, length = code.several(3)
            a, b = self.entry[pivot]
            pivots.append(self.entry[pivot])
            row = self.entry[start : start + length]
            if length:
                inverse = 1.0 / (a * a + b * b)
                _turn(row, a * inverse, -(b * inverse))
            turned[start : start + length] = _times_j(row)
        return pivots

    def _take(self, factor: int, target: int, turned: Array, start: int, count: int) -> None:
        a, b = self.entry[factor]
        here = self.entry[target : target + count]
        here -= a * self.entry[start : start + count]
        here -= b * turned[start : start + count]

    def substitute(self, code: _Code) -> Array:
        """Solve for the unknowns, last first, (n, 2, q, s)."""
        count = code.one()
        x = np.empty((count, *self.entry.shape[1:]), self.entry.dtype)
        turned = np.empty_like(x)
        for _ in range(count):
            unknown, side, start, length = code.several(4)
            found = x[unknown]
            found[:] = 0.0 if side < 0 else self.entry[side]
            for k, other in enumerate(code.several(length), start):
                a, b = self.entry[k]
                found -= a * x[other]
                found -= b * turned[other]
            turned[unknown] = _times_j(found)
        return x


def _times_j(x: Array) -> Array:
    """Multiply complex numbers (..., 2, q, s) by j: parts change places, and one its sign."""
    turned = np.empty_like(x)
    np.negative(x[..., 1, :, :], out=turned[..., 0, :, :])
    turned[..., 1, :, :] = x[..., 0, :, :]
    return turned


def _turn(x: Array, a: Array, b: Array) -> None:
    """Multiply complex numbers (..., 2, q, s) by a + jb, (q, s) each, in place."""
    turned = _times_j(x)
    turned *= b
    x *= a
    x += turned


def _passes(on: Eliminations, dtype: type) -> list[tuple[slice, _Code, Array]]:
    powers = on.powers.astype(dtype)
    return [
        (slice(first, last), _Code(on.code[start:stop].tolist()), powers[first:last])
        for first, last, start, stop in on.passes.tolist()
    ]


def _responses(job: Job, given: Array) -> tuple[Array, Array | None, Array]:
    """Give the probes for unit tones (p, f, 2, s), what offsets leave in them (p, s) or None, and what fits (s,)."""
    window, samples = job.window, given.shape[1]
    p, f = len(window.direct), len(job.bound)
    y, fits, offsets = np.empty((p, f, 2, samples)), np.ones(samples, bool), None
    for at, code, powers in _passes(job.tones, float):
        workspace = _Workspace(job.tones.places, powers, samples)
        workspace.load(code, given)
        workspace.eliminate(code)
        x = workspace.substitute(code)
        if at.start < f:
            re, im = _residual(job, given, x, powers)
            fits &= (re * re + im * im <= job.bound[at, None]).all(axis=0)
            _read(window, x, y[:, at])
        else:
            fits &= _fits_at_dc(job, given, x[:, 0])
            read = np.empty((p, 1, 2, samples))
            _read(window, x, read, with_input=False)
            offsets = read[:, 0, 0]
    return y, offsets, fits


def _residual(job: Job, given: Array, x: Array, powers: Array) -> Array:
    """Give the residual of a solution in the signed sum of the equations (Freivalds, 1977), (2, q, s).

    A wrong solution has no reason to be right in it.
    """
    pencil, n = job.pencil, job.pencil.unknowns
    total = np.zeros(x.shape[1:])
    for k in range(pencil.powers):
        start = pencil.sums + k * n
        part = np.zeros(x.shape[1:])
        for column in range(n):
            part += given[start + column] * x[column]
        part[0] -= given[pencil.sums + pencil.powers * n + k]
        # An odd power of s is a multiple of j.
        total += powers[:, k, None] * (part if k % 2 == 0 else _times_j(part))
    return total


def _fits_at_dc(job: Job, given: Array, x: Array) -> Array:
    pencil, n = job.pencil, job.pencil.unknowns
    total = np.zeros(given.shape[1])
    for column in range(n):
        total += given[pencil.sums + column] * x[column, 0]
    side = given[pencil.sums + pencil.powers * (n + 1)]
    total -= side
    return np.abs(total) <= TRUSTED * np.abs(side)


def _read(window: Window, x: Array, y: Array, *, with_input: bool = True) -> None:
    """Read the probes off the unknowns, into y (p, q, 2, s)."""
    for i, direct in enumerate(window.direct.tolist()):
        total = np.zeros(x.shape[1:])
        for k in range(window.starts[i], window.starts[i + 1]):
            total += window.weights[k] * x[window.unknowns[k]]
        if with_input:
            total[0] += direct
        y[i] = total.transpose(1, 0, 2)


def _errors(window: Window, y: Array, offsets: Array | None) -> Array:
    """Give NRMSE at the places of the window, then of the taps, (q + t, s).

    Legendre polynomials are even or odd about the middle, so a place and its mirror image share the work.
    """
    p, f, _, samples = y.shape
    y = (y * window.amplitude[:, None, None]).reshape(p, 2 * f, samples)
    q, d = window.rows.shape
    ideal = window.ideal.reshape(q, 2 * f, 1)
    square = np.empty((q + len(window.taps), samples))
    for k, wanted in enumerate(window.taps.reshape(-1, 2 * f, 1)):
        square[q + k] = _sum_of_squares(y[d + k] - wanted)
    for k in range((q + 1) // 2):
        mirror = q - 1 - k
        even, odd = _halves(window.rows[k], y)
        square[k] = _sum_of_squares(even + odd - ideal[k])
        if mirror > k:
            square[mirror] = _sum_of_squares(even - odd - ideal[mirror])
    square *= 0.5
    if offsets is not None:
        for k in range((q + 1) // 2):
            mirror = q - 1 - k
            even, odd = _halves(window.rows[k], offsets)
            square[k] += (even + odd) * (even + odd)
            if mirror > k:
                square[mirror] += (even - odd) * (even - odd)
        square[q:] += offsets[d:] * offsets[d:]
    square /= window.power
    return np.sqrt(square, out=square)


def _halves(row: Array, y: Array) -> tuple[Array, Array]:
    even, odd = np.zeros(y.shape[1:]), np.zeros(y.shape[1:])
    for i, weight in enumerate(row.tolist()):
        if i % 2 == 0:
            even += weight * y[i]
        else:
            odd += weight * y[i]
    return even, odd


def _sum_of_squares(error: Array) -> Array:
    """Add squares over the first axis, one after another; (k, s) to (s,)."""
    error *= error
    if error.shape[1] > 1:
        return np.add.reduce(error, axis=0)  # row by row
    return np.array([sum(error[:, 0].tolist())])  # of one sample NumPy would add in pairs


def _determinants(job: Job, given: Array) -> Array:
    """Give scaled determinants at the contour's points, (2, q, s), in single precision."""
    scaled = (given[: job.pencil.sums] * job.scale[:, None]).astype(np.float32)
    pivot_scale = job.pivots.astype(np.float32)
    found = np.empty((2, len(job.contour.powers), given.shape[1]), np.float32)
    for at, code, powers in _passes(job.contour, np.float32):
        workspace = _Workspace(job.contour.places, powers, given.shape[1])
        workspace.load(code, scaled)
        product = np.zeros((2, len(powers), given.shape[1]), np.float32)
        product[0] = 1.0
        for k, (a, b) in enumerate(workspace.eliminate(code)):
            _turn(product, a, b)
            product *= pivot_scale[at, k, None]
        found[:, at] = product
    return found
