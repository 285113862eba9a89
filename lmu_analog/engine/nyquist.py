"""Which of many circuits are stable, from the determinants of their equations on the imaginary axis alone.

The determinant of a mismatched circuit over that of the nominal one is a ratio r(s) of polynomials whose poles are
known: the nominal circuit's. Around the right half plane it winds once for every zero that crossed into it
(argument principle), and not at all where |r - 1| < 1 throughout (Rouche, 1862). With known poles r - 1 lies in
the span of 1 and p/(s - p), whose numerical rank is small; so a few well-placed points on the axis tell what r is
on all of it, and how much larger it can be in between.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Complex, Float
from scipy import linalg

from lmu_analog.errors import CircuitError

FINENESS = 0.1  # between neighbours of the fine grid, of their distance to the nearest pole
HIGHEST = 30.0  # of the largest pole: beyond it r is constant to a few percent of its deviation
MOST_POINTS = 4000  # of the fine grid: a pole at the axis would take more and more
LOWEST = 0.1  # of the smallest pole: integrators alone make equations hard to eliminate at zero
RANK = 1e-3  # of the largest singular value: what is smaller stays far below what decides
MORE = 1  # points beyond the rank: they keep the bound near two
SAFE = 0.9  # of one
TOGETHER = 256  # circuits whose ratio is evaluated on the fine grid at once
# Where the phase between neighbours of the fine grid is certain: rad; the size of r, alone and over its residual.
FASTEST_TURN, SMALLEST, MARGIN = 1.5, 0.03, 3.0
# How far the ratio may be from the chord between neighbours, of the chord's distance from zero. Second differences tell
# it; they change by less than a third from neighbour to neighbour, which lie ``FINENESS`` apart.
CURVED = 0.5
WHOLE = 0.1  # how far a count may be from a whole number: what is beyond the grid


@dataclass(frozen=True, eq=False)
class Contour:
    """Points on the imaginary axis, and what values there tell of all the axis.

    Attributes
    ----------
    w : (q,) array, rad/s
        Where determinants are wanted, positive.
    bound : float
        Largest size of r - 1 anywhere, over its largest size at the points.
    between : (2 t, 2 q) array
        From real, then imaginary parts of r - 1 at the points to those on a fine grid of t points.
    outside : (2 q, 2 q) array
        What of r - 1 at the points is outside the span.
    unstable : int
        Poles of the nominal circuit in the right half plane.
    grid : (t,) array, rad/s
        The fine grid, rising from zero.
    """

    w: Float[np.ndarray, " q"]
    bound: float
    between: Float[np.ndarray, "t2 q2"]
    outside: Float[np.ndarray, "q2 q2"]
    unstable: int
    grid: Float[np.ndarray, " t"]


def contour(
    poles: Complex[np.ndarray, " n"], deviations: Callable[[np.ndarray], Complex[np.ndarray, "t k"]]
) -> Contour:
    """Choose the points for a circuit.

    Parameters
    ----------
    poles : (n,) complex array, rad/s
        All of the nominal circuit, in pairs.
    deviations : callable
        From (t,) points in rad/s, rising from zero, to what r - 1 is there for each of k things that may deviate,
        (t, k).

    Raises
    ------
    CircuitError
        If a pole lies at the axis, or too many decades lie between poles: no grid resolves them.
    """
    w = _fine_grid(poles)
    found = np.column_stack([np.ones(len(w)), deviations(w)])
    # Coefficients that nearly cancel deviate far more alone than together: by them nothing else would count.
    found /= np.maximum(np.sqrt(np.mean(np.abs(found) ** 2, axis=0)), 1.0)
    basis, weight, _ = np.linalg.svd(np.vstack([found.real, found.imag]), full_matrices=False)
    basis = basis[:, weight > RANK * weight[0]]
    upper, lower = basis[: len(w)], basis[len(w) :]
    offered = np.flatnonzero(w >= LOWEST * np.abs(poles).min())
    *_, ranking = linalg.qr(np.hstack([upper, lower])[offered].T, mode="economic", pivoting=True)
    chosen = np.sort(offered[ranking[: basis.shape[1] + MORE]])
    here = np.concatenate([chosen, chosen + len(w)])
    between = basis @ np.linalg.pinv(basis[here])
    outside = np.eye(len(here)) - between[here]
    blocks = between.reshape(2, len(w), 2, len(chosen)).transpose(1, 3, 0, 2)
    bound = float(np.linalg.norm(blocks, 2, axis=(2, 3)).sum(axis=1).max())
    return Contour(w[chosen], bound, between, outside, int(np.sum(np.real(poles) > 0.0)), w)


def stability(
    on: Contour, determinant: Complex[np.ndarray, "s q"]
) -> tuple[Bool[np.ndarray, " s"], Bool[np.ndarray, " s"]]:
    """Tell which circuits are stable, and for which that is certain; (s,) each.

    Parameters
    ----------
    on : Contour
    determinant : (s, q) complex array
        Of each circuit's equations over that of the nominal circuit, at the contour's points, but for a
        constant factor.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        by_point = determinant.T
        deviation = by_point / np.real(by_point).mean(axis=0) - 1.0
        parts = np.concatenate([np.real(deviation), np.imag(deviation)])
        residual = on.bound * np.abs(on.outside.T @ parts).max(axis=0)
        near = on.bound * np.abs(deviation).max(axis=0) + residual < SAFE
    crossed, certain = np.zeros(len(near), int), near.copy()
    left = np.flatnonzero(~near & (residual < SMALLEST))
    for cut in np.array_split(left, 1 + len(left) // TOGETHER):
        crossed[cut], certain[cut] = _encirclements(on, parts[:, cut].T, residual[cut])
    remaining = crossed + on.unstable
    return remaining == 0, certain & (remaining >= 0)


def _encirclements(on: Contour, deviation: np.ndarray, residual: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count the zeros of r = 1 + deviation that crossed into the right half plane, and where that is certain."""
    found = deviation @ on.between.T
    half = found.shape[1] // 2
    r = 1.0 + found[:, :half] + 1j * found[:, half:]
    turns = np.angle(r[:, 1:] * r[:, :-1].conj())
    # Each crossing turns r by -2 pi along the whole axis, by -pi along its upper half; its ends are real.
    halves = -turns.sum(axis=1) / np.pi
    crossed = np.rint(halves)
    size = np.abs(r)
    clear = size.min(axis=1) > np.maximum(SMALLEST, MARGIN * residual)
    # Between neighbours the ratio may come nearer to zero than at either, on the other side even: it is looked at how
    # far it can be from the chord, whose distance from zero is at least that of a triangle's height.
    chord = np.minimum(size[:, 1:], size[:, :-1]) * np.cos(0.5 * turns)
    sure = (
        clear
        & (np.abs(turns).max(axis=1) < FASTEST_TURN)
        & (_off_chord(on.grid, r) < CURVED * chord).all(axis=1)
    )
    return crossed.astype(int), sure & (np.abs(halves - crossed) < WHOLE)


def _off_chord(grid: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Bound how far r is from the chord between each two neighbours of the grid, (s, t - 1), by second differences."""
    step = np.diff(grid)
    slope = np.diff(r, axis=1) / step
    curvature = np.abs(np.diff(slope, axis=1)) / (
        step[1:] + step[:-1]
    )  # half the second derivative, at the inner points
    nearest = np.maximum(
        np.pad(curvature, ((0, 0), (1, 0)), "edge"), np.pad(curvature, ((0, 0), (0, 1)), "edge")
    )
    return 0.25 * step**2 * nearest


def _fine_grid(poles: np.ndarray) -> np.ndarray:
    w, end = [0.0], HIGHEST * float(np.abs(poles).max())
    while w[-1] < end:
        w.append(w[-1] + FINENESS * float(np.abs(1j * w[-1] - poles).min()))
        if len(w) > MOST_POINTS:
            raise CircuitError("a pole of the circuit lies at the imaginary axis, or poles too far apart")
    return np.array(w)
