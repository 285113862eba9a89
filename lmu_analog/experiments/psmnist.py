"""Permuted sequential MNIST: the paper's LMU, the parallel LMU, an LSTM, and a network that sees all pixels.

The task of Voelker, Kajić and Eliasmith (NeurIPS 2019, section 3.2): 784 pixels in one fixed random order, one a
step, and the digit is told after the last. Validation images are taken from the training images. The recurrent LMU
is that of the paper. The parallel LMU (Chilkuri and Eliasmith 2021) feeds nothing back to the memory, so that its
last state is one matrix times the series, and needs no scan. Trainings of hours are kept in a folder of checkpoints
and go on from there; the test images are used once a seed, after the last epoch.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lmu_analog.errors import DesignError, shown
from lmu_analog.experiments import psmnist_networks as nets
from lmu_analog.experiments.frame import Progress, Table
from lmu_analog.experiments.psmnist_networks import Training
from lmu_analog.networks import mnist
from lmu_analog.networks.long.linear import scanned
from lmu_analog.networks.long.training import AT_ONCE, Plan, State, answers, load, train
from lmu_analog.networks.network import count_parameters
from lmu_analog.option import option

NAMES = {
    "lmu": "LMU, recurrent",
    "lstm": "LSTM",
    "parallel": "LMU, parallel",
    "feedforward": "feed-forward, all pixels",
    "orders": "memories of other orders",
}
PUBLISHED = {"lmu": 0.9715, "parallel": 0.9849}  # Voelker et al. 2019; Chilkuri and Eliasmith 2021
FORGET = ("one", "chrono")  # biases of the LSTM's forget gates to choose from
TIMED = 3  # runs; the least time counts, for other work on the machine only adds


@dataclass(frozen=True)
class Options:
    """What to train, how often, and where it is kept."""

    data: Path | None = option(None, "Folder with MNIST's four files, packed or not.", "DIR")
    checkpoints: Path | None = option(None, "Folder where trainings are kept, and go on from.", "DIR")
    networks: tuple[str, ...] = option(tuple(NAMES), "Which to train: " + ", ".join(NAMES) + ".")
    seeds: int = option(5, "Seeds of the parallel LMU and the feed-forward network.")
    recurrent_seeds: int = option(1, "Seeds of the recurrent LMU and the LSTM.")
    epochs: int = option(10, "Of the recurrent networks.")
    dense_epochs: int = option(100, "Of the parallel LMU and the feed-forward network.")
    orders: tuple[int, ...] = option((24, 48, 64, 128, 256, 468), "Of the parallel LMU, one seed each.")
    rates: tuple[float, ...] = option((0.001, 0.003), "Of the LSTM to choose from, after one epoch.")
    train: bool = option(True, "Train; otherwise tell what the checkpoints hold.")
    seed: int = option(0, "Of the order of the pixels, and of which images validate.")

    def __post_init__(self) -> None:
        for name in ("seeds", "recurrent_seeds", "epochs", "dense_epochs"):
            if getattr(self, name) < 1:
                raise DesignError(f"{name}={getattr(self, name)}: at least one is wanted")
        if odd := [name for name in self.networks if name not in NAMES]:
            raise DesignError(f"networks={shown(odd[0], 60)}: known are {', '.join(NAMES)}")
        if not self.train and self.checkpoints is None:
            raise DesignError("checkpoints=: name the folder whose trainings are to be told")


def part(result: dict[str, Any], options: Options) -> dict[str, Any] | None:
    """Give what a stored result says of some of its networks; none where other trainings are asked for."""
    asked = replace(options, data=None, checkpoints=None, train=True, networks=Options().networks)
    if asked != Options():
        return None
    return {key: value for key, value in result.items() if key not in NAMES or key in options.networks}


def run(options: Options, progress: Progress) -> dict[str, Any]:
    """Train what is asked for, and test every finished training once.

    Returns
    -------
    dict
        A row for every network that was asked for: ``accuracy`` on the test images of every finished seed, with
        their ``mean`` and ``deviation``; ``confusion``, a row a digit, over seeds; ``loss`` and ``validation_accuracy``
        after every epoch of every seed, finished or not; ``parameters``, ``states``, and of one core
        ``seconds_training`` (all seeds and epochs), ``seconds_an_epoch`` and ``seconds_an_image``. ``orders`` is a
        list of such rows. ``scan`` says how much longer a linear memory takes step by step.

    Raises
    ------
    DesignError
        If the data are missing or not those of MNIST, or there is no folder for the checkpoints.
    """
    if options.data is None:
        raise DesignError(f"data=: no folder is named; {mnist.SOURCE}")
    if options.checkpoints is not None and not options.checkpoints.is_dir():
        raise DesignError(
            f"checkpoints={shown(str(options.checkpoints), 200)}: no such folder; make it first"
        )
    data = mnist.permuted(options.data, options.seed)
    work = _Work(data, options, progress)
    rows: dict[str, Callable[[_Work], Any]] = {  # those of minutes before those of hours
        "orders": _order_rows,
        "parallel": _parallel_row,
        "feedforward": _feedforward_row,
        "lmu": _lmu_row,
        "lstm": _lstm_row,
    }
    found = {name: row(work) for name, row in rows.items() if name in options.networks}
    sizes = {name: len(getattr(data, name).x) for name in ("train", "valid", "test")}
    steps = data.train.x.shape[1]
    return {
        **{name: found[name] for name in NAMES if name in found},
        "scan": _scan(data),
        "images": sizes,
        "steps": steps,
        "theta": steps,
        "published": PUBLISHED,
    }


@dataclass(frozen=True, eq=False)
class _Work:
    """What every row needs."""

    data: mnist.Sequences
    options: Options
    progress: Progress

    @property
    def task(self) -> str:
        """The data in words, for checkpoints."""
        return f"psMNIST in the order of seed {self.options.seed}, {len(self.data.valid.x)} validate"

    def file(self, name: str) -> Path | None:
        """Name a checkpoint."""
        folder = self.options.checkpoints
        return None if folder is None else folder / f"{name}.npz"


def _lmu_row(work: _Work) -> dict[str, Any]:
    plans = nets.seeded(replace(nets.RECURRENT, epochs=work.options.epochs), work.options.recurrent_seeds)
    row = _row(work, "lmu", plans, lambda plan: nets.recurrent_lmu(work.data, work.task, plan))
    return row | {"order": nets.ORDER, "hidden": nets.HIDDEN}


def _lstm_row(work: _Work) -> dict[str, Any]:
    """Choose rate and forget gates by one epoch of the first seed, then train with them."""
    grid = [_tried(work, rate, forget) for rate in work.options.rates for forget in FORGET]
    if any(tried["validation_accuracy"] is None for tried in grid):  # nothing is chosen before all are known
        parameters = count_parameters(nets.equal_lstm())
        return {"grid": grid, "accuracy": [], "mean": None, "parameters": parameters, "epochs_done": []}
    best = max(grid, key=lambda tried: tried["validation_accuracy"])
    plan = replace(nets.RECURRENT, epochs=work.options.epochs, rate=best["rate"])
    plans = nets.seeded(plan, work.options.recurrent_seeds)
    row = _row(work, "lstm", plans, lambda plan: nets.lstm(work.data, work.task, plan, forget=best["forget"]))
    return row | {"grid": grid, "forget": best["forget"]}


def _tried(work: _Work, rate: float, forget: str) -> dict[str, Any]:
    """Train the LSTM for an epoch, to choose."""
    training = nets.lstm(work.data, work.task, replace(nets.RECURRENT, epochs=1, rate=rate), forget=forget)
    state = _state(work, f"lstm-{rate:g}-{forget}", training)
    error = state.error[-1] if state.error else None
    return {"rate": rate, "forget": forget, "validation_accuracy": _accuracy(error)}


def _parallel_row(work: _Work) -> dict[str, Any]:
    plans, order = _dense_plans(work), nets.PARALLEL_ORDER

    def ready(plan: Plan) -> Training:
        return nets.parallel_lmu(work.data, work.task, plan, order=order, all_images=True)

    return _row(work, "parallel", plans, ready) | {"order": order}


def _feedforward_row(work: _Work) -> dict[str, Any]:
    def ready(plan: Plan) -> Training:
        return nets.feedforward(work.data, work.task, plan, all_images=True)

    return _row(work, "feedforward", _dense_plans(work), ready)


def _order_rows(work: _Work) -> list[dict[str, Any]]:
    return [_order_row(work, order) for order in work.options.orders]


def _order_row(work: _Work, order: int) -> dict[str, Any]:
    def ready(plan: Plan) -> Training:
        return nets.parallel_lmu(work.data, work.task, plan, order=order, all_images=False)

    state = _row(work, "order", _dense_plans(work)[:1], ready, name=f"order-{order}")
    return state | {"order": order}


def _dense_plans(work: _Work) -> list[Plan]:
    return nets.seeded(replace(nets.DENSE, epochs=work.options.dense_epochs), work.options.seeds)


def _row(
    work: _Work, kind: str, plans: list[Plan], ready: Callable[[Plan], Training], *, name: str | None = None
) -> dict[str, Any]:
    """Train one network with every seed, one after another, and test what is finished.

    ``name`` is that of the checkpoint; ``kind`` and the seed unless given.
    """
    first = training = ready(plans[0])
    states: list[State] = []
    accuracy: list[float] = []
    confusion = np.zeros((mnist.CLASSES, mnist.CLASSES), int)
    for plan in plans:
        if plan != training.plan:
            training = ready(plan)
        state = _state(work, name or f"{kind}-{plan.seed}", training)
        states.append(state)
        if state.epochs == plan.epochs:
            told, digits = answers(training.learner, state.weights, training.test.x), training.test.y
            accuracy.append(float(np.mean(told == digits)))
            np.add.at(confusion, (digits, told), 1)
    # What has been trained with validates nothing.
    apart = len(first.train.x) == len(work.data.train.x)
    validated = [[_accuracy(error) for error in state.error] for state in states if apart]
    plan = first.plan
    return {
        "accuracy": accuracy,
        "mean": float(np.mean(accuracy)) if accuracy else None,
        "deviation": float(np.std(accuracy, ddof=1)) if len(accuracy) > 1 else None,
        "confusion": confusion.tolist(),
        "loss": [[float(f"{value:.6g}") for value in state.loss] for state in states],
        "validation_accuracy": validated,
        "epochs_done": [state.epochs for state in states],
        **{key: getattr(plan, key) for key in ("epochs", "batch", "rate", "decay", "weight_decay")},
        "images": len(first.train.x),
        "parameters": first.parameters,
        "states": first.states,
        "seconds_training": round(sum(second for state in states for second in state.seconds), 1),
        "seconds_an_epoch": _median([second for state in states for second in state.seconds]),
        "seconds_an_image": _seconds_an_image(first, work.data),
    }


def _state(work: _Work, name: str, training: Training) -> State:
    """Train, or tell how far training has come."""
    path, plan = work.file(name), training.plan
    examples = (training.train, training.valid)
    if not work.options.train:
        if path is None or not path.exists():
            return State({}, {}, {}, {})
        return load(path, f"{training.learner.about} {plan!r}")
    batches = plan.epochs * (len(training.train.x) // plan.batch)
    with work.progress(name, batches) as advance:
        return train(training.learner, training.start, examples, plan=plan, checkpoint=path, advance=advance)


def _accuracy(error: float | None) -> float | None:
    return None if error is None else round(1.0 - error, 9)


def _median(values: list[float]) -> float | None:
    return float(np.median(values)) if values else None


def _seconds_an_image(training: Training, data: mnist.Sequences) -> float:
    """Time the test of a batch, from pixels on, on one core."""
    x = data.test.x[:AT_ONCE]

    def tell() -> None:
        training.learner.logits(training.start, training.prepared(x))

    return _least(tell) / len(x)


def _least(function: Callable[[], Any]) -> float:
    """Time a function, s of processor time; the first run makes room and does not count."""
    times: list[float] = []
    for _ in range(1 + TIMED):
        began = time.process_time()
        function()
        times.append(time.process_time() - began)
    return min(times[1:])


def _scan(data: mnist.Sequences) -> dict[str, Any]:
    """Time the last state of a memory that nothing is fed back to: step by step, and as one matrix."""
    order, u = nets.PARALLEL_ORDER, nets.series(data.train.x[:AT_ONCE])[..., 0]
    memory = nets.window(order, u.shape[1])
    matrix = nets.last_state(memory, u.shape[1]).astype(u.dtype)
    scan, product = _least(lambda: scanned(memory, u)), _least(lambda: u @ matrix)
    return {
        "order": order,
        "images": len(u),
        "seconds_scan": scan,
        "seconds_matrix": product,
        "factor": scan / product,
    }


def rows(result: dict[str, Any]) -> Table:
    """Lay out the table: a line a network, and one for every other order of the memory."""
    header = (
        "network", "accuracy, %", "published", "over seeds", "epochs", "states", "parameters",
        "s an epoch", "ms an image",
    )  # fmt: skip
    named = [(NAMES[name], name, result[name]) for name in NAMES if name in result and name != "orders"]
    others = [(f"LMU, parallel, order {row['order']}", "", row) for row in result.get("orders", [])]
    return header, [_cells(label, name, row) for label, name, row in (*named, *others)]


def _cells(label: str, name: str, row: dict[str, Any]) -> tuple[str, ...]:
    published = PUBLISHED.get(name)
    done = row["epochs_done"]
    epoch, image = (row.get(key) for key in ("seconds_an_epoch", "seconds_an_image"))
    return (
        label,
        _percent(row["mean"]),
        _percent(published),
        " ".join(_percent(a) for a in row["accuracy"]) or "in training",
        " ".join(sorted({str(n) for n in done}, key=int)),
        str(row.get("states", "-")),
        str(row["parameters"]),
        "-" if epoch is None else f"{epoch:.3g}",
        "-" if image is None else f"{1e3 * image:.3g}",
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100.0 * share:.2f}"


def notes(result: dict[str, Any]) -> list[str]:
    """Say what the table has no column for."""
    scan, sizes = result["scan"], result["images"]
    return [
        f"{sizes['train']} images train, {sizes['valid']} validate, {sizes['test']} test; the last epoch counts.",
        f"Parallel and feed-forward networks train on all {sizes['train'] + sizes['valid']}; the others do not.",
        f"The last state of a memory of order {scan['order']} takes {scan['factor']:.0f} times as long step by step.",
    ]
