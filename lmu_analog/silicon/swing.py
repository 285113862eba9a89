"""How large the signal should be: offsets count less and distortion more, the larger it is.

A steady state falls apart in three parts whose squares add up to that of the window NRMSE: the tones that went in,
as the memory delays them; the DC offset; and all other tones, which are distortion. Legendre polynomials are
orthogonal, so the mean square over the window is the sum of that of the states over 2 i + 1.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float

from lmu_analog.errors import DesignError
from lmu_analog.memory import window
from lmu_analog.silicon.transients import SteadyStates
from lmu_analog.stimulus import Tones, multitone


def comb(frequency: Float[np.ndarray, " k"], swing: float, *, seed: int = 0) -> Tones:
    """Give equal tones at the frequencies of a bench, with seeded phases, for transients.

    Parameters
    ----------
    frequency : (k,) array, Hz
        Multiples of the first.
    swing : float, V
        The largest voltage of the input on the chip.
    seed : int

    Raises
    ------
    DesignError
        If they are not evenly spaced from zero.
    """
    wanted = frequency[-1] / len(frequency) * np.arange(1, len(frequency) + 1)
    if not np.allclose(frequency, wanted, rtol=1e-9):
        raise DesignError("a sum of tones repeats soon where they are multiples of the first; give such")
    return multitone(float(frequency[-1]), swing, count=len(frequency), seed=seed)


@dataclass(frozen=True, eq=False)
class Parts:
    """Window NRMSE of some chips at full amplitude, fractions of rms(u): ``total`` is the root of the others' squares.

    Attributes
    ----------
    total : (s,) array
        NaN where the transient was aborted.
    tones, offset, distortion : (s,) array
        Of the tones that went in, of the DC offset, of what else there is.
    states : (s, k, d) complex array
        Legendre states for an input of one volt at each tone, with all others there: what compresses is in them.
    constant : (s, d) array, V
        DC offset of the Legendre states.
    """

    total: Float[np.ndarray, " s"]
    tones: Float[np.ndarray, " s"]
    offset: Float[np.ndarray, " s"]
    distortion: Float[np.ndarray, " s"]
    states: Complex[np.ndarray, "s k d"]
    constant: Float[np.ndarray, "s d"]


def parts(
    found: SteadyStates,
    tones: Tones,
    amplitude: Float[np.ndarray, " s"],
    *,
    theta: float,
    removed: Float[np.ndarray, "s d"] | None = None,
) -> Parts:
    """Take steady states apart.

    Parameters
    ----------
    found : SteadyStates
    tones : Tones
        Of the input for a factor of 1, V on the chip.
    amplitude : (s,) array
        Factor of the input.
    theta : float, s
        Length of the window that is wanted.
    removed : (s, d) array, V, optional
        What the readout subtracts of the Legendre states, such as their offsets as once measured without input.
    """
    spectrum, at = _spectrum(found, tones)
    constant = np.real(spectrum[:, 0]) - (0.0 if removed is None else removed)
    heard = spectrum[:, at] * np.exp(-2j * np.pi * np.outer(tones.frequency, found.time[0]).T)[..., None]
    states = heard / (tones.phasor[:, None] * amplitude[:, None, None])
    given = tones.frequency, tones.phasor
    rule = window.quadrature_for(states.shape[-1], given, theta)
    profile = window.tone_profile(states * tones.phasor[:, None], given, theta, quadrature=rule)
    by_tones = window.measured(profile, rule)[1]
    rms = tones.rms * amplitude
    by_offset = _over_window(constant**2) / rms
    others = np.ones(spectrum.shape[1], bool)
    others[[0, *at.tolist()]] = False
    by_distortion = _over_window(0.5 * (np.abs(spectrum[:, others]) ** 2).sum(axis=1)) / rms
    total = np.sqrt(by_tones**2 + by_offset**2 + by_distortion**2)
    return Parts(total, by_tones, by_offset, by_distortion, states, constant)


def thd(found: SteadyStates, tone: Tones) -> Float[np.ndarray, " s"]:
    """Give the total harmonic distortion of one tone over the window: rms of its harmonics over its own.

    Parameters
    ----------
    found : SteadyStates
    tone : Tones
        A single one.
    """
    spectrum, at = _spectrum(found, tone)
    square = np.abs(spectrum) ** 2
    own = square[:, at[0]]
    return _over_window(square[:, 1:].sum(axis=1) - own) / _over_window(own)


def _spectrum(found: SteadyStates, tones: Tones) -> tuple[np.ndarray, np.ndarray]:
    """Give constant and phasors of all turns in the period, (s, h, d), and where the tones are."""
    count = len(found.time)
    spectrum = 2.0 * np.fft.rfft(found.states, axis=1) / count
    spectrum[:, 0] *= 0.5
    at = np.rint(tones.frequency * tones.period).astype(int)
    return spectrum, at


def _over_window(square: Float[np.ndarray, "s d"]) -> Float[np.ndarray, " s"]:
    """Give the root of the mean over the window of what has these mean squares in its Legendre states."""
    return np.sqrt(square @ (1.0 / (2.0 * np.arange(square.shape[-1]) + 1.0)))


@dataclass(frozen=True, eq=False)
class Swing:
    """The amplitude at which a share of chips has the least error.

    Attributes
    ----------
    amplitude : float
        One of those tried: factor of the input.
    error : float
        Window NRMSE that the share of chips stays below there.
    lost : int
        Chips whose transients were aborted there; they count as infinite errors.
    """

    amplitude: float
    error: float
    lost: int


def best_swing(
    amplitude: Float[np.ndarray, " a"],
    total: Float[np.ndarray, "a s"],
    *,
    share: float = 0.95,
    wanted: float = 0.0,
) -> Swing:
    """Choose the amplitude with the least error of a share of chips, or the smallest that meets a requirement.

    Parameters
    ----------
    amplitude : (a,) array
        Rising.
    total : (a, s) array
        Window NRMSE of every chip at every amplitude; NaN where there is none.
    share : float
    wanted : float
        Window NRMSE that is enough: the first amplitude at which the share of chips is below it. Where there is none,
        or it is 0, the one with the least error.
    """
    error = quantile(total, share)
    enough = np.flatnonzero(error <= wanted)
    k = int(enough[0]) if len(enough) else int(np.argmin(error))
    return Swing(float(amplitude[k]), float(error[k]), int((~np.isfinite(total[k])).sum()))


def quantile(total: Float[np.ndarray, "*a s"], share: float) -> Float[np.ndarray, "*a"]:
    """Give the error that a share of chips stays below, those without one being beyond all; no interpolation.

    Interpolating would take infinity times a weight of zero where one chip alone is lost.
    """
    ranked = np.sort(np.where(np.isfinite(total), total, np.inf), axis=-1)
    return ranked[..., min(ranked.shape[-1] - 1, int(np.ceil(share * ranked.shape[-1])) - 1)]


def at_swing(
    small: Complex[np.ndarray, "s k d"],
    offset: Float[np.ndarray, "s d"],
    nominal: Parts,
    *,
    tones: Tones,
    amplitude: Float[np.ndarray, " a"],
    theta: float,
    noise: float = 0.0,
) -> Float[np.ndarray, "a s"]:
    """Estimate the errors of many chips at some amplitudes from their small signals and the nominal chip's transients.

    What compression does to the nominal response is added to that of each chip, and so are the nominal distortion
    and shift of DC.

    Parameters
    ----------
    small : (s, k, d) complex array
        Legendre states of the chips for one volt at each tone.
    offset : (s, d) array, V
        Of their Legendre states without input, less what the readout subtracts.
    nominal : Parts
        Of the nominal chip at the amplitudes; the first is so small that nothing is compressed.
    tones : Tones
    amplitude : (a,) array
        Factors of the input, those of ``nominal``.
    theta : float, s
    noise : float, V
        Root mean square over the window, as ``noise.of_window`` has it.
    """
    given = tones.frequency, tones.phasor
    rule = window.quadrature_for(small.shape[-1], given, theta)
    found = np.empty((len(amplitude), len(small)))
    for k, factor in enumerate(amplitude.tolist()):
        moved = small + (nominal.states[k] - nominal.states[0])
        constant = offset + nominal.constant[k] - nominal.constant[0]
        profile = window.tone_profile(moved * tones.phasor[:, None], given, theta, quadrature=rule)
        square = window.measured(profile, rule)[1] ** 2 + nominal.distortion[k] ** 2
        found[k] = np.sqrt(square + (_over_window(constant**2) ** 2 + noise**2) / (tones.rms * factor) ** 2)
    return found
