"""The Mackey-Glass series, 15 steps ahead: LMU, LSTM and a hybrid of about 18,000 parameters each.

The task of Voelker, Kajić and Eliasmith (NeurIPS 2019, section 3.3), corrected: their first notebook had the network
tell the past. Four layers, tau = 17, series of 5000 steps. Here networks learn from pieces of the series, whose
first steps do not count because a network that starts from rest knows no past; pieces train ten to twenty times
faster than whole series. Tests are on whole series of their own, and the figure is the rms error over the rms of the
series, from step 100 on. Published figures count all steps, in series that all begin alike, and networks had learned
such beginnings; the figure of all steps is beside them. Series are scaled to an rms of one. The LMUs feed nothing
back to their memories, whose window of 20 steps holds tau; in the published ones it was of 4.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lmu_analog.errors import DesignError
from lmu_analog.experiments.frame import COSTS, Progress, Table, cost_cells
from lmu_analog.option import option

TAU, AHEAD, FIRST, BATCH = 17, 15, 100, 32
LAYERS, ORDER, THETA = 4, 10, 20.0  # a window that holds tau
RECURRENCE = 0.5  # of the LMUs at the start: with all of it, four layers wander by themselves
LMU_UNITS, LSTM_UNITS = 47, 25
HYBRID_LSTM, HYBRID_LMU = 27, 42
NAMES = {"lmu": "LMU", "lstm": "LSTM", "hybrid": "hybrid"}
# 128 series of 5000 steps, 500 epochs: outputs of the published, corrected notebook (github.com/nengo/keras-lmu).
PUBLISHED = {"lmu": 0.0487, "lstm": 0.0587, "hybrid": 0.0447}


@dataclass(frozen=True)
class Options:
    """How much to learn from, and for how long."""

    series: int = option(128, "Series: three eighths to train, an eighth to choose by, half to test.")
    length: int = option(5000, "Steps of a series.")
    piece: int = option(
        250, "Steps of the pieces that are learned from; as many as the length for whole series."
    )
    washout: int = option(40, "First steps of a piece that do not count.")
    epochs: int = option(20, "Of every network.")
    rates: tuple[float, ...] = option((0.003, 0.01, 0.03), "Learning rates to choose from.")
    seeds: int = option(3, "Seeds of the weights and of the order of training.")
    seed: int = option(0, "Of the series.")

    def __post_init__(self) -> None:
        for name, least in (("series", 8), ("piece", 2 * AHEAD), ("washout", 0), ("epochs", 1), ("seeds", 1)):
            if getattr(self, name) < least:
                raise DesignError(f"{name}={getattr(self, name)}: at least {least} is wanted")
        if self.length < max(self.piece, 2 * FIRST):
            raise DesignError(f"length={self.length}: at least {max(self.piece, 2 * FIRST)} is wanted")
        if self.washout >= self.piece - AHEAD:
            raise DesignError(f"washout={self.washout}: less than {self.piece - AHEAD} is wanted, the piece")


def networks() -> dict[str, Any]:
    """Give the three networks, equal in size within 5 %."""
    from lmu_analog.networks.network import DenseLayer, LMULayer, LSTMLayer, Network

    def lmu(hidden: int) -> LMULayer:
        return LMULayer(hidden, ORDER, THETA, connections=("input_kernel", "hidden_kernel", "bias"))

    stacks = {
        "lmu": LAYERS * (lmu(LMU_UNITS),),
        "lstm": LAYERS * (LSTMLayer(LSTM_UNITS),),
        "hybrid": LAYERS // 2 * (LSTMLayer(HYBRID_LSTM), lmu(HYBRID_LMU)),
    }
    return {name: Network(1, (*layers, DenseLayer(1)), readout="every") for name, layers in stacks.items()}


def run(options: Options, progress: Progress) -> dict[str, Any]:
    """Train all three alike, choose the rate and the epoch by validation data, and test what was chosen once.

    Returns
    -------
    dict
        ``lmu``, ``lstm`` and ``hybrid``: ``nrmse``, the mean over seeds, ``nrmse_by_seed``, and what was chosen.
    """
    from lmu_analog.experiments.comparing import Grid, tuned
    from lmu_analog.networks.learning.objective import evaluate

    task = task_of(options)
    grid, found = Grid(options.rates, (options.epochs,), BATCH), {}
    known = networks()
    for name, label in NAMES.items():
        with progress(label, grid.work * options.seeds) as advance:
            row = tuned(
                known[name],
                task,
                grid,
                objective="series",
                seeds=range(options.seeds),
                recurrence=RECURRENCE,
                advance=advance,
            )
        weights = [t.weights for t in row.pop("trained")]
        everything = replace(task.test, first=0)
        whole = [evaluate(known[name], w, everything, objective="series") for w in weights]
        errors = row.pop("test")
        found[name] = {
            "nrmse": float(np.mean(errors)),
            "nrmse_by_seed": errors,
            "nrmse_all_steps": float(np.mean(whole)),
            **row,
        }
    pieces, steps = task.train.x.shape[:2]
    updates = max(1, pieces // BATCH) * options.epochs
    learned = {"pieces": pieces, "steps": steps, "epochs": options.epochs, "updates": updates}
    about = {"trained_on": learned, "tested_on": len(task.test.x), "ahead": AHEAD, "published": PUBLISHED}
    return {**found, **about}


def task_of(options: Options) -> Any:
    """Give pieces to train on, and whole series to choose by and to test with."""
    from lmu_analog.networks.learning.tasks import Task, forecast, mackey_glass

    series = mackey_glass(options.series, options.length, tau=TAU, seed=options.seed)
    series = series / np.sqrt(np.mean(series**2))  # hidden units saturate at one
    half, validation = options.series // 2, options.series // 8
    usable = options.length // options.piece * options.piece
    pieces = series[: half - validation, :usable].reshape(-1, options.piece)
    return Task(
        forecast(pieces, AHEAD, first=options.washout),
        forecast(series[half - validation : half], AHEAD, first=FIRST),
        forecast(series[half:], AHEAD, first=FIRST),
    )


def rows(result: dict[str, Any]) -> Table:
    """Lay out the table: a line a network."""
    header = ("network", "NRMSE", "over seeds", "all steps", "published", "rate", "epochs", *COSTS)
    lines: list[tuple[str, ...]] = []
    for name, label in NAMES.items():
        row = result[name]
        seeds = " ".join(f"{e:.4f}" for e in row["nrmse_by_seed"])
        figures = (row["nrmse_all_steps"], result["published"][name])
        chosen = (f"{row['rate']:g}", str(row["epochs"]))
        lines.append(
            (label, f"{row['nrmse']:.4f}", seeds, *(f"{v:.4f}" for v in figures), *chosen, *cost_cells(row))
        )
    return header, lines
