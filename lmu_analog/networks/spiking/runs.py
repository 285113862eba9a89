"""One run of spiking neurons, with the settings of the published figures: a memory, or channels without one."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lmu_analog.errors import DesignError, shown
from lmu_analog.memory.legendre import check_order
from lmu_analog.memory.window import QUADRATURE, readout, time_profile, window_nrmse
from lmu_analog.mismatch.law import check_seed
from lmu_analog.networks.spiking.decoders import decoders
from lmu_analog.networks.spiking.firing import Decoded, Firing, fire
from lmu_analog.networks.spiking.memory import (
    Settings,
    legendre_states,
    radii_for,
    rmse,
    run,
    spiking_memory,
)
from lmu_analog.networks.spiking.neurons import Curve, Tuning, populations
from lmu_analog.networks.spiking.synapses import low_pass

THETA, FREQUENCY, AMPLITUDE, DT = 1.0, 1.0, 0.5, 1e-3  # s, Hz, 1, s
_MOST_NEURONS = 100_000
STEPS, SKIPPED = 11_000, 1000  # eleven windows, of which the first fills


@dataclass(frozen=True)
class Request:
    """What to run.

    Attributes
    ----------
    order : int
        States of the memory; channels where there is none.
    neurons : int
        Of all states together; what does not divide evenly is left out.
    firing : {"poisson", "spiking", "rate"}
    curve : {"lif", "rectified"}
    realization : str
    seed : int
    """

    order: int
    neurons: int
    firing: Firing = "poisson"
    curve: Curve = "lif"
    realization: str = "legendre"
    seed: int = 0

    def __post_init__(self) -> None:
        check_order(self.order)
        check_seed(self.seed)
        if not self.order <= self.neurons <= _MOST_NEURONS:
            raise DesignError(
                f"{shown(self.neurons)} neurons for order {self.order}: at least one a state, and at most "
                f"{_MOST_NEURONS}, are wanted"
            )

    @property
    def each(self) -> int:
        """Neurons of a state."""
        return self.neurons // self.order


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of it.

    Attributes
    ----------
    rmse : float
        Of the Legendre states, squares summed over them; of channels, of all together.
    seconds : float, s
        To build and run it.
    window_nrmse : float or None
        Of the window against the true one, over rms(u); None for channels.
    time : (t,) array, s
    window : (t, 3) array or None
        What the network says of u(t), u(t - theta/2) and u(t - theta), None for channels.
    """

    rmse: float
    seconds: float
    window_nrmse: float | None = None
    time: Float[np.ndarray, " t"] | None = None
    window: Float[np.ndarray, "t 3"] | None = None


@dataclass(frozen=True)
class Channel:
    """A sine through neurons and a synapse; the defaults are those of the published figure, but for its length.

    Voelker, PhD thesis, University of Waterloo, 2019, section 3.1, has one period; 20 leave less chance in the error
    of one network. With rates in units of the frequency the figures hold for any.

    Attributes
    ----------
    tuning : Tuning
    firing : {"poisson", "spiking", "rate"}
    frequency : float, Hz
    tau : float, s
        Of the synapse behind the decoders.
    dt : float, s
    steps : int
    regularisation : float
    """

    tuning: Tuning = Tuning(rates=(20.0, 40.0))
    firing: Firing = "poisson"
    frequency: float = 10.0
    tau: float = 1e-3
    dt: float = 1e-4
    steps: int = 20_000
    regularisation: float = 0.1


def channel_rmse(channel: Channel, neurons: int, *, count: int = 1, seed: int = 0) -> float:
    """Root mean square error of ``count`` channels of ``neurons`` each, their sines evenly apart in phase.

    Against the sines behind the same synapse, over all of the run.
    """
    if count < 1:
        raise DesignError(f"{count} channels: at least one is wanted")
    drawn = populations(count, neurons, channel.tuning, seed=seed)
    read = Decoded(drawn, decoders(drawn, regularisation=channel.regularisation))
    send = fire(read, channel.firing, channel.dt, seed=seed)
    turns = channel.frequency * channel.dt * np.arange(1, channel.steps + 1)
    x = np.sin(2.0 * np.pi * (turns[:, None] + np.arange(count) / count))
    decoded = np.stack([send(row) for row in x])
    return float(np.sqrt(np.mean(low_pass(decoded - x, channel.tau, channel.dt) ** 2)))


def sine(t: Float[np.ndarray, "*t"]) -> Float[np.ndarray, "*t"]:
    """Give the memory's input at times t, s."""
    return np.where(t < 0.0, 0.0, AMPLITUDE * np.sin(2.0 * np.pi * FREQUENCY * t))


def run_channels(request: Request) -> Outcome:
    """Send sines of 10 Hz through ``order`` populations, their phases evenly apart."""
    began = time.perf_counter()
    channel = Channel(tuning=Tuning(request.curve, (20.0, 40.0)), firing=request.firing)
    error = channel_rmse(channel, request.each, count=request.order, seed=request.seed)
    return Outcome(error, time.perf_counter() - began)


def run_memory(request: Request, advance: Callable[[int], None] | None = None) -> Outcome:
    """Let a memory of 1 s hold a sine of 1 Hz; the states of other coordinates fill their populations."""
    began = time.perf_counter()
    t = DT * np.arange(STEPS)
    u = sine(t)
    settings = Settings(
        request.each,
        request.firing,
        Tuning(request.curve),
        request.realization,
        dt=DT,
        seed=request.seed,
    )
    radii = (
        None if request.realization == "legendre" else radii_for(request.order, THETA, u, settings=settings)
    )
    memory = spiking_memory(request.order, THETA, settings, radii=radii)
    trace = run(memory, u, seed=request.seed, advance=advance)
    seconds = time.perf_counter() - began
    m = legendre_states(memory, trace.states)
    # A zero-order-hold input runs half a step ahead of the states that it is compared with.
    true = sine(t[SKIPPED:, None] + 0.5 * DT - THETA * QUADRATURE.r)
    profile = time_profile(m[SKIPPED:], true, float(np.sqrt(np.mean(u[SKIPPED:] ** 2))))
    taps = m @ readout(request.order, np.array([0.0, 0.5, 1.0])).T
    return Outcome(rmse(memory, trace, u, skip=SKIPPED), seconds, float(window_nrmse(profile)), t, taps)
