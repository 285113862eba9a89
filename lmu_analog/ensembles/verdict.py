"""The yield verdict: whether an ensemble shows the wanted yield, or how many samples would decide."""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Literal, cast

import scipy
import xarray as xr

from lmu_analog.ensembles.intervals import CONFIDENCE
from lmu_analog.ensembles.sampling import BLOCK, Sampling
from lmu_analog.ensembles.yields import FEWEST_BLOCKS, Yield
from lmu_analog.storage.completed import completed
from lmu_analog.storage.layout import MOST_SAMPLES

Verdict = Literal["pass", "fail", "undecided"]
TAIL = 0.5 * (1.0 - CONFIDENCE)


@dataclass(frozen=True)
class YieldVerdict:
    """What the 95 % interval of a yield says about the yield that is wanted.

    Attributes
    ----------
    wanted : float
        Fraction of circuits that must keep the limit.
    verdict : {"pass", "fail", "undecided"}
        The interval is at or above ``wanted``, below it, or holds it (or there is none).
    samples_to_decide : int or None
        Of an undecided ensemble, as many samples as would decide if the yield stays what it is; None if it is
        decided, or would not be by as many samples as can be run.
    """

    wanted: float
    verdict: Verdict
    samples_to_decide: int | None = None


def yield_verdict(run: xr.Dataset, found: Yield, wanted: float) -> YieldVerdict:
    """Compare the yield of a run with the one that is wanted.

    Parameters
    ----------
    run : Dataset
        From ``monte_carlo``.
    found : Yield
        Of this run.
    wanted : float
        A fraction.
    """
    verdict = verdict_of(found.low, found.high, wanted)
    if verdict != "undecided":
        return YieldVerdict(wanted, verdict)
    sampling = cast("Sampling", run.attrs.get("sampling", "random"))
    samples = completed(run).sizes["sample"]
    return YieldVerdict(wanted, "undecided", _deciding(found, wanted, samples, BLOCK[sampling]))


def verdict_of(low: float | None, high: float | None, wanted: float) -> Verdict:
    """Say where an interval of the yield lies; without one nothing is decided."""
    if low is not None and low >= wanted:
        return "pass"
    return "fail" if high is not None and high < wanted else "undecided"


def _deciding(found: Yield, wanted: float, samples: int, block: int) -> int | None:
    """Count the samples, whole blocks of them, after which the interval would leave out ``wanted``."""
    if found.method == "replicates" and found.low is not None and found.high is not None:
        gap = abs(found.value - wanted)
        needed = samples * (0.5 * (found.high - found.low) / gap) ** 2 if gap else float("inf")
    else:
        needed = clopper_pearson_samples(found.value, wanted)
    if needed is None or needed > MOST_SAMPLES:
        return None
    blocks = max(int(-(-needed // block)), samples // block + 1, 1 if block == 1 else FEWEST_BLOCKS)
    return blocks * block if blocks * block <= MOST_SAMPLES else None


def clopper_pearson_samples(value: float, wanted: float) -> int | None:
    """Count the independent samples after which Clopper and Pearson's interval leaves out a wanted yield.

    Parameters
    ----------
    value : float
        Fraction of good samples, taken to stay what it is.
    wanted : float
        Fraction that the interval must lie above, or below.

    Returns
    -------
    int or None
        None if more than ``MOST_SAMPLES`` would be needed.
    """
    if value == wanted or not _tells(value, wanted, MOST_SAMPLES):
        return None
    return 1 + bisect_left(
        range(1, MOST_SAMPLES + 1), True, key=lambda samples: _tells(value, wanted, samples)
    )


def _tells(value: float, wanted: float, samples: int) -> bool:
    """Tell whether the interval leaves out the wanted yield.

    The number of good samples need not be whole here, which makes the answer change once as samples grow.
    """
    good = value * samples
    if value > wanted:
        return bool(scipy.special.betainc(good, samples - good + 1.0, wanted) <= TAIL)
    return bool(scipy.special.betaincc(good + 1.0, samples - good, wanted) < TAIL)
