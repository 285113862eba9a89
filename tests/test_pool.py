"""The pool loses no task: a crash is retried once, a hang is recorded, the others go on."""

import os
import time
from pathlib import Path

import pytest

from lmu_analog.ensembles.pool import run_tasks
from lmu_analog.errors import DesignError, SimulationError
from lmu_analog.memory.legendre import check_order


def test_every_task_is_answered_once():
    answers = dict(run_tasks(pow, [(k, 2) for k in range(20)], workers=2, timeout=60.0))
    assert answers == {k: k * k for k in range(20)}


def test_two_workers_share_the_tasks(tmp_path):
    # Each task waits for one in another process, however long that takes to start.
    tasks = [(str(tmp_path),)] * 2
    assert len({pid for _, pid in run_tasks(_meet_another, tasks, workers=2, timeout=600.0)}) == 2


def test_a_task_that_always_crashes_is_recorded_and_the_others_survive():
    answers = dict(run_tasks(_crash_on, [(k, 3) for k in range(6)], workers=2, timeout=60.0))
    assert isinstance(answers.pop(3), SimulationError)
    assert answers == {k: k for k in (0, 1, 2, 4, 5)}


def test_a_task_that_crashes_once_is_retried(tmp_path):
    marker = tmp_path / "tried"
    assert dict(run_tasks(_crash_first, [(str(marker),)], workers=1, timeout=60.0)) == {0: "second"}


def test_a_task_that_hangs_is_recorded_and_its_worker_replaced():
    # Counted from when a task begins: the start of its process, which takes long on a busy machine, is apart.
    answers = dict(run_tasks(_hang_on, [(0, 0), (1, 0)], workers=1, timeout=3.0))
    assert isinstance(answers[0], SimulationError)
    assert answers[1] == 1


def test_an_error_of_the_design_stops_the_run():
    with pytest.raises(DesignError, match="outside 1 to 64"):
        list(run_tasks(check_order, [(99,)], workers=1, timeout=60.0))


def test_stopping_early_ends_the_workers():
    answers = run_tasks(_slow_pid, [(k,) for k in range(50)], workers=2, timeout=60.0)
    _, pid = next(answers)
    answers.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def _meet_another(folder: str) -> int:
    Path(folder, str(os.getpid())).touch()
    while len(list(Path(folder).iterdir())) < 2:
        time.sleep(0.01)
    return os.getpid()


def _slow_pid(_: int) -> int:
    time.sleep(0.3)
    return os.getpid()


def _crash_on(k: int, bad: int) -> int:
    if k == bad:
        os.abort()
    return k


def _crash_first(marker: str) -> str:
    path = Path(marker)
    if not path.exists():
        path.write_text("first")
        os.abort()
    return "second"


def _hang_on(k: int, bad: int) -> int:
    if k == bad:
        time.sleep(600.0)
    return k
