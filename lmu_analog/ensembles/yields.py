"""What an ensemble says: means, percentiles and the yield, each with its 95 % interval.

Random samples have the intervals of independent ones. Latin and Sobol' samples are independent only block by
block (``sampling``), so theirs come from the scatter of at least four complete blocks, and samples beyond the
last complete block do not count: they would bring most of the error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from jaxtyping import Bool

from lmu_analog.ensembles.intervals import (
    clopper_pearson,
    half_width,
    order_statistics,
    standard_error,
    wilson,
)
from lmu_analog.ensembles.sampling import BLOCK, Sampling
from lmu_analog.storage.completed import completed
from lmu_analog.storage.results import FAILED, GOOD, UNSTABLE

if TYPE_CHECKING:
    import xarray as xr

FEWEST_BLOCKS = 4  # Student's factor is 3.2 then, 4.3 with three
RARE = 10  # good or bad samples; fewer say too little about their scatter over blocks
PERCENTILES = {"p05": 0.05, "median": 0.5, "p95": 0.95}


@dataclass(frozen=True)
class Yield:
    """Fraction of circuits within a limit, with its 95 % interval.

    Attributes
    ----------
    limit : float
        Of the window NRMSE, a fraction.
    value : float
        Fraction of all samples (of the complete blocks); unstable and failed ones are not good.
    low, high : float or None
        The interval; None for Latin or Sobol' samples of fewer than four blocks.
    method : {"clopper-pearson", "replicates"} or None
        Where the interval is from. Latin and Sobol' samples have Clopper-Pearson where fewer than ten are
        good, or bad: spread evenly they scatter less than independent ones, so it is too wide if anything.
    wilson_low, wilson_high : float or None
        Wilson's interval, of random samples only.
    """

    limit: float
    value: float
    low: float | None
    high: float | None
    method: Literal["clopper-pearson", "replicates"] | None = "clopper-pearson"
    wilson_low: float | None = None
    wilson_high: float | None = None


def yield_within(run: xr.Dataset, limit: float) -> Yield:
    """Count the samples whose window NRMSE is within the limit."""
    run = completed(run)
    passed = ((run.window_nrmse <= limit) & (run.status == GOOD)).values
    if _sampling(run) == "random":
        return yield_of(passed, limit)
    blocks = _blocks(run, passed)
    if blocks is None:
        return Yield(limit, float(passed.mean()), None, None, None)
    good, value = int(blocks.sum()), float(blocks.mean())
    half = half_width(blocks.mean(axis=1))
    if half is None or min(good, blocks.size - good) < RARE:
        return Yield(limit, value, *clopper_pearson(good, blocks.size), "clopper-pearson")
    return Yield(limit, value, max(0.0, value - half), min(1.0, value + half), "replicates")


def yield_of(passed: Bool[np.ndarray, " s"], limit: float) -> Yield:
    """Give the yield of independent samples of which it is known whether they keep the limit."""
    good, samples = int(passed.sum()), len(passed)
    low, high = clopper_pearson(good, samples)
    return Yield(limit, good / samples, low, high, "clopper-pearson", *wilson(good, samples))


def percentiles(run: xr.Dataset) -> dict[str, float | None]:
    """Describe the window NRMSE over the finite samples.

    Returns
    -------
    dict
        ``mean``, ``median``, ``p05``, ``p95``; the ends of their 95 % intervals ``mean_low``, ``mean_high``
        and so on; ``mean_square`` and its standard error ``mean_square_se``. None where there are too few
        samples: the interval of the 5th or 95th percentile takes 72, the median's 6.
    """
    run = completed(run)
    errors = run.window_nrmse.values
    blocks = None if _sampling(run) == "random" else _blocks(run, errors)
    counted = errors if blocks is None else blocks.ravel()
    finite = np.sort(counted[np.isfinite(counted)])
    names = ("mean", *PERCENTILES)
    described: dict[str, float | None] = dict.fromkeys(
        [*names, *(f"{name}_{end}" for name in names for end in ("low", "high")), "mean_square"]
    )
    described["mean_square_se"] = None
    if not len(finite):
        return described
    middle = {"mean": float(finite.mean()), "mean_square": float((finite**2).mean())}
    middle |= {name: float(np.percentile(finite, 100.0 * p)) for name, p in PERCENTILES.items()}
    return described | middle | _ends(run, finite, blocks)


def _ends(run: xr.Dataset, finite: np.ndarray, blocks: np.ndarray | None) -> dict[str, float | None]:
    """Give the intervals' ends and the standard error; nothing where samples are dependent and blocks few."""
    if blocks is None and _sampling(run) != "random":
        return {}
    parts = finite[:, None] if blocks is None else blocks
    fill = np.isfinite(parts)
    if not fill.any(axis=1).all():
        return {}
    means, squares = (np.mean(parts**k, axis=1, where=fill) for k in (1, 2))
    ends: dict[str, float | None] = {"mean_square_se": standard_error(squares)}
    if (half := half_width(means)) is not None:
        ends |= {"mean_low": float(finite.mean() - half), "mean_high": float(finite.mean() + half)}
    for name, p in PERCENTILES.items():
        found = order_statistics(len(finite), p) if blocks is None else _replicated(parts, finite, p)
        if found is not None:
            ends |= {f"{name}_low": float(finite[found[0]]), f"{name}_high": float(finite[found[1]])}
    return ends


