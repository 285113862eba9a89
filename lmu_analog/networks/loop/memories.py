"""Memories of a layer as circuits have them: drawn from a design's mismatch, sampled at the network's step."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy import linalg

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.memory.stability import is_stable
from lmu_analog.memory.statespace import StateSpace
from lmu_analog.mismatch.law import Mismatch, check_seed, draw, is_sound, sample
from lmu_analog.networks.cell import LMU
from lmu_analog.networks.loop.stack import Stack, check_inputs
from lmu_analog.networks.weights import Weights
from lmu_analog.reduction.reduced import planned, state_spaces

SAME = 1e-6  # relative: theta of a design and of weights in seconds


@dataclass(frozen=True, eq=False)
class Memories:
    """z[k] = A z[k-1] + B u[k], m[k] = C z[k] + D u[k] + offset: of one layer, of s circuits.

    Attributes
    ----------
    A : (s, k, n, n) array
        Of each of the k memories.
    B : (s, k, n) array
    C : (s, k, d, n) array
    D : (s, k, d) array
    offset : (s, k, d) array
        What the memory shows at rest, for a u of 1 as unit.
    unstable : (s,) array
        How many memories of each circuit are unstable in continuous time.
    """

    A: Float[np.ndarray, "s k n n"]
    B: Float[np.ndarray, "s k n"]
    C: Float[np.ndarray, "s k d n"]
    D: Float[np.ndarray, "s k d"]
    offset: Float[np.ndarray, "s k d"]
    unstable: Int[np.ndarray, " s"]


def cut(memories: Memories, k: slice) -> Memories:
    """Take some of the circuits."""
    m = memories
    return Memories(m.A[k], m.B[k], m.C[k], m.D[k], m.offset[k], m.unstable[k])


class Arrays(NamedTuple):
    """Weights of a layer in many circuits: as in ``Weights``, (s, ...) each, and biases (s, 1, ...)."""

    input_encoders: np.ndarray
    hidden_encoders: np.ndarray
    memory_encoders: np.ndarray
    input_kernel: np.ndarray
    hidden_kernel: np.ndarray
    memory_kernel: np.ndarray
    bias: np.ndarray
    memory_bias: np.ndarray


class Draws(NamedTuple):
    """Which circuits: those of the design's law, by seed and consecutive sample numbers."""

    design: Design
    seed: int
    samples: range


@dataclass(frozen=True, eq=False)
class Place:
    """Where a layer stands in its network, which decides its circuits and their volts.

    Every memory is a circuit of its own: memory j of the network's circuit s is sample s ``count`` + ``first`` + j.

    Attributes
    ----------
    first : int
        Memories of the layers before.
    count : int
        Memories of the network.
    volts : float, V
        At the memories' input, for a u of 1.
    """

    first: int = 0
    count: int = 1
    volts: float = field(default=1.0)


def software(weights: Weights) -> Memories:
    """Give the memories that a layer has in NumPy, as of one circuit."""
    system, k, d = LMU(weights).memory, weights.memories, weights.order
    return Memories(
        np.broadcast_to(system.A, (1, k, d, d)),
        np.broadcast_to(system.B[:, 0], (1, k, d)),
        np.broadcast_to(np.eye(d), (1, k, d, d)),
        np.zeros((1, k, d)),
        np.zeros((1, k, d)),
        np.zeros(1, int),
    )


def places(stack: Stack, design: Design, x: np.ndarray) -> list[Place | None]:
    """Place the layers of a network; the design's amplitude is for the largest u that a layer meets on x.

    None stands for layers without memories.
    """
    from_below = check_inputs(stack, x)
    count = sum(layer.memories for layer in stack.layers if isinstance(layer, Weights))
    found: list[Place | None] = []
    first = 0
    for layer in stack.layers:
        if isinstance(layer, Weights):
            from_below, largest = _followed(layer, from_below)
            found.append(Place(first, count, design.amplitude / largest if largest else design.amplitude))
            first += layer.memories
        else:
            from_below = from_below @ layer.kernel + layer.bias
            from_below = np.tanh(from_below) if layer.activation == "tanh" else from_below
            found.append(None)
    return found


def _followed(weights: Weights, x: np.ndarray) -> tuple[np.ndarray, float]:
    """Give a layer's hidden units, (b, t, h), and the largest u that its memories meet."""
    layer, hidden, largest = LMU(weights), [], 0.0
    state = layer.rest(x.shape[:-2])
    for k in range(x.shape[-2]):
        largest = max(largest, float(np.abs(layer.drive(x[..., k, :], state)).max()))
        state = layer.step(x[..., k, :], state)
        hidden.append(state.hidden)
    return np.stack(hidden, axis=-2), largest


