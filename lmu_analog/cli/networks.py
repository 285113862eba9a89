"""Commands about networks around a memory. Heavy modules load inside the commands."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lmu_analog.cli.options import (
    ENGINE_HELP,
    Engine,
    InputDesign,
    Json,
    Plot,
    Sample,
    draw,
    load,
    say,
    show,
)
from lmu_analog.errors import DesignError
from lmu_analog.files_in import real
from lmu_analog.files_out import check_file, write_text
from lmu_analog.option import argument, option
from lmu_analog.output.files import check_figure
from lmu_analog.output.progress import progress


@dataclass(frozen=True, kw_only=True)
class _Cell(InputDesign, Sample, Json):
    weights: Path = argument("WEIGHTS", "Weights of a layer (.npz).")
    design: Path = argument("DESIGN", "Design file (TOML) of its memories.")
    output: Path | None = option(None, "Write the deck.", "FILE.cir", short="-o")
    hidden: Literal["sampled", "continuous"] = option(
        "sampled", "Hidden units held from step to step, or first-order lags."
    )
    arrays: Literal["resistor", "ota"] = option("resistor", "Weights as resistors or as transconductors.")
    activation: Literal["behavioural", "transistor"] = option(
        "behavioural", "tanh as a source, or as a pair of transistors."
    )
    series: str | None = option(None, "Standard values of the weights' resistors.", "E24")
    bits: int | None = option(None, "Bits of every weight, sign included.")
    input: Path | None = option(None, "Inputs, a row a step; tones unless given.", "FILE.csv")
    column: list[str] | None = option(None, "Columns of --input that are inputs, in order.", "NAME")
    steps: int = option(50, "Steps of the tones.")
    seed: int = option(0, "Seed of the tones' phases and of the mismatch.")
    engine: Engine = option("ngspice", ENGINE_HELP)


def cell(options: _Cell) -> None:
    """Make the whole cell a circuit in one netlist, run it, and say how far it is from its network."""
    from lmu_analog.networks.analog.options import CellOptions
    from lmu_analog.networks.analog.run import cell_deck, compare, signal
    from lmu_analog.networks.sequences import read_sequence
    from lmu_analog.networks.weights import from_npz
    from lmu_analog.output import cell as shown

    output, weights, recording, sample = options.output, options.weights, options.input, options.sample
    design = load(options, output=output)
    if output is not None:
        if output.exists() and real(output) in {real(p) for p in (weights, recording) if p}:
            raise DesignError(f"-o {output} is one of the inputs; give another name")
        check_file(output)  # before the work
    layer = from_npz(weights)
    settings = CellOptions(
        options.hidden, options.arrays, options.activation, series=options.series, bits=options.bits
    )
    if recording is None and options.column:
        raise DesignError("--column chooses from --input, and there is none; give it")
    if recording is None:
        x = signal(layer, options.steps, seed=options.seed)
    else:
        x = read_sequence(recording, layer.inputs, column=options.column or ())
    drawn = None if sample is None else (options.seed, sample)
    found = compare(layer, design, settings, x=x, engine=options.engine, sample=drawn)
    if output is not None:
        write_text(output, cell_deck(found.cell, x)[0])
        say(f"wrote {output}")
    deck = None if output is None else str(output)
    show(options, shown.content(found, layer, engine=options.engine, deck=deck, sample=sample), shown.text)


@dataclass(frozen=True, kw_only=True)
class _Spiking(Plot, Json):
    order: int | None = option(None, "States of the memory, or number of channels.")
    neurons: int | None = option(None, "Number of all neurons.")
    feedforward: bool = option(False, "Channels without a memory, each a sine of 10 Hz.")
    firing: Literal["poisson", "spiking", "rate"] = option(
        "poisson", "Poisson spikes, spikes of a membrane, or rates."
    )
    curve: Literal["lif", "rectified"] = option("lif", "Leaky integrate-and-fire, or rectified linear.")
    realization: str = option("legendre", "Coordinates of the states.")
    seed: int = option(0, "Seed of neurons and spikes.")
    benchmark: Literal["delay-network"] | None = option(
        None, "In place of the above: order 3, 100 ms, 3 Hz, 3 x 128 neurons."
    )
    stored: bool = option(False, "Print the stored run of the benchmark; nothing is run.")


def spiking(options: _Spiking) -> None:
    """Implement the memory with spiking neurons, and say how far it is from the ideal one."""
    check_figure(options.plot)
    order, neurons, feedforward = options.order, options.neurons, options.feedforward
    if options.benchmark is not None:
        if order is not None or neurons is not None or feedforward:
            raise DesignError(
                "--benchmark has its own order and neurons; leave out --order, --neurons, --feedforward"
            )
        _benchmark(options)
        return
    if order is None or neurons is None:
        raise DesignError("give --order and --neurons, or --benchmark delay-network")
    if options.stored:
        raise DesignError("--stored goes with --benchmark delay-network; other runs are not stored")
    from lmu_analog.networks.spiking.runs import STEPS, Request, run_channels, run_memory
    from lmu_analog.output import spiking as shown

    if feedforward and options.plot is not None:
        raise DesignError("--plot draws the window of a memory; leave out --feedforward")
    request = Request(order, neurons, options.firing, options.curve, options.realization, options.seed)
    with progress("spiking", None if feedforward else STEPS) as advance:
        outcome = run_channels(request) if feedforward else run_memory(request, advance)
    draw(options, lambda ax: shown.plot_window(outcome, ax), height=4.0)
    show(options, shown.content(request, outcome), shown.text)


def _benchmark(options: _Spiking) -> None:
    from lmu_analog.experiments import frame
    from lmu_analog.experiments.spiking_delay_network import Options
    from lmu_analog.experiments.spiking_plots import plot_delay_networks

    name, chosen = "spiking-delay-network", Options(seed=options.seed)
    found = frame.stored(name, chosen) if options.stored else frame.execute(name, chosen, progress)
    draw(options, lambda ax: plot_delay_networks(found["result"], ax), height=4.6)
    show(options, frame.flat(name, found), lambda _: frame.text(name, found))
