"""The effective window length of a circuit."""

from typing import Any

import numpy as np
from jaxtyping import Complex, Float
from scipy.optimize import minimize_scalar

from lmu_analog.analysis.device_under_calibration import Excitation
from lmu_analog.analysis.readouts import ideal_rows

FACTORS, STEPS = (0.5, 2.0), 151


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
    found: Any = minimize_scalar(error, bounds=ends, options={"xatol": 1e-7})
    return theta * float(found.x)
