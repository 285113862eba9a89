"""The node equations as series in s, entry by entry, and the order in which unknowns are taken out of them.

The order is found once, on the nominal circuit, and used for all samples: the arithmetic is then the same
few thousand operations on whole arrays of samples, whatever the size of the matrix.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.nodal.extract import probe_rows, units
from lmu_analog.circuits.nodal.series import Coefficient, Series, add, inverse, multiply, negative
from lmu_analog.circuits.nodal.stamps import entries, stamp
from lmu_analog.circuits.nodal.unknowns import Index
from lmu_analog.errors import CircuitError

PIVOT = 0.01  # a pivot is at least this part of the largest entry of its row
FAINTEST = 1e-5  # rows that store less than this part of their pivot are alike
CONTOUR = 16  # points around the slow poles: what is five times as far counts 1e-11
PASSES = 2  # what is not slow in the first guess is large, and leaves rounding behind
PREFERRED = 1e3  # a probed unknown is kept unless another tells the slow modes apart a thousand times as well

PencilEntries = dict[tuple[int, int], Series]


@dataclass(frozen=True)
class Step:
    """One elimination: the pivot's row and column, the rows that hold the column, the row's other columns."""

    row: int
    column: int
    below: tuple[int, ...]
    beside: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Order:
    """All eliminations of a circuit, and the equations and unknowns that remain.

    Attributes
    ----------
    steps : tuple of Step
    rows, columns : tuple of int
    unit : (N,) array
        Natural size of every unknown: 1 V, or the current that it drives.
    """

    steps: tuple[Step, ...]
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    unit: np.ndarray


def pencil_entries(circuit: Circuit, index: Index, values: np.ndarray, *, rate: float) -> PencilEntries:
    """Write M(s) = s E - F, its right sides and the probes as series in s/rate, for values (s, m).

    Rows from N = ``index.size`` on are the probes; column N is u, column N + 1 the constants.
    """
    found = entries(circuit, index, values)
    size = index.size
    pencil: PencilEntries = {at: (-amount,) for at, amount in found.F.items()}
    for at, amount in found.E.items():
        pencil[at] = (pencil[at][0] if at in pencil else None, rate * amount)
    for (row, kind), amount in found.drive.items():
        at = (row, size + 1 if kind == 2 else size)
        pencil[at] = add(pencil.get(at, ()), (None, -rate * amount) if kind == 1 else (amount,))
    output, feedthrough = probe_rows(circuit, index)
    for row, column in zip(*np.nonzero(output), strict=True):
        pencil[size + int(row), int(column)] = (float(output[row, column]),)
    for row in np.flatnonzero(feedthrough[:, 0]):
        pencil[size + int(row), size] = (-float(feedthrough[row, 0]),)
    return pencil


def eliminate(pencil: PencilEntries, step: Step, degree: int) -> None:
    """Take one unknown out of all equations and probes, in place, up to a power of s."""
    reciprocal = inverse(pencil.pop((step.row, step.column)), degree)
    beside = [(j, multiply(pencil.pop((step.row, j)), reciprocal, degree)) for j in step.beside]
    for i in step.below:
        factor = negative(pencil.pop((i, step.column)))
        for j, share in beside:
            pencil[i, j] = add(pencil.get((i, j), ()), multiply(factor, share, degree))


def order_of(circuit: Circuit, index: Index, *, rate: float, slow: tuple[int, float]) -> Order:
    """Choose the order: rows that store least first, among them the cheapest pivot (Markowitz, 1957).

    Parameters
    ----------
    circuit : Circuit
    index : Index
    rate : float, 1/s
        Unit of s.
    slow : (int, float)
        Number of slow poles, and a radius, 1/s, that parts them from the others.

    Raises
    ------
    CircuitError
        If other than as many equations remain.
    """
    pencil = pencil_entries(circuit, index, circuit.values[None], rate=rate)
    unit = units(index, stamp(circuit, index, circuit.values[None]).F[0])
    kept = _kept(circuit, index, unit, slow)
    choice = {i: _pivots(pencil, i, unit, kept) for i in range(index.size)}
    steps: list[Step] = []
    while any(choice.values()):
        holders, members = grouped(pencil, 1), grouped(pencil, 0)
        _, _, i, j = min(
            (decade, (len(holders[j]) - 1) * (len(members[i]) - 1), i, j)
            for i, pivots in choice.items()
            for j, decade in pivots.items()
        )
        below, beside = sorted(holders[j] - {i}), sorted(members[i] - {j})
        steps.append(Step(i, j, tuple(below), tuple(beside)))
        eliminate(pencil, steps[-1], 1)
        del choice[i]
        choice |= {r: _pivots(pencil, r, unit, kept) for r in below if r in choice}
        for pivots in choice.values():
            pivots.pop(j, None)
    if len(choice) != len(kept):
        raise CircuitError(f"{len(choice)} equations are left for {len(kept)} slow states of the circuit")
    return Order(tuple(steps), tuple(sorted(choice)), tuple(sorted(kept)), unit)


def _kept(circuit: Circuit, index: Index, unit: np.ndarray, slow: tuple[int, float]) -> set[int]:
    """Choose the unknowns that tell the slow modes apart best: pivoted QR of a basis of those modes.

    The basis is a contour integral of the resolvent (Polizzi, Phys. Rev. B 79, 115112, 2009).
    """
    states, radius = slow
    nominal = stamp(circuit, index, circuit.values[None])
    # Rows of siemens and of 1/s lie ten decades apart; elimination with row exchanges needs them alike.
    size = np.abs(nominal.F[0] * unit).max(axis=1) + radius * np.abs(nominal.E[0] * unit).max(axis=1)
    E, F = (part[0] * unit / size[:, None] for part in (nominal.E, nominal.F))
    modes = np.random.default_rng(0).standard_normal((index.size, states))
    for _ in range(PASSES):
        total = np.zeros_like(modes)
        for turn in np.exp(2j * np.pi * (np.arange(CONTOUR) + 0.5) / CONTOUR):
            total += np.real(radius * turn * np.linalg.solve(radius * turn * E - F, E @ modes))
        modes, _ = np.linalg.qr(total)
    modes[probe_rows(circuit, index)[0].any(axis=0)] *= PREFERRED
    *_, ranking = linalg.qr(modes.T, mode="economic", pivoting=True)
    return {int(j) for j in ranking[:states]}


def grouped(places: Iterable[tuple[int, int]], side: int) -> dict[int, set[int]]:
    """List the columns of every row (side 0), or the rows of every column (side 1)."""
    found: dict[int, set[int]] = {}
    for at in places:
        found.setdefault(at[side], set()).add(at[1 - side])
    return found


def _pivots(pencil: PencilEntries, row: int, unit: np.ndarray, kept: set[int]) -> dict[int, int]:
    """Give the columns that may be a row's pivot, each with the decade of what the row stores beside it."""
    mine = {j: series for (i, j), series in pencil.items() if i == row and j < len(unit)}
    direct = {j: _size(series[0]) * unit[j] for j, series in mine.items()}
    stored = max((_size(x) * unit[j] for j, series in mine.items() for x in series[1:]), default=0.0)
    largest = max(direct.values(), default=0.0)
    allowed = [j for j, size in direct.items() if j not in kept and size > 0.0 and size >= PIVOT * largest]
    return {j: int(np.floor(np.log10(max(stored / direct[j], FAINTEST)))) for j in allowed}


def _size(x: Coefficient) -> float:
    return 0.0 if x is None else float(np.abs(x).max())
