"""What an ensemble says: percentiles, and the yield with its interval."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy import stats

from lmu_analog.ensembles.store import FAILED, GOOD, UNSTABLE


@dataclass(frozen=True)
class Yield:
    """Fraction of circuits within a limit, with its 95 % interval.

    Attributes
    ----------
    limit : float
        Of the window NRMSE, a fraction.
    value, low, high : float
        Fractions of all samples; unstable and failed ones are not good.
    """

    limit: float
    value: float
    low: float
    high: float


def clopper_pearson(good: int, samples: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Give the exact binomial interval (Clopper and Pearson, Biometrika 26, 1934)."""
    tail = 0.5 * (1.0 - confidence)
    low = float(stats.beta.ppf(tail, good, samples - good + 1)) if good else 0.0
    high = float(stats.beta.ppf(1.0 - tail, good + 1, samples - good)) if good < samples else 1.0
    return low, high


def yield_within(run: xr.Dataset, limit: float) -> Yield:
    """Count the samples whose window NRMSE is within the limit."""
    good = int(((run.window_nrmse <= limit) & (run.status == GOOD)).sum())
    low, high = clopper_pearson(good, run.sizes["sample"])
    return Yield(limit, good / run.sizes["sample"], low, high)


def percentiles(run: xr.Dataset) -> dict[str, float | None]:
    """Give mean, median, p05 and p95 of the window NRMSE over the finite samples; None where there is none."""
    errors = run.window_nrmse.values
    errors = errors[np.isfinite(errors)]
    if not len(errors):
        return dict.fromkeys(("mean", "median", "p05", "p95"))
    p05, median, p95 = np.percentile(errors, [5.0, 50.0, 95.0])
    return {"mean": float(errors.mean()), "median": float(median), "p05": float(p05), "p95": float(p95)}


def counts(run: xr.Dataset) -> dict[str, int]:
    """Count samples, failed and unstable ones."""
    return {
        "samples": run.sizes["sample"],
        "failed": int((run.status == FAILED).sum()),
        "unstable": int((run.status == UNSTABLE).sum()),
    }
