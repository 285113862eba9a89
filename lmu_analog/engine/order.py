"""In which order sparse node equations are eliminated: in real arithmetic first, then at points s = jw.

Markowitz (1957) ranks the pivots by what they may fill in; which of them are large enough is decided on the
nominal circuit. No order suits all points of a wide band: points are then parted in halves.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float

from lmu_analog.circuits.nodal.pencil import PIVOT, PencilEntries, Step, eliminate, grouped
from lmu_analog.circuits.nodal.series import Series
from lmu_analog.errors import CircuitError

HIGHEST = 3  # power of s that real eliminations may lead to
EXACT = 10**6  # degree: nothing is cut off
FEWEST = 4  # points of a pass
WORTH = 1.2  # times the products of two halves: calls of NumPy cost, too
GROWTH = 1e3  # of an entry beside the size of its equation: that much larger is the rounding, too

Place = tuple[int, int]
Values = dict[Place, np.ndarray]  # of entries, at the points


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


def passes(
    pencil: PencilEntries, unit: np.ndarray, w: np.ndarray, *, most: float = np.inf
) -> tuple[Pass, ...]:
    """Order the eliminations at points, in halves where one order for all is impossible, or no good one.

    Raises
    ------
    CircuitError
        If pivots become too small, or more than ``most`` products a point are needed.
    """
    values = {at: at_points(series, w) for at, series in pencil.items()}
    middle = len(w) // 2
    try:
        whole = (Pass(w, *_complex_eliminations(values, unit, most)),)
        if len(w) < FEWEST or products(whole) <= WORTH * len(w) * _single(pencil, unit, w[middle]):
            return whole
    except CircuitError:
        if not middle:
            raise
        whole = ()
    halves = [passes(pencil, unit, part, most=most) for part in (w[:middle], w[middle:])]
    parts = (*halves[0], *halves[1])
    return whole if whole and products(whole) <= WORTH * products(parts) else parts


def _single(pencil: PencilEntries, unit: np.ndarray, w: float) -> float:
    """Count the products at one point, for which an order is made that suits no other."""
    here = np.array([w])
    values = {at: at_points(series, here) for at, series in pencil.items()}
    return products([Pass(here, *_complex_eliminations(values, unit, np.inf))])


def products(of: Iterable[Pass]) -> int:
    """Count complex products a sample."""
    return sum(len(each.w) * sum(products_of(step) for step in each.steps) for each in of)


def products_of(step: Step) -> int:
    """Count the complex products of a step, the inverse as two."""
    return 2 + len(step.beside) * (1 + len(step.below))


def real_eliminations(
    pencil: PencilEntries, unit: np.ndarray, *, kept: np.ndarray, w: np.ndarray
) -> tuple[Step, ...]:
    """Eliminate, in place, what has a pivot without storage; cheapest first (Markowitz, 1957)."""
    steps: list[Step] = []
    rows = {i for i, _ in pencil}
    sizes: dict[int, dict[int, float]] = {}
    while True:
        members = grouped(pencil, 0)
        for i in rows - sizes.keys():
            mine = {j: pencil[i, j] for j in members[i] if j < len(unit)}
            sizes[i] = {j: np.abs(at_points(x, w)).max() * unit[j] for j, x in mine.items()}
        found = (
            step
            for _, i, j in _ranked(pencil, rows, len(unit))
            if not kept[j]
            and len(pencil[i, j]) == 1
            and sizes[i][j] >= PIVOT * max(sizes[i].values())
            and _adds_little(pencil, step := _step(pencil, i, j))
        )
        if (step := next(found, None)) is None:
            return tuple(steps)
        steps.append(step)
        eliminate(pencil, step, EXACT)
        rows.discard(step.row)
        for i in (step.row, *step.below):
            sizes.pop(i, None)


def _adds_little(pencil: PencilEntries, step: Step) -> bool:
    """Tell whether a step leaves no more entries than before, and no high powers."""
    sides = [(step.row, j) for j in step.beside], [(i, step.column) for i in step.below]
    powers = [max((len(pencil[at]) - 1 for at in side), default=0) for side in sides]
    return sum(powers) <= HIGHEST and min(len(step.below), len(step.beside)) <= 1


def _ranked(places: Iterable[Place], rows: Iterable[int], size: int) -> list[tuple[int, int, int]]:
    """Rank pivots by what they may fill in, (number, row, column)."""
    places = list(places)
    in_row, in_column = (Counter(at[side] for at in places) for side in (0, 1))
    rows = set(rows)
    return sorted(((in_row[i] - 1) * (in_column[j] - 1), i, j) for i, j in places if j < size and i in rows)


def _step(places: Iterable[Place], i: int, j: int) -> Step:
    beside = sorted(column for row, column in places if row == i and column != j)
    below = sorted(row for row, column in places if column == j and row != i)
    return Step(i, j, tuple(below), tuple(beside))


def _complex_eliminations(
    values: Values, unit: np.ndarray, most: float
) -> tuple[tuple[Step, ...], np.ndarray]:
    """Eliminate the rest by its values at all points, in place; the steps, and their pivots (n, q).

    Raises
    ------
    CircuitError
        If no pivot is large enough at all points, or it takes too many products.
    """
    steps: list[Step] = []
    pivots: list[np.ndarray] = []
    scale = {i: np.max(list(_sizes(values, i, unit).values()), axis=0) for i in {i for i, _ in values}}
    while scale:
        ranked = (_step(values, i, j) for _, i, j in _ranked(values, scale, len(unit)))
        step = next((step for step in ranked if _is_mild(values, step, unit, scale)), None)
        if step is None:
            raise CircuitError("no order of elimination suits all tones")
        most -= products_of(step)
        if most < 0.0:
            raise CircuitError("the equations are too dense to be solved one by one")
        steps.append(step)
        del scale[step.row]
        pivots.append(_take_out(values, step))
    return tuple(steps), np.array(pivots)


def _sizes(values: Values, row: int, unit: np.ndarray) -> dict[int, np.ndarray]:
    return {j: np.abs(x) * unit[j] for (i, j), x in values.items() if i == row and j < len(unit)}


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


def powers_of(w: np.ndarray) -> np.ndarray:
    """Give the sizes of 1, s, s^2, s^3 at s = jw with their signs, (q, 4); every second is imaginary."""
    powers = np.arange(HIGHEST + 1)
    return w[:, None] ** powers * np.array([1.0, 1.0, -1.0, -1.0])[powers % 4]


def at_points(series: Series, w: np.ndarray) -> np.ndarray:
    """Evaluate a series of one sample at s = jw, (q,)."""
    return sum((x * (1j * w) ** k for k, x in numbers(series)), start=np.zeros(len(w), complex))


def numbers(series: Series) -> list[tuple[int, float]]:
    """List powers and coefficients of a series of one sample."""
    return [(k, np.asarray(x).item()) for k, x in enumerate(series) if x is not None]
