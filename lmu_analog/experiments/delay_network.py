"""The delay network of order 3 on hardware: our op-amp circuit in ngspice beside published neuromorphic chips.

Order 3, theta = 100 ms, white noise limited to 3 Hz. The error is that of the whole window: rms over time and
over 100 places of it, 0 to 1, of what the hardware's window lacks to another, over the rms of that other: the
window of the ideal memory of order 3, or the true one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float

from lmu_analog.analysis.noise import noise as noise_of
from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import Capacitor, OpAmp, Resistor
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.design import Design
from lmu_analog.ensembles.pool import processors, run_tasks
from lmu_analog.errors import DesignError, SimulationError
from lmu_analog.experiments.frame import Progress, Table
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.stability import is_stable
from lmu_analog.memory.statespace import StateSpace, cut
from lmu_analog.memory.window import readout
from lmu_analog.mismatch.law import Mismatch, draw, sample, sample_circuit
from lmu_analog.option import option
from lmu_analog.simulation import Grid, exact_states, grid, ngspice_states, settling
from lmu_analog.spice import ngspice
from lmu_analog.stimulus import Tones, noise

ORDER, THETA, BANDWIDTH = 3, 0.1, 3.0
PLACES = np.linspace(0.0, 1.0, 100)
TONES, AMPLITUDE = 30, 0.5  # of the noise, which repeats after 10 s; V at its peak
BATCH = 256  # circuits whose waveforms are held at once
TIMEOUT = 600.0  # s for one circuit in ngspice
MEASURE = "rms over time and 100 places of the window, over the rms of the window it is compared with"
MISMATCH: dict[str, dict[str, Any]] = {
    "nominal": {},
    "tolerance": {"tolerance": "1 %"},  # gauss3: sigma is a third of it
    "sigma": {"tolerance": "1 %", "distribution": "gauss"},
}
SERIES = ("E96", "E24")
NAMES = {"nominal": "nominal", "tolerance": "1 %, normal, 3 sigma", "sigma": "1 %, normal, 1 sigma"}
_THESIS = "Voelker, PhD thesis, University of Waterloo, 2019"
PUBLISHED = (
    ("Braindrop, analog silicon", 0.156, 0.163, _THESIS),
    ("Loihi, digital", 0.146, 0.153, _THESIS),
    ("CPU, spiking simulation", 0.055, 0.059, _THESIS),
)
# Every coefficient p (1 + sigma z), nothing else: rerun of the published set-up, mean over networks.
COEFFICIENTS = {0.01: 0.012, 0.05: 0.062, 0.1: 0.128}


@dataclass(frozen=True)
class Options:
    """Which circuit, and how many of it."""

    circuits: int = option(50, "Circuits in ngspice, of each mismatch.")
    many: int = option(2000, "Circuits in the exact engine, of each mismatch.")
    realization: str = option("bus-ladder", "Structure of the memory.")
    capacitance: str = option("100 nF", "Integrating capacitors.")
    opamp: str = option("OPA2192", "Part of the catalogue.")
    supply: str = option("5 V", "The circuit runs from plus and minus this.")
    seed: int = option(0, "Of the noise and of the mismatch.")

    def __post_init__(self) -> None:
        for name in ("circuits", "many"):
            if getattr(self, name) < 1:
                raise DesignError(f"{name}={getattr(self, name)}: at least one circuit is wanted")


def signal(seed: int = 0) -> Tones:
    """Give the benchmark's input: Gaussian noise up to 3 Hz, in V, periodic in 10 s."""
    return noise(BANDWIDTH, AMPLITUDE, seed=seed, count=TONES)


@dataclass(frozen=True, eq=False)
class Windows:
    """What a window is compared with, (t, 100), V, at the times of a grid.

    Attributes
    ----------
    grid : Grid
        One period of the input.
    ideal : (t, 100) array, V
        Of the ideal memory of order 3, in the steady state.
    true : (t, 100) array, V
        The delayed input.
    """

    grid: Grid
    ideal: Float[np.ndarray, "t q"]
    true: Float[np.ndarray, "t q"]


@lru_cache(maxsize=2)
def windows(seed: int = 0) -> Windows:
    """Compute what the benchmark compares with."""
    tones = signal(seed)
    evaluation_grid = grid(tones, THETA)
    states = exact_states(legendre(ORDER, THETA), evaluation_grid)
    return Windows(
        evaluation_grid,
        states @ readout(ORDER, PLACES).T,
        tones(evaluation_grid.time[:, None] - THETA * PLACES),
    )


def whole_window_nrmse(states: Float[np.ndarray, "t d"], wanted: Float[np.ndarray, "t q"]) -> float:
    """Compare the window of Legendre states with a wanted one; the benchmark's only measure."""
    error = states @ readout(states.shape[1], PLACES).T - wanted
    return float(np.sqrt(np.mean(error**2) / np.mean(wanted**2)))


