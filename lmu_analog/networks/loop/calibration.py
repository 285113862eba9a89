"""Calibration of circuits in a network: a readout of its own for every circuit, fitted on training data.

The circuit's memory is driven with what the software's memory meets, and C, D and the offset of ``Memories`` are
chosen so that it shows what the software's shows: least squares over all steps, with a ridge of 1e-6 of the mean
square of a coefficient. In the network that is the same as other memory kernels and memory encoders, and another bias.
"""

from collections.abc import Sequence

import numpy as np

from lmu_analog.networks.cell import Memories
from lmu_analog.networks.loop.forward import checked_inputs, chosen, dense, steps
from lmu_analog.networks.network import LMULayer, Network

_RIDGE = 1e-6  # of trace(G)/d; keeps weights small where the coefficients of a circuit hardly differ


def calibrated(network: Network, memories: Sequence[Memories | None], x: np.ndarray) -> list[Memories | None]:
    """Fit the readout of every circuit of every layer.

    Parameters
    ----------
    network : Network
    memories : sequence of Memories or None
        As for ``forward.outputs``.
    x : (b, t, i) array
        Training data; the same for all circuits.

    Returns
    -------
    list of Memories or None
        The same circuits, read out in a way of their own.
    """
    below = checked_inputs(network, x)[None]
    found: list[Memories | None] = []
    for layer, memory, given in zip(network.layers, chosen(network, memories), memories, strict=True):
        if not isinstance(layer, LMULayer) or memory is None:
            found.append(None)
            below = below if isinstance(layer, LMULayer) else dense(layer, below)
            continue
        mended, below = _layer(layer, memory, below)
        found.append(None if given is None else mended)
    return found


def _layer(layer: LMULayer, memory: Memories, x: np.ndarray) -> tuple[Memories, np.ndarray]:
    """Fit one layer's circuits, and give what the software's layer hands on."""
    circuits, k, d = memory.C.shape[:3]
    gram, wanted = np.zeros((circuits, k, d + 1, d + 1)), np.zeros((circuits, k, d + 1, d))
    z = np.zeros((circuits, k, x.shape[1], memory.A.shape[-1]))
    given: list[np.ndarray] = []
    with np.errstate(over="ignore", invalid="ignore"):  # where a circuit is unstable
        for step in steps(layer, None, x):
            u = np.moveaxis(step.drive[0], -1, 0)[None, ..., None]
            z = z @ np.swapaxes(memory.A, -1, -2) + u * memory.B[:, :, None]
            shown = z @ np.swapaxes(memory.C, -1, -2) + u * memory.D[:, :, None]
            shown = np.concatenate([shown, np.ones((*shown.shape[:-1], 1))], axis=-1)
            true = np.moveaxis(step.memory[0].reshape(x.shape[1], k, d), 1, 0)
            gram += np.swapaxes(shown, -1, -2) @ shown
            wanted += np.swapaxes(shown, -1, -2) @ true
            given.append(step.output)
    finite = np.isfinite(gram).all(axis=(-1, -2)) & np.isfinite(wanted).all(axis=(-1, -2))
    gram[~finite], wanted[~finite] = np.eye(d + 1), np.eye(d + 1, d)  # beyond all numbers: left as it is
    mean = np.trace(gram[..., :d, :d], axis1=-2, axis2=-1) / d
    gram[..., range(d), range(d)] += _RIDGE * mean[..., None]
    fit = np.linalg.solve(gram, wanted)
    turn, constant = np.swapaxes(fit[..., :d, :], -1, -2), fit[..., d, :]
    # The fit is of the circuit's response to u alone; its own DC offset is part of the constant.
    D = (turn @ memory.D[..., None])[..., 0]
    return memory._replace(C=turn @ memory.C, D=D, offset=constant), np.stack(given, axis=2)
