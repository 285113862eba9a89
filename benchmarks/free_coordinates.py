"""Free coordinates against the named realizations: errors of coefficients and parts, spread of resistors, rails.

    python -m benchmarks.free_coordinates [--orders 6 12 24] [--no-ngspice]

Prints tables and writes benchmarks/results/free_coordinates.json. Per 1 % (standard deviation) of every coefficient, or
of every resistor and capacitor, the rms window error that it adds, in %, to first order; the largest resistor over the
smallest with the capacitors that the design chooses and with 1 nF throughout; CPU seconds that finding the coordinates
takes, once a process. The same in narrower and wider bands, with coordinates for the band and for the usual one. What
every start of the block ladder ends in. In ngspice with rails: NRMSE of both engines for the tones, and the window
error over windows of a recording before, while and after its input is three times too large, beside those of the same
recording without the overload.
"""

import argparse
import json
import math
import os
import tempfile
import time
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402

from lmu_analog.building import build, realization  # noqa: E402
from lmu_analog.circuits.circuit import Circuit  # noqa: E402
from lmu_analog.circuits.components import Resistor  # noqa: E402
from lmu_analog.design import Design  # noqa: E402
from lmu_analog.memory import block_ladder, contractive  # noqa: E402
from lmu_analog.memory.legendre import legendre, usable_band  # noqa: E402
from lmu_analog.memory.realizations import realize  # noqa: E402
from lmu_analog.simulation import simulate  # noqa: E402
from lmu_analog.theory.coefficients import first_order_added_error  # noqa: E402
from lmu_analog.theory.first_order import first_order  # noqa: E402

RESULT = Path(__file__).parent / "results" / "free_coordinates.json"
NAMES = ("ladder", "bus-ladder", "balanced", "contractive", "block-ladder")
FREE = {"contractive": contractive.found, "block-ladder": block_ladder.found}
THETA = 10e-3  # s
LAW: Any = {kind: {"tolerance": "1 %", "distribution": "gauss"} for kind in ("resistor", "capacitor")}
BANDS = (0.5, 0.75, 1.25)  # of the usual one
OVERLOAD, FROM, TO, WINDOWS = 3.0, 4.0, 7.0, 16.0  # windows


def design(order: int, name: str, *, family: str = "active-rc", **more: Any) -> Design:
    return Design(order=order, theta=THETA, family=family, realization=name, mismatch=LAW, **more)


def spread(circuit: Circuit) -> float:
    values = [each.value for each in circuit.only(Resistor)]
    return max(values) / min(values)


def errors(order: int, name: str) -> dict[str, Any]:
    """Give what errors of coefficients and of parts add, and what the circuit is made of."""
    seconds = 0.0
    if name in FREE:
        FREE[name].cache_clear()
        start = time.process_time()
        FREE[name](order, contractive.band(order, None))
        seconds = time.process_time() - start
    plain, differential = design(order, name), design(order, name, family="active-rc-differential")
    made = realization(plain)
    return {
        "coefficients": len(made.structure.coefficients),
        "coefficient_percent": first_order_added_error(made, bandwidth=plain.bandwidth),
        "single_ended_percent": 100.0 * first_order(plain).predicted_rms,
        "differential_percent": 100.0 * first_order(differential).predicted_rms,
        "spread_single_ended": spread(build(plain)),
        "spread_differential": spread(build(differential)),
        "spread_at_1nF": spread(build(design(order, name, capacitance="1 nF"))),
        "seconds": seconds,
    }


def in_bands(order: int) -> dict[str, dict[str, float]]:
    """Give coefficient-level errors in other bands: coordinates of the band, of the usual band, and the ladder."""
    system, found = legendre(order), {}
    for share in BANDS:
        band = share * usable_band(order)
        found[f"{share:g}"] = {
            label: first_order_added_error(made, bandwidth=band)
            for label, made in (
                ("own", realize(system, "contractive", bandwidth=band)),
                ("usual", realize(system, "contractive")),
                ("ladder", realize(system, "ladder")),
            )
        }
    return found


def starts(order: int) -> list[float]:
    """Give what the descent of the block ladder ends in from each of its starts: error of parts in % per 1 %."""
    of = block_ladder.errors(order, contractive.band(order, None), share=1.0)
    ended = [
        block_ladder.minimise(
            block_ladder.start(order, k),
            lambda x: block_ladder.look(of, x),
            np.add,
            steps=block_ladder.FIRST_STEPS + block_ladder.MORE_STEPS,
            enough=block_ladder.ENOUGH,
        )[1]
        for k in range(block_ladder.STARTS)
    ]
    return [math.sqrt(0.5 * each) for each in ended]  # of two halves: a differential circuit


def at_the_rails(order: int, name: str) -> dict[str, Any]:
    """Overload a circuit in ngspice and see it come back."""
    usual = Design(order=order, theta=THETA, realization=name, opamp="OPA2192", amplitude=0.5, headroom=0.1)
    circuit = build(usual)
    tones = {engine: float(simulate(usual, engine=engine).window_nrmse) for engine in ("exact", "ngspice")}
    t = np.linspace(0.0, WINDOWS * THETA, round(WINDOWS * usual.bandwidth * THETA * 40))
    u = sum(np.sin(2.0 * np.pi * usual.bandwidth * f * t + k) for k, f in enumerate((0.31, 0.57, 0.83)))
    u *= 0.5 / np.abs(u).max() * np.minimum(t / THETA, 1.0)
    found: dict[str, Any] = {"nrmse": tones}
    for label, factor in (("usual", 1.0), ("overloaded", OVERLOAD)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "u.csv"
            loud = np.where((t > FROM * THETA) & (t < TO * THETA), factor, 1.0)
            np.savetxt(path, np.stack([t, u * loud], axis=1), delimiter=",")
            run = simulate(usual.replace(file=path), engine="ngspice", circuit=circuit)
        error, at = (run.estimate - run.window).values, run.time.values / THETA

        def rms(start: float, stop: float, error: np.ndarray = error, at: np.ndarray = at) -> float:
            inside = (at >= start) & (at < stop)
            return float(np.sqrt(np.mean(error[inside] ** 2) / np.mean(u**2)))

        found[label] = {"before": rms(2, 4), "meanwhile": rms(5, 7), "after": rms(10, 16)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--orders", type=int, nargs="+", default=[6, 12, 24])
    parser.add_argument("--no-ngspice", action="store_true")
    given = parser.parse_args()
    rows: dict[str, Any] = {}
    for order in given.orders:
        for name in NAMES:
            rows[f"{name} {order}"] = row = errors(order, name)
            print(f"{name:<13}{order:>3}  " + "  ".join(f"{k} {v:.4g}" for k, v in row.items()), flush=True)
    bands = {str(order): in_bands(order) for order in given.orders}
    print(bands, flush=True)
    ended = {str(order): starts(order) for order in given.orders if order <= 12}
    print(ended, flush=True)
    rails = {}
    if not given.no_ngspice:
        for order in (k for k in given.orders if k <= 12):
            for name in ("ladder", "contractive", "block-ladder"):
                rails[f"{name} {order}"] = row = at_the_rails(order, name)
                print(f"{name:<13}{order:>3}  {row}", flush=True)
    RESULT.write_text(
        json.dumps(
            {"theta": THETA, "errors": rows, "bands": bands, "starts": ended, "rails": rails}, indent=2
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
