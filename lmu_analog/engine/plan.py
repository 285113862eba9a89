"""How the node equations of a circuit are solved frequency by frequency: in which order, at which points, at what cost.

Unknowns whose pivot holds no storage go first, in real arithmetic and without rest: the entries that are left are
polynomials in s. The others follow in complex arithmetic, in an order found on the nominal circuit, each frequency
for itself; the products of their pivots, the determinant, tell whether a circuit is stable (``engine.nyquist``).
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.nodal.extract import extract, probe_rows, units
from lmu_analog.circuits.nodal.pencil import Step, Table, eliminate, table
from lmu_analog.circuits.nodal.series import Series, add
from lmu_analog.circuits.nodal.stamps import stamp
from lmu_analog.circuits.nodal.unknowns import Index
from lmu_analog.engine.nyquist import Contour, contour
from lmu_analog.engine.order import EXACT, Pass, at_points, early_steps, numbers, passes
from lmu_analog.errors import CircuitError

ALIKE = 0.02  # of one: a determinant over the product of its zeros; some 1e-4 in circuits for a millisecond
AT_ONCE = 64  # points whose matrices are in memory together
Left = tuple[tuple[int, ...], tuple[int, ...]]  # equations and unknowns


@dataclass(frozen=True, eq=False)
class FrequencyPlan:
    """A plan for one circuit and some tones.

    Attributes
    ----------
    circuit : Circuit
        Linear, without a clock.
    index : Index
    rate : float, rad/s
        Unit of s.
    early : tuple of Step
        Eliminations in real arithmetic.
    rows, columns : tuple of int
        Equations and unknowns that are left, n each.
    tones, around : tuple of Pass
        At the tones, and at the contour's points.
    dc : Pass
        At s = 0, where offsets drive.
    contour : Contour
    output : (p, n) array
        Probes over the columns.
    direct : (p,) array
        What of the input the probes show at once.
    mixing : (n,) array
        Signs over the sizes of the rows: a solution is put back into the sum of the equations so weighted.
    terms : (f,) array
        Size of the terms of that sum, in the nominal circuit.
    """

    circuit: Circuit
    index: Index
    rate: float
    early: tuple[Step, ...]
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    tones: tuple[Pass, ...]
    dc: Pass
    around: tuple[Pass, ...]
    contour: Contour
    output: Float[np.ndarray, "p n"]
    direct: Float[np.ndarray, " p"]
    mixing: Float[np.ndarray, " n"]
    terms: Float[np.ndarray, " f"]

    @property
    def w(self) -> Float[np.ndarray, " f"]:
        """The tones, in units of the rate."""
        return np.concatenate([each.w for each in self.tones])


def plan_frequencies(
    circuit: Circuit, frequency: Float[np.ndarray, " f"], *, most: float = np.inf
) -> FrequencyPlan:
    """Plan the solution of a linear circuit's equations.

    Parameters
    ----------
    circuit : Circuit
    frequency : (f,) array, Hz
        Of the tones.
    most : float
        Products of all tones that are still worth it.

    Raises
    ------
    CircuitError
        If pivots become too small, more products are needed, a pole lies at the imaginary axis, or the
        eigenvalues are not the poles: too many decades lie between them.
    """
    index, rate = Index(circuit), 2.0 * circuit.order / circuit.theta
    w = 2.0 * np.pi * frequency / rate
    output, direct = probe_rows(circuit, index)
    content = table(circuit, index, circuit.values[None], rate=rate)
    content = {at: series for at, series in content.items() if at[0] < index.size}
    unit = units(index, stamp(circuit, index, circuit.values[None]).F[0])
    early = early_steps(content, unit, kept=np.any(output, axis=0), w=w)
    rows = tuple(sorted({i for i, _ in content}))
    columns = tuple(sorted({j for _, j in content if j < index.size}))
    left, tones = (rows, columns), passes(content, unit, w, most=most / len(w))
    mixing, terms = _sums(content, left, unit, w=w)
    poles = extract(circuit).poles
    around = contour(poles, lambda points: _sensitivity(content, left, unit, w=points / rate))
    seen = passes(content, unit, around.w / rate)
    _check_poles(seen, poles / rate)
    return FrequencyPlan(
        circuit,
        index,
        rate,
        early,
        rows,
        columns,
        tones,
        passes(content, unit, np.zeros(1))[0],
        seen,
        around,
        output[:, columns],
        direct[:, 0],
        mixing,
        terms,
    )


def eliminate_early(plan: FrequencyPlan, content: Table) -> tuple[Table, dict[int, Series], bool]:
    """Eliminate what needs no frequency, and sum the equations that are left.

    Parameters
    ----------
    plan : FrequencyPlan
    content : Table
        ``pencil.table`` of the plan's circuit for some samples; it is changed in place.

    Returns
    -------
    left : Table
        Entries of the equations that are left, polynomials in s, with their right sides.
    signed : dict of int to Series
        Their sum, weighted by ``plan.mixing``, column by column.
    has_offsets : bool
        Whether offsets drive any sample.
    """
    size = plan.index.size
    has_offsets = any(np.any(series[0]) for at, series in content.items() if at[1] > size)
    for at in [at for at in content if at[0] >= size or (at[1] > size and not has_offsets)]:
        del content[at]
    for step in plan.early:
        # Right sides that are not there are no part of a step.
        beside = tuple(j for j in step.beside if j <= size or has_offsets)
        eliminate(content, replace(step, beside=beside), EXACT)
    weight = dict(zip(plan.rows, plan.mixing.tolist(), strict=True))
    signed: dict[int, Series] = {}
    for (row, column), series in content.items():
        part = tuple(None if x is None else weight[row] * x for x in series)
        signed[column] = add(signed.get(column, ()), part)
    return content, signed, has_offsets


def _matrices(content: Table, rows: tuple[int, ...], columns: tuple[int, ...], w: np.ndarray) -> np.ndarray:
    """Evaluate the equations of one sample, (q, n, m)."""
    found = np.zeros((len(w), len(rows), len(columns)), complex)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            if (row, column) in content:
                found[:, i, j] = at_points(content[row, column], w)
    return found


def _sums(content: Table, left: Left, unit: np.ndarray, *, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give ``mixing`` and ``terms``."""
    rows, columns = left
    whole = _matrices(content, rows, (*columns, len(unit)), w)
    # Rows may be siemens or 1/s.
    sizes = np.abs(whole[..., :-1] * unit[list(columns)]).max(axis=(0, 2))
    mixing = np.random.default_rng(0).choice([-1.0, 1.0], len(rows)) / sizes
    x = np.linalg.solve(whole[..., :-1], whole[..., -1:])[..., 0]
    return mixing, np.sum(np.abs(mixing @ whole[..., :-1]) * np.abs(x), axis=-1)


