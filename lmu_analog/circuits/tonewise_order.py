"""In which order sparse node equations are eliminated: in real arithmetic first, then at points s = jw.

Markowitz (1957) ranks the pivots by what they may fill in; which of them are large enough is looked at on the
nominal circuit. No order suits all points of a wide band: points are then parted in halves.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float

from lmu_analog.circuits.elimination import PIVOT, Step, Table, eliminate, grouped
from lmu_analog.errors import CircuitError
from lmu_analog.memory.series import Series

HIGHEST = 3  # power of s that real eliminations may lead to
EXACT = 10**6  # degree: nothing is cut off
FEWEST = 4  # points of a pass
WORTH = 1.2  # times the products of two halves: calls of NumPy cost, too
GROWTH = 1e3  # of an entry beside the size of its equation: that much larger is the rounding, too

Values = dict[tuple[int, int], np.ndarray]  # of entries, at the points


@dataclass(frozen=True, eq=False)
class Pass:
    """Eliminations in an order that suits some points.

    Attributes
    ----------
    w : (q,) array
        The points, in units of the plan's rate.
    steps : tuple of Step
    pivots : (n, q) complex array
        Of the nominal circuit.
    """

    w: Float[np.ndarray, " q"]
    steps: tuple[Step, ...]
    pivots: Complex[np.ndarray, "n q"]


def passes(content: Table, unit: np.ndarray, w: np.ndarray) -> tuple[Pass, ...]:
    """Order the eliminations at points, in halves where one order for all is impossible, or no good one."""
    middle = len(w) // 2
    values = {at: at_points(series, w) for at, series in content.items()}
    try:
        whole = (Pass(w, *_late(values, unit)),)
        if middle < FEWEST:
            return whole
    except CircuitError:
        if not middle:
            raise
        whole = ()
    halves = (*passes(content, unit, w[:middle]), *passes(content, unit, w[middle:]))
    return whole if whole and products(whole) <= WORTH * products(halves) else halves


def products(of: Iterable[Pass]) -> int:
    """Count complex products a sample."""
    return sum(
        len(each.w) * sum(2 + len(step.beside) * (1 + len(step.below)) for step in each.steps) for each in of
    )


def early_steps(content: Table, unit: np.ndarray, *, kept: np.ndarray, w: np.ndarray) -> tuple[Step, ...]:
    """Eliminate, in place, what has a pivot without storage; cheapest first (Markowitz, 1957)."""
    steps: list[Step] = []
    rows = {i for i, _ in content}
    while found := list(_constant_pivots(content, rows, unit, kept=kept, w=w)):
        steps.append(min(found, key=_cost))
        eliminate(content, steps[-1], EXACT)
        rows.discard(steps[-1].row)
    return tuple(steps)


def _constant_pivots(
    content: Table, rows: set[int], unit: np.ndarray, *, kept: np.ndarray, w: np.ndarray
) -> Iterator[Step]:
    members, holders = grouped(content, 0), grouped(content, 1)
    for i in rows:
        sizes = {j: np.abs(at_points(content[i, j], w)).max() * unit[j] for j in members[i] if j < len(unit)}
        least = PIVOT * max(sizes.values())
        for j, size in sizes.items():
            if kept[j] or len(content[i, j]) > 1 or size < least:
                continue
            step = Step(i, j, tuple(sorted(holders[j] - {i})), tuple(sorted(members[i] - {j})))
            powers = [max((len(content[at]) - 1 for at in side), default=0) for side in _sides(step)]
            if (
                sum(powers) <= HIGHEST and min(len(step.below), len(step.beside)) <= 1
            ):  # no entry more than before
                yield step


def _sides(step: Step) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    return [(step.row, j) for j in step.beside], [(i, step.column) for i in step.below]


def _cost(step: Step) -> tuple[int, int, int]:
    return len(step.below) * len(step.beside), step.row, step.column


def _late(values: Values, unit: np.ndarray) -> tuple[tuple[Step, ...], np.ndarray]:
    """Eliminate the rest by its values at all points, in place; the steps, and their pivots (n, q).

    Raises
    ------
    CircuitError
        If no pivot is large enough at all points.
    """
    steps: list[Step] = []
    pivots: list[np.ndarray] = []
    sizes = {i: _sizes(values, i, unit) for i in {i for i, _ in values}}
    left = {i: np.max(list(mine.values()), axis=0) for i, mine in sizes.items()}
    while left:
        found = sorted(_candidates(values, left, unit), key=_cost)
        step = next((step for step in found if _is_mild(values, step, unit, left)), None)
        if step is None:
            raise CircuitError("no order of elimination suits all tones")
        steps.append(step)
        del left[step.row]
        pivots.append(_take_out(values, step))
    return tuple(steps), np.array(pivots)


def _sizes(values: Values, row: int, unit: np.ndarray) -> dict[int, np.ndarray]:
    return {j: np.abs(x) * unit[j] for (i, j), x in values.items() if i == row and j < len(unit)}


def _candidates(values: Values, rows: Iterable[int], unit: np.ndarray) -> Iterator[Step]:
    members, holders = grouped(values, 0), grouped(values, 1)
    for i in rows:
        for j in members[i]:
            if j < len(unit):
                yield Step(i, j, tuple(sorted(holders[j] - {i})), tuple(sorted(members[i] - {j})))


def _is_mild(values: Values, step: Step, unit: np.ndarray, scale: dict[int, np.ndarray]) -> bool:
    """Tell whether a step adds nothing to any equation that is much larger than what was there."""
    sizes = _sizes(values, step.row, unit)
    pivot = sizes.pop(step.column)
    if not pivot.all():
        return False
    beside = np.max(list(sizes.values()), axis=0, initial=0.0)
    column = [np.abs(values[i, step.column]) * unit[step.column] / scale[i] for i in step.below]
    return bool((np.max(column, axis=0, initial=0.0) * beside <= GROWTH * pivot).all())


def _take_out(values: Values, step: Step) -> np.ndarray:
    """Eliminate one unknown in place; its pivot."""
    pivot = values.pop((step.row, step.column))
    shares = {j: values.pop((step.row, j)) / pivot for j in step.beside}
    for i in step.below:
        factor = values.pop((i, step.column))
        for j, share in shares.items():
            values[i, j] = values.get((i, j), 0.0) - factor * share
    return pivot


def at_points(series: Series, w: np.ndarray) -> np.ndarray:
    """Evaluate a series of one sample at s = jw, (q,)."""
    return sum((x * (1j * w) ** k for k, x in numbers(series)), start=np.zeros(len(w), complex))


def numbers(series: Series) -> list[tuple[int, float]]:
    """List powers and coefficients of a series of one sample."""
    return [(k, np.asarray(x).item()) for k, x in enumerate(series) if x is not None]
