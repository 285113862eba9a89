"""Whether the exact engine and ngspice agree on random designs wherever no part is beyond a limit.

    python benchmarks/two_engines.py [--designs 200] [--workers 2] [--resume FILE]

Designs with a fixed seed over all linear families and realizations, orders 1 to 24, op-amps of the catalogue at
supplies that they take, amplitudes up to their swing. Both engines run the nominal circuit; what is compared is the
rms over time and window of the difference of their estimates, a fraction of rms(u), which bounds the difference of
window errors. A design that is more than 1e-3 apart must have a warning of a limit, and one in ten may have such a
warning at most; of those that do, the demand beyond the limit is stored. Rows are appended to FILE as they come, and
rows that it has are not run again, but warnings are always those of the present code. Prints a line for every design
and writes benchmarks/results/two_engines.json.
"""

import argparse
import json
import math
import os
import platform
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402

from lmu_analog.building import build  # noqa: E402
from lmu_analog.circuits.devices.parts import catalogue  # noqa: E402
from lmu_analog.circuits.families.registry import FAMILIES  # noqa: E402
from lmu_analog.circuits.nodal.extract import extract  # noqa: E402
from lmu_analog.design import Design  # noqa: E402
from lmu_analog.errors import LmuAnalogError  # noqa: E402
from lmu_analog.limits import as_rows, demands, limit_warnings  # noqa: E402
from lmu_analog.memory.statespace import growth  # noqa: E402
from lmu_analog.simulation import distance, simulate  # noqa: E402

SEED = 13
AGREED = 1e-3
MOST_WARN = 0.1
SUPPLIES = (1.65, 2.5, 5.0, 12.0, 15.0)  # V
OTHER_OPAMPS = ("rc-synapse", "passive-rlc", "gm-c")  # families without op-amps
SHOWN = 3  # demands of a design that are stored, those nearest to their limit


def designs(count: int) -> Iterator[Design]:
    """Draw designs; those that cannot be built, or have no steady state, are drawn again."""
    rng = np.random.default_rng(SEED)
    linear = [(n, r) for n, f in FAMILIES.items() if f.model == "linear" for r in f.realizations]
    found = 0
    while found < count:
        design = _drawn(rng, *linear[rng.integers(len(linear))])
        try:
            circuit = build(design)
            usable = float(growth(extract(circuit))) * design.theta < -0.1  # settles within 160 theta
        except LmuAnalogError:
            usable = False
        if usable:
            found += 1
            yield design


def _drawn(rng: np.random.Generator, family: str, realization: str) -> Design:
    order = 1 + int(24 * rng.uniform() ** 2)  # 1 to 24, the smaller more often: time grows with the square
    share = float(rng.uniform())
    theta = 10.0 ** rng.uniform(-4.0, 0.0)
    figures: dict[str, Any] = {"amplitude": 10.0 ** rng.uniform(-2.0, 0.3), "headroom": 0.05 + 0.65 * share}
    part = sorted(catalogue())[rng.integers(len(catalogue()))]
    supplies = [s for s in SUPPLIES if _runs(part, s)]
    if family not in OTHER_OPAMPS:
        # Slow op-amps add some per cent at w_t theta of 5.3e3 (d/6)^3.6, theory.md: up to 30 times faster.
        speed = 5.3e3 * (max(order, 2) / 6.0) ** 3.6 * 10.0 ** rng.uniform(0.0, 1.5)
        theta = speed / (2.0 * math.pi * float(catalogue()[part]["gbw"]))  # type: ignore[arg-type]
        figures |= {"opamp": part, "supply": supplies[rng.integers(len(supplies))]}
    elif family == "gm-c" and rng.uniform() < 0.6:
        # Of amplifiers on a chip: a tenth of a volt at most, of an input range of some volts.
        figures |= {
            "amplitude": 10.0 ** rng.uniform(-2.0, -1.0),
            "transconductor": {
                "gain": f"{rng.uniform(60.0, 90.0):.1f} dB",
                "pole": 10.0 ** rng.uniform(3.0, 5.0) * order**2 / theta,
                "parasitic": "20 fF",
                "limit": 2.0 * 10.0 ** rng.uniform(0.0, 1.0),
            },
            "supply": 1.8,
            "headroom": 0.95 + 0.04 * share,
        }
    # Resistors of an integrator run from theta/C down to theta/(2 order C), and more with the scaling.
    capacitance = theta / (3e4 * order * 10.0 ** rng.uniform(0.0, 0.7))
    wide = Design(order=order, theta=theta).bandwidth
    return Design(
        order=order,
        theta=theta,
        family=family,
        realization=realization,
        capacitance=float(np.clip(capacitance, 20e-12, 100e-9)),
        # The default band of low orders is so narrow that a period takes a thousand windows.
        bandwidth=max(wide, 0.15 / theta) * 10.0 ** rng.uniform(-0.15, 0.1),
        signal="chirp" if rng.uniform() < 0.15 else "multitone",
        **figures,
    )


