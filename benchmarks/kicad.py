"""KiCad reads what is exported: electrical rules, and the netlist against the circuit.

    python benchmarks/kicad.py [--orders 3 6 16] [--svg FOLDER] [--no-write]

Every realization of the op-amp families with one part, one realization with parts in other packages, and the other
families. For each: errors and warnings of `kicad-cli sch erc`; and whether the nets that `kicad-cli sch export netlist`
reads are, pin by pin and name by name, those of the circuit with its packages, whose pins stand below as data sheets
number them. --svg draws every sheet with KiCad. Writes benchmarks/results/kicad.json.
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import Amplifier, is_outside
from lmu_analog.circuits.families.registry import FAMILIES, is_on_chip
from lmu_analog.design import Design
from lmu_analog.output.export.board import Assembly, assembly
from lmu_analog.output.export.kicad import write_kicad

TEMPLATE = Path("/usr/share/kicad/template")
# Pins of packages as data sheets number them: those of every unit, and the rest with their nets.
_DUAL = {"A": ("3", "2", "1"), "B": ("5", "6", "7")}
_QUAD = {**_DUAL, "C": ("10", "9", "8"), "D": ("12", "13", "14")}
PINS: dict[int, tuple[Mapping[str, tuple[str, ...]], Mapping[str, str]]] = {
    1: ({"": ("3", "2", "6")}, {"7": "VCC", "4": "VEE"}),
    2: (_DUAL, {"8": "VCC", "4": "VEE"}),
    4: (_QUAD, {"4": "VCC", "11": "VEE"}),
}
LOW = ("MCP6001", "AD8605", "THS4521")  # parts that stand no +-5 V
SMALL = ({"": ("3", "4", "1")}, {"5": "VCC", "2": "VEE"})  # SOT-23-5
# Plus, minus, out+ and out- of a fully differential amplifier; its common mode is set to ground, and it is on.
DIFFERENTIAL = ({"": ("8", "1", "4", "5")}, {"3": "VCC", "6": "VEE", "2": "GND", "7": "VCC"})
ORDER = {
    1: ("plus", "minus", "out"),
    2: ("plus", "minus", "out_plus", "out_minus"),
}  # by the number of outputs


def expected(circuit: Circuit, whole: Assembly) -> dict[str, set[tuple[str, str]]]:
    """Every net of the board with its pins, from the circuit and the data sheets' numbers alone."""
    nets: dict[str, set[tuple[str, str]]] = {}
    for reference, number, net in (*parts(circuit, whole), *packages(whole), *ways_out(whole)):
        nets.setdefault("GND" if net == "0" else net, set()).add((reference, number))
    return nets


def parts(circuit: Circuit, whole: Assembly) -> Iterator[tuple[str, str, str]]:
    """Reference, pin and net of what is no amplifier in a package; an ideal source is outside of a board."""
    for placed in (*whole.placed, *whole.extras):
        outside = is_outside(placed.component) and not is_on_chip(circuit)
        if not outside and not (isinstance(placed.component, Amplifier) and whole.packages):
            yield from ((placed.reference, str(k), net) for k, (_, net) in enumerate(placed.pins, 1))


def packages(whole: Assembly) -> Iterator[tuple[str, str, str]]:
    """Reference, pin and net of packages, spare units too."""
    units = {(p.reference, p.letter): dict(p.pins) for p in whole.placed}
    for packaged in whole.packages:
        reference, form = packaged.reference, packaged.package.form
        units |= {(reference, letter): dict(nets) for letter, nets in packaged.spare}
        sides = next(1 if "out" in nets else 2 for (of, _), nets in units.items() if of == reference)
        table, rest = DIFFERENTIAL if sides == 2 else PINS[form.amplifiers]
        if form.package == "SOT-23-5":
            table, rest = SMALL
        for letter, numbers in table.items():
            for name, number in zip(ORDER[sides], numbers, strict=True):
                yield reference, number, units[reference, letter][name]
        # With a single supply ground takes the negative rail's place, and the reference the common mode's.
        single = {} if whole.rest == "0" else {"VEE": "GND", "GND": whole.rest}
        yield from ((reference, number, single.get(net, net)) for number, net in rest.items())


def ways_out(whole: Assembly) -> Iterator[tuple[str, str, str]]:
    """Reference, pin and net of connectors and test points."""
    for connector in whole.connectors:
        yield from ((connector.reference, str(k), net) for k, net in enumerate(connector.nets, 1))
    yield from ((point.reference, "1", point.net) for point in whole.test_points)


