"""The smallest errors found that make a circuit unstable: signs of all errors, iterated from many starts.

With every error at an end of its range, the slope of the real part of the rightmost pole says which signs to turn;
turned, the pole lies farther right, and a smaller range does. (Young and Doyle, IEEE Conference on Decision and
Control, 1990, iterate a lower bound of the structured singular value in the same spirit.) What is found is a circuit
that is unstable. That none is found proves nothing: ``stability_bound`` gives a size below which there is none.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.circuit import Circuit, small_signal_values
from lmu_analog.circuits.nodal.modes import Pencil, growths, pole_slopes
from lmu_analog.theory.deviations import Box, common_box

_LEVELS = (0.003, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)  # of the largest size: where signs are turned
_BELOW = (0.5, 0.65, 0.8, 0.95)  # of the least size found: where the next round looks
_ROUNDS = 4
MOST_POLES, MOST_RANDOM, LEAST = 6, 6, 4  # starts of a round
_SMALL = 18  # states up to which every start is taken; the time grows with their cube
_REDRAWN = 0.3  # of the best signs, in half of the random starts
_HARDLY = 1e-6  # size at which slopes are those of the nominal circuit
_TURNS = 10  # of signs at one size; most settle within four
_FOLLOWED = 4  # corners whose size is brought down
_DESCENTS = 60
_SHARES = (1.0, 0.5, 0.25, 0.1)  # of the signs that a slope calls wrong: all at once may overshoot
COARSE, FINE = 12, 26  # halvings of a size
_GAINED = 1e-6  # of a size: below it a descent has ended
_FLIPPED = 1500  # errors times states up to which every sign is turned alone, too
_MOST_ALONE = 4000  # elements times states that are tried alone: seconds


@dataclass(frozen=True, eq=False)
class Corner:
    """Errors that make a circuit unstable.

    Attributes
    ----------
    size : float
        Of the box, where the rightmost pole crosses the imaginary axis.
    signs : (z,) array
        Of the box's errors, -1 or 1.
    """

    size: float
    signs: Float[np.ndarray, " z"]


class _Deviated:
    """A circuit with errors z of a box: growth, and its slopes by z."""

    def __init__(self, circuit: Circuit, box: Box) -> None:
        self.circuit, self.box = circuit, box
        self.pencil = Pencil.of(circuit.small_signal or circuit)
        self.follows = np.eye(len(circuit.values))
        if circuit.small_signal is not None:
            moved = small_signal_values(circuit, circuit.values + np.diag(circuit.values))
            self.follows = (moved != circuit.small_signal.values).astype(float)

    @property
    def states(self) -> int:
        return self.pencil.plan.M.shape[1]

    def share(self, most: int) -> int:
        """Give how many starts a circuit gets: fewer for large ones."""
        return max(LEAST, int(most * min(1.0, (_SMALL / self.states) ** 2)))

    def values(self, size: np.ndarray, z: np.ndarray) -> np.ndarray:
        found = self.box.values(self.circuit.values, size, z)
        return found if self.circuit.small_signal is None else small_signal_values(self.circuit, found)

    def unstable(self, size: np.ndarray, z: np.ndarray) -> np.ndarray:
        return growths(self.pencil, self.values(size, z)) >= 0.0

    def slopes(self, size: np.ndarray, z: np.ndarray, *, count: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Give the rightmost poles (s, k), and the slopes of their real parts by z, (s, k, z)."""
        poles, slopes = pole_slopes(self.pencil, self.values(size, z), count=count)
        by_term = (np.real(slopes) @ self.follows.T)[..., self.box.parameter]
        by_term = by_term * self.box.slopes(size, z)[:, None]
        return poles, by_term @ np.eye(self.box.count)[self.box.variable]


def worst_corner(circuit: Circuit, box: Box, *, seed: int = 0) -> Corner | None:
    """Search for the smallest box with an unstable circuit in a corner.

    Parameters
    ----------
    circuit : Circuit
        Nominally stable, in continuous time.
    box : Box
        What may err, and how far at size 1.
    seed : int
        Of the random starts.

    Returns
    -------
    Corner or None
        None where none was found up to ``box.most``.
    """
    if not box.count:
        return None
    deviated, random = _Deviated(circuit, box), np.random.default_rng(seed)
    starts, levels, best = _nominal_signs(deviated), box.most * np.array(_LEVELS), None
    for _ in range(_ROUNDS):
        drawn = random.choice([-1.0, 1.0], (deviated.share(MOST_RANDOM), box.count))
        if best is not None:
            signs = np.where(random.random(drawn.shape) < _REDRAWN, drawn, best.signs)
            drawn = np.concatenate([drawn, signs])
        corners = _turned_at(deviated, np.concatenate([starts, drawn]), levels)
        if not corners:
            break
        sizes = _brink(deviated, corners, halvings=COARSE)
        ranked = sorted(zip(sizes, corners, strict=True), key=lambda one: one[0])[:_FOLLOWED]
        found = [
            _descended(deviated, Corner(float(size), one.signs), halvings=COARSE) for size, one in ranked
        ]
        best = min(found, key=lambda one: one.size)
        levels = best.size * np.array(_BELOW)
    if best is None:
        return None
    best = Corner(float(_brink(deviated, [best], halvings=FINE)[0]), best.signs)
    return _descended(deviated, best, halvings=FINE)


