"""The block ladder: pairs of states, each coupled to its neighbouring pairs only, about 5 d coefficients.

Block Lanczos steps on the skew part of the ladder, from its driven state and any second vector c, give a basis in which
it is block-tridiagonal, whatever c is; each pair may be turned in its plane besides. All of these are turns of the
ladder, hence contractive, see ``turning``. The c and the turns of pairs are found by descent from several starts:
there are many local minima.
"""

import math
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from jaxtyping import Float

from lmu_analog.memory import fixed_point
from lmu_analog.memory.contractive import KEPT, Turned, band, turned
from lmu_analog.memory.fixed_point import BITS
from lmu_analog.memory.repeatable import combined_each, dot_each, minimise_each, scattered
from lmu_analog.memory.statespace import StateSpace
from lmu_analog.memory.structure import Asked, Built, integrators
from lmu_analog.memory.turning import Errors, added, errors

STARTS = 16
FIRST_STEPS, MORE_STEPS, BEST = 40, 150, 2  # of every start, and of the best
ENOUGH = 5e-4  # of S in fifteen steps
CAPACITORS = 1.0  # of the variance of time constants: what a circuit of equal parts has
LEAST = 1e-6  # of a new vector beside its neighbours': less is no direction


def block_ladder(system: StateSpace, theta: float, asked: Asked) -> Built:
    """Couple pairs of states to their neighbours, in the pairs that errors of elements disturb the least."""
    made = found(system.order, band(system.order, asked.turns))
    return np.linalg.inv(made.readout), integrators(made.A / theta, made.B / theta), made.readout


@lru_cache(maxsize=KEPT)
def found(order: int, turns: float) -> Turned:
    """Find the block ladder of an order for a band."""
    see = partial(look_each, errors(order, turns, share=CAPACITORS))
    starts = [start(order, k) for k in range(min(STARTS, 2 * order))]
    begun = minimise_each(starts, see, np.add, steps=FIRST_STEPS)
    best = sorted(begun, key=lambda each: each[1])[:BEST]
    ended = minimise_each([x for x, _ in best], see, np.add, steps=MORE_STEPS, enough=ENOUGH)
    x, _ = min(ended, key=lambda each: each[1])
    made = turned(exact(order, x))
    pair = np.arange(order) // 2
    apart = np.abs(pair[:, None] - pair)
    # The first pair alone is driven and damped; what stands elsewhere is 1e-40.
    return Turned(np.where(apart <= 1, made.A, 0.0), np.where(pair[:, None] == 0, made.B, 0.0), made.readout)


