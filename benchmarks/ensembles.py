"""Mismatch ensembles: our exact engine beside ngspice's quickest way, in one run.

    python -m benchmarks.ensembles [--quick] [--only ratios|sparse|growth|sizes|cold|cores ...]

Prints tables and writes benchmarks/results/ensembles.json. Every ratio is against ngspice timed in the same
process tree within the same minute: `.ac` with M copies of the circuit in one deck (the best M is looked for)
for 16 tones in the steady state, and for 250 tones in place of an arbitrary input; `.tran` from rest at an error
of 1e-4 for 501 points of an arbitrary input. ngspice's time is loading, running and reading; writing its decks is
not counted. Ours is everything from the draws to the window error, in the native player and, as `numpy`, as it is
without a C compiler. CPU seconds of one thread; medians.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402

from benchmarks.rival import ac_deck, run_raw, spin, timed_transient  # noqa: E402
from lmu_analog.building import build  # noqa: E402
from lmu_analog.circuits.circuit import Circuit, with_values  # noqa: E402
from lmu_analog.circuits.nodal.extract import extract  # noqa: E402
from lmu_analog.design import Design  # noqa: E402
from lmu_analog.engine import native  # noqa: E402
from lmu_analog.engine.plan import plan_frequencies  # noqa: E402
from lmu_analog.ensembles.exact import block_size, exact_chunk, relative_cost  # noqa: E402
from lmu_analog.memory import window  # noqa: E402
from lmu_analog.mismatch.law import Mismatch, draw, sample  # noqa: E402
from lmu_analog.simulation import grid, ngspice_task, read_states, settling  # noqa: E402
from lmu_analog.spice.worker import Worker  # noqa: E402
from lmu_analog.storage.store import GOOD  # noqa: E402
from lmu_analog.theory.first_order import first_order  # noqa: E402
from lmu_analog.theory.quadratic import nrmse_quantiles  # noqa: E402

SEED = 0
THETA = 1e-3
OPAMP = {"gain": "120 dB", "gbw": "10 MHz", "rail": "1000 V"}
SPREAD = {"tolerance": "1 %", "distribution": "gauss"}
TONES, MANY_TONES, POINTS = 16, 250, 501
COPIES = {6: (16, 32, 64), 12: (8, 16, 32), 24: (2, 4, 8)}
REPEATS = 5
REALIZATIONS = ("legendre", "ladder", "bus-ladder", "cap-feedforward")
LARGEST_SLOW = 24  # order up to which op-amps of 10 MHz do
COARSER = 2.0  # than the step of our decks: four times their error of about 3e-5
FOLDER = Path(__file__).parent / "results"
PACKAGES = (
    "numpy, scipy.optimize, scipy.interpolate, xarray, zarr, typer, networkx"  # what a run loads before ours
)


def design_of(order: int, realization: str = "legendre", tones: int = TONES, **more: Any) -> Design:
    """One-pole op-amps, all resistors and capacitors deviate by sigma = 1 %, equal tones up to 1/theta."""
    phase = np.random.default_rng(SEED).uniform(0.0, 2.0 * np.pi, tones)
    peak = 0.5 / np.sqrt(tones)
    rows = [(k / (tones * THETA), peak * np.cos(p), peak * np.sin(p)) for k, p in enumerate(phase, 1)]
    given = {"tones": rows, **more} if "file" not in more else more
    return Design(
        order=order,
        theta=THETA,
        realization=realization,
        opamp=OPAMP,
        mismatch={"resistor": SPREAD, "capacitor": SPREAD},
        **given,
    )


def recorded(order: int, folder: Path) -> Design:
    """The same circuit with 501 points of band-limited noise as its input."""
    times = np.linspace(0.0, 5.0 * THETA, POINTS)
    random = np.random.default_rng(SEED)
    phase = random.uniform(0.0, 2.0 * np.pi, 10)
    volts = 0.1 * sum(np.sin(2.0 * np.pi * (k + 1) / (10.0 * THETA) * times + p) for k, p in enumerate(phase))
    path = folder / "input.csv"
    np.savetxt(path, np.column_stack([times, volts - volts[0]]), delimiter=",", fmt="%.17g")
    return design_of(order, file=path, bandwidth=1.0 / THETA)


def without_compiler(design: Design) -> dict[str, Any]:
    """What computes a design's tones where there is no native player."""
    cost = relative_cost(plan_frequencies(build(design), design.stimulus.frequency))
    return {"kernel": "numpy", "solver": "per-frequency" if cost < 1.0 else "state-space"}


def our_seconds(design: Design, samples: int, **kernel: str) -> float:
    """CPU seconds a sample of the exact engine, draws included."""
    exact_chunk(design, SEED, range(samples), **kernel)
    times = []
    for repeat in range(REPEATS):
        start = time.process_time()
        exact_chunk(design, SEED, range(repeat * samples, (repeat + 1) * samples), **kernel)
        times.append((time.process_time() - start) / samples)
    return median(times)


