"""Networks run forward with the memories of many circuits, all circuits and inputs side by side."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from lmu_analog.errors import DesignError
from lmu_analog.networks.cell import LMU, Memories, cut, hidden_units, memory_input
from lmu_analog.networks.network import DenseLayer, LMULayer, LSTMLayer, Network, Weights, check_inputs
from lmu_analog.networks.network import outputs as width

NUMBERS = 2_000_000  # of what one layer hands to the next, for the circuits that are run together


class Step(NamedTuple):
    """A layer after one step: u (s, b, k), memories (s, b, k*d) and hidden units (s, b, h)."""

    drive: np.ndarray
    memory: np.ndarray
    hidden: np.ndarray

    @property
    def output(self) -> np.ndarray:
        """What the next layer gets, (s, b, o): hidden units, or the memories where there are none."""
        return self.hidden if self.hidden.shape[-1] else self.memory


def outputs(
    network: Network, x: np.ndarray, memories: Sequence[Memories | None] | None = None
) -> Float[np.ndarray, "s b *o"]:
    """Run a network from rest on circuits.

    Parameters
    ----------
    network : Network
        Of LMU and dense layers, with weights.
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
    x = checked_inputs(network, x)
    given = chosen(network, memories)
    circuits = max(len(m.A) for m in given if m is not None)
    widest = max(width(layer) for layer in network.layers if isinstance(layer, LMULayer))
    together = max(1, NUMBERS // (x.shape[0] * widest * (1 if network.readout == "last" else x.shape[1])))
    parts = [
        _run(
            network,
            x[None],
            [m if m is None or len(m.A) == 1 else cut(m, slice(k, k + together)) for m in given],
        )
        for k in range(0, circuits, together)
    ]
    return np.concatenate(parts)


def checked_inputs(network: Network, x: np.ndarray) -> Float[np.ndarray, "b t i"]:
    """Give inputs of a network as floats.

    Raises
    ------
    DesignError
        If an axis is wrong, which is named, a value is not finite, or circuits have no place in the network.
    """
    for k, layer in enumerate(network.layers):
        if isinstance(layer, LSTMLayer):
            raise DesignError(f"layer {k} is an LSTM; circuits take the place of memories of LMUs alone")
    if not any(isinstance(layer, LMULayer) for layer in network.layers):
        raise DesignError("the network has no LMU layer, so no memory that a circuit could be")
    x = np.asarray(x, float)
    check_inputs(x.shape, network.inputs)
    if not np.isfinite(x).all():
        raise DesignError(f"x holds {int(np.sum(~np.isfinite(x)))} values that are not finite")
    return x


def chosen(network: Network, memories: Sequence[Memories | None] | None) -> list[Memories | None]:
    """Give the memories of every layer: the circuits', or its own; None for dense layers."""
    given = [None] * len(network.layers) if memories is None else list(memories)
    if len(given) != len(network.layers):
        raise DesignError(f"memories of {len(given)} layers for a network of {len(network.layers)}")
    found: list[Memories | None] = []
    for k, (layer, memory) in enumerate(zip(network.layers, given, strict=True)):
        if not isinstance(layer, LMULayer):
            found.append(None)
            continue
        taken = LMU(layer).memories if memory is None else memory
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


def _run(network: Network, x: np.ndarray, memories: Sequence[Memories | None]) -> np.ndarray:
    """Run layer by layer; x is (1, b, t, i). Of the last LMU only the last step is kept where that is enough."""
    final = max(k for k, layer in enumerate(network.layers) if isinstance(layer, LMULayer))
    for k, (layer, memory) in enumerate(zip(network.layers, memories, strict=True)):
        if not isinstance(layer, LMULayer):
            x = dense(layer, x)
            continue
        every = k < final or network.readout == "every"
        kept: list[np.ndarray] = []
        for step in steps(layer, memory, x):
            if not every:
                kept.clear()
            kept.append(step.output)
        x = np.stack(kept, axis=2)
    return x if network.readout == "every" else x[:, :, -1]


def dense(layer: DenseLayer | LSTMLayer, x: Float[np.ndarray, "*b i"]) -> Float[np.ndarray, "*b o"]:
    """Run a dense layer; an LSTM has no place beside circuits."""
    if not isinstance(layer, DenseLayer) or layer.weights is None:
        raise DesignError("a dense layer with weights is wanted")
    y = x @ layer.weights["kernel"] + layer.weights["bias"]
    return np.tanh(y) if layer.activation == "tanh" else y


def steps(
    layer: LMULayer,
    memories: Memories | None,
    x: Float[np.ndarray, "#s b t i"],
    *,
    weights: Weights | None = None,
) -> Iterator[Step]:
    """Run an LMU layer on circuits, step by step, from rest; every memory then shows its offset.

    Parameters
    ----------
    layer : LMULayer
    memories : Memories or None
        Of one circuit, or of as many as x has; None for the layer's own.
    x : (s, b, t, i) array
        s is 1 where all circuits meet the same.
    weights : Weights, optional
        What takes the place of the layer's weights in every circuit, (s, ...) each, and biases (s, 1, ...).
    """
    w = weights or layer.arrays
    each = memories or LMU(layer).memories
    circuits, batch = max(len(each.A), len(x)), x.shape[1]
    A, C = np.swapaxes(each.A, -1, -2), np.swapaxes(each.C, -1, -2)
    z = np.zeros((circuits, layer.memories, batch, each.A.shape[-1]))
    m = _flat(np.broadcast_to(each.offset[:, :, None], (circuits, layer.memories, batch, layer.order)))
    h = np.zeros((circuits, batch, layer.hidden))
    with np.errstate(over="ignore", invalid="ignore"):  # where a circuit is unstable
        for k in range(x.shape[2]):
            now = x[:, :, k]
            u = memory_input(w, now, h=h, m=m)
            into = np.swapaxes(u, 1, 2)[..., None]
            z = z @ A + into * each.B[:, :, None]
            m = _flat(z @ C + into * each.D[:, :, None] + each.offset[:, :, None])
            h = hidden_units(w, now, h=h, m=m)
            yield Step(u, m, h)


def _flat(memory: np.ndarray) -> np.ndarray:
    """Lay the coefficients of all memories side by side: (s, k, b, d) to (s, b, k*d)."""
    side = np.swapaxes(memory, 1, 2)
    return side.reshape(*side.shape[:2], -1)
