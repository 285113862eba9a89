"""Copies the symbols that exports to KiCad use from an installed KiCad into the package.

    python -m benchmarks.kicad_symbols [--folder /usr/share/kicad/symbols] [--check]

Writes lmu_analog/output/export/symbols.kicad_sym, in the form that KiCad 7 and later read; --check only compares and
ends with status 1 where they differ.
"""

import argparse
from pathlib import Path

from lmu_analog.output.export import symbols
from lmu_analog.output.export.symbols import Expression, read, written

BESIDE = (
    "Device:R", "Device:C", "Device:L", "Device:Opamp_Dual", "Device:Opamp_Quad", "Jumper:SolderJumper_2_Bridged",
    "Connector:TestPoint", "power:GND", "power:VCC", "power:VEE", "power:PWR_FLAG",
    "Amplifier_Operational:OPA333xxD", "Amplifier_Operational:OPA333xxDBV",
)  # fmt: skip
LICENCE = """# Symbols of KiCad's libraries (https://gitlab.com/kicad/libraries/kicad-symbols), copied
# from version {version} by benchmarks/kicad_symbols.py: names have their library before them, tokens are KiCad 7's.
#
# Copyright by the KiCad Community; Creative Commons CC-BY-SA 4.0 (https://creativecommons.org/licenses/by-sa/4.0/)
# with this exception: "To the extent that the creation of electronic designs that use 'Licensed Material' can be
# considered to be 'Adapted Material', then the copyright holder waives article 3 of the license with respect to these
# designs and any generated files which use data provided as part of the 'Licensed Material'."
"""


def wanted() -> list[str]:
    """Names of what is drawn on a board, the parents of derived symbols not among them."""
    return sorted({*BESIDE, *symbols.NAMES.values()})


def copied(folder: Path) -> str:
    """Text of the data file from the libraries in a folder."""
    libraries: dict[str, dict[str, Expression]] = {}
    found: dict[str, Expression] = {}
    version = ""
    queue = wanted()
    while queue:
        name = queue.pop(0)
        library, _, bare = name.partition(":")
        if library not in libraries:
            (content,) = read((folder / f"{library}.kicad_sym").read_text("utf-8"))
            version = next(
                p[1] for p in content if isinstance(p, list) and p[0] == "generator_version"
            ).strip('"')
            own = (p for p in content if isinstance(p, list) and p[0] == "symbol")
            libraries[library] = {s[1].strip('"'): s for s in own}
        symbol = libraries[library][bare]
        found[name] = ["symbol", f'"{name}"', *(plain(part) for part in symbol[2:] if kept(part))]
        parents = [p[1].strip('"') for p in symbol if isinstance(p, list) and p[0] == "extends"]
        queue += [f"{library}:{p}" for p in parents if f"{library}:{p}" not in found]
    lines = [written(found[name]) for name in sorted(found)]
    head = '(kicad_symbol_lib (version 20220914) (generator "lmu_analog")'
    return LICENCE.format(version=version) + "\n".join([head, *lines, ")", ""])


def kept(part: str | Expression) -> bool:
    """Whether KiCad 7 knows it."""
    return not (isinstance(part, list) and part[0] in ("exclude_from_sim", "embedded_fonts"))


def plain(part: str | Expression) -> str | Expression:
    """Write it as KiCad 7 does: ``hide`` in place of ``(hide yes)``."""
    if not isinstance(part, list):
        return part
    if part == ["hide", "yes"]:
        return "hide"
    return [plain(inner) for inner in part if inner != ["hide", "no"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=Path("/usr/share/kicad/symbols"))
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    text = copied(given.folder)
    path = Path(symbols.__file__).with_name("symbols.kicad_sym")
    if given.check:
        same = path.read_text("utf-8") == text
        print("the same" if same else f"{path} is not what KiCad has")
        raise SystemExit(0 if same else 1)
    path.write_text(text, "utf-8")
    print(f"{path}: {len(text)} characters")


if __name__ == "__main__":
    main()
