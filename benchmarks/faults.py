"""Planted faults in ngspice decks, and what `analyze` says of their recordings.

    python benchmarks/faults.py [--boards 20] [--only KIND] [--keep FOLDER]

Boards of 1 % parts (a mismatch sample each) of four designs, healthy or with one fault: a part that is wrong by
10 to 50 %, an open part, two parts exchanged. ngspice runs each, with rails, slew and two-pole op-amps; its states
are recorded as a logger would, with 14 bits, and read back from a table. Where outputs leave their linear range, the
board is recorded again at a tenth of the input, as the message says. A fault counts as found if it is among what is
named and no more than four things are; a healthy board must get no fault. Prints a line a board and writes
benchmarks/results/faults.json. ``--keep`` keeps recordings in a folder and uses them again.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402

from lmu_analog.analysis.faults import Diagnosis, diagnose  # noqa: E402
from lmu_analog.analysis.measurement import read_measurement  # noqa: E402
from lmu_analog.building import build  # noqa: E402
from lmu_analog.circuits.circuit import Circuit, with_values  # noqa: E402
from lmu_analog.circuits.components import Capacitor, Resistor  # noqa: E402
from lmu_analog.circuits.nodal.extract import extract  # noqa: E402
from lmu_analog.design import Design  # noqa: E402
from lmu_analog.ensembles.sampling import planned_circuit  # noqa: E402
from lmu_analog.errors import DesignError, SimulationError  # noqa: E402
from lmu_analog.simulation import ngspice_task, settling  # noqa: E402
from lmu_analog.spice import ngspice  # noqa: E402
from lmu_analog.stimulus import Tones  # noqa: E402

SEED = 2026
MOST_NAMED = 4
BITS = 14
RATE = 200  # samples a theta
KINDS = ("healthy", "value", "open", "swap")
PARTS = {"resistor": "1 %", "capacitor": "1 %"}
DESIGNS = [
    Design(
        order=order, theta="1 ms", bandwidth="500 Hz", opamp="OPA2192", capacitance="1 nF", realization=realization,
        family=family, mismatch=PARTS,
    )
    for order, realization, family in (
        (3, "cap-feedforward", "active-rc"),
        (4, "legendre", "active-rc"),
        (5, "cap-feedforward", "active-rc"),
        (3, "legendre", "active-rc-differential"),
    )
]  # fmt: skip


def plant(circuit: Circuit, nominal: Circuit, kind: str, draw: np.random.Generator) -> tuple[Circuit, dict]:
    """Plant a fault; say what it is."""
    at = {p.name: k for k, p in enumerate(circuit.parameters)}
    values = circuit.values.copy()
    parts = [c for c in nominal.components if isinstance(c, Resistor | Capacitor)]
    match kind:
        case "value":
            part = parts[draw.integers(len(parts))]
            factor = float(np.exp(draw.choice([-1.0, 1.0]) * draw.uniform(np.log(1.1), np.log(1.5))))
            values[at[part.name]] = factor * part.value
            return with_values(circuit, values), {"elements": [part.name], "factor": factor}
        case "open":
            part = parts[draw.integers(len(parts))]
            values[at[part.name]] *= 1e9 if isinstance(part, Resistor) else 1e-9
            return with_values(circuit, values), {"elements": [part.name], "factor": None}
        case "swap":
            pairs = [
                (a, b)
                for k, a in enumerate(parts)
                for b in parts[k + 1 :]
                if type(a) is type(b) and max(a.value, b.value) >= 1.1 * min(a.value, b.value)
            ]
            a, b = pairs[draw.integers(len(pairs))]
            values[[at[a.name], at[b.name]]] = values[[at[b.name], at[a.name]]]
            return with_values(circuit, values), {"elements": [a.name, b.name], "ratio": b.value / a.value}
        case _:
            return circuit, {"elements": []}


def record(circuit: Circuit, stimulus: Tones, settle: float, path: Path) -> None:
    """Let ngspice run a board, and write its states as a logger with 14 bits does."""
    analysis, text, _ = ngspice_task(circuit, stimulus, settle=settle)
    vectors = ngspice.run(text, analysis)
    time_ = np.arange(0.0, vectors["time"][-1], circuit.theta / RATE)
    columns = {name: np.interp(time_, vectors["time"], v) for name, v in vectors.items() if name != "time"}
    for name, volts in columns.items():
        step = 2.0 * np.abs(volts).max() / 2**BITS
        columns[name] = step * np.round(volts / step) if step else volts
    table = np.column_stack([time_, *columns.values()])
    np.savetxt(path, table, delimiter=",", header=",".join(["time", *columns]), comments="", fmt="%.9g")


def diagnosed(
    design: Design, board: Circuit, nominal: Circuit, base: Path
) -> tuple[Diagnosis | None, float, str]:
    """Record and diagnose; at a tenth of the input where outputs are beyond their linear range."""
    settle = settling(extract(nominal), design.theta)
    reason = ""
    for share in (1.0, 0.1):
        path = base.with_name(f"{base.name}-{share:g}.csv")
        tones = design.stimulus
        try:
            if not path.exists():
                record(board, Tones(tones.frequency, share * tones.cosine, share * tones.sine), settle, path)
            found = diagnose(design, read_measurement(path, nominal), circuit=nominal)
            if not found.explained:
                raise DesignError("no single fault explains it")
        except (DesignError, SimulationError) as error:
            reason = str(error)
            continue
        return found, share, ""
    return None, share, reason


def finite(value: object) -> object:
    """Give what JSON can hold: none for what is infinite or unknown."""
    return None if isinstance(value, float) and not np.isfinite(value) else value


def board_of(kind: str, k: int, folder: Path) -> dict[str, object]:
    """Make one board and diagnose it."""
    design = DESIGNS[k % len(DESIGNS)]
    nominal = build(design)
    draw = np.random.default_rng([SEED, KINDS.index(kind), k])
    healthy = planned_circuit(design, seed=SEED + KINDS.index(kind), index=k)
    board, planted = plant(healthy, nominal, kind, draw)
    start = time.perf_counter()
    found, share, reason = diagnosed(design, board, nominal, folder / f"{kind}-{k}")
    row: dict[str, object] = {"kind": kind, "board": k, "order": design.order, "family": design.family}
    row |= {"realization": design.realization, "planted": planted, "input": share, "reason": reason}
    named = [] if found is None else [asdict(f) for f in found.faults]
    wanted = tuple(planted["elements"])
    right = any(set(f["elements"]) == set(wanted) for f in named) and len(named) <= MOST_NAMED
    row["right"] = not named if kind == "healthy" else right
    row["named"] = [{key: finite(value) for key, value in f.items()} for f in named]
    if found is not None:
        row |= {key: finite(getattr(found, key)) for key in ("evidence", "ratio", "threshold", "misfit")}
    row["seconds"] = time.perf_counter() - start
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--boards", type=int, default=20)
    parser.add_argument("--only", choices=KINDS)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for kind in KINDS if given.only is None else (given.only,):
            for k in range(given.boards):
                row = board_of(kind, k, folder)
                rows.append(row)
                said = (
                    "; ".join(f"{f['kind']} {' '.join(f['elements'])}" for f in row["named"]) or row["reason"]
                )
                mark = "right" if row["right"] else "WRONG"
                print(
                    f"{kind:8s}{k:3d} {row['realization']} {row['order']}  {mark}  planted "
                    f"{row['planted']}  said: {said}  ratio {row.get('ratio') or 0.0:.4g}  {row['seconds']:.1f} s",
                    flush=True,
                )
    counts = {
        kind: {"boards": len(mine), "right": sum(bool(r["right"]) for r in mine)}
        for kind in KINDS
        if (mine := [r for r in rows if r["kind"] == kind])
    }
    sizes = [len(r["named"]) for r in rows if r["kind"] != "healthy" and r["right"]]
    print(counts, f"named on average {np.mean(sizes) if sizes else 0.0:.2f}")
    if given.only is None:
        machine = {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "machine": platform.machine(),
        }
        content = {
            "seed": SEED,
            **machine,
            "ngspice": ngspice.program()[1],
            "bits": BITS,
            "counts": counts,
            "rows": rows,
        }
        target = Path(__file__).parent / "results" / "faults.json"
        target.parent.mkdir(exist_ok=True)
        target.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
