"""Taps of every circuit family: ngspice at their nets against the exact engine, ensembles against first-order theory.

    python benchmarks/taps.py [--families NAME ...] [--orders 3 6 12] [--samples 2000] [--ensemble-order 6]

For every family with taps, realization and order: the largest difference at the nets of three taps and of a weighted
sum, over the largest amplitude there, in ngspice's .ac of continuous circuits. Of sampled ones in the steady state of
one tone of 0.6 of the band in ngspice's transient, over all instants of a period, each tap when phase 1 ends; and, at
the lowest order, the same with op-amps of finite gain and as slow as 20 bits of settling allow. For ensembles: p95 over
the theory's, and the rms of what mismatch adds over the theory's. Rows that benchmarks/results/taps.json has of other
families stay. Writes it after every row.
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
from lmu_analog.circuits.circuit import Circuit, reading_taps  # noqa: E402
from lmu_analog.circuits.families.registry import FAMILIES  # noqa: E402
from lmu_analog.circuits.nodal.extract import extract  # noqa: E402
from lmu_analog.circuits.nodal.settling import settling_gbw  # noqa: E402
from lmu_analog.design import Design  # noqa: E402
from lmu_analog.ensembles.exact import tap_errors  # noqa: E402
from lmu_analog.ensembles.montecarlo import monte_carlo  # noqa: E402
from lmu_analog.ensembles.taps import tap_spreads  # noqa: E402
from lmu_analog.memory.sampled import steady_response  # noqa: E402
from lmu_analog.memory.statespace import frequency_response  # noqa: E402
from lmu_analog.simulation import settling  # noqa: E402
from lmu_analog.spice import ngspice  # noqa: E402
from lmu_analog.spice.deck import Sweep, deck, transient, vector  # noqa: E402
from lmu_analog.stimulus import Tones  # noqa: E402
from lmu_analog.theory.first_order import first_order_of_taps  # noqa: E402
from lmu_analog.theory.quadratic import nrmse_quantiles  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "taps.json"
THETA, AMPLITUDE, SHARE = 20e-3, 0.4, 0.6  # s; V and share of the band of a sampled circuit's tone
LOOP_GAIN = "120 dB"
CLASSES = ("resistor", "capacitor", "inductor", "transconductor", "tau")


def design_of(family: str, realization: str, order: int, **more: Any) -> Design:
    """Give a design with three taps, one with a gain, and a weighted sum."""
    weights = (np.linspace(1.0, -1.0, order) if order > 1 else np.ones(1)).tolist()
    return Design(
        order=order,
        theta=THETA,
        family=family,
        realization=realization,
        taps=[0.5, 1.0, {"r": 0.25, "gain": 2.0}],
        outputs=[{"weights": weights}],
        **more,
    )


def waves(circuit: Circuit, vectors: dict[str, np.ndarray]) -> np.ndarray:
    """Give what ngspice has at the nets of the taps, over their gain, (t or f, taps)."""
    probes = reading_taps(circuit).probes[circuit.order :]
    return np.stack([sum(t.factor * vectors[vector(t)] for t in probe) for probe in probes], axis=-1)


def continuous(design: Design) -> float:
    """Largest difference of ngspice's .ac from the exact response, over the largest."""
    circuit = build(design)
    sweep = Sweep(20, design.bandwidth / 20, design.bandwidth)
    vectors = ngspice.run(deck(circuit, sweep), sweep)
    exact = frequency_response(extract(reading_taps(circuit)), vectors["frequency"].real)[:, design.order :]
    return float(np.abs(waves(circuit, vectors) - exact).max() / np.abs(exact).max())


