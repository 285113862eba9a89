"""Commands about a built circuit: what calibration wins back, corners, what it takes."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lmu_analog.cli.options import AsJson, DesignFile, Only, Seed, Without, keep, load

Figure = Annotated[Path | None, typer.Option("--plot", metavar="FILE.svg", help="Draw the result.")]


class Calibration(StrEnum):
    """Ways to calibrate."""

    readout = "readout"
    ensemble = "ensemble"
    theta = "theta"
    trim = "trim"
    exact_k = "exact-k"
    dac = "dac"
    tau = "tau"
    all = "all"


def calibrate(
    design: DesignFile,
    *,
    samples: Annotated[int, typer.Option("-n", "--samples", help="Number of circuits.")] = 200,
    seed: Seed = 0,
    method: Annotated[
        Calibration, typer.Option(help="One method, or all that the circuit has.")
    ] = Calibration.all,
    elements: Annotated[
        int | None, typer.Option(metavar="K", help="Elements of trim and exact-k; as many as the order.")
    ] = None,
    bits: Annotated[int, typer.Option(help="Of the converter on every element (dac).")] = 4,
    trim_bits: Annotated[
        int | None, typer.Option(metavar="B", help="Of the converters of trim; continuous unless given.")
    ] = None,
    plot: Figure = None,
    only: Only = None,
    without: Without = None,
    as_json: AsJson = False,
) -> None:
    """Say what calibration wins back: readouts, trims and converters, judged on another input."""
    from lmu_analog.analysis import calibration
    from lmu_analog.analysis.recipes import Settings
    from lmu_analog.output import calibration as shown
    from lmu_analog.output import files, layout, summary
    from lmu_analog.output.progress import progress

    keep(design, plot)
    files.check_figure(plot)
    loaded = load(design, only, without)
    methods = None if method is Calibration.all else (method.value,)
    settings = Settings(elements, bits, trim_bits)
    with progress("calibrating"):
        found = calibration.calibrate(loaded, samples, seed, methods=methods, settings=settings)
        even = shown.uniform_beside(loaded, samples, seed, methods=methods, settings=settings)
    if plot is not None:
        layout.save_figure(lambda ax: shown.plot_calibration(found, ax), plot, height=5.0)
    content = shown.content(found, loaded.nrmse, even)
    typer.echo(summary.dumps(content) if as_json else shown.text(content))


def corners(
    design: DesignFile,
    *,
    temperatures: Annotated[
        list[str] | None,
        typer.Option("--temperature", metavar="TEXT", help="-40 C, 27 C and 85 C unless given."),
    ] = None,
    supplies: Annotated[
        list[str] | None,
        typer.Option(
            "--supply", metavar="TEXT", help="Of the nominal one; 90 %, 100 % and 110 % unless given."
        ),
    ] = None,
    samples: Annotated[
        int, typer.Option("-n", "--samples", help="Mismatched circuits in every corner; 0 for none.")
    ] = 50,
    seed: Seed = 0,
    plot: Figure = None,
    only: Only = None,
    without: Without = None,
    as_json: AsJson = False,
) -> None:
    """Look at all corners of process, temperature and supply, each alone and crossed."""
    from lmu_analog.analysis import corners as analysis
    from lmu_analog.design_keys import labelled
    from lmu_analog.output import corners as shown
    from lmu_analog.output import files, layout, summary
    from lmu_analog.output.progress import progress
    from lmu_analog.units import fraction, temperature

    keep(design, plot)
    files.check_figure(plot)
    usual = analysis.Axes(samples=samples)
    axes = analysis.Axes(
        tuple(labelled("--temperature", temperature, t) for t in temperatures or ()) or usual.temperatures,
        tuple(labelled("--supply", fraction, s) for s in supplies or ()) or usual.supplies,
        samples,
    )
    with progress("corners"):
        found = analysis.corners(load(design, only, without), seed, axes=axes)
    if plot is not None:
        layout.save_figure(lambda ax: shown.plot_corners(found, ax), plot, height=5.0)
    content = shown.content(found)
    typer.echo(summary.dumps(content) if as_json else shown.text(content))


def resources(
    design: DesignFile,
    *,
    prices: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Rows of part,price or part,price,amplifiers.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what the circuit takes: supply current, power, energy per window, chip area, money for parts."""
    from lmu_analog.analysis import resources as analysis
    from lmu_analog.circuits.devices.prices import read_prices
    from lmu_analog.design import Design
    from lmu_analog.output import resources as shown
    from lmu_analog.output import summary

    given = None if prices is None else read_prices(prices)
    found = analysis.resources(Design.load(design), given)
    typer.echo(summary.dumps(shown.content(found)) if as_json else shown.text(found))
