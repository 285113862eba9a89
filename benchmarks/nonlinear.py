"""How fast the nonlinear engine is beside ngspice, how closely they agree, and what it hands over.

    python benchmarks/nonlinear.py [--orders 6 12] [--samples 6] [--hard 64]

Prints two tables and writes benchmarks/results/nonlinear.json. Single process, one BLAS thread; ngspice is timed
inside a running worker, sample by sample between repeats of ours, so neither its start nor Python's counts. The
truth is ngspice at our decks' step and at half of it, extrapolated (its error goes with the square): "error" is
the distance of the window NRMSE from it. "shift" is what rails and slew limit do: nonlinear minus exact engine.
"""

import argparse
import json
import os
import platform
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402

from lmu_analog.circuits.nodal.extract import extract  # noqa: E402
from lmu_analog.design import Design  # noqa: E402
from lmu_analog.ensembles.exact import exact_chunk  # noqa: E402
from lmu_analog.ensembles.nonlinear import nonlinear_chunk  # noqa: E402
from lmu_analog.ensembles.simulated import ngspice_sample  # noqa: E402
from lmu_analog.memory.window import time_profile, window_nrmse  # noqa: E402
from lmu_analog.mismatch.law import sample_circuit  # noqa: E402
from lmu_analog.simulation import grid, ideal_window, read_states, settling  # noqa: E402
from lmu_analog.spice import ngspice  # noqa: E402
from lmu_analog.spice.deck import deck, transient  # noqa: E402
from lmu_analog.spice.worker import Worker  # noqa: E402
from lmu_analog.storage.layout import CHUNK  # noqa: E402
from lmu_analog.storage.reasons import CODES  # noqa: E402
from lmu_analog.storage.store import GOOD  # noqa: E402

SEED = 0
REPEATS = 5
TIMEOUT = 600.0
MISMATCH = {"resistor": "1 %", "capacitor": "1 %"}
FAST = {"gain": "126 dB", "gbw": "10 MHz"}
MILD = [("legendre", "30 %"), ("legendre", "15 %"), ("cap-feedforward", "30 %"), ("cap-feedforward", "15 %")]
HARD = [
    ("cap-feedforward", {"headroom": "15 %", "opamp": "OPA2192"}),
    ("cap-feedforward", {"headroom": "8 %", "opamp": "OPA2192"}),
    ("cap-feedforward", {"headroom": "4 %", "opamp": "OPA2192"}),
    ("cap-feedforward", {"headroom": "0 %", "opamp": "OPA2192"}),
    ("cap-feedforward", {"amplitude": "6 V", "opamp": "OPA2192"}),
    ("legendre", {"opamp": {**FAST, "slew": "0.03 V/us"}}),
    ("legendre", {"opamp": {**FAST, "slew": "0.012 V/us"}}),
    ("legendre", {"opamp": {**FAST, "slew": "0.0105 V/us"}}),
    ("legendre", {"opamp": {**FAST, "slew": "0.008 V/us"}}),
]


def finer(design: Design, index: int, worker: Worker) -> float:
    """Window NRMSE of a sample in ngspice at half the step of our decks."""
    circuit, evaluation_grid = (
        sample_circuit(design, seed=SEED, index=index),
        grid(design.stimulus, design.theta),
    )
    analysis = transient(circuit, design.stimulus, settle=settling(extract(circuit), design.theta))
    analysis = replace(analysis, step=0.5 * analysis.step)
    text = deck(circuit, analysis, design.stimulus)
    vectors = worker.call(ngspice.run_here, (text, analysis, None), timeout=TIMEOUT)
    states = read_states(vectors, circuit, evaluation_grid, analysis=analysis)
    return float(
        window_nrmse(time_profile(states, ideal_window(evaluation_grid, design.theta), evaluation_grid.rms))
    )


def simulated(design: Design, index: int, worker: Worker) -> tuple[float, float]:
    """Window NRMSE of a sample in ngspice, and its seconds."""
    start = time.perf_counter()
    result = worker.call(ngspice_sample, (design, SEED, index), timeout=TIMEOUT)
    return float(result.window_nrmse[0]), time.perf_counter() - start


