"""Commands that run circuits. Heavy modules load inside the commands."""

from pathlib import Path
from typing import Annotated

import typer

from lmu_analog.cli.options import (
    AsJson,
    DesignFile,
    EngineName,
    EngineOption,
    Recording,
    Sample,
    Seed,
    Workers,
    keep,
    say,
)
from lmu_analog.errors import SimulationError


def simulate(
    design: DesignFile,
    *,
    engine: EngineOption = EngineName.exact,
    input: Recording = None,
    sample: Sample = None,
    seed: Seed = 0,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.svg", help="Draw the result.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run one circuit against the ideal window and the NumPy memory."""
    from lmu_analog.design import Design
    from lmu_analog.output import summary, tables
    from lmu_analog.output.jobs import simulate_one
    from lmu_analog.output.progress import progress

    loaded = Design.load(design)
    with progress("simulating"):
        result = simulate_one(loaded, engine.value, recording=input, sample=sample, seed=seed, plot=plot)
    content = summary.simulation(result)
    typer.echo(summary.dumps(content) if as_json else tables.simulation(content))


def montecarlo(
    design: DesignFile,
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="RUN.zarr", help="Where the run is stored.")
    ],
    samples: Annotated[int, typer.Option("-n", "--samples", help="Number of mismatch samples.")] = 200,
    seed: Seed = 0,
    engine: EngineOption = EngineName.exact,
    workers: Workers = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue or extend the run.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run a mismatch ensemble."""
    from lmu_analog.design import Design
    from lmu_analog.output import summary, tables
    from lmu_analog.output.jobs import stored_ensemble
    from lmu_analog.output.progress import progress

    with progress("mismatch samples", samples) as advance:
        content = stored_ensemble(
            Design.load(design),
            output,
            samples=samples,
            seed=seed,
            engine=engine.value,
            workers=workers,
            resumed=resume,
            progress=advance,
        )
    typer.echo(summary.dumps(content) if as_json else tables.ensemble(content))
    if content["failed"] == content["samples"]:
        raise SimulationError(f"{output}: all samples failed: impossible values, or a fault of ngspice")


def report(
    design: DesignFile,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="report.html", help="Page to write.")],
    run: Annotated[
        Path | None, typer.Option("--run", metavar="RUN.zarr", help="Monte Carlo run to show.")
    ] = None,
) -> None:
    """Write the design report, one self-contained HTML page."""
    from lmu_analog.design import Design
    from lmu_analog.output.mainjob import write_design_report
    from lmu_analog.output.progress import progress

    keep(design, output)
    with progress("report"):
        write_design_report(Design.load(design), output, run_path=run)
    say(f"wrote {output}")


def run(
    design: DesignFile,
    *,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for all results.")],
    samples: Annotated[int, typer.Option("-n", "--samples", help="Number of mismatch samples.")] = 200,
    seed: Seed = 0,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Do the main job: derive, netlist, simulate in both engines, Monte Carlo, report."""
    from lmu_analog.design import Design
    from lmu_analog.output import mainjob, summary, tables
    from lmu_analog.output.progress import progress

    loaded = Design.load(design)
    with progress("run", mainjob.steps(samples)) as advance:
        content = mainjob.run(loaded, output, samples=samples, seed=seed, workers=workers, progress=advance)
    typer.echo(summary.dumps(content) if as_json else tables.main_job(content))
