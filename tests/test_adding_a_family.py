"""The page on adding a family, followed to the letter in a copy of the package: nothing else has to change."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.circuits.ranges import warnings
from lmu_analog.design import Design
from lmu_analog.output.report.sections import make
from lmu_analog.output.report.subject import Settings, Subject
from lmu_analog.output.schematic import as_svg

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "adding-a-family.md").read_text("utf-8")
IMPORT = "from lmu_analog.circuits.families.leaky_gm_c import leaky_gm_c\n"


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """Copy the package and add what the page says: one file, one row, one import."""
    folder = tmp_path_factory.mktemp("added")
    # With the compiled files, which hold for the copy too: its files have the times of the original but for the change.
    shutil.copytree(ROOT / "lmu_analog", folder / "lmu_analog")
    blocks = re.findall(r"```python(?: fragment)?\n(.*?)```", PAGE, re.DOTALL)
    source = next(block for block in blocks if "def leaky_gm_c" in block)
    row = next(block for block in blocks if '"leaky-gm-c": Family(' in block)
    families = folder / "lmu_analog" / "circuits" / "families"
    (families / "leaky_gm_c.py").write_text(source)
    table = families / "registry.py"
    text = table.read_text().replace(
        "from lmu_analog.circuits.families.options", IMPORT + "from lmu_analog.circuits.families.options", 1
    )
    table.write_text(text.rstrip().removesuffix("}") + row + "}\n")
    return folder


COMMANDS = [
    ["new", "--family", "leaky-gm-c", "--order", "2", "--theta", "1 ms", "-o", "design.toml"],
    ["run", "design.toml", "-o", "results", "-n", "20"],
    *(["draw", "design.toml", "--what", what, "-o", f"{what}.svg"] for what in ("cell", "network", "flow")),
    *(
        ["export", "design.toml", "--to", to, "-o", name]
        for to, name in (("kicad", "c.kicad_sch"), ("bom", "c.csv"), ("svg", "c.svg"), ("verilog-a", "c.va"))
    ),
    [
        "report",
        "design.toml",
        "-o",
        "report.html",
        "--sections",
        "drawings,circuit,parts,resources",
        "--json",
    ],
]
PROGRAM = f"""
import contextlib, io, json
from lmu_analog.cli.app import run_command
for command in {COMMANDS!r}:
    with contextlib.redirect_stdout(io.StringIO()) as said:
        status = run_command(command)
    assert status == 0, command
print(said.getvalue())
"""


@pytest.mark.ngspice
def test_every_command_works_with_the_family_of_the_page(package):
    environment = {**os.environ, "PYTHONPATH": str(package), "MPLBACKEND": "Agg"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True, text=True, check=False, cwd=package, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    for *_, name in COMMANDS[2:-1]:
        assert (package / name).exists()
    html = (package / "results" / "report.html").read_text("utf-8")
    assert "A fault of the program" not in html
    assert "could not be made" not in html
    sections = json.loads(done.stdout)["sections"]
    assert {key: section["state"] for key, section in sections.items()} == {
        "drawings": "shown", "circuit": "shown", "parts": "absent", "resources": "shown",
    }  # fmt: skip
    assert sections["parts"]["reason"].endswith("are made on a chip: no parts to order.")
    assert not any("range" in line for line in sections["circuit"]["notes"])


def test_a_circuit_of_no_family_is_drawn_plainly():
    known = build(Design(order=3, theta="1 ms"))
    circuit = Circuit("of my own", known.realization, known.theta, known.components, known.probes)
    for what in ("cell", "network", "flow"):
        assert as_svg(circuit, what).startswith("<svg")
    assert warnings(circuit) == warnings(known)


def test_every_family_says_how_it_is_drawn():
    assert {row.drawing for row in FAMILIES.values()} >= {"stages", "nodes", "ladder", "dpi"}
    assert [name for name, row in FAMILIES.items() if row.drawing == "plain"] == []


@pytest.mark.parametrize(
    "fault", [TypeError("no such figure"), KeyError("x"), ZeroDivisionError(), AttributeError("y")]
)
def test_a_fault_in_a_section_costs_the_section_alone(monkeypatch, fault):
    def broken(_subject):
        raise fault

    monkeypatch.setattr("lmu_analog.output.report.made.drawing_figure", lambda *_: broken(None))
    design = Design(order=2, theta="1 ms")
    subject = Subject(design, build(design), settings=Settings(sections=("drawings", "circuit")))
    drawings, circuit = make(subject)
    assert drawings.section.failed
    assert drawings.section.absent.startswith(
        f"A fault of the program, please report it: {type(fault).__name__}"
    )
    assert not circuit.section.failed