def sampled(design: Design) -> float:
    """Largest difference of ngspice's transient from the exact steady state of a tone, over its largest amplitude."""
    circuit = build(design)
    clock = circuit.clock or 1.0
    tones = design.stimulus
    assert isinstance(tones, Tones)
    settle = settling(extract(circuit), design.theta)
    analysis = transient(circuit, tones, settle=settle)
    vectors = ngspice.run(deck(circuit, analysis, tones), analysis)
    last = int(analysis.stop * clock) - 1
    ticks = np.arange(last - int(np.ceil(tones.period * clock)), last) / clock
    found = np.stack(
        [np.interp(ticks + 0.5 / clock, vectors["time"], w) for w in waves(circuit, vectors).T], axis=-1
    )
    system = extract(reading_taps(circuit))
    phasor = (steady_response(system, tones.frequency) * tones.phasor[:, None])[:, design.order :]
    exact = np.real(np.exp(2j * np.pi * ticks[:, None] * tones.frequency) @ phasor)
    if system.offset is not None:
        exact = exact + system.offset[design.order :]
    return float(np.abs(found - exact).max() / np.abs(phasor).max())


def compared(design: Design, **more: Any) -> dict[str, Any]:
    """Run one circuit in ngspice."""
    is_sampled = FAMILIES[design.family].model == "sampled"
    if is_sampled:
        design = design.replace(tones=[[SHARE * design.bandwidth, AMPLITUDE, 0.0]])
    start = time.perf_counter()
    apart = (sampled if is_sampled else continuous)(design)
    return {
        "family": design.family,
        "realization": design.realization,
        "order": design.order,
        "analysis": "transient" if is_sampled else "ac",
        "apart": apart,
        "seconds": time.perf_counter() - start,
        **more,
    }


def settled(design: Design) -> dict[str, Any]:
    """Run a sampled circuit with op-amps of finite gain, as slow as its settling allows."""
    gbw = settling_gbw(build(design))
    figures = {"gain": LOOP_GAIN, "gbw": gbw, "rail": "1000 V"}
    return compared(design.replace(opamp=figures), opamp={"gain": LOOP_GAIN, "gbw": gbw})


def ensemble(design: Design, samples: int) -> dict[str, Any]:
    """Compare an ensemble with theory."""
    law = {name: {"tolerance": "1 %", "distribution": "gauss"} for name in CLASSES}
    design = design.replace(mismatch=law)
    spreads = tap_spreads(monte_carlo(design, samples, workers=1), design)
    errors = tap_errors(design, 0, range(samples))
    p95 = [nrmse_quantiles(theory, (0.95,))[0] for theory in first_order_of_taps(design)]
    return {
        "family": design.family,
        "realization": design.realization,
        "order": design.order,
        "samples": samples,
        "p95_over_theory": (np.quantile(errors, 0.95, axis=0) / p95).tolist(),
        "added_over_theory": [spread.theory.ratio for spread in spreads if spread.theory is not None],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    able = [name for name, family in FAMILIES.items() if family.has_taps]
    parser.add_argument("--families", nargs="+", choices=able, default=able)
    parser.add_argument("--orders", type=int, nargs="+", default=[3, 6, 12])
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--ensemble-order", type=int, default=6)
    given = parser.parse_args()
    before = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    kept = {
        key: [row for row in before.get(key, []) if row["family"] not in given.families]
        for key in ("ngspice", "ensembles")
    }

    def store(key: str, row: dict[str, Any]) -> None:
        kept[key].append(row)
        figures = (
            f"{row['analysis']:10s}{row['apart']:.2e}  {row['seconds']:.1f} s  {row.get('opamp', '')}"
            if key == "ngspice"
            else "p95 " + " ".join(f"{ratio:.3f}" for ratio in row["p95_over_theory"])
        )
        print(f"{row['family']:24s}{row['realization']:22s}{row['order']:3d}  {figures}", flush=True)
        content = {"python": platform.python_version(), "numpy": np.__version__, **kept}
        RESULTS.write_text(json.dumps(content, indent=1) + "\n")

    for family in given.families:
        for realization in FAMILIES[family].realizations:
            store("ensembles", ensemble(design_of(family, realization, given.ensemble_order), given.samples))
            for order in given.orders:
                store("ngspice", compared(design_of(family, realization, order)))
            if FAMILIES[family].model == "sampled":
                store("ngspice", settled(design_of(family, realization, min(given.orders))))


if __name__ == "__main__":
    main()
