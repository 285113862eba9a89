"""Training: Adam over seeded batches, every epoch one compiled function, and the weights best on validation data."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax

from lmu_analog.errors import SimulationError
from lmu_analog.networks.cell import cut
from lmu_analog.networks.learning import checkpoint as files
from lmu_analog.networks.learning.checkpoint import History, State
from lmu_analog.networks.learning.data import Data, Objective, check_data
from lmu_analog.networks.learning.forward import Parameters, apply, dynamics
from lmu_analog.networks.learning.initial import initial
from lmu_analog.networks.learning.mismatch import Deviations, Plan, deviated
from lmu_analog.networks.learning.objective import evaluate, loss_of, loss_of_nothing
from lmu_analog.networks.network import Arrays, LMULayer, Network
from lmu_analog.networks.schedule import check_schedule

Decay = Literal["constant", "cosine"]
LIMIT = 1e3  # times the loss of an output of zeros: beyond it training has diverged
_LARGEST_GRADIENT = 1.0  # norm of all gradients together; a longer one is shortened to it
_SAVE_SECONDS = 2.0  # between checkpoints
_STABLE = 1.0 + 1e-4  # rounding of float32 in A leaves a stable memory's spectral radius below


@dataclass(frozen=True)
class Schedule:
    """How to train.

    Attributes
    ----------
    epochs : int
    batch : int
        Samples a step.
    rate : float
        Learning rate of Adam (Kingma and Ba 2015).
    decay : {"constant", "cosine"}
        Whether the rate falls to zero over the epochs, along a cosine.
    seed : int
        Of the order of the samples, and of the circuits that are drawn.
    """

    epochs: int
    batch: int = 64
    rate: float = 1e-3
    decay: Decay = "cosine"
    seed: int = 0

    def __post_init__(self) -> None:
        check_schedule(epochs=self.epochs, batch=self.batch, rate=self.rate, seed=self.seed)


@dataclass(frozen=True, eq=False)
class Trained:
    """What training has found.

    Attributes
    ----------
    weights : list of dict
        After the epoch that was best on the validation data.
    last : list of dict
        After the last epoch.
    history : History
        Loss and validation error after every epoch.
    seconds : float, s
        Time of an epoch, the median, validation included; zero where all epochs came from a checkpoint.
    """

    weights: list[Arrays]
    last: list[Arrays]
    history: History
    seconds: float

    @property
    def best(self) -> int:
        """Epoch of ``weights``, counted from 1."""
        return self.history.best


def fit(
    network: Network,
    train: Data,
    schedule: Schedule,
    *,
    valid: Data,
    objective: Objective,
    start: list[Arrays] | None = None,
    deviations: Deviations | None = None,
    checkpoint: Path | None = None,
    resumed: bool = False,
    advance: Callable[[int], None] | None = None,
) -> Trained:
    """Train a network; same arguments, same result, whether in one go or resumed.

    Parameters
    ----------
    network : Network
    train, valid : Data
        The second only chooses the epoch.
    schedule : Schedule
    objective : {"classes", "series"}
    start : list of dict, optional
        Weights to start from; the network's own unless given, and ``initial(network, schedule.seed)`` where it has
        none.
    deviations : Deviations, optional
        Circuits to train with: every batch meets others.
    checkpoint : path, optional
        Where to keep the state, about every two seconds and at the end.
    resumed : bool
        Go on from the checkpoint, if it is there.
    advance : callable, optional
        Called with 1 after every epoch.

    Raises
    ------
    DesignError
        If a shape is wrong; it names the axis.
    SimulationError
        If training diverges; the checkpoint then holds the last good epoch.
    StoreError
        If the checkpoint is of another training, or there is one and ``resumed`` is not set.
    """
    check_data(network, train, objective)
    check_data(network, valid, objective)
    if start is None:
        own = [layer.weights for layer in network.layers if layer.weights is not None]
        start = own if len(own) == len(network.layers) else initial(network, schedule.seed)
    # At a constant rate training may go on for longer than it was begun for.
    shared = replace(schedule, epochs=1) if schedule.decay == "constant" else schedule
    about = files.describe(network, repr(shared), objective)
    state = files.begin(checkpoint, _fresh(start), about, resumed=resumed)
    batch = min(schedule.batch, len(train.x))
    steps = len(train.x) // batch
    plan, drawn = (None, None) if deviations is None else (deviations.plan, deviations.memories)
    run_epoch = _epoch_function(network, objective, first=train.first, batch=batch, plan=plan)
    x, y = jnp.asarray(train.x), jnp.asarray(train.y)
    limit = LIMIT * loss_of_nothing(network, train, objective)
    seconds: list[float] = []
    saved = time.monotonic()
    for epoch in range(len(state.history.loss), schedule.epochs):
        began = time.perf_counter()
        key = jax.random.fold_in(jax.random.key(schedule.seed), epoch)
        rates = _rates(schedule, epoch, steps)
        weights, moments, losses, good = run_epoch(
            state.weights, state.moments, (x, y, drawn), key, rates, limit
        )
        if not np.all(good):
            files.save(checkpoint, state, about)
            bad = int(np.argmin(good))
            cause = _cause(network, weights, float(losses[bad]), limit)
            kept = f"{checkpoint} holds" if checkpoint else "a checkpoint would keep"
            raise SimulationError(
                f"training diverged at step {epoch * steps + bad}: {cause}; lower the learning rate, now "
                f"{schedule.rate:g} ({kept} the last good epoch)"
            )
        error = evaluate(network, weights, valid, objective=objective)
        state = state.after(weights, moments, loss=float(np.mean(losses)), error=error)
        seconds.append(time.perf_counter() - began)
        if time.monotonic() - saved > _SAVE_SECONDS:
            files.save(checkpoint, state, about)
            saved = time.monotonic()
        if advance is not None:
            advance(1)
    files.save(checkpoint, state, about)
    # The first epoch compiles.
    typical = float(np.median(seconds[1:] or seconds)) if seconds else 0.0
    return Trained(_numbers(state.best), _numbers(state.weights), state.history, typical)


def _numbers(weights: list[dict[str, jax.Array]]) -> list[Arrays]:
    """Give weights as NumPy arrays, float64."""
    return [{name: np.asarray(v, float) for name, v in layer.items()} for layer in weights]


def _rates(schedule: Schedule, epoch: int, steps: int) -> np.ndarray:
    if schedule.decay == "constant":
        return np.full(steps, schedule.rate)
    done = (epoch * steps + np.arange(steps)) / (schedule.epochs * steps)
    return schedule.rate * 0.5 * (1.0 + np.cos(np.pi * done))


def _optimiser() -> optax.GradientTransformation:
    """Give Adam without its rate, which is an argument of the epoch so that no rate compiles anew."""
    return optax.chain(optax.clip_by_global_norm(_LARGEST_GRADIENT), optax.scale_by_adam())


def _fresh(start: list[Any]) -> State:
    """Give the state in which training begins; float32, unless JAX is set to 64 bits."""
    weights = [{name: jnp.asarray(v, dtype=float) for name, v in layer.items()} for layer in start]
    return State(weights, _optimiser().init(weights), weights, History())


@lru_cache(maxsize=64)
def _epoch_function(
    network: Network, objective: Objective, *, first: int, batch: int, plan: Plan | None
) -> Any:
    """Compile an epoch: (weights, moments, (x, y, memories), key, rates, limit) -> what has become of it.

    Gives weights, moments, and (step,) losses and whether each was good; weights stay as they are from the first
    step on that is not good: its loss or gradient is not finite, or the loss is above ``limit``.
    """

    def loss(weights: list[Parameters], x: jax.Array, y: jax.Array, drawn: Any, key: jax.Array) -> jax.Array:
        if plan is None:
            return loss_of(objective, apply(network, weights, x), y, first=first)
        # A batch is shared out to drawn circuits, of which each has weights that deviate in their own way.
        law, count = plan.weights, min(plan.circuits, len(x))
        size = len(x) // count
        available = next((len(m.A) for m in drawn if m is not None), 1)
        index = jax.random.randint(jax.random.fold_in(key, 0), (count,), 0, available)
        keys = jax.random.split(jax.random.fold_in(key, 1), count)

        def one(x: jax.Array, y: jax.Array, index: jax.Array, key: jax.Array) -> jax.Array:
            met = [None if m is None else cut(m, index) for m in drawn]
            out = apply(network, deviated(weights, key, law), x, memories=met)
            return loss_of(objective, out, y, first=first)

        parts = [a[: count * size].reshape(count, size, *a.shape[1:]) for a in (x, y)]
        return jax.vmap(one)(parts[0], parts[1], index, keys).mean()

    def epoch(weights: Any, moments: Any, data: Any, key: jax.Array, rates: jax.Array, limit: Any) -> Any:
        x, y, drawn = data
        order = jax.random.permutation(jax.random.fold_in(key, 0), len(x))[: len(rates) * batch]
        keys = jax.random.split(jax.random.fold_in(key, 1), len(rates))

        def step(state: Any, given: Any) -> Any:
            weights, moments, good = state
            chosen, step_key, rate = given
            value, gradient = jax.value_and_grad(loss)(weights, x[chosen], y[chosen], drawn, step_key)
            finite = [jnp.isfinite(g).all() for g in jax.tree.leaves(gradient)]
            good = good & jnp.isfinite(value) & jnp.stack(finite).all() & (value <= limit)
            updates, after = _optimiser().update(gradient, moments)
            moved = jax.tree.map(lambda w, u: w - jnp.asarray(rate, w.dtype) * u, weights, updates)
            keep = lambda new, old: jnp.where(good, new, old)  # noqa: E731
            kept = jax.tree.map(keep, (moved, after), (weights, moments))
            return (kept[0], kept[1], good), (value, good)

        begin = (weights, moments, jnp.asarray(True))
        steps = (order.reshape(len(rates), batch), keys, rates)
        (weights, moments, _), (losses, good) = jax.lax.scan(step, begin, steps)
        return weights, moments, losses, good

    return jax.jit(epoch)


def _cause(network: Network, weights: Sequence[Parameters], loss: float, limit: float) -> str:
    """Say why training has diverged, as far as the weights tell."""
    if found := suspect(network, weights):
        return found
    return (
        f"the loss is {loss:.3g}" if loss > limit or not np.isfinite(loss) else "the gradient is not finite"
    )


def suspect(network: Network, weights: Sequence[Parameters]) -> str:
    """Name a memory that learning has made unstable, or nothing."""
    for k, (layer, arrays) in enumerate(zip(network.layers, weights, strict=True)):
        if not isinstance(layer, LMULayer):
            continue
        theta = layer.theta / float(arrays["rate"][0]) if "rate" in arrays else layer.theta
        if theta <= 0.0:
            return f"theta of layer {k} became {theta:.3g} steps"
        radius = np.abs(np.linalg.eigvals(np.asarray(dynamics(layer, arrays).A[0], float))).max()
        if radius > _STABLE:
            return (
                f"the memory of layer {k} is unstable, spectral radius {radius:.4g} (theta {theta:.3g} steps)"
            )
    return ""
