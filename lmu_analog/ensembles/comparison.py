"""Theory beside sampling: what the quadratic form predicts, and whether an ensemble agrees."""

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr

from lmu_analog.design import Design
from lmu_analog.ensembles.intervals import CONFIDENCE
from lmu_analog.storage.completed import completed
from lmu_analog.storage.results import GOOD, UNSTABLE
from lmu_analog.theory.first_order import FirstOrder, first_order
from lmu_analog.theory.quadratic import quadratic_form, quantile, within

SECOND_ORDER = 0.06  # what higher orders may add: 0 to 6 % at 1 % mismatch in every realization but one


@dataclass(frozen=True)
class Prediction:
    """The window NRMSE of a mismatched design without sampling, fractions of rms(u).

    Attributes
    ----------
    p05, median, p95 : float
    good : float or None
        Fraction of circuits within the limit; None without one.
    """

    p05: float
    median: float
    p95: float
    good: float | None


@dataclass(frozen=True)
class Comparison:
    """Monte Carlo over theory.

    Attributes
    ----------
    predicted_rms : float
        Error added by mismatch (rms) by first-order theory, a fraction of rms(u).
    ratio : float or None
        That of the samples over it; None without finite samples.
    low, high : float
        Where the ratio of as many samples lies in 95 % of all runs if the theory holds, widened by 6 % for
        higher orders.
    flag : str or None
        What is wrong where the ratio lies outside, or circuits are unstable.
    """

    predicted_rms: float
    ratio: float | None
    low: float
    high: float
    flag: str | None


def predict(theory: FirstOrder, limit: float | None = None) -> Prediction:
    """Give percentiles, and the yield within a limit, from the generalised chi-square law."""
    form = quadratic_form(theory)
    p05, median, p95 = (math.sqrt(quantile(form, p)) for p in (0.05, 0.5, 0.95))
    return Prediction(p05, median, p95, None if limit is None else within(form, limit**2))


def theory_of(design: Design) -> FirstOrder | None:
    """Give the theory that an ensemble of the design can be compared with; None without mismatch."""
    if not design.mismatch:
        return None
    found = first_order(design)
    return found if found.predicted_rms > 0.0 else None


def compare(run: xr.Dataset, theory: FirstOrder, *, nominal: float | None = None) -> Comparison:
    """Compare an ensemble with the theory of its design.

    Only the NRMSE of a sample is stored, e, so the added rms is estimated by sqrt(mean(e^2) - nominal^2):
    to first order the error adds to the nominal one, and their product has no mean. The interval is that of
    the mean of as many quadratic forms, which is one itself, not the samples' own: where tails are heavy
    their variance says nothing. Sobol' and Latin samples lie closer to the middle than it says.

    Parameters
    ----------
    run : Dataset
        From ``monte_carlo``.
    theory : FirstOrder
        Of the same design, with mismatch.
    nominal : float, optional
        NRMSE without mismatch in the engine of the run; the theory's unless given.
    """
    run = completed(run)
    errors = run.window_nrmse.values[np.isfinite(run.window_nrmse.values) & (run.status.values == GOOD)]
    scale, base = theory.predicted_rms, theory.nominal**2
    if not len(errors):
        return Comparison(scale, None, 0.0, math.inf, "no finite sample to compare with the theory")
    form = quadratic_form(theory).mean_of(len(errors))
    tail = 0.5 * (1.0 - CONFIDENCE)
    low, high = (_root(quantile(form, p) - base) / scale for p in (tail, 1.0 - tail))
    low, high = low * (1.0 - SECOND_ORDER), high * (1.0 + SECOND_ORDER)
    base = base if nominal is None else nominal**2
    ratio = _root(float(np.mean(errors**2)) - base) / scale
    unstable = int((run.status == UNSTABLE).sum())
    flag = None
    if unstable:
        flag = f"{unstable} unstable circuits: mismatch is too large for first-order theory"
    elif not low <= ratio <= high:
        flag = (
            f"Monte Carlo over theory is {ratio:.3g}, outside {low:.3g} to {high:.3g}: "
            "mismatch is too large for first-order theory, or the two disagree"
        )
    return Comparison(scale, ratio, low, high, flag)


def _root(square: float) -> float:
    return math.sqrt(max(square, 0.0))
