"""Yield far out in the tail, from few simulations: importance sampling, and scaled-sigma sampling.

Importance sampling draws from the law that theory calls most likely to fail: exponential twisting of the
quadratic form (Glasserman, Heidelberger and Shahabuddin, Management Science 46, 2000, section 3). It moves the
mean, and stretches every direction by what it adds to the error. The error is a norm: a circuit fails on both
sides of the nominal, and with many like directions all around it, where one shift along the worst-case direction
would see a fraction of what fails. Where one direction does bear the blame alone, the law is shifted along it,
half of the samples to either side. A tenth keeps the law as it is, so that no weight exceeds ten.

Scaled-sigma sampling (Sun, Li, Liu, Luo and Gu, IEEE Trans. CAD 34, 2015) multiplies all mismatch by s > 1 and
extrapolates log P = a + b log s + c/s^2 to s = 1: exact in the limit of rare failures of Gaussian mismatch, whatever
the shape of the region that fails. It needs no model, and says less from as many samples.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, assert_never

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import minimize
from scipy.special import ndtri

from lmu_analog.building import build
from lmu_analog.design import Design
from lmu_analog.ensembles.comparison import theory_of
from lmu_analog.ensembles.exact import exact_draws
from lmu_analog.ensembles.pool import processors, run_tasks
from lmu_analog.ensembles.simulated import ngspice_draws
from lmu_analog.errors import DesignError, SimulationError, shown
from lmu_analog.mismatch.law import Mismatch, check_seed, draw
from lmu_analog.simulation import Engine
from lmu_analog.storage.results import UNSTABLE
from lmu_analog.theory.first_order import FirstOrder
from lmu_analog.theory.quadratic import QuadraticForm, beyond, principal, root_between
from lmu_analog.units import whole

Method = Literal["importance", "scaled-sigma"]
METHODS: tuple[Method, ...] = ("importance", "scaled-sigma")
PLAIN = 10  # every tenth sample keeps the law as it is
PILOT = 240  # samples of the exact engine that set how far to twist
ALONE = 1.5  # directions: fewer are one
WANTED = 1.0 / 3.0  # of the samples fail: near the least variance
TWISTS = np.linspace(0.6, 1.4, 9)  # of the distance from mean to limit that theory would twist to
FEWEST = 20  # effective failures that an interval needs
NORMAL = 1.959963984540054  # 97.5 % point
SCALES = 6
SHARES = (0.04, 0.5)  # of failures at the smallest and the largest scale
LARGEST = 30.0  # scale
WIDE = 1.0  # standard error of the logarithm
FEWEST_AT_A_SCALE = 5  # failures, below which their logarithm says little
LEAST, MOST = 50, 1_000_000  # samples
AT_ONCE = 1024  # samples of the exact engine: bounds the memory
SAMPLE_TIMEOUT = 600.0  # s in ngspice


@dataclass(frozen=True)
class HighSigma:
    """The fraction of circuits that miss a limit, with its 95 % interval.

    Attributes
    ----------
    method, engine : str
    samples : int
    limit : float
        Of the window NRMSE, a fraction of rms(u).
    failure, low, high : float
    effective : float
        Number of equally weighted failures that would say as much.
    predicted : float
        The same fraction by the quadratic form alone.
    directions : float
        How many directions of mismatch share the blame; 1 where one does.
    warnings : tuple of str
        Why the interval may be wrong.
    """

    method: Method
    engine: Engine
    samples: int
    limit: float
    failure: float
    low: float
    high: float
    effective: float
    predicted: float
    directions: float
    warnings: tuple[str, ...] = ()

    @property
    def sigma(self) -> float:
        """The failure as a one-sided distance in standard deviations: 4 for 3.2e-5."""
        return -float(ndtri(self.failure))

    @property
    def sigma_interval(self) -> tuple[float, float]:
        """Its 95 % interval."""
        return -float(ndtri(self.high)), -float(ndtri(self.low))


@dataclass(frozen=True, eq=False)
class Twist:
    """A law of draws: along axes half N(mean + shift, width^2), half N(mean - shift, width^2), else standard normal.

    Attributes
    ----------
    axes : (z, k) array
    mean, shift, width : (k,) array
    """

    axes: Float[np.ndarray, "z k"]
    mean: Float[np.ndarray, " k"]
    shift: Float[np.ndarray, " k"]
    width: Float[np.ndarray, " k"]

    def draws(self, normal: Float[np.ndarray, "s z"]) -> Float[np.ndarray, "s z"]:
        """Turn standard normals (s, z) into draws of the law; sides take turns."""
        along = normal @ self.axes
        number = np.arange(len(normal))
        side = np.where((number + number // PLAIN) % 2, 1.0, -1.0)[:, None]
        return normal + (self.mean + side * self.shift + (self.width - 1.0) * along) @ self.axes.T

    def log_ratio(self, z: Float[np.ndarray, "s z"]) -> Float[np.ndarray, " s"]:
        """Give the log of its density over the standard normal's, (s,)."""
        along = z @ self.axes
        far = (along - self.mean) / self.width
        near = self.shift / self.width
        sides = np.logaddexp(near * far, -near * far) - math.log(2.0) - 0.5 * near**2
        return np.sum(0.5 * (along**2 - far**2) + sides - np.log(self.width), axis=-1)


