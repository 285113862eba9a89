"""Variance of noise in a linear system: exactly by Lyapunov for white noise, over frequency for the rest."""

import math

import numpy as np
from jaxtyping import Float
from scipy import linalg

from lmu_analog.circuits.nodal.noise import NoiseSystem
from lmu_analog.errors import SimulationError
from lmu_analog.memory.window import gauss_legendre

_POINTS = 10  # a panel of frequencies, whose ends are poles: more move no result by 1e-6
_WIDEST = math.e  # ratio of the ends of a panel of 1/f noise
_FAR = 30.0  # times the fastest pole: beyond it lies 1e-3 of what 1/f noise there is at that pole


def _observability(A: Float[np.ndarray, "n n"], rows: Float[np.ndarray, "q n"]) -> Float[np.ndarray, "q n n"]:
    """Solve A^T X + X A + c^T c = 0 for every row c; unit white noise that enters by b has the power b^T X b.

    One Schur form serves all rows (Bartels and Stewart, Communications of the ACM 15, 1972).

    Parameters
    ----------
    A : (n, n) array, 1/s
        Stable.
    rows : (q, n) array
    """
    T, U = linalg.schur(A)[:2]
    (solve,) = linalg.get_lapack_funcs(("trsyl",), (T,))
    seen = rows @ U
    found = [solve(T, T, -np.outer(c, c), trana="T") for c in seen]
    return np.array([U @ (X / scale) @ U.T for X, scale, _ in found])


def white_power(system: NoiseSystem, rows: Float[np.ndarray, "q p"]) -> Float[np.ndarray, "q k"]:
    """Give the power of every white source at every combination of outputs, over all frequencies, V^2.

    Parameters
    ----------
    system : NoiseSystem
    rows : (q, p) array
        Weights of the outputs.

    Returns
    -------
    (q, k) array
        Infinite where a source reaches the output at once.

    Raises
    ------
    SimulationError
        If the circuit is unstable.
    """
    if len(system.A) and (rate := np.linalg.eigvals(system.A).real.max()) >= 0.0:
        raise SimulationError(
            f"the circuit is unstable: a pole has the real part {rate:.3g} 1/s, and its noise no finite power"
        )
    X = _observability(system.A, rows @ system.C)
    # Half of a one-sided density is the intensity of the process.
    power = 0.5 * system.density * np.einsum("nk,qnm,mk->qk", system.B, X, system.B, optimize=True)
    return np.where(rows @ system.D == 0.0, power, np.where(system.density == 0.0, 0.0, math.inf))


def flicker_power(
    system: NoiseSystem, rows: Float[np.ndarray, "q p"], band: tuple[float, float]
) -> Float[np.ndarray, "q k"]:
    """Give the power of the 1/f noise of every source within a band, V^2.

    Parameters
    ----------
    system : NoiseSystem
    rows : (q, p) array
    band : (lowest, highest), Hz
        The highest may be infinite: all that the circuit lets through is then taken.

    Returns
    -------
    (q, k) array
    """
    total = np.zeros((len(rows), len(system.sources)))
    chosen = np.flatnonzero((system.corner > 0.0) & (system.density > 0.0))
    low, high = band
    if not len(chosen):
        return total
    poles = np.abs(np.linalg.eigvals(system.A)) / (2.0 * np.pi)
    high = high if math.isfinite(high) else _FAR * max(low, float(poles.max(initial=low)))
    frequency, weight = _panels(
        np.log(poles[poles > 0.0]), (math.log(low), math.log(high)), math.log(_WIDEST)
    )
    gain = _gains(system, rows, np.exp(frequency), chosen)
    total[:, chosen] = np.einsum("f,fqk->qk", weight, gain) * (system.density * system.corner)[chosen]
    return total


def band_power(
    system: NoiseSystem, rows: Float[np.ndarray, "q p"], highest: float
) -> Float[np.ndarray, "q k"]:
    """Give the power of the white noise of every source from 0 to ``highest``, Hz, by integration, V^2."""
    poles = np.abs(np.linalg.eigvals(system.A)) / (2.0 * np.pi)
    frequency, weight = _panels(poles, (0.0, highest), highest / 4.0)
    gain = _gains(system, rows, frequency, np.arange(len(system.sources)))
    return np.einsum("f,fqk->qk", weight, gain) * system.density


def _panels(poles: np.ndarray, ends: tuple[float, float], widest: float) -> tuple[np.ndarray, np.ndarray]:
    """Give points and weights of Gauss-Legendre panels that end at the poles and are no wider than allowed."""
    low, high = ends
    count = max(1, math.ceil((high - low) / widest))
    inside = poles[(poles > low) & (poles < high)]
    edges = np.unique(np.concatenate([np.linspace(low, high, count + 1), inside]))
    rule, width = gauss_legendre(_POINTS), np.diff(edges)[:, None]
    return (edges[:-1, None] + width * rule.r).ravel(), (width * rule.weight).ravel()


def _gains(system: NoiseSystem, rows: np.ndarray, frequency: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Give |H|^2 from the chosen sources to the rows, (f, q, k): one adjoint solve a frequency."""
    B, D = system.B[:, chosen], system.D[:, chosen]
    identity = np.eye(len(system.A))
    gains = []
    for s in 2j * np.pi * frequency:
        adjoint = np.linalg.solve((s * identity - system.A).T, system.C.T.astype(complex))
        gains.append(np.abs(rows @ (adjoint.T @ B + D)) ** 2)
    return np.array(gains)
