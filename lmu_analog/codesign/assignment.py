"""Which part goes where: the assignment of parts to places that leaves the least error, all places together.

The error is |r + J x|^2, x the logarithms of what parts have more than the value of their places. Parts go to places of
their own value, each to one at most. That is a quadratic assignment, for which nothing quick is certain: here single
exchanges, then pairs of them, until none is better, from the parts nearest to their values and from the best so far
with some of them exchanged at random (seeded).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

PAIRED = 150  # exchanges that are tried two at a time: the best by themselves, and as many at random
WORK = 450_000  # squares of the number of exchanges that are tried, over the number of descents
FEWEST_KICKS, MOST_KICKS = 4, 40
MOVED = 3  # exchanges at random, before a descent
RANKED = 24  # of the assignments that were met, the best, all different
_TIE = 1e-9  # of the error: less is rounding, which must not choose


@dataclass(frozen=True, eq=False)
class Offers:
    """Places and parts.

    Attributes
    ----------
    place : (m,) int array
        Bin of every place.
    part : (n,) int array
        Bin of every part.
    off : (n,) array
        Logarithm of its value over that of its bin.
    """

    place: Int[np.ndarray, " m"]
    part: Int[np.ndarray, " n"]
    off: Float[np.ndarray, " n"]

    def nearest(self) -> Int[np.ndarray, " m"]:
        """Give every place a part, those with the smallest deviation, (m,)."""
        chosen = np.full(len(self.place), -1)
        order = np.argsort(np.round(np.abs(self.off), 12), kind="stable")
        for each in np.unique(self.place):
            places = np.flatnonzero(self.place == each)
            chosen[places] = order[self.part[order] == each][: len(places)]
        return chosen


@dataclass(frozen=True, eq=False)
class _Exchanges:
    """All single exchanges: places (k, 2), where the second may be none (-1), and their parts after it, (k, 2)."""

    place: np.ndarray
    part: np.ndarray


def assigned(
    jacobian: Float[np.ndarray, "e m"],
    error: Float[np.ndarray, " e"],
    offers: Offers,
    *,
    start: Int[np.ndarray, " m"],
    hold: float,
) -> list[Int[np.ndarray, " m"]]:
    """Choose a part for every place, (m,), such that |error + jacobian x| is small: the best few, the best first.

    Parameters
    ----------
    jacobian : (e, m) array
        Of the error by the logarithms of the places' values.
    error : (e,) array
        With every place at its value.
    offers : Offers
    start : (m,) int array
        The parts that are there to begin with.
    hold : float
        Weight of what a place's part has more than that at the start, over the largest slope: |error + jacobian x| is
        right to first order alone. A place that moves nothing keeps what it has.
    """
    # A triangle in place of the Jacobian: the same squares from as many rows as places.
    triangle = np.asarray(np.linalg.qr(np.column_stack([jacobian, error]), mode="r"))
    slopes = np.abs(triangle[:, :-1]).max(initial=0.0)
    still = hold * slopes
    held = np.column_stack([still * np.eye(len(start)), -still * offers.off[start]])
    triangle = np.concatenate([triangle, held])
    search = _Search(triangle[:, :-1], triangle[:, -1], offers)
    random = np.random.default_rng(0)
    best = search.descended(start, random)
    count = max(len(_exchanges(offers, best).place), 1)
    kicks = min(max(FEWEST_KICKS, WORK // min(count, 2 * PAIRED) ** 2), MOST_KICKS)
    size = search.size(best)
    met = {best.tobytes(): (size, best)}
    for _ in range(kicks):
        tried = best.copy()
        for _ in range(MOVED):
            moves = _exchanges(offers, tried)
            if len(moves.place):
                _apply(tried, moves, int(random.integers(len(moves.place))))
        tried = search.descended(tried, random)
        after = search.size(tried)
        met.setdefault(tried.tobytes(), (after, tried))
        if after < size * (1.0 - _TIE):
            best, size = tried, after
    return [chosen for _, chosen in sorted(met.values(), key=lambda each: each[0])[:RANKED]]


class _Search:
    def __init__(self, slopes: np.ndarray, error: np.ndarray, offers: Offers) -> None:
        self.slopes, self.error, self.offers = slopes, error, offers
        self.padded = np.column_stack([slopes, np.zeros(len(slopes))])  # a place that is none moves nothing

    def size(self, chosen: np.ndarray) -> float:
        left = self.error + self.slopes @ self.offers.off[chosen]
        return float(left @ left)

    def descended(self, chosen: np.ndarray, random: np.random.Generator) -> np.ndarray:
        chosen = chosen.copy()
        while True:
            moves = _exchanges(self.offers, chosen)
            if not len(moves.place):
                return chosen
            left = self.error + self.slopes @ self.offers.off[chosen]
            held = np.append(chosen, -1)[moves.place]
            by = np.where(moves.place >= 0, self.offers.off[moves.part] - self.offers.off[held], 0.0)
            moved = (
                self.padded[:, moves.place[:, 0]] * by[:, 0] + self.padded[:, moves.place[:, 1]] * by[:, 1]
            )
            gain = 2.0 * left @ moved + np.einsum("ek,ek->k", moved, moved)
            least = -_TIE * float(left @ left)
            best = _first_least(gain)
            if gain[best] < least:
                _apply(chosen, moves, best)
                continue
            pair = self._best_pair(moves, moved, gain, random)
            if pair is None or not pair[0] < least:
                return chosen
            for k in pair[1:]:
                _apply(chosen, moves, k)

    @staticmethod
    def _best_pair(
        moves: _Exchanges, moved: np.ndarray, gain: np.ndarray, random: np.random.Generator
    ) -> tuple[float, int, int] | None:
        kept = np.arange(len(gain))
        if len(kept) > 2 * PAIRED:
            by_gain = np.argsort(gain, kind="stable")
            kept = np.concatenate([by_gain[:PAIRED], random.choice(by_gain[PAIRED:], PAIRED, replace=False)])
        places, parts, own = moves.place[kept], moves.part[kept], moved[:, kept]
        both = gain[kept, None] + gain[kept] + 2.0 * own.T @ own
        for i in range(2):
            for j in range(2):
                meets = (places[:, i, None] == places[:, j]) & (places[:, i, None] >= 0)
                meets |= (parts[:, i, None] == parts[:, j]) & (parts[:, i, None] >= 0)
                both[meets] = np.inf
        best = _first_least(both.ravel())
        i, j = divmod(best, len(kept))
        return None if not np.isfinite(both[i, j]) else (float(both[i, j]), int(kept[i]), int(kept[j]))


def _exchanges(offers: Offers, chosen: np.ndarray) -> _Exchanges:
    """List what one step may be: a place takes a part that is free, or two places of one value swap theirs."""
    free = np.ones(len(offers.part), bool)
    free[chosen] = False
    spare = np.flatnonzero(free)
    place, part = np.nonzero(offers.place[:, None] == offers.part[spare])
    none = np.full(len(place), -1)
    first, second = np.nonzero(np.triu(offers.place[:, None] == offers.place, 1))
    return _Exchanges(
        np.concatenate([np.column_stack([place, none]), np.column_stack([first, second])]),
        np.concatenate(
            [np.column_stack([spare[part], none]), np.column_stack([chosen[second], chosen[first]])]
        ),
    )


def _apply(chosen: np.ndarray, moves: _Exchanges, k: int) -> None:
    for place, part in zip(moves.place[k], moves.part[k], strict=True):
        if place >= 0:
            chosen[place] = part


def _first_least(values: np.ndarray) -> int:
    """Give the first of the least but for rounding, which differs between machines."""
    least = values.min()
    return int(np.argmax(values <= least + _TIE * abs(least)))
