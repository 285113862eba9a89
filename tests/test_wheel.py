"""The wheel is the whole package: it works outside the checkout, with its data files."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lmu_analog.engine import compiling

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-q",
        "-w",
        folder,
        ROOT,
    ]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = folder.glob("lmu_analog-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_the_wheel_has_the_player_where_there_is_a_compiler_and_is_then_of_this_system(unpacked):
    (wheel,) = unpacked.parent.glob("*.whl")
    engine = unpacked / "lmu_analog" / "engine"
    library = engine / compiling.library_name()
    (said,) = unpacked.glob("*.dist-info/WHEEL")
    assert ("Root-Is-Purelib: false" in said.read_text("utf-8")) == library.exists()
    if compiling.compiler() is None:
        assert wheel.name.endswith("-py3-none-any.whl")
        assert not library.exists()
    else:
        assert "-py3-none-" in wheel.name
        assert not wheel.name.endswith("-any.whl")
        assert compiling.digest(engine).encode() in library.read_bytes()


COMMANDS = [
    ["new", "-o", "design.toml", "--opamp", "TL072"],
    ["montecarlo", "design.toml", "-n", "10", "-o", "run.zarr"],
    ["report", "design.toml", "--run", "run.zarr", "-o", "report.html"] + ["--sections", "mismatch,circuit"],
]
# One process for all: the start of another is compiled, imported and tested elsewhere.
PROGRAM = f"""
import lmu_analog
from lmu_analog.cli import run_command
print([run_command(command) for command in {COMMANDS!r}], lmu_analog.__file__)
"""


def test_the_wheel_has_the_data_files_and_no_tests(unpacked):
    assert (unpacked / "lmu_analog" / "circuits" / "devices" / "parts.toml").is_file()
    assert (unpacked / "lmu_analog" / "output" / "report" / "page.html.j2").is_file()
    assert (unpacked / "lmu_analog" / "py.typed").is_file()
    assert not (unpacked / "tests").exists()


def test_the_wheel_makes_a_design_and_its_report_elsewhere(unpacked, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(unpacked)}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == f"[0, 0, 0] {unpacked / 'lmu_analog' / '__init__.py'}"
    assert "TL072" in (tmp_path / "report.html").read_text("utf-8")
