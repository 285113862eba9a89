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
from lmu_analog.memory.repeatable import combined, dot, minimise, scattered
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
    see = partial(look, errors(order, turns, share=CAPACITORS))
    starts = [start(order, k) for k in range(min(STARTS, 2 * order))]
    begun = [minimise(x, see, np.add, steps=FIRST_STEPS) for x in starts]
    best = sorted(begun, key=lambda each: each[1])[:BEST]
    ended = [minimise(x, see, np.add, steps=MORE_STEPS, enough=ENOUGH) for x, _ in best]
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
    order = len(of.A)
    try:
        steps = _lanczos(of.couplings, x[: order - 1])
    except ZeroDivisionError:
        return math.inf, np.zeros_like(x)
    cosine, sine = _turn(x[order - 1 :])
    Q = steps.basis.T.copy()
    even, odd = Q[0 : order - 1 : 2].copy(), Q[1::2].copy()
    Q[0 : order - 1 : 2], Q[1::2] = cosine * even + sine * odd, cosine * odd - sine * even
    value, slope, other = added(of, Q, Q)
    slope = slope + other
    first, second = slope[0 : order - 1 : 2].copy(), slope[1::2].copy()
    by_angle = np.add.reduce((first * Q[1::2] - second * Q[0 : order - 1 : 2]).T, axis=0)
    slope[0 : order - 1 : 2], slope[1::2] = cosine * first - sine * second, sine * first + cosine * second
    by_tangent = 2.0 / (1.0 + x[order - 1 :] ** 2) * by_angle
    return value, np.concatenate([_pulled_back(of.couplings, steps, slope), by_tangent])


def _turn(tangent: Float[np.ndarray, " p"]) -> tuple[np.ndarray, np.ndarray]:
    square = tangent * tangent
    return ((1.0 - square) / (1.0 + square))[:, None], (2.0 * tangent / (1.0 + square))[:, None]


@dataclass(frozen=True, eq=False)
class _Steps:
    """The basis, (d, d), its vectors side by side, and of each after the first what it was before and its length."""

    basis: np.ndarray
    length: list[float]
    raw: list[np.ndarray]


def _lanczos(couplings: np.ndarray, c: np.ndarray) -> _Steps:
    """Take block Lanczos steps from the first state and c."""
    order = len(couplings) + 1
    basis = np.zeros((order, order))
    rows = basis.copy()  # the same, a vector a row: sums go along the first axis
    length, raw = [1.0], [np.eye(order)[0]]
    basis[0, 0] = rows[0, 0] = 1.0
    for k in range(1, order):
        new = np.concatenate([[0.0], c]) if k == 1 else _skew_times(couplings, rows[k - 2])
        raw.append(new)
        # Twice is enough: the second time takes away what the first one rounded.
        for _ in range(2):
            new = new - combined(rows[:k], combined(basis[:, :k], new))
        size = math.sqrt(dot(new, new))
        if size < LEAST * math.sqrt(dot(raw[-1], raw[-1])):
            raise ZeroDivisionError
        basis[:, k] = rows[k] = new / size
        length.append(size)
    return _Steps(basis, length, raw)


def _pulled_back(couplings: np.ndarray, steps: _Steps, slope: np.ndarray) -> Float[np.ndarray, " c"]:
    """Give the slopes by c, from those by all vectors of the basis, a vector a row, which are used up."""
    rows = steps.basis.T.copy()
    for k in range(len(slope) - 1, 0, -1):
        raw, before = steps.raw[k], steps.basis[:, :k]
        # Of vector = P raw / |P raw|, where P takes away the parts along all before.
        new = (slope[k] - dot(rows[k], slope[k]) * rows[k]) / steps.length[k]
        along = combined(before, new)
        slope[:k] -= along[:, None] * raw + combined(before, raw)[:, None] * new
        new = new - combined(rows[:k], along)
        if k == 1:
            return new[1:]
        slope[k - 2] -= _skew_times(couplings, new)
    return np.zeros(0)


def _skew_times(couplings: np.ndarray, x: np.ndarray) -> np.ndarray:
    found = np.zeros_like(x)
    found[1:] = couplings * x[:-1]
    found[:-1] -= couplings * x[1:]
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
