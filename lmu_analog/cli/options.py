"""Options that several commands share, and what they say."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lmu_analog.errors import DesignError


class EngineName(StrEnum):
    """The two engines."""

    exact = "exact"
    ngspice = "ngspice"


class Dialect(StrEnum):
    """Deck dialects."""

    ngspice = "ngspice"


DesignFile = Annotated[Path, typer.Argument(metavar="DESIGN", help="Design file (TOML).")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, for scripts.")]
Seed = Annotated[int, typer.Option(help="Seed of the mismatch draws.")]
EngineOption = Annotated[EngineName, typer.Option(help="exact (linear circuits, no step error) or ngspice.")]
Recording = Annotated[Path | None, typer.Option("--input", metavar="FILE", help="CSV or WAV as the input.")]
Sample = Annotated[int | None, typer.Option(help="Mismatch sample, from 0, in place of the nominal circuit.")]
Workers = Annotated[int | None, typer.Option(help="Processes; one a processor unless given.")]


def keep(design: Path, output: Path | None) -> None:
    """Refuse to write onto the design itself."""
    if output is not None and output.exists() and output.resolve() == design.resolve():
        raise DesignError(f"-o {output} is the design file itself; give another name")


def say(text: str) -> None:
    """Tell the user on stderr."""
    typer.echo(text, err=True)
