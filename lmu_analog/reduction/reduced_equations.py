"""The reduced equations of a circuit (a Schur complement), as arrays; Gauss-Jordan steps take M_1 to nearly one."""

from dataclasses import dataclass

import numpy as np

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.nodal.pencil import Order, PencilEntries, eliminate, pencil_entries
from lmu_analog.circuits.nodal.unknowns import Index
from lmu_analog.errors import CircuitError

TINY = 1e-9  # a pivot below is rounding
WEAK = 3e-3  # of the largest entry of its row: what is smaller is left to the iteration of the right solvent


@dataclass(frozen=True, eq=False)
class BalancingTransform:
    """Row scaling and balanced coordinates from the nominal circuit: the solvent is close to its start in them.

    Attributes
    ----------
    left : (n, n) array
        What the equations are multiplied by.
    right : (n, n) array
        Coordinates z of x = right z, in which the input drives all states alike: A is nearly skew in them,
        and its powers grow no faster than its poles (Mullis and Roberts, IEEE Trans. Circuits Syst. 23, 1976).
    start : (n, n) array
        The nominal solvent in these coordinates.
    """

    left: np.ndarray
    right: np.ndarray
    start: np.ndarray


@dataclass(frozen=True, eq=False)
class Reduction:
    """How a circuit comes down to its slow states.

    Attributes
    ----------
    circuit : Circuit
    index : Index
    order : Order
    rate : float, 1/s
        Unit of s.
    degree : int
        Highest power of s that is kept.
    gauss_jordan_steps : tuple of (int, tuple of int)
        Gauss-Jordan steps: for every unknown the equation of its pivot, and those it is eliminated from.
    band : float, Hz
        Highest frequency at which the response counts.
    balancing : BalancingTransform or None
        Needed where the nominal M_2, M_3, ... are not small.
    """

    circuit: Circuit
    index: Index
    order: Order
    rate: float
    degree: int
    gauss_jordan_steps: tuple[tuple[int, int, tuple[int, ...]], ...]
    band: float
    balancing: BalancingTransform | None = None


def plan_gauss_jordan(
    circuit: Circuit, index: Index, order: Order, *, rate: float
) -> tuple[tuple[int, int, tuple[int, ...]], ...]:
    """Plan the Gauss-Jordan steps that take the nominal M_1 to the unit matrix: what is large, largest pivot first."""
    pencil = pencil_entries(circuit, index, circuit.values[None], rate=rate)
    for step in order.steps:
        eliminate(pencil, step, 1)
    bare = Reduction(circuit, index, order, rate, 1, (), rate)
    n = len(order.rows)
    W = reduced_equations(bare, pencil, slice(0, 1))[:, n : 2 * n, 0].copy()
    found: dict[int, tuple[int, tuple[int, ...]]] = {}
    left = set(range(len(W)))
    for _ in range(len(W)):
        W /= np.maximum(np.abs(W).max(axis=1, keepdims=True), 1e-300)
        open_columns = [j for j in range(len(W)) if j not in found]
        i, j = max(((i, j) for i in left for j in open_columns), key=lambda at: abs(W[at]))
        if abs(W[i, j]) < TINY:
            raise CircuitError("a state of the circuit stores nothing")
        others = tuple(k for k in range(len(W)) if k != i and abs(W[k, j]) > WEAK)
        for k in others:
            W[k] -= W[k, j] / W[i, j] * W[i]
        found[j] = (i, others)
        left.remove(i)
    return tuple((j, *found[j]) for j in found)


