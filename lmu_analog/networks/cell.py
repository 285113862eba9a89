"""The Legendre Memory Unit in NumPy: the memory, the cell and the layer; forward only.

The memory's update holds u[k] over the step that ends at k, and the hidden units see the new memory:

    u[k] = e_x.x[k] + e_h.h[k-1] + e_m.m[k-1] + b_m
    m[k] = Ad m[k-1] + Bd u[k]
    h[k] = tanh(W_x x[k] + W_h h[k-1] + W_m m[k] + b)

(Voelker, Kajić and Eliasmith, NeurIPS 2019, eqs 2, 6 and 7; keras-lmu does the same.)
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, cast

import numpy as np
from jaxtyping import Float

from lmu_analog.errors import DesignError, SimulationError, shown
from lmu_analog.memory import reference
from lmu_analog.memory.legendre import coefficients
from lmu_analog.memory.reference import Method
from lmu_analog.memory.statespace import StateSpace
from lmu_analog.networks.weights import METHODS, Weights
from lmu_analog.units import is_whole

HIGHEST_ORDER = 1024  # of a software memory; a circuit ends at 64


class State(NamedTuple):
    """What a layer remembers: hidden units (..., hidden) and memories (..., memories, order)."""

    hidden: np.ndarray
    memory: np.ndarray


@dataclass(frozen=True)
class Memory:
    """A sampled Legendre memory.

    Attributes
    ----------
    order : int
        Number of coefficients, 1 to 1024.
    theta : float, s, or steps where dt is 1
        Window.
    dt : float, s
        Of one step.
    method : {"zoh", "euler"}
        Exact for an input that is held over a step, or forward Euler.
    """

    order: int
    theta: float
    dt: float = 1.0
    method: str = "zoh"

    def __post_init__(self) -> None:
        if not is_whole(self.order) or not 1 <= self.order <= HIGHEST_ORDER:
            raise DesignError(
                f"order must be a whole number from 1 to {HIGHEST_ORDER}, not {shown(self.order)}"
            )
        for name in ("theta", "dt"):
            if not 0.0 < getattr(self, name) < np.inf:
                raise DesignError(f"{name} must be a positive number, not {getattr(self, name)}")
        if self.method not in METHODS:
            raise DesignError(f"method {shown(self.method)}; known are {', '.join(METHODS)}")

    @cached_property
    def system(self) -> StateSpace:
        """The update m[k] = A m[k-1] + B u[k]."""
        return discrete(*coefficients(self.order), memory=self)

    def run(self, u: Float[np.ndarray, "*b t"]) -> Float[np.ndarray, "*b t {self.order}"]:
        """Run from rest.

        Parameters
        ----------
        u : (..., steps) array
            Leading axes are many inputs.

        Returns
        -------
        (..., steps, order) array
            The coefficients, u[k] already in row k.

        Raises
        ------
        SimulationError
            If the memory diverges, as Euler's method does for a short theta.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            states = reference.run(self.system, np.asarray(u, float))
        if not np.isfinite(states).all() and np.isfinite(u).all():
            raise SimulationError(_diverged(self))
        return states


def discrete(
    A: Float[np.ndarray, "n n"], B: Float[np.ndarray, " n"], *, memory: Memory | Weights
) -> StateSpace:
    """Make theta m' = A m + B u discrete as a memory, or weights, say.

    Parameters
    ----------
    A : (order, order) array
    B : (order,) array
    memory : Memory or Weights
        Gives theta, dt and the method.
    """
    n = len(A)
    system = StateSpace(A / memory.theta, B[:, None] / memory.theta, np.eye(n), np.zeros((n, 1)))
    return reference.discretize(system, memory.dt, cast("Method", memory.method))


def _diverged(memory: Memory) -> str:
    """Say why, with the smallest theta at which Euler's method is stable: max |p|^2/(-2 Re p) steps."""
    poles = np.linalg.eigvals(coefficients(memory.order)[0])
    least = float(np.max(np.abs(poles) ** 2 / (-2.0 * poles.real)))
    return (
        f"the memory diverges: {memory.method} with theta = {memory.theta / memory.dt:g} steps at order "
        f"{memory.order}; use method zoh, or theta above {least:.3g} steps"
    )


@dataclass(frozen=True, eq=False)
class LMU:
    """An LMU layer with given weights.

    Attributes
    ----------
    weights : Weights
    """

    weights: Weights

    @cached_property
    def memory(self) -> StateSpace:
        """The update of every memory."""
        w = self.weights
        A, B = coefficients(w.order) if w.A is None or w.B is None else (w.A, w.B)
        return discrete(A, B, memory=w)

    def rest(self, batch: tuple[int, ...] = ()) -> State:
        """Give the state of all zeros, with leading axes ``batch``."""
        w = self.weights
        return State(np.zeros((*batch, w.hidden)), np.zeros((*batch, w.memories, w.order)))

    def drive(self, x: Float[np.ndarray, "*b i"], state: State) -> Float[np.ndarray, "*b k"]:
        """Give what goes into the memories, (..., memories): encoders of inputs, hidden units and memories."""
        w, flat = self.weights, _flat(state.memory)
        fed = state.hidden @ w.hidden_encoders + flat @ w.memory_encoders
        return np.asarray(x @ w.input_encoders + fed + w.memory_bias)

    def step(self, x: Float[np.ndarray, "*b i"], state: State) -> State:
        """Take one step.

        Parameters
        ----------
        x : (..., inputs) array
        state : State
            After the step before.
        """
        w, u = self.weights, self.drive(x, state)
        memory = state.memory @ self.memory.A.T + u[..., None] * self.memory.B[:, 0]
        activation = x @ w.input_kernel + state.hidden @ w.hidden_kernel + _flat(memory) @ w.memory_kernel
        return State(np.tanh(activation + w.bias), memory)

    def run(self, x: np.ndarray, start: State | None = None) -> State:
        """Run a sequence, from rest unless a state is given.

        Parameters
        ----------
        x : (..., steps, inputs) array
        start : State, optional

        Returns
        -------
        State
            hidden (..., steps, hidden) and memory (..., steps, memories, order).

        Raises
        ------
        DesignError
            If x has the wrong number of inputs, or values that are not finite.
        SimulationError
            If the memories diverge; the step is named.
        """
        x = self._checked(np.asarray(x, float))
        state = self.rest(x.shape[:-2]) if start is None else start
        past: list[State] = []
        with np.errstate(over="ignore", invalid="ignore"):
            for k in range(x.shape[-2]):
                state = self.step(x[..., k, :], state)
                past.append(state)
                if not np.isfinite(state.memory).all():
                    raise SimulationError(
                        f"the memories diverge at step {k}; memory_encoders, A or a short theta make them unstable"
                    )
        return State(np.stack([s.hidden for s in past], -2), np.stack([s.memory for s in past], -3))

    def _checked(self, x: np.ndarray) -> np.ndarray:
        if x.ndim < 2 or x.shape[-2] < 1:
            raise DesignError(
                f"x has shape {x.shape}; axes (..., steps, inputs) are wanted, with a step at least"
            )
        if x.shape[-1] != self.weights.inputs:
            raise DesignError(
                f"x: last axis (inputs) has length {x.shape[-1]}, not {self.weights.inputs} as in input_encoders"
            )
        if not np.isfinite(x).all():
            raise DesignError(f"x holds {int(np.sum(~np.isfinite(x)))} values that are not finite")
        return x


def _flat(memory: np.ndarray) -> np.ndarray:
    """Lay the coefficients of all memories side by side, (..., memories*order)."""
    return memory.reshape(*memory.shape[:-2], -1)
