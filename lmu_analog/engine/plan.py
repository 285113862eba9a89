"""How the node equations of a circuit are solved frequency by frequency: in which order, at which points, at what cost.

Unknowns whose pivot holds no storage go first, in real arithmetic and exactly: the entries that are left are
polynomials in s. The others follow in complex arithmetic, in an order found on the nominal circuit, each frequency
for itself; the products of their pivots, the determinant, tell whether a circuit is stable (``engine.nyquist``).
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.circuit import Circuit, reading_taps
from lmu_analog.circuits.nodal.extract import extract, probe_rows, units
from lmu_analog.circuits.nodal.pencil import PencilEntries, Step, eliminate, pencil_entries
from lmu_analog.circuits.nodal.series import Series, add
from lmu_analog.circuits.nodal.stamps import stamp
from lmu_analog.circuits.nodal.unknowns import Index
from lmu_analog.engine.nyquist import Contour, contour
from lmu_analog.engine.order import EXACT, Pass, at_points, numbers, passes, real_eliminations
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
    real_steps : tuple of Step
        Eliminations in real arithmetic.
    rows, columns : tuple of int
        Equations and unknowns that are left, n each.
    tones, contour_passes : tuple of Pass
        At the tones, and at the contour's points.
    dc : Pass
        At s = 0, where offsets drive.
    contour : Contour
    output : (p, n) array
        Probes over the columns.
    direct : (p,) array
        What of the input the probes show at once.
    mixing : (n,) array
        Signs over the sizes of the rows: the residual of a solution is that of the sum of the equations so weighted.
    terms : (f,) array
        Size of the terms of that sum, in the nominal circuit.
    """

    circuit: Circuit
    index: Index
    rate: float
    real_steps: tuple[Step, ...]
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    tones: tuple[Pass, ...]
    dc: Pass
    contour_passes: tuple[Pass, ...]
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
    rate, circuit = 2.0 * circuit.order / circuit.theta, reading_taps(circuit)
    index = Index(circuit)
    w = 2.0 * np.pi * frequency / rate
    output, direct = probe_rows(circuit, index)
    pencil = pencil_entries(circuit, index, circuit.values[None], rate=rate)
    pencil = {at: series for at, series in pencil.items() if at[0] < index.size}
    unit = units(index, stamp(circuit, index, circuit.values[None]).F[0])
    real_steps = real_eliminations(pencil, unit, kept=np.any(output, axis=0), w=w)
    rows = tuple(sorted({i for i, _ in pencil}))
    columns = tuple(sorted({j for _, j in pencil if j < index.size}))
    left, tones = (rows, columns), passes(pencil, unit, w, most=most / len(w))
    mixing, terms = _sums(pencil, left, unit, w=w)
    poles = extract(circuit).poles
    points = contour(poles, lambda at: _sensitivity(pencil, left, unit, w=at / rate))
    contour_passes = passes(pencil, unit, points.w / rate)
    _check_poles(contour_passes, poles / rate)
    return FrequencyPlan(
        circuit,
        index,
        rate,
        real_steps,
        rows,
        columns,
        tones,
        passes(pencil, unit, np.zeros(1))[0],
        contour_passes,
        points,
        output[:, columns],
        direct[:, 0],
        mixing,
        terms,
    )


def eliminate_real(
    plan: FrequencyPlan, pencil: PencilEntries
) -> tuple[PencilEntries, dict[int, Series], bool]:
    """Eliminate what needs no frequency, and sum the equations that are left.

    Parameters
    ----------
    plan : FrequencyPlan
    pencil : PencilEntries
        ``pencil.pencil_entries`` of the plan's circuit for some samples; it is changed in place.

    Returns
    -------
    left : PencilEntries
        Entries of the equations that are left, polynomials in s, with their right sides.
    signed : dict of int to Series
        Their sum, weighted by ``plan.mixing``, column by column.
    has_offsets : bool
        Whether offsets drive any sample.
    """
    size = plan.index.size
    has_offsets = any(np.any(series[0]) for at, series in pencil.items() if at[1] > size)
    for at in [at for at in pencil if at[0] >= size or (at[1] > size and not has_offsets)]:
        del pencil[at]
    for step in plan.real_steps:
        # Right sides that are not there are no part of a step.
        beside = tuple(j for j in step.beside if j <= size or has_offsets)
        eliminate(pencil, replace(step, beside=beside), EXACT)
    weight = dict(zip(plan.rows, plan.mixing.tolist(), strict=True))
    signed: dict[int, Series] = {}
    for (row, column), series in pencil.items():
        part = tuple(None if x is None else weight[row] * x for x in series)
        signed[column] = add(signed.get(column, ()), part)
    return pencil, signed, has_offsets


def _matrices(
    pencil: PencilEntries, rows: tuple[int, ...], columns: tuple[int, ...], w: np.ndarray
) -> np.ndarray:
    """Evaluate the equations of one sample, (q, n, m)."""
    found = np.zeros((len(w), len(rows), len(columns)), complex)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            if (row, column) in pencil:
                found[:, i, j] = at_points(pencil[row, column], w)
    return found


def _sums(
    pencil: PencilEntries, left: Left, unit: np.ndarray, *, w: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Give ``mixing`` and ``terms``."""
    rows, columns = left
    whole = _matrices(pencil, rows, (*columns, len(unit)), w)
    # Rows may be siemens or 1/s.
    sizes = np.abs(whole[..., :-1] * unit[list(columns)]).max(axis=(0, 2))
    mixing = np.random.default_rng(0).choice([-1.0, 1.0], len(rows)) / sizes
    x = np.linalg.solve(whole[..., :-1], whole[..., -1:])[..., 0]
    return mixing, np.sum(np.abs(mixing @ whole[..., :-1]) * np.abs(x), axis=-1)


def _check_poles(contour_passes: tuple[Pass, ...], poles: np.ndarray) -> None:
    """Compare the determinant with the product over its zeros: they are alike but for a real factor."""
    w = np.concatenate([each.w for each in contour_passes])
    found = np.concatenate([np.log(each.pivots).sum(axis=0) for each in contour_passes])
    found -= np.log(1j * w[:, None] - poles).sum(axis=1)
    found -= found[0]
    turned = (found.imag + 0.5 * np.pi) % np.pi - 0.5 * np.pi  # rows may have changed places
    if not max(np.abs(found.real).max(), np.abs(turned).max()) <= ALIKE:
        raise CircuitError("poles of the circuit lie too many decades apart to be told from rounding")


def _sensitivity(pencil: PencilEntries, left: Left, unit: np.ndarray, *, w: np.ndarray) -> np.ndarray:
    """Give the relative change of the determinant for that of each coefficient of each entry, (q, k).

    It is the entry's part times the transposed entry of the inverse (Jacobi's formula).
    """
    parts = np.array_split(w, 1 + len(w) // AT_ONCE)
    return np.concatenate([_sensitivity_at(pencil, left, unit, part) for part in parts])


def _sensitivity_at(pencil: PencilEntries, left: Left, unit: np.ndarray, w: np.ndarray) -> np.ndarray:
    rows, columns = left
    whole = _matrices(pencil, rows, columns, w) * unit[list(columns)]
    size = np.abs(whole).max(axis=2, keepdims=True)
    inverse = np.linalg.inv(whole / size)
    found = []
    for (row, column), series in pencil.items():
        if column < len(unit):
            i, j = rows.index(row), columns.index(column)
            share = unit[column] * inverse[:, j, i] / size[:, i, 0]
            found += [share * x * (1j * w) ** k for k, x in numbers(series)]
    return np.array(found).T
