"""The command that checks what a kit's statistics do. Heavy modules load inside the command."""

from dataclasses import dataclass
from pathlib import Path

from lmu_analog.cli.options import Json, show
from lmu_analog.errors import SimulationError
from lmu_analog.option import argument, option
from lmu_analog.output.progress import progress


@dataclass(frozen=True, kw_only=True)
class _Check(Json):
    name: str = argument("NAME", "Process design kit, such as gf180mcu.")
    quick: bool = option(False, "One size, fewer draws, no draws of the process: seconds.")
    pdk: Path | None = option(None, "Folder with the model files, where the kit is not installed.", "DIR")


def check(options: _Check) -> None:
    """Check what a kit's statistics do in ngspice: nominal, mismatch, process, corners, and known defects."""
    from lmu_analog.circuits.devices.pdk import find_pdk
    from lmu_analog.output import pdk_findings as shown
    from lmu_analog.silicon.doctor import examine

    installed = find_pdk(options.name, options.pdk)
    with progress("checking the kit"):
        found = examine(installed, quick=options.quick)
    show(options, shown.content(found), shown.text)
    if found.off:
        count = len(found.off)
        raise SimulationError(
            f"{options.name}: {count} of {len(found.checks)} checks {'is' if count == 1 else 'are'} off, the first: "
            f"{found.off[0].what}"
        )