def reduced_equations(
    reduction: Reduction,
    pencil: PencilEntries,
    stretch: slice,
    *,
    workspace: np.ndarray | None = None,
) -> np.ndarray:
    """Write the reduced equations as one array, (n, k, s): M_0, M_1, ..., b_0, b_1, ..., constants.

    ``workspace`` is an array of an earlier call to write to: fresh memory costs more than the arithmetic.
    """
    place = {row: k for k, row in enumerate(reduction.order.rows)}
    where = {column: k for k, column in enumerate(reduction.order.columns)}
    n, samples, size = len(place), stretch.stop - stretch.start, reduction.index.size
    mine = [(place[row], column, series) for (row, column), series in pencil.items() if row in place]
    powers = max(2, *(len(series) for *_, series in mine))
    if workspace is None or workspace.shape[-1] != samples:
        workspace = np.empty((n, (n + 1) * powers + 1, samples))
    workspace.fill(0.0)
    for i, column, series in mine:
        for k, x in enumerate(series):
            if x is None:
                continue
            part = x[stretch] if isinstance(x, np.ndarray) and x.ndim else x
            if column in where:
                unit = reduction.order.unit[column]
                workspace[i, n * k + where[column]] = part if unit == 1.0 else unit * part
            elif column == size:
                workspace[i, n * powers + k] = part
            elif k == 0:
                workspace[i, -1] = part
    return workspace


def gauss_jordan(
    reduction: Reduction, W: np.ndarray
) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray | None]:
    """Take M_1 to nearly the unit matrix, in place; then M_k (s, n, n), b_k (s, n), constants or None."""
    n = len(W)
    powers = (W.shape[1] - 1) // (n + 1)
    used = slice(None) if W[:, -1].any() else slice(W.shape[1] - 1)
    rows = np.zeros(n, int)
    for j, i, others in reduction.gauss_jordan_steps:
        W[i, used] *= 1.0 / W[i, n + j]
        for k in others:
            W[k, used] -= W[k, n + j] * W[i, used]
        rows[j] = i
    balancing = reduction.balancing
    if balancing is None:
        V = W[rows]
    else:  # one product for all samples
        left = np.empty_like(balancing.left)
        left[:, rows] = balancing.left
        V = (left @ W.reshape(n, -1)).reshape(W.shape)
    M = [_samples_first(V[:, n * k : n * (k + 1)]) for k in range(powers)]
    if balancing is not None:
        M = [(part.reshape(-1, n) @ balancing.right).reshape(part.shape) for part in M]
    b = [_samples_first(V[:, n * powers + k]) for k in range(powers)]
    return M, b, _samples_first(V[:, -1]) if used == slice(None) else None


def _samples_first(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(x, -1, 0))


def probe_series(
    reduction: Reduction, pencil: PencilEntries, samples: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Give C_k and D_k, without a sample axis where no sample differs; constants are in ``shown_constants``."""
    where = {column: k for k, column in enumerate(reduction.order.columns)}
    size = reduction.index.size
    mine = {(i - size, j): series for (i, j), series in pencil.items() if i >= size}
    C, D = [], []
    for k in range(max(len(series) for series in mine.values())):
        parts = {at: series[k] for at, series in mine.items() if len(series) > k and series[k] is not None}
        lead = () if not any(isinstance(x, np.ndarray) and x.ndim for x in parts.values()) else (samples,)
        C.append(np.zeros((*lead, reduction.circuit.order, len(where))))
        D.append(np.zeros((*lead, reduction.circuit.order)))
        for (i, j), x in parts.items():
            if j in where:
                C[k][..., i, where[j]] = x * reduction.order.unit[j]
            elif j == size:
                D[k][..., i] = -np.asarray(x)
    return C, D


def shown_constants(reduction: Reduction, pencil: PencilEntries, samples: int) -> np.ndarray | None:
    """Give what the probes show of constants by themselves, beside the slow states, (s, p); None without any."""
    size = reduction.index.size
    mine = {i - size: series[0] for (i, j), series in pencil.items() if i >= size and j == size + 1}
    if not mine:
        return None
    found = np.zeros((samples, reduction.circuit.order))
    for i, x in mine.items():
        found[:, i] = -np.asarray(0.0 if x is None else x)
    return found
