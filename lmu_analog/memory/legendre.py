"""The ideal Legendre memory: its state space, and how well it holds a window."""

from functools import lru_cache

import numpy as np
from jaxtyping import Float

from lmu_analog.errors import DesignError, shown
from lmu_analog.memory.statespace import StateSpace, frequency_response
from lmu_analog.memory.window import quadrature_for, readout

HIGHEST_ORDER = 64
THETA_RANGE = (1e-12, 1e6)


def check_order(order: object) -> int:
    """Refuse an order that is not a whole number from 1 to 64."""
    if isinstance(order, bool) or not isinstance(order, int | np.integer):
        raise DesignError(f"order must be a whole number from 1 to {HIGHEST_ORDER}, not {shown(order)}")
    if not 1 <= order <= HIGHEST_ORDER:
        raise DesignError(f"order {shown(int(order))} is outside 1 to {HIGHEST_ORDER}")
    return int(order)


def check_theta(theta: float) -> float:
    """Refuse a window length, s, beyond sense."""
    low, high = THETA_RANGE
    if not low <= theta <= high:
        raise DesignError(f"theta = {theta:g} s is outside {low:g} to {high:g} s")
    return float(theta)


def legendre(order: int, theta: float = 1.0) -> StateSpace:
    """Build the memory theta m' = A m + B u whose states are Legendre coefficients of the window.

    a_ij = (2i+1) (-1 if i < j else (-1)^(i-j+1)), b_i = (2i+1) (-1)^i
    (Voelker, Kajić and Eliasmith, NeurIPS 2019, eqs 1 and 2).

    Parameters
    ----------
    order : int
        Number of states d, 1 to 64.
    theta : float, s
        Length of the window.

    Returns
    -------
    StateSpace
        Outputs are the states m, (d,).

    Raises
    ------
    DesignError
        If the order or theta is out of range.
    """
    order, theta = check_order(order), check_theta(theta)
    A, B = coefficients(order, theta)
    return StateSpace(A, B[:, None], np.eye(order), np.zeros((order, 1)))


def coefficients(
    order: int, theta: float = 1.0
) -> tuple[Float[np.ndarray, "{order} {order}"], Float[np.ndarray, " {order}"]]:
    """Give A, (d, d), and B, (d,), over theta, of any order: software has no limit, circuits have."""
    i, j = np.indices((order, order))
    scale = (2.0 * np.arange(order) + 1.0) / theta
    A = np.where(i < j, -1.0, (-1.0) ** (i - j + 1)) * scale[:, None]
    return A, (-1.0) ** np.arange(order) * scale


def window_length(system: StateSpace) -> float:
    """Read theta, s, off a Legendre memory: its trace is -d^2/theta."""
    return float(-(system.order**2) / np.trace(system.A))


def truncation_error(order: int, bandwidth_theta: float, *, tones: int = 10) -> float:
    """Window NRMSE of the ideal memory for equal tones at k/tones of the band.

    Parameters
    ----------
    order : int
        Number of states d.
    bandwidth_theta : float
        Highest frequency times theta, without unit.
    tones : int
        Number of tones.

    Returns
    -------
    float
        Root mean square error over the window as a fraction of the input's.
    """
    frequency = bandwidth_theta * np.arange(1, tones + 1) / tones
    wave = (frequency, np.ones(tones, complex))
    states = frequency_response(legendre(order), frequency)
    rule = quadrature_for(order, wave, 1.0)
    ideal = np.exp(-2j * np.pi * np.outer(frequency, rule.r))
    error = states @ readout(order, rule.r).T - ideal
    return float(np.sqrt(np.mean(np.abs(error) ** 2, axis=0) @ rule.weight))


def smallest_order(error: float, bandwidth_theta: float) -> int:
    """Give the smallest order whose truncation error over the band is within ``error``, a fraction."""
    for order in range(1, HIGHEST_ORDER + 1):
        if truncation_error(order, bandwidth_theta) <= error:
            return order
    raise DesignError(
        f"no order up to {HIGHEST_ORDER} keeps the error within {error:.3g} at bandwidth x theta = "
        f"{bandwidth_theta:.4g}; allow more error, a smaller bandwidth or a shorter theta"
    )


@lru_cache(maxsize=256)
def usable_band(order: int, error: float = 0.01) -> float:
    """Give the bandwidth times theta at which the truncation error reaches ``error`` (bisection, 1e-6)."""
    low, high = 1e-6, 2.0 * order
    while high - low > 1e-6 * high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if truncation_error(order, middle) <= error else (low, middle)
    return low
