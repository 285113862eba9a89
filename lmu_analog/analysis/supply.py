"""Power-supply rejection at the window: the output that supply ripple adds.

The finite rejection of an op-amp turns ripple into a voltage at its input, v_ripple (1 + jf/f_c)/10^(PSRR/20); in most
op-amps f_c is the corner of the open-loop gain (Analog Devices, tutorial MT-043, 2008), so that above it the open-loop
output follows the ripple. The signs of rejections are unknown, so the worst ones are looked for.
"""

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Complex, Float

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import Supply
from lmu_analog.circuits.nodal.noise import response_to
from lmu_analog.circuits.nodal.unknowns import Index
from lmu_analog.design import Design
from lmu_analog.errors import SimulationError
from lmu_analog.memory.window import quadrature_for, readout
from lmu_analog.spice import ngspice
from lmu_analog.spice.deck import Sweep, deck, vector

POINTS = 50  # frequencies over the band: the response turns once or twice in it
_NOTHING = 1e-9  # V/V: rounding of ngspice is 1e-13
TIMEOUT = 60.0  # s; an operating point that is found at all is found in seconds
_RAIL = "supply"  # role of the sources that feed transistors
_MOST_TRIED = 20  # signs of which all patterns are tried: half a million, milliseconds a form
STARTS, SEED = 20, 0  # random ones, beside the signs of the eigenvectors


@dataclass(frozen=True)
class Rejection:
    """Rejection of ripple in the signal band, at its worst frequency.

    Attributes
    ----------
    psrr : float or None, dB
        One volt over the rms at the window; what amplifiers pass adds in power, as their signs are unknown.
    psrr_one_sign : float or None, dB
        The same where the rejections of all amplifiers have one sign.
    psrr_worst : float or None, dB
        The same with the worst signs found.
    psrr_bound : float or None, dB
        No signs do worse; equal to ``psrr_worst`` where all signs were tried.
    note : str
        How it was found, or why it was not.
    """

    psrr: float | None
    psrr_one_sign: float | None
    psrr_worst: float | None
    psrr_bound: float | None
    note: str


def supply_ripple(circuit: Circuit, frequency: Float[np.ndarray, " f"]) -> tuple[xr.Dataset | None, str]:
    """Find what one volt of ripple on the supply does at the window, V/V, and say how.

    Op-amps turn ripple into voltages at their inputs. Circuits of transistors are run in
    ngspice, ripple on one rail at a time; the worse one counts. Elements are the nominal ones, so what only their
    mismatch lets through does not show.

    Parameters
    ----------
    circuit : Circuit
    frequency : (f,) array, Hz
        Evenly spaced, where ngspice is to sweep it.

    Returns
    -------
    (Dataset or None, str)
        ``gain`` (frequency, delay), amplifiers adding in power, and ``one_sign``, with rejections of one sign;
        ``worst`` (frequency), the rms over the window with the worst signs found, and ``bound``, which no signs
        exceed. None where the family has no model of it.
    """
    if circuit.clock is not None:
        return None, "not modelled of sampled circuits"
    if circuit.small_signal is not None:
        return _of_transistors(circuit, frequency)
    found = ripple(circuit, frequency)
    if found is None:
        has = bool(circuit.amplifiers)
        return None, "its op-amps have no figure psrr" if has else "no op-amps, and no other model of it"
    rule = quadrature_for(circuit.order)
    at_window = np.einsum("qd,fdk->fqk", readout(circuit.order, rule.r), found)
    forms = np.real(np.einsum("fqk,q,fql->fkl", at_window.conj(), rule.weight, at_window))
    signs = [worst_signs(form) for form in forms]
    searched = any(one.bound > one.value for one in signs)
    gains = np.sqrt(np.sum(np.abs(at_window) ** 2, axis=-1)), np.abs(at_window.sum(axis=-1))
    worst = np.sqrt([one.value for one in signs]), np.sqrt([one.bound for one in signs])
    note = f"worst signs {'found by search' if searched else 'of all'} of {len(forms[0])} op-amps"
    return _dataset(frequency, gains, worst, rule.r), f"from the op-amps' psrr; {note}"


def rejection(design: Design, circuit: Circuit | None = None) -> Rejection:
    """Find the power-supply rejection of a design in its signal band.

    Parameters
    ----------
    design : Design
    circuit : Circuit, optional
        In place of the nominal one.
    """
    circuit = build(design) if circuit is None else circuit
    found, note = supply_ripple(circuit, np.arange(1, POINTS + 1) / POINTS * design.bandwidth)
    if found is None:
        return Rejection(None, None, None, None, note)
    weight = quadrature_for(circuit.order).weight
    powers = [found[name].values ** 2 @ weight for name in ("gain", "one_sign")]
    powers += [found[name].values ** 2 for name in ("worst", "bound")]
    most = [float(np.max(power)) for power in powers]
    psrr, one_sign, worst, bound = (-10.0 * math.log10(power) if power else math.inf for power in most)
    return Rejection(psrr, one_sign, worst, bound, note)


