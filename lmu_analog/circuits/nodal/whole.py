"""All node equations of one circuit solved unreduced: the reference for the faster methods, sample by sample."""

import numpy as np
from jaxtyping import Complex, Float

from lmu_analog.circuits.nodal.pencil import PencilEntries

AGREED = 1e-7  # of the largest response: a larger difference rejects the faster method


def largest_deviation(values: Float[np.ndarray, "s m"], nominal: Float[np.ndarray, " m"]) -> int:
    """Find the sample that deviates most from the nominal circuit."""
    moves = np.where(nominal != 0.0, nominal, np.inf)
    ends = np.stack([values.min(axis=0), values.max(axis=0)])
    away = np.where(nominal != 0.0, np.abs(ends / moves - 1.0), 0.0)
    which, parameter = np.unravel_index(np.argmax(away), away.shape)
    return int(np.argmax(values[:, parameter] == ends[which, parameter]))


def response_of(pencil: PencilEntries, size: int, k: int, *, turns: Complex[np.ndarray, " f"]) -> np.ndarray:
    """Solve all node equations of sample k, ``size`` of them, at values of s in the table's unit; (f, p)."""
    outputs = 1 + max(row for row, _ in pencil) - size
    powers = np.zeros((2, size + outputs, size + 2))
    for at, series in pencil.items():
        for power, x in enumerate(series):
            if x is not None:
                powers[(power, *at)] = x[k] if isinstance(x, np.ndarray) and x.ndim else x
    return whole_response(powers, size, turns)


def whole_response(powers: np.ndarray, size: int, turns: np.ndarray) -> np.ndarray:
    """Solve all equations of one circuit.

    Parameters
    ----------
    powers : (2, N + p, N + 2) array
        Coefficients of 1 and s of the entries of ``elimination.table``.
    size : int
        Number N of unknowns.
    turns : (f,) complex array
        Values of s, in units of the rate.

    Returns
    -------
    (f, p) array
    """
    responses = []
    for s in turns:
        whole = powers[0] + s * powers[1]
        alike = np.abs(whole[:size, :size]).max(axis=1)  # rows of siemens and of 1/s
        try:
            v = np.linalg.solve(whole[:size, :size] / alike[:, None], whole[:size, size] / alike)
        except np.linalg.LinAlgError:
            v = np.full(size, np.nan)  # with which nothing agrees
        responses.append(whole[size:, :size] @ v - whole[size:, size])
    return np.array(responses)


def agree(found: Complex[np.ndarray, "f p"], wanted: Complex[np.ndarray, "f p"]) -> bool:
    """Tell whether a response is that of the whole circuit."""
    return bool(np.abs(found - wanted).max() <= AGREED * np.abs(wanted).max())
