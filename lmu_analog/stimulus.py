"""Inputs of the memory: a periodic sum of tones, or a recording."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import scipy
from jaxtyping import Complex, Float, Int

from lmu_analog.errors import DesignError

MOST_POINTS = 400_000
ROUNDING = 1e-9  # of a step: so far, times that were written, read and subtracted may lie off their place
_MOST_LOWEST_PERIODS = 1000
_MOST_HARMONIC = 20_000
_MOST_TONES = 1000
_GRID = 64  # points in a period of the highest tone, where the search for the peak starts


@dataclass(frozen=True, eq=False)
class Tones:
    """A sum of tones, ``u(t) = sum_k cosine_k cos(2 pi f_k t) + sine_k sin(2 pi f_k t)``.

    Attributes
    ----------
    frequency : (k,) array, Hz
        Positive and distinct.
    cosine : (k,) array, V
    sine : (k,) array, V
    """

    frequency: Float[np.ndarray, "k"]
    cosine: Float[np.ndarray, "k"]
    sine: Float[np.ndarray, "k"]

    def __post_init__(self) -> None:
        for name in ("frequency", "cosine", "sine"):
            object.__setattr__(self, name, _read_only(getattr(self, name), f"{name} of the tones"))
        shapes = {self.frequency.shape, self.cosine.shape, self.sine.shape}
        if len(shapes) > 1 or not self.frequency.size:
            raise DesignError(f"tones need one cosine and one sine each, got {sorted(shapes)} numbers")
        if self.frequency.size > _MOST_TONES:
            raise DesignError(f"{self.frequency.size} tones; at most {_MOST_TONES} are accepted")
        if min(self.frequency) <= 0 or len(set(self.frequency.tolist())) < self.frequency.size:
            raise DesignError(f"tones need positive, distinct frequencies, got {self._listed} Hz")

    @property
    def phasor(self) -> Complex[np.ndarray, "k"]:
        """The (k,) complex array in V of ``u(t) = Re sum_k phasor_k exp(2j pi f_k t)``."""
        return self.cosine - 1j * self.sine

    @property
    def rms(self) -> float:
        """Root mean square over a period, in V."""
        return float(np.sqrt(np.sum(self.cosine**2 + self.sine**2) / 2))

    @property
    def period(self) -> float:
        """The shortest time after which all tones repeat, 1 / gcd of the frequencies, in s."""
        lowest = np.argmin(self.frequency)
        return float(self._harmonic[lowest] / self.frequency[lowest])

    @property
    def peak(self) -> float:
        """The largest ``|u|`` in V, to 1e-9 of itself.

        At phase y of the highest tone from its peak, u is at least cos(y) times the peak (M. Riesz,
        1914), so every grid point next to the peak passes the threshold below; Newton does the rest.
        """
        harmonic = self._harmonic
        highest = int(harmonic.max())
        if highest > _MOST_HARMONIC:
            raise DesignError(
                f"tones at {self._listed} Hz: the highest turns {highest} times in a common "
                f"period, at most {_MOST_HARMONIC} are supported; choose them closer"
            )
        spectrum = np.zeros(_GRID * highest // 2 + 1, complex)
        spectrum[harmonic] = self.phasor
        grid = np.abs(np.fft.irfft(spectrum, _GRID * highest, norm="forward")) / 2
        y = np.flatnonzero(grid >= np.cos(np.pi / _GRID) * grid.max()) * (2 * np.pi / _GRID)
        rate = 1j * harmonic / highest
        for _ in range(8):  # quadratic from 0.05 rad; the spare steps serve flat peaks
            turning = self.phasor * np.exp(rate * y[:, None])
            slope, curvature = np.real(turning @ rate), np.real(turning @ rate**2)
            y = y - np.clip(
                slope / np.where(curvature == 0, np.inf, curvature), -np.pi / _GRID, np.pi / _GRID
            )
        refined = np.abs(np.real(np.exp(rate * y[:, None]) @ self.phasor))
        return float(max(grid.max(), refined.max()))

    def __call__(self, t: Float[np.ndarray, "*s"] | float) -> Float[np.ndarray, "*s"]:
        """Evaluate at any times t (s), before zero too, in V."""
        angle = 2 * np.pi * np.asarray(t, float)
        u = np.zeros(angle.shape)
        for f, cosine, sine in zip(self.frequency, self.cosine, self.sine, strict=True):  # spares memory
            u += cosine * np.cos(f * angle) + sine * np.sin(f * angle)
        return u

    @property
    def _harmonic(self) -> Int[np.ndarray, "k"]:
        """How often each tone turns in the common period."""
        frequencies = [Fraction(f) for f in self.frequency.tolist()]
        lowest = min(frequencies)
        exact = [f / lowest for f in frequencies]
        ratios = [r.limit_denominator(_MOST_LOWEST_PERIODS) for r in exact]
        turns = math.lcm(*(r.denominator for r in ratios))
        # 1e-12 forgives the rounding of k * bandwidth / count and nothing that a user would write.
        missed = max(abs(r / e - 1) for r, e in zip(ratios, exact, strict=True))
        if turns > _MOST_LOWEST_PERIODS or missed > 1e-12:
            raise DesignError(
                f"tones at {self._listed} Hz do not repeat within {_MOST_LOWEST_PERIODS} "
                "periods of the lowest; choose multiples of one common frequency"
            )
        return np.array([int(r * turns) for r in ratios])

    @property
    def _listed(self) -> str:
        shown = ", ".join(f"{f:g}" for f in self.frequency[:4])
        return shown + (", ..." if self.frequency.size > 4 else "")


@dataclass(frozen=True, eq=False)
class Recording:
    """A sampled signal, linear between its samples; zero before t = 0, and held after the end.

    Attributes
    ----------
    dt : float, s
    values : (n,) array, V
        At least two samples, the first at t = 0.
    """

    dt: float
    values: Float[np.ndarray, "n"]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", _read_only(self.values, "samples of a recording"))
        _require_positive({"dt": self.dt})
        if self.values.size < 2:
            raise DesignError(f"a recording needs at least two samples, got {self.values.size}")

    @property
    def duration(self) -> float:
        """Time from the first sample to the last, in s."""
        return self.dt * (self.values.size - 1)

    @property
    def time(self) -> Float[np.ndarray, "n"]:
        """Times of the samples, in s."""
        return self.dt * np.arange(self.values.size)

    @property
    def rms(self) -> float:
        """Root mean square of the samples, in V."""
        return float(np.sqrt(np.mean(self.values**2)))

    @property
    def peak(self) -> float:
        """The largest ``|u|``, in V."""
        return float(np.abs(self.values).max())

    def __call__(self, t: Float[np.ndarray, "*s"] | float) -> Float[np.ndarray, "*s"]:
        """Evaluate at any times t (s), in V; a time that is 0 but for rounding is 0, where the input may jump."""
        times = np.concatenate([[-ROUNDING * self.dt], self.time])
        return np.asarray(np.interp(t, times, np.concatenate([self.values[:1], self.values]), left=0.0))

    def refined(self, step: float) -> "Recording":
        """Return the same function of time on a grid finer by a whole factor.

        Parameters
        ----------
        step : float, s
            The largest ``dt`` wanted. It is exceeded where it would take more than `MOST_POINTS`
            points; a recording that has more already comes back as it is.
        """
        _require_positive({"step": step})
        intervals = self.values.size - 1
        wanted = self.dt / step * (1.0 - ROUNDING)  # a whole quotient stays whole, whatever its last bit
        factor = max(1, math.ceil(min(wanted, (MOST_POINTS - 1) // intervals)))
        weights = np.arange(factor) / factor
        inner = self.values[:-1, None] + np.diff(self.values)[:, None] * weights
        return Recording(self.dt / factor, np.append(inner.ravel(), self.values[-1]))


Stimulus = Tones | Recording


def sine(frequency: float, amplitude: float) -> Tones:
    """Return ``amplitude * sin(2 pi frequency t)``, in Hz and V."""
    _require_positive({"frequency": frequency, "amplitude": amplitude})
    return Tones(np.array([frequency]), np.zeros(1), np.array([amplitude]))


def multitone(bandwidth: float, amplitude: float, *, count: int = 10, seed: int = 0) -> Tones:
    """Return equal tones at ``k * bandwidth / count`` with seeded phases, the default test signal.

    Parameters
    ----------
    bandwidth : float, Hz
        The highest tone.
    amplitude : float, V
        The largest ``|u|`` over a period.
    count : int, optional
    seed : int, optional
    """
    _require_positive({"bandwidth": bandwidth, "amplitude": amplitude, "count": count})
    phase = np.random.default_rng(seed).uniform(0, 2 * np.pi, count)
    return _comb(np.exp(1j * phase), bandwidth, amplitude)


def noise(bandwidth: float, amplitude: float, *, seed: int = 0, count: int = 50) -> Tones:
    """Return Gaussian noise in a band as a periodic sum of tones at ``k * bandwidth / count``.

    Parameters
    ----------
    bandwidth : float, Hz
    amplitude : float, V
        The largest ``|u|`` over a period, which lasts ``count / bandwidth``.
    seed : int, optional
    count : int, optional
    """
    _require_positive({"bandwidth": bandwidth, "amplitude": amplitude, "count": count})
    real, imaginary = np.random.default_rng(seed).standard_normal((2, count))
    return _comb(real + 1j * imaginary, bandwidth, amplitude)


def step(amplitude: float, *, duration: float, dt: float) -> Recording:
    """Return a step at t = 0 from zero to the amplitude, in V and s."""
    _require_positive({"amplitude": amplitude})
    return Recording(dt, np.full(_samples(duration, dt), float(amplitude)))


def chirp(bandwidth: float, amplitude: float, *, duration: float, points_per_cycle: int = 40) -> Recording:
    """Return a linear sweep from 0 to the bandwidth, ``amplitude * sin(pi bandwidth t**2 / duration)``.

    Parameters
    ----------
    bandwidth : float, Hz
    amplitude : float, V
    duration : float, s
    points_per_cycle : int, optional
        Samples in a cycle at the upper end; 40 keep the straight lines within 0.3 % of the sine.
    """
    _require_positive({"bandwidth": bandwidth, "amplitude": amplitude, "points_per_cycle": points_per_cycle})
    dt = 1 / (bandwidth * points_per_cycle)
    t = dt * np.arange(_samples(duration, dt))
    return Recording(dt, amplitude * np.sin(np.pi * bandwidth * t**2 / duration))


def occupied_bandwidth(recording: Recording, share: float = 0.99) -> float:
    """Return the frequency below which the given share of the power lies, the mean left out.

    Parameters
    ----------
    recording : Recording
    share : float, 1
        Between 0 and 1.

    Returns
    -------
    frequency : float, Hz
        To about two bins, 2 / duration (Hann window); 0 for a constant.
    """
    if not 0 < share < 1:
        raise DesignError(f"share = {share} of the power: a number between 0 and 1 is accepted")
    if np.ptp(recording.values) == 0:
        return 0.0

    frequency, power = scipy.signal.periodogram(
        recording.values, 1 / recording.dt, window="hann", detrend="constant"
    )
    total = np.cumsum(power)
    return float(frequency[np.searchsorted(total, share * total[-1])])


def _comb(phasor: Complex[np.ndarray, "k"], bandwidth: float, amplitude: float) -> Tones:
    """Put phasors on an even comb of frequencies and scale them to the peak amplitude."""
    frequency = np.arange(1, phasor.size + 1) * bandwidth / phasor.size
    cosine, sine_ = np.real(phasor), -np.imag(phasor)
    scale = amplitude / Tones(frequency, cosine, sine_).peak
    return Tones(frequency, scale * cosine, scale * sine_)


def _samples(duration: float, dt: float) -> int:
    _require_positive({"duration": duration, "dt": dt})
    if duration / dt > MOST_POINTS - 1:
        raise DesignError(f"{duration:g} s in steps of {dt:g} s: at most {MOST_POINTS} samples are accepted")
    return max(2, 1 + math.ceil(duration / dt - 1e-6))  # the slack forgives the rounding of the quotient


def _require_positive(given: Mapping[str, float]) -> None:
    for name, value in given.items():
        if not (value > 0 and math.isfinite(value) and math.isfinite(1 / value)):
            raise DesignError(f"{name} = {value}: a positive, finite number is accepted")


def _read_only(array: Float[np.ndarray, "n"], what: str) -> Float[np.ndarray, "n"]:
    copy = np.array(array, dtype=float)
    if copy.ndim != 1 or not np.isfinite(copy).all():
        raise DesignError(f"{what}: one axis of finite numbers is accepted, got shape {copy.shape}")
    copy.setflags(write=False)
    return copy
