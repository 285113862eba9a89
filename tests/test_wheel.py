"""The wheel is the whole package: it works outside the checkout, with its data files."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

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


def run(site: Path, folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(site)}
    command = [sys.executable, "-m", "lmu_analog.cli", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)
    return done.stdout


def test_the_wheel_has_the_data_files_and_no_tests(unpacked):
    assert (unpacked / "lmu_analog" / "circuits" / "devices" / "parts.toml").is_file()
    assert (unpacked / "lmu_analog" / "output" / "report" / "page.html.j2").is_file()
    assert (unpacked / "lmu_analog" / "py.typed").is_file()
    assert not (unpacked / "tests").exists()


def test_the_wheel_makes_a_design_and_its_report_elsewhere(unpacked, tmp_path):
    run(unpacked, tmp_path, "new", "-o", "design.toml", "--opamp", "TL072")
    run(unpacked, tmp_path, "montecarlo", "design.toml", "-n", "10", "-o", "run.zarr")
    chosen = ("--sections", "mismatch,circuit,drawings")
    run(unpacked, tmp_path, "report", "design.toml", "--run", "run.zarr", "-o", "report.html", *chosen)
    assert "TL072" in (tmp_path / "report.html").read_text("utf-8")
