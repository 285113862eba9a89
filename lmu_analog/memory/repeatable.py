"""Small linear algebra and a minimiser whose results have the same bits on every processor.

BLAS, LAPACK and ``einsum`` round differently from processor to processor, and a minimiser that starts from other last
digits may end in another minimum: then a design would not be one circuit. Here there are sums, products, quotients and
square roots alone, which IEEE 754 fixes to the last bit, in one order; sums along the first of several axes are
additions of whole rows, one after another.
"""

import math
from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

import numpy as np

MEMORY = 12  # pairs of steps and differences of slopes that the minimiser remembers
SUFFICIENT = 1e-4  # of the decrease that the slope promises (Armijo, Pacific J. Math. 16, 1966)
HALVINGS = 12  # of one step, before it is given up
WATCHED = 15  # steps over which the decrease is looked at

Point = TypeVar("Point")


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Multiply two matrices."""
    return np.add.reduce(a.T[:, :, None] * b[:, None, :], axis=0)


def combined(rows: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Add up the rows, each times its number."""
    return np.add.reduce(rows * x[:, None], axis=0)


def combined_each(rows: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Do the same for s sets of rows, (k, n, s), and numbers, (k, s), at once: (n, s)."""
    return np.add.reduce(rows * x[:, None], axis=0)


def products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Multiply a matrix by each of many."""
    total = a[:, :1] * b[:, :1]
    for k in range(1, a.shape[1]):
        total += a[:, k, None] * b[:, k, None, :]
    return total


def inverse(a: np.ndarray) -> np.ndarray:
    """Invert a matrix for which no pivots need be sought: triangular, or of a positive definite symmetric part."""
    n = len(a)
    both = np.hstack([a, np.eye(n)])
    for k in range(n):
        row = both[k] / both[k, k]
        both -= both[:, k, None] * row
        both[k] = row
    return both[:, n:]


def triangular(positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the upper triangular L with L^T L = ``positive``, and its inverse (Cholesky)."""
    left, found = positive.copy(), np.zeros_like(positive)
    for k in range(len(positive)):
        found[k, k:] = left[k, k:] / math.sqrt(left[k, k])
        left[k:, k:] -= found[k, k:, None] * found[k, k:]
    return found, inverse(found)


def dot(a: np.ndarray, b: np.ndarray) -> float:
    """Give the sum of products, rounded once."""
    return math.fsum((a * b).tolist())


def dot_each(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Give the sums of products of s pairs, (n, s) each, rounded once: (s,)."""
    return np.array([math.fsum(one) for one in (a * b).T.tolist()])


def scattered(rows: int, columns: int, seed: int) -> np.ndarray:
    """Give numbers between -1 and 1 without a pattern (Lewis, Goodman and Miller, IBM Systems Journal 8, 1969)."""
    state, found = 16807 * (seed + 1), np.zeros(rows * columns)
    for k in range(-8, rows * columns):  # the first few of small seeds are small
        state = 16807 * state % (2**31 - 1)
        if k >= 0:
            found[k] = state / 2**30 - 1.0
    return found.reshape(rows, columns)


def orthonormal(a: np.ndarray) -> np.ndarray:
    """Make the columns orthonormal, one after another (Gram-Schmidt, twice)."""
    found = np.zeros_like(a)
    for k in range(a.shape[1]):
        column = a[:, k]
        for _ in range(2):
            before = found[:, :k]
            column = column - combined(before.T.copy(), combined(before, column))
        found[:, k] = column / math.sqrt(dot(column, column))
    return found


def minimise(
    start: Point,
    look: Callable[[Point], tuple[float, np.ndarray]],
    moved: Callable[[Point, np.ndarray], Point],
    *,
    steps: int,
    enough: float = 0.0,
    first: float = 0.1,
) -> tuple[Point, float]:
    """Descend by the limited-memory BFGS method with halved steps (Nocedal and Wright, Numerical Optimization, 7.2).

    Parameters
    ----------
    start : Point
    look : callable
        Gives the value at a point, and its (n,) slopes in coordinates of which the point is the origin.
    moved : callable
        Gives the point at such coordinates; those of neighbours are taken for parallel.
    steps : int
        At most.
    enough : float
        Ends where ``WATCHED`` steps have gained no more than this part of the value.
    first : float
        Length of the first step.
    """
    return minimise_each(
        [start], lambda points: [look(points[0])], moved, steps=steps, enough=enough, first=first
    )[0]


def minimise_each(
    starts: Sequence[Point],
    look: Callable[[list[Point]], list[tuple[float, np.ndarray]]],
    moved: Callable[[Point, np.ndarray], Point],
    *,
    steps: int,
    enough: float = 0.0,
    first: float = 0.1,
) -> list[tuple[Point, float]]:
    """Descend as ``minimise`` does from each of several starts, and look at the points of all of them at once.

    Parameters
    ----------
    starts : sequence of Point
    look : callable
        Gives value and slopes at each of several points, as if it were alone.
    moved : callable
    steps, enough, first
        As in ``minimise``.
    """
    descents = [_descent(start, moved, steps=steps, enough=enough, first=first) for start in starts]
    ended: dict[int, tuple[Point, float]] = {}
    asked = {k: next(descent) for k, descent in enumerate(descents)}
    while asked:
        seen = look(list(asked.values()))
        following: dict[int, Point] = {}
        for k, found in zip(asked, seen, strict=True):
            try:
                following[k] = descents[k].send(found)
            except StopIteration as end:
                ended[k] = end.value
        asked = following
    return [ended[k] for k in range(len(starts))]


def _descent(
    start: Point,
    moved: Callable[[Point, np.ndarray], Point],
    *,
    steps: int,
    enough: float,
    first: float,
) -> Generator[Point, tuple[float, np.ndarray], tuple[Point, float]]:
    """Ask for value and slopes at one point after another, and end with the best and its value."""
    value, slope = yield start
    point = start
    pairs: list[tuple[np.ndarray, np.ndarray, float]] = []
    history = [value]
    for _ in range(steps):
        direction = _direction(slope, pairs, first)
        promised = dot(direction, slope)
        if promised >= 0.0:
            pairs, direction = [], _direction(slope, [], first)
            promised = dot(direction, slope)
        share = 1.0
        for _ in range(HALVINGS):
            there = moved(point, share * direction)
            value_there, slope_there = yield there
            if value_there <= value + SUFFICIENT * share * promised:
                break
            share *= 0.5
        else:
            break
        step, change = share * direction, slope_there - slope
        curvature = dot(step, change)
        if curvature > 0.0:
            pairs = [*pairs[1 - MEMORY :], (step, change, curvature)]
        point, value, slope = there, value_there, slope_there
        history.append(value)
        if len(history) > WATCHED and history[-1 - WATCHED] - value <= enough * value:
            break
    return point, value


def _direction(
    slope: np.ndarray, pairs: list[tuple[np.ndarray, np.ndarray, float]], first: float
) -> np.ndarray:
    if not pairs:
        return -first / math.sqrt(max(dot(slope, slope), 1e-300)) * slope
    found, weights = slope, []
    for step, change, curvature in reversed(pairs):
        weight = dot(step, found) / curvature
        found = found - weight * change
        weights.append(weight)
    step, change, curvature = pairs[-1]
    found = curvature / dot(change, change) * found
    for (step, change, curvature), weight in zip(pairs, reversed(weights), strict=True):
        found = found + (weight - dot(change, found) / curvature) * step
    return -found
