"""All that a player needs in order to run samples of one circuit through one set of tones: arrays of numbers alone.

A job has two parts. A program of real instructions turns the parameters of a sample into the coefficients of its
pencil: polynomials in s, one for each entry of the equations that are left. Then, at every tone and at every point of
the Nyquist contour, the entries are evaluated in a workspace of complex numbers, and the unknowns are eliminated in
place, in an order that is fixed. The order makes the entries of a pivot row neighbours in the workspace, so a step is a
few runs of ``row -= factor * pivot row``.

Both players do the same operations on the same numbers in the same order, +, -, *, / and square root alone, each
rounded by itself: their results have the same bits on every machine.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from lmu_analog.circuits.nodal.pencil import Step, pencil_entries
from lmu_analog.circuits.nodal.series import Series
from lmu_analog.engine.order import Pass
from lmu_analog.engine.plan import FrequencyPlan, eliminate_real
from lmu_analog.engine.program import Builder, Number, Program, program
from lmu_analog.memory.elementary import cos_sin_turns
from lmu_analog.memory.taps import Tap, wanted_response
from lmu_analog.memory.window import quadrature_for, readout
from lmu_analog.stimulus import Tones

TRUSTED = 1e-9  # of the sum's terms: a residual below is rounding
Place = tuple[int, int]
Run = tuple[int, int, int]  # first place, first place in the pivot row, length


@dataclass(frozen=True, eq=False)
class Pencil:
    """How parameters become coefficients of the pencil.

    Attributes
    ----------
    equations : Program
        Coefficients of 1 and s of all node equations and probes: what one sample is checked by.
    at : (e,) int array
        Where these lie in an array (2, N + p, N + 2) that is zero elsewhere.
    entries : Program
        Coefficients of 1, s, s^2, ... of the entries that are left, one entry after another, then ``powers`` times n
        of their signed sum, then ``powers`` of its right side, then that of the offsets.
    size : int
        Number N of unknowns of all node equations.
    sums : int
        Where the signed sum begins among the outputs of ``entries``.
    powers : int
    unknowns : int
        Number n of unknowns that are left.
    """

    equations: Program
    at: Int[np.ndarray, " e"]
    entries: Program
    size: int
    sums: int
    powers: int
    unknowns: int


@dataclass(frozen=True, eq=False)
class Eliminations:
    """Eliminations at some points, pass after pass.

    Attributes
    ----------
    passes : (k, 4) int array
        Of each pass the first and the last point, and where its code begins and ends.
    code : int array
        Of each pass: the number of entries, and of each its place in the workspace, its first coefficient and how many
        it has; the number of places to be cleared, and these; the number of steps. Of each step: how often multiples
        of earlier pivot rows are taken from its row, and what; then place of the pivot, first place of its row, length
        of the row. What is taken is 1, the place of the factor, the number of runs, and of each run the first place,
        the first place in the pivot row, and the length; or 2 for two pivot rows at once: the place of the first
        factor, the first place of the run, whose first entry becomes the second factor, the first place in either
        pivot row, and the length of the second run. Last, in reverse order, of each step: the unknown, the place of its
        right side, the first place of its row, the number of unknowns in it, and these. A pass for determinants ends
        with its steps: its count of unknowns is 0.
    powers : (q, 4) array
        Sizes of 1, s, s^2, s^3 with their signs; every second is imaginary.
    places : int
        Complex numbers in the workspace.
    """

    passes: Int[np.ndarray, "k 4"]
    code: Int[np.ndarray, " c"]
    powers: Float[np.ndarray, "q 4"]
    places: int


@dataclass(frozen=True, eq=False)
class Window:
    """What is done with responses.

    Attributes
    ----------
    starts : (p + 1,) int array
        Where the unknowns of each probe begin in ``unknowns``.
    unknowns : (r,) int array
    weights : (r,) array
    direct : (p,) array
        What of the input the probes show at once.
    amplitude : (f,) array, V
    rows : (q, d) array
        Legendre polynomials at the places of the window, for the first d of the probes, the states; place q - 1 - k
        mirrors place k.
    ideal : (q, f, 2) array, V
        Real and imaginary parts of what the window holds, without the phases of the tones.
    power : float, V^2
        Mean square of the input.
    taps : (t, f, 2) array, V
        What the taps are to show: the last t of the probes.
    """

    starts: Int[np.ndarray, " p1"]
    unknowns: Int[np.ndarray, " r"]
    weights: Float[np.ndarray, " r"]
    direct: Float[np.ndarray, " p"]
    amplitude: Float[np.ndarray, " f"]
    rows: Float[np.ndarray, "q d"]
    ideal: Float[np.ndarray, "q f 2"]
    power: float
    taps: Float[np.ndarray, "t f 2"]


@dataclass(frozen=True, eq=False)
class Job:
    """What a player runs.

    Attributes
    ----------
    pencil : Pencil
    tones : Eliminations
        At the tones, and in the last pass at s = 0 where offsets drive.
    has_offsets : bool
    bound : (f,) array
        Squares of the largest residuals that are rounding.
    window : Window
    contour : Eliminations
        At the points of the Nyquist contour, in single precision, for determinants alone.
    scale : (c,) array
        Powers of two that bring the coefficients into the range of single precision.
    pivots : (q, n) array
        Powers of two that keep the products of pivots there.
    """

    pencil: Pencil
    tones: Eliminations
    has_offsets: bool
    bound: Float[np.ndarray, " f"]
    window: Window
    contour: Eliminations
    scale: Float[np.ndarray, " c"]
    pivots: Float[np.ndarray, "q n"]


@dataclass(frozen=True, eq=False)
class Played:
    """What a player found for s samples.

    Attributes
    ----------
    profile : (q + t, s) array
        NRMSE at the places of the window, then of the taps.
    fits : (s,) bool array
        Whether all residuals are rounding.
    determinant : (2, q, s) float32 array
        Real and imaginary parts of the scaled determinants at the contour's points.
    response : (2, f, p) array
        Real and imaginary parts of the probes of one sample, for unit tones.
    equations : (e,) array
        The equations of that sample, see ``Pencil``.
    """

    profile: Float[np.ndarray, "qt s"]
    fits: Bool[np.ndarray, " s"]
    determinant: np.ndarray
    response: Float[np.ndarray, "2 f p"]
    equations: Float[np.ndarray, " e"]


def job_of(plan: FrequencyPlan, moving: Bool[np.ndarray, " m"], tones: Tones) -> Job:
    """Prepare a job.

    Parameters
    ----------
    plan : FrequencyPlan
    moving : (m,) bool array
        Which parameters differ between samples; the others become constants.
    tones : Tones
        Those of the plan.
    """
    builder, nominal, size = Builder(), plan.circuit.values, plan.index.size
    values = [builder.load(k) if moving[k] else float(x) for k, x in enumerate(nominal)]
    stamped = pencil_entries(plan.circuit, plan.index, np.array([values], object), rate=plan.rate)
    equations, equations_at = _equations(builder, stamped, size, outputs=plan.circuit.order)
    left, signed, has_offsets = eliminate_real(plan, stamped)
    coefficients = {place: _numbers(series) for place, series in sorted(left.items())}
    flat = [x for part in coefficients.values() for x in part]
    first = dict(
        zip(coefficients, np.cumsum([0, *map(len, coefficients.values())])[:-1].tolist(), strict=True)
    )
    entries = {place: (first[place], len(part)) for place, part in coefficients.items()}
    sums = len(flat)
    mixed = [_numbers(signed.get(column, ())) for column in (*plan.columns, size)]
    powers = max(len(part) for part in mixed)
    mixed = [[*part, *[0.0] * (powers - len(part))] for part in mixed]
    flat += [mixed[column][k] for k in range(powers) for column in range(len(plan.columns))]
    flat += [*mixed[-1], *(_numbers(signed.get(size + 1, ())) or [0.0])]
    pencil = Pencil(
        equations,
        equations_at,
        program(builder, dict(enumerate(flat)), len(flat)),
        size,
        sums,
        powers,
        len(plan.columns),
    )
    at_dc = [(plan.dc, size + 1)] if has_offsets else []
    responses = [*((each, size) for each in plan.tones), *at_dc]
    sizes = dict(zip(plan.rows, _power_of_two(np.abs(plan.mixing)).tolist(), strict=True))
    scale = np.concatenate([np.full(len(part), sizes[place[0]]) for place, part in coefficients.items()])
    # Rows of siemens would leave the range of single precision where they are squared.
    pivots = [
        _power_of_two(1.0 / np.abs(each.pivots * [[sizes[step.row]] for step in each.steps])).T
        for each in plan.contour_passes
    ]
    return Job(
        pencil,
        _eliminations(responses, entries, plan),
        has_offsets,
        (TRUSTED * plan.terms) ** 2,
        window_of(tones, plan),
        _eliminations([(each, None) for each in plan.contour_passes], entries, plan),
        scale,
        np.concatenate(pivots),
    )


def determinant_unit(plan: FrequencyPlan, job: Job) -> np.ndarray:
    """Give the nominal determinants at the contour's points as a player scales them, (q,) complex."""
    sizes = dict(zip(plan.rows, _power_of_two(np.abs(plan.mixing)).tolist(), strict=True))
    nominal = [each.pivots * [[sizes[step.row]] for step in each.steps] for each in plan.contour_passes]
    return np.prod(np.concatenate(nominal, axis=1).T * job.pivots, axis=1)


