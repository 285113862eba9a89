"""Intervals of 95 %: of fractions, of percentiles, of means, and from replicates."""

import numpy as np
import scipy
from jaxtyping import Float

CONFIDENCE = 0.95
RESAMPLED = (
    1000  # ensembles of a bootstrap: the ends of its interval are then known to some percent of its width
)
_AT_ONCE = 50  # bounds the memory


def clopper_pearson(good: int, samples: int, *, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Give the exact binomial interval (Clopper and Pearson, Biometrika 26, 1934): never too narrow."""
    tail = 0.5 * (1.0 - confidence)
    low = float(scipy.special.betaincinv(good, samples - good + 1, tail)) if good else 0.0
    high = float(scipy.special.betaincinv(good + 1, samples - good, 1.0 - tail)) if good < samples else 1.0
    return low, high


def wilson(good: int, samples: int, *, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Give the score interval (Wilson, J. Am. Stat. Assoc. 22, 1927): narrower, right on average."""
    z = -float(scipy.special.ndtri(0.5 * (1.0 - confidence)))
    fraction, shrink = good / samples, 1.0 + z**2 / samples
    middle = (fraction + 0.5 * z**2 / samples) / shrink
    half = z / shrink * np.sqrt(fraction * (1.0 - fraction) / samples + 0.25 * (z / samples) ** 2)
    # At the ends the formula is 0 or 1 but for rounding.
    low = 0.0 if good == 0 else float(middle - half)
    return low, 1.0 if good == samples else float(middle + half)


def order_statistics(
    samples: int, fraction: float, *, confidence: float = CONFIDENCE
) -> tuple[int, int] | None:
    """Say which two of the sorted samples enclose a percentile of any continuous distribution.

    The number of samples below the percentile is binomial, so the closest two that leave at most half of
    1 - confidence on either side follow without any assumption (David and Nagaraja, Order Statistics, 2003,
    section 7.1).

    Parameters
    ----------
    samples : int
    fraction : float
        0.05 for the fifth percentile.
    confidence : float

    Returns
    -------
    (int, int) or None
        Places counted from 0; None where so few samples have no such two.
    """
    tail = 0.5 * (1.0 - confidence)
    low, high = (_binomial_quantile(p, samples, fraction) for p in (tail, 1.0 - tail))
    if low < 1 or high >= samples:
        return None
    return low - 1, high


def _binomial_quantile(p: float, samples: int, fraction: float) -> int:
    """Give the smallest number k of successes with a probability of at least p of k or fewer."""
    k = int(np.ceil(scipy.special.bdtrik(p, samples, fraction)))
    # The inverse is that of a continuous function, and rounded.
    while k > 0 and scipy.special.bdtr(k - 1, samples, fraction) >= p:
        k -= 1
    while scipy.special.bdtr(k, samples, fraction) < p:
        k += 1
    return k


def standard_error(values: Float[np.ndarray, " s"]) -> float | None:
    """Give the standard error of the mean of independent values; None for fewer than two."""
    if len(values) < 2:
        return None
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def half_width(values: Float[np.ndarray, " s"], *, confidence: float = CONFIDENCE) -> float | None:
    """Give half of Student's interval of the mean of independent values; None for fewer than two."""
    error = standard_error(values)
    if error is None:
        return None
    return float(scipy.special.stdtrit(len(values) - 1, 0.5 * (1.0 + confidence))) * error


def paired_fractions(
    gained: int, lost: int, samples: int, *, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Give an interval of the difference of two fractions of the same samples.

    Wald's with half a sample more in each of the four cells (Agresti and Min, Statistics in Medicine 24, 2005): it
    holds for small counts, too.

    Parameters
    ----------
    gained, lost : int
        Samples that only the second fraction has, and only the first.
    samples : int
    confidence : float
    """
    z = -float(scipy.special.ndtri(0.5 * (1.0 - confidence)))
    many, difference = samples + 2.0, float(gained - lost)
    half = z * np.sqrt(gained + lost + 1.0 - difference**2 / many) / many
    return max(-1.0, float(difference / many - half)), min(1.0, float(difference / many + half))


def paired_percentiles(
    errors: Float[np.ndarray, "2 s"], fraction: float, *, seed: int, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Give an interval of the difference of a percentile in the second row from that in the first.

    Pairs are drawn again from the samples (bootstrap, Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
    chapter 13), so what moves both rows alike does not widen it.

    Parameters
    ----------
    errors : (2, s) array
        A column is a pair.
    fraction : float
    seed : int
        Of what is drawn.
    confidence : float
    """
    generator = np.random.Generator(np.random.Philox(key=seed))
    samples, found = errors.shape[1], []
    for _ in range(RESAMPLED // _AT_ONCE):
        drawn = errors[:, generator.integers(samples, size=(_AT_ONCE, samples))]
        low, high = np.percentile(drawn, 100.0 * fraction, axis=-1)
        found.append(high - low)
    tail = 50.0 * (1.0 - confidence)
    ends = np.percentile(np.concatenate(found), [tail, 100.0 - tail])
    return float(ends[0]), float(ends[1])
