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
from lmu_analog.networks.loop.forward import chosen, dense, steps
from lmu_analog.networks.loop.memories import Draws, Place, check_design, drawn, layer_circuits
from lmu_analog.networks.loop.stack import Dense, Stack, check_inputs
from lmu_analog.networks.weights import Weights
from lmu_analog.spice import ngspice
from lmu_analog.spice.deck import Transient, vector
from lmu_analog.spice.driven import driven_deck
from lmu_analog.spice.worker import Worker

POINTS = 50.0  # of ngspice in a step at least: the memory moves little in between
EDGE = 1e-4  # of a step: how long u takes to its next value; held means none
COILS_EDGE = 2e-3  # with inductors: in shorter ones ngspice's steps get too small
SETTLED = 1e-3  # of the largest u: what ngspice itself is wrong by
ROUNDS = 10


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


def spice_outputs(stack: Stack, draws: Draws, x: np.ndarray, *, where: Sequence[Place | None]) -> Relaxed:
    """Run a network on the first of some circuits, in ngspice, rails and slew rate included.

    Parameters
    ----------
    stack : Stack
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
    x = check_inputs(stack, x)
    one = draws._replace(samples=draws.samples[:1])
    exact = chosen(stack, drawn(stack, one, where))
    found, runs = [], 0
    with Worker() as worker:
        for series in x:
            below = series[None, None]
            for layer, place, memory in zip(stack.layers, where, exact, strict=True):
                if isinstance(layer, Dense) or memory is None:
                    below = dense(cast("Dense", layer), below)
                    continue
                bench = _Bench.of(layer, one, cast("Place", place), worker)
                guess = np.stack([s.drive[0, 0] for s in steps(layer, memory, below)])
                hidden, rounds = relaxed(layer, below[0, 0], guess, run=bench.memories)
                below, runs = hidden[None, None], runs + rounds * layer.memories
            found.append(below[0, 0] if stack.readout == "every" else below[0, 0, -1])
    return Relaxed(np.stack(found), runs)


def relaxed(
    weights: Weights, x: Float[np.ndarray, "t i"], u: Float[np.ndarray, "t k"], *, run: "_Run"
) -> tuple[Float[np.ndarray, "t h"], int]:
    """Find the hidden units of a layer whose memories somebody else computes.

    Parameters
    ----------
    weights : Weights
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
        again, hidden = _followed(weights, x, run(u))
        if np.abs(again - u).max() <= SETTLED * np.abs(again).max():
            return hidden, done
        u = again
    raise SimulationError(
        f"what drives the memories did not settle in {ROUNDS} runs of ngspice; lower the mismatch or the amplitude"
    )


def _followed(w: Weights, x: np.ndarray, memories: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give u (t, k) and hidden units (t, h) that follow from memories (t, k*d)."""
    h, past = np.zeros(w.hidden), np.zeros(memories.shape[1])
    u: list[np.ndarray] = []
    hidden: list[np.ndarray] = []
    for now, seen in zip(x, memories, strict=True):
        fed = h @ w.hidden_encoders + past @ w.memory_encoders + np.asarray(w.memory_bias)
        u.append(now @ w.input_encoders + fed)
        own = now @ w.input_kernel + h @ w.hidden_kernel + np.asarray(w.bias)
        h, past = np.tanh(own + seen @ w.memory_kernel), seen
        hidden.append(h)
    return np.stack(u), np.stack(hidden)


_Run = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class _Bench:
    """The circuits of one layer in ngspice."""

    circuits: tuple[Circuit, ...]
    step: float
    volts: float
    worker: Worker

    @classmethod
    def of(cls, weights: Weights, draws: Draws, place: Place, worker: Worker) -> "_Bench":
        step = check_design(weights, draws.design)
        nominal, values = layer_circuits(weights, draws, place)
        return cls(tuple(with_values(nominal, v) for v in values[0]), step, place.volts, worker)

    def memories(self, u: np.ndarray) -> np.ndarray:
        """Give the memories at the ends of all steps, (t, k*d), for u (t, k)."""
        return np.concatenate([self._one(c, u[:, j]) for j, c in enumerate(self.circuits)], axis=1)

    def _one(self, circuit: Circuit, u: np.ndarray) -> np.ndarray:
        analysis = Transient(len(u) * self.step, self.step / POINTS)
        labels = [f"m{i}" for i in range(circuit.order)]
        coils = any(isinstance(c, Inductor) for c in circuit.components)
        points = held_points(u * self.volts, self.step, edge=COILS_EDGE if coils else EDGE)
        deck = driven_deck(circuit, analysis, {circuit.source: points}, labels=labels)
        vectors = self.worker.call(ngspice.run_here, (deck, analysis), timeout=ngspice.TIMEOUT)
        ends = self.step * np.arange(1, len(u) + 1)
        states = [
            sum(t.factor * np.interp(ends, vectors["time"], vectors[vector(t).lower()]) for t in probe)
            for probe in circuit.probes
        ]
        return np.stack(states, axis=-1) / self.volts
