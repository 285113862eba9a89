"""Memories in an open process at four sigma: fewer than a thousand runs of ngspice.

    python -m benchmarks.silicon_high_sigma ladder-3 [--chips 480] [--sigma 4] [--seed 0]

Figures go to ``benchmarks/results/silicon_high_sigma_NAME.json``. The limit is what the linear law of the exact engine
puts at so many sigma, after one trim of each chip, without offsets. A chip takes two runs: with the trim that the exact
engine says, and after a correction of what that left.
"""

import argparse
import json
import os
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks.silicon import drawn
from lmu_analog.ensembles.chips import chips_high_sigma, guided_errors, limit_at, trimmed_errors
from lmu_analog.silicon.contributors import linearised
from lmu_analog.silicon.draws import Deviations, spread
from lmu_analog.silicon.ensemble import exact_engine, with_ngspice
from lmu_analog.spice.worker import Worker

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Run and store."""
    reader = argparse.ArgumentParser()
    reader.add_argument("name")
    reader.add_argument("--chips", type=int, default=480)
    reader.add_argument("--sigma", type=float, default=4.0)
    reader.add_argument("--seed", type=int, default=0)
    asked = reader.parse_args()
    target = RESULTS / f"silicon_high_sigma_{asked.name}.json"
    with Worker() as worker:
        bench = drawn(asked.name, worker)
    with Worker() as worker:
        engine = exact_engine(bench, worker)
    found = spread(bench.circuit, bench.installed.pdk)

    def exact(sample: Deviations, trim: np.ndarray):
        return engine.samples(sample, bench.frequency, trim=trim)

    law = linearised(exact, bench, found)
    limit = limit_at(law, asked.sigma)
    guide = trimmed_errors(exact, bench, found)
    content: dict[str, object] = {
        "name": asked.name,
        "seed": asked.seed,
        "nominal": law.nominal,
        "limit": limit,
        "law_sigma": asked.sigma,
    }
    judge = guided_errors(with_ngspice(bench), exact, bench, found=found)
    start = time.perf_counter()
    seen = chips_high_sigma(law, judge, guide=guide, limit=limit, samples=asked.chips, seed=asked.seed)
    content["ngspice"] = asdict(seen) | {
        "sigma": seen.sigma,
        "sigma_interval": seen.sigma_interval,
        "runs": 2 * asked.chips,
        "seconds": time.perf_counter() - start,
    }
    print(json.dumps(content["ngspice"]), flush=True)
    target.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