def measure(design: Design, samples: int, worker: Worker) -> dict[str, float]:
    """Time both engines on the same samples, and compare them with the truth."""
    ours = nonlinear_chunk(design, SEED, range(CHUNK))
    shift = ours.window_nrmse - exact_chunk(design, SEED, range(CHUNK)).window_nrmse
    simulated(design, 0, worker)
    quick, slow, errors, slow_errors = [], [], [], []
    for k in range(max(samples, REPEATS)):
        start = time.perf_counter()
        nonlinear_chunk(design, SEED, range(CHUNK))
        quick.append((time.perf_counter() - start) / CHUNK)
        if k < samples:
            coarse, seconds = simulated(design, k, worker)
            truth = (4.0 * finer(design, k, worker) - coarse) / 3.0
            slow.append(seconds)
            errors.append(abs(float(ours.window_nrmse[k]) - truth))
            slow_errors.append(abs(coarse - truth))
    return {
        "nonlinear_seconds": median(quick),
        "ngspice_seconds": median(slow),
        "ratio": median(slow) / median(quick),
        "nonlinear_error": max(errors),
        "ngspice_error": max(slow_errors),
        "largest_shift": float(np.nanmax(np.abs(shift))),
        "median_nrmse": float(np.nanmedian(ours.window_nrmse)),
        "handed_over": float(np.mean(ours.reason == CODES["handed"])),
    }


def hard(design: Design, samples: int, worker: Worker) -> dict[str, object]:
    """Share handed over, and where the engine is most daring, how far it is from ngspice."""
    ours = nonlinear_chunk(design, SEED, range(samples))
    handed = ours.reason == CODES["handed"]
    linear = exact_chunk(design, SEED, range(samples)).window_nrmse
    row: dict[str, object] = {"handed_over": float(handed.mean()), "samples": samples}
    kept = np.flatnonzero(~handed & (ours.status == GOOD))
    if len(kept):
        boldest = int(kept[np.argmax(np.abs(ours.window_nrmse[kept] - linear[kept]))])
        row["difference"] = abs(float(ours.window_nrmse[boldest]) - simulated(design, boldest, worker)[0])
        row["shift"] = abs(float(ours.window_nrmse[boldest] - linear[boldest]))
    return row


def mild_rows(orders: list[int], samples: int, worker: Worker) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for order in orders:
        for realization, headroom in MILD:
            named = {"order": order, "realization": realization, "headroom": headroom, "opamp": "OPA2192"}
            found = measure(Design(theta="1 ms", mismatch=MISMATCH, **named), samples, worker)
            rows.append({**named, **found})
            print(
                f"order {order:2d} {realization:16s} headroom {headroom:4s}  "
                f"{1e3 * found['nonlinear_seconds']:5.2f} ms, ngspice {1e3 * found['ngspice_seconds']:4.0f} ms, "
                f"ratio {found['ratio']:4.0f}  error {found['nonlinear_error']:.1e}, ngspice's "
                f"{found['ngspice_error']:.1e}  shift {found['largest_shift']:.1e} of "
                f"{found['median_nrmse']:.1e}  handed over {found['handed_over']:.0%}",
                flush=True,
            )
    return rows


def hard_rows(samples: int, worker: Worker) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for realization, setting in HARD:
        design = Design(order=6, theta="1 ms", realization=realization, mismatch=MISMATCH, **setting)
        row = {"order": 6, "realization": realization, **setting, **hard(design, samples, worker)}
        rows.append(row)
        figures = "  ".join(f"{key} {row[key]:.1e}" for key in ("shift", "difference") if key in row)
        print(f"{realization:16s} {setting}  handed over {row['handed_over']:.0%}  {figures}", flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--orders", type=int, nargs="+", default=[6, 12])
    parser.add_argument("--samples", type=int, default=6)
    parser.add_argument("--hard", type=int, default=64)
    given = parser.parse_args()
    with Worker() as worker:
        rows = mild_rows(given.orders, given.samples, worker)
        harder = hard_rows(given.hard, worker)
    machine = {"python": platform.python_version(), "numpy": np.__version__, "machine": platform.machine()}
    content = {
        "seed": SEED,
        "samples": given.samples,
        "repeats": REPEATS,
        **machine,
        "rows": rows,
        "hard": harder,
    }
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    (folder / "nonlinear.json").write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