def samples_of(design: Design, count: int) -> list[Circuit]:
    """Build the first mismatch samples as circuits."""
    circuit, law = build(design), Mismatch.of(design)
    values = sample(circuit, law, draw(circuit, law, seed=SEED, samples=range(count)))
    return [with_values(circuit, v) for v in values]


def ac_seconds(design: Design, copies: tuple[int, ...], worker: Worker) -> tuple[float, int, float]:
    """Best CPU seconds a sample of `.ac`, its number of copies, and how far its window errors are from ours."""
    tones, best = design.stimulus, (np.inf, 0)
    circuits = samples_of(design, max(copies))
    for count in copies:
        deck = ac_deck(circuits[:count], tones.frequency)
        worker.call(run_raw, (deck,), timeout=600.0)
        times = [worker.call(run_raw, (deck,), timeout=600.0)[0] / count for _ in range(REPEATS)]
        best = min(best, (median(times), count))
    _, vectors = worker.call(run_raw, (deck,), timeout=600.0)
    states = [
        [sum(t.factor * vectors[f"v({t.of}_{k})".lower()] for t in probe) for probe in circuit.probes]
        for k, circuit in enumerate(circuits)
    ]
    phasor = np.array(states).transpose(0, 2, 1) * tones.phasor[:, None]
    profile = window.tone_profile(phasor, (tones.frequency, tones.phasor), design.theta)
    found = exact_chunk(design, SEED, range(len(circuits))).window_nrmse
    return *best, float(np.abs(window.window_nrmse(profile) / found - 1.0).max())


def tran_seconds(design: Design, samples: int, worker: Worker) -> tuple[float, float]:
    """CPU seconds a sample of `.tran` at an error of 1e-4, and the largest difference of window errors."""
    evaluation_grid, times, apart = grid(design.stimulus, design.theta), [], []
    truth = evaluation_grid.stimulus(evaluation_grid.time[:, None] - design.theta * window.QUADRATURE.r)
    found = exact_chunk(design, SEED, range(samples)).window_nrmse
    for k, circuit in enumerate(samples_of(design, samples)):
        settle = settling(extract(circuit), design.theta)
        analysis, deck, recording = ngspice_task(circuit, evaluation_grid.stimulus, settle=settle)
        coarse = deck.replace(f"{analysis.step!r}", f"{COARSER * analysis.step!r}")
        seconds, vectors = worker.call(timed_transient, (coarse, analysis, recording), timeout=600.0)
        states = read_states(vectors, circuit, evaluation_grid, analysis=analysis)
        profile = window.time_profile(states, truth, evaluation_grid.rms)
        times.append(seconds)
        apart.append(abs(float(window.window_nrmse(profile)) - found[k]))
    return median(times), max(apart)


def ratios(orders: list[int], quick: bool) -> list[dict[str, Any]]:
    """Compare both engines, order by order."""
    rows = []
    with Worker() as worker, tempfile.TemporaryDirectory() as folder:
        for order in orders:
            periodic, many = design_of(order), design_of(order, tones=MANY_TONES)
            recording = recorded(order, Path(folder))
            ac, copies, apart = ac_seconds(periodic, COPIES[order], worker)
            ours = our_seconds(periodic, 2048)
            alone = our_seconds(periodic, 2048, **without_compiler(periodic))
            ac_many, _, _ = ac_seconds(many, COPIES[order][:1], worker)
            tran, tran_apart = tran_seconds(recording, 2 if quick else 5, worker)
            through = our_seconds(recording, block_size(recording))
            start = time.process_time()
            p95 = nrmse_quantiles(first_order(periodic))[2]
            theory = time.process_time() - start
            drawn = np.percentile(exact_chunk(periodic, SEED, range(10_000)).window_nrmse, 95.0)
            rows.append(
                {
                    "order": order,
                    "ac_us": 1e6 * ac,
                    "copies": copies,
                    "exact_us": 1e6 * ours,
                    "ac_ratio": ac / ours,
                    "numpy_us": 1e6 * alone,
                    "numpy_ratio": ac / alone,
                    "ac_difference": apart,
                    "tran_ms": 1e3 * tran,
                    "tran_difference": tran_apart,
                    "recording_us": 1e6 * through,
                    "tran_ratio": tran / through,
                    "ac_250_ratio": ac_many / through,
                    "theory_ms": 1e3 * theory,
                    "theory_ratio": 1e4 * ac / theory,
                    "theory_p95_error": float(p95 / drawn - 1.0),
                }
            )
            show(rows[-1])
    return rows


def sparse(orders: list[int]) -> list[dict[str, Any]]:
    """Compare both engines where circuits are sparse, for tones."""
    rows = []
    with Worker() as worker:
        for order in orders:
            for realization in REALIZATIONS[1:]:
                design = design_of(order, realization)
                ac, copies, apart = ac_seconds(design, COPIES[order], worker)
                ours = our_seconds(design, 2048)
                row = {"realization": realization, "order": order, "ac_us": 1e6 * ac, "copies": copies}
                row |= {"exact_us": 1e6 * ours, "ac_ratio": ac / ours, "ac_difference": apart}
                row["numpy_ratio"] = ac / our_seconds(design, 2048, **without_compiler(design))
                rows.append(row)
                show(row)
    return rows


