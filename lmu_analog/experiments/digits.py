"""Handwritten digits pixel by pixel, in a random order: LMU, LSTM of equal size, and a feed-forward network.

The task is that of permuted sequential MNIST (Voelker, Kajić and Eliasmith, NeurIPS 2019, section 3.2) on
scikit-learn's 1797 digits of 8 by 8 pixels, which is another, smaller set; figures of the two do not compare.
The feed-forward network sees the 64 pixels at once: what could be known without having to remember.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lmu_analog.errors import DesignError
from lmu_analog.experiments.frame import COSTS, Progress, Table, cost_cells
from lmu_analog.option import option

STEPS, CLASSES, BATCH = 64, 10, 64
ORDER, HIDDEN = 32, 32  # of the LMU
LSTM_UNITS, FORWARD_UNITS = 23, 33  # as many parameters, within 2 %
NAMES = {"lmu": "LMU", "lstm": "LSTM", "feedforward": "feed-forward"}


@dataclass(frozen=True)
class Options:
    """How often to train, and what to choose from."""

    seeds: int = option(5, "Seeds of the weights and of the order of training.")
    epochs: tuple[int, ...] = option((50, 200), "Lengths of training to choose from.")
    rates: tuple[float, ...] = option((0.003, 0.01, 0.03), "Learning rates to choose from.")
    seed: int = option(0, "Of the order of the pixels and the parts of the data.")

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise DesignError(f"seeds={self.seeds}: at least one is wanted")


def networks() -> dict[str, Any]:
    """Give the three networks, equal in size."""
    from lmu_analog.networks.network import DenseLayer, LMULayer, LSTMLayer, Network

    last = DenseLayer(CLASSES)
    return {
        "lmu": Network(1, (LMULayer(HIDDEN, ORDER, float(STEPS)), last)),
        "lstm": Network(1, (LSTMLayer(LSTM_UNITS), last)),
        "feedforward": Network(STEPS, (DenseLayer(FORWARD_UNITS, "tanh"), last)),
    }


def run(options: Options, progress: Progress) -> dict[str, Any]:
    """Train all three alike, choose by validation data, and test what was chosen once.

    Returns
    -------
    dict
        ``lmu``, ``lstm`` and ``feedforward``: ``accuracy`` on the test data, a list over seeds, with its mean and
        the setting that was chosen.
    """
    from lmu_analog.experiments.comparing import Grid, tuned
    from lmu_analog.networks.learning.tasks import digits, images

    task = digits(options.seed)
    grid = Grid(options.rates, options.epochs, BATCH)
    found: dict[str, Any] = {}
    for name, network in networks().items():
        with progress(NAMES[name], grid.work * options.seeds) as advance:
            row = tuned(
                network,
                images(task) if name == "feedforward" else task,
                grid,
                objective="classes",
                seeds=range(options.seeds),
                advance=advance,
            )
        found[name] = _row(row)
    sizes = {part: len(getattr(task, part).x) for part in ("train", "valid", "test")}
    return {**found, "images": sizes, "steps": STEPS, "theta": STEPS, "order": ORDER}


def _row(row: dict[str, Any]) -> dict[str, Any]:
    accuracy = [1.0 - e for e in row["test"]]
    kept = {key: value for key, value in row.items() if key not in ("test", "validation", "trained")}
    spread = float(np.std(accuracy, ddof=1)) if len(accuracy) > 1 else None
    return {
        "accuracy": accuracy,
        "mean": float(np.mean(accuracy)),
        "deviation": spread,
        "validation_accuracy": [1.0 - e for e in row["validation"]],
        **kept,
    }


def rows(result: dict[str, Any]) -> Table:
    """Lay out the table: a line a network."""
    header = ("network", "accuracy, %", "over seeds", "rate", "epochs", *COSTS)
    lines: list[tuple[str, ...]] = []
    for name, label in NAMES.items():
        row = result[name]
        seeds = " ".join(f"{100 * a:.1f}" for a in row["accuracy"])
        chosen = (f"{row['rate']:g}", str(row["epochs"]))
        lines.append((label, f"{100 * row['mean']:.2f}", seeds, *chosen, *cost_cells(row)))
    return header, lines
