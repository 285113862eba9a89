"""Kills at random moments: does every run that is killed and resumed end equal, byte for byte, to one that is not?

    python benchmarks/kills.py [--kills 50] [--seed 0]

Each trial starts `lmu-analog montecarlo`, kills it with SIGKILL after a random time, and resumes it on another
number of workers until it is complete; every file of the store is then compared with that of an uninterrupted
run. Prints a line a trial and writes benchmarks/results/kills.json.
"""

import argparse
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import zarr

DESIGN = """[memory]
order = {order}
theta = "1 ms"
[mismatch]
resistor = "2 %"
"""
RUNS = {  # engine: order and samples, about two seconds of work
    "exact": (12, 8_000),
    "ngspice": (2, 24),
}
NGSPICE_EVERY = 5  # trials
WORKERS = (1, 2, 3)
EARLY = 0.2  # of the kills strike between the command and its store, the others after that
TIMEOUT = 600.0  # s


def command(design: Path, store: Path, engine: str, workers: int, *, resume: bool) -> list[str]:
    samples = RUNS[engine][1]
    options = [
        "-n",
        str(samples),
        "--seed",
        "1",
        "--engine",
        engine,
        "--workers",
        str(workers),
        "-o",
        str(store),
    ]
    return [
        sys.executable,
        "-m",
        "lmu_analog.cli",
        "montecarlo",
        str(design),
        *options,
        *["--resume"] * resume,
    ]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def start(arguments: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def appeared(store: Path, process: subprocess.Popen[str]) -> float:
    """Wait until a store is there, or the process has ended; seconds waited."""
    begun = time.monotonic()
    while not store.exists() and process.poll() is None:
        time.sleep(0.002)
    return time.monotonic() - begun


def whole(design: Path, store: Path, engine: str) -> tuple[float, float]:
    """Run without a kill; seconds until the store is there, and from then to the end."""
    with start(command(design, store, engine, 1, resume=False)) as process:
        before, begun = appeared(store, process), time.monotonic()
        _, said = process.communicate()
    if process.returncode:
        raise RuntimeError(said)
    return before, time.monotonic() - begun


def killed(process: subprocess.Popen[str], after: float) -> bool:
    """Kill a process after some seconds; whether it was still at work then."""
    with process:
        time.sleep(after)
        struck = process.poll() is None
        process.kill()
        process.communicate()
    return struck


def finished(store: Path) -> int:
    """Count the samples that a store vouches for."""
    return int(np.count_nonzero(zarr.open_group(store, mode="r")["done"][:])) if store.exists() else 0


def trial(
    folder: Path, engine: str, chance: random.Random, spans: tuple[float, float]
) -> dict[str, object] | None:
    """Kill one run, resume it to the end, and say how it went; None where it was quicker than its kill."""
    design, store = folder / f"{engine}.toml", folder / "run.zarr"
    workers, early = chance.sample(WORKERS, 2), chance.random() < EARLY
    after = chance.uniform(0.0, spans[0] if early else spans[1])
    process = start(command(design, store, engine, workers[0], resume=False))
    if not early:
        appeared(store, process)
    if not killed(process, after):
        return None
    row = {
        "engine": engine,
        "workers": workers,
        "aimed": "at the start" if early else "after the store was there",
        "seconds": after,
        "store": store.exists(),
        "done": finished(store),
        "partial_files": len(list(folder.rglob("*.partial"))),
    }
    resumed = command(design, store, engine, workers[1], resume=store.exists())
    result = subprocess.run(resumed, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    equal = result.returncode == 0 and contents(store) == contents(folder / f"{engine}.zarr")
    known = {f"{e}{suffix}" for e in RUNS for suffix in (".toml", ".zarr")} | {store.name}
    left = sorted({path.name for path in folder.iterdir()} - known)
    return {**row, "equal": equal, "said": result.stderr.strip(), "left": left}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    chance, rows = random.Random(given.seed), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spans = {}
        for engine, (order, _) in RUNS.items():
            (folder / f"{engine}.toml").write_text(DESIGN.format(order=order))
            spans[engine] = whole(folder / f"{engine}.toml", folder / f"{engine}.zarr", engine)
        while len(rows) < given.kills:
            engine = "ngspice" if len(rows) % NGSPICE_EVERY == NGSPICE_EVERY - 1 else "exact"
            row = trial(folder, engine, chance, spans[engine])
            shutil.rmtree(folder / "run.zarr", ignore_errors=True)
            if row is None:
                spans[engine] = (
                    0.8 * spans[engine][0],
                    0.8 * spans[engine][1],
                )  # the machine has become quicker
                continue
            rows.append(row)
            print(
                f"{len(rows):3d} {engine:8s} killed {row['seconds']:5.2f} s {row['aimed']}, {row['done']} done, "
                f"workers {row['workers']}: {'equal' if row['equal'] else 'DIFFERENT'} {row['said']}",
                flush=True,
            )
    summary(rows, given.seed)


def summary(rows: list[dict[str, object]], seed: int) -> None:
    stages = Counter(
        "before the store" if not r["store"] else "no sample yet" if not r["done"] else "in mid-run"
        for r in rows
    )
    equal = sum(bool(r["equal"]) for r in rows)
    print(f"{equal} of {len(rows)} equal to the byte; killed {dict(stages)}")
    machine = {"python": platform.python_version(), "numpy": np.__version__, "machine": platform.machine()}
    content = {"seed": seed, "kills": len(rows), "equal": equal, "stages": stages, **machine, "rows": rows}
    path = Path(__file__).parent / "results" / "kills.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
    main()
