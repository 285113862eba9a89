"""Scores of a network on each of many circuits, and their statistics."""

from dataclasses import dataclass
from typing import assert_never

import numpy as np
from jaxtyping import Float

from lmu_analog.ensembles.intervals import half_width
from lmu_analog.errors import DesignError
from lmu_analog.networks.learning.data import Objective


def scores(
    out: Float[np.ndarray, "s b *o"], y: np.ndarray, objective: Objective, *, first: int = 0
) -> Float[np.ndarray, " s"]:
    """Measure every circuit's outputs.

    Parameters
    ----------
    out : (s, b, o) or (s, b, t, o) array
        From ``forward.outputs``.
    y : (b,) or (b, t, o) array
        Classes, or series.
    objective : {"classes", "series"}
    first : int
        Step from which errors of series count.

    Returns
    -------
    (s,) array
        The fraction of right classes, where an output that is not finite is never right; or the rms error over the
        rms of what is wanted, infinite where an output is not finite.
    """
    if out.shape[1] != len(y):
        raise DesignError(f"y: axis 0 (sample) has length {len(y)}, not {out.shape[1]} as the outputs")
    match objective:
        case "classes":
            right = (out.argmax(axis=-1) == y) & np.isfinite(out).all(axis=-1)
            return right.mean(axis=1)
        case "series":
            with np.errstate(over="ignore", invalid="ignore"):
                error = np.mean((out - y)[:, :, first:] ** 2, axis=(1, 2, 3))
            return np.sqrt(np.where(np.isfinite(error), error, np.inf) / np.mean(y[:, first:] ** 2))
        case _:
            assert_never(objective)


@dataclass(frozen=True)
class Spread:
    """What figures of several networks on several circuits each say together.

    Attributes
    ----------
    mean : float
    low, high : float or None
        Student's interval of the mean (95 %) over networks, which differ in seed and circuits; None for one.
    p05, median, p95 : float
        Over all circuits of all networks.
    """

    mean: float
    low: float | None
    high: float | None
    p05: float
    median: float
    p95: float


def spread(figures: Float[np.ndarray, "n s"]) -> Spread:
    """Sum up figures: a row a network, a column a circuit."""
    each, mean = figures.mean(axis=1), float(figures.mean())
    half = half_width(each)
    low, high = (None, None) if half is None else (mean - half, mean + half)
    p05, median, p95 = (float(q) for q in np.quantile(figures, (0.05, 0.5, 0.95)))
    return Spread(mean, low, high, p05, median, p95)
