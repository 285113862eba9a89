"""One epoch of training as one compiled function."""

from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import optax

from lmu_analog.networks.cell import cut
from lmu_analog.networks.learning.checkpoint import History, State
from lmu_analog.networks.learning.data import Objective
from lmu_analog.networks.learning.forward import Parameters, apply
from lmu_analog.networks.learning.mismatch import Plan, deviated
from lmu_analog.networks.learning.objective import loss_of
from lmu_analog.networks.network import Network

LARGEST_GRADIENT = 1.0  # norm of all gradients together; a longer one is shortened to it


def optimiser() -> optax.GradientTransformation:
    """Give Adam without its rate, which is an argument of the epoch so that no rate compiles anew."""
    return optax.chain(optax.clip_by_global_norm(LARGEST_GRADIENT), optax.scale_by_adam())


def fresh(start: list[Any]) -> State:
    """Give the state in which training begins; float32, unless JAX is set to 64 bits."""
    weights = [{name: jnp.asarray(v, dtype=float) for name, v in layer.items()} for layer in start]
    return State(weights, optimiser().init(weights), weights, History())


@lru_cache(maxsize=64)
def epoch_function(network: Network, aim: tuple[Objective, int], *, batch: int, plan: Plan | None) -> Any:
    """Compile an epoch: (weights, moments, (x, y, memories), key, rates, limit) -> what has become of it.

    Gives weights, moments, and (step,) losses and whether each was good; weights stay as they are from the first
    step on that is not good: its loss or gradient is not finite, or the loss is above ``limit``.
    """

    def loss(weights: list[Parameters], x: jax.Array, y: jax.Array, drawn: Any, key: jax.Array) -> jax.Array:
        if plan is None:
            return loss_of(aim, apply(network, weights, x), y)
        return _mean_over_circuits(network, aim, plan, (weights, x, y, drawn, key))

    def step(carried: Any, given: Any) -> Any:
        weights, moments, good = carried
        x, y, drawn, key, rate, limit = given
        value, gradient = jax.value_and_grad(loss)(weights, x, y, drawn, key)
        finite = [jnp.isfinite(g).all() for g in jax.tree.leaves(gradient)]
        good = good & jnp.isfinite(value) & jnp.stack(finite).all() & (value <= limit)
        updates, after = optimiser().update(gradient, moments)
        moved = jax.tree.map(lambda w, u: w - jnp.asarray(rate, w.dtype) * u, weights, updates)
        keep = lambda new, old: jnp.where(good, new, old)  # noqa: E731
        kept = jax.tree.map(keep, (moved, after), (weights, moments))
        return (kept[0], kept[1], good), (value, good)

    def epoch(weights: Any, moments: Any, data: Any, key: jax.Array, rates: jax.Array, limit: Any) -> Any:
        x, y, drawn = data
        order = jax.random.permutation(jax.random.fold_in(key, 0), len(x))[: len(rates) * batch]
        keys = jax.random.split(jax.random.fold_in(key, 1), len(rates))

        def taken(carried: Any, given: Any) -> Any:
            chosen, step_key, rate = given
            return step(carried, (x[chosen], y[chosen], drawn, step_key, rate, limit))

        begin = (weights, moments, jnp.asarray(True))
        steps = (order.reshape(len(rates), batch), keys, rates)
        (weights, moments, _), (losses, good) = jax.lax.scan(taken, begin, steps)
        return weights, moments, losses, good

    return jax.jit(epoch)


def _mean_over_circuits(network: Network, aim: tuple[Objective, int], plan: Plan, given: Any) -> jax.Array:
    """Share a batch out to drawn circuits and give the mean loss."""
    weights, x, y, drawn, key = given
    count = min(plan.circuits, len(x))
    size = len(x) // count
    available = next((len(m.A) for m in drawn if m is not None), 1)
    index = jax.random.randint(jax.random.fold_in(key, 0), (count,), 0, available)
    keys = jax.random.split(jax.random.fold_in(key, 1), count)

    def one(x: jax.Array, y: jax.Array, index: jax.Array, key: jax.Array) -> jax.Array:
        moved = deviated(weights, key, plan.weights)
        met = [None if m is None else cut(m, index) for m in drawn]
        return loss_of(aim, apply(network, moved, x, memories=met), y)

    parts = [a[: count * size].reshape(count, size, *a.shape[1:]) for a in (x, y)]
    return jax.vmap(one)(parts[0], parts[1], index, keys).mean()
