"""The window of a recording on Legendre polynomials, exactly: its coefficients, and what is beyond them.

A recording is linear between its samples, so its window has kinks, and no number of nodes makes the integral over it
converge quickly. In Legendre coefficients it needs none: an estimate sum_i m_i P_i misses the window by

    sum_(i < d) (m_i - c_i)^2/(2i + 1) + rest,  rest = integral window^2 dr - sum_(i < d) c_i^2/(2i + 1),

in the mean square over r.
"""

import numpy as np
from jaxtyping import Float

from lmu_analog.memory.convolution import convolve
from lmu_analog.memory.window import gauss_legendre, readout

NODES = 12  # in each of as many pieces as the order or more: short beside what the polynomials do in them
PIECES = 4096  # at once: bounds the memory
WHOLE = 1e-9  # of a piece: a last piece as short as that is rounding of theta / dt


def projected(u: Float[np.ndarray, " t"], dt: float, theta: float, *, order: int) -> Float[np.ndarray, "t p"]:
    """Give the window's coordinates at every sample: c_i/sqrt(2i + 1), then the root of what is beyond them; V.

    Parameters
    ----------
    u : (t,) array, V
        Samples, linear in between; zero before the first.
    dt, theta : float, s
    order : int

    Returns
    -------
    (t, order + 1) array
        Their squares add up to the mean square of the window, the integral of u(t - r theta)^2 over r.
    """
    newer, older = _weights(theta / dt, order)
    ends = u[1:], u[:-1]  # of every piece, the later one first
    count = len(u) - 1
    scale = 1.0 / np.sqrt(2.0 * np.arange(order) + 1.0)
    found = np.zeros((len(u), order + 1))
    for i in range(order):
        parts = (convolve(end, by[:, i])[:count] for end, by in zip(ends, (newer, older), strict=True))
        found[1:, i] = sum(parts) / scale[i]
    beyond = _mean_squares(u, theta / dt) - np.sum(found[:, :-1] ** 2, axis=1)
    found[:, -1] = np.sqrt(np.maximum(beyond, 0.0))  # rounding may leave a zero below zero
    return found


def _weights(length: float, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Give what either end of each piece adds to the integrals of P_i u, (pieces, d), newest piece first."""
    exact = order // 2 + 1  # nodes for degree d: that of P_i times a line
    # Of few pieces each may hold all of a polynomial.
    rule = gauss_legendre(exact if _pieces(length) < order else min(NODES, exact))
    newer, older = [], []
    for first in range(0, _pieces(length), PIECES):
        starts = np.arange(first, min(first + PIECES, _pieces(length)), dtype=float)
        width = np.minimum(1.0, length - starts)[:, None]  # of the last one what is left of the window
        along = width * rule.r
        polynomials = readout(order, ((starts[:, None] + along) / length).ravel())
        polynomials = polynomials.reshape(*along.shape, order)
        weight = width * rule.weight / length
        newer.append(np.einsum("pn,pnd->pd", weight * (1.0 - along), polynomials))
        older.append(np.einsum("pn,pnd->pd", weight * along, polynomials))
    return np.concatenate(newer), np.concatenate(older)


def _pieces(length: float) -> int:
    """Count the pieces that a window of a length in samples has, the last one whole or not."""
    return max(1, int(np.ceil(length - WHOLE)))


def _mean_squares(u: np.ndarray, length: float) -> np.ndarray:
    """Give the integral of the window's square over r at every sample, (t,)."""
    later, earlier = u[1:], u[:-1]
    pieces = _pieces(length)
    last = min(1.0, length - (pieces - 1))
    total = np.concatenate([[0.0], np.cumsum(later**2 + later * earlier + earlier**2)])
    # Whole pieces but the last, then the part of that one next to them.
    begin = np.maximum(np.arange(len(u)) - (pieces - 1), 0)
    found = total - total[begin]
    old = np.flatnonzero(np.arange(len(u)) >= pieces)
    new, end = later[old - pieces], later[old - pieces] + last * (earlier - later)[old - pieces]
    found[old] += last * (new**2 + new * end + end**2)
    return found / (3.0 * length)