def growth(orders: list[int]) -> list[dict[str, Any]]:
    """Time a sample over the order, dense and sparse realizations; slow op-amps may make many states unstable."""
    rows = []
    for order in orders:
        for gbw in ("10 MHz", "100 MHz") if order > LARGEST_SLOW else ("10 MHz",):
            for realization in REALIZATIONS:
                design = design_of(order, realization).replace(opamp={**OPAMP, "gbw": gbw})
                first = exact_chunk(design, SEED, range(64))
                row = {"order": order, "gbw": gbw, "realization": realization}
                row["us"] = 1e6 * our_seconds(design, 2048)
                row["numpy_us"] = 1e6 * our_seconds(design, 2048, **without_compiler(design))
                row["stable"] = float((first.status == GOOD).mean())
                rows.append(row)
                show(row)
    return rows


def show(row: dict[str, Any]) -> None:
    """Print a line of figures."""
    parts = (f"{k} {v if isinstance(v, str) else f'{v:.4g}'}" for k, v in row.items() if v is not None)
    print("  ".join(parts), flush=True)


CHILD = """
import json, sys, time
from benchmarks.ensembles import design_of
from lmu_analog.ensembles.montecarlo import monte_carlo
samples, workers, order = map(int, sys.argv[1:])
design = design_of(order)
start = time.perf_counter()
monte_carlo(design, samples, workers=workers)
seconds = time.perf_counter() - start
# Not ru_maxrss, which a new process takes over from the one that started it.
with open("/proc/self/status") as status:
    kilobytes = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
print(json.dumps({"seconds": seconds, "mb": kilobytes / 1024}))
"""


def child(samples: int, workers: int, order: int = 6) -> dict[str, float]:
    """Run an ensemble in a process of its own: wall seconds and largest memory."""
    command = [sys.executable, "-c", CHILD, str(samples), str(workers), str(order)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=FOLDER.parents[1])
    return json.loads(done.stdout.splitlines()[-1])


def sizes(largest: int) -> list[dict[str, Any]]:
    """Time and memory over the number of samples."""
    rows = []
    count = 100
    while count <= largest:
        rows.append({"samples": count, **child(count, 1)})
        show(rows[-1])
        count *= 10
    return rows


def cold() -> dict[str, float]:
    """Wall seconds of the command line, 1000 samples at order 6, imports and store included."""
    times = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "design.toml"
        path.write_text(
            '[memory]\norder = 6\ntheta = "1 ms"\n[circuit]\nopamp = { gain = "120 dB", gbw = "10 MHz", '
            'rail = "1000 V" }\n[mismatch]\nresistor = "1 %"\ncapacitor = "1 %"\n'
        )
        for k in range(3):
            start = time.perf_counter()
            command = [
                "-m",
                "lmu_analog.cli",
                "montecarlo",
                str(path),
                "-n",
                "1000",
                "-o",
                f"{folder}/r{k}.zarr",
            ]
            subprocess.run([sys.executable, *command], check=True, capture_output=True)
            times.append(time.perf_counter() - start)
    packages = []
    for _ in times:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", f"import {PACKAGES}"], check=True)
        packages.append(time.perf_counter() - start)
    row = {"seconds": median(times), "packages_alone": median(packages)}
    print(f"cold start, 1000 samples at order 6: {row['seconds']:.2f} s, of which")
    print(f"loading {PACKAGES} alone takes {row['packages_alone']:.2f} s")
    return row


def cores() -> dict[str, float]:
    """Two workers against one, and two busy loops against one."""
    one, two = child(150_000, 1, 24)["seconds"], child(150_000, 2, 24)["seconds"]
    alone = spin(2.0)
    with Worker() as first:
        import threading

        other: list[float] = []
        thread = threading.Thread(target=lambda: other.append(first.call(spin, (2.0,), timeout=60.0)))
        thread.start()
        mine = spin(2.0)
        thread.join()
    row = {"speedup": one / two, "busy_loops": (mine + other[0]) / alone}
    print("  ".join(f"{k} {v:.3g}" for k, v in row.items()))
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", default=["ratios", "sparse", "growth", "sizes", "cold", "cores"])
    given = parser.parse_args()
    jobs: dict[str, Callable[[], Any]] = {
        "ratios": lambda: ratios([6, 12] if given.quick else [6, 12, 24], given.quick),
        "sparse": lambda: sparse([6, 12] if given.quick else [6, 12, 24]),
        "growth": lambda: growth([3, 6, 12] if given.quick else [3, 6, 12, 24, 48]),
        "sizes": lambda: sizes(10_000 if given.quick else 1_000_000),
        "cold": cold,
        "cores": cores,
    }
    path = FOLDER / "ensembles.json"
    content = json.loads(path.read_text()) if path.exists() else {}
    content |= {"seed": SEED, "python": platform.python_version(), "numpy": np.__version__}
    content["instruction_set"] = native.instruction_set() if native.is_there() else "none: the NumPy player"
    print(f"native player: {content['instruction_set']}")
    for name in given.only:
        print(f"\n{name}")
        content[name] = jobs[name]()
    content["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    FOLDER.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
