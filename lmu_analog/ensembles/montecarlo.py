"""Monte Carlo: the same mismatched circuits in either engine, in parallel, chunk by chunk.

A chunk is a pure function of (design, seed, chunk), so results do not depend on the workers.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits

from lmu_analog.building import build
from lmu_analog.design import Design
from lmu_analog.ensembles.exact import exact_chunk
from lmu_analog.ensembles.mismatch import check_seed
from lmu_analog.ensembles.pool import processors, run_tasks
from lmu_analog.ensembles.simulated import ngspice_sample
from lmu_analog.ensembles.store import CHUNK, Results, Store, create, failed, manifest, resume
from lmu_analog.errors import DesignError, SimulationError, SimulatorMissing
from lmu_analog.memory import window
from lmu_analog.simulation import ENGINES, Engine
from lmu_analog.spice import ngspice

MOST_SAMPLES = 10_000_000
SAMPLE_TIMEOUT = 600.0  # s for one ngspice sample; the slowest measured (order 48, slewing) took 12
CHUNK_TIMEOUT = 3600.0  # s for a chunk of the exact engine
FLUSH_SECONDS = 1.0
POOL_WORTH = 5.0  # s of work left that make starting processes (over a second) worth it


def monte_carlo(
    design: Design,
    samples: int,
    seed: int = 0,
    *,
    engine: Engine = "exact",
    workers: int | None = None,
    store: Path | str | None = None,
    resumed: bool = False,
    progress: Callable[[int], None] | None = None,
) -> xr.Dataset:
    """Run mismatch samples 0 .. samples-1 of a design.

    Parameters
    ----------
    design : Design
    samples : int
    seed : int
    engine : {"exact", "ngspice"}
    workers : int, optional
        Processes; as many as there are processors unless given.
    store : path, optional
        Where to write the run as Zarr; without it the run is kept in memory only.
    resumed : bool
        Continue or extend the store instead of making it; finished samples stay as they are.
    progress : callable, optional
        Called with the number of samples finished since the last call.

    Returns
    -------
    xarray.Dataset
        ``window_nrmse`` (sample) and ``profile`` (sample, delay), fractions of rms(u); ``status`` (sample):
        0 good, 1 unstable (error inf), 2 failed (error NaN).

    Raises
    ------
    DesignError, StoreError
        If an argument or the store is wrong.
    SimulationError
        If ngspice is missing, or the store cannot be written.
    """
    samples, workers = check_numbers(samples, workers)
    if engine not in ENGINES:
        raise DesignError(f"unknown engine {engine!r}; known are {', '.join(ENGINES)}")
    if engine == "ngspice":
        ngspice.require()
    described = manifest(design, seed=check_seed(seed), engine=engine)
    build(design)  # a design without a circuit is refused before anything is written
    kept = None
    if store is not None:
        kept = (resume if resumed else create)(Path(store), described, samples)
    todo = np.flatnonzero(~kept.done[:samples]) if kept else np.arange(samples)
    run = _run(design, check_seed(seed), engine, todo, workers)
    return _collect(run, samples, kept, described, progress)


def check_numbers(samples: int, workers: int | None) -> tuple[int, int]:
    """Refuse numbers of samples and workers beyond sense; no number of workers means all processors."""
    if isinstance(samples, bool) or not isinstance(samples, int) or not 1 <= samples <= MOST_SAMPLES:
        raise DesignError(f"{str(samples)[:40]} samples; a whole number from 1 to {MOST_SAMPLES} is accepted")
    if workers is None:
        return samples, processors()
    if isinstance(workers, bool) or not isinstance(workers, int) or not 1 <= workers <= 1024:
        raise DesignError(f"{str(workers)[:40]} workers; a whole number from 1 to 1024 is accepted")
    return samples, workers


def _run(design: Design, seed: int, engine: Engine, todo: np.ndarray, workers: int) -> Iterator[Results]:
    if engine == "exact":
        stretches = [part for part in np.split(todo, _breaks(todo)) if len(part)]
        tasks = [(design, seed, range(int(part[0]), int(part[-1]) + 1)) for part in stretches]
        yield from _run_exact(tasks, workers)
    else:
        tasks = [(design, seed, int(k)) for k in todo]
        for number, result in run_tasks(ngspice_sample, tasks, workers=workers, timeout=SAMPLE_TIMEOUT):
            index = tasks[number][2]
            if isinstance(result, SimulatorMissing):  # no fault of the sample
                raise result
            yield failed(index, index + 1) if isinstance(result, SimulationError) else result


def _run_exact(tasks: list[tuple[Design, int, range]], workers: int) -> Iterator[Results]:
    """Run chunks here while that is quicker than starting processes; the results do not show which way."""
    start = time.perf_counter()
    for number, task in enumerate(tasks):
        with threadpool_limits(1):
            results = exact_chunk(*task)
        yield results
        left = len(tasks) - number - 1
        if workers > 1 and left * (time.perf_counter() - start) / (number + 1) > POOL_WORTH:
            break
    else:
        return
    rest = tasks[number + 1 :]
    for k, result in run_tasks(exact_chunk, rest, workers=workers, timeout=CHUNK_TIMEOUT):
        lost = isinstance(result, SimulationError)
        yield failed(rest[k][2].start, rest[k][2].stop) if lost else result


def _breaks(todo: np.ndarray) -> np.ndarray:
    """Where a new stretch begins: at a gap, or at a chunk's boundary."""
    return np.flatnonzero((np.diff(todo) > 1) | (todo[1:] % CHUNK == 0)) + 1


def _collect(
    run: Iterator[Results],
    samples: int,
    kept: Store | None,
    described: dict[str, str | int | float],
    progress: Callable[[int], None] | None,
) -> xr.Dataset:
    gathered: list[Results] = []
    waiting: list[Results] = []
    flushed = time.monotonic()
    try:
        for results in run:
            (gathered if kept is None else waiting).append(results)
            if progress:
                progress(len(results.status))
            if kept and time.monotonic() - flushed > FLUSH_SECONDS:
                _flush(kept, waiting)
                flushed = time.monotonic()
    finally:
        if kept:
            _flush(kept, waiting)
    if kept:
        return kept.dataset().isel(sample=slice(samples))
    return _in_memory(gathered, described)


def _flush(kept: Store, waiting: list[Results]) -> None:
    while waiting:
        kept.write(waiting.pop())


def _in_memory(gathered: list[Results], described: dict[str, str | int | float]) -> xr.Dataset:
    ordered = sorted(gathered, key=lambda r: r.start)
    status = np.concatenate([r.status for r in ordered])
    return xr.Dataset(
        {
            "window_nrmse": ("sample", np.concatenate([r.window_nrmse for r in ordered]), {"units": "1"}),
            "profile": (("sample", "delay"), np.concatenate([r.profile for r in ordered]), {"units": "1"}),
            "status": ("sample", status),
            "done": ("sample", np.ones(len(status), bool)),
        },
        coords={"sample": np.arange(len(status)), "delay": window.QUADRATURE.r},
        attrs=dict(described),
    )
