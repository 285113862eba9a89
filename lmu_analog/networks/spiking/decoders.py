"""Decoders: weights of spikes that give back what a population stands for.

Weights between neurons are products of decoders, a small matrix and encoders, and are never multiplied out: time
and memory grow with the number of neurons, not with its square.
"""

import numpy as np
from jaxtyping import Float, Float32

from lmu_analog.errors import DesignError
from lmu_analog.networks.spiking.neurons import Populations, rate

POINTS = 200  # places of x; tuning curves change slope over tenths of x, and twice as many change no decoder by 1 %
CHUNK = 512  # neurons whose rates are held at once, so that they stay in a core's cache


def decoders(drawn: Populations, *, regularisation: float = 0.1) -> Float32[np.ndarray, "d p"]:
    """Solve for the decoders of x by ridge regression over x uniform in -1 to 1.

    With rates a (points, p): d = (a^T a + n s^2)^-1 a^T x, s the regularisation times the largest rate (Eliasmith
    and Anderson, 2003, section 2.3). Solved as a^T (a a^T + n s^2)^-1 x, the same by the push-through identity,
    with a matrix of the points instead of one of the neurons.

    Parameters
    ----------
    drawn : Populations
    regularisation : float
        Standard deviation of the noise on rates, as a fraction of the largest.

    Returns
    -------
    (d, p) array, s
        Times rates, or spikes over time, they give x.
    """
    if not regularisation > 0.0:
        raise DesignError(f"regularisation {regularisation:g}: a positive fraction is wanted")
    x = np.linspace(-1.0, 1.0, POINTS)
    solved = np.empty(drawn.gain.shape, np.float32)
    for row in range(len(solved)):
        gram, largest = (
            np.zeros((len(x), len(x))),
            0.0,
        )  # a a^T, summed over the neurons, and the largest rate
        for part in _chunks(drawn):
            seen = _rates(drawn, row, part, x)
            gram += seen @ seen.T
            largest = max(largest, float(seen.max()))
        if largest == 0.0:
            raise DesignError("no neuron of a population fires for any x from -1 to 1; give more neurons")
        ridge = len(x) * (regularisation * largest) ** 2
        dual = np.linalg.solve(gram + ridge * np.eye(len(x)), x)
        for part in _chunks(drawn):
            solved[row, part] = _rates(drawn, row, part, x).T @ dual
    return solved


def _rates(drawn: Populations, row: int, part: slice, x: np.ndarray) -> Float[np.ndarray, "x n"]:
    """Compute in single precision and give double: the sums over neurons need it, the curves do not."""
    current = np.multiply.outer(x.astype(np.float32), drawn.gain[row, part]) + drawn.bias[row, part]
    return rate(current, drawn.tuning).astype(float)


def _chunks(drawn: Populations) -> list[slice]:
    return [slice(k, k + CHUNK) for k in range(0, drawn.gain.shape[1], CHUNK)]