def start(order: int, seed: int) -> Float[np.ndarray, " p"]:
    """Give c, but for its part in the driven state, and the tangents of half the angles of the pairs."""
    return np.concatenate([scattered(1, order - 1, seed)[0], scattered(1, order // 2, seed + STARTS)[0]])


def look(of: Errors, x: Float[np.ndarray, " p"]) -> tuple[float, Float[np.ndarray, " p"]]:
    """Give S of a block ladder and its slopes; infinite where block Lanczos ends early."""
    return look_each(of, [x])[0]


def look_each(of: Errors, points: list[np.ndarray]) -> list[tuple[float, Float[np.ndarray, " p"]]]:
    """Give the same of several, each with the bits that it has alone: block Lanczos steps of all at once."""
    order, x = len(of.A), np.stack(points, axis=1)
    steps = _lanczos(of.couplings, x[: order - 1])
    values, slopes, by_tangent = [], [], []
    for k, point in enumerate(points):
        cosine, sine = _turn(point[order - 1 :])
        Q = steps.rows[..., k].copy()
        even, odd = Q[0 : order - 1 : 2].copy(), Q[1::2].copy()
        Q[0 : order - 1 : 2], Q[1::2] = cosine * even + sine * odd, cosine * odd - sine * even
        value, slope, other = added(of, Q, Q)
        slope = slope + other
        first, second = slope[0 : order - 1 : 2].copy(), slope[1::2].copy()
        by_angle = np.add.reduce((first * Q[1::2] - second * Q[0 : order - 1 : 2]).T, axis=0)
        slope[0 : order - 1 : 2], slope[1::2] = cosine * first - sine * second, sine * first + cosine * second
        by_tangent.append(2.0 / (1.0 + point[order - 1 :] ** 2) * by_angle)
        slopes.append(slope)
        values.append(value)
    pulled = _pulled_back(of.couplings, steps, np.stack(slopes, axis=-1))
    return [
        (math.inf, np.zeros_like(points[k]))
        if steps.ended[k]
        else (values[k], np.concatenate([pulled[:, k], by_tangent[k]]))
        for k in range(len(points))
    ]


def _turn(tangent: Float[np.ndarray, " p"]) -> tuple[np.ndarray, np.ndarray]:
    square = tangent * tangent
    return ((1.0 - square) / (1.0 + square))[:, None], (2.0 * tangent / (1.0 + square))[:, None]


@dataclass(frozen=True, eq=False)
class _Steps:
    """Of s starts: the basis, (d, d, s), its vectors side by side, and a vector a row; which of them ended early.

    Then of each vector after the first what it was before, (d, s), and its length, (s,).
    """

    basis: np.ndarray
    rows: np.ndarray
    ended: np.ndarray
    length: list[np.ndarray]
    raw: list[np.ndarray]


def _lanczos(couplings: np.ndarray, c: np.ndarray) -> _Steps:
    """Take block Lanczos steps from the first state and each of s vectors c, (d - 1, s)."""
    order, count = len(couplings) + 1, c.shape[1]
    basis = np.zeros((order, order, count))
    rows = basis.copy()  # the same, a vector a row: sums go along the first axis
    length, raw = [np.ones(count)], [np.repeat(np.eye(order)[0][:, None], count, axis=1)]
    ended = np.zeros(count, bool)
    basis[0, 0] = rows[0, 0] = 1.0
    for k in range(1, order):
        new = np.concatenate([np.zeros((1, count)), c]) if k == 1 else _skew_times(couplings, rows[k - 2])
        raw.append(new)
        # Twice is enough: the second time takes away what the first one rounded.
        for _ in range(2):
            new = new - combined_each(rows[:k], combined_each(basis[:, :k], new))
        size = np.sqrt(dot_each(new, new))
        ended |= size < LEAST * np.sqrt(dot_each(raw[-1], raw[-1]))
        # Of a start that ended early what follows is zero, which keeps numbers small: nobody looks at it.
        size = np.where(ended, 1.0, size)
        basis[:, k] = rows[k] = np.where(ended, 0.0, new / size)
        length.append(size)
    return _Steps(basis, rows, ended, length, raw)


def _pulled_back(couplings: np.ndarray, steps: _Steps, slope: np.ndarray) -> Float[np.ndarray, "c s"]:
    """Give the slopes by c, from those by all vectors of the basis, a vector a row, which are used up."""
    rows = steps.rows
    for k in range(len(slope) - 1, 0, -1):
        raw, before = steps.raw[k], steps.basis[:, :k]
        # Of vector = P raw / |P raw|, where P takes away the parts along all before.
        new = (slope[k] - dot_each(rows[k], slope[k]) * rows[k]) / steps.length[k]
        along = combined_each(before, new)
        slope[:k] -= along[:, None] * raw + combined_each(before, raw)[:, None] * new
        new = new - combined_each(rows[:k], along)
        if k == 1:
            return new[1:]
        slope[k - 2] -= _skew_times(couplings, new)
    return np.zeros((0, slope.shape[-1]))


def _skew_times(couplings: np.ndarray, x: Float[np.ndarray, "d s"]) -> Float[np.ndarray, "d s"]:
    found = np.zeros_like(x)
    found[1:] = couplings[:, None] * x[:-1]
    found[:-1] -= couplings[:, None] * x[1:]
    return found


def exact(order: int, x: Float[np.ndarray, " p"]) -> np.ndarray:
    """Take the same steps without rounding, and give Q in units of ``fixed_point``."""
    skew, one = fixed_point.ladder(order)[0], 1 << BITS
    skew[0, 0] = 0
    found = np.zeros((order, order), object)
    found[0, 0] = one
    c = fixed_point.whole(np.concatenate([[0.0], x[: order - 1]])[None], 2.0**BITS)[0]
    for k in range(1, order):
        new = c if k == 1 else skew @ found[k - 2] >> BITS
        for _ in range(2):
            new = new - (found[:k].T @ (found[:k] @ new >> BITS) >> BITS)
        found[k] = _unit(new)
    for k, tangent in enumerate(fixed_point.whole(x[None, order - 1 :], 2.0**BITS)[0]):
        cosine, sine = _unit(np.array([one - (tangent * tangent >> BITS), 2 * tangent], object))
        first, second = found[2 * k], found[2 * k + 1]
        found[2 * k], found[2 * k + 1] = (
            cosine * first + sine * second >> BITS,
            cosine * second - sine * first >> BITS,
        )
    return found


def _unit(x: np.ndarray) -> np.ndarray:
    return (x << BITS) // math.isqrt(int(x @ x))
