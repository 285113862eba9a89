"""Readouts, and the effective window length, of circuits: least squares over the responses to a stated excitation."""

from dataclasses import replace
from typing import Any

import numpy as np
import scipy
from jaxtyping import Complex, Float

from lmu_analog.analysis.device_under_calibration import Excitation
from lmu_analog.memory import window

RIDGE = 3e-7  # of trace(G)/d: weights stay small where states hardly differ
FACTORS, STEPS = (0.5, 2.0), 151  # of theta, that are searched
_SERIES = 1e-10  # Legendre coefficients of the band's delays below it are left out


def ideal_rows(order: int, given: Excitation) -> Float[np.ndarray, "q d"]:
    """Give the readout of the ideal memory at the places of an excitation, (q, d)."""
    return window.readout(order, given.rule.r)


def fitted_rows(
    states: Complex[np.ndarray, "s f d"], given: Excitation, theta: float
) -> Float[np.ndarray, "s q d"]:
    """Fit a readout to every circuit: least squares with real weights for each place in the window.

    With X the states for unit input and e the delays exp(-jwr), W = (G + ridge)^-1 Re <X^* e>, G = Re <X^* X>
    and ridge = 3e-7 trace(G)/d.

    Parameters
    ----------
    states : (s, f, d) complex array
        From ``device.responses`` at the tones of the excitation.
    given : Excitation
    theta : float, s
    """
    gram, wanted = _moments(states, given, theta)
    return _solved(gram, wanted)


def ensemble_rows(
    states: Complex[np.ndarray, "s f d"], given: Excitation, theta: float
) -> Float[np.ndarray, "q d"]:
    """Fit one readout to all circuits together: the least mean square error over the ensemble."""
    gram, wanted = _moments(states, given, theta)
    return _solved(gram.mean(axis=0), wanted.mean(axis=0))


def coefficients_of(rows: Float[np.ndarray, "*s q d"], given: Excitation) -> Float[np.ndarray, "*s n d"]:
    """Give fitted rows at the places of ``series`` as Legendre coefficients K: the window is P_i(2r - 1) (K m)_i.

    So one matrix reads the window at every r; of the ideal memory's own readout it is the identity.
    """
    r, weight = given.rule.r, given.rule.weight
    n = len(r)
    onto = (2.0 * np.arange(n) + 1.0)[:, None] * window.readout(n, r).T * weight
    return onto @ rows


def series(given: Excitation, theta: float, order: int) -> Excitation:
    """Give an excitation the places in the window at which rows determine their Legendre coefficients.

    A delay exp(-jwr theta) has the coefficients (2n+1) |j_n(w theta/2)| (Rayleigh; DLMF 10.60.8), which fall below
    any bound soon after n = w theta/2; a fit is linear in them.
    """
    half = np.pi * theta * float(given.frequency.max())
    n = np.arange(int(order + half + 60))
    size = (2.0 * n + 1.0) * np.abs(scipy.special.spherical_jn(n, half))
    count = max(order, int(np.flatnonzero(size >= _SERIES)[-1]) + 1)
    return replace(given, rule=window.gauss_legendre(count))


def _moments(states: np.ndarray, given: Excitation, theta: float) -> tuple[np.ndarray, np.ndarray]:
    """Give G, (s, d, d), and Re <X^* e>, (s, d, q)."""
    weighted = np.conj(np.swapaxes(states, -1, -2)) * given.power
    delays = np.exp(-2j * np.pi * theta * np.outer(given.frequency, given.rule.r))
    return np.real(weighted @ states), np.real(weighted @ delays)


def _solved(gram: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    order = gram.shape[-1]
    ridge = RIDGE * np.trace(gram, axis1=-2, axis2=-1)[..., None, None] / order * np.eye(order)
    return np.swapaxes(np.linalg.solve(gram + ridge, wanted), -1, -2)


def effective_theta(states: Complex[np.ndarray, "f d"], given: Excitation, theta: float) -> float:
    """Give the window length, s, whose ideal delays fit a circuit's window best: least squares over band and window.

    Parameters
    ----------
    states : (f, d) complex array
        Legendre states for unit input at the tones of the excitation.
    given : Excitation
    theta : float, s
        That the circuit is meant to have; from half to twice it is searched.
    """
    estimate = states @ ideal_rows(states.shape[1], given).T
    turns = -2j * np.pi * theta * np.outer(given.frequency, given.rule.r)

    def error(factor: float) -> float:
        apart = np.abs(estimate - np.exp(factor * turns)) ** 2
        return float(given.power @ apart @ given.rule.weight)

    # The error has many minima over the factor; the deepest is found on a grid, then polished.
    tried: Float[np.ndarray, " k"] = np.geomspace(*FACTORS, STEPS)
    best = int(np.argmin([error(factor) for factor in tried]))
    ends = tried[max(best - 1, 0)], tried[min(best + 1, len(tried) - 1)]
    found: Any = scipy.optimize.minimize_scalar(error, bounds=ends, options={"xatol": 1e-7})
    return theta * float(found.x)
