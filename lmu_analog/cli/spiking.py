"""The command ``spiking``: a memory or a channel of spiking neurons, and the delay network on many substrates."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lmu_analog.cli.options import AsJson
from lmu_analog.errors import DesignError


class Sends(StrEnum):
    """What neurons send."""

    poisson = "poisson"
    spiking = "spiking"
    rate = "rate"


class Shape(StrEnum):
    """How the rate grows with the current."""

    lif = "lif"
    rectified = "rectified"


class Benchmark(StrEnum):
    """Published benchmarks."""

    delay_network = "delay-network"


def spiking(
    *,
    order: Annotated[int | None, typer.Option(help="States of the memory, or number of channels.")] = None,
    neurons: Annotated[int | None, typer.Option(help="Number of all neurons.")] = None,
    feedforward: Annotated[
        bool, typer.Option("--feedforward", help="Channels without a memory, each a sine of 10 Hz.")
    ] = False,
    firing: Annotated[
        Sends, typer.Option(help="Poisson spikes, spikes of a membrane, or rates.")
    ] = Sends.poisson,
    curve: Annotated[Shape, typer.Option(help="Leaky integrate-and-fire, or rectified linear.")] = Shape.lif,
    realization: Annotated[str, typer.Option(help="Coordinates of the states.")] = "legendre",
    seed: Annotated[int, typer.Option(help="Of neurons and spikes.")] = 0,
    benchmark: Annotated[
        Benchmark | None, typer.Option(help="In place of the above: order 3, 100 ms, 3 Hz, 3 x 128 neurons.")
    ] = None,
    stored: Annotated[bool, typer.Option("--stored", help="Of the benchmark: print the stored run.")] = False,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.svg", help="Draw the result.")] = None,
    as_json: AsJson = False,
) -> None:
    """Let spiking neurons carry the memory, and say how far it is from the ideal one."""
    from lmu_analog.output.files import check_figure

    check_figure(plot)
    if benchmark is not None:
        if order is not None or neurons is not None or feedforward:
            raise DesignError(
                "--benchmark has its own order and neurons; leave out --order, --neurons, --feedforward"
            )
        _benchmark(stored=stored, seed=seed, plot=plot, as_json=as_json)
        return
    if order is None or neurons is None:
        raise DesignError("give --order and --neurons, or --benchmark delay-network")
    if stored:
        raise DesignError("--stored goes with --benchmark delay-network; other runs are not stored")
    from lmu_analog.networks.spiking.runs import STEPS, Request, run_channels, run_memory
    from lmu_analog.output import layout, summary
    from lmu_analog.output import spiking as shown
    from lmu_analog.output.progress import progress

    if feedforward and plot is not None:
        raise DesignError("--plot draws the window of a memory; leave out --feedforward")
    request = Request(order, neurons, firing.value, curve.value, realization, seed)
    with progress("spiking", None if feedforward else STEPS) as advance:
        outcome = run_channels(request) if feedforward else run_memory(request, advance)
    if plot is not None:
        layout.save_figure(lambda ax: shown.plot_window(outcome, ax), plot, height=4.0)
    figures = shown.content(request, outcome)
    typer.echo(summary.dumps(figures) if as_json else shown.text(figures))


def _benchmark(*, stored: bool, seed: int, plot: Path | None, as_json: bool) -> None:
    from lmu_analog.experiments import frame
    from lmu_analog.experiments.spiking_delay_network import Options
    from lmu_analog.experiments.spiking_plots import plot_delay_networks
    from lmu_analog.output import layout, summary
    from lmu_analog.output.progress import progress

    name, options = "spiking-delay-network", Options(seed=seed)
    found = frame.stored(name, options) if stored else frame.execute(name, options, progress)
    if plot is not None:
        layout.save_figure(lambda ax: plot_delay_networks(found["result"], ax), plot, height=4.6)
    typer.echo(summary.dumps(frame.flat(name, found)) if as_json else frame.text(name, found))
