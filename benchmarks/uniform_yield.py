"""The yield of parts uniform within their tolerance: the exact engine's, and the same circuits in ngspice.

    python benchmarks/uniform_yield.py [--samples 100]

ngspice runs designs that state the uniform law; the exact engine takes the law that is printed beside every yield, from
the draws of the normal one. Prints a table and writes benchmarks/results/uniform_yield.json.
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402

from lmu_analog.building import build  # noqa: E402
from lmu_analog.design import Design  # noqa: E402
from lmu_analog.ensembles.exact import exact_chunk  # noqa: E402
from lmu_analog.ensembles.high_sigma import errors_of  # noqa: E402
from lmu_analog.ensembles.yields import yield_of  # noqa: E402
from lmu_analog.mismatch.law import Mismatch, draw  # noqa: E402
from lmu_analog.version import __version__  # noqa: E402

SEED = 0
COMMON = {"theta": "1 ms", "signal": "sine"}  # one tone: its common period is short, so ngspice is done soon
# Limits lie where some circuits pass and some do not.
DESIGNS = {
    "active-rc cap-feedforward 4, OPA2192": Design(
        order=4,
        realization="cap-feedforward",
        opamp="OPA2192",
        mismatch={"resistor": "1 %", "capacitor": "1 %"},
        nrmse="2.9 %",
        **COMMON,
    ),
    "gm-c ladder 3": Design(
        order=3,
        family="gm-c",
        realization="ladder",
        mismatch={"transconductor": "2 %", "capacitor": "1 %"},
        nrmse="2.9 %",
        **COMMON,
    ),
    "rc-synapse unit-weight 3": Design(
        order=3,
        family="rc-synapse",
        realization="unit-weight",
        mismatch={"resistor": "1 %", "tau": "2 %"},
        nrmse="2.5 %",
        **COMMON,
    ),
}


def stated(design: Design) -> Design:
    """Give the design whose file says that parts are uniform."""
    return design.replace(
        mismatch={
            kind: {"tolerance": t.tolerance, "distribution": "uniform"}
            for kind, t in design.tolerances.items()
        }
    )


def compared(design: Design, samples: int) -> dict[str, Any]:
    """Evaluate the same circuits in both engines."""
    start, limit = time.perf_counter(), float(design.nrmse or 0.0)
    exact = exact_chunk(design, SEED, range(samples), is_uniform=True).window_nrmse
    normal = exact_chunk(design, SEED, range(samples)).window_nrmse
    even = stated(design)
    z = draw(build(even), Mismatch.of(even), seed=SEED, samples=range(samples))
    simulated = errors_of(even, z, engine="ngspice")
    apart = np.abs(exact / simulated - 1.0)
    by_both = [yield_of(errors <= limit, limit) for errors in (normal, exact, simulated)]
    return {
        "limit": limit,
        "samples": samples,
        "yield": by_both[0].value,
        "yield_uniform": {key: getattr(by_both[1], key) for key in ("value", "low", "high")},
        "ngspice": by_both[2].value,
        "covered": by_both[1].low <= by_both[2].value <= by_both[1].high,
        "judged_otherwise": int(np.sum((exact <= limit) != (simulated <= limit))),
        "largest_difference": float(apart.max()),
        "seconds": time.perf_counter() - start,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", type=int, default=100)
    given = parser.parse_args()
    rows = {}
    for name, design in DESIGNS.items():
        rows[name] = row = compared(design, given.samples)
        uniform = row["yield_uniform"]
        print(
            f"{name:38s} normal {100 * row['yield']:.1f} %, uniform {100 * uniform['value']:.1f} % "
            f"[{100 * uniform['low']:.1f}, {100 * uniform['high']:.1f}], ngspice {100 * row['ngspice']:.1f} %; "
            f"{row['judged_otherwise']} of {row['samples']} decided otherwise; errors differ by "
            f"{row['largest_difference']:.1e}",
            flush=True,
        )
    machine = {"python": platform.python_version(), "numpy": np.__version__, "machine": platform.machine()}
    content = {"lmu_analog": __version__, "seed": SEED, **machine, "designs": rows}
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    (folder / "uniform_yield.json").write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
