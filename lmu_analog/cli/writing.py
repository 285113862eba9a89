"""Commands that write down what is to be built. Heavy modules load inside the commands."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from lmu_analog.cli.options import (
    Calibrated,
    InputDesign,
    Json,
    Recording,
    Sample,
    Sampling,
    Seed,
    Selection,
    announce,
    arguments,
    load,
    refuse_of_transistors,
    say,
    show,
)
from lmu_analog.errors import DesignError, SimulationError
from lmu_analog.option import argument, option
from lmu_analog.output.progress import percents, progress, stages

if TYPE_CHECKING:
    from lmu_analog.design import Design


@dataclass(frozen=True, kw_only=True)
class _New(Recording):
    output: Path = option(..., "Design file to write.", "FILE", short="-o")
    order: int | None = option(None, "Number of states, 1 to 64.")
    theta: str = option("1 ms", "Window length, for example '1 ms'.")
    bandwidth: str | None = option(None, "Highest input frequency, for example '1 kHz'.")
    realization: str | None = option(None, "See lmu-analog families.")
    family: str = option("active-rc", "See lmu-analog families.")
    opamp: str | None = option(None, "A part of the catalogue, or ideal.")
    supply: str | None = option(None, "The circuit runs from plus and minus this, for example '5 V'.")
    reference: str | None = option(
        None, "mid: the supply is a single one, and signals are against the middle of it."
    )
    values: str | None = option(None, "Series of standard values, E6 to E192; exact unless given.")
    capacitance: str | None = option(None, "Integrating capacitors; chosen from theta unless given.")
    taps: str | None = option(
        None, "Outputs that show the input delayed: delays in theta, for example '0.5, 1'."
    )
    resistor: str | None = option(None, "Tolerance of resistors, 1 % unless given.")
    capacitor: str | None = option(None, "Tolerance of capacitors, 1 % unless given.")
    nrmse: str | None = option(
        None, "Largest window error, 10 % unless given; with a bandwidth chooses the order."
    )
    yield_: str | None = option(None, "Circuits that must keep it, for example '95 %'.")
    error: str | None = option(
        None, "Largest truncation error; chooses the order, with --nrmse the least one."
    )
    input: Path | None = option(None, "A recording; its band is measured.")


def new(options: _New) -> None:
    """Write a commented design file."""
    from lmu_analog.output.starting import new_design

    asked = asdict(options)
    output, recording, column, channel = (asked.pop(key) for key in ("output", "input", "column", "channel"))
    asked["wanted_yield"] = asked.pop("yield_")
    given = {key: value for key, value in asked.items() if value is not None}
    if options.taps is not None:
        given["taps"] = [part.strip() for part in options.taps.split(",")]
    tolerances = {kind: given.pop(kind) for kind in ("resistor", "capacitor") if kind in given}
    new_design(
        given,
        output,
        recording=recording,
        column=column,
        channel=channel,
        tolerances=tolerances,
        notify=say,
    )
    say(f"wrote {output}; next: lmu-analog run {output} -o results")


@dataclass(frozen=True, kw_only=True)
class _Derive(Json):
    order: int = option(..., "Number of states, 1 to 64.")
    latex: bool = option(False, "LaTeX in place of text.")


def derive(options: _Derive) -> None:
    """Derive the equations exactly, with their proofs."""
    from lmu_analog.memory import symbolic
    from lmu_analog.output import derivation

    if options.json and options.latex:
        raise DesignError("both --json and --latex are given; give one of them")
    result = symbolic.derive(options.order)
    written = derivation.as_latex if options.latex else derivation.as_text
    show(options, derivation.as_json(result), lambda _: written(result))
    if not all(result.proofs.values()):
        raise SimulationError("a proof failed; this is a bug, please report it")


def families(options: Json) -> None:
    """List circuit families and the realizations that each can implement."""
    from lmu_analog.circuits.families.registry import FAMILIES
    from lmu_analog.output import summary

    lines = [
        f"{name:<22}{family.about}\n{'':<22}{', '.join(family.realizations)} ({family.model})"
        for name, family in FAMILIES.items()
    ]
    show(options, summary.families(), lambda _: "\n".join(lines))


def parts(options: Json) -> None:
    """List the catalogue of amplifiers: figures, how they are sold, and where the figures are from."""
    from lmu_analog.output import parts as listed

    show(options, listed.content(), lambda _: listed.table())


@dataclass(frozen=True, kw_only=True)
class _Netlist(Sample, Seed, Sampling, Selection):
    output: Path | None = option(None, "Deck, or folder for --samples.", short="-o")
    dialect: Literal["ngspice", "ltspice", "xyce", "spectre"] = option(
        "ngspice", "Simulator the deck is for; only ngspice was run."
    )
    samples: str | None = option(None, "Samples A to B-1, a deck each.", "A:B")
    pdk_include: bool = option(
        False, "Of transistors of a process: include the PDK where it is, in place of a copy of its models."
    )


def netlist(options: _Netlist) -> None:
    """Write runnable decks, nominal or of mismatch samples."""
    from lmu_analog.building import build
    from lmu_analog.output import summary, tables
    from lmu_analog.output.decks import deck_text, sample_range, write_deck, write_decks

    sample, samples, output = options.sample, options.samples, options.output
    design = load(
        options, output=output, mismatched=(sample, samples) != (None, None), takes_transistors=True
    )
    if design.uses_pdk:
        _netlist_of_chip(options, design)
        return
    if options.pdk_include:
        raise DesignError("--pdk-include is for circuits of transistors of a process; leave it out")
    if sample is not None and samples is not None:
        raise DesignError("both --sample and --samples are given; give one of them")
    chosen = arguments(options, deck_text)
    if samples is not None:
        chosen = arguments(options, write_decks, samples=sample_range(samples))
        written = write_decks(design, output or Path("decks"), **chosen)
    elif output is None:
        typer.echo(deck_text(design, **chosen), nl=False)
        return
    else:
        written = write_deck(design, output, **chosen)
    say(f"wrote {written[0]}" + (f" and {len(written) - 1} more" if len(written) > 1 else ""))
    if line := tables.impedance_line(summary.impedance(design, build(design))):
        say(line)


def _netlist_of_chip(options: _Netlist, design: "Design") -> None:
    from lmu_analog.output.chip_decks import chip_netlist, write_netlist

    refuse_of_transistors(
        {
            "--sample": options.sample is not None,
            "--samples": options.samples,
            "--sampling": options.sampling != "random",
            "--dialect": options.dialect != "ngspice",
        }
    )
    form = "include" if options.pdk_include else "alone"
    with stages("circuit", say) as count:
        advance = percents(count, "circuit")
        if options.output is None:
            text = chip_netlist(design, form, progress=advance)
        else:
            say(f"wrote {write_netlist(design, options.output, form, progress=advance)}")
            return
    typer.echo(text, nl=False)


@dataclass(frozen=True, kw_only=True)
class _Check(Json):
    deck: Path = argument("DECK", "Deck for ngspice, as netlist writes it, edited by hand or not.")
    design: Path | None = option(
        None, "Its design: the digest is compared, and changed values are shown as they were.", "DESIGN"
    )


def check(options: _Check) -> None:
    """Check a deck from the deck alone: its proofs, how far its circuit is from the ideal memory, what was changed."""
    from lmu_analog.design import Design
    from lmu_analog.ensembles.orders import with_room
    from lmu_analog.output.checking import check_deck, check_text, complaint

    design = None if options.design is None else with_room(Design.load(options.design))
    content = check_deck(options.deck, design)
    show(options, content, check_text)
    if (said := complaint(content)) is not None:
        raise SimulationError(said)


@dataclass(frozen=True, kw_only=True)
class _Draw(InputDesign):
    output: Path = option(..., "FILE.svg, FILE.png or FILE.pdf.", "FILE", short="-o")
    what: Literal["cell", "network", "flow", "all"] = option(
        "all", "One cell with values, the network, the signal-flow graph, or all."
    )


def draw(options: _Draw) -> None:
    """Draw the circuit: one cell with values, the network, the signal-flow graph."""
    from lmu_analog.building import build
    from lmu_analog.output.schematic import write_drawing

    design = load(options, output=options.output)
    say(f"wrote {write_drawing(build(design), options.output, what=options.what)}")


@dataclass(frozen=True, kw_only=True)
class _Export(Calibrated, InputDesign, Sample, Seed, Sampling):
    to: Literal[
        "board",
        "bom",
        "bom-kicad",
        "bom-lcsc",
        "bom-mouser",
        "json",
        "kicad",
        "readout",
        "svg",
        "testplan",
        "verilog-a",
        "xschem",
    ] = option(..., "What to write; xschem of transistors of a process.")
    output: Path = option(..., "File to write; of board, a folder to make.", "PATH", short="-o")
    points: str | None = option(None, "Delays r of a readout; 0,0.1,...,1 unless given.", "LIST")
    full_scale: str | None = option(
        None, "Full scale of the readout's ADC; the supply unless given.", "VOLTS"
    )
    prices: Path | None = option(None, "Price list for a parts list, see resources.", "FILE.csv")


def export(options: _Export) -> None:
    """Write a parts list, a KiCad project, drawings, a model, a readout, a test plan, JSON, or all for a board."""
    from lmu_analog.circuits.devices.prices import read_prices
    from lmu_analog.design_keys import labelled
    from lmu_analog.output.export import formats
    from lmu_analog.output.export.readout import read_points
    from lmu_analog.units import magnitude

    volts = options.full_scale
    design = load(options, output=options.output, takes_transistors=options.to == "xschem")
    if options.to == "xschem":
        _export_of_chip(options, design)
        return
    chosen = arguments(
        options,
        formats.export,
        points=None if options.points is None else read_points(options.points),
        full_scale=None if volts is None else labelled("--full-scale", magnitude, volts, "V"),
        prices=None if options.prices is None else read_prices(options.prices),
    )
    formats.export(design, path=options.output, design_file=options.design, **chosen)
    say(f"wrote {options.output}")


def _export_of_chip(options: _Export, design: "Design") -> None:
    from lmu_analog.output.chip_decks import write_schematic

    given = {
        "--sample": options.sample is not None,
        "--sampling": options.sampling != "random",
        "--calibration": options.calibration,
        "--method": options.method,
        "--points": options.points,
        "--full-scale": options.full_scale,
        "--prices": options.prices,
    }
    refuse_of_transistors(given)
    with stages("circuit", say) as count:
        written = write_schematic(design, options.output, progress=percents(count, "circuit"))
    say(f"wrote {written}")


@dataclass(frozen=True, kw_only=True)
class _Report(InputDesign, Json):
    output: Path = option(..., "Page to write.", "report.html", short="-o")
    run: Path | None = option(None, "Monte Carlo run to show.", "RUN.zarr")
    sections: str | None = option(
        None, "Sections, for example specification,budget,noise; all unless given.", "LIST"
    )


def report(options: _Report) -> None:
    """Write the design report, one self-contained HTML page; with --json its content on stdout too."""
    from lmu_analog.output import summary
    from lmu_analog.output.report.job import design_report, steps
    from lmu_analog.output.report.sections import read_sections

    chosen, design = read_sections(options.sections), load(options, output=options.output)
    announce(design)
    with progress("report", steps(chosen)) as advance:
        content = design_report(
            design, options.output, run_path=options.run, sections=chosen, progress=advance
        )
    if options.json:
        typer.echo(summary.dumps(content))
    else:
        say(f"wrote {options.output}")


def doctor(options: Json) -> None:
    """Say what is here: versions, processor, engine, simulator, extras. A bug report needs it."""
    from lmu_analog.output.doctor import as_text, doctor

    show(options, doctor(), as_text)
