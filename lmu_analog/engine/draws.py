"""Draws of mismatch as a player takes them: the law of a circuit in arrays; ``mismatch.law`` writes it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt64

from lmu_analog.memory.elementary import normal_cdf

TRUNCATION = 3.0  # sigma, of gauss3
BEYOND = float(normal_cdf(-TRUNCATION))  # probability of a normal to lie below -3 sigma
TRUNCATED, GAUSS, UNIFORM, LOGNORMAL, EVEN_GAUSS, EVEN_LOGNORMAL, ADDED, COMMON = range(8)


@dataclass(frozen=True, eq=False)
class LawSteps:
    """The law of a circuit as arrays, for the native player: what ``draw`` and ``sample`` do, step by step.

    Attributes
    ----------
    keys : (z,) uint64 array
        Keys of the streams; the seed is their other half.
    follows : (z,) int array
        The shared draw that a draw follows, -1 for none.
    shares : (z, 2) array
        Weights of the shared draw and of its own.
    nominal : (m,) array
    code : (k, 3) int array
        Kind, draw, and the parameter that it acts on, -1 for the common factor of a lot. ``COMMON`` multiplies a
        parameter by that factor.
    constant : (k, 2) array
    """

    keys: UInt64[np.ndarray, " z"]
    follows: Int[np.ndarray, " z"]
    shares: Float[np.ndarray, "z 2"]
    nominal: Float[np.ndarray, " m"]
    code: Int[np.ndarray, "k 3"]
    constant: Float[np.ndarray, "k 2"]
