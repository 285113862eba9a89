"""Options that several commands share, a class for each, and what commands do with them."""

import contextlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from unicodedata import category

import typer

from lmu_analog.errors import DesignError, LmuAnalogError
from lmu_analog.files_in import real
from lmu_analog.option import argument, option
from lmu_analog.output.files import check_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lmu_analog.design import Design

Engine = Literal["exact", "ngspice"]
ENGINE_HELP = "exact (linear circuits, no step error) or ngspice."


@dataclass(frozen=True, kw_only=True)
class InputDesign:
    """The design that the command reads."""

    design: Path = argument("DESIGN", "Design file (TOML).")


@dataclass(frozen=True, kw_only=True)
class Selection(InputDesign):
    """A design, and which of its mismatch acts."""

    only: list[str] | None = option(
        None, "Mismatch that acts: Ra_*, role:a[2,*], class:resistor, local, lot, none.", "TEXT"
    )
    without: list[str] | None = option(None, "Mismatch that does not act.", "TEXT")


@dataclass(frozen=True, kw_only=True)
class Recording:
    """An input from a file."""

    input: Path | None = option(None, "A table (CSV, PWL) or WAV as the input.", "FILE")
    column: str | None = option(None, "Column of the table, where it has several channels.", "NAME")
    channel: int | None = option(None, "Channel of the WAV, from 1, if several.", "K")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One mismatched circuit."""

    sample: int | None = option(None, "Mismatch sample, from 0, in place of the nominal circuit.")


@dataclass(frozen=True, kw_only=True)
class Seed:
    """Seed of what is drawn."""

    seed: int = option(0, "Seed of the mismatch draws.")


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How samples are spread."""

    sampling: Literal["random", "latin", "sobol"] = option(
        "random", "Plan of the samples; latin and sobol spread them evenly."
    )


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """What a calibration found, with which the circuit is read out and set."""

    calibration: Path | None = option(
        None, "What calibrate -o found; --sample is one of its circuits.", "FILE.json"
    )
    method: str | None = option(None, "Method of the calibration; the one that fits unless given.", "NAME")


@dataclass(frozen=True, kw_only=True)
class Workers:
    """Processes that share the work."""

    workers: int | None = option(None, "Processes; one a processor unless given.")


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A figure of the result."""

    plot: Path | None = option(None, "Draw the result.", "FILE.svg")


@dataclass(frozen=True, kw_only=True)
class Json:
    """Figures for scripts."""

    json: bool = option(False, "One JSON object on stdout, for scripts.")


def load(
    options: InputDesign,
    *,
    output: Path | None = None,
    mismatched: bool = True,
    takes_transistors: bool = False,
) -> "Design":
    """Read the design; a selection of its mismatch on the command line takes the place of the file's.

    An order that an error chooses has room for the parts, and is said with its reason.
    Before the work is done, a figure that cannot be written is refused, and one or an output in place of the design.
    So is a circuit of a kit's transistors, unless the command ``takes_transistors``.
    """
    from lmu_analog.building import refuse_pdk
    from lmu_analog.design import Design
    from lmu_analog.ensembles.orders import with_room

    plot = options.plot if isinstance(options, Plot) else None
    for path in (output, plot):
        if path is not None and path.exists() and real(path) == real(options.design):
            raise DesignError(f"-o {path} is the design file itself; give another name")
    check_figure(plot)
    chosen: dict[str, Any] = {}
    if isinstance(options, Selection):
        both = {"only": options.only, "without": options.without}
        chosen = {name: given for name, given in both.items() if given}
    if chosen and not mismatched:
        raise DesignError(
            f"--{next(iter(chosen))} chooses among mismatch, and there is none without --sample"
        )
    design = Design.load(options.design).replace(**chosen)
    if not takes_transistors:
        refuse_pdk(design)
    design = with_room(design)
    if design.reached is not None:
        say(f"order {design.order}: {design.reached.text}")
    return design


def refuse_of_transistors(given: Mapping[str, object]) -> None:
    """Refuse options that circuits of a process's transistors do not take; those that are not given are falsy."""
    for name, value in given.items():
        if value:
            raise DesignError(f"{name} is not for circuits of transistors of a process; leave it out")


def arguments(options: Any, function: Callable[..., Any], **instead: Any) -> dict[str, Any]:
    """Give the options that a function has arguments of the same name for; its design is read by ``load``.

    Parameters
    ----------
    options : dataclass of options
    function : callable
    **instead
        Arguments that take the place of options of the same name, which need reading first.
    """
    known = inspect.signature(function).parameters
    named = {
        f.name: getattr(options, f.name) for f in fields(options) if f.name in known and f.name != "design"
    }
    return {**named, **instead}


def announce(design: "Design", *, runs: int = 1, workers: int = 1) -> None:
    """Tell the user beforehand that ngspice will take long; what is wrong with the design, the job itself says."""
    from lmu_analog.simulation import long_run

    with contextlib.suppress(LmuAnalogError):
        if line := long_run(design, runs=runs, workers=workers):
            say(line)


def draw(options: Plot, plot: Callable[["Axes"], "Axes"], *, height: float) -> None:
    """Draw the figure that is asked for, if one is, on axes of 9 by ``height`` inches."""
    from lmu_analog.output.layout import save_figure

    if options.plot is not None:
        save_figure(plot, options.plot, height=height)


def show(options: Json, content: dict[str, Any], text: Callable[[dict[str, Any]], str]) -> None:
    """Write figures to stdout, as JSON or as ``text`` lays them out."""
    from lmu_analog.output.summary import dumps

    typer.echo(dumps(content) if options.json else text(content))


def say(text: str) -> None:
    """Tell the user on stderr."""
    typer.echo("".join(repr(c)[1:-1] if category(c) == "Cc" and c != "\n" else c for c in text), err=True)
