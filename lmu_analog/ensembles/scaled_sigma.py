"""Scaled-sigma sampling: which scales, and the extrapolation to one.

log P(s) = a + b log s + c/s^2 (Sun, Li, Liu, Luo and Gu, IEEE Trans. CAD 34, 2015): exact in the limit of rare
failures of Gaussian mismatch, whatever the shape of the region that fails.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import minimize

from lmu_analog.theory.quadratic import QuadraticForm, beyond, root_between

SCALES = 6
SHARES = (0.04, 0.5)  # of failures at the smallest and the largest scale
LARGEST = 30.0
NORMAL = 1.959963984540054  # 97.5 % point
WIDE = 1.0  # standard error of the logarithm
FEWEST = 5  # failures at a scale, below which its logarithm says little


def scales_for(form: QuadraticForm, q: float) -> Float[np.ndarray, " k"]:
    """Choose scales at which theory expects from few to half of the circuits beyond q."""

    def share(s: float) -> float:
        return beyond(replace(form, scale=s * form.scale), q)

    ends = [_scale_of(share, wanted) for wanted in SHARES]
    return np.geomspace(ends[0], max(ends[1], 1.05 * ends[0]), SCALES)


def _scale_of(share: Callable[[float], float], wanted: float) -> float:
    if share(1.0) >= wanted:
        return 1.0
    if share(LARGEST) <= wanted:
        return LARGEST
    return root_between(lambda s: share(s) - wanted, (1.0, LARGEST), precision=1e-6)


def extrapolate(
    scale: Float[np.ndarray, " s"], failed: Bool[np.ndarray, " s"]
) -> tuple[float, float, float, float, tuple[str, ...]]:
    """Fit the law by maximum likelihood and give value, low, high, effective failures and warnings at scale 1.

    Parameters
    ----------
    scale : (s,) array
        By which every sample's mismatch was multiplied.
    failed : (s,) bool array
    """
    scales = np.unique(scale)
    count = np.array([np.sum(scale == s) for s in scales], float)
    failures = np.array([np.sum(failed[scale == s]) for s in scales], float)
    if np.sum(failures > 0) < 3:
        warning = "fewer than three scales have failures: nothing to extrapolate from"
        return 0.0, 0.0, 1.0, 0.0, (warning,)
    terms = np.stack([np.ones(len(scales)), np.log(scales), scales**-2.0], axis=1)
    fit = minimize(
        _loss, _start(terms, failures, count), args=(terms, failures, count), method="BFGS", jac=True
    )
    share = np.exp(np.minimum(terms @ fit.x, math.log(0.999)))
    information = (terms * (count * share / (1.0 - share))[:, None]).T @ terms
    at_one = np.array([1.0, 0.0, 1.0])
    deviation = math.sqrt(float(at_one @ np.linalg.solve(information, at_one)))
    log = float(at_one @ fit.x)
    low, value, high = (math.exp(min(log + k * NORMAL * deviation, 0.0)) for k in (-1.0, 0.0, 1.0))
    warnings: tuple[str, ...] = ()
    if failures.min() < FEWEST:
        warnings = ("few failures at some scales: the extrapolation is weak",)
    if deviation > WIDE:
        warnings += ("the interval spans decades: take more samples, or the method importance",)
    return value, low, high, 1.0 / deviation**2, warnings


def _start(terms: np.ndarray, failures: np.ndarray, count: np.ndarray) -> np.ndarray:
    log = np.log((failures + 0.5) / (count + 1.0))
    root = np.sqrt(failures + 0.5)
    return np.linalg.lstsq(root[:, None] * terms, root * log, rcond=None)[0]


def _loss(
    theta: np.ndarray, terms: np.ndarray, failures: np.ndarray, count: np.ndarray
) -> tuple[float, np.ndarray]:
    """Give the negative log-likelihood of binomial counts and its gradient."""
    log = terms @ theta
    inside = log < math.log(0.999)
    log = np.where(inside, log, math.log(0.999))
    share = np.exp(log)
    lost = count - failures
    value = -np.sum(failures * log + lost * np.log1p(-share))
    slope = np.where(inside, failures - lost * share / (1.0 - share), 0.0)
    return float(value), -(slope @ terms)
