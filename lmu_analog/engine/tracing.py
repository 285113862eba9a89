"""How a circuit is solved tone by tone, written down as programs: see ``solve`` and ``circuits.tape``."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from lmu_analog.circuits.nodal.pencil import Table, table
from lmu_analog.circuits.nodal.series import Series
from lmu_analog.engine.order import Pass
from lmu_analog.engine.plan import Tonewise
from lmu_analog.engine.solve import late, prepare, with_right
from lmu_analog.engine.tape import Number, Program, Tape, program

Place = tuple[int, int]


@dataclass(frozen=True, eq=False)
class TracedTones:
    """Programs of a plan.

    Attributes
    ----------
    table : Program
        Of all equations, as in ``tracing``.
    early : Program
        In real numbers: coefficients of 1, s, s^2, ... of the late entries, one entry after another, then
        ``powers`` times n of the mixed sum, then ``powers`` of its right side, then that of offsets.
    places : tuple of (int, int)
        Of the late entries.
    entries : (e, 2) int array
        Where an entry's coefficients begin, and how many it has.
    powers : int
    tones, around : tuple of Program
        In complex numbers, one a pass: late unknowns in the plan's order, and pivots in the pass's. LOAD reads
        an entry.
    still : Program or None
        What offsets drive, where there are any.
    """

    table: Program
    early: Program
    places: tuple[Place, ...]
    entries: Int[np.ndarray, "e 2"]
    powers: int
    tones: tuple[Program, ...]
    around: tuple[Program, ...]
    still: Program | None


def trace_tones(plan: Tonewise, moving: Bool[np.ndarray, " m"]) -> TracedTones:
    """Write down all programs; parameters that do not move are constants in them."""
    tape, nominal, size = Tape(), plan.circuit.values, plan.index.size
    values = np.array([tape.load(k) if moving[k] else float(x) for k, x in enumerate(nominal)], object)
    content = table(plan.circuit, plan.index, values[None], rate=plan.rate)
    whole = equations(tape, content, size, outputs=plan.circuit.order)
    given = prepare(plan, content, 1)
    places = sorted(given.content)
    parts = [_numbers(given.content[place]) for place in places]
    counts = np.array([len(part) for part in parts])
    mixed = [_numbers(given.mixed.get((0, column), ())) for column in (*plan.columns, size)]
    powers = max(len(part) for part in mixed)
    sums = [[*part, *[0.0] * (powers - len(part))] for part in mixed]
    flat = [x for part in parts for x in part]
    flat += [sums[column][k] for k in range(powers) for column in range(len(plan.columns))]
    flat += [*sums[-1], *(_numbers(given.mixed.get((0, size + 1), ())) or [0.0])]
    return TracedTones(
        whole,
        program(tape, dict(enumerate(flat)), len(flat)),
        tuple(places),
        np.column_stack([np.cumsum(counts) - counts, counts]),
        powers,
        tuple(_solution(plan, each, places, right=size) for each in plan.tones),
        tuple(_pivots(plan, each, places) for each in plan.around),
        _solution(plan, plan.still, places, right=size + 1) if given.has_rest else None,
    )


def _numbers(series: Series) -> list[Number | float]:
    """Give the coefficients of a series of one sample, zero where there is none."""
    return [0.0 if x is None else np.asarray(x, object).ravel()[0] for x in series]


class _Written:
    """A board of numbers that are written down."""

    def __init__(self, tape: Tape, places: list[Place]) -> None:
        self.found: dict[Place, Number] = {place: tape.load(k) for k, place in enumerate(places)}

    def take(self, place: Place) -> Number | None:
        return self.found.pop(place, None)

    def less(self, place: Place, product: Number) -> None:
        before = self.found.get(place)
        self.found[place] = -product if before is None else before - product


def _solution(plan: Tonewise, each: Pass, places: list[Place], *, right: int) -> Program:
    tape = Tape()
    steps = with_right(each.steps, plan.index.size, right)
    rows = [shares for _, shares in late(steps, _Written(tape, places))]
    x: dict[int, Number | float] = {}
    for step, shares in zip(reversed(steps), reversed(rows), strict=True):
        total: Number | float = next((share for j, share in shares if j == right), 0.0)
        for j, share in shares:
            if j != right:
                total = total - share * x[j]
        x[step.column] = total
    return program(tape, {k: x[column] for k, column in enumerate(plan.columns)}, len(plan.columns))


def _pivots(plan: Tonewise, each: Pass, places: list[Place]) -> Program:
    tape = Tape()
    steps = with_right(each.steps, plan.index.size, None)
    pivots = [pivot for pivot, _ in late(steps, _Written(tape, places))]
    return program(tape, dict(enumerate(pivots)), len(pivots))


def equations(tape: Tape, content: Table, size: int, *, outputs: int) -> Program:
    """Write down all equations and probes: outputs are (2, N + p, N + 2), coefficients of 1 and s."""
    rows, columns = size + outputs, size + 2
    found: dict[int, Number | float] = {}
    for (row, column), series in content.items():
        for power, x in enumerate(series):
            if x is not None:
                found[(power * rows + row) * columns + column] = np.asarray(x, object).ravel()[0]
    return program(tape, found, 2 * rows * columns)
