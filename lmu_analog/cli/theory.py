"""Commands that ask theory, before or in place of many samples. Heavy modules load inside the commands."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lmu_analog.cli.options import (
    AsJson,
    DesignFile,
    EngineName,
    EngineOption,
    Only,
    Seed,
    Without,
    Workers,
    load,
)


class MethodName(StrEnum):
    """Ways to a small failure probability."""

    importance = "importance"
    scaled_sigma = "scaled-sigma"


def sensitivity(
    design: DesignFile,
    *,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.svg", help="Draw the 20 largest.")] = None,
    only: Only = None,
    without: Without = None,
    as_json: AsJson = False,
) -> None:
    """Say which elements matter, and what mismatch will cost: first-order theory, no samples."""
    from lmu_analog.output import summary, theory

    content = theory.sensitivity(load(design, only, without), plot=plot)
    typer.echo(summary.dumps(content) if as_json else theory.sensitivity_text(content))


def high_sigma_yield(
    design: DesignFile,
    *,
    method: Annotated[
        MethodName, typer.Option(help="importance (guided by theory) or scaled-sigma (needs more samples).")
    ] = MethodName.importance,
    samples: Annotated[int, typer.Option("-n", "--samples", help="Number of circuits.")] = 1000,
    seed: Seed = 0,
    engine: EngineOption = EngineName.exact,
    workers: Workers = None,
    only: Only = None,
    without: Without = None,
    as_json: AsJson = False,
) -> None:
    """Estimate a yield far out in the tail, such as 4 sigma, from a thousand circuits."""
    from lmu_analog.ensembles.high_sigma import high_sigma
    from lmu_analog.output import summary, theory
    from lmu_analog.output.progress import progress

    loaded = load(design, only, without)
    with progress("high-sigma yield"):
        found = high_sigma(
            loaded, method=method.value, samples=samples, seed=seed, engine=engine.value, workers=workers
        )
    content = theory.high_sigma(found, loaded.wanted_yield, theory.uniform_beside(loaded, samples, seed))
    typer.echo(summary.dumps(content) if as_json else theory.high_sigma_text(content))
