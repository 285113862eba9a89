"""Tolerances for what a network does with a memory: parts chosen by its loss, by the window error, one class for all.

The digits of ``digits`` and the network of order 24 that ``benchmarks/trained_network.py`` stored, with op-amp circuits
for its memory. Tolerances are chosen by the law of the loss against the answers of the software on validation images,
without circuits; beside them the cheapest set that any limit of the window NRMSE chooses, and the cheapest class for
each kind, that keep the same loss. All three are then run on the test images, on circuits of the same draws. Prices are
the middles of price classes, from memory; resistors and capacitors deviate by normal laws cut at three sigma, which is
their tolerance.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmu_analog.circuits.devices.tolerance import Tolerance
from lmu_analog.codesign.allocation import KINDS, Limit, Problem, problem_of
from lmu_analog.codesign.task import software_score, task_first_order, task_results
from lmu_analog.design import Design
from lmu_analog.ensembles.intervals import half_width, order_statistics
from lmu_analog.errors import DesignError
from lmu_analog.experiments.frame import STORED, Progress, Table
from lmu_analog.networks.network import DenseLayer, LMULayer, Network
from lmu_analog.networks.task import NetworkTask, network_task
from lmu_analog.networks.weights import network_from_npz
from lmu_analog.option import option
from lmu_analog.theory.first_order import first_order
from lmu_analog.theory.quadratic import quadratic_form, quantile

STEP = 1e-4  # s
ORDER, HIDDEN, EPOCHS, BATCH, RATE = (
    24,
    32,
    200,
    64,
    0.01,
)  # of the stored network, and of those trained beside it
WANTED = 0.95  # share of circuits that keeps a limit
SCANNED = 40  # limits of the window error that sets are chosen for
STRUCTURES = (
    ("active-rc", "ladder"),
    ("active-rc", "cap-feedforward"),
    ("active-rc-differential", "ladder"),
)
WAYS = {"task": "by the loss", "nrmse": "by the window error", "uniform": "one class for all"}


@dataclass(frozen=True)
class Options:
    """Limits and circuits."""

    limits: tuple[float, ...] = option((0.005, 0.01, 0.02), "Of the loss against the software, nats.")
    tolerances: tuple[float, ...] = option((0.01, 0.03), "At which the law is held against exact circuits.")
    orders: tuple[int, ...] = option((8, 12, 16), "Of networks trained beside the stored one.")
    order_limit: float = option(0.01, "Of the loss, for parts of every order.")
    circuits: int = option(100, "On which every set of tolerances is tested.")
    law_circuits: int = option(200, "On which the law is tested.")
    seed: int = option(0, "Of the data, and of circuits.")

    def __post_init__(self) -> None:
        for name in ("circuits", "law_circuits"):
            if getattr(self, name) < 20:
                raise DesignError(f"{name}={getattr(self, name)}: at least 20 are wanted")
        if not self.limits or not all(limit > 0.0 for limit in (*self.limits, self.order_limit)):
            raise DesignError("limits=: positive numbers with commas between them are wanted")
        if not all(0.0 < t < 1.0 for t in self.tolerances):
            raise DesignError("tolerances=: fractions between 0 and 1 with commas between them are wanted")


def design(order: int, family: str, realization: str, *, tolerance: float = 0.01) -> Design:
    """Give the circuit; its band is about that in which a memory of the order keeps to 1 %, as in ``hardware``."""
    from lmu_analog.networks.learning.tasks import PIXELS

    theta = PIXELS * STEP
    return Design(
        order=order,
        theta=theta,
        bandwidth=0.25 * order / theta,
        family=family,
        realization=realization,
        opamp="OPA2192",
        mismatch={kind: Tolerance(tolerance) for kind in KINDS},
    )


def run(options: Options, progress: Progress) -> dict[str, Any]:
    """Hold the law against circuits, choose tolerances in three ways, and choose between circuits and orders.

    Returns
    -------
    dict
        ``law``: for each structure, tolerance and what the loss is against, p95 of the law and of circuits;
        ``tolerances``: for each structure, limit and way, cost, counts, p95 of loss and window error by their laws,
        loss, accuracy and its difference from that of the software on the same test images;
        ``orders``: for each order and structure cost, accuracy and what the window would say.
    """
    from lmu_analog.networks.learning.tasks import digits

    images = digits(options.seed)
    stored = network_from_npz(STORED / "digits-network.npz")
    decide, test = (
        network_task(stored, part, "classes", against="software") for part in (images.valid, images.test)
    )
    data = network_task(stored, images.valid, "classes")
    found: dict[str, Any] = {"software": software_score(test), "images": len(images.test.x), "order": ORDER}
    with progress("law", 2 * len(options.tolerances)) as advance:
        found["law"] = []
        for tolerance in options.tolerances:
            for task in (decide, data):
                found["law"].append(_law(task, tolerance, options))
                advance(1)
    with progress("tolerances", len(STRUCTURES)) as advance:
        found["tolerances"] = []
        for structure in STRUCTURES:
            found["tolerances"] += _chosen(structure, (decide, test), options)
            advance(1)
    with progress("orders", len(STRUCTURES) * (1 + len(options.orders))) as advance:
        found["orders"] = []
        for order in sorted({*options.orders, ORDER}):
            network = stored if order == ORDER else _trained(order, images)
            tasks = [
                network_task(network, part, "classes", against="software")
                for part in (images.valid, images.test)
            ]
            for structure in STRUCTURES:
                found["orders"].append(_of_order(order, structure, tasks, options))
                advance(1)
    return found


def _law(task: NetworkTask, tolerance: float, options: Options) -> dict[str, Any]:
    """Hold the law of a loss against exact circuits, with one tolerance for all parts."""
    of = design(ORDER, *STRUCTURES[0], tolerance=tolerance)
    theory = task_first_order(of, task)
    form = quadratic_form(theory)
    loss, _ = task_results(of, task, seed=options.seed, samples=range(options.law_circuits))
    places = order_statistics(len(loss), WANTED)
    said, exact = quantile(form, WANTED), float(np.quantile(loss, WANTED))
    return {
        "against": task.against,
        "tolerance": tolerance,
        "nominal": theory.nominal**2,
        "law_mean": form.mean,
        "exact_mean": float(loss.mean()),
        "law_p95": said,
        "exact_p95": exact,
        "exact_p95_interval": None if places is None else np.sort(loss)[list(places)].tolist(),
        "law_over_exact": said / exact,
    }


def _chosen(
    structure: tuple[str, str], tasks: tuple[NetworkTask, NetworkTask], options: Options
) -> list[dict[str, Any]]:
    """Choose tolerances in three ways for every limit that the cheapest parts do not keep, and test them."""
    of, (decide, test) = design(ORDER, *structure), tasks
    by_loss, by_window = problem_of(of, Limit("loss", 1.0, decide)), problem_of(of, Limit("nrmse", 1.0))
    sets = list(_scanned(by_window))
    rows: list[dict[str, Any]] = []
    for limit in options.limits:
        root = float(np.sqrt(limit))
        if by_loss.kept([0] * len(by_loss.parts), WANTED) <= root:
            continue
        kept = [each for each in sets if by_loss.kept(each, WANTED) <= root]
        ways = {
            "task": by_loss.cheapest(root, WANTED),
            "nrmse": min(kept, key=by_loss.cost, default=None),
            "uniform": by_loss.uniform_choice(root, WANTED),
        }
        scores: dict[str, np.ndarray] = {}
        for way, choice in ways.items():
            if choice is None:
                continue
            made = by_loss.design(of, choice)
            loss, scores[way] = task_results(made, test, seed=options.seed, samples=range(options.circuits))
            rows.append(
                {
                    "family": structure[0],
                    "realization": structure[1],
                    "limit": limit,
                    "way": way,
                    "cost": by_loss.cost(choice),
                    "counts": _counts(by_loss, choice),
                    "law_p95": by_loss.kept(choice, WANTED) ** 2,
                    "nrmse_p95": by_window.kept(choice, WANTED),
                    "test_loss_p95": float(np.quantile(loss, WANTED)),
                    "accuracy": _mean(scores[way]),
                    "more_than_task": _mean(scores[way] - scores["task"]),
                    **({"exact_p95": _exact(made, decide, options)} if way == "task" else {}),
                }
            )
    return rows


def _scanned(by_window: Problem) -> Iterator[list[int]]:
    """Give the sets that limits of the window error choose, from the tightest parts to the cheapest."""
    count = len(by_window.parts)
    tightest = by_window.kept([len(part.choices) - 1 for part in by_window.parts], WANTED)
    loosest = by_window.kept([0] * count, WANTED)
    for limit in np.geomspace(1.001 * tightest, loosest, SCANNED):
        yield by_window.cheapest(float(limit), WANTED)


def _exact(made: Design, task: NetworkTask, options: Options) -> float:
    loss, _ = task_results(made, task, seed=options.seed, samples=range(options.circuits))
    return float(np.quantile(loss, WANTED))


def _counts(problem: Problem, choice: list[int]) -> dict[str, dict[str, int]]:
    found = problem.counts(choice)
    return {kind: {f"{100.0 * t:g} %": n for t, n in of.items()} for kind, of in found.items()}


def _mean(figures: np.ndarray) -> dict[str, float]:
    """Give a mean over circuits with its 95 % interval."""
    half = half_width(figures) or 0.0
    mean = float(figures.mean())
    return {"mean": mean, "low": mean - half, "high": mean + half}


def _trained(order: int, images: Any) -> Network:
    """Train a network of another order as the stored one was."""
    from lmu_analog.networks.learning.initial import initial
    from lmu_analog.networks.learning.tasks import PIXELS
    from lmu_analog.networks.learning.training import Schedule, fit
    from lmu_analog.networks.network import with_weights

    network = Network(1, (LMULayer(HIDDEN, order, float(PIXELS)), DenseLayer(10)))
    schedule = Schedule(EPOCHS, BATCH, RATE, seed=0)
    start = initial(network, 0)
    trained = fit(network, images.train, schedule, valid=images.valid, objective="classes", start=start)
    return with_weights(network, trained.weights)


def _of_order(
    order: int, structure: tuple[str, str], tasks: list[NetworkTask], options: Options
) -> dict[str, Any]:
    """Buy parts for one order and structure, and test them; beside it what all of 1 % would do to loss and window."""
    of, (decide, test) = design(order, *structure), tasks
    problem = problem_of(of, Limit("loss", 1.0, decide))
    choice = problem.cheapest(float(np.sqrt(options.order_limit)), WANTED)
    made = problem.design(of, choice)
    _, score = task_results(made, test, seed=options.seed, samples=range(options.circuits))
    return {
        "order": order,
        "family": structure[0],
        "realization": structure[1],
        "software": software_score(test),
        "accuracy": _mean(score),
        "cost": problem.cost(choice),
        "parts": sum(len(part.names) for part in problem.parts),
        "loss_p95_at_1": quantile(quadratic_form(task_first_order(of, decide)), WANTED),
        "nrmse_p95_at_1": float(np.sqrt(quantile(quadratic_form(first_order(of)), WANTED))),
        "nrmse_p95": float(np.sqrt(quantile(quadratic_form(first_order(made)), WANTED))),
    }


def savings(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Set costs of the three ways beside each other: a row for each structure and limit."""
    found: dict[tuple[str, str, float], dict[str, Any]] = {}
    for row in result["tolerances"]:
        key = (row["family"], row["realization"], row["limit"])
        found.setdefault(key, {})[row["way"]] = row
    return [
        {
            "family": family,
            "realization": realization,
            "limit": limit,
            **{way: row["cost"] for way, row in ways.items()},
        }
        for (family, realization, limit), ways in found.items()
    ]


