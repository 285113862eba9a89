"""The law of the window error without sampling: a generalised chi-square.

To first order in mismatch NRMSE^2 = rest + sum_i (scale_i x_i + centre_i)^2 with independent standard normal
x_i. Its probabilities are integrals of exp(K(s) - s q)/s, K the cumulant generating function, along the path of
steepest descent through the saddle point (Rice, SIAM J. Sci. Stat. Comput. 1, 1980, 438-448): accurate relative
to themselves, far out in either tail too. Draws that are not Gaussian count by their variance.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy
from jaxtyping import Complex, Float

from lmu_analog.theory.first_order import FirstOrder

_STEP = 0.1  # of the width of the saddle: the trapezoidal rule is then right to rounding
STRETCH = 100  # steps taken at once
_LEFT = 1e-13  # of the sum so far: where the path may end
_LEAST_CURVATURE = 0.1  # keeps the path away from the real axis, where few terms decay slowly
_CLIMB = 1.0  # of the exponent above its saddle: a steeper path than that is none of descent
NEGLIGIBLE = 1e-12  # of the variance: what many small terms may leave out together, but for their mean


@dataclass(frozen=True, eq=False)
class QuadraticForm:
    """Q = rest + (1/n) sum over n copies and all i of (scale_i x_i + centre_i)^2.

    Attributes
    ----------
    rest : float
    scale, centre : (k,) arrays
        Scales are positive.
    copies : int
        n independent ones whose mean is taken.
    """

    rest: float
    scale: Float[np.ndarray, " k"]
    centre: Float[np.ndarray, " k"]
    copies: int = 1

    @property
    def mean(self) -> float:
        """Expected value."""
        return self.rest + float(np.sum(self.scale**2 + self.centre**2))

    @property
    def variance(self) -> float:
        """Variance of the mean of the copies."""
        square = self.scale**2
        return float(np.sum(2.0 * square**2 + 4.0 * square * self.centre**2)) / self.copies

    def mean_of(self, copies: int) -> "QuadraticForm":
        """Give the mean of independent copies."""
        return replace(self, copies=self.copies * copies)

    def cumulants(self, s: Complex[np.ndarray, " n"]) -> Complex[np.ndarray, " n"]:
        """Evaluate K(s) = log E exp(s Q), (n,)."""
        left = 1.0 - 2.0 * s[..., None] / self.copies * self.scale**2
        each = -0.5 * np.log(left) + s[..., None] / self.copies * self.centre**2 / left
        return s * self.rest + self.copies * each.sum(axis=-1)

    def slopes(self, s: float) -> tuple[float, float, float]:
        """Give the first three derivatives of K at a real s below the first singularity."""
        square, n = self.scale**2, self.copies
        left = 1.0 - 2.0 * s / n * square
        a, b = square / left, self.centre**2 / left**2
        first = self.rest + np.sum(a + b)
        second = np.sum(2.0 * a**2 + 4.0 * a * b) / n
        third = np.sum(8.0 * a**3 + 24.0 * a**2 * b) / n**2
        return float(first), float(second), float(third)

    @property
    def singularity(self) -> float:
        """Smallest positive s at which K is infinite."""
        return 0.5 * self.copies / float(self.scale.max()) ** 2


def quadratic_form(theory: FirstOrder) -> QuadraticForm:
    """Bring the mean square error of a linearised circuit to principal axes."""
    return principal(theory)[0]


def principal(theory: FirstOrder) -> tuple[QuadraticForm, Float[np.ndarray, "z k"]]:
    """Give the form and its axes: unit vectors in the space of the draws, (z, k), by falling scale."""
    if not theory.jacobian.any():
        rest = theory.rest + float(theory.error @ theory.error)
        return QuadraticForm(rest, np.zeros(0), np.zeros(0)), np.zeros((len(theory.names), 0))
    left, scale, right = np.linalg.svd(theory.jacobian, full_matrices=False)
    centre = left.T @ theory.error
    spread = scale**2 * (scale**2 + 2.0 * centre**2)
    order = np.argsort(-spread, kind="stable")
    kept = np.sort(order[: 1 + int(np.sum(np.cumsum(spread[order]) < (1.0 - NEGLIGIBLE) * spread.sum()))])
    steady = float(theory.error @ theory.error - centre[kept] @ centre[kept])
    steady += float(np.sum(scale**2) - np.sum(scale[kept] ** 2))
    return QuadraticForm(theory.rest + max(steady, 0.0), scale[kept], centre[kept]), right[kept].T


def beyond(form: QuadraticForm, q: float) -> float:
    """Give the probability that Q > q, accurate relative to itself where it is small."""
    if q <= form.rest:
        return 1.0
    if not len(form.scale):
        return 0.0
    return _tail(form, q) if q > form.mean else 1.0 - _tail(form, q)


def within(form: QuadraticForm, q: float) -> float:
    """Give the probability that Q <= q, accurate relative to itself where it is small."""
    if q <= form.rest or not len(form.scale):
        return float(q >= form.rest and not len(form.scale))
    return _tail(form, q) if q <= form.mean else 1.0 - _tail(form, q)


def quantile(form: QuadraticForm, probability: float) -> float:
    """Give the q with that probability below it, 0 to 1 exclusive, to 1e-7 of itself."""
    if not len(form.scale):
        return form.rest
    step = math.sqrt(form.variance)
    low, high = max(form.mean - 8.0 * step, 0.5 * (form.mean + form.rest)), form.mean + step
    while within(form, low) > probability:
        low = form.rest + 0.5 * (low - form.rest)
    while within(form, high) < probability:
        high += 2.0 * (high - form.mean)
    return root_between(lambda q: within(form, q) - probability, (low, high), precision=1e-8)


def nrmse_quantiles(theory: FirstOrder, probabilities: tuple[float, ...] = (0.05, 0.5, 0.95)) -> list[float]:
    """Give quantiles of the window NRMSE, fractions of rms(u)."""
    form = quadratic_form(theory)
    return [math.sqrt(quantile(form, p)) for p in probabilities]


def root_between(
    function: Callable[[float], float], bracket: tuple[float, float], *, precision: float = 1e-12
) -> float:
    """Find the root between two points of opposite sign, to a precision relative to itself (Brent, 1973)."""
    found = scipy.optimize.root_scalar(
        function, bracket=bracket, method="brentq", rtol=precision, xtol=1e-300
    )
    return float(found.root)


def _tail(form: QuadraticForm, q: float) -> float:
    """Integrate over one half of the path: P(Q > q) above the mean, P(Q <= q) below it."""
    # Beside a large rest the digits of what is left would be lost in every product with s.
    form, q = replace(form, rest=0.0), q - form.rest
    saddle = _saddle(form, q)
    _, second, third = form.slopes(saddle)
    second, third = second + saddle**-2, third - 2.0 * saddle**-3
    width = second**-0.5
    curvature = max(third / (6.0 * second), _LEAST_CURVATURE / width)
    peak = float(form.cumulants(np.array([saddle + 0j]))[0].real) - saddle * q
    while (integral := _along(form, q, (saddle, width, curvature, peak))) is None:
        curvature *= 0.5
    return math.copysign(1.0, saddle) * integral / math.pi * math.exp(peak)


def _along(form: QuadraticForm, q: float, path: tuple[float, float, float, float]) -> float | None:
    """Integrate along saddle + i y + curvature y^2; None where that climbs, which a straight line never does."""
    saddle, width, curvature, peak = path
    total, start = 0.0, 0
    while True:
        y = width * _STEP * (np.arange(start, start + STRETCH) + 0.5)
        s = saddle + 1j * y + curvature * y**2
        exponent = form.cumulants(s) - s * q - peak
        if exponent.real.max() > _CLIMB:
            return None
        term = np.real(np.exp(exponent) / s * (1.0 - 2j * curvature * y))
        total += float(term.sum())
        start += STRETCH
        if np.abs(term[-1]) <= _LEFT * abs(total):
            return total * width * _STEP


def _saddle(form: QuadraticForm, q: float) -> float:
    """Find where K(s) - s q - log|s| is least: one s > 0 above the mean, one s < 0 below it."""

    def slope(s: float) -> float:
        return form.slopes(s)[0] - q - 1.0 / s

    if q > form.mean:
        low, high = 1e-9 * form.singularity, form.singularity * (1.0 - 1e-15)
        while slope(low) > 0.0:
            low *= 1e-3
        return root_between(slope, (low, high))
    low = -1.0 / q
    while slope(low) > 0.0:
        low *= 2.0
    high = low
    while slope(high) < 0.0:
        high *= 0.5
    return root_between(slope, (low, high))
