"""What sets theta of a memory of transistors: an ideal current, or a generator on the chip, beside each other.

    python -m benchmarks.silicon_bias [--bias "ideal current" ...] [--chips 100] [--seed 0]

The order-3 ladder of ``benchmarks.silicon``, each bias with its own predistortion. Conditions are those of nominal
chips, as built, after one trim at 27 C and the nominal supply in their own corner, and with theta fitted; chips have
process and mismatch, and one trim at 27 C that holds at all temperatures. A trim of some bits is the nearest step
within ``SPAN``. Figures go to ``benchmarks/results/silicon_bias.json``.
"""

import argparse
import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from lmu_analog.building import build
from lmu_analog.circuits.devices.pdk import find_pdk
from lmu_analog.design import Design
from lmu_analog.silicon.bias import GENERATORS, Generator
from lmu_analog.silicon.designing import designed, sizing_for
from lmu_analog.silicon.draws import deviations, spread
from lmu_analog.silicon.ensemble import (
    errors,
    fitted_theta,
    nominal_chip,
    settle,
    window_errors,
    with_ngspice,
)
from lmu_analog.silicon.samples import Bench, Conditions
from lmu_analog.spice.worker import Worker

TARGET = Path(__file__).parent / "results" / "silicon_bias.json"
ORDER, THETA, TURNS, AMPLITUDE = 3, 1e-4, 0.3, 0.2
# At 125 C constant transconductance takes 36 % more current: what holds the common voltage must carry it.
TRIODE = 0.8
BITS, SPAN = (4, 5, 6, 8), (0.65, 1.5)
TEMPERATURES = (-40.0, 0.0, 27.0, 85.0, 125.0)
CONDITIONS = [
    *(Conditions(temperature=t) for t in TEMPERATURES),
    *(Conditions(corner=c) for c in ("ff", "ss", "fs", "sf")),
    *(Conditions(supply=s) for s in (0.9, 1.1)),
    *(Conditions(resistor=r) for r in ("ff", "ss")),
    Conditions("ss", "ss", 125.0, 0.9, "ss"),
    Conditions("ff", "ff", -40.0, 1.1, "ff"),
]
BIASES: dict[str, Generator | None] = {
    "ideal current": None,
    "generator": GENERATORS["constant-gm"],
    "generator, resistor outside": replace(GENERATORS["constant-gm"], resistor=""),
}


def drawn(generator: Generator | None, worker: Worker) -> Bench:
    """Draw the memory with one bias."""
    frequency = TURNS / THETA * np.arange(1, 11) / 10.0
    sizing = sizing_for("ladder", ORDER, THETA, bandwidth=TURNS / THETA, amplitude=AMPLITUDE, supply=3.3)
    circuit = build(
        Design(order=ORDER, theta=THETA, family="gm-c", realization="ladder", bandwidth=TURNS / THETA)
    )
    sizing = replace(sizing, triode_ratio=TRIODE)
    kit = find_pdk("gf180mcu")
    return designed(circuit, kit, frequency, sizing=sizing, generator=generator, worker=worker)


def at_conditions(bench: Bench) -> list[dict[str, object]]:
    """Measure the nominal chip of each corner at each condition."""
    rows: list[dict[str, object]] = []
    one, chip = np.ones(1), nominal_chip(bench)
    for at in CONDITIONS:
        with Worker() as worker:
            there = settle(replace(bench, conditions=at), worker)
            cool = settle(
                replace(bench, conditions=replace(at, temperature=27.0, supply=1.0)),
                worker,
            )
            trimmed = errors(with_ngspice(cool, worker), chip, cool, nominal_sample=chip)
            measure = with_ngspice(there, worker)
            built, after = measure(chip, one), measure(chip, trimmed.trim)
        found = {"built": built, "trimmed": after}
        row: dict[str, Any] = asdict(at) | {"trim": float(trimmed.trim[0])}
        for name, x in found.items():
            theta = float(fitted_theta(x.states, bench.frequency, THETA)[0])
            row |= {
                name: float(window_errors(x.states, bench.frequency, THETA)[0]),
                f"{name}_theta": theta / THETA,
                f"{name}_fitted": float(window_errors(x.states, bench.frequency, theta)[0]),
            }
        rows.append(row)
        print(json.dumps(row), flush=True)
    return rows


