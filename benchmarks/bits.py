"""Bits of the results under several kernels of OpenBLAS, and in several splits of the work.

    python benchmarks/bits.py [--kernels SkylakeX Haswell ...]

OpenBLAS takes other kernels on other processors, and each rounds in its own way. Under every kernel that runs here
(OPENBLAS_CORETYPE, in a process of its own, the kernel read back with threadpoolctl), samples 0 to 11 are computed
once and then again as parts of other runs: 3 samples extended to 12 in a store, one by one, by two processes, within
5000 (640 and 200 of the nonlinear engine), and by ``simulate --sample``. Prints how many bytes differ, which
is to be none, and between kernels the largest relative difference of window errors, of every sample's profile, and of
numbers in decks, whose lines are to be the same; writes benchmarks/results/bits.json.
"""

import argparse
import json
import os
import pickle
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402
from threadpoolctl import threadpool_info  # noqa: E402

from lmu_analog.circuits.families.registry import FAMILIES  # noqa: E402
from lmu_analog.design import Design  # noqa: E402
from lmu_analog.ensembles import montecarlo, nonlinear  # noqa: E402
from lmu_analog.ensembles.exact import exact_chunk  # noqa: E402
from lmu_analog.ensembles.montecarlo import monte_carlo  # noqa: E402
from lmu_analog.ensembles.nonlinear import nonlinear_chunk  # noqa: E402
from lmu_analog.output.decks import deck_text  # noqa: E402
from lmu_analog.output.jobs import simulate_one  # noqa: E402

KERNELS = ("Prescott", "Nehalem", "Sandybridge", "Haswell", "Zen", "SkylakeX", "Cooperlake", "Sapphirerapids")
SEED, WANTED, FEW = 0, 12, 3
SINGLE = (0, 4, 11)  # samples that are also computed alone
ORDERS = (1, 3, 6)  # of the decks
OPAMP = {"gain": "100 dB", "gbw": "10 MHz"}
MISMATCH = {"resistor": "3 %", "capacitor": "3 %", "opamp": "3 %"}
OFFSETS = {**OPAMP, "slew": "0.1 V/us", "offset_max": "3 mV", "output_resistance": "100 Ohm"}
NONLINEAR = Design(
    order=2, theta="1 ms", opamp=OPAMP, headroom="60 %", mismatch=MISMATCH, realization="legendre"
)
NEAR = Design(order=3, theta="1 ms", opamp=OFFSETS, headroom="10 %", mismatch=MISMATCH)
LINEAR = Design(order=6, theta="1 ms", opamp="OPA2192", mismatch=MISMATCH)
CLOCKED = Design(
    order=6, theta="1 ms", family="switched-capacitor", clock="100 kHz", mismatch={"capacitor": "1 %"}
)
# Engine, design, and how many samples the long run has.
CASES: dict[str, tuple[str, Design, int]] = {
    "exact, per frequency": ("exact", LINEAR, 5000),
    "exact, state space": ("exact", CLOCKED, 5000),
    "exact, recording": ("exact", LINEAR.replace(signal="step"), 5000),
    "nonlinear, tones": ("nonlinear", NEAR, 640),
    "nonlinear, recording": ("nonlinear", NONLINEAR.replace(signal="step"), 200),
}
ALONE = ("one by one", "simulate --sample")
NUMBER = r"(?<![A-Za-z_0-9])-?\d+\.?\d*(?:e[+-]?\d+)?"


def splits(engine: Any, design: Design, most: int) -> Iterator[tuple[str, Callable[[], list[np.ndarray]]]]:
    """Give ways to come by the first samples: their profiles, and their window errors or none."""

    def run(samples: int, **options: Any) -> list[np.ndarray]:
        found = monte_carlo(design, samples, SEED, engine=engine, **options)
        return [found.profile.values[:WANTED], found.window_nrmse.values[:WANTED]]

    def extended() -> list[np.ndarray]:
        with tempfile.TemporaryDirectory() as folder:
            store = Path(folder, "run.zarr")
            run(FEW, store=store, workers=1)
            return run(WANTED, store=store, workers=1, resumed=True)

    def one_by_one() -> list[np.ndarray]:
        chunk, found = (exact_chunk if engine == "exact" else nonlinear_chunk), []
        for k in SINGLE:
            forget()
            found.append(chunk(design, SEED, range(k, k + 1)))
        return [np.concatenate([f.profile for f in found]), np.concatenate([f.window_nrmse for f in found])]

    def simulated() -> list[np.ndarray]:
        found = [simulate_one(design, "exact", sample=k, seed=SEED) for k in SINGLE]
        return [np.stack([f.profile.values for f in found]), np.array([float(f.window_nrmse) for f in found])]

    yield f"{WANTED}", lambda: run(WANTED, workers=1)
    yield f"{FEW} extended", extended
    yield "one by one", one_by_one
    yield f"{most}", lambda: run(most, workers=1)
    yield f"{most}, 2 processes", lambda: run(most, workers=2)
    if engine == "exact":
        yield "simulate --sample", simulated


