"""Commands about errors of a circuit: budget, calibration, resources, bench recordings.

Heavy modules load inside the commands.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lmu_analog.cli.options import (
    Calibrated,
    InputDesign,
    Json,
    Plot,
    Sample,
    Sampling,
    Seed,
    Selection,
    arguments,
    draw,
    load,
    refuse_of_transistors,
    say,
    show,
)
from lmu_analog.option import option
from lmu_analog.output.progress import counted, percents, progress, stages

if TYPE_CHECKING:
    import xarray as xr

    from lmu_analog.design import Design


@dataclass(frozen=True, kw_only=True)
class _Sensitivity(Plot, Selection, Json):
    plot: Path | None = option(None, "Draw the 20 largest.", "FILE.svg")


def sensitivity(options: _Sensitivity) -> None:
    """Say which elements matter, and what mismatch will cost: first-order theory, no samples."""
    from lmu_analog.output import theory

    show(options, theory.sensitivity(load(options), plot=options.plot), theory.sensitivity_text)


@dataclass(frozen=True, kw_only=True)
class _Noise(InputDesign, Plot, Json):
    plot: Path | None = option(None, "Draw it over the window.", "FILE.svg")


def noise(options: _Noise) -> None:
    """Find the noise at the window, and who makes it."""
    from lmu_analog.analysis import noise as analysis
    from lmu_analog.output import noise as shown

    design = load(options, takes_transistors=True)
    found = _noise_of_transistors(design) if design.uses_pdk else analysis.noise(design)
    draw(options, lambda ax: shown.plot_noise(found, ax), height=4.0)
    show(options, shown.as_json(found, design), shown.text)


def _noise_of_transistors(design: "Design") -> "xr.Dataset":
    from lmu_analog.analysis.noise import noise_of_transistors
    from lmu_analog.silicon.designing import bench_of
    from lmu_analog.silicon.noise import noise as spectra
    from lmu_analog.spice.worker import Worker

    with stages("circuit", say) as count, Worker() as worker:
        bench = bench_of(design, worker=worker, progress=percents(count, "circuit"))
        count("noise", 0, 1)
        found = spectra(bench, worker, bandwidth=design.bandwidth)
    return noise_of_transistors(design, found, bench)


@dataclass(frozen=True, kw_only=True)
class _Budget(InputDesign, Seed, Plot, Json):
    samples: int = option(100, "Circuits of the ensemble.", short="-n", least=1)
    plot: Path | None = option(None, "Draw it over the window.", "FILE.svg")


def budget(options: _Budget) -> None:
    """Split the window error into its contributors, with the circuit's figures of merit."""
    from lmu_analog.output import budget as shown

    design = load(options)
    with progress("error budget"):
        content, found = shown.budget_of(design, samples=options.samples, seed=options.seed)
    draw(options, lambda ax: shown.plot_budget(found, ax), height=4.4)
    show(options, content, shown.text)


@dataclass(frozen=True, kw_only=True)
class _Calibrate(Seed, Plot, Selection, Json):
    samples: int = option(200, "Number of circuits.", short="-n")
    method: Literal["readout", "ensemble", "theta", "trim", "exact-k", "dac", "tau", "all"] = option(
        "all", "One method, or all that the circuit has."
    )
    elements: int | None = option(None, "Elements of trim and exact-k; as many as the order.", "K")
    bits: int = option(4, "Bits of the converter on every element (dac).")
    trim_bits: int | None = option(None, "Bits of trim's converters; continuous unless given.", "B")
    output: Path | None = option(None, "Keep readouts, settings and codes.", "FILE.json", short="-o")


def calibrate(options: _Calibrate) -> None:
    """Say what calibration wins back: readouts, trims and converters, evaluated on another input."""
    from lmu_analog.analysis import calibration
    from lmu_analog.analysis.calibration_file import calibration_text
    from lmu_analog.analysis.recipes import Settings
    from lmu_analog.files_out import check_file, write_text
    from lmu_analog.output import calibration as shown

    output = options.output
    if output is not None:
        check_file(output)
    design, samples, seed = load(options, output=output), options.samples, options.seed
    methods = None if options.method == "all" else (options.method,)
    settings = Settings(options.elements, options.bits, options.trim_bits)
    with progress("calibrating"):
        found, kept = calibration.calibrate_and_keep(
            design, samples, seed, methods=methods, settings=settings, keep=output is not None
        )
        even = shown.uniform_beside(design, samples, seed, methods=methods, settings=settings)
    if output is not None:
        write_text(output, calibration_text(design, kept, samples=samples, seed=seed))
    draw(options, lambda ax: shown.plot_calibration(found, ax), height=5.0)
    show(options, shown.content(found, design.nrmse, even), shown.text)


