"""The same weights at half and double step size: an LMU scales theta with it, an LSTM has nothing to scale.

A layer whose only recurrence is the memory is trained, as an LSTM is, to give out band-limited noise as it was some
steps ago. Then the same signals are sampled twice as often, and half as often; theta in steps follows, the weights
stay (Voelker, Kajić and Eliasmith, NeurIPS 2019, section 2.2, on time scales). The input is sampled half a step
early, for both networks, so that the lead of the zero-order hold is the same at every step size.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lmu_analog.errors import DesignError
from lmu_analog.experiments.frame import COSTS, Progress, Table, cost_cells
from lmu_analog.option import option

THETA, DELAY, BANDWIDTH, PERIOD = 80.0, 60.0, 0.015, 480  # steps of size 1
ORDER, HIDDEN, LSTM_UNITS = 8, 64, 12
SIGNALS, HELD_BACK, BATCH = 256, 64, 32
SCALES = {"half": 0.5, "same": 1.0, "double": 2.0}
NAMES = {"lmu": "LMU", "lstm": "LSTM"}


@dataclass(frozen=True)
class Options:
    """How long to train."""

    epochs: int = option(150, "Of both networks.")
    rates: tuple[float, ...] = option((0.003, 0.01, 0.03), "Learning rates to choose from.")
    seeds: int = option(3, "Seeds of the weights and of the order of training.")
    seed: int = option(0, "Of the signals.")

    def __post_init__(self) -> None:
        for name in ("epochs", "seeds"):
            if getattr(self, name) < 1:
                raise DesignError(f"{name}={getattr(self, name)}: at least one is wanted")


def networks() -> dict[str, Any]:
    """Give both networks, equal in size within 5 %."""
    from lmu_analog.networks.network import DenseLayer, LMULayer, LSTMLayer, Network

    last = DenseLayer(1)
    layer = LMULayer(HIDDEN, ORDER, THETA, connections=("input_kernel", "bias"))
    return {
        "lmu": Network(1, (layer, last), readout="every"),
        "lstm": Network(1, (LSTMLayer(LSTM_UNITS), last), readout="every"),
    }


def run(options: Options, progress: Progress) -> dict[str, Any]:
    """Train both networks alike at step size 1, then test them at all step sizes.

    Returns
    -------
    dict
        ``lmu`` and ``lstm``: ``half``, ``same`` and ``double``, the NRMSE at that step size, lists over seeds.
    """
    from lmu_analog.experiments.comparing import Grid, tuned
    from lmu_analog.networks.learning.tasks import Task

    task = Task(
        *(_data(1.0, count, options.seed + k) for k, count in enumerate((SIGNALS, HELD_BACK, HELD_BACK)))
    )
    grid, found = Grid(options.rates, (options.epochs,), BATCH), {}
    known = networks()
    for name, label in NAMES.items():
        network = known[name]
        with progress(label, grid.work * options.seeds) as advance:
            row = tuned(network, task, grid, objective="series", seeds=range(options.seeds), advance=advance)
        trained = row.pop("trained")
        found[name] = {**row, **_scaled(network, trained, options)}
    return {**found, "theta": THETA, "delay": DELAY, "bandwidth": BANDWIDTH}


def _data(step: float, count: int, seed: int) -> Any:
    """Give the signals at a step size; errors count once the memory is full, twice over."""
    from lmu_analog.networks.learning.tasks import delayed_noise

    found = delayed_noise(
        count, PERIOD, delay=DELAY, bandwidth=BANDWIDTH, step=step, early=0.5 * step, seed=seed
    )
    return replace(found, first=round(2.0 * THETA / step))


def _scaled(network: Any, trained: Any, options: Options) -> dict[str, list[float]]:
    from lmu_analog.networks.learning.objective import evaluate
    from lmu_analog.networks.network import LMULayer

    errors: dict[str, list[float]] = {}
    for name, step in SCALES.items():
        layers = tuple(
            replace(layer, theta=layer.theta / step) if isinstance(layer, LMULayer) else layer
            for layer in network.layers
        )
        data = _data(step, HELD_BACK, options.seed + 2)
        errors[name] = [
            evaluate(replace(network, layers=layers), t.weights, data, objective="series") for t in trained
        ]
    return errors


def rows(result: dict[str, Any]) -> Table:
    """Lay out the table: a line a network."""
    header = ("network", *(f"NRMSE, {name} step" for name in SCALES), "rate", "epochs", *COSTS)
    lines: list[tuple[str, ...]] = []
    for name, label in NAMES.items():
        row = result[name]
        errors = (f"{np.mean(row[scale]):.4f}" for scale in SCALES)
        lines.append((label, *errors, f"{row['rate']:g}", str(row["epochs"]), *cost_cells(row)))
    return header, lines