def ripple(circuit: Circuit, frequency: Float[np.ndarray, " f"]) -> Complex[np.ndarray, "f d k"] | None:
    """Find what every amplifier whose rejection is known passes from its supply to the states, and a reference.

    Parameters
    ----------
    circuit : Circuit
        Linear, in continuous time.
    frequency : (f,) array, Hz

    Returns
    -------
    (f, d, k) complex array or None, V/V
        From the ripple that amplifier k sees to every state, and last what the divider of a single supply passes; None
        where no rejection is known.
    """
    amplifiers = [c for c in circuit.amplifiers if not c.model.ideal and math.isfinite(c.model.psrr)]
    if not amplifiers:
        return None
    divided = [
        c for c in circuit.only(Supply) if c.role == _RAIL
    ]  # a single one, which a reference is made of
    index = Index(circuit)
    injection = np.zeros((index.size, len(amplifiers) + len(divided)))
    for k, c in enumerate(divided, len(amplifiers)):
        injection[index.own[c.name], k] = -1.0
    for k, c in enumerate(amplifiers):
        injection[index.own[c.name], k] = 2.0 * np.pi * c.model.gbw  # as an offset's
    A, B, C, D = response_to(circuit, index, injection)
    s = 2j * np.pi * frequency[:, None, None]
    from_input = C @ np.linalg.solve(s * np.eye(len(A)) - A, B) + D
    for k, model in enumerate(c.model for c in amplifiers):
        # A gain without end has its corner at zero, and nothing to fall from.
        corner = (model.gbw / model.gain if model.psrr_corner is None else model.psrr_corner) or math.inf
        # The voltage at the input that one volt of ripple amounts to.
        let_in = 10.0 ** (-model.psrr / 20.0) * (1.0 + 1j * frequency / corner)
        from_input[..., k] *= let_in[:, None]
    return from_input


@dataclass(frozen=True)
class WorstSigns:
    """The largest s' H s over s of -1 and 1.

    Attributes
    ----------
    value : float
        The largest found.
    bound : float
        None is larger; the value itself where all signs were tried.
    """

    value: float
    bound: float


def worst_signs(H: Float[np.ndarray, "k k"]) -> WorstSigns:
    """Maximise s' H s over signs.

    Parameters
    ----------
    H : (k, k) array
        Symmetric, positive semidefinite.
    """
    if len(H) <= _MOST_TRIED:
        value = _of_all(H)
        return WorstSigns(value, value)
    bound = min(float(np.abs(H).sum()), len(H) * float(np.linalg.eigvalsh(H)[-1]))
    return WorstSigns(_searched(H), bound)


def _of_all(H: np.ndarray) -> float:
    """Try all patterns of both halves of the signs, and every pair of them."""
    half = len(H) // 2
    first, second = _patterns(half), _patterns(len(H) - half)
    own = [
        np.einsum("si,ij,sj->s", s, part, s)
        for s, part in ((first, H[:half, :half]), (second, H[half:, half:]))
    ]
    return float((own[0][:, None] + own[1] + 2.0 * first @ H[:half, half:] @ second.T).max())


def _patterns(count: int) -> np.ndarray:
    """Give all patterns of signs, (2^count, count)."""
    return 1.0 - 2.0 * (np.arange(2**count)[:, None] >> np.arange(count) & 1)


def _searched(H: np.ndarray) -> float:
    """Turn the sign that wins most until none wins, from the eigenvectors' signs and random ones."""
    _, vectors = np.linalg.eigh(H)
    random = np.random.default_rng(SEED).choice([-1.0, 1.0], (STARTS, len(H)))
    best = 0.0
    for s in np.concatenate([np.where(vectors.T < 0.0, -1.0, 1.0), random]):
        while True:
            wins = np.diag(H) - s * (H @ s)  # a quarter of what turning each sign adds
            if wins.max() <= 1e-12 * H.max():
                break
            s[np.argmax(wins)] *= -1.0
        best = max(best, float(s @ H @ s))
    return best


def _of_transistors(circuit: Circuit, frequency: np.ndarray) -> tuple[xr.Dataset | None, str]:
    rails = [c.name for c in circuit.only(Supply) if c.role == _RAIL]
    if ngspice.library_path() is None:
        return None, "found by ngspice, which is not installed"
    rule = quadrature_for(circuit.order)
    rows = readout(circuit.order, rule.r)
    analysis = Sweep(len(frequency), float(frequency[0]), float(frequency[-1]), "lin")
    gains = []
    for rail in rails:
        try:
            vectors = ngspice.run(deck(circuit, analysis, rippling=rail), analysis, timeout=TIMEOUT)
        except SimulationError as error:  # one figure of merit among many: the others stand without it
            return None, f"not found: {error}"
        states = np.stack([sum(t.factor * vectors[vector(t)] for t in p) for p in circuit.probes], axis=-1)
        gains.append(np.abs(states @ rows.T))
    if np.max(gains) < _NOTHING:
        return None, "its transistors have no output conductance, and pass nothing from the supply"
    rms = np.sqrt(np.array(gains) ** 2 @ rule.weight)
    worse = np.argmax(rms, axis=0)
    at = worse, np.arange(len(frequency))
    gain = np.array(gains)[at]
    note = "by ngspice, one rail at a time, the worse; thresholds and biases do not follow the supply"
    return _dataset(frequency, (gain, gain), (rms[at], rms[at]), rule.r), note


def _dataset(
    frequency: np.ndarray,
    gains: tuple[np.ndarray, np.ndarray],
    rms: tuple[np.ndarray, np.ndarray],
    places: np.ndarray,
) -> xr.Dataset:
    """Put gains over frequency and delay, and rms over the window, in one place."""
    unit = {"units": "V/V"}
    over = {
        name: (("frequency", "delay"), x, unit) for name, x in zip(("gain", "one_sign"), gains, strict=True)
    }
    whole = {name: ("frequency", x, unit) for name, x in zip(("worst", "bound"), rms, strict=True)}
    return xr.Dataset(
        {**over, **whole},
        coords={
            "frequency": ("frequency", frequency, {"units": "Hz"}),
            "delay": ("delay", places, {"units": "theta"}),
        },
    )