def stepped(trim: np.ndarray, bits: int) -> np.ndarray:
    """Give the nearest of the factors that a trim of some bits has: equal steps of the resistor's value."""
    low, high = 1.0 / SPAN[1], 1.0 / SPAN[0]
    step = (high - low) / (2**bits - 1)
    return 1.0 / (low + step * np.clip(np.round((1.0 / trim - low) / step), 0, 2**bits - 1))


def chips(bench: Bench, count: int, seed: int) -> dict[str, object]:
    """Trim many chips at 27 C and take them through temperatures."""
    sample = deviations(
        bench.circuit, spread(bench.circuit, bench.installed.pdk), seed=seed, samples=range(count)
    )
    first = errors(with_ngspice(bench), sample, bench, nominal_sample=nominal_chip(bench))

    def row(states: np.ndarray) -> dict[str, float]:
        nrmse = window_errors(states, bench.frequency, THETA)
        theta = fitted_theta(states, bench.frequency, THETA) / THETA
        good = np.isfinite(nrmse)
        return {
            "median": float(np.median(nrmse[good])),
            "p95": float(np.quantile(nrmse[good], 0.95)),
            "theta_mean": float(theta[good].mean()),
            "theta_sigma": float(theta[good].std()),
        }

    found: dict[str, object] = {
        "chips": count,
        "built": row(first.before.states),
        "trimmed": row(first.after.states),
        "trim": [float(x) for x in np.quantile(first.trim, [0.0, 0.05, 0.5, 0.95, 1.0])],
        "lost": int((first.after.rung < 0).sum()),
    }
    for bits in BITS:
        after = with_ngspice(bench)(sample, stepped(first.trim, bits))
        found[f"trimmed_{bits}_bits"] = row(after.states)
    for t in (-40.0, 125.0):
        with Worker() as worker:
            there = settle(replace(bench, conditions=Conditions(temperature=t)), worker)
        found[f"trimmed_at_{t:g}"] = row(with_ngspice(there)(sample, first.trim).states)
    print(json.dumps(found), flush=True)
    return found


def main() -> None:
    """Run and store."""
    reader = argparse.ArgumentParser()
    reader.add_argument("--chips", type=int, default=100)
    reader.add_argument("--seed", type=int, default=0)
    reader.add_argument("--bias", nargs="*", choices=list(BIASES), default=list(BIASES))
    asked = reader.parse_args()
    content: dict[str, Any] = {"seed": asked.seed, "order": ORDER, "theta": THETA, "span": SPAN}
    if TARGET.exists():  # what is not asked for stays
        content = json.loads(TARGET.read_text("utf-8")) | content
    for name in asked.bias:
        generator = BIASES[name]
        with Worker() as worker:
            bench = drawn(generator, worker)
            nominal = with_ngspice(bench, worker)(nominal_chip(bench), np.ones(1))
        circuit = bench.circuit
        content[name] = {
            "transistors": len(circuit.transistors),
            "area_um2": 1e12 * sum(x.area for x in circuit.devices),
            "bias_area_um2": 1e12 * sum(x.area for x in circuit.devices if x.name.startswith("B.")),
            "power_uw": 1e6 * float(nominal.current[0]) * circuit.source(circuit.supply).value,
            "resistor": [asdict(x) for x in circuit.resistors],
            "conditions": at_conditions(bench),
        }
        TARGET.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
        if "outside" not in name:
            content[name] |= {"chips": chips(bench, asked.chips, asked.seed)}
            TARGET.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
