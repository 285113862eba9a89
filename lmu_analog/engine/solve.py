"""Steady states of many sparse circuits straight from their equations, tone by tone.

No state space in between: where every equation holds a few unknowns, elimination in complex numbers costs in
proportion to their count, and it is exact however close fast and slow modes lie. Samples are the last axis of
every array, so that the arithmetic runs over them and the tones.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Complex, Float
from numpy.typing import DTypeLike

from lmu_analog.circuits.nodal.pencil import Step, Table, eliminate
from lmu_analog.circuits.nodal.series import Series, add
from lmu_analog.engine.order import EXACT, Pass, powers_of
from lmu_analog.engine.plan import Tonewise
from lmu_analog.memory.steady import TRUSTED

CELLS = 20_000  # numbers of one array: what a call of NumPy costs is small beside them, and they stay in the cache


@dataclass(frozen=True, eq=False)
class Steady:
    """Steady states of s consecutive samples.

    Attributes
    ----------
    y : (s, p, f) complex array, V
        Outputs for a unit tone.
    rest : (s, p) array or None, V
        What offsets leave in the outputs.
    trusted : (s,) bool array
        Whether the solution, put back, fits.
    """

    y: Complex[np.ndarray, "s p f"]
    rest: Float[np.ndarray, "s p"] | None
    trusted: Bool[np.ndarray, " s"]


@dataclass(frozen=True, eq=False)
class Prepared:
    """The equations of a block of samples, as far as real arithmetic goes.

    Attributes
    ----------
    content : Table
        Entries of the late equations, polynomials in s.
    mixed : Table
        Row 0: the signed sum of these equations.
    samples : int
    has_rest : bool
        Whether offsets drive any sample.
    """

    content: Table
    mixed: Table
    samples: int
    has_rest: bool


def prepare(plan: Tonewise, content: Table, samples: int) -> Prepared:
    """Eliminate, in place, what needs no tone; ``content`` is ``elimination.table`` of the samples."""
    size = plan.index.size
    has_rest = any(np.any(series[0]) for at, series in content.items() if at[1] > size)
    for at in [at for at in content if at[0] >= size or (at[1] > size and not has_rest)]:
        del content[at]
    # Right sides that are not there are no part of a step.
    for step in with_right(plan.early, size + 1, size + 1 if has_rest else None):
        eliminate(content, step, EXACT)
    weight = dict(zip(plan.rows, plan.mixing.tolist(), strict=True))
    mixed: Table = {}
    for (row, column), series in content.items():
        part = tuple(None if x is None else weight[row] * x for x in series)
        mixed[0, column] = add(mixed.get((0, column), ()), part)
    return Prepared(content, mixed, samples, has_rest)


def steady_states(
    plan: Tonewise, given: Prepared, *, dtype: DTypeLike = float
) -> Iterator[tuple[slice, Steady]]:
    """Solve for a unit tone at each of the plan's, in a precision, stretch by stretch of the samples."""
    size, trusted = plan.index.size, TRUSTED[np.dtype(dtype)]
    tones = [_Points.of(each, dtype) for each in plan.tones]
    ends = np.cumsum([len(at) for at in tones])[:-1]
    still = _Points.of(plan.still, dtype)
    for cut in _cuts(given.samples, len(plan.w)):
        parts, fits, rest = [], np.ones(cut.stop - cut.start, bool), None
        for at, terms in zip(tones, np.split(plan.terms, ends), strict=True):
            x = _solution(plan, given, cut, at=at, right=size)
            misfit, _ = _misfit(plan, given, cut, x=x, at=at, right=size)
            fits &= (misfit <= trusted * terms[:, None]).all(axis=0)
            parts.append(_read(plan, x))
        y = np.concatenate(parts, axis=-1)
        if plan.direct.any():
            y += plan.direct[:, None].astype(dtype)
        if given.has_rest:
            x = _solution(plan, given, cut, at=still, right=size + 1)
            misfit, terms = _misfit(plan, given, cut, x=x, at=still, right=size + 1)
            fits &= (misfit <= trusted * terms).all(axis=0)
            rest = np.real(_read(plan, x)[..., 0])
        yield cut, Steady(y, rest, fits)


def determinants(plan: Tonewise, given: Prepared) -> Complex[np.ndarray, "s q"]:
    """Give the determinants of what is left at the contour's points over the nominal ones.

    In single precision: what they decide are tenths.
    """
    found = []
    for each in plan.around:
        at, scale = _Points.of(each, np.float32), (1.0 / each.pivots[..., None]).astype(np.complex64)
        steps, parts = with_right(each.steps, plan.index.size, None), []
        for cut in _cuts(given.samples, len(at)):
            product = np.ones((len(at), cut.stop - cut.start), np.complex64)
            alike = np.ones((1, cut.stop - cut.start), np.complex64)
            for k, (pivot, _) in enumerate(late(steps, _Front(given.content, cut, at))):
                if len(pivot) == len(product):
                    product *= pivot
                    product *= scale[k]
                else:  # holds no s
                    alike *= pivot * scale[k, :1]
            product *= alike
            parts.append(product.T)
        found.append(np.concatenate(parts))
    return np.concatenate(found, axis=1)


