"""What single commands do with a design: one simulation, one stored ensemble."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import xarray as xr

from lmu_analog.building import build
from lmu_analog.design import Design
from lmu_analog.ensembles.mismatch import sample_circuit
from lmu_analog.ensembles.montecarlo import monte_carlo
from lmu_analog.ensembles.store import finished
from lmu_analog.errors import DesignError
from lmu_analog.output import summary
from lmu_analog.output.plots import plot_profile, plot_traces, plot_window
from lmu_analog.simulation import Engine, simulate

FIGURES = (".svg", ".png", ".pdf")


def simulate_one(
    design: Design,
    engine: Engine,
    *,
    recording: Path | None = None,
    sample: int | None = None,
    seed: int = 0,
    plot: Path | None = None,
) -> xr.Dataset:
    """Run a design, or one of its mismatch samples, with its own signal or a recording; draw it if asked.

    The circuit stays scaled for the design's own amplitude and band; only the input changes.
    """
    if plot is not None and (plot.suffix not in FIGURES or not plot.parent.is_dir()):
        raise DesignError(
            f"--plot {plot}: a file in an existing folder that ends in {', '.join(FIGURES)} is wanted"
        )
    circuit = build(design) if sample is None else sample_circuit(design, seed=seed, index=sample)
    driven = design if recording is None else design.replace(file=recording)
    result = simulate(driven, engine=engine, circuit=circuit)
    if plot is not None:
        save_overview(result, plot)
    return result


def stored_ensemble(
    design: Design,
    path: Path,
    *,
    samples: int,
    seed: int,
    engine: Engine,
    workers: int | None,
    resumed: bool,
    progress: Callable[[int], None] | None,
) -> dict[str, Any]:
    """Run an ensemble into a store and give its figures."""
    taken_over = finished(path, samples) if resumed else 0
    if progress:
        progress(taken_over)
    nominal = float(simulate(design).window_nrmse)
    start = time.perf_counter()
    run = monte_carlo(
        design, samples, seed, engine=engine, workers=workers, store=path, resumed=resumed, progress=progress
    )
    return summary.ensemble(
        run, design, nominal=nominal, seconds=time.perf_counter() - start, resumed=taken_over, path=path
    )


def save_overview(result: xr.Dataset, path: Path) -> Path:
    """Draw delayed input and estimate, one window, and the error over it; SVG, PNG or PDF by the suffix."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 9.0), layout="constrained")
    traces, window, profile = figure.subplots(3, 1)
    plot_traces(result, traces)
    plot_window(result, window)
    plot_profile(result, profile)
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise DesignError(f"--plot {path} cannot be written: {error.strerror}") from error
    return path
