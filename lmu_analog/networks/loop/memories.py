"""Memories of a layer as circuits have them: drawn from a design's mismatch, sampled at the network's step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.memory.reference import discretize
from lmu_analog.memory.statespace import StateSpace
from lmu_analog.mismatch.law import Mismatch, check_seed, draw, is_sound, sample
from lmu_analog.networks.cell import Memories
from lmu_analog.networks.loop.forward import checked_inputs, dense, steps
from lmu_analog.networks.network import LMULayer, Network
from lmu_analog.reduction.reduced import planned, state_spaces

_SAME = 1e-6  # relative: theta of a design and of weights in seconds


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
    volts: float = 1.0


def places(network: Network, design: Design, x: np.ndarray) -> list[Place | None]:
    """Place the layers of a network; the design's amplitude is for the largest u that a layer meets on x.

    None stands for layers without memories.
    """
    below = checked_inputs(network, x)[None]
    count = sum(layer.memories for layer in network.layers if isinstance(layer, LMULayer))
    found: list[Place | None] = []
    first = 0
    for layer in network.layers:
        if isinstance(layer, LMULayer):
            run = list(steps(layer, None, below))
            largest = max(float(np.abs(step.drive).max()) for step in run)
            below = np.stack([step.output for step in run], axis=2)
            found.append(Place(first, count, design.amplitude / largest if largest else design.amplitude))
            first += layer.memories
        else:
            below = dense(layer, below)
            found.append(None)
    return found


def drawn(network: Network, draws: Draws, where: Sequence[Place | None]) -> list[Memories | None]:
    """Draw the memories of every layer of a network; None stands for layers without.

    Raises
    ------
    DesignError
        If the network's order, window, step or method is not that of circuits of the design.
    """
    if len(where) != len(network.layers):
        raise DesignError(f"places of {len(where)} layers for a network of {len(network.layers)}")
    found: list[Memories | None] = []
    for k, (layer, place) in enumerate(zip(network.layers, where, strict=True)):
        if not isinstance(layer, LMULayer) or place is None:
            found.append(None)
            continue
        step = check_design(layer, draws.design, k)
        circuit, values = layer_circuits(layer.memories, draws, place)
        found.append(sampled_memories(circuit, values, step=step, volts=place.volts))
    return found


def check_design(layer: LMULayer, design: Design, number: int = 0) -> float:
    """Give the time of a step, s: the design's theta in seconds stands for the layer's theta.

    Raises
    ------
    DesignError
        If circuits of the design cannot be these memories.
    """
    if design.order != layer.order:
        raise DesignError(
            f"layer {number} has memories of order {layer.order}, the design has order {design.order}; "
            "they must agree"
        )
    if layer.own_matrices:
        raise DesignError(
            f"layer {number} has A and B of its own; circuits are of the Legendre memory alone, train without"
        )
    if layer.method != "zoh":
        raise DesignError(
            f"layer {number} was trained with method {layer.method}; a circuit holds its input, train with zoh"
        )
    if layer.dt == 1.0:
        return design.theta / layer.theta
    if abs(design.theta / layer.theta - 1.0) > _SAME:
        raise DesignError(
            f"layer {number} has theta = {layer.theta:g} s in steps of {layer.dt:g} s, the design "
            f"{design.theta:g} s; they must agree, or give theta in steps (dt = 1)"
        )
    return layer.dt


def layer_circuits(memories: int, draws: Draws, place: Place) -> tuple[Circuit, np.ndarray]:
    """Give the nominal circuit of a layer's memories, and values (s, k, m) of its parameters in every sample."""
    circuit, law = build(draws.design), Mismatch.of(draws.design)
    check_seed(draws.seed)
    numbers = draws.samples
    every = range(numbers.start * place.count, numbers.stop * place.count)
    values = sample(circuit, law, draw(circuit, law, seed=draws.seed, samples=every))
    each = values.reshape(len(numbers), place.count, -1)
    return circuit, each[:, place.first : place.first + memories]


def sampled_memories(
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
    flat = values.reshape(-1, values.shape[-1])
    if bad := int(np.sum(~is_sound(circuit, flat))):
        raise DesignError(
            f"{bad} of {len(flat)} circuits have an element that is not positive; lower the mismatch, "
            "or take another distribution"
        )
    # What fast modes add has settled to D u at the end of a step; what they add to derivatives of u is nothing there.
    system = state_spaces(circuit, planned(circuit, band=0.5 / step), flat)
    return sampled(system, values.shape[:2], step=step, volts=volts)


def sampled(system: StateSpace, lead: tuple[int, ...], *, step: float, volts: float) -> Memories:
    """Give memories, with leading axes, of as many continuous systems with zero-order hold of their inputs.

    Parameters
    ----------
    system : StateSpace
        One, or many along leading axes.
    lead : tuple of int
        Circuits, and memories of each; () for one memory.
    step : float, s
    volts : float, V
        For a u of 1: so large are op-amps' offsets beside the signal.
    """
    discrete = discretize(system, step)
    offset = np.zeros(system.D.shape[:-1]) if system.offset is None else system.offset / volts
    many = system.A.ndim - 2  # axes of systems
    return Memories(
        *(
            a.reshape(*lead, *a.shape[many:])
            for a in (discrete.A, discrete.B[..., 0], discrete.C, discrete.D[..., 0], offset)
        )
    )


def unstable(memories: Memories) -> Int[np.ndarray, " s"]:
    """Count the memories of each circuit that are unstable."""
    return (np.abs(np.linalg.eigvals(memories.A)).max(axis=-1) >= 1.0).sum(axis=-1)