def _power_of_two(x: np.ndarray) -> np.ndarray:
    """Round down to a power of two: a scale that rounds nothing."""
    return np.asarray(np.ldexp(1.0, np.frexp(x)[1] - 1))


def _numbers(series: Series) -> list[Number | float]:
    """Give the coefficients of a series of one sample, zero where there is none."""
    return [0.0 if x is None else np.asarray(x, object).ravel()[0] for x in series]


def _equations(
    builder: Builder, stamped: Mapping[Place, Series], size: int, *, outputs: int
) -> tuple[Program, Int[np.ndarray, " e"]]:
    """Record all equations and probes, and where each coefficient lies, see ``Pencil``."""
    rows, columns = size + outputs, size + 2
    found: dict[int, Number | float] = {}
    for (row, column), series in stamped.items():
        for power, x in enumerate(_numbers(series)):
            found[(power * rows + row) * columns + column] = x
    return program(builder, dict(enumerate(found.values())), len(found)), np.array(list(found), np.int64)


def window_of(tones: Tones, plan: FrequencyPlan) -> Window:
    """Prepare how responses become errors over the window."""
    taps, theta = plan.circuit.taps, plan.circuit.theta
    order = plan.circuit.order - len(taps)
    r = quadrature_for(order, (tones.frequency, tones.phasor), theta).r
    square = tones.cosine**2 + tones.sine**2
    # The phase of a tone is the same in the error as in the input, so only its size counts.
    amplitude = np.sqrt(square)
    cosine, sine = cos_sin_turns(tones.frequency * theta * r[:, None])
    read = [np.flatnonzero(row) for row in plan.output]
    return Window(
        np.cumsum([0, *map(len, read)]),
        np.concatenate(read),
        np.concatenate([row[at] for row, at in zip(plan.output, read, strict=True)]),
        plan.direct,
        amplitude,
        readout(order, r),
        np.stack([amplitude * cosine, -amplitude * sine], axis=-1),
        0.5 * sum(square.tolist()),
        np.reshape(
            [_ideal_tap(tap.of, tones, amplitude, order, theta) for tap in taps], (-1, len(amplitude), 2)
        ),
    )