def kicad(home: Path, *arguments: str) -> str:
    """Run kicad-cli with KiCad's own libraries and settings of nobody."""
    settings = home / ".config" / "kicad" / "9.0"
    if not settings.exists() and TEMPLATE.exists():
        settings.mkdir(parents=True)
        for name in ("sym-lib-table", "fp-lib-table"):
            shutil.copy(TEMPLATE / name, settings)
    environment = {**os.environ, "HOME": str(home)}
    done = subprocess.run(
        ["kicad-cli", *arguments], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def violations(home: Path, path: Path) -> Counter[str]:
    """How many violations of electrical rules KiCad finds, by severity and type."""
    report = path.with_suffix(".erc.json")
    kicad(home, "sch", "erc", "--format", "json", "--severity-all", "-o", str(report), str(path))
    sheets = json.loads(report.read_text())["sheets"]
    return Counter(f"{v['severity']} {v['type']}" for sheet in sheets for v in sheet["violations"])


def netlist(home: Path, path: Path) -> tuple[dict[str, set[tuple[str, str]]], dict[str, str]]:
    """Nets as KiCad reads them, without the path of the sheet in their names, and values by reference."""
    output = path.with_suffix(".net")
    kicad(home, "sch", "export", "netlist", "-o", str(output), str(path))
    parts, _, listed = output.read_text().partition("(nets")
    nets: dict[str, set[tuple[str, str]]] = {}
    for net in re.split(r"\(net\s", listed)[1:]:
        name = re.search(r'\(name "([^"]*)"\)', net)[1].rpartition("/")[2]
        if name.startswith("unconnected-"):
            continue
        if name in nets:
            raise SystemExit(f"{path}: {name} is on two nets")
        nets[name] = set(re.findall(r'\(ref "([^"]+)"\)\s*\(pin "([^"]+)"\)', net))
    values = dict(re.findall(r'\(comp \(ref "([^"]+)"\)\s*\(value "([^"]*)"\)', re.sub(r"\s+", " ", parts)))
    return nets, values


def measure(design: Design, folder: Path, home: Path, *, svg: Path | None = None) -> dict[str, object]:
    circuit = build(design)
    whole = assembly(design, circuit)
    path = write_kicad(design, circuit, folder / "board.kicad_sch")
    found = violations(home, path)
    nets, values = netlist(home, path)
    wanted = expected(circuit, whole)
    told = {p.reference: p.text for p in (*whole.placed, *whole.extras) if p.reference in values}
    if svg is not None:
        kicad(home, "sch", "export", "svg", "-o", str(svg), str(path))
    return {
        "family": design.family,
        "realization": design.realization,
        "order": design.order,
        "opamp": circuit.amplifiers[0].model.name if circuit.amplifiers else "",
        "sheets": len(list(folder.glob("*.kicad_sch"))),
        "parts": len(values),
        "nets": len(nets),
        "pins": sum(map(len, nets.values())),
        "erc_errors": sum(n for kind, n in found.items() if kind.startswith("error")),
        "erc_warnings": {k.removeprefix("warning "): n for k, n in found.items() if k.startswith("warning")},
        "nets_differ": sorted(name for name in nets.keys() | wanted if nets.get(name) != wanted.get(name)),
        "values_differ": sorted(reference for reference, text in told.items() if values[reference] != text),
    }


def designs(orders: list[int]) -> list[Design]:
    found = []
    for order in orders:
        for family, part, others in (
            ("active-rc", "OPA2192", ("TL072", "TL074", "TL071", "OPA192", "MCP6001", "AD8605", "ideal")),
            ("active-rc-differential", "THS4521", ("OPA1632", "ideal")),
        ):
            pairs = [(realization, part) for realization in FAMILIES[family].realizations]
            for realization, name in (*pairs, *((pairs[0][0], other) for other in others)):
                supply = "2.5 V" if name in LOW else "5 V"
                found.append(
                    Design(
                        order=order,
                        theta="1 ms",
                        family=family,
                        realization=realization,
                        opamp=name,
                        supply=supply,
                    )
                )
        found += [
            Design(order=order, theta="1 ms", family=family)
            for family in FAMILIES
            if not family.startswith("active-rc")
        ]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--orders", type=int, nargs="+", default=[3, 6, 16])
    parser.add_argument("--svg", type=Path)
    parser.add_argument("--no-write", action="store_true")
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        version = kicad(home, "version").strip()
        for number, design in enumerate(designs(given.orders)):
            folder = home / str(number)
            folder.mkdir()
            label = f"{design.family}-{design.realization}-{design.order}-{design.opamp_model.name}"
            row = measure(design, folder, home, svg=given.svg and given.svg / label)
            rows.append(row)
            print(
                f"{row['family']:24s}{row['realization']:18s}{row['order']:3d} {row['opamp']:9s} "
                f"sheets {row['sheets']:3d}  parts {row['parts']:4d}  nets {row['nets']:4d}  ERC errors "
                f"{row['erc_errors']}  warnings {row['erc_warnings']}  differ {row['nets_differ']}"
                f"{row['values_differ']}",
                flush=True,
            )
    bad = [row for row in rows if row["erc_errors"] or row["nets_differ"] or row["values_differ"]]
    print(f"KiCad {version}: {len(rows)} designs, {len(bad)} with errors or other nets")
    if not given.no_write:
        content = {"kicad": version, "python": platform.python_version(), "rows": rows}
        folder = Path(__file__).parent / "results"
        (folder / "kicad.json").write_text(json.dumps(content, indent=1) + "\n")
    raise SystemExit(1 if bad else 0)


if __name__ == "__main__":
    main()
