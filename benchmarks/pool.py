"""How much of the cores' time the pool spends in ngspice, and whether its workers' memory stays flat.

    python benchmarks/pool.py [--orders 2 3 6 12] [--seconds 8] [--workers 2] [--runs 20000]

Prints a table and writes benchmarks/results/pool.json. For each order, turn by turn in one run: as many
processes as workers do nothing but run prepared decks, and the pool does the same samples. `efficiency` is the
pool's samples per second over theirs; `share` is the CPU time of their bare runs over all CPU time of the
pool, the parent's included. Then one worker does many runs of a short deck and says how large it is.
"""

import argparse
import importlib
import json
import os
import platform
import sys
import threading
import time
from pathlib import Path
from statistics import median

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parent))  # worker processes find this file as a module

import numpy as np  # noqa: E402

from lmu_analog.design import Design  # noqa: E402
from lmu_analog.ensembles.pool import processors, run_tasks  # noqa: E402
from lmu_analog.ensembles.simulated import ngspice_sample  # noqa: E402
from lmu_analog.mismatch.law import sample_circuit  # noqa: E402
from lmu_analog.simulation import extract, ngspice_task, settling  # noqa: E402
from lmu_analog.spice import ngspice  # noqa: E402
from lmu_analog.spice.worker import Worker  # noqa: E402

SEED = 0
TURNS = 5
DECKS = 8  # prepared ones, run in rotation
LOOKS = 10  # at the memory
OPAMP = {"gain": "120 dB", "gbw": "100 MHz", "rail": "1000 V"}


def prepared(design: Design) -> list[tuple]:
    """Give decks of the first samples with their analyses."""
    made = []
    for k in range(DECKS):
        circuit = sample_circuit(design, seed=SEED, index=k)
        analysis, text, _ = ngspice_task(
            circuit, design.stimulus, settle=settling(extract(circuit), design.theta)
        )
        made.append((text, analysis))
    return made


def bare(decks: list[tuple], runs: int) -> tuple[float, float]:
    """Run decks in this process and do nothing else; seconds by the clock and of the processor."""
    wall, processor = time.perf_counter(), time.process_time()
    for k in range(runs):
        ngspice.run_here(*decks[k % len(decks)])
    return time.perf_counter() - wall, time.process_time() - processor


def counted(design: Design, seed: int, index: int) -> tuple[int, float]:
    """Do a sample as the pool does; this process and its processor seconds so far."""
    ngspice_sample(design, seed, index)
    return os.getpid(), time.process_time()


def memory(decks: list[tuple], runs: int) -> float:
    """Run decks; resident memory of this process afterwards, MB."""
    bare(decks, runs)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def side_by_side(crew: list[Worker], tasks, decks: list[tuple], runs: int) -> tuple[float, float]:
    """Bare runs in all workers at once; runs per second of all, and processor seconds of one run."""
    took: list[tuple[float, float]] = []
    threads = [
        threading.Thread(target=lambda w=w: took.append(w.call(tasks.bare, (decks, runs), timeout=3600.0)))
        for w in crew
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(runs / wall for wall, _ in took), sum(processor for _, processor in took) / (runs * len(took))


def pooled(tasks, design: Design, workers: int, runs: int) -> tuple[float, float]:
    """The pool's samples per second once all workers are warm, and processor seconds of one sample."""
    spare = 4 * workers  # samples in which processes start, load ngspice and build the circuit
    jobs = [(design, SEED, k) for k in range(runs + spare)]
    used: dict[int, float] = {}
    clock, work = [], []
    for _, (process, processor) in run_tasks(tasks.counted, jobs, workers=workers, timeout=600.0):
        used[process] = processor
        clock.append(time.perf_counter())
        work.append(sum(used.values()) + time.process_time())
    return runs / (clock[-1] - clock[spare - 1]), (work[-1] - work[spare - 1]) / runs


def efficiency(tasks, order: int, workers: int, seconds: float) -> dict[str, float]:
    """Compare pool and bare runs of one order, turn by turn."""
    design = Design(
        order=order, theta="1 ms", realization="legendre", opamp=OPAMP, mismatch={"resistor": "1 %"}
    )
    decks = prepared(design)
    rates, shares = [], []
    crew = [Worker() for _ in range(workers)]
    try:
        one, _ = side_by_side(crew, tasks, decks, 3)
        runs = max(4, round(one * seconds / workers / TURNS))
        for _ in range(TURNS):
            best, bare_cpu = side_by_side(crew, tasks, decks, runs)
            rate, cpu = pooled(tasks, design, workers, runs * workers)
            rates.append(rate / best)
            shares.append(bare_cpu / cpu)
    finally:
        for worker in crew:
            worker.close()
    return {"seconds_a_run": bare_cpu, "efficiency": median(rates), "share": median(shares)}


def growth(tasks, runs: int) -> list[float]:
    """Resident memory of one worker over many runs, MB."""
    design = Design(order=2, theta="1 ms", tones=((1000.0, 0.5, 0.0),), mismatch={"resistor": "1 %"})
    decks = prepared(design)
    with Worker() as worker:
        sizes = [worker.call(tasks.memory, (decks, 20), timeout=600.0)]
        for _ in range(LOOKS):
            sizes.append(worker.call(tasks.memory, (decks, runs // LOOKS), timeout=36000.0))
            print(f"{(len(sizes) - 1) * runs // LOOKS:6d} runs: {sizes[-1]:.1f} MB", flush=True)
    return sizes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--orders", type=int, nargs="+", default=[2, 3, 6, 12])
    parser.add_argument("--seconds", type=float, default=8.0, help="of bare runs, for each order")
    parser.add_argument("--workers", type=int, default=processors())
    parser.add_argument("--runs", type=int, default=20_000, help="for the memory; 0 leaves it out")
    given = parser.parse_args()
    tasks, rows = importlib.import_module(HERE.stem), []
    for order in given.orders:
        row = {"order": order, **efficiency(tasks, order, given.workers, given.seconds)}
        rows.append(row)
        print(
            f"order {order:2d}  ngspice {1e3 * row['seconds_a_run']:7.1f} ms a run  "
            f"efficiency {row['efficiency']:.3f}  share {row['share']:.3f}",
            flush=True,
        )
    sizes = growth(tasks, given.runs) if given.runs else []
    machine = {"python": platform.python_version(), "numpy": np.__version__, "machine": platform.machine()}
    content = {
        "seed": SEED,
        "workers": given.workers,
        "turns": TURNS,
        **machine,
        "rows": rows,
        "runs": given.runs,
        "memory_mb": sizes,
    }
    folder = HERE.parent / "results"
    folder.mkdir(exist_ok=True)
    (folder / "pool.json").write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
