"""What the learning experiments share: choosing by validation data alone, and what every network costs."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmu_analog.errors import SimulationError
from lmu_analog.networks.learning.data import Data, Objective
from lmu_analog.networks.learning.initial import initial
from lmu_analog.networks.learning.objective import evaluate
from lmu_analog.networks.learning.tasks import Task
from lmu_analog.networks.learning.training import Schedule, Trained, fit
from lmu_analog.networks.network import Network, count_parameters, count_states

TIMED_STEPS = 4000  # so many that starting the program does not count
TIMED = 5  # runs; the least time counts, for other work on the machine only adds


@dataclass(frozen=True)
class Grid:
    """Settings to choose from, the same for every network.

    Attributes
    ----------
    rates : tuple of float
    epochs : tuple of int
    batch : int
    """

    rates: tuple[float, ...]
    epochs: tuple[int, ...]
    batch: int

    @property
    def points(self) -> list[tuple[float, int]]:
        """All settings, (rate, epochs)."""
        return [(rate, epochs) for epochs in self.epochs for rate in self.rates]

    @property
    def work(self) -> int:
        """Epochs of one seed over the grid."""
        return len(self.rates) * sum(self.epochs)


def tuned(
    network: Network,
    task: Task,
    grid: Grid,
    *,
    objective: Objective,
    seeds: Sequence[int],
    recurrence: float = 1.0,
    advance: Callable[[int], None],
) -> dict[str, Any]:
    """Train with every setting and seed, take the setting of the least mean validation error, and test that.

    ``recurrence`` is that of ``initial``.

    Returns
    -------
    dict
        ``validation`` and ``test`` errors over seeds, the setting, and what the network costs; ``trained`` are the
        networks, which are no plain data. A setting with which training diverges is not chosen.

    Raises
    ------
    SimulationError
        If training diverges with every setting.
    """
    found: list[list[Trained]] = []
    for rate, epochs in grid.points:
        runs: list[Trained] = []
        try:
            for seed in seeds:
                trained = fit(
                    network,
                    task.train,
                    Schedule(epochs, grid.batch, rate, seed=seed),
                    valid=task.valid,
                    objective=objective,
                    start=initial(network, seed, recurrence=recurrence),
                    advance=advance,
                )
                runs.append(trained)
        except SimulationError:
            runs = []
        found.append(runs)
    errors = [[min(t.history.error) for t in runs] for runs in found]
    means = [float(np.mean(e)) if e else None for e in errors]
    if not any(errors):
        raise SimulationError("training diverged with every setting; take lower learning rates")
    best = min((k for k, e in enumerate(errors) if e), key=lambda k: np.mean(errors[k]))
    trained, (rate, epochs) = found[best], grid.points[best]
    return {
        "validation": errors[best],
        "test": [evaluate(network, t.weights, task.test, objective=objective) for t in trained],
        "rate": rate,
        "epochs": epochs,
        "best_epoch": [t.best for t in trained],
        "grid": [
            {"rate": r, "epochs": n, "validation": mean}
            for (r, n), mean in zip(grid.points, means, strict=True)
        ],
        **cost(network, trained, task.test, objective=objective),
        "trained": trained,
    }


def cost(network: Network, trained: Sequence[Trained], data: Data, *, objective: Objective) -> dict[str, Any]:
    """Say what a network takes: numbers kept from step to step, trained numbers, and time."""
    return {
        "states": count_states(network),
        "parameters": count_parameters(network),
        "seconds_an_epoch": float(np.median([t.seconds for t in trained])),
        "seconds_a_step": seconds_a_step(network, trained[0], data, objective=objective),
    }


def seconds_a_step(network: Network, trained: Trained, data: Data, *, objective: Objective) -> float:
    """Time one series, by itself, over its steps, s; a short series is repeated."""
    times = -(-TIMED_STEPS // data.x.shape[1])
    x = np.tile(data.x[:1], (1, times, 1))
    y = data.y[:1] if objective == "classes" else np.tile(data.y[:1], (1, times, 1))
    clock: list[float] = []
    for _ in range(1 + TIMED):  # the first compiles
        began = time.perf_counter()
        evaluate(network, trained.weights, Data(x, y), objective=objective)
        clock.append(time.perf_counter() - began)
    return min(clock[1:]) / x.shape[1]
