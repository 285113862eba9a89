"""The command that sweeps, prints and draws device tables. Heavy modules load inside the command."""

from dataclasses import dataclass
from pathlib import Path

from lmu_analog.cli.options import Json, say, show
from lmu_analog.errors import DesignError
from lmu_analog.option import argument, option
from lmu_analog.output.progress import progress


@dataclass(frozen=True, kw_only=True)
class _Tables(Json):
    name: str = argument("NAME", "Process design kit, such as gf180mcu.")
    device: str = option("nmos_3p3", "Transistor of the kit.")
    corner: str = option("typical", "Corner of its models: typical, ff, ss, fs, sf.")
    temperature: str = option("27 C", "Temperature, such as '125 C' or '300 K'.")
    pdk: Path | None = option(None, "Folder with the model files, where the kit is not installed.", "DIR")
    output: Path | None = option(
        None, "Folder to make, with a table (CSV) for every length.", "DIR", short="-o"
    )
    plot: Path | None = option(None, "Draw gm/I_D, gain, speed, noise and mismatch.", "FILE.svg")


def tables(options: _Tables) -> None:
    """Print what a transistor does at every inversion level: gm/I_D, gain, speed, noise, mismatch, leakage."""
    from lmu_analog.circuits.devices.pdk import find_pdk
    from lmu_analog.design_keys import labelled
    from lmu_analog.files_out import whole_folder, write_text
    from lmu_analog.output import device_tables as shown
    from lmu_analog.output.files import check_figure, write_figure
    from lmu_analog.silicon.tables import device_table
    from lmu_analog.units import temperature

    kelvin = labelled("--temperature", temperature, options.temperature)
    check_figure(options.plot)
    if options.output is not None and options.output.exists():
        raise DesignError(f"-o {options.output} exists; give another name, or remove it first")
    installed = find_pdk(options.name, options.pdk)
    installed.pdk.device(options.device)
    with progress("sweeping the device"):
        table = device_table(installed, options.device, corner=options.corner, temperature=kelvin)
    content = shown.content(table)
    show(options, content, shown.text)
    if options.output is not None:
        with whole_folder(options.output) as half:
            for row in content["lengths"]:
                write_text(half / shown.file_name(row), shown.as_csv(row))
        say(f"wrote {len(content['lengths'])} tables in {options.output}")
    if options.plot is not None:
        write_figure(shown.plot_table(content), options.plot)
        say(f"wrote {options.plot}")
