"""The bytes of the two players, over all linear families and orders: how many differ.

    python -m benchmarks.players [--orders 24] [--samples 2048]

From a seed to profile, window NRMSE and status: native (every instruction set that runs here) beside NumPy, and NumPy
with its processor features and the C library's switched off, in a process of its own. Dense realizations are played in
NumPy up to order 12. Prints a line a realization and writes benchmarks/results/players.json.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402

from lmu_analog.building import build  # noqa: E402
from lmu_analog.circuits.circuit import small_signal_values  # noqa: E402
from lmu_analog.circuits.families.registry import FAMILIES  # noqa: E402
from lmu_analog.design import Design  # noqa: E402
from lmu_analog.engine import compiling, interpreter, native  # noqa: E402
from lmu_analog.engine.frequency import PerFrequency  # noqa: E402
from lmu_analog.engine.plan import plan_frequencies  # noqa: E402
from lmu_analog.errors import LmuAnalogError  # noqa: E402
from lmu_analog.mismatch.law import Mismatch, draw, law_steps, moved, sample  # noqa: E402

DENSE = ("legendre", "orthonormal", "balanced")
LARGEST_DENSE = 12
LAW = {
    "resistor": {"tolerance": "1 %", "lot": "2 %"},
    "capacitor": {"tolerance": "2 %", "distribution": "lognormal"},
    "inductor": {"tolerance": "2 %", "distribution": "uniform"},
    "transconductor": {"tolerance": "2 %", "distribution": "gauss", "lot": "3 %"},
    "tau": "1 %",
    "opamp": "10 %",
}
FOLDER = Path(__file__).parent / "results"
PAIRS = [(name, r) for name, f in FAMILIES.items() for r in f.realizations if f.model != "sampled"]


def designs(orders: int) -> list[tuple[str, int, Design]]:
    found = []
    for family, realization in PAIRS:
        for order in range(1, orders + 1):
            if realization in DENSE and order > LARGEST_DENSE:
                continue
            given = {"family": family, "realization": realization, "opamp": "OPA2192", "mismatch": LAW}
            try:
                design = Design(order=order, theta="10 ms", **given)
                build(design)
            except LmuAnalogError:
                continue  # the family has no circuit of this order
            found.append((f"{family} {realization}", order, design))
    return found


def played(design: Design, samples: int) -> tuple[Any, Any, np.ndarray] | None:
    """Prepare a design: its engine's job, its law, and the values of its samples as NumPy draws them."""
    circuit, law = build(design), Mismatch.of(design)
    values = sample(circuit, law, draw(circuit, law, seed=1, samples=range(samples)))
    inner = circuit.small_signal or circuit
    try:
        plan = plan_frequencies(inner, design.stimulus.frequency)
    except LmuAnalogError:
        return None
    reached = (
        moved(circuit, law)
        if circuit.small_signal is None
        else small_signal_values(circuit, moved(circuit, law))
    )
    engine = PerFrequency.of(plan, reached != inner.values, design.stimulus, play=interpreter.play)
    return engine, law_steps(circuit, law), values


def outcome(engine: PerFrequency, values: np.ndarray) -> bytes:
    with np.errstate(all="ignore"):
        found = engine.run(values)
    return found.profile.tobytes() + found.stable.tobytes() + found.certain.tobytes()


def differing(a: bytes, b: bytes) -> int:
    return int((np.frombuffer(a, np.uint8) != np.frombuffer(b, np.uint8)).sum()) + abs(len(a) - len(b))


def hashes(orders: int, samples: int) -> dict[str, str]:
    """Give the digest of what the NumPy player finds, design by design."""
    found = {}
    for name, order, design in designs(orders):
        if (prepared := played(design, samples)) is not None:
            engine, _, values = prepared
            linear = (
                values if build(design).small_signal is None else small_signal_values(build(design), values)
            )
            found[f"{name} {order}"] = hashlib.sha256(outcome(engine, linear)).hexdigest()
    return found


def without_features(orders: int, samples: int) -> dict[str, str]:
    """The same in a process whose NumPy and C library use no wide registers."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    features = " ".join(name for name in __cpu_dispatch__ if __cpu_features__.get(name))
    plain = {"NPY_DISABLE_CPU_FEATURES": features, "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F"}
    script = (
        f"import json; from benchmarks.players import hashes; print(json.dumps(hashes({orders}, {samples})))"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=os.environ | plain, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--orders", type=int, default=24)
    parser.add_argument("--samples", type=int, default=2048)
    given = parser.parse_args()
    sets = compiling.variants()[: compiling.variants().index(native.instruction_set()) + 1]
    rows: dict[str, dict[str, Any]] = {}
    mine: dict[str, str] = {}
    for name, order, design in designs(given.orders):
        row = rows.setdefault(name, {"orders": [], "bytes": 0, "drawn": 0, **dict.fromkeys(sets, 0)})
        if (prepared := played(design, given.samples)) is None:
            row.setdefault("no plan", []).append(order)
            continue
        engine, law, values = prepared
        circuit = build(design)
        drawn = native.draw(law, seed=1, samples=range(given.samples))
        row["drawn"] += differing(drawn.T.tobytes(), values.tobytes())
        linear = values if circuit.small_signal is None else small_signal_values(circuit, values)
        wanted = outcome(engine, linear)
        mine[f"{name} {order}"] = hashlib.sha256(wanted).hexdigest()
        row["orders"].append(order)
        row["bytes"] += len(wanted)
        for variant in sets:

            def play(job: Any, given: np.ndarray, watched: int, chosen: str = variant) -> Any:
                return native.play(job, given, watched, variant=chosen)

            other = PerFrequency(engine.plan, engine.job, engine.unit, play)
            row[variant] += differing(wanted, outcome(other, linear))
    plain = without_features(given.orders, given.samples)
    apart = sorted(key for key in mine if plain.get(key) != mine[key])
    for name, row in rows.items():
        print(f"{name}: {row}")
    print(f"with processor features off: {len(mine)} designs, other bytes in {len(apart)} {apart}")
    FOLDER.mkdir(exist_ok=True)
    content = {
        "samples": given.samples,
        "rows": rows,
        "without_features": {"designs": len(mine), "differing": apart},
    }
    (FOLDER / "players.json").write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
