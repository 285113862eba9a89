"""Adam over seeded batches, with a checkpoint in the middle of an epoch wherever time has passed."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from lmu_analog.errors import DesignError, SimulationError, StoreError
from lmu_analog.networks.schedule import check_schedule
from lmu_analog.networks.weights import read_archive, write_archive

Weights = dict[str, np.ndarray]
SAVE_SECONDS = 60.0  # between checkpoints
AT_ONCE = 100  # samples that are evaluated at once
_FORGETTING = (0.9, 0.999)  # of Adam's means of gradients and of their squares
_SMALLEST = 1e-8  # of the root of the mean square, what a gradient is divided by
_PIECE = 8192  # numbers that are moved at once: they stay in the processor's nearest memory


@dataclass(frozen=True)
class Plan:
    """How to train.

    Attributes
    ----------
    epochs : int
    batch : int
        Samples a step; what is left of an epoch is left out, other samples every time.
    rate : float
        Learning rate of Adam (Kingma and Ba 2015).
    decay : {"constant", "cosine"}
        Whether the rate falls to zero over the epochs, along a cosine.
    weight_decay : float
        Times the weights, added to the gradient of matrices.
    longest : float
        Norm of all gradients together; a longer one is shortened to it.
    seed : int
        Of the order of the samples, and of what a learner draws.
    """

    epochs: int
    batch: int = 100
    rate: float = 1e-3
    decay: Literal["constant", "cosine"] = "cosine"
    weight_decay: float = 0.0
    longest: float = float("inf")
    seed: int = 0

    def __post_init__(self) -> None:
        check_schedule(epochs=self.epochs, batch=self.batch, rate=self.rate, seed=self.seed)


@dataclass(frozen=True, eq=False)
class Learner:
    """What is trained.

    Attributes
    ----------
    about : str
        Network and data in words: a checkpoint is continued by the same alone.
    gradient : callable
        (weights, x, y, generator) -> mean loss of a batch, and its gradient by name.
    logits : callable
        (weights, x) -> (c, classes).
    """

    about: str
    gradient: Callable[[Weights, np.ndarray, np.ndarray, np.random.Generator], tuple[float, Weights]]
    logits: Callable[[Weights, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Examples:
    """Samples, (s, ...), and their classes, (s,) from 0."""

    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True, eq=False)
class State:
    """Where training stands; ``train`` moves its arrays in place.

    Attributes
    ----------
    weights, first, second, best : dict of arrays
        Weights, Adam's means of gradients and of their squares, and the weights of the least validation error.
    step : int
        Batches done, over all epochs.
    loss : tuple of float
        Mean of every whole epoch.
    error : tuple of float
        On the validation data after every whole epoch: the fraction that is wrong.
    seconds : tuple of float, s
        Processor time of every whole epoch, validation included.
    running : tuple of float
        Sum of losses and processor time of the epoch that has begun.
    """

    weights: Weights
    first: Weights
    second: Weights
    best: Weights
    step: int = 0
    loss: tuple[float, ...] = ()
    error: tuple[float, ...] = ()
    seconds: tuple[float, ...] = ()
    running: tuple[float, float] = (0.0, 0.0)

    @property
    def epochs(self) -> int:
        """Whole epochs done."""
        return len(self.loss)

    @property
    def best_epoch(self) -> int:
        """Epoch of the least validation error, the last of equal ones, counted from 1; 0 before any."""
        return max((k + 1 for k, e in enumerate(self.error) if e == min(self.error)), default=0)


_KEPT = ("weights", "first", "second", "best")
_TOLD = ("step", "loss", "error", "seconds", "running")


def train(
    learner: Learner,
    start: Weights,
    data: tuple[Examples, Examples],
    *,
    plan: Plan,
    checkpoint: Path | None = None,
    advance: Callable[[int], None] | None = None,
) -> State:
    """Train a network; same arguments, same result, whether in one go or resumed.

    Parameters
    ----------
    learner : Learner
    start : dict of arrays
        Weights to start from, whose dtype is that of the arithmetic.
    data : pair of Examples
        To train with, and to validate with after every epoch.
    plan : Plan
    checkpoint : path, optional
        Where the state is kept, about once a minute and at the end; training goes on from it where it is there.
    advance : callable, optional
        Called with 1 after every batch.

    Raises
    ------
    SimulationError
        If a loss or gradient is no longer finite; the checkpoint is then of some batches before.
    StoreError
        If the checkpoint is of another training, or damaged.
    """
    examples, validation = data
    batches = len(examples.x) // plan.batch
    if not batches:
        raise DesignError(f"a batch of {plan.batch} is larger than the {len(examples.x)} samples")
    about = f"{learner.about} {plan!r}"
    state = _begun(checkpoint, about, start)
    saved, clock = time.monotonic(), time.process_time()
    if advance is not None:
        advance(state.step)
    while state.step < plan.epochs * batches:
        epoch, batch = divmod(state.step, batches)
        order = np.random.default_rng([plan.seed, 0, epoch]).permutation(len(examples.x))
        for k in range(batch, batches):
            chosen = order[k * plan.batch : (k + 1) * plan.batch]
            rng = np.random.default_rng([plan.seed, 1, state.step])
            loss, gradient = learner.gradient(state.weights, examples.x[chosen], examples.y[chosen], rng)
            state = _updated(state, loss, gradient, plan, _rate(plan, state.step / (plan.epochs * batches)))
            if k == batches - 1:
                wrong = error(learner, state.weights, validation)
                spent, clock = time.process_time() - clock, time.process_time()
                state = _closed(state, wrong, batches, spent)
            if time.monotonic() - saved > SAVE_SECONDS:
                state, clock = _with_time(state, clock)
                save(checkpoint, state, about)
                saved = time.monotonic()
            if advance is not None:
                advance(1)
    save(checkpoint, state, about)
    return state


def error(learner: Learner, weights: Weights, data: Examples) -> float:
    """Measure the fraction of samples that are told wrong."""
    return float(np.mean(answers(learner, weights, data.x) != data.y))


def answers(learner: Learner, weights: Weights, x: np.ndarray) -> np.ndarray:
    """Give the class of every sample."""
    parts = [learner.logits(weights, x[k : k + AT_ONCE]).argmax(axis=1) for k in range(0, len(x), AT_ONCE)]
    return np.concatenate(parts)


def _rate(plan: Plan, done: float) -> float:
    return plan.rate * (0.5 * (1.0 + np.cos(np.pi * done)) if plan.decay == "cosine" else 1.0)


def _updated(state: State, loss: float, gradient: Weights, plan: Plan, rate: float) -> State:
    """Take one step of Adam; weights and means change in place, for new ones would take longer than the gradient.

    Raises
    ------
    SimulationError
        If loss or gradient is not finite; nothing has changed then.
    """
    norm = float(np.sqrt(sum(float(np.vdot(g, g)) for g in gradient.values())))
    if not np.isfinite(loss) or not np.isfinite(norm):
        raise SimulationError(
            f"training diverged at step {state.step}: the loss is {loss:.3g}; lower the learning rate, now "
            f"{plan.rate:g}"
        )
    shorter = min(1.0, plan.longest / norm) if norm else 1.0
    step = state.step + 1
    unbiased = [1.0 - f**step for f in _FORGETTING]
    for name, weights in state.weights.items():
        decay = plan.weight_decay if weights.ndim == 2 else 0.0
        arrays = (weights, state.first[name], state.second[name], np.ascontiguousarray(gradient[name]))
        flat = [array.reshape(-1) for array in arrays]
        for k in range(0, weights.size, _PIECE):
            _adam([array[k : k + _PIECE] for array in flat], shorter, decay, unbiased, rate)
    return replace(state, step=step, running=(state.running[0] + loss, state.running[1]))


def _adam(arrays: list[np.ndarray], shorter: float, decay: float, unbiased: list[float], rate: float) -> None:
    """Move a piece of the weights; the numbers are Python's, so that float32 stays float32."""
    weights, first, second, g = arrays
    g *= shorter
    if decay:
        g += decay * weights
    slow, slower = _FORGETTING
    first *= slow
    first += (1.0 - slow) * g
    second *= slower
    g *= g
    g *= 1.0 - slower
    second += g
    np.sqrt(second, out=g)
    g *= unbiased[1] ** -0.5
    g += _SMALLEST
    np.divide(first, g, out=g)
    g *= rate / unbiased[0]
    weights -= g