def _ideal_tap(tap: Tap, tones: Tones, amplitude: np.ndarray, order: int, theta: float) -> np.ndarray:
    """Give what a tap is to show of every tone, (f, 2), without their phases."""
    if tap.r is not None:
        cosine, sine = cos_sin_turns(tones.frequency * theta * tap.r)
    else:
        shown = wanted_response(tap, tones.frequency, order=order, theta=theta)
        # Twelve digits, so that LAPACK's last ones, which depend on the processor, do not reach the results.
        cosine, sine = (
            np.array([float(f"{x:.11e}") for x in part]) for part in (np.real(shown), -np.imag(shown))
        )
    return np.stack([amplitude * cosine, -amplitude * sine], axis=-1)


def _eliminations(
    passes: Sequence[tuple[Pass, int | None]], entries: Mapping[Place, tuple[int, int]], plan: FrequencyPlan
) -> Eliminations:
    code, bounds, points, places = [], [], 0, 0
    for each, right in passes:
        mine, used = _pass_code(each.steps, right, entries, plan)
        bounds.append((points, points + len(each.w), len(code), len(code) + len(mine)))
        code += mine
        points, places = points + len(each.w), max(places, used)
    w = np.concatenate([each.w for each, _ in passes])
    powers = np.stack([np.ones_like(w), w, -(w * w), -(w * w * w)], axis=-1)
    return Eliminations(np.array(bounds, np.int64), np.array(code, np.int64), powers, places)


