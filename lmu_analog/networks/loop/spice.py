"""Networks run with ngspice in place of their memories.

Between two steps a memory's circuit needs what the network makes of its states, and ngspice does not stop there to ask.
So the whole of u is guessed, ngspice gives the memories for it, the network gives the u that follows from those, and
again, until u stays: waveform relaxation (Lelarasmee, Ruehli and Sangiovanni-Vincentelli 1982). As u[k] depends on
earlier memories alone, each round makes at least one more step right; started from what the exact engine finds, one or
two rounds do.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.circuit import Circuit, with_values
from lmu_analog.circuits.components import Inductor
from lmu_analog.errors import SimulationError
from lmu_analog.networks.analog.run import held_points
from lmu_analog.networks.cell import hidden_units, memory_input
from lmu_analog.networks.loop.forward import checked_inputs, chosen, dense, steps
from lmu_analog.networks.loop.memories import Draws, Place, check_design, drawn, layer_circuits
from lmu_analog.networks.network import LMULayer, Network
from lmu_analog.spice import ngspice
from lmu_analog.spice.deck import Transient, vector
from lmu_analog.spice.driven import driven_deck
from lmu_analog.spice.worker import Worker

POINTS = 50.0  # of ngspice in a step at least: the memory moves little in between
EDGE = 1e-4  # of a step: how long u takes to its next value; held means none
_COILS_EDGE = 2e-3  # with inductors: in shorter ones ngspice's steps get too small
SETTLED = 1e-3  # of the largest u: what ngspice itself is wrong by
ROUNDS = 10
_Run = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Relaxed:
    """What ngspice has found.

    Attributes
    ----------
    outputs : (b, o) or (b, t, o) array
    runs : int
        Of ngspice, over all inputs, layers, memories and rounds.
    """

    outputs: Float[np.ndarray, "b *o"]
    runs: int


def spice_outputs(network: Network, draws: Draws, x: np.ndarray, *, where: Sequence[Place | None]) -> Relaxed:
    """Run a network on the first of some circuits, in ngspice, rails and slew rate included.

    Parameters
    ----------
    network : Network
    draws : Draws
        Of its samples only the first is run.
    x : (b, t, i) array
    where : sequence of Place or None
        From ``memories.places``.

    Raises
    ------
    DesignError
        If network and design do not go together.
    SimulationError
        If ngspice is missing or fails, or u does not settle.
    """
    ngspice.require()
    x = checked_inputs(network, x)
    one = draws._replace(samples=draws.samples[:1])
    exact = chosen(network, drawn(network, one, where))
    found, runs = [], 0
    with Worker() as worker:
        for series in x:
            below = series[None, None]
            for layer, place, memory in zip(network.layers, where, exact, strict=True):
                if not isinstance(layer, LMULayer):
                    below = dense(layer, below)
                    continue
                run = _simulated(layer, one, cast("Place", place), worker)
                guess = np.stack([s.drive[0, 0] for s in steps(layer, memory, below)])
                hidden, rounds = relaxed(layer, below[0, 0], guess, run=run)
                below, runs = hidden[None, None], runs + rounds * layer.memories
            found.append(below[0, 0] if network.readout == "every" else below[0, 0, -1])
    return Relaxed(np.stack(found), runs)


def relaxed(
    layer: LMULayer, x: Float[np.ndarray, "t i"], u: Float[np.ndarray, "t k"], *, run: _Run
) -> tuple[Float[np.ndarray, "t h"], int]:
    """Find the hidden units of a layer whose memories somebody else computes.

    Parameters
    ----------
    layer : LMULayer
    x : (t, i) array
    u : (t, k) array
        What drives the memories, as a guess.
    run : callable
        Gives the memories (t, k*d) for a given u, from rest.

    Returns
    -------
    hidden : (t, h) array
    rounds : int
        How often ``run`` was called.

    Raises
    ------
    SimulationError
        If u does not settle.
    """
    for done in range(1, ROUNDS + 1):
        again, hidden = _followed(layer, x, run(u))
        if np.abs(again - u).max() <= SETTLED * np.abs(again).max():
            return hidden, done
        u = again
    raise SimulationError(
        f"what drives the memories did not settle in {ROUNDS} runs of ngspice; lower the mismatch or the amplitude"
    )


def _followed(layer: LMULayer, x: np.ndarray, memories: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give u (t, k) and hidden units (t, h) that follow from memories (t, k*d)."""
    h, before = np.zeros(layer.hidden), np.zeros(memories.shape[1])
    u: list[np.ndarray] = []
    hidden: list[np.ndarray] = []
    for now, m in zip(x, memories, strict=True):
        u.append(memory_input(layer.arrays, now, h=h, m=before))
        h, before = hidden_units(layer.arrays, now, h=h, m=m), m
        hidden.append(h)
    return np.stack(u), np.stack(hidden)


def _simulated(layer: LMULayer, draws: Draws, place: Place, worker: Worker) -> _Run:
    """Make the first circuits of a layer ready for ngspice: a function from u (t, k) to memories (t, k*d)."""
    step, volts = check_design(layer, draws.design), place.volts
    nominal, values = layer_circuits(layer.memories, draws, place)
    coils = any(isinstance(c, Inductor) for c in nominal.components)
    labels = [f"m{i}" for i in range(nominal.order)]

    def one(circuit: Circuit, u: np.ndarray) -> np.ndarray:
        """Give the memory at the ends of all steps, (t, d)."""
        analysis = Transient(len(u) * step, step / POINTS)
        points = held_points(u * volts, step, edge=_COILS_EDGE if coils else EDGE)
        deck = driven_deck(circuit, analysis, {circuit.source: points}, labels=labels)
        vectors = worker.call(ngspice.run_here, (deck, analysis), timeout=ngspice.TIMEOUT)
        ends = step * np.arange(1, len(u) + 1)
        states = [
            sum(t.factor * np.interp(ends, vectors["time"], vectors[vector(t).lower()]) for t in probe)
            for probe in circuit.probes
        ]
        return np.stack(states, axis=-1) / volts

    circuits = [with_values(nominal, v) for v in values[0]]
    return lambda u: np.concatenate([one(c, u[:, j]) for j, c in enumerate(circuits)], axis=1)