@dataclass(frozen=True, kw_only=True)
class _Corners(Seed, Plot, Selection, Json):
    temperature: list[str] | None = option(None, "Temperature; -40 C, 27 C and 85 C unless given.", "TEXT")
    supply: list[str] | None = option(
        None, "Share of the nominal supply; 90 %, 100 % and 110 % unless given.", "TEXT"
    )
    samples: int | None = option(
        None, "Mismatched circuits in every corner, 50 unless given; 0 for none.", short="-n"
    )


def corners(options: _Corners) -> None:
    """Look at all corners of process, temperature and supply, each alone and crossed."""
    from lmu_analog.analysis import corners as analysis
    from lmu_analog.design_keys import labelled
    from lmu_analog.output import corners as shown
    from lmu_analog.units import fraction, temperature

    design = load(options, takes_transistors=True)
    usual = analysis.Axes(samples=50 if options.samples is None else options.samples)
    warm = tuple(labelled("--temperature", temperature, text) for text in options.temperature or ())
    supplies = tuple(labelled("--supply", fraction, text) for text in options.supply or ())
    if design.uses_pdk:
        _corners_of_chips(options, design, warm, supplies)
        return
    axes = analysis.Axes(warm or usual.temperatures, supplies or usual.supplies, usual.samples)
    with progress("corners"):
        found = analysis.corners(design, options.seed, axes=axes)
    draw(options, lambda ax: shown.plot_corners(found, ax), height=5.0)
    show(options, shown.content(found), shown.text)


def _corners_of_chips(
    options: _Corners, design: "Design", warm: tuple[float, ...], supplies: tuple[float, ...]
) -> None:
    from lmu_analog.analysis import chip_corners as analysis
    from lmu_analog.output import chips as shown
    from lmu_analog.silicon.designing import bench_of

    refuse_of_transistors({"--samples": options.samples, "--seed": options.seed, "--plot": options.plot})
    refuse_of_transistors({"--only": options.only, "--without": options.without})
    wanted = analysis.conditions(design, warm, supplies)
    with stages("circuit", say) as count:
        bench = bench_of(design, progress=percents(count, "circuit"))
        advance = counted(count, "corners", len(wanted))
        found = analysis.chip_corners(bench, wanted, progress=advance)
    show(options, shown.corners(design, bench, found), shown.corners_text)


@dataclass(frozen=True, kw_only=True)
class _Resources(InputDesign, Json):
    prices: Path | None = option(None, "Rows of part,price or part,price,amplifiers.", "FILE.csv")


def resources(options: _Resources) -> None:
    """Say what the circuit takes: supply current, power, energy per window, chip area, money for parts."""
    from lmu_analog.analysis import resources as analysis
    from lmu_analog.circuits.devices.prices import read_prices
    from lmu_analog.output import resources as shown

    prices = None if options.prices is None else read_prices(options.prices)
    found = analysis.resources(load(options), prices)
    show(options, shown.content(found), lambda _: shown.text(found))


@dataclass(frozen=True, kw_only=True)
class _Analyze(Calibrated, InputDesign, Sample, Seed, Sampling, Plot, Json):
    measured: Path = option(..., "Table of time, input, and states, nets or taps such as r=0.5.", "FILE.csv")
    column: str | None = option(None, "Column of the table, where it has several channels.", "NAME")
    run: Path | None = option(None, "Ensemble to take its place in.", "RUN.zarr")
    skip: str | None = option(None, "Time left out at the start, for example '5 ms'.", "TIME")
    no_faults: bool = option(False, "Do not look for a part that is wrong.")


def analyze(options: _Analyze) -> None:
    """Score a bench recording: the same metrics, fitted theta, gain and offset, and the part that is wrong."""
    from lmu_analog.design_keys import labelled
    from lmu_analog.output.bench import bench, bench_text
    from lmu_analog.units import parse

    skip = None if options.skip is None else labelled("--skip", parse, options.skip, "s")
    show(
        options,
        bench(load(options), **arguments(options, bench, skip=skip, faults=not options.no_faults)),
        bench_text,
    )
