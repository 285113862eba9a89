"""What a cell computes, without its circuit: the layer with any memory, sampled or in continuous time.

Sampled, it is the layer's step with the memory's exact response to an input that is held over a step. In
continuous time, with inputs held over a step dt, it is

    m from the memory driven by u = e_x.x + e_h.h + e_m.m + b_m
    dt h' = -h + tanh(W_x x + W_h h + W_m m + b)

whose Euler step of dt is the layer's.
"""

from dataclasses import dataclass

import numpy as np

from lmu_analog.memory.statespace import StateSpace, first_order_hold
from lmu_analog.networks.cell import State
from lmu_analog.networks.weights import Weights

SUBSTEPS = 100  # of a step, in continuous time: the error of the second-order rule is some 1e-5


@dataclass(frozen=True, eq=False)
class Twin:
    """A cell without its circuit.

    Attributes
    ----------
    weights : Weights
    memory : StateSpace
        Continuous, in s; from u to the Legendre states, the same for all memories.
    step : float, s
    continuous : bool
        Whether the hidden units are first-order lags in place of sampled.
    """

    weights: Weights
    memory: StateSpace
    step: float
    continuous: bool = False

    def run(self, x: np.ndarray) -> State:
        """Run inputs (steps, inputs), held over a step each, from rest; the states after every step.

        Returns
        -------
        State
            hidden (steps, hidden) and memory (steps, memories, order).
        """
        stage = _Stage(self.weights, self.memory, self.step / (SUBSTEPS if self.continuous else 1))
        h = np.zeros(self.weights.hidden)
        z = np.zeros((self.weights.memories, self.memory.order))
        m = np.zeros((self.weights.memories, self.weights.order))
        hidden, memory = [], []
        for row in np.asarray(x, float):
            h, z, m = self._followed(stage, row, (h, z, m)) if self.continuous else stage.held(row, (h, z, m))
            hidden.append(h)
            memory.append(m)
        return State(np.stack(hidden), np.stack(memory))

    def _followed(self, stage: "_Stage", row: np.ndarray, state: "_Values") -> "_Values":
        """Follow the differential equations over one step, by Heun's rule with exact linear parts."""
        fading = np.exp(-1.0 / SUBSTEPS)
        h, z, m = state
        for _ in range(SUBSTEPS):
            u, goal = stage.drive(row, h, m), stage.goal(row, h, m)
            _, m1 = stage.ramp(z, u, u)
            h1 = fading * h + (1.0 - fading) * goal
            u1 = stage.drive(row, h1, m1)
            z, m = stage.ramp(z, u, u1)
            h = fading * h + (1.0 - fading) * 0.5 * (goal + stage.goal(row, h1, m))
        return h, z, m


_Values = tuple[np.ndarray, np.ndarray, np.ndarray]  # hidden, inner states of the memories, memories


class _Stage:
    """The layer's equations, and the memory's exact response over one interval."""

    def __init__(self, weights: Weights, memory: StateSpace, interval: float) -> None:
        self.weights, self.memory = weights, memory
        self.phi, self.gamma0, self.gamma1 = first_order_hold(memory, interval)

    def drive(self, x: np.ndarray, h: np.ndarray, m: np.ndarray) -> np.ndarray:
        w = self.weights
        return x @ w.input_encoders + h @ w.hidden_encoders + m.ravel() @ w.memory_encoders + w.memory_bias

    def goal(self, x: np.ndarray, h: np.ndarray, m: np.ndarray) -> np.ndarray:
        w = self.weights
        return np.tanh(x @ w.input_kernel + h @ w.hidden_kernel + m.ravel() @ w.memory_kernel + w.bias)

    def ramp(self, z: np.ndarray, u: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Drive the memories by inputs that go straight from u to ``end``."""
        z = z @ self.phi.T + u[:, None] * self.gamma0[:, 0] + end[:, None] * self.gamma1[:, 0]
        m = z @ self.memory.C.T + end[:, None] * self.memory.D[:, 0]
        return z, m if self.memory.offset is None else m + self.memory.offset

    def held(self, x: np.ndarray, state: _Values) -> _Values:
        h, z, m = state
        u = self.drive(x, h, m)
        z, m = self.ramp(z, u, u)
        return self.goal(x, h, m), z, m
