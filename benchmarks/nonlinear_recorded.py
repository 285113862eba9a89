"""The nonlinear engine through recordings: how fast beside ngspice's ``.tran``, and whether what is sure is right.

    python benchmarks/nonlinear_recorded.py [--samples 3] [--random 40]

Prints two tables and writes benchmarks/results/nonlinear_recorded.json. Single process, one BLAS thread, CPU seconds:
ours on whole chunks of 64, draws and the linear engine included, median of repeats between runs of ngspice; ngspice's
inside a running worker, at our decks' step. The truth is ngspice at that step and at half of it, extrapolated (its
error goes with the square). An error is the distance of the window estimate from the truth's, rms over time and
window, over rms(u): it is of the waveforms, not of their NRMSE. "at equal error" is what ngspice would take at the
step that has our error, by the same law; it is no more than its time at our deck's step where ours is larger.
"shift" is what limits do to the NRMSE: nonlinear minus exact engine.

The second table has random designs (orders, families, op-amps, signals that jump, sweep or are noise): the first
sample that is called sure, of each design that has one, is compared with the truth.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402

from lmu_analog.building import build  # noqa: E402
from lmu_analog.circuits.circuit import Circuit  # noqa: E402
from lmu_analog.circuits.nodal.saturation import limits  # noqa: E402
from lmu_analog.circuits.nodal.unknowns import Index  # noqa: E402
from lmu_analog.design import Design  # noqa: E402
from lmu_analog.ensembles.exact import exact_chunk  # noqa: E402
from lmu_analog.ensembles.nonlinear import nonlinear_chunk  # noqa: E402
from lmu_analog.ensembles.transients import LEFT_OUT, recorded_profiles  # noqa: E402
from lmu_analog.errors import SimulationError  # noqa: E402
from lmu_analog.memory.window import QUADRATURE, readout, window_nrmse  # noqa: E402
from lmu_analog.mismatch.law import sample_circuit  # noqa: E402
from lmu_analog.simulation import Grid, grid, ngspice_task, read_states  # noqa: E402
from lmu_analog.spice import ngspice  # noqa: E402
from lmu_analog.spice.deck import deck  # noqa: E402
from lmu_analog.spice.worker import Worker  # noqa: E402
from lmu_analog.storage.layout import CHUNK  # noqa: E402
from lmu_analog.storage.reasons import CODES  # noqa: E402
from lmu_analog.storage.store import GOOD  # noqa: E402

SEED = 0
REPEATS = 5
TIMEOUT = 600.0
FEW = 4  # samples of a random design
MISMATCH = {"resistor": "1 %", "capacitor": "1 %", "transconductor": "1 %"}
FAST = {"gain": "126 dB", "gbw": "10 MHz"}
OTA = {"gain": "60 dB", "limit": "1 V", "parasitic": "5 fF"}
ORDERS = (3, 6, 12)
SLEW = {3: "0.045 V/us", 6: "0.06 V/us", 12: "0.09 V/us"}


def mild(order: int) -> dict[str, Design]:
    """Sweeps that come near rails, slew limits and input ranges; at order 12 the dense memory rings with 10 MHz."""
    common = {"order": order, "theta": "1 ms", "mismatch": MISMATCH, "signal": "chirp"}
    dense = "legendre" if order < 12 else "ladder"
    gm_c = {"family": "gm-c", "realization": "legendre", "opamp": "ideal", "transconductor": OTA}
    return {
        "rails": Design(**common, realization=dense, headroom="30 %", opamp={**FAST, "rail": "5 V"}),
        "both": Design(**common, realization="cap-feedforward", headroom="30 %", opamp="OPA2192"),
        "slew": Design(**common, realization=dense, headroom="50 %", opamp={**FAST, "slew": SLEW[order]}),
        "input range": Design(**common, **gm_c, headroom="50 %"),
    }


def simulated(
    circuit: Circuit, evaluation_grid: Grid, worker: Worker, *, finer: float
) -> tuple[np.ndarray, float]:
    """States in ngspice at a fraction of our decks' step, (t, d), and CPU seconds."""
    analysis, _, recording = ngspice_task(circuit, evaluation_grid.stimulus, settle=1.0)
    analysis = replace(analysis, step=finer * analysis.step)
    text = deck(circuit, analysis, evaluation_grid.stimulus)
    task = (text, analysis, recording)
    start = worker.call(time.process_time, (), timeout=TIMEOUT)
    try:
        vectors = worker.call(ngspice.run_here, task, timeout=TIMEOUT)
    except SimulationError as error:
        # Seen twice in some 200 runs: a recording read from a file comes out as numbers beyond sense.
        print(f"again, after: {error}", flush=True)
        start = worker.call(time.process_time, (), timeout=TIMEOUT)
        vectors = worker.call(ngspice.run_here, task, timeout=TIMEOUT)
    seconds = worker.call(time.process_time, (), timeout=TIMEOUT) - start
    return read_states(vectors, circuit, evaluation_grid, analysis=analysis), seconds


