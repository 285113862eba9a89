"""Commands about networks. Heavy modules load inside the commands."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lmu_analog.cli.options import AsJson, EngineName, EngineOption, Sample, keep, say
from lmu_analog.errors import DesignError


class Hidden(StrEnum):
    """What hidden units are."""

    sampled = "sampled"
    continuous = "continuous"


class Arrays(StrEnum):
    """What weights are."""

    resistor = "resistor"
    ota = "ota"


class Activation(StrEnum):
    """What makes the tanh."""

    behavioural = "behavioural"
    transistor = "transistor"


def cell(
    weights: Annotated[Path, typer.Argument(metavar="WEIGHTS", help="Weights of a layer (.npz).")],
    design: Annotated[Path, typer.Argument(metavar="DESIGN", help="Design file (TOML) of its memories.")],
    *,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE.cir", help="Write the deck.")
    ] = None,
    hidden: Annotated[
        Hidden, typer.Option(help="Hidden units held from step to step, or first-order lags.")
    ] = Hidden.sampled,
    arrays: Annotated[
        Arrays, typer.Option(help="Weights as resistors or as transconductors.")
    ] = Arrays.resistor,
    activation: Annotated[
        Activation, typer.Option(help="tanh as a source, or as a pair of transistors.")
    ] = Activation.behavioural,
    series: Annotated[
        str | None, typer.Option(metavar="E24", help="Standard values of the weights' resistors.")
    ] = None,
    bits: Annotated[int | None, typer.Option(help="Of every weight, sign included.")] = None,
    recorded: Annotated[
        Path | None,
        typer.Option("--input", metavar="FILE.csv", help="Inputs, a row a step; tones unless given."),
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Columns of --input that are inputs, in order.")
    ] = None,
    steps: Annotated[int, typer.Option(help="Of the tones.")] = 50,
    sample: Sample = None,
    seed: Annotated[int, typer.Option(help="Of the tones' phases and of the mismatch.")] = 0,
    engine: EngineOption = EngineName.ngspice,
    as_json: AsJson = False,
) -> None:
    """Make the whole cell a circuit in one netlist, run it, and say how far it is from its network."""
    from lmu_analog.design import Design
    from lmu_analog.files_in import real
    from lmu_analog.files_out import check_file, write_text
    from lmu_analog.networks.analog.options import CellOptions
    from lmu_analog.networks.analog.run import cell_deck, compare, signal
    from lmu_analog.networks.sequences import read_sequence
    from lmu_analog.networks.weights import from_npz
    from lmu_analog.output import cell as shown
    from lmu_analog.output import summary

    keep(design, output)
    if output is not None and output.exists() and real(output) in {real(p) for p in (weights, recorded) if p}:
        raise DesignError(f"-o {output} is one of the inputs; give another name")
    if output is not None:
        check_file(output)  # before the work
    layer, loaded = from_npz(weights), Design.load(design)
    options = CellOptions(hidden.value, arrays.value, activation.value, series=series, bits=bits)
    if recorded is None and column:
        raise DesignError("--column chooses from --input, and there is none; give it")
    given = None if recorded is None else read_sequence(recorded, layer.inputs, column=column or ())
    x = signal(layer, steps, seed=seed) if given is None else given
    chosen = None if sample is None else (seed, sample)
    found = compare(layer, loaded, options, x=x, engine=engine.value, sample=chosen)
    if output is not None:
        write_text(output, cell_deck(found.cell, x)[0])
        say(f"wrote {output}")
    written = None if output is None else str(output)
    figures = shown.content(found, layer, engine=engine.value, deck=written, sample=sample)
    typer.echo(summary.dumps(figures) if as_json else shown.text(figures))
