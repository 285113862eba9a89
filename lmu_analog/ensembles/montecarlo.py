"""Monte Carlo: the same mismatched circuits in every engine, in parallel, chunk by chunk.

A chunk is a pure function of (design, seed, chunk), so results do not depend on the workers.
"""

import contextlib
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import xarray as xr

from lmu_analog.building import build
from lmu_analog.circuits.nodal.saturation import check_parts
from lmu_analog.design import Design
from lmu_analog.ensembles.allocation import one_thread_each
from lmu_analog.ensembles.blocks import joined
from lmu_analog.ensembles.cluster import Crew, hired
from lmu_analog.ensembles.exact import (
    Kernel,
    Solver,
    block_size,
    check_kernel,
    exact_chunk,
    kernel_of,
    solver_of,
)
from lmu_analog.ensembles.nonlinear import nonlinear_chunk, parts, taken_over
from lmu_analog.ensembles.pool import processors
from lmu_analog.ensembles.sampling import RANDOM, Plan, Sampling, make_plan
from lmu_analog.ensembles.simulated import ngspice_sample
from lmu_analog.ensembles.transistors import Chips, check_prepared, marks, prepare, run_chips
from lmu_analog.ensembles.until import is_reached, looks, read_target
from lmu_analog.errors import DesignError, SimulationError, shown
from lmu_analog.limits import limit_warnings
from lmu_analog.memory import window
from lmu_analog.mismatch.law import Mismatch, check_seed, columns
from lmu_analog.spice import ngspice
from lmu_analog.storage.layout import CHUNK, MOST_SAMPLES
from lmu_analog.storage.reasons import code_of
from lmu_analog.storage.results import CHIP, Results, failed
from lmu_analog.storage.store import Store, extend, manifest, opened
from lmu_analog.units import whole

Engine = Literal["exact", "nonlinear", "ngspice"]
ENGINES: tuple[Engine, ...] = get_args(Engine)
SAMPLE_TIMEOUT = 600.0  # s for one ngspice sample; the slowest measured (order 48, slewing) took 12
CHUNK_TIMEOUT = 3600.0  # s for a chunk of the exact engine
FLUSH_SECONDS = 1.0
MOST_WORKERS = 1024
POOL_WORTH = 5.0  # s of work left that make starting processes (over a second) worth it


def monte_carlo(
    design: Design,
    samples: int,
    seed: int = 0,
    *,
    engine: Engine = "exact",
    sampling: Sampling = "random",
    kernel: str | None = None,
    until: str | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    store: Path | str | None = None,
    resumed: bool = False,
    progress: Callable[[int], None] | None = None,
    chips: Chips | None = None,
) -> xr.Dataset:
    """Run mismatch samples 0 .. samples-1 of a design, or as many of them as a precision takes.

    Parameters
    ----------
    design : Design
    samples : int
    seed : int
    engine : {"exact", "nonlinear", "ngspice"}
        "nonlinear" knows rails, slew limits and input ranges, and hands the samples that it cannot do to ngspice.
    sampling : {"random", "latin", "sobol"}
        Latin and Sobol' samples are spread evenly, in blocks of 64 and 256.
    kernel : {"native", "numpy"}, optional
        What plays the per-frequency solve of the exact engine: compiled C, which is several times as fast and used
        where it is there, or NumPy. Results have the same bits.
    until : str, optional
        Stop where a 95 % interval is narrow enough: "yield +-1 %", or "p95 +-2 %" of the value, likewise
        median, mean and p05. ``samples`` are the most then; the run is one of as many as it took.
    workers : int, optional
        Processes; as many as there are processors unless given.
    scheduler : str, optional
        Address of a Dask scheduler, such as ``tcp://host:8786``, whose workers do the work instead.
    store : path, optional
        Where to write the run as Zarr; without it the run is kept in memory only.
    resumed : bool
        Continue or extend the store instead of making it; finished samples stay as they are.
    progress : callable, optional
        Called with the number of samples finished since the last call.
    chips : Chips, optional
        Of a design of a kit's transistors: what ``ensembles.transistors.prepare`` gave for it, this seed and engine;
        prepared here unless given. Its samples are chips after one trim of their bias, and the run has the arrays of
        ``storage.results.CHIP`` beside the usual ones.

    Returns
    -------
    xarray.Dataset
        ``window_nrmse`` (sample) and ``profile`` (sample, delay), fractions of rms(u); ``status`` (sample):
        0 good, 1 unstable (error inf), 2 failed (error NaN); ``reason`` (sample): codes, see
        ``storage.reasons``. Attribute ``warnings``: which parts of the nominal circuit cannot give what the
        signal asks (random offsets at three sigma included, where they are drawn), lines of text.

    Raises
    ------
    DesignError, StoreError
        If an argument or the store is wrong.
    SimulationError
        If ngspice or the scheduler is missing, or the store cannot be written.
    """
    if workers is not None and scheduler is not None:
        raise DesignError("workers are this computer's, a scheduler has its own; give one of them")
    samples, workers = check_numbers(samples, workers)
    if engine not in ENGINES:
        raise DesignError(f"unknown engine {shown(engine)}; known are {', '.join(ENGINES)}")
    check_chips(design, engine, sampling=sampling, kernel=kernel, scheduler=scheduler)
    player = check_kernel(kernel)
    if kernel is not None and engine != "exact":
        raise DesignError(
            f"kernel {shown(kernel)} is one of the exact engine, not of {shown(engine)}; leave it out"
        )
    if engine == "ngspice":
        ngspice.require()
    # A design without a circuit, or a pattern that picks nothing, is refused before anything is written.
    job = _Job(design, check_seed(seed), engine, make_plan(design, sampling), player, None)
    if design.uses_pdk:
        way = "ngspice" if engine == "ngspice" else "exact"
        chips = chips or prepare(design, job.seed, engine=way)
        check_prepared(chips, design, seed=job.seed, engine=way)
        warned = [remark] if (remark := chips.bench.installed.remark) else []
        described = manifest(design, seed=job.seed, engine=engine) | marks(chips)
    else:
        warned = _warned(design, engine)
        job = replace(job, solver=solver_of(design, player) if engine == "exact" else None)
        described = manifest(design, seed=job.seed, engine=engine, sampling=sampling, solver=job.solver)
    target = None if until is None else read_target(until, design)
    sizes = [samples] if target is None else list(looks(samples))
    with contextlib.ExitStack() as stack:
        crew, kept = stack.enter_context(hired(workers, scheduler)), None
        run = partial(_run, job, crew=crew) if chips is None else partial(run_chips, chips, workers=workers)
        if store is not None:
            kept = stack.enter_context(opened(Path(store), described, sizes[0], resumed=resumed))
        gathered: list[Results] = []
        for size in sizes[:-1]:
            kept = _reach(size, run, kept, gathered, progress)
            found = _dataset(kept, gathered, size, described)
            if target is not None and is_reached(found, target):
                return found.assign_attrs(warnings=warned)
        kept = _reach(sizes[-1], run, kept, gathered, progress)
        return _dataset(kept, gathered, sizes[-1], described).assign_attrs(warnings=warned)


