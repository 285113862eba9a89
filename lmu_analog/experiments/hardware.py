"""What ``hardware_loss`` measures with: networks trained alike, circuits drawn for them, figures of both."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lmu_analog.building import build
from lmu_analog.circuits.devices.tolerance import Tolerance
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.experiments.comparing import cost
from lmu_analog.networks.analog.options import CellOptions
from lmu_analog.networks.analog.run import compare
from lmu_analog.networks.cell import Memories
from lmu_analog.networks.learning.data import Data, Objective
from lmu_analog.networks.learning.initial import initial
from lmu_analog.networks.learning.mismatch import Deviations, Plan
from lmu_analog.networks.learning.tasks import Task
from lmu_analog.networks.learning.training import Schedule, Trained, fit
from lmu_analog.networks.loop.calibration import calibrated
from lmu_analog.networks.loop.cells import drawn_cells, run_cells
from lmu_analog.networks.loop.forward import dense, outputs
from lmu_analog.networks.loop.memories import Draws, Place, drawn, places, unstable
from lmu_analog.networks.loop.score import Spread, scores, spread
from lmu_analog.networks.loop.spice import spice_outputs
from lmu_analog.networks.network import LMULayer, Network, with_weights

STEP = 1e-4  # s
RATE, AWARE_RATE = 0.01, 0.003  # of Adam; the first is what validation data chose for both tasks
LEARNED_WITH = 64  # circuits that a network is trained on with
SERIES, LENGTH = 4, 1200  # of test series that circuits are run on: all of them would take hours
TRAINING, TESTING = 1, 2  # added to the seed of circuits


@dataclass(frozen=True)
class Hardware:
    """The circuits: family, realization, order, and the window in steps of ``STEP``."""

    family: str
    realization: str
    order: int
    steps: float

    def design(self, sigma: float) -> Design:
        """Give the design; its band is about that in which a memory of the order keeps to 1 %."""
        theta = self.steps * STEP
        classes = ("resistor", "capacitor", "opamp") if sigma else ()
        return Design(
            order=self.order,
            theta=theta,
            bandwidth=0.25 * self.order / theta,
            family=self.family,
            realization=self.realization,
            opamp="OPA2192",
            mismatch=dict.fromkeys(classes, Tolerance(sigma, "gauss")),
        )


@dataclass(frozen=True)
class Counts:
    """How often: networks, circuits for each, epochs in software and with circuits; circuits share a batch."""

    seeds: int
    circuits: int
    epochs: int
    aware_epochs: int
    batch: int
    together: int


@dataclass(frozen=True, eq=False)
class Subject:
    """A task with its network and its hardware."""

    network: Network
    task: Task
    objective: Objective
    hardware: Hardware
    counts: Counts
    fitted: int
    seed: int
    recurrence: float = 1.0
    whole_cells: bool = False

    def work(self, levels: int) -> int:
        """Epochs in all."""
        return self.counts.seeds * (self.counts.epochs + levels * self.counts.aware_epochs)

    def check(self) -> None:
        """Refuse circuits that cannot be, before any training."""
        design = self.hardware.design(0.0)
        if build(design).clock is not None:
            raise DesignError(
                f"family={design.family}: it has a clock of its own; take one in continuous time"
            )
        if self.whole_cells:
            build(design.replace(family="active-rc"))

    def train(self, advance: Callable[[int], None]) -> list[Trained]:
        """Train a network for every seed, in software."""
        c = self.counts
        return [
            fit(
                self.network,
                self.task.train,
                Schedule(c.epochs, c.batch, RATE, seed=seed),
                valid=self.task.valid,
                objective=self.objective,
                start=initial(self.network, seed, recurrence=self.recurrence),
                advance=advance,
            )
            for seed in range(c.seeds)
        ]

    def test(self) -> Data:
        """Give what circuits are tested on: all images, or the first steps of some series."""
        d = self.task.test
        if self.objective == "classes":
            return d
        return Data(d.x[:SERIES, :LENGTH], d.y[:SERIES, :LENGTH], d.first)

    def figures(self, network: Network, memories: Sequence[Memories | None] | None = None) -> np.ndarray:
        """Give percent of right classes or NRMSE, a figure a circuit."""
        d = self.test()
        found = scores(outputs(network, d.x, memories), d.y, self.objective, first=d.first)
        return 100.0 * found if self.objective == "classes" else found

    def cells(self, network: Network, draws: Draws, x: np.ndarray) -> np.ndarray:
        """Give the figures of whole cells, single-ended: memories, resistors of weights and loads of pairs deviate."""
        layer, d = network.layers[0], self.test()
        if not isinstance(layer, LMULayer):
            raise DesignError("the first layer is no LMU; nothing to make a cell of")
        single = draws._replace(design=draws.design.replace(family="active-rc"))
        out = run_cells(layer, drawn_cells(layer, single, CellOptions(), x=x), d.x)[:, :, -1]
        for above in network.layers[1:]:
            out = out if isinstance(above, LMULayer) else dense(above, out)
        return 100.0 * scores(out, d.y, self.objective)


def aware_networks(
    subject: Subject, learned: Sequence[Trained], sigma: float, *, advance: Callable[[int], None]
) -> tuple[list[Network], float]:
    """Train networks on with circuits of the law in every batch, and give them with the time of an epoch, s."""
    c, design, networks, seconds = subject.counts, subject.hardware.design(sigma), [], []
    for seed, trained in enumerate(learned):
        network = with_weights(subject.network, trained.weights)
        where = places(network, design, subject.task.train.x[: subject.fitted])
        draws = Draws(design, subject.seed + TRAINING, range(LEARNED_WITH if sigma else 1))
        more = fit(
            subject.network,
            subject.task.train,
            Schedule(c.aware_epochs, c.batch, AWARE_RATE, seed=seed),
            valid=subject.task.valid,
            objective=subject.objective,
            start=trained.weights,
            deviations=Deviations(tuple(drawn(network, draws, where)), Plan(circuits=c.together)),
            advance=advance,
        )
        # The last epoch: validation data are met in software, which is not what this training is for.
        networks.append(with_weights(subject.network, more.last))
        seconds.append(more.seconds)
    return networks, float(np.median(seconds))


def measured(
    subject: Subject, learned: Sequence[Trained], aware: Sequence[Network], *, sigma: float
) -> dict[str, Any]:
    """Test all networks at one mismatch, each on circuits of its own."""
    c, design = subject.counts, subject.hardware.design(sigma)
    count = c.circuits if sigma else 1
    found: dict[str, list[np.ndarray]] = {}
    diverging = 0
    for k, (trained, other) in enumerate(zip(learned, aware, strict=True)):
        draws = Draws(design, subject.seed + TESTING, range(k * count, (k + 1) * count))
        data = subject.task.train.x[: subject.fitted]
        first = with_weights(subject.network, trained.weights)
        for names, network in (
            (("software", "circuit", "calibrated"), first),
            (("aware_software", "aware", "both"), other),
        ):
            circuits = drawn(network, draws, places(network, design, data))
            figures = (
                subject.figures(network),
                subject.figures(network, circuits),
                subject.figures(network, calibrated(network, circuits, data)),
            )
            for name, figure in zip(names, figures, strict=True):
                found.setdefault(name, []).append(figure)
            if network is first:
                diverging += sum(int((unstable(m) > 0).sum()) for m in circuits if m is not None)
                if subject.whole_cells:
                    found.setdefault("cell", []).append(subject.cells(network, draws, data))
    return _summed(found, subject.objective, diverging)


def _summed(found: dict[str, list[np.ndarray]], objective: Objective, unstable: int) -> dict[str, Any]:
    figures = {name: np.stack(rows) for name, rows in found.items()}
    sign = 1.0 if objective == "classes" else -1.0
    spreads = {name: spread(rows) for name, rows in figures.items()}
    lost = [name for name in ("circuit", "calibrated", "aware", "both", "cell") if name in figures]
    losses: dict[str, Spread] = {name: spread(sign * (figures["software"] - figures[name])) for name in lost}
    return {
        **{name: s.mean for name, s in spreads.items()},
        "loss": {name: asdict(s) for name, s in losses.items()},
        "spread": {name: asdict(spreads[name]) for name in ("software", *lost)},
        "circuits": {name: figures[name].tolist() for name in lost},
        "unstable": unstable,
    }


def in_ngspice(subject: Subject, learned: Sequence[Trained], *, sigma: float, images: int) -> dict[str, Any]:
    """Run the first network on the first of its circuits in ngspice, beside the exact engine."""
    network, design = with_weights(subject.network, learned[0].weights), subject.hardware.design(sigma)
    where: list[Place | None] = places(network, design, subject.task.train.x[: subject.fitted])
    draws = Draws(design, subject.seed + TESTING, range(1))
    d = subject.test()
    x, y = d.x[:images], d.y[:images]
    exact = outputs(network, x, drawn(network, draws, where))[0]
    began = time.perf_counter()
    relaxed = spice_outputs(network, draws, x, where=where)
    seconds = time.perf_counter() - began
    accuracy = {
        name: float(100.0 * scores(out[None], y, "classes")[0])
        for name, out in (
            ("software", outputs(network, x)[0]),
            ("exact", exact),
            ("ngspice", relaxed.outputs),
        )
    }
    return {
        "sigma": sigma,
        "images": len(x),
        **accuracy,
        "same": int(np.sum(exact.argmax(axis=-1) == relaxed.outputs.argmax(axis=-1))),
        "output_difference": float(np.sqrt(np.mean((relaxed.outputs - exact) ** 2) / np.mean(exact**2))),
        "runs": relaxed.runs,
        "seconds": seconds,
    }


def cells_in_ngspice(
    subject: Subject, learned: Sequence[Trained], *, sigma: float, images: int
) -> dict[str, Any]:
    """Run the whole first cell in ngspice, one circuit: memories, weights as resistors, tanh and hold stages.

    Cells are single-ended; every part deviates, and the layer after the cell is software.
    """
    network = with_weights(subject.network, learned[0].weights)
    layer, d = network.layers[0], subject.test()
    design = subject.hardware.design(sigma).replace(family="active-rc")
    if not isinstance(layer, LMULayer):
        raise DesignError("the first layer is no LMU; nothing to make a cell of")
    found = [
        compare(layer, design, CellOptions(), x=x, sample=(subject.seed + TESTING, 0)) for x in d.x[:images]
    ]
    wanted = outputs(network, d.x[:images])[0].argmax(axis=-1)
    hidden = np.stack([c.states.hidden[-1] for c in found])
    above = network.layers[1]
    classes = wanted if isinstance(above, LMULayer) else dense(above, hidden).argmax(axis=-1)
    return {
        "sigma": sigma,
        "images": len(found),
        "same": int(np.sum(classes == wanted)),
        "right": int(np.sum(classes == d.y[:images])),
        "hidden_nrmse": float(np.mean([c.nrmse for c in found])),
        "components": len(found[0].cell.circuit.components),
        "seconds": float(np.sum([c.seconds for c in found])),
    }


def said_of(subject: Subject, learned: Sequence[Trained], aware_seconds: float) -> dict[str, Any]:
    """Say what was trained, what it costs, and what the circuits are."""
    design = subject.hardware.design(0.0)
    return {
        **cost(subject.network, learned, subject.task.test, objective=subject.objective),
        "seconds_an_aware_epoch": aware_seconds,
        "hardware": {
            **asdict(subject.hardware),
            "opamp": "OPA2192",
            "components": len(build(design).components),
            "theta_s": design.theta,
            "step_s": STEP,
            "distribution": "gauss: mismatch is sigma, not truncated",
            "strays": ["resistor", "capacitor", "opamp"],
        },
        **asdict(subject.counts),
        "learned_with": LEARNED_WITH,
        "tested_on": list(subject.test().x.shape[:2]),
    }
