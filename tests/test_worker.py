"""A worker process may crash or hang; its owner only gets an error."""

import math
import os
import signal
import time

import pytest

from lmu_analog.errors import DesignError, SimulationError
from lmu_analog.memory.legendre import check_order
from lmu_analog.spice.worker import Worker


@pytest.fixture
def worker():
    with Worker() as one:
        yield one


def test_a_call_runs_in_another_process(worker):
    assert worker.call(os.getpid, (), timeout=60.0) == worker.pid != os.getpid()


def test_a_worker_takes_many_calls(worker):
    assert [worker.call(math.factorial, (k,), timeout=60.0) for k in range(5)] == [1, 1, 2, 6, 24]


def test_our_own_errors_come_back_and_the_worker_lives(worker):
    with pytest.raises(DesignError, match="order 65 is outside 1 to 64"):
        worker.call(check_order, (65,), timeout=60.0)
    assert worker.call(abs, (-1,), timeout=60.0) == 1


def test_a_crash_names_how_the_process_ended(worker):
    with pytest.raises(SimulationError, match=r"died \(signal SIGABRT\)"):
        worker.call(os.abort, (), timeout=60.0)
    assert not worker.alive


def test_an_unforeseen_error_leaves_its_traceback_in_the_log(worker):
    with pytest.raises(
        SimulationError, match=r"died \(exit status 1: ValueError: math domain error\)"
    ) as caught:
        worker.call(math.sqrt, (-1.0,), timeout=60.0)
    assert "math domain error" in caught.value.log


def test_a_call_that_hangs_is_stopped(worker):
    with pytest.raises(SimulationError, match="no answer within 0.3 s"):
        worker.call(time.sleep, (600.0,), timeout=0.3)
    assert worker.timed_out
    assert worker._process.returncode == -signal.SIGKILL  # killed, not waited for
    assert not worker.alive


def test_closing_twice_is_harmless(worker):
    worker.close()
    worker.close()
    assert not worker.alive


def test_a_worker_uses_one_blas_thread(worker):
    assert worker.call(os.getenv, ("OMP_NUM_THREADS",), timeout=60.0) == "1"


class _Late:
    """What takes a second to arrive: to be imported, so to speak."""

    def __reduce__(self):
        return _after_a_second, ()


def _after_a_second() -> float:
    time.sleep(1.0)
    return 0.0


def test_a_limit_counts_from_when_the_function_begins(worker):
    # Start and imports take over a second here; the call itself nothing.
    assert worker.call(max, (_Late(), 1.0), timeout=0.5) == 1.0
