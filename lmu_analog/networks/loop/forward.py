"""Networks run forward with the memories of many circuits, all circuits and inputs side by side."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from lmu_analog.errors import DesignError
from lmu_analog.networks.loop.memories import Arrays, Memories, cut, software
from lmu_analog.networks.loop.stack import Dense, Stack, check_inputs
from lmu_analog.networks.weights import Weights

NUMBERS = 2_000_000  # of what one layer hands to the next, for the circuits that are run together


class Step(NamedTuple):
    """A layer after one step: u (s, b, k), memories (s, b, k*d) and hidden units (s, b, h)."""

    drive: np.ndarray
    memory: np.ndarray
    hidden: np.ndarray


def outputs(
    stack: Stack, x: np.ndarray, memories: Sequence[Memories | None] | None = None
) -> Float[np.ndarray, "s b *o"]:
    """Run a network from rest on circuits.

    Parameters
    ----------
    stack : Stack
    x : (b, t, i) array
        Batch, step, component.
    memories : sequence of Memories or None, optional
        What takes the place of the memories of each layer, as ``memories.drawn`` gives it; None keeps the layer's
        own, and all of them unless given.

    Returns
    -------
    (s, b, o) or (s, b, t, o) array
        Of the last step or of every step, as the network's ``readout`` says; s = 1 without circuits. What an
        unstable circuit sends beyond all numbers is not finite.

    Raises
    ------
    DesignError
        If x does not fit the network, or the circuits do not; the axis is named.
    """
    x = check_inputs(stack, x)
    given = chosen(stack, memories)
    circuits = max(len(m.A) for m in given if m is not None)
    widest = max(layer.hidden for layer in stack.layers if isinstance(layer, Weights))
    together = max(1, NUMBERS // (x.shape[0] * widest * (1 if stack.readout == "last" else x.shape[1])))
    parts = [
        _run(
            stack,
            x[None],
            [m if m is None or len(m.A) == 1 else cut(m, slice(k, k + together)) for m in given],
        )
        for k in range(0, circuits, together)
    ]
    return np.concatenate(parts)


def chosen(stack: Stack, memories: Sequence[Memories | None] | None) -> list[Memories | None]:
    """Give the memories of every layer: the circuits', or its own; None for dense layers."""
    given = [None] * len(stack.layers) if memories is None else list(memories)
    if len(given) != len(stack.layers):
        raise DesignError(f"memories of {len(given)} layers for a network of {len(stack.layers)}")
    found: list[Memories | None] = []
    for k, (layer, memory) in enumerate(zip(stack.layers, given, strict=True)):
        if isinstance(layer, Dense):
            found.append(None)
            continue
        taken = software(layer) if memory is None else memory
        for axis, length, wanted in (
            ("order", taken.C.shape[2], layer.order),
            ("memories", taken.A.shape[1], layer.memories),
        ):
            if length != wanted:
                raise DesignError(f"memories of layer {k}: axis {axis} has length {length}, not {wanted}")
        found.append(taken)
    if len(counts := {len(m.A) for m in found if m is not None} - {1}) > 1:
        raise DesignError(
            f"layers have {' and '.join(map(str, sorted(counts)))} circuits; one number is wanted"
        )
    return found


def _run(stack: Stack, x: np.ndarray, memories: Sequence[Memories | None]) -> np.ndarray:
    """Run layer by layer; x is (1, b, t, i). Of the last LMU only the last step is kept where that is enough."""
    final = max(k for k, layer in enumerate(stack.layers) if isinstance(layer, Weights))
    for k, (layer, memory) in enumerate(zip(stack.layers, memories, strict=True)):
        if isinstance(layer, Weights) and memory is not None:
            every = k < final or stack.readout == "every"
            hidden: list[np.ndarray] = []
            for step in steps(layer, memory, x):
                if not every:
                    hidden.clear()
                hidden.append(step.hidden)
            x = np.stack(hidden, axis=2)
        elif isinstance(layer, Dense):
            x = dense(layer, x)
    return x if stack.readout == "every" else x[:, :, -1]


def dense(layer: Dense, x: np.ndarray) -> np.ndarray:
    """Run a dense layer."""
    y = x @ layer.kernel + layer.bias
    return np.tanh(y) if layer.activation == "tanh" else y


def steps(
    weights: Weights, memories: Memories, x: Float[np.ndarray, "#s b t i"], *, arrays: Arrays | None = None
) -> Iterator[Step]:
    """Run an LMU layer on circuits, step by step, from rest; every memory then shows its offset.

    Parameters
    ----------
    weights : Weights
    memories : Memories
        Of one circuit, or of as many as x has.
    x : (s, b, t, i) array
        s is 1 where all circuits meet the same.
    arrays : Arrays, optional
        What takes the place of the weights in every circuit.
    """
    w, each = arrays or _arrays(weights), memories
    circuits, batch = max(len(each.A), len(x)), x.shape[1]
    turned, seen = np.swapaxes(each.A, -1, -2), np.swapaxes(each.C, -1, -2)
    z = np.zeros((circuits, weights.memories, batch, each.A.shape[-1]))
    m = flat(np.broadcast_to(each.offset[:, :, None], (circuits, weights.memories, batch, weights.order)))
    h = np.zeros((circuits, batch, weights.hidden))
    with np.errstate(over="ignore", invalid="ignore"):  # where a circuit is unstable
        for k in range(x.shape[2]):
            now = x[:, :, k]
            u = now @ w.input_encoders + h @ w.hidden_encoders + m @ w.memory_encoders + w.memory_bias
            into = np.swapaxes(u, 1, 2)[..., None]
            z = z @ turned + into * each.B[:, :, None]
            m = flat(z @ seen + into * each.D[:, :, None] + each.offset[:, :, None])
            h = np.tanh(now @ w.input_kernel + h @ w.hidden_kernel + m @ w.memory_kernel + w.bias)
            yield Step(u, m, h)


def _arrays(weights: Weights) -> Arrays:
    w = weights
    kernels = (w.input_kernel, w.hidden_kernel, w.memory_kernel)
    encoders = (w.input_encoders, w.hidden_encoders, w.memory_encoders)
    return Arrays(*encoders, *kernels, bias=np.asarray(w.bias), memory_bias=np.asarray(w.memory_bias))


def flat(memory: np.ndarray) -> np.ndarray:
    """Lay the coefficients of all memories side by side: (s, k, b, d) to (s, b, k*d)."""
    side = np.swapaxes(memory, 1, 2)
    return side.reshape(*side.shape[:2], -1)
