"""Commands that choose what a circuit is made of. Heavy modules load inside the commands."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lmu_analog.cli.options import InputDesign, Json, Plot, Workers, draw, load, say, show
from lmu_analog.errors import DesignError
from lmu_analog.option import argument, option
from lmu_analog.output.progress import progress, stages

if TYPE_CHECKING:
    from lmu_analog.design import Design


@dataclass(frozen=True, kw_only=True)
class _Allocate(InputDesign, Json):
    output: Path | None = option(None, "Design file to write, with the tolerances.", "FILE", short="-o")
    resistor: str | None = option(
        None, "Tolerances that may be bought, for example '0.1 %, 1 %'; all that are sold unless given."
    )
    capacitor: str | None = option(None, "The same of capacitors.")
    prices: Path | None = option(
        None, "Price list, rows of part,price such as 'resistor 1 %,0.01'.", "FILE.csv"
    )
    task: Path | None = option(
        None, "A network and its data, for --loss in place of [spec] nrmse (docs/networks.md).", "FILE.npz"
    )
    loss: float | None = option(None, "Limit of the network's loss, for example 0.02.")
    samples: int | None = option(
        None, "Exact circuits that decide; 5000 unless given, 500 of a network.", short="-n", least=100
    )


def allocate(options: _Allocate) -> None:
    """Choose cheap tolerances, part by part, with which circuits keep [spec] nrmse, or the loss of a network."""
    from lmu_analog.circuits.devices.prices import read_prices
    from lmu_analog.codesign import allocation
    from lmu_analog.design_keys import labelled
    from lmu_analog.files_out import write_text
    from lmu_analog.output import allocation as shown
    from lmu_analog.output.design_text import commented
    from lmu_analog.units import tolerance

    output = options.output
    if output is not None:
        _check_new(output)
    design = load(options)
    if output is not None:
        _check_beside(output, design)
    given = {"resistor": options.resistor, "capacitor": options.capacitor}
    classes = {
        kind: [labelled(f"--{kind}", tolerance, part.strip()) for part in text.split(",")]
        for kind, text in given.items()
        if text is not None
    }
    prices = None if options.prices is None else read_prices(options.prices)
    limit = None
    if (options.task is None) != (options.loss is None):
        raise DesignError("--task and --loss go together: a network with its data, and the limit of its loss")
    if options.task is not None and options.loss is not None:
        from lmu_analog.networks.task import read_task

        if not 0.0 < options.loss < math.inf:
            raise DesignError(f"--loss {options.loss}: a positive number is wanted")
        limit = allocation.Limit("loss", options.loss, read_task(options.task))
    with progress("allocating tolerances"):
        found = allocation.allocate(
            design, limit=limit, tolerances=classes, prices=prices, samples=options.samples
        )
    if output is not None:
        write_text(output, commented(found.design))
        say(f"wrote {output}; next: lmu-analog montecarlo {output} -n 10000")
    show(options, shown.content(found), shown.text)


@dataclass(frozen=True, kw_only=True)
class _Centre(InputDesign, Json):
    output: Path = option(..., "Design file to write, with the values.", "FILE", short="-o")
    capacitors: bool = option(False, "Choose capacitors and inductors too.")
    second_order: bool = option(
        False,
        "Make the mean square error with mismatch least, to second order, in place of the nominal error.",
    )


def centre(options: _Centre) -> None:
    """Choose resistor values with which the circuit, its op-amps as they are, has the least window error."""
    from lmu_analog.codesign import centring
    from lmu_analog.files_out import write_text
    from lmu_analog.output import centring as shown
    from lmu_analog.output.design_text import commented

    _check_new(options.output)
    design = load(options)
    _check_beside(options.output, design)
    with progress("centring values"):
        found = centring.centre(design, capacitors=options.capacitors, second_order=options.second_order)
    write_text(options.output, commented(found.design))
    say(f"wrote {options.output}; next: lmu-analog montecarlo {options.output} -n 10000")
    show(options, shown.content(found), shown.text)


def _check_new(output: Path) -> None:
    """Refuse a file that is there, or that cannot be written."""
    from lmu_analog.files_out import check_file

    if output.exists():
        raise DesignError(f"{output} exists; give another name, or remove it first")
    check_file(output)


def _check_beside(output: Path, design: "Design") -> None:
    """Refuse a folder that lacks the files that the design names."""
    from lmu_analog.files_in import real

    for file in (design.parts, design.file):
        if file is not None and real(output).parent != real(file).parent:
            raise DesignError(
                f"-o {output}: {file} must lie in its folder; copy it there, or write beside it"
            )


@dataclass(frozen=True, kw_only=True)
class _Optimize(Workers, Plot, Json):
    requirement: Path | None = argument("REQUIREMENT", "Requirement (TOML).", optional=True)
    output: Path = option(..., "Folder for all results; with --example the file to write.", "DIR", short="-o")
    example: bool = option(False, "Write a commented requirement instead.")
    resume: bool = option(False, "Go on where an earlier search was stopped.")
    scheduler: str | None = option(None, "Dask scheduler, for example tcp://host:8786.", "ADDRESS")
    bins: Path | None = option(
        None, "Measured parts, rows of name,value: which goes where in the winner.", "FILE.csv"
    )
    why: str | None = option(
        None, "Where a candidate stands, for example order=6,realization=ladder,opamp=TL072.", "KEY=VALUE,..."
    )


def optimize(options: _Optimize) -> None:
    """Find the circuits that a requirement asks for, all verified; or what binds, and what would help."""
    from lmu_analog.files_out import check_file, write_text
    from lmu_analog.output import optimized
    from lmu_analog.output.codesign.drawn import plot_found
    from lmu_analog.output.files import check_figure

    if options.example:
        if options.output.exists():
            raise DesignError(f"{options.output} exists; give another name, or remove it first")
        check_file(options.output)
        write_text(options.output, optimized.EXAMPLE)
        say(f"wrote {options.output}; next: lmu-analog optimize {options.output} -o found")
        return
    if options.requirement is None:
        raise DesignError(
            "REQUIREMENT is missing; lmu-analog optimize --example -o requirement.toml writes one"
        )
    why = None if options.why is None else _pairs(options.why)
    check_figure(options.plot)
    with stages("searching", say) as count:
        content = optimized.optimize(
            options.requirement,
            options.output,
            resumed=options.resume,
            workers=options.workers,
            scheduler=options.scheduler,
            why=why,
            bins=options.bins,
            say=say,
            count=count,
        )
    say(f"wrote {options.output / optimized.REPORT}")
    if content["winner"] is not None:
        say(f"next: lmu-analog montecarlo {options.output / content['winner']} -n 10000")
    draw(options, lambda ax: plot_found(content, ax), height=4.5)
    show(options, content, optimized.text)


def _pairs(given: str) -> dict[str, str]:
    """Read KEY=VALUE,..."""
    found = {}
    for part in given.split(","):
        key, equals, value = part.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise DesignError(f"--why {part.strip()!r}: KEY=VALUE is wanted, for example order=6")
        found[key.strip()] = value.strip()
    return found
