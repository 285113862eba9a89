"""A classifier with one LSTM layer, forwards and backwards: the baseline, with the arithmetic of the LMU beside it.

The layer is that of ``networks.network.LSTMLayer``, gates in Keras's order: input, forget, candidate, output.
"""

import numpy as np
from jaxtyping import Float, Int

from lmu_analog.networks.long.loss import cross_entropy
from lmu_analog.networks.long.scratch import Scratch

Weights = dict[
    str, np.ndarray
]  # an LSTM layer's by their names, and ``output`` and ``classes`` of the output


def logits(
    weights: Weights, x: Float[np.ndarray, "c t i"], *, scratch: Scratch | None = None
) -> Float[np.ndarray, "c o"]:
    """Run series from rest; what the classes get after the last step.

    Parameters
    ----------
    weights : dict
        An LSTM layer's (H hidden units, i inputs), ``output`` (H, o) and ``classes`` (o,), all of one dtype.
    x : (c, t, i) array
    scratch : Scratch, optional
    """
    before, _, _ = _run(weights, x, scratch or Scratch())
    return before[-1][:, : _hidden(weights)] @ weights["output"] + weights["classes"]


def gradient(
    weights: Weights,
    x: Float[np.ndarray, "c t i"],
    y: Int[np.ndarray, " c"],
    *,
    scratch: Scratch | None = None,
) -> tuple[float, Weights]:
    """Give the mean cross-entropy of a batch and its gradient, by name as ``weights``.

    Parameters
    ----------
    weights, x, scratch
        As of ``logits``.
    y : (c,) int array
        Classes, from 0.
    """
    before, gates, cells = _run(weights, x, scratch or Scratch())
    hidden = _hidden(weights)
    last = before[-1][:, :hidden]
    loss, error = cross_entropy(last @ weights["output"] + weights["classes"], y)
    _back(weights, gates, cells, error @ weights["output"].T)
    kernel = before[:-1].reshape(-1, before.shape[2]).T @ gates.reshape(-1, 4 * hidden)
    found = {
        "kernel": kernel[hidden:-1],
        "recurrent_kernel": kernel[:hidden],
        "bias": kernel[-1],
        "output": last.T @ error,
        "classes": error.sum(axis=0),
    }
    return loss, {name: found[name] for name in weights}


def _hidden(weights: Weights) -> int:
    return len(weights["recurrent_kernel"])


def _scales(weights: Weights) -> np.ndarray:
    """Give what turns hyperbolic tangents into the gates' logistic functions: s(z) = (1 + tanh(z/2)) / 2."""
    hidden = _hidden(weights)
    found = np.full(4 * hidden, 0.5, weights["kernel"].dtype)
    found[2 * hidden : 3 * hidden] = 1.0
    return found


def _run(weights: Weights, x: np.ndarray, scratch: Scratch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give h before every step with x and 1 (t + 1, c, H + i + 1), gates (t, c, 4H) and cells (t + 1, c, H)."""
    (batch, steps, inputs), hidden = x.shape, _hidden(weights)
    dtype, scales = weights["kernel"].dtype, _scales(weights)
    stacked = [weights["recurrent_kernel"], weights["kernel"], weights["bias"][None]]
    kernel = np.concatenate(stacked) * scales
    before = scratch.array("before", (steps + 1, batch, hidden + inputs + 1), dtype)
    gates = scratch.array("gates", (steps, batch, 4 * hidden), dtype)
    cells = scratch.array("cells", (steps + 1, batch, hidden), dtype)
    before[0, :, :hidden], cells[0] = 0.0, 0.0
    before[:-1, :, hidden : hidden + inputs] = np.moveaxis(x, 0, 1)
    before[:-1, :, -1] = 1.0
    offsets, room = 1.0 - scales, np.empty((batch, hidden), dtype)
    for step in range(steps):
        gate, cell = gates[step], cells[step + 1]
        np.matmul(before[step], kernel, out=gate)
        np.tanh(gate, out=gate)
        gate *= scales
        gate += offsets
        into, kept, candidate, out = (gate[:, k * hidden : (k + 1) * hidden] for k in range(4))
        np.multiply(kept, cells[step], out=cell)
        np.multiply(into, candidate, out=room)
        cell += room
        np.tanh(cell, out=room)
        np.multiply(out, room, out=before[step + 1, :, :hidden])
    return before, gates, cells


def _back(weights: Weights, gates: np.ndarray, cells: np.ndarray, of_h: np.ndarray) -> None:
    """Put the gradients by what goes into the gates in the place of the gates."""
    hidden, batch = _hidden(weights), gates.shape[1]
    recurrent = np.ascontiguousarray(weights["recurrent_kernel"].T)
    of_cell = np.zeros((batch, hidden), gates.dtype)
    held, slope = (np.empty((batch, hidden), gates.dtype) for _ in range(2))
    for step in reversed(range(len(gates))):
        gate, before = gates[step], cells[step]
        into, kept, candidate, out = (gate[:, k * hidden : (k + 1) * hidden] for k in range(4))
        np.tanh(cells[step + 1], out=held)
        # h = out held, with held = tanh of the cell.
        np.multiply(of_h, out, out=slope)
        of_cell += slope * (1.0 - held * held)
        out_error = of_h * held * out * (1.0 - out)
        into_error = of_cell * candidate * into * (1.0 - into)
        candidate_error = of_cell * into * (1.0 - candidate * candidate)
        kept_error = of_cell * before * kept * (1.0 - kept)
        of_cell *= kept
        for place, error in (
            (into, into_error),
            (kept, kept_error),
            (candidate, candidate_error),
            (out, out_error),
        ):
            place[:] = error
        of_h = gate @ recurrent
