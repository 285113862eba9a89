"""The networks of ``psmnist``: what they are, where they start, and how each is trained."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lmu_analog.memory.statespace import StateSpace
from lmu_analog.networks.cell import Memory
from lmu_analog.networks.learning.initial import initial
from lmu_analog.networks.long import dense, lmu
from lmu_analog.networks.long import lstm as cells
from lmu_analog.networks.long.linear import last_state
from lmu_analog.networks.long.scratch import Scratch
from lmu_analog.networks.long.training import Examples, Learner, Plan, Weights
from lmu_analog.networks.mnist import CLASSES, Sequences
from lmu_analog.networks.network import (
    DenseLayer,
    LMULayer,
    LSTMLayer,
    Network,
    count_parameters,
    count_states,
)

ORDER, HIDDEN = 256, 212  # of the paper's LMU
LSTM_UNITS = 157  # as many parameters, within 1 %
PARALLEL_ORDER, PARALLEL_UNITS = 468, 346  # 165,744 parameters: Chilkuri and Eliasmith (2021) have 165,000
FORWARD_UNITS = 208  # as many parameters, within 1 %
DROPOUT = (0.2, 0.5)  # of what the dense layers get
WHITE = np.float32(255)
_ZERO_AT_FIRST = ("hidden_encoders", "memory_encoders", "input_kernel", "hidden_kernel")
RECURRENT = Plan(epochs=10, batch=100, rate=1e-3, longest=1.0)
DENSE = Plan(epochs=100, batch=128, rate=2e-3, weight_decay=1e-4)


@dataclass(frozen=True, eq=False)
class Training:
    """A network about to be trained.

    Attributes
    ----------
    learner : Learner
    start : dict of arrays
    plan : Plan
    train, valid, test : Examples
    parameters : int
        Trained numbers.
    states : int
        Numbers kept from step to step.
    prepared : callable
        Makes what the learner takes of pixels, (c, t) of 0 to 255: for the time of an image.
    """

    learner: Learner
    start: Weights
    plan: Plan
    train: Examples
    valid: Examples
    test: Examples
    parameters: int
    states: int
    prepared: Any


def published_lmu(steps: int) -> Network:
    """Give the paper's network, the window as long as the series: 102,027 trained numbers at 784 steps."""
    connections = ("input_kernel", "hidden_encoders", "memory_encoders", "hidden_kernel")
    return Network(1, (LMULayer(HIDDEN, ORDER, float(steps), connections=connections), DenseLayer(CLASSES)))


def published_start(network: Network, seed: int) -> Weights:
    """Draw the weights that the paper's network starts from, float32.

    Hidden units feed nothing back at first and see nothing but the memory, whose encoder of the input is 1.
    """
    layer, output = initial(network, seed)
    given = {**layer, "kernel": output["kernel"], "classes": output["bias"]}
    given |= {name: np.zeros_like(layer[name]) for name in _ZERO_AT_FIRST}
    given["input_encoders"] = np.ones_like(layer["input_encoders"])
    return {name: np.asarray(array, np.float32) for name, array in given.items()}


def recurrent_lmu(data: Sequences, task: str, plan: Plan) -> Training:
    """Make the paper's LMU ready: a memory that is fed back to, and hidden units."""
    steps = data.train.x.shape[1]
    network = published_lmu(steps)
    blocks, scratch = lmu.blocks_of(network.layers[0], steps), Scratch()  # type: ignore[arg-type]

    def gradient(weights: Weights, x: np.ndarray, y: np.ndarray, _: Any) -> tuple[float, Weights]:
        return lmu.gradient(blocks, weights, series(x), y=y, scratch=scratch)

    def logits(weights: Weights, x: np.ndarray) -> np.ndarray:
        return lmu.logits(blocks, weights, series(x), scratch=scratch)

    learner = Learner(f"{network!r}, {task}", gradient, logits)
    return _recurrent(network, learner, published_start(network, plan.seed), plan, data)


def equal_lstm() -> Network:
    """Give an LSTM of as many parameters as the paper's LMU."""
    return Network(1, (LSTMLayer(LSTM_UNITS), DenseLayer(CLASSES)))


