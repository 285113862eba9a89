"""The sliding window: its readout, its ideal content, and the error of an estimate of it.

r = theta'/theta runs from 0 (newest) to 1 (oldest) along the window.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float
from scipy.special import eval_legendre, roots_legendre

POINTS = 33
BATCH = 32  # samples whose estimates fit a core's cache


@dataclass(frozen=True, eq=False)
class Quadrature:
    """Gauss-Legendre points and weights on the window.

    Attributes
    ----------
    r : (q,) array
        Places in the window, from 0 to 1.
    weight : (q,) array
        Weights that add up to one.
    """

    r: Float[np.ndarray, " q"]
    weight: Float[np.ndarray, " q"]


def gauss_legendre(points: int) -> Quadrature:
    """Give the rule that is exact for polynomials of degree 2 points - 1 on [0, 1]."""
    x, w = roots_legendre(points)
    return Quadrature(0.5 * (x + 1.0), 0.5 * w)


QUADRATURE = gauss_legendre(POINTS)


def readout(order: int, r: Float[np.ndarray, " q"]) -> Float[np.ndarray, "q d"]:
    """Give the rows P_i(2 r - 1) that read u(t - r theta) off the states m.

    Voelker, Kajić and Eliasmith, NeurIPS 2019, eq. 3.
    """
    return eval_legendre(np.arange(order), 2.0 * np.asarray(r, float)[:, None] - 1.0)


def tone_profile(
    states: Complex[np.ndarray, "*s k d"],
    tones: tuple[Float[np.ndarray, " k"], Complex[np.ndarray, " k"]],
    theta: float,
    *,
    offset: Float[np.ndarray, "*s d"] | None = None,
    quadrature: Quadrature = QUADRATURE,
) -> Float[np.ndarray, "*s q"]:
    """NRMSE over the window in the steady state of a sum of tones, by Parseval's theorem.

    Parameters
    ----------
    states : (..., k, d) complex array, V
        Phasors of the Legendre states.
    tones : (frequency, phasor)
        (k,) Hz and (k,) V: the input is the real part of phasor exp(jwt).
    theta : float, s
    offset : (..., d) array, V, optional
        Constant part of the states.
    quadrature : Quadrature
        Places in the window.

    Returns
    -------
    (..., q) array
        Error at every place as a fraction of rms(u).
    """
    frequency, phasor = tones
    rows = readout(states.shape[-1], quadrature.r)
    ideal = np.exp(-2j * np.pi * theta * np.outer(frequency, quadrature.r)) * phasor[:, None]
    flat = states.reshape(-1, *states.shape[-2:])
    square = np.empty((len(flat), len(rows)))
    for k in range(0, len(flat), BATCH):
        square[k : k + BATCH] = _mean_squares(flat[k : k + BATCH], rows, ideal)
    square = square.reshape(*states.shape[:-2], len(rows))
    if offset is not None:
        square = square + (offset @ rows.T) ** 2
    return np.sqrt(square / (0.5 * np.sum(np.abs(phasor) ** 2)))


def _mean_squares(states: np.ndarray, rows: np.ndarray, ideal: np.ndarray) -> np.ndarray:
    """Give half the squared error of phasors, summed over tones; (s, q)."""
    total = np.zeros((len(states), len(rows)))
    # Real products: the rows are real, and a complex product would cost four times as much.
    for part in (np.real, np.imag):
        given, true = part(states), part(ideal)
        error = (given.reshape(-1, rows.shape[1]) @ rows.T).reshape(-1, *true.shape) - true
        total += np.einsum("skq,skq->sq", error, error)
    return 0.5 * total


def time_profile(
    states: Float[np.ndarray, "*s t d"],
    ideal: Float[np.ndarray, "t q"],
    rms: float,
    *,
    quadrature: Quadrature = QUADRATURE,
) -> Float[np.ndarray, "*s q"]:
    """NRMSE over the window of states sampled in time.

    Parameters
    ----------
    states : (..., t, d) array, V
    ideal : (t, q) array, V
        The true window content u(t - r theta).
    rms : float, V
        rms(u), the norm.
    quadrature : Quadrature
        Places in the window.

    Returns
    -------
    (..., q) array
        Error at every place as a fraction of rms(u).
    """
    rows = readout(states.shape[-1], quadrature.r).T
    flat = states.reshape(-1, *states.shape[-2:])
    mean_square = np.empty((len(flat), len(quadrature.r)))
    error = np.empty(ideal.shape)
    for k, run in enumerate(flat):  # one at a time: an error over all samples would leave the core's cache
        np.matmul(run, rows, out=error)
        error -= ideal
        mean_square[k] = np.einsum("tq,tq->q", error, error) / len(error)
    return np.sqrt(mean_square.reshape(*states.shape[:-2], -1)) / rms


def window_nrmse(
    profile: Float[np.ndarray, "*s q"], quadrature: Quadrature = QUADRATURE
) -> Float[np.ndarray, "*s"]:
    """Root mean square of a profile over the window."""
    return np.asarray(np.sqrt(profile**2 @ quadrature.weight))
