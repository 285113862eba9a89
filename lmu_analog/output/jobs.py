"""Single jobs on a design: one simulation, one stored ensemble."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypedDict

import xarray as xr

from lmu_analog.design import Design
from lmu_analog.ensembles.comparison import Comparison, compare, theory_of
from lmu_analog.ensembles.exact import check_kernel, exact_chunk, kernel_of
from lmu_analog.ensembles.hybrid import hybrid
from lmu_analog.ensembles.montecarlo import Engine as EnsembleEngine
from lmu_analog.ensembles.montecarlo import monte_carlo
from lmu_analog.ensembles.sampling import Sampling, make_plan, planned_circuit
from lmu_analog.errors import DesignError
from lmu_analog.output import summary
from lmu_analog.output.files import check_figure
from lmu_analog.output.layout import save_panels
from lmu_analog.output.plots import plot_profile, plot_traces, plot_window
from lmu_analog.simulation import Engine, long_run, simulate
from lmu_analog.spice import ngspice
from lmu_analog.storage.results import GOOD
from lmu_analog.storage.store import finished


class _Where(TypedDict):
    """What does the work of an ensemble, and what becomes of it."""

    workers: int | None
    scheduler: str | None
    store: Path
    resumed: bool
    progress: Callable[[int], None] | None


def simulate_one(
    design: Design,
    engine: Engine,
    *,
    recording: Path | str | None = None,
    column: str | None = None,
    channel: int | None = None,
    sample: int | None = None,
    seed: int = 0,
    sampling: Sampling = "random",
    plot: Path | str | None = None,
    notify: Callable[[str], None] | None = None,
    progress: Callable[[float], None] | None = None,
) -> xr.Dataset:
    """Run a design, or one of its mismatch samples, with its own signal or a recording; draw it if asked.

    The circuit stays scaled for the design's own amplitude and band; only the input changes. The window NRMSE of
    a sample with the design's own signal is that of the sample in an ensemble, to the last bit. ``column`` or
    ``channel`` chooses among several of the recording. ``notify`` hears beforehand that ngspice will take long.
    """
    if recording is None and (column, channel) != (None, None):
        raise DesignError(
            "column= and channel= choose from input=, and there is none; put them into [signal]"
        )
    check_figure(plot)
    circuit = planned_circuit(design, seed=seed, index=sample, sampling=sampling)
    driven = design
    if recording is not None:
        other = {"file": recording, "column": column, "channel": channel}
        driven = design.replace(**other, element_values=design.element_values)
    if engine == "ngspice" and notify is not None and (line := long_run(driven, circuit=circuit)):
        notify(line)
    result = simulate(driven, engine=engine, circuit=circuit, progress=progress)
    if sample is not None and recording is None and engine == "exact":
        result = _with_errors_of_run(result, design, sample, seed=seed, sampling=sampling)
    if plot is not None:
        # Delayed input and estimate, one window, and the error over it.
        plots = (plot_traces, plot_window, plot_profile)
        save_panels([(partial(draw, result), 3.0) for draw in plots], plot)
    return result


def _with_errors_of_run(
    result: xr.Dataset, design: Design, index: int, *, seed: int, sampling: Sampling
) -> xr.Dataset:
    """Put a sample's window errors as an ensemble finds them in place of those of its waveforms.

    Both are the same but for rounding, and for what the ensemble's faster method leaves out (1e-8 of the error).
    """
    row = exact_chunk(design, seed, range(index, index + 1), plan=make_plan(design, sampling))
    if row.status[0] != GOOD:
        return result
    share = {"units": "1"}
    return result.assign(
        window_nrmse=((), float(row.window_nrmse[0]), share), profile=("delay", row.profile[0], share)
    )


def stored_ensemble(
    design: Design,
    path: Path | str,
    *,
    samples: int,
    seed: int,
    engine: EnsembleEngine,
    subset: int | None = None,
    sampling: Sampling = "random",
    kernel: str | None = None,
    until: str | None = None,
    workers: int | None,
    scheduler: str | None = None,
    resumed: bool,
    progress: Callable[[int], None] | None,
) -> dict[str, Any]:
    """Run an ensemble into a store, of as many samples or until a precision is reached; give its figures.

    With a subset, ngspice runs that many of the first samples too.
    """
    path, kernel = Path(path), check_kernel(kernel)
    taken_over = finished(path, samples) if resumed else 0
    if progress:
        progress(taken_over)
    nominal = float(simulate(design).window_nrmse)
    start, both = time.perf_counter(), None
    where = _Where(workers=workers, scheduler=scheduler, store=path, resumed=resumed, progress=progress)
    if subset is None:
        run = monte_carlo(
            design, samples, seed, engine=engine, sampling=sampling, kernel=kernel, until=until, **where
        )
    elif sampling == "random" and kernel is None and until is None:
        run, both = hybrid(design, samples, seed, subset=subset, engine=engine, **where)
    else:
        raise DesignError(
            "hybrid takes a fixed number of random samples; leave sampling, kernel and until out"
        )
    return summary.ensemble(
        run,
        design,
        nominal=nominal,
        seconds=time.perf_counter() - start,
        resumed=min(taken_over, run.sizes["sample"]),
        path=path,
        until=until,
        both=both,
        theory=against_theory(run, design),
        kernel=kernel_of(kernel) if engine == "exact" else None,
    )


def against_theory(run: xr.Dataset, design: Design) -> Comparison | None:
    """Compare an ensemble with first-order theory; None without mismatch."""
    theory = theory_of(design)
    if theory is None:
        return None
    if run.attrs["engine"] == "exact" or not ngspice.library_path():
        return compare(run, theory)
    # Rails, slew and step error also affect the nominal run, so compare with it.
    nominal = float(simulate(design, engine="ngspice").window_nrmse)
    return compare(run, theory, nominal=nominal)
