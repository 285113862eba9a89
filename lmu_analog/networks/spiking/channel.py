"""A feed-forward channel: a signal decoded from one population, without a memory."""

from dataclasses import dataclass

import numpy as np

from lmu_analog.errors import DesignError
from lmu_analog.networks.spiking.decoders import decoders
from lmu_analog.networks.spiking.firing import Decoded, Firing, fire
from lmu_analog.networks.spiking.neurons import Tuning, populations
from lmu_analog.networks.spiking.synapses import low_pass


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
