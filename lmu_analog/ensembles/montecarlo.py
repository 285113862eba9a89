"""Monte Carlo: the same mismatched circuits in either engine, in parallel, chunk by chunk.

A chunk is a pure function of (design, seed, chunk), so results do not depend on the workers.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits

from lmu_analog.circuits.circuit import Circuit, with_values
from lmu_analog.circuits.extract import extract
from lmu_analog.design import Design, build
from lmu_analog.ensembles.mismatch import Mismatch, check_seed, draw, is_sound, sample
from lmu_analog.ensembles.pool import processors, run_tasks
from lmu_analog.ensembles.store import CHUNK, FAILED, GOOD, UNSTABLE, Results, Store, create, manifest, resume
from lmu_analog.errors import DesignError, SimulationError, SimulatorMissing
from lmu_analog.memory import window
from lmu_analog.memory.sampled import steady_response
from lmu_analog.memory.statespace import StateSpace, growth
from lmu_analog.simulation import (
    ENGINES,
    Engine,
    Grid,
    exact_states,
    grid,
    ideal_window,
    ngspice_task,
    read_states,
    settling,
)
from lmu_analog.spice import ngspice
from lmu_analog.stimulus import Tones

MOST_SAMPLES = 10_000_000
SAMPLE_TIMEOUT = 600.0  # s for one ngspice sample; the slowest measured (order 48, slewing) took 12
CHUNK_TIMEOUT = 3600.0  # s for a chunk of the exact engine
FLUSH_SECONDS = 1.0
POOL_WORTH = 5.0  # s of work left that make starting processes (over a second) worth it
RECORDING_BATCH = 16  # samples propagated at once through a recording
BATCH_VALUES = 20_000_000  # and fewer where the recording is long: bounds the memory to about 1 GB


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
            yield _failed(index, index + 1) if isinstance(result, SimulationError) else result


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
        failed = isinstance(result, SimulationError)
        yield _failed(rest[k][2].start, rest[k][2].stop) if failed else result


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


def exact_chunk(design: Design, seed: int, samples: range) -> Results:
    """Run consecutive samples in the exact engine."""
    circuit, law = build(design), Mismatch.of(design)
    values = sample(circuit, law, draw(circuit, law, seed=seed, samples=samples))
    looked_at = grid(design.stimulus, design.theta)
    # A value that is not positive is no circuit; such a sample has failed, and the nominal stands in.
    sound = is_sound(circuit, values)
    system = extract(circuit, np.where(sound[:, None], values, circuit.values))
    stable = growth(system) < 0.0
    profile = _profiles(system, looked_at, design.theta)
    profile[~stable], profile[~sound] = np.inf, np.nan
    status = np.where(~sound, FAILED, np.where(stable, GOOD, UNSTABLE)).astype(np.int8)
    return Results(samples.start, profile, window.window_nrmse(profile), status)


def _profiles(system: StateSpace, looked_at: Grid, theta: float) -> np.ndarray:
    match looked_at.stimulus:
        case Tones() as tones:
            phasor = steady_response(system, tones.frequency) * tones.phasor[:, None]
            return window.tone_profile(phasor, (tones.frequency, tones.phasor), theta, offset=system.offset)
        case _:
            truth = ideal_window(looked_at, theta)
            parts = [
                window.time_profile(exact_states(part, looked_at), truth, looked_at.rms)
                for part in _batches(system, _batch(system, looked_at))
            ]
            return np.concatenate(parts)


def _batch(system: StateSpace, looked_at: Grid) -> int:
    values = len(looked_at.time) * (system.order + window.POINTS)
    return max(1, min(RECORDING_BATCH, BATCH_VALUES // values))


def _batches(system: StateSpace, size: int) -> Iterator[StateSpace]:
    for k in range(0, len(system.A), size):
        cut = slice(k, k + size)
        offset = None if system.offset is None else system.offset[cut]
        yield StateSpace(system.A[cut], system.B[cut], system.C[cut], system.D[cut], system.dt, offset)


def ngspice_sample(design: Design, seed: int, index: int) -> Results:
    """Run one sample in ngspice; call it in a worker."""
    circuit, law = build(design), Mismatch.of(design)
    values = sample(circuit, law, draw(circuit, law, seed=seed, samples=range(index, index + 1)))[0]
    if not is_sound(circuit, values):
        return _failed(index, index + 1)
    mismatched = with_values(circuit, values)
    try:
        settle = settling(extract(mismatched), design.theta)
    except SimulationError:
        unstable = np.full((1, window.POINTS), np.inf)
        return Results(index, unstable, unstable[:, 0], np.array([UNSTABLE], np.int8))
    looked_at = grid(design.stimulus, design.theta)
    states = _ngspice_states(mismatched, looked_at, settle)
    truth = ideal_window(looked_at, design.theta)
    profile = window.time_profile(states, truth, looked_at.rms)[None]
    return Results(index, profile, window.window_nrmse(profile), np.array([GOOD], np.int8))


def _ngspice_states(circuit: Circuit, looked_at: Grid, settle: float) -> np.ndarray:
    analysis, text, recording = ngspice_task(circuit, looked_at.stimulus, settle=settle)
    vectors = ngspice.run_here(text, analysis, recording)
    return read_states(vectors, circuit, looked_at, analysis=analysis)


def _failed(start: int, stop: int) -> Results:
    profile = np.full((stop - start, window.POINTS), np.nan)
    return Results(start, profile, profile[:, 0], np.full(stop - start, FAILED, np.int8))
