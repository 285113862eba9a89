"""Tolerances part by part against one class for all, at the middles of price classes.

    python -m benchmarks.allocation

Prints a table and writes benchmarks/results/allocation.json: what R and C cost with the cheapest tolerances part by
part, with the cheapest one class for all, and with the tightest; what 95 % of circuits keep by the theory and of 20,000
exact ones of another seed; CPU seconds of the choice, the ensemble that decides included.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402

from lmu_analog.codesign.allocation import allocate  # noqa: E402
from lmu_analog.design import Design  # noqa: E402
from lmu_analog.ensembles.exact import exact_chunk  # noqa: E402

DIFFERENTIAL = {"family": "active-rc-differential", "opamp": "THS4551"}
# Where the limit lies among the classes decides how much there is to win: nothing where the widest ones do.
DESIGNS: dict[str, dict[str, Any]] = {
    "cap-feedforward 6": {"order": 6, "realization": "cap-feedforward", "nrmse": "2 %"},
    "ladder 6": {"order": 6, "realization": "ladder", "nrmse": "3 %"},
    "ladder 12": {"order": 12, "realization": "ladder", "nrmse": "3 %"},
    "bus-ladder 12": {"order": 12, "realization": "bus-ladder", "nrmse": "3 %"},
    "block-ladder 12": {"order": 12, "realization": "block-ladder", "nrmse": "2.5 %"},
    "differential cap-feedforward 6": {
        "order": 6,
        "realization": "cap-feedforward",
        "nrmse": "2 %",
        **DIFFERENTIAL,
    },
    "differential ladder 12": {"order": 12, "realization": "ladder", "nrmse": "2 %", **DIFFERENTIAL},
    "differential bus-ladder 12": {"order": 12, "realization": "bus-ladder", "nrmse": "2 %", **DIFFERENTIAL},
    "differential ladder 17": {"order": 17, "realization": "ladder", "nrmse": "2.5 %", **DIFFERENTIAL},
}
SAMPLES, SEED = 20_000, 1
RESULT = Path(__file__).parent / "results" / "allocation.json"


def measured(given: dict[str, Any]) -> dict[str, Any]:
    """Allocate the tolerances of one design, and look at other circuits than those that decided."""
    design = Design(theta="10 ms", **{"opamp": "OPA2192", "supply": 2.5, **given})
    start = time.process_time()
    found = allocate(design)
    seconds = time.process_time() - start
    error = exact_chunk(found.design, SEED, range(SAMPLES)).window_nrmse
    kept = float(np.quantile(error, found.wanted))
    return {
        "limit": found.limit,
        "cost": found.cost,
        "uniform_cost": None if found.uniform is None else found.uniform.cost,
        "uniform_ratio": None if found.uniform is None else found.uniform.cost / found.cost,
        "tightest_ratio": found.tightest / found.cost,
        "theory_over_exact": found.kept / kept,
        "exact": kept,
        "yield": float(np.mean(error <= found.limit)),
        "counts": {kind: {f"{100 * t:g} %": n for t, n in of.items()} for kind, of in found.counts.items()},
        "seconds": seconds,
    }


def main() -> None:
    rows = {}
    for name, given in DESIGNS.items():
        rows[name] = row = measured(given)
        print(
            f"{name:<31} {row['cost']:.2f}  one class {row['uniform_ratio'] or 0.0:.2f} times, tightest "
            f"{row['tightest_ratio']:.0f} times; theory/exact {row['theory_over_exact']:.4f}, yield "
            f"{100 * row['yield']:.2f} %, {row['seconds']:.2f} s  {row['counts']}"
        )
    RESULT.write_text(json.dumps({"samples": SAMPLES, "seed": SEED, "designs": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