def rows(result: dict[str, Any]) -> Table:
    """Lay out the tables one below the other: law, tolerances, orders."""
    header = ("circuit", "limit", "chosen", "cost", "loss p95", "window p95", "accuracy, %", "95 % interval")
    lines: list[tuple[str, ...]] = []
    for row in result["tolerances"]:
        accuracy = row["accuracy"]
        lines.append(
            (
                f"{row['family']} {row['realization']}",
                f"{row['limit']:g}",
                WAYS[row["way"]],
                f"{row['cost']:.2f}",
                f"{row['law_p95']:.3g}",
                f"{100 * row['nrmse_p95']:.2f} %",
                f"{100 * accuracy['mean']:.2f}",
                f"{100 * accuracy['low']:.2f} to {100 * accuracy['high']:.2f}",
            )
        )
    for row in result["orders"]:
        accuracy = row["accuracy"]
        lines.append(
            (
                f"order {row['order']}, {row['family']} {row['realization']}",
                "",
                f"software {100 * row['software']:.2f} %",
                f"{row['cost']:.2f}",
                f"{row['loss_p95_at_1']:.3g} at 1 %",
                f"{100 * row['nrmse_p95']:.2f} %",
                f"{100 * accuracy['mean']:.2f}",
                f"{100 * accuracy['low']:.2f} to {100 * accuracy['high']:.2f}",
            )
        )
    for row in result["law"]:
        said = f"p95 of the law over that of circuits {row['law_over_exact']:.2f}"
        label = f"law against {row['against']}, {100 * row['tolerance']:g} %"
        lines.append((label, "", said, "", f"{row['law_p95']:.3g}", "", "", ""))
    return header, lines
