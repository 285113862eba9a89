"""Which of thousands of systems are stable, without the eigenvalues of most of them.

Two certificates, each sufficient, in coordinates that suit the mean of all systems: a common Lyapunov function
(A + A' negative definite), and powers of the Cayley map (1 + hA)/(1 - hA), whose spectral radius is below one
just where A is stable (Franklin, Powell and Workman, Digital Control of Dynamic Systems, 1998, section 6.1): a
power with a norm below one proves it. What neither proves is left to the eigenvalues.
"""

import warnings

import numpy as np
from jaxtyping import Bool, Float
from scipy import linalg

from lmu_analog.memory.statespace import StateSpace, growth

MARGIN = 0.3  # of the mean system's slowest decay that the Lyapunov function is asked to keep
LARGEST_LYAPUNOV = 16  # states; beyond, mismatch of a percent outgrows any common function
NEGLIGIBLE = 1e-12  # of the largest pole: a decay below it is rounding
SQUARINGS = 11
# Of Newton's iteration, and the residual whose square is rounding in single precision.
ROUNDS, CLOSE = 5, 1e-3
MOST = 0.98  # of the matrices: the rest is quicker inverted than waited for
PROVED = 0.9  # a Frobenius norm below it: single precision errs by some 1e-5


def is_stable(system: StateSpace) -> Bool[np.ndarray, " s"]:
    """Tell which systems are stable, (s,) bool; the same answer as ``growth(system) < 0``.

    Parameters
    ----------
    system : StateSpace
        One leading axis s.
    """
    if system.dt is not None:
        return np.asarray(growth(system) < 0.0)
    A = system.A
    proved = np.zeros(len(A), bool)
    if (proof := certificate(A.mean(axis=0))) is not None:
        T, step = proof
        turned = T @ A @ np.linalg.inv(T)
        if A.shape[-1] <= LARGEST_LYAPUNOV:
            proved = _contracting(turned)
        if len(left := np.flatnonzero(~proved)):
            proved[left] = _powers_shrink(turned[left], step)
    for k in np.flatnonzero(~proved):
        proved[k] = np.linalg.eigvals(A[k]).real.max() < 0.0
    return proved


def certificate(mean: Float[np.ndarray, "n n"]) -> tuple[np.ndarray, float] | None:
    """Give T of coordinates T x, (n, n), and step h of a Cayley map that suit systems near this one.

    None where it is not stable itself.
    """
    poles = np.linalg.eigvals(mean)
    decay, sizes = -float(poles.real.max()), np.abs(poles)
    if not decay > NEGLIGIBLE * sizes.max():
        return None
    return _coordinates(mean, decay), 1.0 / float(np.sqrt(sizes.min() * sizes.max()))


def _coordinates(mean: Float[np.ndarray, "n n"], decay: float) -> np.ndarray:
    """Give T of z = T x in which the mean system's states shrink together."""
    n = len(mean)
    P = lyapunov((mean + MARGIN * decay * np.eye(n)).T, np.eye(n))
    if P is None:
        return np.eye(n)
    try:
        return np.linalg.cholesky(0.5 * (P + P.T)).T
    except np.linalg.LinAlgError:
        return np.eye(n)


def lyapunov(A: Float[np.ndarray, "n n"], Q: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"] | None:
    """Solve A X + X A' + Q = 0; None where poles that mirror each other leave no solution."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            return np.asarray(linalg.solve_continuous_lyapunov(A, -Q))
        except (RuntimeWarning, np.linalg.LinAlgError):
            return None


def _contracting(A: np.ndarray) -> np.ndarray:
    """Tell where -(A + A') has positive pivots, (s,) bool."""
    S = np.array(-(A + A.transpose(0, 2, 1)).transpose(1, 2, 0), order="C")
    positive = np.ones(S.shape[-1], bool)
    for k in range(len(S)):
        positive &= S[k, k] > 0.0
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            row = S[k, k + 1 :] / S[k, k]
            S[k + 1 :, k + 1 :] -= S[k + 1 :, k, None] * row
    return positive


def _powers_shrink(A: np.ndarray, step: float) -> np.ndarray:
    """Tell where a power of the Cayley map has a norm below one, (s,) bool."""
    unit = np.eye(A.shape[-1], dtype=np.float32)
    try:
        power = 2.0 * _inverses(unit - (step * A).astype(np.float32)) - unit
    except np.linalg.LinAlgError:
        return np.zeros(len(A), bool)
    proved = np.zeros(len(A), bool)
    left = np.arange(len(A))
    for _ in range(SQUARINGS):
        with np.errstate(over="ignore", invalid="ignore"):
            power = power @ power
            norm = np.sqrt(np.einsum("sij,sij->s", power, power))
        done = norm < PROVED
        proved[left[done]] = True
        power, left = power[~done], left[~done]
        if not len(left):
            break
    return proved


def _inverses(M: np.ndarray) -> np.ndarray:
    """Invert matrices that are much alike, (s, n, n), by Newton's iteration (Schulz, 1933) from their mean's inverse.

    Its residual squares in every round; where it does not, LAPACK inverts.
    """
    unit = np.eye(M.shape[-1], dtype=M.dtype)
    X = np.broadcast_to(np.linalg.inv(M.mean(axis=0)), M.shape)
    close = np.zeros(len(M), bool)
    for _ in range(ROUNDS):
        with np.errstate(over="ignore", invalid="ignore"):
            rest = unit - M @ X
            X = X + X @ rest
            close = np.abs(rest).max(axis=(1, 2)) < CLOSE
        if close.mean() > MOST:
            break
    if not close.all():
        X[~close] = np.linalg.inv(M[~close])
    return X