def compared(design: Design, index: int, worker: Worker) -> dict[str, float]:
    """Compare one sample in both engines with the truth."""
    circuit, evaluation_grid = (
        sample_circuit(design, seed=SEED, index=index),
        grid(design.stimulus, design.theta),
    )
    coarse, seconds = simulated(circuit, evaluation_grid, worker, finer=1.0)
    half, _ = simulated(circuit, evaluation_grid, worker, finer=0.5)
    truth = (4.0 * half - coarse) / 3.0
    rows = readout(design.order, QUADRATURE.r).T
    values = circuit.values[None]
    _, profile = recorded_profiles(
        build(design),
        values,
        limits(circuit, Index(circuit), values),
        recording=evaluation_grid.stimulus,
        truth=truth @ rows,
    )
    apart = np.sqrt(np.mean(((coarse - truth) @ rows) ** 2, axis=0) @ QUADRATURE.weight) / evaluation_grid.rms
    return {
        "error": float(window_nrmse(profile)[0]),
        "ngspice_error": float(apart),
        "ngspice_seconds": seconds,
    }


def measure(design: Design, samples: int, worker: Worker) -> dict[str, float]:
    ours = nonlinear_chunk(design, SEED, range(CHUNK))
    shift = ours.window_nrmse - exact_chunk(design, SEED, range(CHUNK)).window_nrmse
    sure = np.flatnonzero(ours.reason == CODES["none"])[:samples]
    found, quick = [], []
    for k in range(max(samples, REPEATS)):
        start = time.process_time()
        nonlinear_chunk(design, SEED, range(CHUNK * (k + 1), CHUNK * (k + 2)))
        quick.append((time.process_time() - start) / CHUNK)
        if k < len(sure):
            found.append(compared(design, int(sure[k]), worker))
    worst, theirs = (max(row[key] for row in found) for key in ("error", "ngspice_error"))
    ratio = median(row["ngspice_seconds"] for row in found) / median(quick)
    return {
        "points": len(grid(design.stimulus, design.theta).time),
        "nonlinear_seconds": median(quick),
        "ngspice_seconds": median(row["ngspice_seconds"] for row in found),
        "ratio": ratio,
        "ratio_at_equal_error": ratio * float(np.sqrt(theirs / worst)) if worst < theirs else ratio,
        "nonlinear_error": worst,
        "ngspice_error": theirs,
        "largest_shift": float(np.nanmax(np.abs(shift))),
        "median_nrmse": float(np.nanmedian(ours.window_nrmse)),
        "handed_over": float(np.mean(ours.reason == CODES["handed"])),
    }


def random_design(number: int, folder: Path) -> Design:
    """Draw a design; some of them clip or slew."""
    rng = np.random.default_rng(number)
    order, theta = int(rng.integers(2, 9)), float(10.0 ** rng.uniform(-5.0, -1.5))
    family = str(rng.choice(["active-rc", "active-rc", "active-rc-differential", "gm-c"]))
    named = {"order": order, "theta": theta, "family": family, "headroom": float(rng.uniform(0.0, 0.7))}
    mismatch = {**MISMATCH, "opamp": "5 %"}
    plain = Design(order=order, theta=theta)
    if family == "gm-c":
        pole = {"pole": "10 MHz"} if rng.random() < 0.3 else {}
        ota = {**OTA, "limit": float(rng.uniform(0.4, 2.0)), **pole}
        named |= {"realization": str(rng.choice(["legendre", "ladder"])), "transconductor": ota}
        named |= {"opamp": "ideal"}
    else:
        slew = float(10.0 ** rng.uniform(-0.3, 2.0)) * 10.0 * np.pi * plain.bandwidth
        opamp = {"gain": "100 dB", "gbw": float(10.0 ** rng.uniform(2.7, 4.7) / theta), "slew": slew}
        extras = {"offset_max": "3 mV", "output_resistance": "100 Ohm", "input_capacitance": "5 pF"}
        opamp |= {key: value for key, value in extras.items() if rng.random() < 0.3}
        if family != "active-rc":
            opamp.pop("output_resistance", None)
        named |= {"realization": str(rng.choice(["legendre", "cap-feedforward", "ladder"]))}
        named |= {"opamp": opamp, "predistort": "gbw"}
    kind = str(rng.choice(["step", "chirp", "noise", "noise"]))
    if kind != "noise":
        return Design(**named, mismatch=mismatch, signal=kind)
    return Design(
        **named, mismatch=mismatch, file=noise(rng, plain.bandwidth, theta, folder / f"{number}.csv")
    )


