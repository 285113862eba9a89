"""Losses, and the error that is reported."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, assert_never

import jax
import jax.numpy as jnp
import numpy as np
import optax

from lmu_analog.networks.cell import Memories
from lmu_analog.networks.learning.data import Data, Objective
from lmu_analog.networks.learning.forward import Parameters, apply, check
from lmu_analog.networks.network import Network, outputs

AT_ONCE = 2_000_000  # numbers of the input that are evaluated at once


def loss_of(objective: Objective, out: jax.Array, y: jax.Array, *, first: int) -> jax.Array:
    """Give the mean cross-entropy, or the mean square of the error from step ``first`` on."""
    match objective:
        case "classes":
            return optax.softmax_cross_entropy_with_integer_labels(out, y).mean()
        case "series":
            return jnp.mean((out - y)[:, first:] ** 2)
        case _:
            assert_never(objective)


def loss_of_nothing(network: Network, data: Data, objective: Objective) -> float:
    """Give the loss of a network that puts out zeros."""
    match objective:
        case "classes":
            return float(np.log(outputs(network.layers[-1])))
        case "series":
            return float(np.mean(np.square(data.y[:, data.first :])))
        case _:
            assert_never(objective)


def evaluate(
    network: Network,
    weights: Sequence[Parameters],
    data: Data,
    *,
    objective: Objective,
    memories: Sequence[Memories | None] | None = None,
) -> float:
    """Measure a network on data.

    Returns
    -------
    float
        The fraction of wrong classes, or the rms error of series over the rms of what is wanted.
    """
    check(network, weights, data.x[:1])
    function = _forward(network)
    step = max(1, AT_ONCE // max(1, data.x[0].size * 32))
    parts = [
        np.asarray(function(weights, data.x[k : k + step], memories)) for k in range(0, len(data.x), step)
    ]
    out = np.concatenate(parts)
    match objective:
        case "classes":
            return float(np.mean(out.argmax(axis=-1) != data.y))
        case "series":
            error, wanted = (out - data.y)[:, data.first :], data.y[:, data.first :]
            return float(np.sqrt(np.mean(error**2) / np.mean(wanted**2)))
        case _:
            assert_never(objective)


@lru_cache(maxsize=64)
def _forward(network: Network) -> Any:
    return jax.jit(lambda weights, x, memories: apply(network, weights, x, memories=memories))
