"""Every circuit family with every realization that it can implement, in both engines.

    python benchmarks/families.py [--orders 3 6 12] [--transistor-orders 3 6 12]

For each pair: parts; how far extraction is from the ideal memory (what sampling costs, for sampled circuits); how
far ngspice's .ac is, for linear parts; and the window NRMSE of the exact engine and of ngspice's transient, for
sampled and transistor-level circuits at --transistor-orders only. Writes benchmarks/results/families.json.
"""

import argparse
import json
import os
import platform
import time
from collections import Counter
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402

from lmu_analog.building import build  # noqa: E402
from lmu_analog.circuits.circuit import Circuit  # noqa: E402
from lmu_analog.circuits.families.registry import FAMILIES  # noqa: E402
from lmu_analog.circuits.nodal.extract import extract  # noqa: E402
from lmu_analog.design import Design  # noqa: E402
from lmu_analog.errors import LmuAnalogError  # noqa: E402
from lmu_analog.memory.legendre import legendre  # noqa: E402
from lmu_analog.memory.sampled import distance  # noqa: E402
from lmu_analog.memory.statespace import frequency_response  # noqa: E402
from lmu_analog.simulation import simulate  # noqa: E402
from lmu_analog.spice import ngspice  # noqa: E402
from lmu_analog.spice.deck import Sweep, deck, vector  # noqa: E402


def ac_error(circuit: Circuit, design: Design) -> float:
    """Largest difference of ngspice's .ac from the ideal memory over the band."""
    sweep = Sweep(20, design.bandwidth / 20, design.bandwidth)
    vectors = ngspice.run(deck(circuit, sweep), sweep)
    states = np.stack([sum(t.factor * vectors[vector(t)] for t in p) for p in circuit.probes], axis=-1)
    ideal = frequency_response(legendre(design.order, design.theta), vectors["frequency"].real)
    return float(np.abs(states - ideal).max())


def extraction_error(circuit: Circuit, design: Design) -> float:
    """Largest difference of the extracted response from the ideal memory's over the band; for sampled circuits
    the window error that sampling adds."""
    frequency = design.bandwidth * np.arange(1, 21) / 20
    system = extract(circuit)
    if system.dt is not None:
        return distance(system, design.theta, bandwidth=design.bandwidth)
    ideal = frequency_response(legendre(design.order, design.theta), frequency)
    return float(np.abs(frequency_response(system, frequency) - ideal).max())


def measure(design: Design, *, transient: bool) -> dict[str, object]:
    circuit = build(design)
    parts = Counter(type(c).__name__ for c in circuit.components)
    row: dict[str, object] = {
        "family": design.family,
        "realization": design.realization,
        "order": design.order,
        "parts": dict(sorted(parts.items())),
        "extraction": extraction_error(circuit, design),
        "exact_nrmse": float(simulate(design).window_nrmse),
    }
    if FAMILIES[design.family].model == "linear":
        row["ac"] = ac_error(circuit, design)
    if transient:
        start = time.perf_counter()
        row["ngspice_nrmse"] = float(simulate(design, engine="ngspice").window_nrmse)
        row["ngspice_seconds"] = time.perf_counter() - start
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--orders", type=int, nargs="+", default=[3, 6, 12])
    parser.add_argument("--transistor-orders", type=int, nargs="*", default=[3, 6, 12])
    given = parser.parse_args()
    rows = []
    for name, family in FAMILIES.items():
        for realization in family.realizations:
            for order in given.orders:
                design = Design(order=order, theta="1 ms", family=name, realization=realization)
                slow = family.model != "linear" and order not in given.transistor_orders
                try:
                    row = measure(design, transient=not slow)
                except LmuAnalogError as error:
                    row = {"family": name, "realization": realization, "order": order, "error": str(error)}
                rows.append(row)
                figures = "  ".join(
                    f"{key} {row[key]:.3g}"
                    for key in ("extraction", "ac", "exact_nrmse", "ngspice_nrmse", "ngspice_seconds")
                    if key in row
                )
                print(f"{name:24s}{realization:22s}{order:3d}  {figures}{row.get('error', '')}", flush=True)
    content = {"python": platform.python_version(), "numpy": np.__version__, "rows": rows}
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    (folder / "families.json").write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
