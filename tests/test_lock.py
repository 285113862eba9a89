"""A store has one writer; a writer that was killed does not keep it."""

import errno
import fcntl
import os
import socket
import subprocess
import sys

import pytest

from lmu_analog.errors import StoreError
from lmu_analog.storage.lock import locked

HOLD = """
import sys, time
from pathlib import Path
from lmu_analog.storage.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600.0)
"""


def test_a_second_writer_is_refused_with_the_first_named(tmp_path):
    store = tmp_path / "run.zarr"
    command = [sys.executable, "-c", HOLD, str(store)]
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=paths) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"held\n"
        who = f"process {first.pid} on {socket.gethostname()}"
        with pytest.raises(StoreError, match=f"run.zarr is being written by {who}; wait"), locked(store):
            pass
        first.kill()
        first.wait()
    with locked(store):  # the lock died with its owner
        assert (tmp_path / "run.zarr.lock").exists()
    assert list(tmp_path.iterdir()) == []


def test_the_lock_goes_also_when_the_work_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "run.zarr"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("owner", ["", f"999999999 {socket.gethostname()}\n"])
def test_without_locks_of_the_system_a_dead_owner_is_no_owner(tmp_path, no_flock, owner):
    (tmp_path / "run.zarr.lock").write_text(owner)
    with locked(tmp_path / "run.zarr"):
        pass


@pytest.mark.parametrize("owner", [f"{os.getppid()} {socket.gethostname()}\n", "1 elsewhere\n"])
def test_without_locks_of_the_system_a_living_or_distant_owner_is_respected(tmp_path, no_flock, owner):
    (tmp_path / "run.zarr.lock").write_text(owner)
    with (
        pytest.raises(StoreError, match=r"if it is long gone, remove run\.zarr\.lock"),
        locked(tmp_path / "run.zarr"),
    ):
        pass


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with (
        pytest.raises(StoreError, match="cannot be written: No such file"),
        locked(tmp_path / "a" / "run.zarr"),
    ):
        pass


@pytest.fixture
def no_flock(monkeypatch):
    """Some network file systems have no locks."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
