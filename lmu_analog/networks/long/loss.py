"""The loss of classes, with its gradient."""

import numpy as np
from jaxtyping import Float, Int


def cross_entropy(
    logits: Float[np.ndarray, "c o"], y: Int[np.ndarray, " c"]
) -> tuple[float, Float[np.ndarray, "c o"]]:
    """Give the mean cross-entropy of a batch, and its gradient by the logits.

    Parameters
    ----------
    logits : (c, o) array
    y : (c,) int array
        Classes, from 0.
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    share = np.exp(shifted)
    total = share.sum(axis=1, keepdims=True)
    rows = np.arange(len(y))
    loss = float(np.mean(np.log(total[:, 0]) - shifted[rows, y]))
    share /= total
    share[rows, y] -= 1.0
    share /= len(y)
    return loss, share
