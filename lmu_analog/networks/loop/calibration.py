"""Calibration of circuits in a network: a readout of its own for every circuit, fitted on training data.

The circuit's memory is driven with what the software's memory meets, and C, D and the offset of ``Memories`` are
chosen so that it shows what the software's shows: least squares over all steps, with a ridge of 1e-6 of the mean
square of a coefficient. In the network that is the same as other memory kernels and memory encoders, and another bias.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lmu_analog.networks.loop.forward import chosen, dense, steps
from lmu_analog.networks.loop.memories import Memories, software
from lmu_analog.networks.loop.stack import Dense, Stack, check_inputs
from lmu_analog.networks.weights import Weights

RIDGE = 1e-6  # of trace(G)/d; keeps weights small where the coefficients of a circuit hardly differ


def calibrated(stack: Stack, memories: Sequence[Memories | None], x: np.ndarray) -> list[Memories | None]:
    """Fit the readout of every circuit of every layer.

    Parameters
    ----------
    stack : Stack
    memories : sequence of Memories or None
        As for ``forward.outputs``.
    x : (b, t, i) array
        Training data; the same for all circuits.

    Returns
    -------
    list of Memories or None
        The same circuits, read out in a way of their own.
    """
    below = check_inputs(stack, x)[None]
    found: list[Memories | None] = []
    for layer, memory, given in zip(stack.layers, chosen(stack, memories), memories, strict=True):
        if isinstance(layer, Dense) or memory is None:
            found.append(None)
            below = dense(layer, below) if isinstance(layer, Dense) else below
            continue
        mended, below = _layer(layer, memory, below)
        found.append(None if given is None else mended)
    return found


def _layer(weights: Weights, memory: Memories, x: np.ndarray) -> tuple[Memories, np.ndarray]:
    """Fit one layer's circuits, and give what the software's layer hands on."""
    circuits, k, d = memory.C.shape[:3]
    gram, wanted = np.zeros((circuits, k, d + 1, d + 1)), np.zeros((circuits, k, d + 1, d))
    z = np.zeros((circuits, k, x.shape[1], memory.A.shape[-1]))
    hidden: list[np.ndarray] = []
    with np.errstate(over="ignore", invalid="ignore"):  # where a circuit is unstable
        for step in steps(weights, software(weights), x):
            u = np.moveaxis(step.drive[0], -1, 0)[None, ..., None]
            z = z @ np.swapaxes(memory.A, -1, -2) + u * memory.B[:, :, None]
            shown = z @ np.swapaxes(memory.C, -1, -2) + u * memory.D[:, :, None]
            shown = np.concatenate([shown, np.ones((*shown.shape[:-1], 1))], axis=-1)
            true = np.moveaxis(step.memory[0].reshape(x.shape[1], k, d), 1, 0)
            gram += np.swapaxes(shown, -1, -2) @ shown
            wanted += np.swapaxes(shown, -1, -2) @ true
            hidden.append(step.hidden)
    finite = np.isfinite(gram).all(axis=(-1, -2)) & np.isfinite(wanted).all(axis=(-1, -2))
    gram[~finite], wanted[~finite] = np.eye(d + 1), np.eye(d + 1, d)  # beyond all numbers: left as it is
    mean = np.trace(gram[..., :d, :d], axis1=-2, axis2=-1) / d
    gram[..., range(d), range(d)] += RIDGE * mean[..., None]
    fit = np.linalg.solve(gram, wanted)
    turn, constant = np.swapaxes(fit[..., :d, :], -1, -2), fit[..., d, :]
    # The fit is of what moves; what the circuit shows at rest goes with the rest of the constant.
    return (
        replace(memory, C=turn @ memory.C, D=(turn @ memory.D[..., None])[..., 0], offset=constant),
        np.stack(hidden, axis=2),
    )
