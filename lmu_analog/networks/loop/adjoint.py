"""What changes of its memories do to what a network puts out: backwards through steps and layers, once for all changes.

An output that counts is pulled back through the network (Werbos, Proc. IEEE 78, 1990, 1550-1560): what each step's
memory and state are worth to it. With what the memories hold at every step that makes its derivative by each entry of
A, B, C, D and offset, however many parts these depend on.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from lmu_analog.networks.cell import Memories
from lmu_analog.networks.loop.forward import dense, steps
from lmu_analog.networks.network import DenseLayer, LMULayer, Network


class Past(NamedTuple):
    """What a layer has done on a batch, (b, t, ...).

    Attributes
    ----------
    output : (b, t, o) array
        Hidden units, memories, or what a dense layer gives out.
    drive : (b, t, k) array or None
        u of an LMU layer; None of a dense one.
    states : (b, t + 1, k, n) array or None
        From rest on.
    """

    output: np.ndarray
    drive: np.ndarray | None = None
    states: np.ndarray | None = None


def past(network: Network, memories: Sequence[Memories | None], x: Float[np.ndarray, "b t i"]) -> list[Past]:
    """Run a network with memories that are alike within a layer.

    Parameters
    ----------
    network : Network
        Of LMU and dense layers.
    memories : sequence of Memories or None
        One of each layer, without leading axes; None for dense layers.
    x : (b, t, i) array
    """
    found: list[Past] = []
    for layer, memory in zip(network.layers, memories, strict=True):
        if not isinstance(layer, LMULayer):
            found.append(Past(dense(layer, x)))
        elif memory is not None:
            found.append(_run(layer, memory, x))
        x = found[-1].output
    return found


def some_of(history: Sequence[Past], examples: slice) -> list[Past]:
    """Take a part of the batch."""
    return [
        Past(
            now.output[examples],
            None if now.drive is None else now.drive[examples],
            None if now.states is None else now.states[examples],
        )
        for now in history
    ]


def _run(layer: LMULayer, memory: Memories, x: np.ndarray) -> Past:
    each = Memories(*(np.broadcast_to(a, (1, layer.memories, *np.shape(a))) for a in memory))
    run = list(steps(layer, each, x[None]))
    drive = np.stack([step.drive[0] for step in run], axis=1)
    states = np.zeros((len(x), x.shape[1] + 1, layer.memories, len(memory.A)))
    for t in range(x.shape[1]):
        states[:, t + 1] = states[:, t] @ memory.A.T + drive[:, t, :, None] * memory.B
    return Past(np.stack([step.output[0] for step in run], axis=1), drive, states)


def pulled_back(
    network: Network,
    memories: Sequence[Memories | None],
    history: Sequence[Past],
    *,
    rows: Float[np.ndarray, "b t q o"],
) -> Float[np.ndarray, "b q k e"]:
    """Give derivatives of sums of the outputs by the entries of every memory.

    Parameters
    ----------
    network : Network
    memories : sequence of Memories or None
        As for ``past``.
    history : sequence of Past
        From ``past`` on the same batch.
    rows : (b, t, q, o) array
        q sums: the weight of every output at every step.

    Returns
    -------
    (b, q, k, e) array
        Of the k memories of all layers, in their order; entries e are those of ``entries``.
    """
    found: list[np.ndarray] = []
    for layer, memory, now in list(zip(network.layers, memories, history, strict=True))[::-1]:
        if isinstance(layer, LMULayer) and memory is not None:
            by_entry, rows = _through(layer, memory, now, rows)
            found.insert(0, by_entry)
        elif isinstance(layer, DenseLayer) and layer.weights is not None:
            if layer.activation == "tanh":
                rows = rows * (1.0 - now.output**2)[:, :, None]
            rows = rows @ layer.weights["kernel"].T
    return np.concatenate(found, axis=2)


def entries(memories: Memories) -> Float[np.ndarray, "*s e"]:
    """Lay entries side by side: A and B row by row, then C, D and offset; leading axes are many."""
    A, B, C, D, offset = memories
    state = np.concatenate([A, B[..., None]], axis=-1)
    shown = np.concatenate([C, D[..., None], offset[..., None]], axis=-1)
    return np.concatenate([a.reshape(*a.shape[:-2], -1) for a in (state, shown)], axis=-1)


def _through(
    layer: LMULayer, memory: Memories, now: Past, rows: np.ndarray
) -> tuple[Float[np.ndarray, "b q k e"], Float[np.ndarray, "b t q i"]]:
    """Pull rows back through one layer: to the entries of its memories, and to its inputs."""
    w, (A, B, C, D, _) = layer.arrays, memory
    (b, t, q), k, n, d = rows.shape[:3], layer.memories, len(A), len(C)
    if now.drive is None or now.states is None:
        raise TypeError("the past is that of a dense layer")
    state, shown = np.zeros((t, b, q, k, n)), np.zeros((t, b, q, k, d))
    inputs = np.empty((b, t, q, layer.inputs))
    z, u, p = np.zeros((b, q, k, n)), np.zeros((b, q, k)), np.zeros((b, q, layer.hidden))
    for s in reversed(range(t)):
        if layer.hidden:
            fed_back = rows[:, s] + p @ w.hidden_kernel.T + u @ w.hidden_encoders.T
            p = fed_back * (1.0 - now.output[:, s, None] ** 2)
            m = p @ w.memory_kernel.T + u @ w.memory_encoders.T
        else:
            m = rows[:, s] + u @ w.memory_encoders.T
        m = m.reshape(b, q, k, d)
        z = m @ C + z @ A
        u = m @ D + z @ B
        inputs[:, s] = p @ w.input_kernel.T + u @ w.input_encoders.T
        state[s], shown[s] = z, m
    one = np.ones((b, t, k, 1))
    drive = now.drive[..., None]
    of_state = _summed(state, np.concatenate([now.states[:, :-1], drive], axis=-1))
    of_shown = _summed(shown, np.concatenate([now.states[:, 1:], drive, one], axis=-1))
    # Before the first step the memories show their offsets, too.
    of_shown[..., -1] += (u @ w.memory_encoders.T).reshape(b, q, k, d)
    return np.concatenate([a.reshape(b, q, k, -1) for a in (of_state, of_shown)], axis=-1), inputs


def _summed(worth: Float[np.ndarray, "t b q k n"], held: Float[np.ndarray, "b t k m"]) -> np.ndarray:
    """Add worth times what was held over all steps, (b, q, k, n, m)."""
    t, b, q, k, n = worth.shape
    left = np.moveaxis(worth, (1, 3), (0, 1)).transpose(0, 1, 3, 4, 2).reshape(b, k, q * n, t)
    found = left @ held.transpose(0, 2, 1, 3)
    return np.moveaxis(found.reshape(b, k, q, n, -1), 1, 2)
