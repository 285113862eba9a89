"""What a cell computes, without its circuit: the layer with any memory, sampled or in continuous time.

Sampled, it is the layer's step with the memory's exact response by zero-order hold. In
continuous time, with a zero-order hold of step dt, it is

    m from the memory driven by u = e_x.x + e_h.h + e_m.m + b_m
    dt h' = -h + tanh(W_x x + W_h h + W_m m + b)

whose Euler step of dt is the layer's.
"""

import numpy as np

from lmu_analog.memory.statespace import StateSpace, first_order_hold
from lmu_analog.networks.cell import State, hidden_units, memory_input
from lmu_analog.networks.network import LMULayer

_SUBSTEPS = 100  # of a step, in continuous time: the error of the second-order rule is some 1e-5


def run_model(
    layer: LMULayer, system: StateSpace, step: float, *, x: np.ndarray, continuous: bool = False
) -> State:
    """Run inputs through a cell without its circuit, from rest; the states after every step.

    Parameters
    ----------
    layer : LMULayer
    system : StateSpace
        Of the memory; continuous, in s; from u to the Legendre states, the same for all memories.
    step : float, s
    x : (steps, inputs) array
        Held over a step each.
    continuous : bool
        Whether the hidden units are first-order lags in place of sampled.

    Returns
    -------
    State
        hidden (steps, hidden) and memory (steps, memories, order).
    """
    w, fading = layer.arrays, np.exp(-1.0 / _SUBSTEPS)
    phi, gamma0, gamma1 = first_order_hold(system, step / (_SUBSTEPS if continuous else 1))
    offset = 0.0 if system.offset is None else system.offset

    def ramp(z: np.ndarray, u: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Drive the memories over one interval by inputs that go straight from u to ``end``; exact."""
        z = z @ phi.T + u[:, None] * gamma0[:, 0] + end[:, None] * gamma1[:, 0]
        return z, z @ system.C.T + end[:, None] * system.D[:, 0] + offset

    h = np.zeros(layer.hidden)
    z = np.zeros((layer.memories, system.order))
    m = np.zeros((layer.memories, layer.order))
    hidden, memory = [], []
    for row in np.asarray(x, float):
        # In continuous time by Heun's rule with exact linear parts.
        for _ in range(_SUBSTEPS if continuous else 0):
            u, goal = memory_input(w, row, h=h, m=m.ravel()), hidden_units(w, row, h=h, m=m.ravel())
            _, m1 = ramp(z, u, u)
            h1 = fading * h + (1.0 - fading) * goal
            z, m = ramp(z, u, memory_input(w, row, h=h1, m=m1.ravel()))
            h = fading * h + (1.0 - fading) * 0.5 * (goal + hidden_units(w, row, h=h1, m=m.ravel()))
        if not continuous:
            u = memory_input(w, row, h=h, m=m.ravel())
            z, m = ramp(z, u, u)
            h = hidden_units(w, row, h=h, m=m.ravel())
        hidden.append(h)
        memory.append(m)
    return State(np.stack(hidden), np.stack(memory))
