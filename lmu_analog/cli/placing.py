"""The command that places measured parts. Heavy modules load inside the command."""

from dataclasses import dataclass
from pathlib import Path

from lmu_analog.cli.options import InputDesign, Json, load, say, show
from lmu_analog.errors import DesignError
from lmu_analog.option import option
from lmu_analog.output.progress import progress


@dataclass(frozen=True, kw_only=True)
class _Place(InputDesign, Json):
    bins: Path = option(..., "Measured parts, rows of name,value such as R1,10.02 kOhm.", "FILE.csv")
    output: Path | None = option(
        None, "Design file to write, with the values of the parts.", "FILE", short="-o"
    )
    list: Path | None = option(None, "Table to write of which part goes where.", "FILE.csv")
    uncertainty: str | None = option(
        None,
        "Of the measurement, for example '0.05 %': the tolerance of what is placed, in the design written.",
    )


def place(options: _Place) -> None:
    """Say which measured part goes where, so that deviations undo each other."""
    from lmu_analog.circuits.devices.measured import read_measured
    from lmu_analog.codesign.bins import place_parts
    from lmu_analog.design_keys import labelled
    from lmu_analog.files_in import real
    from lmu_analog.files_out import check_file, write_text
    from lmu_analog.output import placement as shown
    from lmu_analog.output.design_text import commented
    from lmu_analog.units import tolerance

    for path in (options.output, options.list):
        if path is not None and path.exists():
            raise DesignError(f"{path} exists; give another name, or remove it first")
        if path is not None:
            check_file(path)
    design, output, measured = load(options), options.output, read_measured(options.bins)
    for file in (design.parts, design.file):
        if output is not None and file is not None and real(output).parent != real(file).parent:
            raise DesignError(
                f"-o {output}: {file} must lie in its folder; copy it there, or write beside it"
            )
    given = options.uncertainty
    left = None if given is None else labelled("--uncertainty", tolerance, given)
    with progress("placing parts"):
        found = labelled(str(options.bins), lambda: place_parts(design, measured, uncertainty=left))
    if output is not None:
        write_text(output, commented(found.design))
        say(f"wrote {output}; next: lmu-analog simulate {output}")
    if options.list is not None:
        write_text(options.list, shown.as_csv(found))
        say(f"wrote {options.list}")
    show(options, shown.content(found), shown.text)
