"""The command that scores a recording of a built circuit. Heavy modules load inside the command."""

from pathlib import Path
from typing import Annotated

import typer

from lmu_analog.cli.options import (
    AsJson,
    Column,
    DesignFile,
    Sample,
    SamplingName,
    SamplingOption,
    Seed,
    keep,
)


def analyze(
    design: DesignFile,
    measured: Annotated[
        Path,
        typer.Option(
            "--measured", metavar="FILE.csv", help="time, input, and states, nets or taps such as r=0.5."
        ),
    ],
    *,
    column: Column = None,
    run: Annotated[
        Path | None, typer.Option("--run", metavar="RUN.zarr", help="Ensemble to take its place in.")
    ] = None,
    skip: Annotated[
        str | None, typer.Option(metavar="TIME", help="Left out at the start, for example '5 ms'.")
    ] = None,
    sample: Sample = None,
    seed: Seed = 0,
    sampling: SamplingOption = SamplingName.random,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.svg", help="Draw the result.")] = None,
    as_json: AsJson = False,
) -> None:
    """Score a bench recording: the same metrics, and fitted theta, gain and offset."""
    from lmu_analog.design import Design
    from lmu_analog.design_keys import labelled
    from lmu_analog.output.bench import bench, bench_text
    from lmu_analog.output.summary import dumps
    from lmu_analog.units import parse

    keep(design, plot)
    content = bench(
        Design.load(design),
        measured,
        column=column,
        run=run,
        sample=sample,
        seed=seed,
        sampling=sampling.value,
        skip=None if skip is None else labelled("--skip", parse, skip, "s"),
        plot=plot,
    )
    typer.echo(dumps(content) if as_json else bench_text(content))