def design_of(options: Options, mismatch: str = "nominal") -> Design:
    """Give the circuit of the benchmark; resistors and capacitors deviate, and op-amps as discrete ones do."""
    tones, law = signal(options.seed), MISMATCH[mismatch]
    given: dict[str, Any] = {
        "order": ORDER,
        "theta": THETA,
        "bandwidth": BANDWIDTH,
        "tones": tuple(
            zip(tones.frequency.tolist(), tones.cosine.tolist(), tones.sine.tolist(), strict=True)
        ),
        "realization": options.realization,
        "capacitance": options.capacitance,
        "opamp": options.opamp,
        "supply": options.supply,
        # The GBW of a lot of op-amps deviates by 8 %; their offsets by the data sheet.
        "mismatch": {"resistor": law, "capacitor": law, "opamp": "8 %"} if law else {},
    }
    return Design(**given)


def run(options: Options, progress: Progress) -> dict[str, Any]:
    """Run the benchmark: ngspice on some circuits, the exact engine on many, coefficients alone beside them."""
    ngspice.require()
    nominal = design_of(options)
    circuit, input_ = build(nominal), signal(options.seed)
    wanted = windows(options.seed)
    with progress("delay network", 1 + 2 * options.circuits) as advance:
        simulated = _simulated(options, advance)
    noise_v2 = noise_of(nominal, circuit=circuit).attrs["window_mean_v2"]
    ideal = exact_states(legendre(ORDER, THETA), wanted.grid)
    return {
        "order": ORDER,
        "theta": THETA,
        "bandwidth": BANDWIDTH,
        "measure": MEASURE,
        "signal": {"tones": TONES, "period": input_.period, "peak": input_.peak, "rms": input_.rms},
        "truncation": whole_window_nrmse(ideal, wanted.true),
        "circuit": _parts(nominal, circuit),
        "noise_nrmse": float(np.sqrt(noise_v2)) / input_.rms,
        "standard_values": {series: _standard(nominal.replace(values=series), options) for series in SERIES},
        "active_rc": {name: _compared(options, name, errors) for name, errors in simulated.items()},
        "coefficients": [
            {**_of_coefficients(sigma, options), "published": figure}
            for sigma, figure in COEFFICIENTS.items()
        ],
        "published": [dict(zip(("what", "low", "high", "source"), row, strict=True)) for row in PUBLISHED],
    }


def _standard(design: Design, options: Options) -> dict[str, float]:
    """Give the errors of the nominal circuit in parts that one can buy, exact engine."""
    circuit = build(design)
    ideal, window = _errors(extract(circuit, circuit.values[None]), options.seed)[0].tolist()
    return {"ideal": ideal, "window": window}


def _parts(design: Design, circuit: Circuit) -> dict[str, Any]:
    """Say what the circuit is made of."""
    kinds = {"resistors": Resistor, "capacitors": Capacitor}
    values = {
        name: [c.value for c in circuit.components if isinstance(c, kind)] for name, kind in kinds.items()
    }
    return {
        "family": circuit.family,
        "realization": circuit.realization,
        "opamp": design.opamp_model.name,
        "supply": design.supply,
        "opamps": len(circuit.only(OpAmp)),
        **{
            name: {"count": len(found), "least": min(found), "most": max(found)}
            for name, found in values.items()
        },
    }


def _simulated(options: Options, advance: Callable[[int], None]) -> dict[str, np.ndarray]:
    """Run the circuits of every mismatch in ngspice; errors (s, 2), NaN where it failed."""
    counts = {name: options.circuits if law else 1 for name, law in MISMATCH.items()}
    designs = {name: design_of(options, name) for name in MISMATCH}
    places = [(name, k) for name, count in counts.items() for k in range(count)]
    tasks = [(designs[name], options.seed, k) for name, k in places]
    errors = {name: np.full((count, 2), np.nan) for name, count in counts.items()}
    for number, found in run_tasks(simulated_errors, tasks, workers=processors(), timeout=TIMEOUT):
        if not isinstance(found, SimulationError):
            name, k = places[number]
            errors[name][k] = found
        advance(1)
    return errors


def _compared(options: Options, mismatch: str, simulated: np.ndarray) -> dict[str, Any]:
    """Put the exact engine beside ngspice: the same circuits, and more of them."""
    count = max(len(simulated), options.many if MISMATCH[mismatch] else 1)
    exact = exact_errors(design_of(options, mismatch), options.seed, range(count))
    apart = np.abs(simulated - exact[: len(simulated)])[np.isfinite(simulated).all(axis=1)]
    return {
        "ngspice": {
            **_summary(simulated),
            "errors": [float(f"{e:.5g}") if np.isfinite(e) else None for e in simulated[:, 0]],
        },
        "exact": _summary(exact),
        "largest_difference": float(apart.max()) if len(apart) else None,
    }


