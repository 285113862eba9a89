"""Hostile files and options end in one line and a status: a short version of benchmarks/fuzz.py."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "fuzz.py"


@pytest.mark.skipif(
    not hasattr(sys, "addaudithook") or sys.platform == "win32", reason="it forks and watches"
)
def test_hostile_input_brings_no_traceback_no_stray_file_and_no_process():
    # Three cases of each of five kinds, always the same; the script runs 2100, and more with other seeds.
    command = [sys.executable, str(SCRIPT), "--cases", "3", "--no-write"]
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=paths)
    assert done.stdout.splitlines()[-1:] == ["15 cases, 0 with faults"], done.stdout + done.stderr