def _pass_code(
    steps: Sequence[Step], right: int | None, entries: Mapping[Place, tuple[int, int]], plan: FrequencyPlan
) -> tuple[list[int], int]:
    """Write the code of one pass, see ``Eliminations``, and count the places in its workspace.

    ``right`` is the column of the right side, None where only determinants are wanted.
    """
    size = plan.index.size
    turn = {step.column: k for k, step in enumerate(steps)} | {right: len(steps)}
    present = {(row, column) for row, column in entries if column < size or column == right}
    rows: dict[int, set[int]] = {}
    shapes: list[tuple[Step, list[int]]] = []
    for place in present:
        rows.setdefault(place[0], set()).add(place[1])
    kept = {row: set(columns) for row, columns in rows.items()}
    for step in steps:
        beside = sorted(rows.pop(step.row) - {step.column}, key=turn.__getitem__)
        below = [row for row, columns in rows.items() if step.column in columns]
        for row in below:
            rows[row] |= set(beside)
            rows[row].discard(step.column)
            kept[row] |= set(beside)
        shapes.append((replace_below(step, sorted(below)), beside))
    # A row's places lie in the order of elimination: what is beside a pivot is one run.
    order = [(row, column) for row in sorted(kept) for column in sorted(kept[row], key=turn.__getitem__)]
    at = {place: k for k, place in enumerate(order)}
    code = [len(present), *(x for place in sorted(present) for x in (at[place], *entries[place]))]
    filled = sorted(at[place] for place in at.keys() - present)
    code += [len(filled), *filled, len(steps)]
    # Row after row, not pivot after pivot: a row stays in the nearest cache while all above it are taken from it.
    starts = [at[step.row, beside[0]] if beside else 0 for step, beside in shapes]
    for (step, beside), start in zip(shapes, starts, strict=True):
        taken = [
            (at[step.row, above.column], list(_runs([at[step.row, column] for column in right_of], first)))
            for (above, right_of), first in zip(shapes, starts, strict=True)
            if step.row in above.below
        ]
        code += [*_takings(taken), at[step.row, step.column], start, len(beside)]
    if right is None:
        return [*code, 0], len(order)
    unknown = {column: k for k, column in enumerate(plan.columns)}
    code.append(len(steps))
    for (step, beside), start in zip(reversed(shapes), reversed(starts), strict=True):
        side = at.get((step.row, right), -1)
        inner = [unknown[column] for column in beside if column != right]
        code += [unknown[step.column], side, start, len(inner), *inner]
    return code, len(order)


def replace_below(step: Step, below: Iterable[int]) -> Step:
    """Give a step with the rows that hold its column when its turn comes."""
    return Step(step.row, step.column, tuple(below), step.beside)


def _runs(places: Sequence[int], start: int) -> Iterator[Run]:
    """Part places into runs of neighbours, beside those of a pivot row that begins at ``start``."""
    first = 0
    for k in range(1, len(places) + 1):
        if k == len(places) or places[k] != places[k - 1] + 1:
            yield places[first], start + first, k - first
            first = k


def _takings(taken: Sequence[tuple[int, list[Run]]]) -> list[int]:
    """Write what is taken from a row: pairs where the first pivot row ends with what the second one has."""
    groups: list[list[int]] = []
    left = deque(taken)
    while left:
        factor, runs = left.popleft()
        if left and len(runs) == len(left[0][1]) == 1:
            (target, first, count), (other, second, fewer) = runs[0], left[0][1][0]
            if target == left[0][0] == other - 1 and fewer == count - 1:
                groups.append([2, factor, target, first, second, fewer])
                left.popleft()
                continue
        groups.append([1, factor, len(runs), *(x for run in runs for x in run)])
    return [len(groups), *(x for group in groups for x in group)]