def lstm(data: Sequences, task: str, plan: Plan, *, forget: str) -> Training:
    """Make the LSTM of equal size ready.

    Parameters
    ----------
    data : Sequences
    task : str
        The data in words.
    plan : Plan
    forget : {"one", "chrono"}
        Biases of the forget gates: 1 as in Keras, or the logarithms of times spread over the series, with those of
        the input gates their negatives (Tallec and Ollivier 2018).
    """
    network, scratch = equal_lstm(), Scratch()

    def gradient(weights: Weights, x: np.ndarray, y: np.ndarray, _: Any) -> tuple[float, Weights]:
        return cells.gradient(weights, series(x), y, scratch=scratch)

    def logits(weights: Weights, x: np.ndarray) -> np.ndarray:
        return cells.logits(weights, series(x), scratch=scratch)

    layer, output = initial(network, plan.seed)
    start = {**layer, "output": output["kernel"], "classes": output["bias"]}
    if forget == "chrono":
        rng = np.random.default_rng([plan.seed, LSTM_UNITS])
        times = np.log(rng.uniform(1.0, data.train.x.shape[1] - 1.0, LSTM_UNITS))
        zeros = np.zeros(2 * LSTM_UNITS)
        start["bias"] = np.concatenate([-times, times, zeros])
    weights = {name: np.asarray(array, np.float32) for name, array in start.items()}
    learner = Learner(f"{network!r}, forget {forget}, {task}", gradient, logits)
    return _recurrent(network, learner, weights, plan, data)


def _recurrent(network: Network, learner: Learner, start: Weights, plan: Plan, data: Sequences) -> Training:
    train, valid, test = (Examples(part.x, part.y) for part in (data.train, data.valid, data.test))
    sizes = count_parameters(network), count_states(network)
    return Training(learner, start, plan, train, valid, test, *sizes, prepared=lambda x: x)


def parallel_lmu(data: Sequences, task: str, plan: Plan, *, order: int, all_images: bool) -> Training:
    """Make a memory ready that nothing is fed back to, with dense layers that see its last state, standardised.

    ``all_images`` trains on the images for validation, too.
    """
    steps = data.train.x.shape[1]
    matrix = last_state(window(order, steps), steps).astype(np.float32)
    about = f"last state of a memory of order {order}, theta {steps}"
    return _dense(data, about, task, plan, matrix=matrix, units=PARALLEL_UNITS, all_images=all_images)


def feedforward(data: Sequences, task: str, plan: Plan, *, all_images: bool) -> Training:
    """Make a network ready that sees all pixels at once: what could be known without having to remember."""
    return _dense(data, "all pixels", task, plan, matrix=None, units=FORWARD_UNITS, all_images=all_images)


def window(order: int, steps: int) -> StateSpace:
    """Give the sampled memory whose window is as long as the series."""
    return Memory(order, float(steps)).system


def _dense(
    data: Sequences,
    about: str,
    task: str,
    plan: Plan,
    *,
    matrix: np.ndarray | None,
    units: int,
    all_images: bool,
) -> Training:
    seen = [_linear(part.x, matrix) for part in (data.train, data.valid, data.test)]
    # Pixels that are white in all images have no deviation.
    mean, deviation = seen[0].mean(axis=0, dtype=float), seen[0].std(axis=0, dtype=float)
    shift, scale = (
        mean.astype(np.float32),
        (1.0 / np.where(deviation > 0.0, deviation, 1.0)).astype(np.float32),
    )
    train, valid, test = (
        Examples((x - shift) * scale, part.y)
        for x, part in zip(seen, (data.train, data.valid, data.test), strict=True)
    )
    if all_images:
        train = Examples(np.concatenate([train.x, valid.x]), np.concatenate([train.y, valid.y]))
        about += ", validated with training images"

    def gradient(w: Weights, x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> tuple[float, Weights]:
        return dense.gradient(w, x, y, dropout=DROPOUT, rng=rng)

    sizes = (train.x.shape[1], units, CLASSES)
    start = dense.start(sizes, plan.seed)
    learner = Learner(f"{about}, dense layers {sizes}, dropout {DROPOUT}, {task}", gradient, dense.logits)
    parameters = sum(array.size for array in start.values())
    return Training(
        learner, start, plan, train, valid, test, parameters, sizes[0],
        prepared=lambda x: (_linear(x, matrix) - shift) * scale,
    )  # fmt: skip


def _linear(x: np.ndarray, matrix: np.ndarray | None) -> np.ndarray:
    """Give the last states of a memory for pixels of 0 to 255, or the pixels themselves, float32."""
    whole = x / WHITE
    return whole if matrix is None else whole @ matrix


def series(x: np.ndarray) -> np.ndarray:
    """Give pixels of 0 to 255 as series of 0 to 1, (c, t, 1), float32."""
    return (x / WHITE)[..., None]


def seeded(plan: Plan, seeds: int) -> list[Plan]:
    """Give a plan for each of some seeds."""
    return [replace(plan, seed=seed) for seed in range(seeds)]
