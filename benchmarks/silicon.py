"""Memories in an open process, transistor by transistor: nominal, conditions, many chips in both engines.

    python -m benchmarks.silicon ladder-3 [--chips 1000] [--exact 1000] [--seed 0]

Figures go to ``benchmarks/results/silicon_NAME.json``. Window NRMSE is of ten tones in the band, offsets of states
removed unless it says otherwise. "trimmed": one factor on the reference current of each chip, chosen by the window
length that fits its response, twice in a row; conditions are trimmed at 27 C in their own corner. Areas are of gates
and plates alone; the area of a chip is theirs times ``ROUTING``, an assumption.

A measurement is an operating point and the response at ten tones of one chip. Its seconds are processor time of both
engines in the same run, one thread each: wall time says more of what else the machine does. ngspice's have all that
its samples take, in whole processes: reading the deck, altering devices and models, ``op`` and ``ac``. Beside it stands
what the two analyses alone take.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.silicon_timing import analyses_take, processes_took
from lmu_analog.building import build
from lmu_analog.circuits.devices.pdk import find_pdk
from lmu_analog.design import Design
from lmu_analog.silicon.designing import designed, sizing_for
from lmu_analog.silicon.devices import SiliconCircuit
from lmu_analog.silicon.draws import Deviations, deviations, spread
from lmu_analog.silicon.ensemble import (
    Errors,
    errors,
    exact_engine,
    nominal_chip,
    settle,
    window_errors,
    with_exact,
    with_ngspice,
)
from lmu_analog.silicon.samples import TIMEOUT, Bench, Conditions, Measured
from lmu_analog.spice.worker import Worker

RESULTS = Path(__file__).parent / "results"
ROUTING = 2.0  # area of a layout over that of gates and plates: an assumption, not measured
MEMORIES = {
    "ladder-3": (3, "ladder", 1e-4, 0.3),
    "ladder-6": (6, "ladder", 1e-3, 1.0),
    "rlc-ladder-6": (6, "rlc-ladder", 1e-3, 1.0),
}
TONES = 10  # in the band
REPEATED = 20  # measurements that are timed beside
AMPLITUDE = 0.02  # V of each of ten tones: .2 V at most, where errors count the states' offsets
CONDITIONS = [
    *(Conditions(corner=c) for c in ("typical", "ff", "ss", "fs", "sf")),
    *(Conditions(temperature=t) for t in (-40.0, 125.0)),
    *(Conditions(supply=s) for s in (0.9, 1.1)),
    Conditions("ss", "ss", 125.0, 0.9),
    Conditions("ff", "ff", -40.0, 1.1),
]


def drawn(
    name: str,
    worker: Worker,
    *,
    swing: float | None = None,
    redraw: Callable[[SiliconCircuit], SiliconCircuit] | None = None,
) -> Bench:
    """Draw a memory, predistorted at its nominal operating point, or at a swing in V."""
    order, realization, theta, turns = MEMORIES[name]
    installed, bandwidth = find_pdk("gf180mcu"), turns / theta
    wanted = Design(order=order, theta=theta, family="gm-c", realization=realization, bandwidth=bandwidth)
    sizing = sizing_for(
        realization,
        order,
        theta,
        bandwidth=bandwidth,
        amplitude=TONES * AMPLITUDE,
        supply=installed.pdk.supply,
    )
    frequency = bandwidth * np.arange(1, TONES + 1) / TONES
    return designed(
        build(wanted), installed, frequency, sizing=sizing, swing=swing, redraw=redraw, worker=worker
    )


def figures(found: Errors, bench: Bench, *, amplitude: float = AMPLITUDE) -> dict[str, object]:
    """Summarise many chips; ``amplitude`` is that of each tone where offsets count, V."""

    def quantiles(x: np.ndarray) -> dict[str, float]:
        good = x[np.isfinite(x)]
        return {
            "median": float(np.median(good)),
            "p95": float(np.quantile(good, 0.95)),
            "worst": float(good.max()),
        }

    theta = bench.circuit.theta
    offset = found.after.offset
    with_offsets = window_errors(
        found.after.states, bench.frequency, theta, offset=offset, amplitude=amplitude
    )
    return {
        "chips": len(found.built),
        "not_measured": int((~np.isfinite(found.built)).sum()),
        "built": quantiles(found.built),
        "trimmed": quantiles(found.trimmed),
        "fitted": quantiles(found.fitted),
        "trimmed_with_offsets": quantiles(with_offsets),
        "theta_sigma": float(np.nanstd(found.theta / theta)),
        "trim_sigma": float(np.nanstd(found.trim)),
        "offset_sigma_mv": (1e3 * np.nanstd(offset, axis=0)).tolist(),
        "power_uw": 1e6
        * float(np.nanmedian(found.after.current))
        * bench.circuit.source(bench.circuit.supply).value,
        "rungs": {str(k): int((found.before.rung == k).sum()) for k in np.unique(found.before.rung)},
    }


def conditions(bench: Bench) -> list[dict[str, object]]:
    """Measure the nominal chip of each corner at each condition, three ways."""
    rows: list[dict[str, object]] = []
    for at in CONDITIONS:
        with Worker() as worker:
            rows.append(condition(bench, at, worker))
    return rows


def condition(bench: Bench, at: Conditions, worker: Worker) -> dict[str, object]:
    """Measure the nominal chip at one condition."""
    here = settle(replace(bench, conditions=at), worker)
    cool = settle(replace(bench, conditions=Conditions(at.corner, at.mim)), worker)
    undeviated = nominal_chip(bench)
    found = errors(with_ngspice(cool, worker), undeviated, cool, nominal_sample=undeviated)
    measure = with_ngspice(here, worker)
    now = errors(measure, undeviated, here, nominal_sample=undeviated)
    after = measure(undeviated, found.trim)
    return {
        "corner": at.corner,
        "mim": at.mim,
        "temperature": at.temperature,
        "supply": at.supply,
        "built": float(now.built[0]),
        "trimmed_at_27": float(window_errors(after.states, here.frequency, here.circuit.theta)[0]),
        "fitted": float(now.fitted[0]),
        "theta": float(now.theta[0] / here.circuit.theta),
        "trim": float(found.trim[0]),
    }


def compared(
    bench: Bench, worker: Worker, sample: Deviations, *, first: Errors, timed: dict[str, float]
) -> dict[str, object]:
    """Run the exact engine on the chips that ngspice has measured, and say how far they are from each other."""
    start = time.perf_counter()
    engine = exact_engine(bench, worker)
    once = time.perf_counter() - start
    inside: list[float] = []
    measure = with_exact(engine, bench.frequency)

    def exact(some: Deviations, trim: np.ndarray) -> Measured:
        before = time.process_time()
        measured = measure(some, trim)
        inside.append((time.process_time() - before) / max(len(some), 1))
        return measured

    start = time.process_time()
    second = errors(exact, sample, bench, nominal_sample=nominal_chip(bench))
    whole = time.process_time() - start
    # Three measurements of all chips follow two of one chip; repeated, for they take milliseconds.
    for _ in range(REPEATED):
        exact(sample, second.trim)
    a_measurement = float(np.median(inside[2:]))
    both = min(len(first.trimmed), len(second.trimmed))
    one, other = first.trimmed[:both], second.trimmed[:both]
    sure = np.isfinite(other)
    ratio = other[sure] / one[sure]
    return figures(second, bench) | {
        "seconds_once": once,
        "seconds_a_measurement": a_measurement,
        "seconds_a_chip_with_trim_and_window": whole / len(sample),
        "times_faster": timed["seconds_a_measurement"] / a_measurement,
        "times_faster_than_op_and_ac": timed["seconds_of_op_and_ac"] / a_measurement,
        "sure": int(sure.sum()),
        "p95_over_ngspice": float(np.quantile(other[sure], 0.95) / np.quantile(one[sure], 0.95)),
        # Those that are not sure go to ngspice.
        "p95_over_ngspice_with_its_help": float(
            np.quantile(np.where(sure, other, one), 0.95) / np.quantile(one, 0.95)
        ),
        "chip_by_chip": [float(x) for x in np.quantile(ratio, [0.0, 0.05, 0.5, 0.95, 1.0])],
    }


def main() -> None:
    """Run and store."""
    reader = argparse.ArgumentParser()
    reader.add_argument("name", choices=list(MEMORIES))
    reader.add_argument("--chips", type=int, default=1000)
    reader.add_argument("--exact", type=int, default=1000)
    reader.add_argument("--seed", type=int, default=0)
    asked = reader.parse_args()
    target = RESULTS / f"silicon_{asked.name}.json"
    content: dict[str, object] = {"name": asked.name, "seed": asked.seed, "routing_factor": ROUTING}

    def keep(**more: object) -> None:
        content.update(more)
        target.write_text(json.dumps(content, indent=1) + "\n", "utf-8")

    with Worker() as worker:
        bench = drawn(asked.name, worker)
    with Worker() as worker:
        circuit, pdk = bench.circuit, bench.installed.pdk
        undeviated, found = nominal_chip(bench), spread(circuit, pdk)
        nominal = with_ngspice(bench, worker)(undeviated, np.ones(1))
        area = 1e12 * sum(x.area for x in circuit.devices)
        keep(
            process="gf180mcu",
            version=bench.installed.version,
            order=circuit.order,
            theta=circuit.theta,
            transistors=len(circuit.transistors),
            area_um2=area,
            area_with_routing_um2=ROUTING * area,
            nominal=float(window_errors(nominal.states, bench.frequency, circuit.theta)[0]),
            power_uw=1e6 * float(nominal.current[0]) * circuit.source(circuit.supply).value,
        )
        print(json.dumps(content), flush=True)
        keep(conditions=conditions(bench))
        sample = deviations(circuit, found, seed=asked.seed, samples=range(max(asked.chips, asked.exact)))
        start = time.perf_counter(), processes_took()
        first = errors(with_ngspice(bench), sample.of(slice(asked.chips)), bench, nominal_sample=undeviated)
        seconds = time.perf_counter() - start[0], processes_took() - start[1]
        timed = {
            "wall_seconds_a_measurement": seconds[0] / 3.0 / asked.chips,
            "seconds_a_measurement": seconds[1] / 3.0 / asked.chips,
            "seconds_of_op_and_ac": worker.call(
                analyses_take, (bench, sample.of(slice(2 * REPEATED))), timeout=TIMEOUT
            ),
        }
        keep(ngspice=figures(first, bench) | timed)
        print(json.dumps(content["ngspice"]), flush=True)
        keep(exact=compared(bench, worker, sample.of(slice(asked.exact)), first=first, timed=timed))
        print(json.dumps(content["exact"]), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
