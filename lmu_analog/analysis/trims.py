"""Knobs on element values: turned together towards the nominal response, or one by one to what was measured."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Complex, Float, Int

from lmu_analog.analysis.device_under_calibration import DeviceUnderCalibration, Excitation, responses
from lmu_analog.memory.sampled import steady_response
from lmu_analog.memory.stability import is_stable

_STEP = 1e-6  # relative, of a knob: the quotient is then right to about 1e-6
_ROUNDS = 6  # of Gauss and Newton; at 5 % mismatch the fourth changes the third digit
_DAMPING = 1e-7  # of the largest curvature: knobs that do the same share the work
_NEW = 0.03  # of an element's effect that others do not have, at least, for a knob of its own
RETREAT, RETREATS = 0.3, 3  # of a step that made things worse, and how often
_DAC_RANGE = 4.0  # sigma, either side


@dataclass(frozen=True, eq=False)
class Knobs:
    """What each of k knobs turns, (k, m) bool: the value of every element it holds, by the same factor."""

    turns: Bool[np.ndarray, "k m"]

    @classmethod
    def on(cls, chosen: np.ndarray, count: int) -> "Knobs":
        """Put a knob on each of the chosen elements of ``count``."""
        return cls(np.arange(count) == np.asarray(chosen)[:, None])

    def turn(
        self, values: Float[np.ndarray, "s m"], settings: Float[np.ndarray, "s k"]
    ) -> Float[np.ndarray, "s m"]:
        """Apply relative settings (s, k) to values (s, m)."""
        return values * (1.0 + settings @ self.turns)


def importance(
    device: DeviceUnderCalibration, given: Excitation, spread: Float[np.ndarray, " m"]
) -> Float[np.ndarray, " m"]:
    """Give the rms error that each element's spread, a relative standard deviation, adds alone."""
    slopes = _slopes(device, device.nominal[None], Knobs(np.eye(len(device.nominal), dtype=bool)), given)[0]
    return np.linalg.norm(slopes, axis=0) * spread


def most_useful(
    device: DeviceUnderCalibration, given: Excitation, spread: Float[np.ndarray, " m"], *, count: int
) -> Int[np.ndarray, " k"]:
    """Pick elements one after another, each the one whose knob undoes most of what is left; at most ``count``.

    The largest sensitivities may all do the same, such as the two resistors of an inverter; here the second of
    two such is worth nothing.

    Parameters
    ----------
    device : DeviceUnderCalibration
    given : Excitation
    spread : (m,) array
        Relative standard deviations; an element that does not deviate gets no knob.
    count : int
    """
    every = Knobs(np.eye(len(device.nominal), dtype=bool))
    left = _slopes(device, device.nominal[None], every, given)[0] * spread
    whole = np.linalg.norm(left, axis=0)
    chosen: list[int] = []
    while len(chosen) < count:
        length = np.linalg.norm(left, axis=0)
        new = length > _NEW * np.maximum(whole, _NEW * whole.max())
        if not new.any():
            break
        directions = np.where(new, left / np.where(new, length, 1.0), 0.0)
        chosen.append(int(np.argmax(np.linalg.norm(left.T @ directions, axis=0))))
        direction = directions[:, chosen[-1]]
        left = left - np.outer(direction, direction @ left)
    return np.array(chosen, int)


