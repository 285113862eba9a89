"""The command that draws. Heavy modules load inside the command."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lmu_analog.cli.options import DesignFile, keep, say


class What(StrEnum):
    """Sheets of a drawing."""

    cell = "cell"
    network = "network"
    flow = "flow"
    all = "all"


def draw(
    design: DesignFile,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="FILE.svg, FILE.png or FILE.pdf.")
    ],
    *,
    what: Annotated[
        What, typer.Option(help="One cell with values, the network, the signal-flow graph, or all.")
    ] = What.all,
) -> None:
    """Draw the circuit: one cell with values, the network, the signal-flow graph."""
    from lmu_analog.building import build
    from lmu_analog.design import Design
    from lmu_analog.output.schematic import write_drawing

    keep(design, output)
    say(f"wrote {write_drawing(build(Design.load(design)), output, what=what.value)}")
