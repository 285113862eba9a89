"""Centred values against predistorted ones, with op-amps at their limit.

    python -m benchmarks.centring

Prints a table and writes benchmarks/results/centring.json: for five designs with R and C of 1 %, and with 5 %, the
nominal window error and its p95 as mapped, with ``predistort = "gbw"`` and centred, without and with the second order
of mismatch; p95 of 10,000 exact circuits, how many of them are unstable, the error of a flat band by a rule that was
not summed over, and CPU seconds. ngspice runs two of the centred circuits, with rails and
slew rates.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402

from lmu_analog.codesign.centring import Centred, Errors, centre  # noqa: E402
from lmu_analog.design import Design  # noqa: E402
from lmu_analog.ensembles.exact import exact_chunk  # noqa: E402
from lmu_analog.simulation import simulate  # noqa: E402

DESIGNS: dict[str, dict[str, Any]] = {
    "ladder 6, LM358, 300 us": {"order": 6, "realization": "ladder", "opamp": "LM358", "theta": "300 us"},
    "cap-feedforward 6, LM358, 300 us": {"order": 6, "opamp": "LM358", "theta": "300 us"},
    "cap-feedforward 6, TL072, 100 us": {"order": 6, "opamp": "TL072", "theta": "100 us"},
    "ladder 12, TL072, 300 us": {"order": 12, "realization": "ladder", "opamp": "TL072", "theta": "300 us"},
    "balanced 12, OPA2192, 100 us": {
        "order": 12,
        "realization": "balanced",
        "opamp": "OPA2192",
        "theta": "100 us",
    },
}
TOLERANCES = ("1 %", "5 %")
IN_NGSPICE = ("cap-feedforward 6, TL072, 100 us", "balanced 12, OPA2192, 100 us")
SAMPLES, SEED = 10_000, 1
RESULT = Path(__file__).parent / "results" / "centring.json"


def figures(errors: Errors) -> dict[str, Any]:
    """Give the errors of one circuit."""
    return {
        "nrmse": errors.nominal,
        "nrmse_p95": errors.p95,
        "band": errors.band,
        "other_tones": errors.check,
    }


def exact(design: Design) -> dict[str, Any]:
    """Give what exact circuits of another seed have."""
    errors = np.nan_to_num(exact_chunk(design, SEED, range(SAMPLES)).window_nrmse, nan=np.inf)
    return {"nrmse_p95": float(np.quantile(errors, 0.95)), "failed": int(np.sum(~np.isfinite(errors)))}


def centred(design: Design, *, second_order: bool = False, capacitors: bool = False) -> tuple[Centred, dict]:
    """Centre a design, and look at it."""
    start = time.process_time()
    found = centre(design, second_order=second_order, capacitors=capacitors)
    seconds = time.process_time() - start
    moves = [max(factor, 1.0 / factor) for factor in found.moves.values()]
    return found, {
        **figures(found.after),
        "exact": exact(found.design),
        "largest_move": max(moves),
        "circuits": found.evaluated,
        "seconds": seconds,
    }


def measured(name: str, tolerance: str) -> dict[str, Any]:
    """Look at one design with one tolerance."""
    mismatch = {"resistor": tolerance, "capacitor": tolerance}
    design = Design(capacitance="1 nF", mismatch=mismatch, **DESIGNS[name])
    found, nominal = centred(design)
    before = {"as mapped": figures(found.before)}
    if found.predistorted is not None:
        predistorted = design.replace(predistort="gbw")
        before["predistorted"] = {**figures(found.predistorted), "exact": exact(predistorted)}
    row = {
        **before,
        "centred": nominal,
        "with capacitors": centred(design, capacitors=True)[1],
        "second order": centred(design, second_order=True)[1],
        "second order with capacitors": centred(design, second_order=True, capacitors=True)[1],
    }
    if name in IN_NGSPICE and tolerance == TOLERANCES[0]:
        runs = {engine: simulate(found.design, engine=engine) for engine in ("exact", "ngspice")}
        row["engines"] = {engine: float(run.window_nrmse) for engine, run in runs.items()}
    return row


def main() -> None:
    rows: dict[str, Any] = {}
    for tolerance in TOLERANCES:
        for name in DESIGNS:
            rows.setdefault(name, {})[tolerance] = row = measured(name, tolerance)
            base = row["predistorted"]["exact"]["nrmse_p95"]
            print(f"{name}, {tolerance}")
            for kind, of in row.items():
                if kind == "engines":
                    print(f"  nominal: exact {100 * of['exact']:.4f} %, ngspice {100 * of['ngspice']:.4f} %")
                    continue
                told = f"  {kind:<30} nominal {100 * of['nrmse']:.2f} %, p95 {100 * of['nrmse_p95']:.2f} %"
                if "exact" in of:
                    p95 = of["exact"]["nrmse_p95"]
                    told += f", exact {100 * p95:.2f} % ({100 * (1.0 - p95 / base):+.1f} % less)"
                if "seconds" in of:
                    told += f", moved by {of['largest_move']:.2f} at most, {of['seconds']:.1f} s"
                print(told, flush=True)
    RESULT.write_text(json.dumps({"samples": SAMPLES, "seed": SEED, "designs": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
