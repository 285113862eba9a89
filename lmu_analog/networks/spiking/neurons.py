"""Populations of neurons: how they are tuned, and how fast they fire.

A neuron of a population that stands for x takes the current J = gain x + bias, in units of its threshold. All of
a network's neurons are three arrays of single precision, 12 bytes a neuron with its decoder: what 1e-7 of a gain
does is far below what spikes do.
"""

from dataclasses import dataclass, replace
from typing import Literal, assert_never

import numpy as np
from jaxtyping import Float, Float32

from lmu_analog.errors import DesignError

Curve = Literal["lif", "rectified"]
Draw = Literal["stratified", "independent"]
# Spikes in a membrane's time constant: below it J is so near to 1 that single precision moves the rate by 1 %.
_SLOWEST = 0.1
MOST_NEURONS = 100_000_000  # 1.2 GB of parameters


@dataclass(frozen=True)
class Tuning:
    """How the neurons of a population are drawn.

    Attributes
    ----------
    curve : {"lif", "rectified"}
        Leaky integrate-and-fire, or a rate in proportion to J (integrate-and-fire without a leak).
    rates : (float, float), Hz
        Least and largest rate at x = 1 along a neuron's direction; uniform between.
    intercepts : (float, float)
        Range of the x, along that direction, where a neuron begins to fire; uniform.
    membrane : float, s
        Time constant of the leak.
    refractory : float, s
        Pause after a spike.
    draw : {"stratified", "independent"}
        Rates, intercepts and directions each with one neuron in every p-th part of their range (Latin hypercube), so
        that small populations cover it and networks differ less; or each neuron for itself.
    """

    curve: Curve = "lif"
    rates: tuple[float, float] = (100.0, 120.0)
    intercepts: tuple[float, float] = (-1.0, 1.0)
    membrane: float = 0.02
    refractory: float = 0.002
    draw: Draw = "stratified"

    def __post_init__(self) -> None:
        low, high = self.rates
        if not 0.0 < low <= high:
            raise DesignError(f"rates from {low:g} to {high:g} Hz: two rising, positive rates are wanted")
        if not (self.membrane > 0.0 and self.refractory >= 0.0):
            raise DesignError(
                f"membrane {self.membrane:g} s and refractory {self.refractory:g} s: times are wanted"
            )
        if self.curve == "lif" and low * self.membrane < _SLOWEST:
            raise DesignError(
                f"neurons cannot be tuned to {low:g} Hz with a membrane of {self.membrane:g} s; "
                f"give {_SLOWEST / self.membrane:g} Hz or more"
            )
        if self.curve == "lif" and high * self.refractory >= 1.0:
            raise DesignError(
                f"neurons cannot fire at {high:g} Hz with a refractory time of {self.refractory:g} s; "
                f"give less than {1.0 / self.refractory:g} Hz"
            )


@dataclass(frozen=True, eq=False)
class Populations:
    """Neurons of d populations of p, each of which stands for one number x, about -1 to 1.

    Attributes
    ----------
    gain : (d, p) array
        Change of J with x; its sign is the neuron's direction.
    bias : (d, p) array
        J at x = 0.
    tuning : Tuning
        The law they were drawn from.
    """

    gain: Float32[np.ndarray, "d p"]
    bias: Float32[np.ndarray, "d p"]
    tuning: Tuning

    @property
    def neurons(self) -> int:
        """Number of all neurons."""
        return self.gain.size


def populations(count: int, neurons: int, tuning: Tuning, *, seed: int = 0) -> Populations:
    """Draw ``count`` populations of ``neurons`` each; gains and biases follow from rates and intercepts.

    Eliasmith and Anderson, Neural Engineering, 2003, section 2.1.
    """
    if neurons < 1 or count * neurons > MOST_NEURONS:
        raise DesignError(
            f"{neurons} neurons in each of {count} populations: 1 to {MOST_NEURONS} in all are wanted"
        )
    random = np.random.default_rng([seed, 1])
    shape = (count, neurons)
    peak, intercept, sign = (
        _uniform(random, ends, shape, tuning.draw) for ends in (tuning.rates, tuning.intercepts, (-1.0, 1.0))
    )
    direction = np.where(sign < 0.0, -1.0, 1.0)
    gain = (_current(peak, tuning) - _threshold(tuning)) / (1.0 - intercept)
    bias = _threshold(tuning) - gain * intercept
    return Populations((direction * gain).astype(np.float32), bias.astype(np.float32), tuning)


def deviated(drawn: Populations, *, gain: float = 0.0, bias: float = 0.0, seed: int = 0) -> Populations:
    """Give gains and biases the mismatch of silicon neurons.

    Parameters
    ----------
    drawn : Populations
    gain : float
        Coefficient of variation of a factor on each gain, log-normal with mean 1.
    bias : float
        Standard deviation of what is added to each bias, in units of the threshold current.
    seed : int
    """
    if min(gain, bias) < 0.0:
        raise DesignError(f"gain {gain:g} and bias {bias:g}: spreads are not negative")
    random = np.random.default_rng([seed, 2])
    factor = lognormal(random, gain, drawn.gain.shape)
    shift = bias * random.standard_normal(drawn.bias.shape)
    return replace(
        drawn, gain=(drawn.gain * factor).astype(np.float32), bias=(drawn.bias + shift).astype(np.float32)
    )


def lognormal(random: np.random.Generator, variation: float, shape: tuple[int, ...]) -> np.ndarray:
    """Draw log-normal factors of mean 1 and the given coefficient of variation."""
    width = np.sqrt(np.log1p(variation**2))
    return np.exp(width * random.standard_normal(shape) - 0.5 * width**2)


def rate(current: Float[np.ndarray, "*s"], tuning: Tuning) -> Float[np.ndarray, "*s"]:
    """Give the rate, Hz, of neurons at a constant current J.

    LIF: 1/(refractory + membrane ln(J/(J - 1))) above the threshold J = 1 (Eliasmith and Anderson, 2003,
    eq. 4.2); rectified: J, Hz.
    """
    match tuning.curve:
        case "lif":
            above = np.maximum(current - 1, 0)
            with np.errstate(divide="ignore", over="ignore"):
                return np.asarray(1 / (tuning.refractory + tuning.membrane * np.log1p(1 / above)))
        case "rectified":
            return np.asarray(np.maximum(current, 0))
        case _:
            assert_never(tuning.curve)


def _uniform(
    random: np.random.Generator, ends: tuple[float, float], shape: tuple[int, int], draw: Draw
) -> np.ndarray:
    """Draw uniform numbers, (d, p); stratified ones have one in every p-th part of the range, in random order."""
    low, high = ends
    if draw == "independent":
        return random.uniform(low, high, shape)
    parts = random.permuted(np.broadcast_to(np.arange(shape[1]), shape), axis=1)
    return low + (high - low) * (parts + random.random(shape)) / shape[1]


def _current(rates: np.ndarray, tuning: Tuning) -> np.ndarray:
    """J at which neurons fire at these rates, Hz."""
    if tuning.curve == "rectified":
        return rates
    return 1.0 / -np.expm1((tuning.refractory - 1.0 / rates) / tuning.membrane)


def _threshold(tuning: Tuning) -> float:
    return 1.0 if tuning.curve == "lif" else 0.0
