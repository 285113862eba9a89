"""On a Dask cluster the same units of work give the same bytes, and a worker that dies loses nothing."""

import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lmu_analog.design import Design
from lmu_analog.ensembles import cluster
from lmu_analog.ensembles.cluster import hired
from lmu_analog.ensembles.exact import block_size, exact_chunk
from lmu_analog.ensembles.montecarlo import monte_carlo
from lmu_analog.errors import DesignError, SimulationError

DESIGN = Design(order=3, theta="1 ms", mismatch={"resistor": "1 %"})
ROOT = Path(__file__).resolve().parents[1]


class Cluster:
    """A scheduler and worker processes on this computer."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{port}"
        self.workers: list[subprocess.Popen[bytes]] = []
        self.scheduler = self._start(
            "dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"
        )

    def _start(self, program: str, *options: str) -> "subprocess.Popen[bytes]":
        paths = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
        # One lost worker is enough for the scheduler to give a task up: the quarantine is met without four deaths.
        known = {"PYTHONPATH": paths, "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{program}", *options],
            env={**os.environ, **known},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def add(self, count: int) -> None:
        """Start workers of one thread; without a nanny a worker that dies stays dead."""
        for _ in range(count):
            given = (self.address, "--nthreads", "1", "--no-dashboard", "--no-nanny")
            self.workers.append(self._start("dask_worker", *given))

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def running() -> Iterator[Cluster]:
    started = Cluster()
    started.add(2)
    with pytest.MonkeyPatch.context() as patch:  # on a busy machine processes take long to start
        for name in ("CONNECT_TIMEOUT", "WORKER_TIMEOUT"):
            patch.setattr(cluster, name, 300.0)
        yield started
    started.close()


def files(folder: Path) -> dict[Path, bytes]:
    return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_worker_killed_in_mid_run_changes_no_byte(tmp_path, running, monkeypatch):
    monkeypatch.setattr("lmu_analog.ensembles.montecarlo.FLUSH_SECONDS", 0.0)
    seen: list[int] = []

    def strike(count: int) -> None:
        seen.append(count)
        if len(seen) == 3:
            running.workers[0].kill()

    remote, local, count = tmp_path / "remote.zarr", tmp_path / "local.zarr", 6 * block_size(DESIGN)
    monte_carlo(DESIGN, count, seed=1, scheduler=running.address, store=remote, progress=strike)
    monte_carlo(DESIGN, count, seed=1, store=local)
    assert running.workers[0].wait() == -signal.SIGKILL
    assert sum(seen) == count
    assert files(remote) == files(local)


def test_a_task_that_takes_workers_with_it_is_recorded_and_its_neighbours_are_not(running):
    running.add(3)  # the culprit takes two: among the others, then alone
    culprit = "(os := __import__('os')).kill(os.getppid(), 9) or __import__('time').sleep(600.0)"
    with hired(1, running.address) as crew:
        answers = dict(crew.run(eval, [(culprit if k == 3 else str(k),) for k in range(8)], timeout=60.0))
    assert re.search("lost, also when the task ran alone", str(answers.pop(3)))
    assert answers == {k: k for k in (0, 1, 2, 4, 5, 6, 7)}


def test_a_task_that_crashes_or_hangs_ends_its_own_process_alone(running):
    with hired(1, running.address) as crew:
        crashed = dict(crew.run(eval, [("0",), ("__import__('os').abort()",), ("2",)], timeout=60.0))
        hung = dict(crew.run(time.sleep, [(0.0,), (600.0,), (0.0,)], timeout=3.0))
    assert "worker process died (signal SIGABRT)" in str(crashed.pop(1))
    assert "no answer within 3 s" in str(hung.pop(1))
    assert crashed == {0: 0, 2: 2}
    assert hung == {0: None, 2: None}


def test_a_worker_of_another_version_is_refused_with_both_named(running, monkeypatch):
    monkeypatch.setattr(cluster, "__version__", "9.9")
    with (
        pytest.raises(SimulationError, match=r"worker tcp://\S+ has lmu_analog 0\.\S+, this computer 9\.9"),
        hired(1, running.address),
    ):
        pass


def test_a_scheduler_that_is_not_there_is_said_soon_and_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_TIMEOUT", 0.5)
    with pytest.raises(SimulationError, match=r"no scheduler answers at tcp://127\.0\.0\.1:1 within 0\.5 s"):
        monte_carlo(DESIGN, 3, scheduler="tcp://127.0.0.1:1", store=tmp_path / "run.zarr")
    assert list(tmp_path.iterdir()) == []


def test_a_port_where_something_else_answers_is_refused(monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_TIMEOUT", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # as a web server is until it is asked
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(SimulationError, match="is no Dask scheduler"), hired(1, address):
            pass


def test_a_scheduler_without_workers_says_how_to_start_one(monkeypatch):
    empty = Cluster()
    try:
        while empty.scheduler.poll() is None and not _answers(empty.address):
            time.sleep(0.05)
        monkeypatch.setattr(cluster, "CONNECT_TIMEOUT", 300.0)
        monkeypatch.setattr(cluster, "WORKER_TIMEOUT", 0.5)
        with (
            pytest.raises(SimulationError, match=r"has no workers; start one with 'dask worker tcp:"),
            hired(1, empty.address),
        ):
            pass
    finally:
        empty.close()


def test_a_recording_and_parts_of_ones_own_travel_with_their_design(tmp_path):
    files = {
        "r.csv": "0,0.5\n1e-3,-0.5\n2e-3,0.5\n",
        "parts.toml": '[mine]\ngain = "100 dB"\ngbw = "10 MHz"\nsupply = ["4 V", "12 V"]\n',
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    design = DESIGN.replace(file=tmp_path / "r.csv", parts=tmp_path / "parts.toml", opamp="mine")
    here = monte_carlo(design, 2, seed=1)
    sent = pickle.dumps((design, 1, range(2)))
    for name in files:
        (tmp_path / name).unlink()  # another computer does not have them
    np.testing.assert_array_equal(exact_chunk(*pickle.loads(sent)).profile, here.profile)


@pytest.mark.parametrize("address", ["nonsense", "tcp://", "8786", "ftp://host:1"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(DesignError, match=f"{re.escape(address)}' is no address; an example is tcp://"):
        monte_carlo(DESIGN, 3, scheduler=address)


def test_without_dask_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SimulationError, match=re.escape("pip install lmu-analog[dask]")):
        monte_carlo(DESIGN, 3, scheduler="tcp://127.0.0.1:8786")


def test_workers_and_a_scheduler_exclude_each_other():
    with pytest.raises(DesignError, match="give one of them"):
        monte_carlo(DESIGN, 3, workers=2, scheduler="tcp://127.0.0.1:8786")


def _answers(address: str) -> bool:
    host, port = address.removeprefix("tcp://").split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0
