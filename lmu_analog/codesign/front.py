"""The candidates that no other one beats in every objective."""

import numpy as np
from jaxtyping import Bool, Float


def front(objectives: Float[np.ndarray, "n k"]) -> Bool[np.ndarray, " n"]:
    """Tell which rows no other row dominates, (n,): none is as good in all columns and better in one; less is better.

    Of rows that are equal the first is kept. Rows with NaN or infinity are none. Exact, whatever the numbers are: in
    the order of the columns a row can only be dominated by one before it, so those of the front that were found are
    all that a row is held against.
    """
    kept = np.zeros(len(objectives), bool)
    finite = np.flatnonzero(np.isfinite(objectives).all(axis=1))
    order = finite[np.lexsort(objectives[finite].T[::-1])]
    left = objectives[order]
    while len(order):
        # The first is in the front: nothing before it is left. What it dominates, or equals, goes.
        kept[order[0]] = True
        stays = (left < left[0]).any(axis=1)
        order, left = order[stays], left[stays]
    return kept
