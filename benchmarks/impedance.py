"""Whether default designs have values that one can buy, over windows, orders and realizations.

    python benchmarks/impedance.py [--designs 60]

For each of the designs (theta 10 us to 10 s and orders 3 to 20 spread evenly, all six realizations of active-rc in
turn): how many values and loads are beyond the limits of a board with 1 nF throughout, the default of earlier
versions, and at the level that is chosen now; and whether any choice keeps them, by an exhaustive search that shares
no code with the one that chooses: every capacitor from E12 for every integrator, every resistor from E12 for every
summer and inverter, by Kirchhoff's current law on the components alone. Where none does, what the warning proposes is
built and searched, too. Noise is that of all resistors at the window in the signal band, over the truncation error;
op-amps are ideal. Writes benchmarks/results/impedance.json.
"""

import argparse
import json
import os
import platform
import re
import time
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402

from lmu_analog.advice import advice, value_warnings  # noqa: E402
from lmu_analog.analysis.noise import noise  # noqa: E402
from lmu_analog.building import build  # noqa: E402
from lmu_analog.circuits.circuit import Circuit  # noqa: E402
from lmu_analog.circuits.components import Capacitor, OpAmp, Resistor  # noqa: E402
from lmu_analog.design import Design  # noqa: E402
from lmu_analog.memory.legendre import truncation_error  # noqa: E402

REALIZATIONS = ("cap-feedforward", "legendre", "orthonormal", "balanced", "ladder", "bus-ladder")
E12 = (1.0, 1.2, 1.5, 1.8, 2.2, 2.7, 3.3, 3.9, 4.7, 5.6, 6.8, 8.2)
OHMS, FARADS, LEAST_LOAD, SLACK = (1e3, 1e6), (10e-12, 1e-6), 2e3, 1.0 + 1e-9


def designs(count: int) -> list[Design]:
    """Spread the window evenly over its decades, and orders by a golden ratio beside it."""
    made = []
    for k in range(count):
        theta = float(f"{10.0 ** (-5.0 + 6.0 * (k + 0.5) / count):.2g}")
        order = 3 + int(18 * ((k * 0.6180339887) % 1.0))
        made.append(Design(order=order, theta=theta, realization=REALIZATIONS[k % 6]))
    return made


def loads(circuit: Circuit) -> dict[str, float]:
    """Ohms at every op-amp's output, all resistors taken to ground."""
    siemens = {c.out: 0.0 for c in circuit.only(OpAmp)}
    for c in circuit.only(Resistor):
        for net in (c.a, c.b):
            if net in siemens:
                siemens[net] += 1.0 / c.value
    return {net: 1.0 / g for net, g in siemens.items() if g}


def beyond(circuit: Circuit) -> dict[str, int]:
    """Count what is out of limits."""
    outside = {
        name: sum(not low / SLACK <= c.value <= high * SLACK for c in circuit.only(kind))
        for name, kind, (low, high) in (("resistors", Resistor, OHMS), ("capacitors", Capacitor, FARADS))
    }
    return {**outside, "loads": sum(r * SLACK < LEAST_LOAD for r in loads(circuit).values())}


def some_choice_keeps(circuit: Circuit) -> bool:
    """Search all levels of all inputs of op-amps: the largest resistors that keep limits load outputs least."""
    virtual = {net for c in circuit.only(OpAmp) for net in (c.plus, c.minus)} - {"0"}
    siemens = {c.out: 0.0 for c in circuit.only(OpAmp)}
    for net in virtual:
        r = [c for c in circuit.only(Resistor) if net in (c.a, c.b)]
        c = [c for c in circuit.only(Capacitor) if net in (c.a, c.b)]
        decades, first = (range(-11, -5), c[0].value) if c else (range(3, 7), r[0].value)
        most = None
        for value in (x * 10.0**k for k in decades for x in E12):
            factor = first / value if c else value / first
            fits = all(OHMS[0] / SLACK <= p.value * factor <= OHMS[1] * SLACK for p in r)
            if fits and all(FARADS[0] / SLACK <= p.value / factor <= FARADS[1] * SLACK for p in c):
                most = max(factor, most or 0.0)
        if most is None:
            return False
        for p in r:
            for end in (p.a, p.b):
                if end in siemens:
                    siemens[end] += 1.0 / (p.value * most)
    return all(g * LEAST_LOAD <= SLACK for g in siemens.values())


def proposed(design: Design, line: str) -> list[dict[str, object]]:
    """Build what a warning proposes, and say whether it keeps the limits."""
    found: list[dict[str, object]] = []
    for clause in line.partition("some: ")[2].split(" or "):
        pairs = re.findall(r'\[\w+\] (theta|order|realization) = "?([^"]*?)"?(?= with |$)', clause)
        changes = {key: int(value) if key == "order" else value for key, value in pairs}
        found.append({"changes": changes, "beyond": beyond(build(design.replace(**changes, bandwidth=None)))})
    return found


def measure(design: Design) -> dict[str, object]:
    start = time.perf_counter()
    chosen = build(design)
    seconds = time.perf_counter() - start
    before = build(design.replace(capacitance="1 nF"))
    exists = some_choice_keeps(before)
    values = sorted({c.value for c in chosen.only(Capacitor) if c.name.startswith("Cint_")})
    rms = design.full_scale / np.sqrt(2.0)
    row: dict[str, object] = {
        "realization": design.realization,
        "order": design.order,
        "theta": design.theta,
        "before": beyond(before),
        "after": beyond(chosen),
        "choice_exists": exists,
        "integrating_capacitors": values,
        "film": values[-1] > 10e-9,
        "noise_over_truncation": [
            float(np.sqrt(noise(design, circuit=c).attrs["band_v2"]) / rms)
            / truncation_error(design.order, design.bandwidth * design.theta)
            for c in (before, chosen)
        ],
        "seconds": seconds,
        "warnings": [line.partition(":")[0] for line in value_warnings(design, chosen)],
    }
    if not exists:
        line = advice(design) or ""
        row |= {"advice": line, "proposed": proposed(design, line) if "some: " in line else []}
    return row


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--designs", type=int, default=60)
    count = parser.parse_args().designs
    rows = []
    for design in designs(count):
        rows.append(row := measure(design))
        kept = {when: not any(row[when].values()) for when in ("before", "after")}
        print(
            f"{row['realization']:<16}{row['order']:>3}  {row['theta']:<8g} 1 nF {'in' if kept['before'] else 'out':<4}"
            f"chosen {'in' if kept['after'] else 'out':<4}some choice {'yes' if row['choice_exists'] else 'no'}"
        )
        row["kept"] = kept
    summary = {
        "designs": count,
        "kept_with_1_nF": sum(r["kept"]["before"] for r in rows),
        "kept_as_chosen": sum(r["kept"]["after"] for r in rows),
        "some_choice_exists": sum(r["choice_exists"] for r in rows),
        "missed": sum(r["choice_exists"] and not r["kept"]["after"] for r in rows),
        "without_choice_with_a_proposal": sum(bool(r.get("proposed")) for r in rows),
        "proposals_that_keep": sum(
            not any(p["beyond"].values()) for r in rows for p in r.get("proposed", [])
        ),
        "proposals": sum(len(r.get("proposed", [])) for r in rows),
        "largest_noise_over_truncation": [max(r["noise_over_truncation"][k] for r in rows) for k in (0, 1)],
        "largest_seconds": max(r["seconds"] for r in rows),
    }
    print(json.dumps(summary, indent=2))
    made = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "summary": summary,
        "rows": rows,
    }
    out = Path(__file__).parent / "results" / "impedance.json"
    out.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