def _check_poles(around: tuple[Pass, ...], poles: np.ndarray) -> None:
    """Compare the determinant with the product over its zeros: they are alike but for a real factor."""
    w = np.concatenate([each.w for each in around])
    found = np.concatenate([np.log(each.pivots).sum(axis=0) for each in around])
    found -= np.log(1j * w[:, None] - poles).sum(axis=1)
    found -= found[0]
    turned = (found.imag + 0.5 * np.pi) % np.pi - 0.5 * np.pi  # rows may have changed places
    if not max(np.abs(found.real).max(), np.abs(turned).max()) <= ALIKE:
        raise CircuitError("poles of the circuit lie too many decades apart to be told from rounding")


def _sensitivity(content: Table, left: Left, unit: np.ndarray, *, w: np.ndarray) -> np.ndarray:
    """Give the relative change of the determinant for that of each coefficient of each entry, (q, k).

    It is the entry's part times the transposed entry of the inverse (Jacobi's formula).
    """
    parts = np.array_split(w, 1 + len(w) // AT_ONCE)
    return np.concatenate([_sensitivity_at(content, left, unit, part) for part in parts])


def _sensitivity_at(content: Table, left: Left, unit: np.ndarray, w: np.ndarray) -> np.ndarray:
    rows, columns = left
    whole = _matrices(content, rows, columns, w) * unit[list(columns)]
    size = np.abs(whole).max(axis=2, keepdims=True)
    inverse = np.linalg.inv(whole / size)
    found = []
    for (row, column), series in content.items():
        if column < len(unit):
            i, j = rows.index(row), columns.index(column)
            share = unit[column] * inverse[:, j, i] / size[:, i, 0]
            found += [share * x * (1j * w) ** k for k, x in numbers(series)]
    return np.array(found).T
