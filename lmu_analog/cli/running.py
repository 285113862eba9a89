"""Commands that run circuits. Heavy modules load inside the commands."""

from pathlib import Path
from typing import Annotated

import typer

from lmu_analog.cli.options import (
    AsJson,
    Channel,
    Column,
    DesignFile,
    EngineName,
    EngineOption,
    EnsembleEngineName,
    EnsembleEngineOption,
    KernelName,
    KernelOption,
    Only,
    Recording,
    Sample,
    SamplingName,
    SamplingOption,
    Scheduler,
    Seed,
    Without,
    Workers,
    announce,
    keep,
    load,
    say,
)
from lmu_analog.errors import SimulationError


def simulate(
    design: DesignFile,
    *,
    engine: EngineOption = EngineName.exact,
    input: Recording = None,
    column: Column = None,
    channel: Channel = None,
    sample: Sample = None,
    seed: Seed = 0,
    sampling: SamplingOption = SamplingName.random,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.svg", help="Draw the result.")] = None,
    only: Only = None,
    without: Without = None,
    as_json: AsJson = False,
) -> None:
    """Run one circuit against the ideal window and the NumPy memory."""
    from lmu_analog.output import summary, tables
    from lmu_analog.output.jobs import simulate_one
    from lmu_analog.output.progress import progress, shares

    loaded = load(design, only, without, mismatched=sample is not None)
    steps = 1000 if engine is EngineName.ngspice else None
    with progress("simulating", steps) as advance:
        result = simulate_one(
            loaded,
            engine.value,
            recording=input,
            column=column,
            channel=channel,
            sample=sample,
            seed=seed,
            sampling=sampling.value,
            plot=plot,
            notify=say,
            progress=shares(advance, steps or 0),
        )
    content = summary.simulation(result)
    typer.echo(summary.dumps(content) if as_json else tables.simulation(content))


def montecarlo(
    design: DesignFile,
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="RUN.zarr", help="Where the run is stored.")
    ],
    samples: Annotated[
        int | None,
        typer.Option(
            "-n", "--samples", help="Number of samples, 200 unless given; with --until the most, or 100000."
        ),
    ] = None,
    seed: Seed = 0,
    engine: EnsembleEngineOption = EnsembleEngineName.exact,
    hybrid: Annotated[
        int | None, typer.Option(metavar="K", help="Let ngspice run the first K too, and combine both.")
    ] = None,
    sampling: SamplingOption = SamplingName.random,
    kernel: KernelOption = KernelName.numpy,
    until: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Stop by precision: 'yield +-1 %' or 'p95 +-2 %'.")
    ] = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue or extend the run.")] = False,
    only: Only = None,
    without: Without = None,
    as_json: AsJson = False,
) -> None:
    """Run a mismatch ensemble."""
    from lmu_analog.ensembles.pool import processors
    from lmu_analog.output import summary, tables
    from lmu_analog.output.jobs import stored_ensemble
    from lmu_analog.output.progress import progress

    if samples is None:
        samples = 200 if until is None else 100_000
    loaded = load(design, only, without)
    if engine is EnsembleEngineName.ngspice:
        announce(loaded, runs=samples, workers=workers or processors())
    with progress(
        "mismatch samples" if until is None else "samples, at most", samples + (hybrid or 0)
    ) as advance:
        content = stored_ensemble(
            loaded,
            output,
            samples=samples,
            seed=seed,
            engine=engine.value,
            subset=hybrid,
            sampling=sampling.value,
            kernel=kernel.value,
            until=until,
            workers=workers,
            scheduler=scheduler,
            resumed=resume,
            progress=advance,
        )
    typer.echo(summary.dumps(content) if as_json else tables.ensemble(content))
    if content["failed"] == content["samples"]:
        raise SimulationError(f"{output}: all samples failed: impossible values, or a fault of ngspice")


def report(
    design: DesignFile,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="report.html", help="Page to write.")],
    *,
    run: Annotated[
        Path | None, typer.Option("--run", metavar="RUN.zarr", help="Monte Carlo run to show.")
    ] = None,
    sections: Annotated[
        str | None,
        typer.Option(
            metavar="LIST", help="Sections, for example specification,budget,noise; all unless given."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the design report, one self-contained HTML page; with --json its content on stdout too."""
    from lmu_analog.design import Design
    from lmu_analog.output.progress import progress
    from lmu_analog.output.report.job import design_report, steps
    from lmu_analog.output.report.sections import read_sections
    from lmu_analog.output.summary import dumps

    keep(design, output)
    chosen, loaded = read_sections(sections), Design.load(design)
    announce(loaded)
    with progress("report", steps(chosen)) as advance:
        content = design_report(loaded, output, run_path=run, sections=chosen, progress=advance)
    if as_json:
        typer.echo(dumps(content))
    else:
        say(f"wrote {output}")


def run(
    design: DesignFile,
    *,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for all results.")],
    samples: Annotated[int, typer.Option("-n", "--samples", help="Number of mismatch samples.")] = 200,
    seed: Seed = 0,
    workers: Workers = None,
    only: Only = None,
    without: Without = None,
    as_json: AsJson = False,
) -> None:
    """Do the main job: derive, netlist, simulate in both engines, Monte Carlo, report."""
    from lmu_analog.output import mainjob, summary, tables
    from lmu_analog.output.progress import progress

    loaded = load(design, only, without)
    announce(loaded)
    with progress("run", mainjob.steps(samples)) as advance:
        content = mainjob.run(loaded, output, samples=samples, seed=seed, workers=workers, progress=advance)
    typer.echo(summary.dumps(content) if as_json else tables.main_job(content))
