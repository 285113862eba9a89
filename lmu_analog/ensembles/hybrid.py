"""Two engines as one: a quick one for all samples, ngspice for some, and an unbiased estimate from both.

The quick engine is a control variate (Lavenberg and Welch, Management Science 27, 1981; Cochran, Sampling
Techniques, 1977, section 12.2, double sampling): with y of ngspice and x of the quick engine in the first K
samples, and r of the quick engine in all others, mean(y) - b (mean(x) - mean(r)) has the mean of y whatever b
is, and the smaller a variance the closer the two are correlated. Here b for each sample comes from the K - 1
others, so the estimate is unbiased exactly, not only for large K.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import scipy
import xarray as xr
from jaxtyping import Float

from lmu_analog.design import Design
from lmu_analog.ensembles.intervals import CONFIDENCE, clopper_pearson
from lmu_analog.ensembles.montecarlo import Engine, check_numbers, monte_carlo
from lmu_analog.errors import DesignError, SimulationError, StoreError, shown
from lmu_analog.spice import ngspice
from lmu_analog.storage.results import FAILED, GOOD
from lmu_analog.units import is_whole

FEWEST = 10  # pairs; a slope and a spread from fewer say little
BOUND = 0.05  # of ngspice's error: the engines disagree beyond it


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval.

    Attributes
    ----------
    value, low, high : float
    equivalent : float
        Number of ngspice samples that would give as narrow an interval by themselves.
    """

    value: float
    low: float
    high: float
    equivalent: float


@dataclass(frozen=True)
class Within:
    """Fraction of circuits within a limit, with its 95 % interval.

    Attributes
    ----------
    limit : float
        Of the window NRMSE, a fraction.
    value, low, high : float
        Fractions of all samples; unstable ones are not good.
    """

    limit: float
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Hybrid:
    """What both engines say together, about ngspice's circuit.

    Attributes
    ----------
    subset : int
        Samples that ngspice ran.
    mean, mean_square : Estimate
        Of the window NRMSE over the stable samples, fractions of rms(u) and their squares.
    within : Within or None
        Fraction within a limit; None without one.
    correlation : float or None
        Of the window NRMSE in both engines; None where it does not vary.
    largest_difference : float
        Between the engines, as a fraction of ngspice's value.
    worst_sample : int
        Where that is.
    warnings : tuple of str
        Lines on samples where the engines disagree beyond the bound, or that ngspice failed in.
    """

    subset: int
    mean: Estimate
    mean_square: Estimate
    within: Within | None
    correlation: float | None
    largest_difference: float
    worst_sample: int
    warnings: tuple[str, ...]


def hybrid(
    design: Design,
    samples: int,
    seed: int = 0,
    *,
    subset: int,
    engine: Engine = "exact",
    workers: int | None = None,
    scheduler: str | None = None,
    store: Path | str | None = None,
    resumed: bool = False,
    progress: Callable[[int], None] | None = None,
    bound: float = BOUND,
) -> tuple[xr.Dataset, Hybrid]:
    """Run all samples in a quick engine and the first ``subset`` of them in ngspice too.

    Parameters
    ----------
    design : Design
    samples, seed : int
    subset : int
    engine : {"exact", "nonlinear"}
        The quick engine.
    workers, scheduler, store, resumed, progress
        As for ``monte_carlo``; ngspice's samples are stored beside the store, see ``beside``.
    bound : float
        Relative difference of the engines that is worth a warning.

    Returns
    -------
    (xarray.Dataset, Hybrid)
        The run of the quick engine, and what follows from both.

    Raises
    ------
    DesignError, StoreError
        If ``subset`` is not between 10 and ``samples``, or another argument or a store is wrong.
    SimulationError
        If ngspice is missing, or fails in too many samples.
    """
    check_subset(subset, samples)
    if engine == "ngspice":
        raise DesignError("hybrid compares a quick engine with ngspice; take the engine exact or nonlinear")
    ngspice.require()
    path = None if store is None else beside(Path(store))
    if path is not None and path.exists() and not resumed:
        raise StoreError(f"{path} exists; give another name, or resumed=True to continue it")
    ensemble = partial(monte_carlo, workers=workers, scheduler=scheduler, progress=progress)
    run = ensemble(design, samples, seed, engine=engine, store=store, resumed=resumed)
    again = path is not None and path.exists()
    checked = ensemble(design, subset, seed, engine="ngspice", store=path, resumed=again)
    return run, combine(run, checked, limit=design.nrmse, bound=bound)


def check_subset(subset: int, samples: int) -> None:
    """Refuse a subset beyond the samples, or too small to say anything."""
    check_numbers(samples, None)
    if not is_whole(subset) or not FEWEST <= subset <= samples:
        raise DesignError(
            f"hybrid {shown(subset)}: of {samples} samples ngspice can run {FEWEST} to {samples}; "
            "give a number between"
        )


def beside(store: Path) -> Path:
    """Name the store of ngspice's samples: ``run-ngspice.zarr`` for ``run.zarr``."""
    return store.with_name(f"{store.stem}-ngspice{store.suffix}")


