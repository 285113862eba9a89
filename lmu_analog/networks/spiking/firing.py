"""Output of neurons: spikes of a Poisson process, spikes of a membrane, or their rate.

A ``Fire`` takes x, (d,), and gives what the decoders make of a time step's spikes, (d,), over the step: an estimate
of x with the noise of spikes. It keeps the membranes between calls.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, assert_never

import numpy as np
from jaxtyping import Float, Float32

from lmu_analog.networks.spiking.neurons import Populations, rate

Firing = Literal["poisson", "spiking", "rate"]
Fire = Callable[[Float[np.ndarray, " d"]], Float[np.ndarray, " d"]]
_BOUNDS = np.linspace(0.0, 4.0, 81)  # of |x|, where the largest rate of a population is tabulated


@dataclass(frozen=True, eq=False)
class Decoded:
    """Populations, and the decoders that read them.

    Attributes
    ----------
    populations : Populations
    decoders : (d, p) array, s
    """

    populations: Populations
    decoders: Float32[np.ndarray, "d p"]


def fire(read: Decoded, firing: Firing, dt: float, *, seed: int = 0) -> Fire:
    """Make neurons ready to fire, step by step of ``dt``, s; membranes begin anywhere between rest and threshold."""
    random = np.random.default_rng([seed, 3])
    match firing:
        case "poisson":
            return _poisson(read, dt, random)
        case "spiking":
            integrate = _leaky if read.populations.tuning.curve == "lif" else _plain
            return integrate(read, dt, random)
        case "rate":
            return _rate(read)
        case _:
            assert_never(firing)


def largest_rates(drawn: Populations, x: Float[np.ndarray, " x"]) -> Float[np.ndarray, "d x"]:
    """Give the largest rate, Hz, that any neuron of a population has between -x and x (curves are monotone)."""
    found = np.empty((len(drawn.gain), len(x)))
    steepness = np.abs(drawn.gain)
    for k, place in enumerate(x):
        found[:, k] = rate(
            (np.float32(place) * steepness + drawn.bias).max(axis=1).astype(float), drawn.tuning
        )
    return found


def _poisson(read: Decoded, dt: float, random: np.random.Generator) -> Fire:
    """Fire by thinning: events of all neurons at the largest rate, each kept with the rate of its own neuron.

    Exact (Lewis and Shedler, Naval Research Logistics 26, 1979), with random numbers for events instead of for
    neurons: at 40 Hz and steps of 1 ms one in 25.
    """
    drawn = read.populations
    d, p = drawn.gain.shape
    gain, bias, weight = drawn.gain.ravel(), drawn.bias.ravel(), read.decoders.ravel()
    bounds = largest_rates(drawn, _BOUNDS)
    rows = np.arange(d)
    step = _BOUNDS[1]

    def advance(x: np.ndarray) -> np.ndarray:
        place = np.ceil(np.abs(x) / step).astype(int)
        if place.max() < len(_BOUNDS):
            bound = bounds[rows, place]
        else:  # far outside of what the neurons were drawn for
            bound = largest_rates(drawn, np.abs(x).max(keepdims=True))[:, 0]
        events = random.poisson(bound * (p * dt))
        row = np.repeat(rows, events)
        neuron = random.integers(0, p, len(row)) + p * row
        rates = rate(gain[neuron] * x[row] + bias[neuron], drawn.tuning)
        kept = random.random(len(row)) * bound[row] < rates
        return np.bincount(row[kept], weight[neuron[kept]], d) / dt

    return advance


def _leaky(read: Decoded, dt: float, random: np.random.Generator) -> Fire:
    """Integrate C V' = J - V between spikes exactly, a spike at most in a step, in time to a part of the step."""
    drawn, tuning = read.populations, read.populations.tuning
    volts = random.random(drawn.gain.shape, np.float32)
    pause = np.zeros_like(volts)  # s still to wait
    step, membrane, refractory = np.float32(dt), np.float32(tuning.membrane), np.float32(tuning.refractory)

    def advance(x: np.ndarray) -> np.ndarray:
        current = drawn.gain * x[:, None].astype(np.float32) + drawn.bias
        free = np.clip(step - pause, 0, step)
        np.add(volts, (volts - current) * np.expm1(-free / membrane), out=volts)
        np.maximum(volts, 0, out=volts)
        np.subtract(pause, step, out=pause)
        spiking = np.flatnonzero(volts > 1)
        over = membrane * np.log1p((volts.flat[spiking] - 1) / (current.flat[spiking] - volts.flat[spiking]))
        volts.flat[spiking] = 0
        pause.flat[spiking] = refractory - over
        d, p = read.decoders.shape
        return np.bincount(spiking // p, read.decoders.flat[spiking], d) / dt

    return advance


def _plain(read: Decoded, dt: float, random: np.random.Generator) -> Fire:
    """Integrate J itself; what exceeds a threshold is kept, so any number of spikes fits in a step."""
    drawn = read.populations
    volts = random.random(drawn.gain.shape, np.float32)

    def advance(x: np.ndarray) -> np.ndarray:
        current = drawn.gain * x[:, None].astype(np.float32) + drawn.bias
        np.add(volts, np.maximum(current, 0) * np.float32(dt), out=volts)
        spikes = np.floor(volts)
        np.subtract(volts, spikes, out=volts)
        return np.einsum("dp,dp->d", spikes, read.decoders, dtype=float) / dt

    return advance


def _rate(read: Decoded) -> Fire:
    drawn = read.populations

    def advance(x: np.ndarray) -> np.ndarray:
        rates = rate(drawn.gain * x[:, None].astype(np.float32) + drawn.bias, drawn.tuning)
        return np.einsum("dp,dp->d", rates, read.decoders, dtype=float)

    return advance
