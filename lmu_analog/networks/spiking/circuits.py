"""One synapse and one neuron as circuits in ngspice, against the models that the networks are made of."""

import numpy as np
from jaxtyping import Float

from lmu_analog.building import build
from lmu_analog.design import Design
from lmu_analog.memory.statespace import StateSpace, respond
from lmu_analog.networks.spiking.neurons import Tuning
from lmu_analog.simulation import Grid, ngspice_states
from lmu_analog.spice import ngspice
from lmu_analog.spice.deck import Transient
from lmu_analog.spice.neuron import neuron_deck, spike_times
from lmu_analog.stimulus import Recording

_STEP = (
    100  # of the refractory time: a spike is late by at most one, 0.2 % of a period of ten refractory times
)
_POINTS_A_PULSE = 8


def circuit_rates(
    current: Float[np.ndarray, " n"], tuning: Tuning, *, duration: float = 0.5
) -> Float[np.ndarray, " n"]:
    """Let ngspice fire neurons at constant currents J, and give their rates, Hz, from the times between spikes.

    A neuron with less than two spikes within ``duration``, s, has the rate 0.
    """
    spikes = circuit_spikes([(0.0, float(j)) for j in current], "DC 0", tuning, duration=duration)
    return np.array([(len(t) - 1) / (t[-1] - t[0]) if len(t) > 1 else 0.0 for t in spikes])


def circuit_spikes(
    neurons: list[tuple[float, float]], wave: str, tuning: Tuning, *, duration: float
) -> list[Float[np.ndarray, " n"]]:
    """Give the times of spikes, s, of neurons (gain, bias) in ngspice, the input u being a SPICE source's wave."""
    analysis = Transient(duration, tuning.refractory / _STEP)
    deck = neuron_deck(
        neurons,
        wave,
        (analysis.stop, analysis.step),
        membrane=tuning.membrane,
        refractory=tuning.refractory,
    )
    vectors = ngspice.run(deck, analysis)
    return [spike_times(vectors["time"], vectors[f"v(r{k})"]) for k in range(len(neurons))]


def spike_train(
    times: Float[np.ndarray, " n"], *, width: float, duration: float, height: float = 1.0
) -> Recording:
    """Give spikes as pulses of ``width``, s, and ``height``, V, their flanks an eighth of it; linear between points."""
    dt = width / _POINTS_A_PULSE
    t = dt * np.arange(round(duration / dt) + 1)
    inside = ((t[:, None] >= times) & (t[:, None] < times + width)).any(axis=1)
    return Recording(dt, np.where(inside, height, 0.0))


def synapse_currents(
    spikes: Recording, *, tau: float, capacitance: float = 10e-12, supply: float = 3.3
) -> tuple[Float[np.ndarray, " t"], Float[np.ndarray, " t"]]:
    """Pass spikes through one differential-pair integrator in ngspice, and through a first-order low-pass.

    Parameters
    ----------
    spikes : Recording
        Their peak drives the circuit by a quarter of its bias.
    tau : float, s
    capacitance : float, F
    supply : float, V

    Returns
    -------
    circuit, model : (t,) arrays, V
        At the points of the recording.
    """
    design = Design(
        order=1, theta=tau, family="dpi", capacitance=capacitance, supply=supply, amplitude=float(spikes.peak)
    )
    seen = Grid(spikes, spikes.time, spikes.values)
    rate = np.array([[1.0 / tau]])
    model = StateSpace(-rate, rate, np.eye(1), np.zeros((1, 1)))
    circuit = ngspice_states(build(design), seen, settle=0.0)[:, 0]
    return circuit, respond(model, spikes.values, spikes.dt)[:, 0]