def combine(
    run: xr.Dataset, checked: xr.Dataset, *, limit: float | None = None, bound: float = BOUND
) -> Hybrid:
    """Estimate ngspice's mean, mean square and yield over the population from both engines.

    Parameters
    ----------
    run : Dataset
        All samples in the quick engine.
    checked : Dataset
        The first of them in ngspice, same design and seed.
    limit : float, optional
        Of the window NRMSE, a fraction; decides the yield.
    bound : float

    Raises
    ------
    SimulationError
        If fewer than ten samples are finite in both.
    """
    subset = checked.sizes["sample"]
    x, y = run.window_nrmse.values[:subset], checked.window_nrmse.values
    rest = run.window_nrmse.values[subset:]
    both = np.isfinite(x) & np.isfinite(y)
    if both.sum() < FEWEST:
        raise SimulationError(
            f"{int(both.sum())} of {subset} samples are finite in both engines, {FEWEST} are needed; "
            "raise the number of samples that ngspice runs"
        )
    number, x, y, rest = np.flatnonzero(both), x[both], y[both], rest[np.isfinite(rest)]
    difference = np.abs(x - y) / y
    varies = min(np.ptp(x), np.ptp(y)) > 0.0
    return Hybrid(
        subset,
        control_variate(y, x, rest),
        control_variate(y**2, x**2, rest**2),
        None if limit is None else yield_of_both(run, checked, limit),
        float(np.corrcoef(x, y)[0, 1]) if varies else None,
        float(difference.max()),
        int(number[difference.argmax()]),
        _warnings(checked, number[difference > bound], float(difference.max()), bound),
    )


def control_variate(
    y: Float[np.ndarray, " k"], x: Float[np.ndarray, " k"], rest: Float[np.ndarray, " r"]
) -> Estimate:
    """Estimate the mean of y, unbiased.

    Parameters
    ----------
    y, x : (k,) arrays
        What is wanted and the control, in the same independent samples.
    rest : (r,) array
        The control in other samples.
    """
    k, r = len(y), len(rest)
    # The control's mean is itself an estimate, from r samples: the best slope is smaller by that.
    shrink = r / (r + k)
    slopes = shrink * _slopes_without_each(y, x)
    known = rest.mean() if r else 0.0
    corrected = y - slopes * (x - known)
    variance = corrected.var(ddof=1) / k
    if r > 1:
        variance += slopes.mean() ** 2 * rest.var(ddof=1) / r
    half = float(scipy.special.stdtrit(k - 2, 0.5 * (1.0 + CONFIDENCE)) * np.sqrt(variance))
    value = float(corrected.mean())
    equivalent = float(y.var(ddof=1) / variance) if variance > 0.0 else float(k)
    return Estimate(value, value - half, value + half, equivalent)


def _slopes_without_each(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Slope of the line through all points but one, (k,); zero where x does not vary."""
    k = len(y)
    dx, dy = x - x.mean(), y - y.mean()
    # Leaving a point out takes k/(k-1) of its own product off the sums about the mean.
    share = k / (k - 1.0)
    xx, xy = np.sum(dx * dx) - share * dx * dx, np.sum(dx * dy) - share * dx * dy
    varies = xx > 1e-12 * max(float(np.sum(dx * dx)), 1e-300)  # else rounding is all that is left
    return np.where(varies, xy / np.where(varies, xx, 1.0), 0.0)


def yield_of_both(run: xr.Dataset, checked: xr.Dataset, limit: float) -> Within:
    """Estimate ngspice's yield: the quick engine's, corrected by the samples on which the two differ.

    Unbiased but for being held within its interval, which is never too narrow: it joins the exact intervals
    of three fractions, of the
    quick engine's good samples and of the two ways to differ, at a quarter of the risk on each side
    (Bonferroni). Samples that failed in ngspice are left out of the comparison.
    """
    good = np.asarray((run.window_nrmse <= limit) & (run.status == GOOD))
    ran = np.asarray(checked.status != FAILED)
    now = np.asarray((checked.window_nrmse <= limit) & (checked.status == GOOD))[ran]
    then = good[: len(ran)][ran]
    if not len(now):
        return Within(limit, float(good.mean()), 0.0, 1.0)
    risk = 1.0 - 0.5 * (1.0 - CONFIDENCE)
    gained, lost = int((now & ~then).sum()), int((then & ~now).sum())
    low, high = clopper_pearson(int(good.sum()), len(good), confidence=risk)
    most_gained, most_lost = (clopper_pearson(n, len(now), confidence=risk)[1] for n in (gained, lost))
    low, high = max(0.0, low - most_lost), min(1.0, high + most_gained)
    value = float(good.mean()) + (gained - lost) / len(now)
    return Within(limit, min(max(value, low), high), low, high)


def _warnings(checked: xr.Dataset, beyond: np.ndarray, largest: float, bound: float) -> tuple[str, ...]:
    lines = []
    if len(beyond):
        lines.append(
            f"the engines disagree by more than {100.0 * bound:.3g} % in {len(beyond)} of "
            f"{checked.sizes['sample']} samples, by {100.0 * largest:.3g} % at most; first in sample {beyond[0]}: "
            "trust the estimate from both, not the quick engine alone"
        )
    if lost := int((checked.status == FAILED).sum()):
        lines.append(f"ngspice failed in {lost} of {checked.sizes['sample']} samples, which are left out")
    return tuple(lines)
