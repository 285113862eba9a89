"""The delay network of order 3 in 3 x 128 spiking neurons, beside our op-amps and the published chips.

Leaky integrate-and-fire neurons with rates of 200 to 400 Hz, synapses of 10 ms and states in balanced coordinates,
read through synapses of 20 ms: the published set-up (Voelker, PhD thesis, 2019, section 6.2), but for the noise,
which is that of the experiment delay-network, for the radii of the states, which are the largest values they take,
and for Principle 3 of the sampled memory in place of the continuous one, which is given beside it.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lmu_analog.errors import DesignError, SimulationError
from lmu_analog.experiments import frame
from lmu_analog.experiments.delay_network import (
    BANDWIDTH,
    MEASURE,
    NAMES,
    ORDER,
    PLACES,
    THETA,
    signal,
    whole_window_nrmse,
)
from lmu_analog.experiments.frame import Progress, Table
from lmu_analog.memory.reference import midpoints
from lmu_analog.memory.window import readout
from lmu_analog.networks.spiking.memory import (
    Settings,
    Silicon,
    ideal_states,
    legendre_states,
    probed,
    radii_for,
    spiking_memory,
)
from lmu_analog.networks.spiking.memory import run as run_memory
from lmu_analog.networks.spiking.neurons import Tuning
from lmu_analog.networks.spiking.synapses import Synapse
from lmu_analog.option import option

NEURONS, TAU, PROBE, DT = 128, 0.01, 0.02, 1e-3  # for each state; s
SKIPPED = 1000  # steps: ten windows
# Braindrop's synapses: mean 179.3 ms, standard deviation 53.8 ms (from memory; log-normal).
TAU_SPREAD = 0.30
# What transistors of small area make of neurons: an assumption, no chip's figure.
GAIN_SPREAD, BIAS_SPREAD = 0.15, 0.15
BASE = Settings(
    neurons=NEURONS,
    firing="spiking",
    tuning=Tuning(rates=(200.0, 400.0), draw="independent"),
    realization="balanced",
    synapse=Synapse(TAU),
    dt=DT,
)
CASES: dict[str, tuple[dict[str, Any], Silicon]] = {
    "cpu": ({}, Silicon()),
    "cpu_continuous": ({"mapping": "continuous"}, Silicon()),
    "tau_spread": ({}, Silicon(tau=TAU_SPREAD)),
    "compensated": ({}, Silicon(tau=TAU_SPREAD, compensated=True)),
    "silicon": ({}, Silicon(TAU_SPREAD, GAIN_SPREAD, BIAS_SPREAD)),
    "silicon_compensated": ({}, Silicon(TAU_SPREAD, GAIN_SPREAD, BIAS_SPREAD, compensated=True)),
}
SAYS = {
    "cpu": "spiking neurons, NumPy",
    "cpu_continuous": "  continuous Principle 3",
    "tau_spread": "time constants deviate by 30 %",
    "compensated": "  weights from measured ones",
    "silicon": "neurons deviate too (gain, bias 15 %)",
    "silicon_compensated": "  all measured",
}
PUBLISHED = {"braindrop": (0.156, 0.163), "loihi": (0.146, 0.153), "cpu": (0.055, 0.059)}


@dataclass(frozen=True)
class Options:
    """How many networks."""

    networks: int = option(25, "Networks of each kind.")
    seconds: float = option(10.0, "Time over which the error is taken.")
    seed: int = option(0, "Of the noise, and of the first network.")

    def __post_init__(self) -> None:
        if self.networks < 1:
            raise DesignError(f"networks={self.networks}: at least one is wanted")
        if not 0.5 <= self.seconds <= 1000.0:
            raise DesignError(f"seconds={self.seconds:g}: 0.5 to 1000 are wanted")


def run(options: Options, progress: Progress) -> dict[str, Any]:
    """Run networks of every kind; the op-amps' figures are those of the stored delay-network."""
    op_amps = frame.stored("delay-network")["result"]["active_rc"]
    errors: dict[str, list[float]] = {}
    with progress("spiking", len(CASES) * options.networks) as advance:
        for name in CASES:
            errors[name] = []
            for seed in range(options.seed, options.seed + options.networks):
                errors[name].append(network_error(name, seed, options))
                advance(1)
    found = {name: _summary(each) for name, each in errors.items()}
    means = {name: one["mean"] for name, one in found.items()}
    return {
        "order": ORDER,
        "theta": THETA,
        "bandwidth": BANDWIDTH,
        "measure": MEASURE,
        "neurons": ORDER * NEURONS,
        "networks": options.networks,
        **means,
        "active_rc": op_amps["tolerance"]["ngspice"]["ideal"]["mean"],
        "published": {name: list(ends) for name, ends in PUBLISHED.items()},
        "details": {
            **found,
            "active_rc": {name: one["ngspice"]["ideal"] for name, one in op_amps.items()},
        },
    }


def network_error(case: str, seed: int, options: Options) -> float:
    """Run one network of a case; its whole-window error against the ideal memory, NaN where it is unstable."""
    changes, silicon = CASES[case]
    settings = replace(BASE, seed=seed, **changes)
    u = midpoints(signal(options.seed), DT, SKIPPED + round(options.seconds / DT))
    radii = radii_for(ORDER, THETA, u, settings=settings)
    memory = spiking_memory(ORDER, THETA, settings, radii=radii, silicon=silicon)
    try:
        trace = run_memory(memory, u, seed=seed)
    except SimulationError:
        return float("nan")
    seen = legendre_states(memory, probed(memory, trace, u, tau=PROBE))[SKIPPED:]
    ideal = legendre_states(memory, ideal_states(memory, u))[SKIPPED:]
    return whole_window_nrmse(seen, ideal @ readout(ORDER, PLACES).T)


def _summary(errors: list[float]) -> dict[str, Any]:
    good = np.array([e for e in errors if np.isfinite(e)])
    if not len(good):
        raise SimulationError("all networks of a kind were unstable; ask for more of them")
    low, median, high = np.percentile(good, [5.0, 50.0, 95.0])
    return {
        "mean": float(good.mean()),
        "median": float(median),
        "p05": float(low),
        "p95": float(high),
        "unstable": len(errors) - len(good),
        "errors": [float(f"{e:.5g}") if np.isfinite(e) else None for e in errors],
    }


def rows(result: dict[str, Any]) -> Table:
    """Lay out our networks, our op-amps and the published figures as one table."""
    header = ("order 3, theta = 100 ms, 3 Hz, window NRMSE", "runs", "mean", "p05 .. p95")
    lines: list[tuple[str, ...]] = []
    for name, said in SAYS.items():
        one = result["details"][name]
        spread = f"{one['p05']:.3f} .. {one['p95']:.3f}"
        lines.append((said, str(len(one["errors"])), f"{one['mean']:.4f}", spread))
    for name, said in NAMES.items():
        one = result["details"]["active_rc"][name]
        lines.append((f"our op-amps in ngspice, {said}", "", f"{one['mean']:.2g}", ""))
    said = {"braindrop": "Braindrop, analog silicon", "loihi": "Loihi, digital", "cpu": "CPU, spiking"}
    for name, (low, high) in result["published"].items():
        lines.append((f"published: {said[name]}", "", "", f"{low:.3f} .. {high:.3f}"))
    return header, lines
