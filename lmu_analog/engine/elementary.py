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
Mathematical Functions (1989; Cephes): ndtr and ndtri. N. Hale and A. Townsend, SIAM J. Sci. Comput. 35 (2013): Gauss
nodes.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

PIECE = 4096  # elements computed at once: intermediate results stay in the cache

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

# Inverse normal
LEAST_PROBABILITY, LARGEST_PROBABILITY = 2.0**-1022, 1.0 - 2.0**-53
CENTRAL = 0.13533528323661269  # exp(-2): below it and above 1 - exp(-2) are the tails
ROOT_TWO_PI = 2.50662827463100050242
FAR_TAIL = 8.0  # of sqrt(-2 log p)
P0 = (
    -5.99633501014107895267e1,
    9.80010754185999661536e1,
    -5.66762857469070293439e1,
    1.39312609387279679503e1,
    -1.23916583867381258016e0,
)
Q0 = (
    1.0,
    1.95448858338141759834e0,
    4.67627912898881538453e0,
    8.63602421390890590575e1,
    -2.25462687854119370527e2,
    2.00260212380060660359e2,
    -8.20372256168333339912e1,
    1.59056225126211695515e1,
    -1.18331621121330003142e0,
)
P1 = (
    4.05544892305962419923e0,
    3.15251094599893866154e1,
    5.71628192246421288162e1,
    4.40805073893200834700e1,
    1.46849561928858024014e1,
    2.18663306850790267539e0,
    -1.40256079171354495875e-1,
    -3.50424626827848203418e-2,
    -8.57456785154685413611e-4,
)
Q1 = (
    1.0,
    1.57799883256466749731e1,
    4.53907635128879210584e1,
    4.13172038254672030440e1,
    1.50425385692907503408e1,
    2.50464946208309415979e0,
    -1.42182922854787788574e-1,
    -3.80806407691578277194e-2,
    -9.33259480895457427372e-4,
)
P2 = (
    3.23774891776946035970e0,
    6.91522889068984211695e0,
    3.93881025292474443415e0,
    1.33303460815807542389e0,
    2.01485389549179081538e-1,
    1.23716634817820021358e-2,
    3.01581553508235416007e-4,
    2.65806974686737550832e-6,
    6.23974539184983293730e-9,
)
Q2 = (
    1.0,
    6.02427039364742014255e0,
    3.67983563856160859403e0,
    1.37702099489081330271e0,
    2.16236993594496635890e-1,
    1.34204006088543189037e-2,
    3.28014464682127739104e-4,
    2.89247864745380683936e-6,
    6.79019408009981274425e-9,
)

# Normal distribution function: erf within one, erfc to eight and beyond, of |z| / sqrt 2.
FARTHEST = 37.5  # standard deviations; exp(-z^2/2) is a normal number up to there
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
    total = coefficients[0] * x + coefficients[1]
    for c in coefficients[2:]:
        total = total * x + c
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
    p = np.minimum(np.maximum(p, LEAST_PROBABILITY), LARGEST_PROBABILITY)
    y = p - 0.5
    t = y * y
    z = (y + y * (t * _polynomial(t, P0) / _polynomial(t, Q0))) * ROOT_TWO_PI
    tails = np.flatnonzero((p <= CENTRAL) | (p > 1.0 - CENTRAL))
    if len(tails):
        is_lower = p[tails] <= CENTRAL
        size = _tail(np.where(is_lower, p[tails], 1.0 - p[tails]))
        z[tails] = np.where(is_lower, size, -size)
    return z


def _tail(p: np.ndarray) -> np.ndarray:
    """Give the quantile of probabilities up to exp(-2)."""
    x = np.sqrt(-2.0 * _log(p))
    z = 1.0 / x
    correction = z * _polynomial(z, P1) / _polynomial(z, Q1)
    far = np.flatnonzero(x >= FAR_TAIL)
    if len(far):
        correction[far] = z[far] * _polynomial(z[far], P2) / _polynomial(z[far], Q2)
    return correction - (x - _log(x) / x)


def _normal_cdf(z: np.ndarray) -> np.ndarray:
    z = np.minimum(np.maximum(z, -FARTHEST), FARTHEST)
    x = z * ROOT_HALF
    t = x * x
    value = 0.5 + 0.5 * (x * _polynomial(t, ERF) / _polynomial(t, ERF_BELOW))
    outer = np.flatnonzero((x <= -1.0) | (x >= 1.0))
    if len(outer):
        size = _beyond(np.abs(z[outer]))
        value[outer] = np.where(z[outer] > 0.0, 1.0 - size, size)
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
