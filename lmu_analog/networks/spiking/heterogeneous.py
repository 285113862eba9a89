"""Synapses whose time constants deviate, as a set of basis functions for a readout.

Spikes that pass synapses of many time constants leave differently delayed copies of the same state. Where these
are measured, or a readout is fitted to them, they hold more of the window than the states alone.
"""

import numpy as np
from jaxtyping import Complex, Float

from lmu_analog.errors import DesignError
from lmu_analog.memory.statespace import StateSpace
from lmu_analog.networks.spiking.synapses import continuous, low_pass


def deviated_memory(
    memory: StateSpace, taus: Float[np.ndarray, "s d"], *, tau: float, compensated: bool = False
) -> StateSpace:
    """Give the memories, (s,), that first-order synapses with time constants ``taus``, s, make.

    Weights are those for the nominal ``tau``, s, or with ``compensated`` those for each synapse's own, which gives
    the memory itself: row i of the weights is tau_i A_i + e_i.
    """
    if not (taus > 0.0).all():
        raise DesignError("time constants are positive")
    d = memory.order
    nominal = continuous(memory, np.full(d, tau))
    maps = [continuous(memory, row) if compensated else nominal for row in taus]
    A = np.stack([(m.weights - np.eye(d)) / row[:, None] for m, row in zip(maps, taus, strict=True)])
    B = np.stack([m.drives[0] / row for m, row in zip(maps, taus, strict=True)])[..., None]
    C, D = (np.broadcast_to(part, (len(taus), *part.shape)) for part in (memory.C, memory.D))
    return StateSpace(A, B, C, D)


def deviated_weights(
    memory: StateSpace, spread: float, random: np.random.Generator, *, samples: int
) -> StateSpace:
    """Draw memories, (samples,), whose coefficients a_ij and b_i deviate by a relative ``spread``, normal."""
    A, B = [], []
    for _ in range(samples):
        A.append(memory.A * (1.0 + spread * random.standard_normal(memory.A.shape)))
        B.append(memory.B * (1.0 + spread * random.standard_normal(memory.B.shape)))
    C, D = (np.broadcast_to(part, (samples, *part.shape)) for part in (memory.C, memory.D))
    return StateSpace(np.stack(A), np.stack(B), C, D)


def copies(
    states: Complex[np.ndarray, "f d"], taus: Float[np.ndarray, "d k"], frequency: Float[np.ndarray, " f"]
) -> Complex[np.ndarray, "f n"]:
    """Filter every state by k more synapses, (d, k) s; states and copies side by side, n = d (1 + k)."""
    s = 2j * np.pi * frequency
    filtered = states[:, :, None] / (1.0 + s[:, None, None] * taus)
    return np.concatenate([states, filtered.reshape(len(states), -1)], axis=1)


def fitted_readout(
    features: Complex[np.ndarray, "f n"],
    wanted: Complex[np.ndarray, "f q"],
    *,
    noise: float,
) -> Float[np.ndarray, "q n"]:
    """Fit real weights by least squares over equal tones, whose features are noisy.

    Parameters
    ----------
    features : (f, n) array
        Responses to a unit input at each frequency.
    wanted : (f, q) array
        Responses that the readout should have.
    noise : float
        Of each feature, as a fraction of the rms of all: the ridge.
    """
    stacked = np.concatenate([np.real(features), np.imag(features)])
    return fitted_series(stacked, np.concatenate([np.real(wanted), np.imag(wanted)]), noise=noise)


def filtered_copies(
    decoded: Float[np.ndarray, "t d"], taus: Float[np.ndarray, "d k"], *, dt: float
) -> Float[np.ndarray, "t n"]:
    """Filter what spikes decode to by k synapses for each state, (d, k) s, from rest; n = d k, state by state."""
    inputs = np.repeat(decoded, taus.shape[1], axis=1)
    each = zip(taus.ravel().tolist(), inputs.T, strict=True)
    return np.stack([low_pass(column, tau, dt) for tau, column in each], axis=1)


def fitted_series(
    features: Float[np.ndarray, "t n"], wanted: Float[np.ndarray, "t q"], *, noise: float = 1e-3
) -> Float[np.ndarray, "q n"]:
    """Fit weights to a run, whose features have the noise of spikes; ``noise`` as in ``fitted_readout``."""
    gram = features.T @ features
    ridge = noise**2 * np.trace(gram) / len(gram)
    return np.linalg.solve(gram + ridge * np.eye(len(gram)), features.T @ wanted).T
