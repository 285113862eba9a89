"""The sampled memory of a layer, ideal, learned or of a circuit, as JAX arrays with gradients."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import expm
from jaxtyping import Float

from lmu_analog.memory.legendre import coefficients
from lmu_analog.networks.cell import Memory
from lmu_analog.networks.learning.specification import LMULayer

LARGEST_SQUARINGS = 32  # of the matrix exponential: norms up to 2^32
Array = jax.Array | np.ndarray
Parameters = Mapping[str, Array]  # of one layer, by name


class Dynamics(NamedTuple):
    """Memories of a layer: x[k] = A x[k-1] + B u[k], m[k] = C x[k] + D u[k] + offset; leading axes are many.

    A named tuple, because JAX maps over those by itself.

    Attributes
    ----------
    A : (..., k, n, n) array
        Of each of the k memories.
    B : (..., k, n) array
    C : (..., k, d, n) array
        What gives the Legendre coefficients m.
    D : (..., k, d) array
    offset : (..., k, d) array
        What m is at rest: offsets of op-amps, in the unit of u.
    """

    A: Float[Array, "*s k n n"]
    B: Float[Array, "*s k n"]
    C: Float[Array, "*s k d n"]
    D: Float[Array, "*s k d"]
    offset: Float[Array, "*s k d"]


def dynamics(layer: LMULayer, weights: Parameters) -> Dynamics:
    """Discretise the memory of a layer; through what is learned of it gradients flow.

    Parameters
    ----------
    layer : LMULayer
    weights : dict
        The layer's; ``rate`` is theta of the layer over the learned theta, (1,), ``A`` and ``B`` those of
        theta = 1.
    """
    order = layer.order
    if not layer.learned:
        ideal = Memory(order, layer.theta, method=layer.method).system
        return identical(ideal.A, ideal.B[:, 0], layer.memories)
    step = (weights["rate"][0] if "rate" in weights else 1.0) / layer.theta
    ideal = dict(zip("AB", coefficients(order), strict=True))
    A, B = (jnp.asarray(weights.get(name, ideal[name])) * step for name in "AB")
    match layer.method:
        case "euler":
            return identical(jnp.eye(order) + A, B, layer.memories)
        case "zoh":
            block = jnp.zeros((order + 1, order + 1), A.dtype)
            block = block.at[:order].set(jnp.concatenate([A, B[:, None]], axis=1))
            held = expm(block, max_squarings=LARGEST_SQUARINGS)
            return identical(held[:order, :order], held[:order, order], layer.memories)


def identical(A: Float[Array, "n n"], B: Float[Array, " n"], memories: int) -> Dynamics:
    """Give every memory of a layer the same A and B; their states are m."""
    n = len(B)
    return Dynamics(
        jnp.broadcast_to(A, (memories, n, n)),
        jnp.broadcast_to(B, (memories, n)),
        jnp.broadcast_to(jnp.eye(n), (memories, n, n)),
        jnp.zeros((memories, n)),
        jnp.zeros((memories, n)),
    )