def single_error(circuit: Circuit) -> float | None:
    """Find the least relative error of one R, L, C or gm alone that makes a circuit unstable.

    Elements are tried in both directions at rising sizes; of large circuits those that move a pole fastest.

    Returns
    -------
    float or None
        None where none up to 99 % was found to.
    """
    box = common_box(circuit)
    if not box.count:
        return None
    deviated = _Deviated(circuit, box)
    nominal = np.full(1, _HARDLY), np.zeros((1, box.count))
    poles, slopes = deviated.slopes(*nominal, count=deviated.states)
    speed = (np.abs(slopes[0]) / -np.real(poles[0])[:, None]).max(axis=0)
    tried = np.argsort(-speed, kind="stable")[: _MOST_ALONE // deviated.states]
    alone = np.concatenate([np.eye(box.count)[tried], -np.eye(box.count)[tried]])
    for level in box.most * np.array(_LEVELS):
        found = alone[deviated.unstable(np.full(len(alone), level), alone)]
        if len(found):
            corners = [Corner(float(level), z) for z in found]
            return float(_brink(deviated, corners, halvings=FINE).min())
    return None


def _nominal_signs(deviated: _Deviated) -> np.ndarray:
    """Give the signs of the slopes of the nominal circuit's poles, the slowest first."""
    nominal = np.full(1, _HARDLY), np.zeros((1, deviated.box.count))
    poles, slopes = deviated.slopes(*nominal, count=deviated.states)
    upper = np.flatnonzero(np.imag(poles[0]) >= 0.0)
    upper = upper[np.argsort(np.abs(poles[0, upper]), kind="stable")][: deviated.share(MOST_POLES)]
    return np.where(slopes[0, upper] < 0.0, -1.0, 1.0)


def _turned_at(deviated: _Deviated, starts: np.ndarray, levels: np.ndarray) -> list[Corner]:
    """Turn signs at every level; give the unstable corners of the lowest level that has any."""
    z, at = np.repeat(starts, len(levels), axis=0), np.tile(np.arange(len(levels)), len(starts))
    lowest, seen = len(levels), set[tuple[int, bytes]]()
    found: dict[bytes, Corner] = {}
    for _ in range(_TURNS):
        fresh = _fresh(at, z, seen, most=len(starts))
        if not fresh:
            break
        at, z = at[fresh], z[fresh]
        poles, slopes = deviated.slopes(levels[at], z)
        growth = np.real(poles[:, 0])
        unstable = growth >= 0.0
        if unstable.any() and (least := int(at[unstable].min())) <= lowest:
            mine = z[unstable & (at == least)]
            found = (found if least == lowest else {}) | {
                one.tobytes(): Corner(float(levels[least]), one) for one in mine
            }
            lowest = least
        turned = np.where(slopes[:, 0] == 0.0, z, np.sign(slopes[:, 0]))
        lower = unstable & (at > 0)  # what is unstable may be so at the level below
        promising = np.argsort(-np.concatenate([growth, growth[lower]]), kind="stable")
        z = np.concatenate([turned, turned[lower]])[promising]
        at = np.concatenate([at, at[lower] - 1])[promising]
    return list(found.values())


def _fresh(at: np.ndarray, z: np.ndarray, seen: set[tuple[int, bytes]], *, most: int) -> list[int]:
    """Pick what was not seen yet, the first of every level; the rest of a crowd counts as seen."""
    kept: list[int] = []
    crowd: dict[int, int] = {}
    for k, (level, signs) in enumerate(zip(at.tolist(), z, strict=True)):
        one = (level, signs.tobytes())
        if one in seen:
            continue
        seen.add(one)
        crowd[level] = crowd.get(level, 0) + 1
        if crowd[level] <= most:
            kept.append(k)
    return kept


def _brink(deviated: _Deviated, corners: list[Corner], *, halvings: int) -> np.ndarray:
    """Bring the sizes of unstable corners down to where each becomes stable, (k,)."""
    high, z = np.array([one.size for one in corners]), np.array([one.signs for one in corners])
    low = np.zeros(len(high))
    for _ in range(halvings):
        middle = 0.5 * (low + high)
        unstable = deviated.unstable(middle, z)
        low, high = np.where(unstable, low, middle), np.where(unstable, middle, high)
    return high


def _descended(deviated: _Deviated, corner: Corner, *, halvings: int) -> Corner:
    """Turn signs at the brink of instability and go to the new brink, until none helps."""
    for _ in range(_DESCENTS):
        better = _better(deviated, corner)
        if not len(better):
            break
        corners = [Corner(corner.size, z) for z in better]
        sizes = _brink(deviated, corners, halvings=halvings)
        least = int(np.argmin(sizes))
        if sizes[least] > (1.0 - _GAINED) * corner.size:
            break
        corner = Corner(float(sizes[least]), better[least])
    return corner


def _better(deviated: _Deviated, corner: Corner) -> np.ndarray:
    """Give corners of this size that are unstable: the signs turned that the slope calls wrong, or one alone."""
    z = corner.signs
    _, slopes = deviated.slopes(np.array([corner.size]), z[None])
    pull = slopes[0, 0] * z
    wrong = np.argsort(pull, kind="stable")[: int((pull < 0.0).sum())]
    if len(wrong):
        tries = np.repeat(z[None], len(_SHARES), axis=0)
        for one, share in zip(tries, _SHARES, strict=True):
            one[wrong[: max(1, int(share * len(wrong)))]] *= -1.0
        found = tries[deviated.unstable(np.full(len(tries), corner.size), tries)]
        if len(found):
            return found
    if len(z) * deviated.states > _FLIPPED:
        return z[:0].reshape(0, len(z))
    alone = np.where(np.eye(len(z), dtype=bool), -z, z)
    return alone[deviated.unstable(np.full(len(alone), (1.0 - _GAINED) * corner.size), alone)]
