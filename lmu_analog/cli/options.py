"""Options that several commands share, and what they say."""

import contextlib
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lmu_analog.errors import DesignError, LmuAnalogError
from lmu_analog.files_in import real

if TYPE_CHECKING:
    from lmu_analog.design import Design


class EngineName(StrEnum):
    """The two engines."""

    exact = "exact"
    ngspice = "ngspice"


class EnsembleEngineName(StrEnum):
    """Engines for ensembles."""

    exact = "exact"
    nonlinear = "nonlinear"
    ngspice = "ngspice"


class SamplingName(StrEnum):
    """How samples are spread."""

    random = "random"
    latin = "latin"
    sobol = "sobol"


class KernelName(StrEnum):
    """What computes in the exact engine."""

    numpy = "numpy"
    float32 = "float32"
    numba = "numba"


class Dialect(StrEnum):
    """Deck dialects."""

    ngspice = "ngspice"
    ltspice = "ltspice"
    xyce = "xyce"
    spectre = "spectre"


DesignFile = Annotated[Path, typer.Argument(metavar="DESIGN", help="Design file (TOML).")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, for scripts.")]
Seed = Annotated[int, typer.Option(help="Seed of the mismatch draws.")]
EngineOption = Annotated[EngineName, typer.Option(help="exact (linear circuits, no step error) or ngspice.")]
EnsembleEngineOption = Annotated[
    EnsembleEngineName,
    typer.Option(
        help="exact (linear), nonlinear (rails and slew; hands hard samples to ngspice) or ngspice."
    ),
]
Recording = Annotated[
    Path | None, typer.Option("--input", metavar="FILE", help="A table (CSV, PWL) or WAV as the input.")
]
Column = Annotated[
    str | None, typer.Option(metavar="NAME", help="Column of the table, where it has several channels.")
]
Channel = Annotated[int | None, typer.Option(metavar="K", help="Channel of the WAV, from 1, if several.")]
Sample = Annotated[int | None, typer.Option(help="Mismatch sample, from 0, in place of the nominal circuit.")]
Only = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TEXT", help="Mismatch that acts: Ra_*, role:a[2,*], class:resistor, local, lot, none."
    ),
]
Without = Annotated[list[str] | None, typer.Option(metavar="TEXT", help="Mismatch that does not act.")]
Scheduler = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Dask scheduler, for example tcp://host:8786.")
]
SamplingOption = Annotated[
    SamplingName, typer.Option(help="Plan of the samples; latin and sobol spread them evenly.")
]
KernelOption = Annotated[
    KernelName,
    typer.Option(
        help="Of the exact engine: numba is compiled and several times as fast; float32 halves precision."
    ),
]
Workers = Annotated[int | None, typer.Option(help="Processes; one a processor unless given.")]


def load(
    path: Path, only: list[str] | None, without: list[str] | None, *, mismatched: bool = True
) -> "Design":
    """Read a design; a selection of its mismatch on the command line takes the place of the file's."""
    from lmu_analog.design import Design

    chosen = {name: given for name, given in (("only", only), ("without", without)) if given}
    if chosen and not mismatched:
        raise DesignError(
            f"--{next(iter(chosen))} chooses among mismatch, and there is none without --sample"
        )
    return Design.load(path).replace(**chosen)


def keep(design: Path, output: Path | None) -> None:
    """Refuse to write onto the design itself."""
    if output is not None and output.exists() and real(output) == real(design):
        raise DesignError(f"-o {output} is the design file itself; give another name")


def announce(design: "Design", *, runs: int = 1, workers: int = 1) -> None:
    """Tell the user beforehand that ngspice will take long; what is wrong with the design, the job itself says."""
    from lmu_analog.simulation import long_run

    with contextlib.suppress(LmuAnalogError):
        if line := long_run(design, runs=runs, workers=workers):
            say(line)


def say(text: str) -> None:
    """Tell the user on stderr."""
    typer.echo(text, err=True)
