"""Periodic steady states of nonlinear circuits, by harmonic balance, many samples at once.

The linear part is solved exactly, one complex system a harmonic; the nonlinear laws are evaluated in time, on a grid
fine enough for all its products of third order, and comes back as sources (Nakhla and Vlach, IEEE Trans.
Circuits and Systems 23, 1976). The sources are small by the loop gain, so the fixed point converges; the
linear part takes the middle of the range of slopes, which keeps it converging where they are steep.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float, Int

from lmu_analog.circuits.nodal.saturation import Limits, centred, saturate
from lmu_analog.circuits.nodal.stamps import Equations

OVERSAMPLING = 4  # grid points a harmonic: products of third order do not fold onto kept harmonics
MOST_ROUNDS = 40
SETTLED = 1e-7  # error of the waveforms, of their rms, by how fast the rounds close in
LOST = 100.0  # share of a limit: a sample that gets there does not come back
STEEPEST = (
    50.0  # slope that the linear part may take, that at 0.9995 of a swing; beyond it rounds would crawl
)


@dataclass(frozen=True, eq=False)
class Drive:
    """A periodic input.

    Attributes
    ----------
    rate : float, rad/s
        Of the period.
    harmonic : (k,) int array
        Which harmonics the input has.
    phasor : (k,) complex array, V
        The input is the real part of the sum of phasor exp(j harmonic rate t).
    highest : int
        Highest harmonic that is kept of the waveforms.
    """

    rate: float
    harmonic: Int[np.ndarray, " k"]
    phasor: Complex[np.ndarray, " k"]
    highest: int

    @property
    def spectrum(self) -> Complex[np.ndarray, " h"]:
        """Coefficients at 0 .. highest; a waveform is their sum with those of the negative harmonics."""
        found = np.zeros(self.highest + 1, complex)
        found[self.harmonic] = 0.5 * self.phasor
        return found


@dataclass(frozen=True, eq=False)
class Balance:
    """Steady states of s samples.

    Attributes
    ----------
    outputs : (s, h, p) complex array, V
        Coefficients of the outputs at harmonics 0 .. highest.
    residual : (s,) array
        Estimated error of the saturating voltages, of their rms.
    left_out : (s, p) array, V
        Estimated rms of the outputs' part above the highest harmonic.
    share : (s,) array
        Largest share of a rail, slew limit or input range that is used.
    """

    outputs: Complex[np.ndarray, "s h p"]
    residual: Float[np.ndarray, " s"]
    left_out: Float[np.ndarray, "s p"]
    share: Float[np.ndarray, " s"]


def balance(
    equations: Equations,
    limited: Limits,
    probes: tuple[Float[np.ndarray, "p N"], Float[np.ndarray, "p 1"]],
    *,
    drive: Drive,
) -> Balance:
    """Find the periodic steady state; a sample stops by its own residual, so it does not depend on those beside it.

    Parameters
    ----------
    equations : Equations
        Of the linear circuit, s samples.
    limited : Limits
        The nonlinear laws, of the same samples.
    probes : (p, N) and (p, 1) arrays
        Outputs from the unknowns and from the input.
    drive : Drive
        The input, and how many harmonics are kept.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the equations are singular.
    """
    centre = _centre(equations, limited, drive)
    responses = _responses(centred(equations, limited, centre), limited, probes, drive)
    samples, count, n = len(centre), drive.highest + 1, len(limited.seen)
    from_w, linear = responses[..., :n], responses[..., n]
    z_from_w, outputs_from_w = from_w[:, :, :n], from_w[:, :, n:]
    z = linear[..., :n].copy()
    w = np.zeros(
        (samples, OVERSAMPLING * drive.highest // 2 + 1, n), complex
    )  # to twice the highest harmonic
    residual, share, change = np.full(samples, np.inf), np.zeros(samples), np.zeros(samples)
    live = np.arange(samples)
    for _ in range(MOST_ROUNDS):
        if not len(live):
            break
        w[live], share[live] = _sources(limited.of(live), z[live], drive, centre[live])
        fresh = linear[live, :, :n] + (z_from_w[live] @ w[live, :count, :, None])[..., 0]
        before, now = change[live], _rms(fresh - z[live]) / np.maximum(_rms(fresh), 1e-300)
        residual[live], change[live], z[live] = _left(now, before), now, fresh
        live = live[(residual[live] > SETTLED) & (share[live] < LOST)]
    outputs = linear[..., n:] + (outputs_from_w @ w[:, :count, :, None])[..., 0]
    beyond = np.sqrt(2.0 * np.sum(np.abs(w[:, count:]) ** 2, axis=1))
    left_out = (np.abs(outputs_from_w[:, -1]) @ beyond[..., None])[..., 0]
    return Balance(outputs, residual, left_out, share)


def _left(change: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Estimate what is left after changes that shrink by a factor: a small change alone may be a slow one."""
    shrinking = change < before
    ratio = np.where(shrinking, change, 0.0) / np.where(shrinking, before, 1.0)
    return np.where(shrinking | (change == 0.0), change * np.maximum(1.0, ratio / (1.0 - ratio)), np.inf)


