"""Fixed points of many maps at once, sooner: what earlier rounds say about the next."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

MEMORY = 4  # rounds that the next one is made from
SINGULAR = 1e-14  # of the squares of their changes: what is below is rounding


@dataclass(frozen=True, eq=False)
class Rounds:
    """What was tried of s maps.

    Attributes
    ----------
    given, off : (s, n, 1) arrays
        The last point, and by how much its image was off.
    steps, changes : (s, n, k) arrays
        By how much the two moved in up to ``MEMORY`` rounds before.
    """

    given: Float[np.ndarray, "s n 1"]
    off: Float[np.ndarray, "s n 1"]
    steps: Float[np.ndarray, "s n k"]
    changes: Float[np.ndarray, "s n k"]


def mixed(
    before: Rounds | None, given: Float[np.ndarray, "s n"], found: Float[np.ndarray, "s n"]
) -> tuple[Float[np.ndarray, "s n"], Rounds]:
    """Give the point to try next by Anderson mixing (Walker and Ni, SIAM J. Numer. Anal. 49, 2011).

    Parameters
    ----------
    before : Rounds or None
        What came with the last point, None for the first.
    given, found : (s, n) arrays
        A point and its image.
    """
    at, off = given[..., None], (found - given)[..., None]
    if before is None:
        none = np.zeros((*given.shape, 0))
        return found, Rounds(at, off, none, none)
    oldest = max(0, before.steps.shape[-1] + 1 - MEMORY)
    steps = np.concatenate([before.steps[..., oldest:], at - before.given], axis=-1)
    changes = np.concatenate([before.changes[..., oldest:], off - before.off], axis=-1)
    across = np.swapaxes(changes, 1, 2)
    square = across @ changes
    floor = SINGULAR * np.trace(square, axis1=1, axis2=2) + np.finfo(float).tiny
    share = np.linalg.solve(square + floor[:, None, None] * np.eye(square.shape[-1]), across @ off)
    return (at + off - (steps + changes) @ share)[..., 0], Rounds(at, off, steps, changes)