def _directions(form: QuadraticForm, s: float) -> float:
    """Participation of the directions in what twisting by s moves and stretches."""
    left = 1.0 - 2.0 * s * form.scale**2
    moved = 1.0 / left - 1.0 + (2.0 * s * form.scale * form.centre / left) ** 2
    return float(moved.sum() ** 2 / (moved**2).sum())


def high_sigma(
    design: Design,
    *,
    method: Method = "importance",
    samples: int = 1000,
    seed: int = 0,
    engine: Engine = "exact",
    workers: int | None = None,
) -> HighSigma:
    """Estimate a small failure probability from few circuits.

    Parameters
    ----------
    design : Design
        With a limit and mismatch.
    method : {"importance", "scaled-sigma"}
    samples : int
        Circuits that the engine runs. A few hundred in the exact engine tune the law beforehand.
    seed : int
        Of the standard normals, the same ones as in ``monte_carlo``, which the method then moves.
    engine : {"exact", "ngspice"}
    workers : int, optional
        Processes of ngspice.

    Raises
    ------
    DesignError
        Without limit or mismatch, or where the nominal circuit misses the limit.
    """
    check_seed(seed)
    if method not in METHODS:
        raise DesignError(f"unknown method {shown(method)}; known are {', '.join(METHODS)}")
    samples = whole(samples, "samples", low=LEAST, high=MOST)
    theory, limit = _checked(design)
    form, axes = principal(theory)
    twist, directions = tuned(partial(errors_of, design), form, axes, limit=limit, seed=seed)
    circuit, law = build(design), Mismatch.of(design)
    normal = draw(circuit, law, seed=seed, samples=range(samples))
    if method == "importance":
        z = twist.draws(normal)
        z[::PLAIN] = normal[::PLAIN]
        failed = fails(errors_of(design, z, engine=engine, workers=workers), limit)
        estimate = weighted(failed, twist.log_ratio(z))
    else:
        scales = scales_for(form, limit**2)
        of = scales[np.arange(samples) % SCALES]
        failed = fails(errors_of(design, of[:, None] * normal, engine=engine, workers=workers), limit)
        estimate = extrapolate(of, failed)
    found, warnings = estimate[:4], estimate[4]
    return HighSigma(method, engine, samples, limit, *found, beyond(form, limit**2), directions, warnings)


def errors_of(
    design: Design, z: Float[np.ndarray, "s z"], *, engine: Engine = "exact", workers: int | None = None
) -> Float[np.ndarray, " s"]:
    """Run the circuits of given draws.

    Parameters
    ----------
    design : Design
    z : (s, z) array
        Standard normals, columns as in ``law.columns``.
    engine : {"exact", "ngspice"}
    workers : int, optional
        Processes of ngspice; as many as there are processors unless given.

    Returns
    -------
    (s,) array
        Window NRMSE, fractions of rms(u): infinite where a circuit is unstable, NaN where it failed.
    """
    match engine:
        case "exact":
            parts = [exact_draws(design, z[k : k + AT_ONCE]) for k in range(0, len(z), AT_ONCE)]
            errors = (np.where(status == UNSTABLE, np.inf, error) for error, status in parts)
            return np.concatenate([np.zeros(0), *errors])
        case "ngspice":
            found, tasks = np.full(len(z), np.nan), [(design, row, k) for k, row in enumerate(z)]
            many = workers or processors()
            for number, result in run_tasks(ngspice_draws, tasks, workers=many, timeout=SAMPLE_TIMEOUT):
                if not isinstance(result, SimulationError):
                    found[number] = result.window_nrmse[0]
            return found
        case _:
            assert_never(engine)