def _rms(spectrum: np.ndarray) -> np.ndarray:
    return np.sqrt(np.sum(np.abs(spectrum) ** 2, axis=(1, 2)))


def _centre(equations: Equations, limited: Limits, drive: Drive) -> np.ndarray:
    """Take the middle of the slopes that the linear waveforms meet, (s, n, 1)."""
    one = np.ones((len(equations.E), len(limited.seen), 1))
    z = np.zeros((len(one), drive.highest + 1, one.shape[1]), complex)
    for h in (0, *drive.harmonic.tolist()):
        v = np.linalg.solve(_system(equations, h * drive.rate), _right(equations, drive, h))
        z[:, h] = (limited.seen @ v)[..., 0] + limited.direct * drive.spectrum[h]
    time, rate = _waveforms(z, drive)
    slope = np.minimum(saturate(limited.law, time, rate, centre=one).slope, STEEPEST)
    return 0.5 * (slope.min(axis=-1, keepdims=True) + slope.max(axis=-1, keepdims=True))


def _system(equations: Equations, w: float) -> np.ndarray:
    return 1j * w * equations.E - equations.F


def _right(equations: Equations, drive: Drive, harmonic: int) -> np.ndarray:
    G, E_u, h = (equations.drive[..., k : k + 1] for k in range(3))
    right = (G - 1j * harmonic * drive.rate * E_u) * drive.spectrum[harmonic]
    return right + h if harmonic == 0 else right


def _responses(
    equations: Equations, limited: Limits, probes: tuple[np.ndarray, np.ndarray], drive: Drive
) -> np.ndarray:
    """Give z and outputs of the linear part, (s, h, n + p, n + 1): from w, then from the input and offsets."""
    output, feedthrough = probes
    read = np.vstack([limited.seen, output])
    straight = np.concatenate([limited.direct, feedthrough[:, 0]])
    samples, n = len(equations.E), len(limited.seen)
    found = np.empty((samples, drive.highest + 1, len(read), n + 1), complex)
    for h in range(drive.highest + 1):
        right = np.concatenate([limited.push, _right(equations, drive, h)], axis=-1)
        found[:, h] = read @ np.linalg.solve(_system(equations, h * drive.rate), right)
        found[:, h, :, n] += straight * drive.spectrum[h]
    return found


def _waveforms(z: np.ndarray, drive: Drive) -> tuple[np.ndarray, np.ndarray]:
    """Give waveforms and their derivatives, (s, n, t), from coefficients (s, h, n)."""
    spectrum = np.swapaxes(z, 1, 2)
    turning = 1j * drive.rate * np.arange(drive.highest + 1)
    points = OVERSAMPLING * drive.highest
    both = np.fft.irfft(np.stack([spectrum, turning * spectrum]), points, axis=-1, norm="forward")
    return both[0], both[1]


def _sources(
    limited: Limits, z: np.ndarray, drive: Drive, centre: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Evaluate the sources in time: their coefficients (s, h, n), and the largest share of a limit, (s,)."""
    found = saturate(limited.law, *_waveforms(z, drive), centre=centre)
    w = np.fft.rfft(found.w, axis=-1, norm="forward")
    return np.swapaxes(w, 1, 2), found.share.max(axis=(1, 2))
