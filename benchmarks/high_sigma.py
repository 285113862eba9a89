"""A 4-sigma yield from a thousand circuits in ngspice, beside a million in the exact engine.

    python benchmarks/high_sigma.py [--runs 1000] [--exact 1000000]

The limit is where theory puts a failure of 3e-5. Prints a table and writes benchmarks/results/high_sigma.json.
"""

import argparse
import json
import math
import os
import platform
import time
from dataclasses import asdict
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402

from lmu_analog.design import Design  # noqa: E402
from lmu_analog.ensembles.exact import exact_chunk  # noqa: E402
from lmu_analog.ensembles.high_sigma import METHODS, high_sigma  # noqa: E402
from lmu_analog.ensembles.yields import clopper_pearson  # noqa: E402
from lmu_analog.theory.first_order import first_order  # noqa: E402
from lmu_analog.theory.quadratic import quadratic_form, quantile  # noqa: E402

SEED = 0
FAILURE = 3e-5
STRETCH = 5000  # samples of the exact engine at once
SIGMA = {"tolerance": "1 %", "distribution": "gauss"}
DESIGN = Design(
    order=3, theta="1 ms", bandwidth="280 Hz", mismatch={"resistor": SIGMA, "capacitor": SIGMA}
)  # fmt: skip


def brute_force(design: Design, samples: int) -> dict[str, float]:
    """Count failures among the samples of an ordinary ensemble."""
    start, failures = time.perf_counter(), 0
    for first in range(0, samples, STRETCH):
        errors = exact_chunk(design, SEED + 1, range(first, min(first + STRETCH, samples))).window_nrmse
        failures += int(np.sum(~(errors <= design.nrmse)))
    low, high = clopper_pearson(failures, samples)
    seconds = time.perf_counter() - start
    return {"samples": samples, "failure": failures / samples, "low": low, "high": high, "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--exact", type=int, default=1_000_000)
    given = parser.parse_args()
    limit = math.sqrt(quantile(quadratic_form(first_order(DESIGN)), 1.0 - FAILURE))
    design = DESIGN.replace(nrmse=limit)
    truth = brute_force(design, given.exact)
    print(
        f"limit {100 * limit:.3g} %; {given.exact} exact samples: {truth['failure']:.3g} "
        f"[{truth['low']:.3g}, {truth['high']:.3g}]",
        flush=True,
    )
    rows = []
    for method, engine in [*((m, "exact") for m in METHODS), *((m, "ngspice") for m in METHODS)]:
        start = time.perf_counter()
        found = high_sigma(design, method=method, samples=given.runs, seed=SEED, engine=engine)
        contains = found.low <= truth["failure"] <= found.high
        rows.append({**asdict(found), "contains": contains, "seconds": time.perf_counter() - start})
        print(
            f"{method:13s} {engine:8s} {given.runs} runs: {found.failure:.3g} [{found.low:.3g}, {found.high:.3g}]  "
            f"contains it: {contains}  {rows[-1]['seconds']:.1f} s",
            flush=True,
        )
    machine = {"python": platform.python_version(), "numpy": np.__version__, "machine": platform.machine()}
    content = {"seed": SEED, "limit": limit, **machine, "exact": truth, "rows": rows}
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    (folder / "high_sigma.json").write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