def _replicated(blocks: np.ndarray, finite: np.ndarray, p: float) -> tuple[int, int] | None:
    """Say which of the sorted samples enclose a percentile, by the scatter of the fractions below it.

    After Woodruff (J. Am. Stat. Assoc. 47, 1952): percentiles of small blocks are biased, fractions are not.
    """
    below = np.mean(blocks <= np.quantile(finite, p), axis=1, where=np.isfinite(blocks))
    half = half_width(below)
    if not half:  # no scatter at all is no estimate; independent samples scatter more
        return order_statistics(len(finite), p)
    low, high = np.floor((p - half) * len(finite)), np.ceil((p + half) * len(finite))
    return None if low < 1 or high >= len(finite) else (int(low) - 1, int(high))


def _sampling(run: xr.Dataset) -> Sampling:
    return cast("Sampling", run.attrs.get("sampling", "random"))


def _blocks(run: xr.Dataset, values: np.ndarray) -> np.ndarray | None:
    """Lay values of all complete blocks out, (blocks, samples of a block); None if blocks are few.

    A run that was stopped may lack samples anywhere, so a block goes by the numbers of its samples.
    """
    size = BLOCK[_sampling(run)]
    numbers = run["sample"].values // size  # numbered from 0 where there is no coordinate
    blocks, present = np.unique(numbers, return_counts=True)
    whole = blocks[present == size]
    return values[np.isin(numbers, whole)].reshape(-1, size) if len(whole) >= FEWEST_BLOCKS else None


def warnings(run: xr.Dataset) -> list[str]:
    """Say in a line each what is not as it was asked for: samples that are not done, an interval there is not."""
    run = completed(run)
    undone = list(run.attrs.get("warnings", ()))
    if (sampling := _sampling(run)) == "random" or _blocks(run, run.status.values) is not None:
        return undone
    return [
        *undone,
        f"no interval: {sampling} sampling needs {FEWEST_BLOCKS} complete blocks of {BLOCK[sampling]} "
        f"samples, {FEWEST_BLOCKS * BLOCK[sampling]} in all, for one",
    ]


def counts(run: xr.Dataset) -> dict[str, int]:
    """Count samples that are done, those that were planned, failed and unstable ones."""
    run = completed(run)
    return {
        "samples": run.sizes["sample"],
        "planned": int(run.attrs.get("planned", run.sizes["sample"])),
        "failed": int((run.status == FAILED).sum()),
        "unstable": int((run.status == UNSTABLE).sum()),
    }
