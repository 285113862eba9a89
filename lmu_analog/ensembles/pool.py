"""Persistent worker processes, each with one task at a time, so that a crash has one culprit."""

import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lmu_analog.errors import LmuAnalogError, SimulationError, SimulatorMissing
from lmu_analog.spice.worker import Worker

Outcome = tuple[int, Any]


def processors() -> int:
    """Count the processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_tasks(
    function: Callable[..., Any],
    tasks: Sequence[tuple[Any, ...]],
    *,
    workers: int,
    timeout: float,
    renewed_after: int | None = None,
) -> Iterator[Outcome]:
    """Call a function on every task in worker processes; yield (number of the task, result) as they end.

    Parameters
    ----------
    function : callable
        Of a module, so that a worker can import it.
    tasks : sequence of tuple
        Arguments of every call.
    workers : int
        Number of processes.
    timeout : float, s
        For one call, from when it begins. A worker that crashes is replaced and its task tried once more; one
        that hangs is replaced and its task not repeated.
    renewed_after : int, optional
        Calls that a process takes before a new one has its place, for libraries that age.

    Yields
    ------
    (int, result)
        The result is the ``SimulationError`` itself where a task failed.

    Raises
    ------
    SimulatorMissing
        Which is no fault of the task.
    """
    waiting = iter(range(len(tasks)))  # shared by the threads: CPython gives each number to one of them
    finished: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
    keepers = [Keeper(renewed_after) for _ in range(min(workers, len(tasks)))]
    stopped = threading.Event()

    def feed(keeper: Keeper) -> None:
        """Give one process tasks until none is left."""
        while not stopped.is_set() and (number := next(waiting, None)) is not None:
            try:
                outcome: Any = keeper.call(function, tasks[number], timeout=timeout)
            except (LmuAnalogError, OSError) as error:
                outcome = error
            finished.put((number, outcome))
        keeper.close()

    feeders = [threading.Thread(target=feed, args=(keeper,), daemon=True) for keeper in keepers]
    for feeder in feeders:
        feeder.start()
    try:
        for _ in tasks:
            number, result = finished.get()
            its_own_fault = isinstance(result, SimulationError) and not isinstance(result, SimulatorMissing)
            if isinstance(result, BaseException) and not its_own_fault:
                raise result
            yield number, result
    finally:
        # Processes end even in the middle of a task.
        stopped.set()
        for keeper in keepers:
            keeper.close()
        for feeder in feeders:
            feeder.join()


class Keeper:
    """A worker process that is replaced when it dies, and whose crash costs a task nothing the first time."""

    def __init__(self, renewed_after: int | None = None) -> None:
        self._worker: Worker | None = None
        self._stopped = False
        self._renewed_after, self._calls = renewed_after, 0

    def call(self, function: Callable[..., Any], task: tuple[Any, ...], *, timeout: float) -> Any:
        """Call a function in the process; what it raises, and a second crash or a hang, is raised here."""
        for last in (False, True):
            worker = self._ready()
            try:
                return worker.call(function, task, timeout=timeout)
            except SimulationError:
                crashed = not worker.alive and not worker.timed_out
                if last or not crashed or self._stopped:
                    raise
        raise AssertionError("unreachable")

    def close(self) -> None:
        """End the process, even in the middle of a task."""
        self._stopped = True
        if self._worker is not None:
            self._worker.close()

    def _ready(self) -> Worker:
        if self._worker is not None and self._calls == self._renewed_after:
            self._worker.close()
        if self._worker is None or not self._worker.alive:
            self._worker, self._calls = Worker(), 0
        self._calls += 1
        return self._worker
