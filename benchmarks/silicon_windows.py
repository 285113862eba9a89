"""Memories in an open process for windows from 1 us to 10 ms: cells chosen from device tables, and what they give.

    python -m benchmarks.silicon_windows [NAME ...] [--chips 200] [--seed 0]

Figures go to ``benchmarks/results/silicon_windows.json``, one entry a memory; those of other names stay. They are
those of ``benchmarks.silicon``, without the exact engine: window NRMSE of ten tones, offsets of states removed unless
it says otherwise, one trim of the bias of each chip.
"""

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np

from benchmarks.silicon import ROUTING, condition, figures
from lmu_analog.building import build
from lmu_analog.circuits.devices.pdk import find_pdk
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.design import Design
from lmu_analog.memory.sampled import steady_response
from lmu_analog.silicon.choosing import chosen, tables_for
from lmu_analog.silicon.designing import designed
from lmu_analog.silicon.draws import deviations, spread
from lmu_analog.silicon.ensemble import errors, nominal_chip, window_errors, with_ngspice
from lmu_analog.silicon.samples import Conditions
from lmu_analog.spice.worker import Worker

TARGET = Path(__file__).parent / "results" / "silicon_windows.json"
TONES = 10
# Order, realization, theta, bandwidth times theta, amplitude.
MEMORIES = {
    "ladder-3-1us": (3, "ladder", 1e-6, 0.3, 0.2),
    "ladder-3-1ms": (3, "ladder", 1e-3, 0.3, 0.1),
    "ladder-3-10ms": (3, "ladder", 1e-2, 0.3, 0.1),
    "ladder-6-1us": (6, "ladder", 1e-6, 1.0, 0.2),
    "ladder-6-1ms": (6, "ladder", 1e-3, 1.0, 0.1),
    "ladder-6-10ms": (6, "ladder", 1e-2, 1.0, 0.1),
    "rlc-ladder-6-1us": (6, "rlc-ladder", 1e-6, 1.0, 0.2),
    "block-ladder-6-1us": (6, "block-ladder", 1e-6, 1.0, 0.2),
}


def memory(name: str, *, chips: int, seed: int) -> dict[str, object]:
    """Choose, draw and measure one memory."""
    order, realization, theta, turns, amplitude = MEMORIES[name]
    installed, bandwidth = find_pdk("gf180mcu"), turns / theta
    frequency = bandwidth * np.arange(1, TONES + 1) / TONES
    circuit = build(
        Design(order=order, theta=theta, family="gm-c", realization=realization, bandwidth=bandwidth)
    )
    choice = chosen(
        circuit, tables_for(installed), frequency, amplitude=amplitude, supply=installed.pdk.supply
    )
    ideal = steady_response(extract(circuit), frequency)[None]
    with Worker() as worker:
        bench = designed(circuit, installed, frequency, sizing=choice.sizing, worker=worker)
    drawn, undeviated = bench.circuit, nominal_chip(bench)
    with Worker() as worker:
        nominal = with_ngspice(bench, worker)(undeviated, np.ones(1))
    area = 1e12 * sum(x.area for x in drawn.devices)
    found: dict[str, object] = {
        "seed": seed,
        "process": "gf180mcu",
        "version": installed.version,
        "order": order,
        "realization": realization,
        "theta": theta,
        "bandwidth": bandwidth,
        "amplitude": amplitude,
        "why": list(choice.why),
        "inversion": choice.cell.inversion,
        "doublet": choice.cell.ratio,
        "linear_v": choice.cell.linear,
        "capacitance": choice.sizing.capacitance,
        "expected_offset_v": choice.offset,
        "transistors": len(drawn.transistors),
        "area_um2": area,
        "area_with_routing_um2": ROUTING * area,
        "power_uw": 1e6 * float(nominal.current[0]) * drawn.source(drawn.supply).value,
        "ideal": float(window_errors(ideal, frequency, theta)[0]),
        "nominal": float(window_errors(nominal.states, frequency, theta)[0]),
    }
    sample = deviations(drawn, spread(drawn, installed.pdk), seed=seed, samples=range(chips))
    start = time.perf_counter()
    measured = errors(with_ngspice(bench), sample, bench, nominal_sample=undeviated)
    seconds = (time.perf_counter() - start) / 3.0 / chips
    found["ngspice"] = figures(measured, bench, amplitude=amplitude / TONES) | {
        "seconds_a_measurement": seconds
    }
    with Worker() as worker:
        found["conditions"] = [condition(bench, Conditions(temperature=t), worker) for t in (-40.0, 125.0)]
    return found


def main() -> None:
    """Run and store."""
    reader = argparse.ArgumentParser()
    reader.add_argument("names", nargs="*", choices=[*MEMORIES, []])
    reader.add_argument("--chips", type=int, default=200)
    reader.add_argument("--seed", type=int, default=0)
    asked = reader.parse_args()
    for name in asked.names or MEMORIES:
        found = memory(name, chips=asked.chips, seed=asked.seed)
        content = json.loads(TARGET.read_text("utf-8")) if TARGET.exists() else {}
        content[name] = found
        TARGET.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
        print(name, json.dumps(found), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
