"""Standard values fitted together against the best common levels, and against what was expected before the fit.

    python -m benchmarks.fitting

Prints a table and writes benchmarks/results/fitting.json: for each order, realization and series of resistors
(capacitors of E12), over several windows, the window error that rounding each value where it stands adds, that of the
best common levels (``values_fit = "common"``) and that of the joint fit; how many times less the last is than the
second; how far outputs swing over what they do before rounding, at most and on the mean, at most with common ones, and
at most over the bound of 5 %, or what common levels do at that output; CPU seconds of a fit.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402

from lmu_analog.building import mapped, stock  # noqa: E402
from lmu_analog.circuits.circuit import Circuit  # noqa: E402
from lmu_analog.circuits.impedance import choose_impedances  # noqa: E402
from lmu_analog.circuits.joint_values import MOST_SWING, Measure  # noqa: E402
from lmu_analog.circuits.rounding import choose_common  # noqa: E402
from lmu_analog.design import Design  # noqa: E402

REALIZATIONS = ("ladder", "cap-feedforward", "legendre", "bus-ladder")
ORDERS = (6, 12, 17, 24)
SERIES = ("E24", "E96")
WINDOWS = ("1 ms", "7 ms", "23 ms")
RESULT = Path(__file__).parent / "results" / "fitting.json"


def _circuit(order: int, realization: str, window: str) -> tuple[Design, Circuit]:
    design = Design(order=order, theta=window, realization=realization)
    circuit = mapped(design)
    return design, choose_impedances(circuit, stock(design, circuit))


def measured(order: int, realization: str, series: str) -> dict[str, Any]:
    """Fit circuits of several windows."""
    rows: list[dict[str, float]] = []
    for window in WINDOWS:
        design, circuit = _circuit(order, realization, window)
        given = {
            "bandwidth": design.bandwidth,
            "resistors": series,
            "levels": "within limits",
            "stock": stock(design, circuit),
        }
        common = choose_common(circuit, **given)
        start = time.process_time()
        joint = choose_common(circuit, fit="joint", **given)
        seconds = time.process_time() - start
        measure = Measure(circuit, design.bandwidth)
        raised = measure(joint.circuit.values[None], np.zeros((1, len(measure.free)))).raised[0]
        other = measure(common.circuit.values[None], np.zeros((1, len(measure.free)))).raised[0]
        rows.append(
            {
                "before": common.before,
                "common": common.after,
                "joint": joint.after,
                "swing": float(raised.max()),
                "swing_common": float(other.max()),
                "mean_swing": float(raised.mean()),
                "swing_over_bound": float((raised / np.maximum(MOST_SWING, other)).max()),
                "seconds": seconds,
            }
        )
    factors = [row["common"] / row["joint"] for row in rows]
    return {
        "order": order,
        "realization": realization,
        "series": series,
        "factors": factors,
        "factor": float(np.median(factors)),
        "windows": rows,
        "seconds": float(np.mean([row["seconds"] for row in rows])),
    }


def main() -> None:
    found = []
    for order in ORDERS:
        for realization in REALIZATIONS:
            for series in SERIES:
                found.append(row := measured(order, realization, series))
                swing = max(one["swing"] for one in row["windows"])
                print(
                    f"{order:>2} {realization:<16} {series}  factors "
                    f"{' '.join(f'{x:6.2f}' for x in row['factors'])}  swing {swing:.3f}  {row['seconds']:.2f} s",
                    flush=True,
                )
    summary = {}
    for order in ORDERS:
        factors = [f for row in found if row["order"] == order for f in row["factors"]]
        summary[str(order)] = {"least": float(min(factors)), "median": float(np.median(factors))}
    print(summary)
    RESULT.write_text(
        json.dumps({"windows": WINDOWS, "summary": summary, "circuits": found}, indent=2) + "\n"
    )


if __name__ == "__main__":
    main()
