"""Elementary functions whose results have the same bits on every processor.

IEEE 754 fixes what + - * / and the square root give to the last bit, and rounding, comparisons and integers are
exact. Nothing fixes exp, log, sin or the inverse normal: NumPy, SciPy and the C library choose another variant, with
fused multiply-adds, on another processor. So what a mismatch sample passes through on its way from a seed is computed
here, with those exact operations alone.

The order of operations is part of the contract, because ``elementary.h`` repeats it in C and a test compares the
bits: a polynomial is ``p = p * x + c`` from the leading coefficient down, one multiplication and one addition a step,
and expressions are evaluated as they are written, from left to right. Every element is computed by itself, whatever
stands beside it in the array.

References
----------
K. C. Ng, fdlibm (Sun Microsystems, 1993): log, exp, sin and cos. S. L. Moshier, Methods and Programs for
Mathematical Functions (1989; Cephes): ndtr. M. J. Wichura, Applied Statistics 37 (1988), algorithm AS 241: inverse
normal. N. Hale and A. Townsend, SIAM J. Sci. Comput. 35 (2013): Gauss
nodes.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

PIECE = 32768  # elements computed at once: enough to pay for the calls, few enough for the cache

# log: ln 2 in two parts, the first with 33 trailing zeros, so that k LN2_HIGH is exact.
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
LOG = (
    1.479819860511658591e-01,
    1.531383769920937332e-01,
    1.818357216161805012e-01,
    2.222219843214978396e-01,
    2.857142874366239149e-01,
    3.999999999940941908e-01,
    6.666666666666735130e-01,
)
# The upper half of the bits of sqrt(1/2) and of 1: mantissas are taken from sqrt(1/2) to sqrt(2).
ROOT_HALF_BITS, ONE_BITS = np.int64(0x3FE6A09E << 32), np.int64(0x3FF00000 << 32)
FRACTION_BITS = np.int64((1 << 52) - 1)
EXPONENT_AT, BIAS = np.int64(52), np.int64(1023)

# exp
INVERSE_LN2 = 1.44269504088896338700
# Added to a number below 2^51 it leaves the nearest whole number in the lowest bits.
TO_WHOLE = 6755399441055744.0  # 1.5 2^52
LEAST_EXPONENT, LARGEST_EXPONENT = -708.0, 709.0  # results are normal numbers
EXP = (
    4.13813679705723846039e-08,
    -1.65339022054652515390e-06,
    6.61375632143793436117e-05,
    -2.77777777770155933842e-03,
    1.66666666666666019037e-01,
)

# Inverse normal, for |p - 1/2| up to .425 and, of the smaller probability, for sqrt(-log p) up to five and beyond.
LEAST_PROBABILITY, LARGEST_PROBABILITY = 2.0**-1022, 1.0 - 2.0**-53
CENTRAL, CENTRAL_SQUARE, TAIL_FROM, FAR_FROM = 0.425, 0.180625, 1.6, 5.0
MIDDLE = (
    2.5090809287301226727e3,
    3.3430575583588128105e4,
    6.7265770927008700853e4,
    4.5921953931549871457e4,
    1.3731693765509461125e4,
    1.9715909503065514427e3,
    1.3314166789178437745e2,
    3.3871328727963666080e0,
)
MIDDLE_BELOW = (
    5.2264952788528545610e3,
    2.8729085735721942674e4,
    3.9307895800092710610e4,
    2.1213794301586595867e4,
    5.3941960214247511077e3,
    6.8718700749205790830e2,
    4.2313330701600911252e1,
    1.0,
)
TAIL = (
    7.74545014278341407640e-4,
    2.27238449892691845833e-2,
    2.41780725177450611770e-1,
    1.27045825245236838258e0,
    3.64784832476320460504e0,
    5.76949722146069140550e0,
    4.63033784615654529590e0,
    1.42343711074968357734e0,
)
TAIL_BELOW = (
    1.05075007164441684324e-9,
    5.47593808499534494600e-4,
    1.51986665636164571966e-2,
    1.48103976427480074590e-1,
    6.89767334985100004550e-1,
    1.67638483018380384940e0,
    2.05319162663775882187e0,
    1.0,
)
FAR_TAIL = (
    2.01033439929228813265e-7,
    2.71155556874348757815e-5,
    1.24266094738807843860e-3,
    2.65321895265761230930e-2,
    2.96560571828504891230e-1,
    1.78482653991729133580e0,
    5.46378491116411436990e0,
    6.65790464350110377720e0,
)
FAR_TAIL_BELOW = (
    2.04426310338993978564e-15,
    1.42151175831644588870e-7,
    1.84631831751005468180e-5,
    7.86869131145613259100e-4,
    1.48753612908506148525e-2,
    1.36929880922735805310e-1,
    5.99832206555887937690e-1,
    1.0,
)

# Normal distribution function: erf within one, erfc to eight and beyond, of |z| / sqrt 2.
LARGEST = 37.5  # standard deviations; exp(-z^2/2) is a normal number up to there
ROOT_HALF = 0.70710678118654752440
UPPER_BITS = np.int64(~((1 << 27) - 1))  # of a number that is to be squared exactly
ERF = (
    9.60497373987051638749e0,
    9.00260197203842689217e1,
    2.23200534594684319226e3,
    7.00332514112805075473e3,
    5.55923013010394962768e4,
)
ERF_BELOW = (
    1.0,
    3.35617141647503099647e1,
    5.21357949780152679795e2,
    4.59432382970980127987e3,
    2.26290000613890934246e4,
    4.92673942608635921086e4,
)
ERFC = (
    2.46196981473530512524e-10,
    5.64189564831068821977e-1,
    7.46321056442269912687e0,
    4.86371970985681366614e1,
    1.96520832956077098242e2,
    5.26445194995477358631e2,
    9.34528527171957607540e2,
    1.02755188689515710272e3,
    5.57535335369399327526e2,
)
ERFC_BELOW = (
    1.0,
    1.32281951154744992508e1,
    8.67072140885989742329e1,
    3.54937778887819891062e2,
    9.75708501743205489753e2,
    1.82390916687909736289e3,
    2.24633760818710981792e3,
    1.65666309194161350182e3,
    5.57535340817727675546e2,
)
ERFC_FAR = (
    5.64189583547755073984e-1,
    1.27536670759978104416e0,
    5.01905042251180477414e0,
    6.16021097993053585195e0,
    7.40974269950448939160e0,
    2.97886665372100240670e0,
)
ERFC_FAR_BELOW = (
    1.0,
    2.26052863220117276590e0,
    9.39603524938001434673e0,
    1.20489539808096656605e1,
    1.70814450747565897222e1,
    9.60896809063285878198e0,
    3.36907645100081516050e0,
)

# Sine and cosine
TWO_PI, TWO_PI_LOW = 6.28318530717958647693, 2.4492935982947064e-16
TWO_PI_HIGH = 6.2831853032112122  # the first 26 bits; the rest, to the last bit of TWO_PI, has 27
TWO_PI_MIDDLE = TWO_PI - TWO_PI_HIGH
SINE = (
    1.58969099521155010221e-10,
    -2.50507602534068634195e-08,
    2.75573137070700676789e-06,
    -1.98412698298579493134e-04,
    8.33333333332248946124e-03,
)
SINE_FIRST = -1.66666666666666324348e-01
COSINE = (
    -1.13596475577881948265e-11,
    2.08757232129817482790e-09,
    -2.75573143513906633035e-07,
    2.48015872894767294178e-05,
    -1.38888888888741095749e-03,
    4.16666666666666019037e-02,
)

# The first zeros of the Bessel function J_0, which its asymptotic series gives the worst.
BESSEL_ZEROS = (
    2.4048255576957727686,
    5.5200781102863106496,
    8.6537279129110122170,
    11.791534439014281614,
    14.930917708487785948,
)
MANY_NODES = 16  # from there on one step of Halley's is enough: it cubes the error


def log(x: ArrayLike) -> Float[np.ndarray, "*s"]:
    """Give the natural logarithm, to less than one unit in the last place.

    Parameters
    ----------
    x : (...) array
        Positive, finite, not denormal; nothing is promised about others.
    """
    return _in_pieces(_log, x)


def log1p(u: ArrayLike) -> Float[np.ndarray, "*s"]:
    """Give log(1 + u) for u >= 0, (...), to four units in the last place, however small u is."""
    return _in_pieces(_log1p, u)


def exp(x: ArrayLike) -> Float[np.ndarray, "*s"]:
    """Give e^x, to less than one unit in the last place, for x from -708 to 709, and beyond, its value there."""
    return _in_pieces(_exp, x)


def normal_cdf(z: ArrayLike) -> Float[np.ndarray, "*s"]:
    """Give the distribution function of the standard normal, to an absolute error of 2e-16.

    The relative error is below 3e-15, in the lower tail, too. Beyond 37.5 standard deviations the value stays what
    it is there, 5e-308 or 1.
    """
    return _in_pieces(_normal_cdf, z)


def normal_quantile(p: ArrayLike) -> Float[np.ndarray, "*s"]:
    """Give the inverse of the standard normal's distribution function, to 1e-15 of itself or of one; always finite.

    Parameters
    ----------
    p : (...) array
        Probabilities. Below the least normal number and above 1 - 2^-53 the values of those two are given.
    """
    return _in_pieces(_normal_quantile, p)


def cos_sin_turns(x: ArrayLike) -> tuple[Float[np.ndarray, "*s"], Float[np.ndarray, "*s"]]:
    """Give cos(2 pi x) and sin(2 pi x), each to less than one unit in the last place.

    Parameters
    ----------
    x : (...) array
        Turns; whole ones are taken off without an error, so the size of x does no harm.
    """
    x = np.asarray(x, float)
    turn = x - np.rint(x)
    quarters = np.rint(4.0 * turn)
    cosine, sine = _cos_sin_eighth(turn - 0.25 * quarters)
    is_odd = (quarters == 1.0) | (quarters == -1.0)
    # Half a turn may come as two quarters to either side.
    is_half = (quarters == 2.0) | (quarters == -2.0)
    c, s = np.where(is_odd, sine, cosine), np.where(is_odd, cosine, sine)
    return (
        np.where(is_half | (quarters == 1.0), -c, c),
        np.where(is_half | (quarters == -1.0), -s, s),
    )


@lru_cache(maxsize=64)
def legendre_nodes(n: int) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Give the nodes of Gauss and Legendre on [0, 1], (n,), ascending, and their weights, (n,), whose sum is one.

    Nodes lie symmetrically to the last bit, as far as 1 - r can be written, and so do weights. Arrays are shared:
    they cannot be written to.
    """
    half = (n + 1) // 2
    r = _first_nodes(n, half)
    for _ in range(1 if n >= MANY_NODES else 2):
        value, before = _legendre_pair(n, r)
        r = r - _halley(n, r, value, before)
    value, before = _legendre_pair(n, r)
    # With x = 1 - 2r, 1 - x^2 = 4 r (1 - r) and n P_{n-1} = (1 - x^2) P_n' at a node.
    weight = 4.0 * r * (1.0 - r) / ((n * before) * (n * before))
    if n % 2:
        r[-1] = 0.5
    nodes = np.concatenate([r, 1.0 - r[: n // 2][::-1]])
    weights = np.concatenate([weight, weight[: n // 2][::-1]])
    nodes.flags.writeable = weights.flags.writeable = False
    return nodes, weights


def legendre_rows(order: int, r: Float[np.ndarray, " q"]) -> Float[np.ndarray, "q d"]:
    """Give the Legendre polynomials P_i(2r - 1), i < ``order``, at delays r from 0 to 1, by their recurrence.

    (i + 1) P_{i+1} = (2i + 1) x P_i - i P_{i-1} (DLMF 18.9.1), computed as it stands.
    """
    x = 2.0 * np.asarray(r, float) - 1.0
    rows = np.empty((len(x), order))
    before, now = np.zeros_like(x), np.ones_like(x)
    for i in range(order):
        rows[:, i] = now
        before, now = now, (((2 * i + 1) * x) * now - i * before) / (i + 1)
    return rows


def _in_pieces(function: Callable[[np.ndarray], np.ndarray], x: ArrayLike) -> np.ndarray:
    """Apply a function of one element each to an array of any shape, a piece at a time."""
    given = np.asarray(x, float)
    flat = given.reshape(-1)
    if len(flat) <= PIECE:
        return function(flat).reshape(given.shape)
    out = np.empty(len(flat))
    for first in range(0, len(flat), PIECE):
        out[first : first + PIECE] = function(flat[first : first + PIECE])
    return out.reshape(given.shape)


def _polynomial(x: np.ndarray, coefficients: Sequence[float]) -> np.ndarray:
    """Evaluate a polynomial by Horner's rule, leading coefficient first."""
    total = coefficients[0] * x
    total += coefficients[1]
    for c in coefficients[2:]:
        total *= x
        total += c
    return total


def _log(x: np.ndarray) -> np.ndarray:
    # x = 2^k (1 + f) with 1 + f from sqrt(1/2) to sqrt(2); log(1 + f) = 2 artanh(s) with s = f / (2 + f).
    bits = x.view(np.int64) + (ONE_BITS - ROOT_HALF_BITS)
    k = ((bits >> EXPONENT_AT) - BIAS).astype(float)
    f = ((bits & FRACTION_BITS) + ROOT_HALF_BITS).view(float) - 1.0
    s = f / (2.0 + f)
    z = s * s
    remainder = z * _polynomial(z, LOG)
    square = 0.5 * f * f
    return k * LN2_HIGH - ((square - (s * (square + remainder) + k * LN2_LOW)) - f)


def _log1p(u: np.ndarray) -> np.ndarray:
    # W. Kahan: rounding 1 + u errs in the argument and in the divisor alike.
    above = 1.0 + u
    step = above - 1.0
    is_lost = step == 0.0
    return np.where(is_lost, u, _log(above) * (u / np.where(is_lost, 1.0, step)))


def _exp(x: np.ndarray) -> np.ndarray:
    # x = k ln 2 + r, r = high - low; the even part of r / tanh(r/2) is a polynomial of r^2.
    x = np.minimum(np.maximum(x, LEAST_EXPONENT), LARGEST_EXPONENT)
    shifted = x * INVERSE_LN2 + TO_WHOLE
    k = shifted - TO_WHOLE
    high, low = x - k * LN2_HIGH, k * LN2_LOW
    r = high - low
    t = r * r
    c = r - t * _polynomial(t, EXP)
    y = 1.0 - ((low - (r * c) / (2.0 - c)) - high)
    # The shift drops all but the whole number that TO_WHOLE left in the lowest bits.
    return y * ((shifted.view(np.int64) + BIAS) << EXPONENT_AT).view(float)


def _normal_quantile(p: np.ndarray) -> np.ndarray:
    y = p - 0.5
    t = CENTRAL_SQUARE - y * y
    z = y * _polynomial(t, MIDDLE) / _polynomial(t, MIDDLE_BELOW)
    tails = np.flatnonzero(np.abs(y) > CENTRAL)
    if len(tails):
        outer = np.minimum(np.maximum(p[tails], LEAST_PROBABILITY), LARGEST_PROBABILITY)
        # The smaller of both probabilities is the tail's, and copying the sign rounds nothing. A choice between two
        # arrays would take longer than either is worth, because no processor can predict it.
        z[tails] = np.copysign(_tail(np.minimum(outer, 1.0 - outer)), outer - 0.5)
    return z


def _tail(p: np.ndarray) -> np.ndarray:
    """Give the size of the quantile of probabilities up to .075."""
    root = np.sqrt(-_log(p))
    x = root - TAIL_FROM
    size = _polynomial(x, TAIL) / _polynomial(x, TAIL_BELOW)
    far = np.flatnonzero(root > FAR_FROM)
    if len(far):
        x = root[far] - FAR_FROM
        size[far] = _polynomial(x, FAR_TAIL) / _polynomial(x, FAR_TAIL_BELOW)
    return size


def _normal_cdf(z: np.ndarray) -> np.ndarray:
    z = np.minimum(np.maximum(z, -LARGEST), LARGEST)
    x = z * ROOT_HALF
    t = x * x
    value = 0.5 + 0.5 * (x * _polynomial(t, ERF) / _polynomial(t, ERF_BELOW))
    outer = np.flatnonzero((x <= -1.0) | (x >= 1.0))
    if len(outer):
        far = z[outer]
        # One less the size above zero, and the size below.
        value[outer] = np.abs((far > 0.0) - _beyond(np.abs(far)))
    return value


def _beyond(z: np.ndarray) -> np.ndarray:
    """Give the probability of more than z standard deviations, for z from sqrt(2)."""
    # exp(-z^2/2) in two factors, because a rounded square would cost as many last places as it is large.
    upper = (z.view(np.int64) & UPPER_BITS).view(float)
    d = -0.5 * ((z - upper) * (z + upper))
    density = _exp(-0.5 * (upper * upper))
    density = density + density * (d * (1.0 + d * (0.5 + d * 0.16666666666666666)))
    x = z * ROOT_HALF
    size = 0.5 * density * _polynomial(x, ERFC) / _polynomial(x, ERFC_BELOW)
    far = np.flatnonzero(x >= 8.0)
    if len(far):
        y = x[far]
        size[far] = 0.5 * density[far] * _polynomial(y, ERFC_FAR) / _polynomial(y, ERFC_FAR_BELOW)
    return size


def _cos_sin_eighth(r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give cos and sin of r turns, |r| <= 1/8."""
    # The angle as x + low, with Dekker's exact product: sin x alone would carry the error of x = 2 pi r.
    x = r * TWO_PI
    upper = (r.view(np.int64) & UPPER_BITS).view(float)
    rest = r - upper
    low = upper * TWO_PI_HIGH - x
    low = low + upper * TWO_PI_MIDDLE
    low = low + rest * TWO_PI_HIGH
    low = low + rest * TWO_PI_MIDDLE
    # TWO_PI is too large or too small by this.
    low = low + r * TWO_PI_LOW
    z = x * x
    v = z * x
    sine = x - ((z * (0.5 * low - v * _polynomial(z, SINE)) - low) - v * SINE_FIRST)
    half = 0.5 * z
    w = 1.0 - half
    cosine = w + (((1.0 - w) - half) + (z * (z * _polynomial(z, COSINE)) - x * low))
    return cosine, sine


def _first_nodes(n: int, half: int) -> np.ndarray:
    """Give nodes r = (1 - cos theta)/2 to well below a spacing (angles after Gatteschi, 1987)."""
    k = np.arange(1.0, half + 1.0)
    # The zeros of J_0 (McMahon's series, DLMF 10.21.19) over n + 1/2 are the angles but for terms of 1/n^2.
    b = 0.5 * TWO_PI * (k - 0.25)
    a = 1.0 / (8.0 * b)
    zero = b + a * (1.0 - (a * a) * (124.0 / 3.0 - (a * a) * (120928.0 / 15.0)))
    zero[: len(BESSEL_ZEROS)] = BESSEL_ZEROS[:half]
    phi = zero / (n + 0.5)
    c, s = cos_sin_turns(phi / TWO_PI)
    theta = phi + (phi * (c / s) - 1.0) / (8.0 * phi * ((n + 0.5) * (n + 0.5)))
    _, s = cos_sin_turns(0.5 * theta / TWO_PI)
    return s * s


def _legendre_pair(n: int, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give P_n and P_{n-1} at 1 - 2r, for r up to 1/2.

    By differences (Reinsch): (k+1) (P_{k+1} - P_k) = k (P_k - P_{k-1}) - (2k+1) 2r P_k. The recurrence as it stands
    would lose what tells r from 0.
    """
    k = np.arange(float(n))
    slope = ((2.0 * k + 1.0) / (k + 1.0))[:, None] * (2.0 * r)
    before = value = np.ones_like(r)
    step = np.zeros_like(r)
    for ratio, row in zip(k / (k + 1.0), slope, strict=True):
        step = ratio * step - row * value
        before, value = value, value + step
    return value, before


def _halley(n: int, r: np.ndarray, value: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Give what a node is too large by, from P_n and P_{n-1} there, with the second derivative of P_n, too."""
    # Derivatives by r: r (1-r) P' = n/2 ((1-2r) P_n - P_{n-1}), and Legendre's equation
    # r (1-r) P'' + (1-2r) P' + n (n+1) P = 0.
    x, area = 1.0 - 2.0 * r, r * (1.0 - r)
    first = 0.5 * n * (x * value - before) / area
    second = (-(n * (n + 1.0)) * value - x * first) / area
    newton = value / first
    return newton / (1.0 - 0.5 * newton * second / first)
