"""Training: Adam over seeded batches, and the weights that are best on validation data."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from lmu_analog.errors import DesignError, SimulationError
from lmu_analog.mismatch.law import check_seed
from lmu_analog.networks.learning import checkpoint as files
from lmu_analog.networks.learning.checkpoint import History, State
from lmu_analog.networks.learning.data import Data, Objective, check_data
from lmu_analog.networks.learning.forward import Parameters, dynamics
from lmu_analog.networks.learning.initial import initial
from lmu_analog.networks.learning.mismatch import Deviations
from lmu_analog.networks.learning.objective import evaluate, loss_of_nothing
from lmu_analog.networks.learning.steps import epoch_function, fresh
from lmu_analog.networks.network import Arrays, LMULayer, Network

Decay = Literal["constant", "cosine"]
LIMIT = 1e3  # times the loss of an output of zeros: beyond it training has diverged
SAVE_SECONDS = 2.0  # between checkpoints
STABLE = 1.0 + 1e-4  # rounding of float32 in A leaves a stable memory's spectral radius below


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
        for name in ("epochs", "batch"):
            if getattr(self, name) < 1:
                raise DesignError(f"{name} = {getattr(self, name)}; a whole number from 1 up is wanted")
        if not 0.0 < self.rate < float("inf"):
            raise DesignError(f"learning rate {self.rate:g}; a finite number above 0 is wanted")
        check_seed(self.seed)


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
    about = files.describe(network, schedule_text(schedule), objective)
    state = files.begin(checkpoint, fresh(start), about, resumed=resumed)
    run = _Run(network, train, valid, schedule, objective, deviations)
    seconds: list[float] = []
    saved = time.monotonic()
    for epoch in range(len(state.history.loss), schedule.epochs):
        began = time.perf_counter()
        try:
            state = _epoch(run, state, epoch, checkpoint)
        except SimulationError:
            files.save(checkpoint, state, about)
            raise
        seconds.append(time.perf_counter() - began)
        if time.monotonic() - saved > SAVE_SECONDS:
            files.save(checkpoint, state, about)
            saved = time.monotonic()
        if advance is not None:
            advance(1)
    files.save(checkpoint, state, about)
    # The first epoch compiles.
    typical = float(np.median(seconds[1:] or seconds)) if seconds else 0.0
    return Trained(numbers(state.best), numbers(state.weights), state.history, typical)


def schedule_text(schedule: Schedule) -> str:
    """Say what of a schedule a checkpoint must share: at a constant rate training may go on for longer."""
    return repr(replace(schedule, epochs=1) if schedule.decay == "constant" else schedule)


def numbers(weights: list[dict[str, jax.Array]]) -> list[Arrays]:
    """Give weights as NumPy arrays, float64."""
    return [{name: np.asarray(v, float) for name, v in layer.items()} for layer in weights]


@dataclass(frozen=True, eq=False)
class _Run:
    """What does not change while a network is trained."""

    network: Network
    train: Data
    valid: Data
    schedule: Schedule
    objective: Objective
    deviations: Deviations | None


def _epoch(run: _Run, state: State, epoch: int, checkpoint: Path | None) -> State:
    schedule, train = run.schedule, run.train
    batch = min(schedule.batch, len(train.x))
    plan = None if run.deviations is None else run.deviations.plan
    function = epoch_function(run.network, (run.objective, train.first), batch=batch, plan=plan)
    key = jax.random.fold_in(jax.random.key(schedule.seed), epoch)
    steps = len(train.x) // batch
    rates = _rates(schedule, epoch, steps)
    drawn = None if run.deviations is None else run.deviations.memories
    limit = LIMIT * loss_of_nothing(run.network, train, run.objective)
    weights, moments, losses, good = function(
        state.weights, state.moments, (jnp.asarray(train.x), jnp.asarray(train.y), drawn), key, rates, limit
    )
    if not np.all(good):
        step = int(np.argmin(good))
        raise _diverged(run, weights, (float(losses[step]), limit), epoch * steps + step, checkpoint)
    error = evaluate(run.network, weights, run.valid, objective=run.objective)
    return state.after(weights, moments, loss=float(np.mean(losses)), error=error)


def _rates(schedule: Schedule, epoch: int, steps: int) -> np.ndarray:
    if schedule.decay == "constant":
        return np.full(steps, schedule.rate)
    done = (epoch * steps + np.arange(steps)) / (schedule.epochs * steps)
    return schedule.rate * 0.5 * (1.0 + np.cos(np.pi * done))


def _diverged(
    run: _Run,
    weights: list[dict[str, jax.Array]],
    found: tuple[float, float],
    step: int,
    checkpoint: Path | None,
) -> SimulationError:
    loss, limit = found
    cause = suspect(run.network, weights)
    if not cause:
        too_large = loss > limit or not np.isfinite(loss)
        cause = f"the loss is {loss:.3g}" if too_large else "the gradient is not finite"
    kept = (
        f"{checkpoint} holds the last good epoch"
        if checkpoint
        else "a checkpoint would keep the last good epoch"
    )
    return SimulationError(
        f"training diverged at step {step}: {cause}; lower the learning rate, now {run.schedule.rate:g} ({kept})"
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
        if radius > STABLE:
            return (
                f"the memory of layer {k} is unstable, spectral radius {radius:.4g} (theta {theta:.3g} steps)"
            )
    return ""