def simulated_errors(design: Design, seed: int, index: int) -> tuple[float, float]:
    """Run one circuit in ngspice: its error against the ideal memory, and against the true window.

    For a worker process, which ngspice may end. Sample ``index`` of the seed, or the nominal circuit of a design
    without mismatch.
    """
    circuit = sample_circuit(design, seed=seed, index=index)
    wanted = windows(seed)
    settle = settling(extract(circuit), THETA)
    states = ngspice_states(circuit, wanted.grid, settle=settle, run=ngspice.run_here)
    return whole_window_nrmse(states, wanted.ideal), whole_window_nrmse(states, wanted.true)


def exact_errors(design: Design, seed: int, samples: range) -> Float[np.ndarray, "s 2"]:
    """Run consecutive circuits in the exact engine; errors against ideal and true window, NaN where unstable."""
    circuit, law = build(design), Mismatch.of(design)
    values = sample(circuit, law, draw(circuit, law, seed=seed, samples=samples))
    return _errors(extract(circuit, values), seed)


def _errors(systems: StateSpace, seed: int) -> np.ndarray:
    """Give both errors of every system along the leading axis, (s, 2); NaN where it is unstable."""
    wanted, found = windows(seed), np.full((len(systems.A), 2), np.nan)
    for k in range(0, len(found), BATCH):
        batch = cut(systems, slice(k, k + BATCH))
        for row, states in enumerate(exact_states(batch, wanted.grid), k):
            found[row] = whole_window_nrmse(states, wanted.ideal), whole_window_nrmse(states, wanted.true)
    found[~is_stable(systems)] = np.nan
    return found


def _of_coefficients(sigma: float, options: Options) -> dict[str, Any]:
    """Let the coefficients of A and B deviate, and nothing else: what is known without a circuit."""
    memory, random = legendre(ORDER, THETA), np.random.default_rng(options.seed)
    A = memory.A * (1.0 + sigma * random.standard_normal((options.many, ORDER, ORDER)))
    B = memory.B * (1.0 + sigma * random.standard_normal((options.many, ORDER, 1)))
    C, D = (np.broadcast_to(part, (options.many, *part.shape)) for part in (memory.C, memory.D))
    return {"sigma": sigma, **_summary(_errors(StateSpace(A, B, C, D), options.seed))}


def _summary(errors: np.ndarray) -> dict[str, Any]:
    """Describe errors (s, 2) of circuits; those without an error, unstable or failed, are counted apart."""
    good = errors[np.isfinite(errors).all(axis=1)]
    found: dict[str, Any] = {"circuits": len(errors), "without": len(errors) - len(good)}
    for name, column in zip(("ideal", "window"), good.T, strict=True):
        low, middle, high = np.percentile(column, [5.0, 50.0, 95.0]) if len(column) else [np.nan] * 3
        mean, most = (float(f(column)) if len(column) else np.nan for f in (np.mean, np.max))
        found[name] = {
            "mean": mean, "median": float(middle), "p05": float(low), "p95": float(high), "most": most,
        }  # fmt: skip
    return found


def rows(result: dict[str, Any]) -> Table:
    """Lay out our circuits, published hardware and the mismatch of coefficients as one table."""
    header = ("order 3, theta = 100 ms, 3 Hz", "circuits", "mean", "p05 .. p95", "mean, true window")
    lines: list[tuple[str, ...]] = []
    for name, found in result["active_rc"].items():
        for engine in ("ngspice", "exact"):
            lines.append((f"active-RC, {NAMES[name]}, {engine}", *_cells(found[engine])))
    for series, found in result.get("standard_values", {}).items():  # stored runs of 0.1.0 have none
        what = f"active-RC, nominal, resistors and capacitors of {series}, exact"
        lines.append((what, "1", f"{found['ideal']:.2g}", "", f"{found['window']:.4f}"))
    lines.append(("active-RC, noise alone", "", f"{result['noise_nrmse']:.2g}", "", ""))
    for one in result["coefficients"]:
        lines.append((f"coefficients alone, sigma = {100 * one['sigma']:g} %", *_cells(one)))
        lines.append(("  published", "", f"{one['published']:.3f}", "", ""))
    for one in result["published"]:
        lines.append((one["what"], "", "", f"{one['low']:.3f} .. {one['high']:.3f}", ""))
    lines.append(("ideal memory of order 3", "", "0", "", f"{result['truncation']:.4f}"))
    return header, lines


def _cells(found: dict[str, Any]) -> tuple[str, ...]:
    ideal, window = found["ideal"], found["window"]
    spread = f"{ideal['p05']:.4f} .. {ideal['p95']:.4f}" if found["circuits"] > 1 else ""
    return str(found["circuits"]), f"{ideal['mean']:.2g}", spread, f"{window['mean']:.4f}"