def forget() -> None:
    """Forget the blocks that the nonlinear engine remembers."""
    nonlinear._block.cache_clear()
    nonlinear._linear_block.cache_clear()


def child(path: Path) -> None:
    """Compute everything under the kernel that this process has."""
    montecarlo.POOL_WORTH = 0.0  # with two workers, the second block already goes to processes
    kernel = {i["architecture"] for i in threadpool_info() if i["internal_api"] == "openblas"}
    content: dict[str, Any] = {"kernel": sorted(kernel), "numpy": np.__version__, "cases": {}}
    for name, (engine, design, most) in CASES.items():
        start, found = time.perf_counter(), {}
        for split, compute in splits(engine, design, most):
            forget()
            found[split] = compute()
        content["cases"][name] = found | {"seconds": time.perf_counter() - start}
    content["decks"] = {
        f"{family} {realization} {order}": deck_text(
            Design(order=order, theta="1 ms", family=family, realization=realization)
        )
        for family, table in FAMILIES.items()
        for realization in table.realizations
        for order in ORDERS
    }
    path.write_bytes(pickle.dumps(content))


def under(kernel: str) -> dict[str, Any] | None:
    """Run a child under a kernel; None where this processor does not run it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "found.pickle")
        command = [sys.executable, str(Path(__file__).resolve()), "--child", str(path)]
        done = subprocess.run(command, env={**os.environ, "OPENBLAS_CORETYPE": kernel}, check=False)
        return pickle.loads(path.read_bytes()) if done.returncode == 0 else None


def bits(x: np.ndarray) -> np.ndarray:
    return np.frombuffer(x.tobytes(), np.uint8)


def differing(a: list[np.ndarray], b: list[np.ndarray]) -> int:
    """Count the bytes that differ."""
    return sum(int(np.count_nonzero(bits(x) != bits(y))) for x, y in zip(a, b, strict=True))


def relative(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.max(np.abs(a - b) / np.maximum(np.abs(a), np.abs(b)), initial=0.0))


def decks_apart(a: dict[str, str], b: dict[str, str]) -> tuple[int, float]:
    """Count the decks with other words, and give the largest relative difference of numbers in the others."""
    other, largest = 0, 0.0
    for name in a:
        words = [re.sub(NUMBER, "#", deck[name]) for deck in (a, b)]
        if words[0] != words[1]:
            other += 1
            continue
        one, two = (np.array([float(n) for n in re.findall(NUMBER, deck[name])]) for deck in (a, b))
        apart = one != two
        largest = max(largest, relative(one[apart], two[apart]))
    return other, largest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kernels", nargs="+", default=list(KERNELS))
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child is not None:
        child(given.child)
        return
    rows, first = [], None
    for wanted in given.kernels:
        found = under(wanted)
        if found is None:
            print(f"{wanted:15s} does not run here", flush=True)
            rows.append({"wanted": wanted, "runs": False})
            continue
        first = first or found
        row: dict[str, Any] = {"wanted": wanted, "runs": True, "kernel": found["kernel"], "cases": {}}
        print(f"{wanted:15s} kernel {', '.join(found['kernel'])}", flush=True)
        for name, case in found["cases"].items():
            whole = case[f"{WANTED}"]
            alone = [x[list(SINGLE)] for x in whole]
            bytes_off = {
                split: differing(alone if split in ALONE else whole, found)
                for split, found in case.items()
                if split not in (f"{WANTED}", "seconds")
            }
            from_first = [
                relative(a, b) for a, b in zip(whole, first["cases"][name][f"{WANTED}"], strict=True)
            ]
            row["cases"][name] = {
                "differing_bytes": bytes_off,
                "bytes": sum(x.nbytes for x in whole),
                "seconds": case["seconds"],
                "profile_from_first_kernel": from_first[0],
                "window_nrmse_from_first_kernel": from_first[1],
            }
            said = ", ".join(f"{split}: {count}" for split, count in bytes_off.items())
            print(
                f"    {name:28s} bytes that differ: {said};  from first kernel {from_first[1]:.1e}",
                flush=True,
            )
        words, digits = decks_apart(first["decks"], found["decks"])
        row["decks"] = {
            "count": len(found["decks"]),
            "other_lines": words,
            "digits_from_first_kernel": digits,
        }
        print(
            f"    {len(found['decks'])} decks: {words} with other lines; numbers differ by {digits:.1e}",
            flush=True,
        )
        rows.append(row)
    content = {
        "seed": SEED,
        "samples_compared": WANTED,
        "machine": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "kernels": rows,
    }
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    (folder / "bits.json").write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
