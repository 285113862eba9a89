"""The command that takes a circuit to other tools. Heavy modules load inside the command."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lmu_analog.cli.options import DesignFile, Sample, SamplingName, SamplingOption, Seed, keep, say


class FormatName(StrEnum):
    """What a circuit can be exported to."""

    bom = "bom"
    json = "json"
    kicad = "kicad"
    svg = "svg"
    verilog_a = "verilog-a"


def export(
    design: DesignFile,
    to: Annotated[FormatName, typer.Option("--to", help="What to write.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="PATH", help="File to write.")],
    *,
    sample: Sample = None,
    seed: Seed = 0,
    sampling: SamplingOption = SamplingName.random,
) -> None:
    """Write a parts list, a KiCad schematic, drawings, a Verilog-A model, or the netlist as JSON."""
    from lmu_analog.design import Design
    from lmu_analog.output.export import formats

    keep(design, output)
    loaded = Design.load(design)
    formats.export(loaded, to.value, output, sample=sample, seed=seed, sampling=sampling.value)
    say(f"wrote {output}")
