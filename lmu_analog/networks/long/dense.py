"""Dense layers with ReLU between them and dropout before each: what reads the last state of a fixed memory."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from lmu_analog.mismatch.law import check_seed
from lmu_analog.networks.long.loss import cross_entropy

Weights = dict[str, np.ndarray]  # k/kernel (inputs, units) and k/bias (units,) of layer k


def start(sizes: Sequence[int], seed: int) -> Weights:
    """Draw weights, float32: He-normal before a ReLU (He et al. 2015), Glorot-uniform at the output.

    Parameters
    ----------
    sizes : sequence of int
        Inputs, units of every hidden layer, classes.
    seed : int
    """
    rng = np.random.default_rng(check_seed(seed))
    found: Weights = {}
    for k, (inputs, units) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        last = k == len(sizes) - 2
        limit = np.sqrt(6.0 / (inputs + units))
        kernel = (
            rng.uniform(-limit, limit, (inputs, units))
            if last
            else np.sqrt(2.0 / inputs) * rng.standard_normal((inputs, units))
        )
        found[f"{k}/kernel"] = kernel.astype(np.float32)
        found[f"{k}/bias"] = np.zeros(units, np.float32)
    return found


def logits(weights: Weights, x: Float[np.ndarray, "c i"]) -> Float[np.ndarray, "c o"]:
    """Give what the classes get, without dropout."""
    last = len(weights) // 2 - 1
    for k in range(last):
        x = np.maximum(x @ weights[f"{k}/kernel"] + weights[f"{k}/bias"], 0.0)
    return x @ weights[f"{last}/kernel"] + weights[f"{last}/bias"]


def gradient(
    weights: Weights,
    x: Float[np.ndarray, "c i"],
    y: Int[np.ndarray, " c"],
    *,
    dropout: Sequence[float],
    rng: np.random.Generator,
) -> tuple[float, Weights]:
    """Give the mean cross-entropy of a batch and its gradient, by name as ``weights``.

    Parameters
    ----------
    weights : dict
    x : (c, i) array
    y : (c,) int array
        Classes, from 0.
    dropout : sequence of float
        Share of the inputs of every layer that is left out, drawn anew each time; the others are as much larger
        (Srivastava et al. 2014).
    rng : Generator
        Draws what is left out.
    """
    inputs: list[np.ndarray] = []
    masks: list[np.ndarray | None] = []
    for k, share in enumerate(dropout):
        mask = dropped(x.shape, share, rng, dtype=x.dtype)
        x = x if mask is None else x * mask
        inputs.append(x)
        masks.append(mask)
        x = x @ weights[f"{k}/kernel"] + weights[f"{k}/bias"]
        if k < len(dropout) - 1:
            x = np.maximum(x, 0.0)
    loss, error = cross_entropy(x, y)
    found: Weights = {}
    for k in reversed(range(len(dropout))):
        found[f"{k}/kernel"], found[f"{k}/bias"] = inputs[k].T @ error, error.sum(axis=0)
        if k:
            # A unit passes its error on where it was above 0 and not left out.
            error = (error @ weights[f"{k}/kernel"].T) * (inputs[k] > 0.0)
            mask = masks[k]
            error = error if mask is None else error * mask
    return loss, found


def dropped(
    shape: tuple[int, ...], share: float, rng: np.random.Generator, *, dtype: Any = np.float32
) -> np.ndarray | None:
    """Draw what is left out: 0 for a share of the places, 1 / (1 - share) for the others; None where none is."""
    if not share:
        return None
    kept = rng.random(shape, dtype=np.float32) >= share
    return kept * np.dtype(dtype).type(1.0 / (1.0 - share))