def trimmed(
    device: DeviceUnderCalibration, values: Float[np.ndarray, "s m"], knobs: Knobs, *, given: Excitation
) -> Float[np.ndarray, "s k"]:
    """Turn knobs until the response is nearest to the nominal one.

    Least squares over tones and states in the norm of the window error, by damped Gauss-Newton steps with the
    derivatives of each circuit.

    Parameters
    ----------
    device : DeviceUnderCalibration
    values : (s, m) array
        Of mismatched circuits.
    knobs : Knobs
    given : Excitation

    Returns
    -------
    (s, k) array
        Relative settings.
    """
    settings = np.zeros((len(values), len(knobs.turns)))
    nominal = responses(device, device.nominal[None], given.frequency)
    error, size = _tried(device, values, given, nominal)
    for _ in range(_ROUNDS):
        slopes = _slopes(device, knobs.turn(values, settings), knobs, given) / (1.0 + settings)[:, None, :]
        curvature = np.swapaxes(slopes, -1, -2) @ slopes
        top = np.max(np.diagonal(curvature, axis1=-2, axis2=-1), axis=-1)
        damped = curvature + _DAMPING * top[:, None, None] * np.eye(curvature.shape[-1])
        step = -np.linalg.solve(damped, np.swapaxes(slopes, -1, -2) @ error[..., None])[..., 0]
        tried, reached = _tried(device, knobs.turn(values, settings + step), given, nominal)
        for _ in range(RETREATS):
            if not (reached > size).any():
                break
            step = np.where((reached > size)[:, None], RETREAT * step, step)
            tried, reached = _tried(device, knobs.turn(values, settings + step), given, nominal)
        better = (reached <= size)[:, None]
        settings, error = settings + np.where(better, step, 0.0), np.where(better, tried, error)
        size = np.where(better[:, 0], reached, size)
    return settings


def quantised(
    wanted: Float[np.ndarray, "s k"], sigma: Float[np.ndarray, " k"], bits: int
) -> Float[np.ndarray, "s k"]:
    """Round settings to the 2^bits mid-rise levels of DACs that reach four sigma either side.

    Parameters
    ----------
    wanted : (s, k) array
    sigma : (k,) array
        Of what each DAC must cover; where it is zero there is nothing to set.
    bits : int
    """
    step = resolution(sigma, bits)
    return np.where(step > 0.0, (levels(wanted, sigma, bits) + 0.5) * step, 0.0)


def resolution(sigma: Float[np.ndarray, " k"], bits: int) -> Float[np.ndarray, " k"]:
    """Give the steps of such DACs, in the unit of sigma."""
    return 2.0 * _DAC_RANGE * sigma / 2**bits


def levels(
    wanted: Float[np.ndarray, "s k"], sigma: Float[np.ndarray, " k"], bits: int
) -> Int[np.ndarray, "s k"]:
    """Give the signed codes of such DACs, -2^(bits-1) to 2^(bits-1) - 1: code c stands for (c + 1/2) steps."""
    step = resolution(sigma, bits)
    half = 2 ** (bits - 1)
    code = np.clip(np.floor(wanted / np.where(step > 0.0, step, 1.0)), -half, half - 1)
    return np.asarray(code, np.int64)


def _tried(
    device: DeviceUnderCalibration, values: np.ndarray, given: Excitation, nominal: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Give the real vector, (s, e), whose length is the added window error, and that length.

    Infinite where a circuit is unstable: a response alone does not tell, mirrored poles can have the same one.
    """
    system = device.system(values)
    error = _real(steady_response(system, given.frequency) - nominal, given)
    return error, np.where(is_stable(system), np.linalg.norm(error, axis=1), np.inf)


def _real(states: Complex[np.ndarray, "s f d"], given: Excitation) -> np.ndarray:
    weight = np.sqrt(given.power[:, None] / (2.0 * np.arange(states.shape[-1]) + 1.0))
    flat = (states * weight).reshape(len(states), -1)
    return np.concatenate([flat.real, flat.imag], axis=-1)


def _slopes(
    device: DeviceUnderCalibration, values: np.ndarray, knobs: Knobs, given: Excitation
) -> np.ndarray:
    """Differentiate the residual by the knobs, relative; (s, e, k)."""
    moved = values * (1.0 + _STEP * np.concatenate([np.zeros_like(knobs.turns[:1]), knobs.turns])[:, None])
    found = responses(device, moved.reshape(-1, values.shape[-1]), given.frequency)
    real = _real(found, given).reshape(*moved.shape[:2], -1)
    return np.moveaxis((real[1:] - real[0]) / _STEP, 0, -1)
