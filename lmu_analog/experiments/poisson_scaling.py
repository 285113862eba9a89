"""How the error of spiking neurons falls with their number, and what time and storage they take.

A feed-forward channel of m Poisson neurons is 5/sqrt(m) wrong (Voelker, PhD thesis, 2019, section 3.1); a recurrent
memory of order d in the order of d/sqrt(m) (Voelker, Kajić and Eliasmith, NeurIPS 2019, section 4.4).
"""

import time
import tracemalloc
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmu_analog.errors import DesignError
from lmu_analog.experiments.frame import Progress, Table
from lmu_analog.networks.spiking.memory import Settings, spiking_memory
from lmu_analog.networks.spiking.memory import run as run_network
from lmu_analog.networks.spiking.runs import DT, THETA, Channel, Request, channel_rmse, run_memory, sine
from lmu_analog.option import option

TIMED_ORDER, TIMED_STEPS, TIMED_RUNS = 6, 300, 3  # the shortest of three: others use the machine too


@dataclass(frozen=True)
class Options:
    """How many neurons, and how often."""

    channel: tuple[int, ...] = option((100, 200, 400, 800, 1600, 3200), "Neurons of the channel.")
    orders: tuple[int, ...] = option((2, 3, 4, 6), "Orders of the memory.")
    state: tuple[int, ...] = option((50, 100, 200, 400, 800), "Neurons of the memory, for each state.")
    timed: tuple[int, ...] = option(
        (6_000, 60_000, 240_000, 600_000, 1_000_000), "Neurons whose time is taken."
    )
    trials: int = option(10, "Networks of each size.")
    seed: int = option(0, "Of the first network; the others follow.")

    def __post_init__(self) -> None:
        for name in ("channel", "state"):
            if len(getattr(self, name)) < 2:
                raise DesignError(f"{name}=: two numbers or more are wanted, for a slope")
        if self.trials < 1:
            raise DesignError(f"trials={self.trials}: at least one is wanted")


def run(options: Options, progress: Progress) -> dict[str, Any]:
    """Measure errors of channel and memories, and time and storage of one memory."""
    seeds = range(options.seed, options.seed + options.trials)
    total = len(options.channel) + len(options.orders) * len(options.state) + len(options.timed)
    with progress("neurons", total) as advance:
        feedforward = []
        for neurons in options.channel:
            feedforward.append([channel_rmse(Channel(), neurons, seed=seed) for seed in seeds])
            advance(1)
        recurrent = {}
        for order in options.orders:
            errors = []
            for neurons in options.state:
                errors.append([run_memory(Request(order, order * neurons, seed=seed)).rmse for seed in seeds])
                advance(1)
            recurrent[str(order)] = _scaled(errors, [order * p for p in options.state], order)
        timed = []
        for neurons in options.timed:
            timed.append(_timed(max(1, neurons // TIMED_ORDER), options.seed))
            advance(1)
    scaled = [value for found in recurrent.values() for value in found["scaled"]]
    return {
        "feedforward": _scaled(feedforward, list(options.channel), 1),
        "recurrent": recurrent,
        "spread": max(scaled) / min(scaled),  # the largest error sqrt(m)/d over the smallest
        "cost": {"order": TIMED_ORDER, "steps": TIMED_STEPS, "runs": timed, "fits": _fits(timed)},
    }


def _scaled(errors: list[list[float]], neurons: list[int], order: int) -> dict[str, Any]:
    """Give means, standard errors and the slope in logarithms; ``scaled`` is error sqrt(m)/d."""
    mean = np.mean(errors, axis=1)
    slope = float(np.polyfit(np.log(neurons), np.log(mean), 1)[0])
    trials = len(errors[0])
    spread = np.std(errors, axis=1, ddof=1) / np.sqrt(trials) if trials > 1 else np.full(len(mean), np.nan)
    return {
        "neurons": neurons,
        "rmse": mean.tolist(),
        "standard_error": spread.tolist(),
        "scaled": (mean * np.sqrt(neurons) / order).tolist(),
        "slope": slope,
    }


def _timed(neurons: int, seed: int) -> dict[str, Any]:
    """Build and run one memory for the clock, and once more for the most bytes that it holds at a time."""
    settings, u = Settings(neurons=neurons, seed=seed), sine(DT * np.arange(TIMED_STEPS))
    began = time.perf_counter()
    memory = spiking_memory(TIMED_ORDER, THETA, settings)
    built = time.perf_counter() - began
    seconds = []
    for _ in range(TIMED_RUNS):
        began = time.perf_counter()
        run_network(memory, u, seed=seed)
        seconds.append(time.perf_counter() - began)
    tracemalloc.start()
    run_network(spiking_memory(TIMED_ORDER, THETA, settings), u[:10], seed=seed)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {
        "neurons": memory.neurons,
        "build_seconds": built,
        "run_seconds": min(seconds),
        "peak_bytes": most,
    }


def _fits(timed: list[dict[str, Any]]) -> dict[str, Any]:
    """Fit straight lines over the number of neurons: what none take, what each adds, and how straight it is."""
    neurons = np.array([one["neurons"] for one in timed], float)
    found = {}
    for name in ("build_seconds", "run_seconds", "peak_bytes"):
        values = np.array([one[name] for one in timed], float)
        slope, start = np.polyfit(neurons, values, 1)
        rest = np.sum((values - start - slope * neurons) ** 2) / np.sum((values - values.mean()) ** 2)
        found[name] = {"constant": float(start), "per_neuron": float(slope), "r_squared": float(1.0 - rest)}
    return found


def rows(result: dict[str, Any]) -> Table:
    """Lay out errors, slopes and the straight lines of time and storage."""
    header = ("neurons m", "m", "rmse", "rmse sqrt(m)/d", "slope")
    lines: list[tuple[str, ...]] = []
    named = {"feed-forward": result["feedforward"]}
    named |= {f"memory, d = {order}": found for order, found in result["recurrent"].items()}
    for name, found in named.items():
        for k, (m, error, scaled) in enumerate(
            zip(found["neurons"], found["rmse"], found["scaled"], strict=True)
        ):
            slope = f"{found['slope']:.3f}" if k == 0 else ""
            lines.append((name if k == 0 else "", str(m), f"{error:.4f}", f"{scaled:.3f}", slope))
    fits = result["cost"]["fits"]
    for name, unit, scale in (
        ("build_seconds", "us", 1e6),
        ("run_seconds", "us", 1e6),
        ("peak_bytes", "B", 1.0),
    ):
        each, straight = fits[name]["per_neuron"] * scale, fits[name]["r_squared"]
        lines.append(
            (f"{name.replace('_', ', ')}, a neuron", "", f"{each:.3g} {unit}", "", f"R2 {straight:.4f}")
        )
    return header, lines
