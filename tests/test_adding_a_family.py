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
from lmu_analog.circuits.families import FAMILIES
from lmu_analog.circuits.ranges import warnings
from lmu_analog.design import Design
from lmu_analog.output.report.sections import make
from lmu_analog.output.report.subject import Settings, Subject
from lmu_analog.output.schematic import as_svg

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "adding-a-family.md").read_text("utf-8")
IMPORT = "from lmu_analog.circuits.leaky_gm_c import leaky_gm_c\n"


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """Copy the package and add what the page says: one file, one row, one import."""
    folder = tmp_path_factory.mktemp("added")
    shutil.copytree(ROOT / "lmu_analog", folder / "lmu_analog", ignore=shutil.ignore_patterns("__pycache__"))
    blocks = re.findall(r"```python(?: fragment)?\n(.*?)```", PAGE, re.DOTALL)
    source = next(block for block in blocks if "def leaky_gm_c" in block)
    row = next(block for block in blocks if '"leaky-gm-c": Family(' in block)
    circuits = folder / "lmu_analog" / "circuits"
    (circuits / "leaky_gm_c.py").write_text(source)
    table = circuits / "families.py"
    text = table.read_text().replace(
        "from lmu_analog.circuits.options", IMPORT + "from lmu_analog.circuits.options", 1
    )
    table.write_text(text.rstrip().removesuffix("}") + row + "}\n")
    return folder


def run(folder, *arguments):
    """Run a command of the copy; a failure shows what it said."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "MPLBACKEND": "Agg"}
    code = "from lmu_analog.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True, text=True, check=False, cwd=folder, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.ngspice
def test_every_command_works_with_the_family_of_the_page(package):
    run(package, "new", "--family", "leaky-gm-c", "--order", "3", "--theta", "1 ms", "-o", "design.toml")
    run(package, "run", "design.toml", "-o", "results", "-n", "20")
    result = json.loads((package / "results" / "result.json").read_text())
    assert result
    html = (package / "results" / "report.html").read_text("utf-8")
    assert "A fault of the program" not in html
    report = json.loads(run(package, "report", "design.toml", "-o", "report.html", "--json"))
    states = {key: section["state"] for key, section in report["sections"].items()}
    assert states["drawings"] == states["circuit"] == "shown"
    assert "failed" not in states.values()
    assert report["sections"]["parts"]["reason"].endswith("are made on a chip: no parts to order.")
    assert not any("range" in line for line in report["sections"]["circuit"]["notes"])
    for what in ("cell", "network", "flow"):
        run(package, "draw", "design.toml", "--what", what, "-o", f"{what}.svg")
        assert (package / f"{what}.svg").read_text("utf-8").startswith("<svg")


@pytest.mark.parametrize(("dialect", "name"), [
    ("kicad", "c.kicad_sch"), ("bom", "c.csv"), ("svg", "c.svg"), ("verilog-a", "c.va"),
])  # fmt: skip
def test_every_export_works_with_the_family_of_the_page(package, dialect, name):
    run(package, "new", "--family", "leaky-gm-c", "--order", "3", "-o", f"{dialect}.toml")
    run(package, "export", f"{dialect}.toml", "--to", dialect, "-o", name)
    assert (package / name).exists()


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