def drawn(stack: Stack, draws: Draws, where: Sequence[Place | None]) -> list[Memories | None]:
    """Draw the memories of every layer of a network; None stands for layers without.

    Raises
    ------
    DesignError
        If the network's order, window, step or method is not that of circuits of the design.
    """
    if len(where) != len(stack.layers):
        raise DesignError(f"places of {len(where)} layers for a network of {len(stack.layers)}")
    return [
        _of_layer(layer, draws, place, k) if isinstance(layer, Weights) and place is not None else None
        for k, (layer, place) in enumerate(zip(stack.layers, where, strict=True))
    ]


def check_design(weights: Weights, design: Design, layer: int = 0) -> float:
    """Give the time of a step, s: the design's theta in seconds stands for the weights' theta.

    Raises
    ------
    DesignError
        If circuits of the design cannot be these memories.
    """
    if design.order != weights.order:
        raise DesignError(
            f"layer {layer} has memories of order {weights.order}, the design has order {design.order}; "
            "they must agree"
        )
    if weights.A is not None:
        raise DesignError(
            f"layer {layer} has A and B of its own; circuits are of the Legendre memory alone, train without"
        )
    if weights.method != "zoh":
        raise DesignError(
            f"layer {layer} was trained with method {weights.method}; a circuit holds its input, train with zoh"
        )
    if weights.dt == 1.0:
        return design.theta / weights.theta
    if abs(design.theta / weights.theta - 1.0) > SAME:
        raise DesignError(
            f"layer {layer} has theta = {weights.theta:g} s in steps of {weights.dt:g} s, the design "
            f"{design.theta:g} s; they must agree, or give theta in steps (dt = 1)"
        )
    return weights.dt


def layer_circuits(weights: Weights, draws: Draws, place: Place) -> tuple[Circuit, np.ndarray]:
    """Give the nominal circuit of a layer's memories, and values (s, k, m) of its parameters in every sample."""
    circuit, law = build(draws.design), Mismatch.of(draws.design)
    check_seed(draws.seed)
    numbers = draws.samples
    every = range(numbers.start * place.count, numbers.stop * place.count)
    values = sample(circuit, law, draw(circuit, law, seed=draws.seed, samples=every))
    each = values.reshape(len(numbers), place.count, -1)
    return circuit, each[:, place.first : place.first + weights.memories]


def _of_layer(weights: Weights, draws: Draws, place: Place, layer: int) -> Memories:
    step = check_design(weights, draws.design, layer)
    circuit, values = layer_circuits(weights, draws, place)
    return held_memories(circuit, values, step=step, volts=place.volts)


def held_memories(
    circuit: Circuit, values: Float[np.ndarray, "s k m"], *, step: float, volts: float
) -> Memories:
    """Read circuits back as memories that are sampled at a network's steps.

    Parameters
    ----------
    circuit : Circuit
    values : (s, k, m) array
        Of its parameters.
    step : float, s
    volts : float, V
        For a u of 1.

    Raises
    ------
    DesignError
        If the circuit has a clock, or a value is not positive.
    """
    if circuit.clock is not None:
        raise DesignError(
            f"family {circuit.family!r} is sampled by a clock of its own; take one in continuous time"
        )
    lead, flat = values.shape[:2], values.reshape(-1, values.shape[-1])
    if bad := int(np.sum(~is_sound(circuit, flat))):
        raise DesignError(
            f"{bad} of {len(flat)} circuits have an element that is not positive; lower the mismatch, "
            "or take another distribution"
        )
    # What fast modes add has settled to D u at the end of a step; what they add to derivatives of u is nothing there.
    system = state_spaces(circuit, planned(circuit, band=0.5 / step), flat)
    A, B = _held(system, step)
    offset = np.zeros(system.D.shape[:-1]) if system.offset is None else system.offset / volts
    stable = is_stable(system).reshape(lead)
    arrays = [a.reshape(*lead, *a.shape[1:]) for a in (A, B, system.C, system.D[..., 0], offset)]
    return Memories(*arrays, unstable=(~stable).sum(axis=1))


def _held(system: StateSpace, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Give A (s, n, n) and B (s, n) of the response to an input that is held over a step, exactly."""
    n = system.order
    block = np.zeros((len(system.A), n + 1, n + 1))
    block[:, :n, :n], block[:, :n, n:] = system.A * step, system.B * step
    held = np.asarray(linalg.expm(block))
    return held[:, :n, :n], held[:, :n, n]