def _closed(state: State, wrong: float, batches: int, spent: float) -> State:
    """Close an epoch."""
    summed, before = state.running
    closed = replace(
        state,
        loss=(*state.loss, summed / batches),
        error=(*state.error, wrong),
        seconds=(*state.seconds, before + spent),
        running=(0.0, 0.0),
    )
    return closed if closed.best_epoch < closed.epochs else replace(closed, best=_copied(state.weights))


def _with_time(state: State, clock: float) -> tuple[State, float]:
    """Add the processor time since ``clock`` to the epoch that has begun."""
    now = time.process_time()
    return replace(state, running=(state.running[0], state.running[1] + now - clock)), now


def _begun(path: Path | None, about: str, start: Weights) -> State:
    """Give the state to start from: that of the checkpoint, if there is one."""
    if path is not None and path.exists():
        state = load(path, about)
        if state.weights.keys() != start.keys():
            raise StoreError(f"{path} is no whole checkpoint; remove it and train anew")
        return state
    first, second = ({name: np.zeros_like(w) for name, w in start.items()} for _ in range(2))
    return State(_copied(start), first, second, _copied(start))


def _copied(weights: Weights) -> Weights:
    return {name: np.array(w, order="C") for name, w in weights.items()}


def load(path: Path, about: str | None = None) -> State:
    """Read a checkpoint.

    Parameters
    ----------
    path : Path
    about : str, optional
        What it must be of.

    Raises
    ------
    StoreError
        If it is of another training, or damaged.
    """
    try:
        content = read_archive(path)
        told = json.loads(str(content.pop("about")))
        found: dict[str, Weights] = {kind: {} for kind in _KEPT}
        for name, array in content.items():
            kind, _, inner = name.partition("/")
            found[kind][inner] = array
        figures = {name: told[name] for name in _TOLD}
    except (ValueError, KeyError, TypeError, RecursionError) as problem:
        raise StoreError(f"{path} is no whole checkpoint; remove it and train anew") from problem
    if about is not None and told["of"] != about:
        raise StoreError(
            f"{path} is of another network, plan or data; train with those, or name another folder"
        )
    sequences = {name: tuple(figures[name]) for name in _TOLD if name != "step"}
    return State(**found, step=figures["step"], **sequences)  # type: ignore[arg-type]


def save(path: Path | None, state: State, about: str) -> None:
    """Write the state; a reader, or a crash, never meets half of it.

    Raises
    ------
    SimulationError
        If the file cannot be written.
    """
    if path is None:
        return
    told = json.dumps({"of": about, **{name: getattr(state, name) for name in _TOLD}})
    arrays = {f"{kind}/{name}": a for kind in _KEPT for name, a in getattr(state, kind).items()}
    try:
        write_archive(path, {"about": np.array(told), **arrays})
    except DesignError as problem:
        raise SimulationError(str(problem)) from problem
