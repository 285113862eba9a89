"""A Legendre memory in recurrently connected spiking neurons: d populations of p neurons, one a state."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float

from lmu_analog.errors import DesignError, SimulationError
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.realizations import REALIZATIONS, realize
from lmu_analog.memory.reference import discretize, filtered
from lmu_analog.memory.statespace import StateSpace, transform
from lmu_analog.mismatch.law import check_seed
from lmu_analog.networks.spiking.decoders import decoders
from lmu_analog.networks.spiking.firing import Decoded, Firing, fire
from lmu_analog.networks.spiking.neurons import Tuning, deviated, lognormal, populations
from lmu_analog.networks.spiking.synapses import (
    Mapped,
    Synapse,
    continuous,
    discrete,
    low_pass,
    mapped,
    stepped,
)

_LARGEST_STATE = 1e3  # radii: a network whose states are so large does not come back
WITHOUT = ("principle3-two-pole",)  # realizations whose states are more than the memory's


@dataclass(frozen=True)
class Settings:
    """What a spiking memory is made of.

    Attributes
    ----------
    neurons : int
        For each state.
    firing : {"poisson", "spiking", "rate"}
        What neurons send.
    tuning : Tuning
    realization : str
        Coordinates of the states, one of ``REALIZATIONS``.
    synapse : Synapse
    mapping : {"discrete", "continuous"}
        Principle 3 for the sampled memory, exact for first-order synapses; or for the continuous one.
    derivatives : int
        Of the input that reach the neurons; only of synapses that are not of first order.
    dt : float, s
        Step of time.
    regularisation : float
        Of the decoders.
    seed : int
        Of neurons and mismatch.
    """

    neurons: int = 100
    firing: Firing = "poisson"
    tuning: Tuning = Tuning()
    realization: str = "legendre"
    synapse: Synapse = Synapse(0.1)
    mapping: Literal["discrete", "continuous"] = "discrete"
    derivatives: int = 0
    dt: float = 1e-3
    regularisation: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if self.realization not in REALIZATIONS or self.realization in WITHOUT:
            known = ", ".join(name for name in REALIZATIONS if name not in WITHOUT)
            raise DesignError(f"realization {self.realization!r}: known for neurons are {known}")
        if self.mapping == "discrete" and not self.synapse.plain:
            raise DesignError("mapping discrete is for first-order synapses; take continuous for others")
        if not 0.0 < self.dt < np.inf:
            raise DesignError(f"dt = {self.dt:g} s is not a positive time")


@dataclass(frozen=True)
class Silicon:
    """How a chip deviates from its design.

    Attributes
    ----------
    tau : float
        Coefficient of variation of the synapses' time constants, log-normal with mean 1.
    gain : float
        The same of the neurons' gains.
    bias : float
        Standard deviation of the neurons' biases, in units of the threshold current.
    compensated : bool
        Weights from the measured time constants, decoders from the measured rates; else from the nominal ones.
    """

    tau: float = 0.0
    gain: float = 0.0
    bias: float = 0.0
    compensated: bool = False


@dataclass(frozen=True, eq=False)
class SpikingMemory:
    """Neurons, weights and synapses that implement a memory.

    The states are z = T m in units of their radii. Weights from neurons to neurons are encoders times ``mapping``
    times decoders, and are never multiplied out.

    Attributes
    ----------
    system : StateSpace
        The memory in these states, continuous; outputs are the Legendre states m.
    mapping : Mapped
    taus : (d,) array, s
        Of the synapses as they are.
    read : Decoded
        Neurons as they are, with the decoders that they were given.
    settings : Settings
    """

    system: StateSpace
    mapping: Mapped
    taus: Float[np.ndarray, " d"]
    read: Decoded
    settings: Settings

    @property
    def neurons(self) -> int:
        """Number of all neurons."""
        return self.read.populations.neurons


@dataclass(frozen=True, eq=False)
class Trace:
    """A run: what synapses hold, (t, d), and what the decoders made of the spikes of each step, (t, d)."""

    states: Float[np.ndarray, "t d"]
    decoded: Float[np.ndarray, "t d"]


def spiking_memory(
    order: int,
    theta: float,
    settings: Settings,
    *,
    radii: Float[np.ndarray, " d"] | None = None,
    silicon: Silicon | None = None,
) -> SpikingMemory:
    """Build a memory of spiking neurons.

    Parameters
    ----------
    order : int
    theta : float, s
    settings : Settings
    radii : (d,) array, optional
        The largest values that the states should stand for, see ``radii_for``; 1 unless given.
    silicon : Silicon, optional
        Without mismatch unless given.

    Returns
    -------
    SpikingMemory
    """
    silicon = silicon or Silicon()
    made = realize(legendre(order, theta), settings.realization)
    system = made.system if radii is None else transform(made.system, np.diag(1.0 / radii))
    tau, random = settings.synapse.tau, np.random.default_rng([settings.seed, 4])
    taus = tau * lognormal(random, silicon.tau, (order,))
    designed_for = taus if silicon.compensated else np.full(order, tau)
    drawn = populations(order, settings.neurons, settings.tuning, seed=settings.seed)
    actual = deviated(drawn, gain=silicon.gain, bias=silicon.bias, seed=settings.seed)
    weights = decoders(actual if silicon.compensated else drawn, regularisation=settings.regularisation)
    return SpikingMemory(
        system, _mapping(system, designed_for, settings), taus, Decoded(actual, weights), settings
    )


def _mapping(system: StateSpace, taus: np.ndarray, settings: Settings) -> Mapped:
    if settings.mapping == "discrete":
        return discrete(discretize(system, settings.dt), taus)
    if settings.synapse.plain:
        return continuous(system, taus)
    synapses = [replace(settings.synapse, tau=float(tau)) for tau in taus]
    rows = [mapped(system, synapse, derivatives=settings.derivatives) for synapse in synapses]
    # A row of the weights belongs to one synapse: with time constants that differ it is that row of each map.
    own = range(len(rows))
    return Mapped(
        np.stack([rows[i].weights[i] for i in own]), np.stack([rows[i].drives[:, i] for i in own], axis=1)
    )


def radii_for(
    order: int, theta: float, u: Float[np.ndarray, " t"], *, settings: Settings
) -> Float[np.ndarray, " d"]:
    """Give the largest values that the states reach for an input, (t,), sampled in steps of dt."""
    system = realize(legendre(order, theta), settings.realization).system
    return np.abs(filtered(discretize(system, settings.dt), u)).max(axis=0)


def run(
    memory: SpikingMemory,
    u: Float[np.ndarray, " t"],
    *,
    seed: int = 0,
    advance: Callable[[int], None] | None = None,
) -> Trace:
    """Run the network from rest.

    Parameters
    ----------
    memory : SpikingMemory
    u : (t,) array
        Input in steps of dt; u[k] is in the states of step k.
    seed : int
        Of spikes and of the membranes at the start.
    advance : callable, optional
        Told about every hundred steps.

    Raises
    ------
    SimulationError
        If the states grow without bound.
    """
    settings = memory.settings
    neurons = fire(memory.read, settings.firing, settings.dt, seed=seed)
    synapses = stepped(settings.synapse, memory.taus, settings.dt)
    drive = _derivatives(u, settings.dt, len(memory.mapping.drives)) @ memory.mapping.drives
    weights = memory.mapping.weights
    x = np.zeros(len(memory.taus))
    states, sent = np.empty(drive.shape), np.empty(drive.shape)
    for k in range(len(drive)):
        decoded = neurons(x)
        x = synapses(weights @ decoded + drive[k])
        states[k], sent[k] = x, decoded
        if k % 100 == 99:
            if not np.abs(x).max() < _LARGEST_STATE:
                raise SimulationError(
                    f"the network is unstable: after {k + 1} steps a state is beyond {_LARGEST_STATE:g} radii; "
                    "give more neurons, or a tau nearer to theta/order"
                )
            if advance:
                advance(100)
    return Trace(states, sent)


def _derivatives(u: np.ndarray, dt: float, count: int) -> np.ndarray:
    found = [np.asarray(u, float)]
    for _ in range(count - 1):
        found.append(np.gradient(found[-1], dt))
    return np.stack(found, axis=1)


def ideal_states(memory: SpikingMemory, u: Float[np.ndarray, " t"]) -> Float[np.ndarray, "t d"]:
    """Give the same states without neurons, (t, d), in units of their radii."""
    return filtered(discretize(memory.system, memory.settings.dt), u)


def legendre_states(memory: SpikingMemory, states: Float[np.ndarray, "t d"]) -> Float[np.ndarray, "t d"]:
    """Read the Legendre states m off the network's."""
    return states @ memory.system.C.T


def probed(
    memory: SpikingMemory, trace: Trace, u: Float[np.ndarray, " t"], *, tau: float
) -> Float[np.ndarray, "t d"]:
    """Estimate the states from spikes and input through synapses of the observer's own, by Principle 3.

    As the published runs on chips were read (Voelker, PhD thesis, 2019, section 6.2). A longer ``tau``, s, leaves
    less noise of spikes and costs no delay.
    """
    dt = memory.settings.dt
    own = discrete(discretize(memory.system, dt), np.full(len(memory.taus), tau))
    return low_pass(trace.decoded @ own.weights.T + np.outer(u, own.drives[0]), tau, dt)


def rmse(memory: SpikingMemory, trace: Trace, u: Float[np.ndarray, " t"], *, skip: int = 0) -> float:
    """Root mean square distance of the Legendre states from the ideal ones; squares are summed over states.

    The first ``skip`` steps are left out.
    """
    error = legendre_states(memory, trace.states[skip:] - ideal_states(memory, u)[skip:])
    return float(np.sqrt(np.mean(np.sum(error**2, axis=1))))
