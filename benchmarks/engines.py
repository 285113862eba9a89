"""How fast the exact engine is beside ngspice, on the same circuits, and how closely they agree.

    python benchmarks/engines.py [--orders 3 6 12] [--samples 20]

Prints a table and writes benchmarks/results/engines.json. Single process, one BLAS thread; ngspice is timed
inside a running worker, so neither its start nor Python's counts. The ratio is against ngspice's transient
analysis at the step of our decks (about 3e-5 of full scale), not against its quickest way for linear circuits.
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path
from statistics import median

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402

from lmu_analog.design import Design  # noqa: E402
from lmu_analog.ensembles.exact import exact_chunk  # noqa: E402
from lmu_analog.ensembles.simulated import ngspice_sample  # noqa: E402
from lmu_analog.spice.worker import Worker  # noqa: E402
from lmu_analog.storage.layout import CHUNK  # noqa: E402

SEED = 0
REPEATS = 5
OPAMPS = {"ideal": "ideal", "one pole": {"gain": "120 dB", "gbw": "100 MHz", "rail": "1000 V"}}


def measure(design: Design, samples: int, worker: Worker) -> dict[str, float]:
    """Time both engines on samples 0, 1, ... of a design; seconds a sample, and the largest difference."""
    exact_chunk(design, SEED, range(CHUNK))
    exact_times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        results = exact_chunk(design, SEED, range(CHUNK))
        exact_times.append((time.perf_counter() - start) / CHUNK)
    worker.call(ngspice_sample, (design, SEED, 0), timeout=600.0)
    ngspice_times, differences = [], []
    for k in range(samples):
        start = time.perf_counter()
        result = worker.call(ngspice_sample, (design, SEED, k), timeout=600.0)
        ngspice_times.append(time.perf_counter() - start)
        differences.append(abs(float(result.window_nrmse[0]) - float(results.window_nrmse[k])))
    exact, simulated = median(exact_times), median(ngspice_times)
    return {
        "exact_seconds": exact,
        "ngspice_seconds": simulated,
        "ratio": simulated / exact,
        "largest_difference": max(differences),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--orders", type=int, nargs="+", default=[3, 6, 12])
    parser.add_argument("--samples", type=int, default=20)
    given = parser.parse_args()
    rows = []
    with Worker() as worker:
        for order in given.orders:
            for name, opamp in OPAMPS.items():
                design = Design(
                    order=order,
                    theta="1 ms",
                    realization="legendre",
                    opamp=opamp,
                    mismatch={"resistor": "3 %", "capacitor": "3 %"},
                )
                row = {"order": order, "opamp": name, **measure(design, given.samples, worker)}
                rows.append(row)
                print(
                    f"order {order:2d}  {name:9s} exact {1e6 * row['exact_seconds']:8.0f} us  "
                    f"ngspice .tran {1e3 * row['ngspice_seconds']:8.1f} ms  ratio {row['ratio']:7.0f}  "
                    f"difference {row['largest_difference']:.1e}",
                    flush=True,
                )
    machine = {"python": platform.python_version(), "numpy": np.__version__, "machine": platform.machine()}
    content = {"seed": SEED, "samples": given.samples, "repeats": REPEATS, **machine, "rows": rows}
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    (folder / "engines.json").write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