def check_numbers(samples: object, workers: object) -> tuple[int, int]:
    """Refuse numbers of samples and workers beyond sense; no number of workers means all processors."""
    samples = whole(samples, "samples", low=1, high=MOST_SAMPLES)
    if workers is None:
        return samples, processors()
    return samples, whole(workers, "workers", low=1, high=MOST_WORKERS)


def _warned(design: Design, engine: Engine) -> list[str]:
    """Refuse a circuit that the engine cannot run; give what its nominal parts cannot do."""
    circuit = build(design)
    columns(circuit, Mismatch.of(design))
    if engine == "nonlinear":
        check_parts(circuit)
    return list(limit_warnings(circuit, design.stimulus, random="opamp" in design.mismatch))


def check_chips(
    design: Design, engine: str, *, sampling: str, kernel: str | None, scheduler: str | None
) -> None:
    """Refuse what ensembles of chips of a process do not have; other designs are not looked at.

    Raises
    ------
    DesignError
    """
    if not design.uses_pdk:
        return
    if engine == "nonlinear":
        raise DesignError("engine 'nonlinear' is of parts with rails; transistors take exact or ngspice")
    given = {
        "sampling": sampling != "random",
        "kernel": kernel is not None,
        "scheduler": scheduler is not None,
    }
    for name, is_given in given.items():
        if is_given:
            raise DesignError(f"{name}= is not for circuits of transistors of a process; leave it out")


@dataclass(frozen=True, eq=False)
class _Job:
    """What all samples of a run have in common."""

    design: Design
    seed: int
    engine: Engine
    plan: Plan
    kernel: Kernel | None
    solver: Solver | None

    def unit(self, function: Callable[..., Results]) -> Callable[..., Results]:
        """Bind what all tasks share. Every worker runs the same solver, in the player that it has."""
        shared = {"solver": self.solver, "kernel": self.kernel, "plan": self.plan}
        usual = {"solver": None, "kernel": None, "plan": RANDOM}
        return partial(function, **{name: given for name, given in shared.items() if given != usual[name]})


