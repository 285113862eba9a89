"""The squared error of many estimates of one window, without the estimate at every place and moment.

An estimate is R y, R the readout and y the states. The window is R y_0 + rest, y_0 the states that show it best,
and |R y - window|^2 over moments is a quadratic form in y - y_0: every sample costs its Gram matrix and products
with matrices that all samples share. ``rest`` is as small as the error itself, so that nothing large cancels.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Complex, Float

from lmu_analog.memory.window import Quadrature, quadrature_for

NEGLIGIBLE = 1e-15  # of the largest part of the rest: below rounding


@dataclass(frozen=True, eq=False)
class IdealWindow:
    """The ideal window at k moments, prepared for the errors of many estimates.

    Attributes
    ----------
    nearest : (d, k) array
        States whose readout comes nearest to it; zero where states are as many as places.
    rows : (q, d) array
        The readout.
    rest : (q, k) array
        What the nearest states show too much.
    square, cross : (d d, q), (d j, q) arrays
        Weights of the Gram matrix, and of the states seen by the ``moments``.
    moments : (k, j) array
        Orthogonal patterns over the moments that span the rest.
    """

    nearest: Float[np.ndarray, "d k"]
    rows: Float[np.ndarray, "q d"]
    rest: Float[np.ndarray, "q k"]
    square: Float[np.ndarray, "dd q"]
    cross: Float[np.ndarray, "dj q"]
    moments: Float[np.ndarray, "k j"]

    @property
    def is_direct(self) -> bool:
        """Whether errors are taken place by place: states as many as places leave no smaller form."""
        return self.rows.shape[1] >= self.rows.shape[0]


def prepared_window(order: int, window: Float[np.ndarray, "q k"], quadrature: Quadrature) -> IdealWindow:
    """Prepare the ideal window, in any unit, for estimates by ``order`` Legendre states of a precision."""
    rows = quadrature.rows(order)
    q, d = rows.shape
    nearest = np.zeros((d, window.shape[1]))
    if d < q:  # the rule is exact for products of two rows: they are orthogonal
        nearest = (2.0 * np.arange(d) + 1.0)[:, None] * ((rows * quadrature.weight[:, None]).T @ window)
    rest = rows @ nearest - window
    places, size, patterns = np.linalg.svd(rest, full_matrices=False)
    counts = size > NEGLIGIBLE * max(size.max(initial=0.0), np.finfo(float).tiny)
    seen = places[:, counts] * size[counts]
    square = np.einsum("qi,qj->ijq", rows, rows).reshape(d * d, q)
    cross = 2.0 * np.einsum("qi,qj->ijq", rows, seen).reshape(-1, q)
    moments = np.ascontiguousarray(patterns[counts].T)
    return IdealWindow(nearest, rows, rest, square, cross, moments)


def squared_errors(ideal: IdealWindow, y: Float[np.ndarray, "s d k"]) -> Float[np.ndarray, "s q"]:
    """Give the squared error of many estimates, summed over moments; ``y`` is overwritten.

    Parameters
    ----------
    ideal : IdealWindow
    y : (s, d, k) array
        The states, in the unit of the window.
    """
    if ideal.is_direct:
        error = ideal.rows @ y
        error += ideal.rest
        return np.einsum("sqk,sqk->sq", error, error)
    y -= ideal.nearest
    gram = y @ np.swapaxes(y, -1, -2)
    found = gram.reshape(len(y), -1) @ ideal.square
    seen = y.reshape(-1, y.shape[-1]) @ ideal.moments  # one product for all samples
    found += seen.reshape(len(y), -1) @ ideal.cross
    found += np.einsum("qk,qk->q", ideal.rest, ideal.rest)
    return np.maximum(found, 0.0, out=found)  # rounding may leave a zero below zero


@dataclass(frozen=True, eq=False)
class IdealToneWindow:
    """The ideal window for a sum of tones, prepared for the errors of many steady states.

    Attributes
    ----------
    ideal : IdealWindow
        Moments are real and imaginary parts of the tones.
    size : (2 f,) array, V
        Amplitudes.
    power : float, V^2
        Mean square of the input.
    """

    ideal: IdealWindow
    size: Float[np.ndarray, " k"]
    power: float

    def profiles(
        self, y: Float[np.ndarray, "s d k"], offset: Float[np.ndarray, "s d"] | None
    ) -> Float[np.ndarray, "s q"]:
        """Give NRMSE over the window from responses to unit tones; ``y`` is overwritten."""
        y *= self.size
        square = 0.5 * squared_errors(self.ideal, y)
        if offset is not None:
            square += (offset @ self.ideal.rows.T) ** 2
        return np.sqrt(square / self.power)


def prepared_tone_window(
    order: int,
    tones: tuple[Float[np.ndarray, " f"], Complex[np.ndarray, " f"]],
    theta: float,
    *,
    layout: Literal["halves", "pairs"] = "halves",
) -> IdealToneWindow:
    """Prepare for responses whose real parts come first, or whose parts alternate; places are ``quadrature_for``'s.

    Parameters
    ----------
    order : int
    tones : (frequency, phasor)
        (f,) Hz and (f,) V: the input is the real part of phasor exp(jwt).
    theta : float, s
    layout : {"halves", "pairs"}
    """
    frequency, phasor = tones
    quadrature = quadrature_for(order, tones, theta)
    size = np.tile(np.abs(phasor), 2)  # the phase of a tone is the same in the error as in the input
    turned = -2.0 * np.pi * theta * np.outer(quadrature.r, frequency)
    window = size * np.hstack([np.cos(turned), np.sin(turned)])
    if layout == "pairs":
        pairs = np.arange(len(size)).reshape(2, -1).T.ravel()
        size, window = size[pairs], window[:, pairs]
    ideal = prepared_window(order, window, quadrature)
    return IdealToneWindow(ideal, size, 0.5 * float(np.sum(np.abs(phasor) ** 2)))
