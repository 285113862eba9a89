"""The laws of ``saturation`` on voltages that are polynomials in every step of time."""

from dataclasses import dataclass
from typing import assert_never

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.nodal.saturation import KNEE, Amplifiers, Inputs, straightened


@dataclass(frozen=True, eq=False)
class Stepped:
    """What a law makes of voltages at the q nodes of t steps.

    Attributes
    ----------
    w : (s, q, n, t) array, V
    instant : (s, q, n, t) array, V
        The part of w that follows the slope of z at once. The rest has the right integral over a step whatever
        the slope does within.
    share : (s,) array
        Largest share of a limit that is used.
    """

    w: Float[np.ndarray, "s q n t"]
    instant: Float[np.ndarray, "s q n t"]
    share: Float[np.ndarray, " s"]


def saturate_steps(
    law: Amplifiers | Inputs,
    start: Float[np.ndarray, "s n"],
    z: Float[np.ndarray, "s q n t"],
    *,
    slope: Float[np.ndarray, "q p"],
    centre: Float[np.ndarray, "n 1"],
) -> Stepped:
    """Evaluate a law.

    Parameters
    ----------
    law : Amplifiers or Inputs
    start, z : (s, n) and (s, q, n, t) arrays, V
        Where the first step starts, and the nodes of all, the last of which is the end.
    slope : (q, q + 1) array, 1/s
        Slopes of the polynomial at the nodes, from values at start and nodes.
    centre : (n, 1) array
        Slope of the law that the linear part takes, over the small-signal slope.
    """
    match law:
        case Amplifiers():
            z, first = z - law.middle, start[:, None, :, None] - law.middle
            pole, swing = _undone(z, law.low, law.high)
            poles = _with_starts(_undone(first, law.low, law.high)[0], pole)
            # The slope of x and not of z times dx/dz: x then goes from its start to its end over the step.
            current = _along(slope, poles) / law.crossover[:, None] + pole / law.gain
            limit = law.threshold[:, None]
            needed, turn = _undone(current, -limit, limit)
            linear = _along(slope, _with_starts(first, z)) * (centre / law.crossover)[:, None] + z / law.gain
            return Stepped(needed - linear, needed - current, np.maximum(swing, turn))
        case Inputs():
            ratio = np.tanh(z / law.limit)
            w = law.limit * ratio - centre * z
            return Stepped(w, w, np.abs(ratio).max(axis=(1, 2, 3)))
        case _:
            assert_never(law)


def _undone(y: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Undo an op-amp's law; give x, and the largest share of a limit of every sample."""
    share = np.maximum((y * (1.0 / low)).max(axis=(1, 2, 3)), (y * (1.0 / high)).max(axis=(1, 2, 3)))
    # Up to the knee x is y to the last bit, so leaving the rest out makes no difference to any sample.
    return (straightened(y, low, high)[0] if (share > KNEE).any() else y), share


def _with_starts(first: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Put before the nodes of every step where it starts: where the one before ends, (s, q + 1, n, t)."""
    starts = np.concatenate([first, nodes[:, -1:, :, :-1]], axis=-1)
    return np.concatenate([starts, nodes], axis=1)


def _along(matrix: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Apply a matrix to the second of four axes, sample by sample."""
    s, _, n, t = values.shape
    return (matrix @ values.reshape(s, -1, n * t)).reshape(s, -1, n, t)