@dataclass(frozen=True, eq=False)
class _Points:
    """Points s = jw of a pass, with the powers of s, which are real or imaginary."""

    steps: tuple[Step, ...]
    powers: tuple[np.ndarray, ...]
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, each: Pass, dtype: DTypeLike) -> "_Points":
        powers = tuple(x[:, None] for x in powers_of(each.w).T.astype(dtype))
        return cls(each.steps, powers, np.result_type(dtype, np.complex64))

    def __len__(self) -> int:
        return len(self.powers[0])

    def values(self, series: Series, cut: slice) -> np.ndarray:
        """Evaluate a series, (q, s); one row where it holds no s."""
        parts = [x[cut] if isinstance(x, np.ndarray) and x.ndim else x for x in series]
        if len(parts) == 1:
            return np.asarray(parts[0], self.dtype).reshape(1, -1)
        found = np.empty((len(self), cut.stop - cut.start), self.dtype)
        for half, first in ((np.real(found), 0), (np.imag(found), 1)):
            given = [(self.powers[k], parts[k]) for k in range(len(parts) - 1, -1, -1) if k % 2 == first]
            given = [(power, x) for power, x in given if x is not None]
            if not given:
                half[:] = 0.0
                continue
            # In place: fresh memory costs more than the arithmetic.
            np.multiply(*given[0], out=half)
            for power, x in given[1:]:
                half += power * x
        return found


def _cuts(samples: int, points: int) -> Iterator[slice]:
    step = max(1, CELLS // points)
    return (slice(start, min(start + step, samples)) for start in range(0, samples, step))


@runtime_checkable
class Board(Protocol):
    """Entries of the late equations, of whatever stands for numbers."""

    def take(self, place: tuple[int, int]) -> Any:
        """Take an entry off the board; None where there is none."""

    def less(self, place: tuple[int, int], product: Any) -> None:
        """Take a product from an entry that stays."""


def late(steps: Iterable[Step], board: Board) -> Iterator[tuple[Any, list[tuple[int, Any]]]]:
    """Eliminate unknowns; of each its pivot, and what the columns beside it have in it."""
    for step in steps:
        pivot = board.take((step.row, step.column))
        inverse = 1.0 / pivot
        entries = [(j, board.take((step.row, j))) for j in step.beside]
        shares = [(j, entry * inverse) for j, entry in entries if entry is not None]
        yield pivot, shares
        for i in step.below:
            factor = board.take((i, step.column))
            for j, share in shares:
                board.less((i, j), factor * share)


def with_right(steps: Iterable[Step], size: int, right: int | None) -> tuple[Step, ...]:
    """Leave out the right sides, columns from ``size`` on, but for one."""
    return tuple(
        replace(step, beside=tuple(j for j in step.beside if j < size or j == right)) for step in steps
    )


class _Front:
    """Entries of a stretch of samples at some points, evaluated when they are needed."""

    def __init__(self, content: Table, cut: slice, at: _Points) -> None:
        self.content, self.cut, self.at = content, cut, at
        self.found: dict[tuple[int, int], np.ndarray] = {}

    def take(self, place: tuple[int, int]) -> np.ndarray | None:
        if place in self.found:
            return self.found.pop(place)
        return self.at.values(self.content[place], self.cut) if place in self.content else None

    def less(self, place: tuple[int, int], product: np.ndarray) -> None:
        """Take off in the product's memory where it fits: fresh memory is what takes the time."""
        before = self.take(place)
        if before is None:
            self.found[place] = np.negative(product, out=product)
        else:
            fits = product.size >= before.size
            self.found[place] = np.subtract(before, product, out=product if fits else None)


def _solution(plan: Tonewise, given: Prepared, cut: slice, *, at: _Points, right: int) -> np.ndarray:
    """Give the late unknowns, (n, q, s)."""
    steps = with_right(at.steps, plan.index.size, right)
    rows = [shares for _, shares in late(steps, _Front(given.content, cut, at))]
    place = {column: k for k, column in enumerate(plan.columns)}
    x = np.empty((len(rows), len(at), cut.stop - cut.start), at.dtype)
    for step, shares in zip(reversed(steps), reversed(rows), strict=True):
        mine = x[place[step.column]]
        mine[:] = next((share for j, share in shares if j == right), 0.0)
        for j, share in shares:
            if j != right:
                mine -= share * x[place[j]]
    return x


def _misfit(
    plan: Tonewise, given: Prepared, cut: slice, *, x: np.ndarray, at: _Points, right: int
) -> tuple[np.ndarray, np.ndarray]:
    """Put a solution back into a signed sum of the equations (Freivalds, 1977); (q, s), and the right side's size.

    A wrong solution has no reason to be right in it.
    """
    total = np.zeros_like(x[0])
    side = at.values(given.mixed.get((0, right), (0.0,)), cut)
    total -= side
    for k, column in enumerate(plan.columns):
        total += at.values(given.mixed[0, column], cut) * x[k]
    return np.abs(total), np.abs(side)


def _read(plan: Tonewise, x: np.ndarray) -> np.ndarray:
    """Read the outputs, (s, p, q), off the late unknowns."""
    used = plan.output.any(axis=0)
    seen = x if used.all() else x[used]
    real = np.real(x[:0]).dtype
    y = plan.output[:, used].astype(real) @ seen.view(real).reshape(len(seen), -1)
    return np.ascontiguousarray(y.view(x.dtype).reshape(len(y), *x.shape[1:]).transpose(2, 0, 1))
