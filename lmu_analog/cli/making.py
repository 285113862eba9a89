"""Commands that write down what is to be built. Heavy modules load inside the commands."""

from pathlib import Path
from typing import Annotated

import typer

from lmu_analog.cli.options import (
    AsJson,
    Channel,
    Column,
    DesignFile,
    Dialect,
    Only,
    Sample,
    SamplingName,
    SamplingOption,
    Seed,
    Without,
    keep,
    load,
    say,
)
from lmu_analog.errors import DesignError, SimulationError


def new(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Design file to write.")],
    *,
    order: Annotated[int | None, typer.Option(help="Number of states, 1 to 64.")] = None,
    theta: Annotated[str, typer.Option(help="Window length, for example '1 ms'.")] = "1 ms",
    bandwidth: Annotated[
        str | None, typer.Option(help="Highest input frequency, for example '1 kHz'.")
    ] = None,
    realization: Annotated[str | None, typer.Option(help="See lmu-analog families.")] = None,
    family: Annotated[str, typer.Option(help="See lmu-analog families.")] = "active-rc",
    opamp: Annotated[str, typer.Option(help="A part of the catalogue, or ideal.")] = "ideal",
    error: Annotated[str | None, typer.Option(help="Largest truncation error; chooses the order.")] = None,
    input: Annotated[Path | None, typer.Option("--input", help="A recording; its band is measured.")] = None,
    column: Column = None,
    channel: Channel = None,
) -> None:
    """Write a commented design file."""
    from lmu_analog.output.starting import new_design

    asked: dict[str, object] = {
        "order": order,
        "theta": theta,
        "bandwidth": bandwidth,
        "realization": realization,
        "family": family,
        "opamp": opamp,
        "error": error,
    }
    given = {key: value for key, value in asked.items() if value is not None}
    new_design(given, output, recording=input, column=column, channel=channel)
    say(f"wrote {output}; next: lmu-analog run {output} -o results")


def derive(
    order: Annotated[int, typer.Option(help="Number of states, 1 to 64.")],
    as_json: AsJson = False,
    latex: Annotated[bool, typer.Option("--latex", help="LaTeX in place of text.")] = False,
) -> None:
    """Derive the equations exactly, with their proofs."""
    from lmu_analog.memory.symbolic import derive as derived
    from lmu_analog.output import derivation
    from lmu_analog.output.summary import dumps

    if as_json and latex:
        raise DesignError("both --json and --latex are given; give one of them")
    result = derived(order)
    if as_json:
        typer.echo(dumps(derivation.as_json(result)))
    else:
        typer.echo(derivation.as_latex(result) if latex else derivation.as_text(result))
    if not all(result.proofs.values()):
        raise SimulationError("a proof failed; this is a bug, please report it")


def families(as_json: AsJson = False) -> None:
    """List circuit families and the realizations that each can carry."""
    from lmu_analog.circuits.families.registry import FAMILIES
    from lmu_analog.output import summary

    if as_json:
        typer.echo(summary.dumps(summary.families()))
        return
    for name, family in FAMILIES.items():
        typer.echo(f"{name:<22}{family.about}\n{'':<22}{', '.join(family.realizations)} ({family.model})")


def netlist(
    design: DesignFile,
    *,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Deck, or folder for --samples.")
    ] = None,
    dialect: Annotated[
        Dialect, typer.Option(help="Simulator the deck is for; only ngspice was run.")
    ] = Dialect.ngspice,
    sample: Sample = None,
    samples: Annotated[str | None, typer.Option(metavar="A:B", help="Samples A to B-1, a deck each.")] = None,
    seed: Seed = 0,
    sampling: SamplingOption = SamplingName.random,
    only: Only = None,
    without: Without = None,
) -> None:
    """Write runnable decks, nominal or of mismatch samples."""
    from lmu_analog.output.decks import deck_text, sample_range, write_deck, write_decks

    loaded = load(design, only, without, mismatched=(sample, samples) != (None, None))
    keep(design, output)
    plan = sampling.value
    if sample is not None and samples is not None:
        raise DesignError("both --sample and --samples are given; give one of them")
    if samples is not None:
        written = write_decks(
            loaded,
            output or Path("decks"),
            samples=sample_range(samples),
            seed=seed,
            sampling=plan,
            dialect=dialect.value,
        )
    elif output is None:
        text = deck_text(loaded, sample=sample, seed=seed, sampling=plan, dialect=dialect.value)
        typer.echo(text, nl=False)
        return
    else:
        written = write_deck(loaded, output, sample=sample, seed=seed, sampling=plan, dialect=dialect.value)
    say(f"wrote {written[0]}" + (f" and {len(written) - 1} more" if len(written) > 1 else ""))
