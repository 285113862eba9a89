"""Commands that say where the error comes from. Heavy modules load inside the commands."""

from pathlib import Path
from typing import Annotated

import typer

from lmu_analog.cli.options import AsJson, DesignFile, Seed

Plot = Annotated[Path | None, typer.Option(metavar="FILE.svg", help="Draw it over the window.")]


def noise(design: DesignFile, *, plot: Plot = None, as_json: AsJson = False) -> None:
    """Find the noise at the window, and who makes it."""
    from lmu_analog.analysis.noise import noise as noise_of
    from lmu_analog.design import Design
    from lmu_analog.output import noise as said
    from lmu_analog.output.files import check_figure
    from lmu_analog.output.layout import save_figure
    from lmu_analog.output.summary import dumps

    check_figure(plot)
    loaded = Design.load(design)
    found = noise_of(loaded)
    if plot is not None:
        save_figure(lambda ax: said.plot_noise(found, ax), plot, height=4.0)
    content = said.as_json(found, loaded)
    typer.echo(dumps(content) if as_json else said.text(content))


def budget(
    design: DesignFile,
    *,
    samples: Annotated[int, typer.Option("-n", "--samples", min=1, help="Circuits of the ensemble.")] = 100,
    seed: Seed = 0,
    plot: Plot = None,
    as_json: AsJson = False,
) -> None:
    """Split the window error by its causes, with the circuit's figures of merit."""
    from lmu_analog.design import Design
    from lmu_analog.output import budget as said
    from lmu_analog.output.files import check_figure
    from lmu_analog.output.layout import save_figure
    from lmu_analog.output.progress import progress
    from lmu_analog.output.summary import dumps

    check_figure(plot)
    with progress("error budget"):
        content, found = said.budget_of(Design.load(design), samples=samples, seed=seed)
    if plot is not None:
        save_figure(lambda ax: said.plot_budget(found, ax), plot, height=4.4)
    typer.echo(dumps(content) if as_json else said.text(content))
