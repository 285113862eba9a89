"""The notebooks run, every cell, each in a process of its own; ngspice cells where it is installed."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import cells
import pytest

from tests.kits import needs_gf180

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a notebook runs in a fork")


@pytest.fixture(scope="module")
def run() -> Iterator[cells.Run]:
    with cells.server() as run:
        yield run


SILICON = "09-on-open-silicon"


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=needs_gf180 if path.stem == SILICON else ()) for path in cells.NOTEBOOKS],
    ids=lambda path: path.stem,
)
def test_a_notebook_runs(path: Path, tmp_path: Path, run: cells.Run):
    stored = json.loads(path.read_text("utf-8"))["cells"]
    told = run(["".join(cell["source"]) for cell in stored if cell["cell_type"] == "code"], tmp_path)
    # A warning is shown on stderr; a reader should meet none.
    assert (told["error"], told["stderr"]) == ("", "")
    assert told["stdout"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("1 /", "SyntaxError"),
        ("raise SystemExit(0)", "SystemExit"),
        ("import os; os._exit(0 * 3 + 3)", "the process of the notebook ended with 3"),
    ],
)
def test_a_cell_that_fails_is_an_error(source: str, error: str, tmp_path: Path, run: cells.Run):
    told = run(["print(1)", source, "print(2)"], tmp_path)
    assert error in told["error"]
    assert told["stdout"].strip() in ("1", "")


def test_warnings_and_what_other_processes_say_are_seen(tmp_path: Path, run: cells.Run):
    warns = ["import warnings", "_ = warnings.warn('take care')", "import os; _ = os.system('echo too >&2')"]
    told = run(warns, tmp_path)
    assert "take care" in told["stderr"]
    assert "too" in told["stderr"]
    assert told["error"] == ""
