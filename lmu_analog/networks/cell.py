"""The Legendre Memory Unit in NumPy: the memory, the cell and the layer; forward only.

The equations are those of ``networks.network``. The memory's update holds u[k] over the step that ends at k, and the
hidden units see the new memory; keras-lmu does the same.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, cast

import numpy as np
from jaxtyping import Float

from lmu_analog.errors import DesignError, SimulationError, shown
from lmu_analog.memory import reference
from lmu_analog.memory.legendre import coefficients
from lmu_analog.memory.reference import Method
from lmu_analog.memory.statespace import StateSpace
from lmu_analog.networks.network import METHODS, LMULayer, Weights
from lmu_analog.units import is_whole

HIGHEST_ORDER = 1024  # of a software memory; a circuit ends at 64


class State(NamedTuple):
    """What a layer remembers: hidden units (..., hidden) and memories (..., memories, order)."""

    hidden: np.ndarray
    memory: np.ndarray


class Memories(NamedTuple):
    """Sampled memories of a layer: z[k] = A z[k-1] + B u[k], m[k] = C z[k] + D u[k] + offset.

    They may be ideal, learned or those of circuits. Arrays are NumPy's, or JAX's with gradients: a named tuple,
    because JAX maps over those by itself. Leading axes, such as one of s circuits, are many.

    Attributes
    ----------
    A : (..., k, n, n) array
        Of each of the k memories.
    B : (..., k, n) array
    C : (..., k, d, n) array
        What gives the Legendre coefficients m.
    D : (..., k, d) array
    offset : (..., k, d) array
        DC offset of m, where op-amps have some, in the unit of u.
    """

    A: Any
    B: Any
    C: Any
    D: Any
    offset: Any


def cut(memories: Memories, k: Any) -> Memories:
    """Take some of the circuits, or one of them: those that the index or slice names."""
    return Memories(*(a[k] for a in memories))


def identical(A: Any, B: Any, memories: int, *, library: Any = np) -> Memories:
    """Give every memory of a layer the same A (n, n) and B (n,); their states are m, without offsets.

    ``library`` is NumPy, or ``jax.numpy`` for arrays of JAX.
    """
    zeros = library.zeros((memories, len(B)))
    A, B, C = (library.broadcast_to(a, (memories, *a.shape)) for a in (A, B, library.eye(len(B))))
    return Memories(A, B, C, zeros, zeros)


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
        Zero-order hold (exact for an input that is constant over a step), or forward Euler.
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
        return _discrete(coefficients(self.order), self)

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


def _discrete(matrices: tuple[np.ndarray, np.ndarray], timing: Memory | LMULayer) -> StateSpace:
    """Make theta m' = A m + B u discrete, with theta, dt and the method of a memory or a layer."""
    A, B = matrices
    n, theta = len(A), timing.theta
    system = StateSpace(A / theta, B[:, None] / theta, np.eye(n), np.zeros((n, 1)))
    return reference.discretize(system, timing.dt, cast("Method", timing.method))


def _diverged(memory: Memory) -> str:
    """Say why, with the smallest theta at which Euler's method is stable: max |p|^2/(-2 Re p) steps."""
    poles = np.linalg.eigvals(coefficients(memory.order)[0])
    least = float(np.max(np.abs(poles) ** 2 / (-2.0 * poles.real)))
    return (
        f"the memory diverges: {memory.method} with theta = {memory.theta / memory.dt:g} steps at order "
        f"{memory.order}; use method zoh, or theta above {least:.3g} steps"
    )


def memory_input(w: Weights, x: np.ndarray, *, h: np.ndarray, m: np.ndarray) -> np.ndarray:
    """Give u, (..., memories), of inputs now, and of h and m (..., memories*order) after the step before."""
    return x @ w.input_encoders + h @ w.hidden_encoders + m @ w.memory_encoders + w.memory_bias


def hidden_units(w: Weights, x: np.ndarray, *, h: np.ndarray, m: np.ndarray) -> np.ndarray:
    """Give h, (..., hidden), of inputs and m (..., memories*order) now, and of h after the step before."""
    return np.tanh(x @ w.input_kernel + h @ w.hidden_kernel + m @ w.memory_kernel + w.bias)


@dataclass(frozen=True, eq=False)
class LMU:
    """An LMU layer that runs.

    Attributes
    ----------
    layer : LMULayer
        With weights.
    """

    layer: LMULayer

    @cached_property
    def memory(self) -> StateSpace:
        """The update of every memory."""
        return _discrete(self.layer.matrices, self.layer)

    @property
    def memories(self) -> Memories:
        """The layer's memories as those of one circuit: all alike, and without offsets."""
        return cut(identical(self.memory.A, self.memory.B[:, 0], self.layer.memories), None)

    def rest(self, batch: tuple[int, ...] = ()) -> State:
        """Give the state of all zeros, with leading axes ``batch``."""
        layer = self.layer
        return State(np.zeros((*batch, layer.hidden)), np.zeros((*batch, layer.memories, layer.order)))

    def drive(self, x: Float[np.ndarray, "*b i"], state: State) -> Float[np.ndarray, "*b k"]:
        """Give what goes into the memories, (..., memories): encoders of inputs, hidden units and memories."""
        return memory_input(self.layer.arrays, x, h=state.hidden, m=_flat(state.memory))

    def step(self, x: Float[np.ndarray, "*b i"], state: State) -> State:
        """Take one step.

        Parameters
        ----------
        x : (..., inputs) array
        state : State
            After the step before.
        """
        memory = state.memory @ self.memory.A.T + self.drive(x, state)[..., None] * self.memory.B[:, 0]
        return State(hidden_units(self.layer.arrays, x, h=state.hidden, m=_flat(memory)), memory)

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
        if x.shape[-1] != self.layer.inputs:
            raise DesignError(
                f"x: last axis (inputs) has length {x.shape[-1]}, not {self.layer.inputs} as in input_encoders"
            )
        if not np.isfinite(x).all():
            raise DesignError(f"x holds {int(np.sum(~np.isfinite(x)))} values that are not finite")
        return x


def _flat(memory: np.ndarray) -> np.ndarray:
    """Lay the coefficients of all memories side by side, (..., memories*order)."""
    return memory.reshape(*memory.shape[:-2], -1)