def _reach(
    size: int,
    run: Callable[[np.ndarray], Generator[Results, None, None]],
    kept: Store | None,
    gathered: list[Results],
    progress: Callable[[int], None] | None,
) -> Store | None:
    """Run what is missing of samples 0 .. size-1, into the store or else the list; give the longer store."""
    kept = kept and extend(kept, size)
    have = sum(len(r.status) for r in gathered)
    todo = np.flatnonzero(~kept.done[:size]) if kept else np.arange(have, size)
    waiting: list[Results] = []

    def flush() -> None:
        if kept and waiting:
            kept.write(waiting)
            waiting.clear()

    flushed = time.monotonic()
    with contextlib.closing(run(todo)) as coming:
        try:
            for results in coming:
                (gathered if kept is None else waiting).append(results)
                if progress:
                    progress(len(results.status))
                if time.monotonic() - flushed > FLUSH_SECONDS:
                    flush()
                    flushed = time.monotonic()
        finally:
            flush()
    return kept


def _run(job: _Job, todo: np.ndarray, crew: Crew) -> Generator[Results, None, None]:
    size = block_size(job.design) if job.engine == "exact" else CHUNK
    # A new stretch begins at a gap, or at a boundary of what is computed together.
    breaks = np.flatnonzero((np.diff(todo) > 1) | (todo[1:] % size == 0)) + 1
    stretches = [part for part in np.split(todo, breaks) if len(part)]
    tasks = [(job.design, job.seed, range(int(part[0]), int(part[-1]) + 1)) for part in stretches]
    match job.engine:
        case "exact":
            releases_lock = job.solver == "per-frequency" and kernel_of(job.kernel) == "native"
            run = _run_threads if releases_lock and not crew.remote else _run_chunks
            yield from run(job.unit(exact_chunk), tasks, crew)
        case "nonlinear":
            handed: list[int] = []
            for results in _run_chunks(job.unit(nonlinear_chunk), tasks, crew):
                done, left = parts(results)
                handed += left
                yield from done
            for result in _run_samples(job, sorted(handed), crew):
                yield taken_over(result)
        case "ngspice":
            yield from _run_samples(job, todo.tolist(), crew)


def _run_samples(job: _Job, todo: list[int], crew: Crew) -> Iterator[Results]:
    tasks, unit = [(job.design, job.seed, k) for k in todo], job.unit(ngspice_sample)
    for number, result in crew.run(unit, tasks, timeout=SAMPLE_TIMEOUT):
        yield _counted(result, range(todo[number], todo[number] + 1))


def _counted(result: Results | SimulationError, samples: range) -> Results:
    """Make a failure a row with its reason."""
    if isinstance(result, SimulationError):
        return failed(samples.start, samples.stop, reason=code_of(result))
    return result


def _run_threads(
    unit: Callable[..., Results], tasks: list[tuple[Design, int, range]], crew: Crew
) -> Iterator[Results]:
    """Run chunks in threads: quicker than processes where nearly all time passes outside the interpreter's lock."""
    waiting = iter(tasks)
    with one_thread_each(), ThreadPoolExecutor(crew.workers) as threads:
        # As many as keep all threads busy: an ensemble that is given up, or killed, has little left to finish.
        ahead = deque(threads.submit(unit, *task) for task in islice(waiting, 2 * crew.workers))
        try:
            while ahead:
                yield ahead.popleft().result()
                ahead.extend(threads.submit(unit, *task) for task in islice(waiting, 1))
        finally:
            for future in ahead:
                future.cancel()


def _run_chunks(
    unit: Callable[..., Results], tasks: list[tuple[Design, int, range]], crew: Crew
) -> Iterator[Results]:
    """Run chunks here while that is quicker than starting processes; the results do not show which way."""
    here = 0
    start = time.perf_counter()
    while here < len(tasks) and not _pays(crew, here, len(tasks) - here, time.perf_counter() - start):
        with one_thread_each():
            results = unit(*tasks[here])
        here += 1
        yield results
    for k, result in crew.run(unit, tasks[here:], timeout=CHUNK_TIMEOUT):
        yield _counted(result, tasks[here + k][2])


def _pays(crew: Crew, done: int, left: int, seconds: float) -> bool:
    """Whether handing the chunks that are left to a crew is quicker, by the seconds that the others took."""
    return crew.remote or (crew.workers > 1 and done > 0 and left * seconds / done > POOL_WORTH)


def _dataset(
    kept: Store | None, gathered: list[Results], size: int, described: dict[str, str | int | float]
) -> xr.Dataset:
    if kept:
        return kept.dataset(size)
    found = joined(sorted(gathered, key=lambda r: r.start), range(size))
    return xr.Dataset(
        {
            "window_nrmse": ("sample", found.window_nrmse, {"units": "1"}),
            "profile": (("sample", "delay"), found.profile, {"units": "1"}),
            "status": ("sample", found.status),
            "reason": ("sample", found.reason),
            "done": ("sample", np.ones(size, bool)),
            **{name: ("sample", found.more[name], {"units": CHIP[name]}) for name in found.more},
        },
        coords={"sample": found.samples, "delay": window.QUADRATURE.r},
        attrs=dict(described),
    )