def _checked(design: Design) -> tuple[FirstOrder, float]:
    if design.nrmse is None:
        raise DesignError("[spec] nrmse is missing: a yield needs a limit, for example nrmse = '5 %'")
    theory = theory_of(design)
    if theory is None:
        raise DesignError("high-sigma yield needs [mismatch] that has an effect on the window error")
    if theory.nominal >= design.nrmse:
        raise DesignError(
            f"the nominal circuit misses the limit already: {100 * theory.nominal:.3g} % against "
            f"{100 * design.nrmse:.3g} %; raise [spec] nrmse, or use montecarlo"
        )
    return theory, design.nrmse


def fails(errors: Float[np.ndarray, " s"], limit: float) -> Bool[np.ndarray, " s"]:
    """Tell which circuits miss a limit; those without an error do."""
    return ~(errors <= limit)  # unstable and failed circuits are not good


def _twisted(form: QuadraticForm, axes: np.ndarray, s: float) -> Twist:
    """Twist by s; a direction that bears the blame alone is met on both sides in place of stretched."""
    left = 1.0 - 2.0 * s * form.scale**2
    mean, width, shift = 2.0 * s * form.scale * form.centre / left, left**-0.5, np.zeros(len(left))
    if _directions(form, s) < ALONE and np.argmax(width) == 0:
        # The same mean square, with a quarter of the variance of the estimate at 4 sigma.
        shift[0], width[0] = math.sqrt(width[0] ** 2 - 1.0), 1.0
    return Twist(axes, mean, shift, width)


def tuned(
    measure: Callable[[Float[np.ndarray, "s z"]], Float[np.ndarray, " s"]],
    form: QuadraticForm,
    axes: Float[np.ndarray, "z k"],
    *,
    limit: float,
    seed: int,
) -> tuple[Twist, float]:
    """Twist until a third of the pilot's circuits fail, since theory alone would miss by its second order.

    Parameters
    ----------
    measure : callable
        From draws to window errors, quickly: what finds the law, and judges no circuit.
    form, axes : QuadraticForm, (z, k) array
        What theory says of the error, see ``theory.quadratic.principal``.
    limit : float
    seed : int

    Returns
    -------
    law : Twist
    directions : float
    """
    target = max(limit**2, form.mean * (1.0 + 1e-6))
    pilot = np.random.default_rng([seed, 1]).standard_normal((PILOT, len(axes)))
    twists = [_twist_to(form, form.mean + k**2 * (target - form.mean)) for k in TWISTS]
    laws = [_twisted(form, axes, s) for s in twists]
    share = [float(fails(measure(law.draws(pilot)), limit).mean()) for law in laws]
    # The share rises with the twist, but for the pilot's noise.
    s = float(np.interp(WANTED, np.maximum.accumulate(share), twists))
    return _twisted(form, axes, s), _directions(form, s)


def _twist_to(form: QuadraticForm, q: float) -> float:
    """Give the s at which the twisted law's mean of the form, K'(s), is q."""
    high = form.singularity * (1.0 - 1e-12)
    return root_between(lambda s: form.slopes(s)[0] - q, (0.0, high))


def weighted(
    failed: Bool[np.ndarray, " s"], log_ratio: Float[np.ndarray, " s"]
) -> tuple[float, float, float, float, tuple[str, ...]]:
    """Estimate with the weights of the mixture of both laws (Veach and Guibas, SIGGRAPH 1995: balance).

    Parameters
    ----------
    failed : (s,) bool array
        Every ``PLAIN``-th circuit keeps the law as it is.
    log_ratio : (s,) array
        Of every circuit's draws, see ``Twist.log_ratio``.

    Returns
    -------
    tuple
        Failure, low, high, effective failures, warnings.
    """
    plain = len(failed[::PLAIN]) / len(failed)
    weight = failed / (plain + (1.0 - plain) * np.exp(np.minimum(log_ratio, 700.0)))
    value = float(weight.mean())
    if not failed.any():
        # Rule of three under the law drawn from; no weight exceeds 1/plain.
        high = min(1.0, -math.log(0.05) / (len(failed) * plain))
        return 0.0, 0.0, high, 0.0, ("no circuit failed: the failure is beyond what the law can reach",)
    deviation = float(weight.std(ddof=1)) / math.sqrt(len(failed)) / value
    effective = float(weight.sum() ** 2 / (weight**2).sum())
    warnings = ()
    if effective < FEWEST:
        warnings = (f"{effective:.0f} effective failures only: take more samples for a sound interval",)
    # In the logarithm, for a probability cannot be negative and its estimate is skewed.
    low, high = (value * math.exp(sign * NORMAL * deviation) for sign in (-1.0, 1.0))
    return value, low, min(1.0, high), effective, warnings


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
    if failures.min() < FEWEST_AT_A_SCALE:
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
