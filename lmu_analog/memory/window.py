"""The sliding window: its readout, its ideal content, and the error of an estimate of it.

r = theta'/theta runs from 0 (newest) to 1 (oldest) along the window.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy
from jaxtyping import Complex, Float

from lmu_analog.memory.elementary import legendre_nodes, legendre_rows

POINTS = 33  # of the profile, and of the integral over the window where they are enough
BATCH = 32  # samples whose estimates fit a core's cache
INTEGRAL = 1e-6  # relative error of the NRMSE that the integral over the window may have, at most
LEAST_ERROR = 1e-12  # NRMSE: what is smaller is rounding of the states
MOST_NODES = 1024  # enough for 600 turns of the highest tone in the window, beyond which no memory holds it
SERIES_SPARE = 60  # terms of a tone's Legendre series beyond order and phase: below rounding
ROUNDING = 1e-15  # of a tone's projection on a polynomial


@dataclass(frozen=True, eq=False)
class Quadrature:
    """Places in the window, and the weights that integrate over it.

    Attributes
    ----------
    r : (q,) array
        Places in the window, from 0 to 1.
    weight : (w,) array
        One a place: they add up to one, and are zero at places that are only shown.
    before, after : int
        Places at the ends that a stored profile leaves out.
    """

    r: Float[np.ndarray, " q"]
    weight: Float[np.ndarray, " w"]
    before: int = 0
    after: int = 0

    @property
    def shown(self) -> slice:
        """Which places a stored profile has."""
        return slice(self.before, len(self.weight) - self.after)

    def rows(self, order: int) -> Float[np.ndarray, "w d"]:
        """Give what reads an estimate at the places off the states."""
        return readout(order, self.r)


@lru_cache(maxsize=64)
def gauss_legendre(points: int) -> Quadrature:
    """Give the rule that is exact for polynomials of degree 2 points - 1 on [0, 1]."""
    return Quadrature(*legendre_nodes(points))


QUADRATURE = gauss_legendre(POINTS)


@dataclass(frozen=True, eq=False)
class Projection(Quadrature):
    """The points of a profile, then Legendre coefficients over sqrt(2i + 1), then what is beyond them.

    The squares of the latter add up to the integral over the window: no node has to follow kinks of a recording.
    See ``projection.projected`` for a window in these coordinates.
    """

    def rows(self, order: int) -> Float[np.ndarray, "w d"]:
        """Give what reads an estimate at the places off the states; it has nothing beyond the polynomials."""
        coefficients = np.diag(1.0 / np.sqrt(2.0 * np.arange(order) + 1.0))
        return np.concatenate([readout(order, self.r), coefficients, np.zeros((1, order))])


@lru_cache(maxsize=8)
def projection(order: int) -> Projection:
    """Give the places for recordings that memories of an order are to hold."""
    weight = np.concatenate([np.zeros(POINTS), np.ones(order + 1)])
    return Projection(QUADRATURE.r, weight, 0, order + 1)


def quadrature_for(
    order: int,
    tones: tuple[Float[np.ndarray, " k"], Complex[np.ndarray, " k"]] | None = None,
    theta: float = 1.0,
) -> Quadrature:
    """Choose a rule that takes the window NRMSE of any memory of an order to 1e-6 of itself, for a sum of tones.

    Parameters
    ----------
    order : int
    tones : (frequency, phasor), optional
        (k,) Hz and (k,) V; the highest tone that is there decides. Without them what is integrated is a product
        of two estimates, which the rule takes exactly.
    theta : float, s

    Returns
    -------
    Quadrature
        ``QUADRATURE`` where its 33 points are enough; or else its points, which a profile shows, without
        weights, between the halves of a longer Gauss-Legendre rule.
    """
    if tones is None:
        return _quadrature(order, 0.0)
    frequency, phasor = tones
    heard = frequency[phasor != 0.0]
    return _quadrature(order, float(np.max(heard, initial=0.0)) * theta)


@lru_cache(maxsize=64)
def _quadrature(order: int, turns: float) -> Quadrature:
    if _is_enough(POINTS, order, turns):
        return QUADRATURE
    # The number grows until it is enough, then is found by halving; even, so that all places lie evenly about
    # the middle, which the per-frequency engine makes use of.
    low, high = POINTS // 2, max(POINTS, order)
    while 2 * high < MOST_NODES and not _is_enough(2 * high, order, turns):
        low, high = high, min(2 * high, MOST_NODES // 2)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _is_enough(2 * middle, order, turns) else (middle, high)
    rule = gauss_legendre(2 * high)
    r, weight = (np.split(x, 2) for x in (rule.r, rule.weight))
    return Quadrature(
        np.concatenate([r[0], QUADRATURE.r, r[1]]),
        np.concatenate([weight[0], np.zeros(POINTS), weight[1]]),
        high,
        high,
    )


def _is_enough(nodes: int, order: int, turns: float) -> bool:
    """Tell whether Gauss-Legendre nodes take the mean square error of any memory to twice ``INTEGRAL``.

    A tone is e = sum_k c_k P_k with |c_k| = (2k + 1) |j_k(a)|, a = pi turns (Rayleigh; DLMF 10.60.8), an estimate
    sum_i (c_i + z_i) P_i with i < d. The rule is exact for P_i P_j with i + j < 2n, so what it misses of the mean
    square E are products of the z_i with the c_j, j >= 2n - i, and of c_i with c_j. All of them are bounded beside
    E >= T^2 = sum_(k >= d) |c_k|^2 / (2k + 1), what no polynomial of the order can show, and
    |z_i|^2 <= (2i + 1) E, whatever the circuit does. The lower tones of a sum have the smaller ratios.
    """
    a = np.pi * turns
    if nodes < max(order, 0.5 * a):  # fewer do not even follow the tone
        return False
    k = np.arange(2 * int(order + a + SERIES_SPARE))
    series = (2.0 * k + 1.0) * scipy.special.spherical_jn(k, a) * (-1j) ** (k % 4) * np.exp(-1j * a)
    size, span = np.abs(series), 2.0 * k + 1.0
    least = max(float(np.sqrt(np.sum(size[order:] ** 2 / span[order:]))), LEAST_ERROR)
    beyond = np.append(np.cumsum(size[::-1])[::-1], 0.0)  # sum of all |c_j| from j on
    rule, i = gauss_legendre(nodes), k[:order]
    # What the rule misses of each projection of the tone, as it is or as the series bounds it.
    seen = readout(order, rule.r).T @ (rule.weight * np.exp(-2j * a * rule.r))
    missed = np.abs(seen - series[:order] / span[:order]) + ROUNDING
    missed = np.minimum(missed, beyond[np.minimum(2 * nodes - i, len(k))])
    crossed = 2.0 * float(np.sqrt(np.sum(span[:order] * missed**2))) / least
    # The square of the tone itself, either in one, where it is known to be 1, or from order on in pairs.
    inner = 2.0 * float(size[:order] @ missed)
    outer = float(size[order:] @ beyond[np.clip(2 * nodes - k[order:], order, len(k))])
    return crossed + min(inner, outer) / least**2 <= 2.0 * INTEGRAL


def readout(order: int, r: Float[np.ndarray, " q"]) -> Float[np.ndarray, "q d"]:
    """Give the rows P_i(2 r - 1) that read u(t - r theta) off the states m.

    Voelker, Kajić and Eliasmith, NeurIPS 2019, eq. 3.
    """
    return legendre_rows(order, np.asarray(r, float))


def tone_profile(
    states: Complex[np.ndarray, "*s k d"],
    tones: tuple[Float[np.ndarray, " k"], Complex[np.ndarray, " k"]],
    theta: float,
    *,
    offset: Float[np.ndarray, "*s d"] | None = None,
    quadrature: Quadrature | None = None,
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
    quadrature : Quadrature, optional
        Places in the window; those of ``quadrature_for`` unless given.

    Returns
    -------
    (..., q) array
        Error at every place as a fraction of rms(u).
    """
    frequency, phasor = tones
    if quadrature is None:
        quadrature = quadrature_for(states.shape[-1], tones, theta)
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
    rows = quadrature.rows(states.shape[-1]).T
    flat = states.reshape(-1, *states.shape[-2:])
    mean_square = np.empty((len(flat), len(quadrature.weight)))
    error = np.empty(ideal.shape)
    for k, run in enumerate(flat):  # one at a time: an error over all samples would leave the core's cache
        np.matmul(run, rows, out=error)
        error -= ideal
        mean_square[k] = np.einsum("tq,tq->q", error, error) / len(error)
    return np.sqrt(mean_square.reshape(*states.shape[:-2], -1)) / rms


def window_nrmse(
    profile: Float[np.ndarray, "*s q"], quadrature: Quadrature = QUADRATURE
) -> Float[np.ndarray, "*s"]:
    """Root mean square of a profile over the window; added place after place, so with the same bits everywhere."""
    total = np.zeros(profile.shape[:-1])
    for place, weight in enumerate(quadrature.weight.tolist()):
        if weight > 0.0:  # an infinite error at a place of no weight is no error
            total = total + weight * (profile[..., place] * profile[..., place])
    return np.asarray(np.sqrt(total))


def measured(
    profile: Float[np.ndarray, "*s q"], quadrature: Quadrature
) -> tuple[Float[np.ndarray, "*s p"], Float[np.ndarray, "*s"]]:
    """Give what is stored of a profile at all places of a rule: its ``POINTS`` values, and the window NRMSE."""
    return profile[..., quadrature.shown], window_nrmse(profile, quadrature)
