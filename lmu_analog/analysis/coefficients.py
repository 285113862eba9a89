"""Calibration at the level of coefficients: the error each method leaves of a realization, without a circuit.

200 circuits, every coefficient p (1 + sigma z), errors in total (not added ones) in the norm of
``theory.coefficients``.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from lmu_analog.analysis.device_under_calibration import (
    DeviceUnderCalibration,
    Excitation,
    coefficient_device,
    excitation,
    power_error,
    responses,
)
from lmu_analog.analysis.readouts import ensemble_rows, fitted_rows, ideal_rows
from lmu_analog.analysis.trims import Knobs, importance, quantised, trimmed
from lmu_analog.memory.realizations import Realization

_OTHERS = 100  # circuits that one readout for all is fitted to
_BITS = 4


def calibrated_errors(
    realization: Realization, *, bandwidth: float, sigma: float, samples: int = 200, seed: int = 0
) -> dict[str, Float[np.ndarray, " s"]]:
    """Give the total window error of every circuit, after every method; fractions of the input.

    Parameters
    ----------
    realization : Realization
    bandwidth : float, Hz
        The band of the norm, of the excitation, and of the test.
    sigma : float
        Relative standard deviation of every coefficient, Gaussian.
    samples : int
    seed : int

    Returns
    -------
    dict
        Method to errors, (s,): ``nominal``, ``readout``, ``ensemble``, ``theta``, ``exact-k`` and ``trim`` (of as
        many elements as the order), ``dac`` (4 bits on every element).
    """
    device = coefficient_device(realization)
    given = excitation(device.order, bandwidth, theta=device.theta)
    random = np.random.default_rng(seed)
    spread = np.where(device.rates, 0.0, sigma)
    z = random.standard_normal((samples + _OTHERS, len(spread)))
    deviated = device.nominal * (1.0 + spread * z)
    values, others = deviated[:samples], deviated[samples:]
    rows = ideal_rows(device.order, given)

    def left(found: np.ndarray, by: np.ndarray = rows) -> np.ndarray:
        return power_error(responses(device, found, given.frequency), given, device.theta, rows=by)

    states = responses(device, values, given.frequency)
    return {
        "nominal": left(values),
        "readout": left(values, fitted_rows(states, given, device.theta)),
        "ensemble": left(
            values, ensemble_rows(responses(device, others, given.frequency), given, device.theta)
        ),
        **_by_knobs(device, values, given, spread, left),
    }


def _by_knobs(
    device: DeviceUnderCalibration,
    values: np.ndarray,
    given: Excitation,
    spread: np.ndarray,
    left: Callable[[np.ndarray], np.ndarray],
) -> dict[str, np.ndarray]:
    chosen = np.argsort(-importance(device, given, spread), kind="stable")[: device.order]
    exact = values.copy()
    exact[:, chosen] = device.nominal[chosen]
    few, theta = Knobs.on(chosen, len(device.nominal)), Knobs(device.rates[None])
    deviation = values / device.nominal - 1.0
    return {
        "theta": left(theta.turn(values, trimmed(device, values, theta, given=given))),
        "exact-k": left(exact),
        "trim": left(few.turn(values, trimmed(device, values, few, given=given))),
        "dac": left(device.nominal * (1.0 + deviation - quantised(deviation, spread, _BITS))),
    }
