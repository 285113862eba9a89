"""Data sets: handwritten digits pixel by pixel, the Mackey-Glass series, and noise with its delayed self."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lmu_analog.errors import DesignError
from lmu_analog.mismatch.law import check_seed
from lmu_analog.networks.learning.data import Data

PIXELS, ROWS = 64, 8


@dataclass(frozen=True, eq=False)
class Task:
    """Three parts of a data set: for training, for validation, and for one test at the end."""

    train: Data
    valid: Data
    test: Data


def digits(seed: int = 0, *, train: float = 0.6, valid: float = 0.2) -> Task:
    """Give scikit-learn's handwritten digits as series of 64 pixels in one random order, the same for all.

    1797 images of 8 by 8 pixels, 0 to 1. This is not MNIST: the images are smaller and fewer.

    Parameters
    ----------
    seed : int
        Of the order of the pixels, and of which image is in which part.
    train, valid : float
        Fractions of the images; the others are for the test.

    Raises
    ------
    DesignError
        If scikit-learn is not installed.
    """
    pictures, classes, order = _pictures(seed)
    return _parts(pictures[:, order, None], classes, train, valid)


def digits_by_rows(seed: int = 0, *, train: float = 0.6, valid: float = 0.2) -> Task:
    """Give the images of ``digits``, in the same parts, as eight steps of eight inputs: the rows of an image.

    Parameters and errors are those of ``digits``.
    """
    pictures, classes, _ = _pictures(seed)
    return _parts(pictures.reshape(len(pictures), ROWS, -1), classes, train, valid)


def _pictures(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the images in a random order, their classes, and a random order of pixels."""
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise DesignError(
            f"the digits need {error.name}; install it with pip install 'lmu-analog[learn]'"
        ) from error
    pictures, classes = (np.asarray(a) for a in load_digits(return_X_y=True))
    rng = np.random.default_rng(check_seed(seed))
    pixels, images = rng.permutation(PIXELS), rng.permutation(len(pictures))
    return pictures[images] / 16.0, classes[images].astype(np.int32), pixels


def _parts(x: np.ndarray, y: np.ndarray, train: float, valid: float) -> Task:
    first, second = round(train * len(x)), round((train + valid) * len(x))
    return Task(*(Data(x[s], y[s]) for s in (slice(first), slice(first, second), slice(second, None))))


def images(task: Task) -> Task:
    """Give the same images whole, as one step of 64 inputs: what a feed-forward network sees."""
    return Task(*(Data(d.x.reshape(len(d.x), 1, -1), d.y) for d in (task.train, task.valid, task.test)))


def mackey_glass(count: int, steps: int, *, tau: int = 17, seed: int = 0) -> Float[np.ndarray, "s t"]:
    """Integrate x' = 0.2 x(t - tau) / (1 + x(t - tau)^10) - 0.1 x (Mackey and Glass 1977).

    Euler steps of 0.1, from a past of 1.2 with uniform noise of +-0.1 (every 0.1), one value kept a unit of time,
    as tanh(x - 1); the mean over all is taken off. The published benchmark is made alike.

    Returns
    -------
    (s, t) array
        Independent series.
    """
    inner = 10
    rng = np.random.default_rng(check_seed(seed))
    past = 1.2 + 0.2 * (rng.random((tau * inner, count)) - 0.5)
    x, kept = np.full(count, 1.2), np.empty((steps, count))
    for k in range(steps * inner):
        delayed = past[k % len(past)].copy()
        past[k % len(past)] = x
        x = x + (0.2 * delayed / (1.0 + delayed**10) - 0.1 * x) / inner
        if k % inner == inner - 1:
            kept[k // inner] = x
    squashed = np.tanh(kept.T - 1.0)
    return squashed - squashed.mean()


def forecast(series: Float[np.ndarray, "s t"], ahead: int, *, first: int = 0) -> Data:
    """Ask for a series' value some steps ahead, at every step; errors count from step ``first``."""
    if not 0 < ahead < series.shape[1]:
        raise DesignError(
            f"{ahead} steps ahead of series of {series.shape[1]}; at least one step must be left"
        )
    return Data(series[:, :-ahead, None], series[:, ahead:, None], first)


def delayed_noise(
    count: int,
    period: float,
    *,
    delay: float,
    bandwidth: float,
    step: float = 1.0,
    early: float = 0.0,
    seed: int = 0,
) -> Data:
    """Give periodic white noise, and the same some time ago; one signal whatever the sampling.

    Parameters
    ----------
    count : int
        Signals.
    period : float
        In the unit of time, of which ``step`` must be a part.
    delay : float
        Any time, a multiple of the step or not.
    bandwidth : float
        Highest frequency, over the unit of time.
    step : float
        Sampling interval.
    early : float
        How much earlier than it seems the input is sampled; half a step undoes the lead of a zero-order hold, see
        ``memory.reference``.
    seed : int

    Returns
    -------
    Data
        x and y of (count, period / step, 1), x with an rms of 1.
    """
    tones = int(bandwidth * period)
    if tones < 1 or bandwidth * step >= 0.5:
        raise DesignError(
            f"a bandwidth of {bandwidth:g} is wanted from {1.0 / period:g} to below {0.5 / step:g}, half the samples"
        )
    rng = np.random.default_rng(check_seed(seed))
    amplitude = rng.standard_normal((count, 2, tones))
    amplitude /= np.sqrt(0.5 * np.sum(amplitude**2, axis=(1, 2), keepdims=True))
    time = np.arange(round(period / step)) * step

    def at(moments: np.ndarray) -> np.ndarray:
        phase = 2.0 * np.pi / period * np.arange(1, tones + 1)[:, None] * moments
        return (amplitude[:, 0] @ np.cos(phase) + amplitude[:, 1] @ np.sin(phase))[..., None]

    return Data(at(time - early), at(time - delay))