def _runs(part: str, supply: float) -> bool:
    try:
        Design(order=1, opamp=part, supply=supply).opamp_model  # noqa: B018  # what it raises is the answer
    except LmuAnalogError:
        return False
    return True


def told(design: Design) -> dict[str, Any]:
    """Give what is said about limits before anything is run."""
    circuit = build(design)
    found = as_rows(demands(circuit, design.stimulus))[:SHOWN]
    return {
        "warnings": list(limit_warnings(circuit, design.stimulus)),
        "demands": [{k: d[k] for k in ("element", "quantity", "peak", "limit", "share")} for d in found],
    }


def measure(design: Design) -> dict[str, Any]:
    """Run a design in both engines."""
    row: dict[str, Any] = {
        "family": design.family,
        "realization": design.realization,
        "order": design.order,
        "theta": design.theta,
        "bandwidth": design.bandwidth,
        "amplitude": design.amplitude,
        "headroom": design.headroom,
        "capacitance": design.capacitance,
        "supply": design.supply,
        "signal": design.signal,
        "opamp": design.opamp_model.name,
        "transconductor": design.transconductor,
    }
    exact = simulate(design)
    start = time.perf_counter()
    simulated = simulate(design, engine="ngspice")
    return row | {
        "exact_nrmse": float(exact.window_nrmse),
        "ngspice_nrmse": float(simulated.window_nrmse),
        "apart": distance(exact, simulated),
        "seconds": time.perf_counter() - start,
    }


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Count those that agree, those that warn, and those that do neither."""
    warned = [r for r in rows if r.get("warnings")]
    apart = [r for r in rows if not r.get("apart", math.inf) <= AGREED]
    quiet = [r["apart"] for r in rows if not r.get("warnings") and "apart" in r]
    return {
        "designs": len(rows),
        "agree": len(rows) - len(apart),
        "warn": len(warned),
        "warn_and_differ": sum(bool(r.get("warnings")) for r in apart),
        "differ_without_warning": [r["number"] for r in apart if not r.get("warnings")],
        "largest_without_warning": max(quiet, default=None),
        "median_without_warning": float(np.median(quiet)) if quiet else None,
        "failed": [r["number"] for r in rows if "error" in r],
        "passes": len(warned) <= MOST_WARN * len(rows) and all(r.get("warnings") for r in apart),
    }


def _row(number: int, design: Design) -> dict[str, Any]:
    try:
        return {"number": number, **measure(design)}
    except LmuAnalogError as error:
        return {"number": number, "family": design.family, "order": design.order, "error": str(error)[:300]}


def _say(row: dict[str, Any]) -> None:
    print(
        f"{row['number']:3d} {row['family']:22s} {row.get('realization', ''):20s} {row['order']:2d} "
        f"{row.get('opamp', ''):9s} {row.get('exact_nrmse', math.nan):.7f} {row.get('ngspice_nrmse', math.nan):.7f} "
        f"{row.get('apart', math.nan):.2e} {row.get('seconds', 0.0):5.1f} s  "
        f"{row.get('error', '')}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--designs", type=int, default=200)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--resume", type=Path, help="JSON lines: rows are appended here, and read from here")
    given = parser.parse_args()
    lines = given.resume.read_text().splitlines() if given.resume and given.resume.exists() else []
    done = {row["number"]: row for row in map(json.loads, lines)}
    drawn = dict(enumerate(designs(given.designs)))
    waiting = [(k, design) for k, design in drawn.items() if k not in done]
    with ProcessPoolExecutor(given.workers) as pool:
        for task in as_completed(pool.submit(_row, *each) for each in waiting):
            row = task.result()
            done[row["number"]] = row
            if given.resume:
                with given.resume.open("a") as file:
                    file.write(json.dumps(row) + "\n")
            _say(row)
    rows = [done[k] | told(design) for k, design in drawn.items()]
    found = summary(rows)
    print(json.dumps(found, indent=2))
    content = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "seed": SEED,
        **found,
        "rows": rows,
    }
    folder = Path(__file__).parent / "results"
    (folder / "two_engines.json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