def noise(rng: np.random.Generator, bandwidth: float, theta: float, path: Path) -> Path:
    """Write a recording of noise in the band, some of them with a jump at the start."""
    dt = theta * float(10.0 ** rng.uniform(-2.3, -1.2))
    count = int(min(8.0 * theta / dt, 800))
    spectrum = np.fft.rfft(rng.normal(size=count))
    spectrum[np.fft.rfftfreq(count, dt) > bandwidth] = 0.0
    u = np.fft.irfft(spectrum, count)
    u = 0.5 * u / np.abs(u).max()
    t = dt * np.arange(count)
    if rng.random() < 0.7:
        u = u - u[0] * np.exp(-5.0 * t / theta)
    np.savetxt(path, np.column_stack([t, u]), delimiter=",")
    return path


def mild_rows(samples: int, worker: Worker) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for order in ORDERS:
        for limit, design in mild(order).items():
            found = measure(design, samples, worker)
            named = {"order": order, "family": design.family, "realization": design.realization}
            rows.append({**named, "limit": limit, **found})
            print(
                f"order {order:2d} {design.family:9s} {design.realization:15s} {limit:11s} "
                f"{1e3 * found['nonlinear_seconds']:5.1f} ms, ngspice {1e3 * found['ngspice_seconds']:5.0f} ms, "
                f"ratio {found['ratio']:4.0f}, at equal error {found['ratio_at_equal_error']:4.0f}  "
                f"error {found['nonlinear_error']:.1e}, ngspice's {found['ngspice_error']:.1e}  "
                f"shift {found['largest_shift']:.1e} of {found['median_nrmse']:.1e}  "
                f"handed over {found['handed_over']:.0%}",
                flush=True,
            )
    return rows


def random_rows(count: int, folder: Path, worker: Worker) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for number in range(count):
        design = random_design(number, folder)
        ours = nonlinear_chunk(design, SEED, range(FEW))
        linear = exact_chunk(design, SEED, range(FEW)).window_nrmse
        good, sure = ours.status == GOOD, ours.reason == CODES["none"]
        signal = "noise" if design.file else design.signal
        row = {"order": design.order, "family": design.family, "realization": design.realization}
        row |= {"theta": design.theta, "signal": signal, "stable": int(good.sum()), "sure": int(sure.sum())}
        if sure.any():
            first = int(np.flatnonzero(sure)[0])
            shift = float(ours.window_nrmse[first] - linear[first])
            row |= {**compared(design, first, worker), "shift": shift}
        rows.append(row)
        print(number, {k: f"{v:.2g}" if isinstance(v, float) else v for k, v in row.items()}, flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", type=int, default=3)
    parser.add_argument("--random", type=int, default=40)
    given = parser.parse_args()
    with Worker() as worker, tempfile.TemporaryDirectory() as folder:
        rows = mild_rows(given.samples, worker)
        drawn = random_rows(given.random, Path(folder), worker)
    errors = [row["error"] for row in drawn if "error" in row]
    handed = sum(row["stable"] - row["sure"] for row in drawn)
    summary = {
        "sure_designs": len(errors),
        "largest_error": max(errors),
        "beyond_the_estimate": sum(error > LEFT_OUT for error in errors),
        "handed_over": handed / max(1, sum(row["stable"] for row in drawn)),
        "smallest_ratio": min(row["ratio"] for row in rows),
    }
    print(summary)
    content = {
        "seed": SEED,
        "samples": given.samples,
        "repeats": REPEATS,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": platform.machine(),
        "summary": summary,
        "rows": rows,
        "random": drawn,
    }
    path = Path(__file__).parent / "results" / "nonlinear_recorded.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
