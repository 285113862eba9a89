"""The same tasks on a Dask cluster, with the interface of the pool.

Every thread of a Dask worker feeds a process of its own, as the pool's threads do, so that a task which
crashes or hangs takes no neighbour with it. A Dask worker that dies loses nothing: the scheduler gives its
tasks to others; those that it gives up, the guilty and their neighbours, run once more one at a time.
"""

import contextlib
import logging
import queue
import re
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from lmu_analog.ensembles.pool import Keeper, Outcome, run_tasks
from lmu_analog.errors import DesignError, LmuAnalogError, SimulationError, SimulatorMissing
from lmu_analog.version import __version__

ADDRESS = re.compile(r"(tcp|tls|ws|wss)://[^\s/]+:\d{1,5}")
MOST_FRAMES = 1000
CONNECT_TIMEOUT = 8.0  # s for the scheduler to answer
WORKER_TIMEOUT = 8.0  # s for its first worker to come
POLL = 2.0  # s between two looks at who is there
PATIENCE = 60.0  # s without any worker before a run gives up; a killed one is back in a few
IN_FLIGHT = 2  # tasks a thread of the cluster: one at work, one waiting
LOST = object()
_HERE = threading.local()  # the keeper of a Dask worker's thread


@dataclass(frozen=True, eq=False)
class Crew:
    """Who does tasks: ``run(function, tasks, timeout=...)`` yields outcomes as ``pool.run_tasks`` does.

    Attributes
    ----------
    run : callable
    workers : int
        Processes on this computer; 0 where a cluster does it.
    remote : bool
    """

    run: Callable[..., Iterator[Outcome]]
    workers: int
    remote: bool


@contextlib.contextmanager
def hired(workers: int, scheduler: str | None = None) -> Generator[Crew, None, None]:
    """Give a crew: processes of this computer, or the workers of a Dask scheduler.

    Raises
    ------
    DesignError
        If the scheduler's address is none.
    SimulationError
        If Dask is not installed, no scheduler answers, it has no workers, or theirs is another version.
    """
    if scheduler is None:
        yield Crew(partial(run_tasks, workers=workers), workers, remote=False)
        return
    client = _connect(scheduler)
    try:
        _check_workers(client, scheduler)
        yield Crew(partial(run_on_cluster, client), 0, remote=True)
    finally:
        client.close(timeout=POLL)


def run_on_cluster(
    client: Any, function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], *, timeout: float
) -> Iterator[Outcome]:
    """Call a function on every task on a cluster; yield (number of the task, result) as they end.

    Parameters
    ----------
    client : distributed.Client
    function : callable
        Of a module, so that a worker can import it.
    tasks : sequence of tuple
    timeout : float, s
        For one call, from when a worker begins it.

    Yields
    ------
    (int, result)
        The result is the ``SimulationError`` itself where a task failed.

    Raises
    ------
    SimulationError
        If the scheduler or all workers are gone for good, or a worker cannot work for us.
    """
    call = partial(_unit, __version__, function, timeout)
    lost: list[int] = []
    for number, result in _attempt(client, call, tasks, alone=False):
        if result is LOST:
            lost.append(number)
        else:
            yield number, result
    again = [tasks[number] for number in lost]
    for k, result in _attempt(client, call, again, alone=True):
        given_up = SimulationError("its cluster worker was lost, also when the task ran alone")
        yield lost[k], given_up if result is LOST else result


def _attempt(
    client: Any, call: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], *, alone: bool
) -> Iterator[Outcome]:
    """Yield the outcome of every task; ``LOST`` where it was lost with its worker."""
    finished: queue.SimpleQueue[Any] = queue.SimpleQueue()
    waiting, pending = deque(range(len(tasks))), dict[Any, int]()
    watch = _Watch(client)
    try:
        while waiting or pending:
            width = 1 if alone else max(1, IN_FLIGHT * watch.threads())
            while waiting and len(pending) < width:
                number = waiting.popleft()
                future = client.submit(call, tasks[number], pure=False)
                pending[future] = number
                future.add_done_callback(finished.put)
            try:
                future = finished.get(timeout=POLL)
            except queue.Empty:
                continue
            yield pending.pop(future), _outcome(future)
    finally:
        client.cancel(list(pending))


class _Watch:
    """Looks every few seconds how many threads the cluster has, and gives up when it is gone."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._known, self._next, self._last_seen = 0, 0.0, time.monotonic()

    def threads(self) -> int:
        """Count the threads of all workers."""
        now = time.monotonic()
        if now >= self._next:
            self._known = self._count()
            self._next = now + POLL
        if self._known:
            self._last_seen = now
        elif now - self._last_seen > PATIENCE:
            raise SimulationError(
                "the cluster has lost all its workers; what is complete is kept: start workers, then resumed=True"
            )
        return self._known

    def _count(self) -> int:
        gone = "the scheduler is gone; what is complete is kept: start it and its workers, then resumed=True"
        if self._client.status != "running":
            raise SimulationError(gone)
        try:
            return sum(self._client.nthreads().values())
        except (OSError, TimeoutError):
            raise SimulationError(gone) from None


def _outcome(future: Any) -> Any:
    from distributed.scheduler import KilledWorker

    if future.cancelled():
        return LOST
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, KilledWorker):
        return LOST
    if isinstance(error, SimulationError) and not isinstance(error, SimulatorMissing):
        return error
    if isinstance(error, LmuAnalogError):
        raise error
    raise SimulationError(f"a cluster worker cannot do the work: {type(error).__name__}: {error}")


def _unit(version: str, function: Callable[..., Any], timeout: float, task: tuple[Any, ...]) -> Any:
    """Do one task, on a thread of a Dask worker, in that thread's own process."""
    if version != __version__:
        raise DesignError(_other_version("a cluster worker", __version__, version))
    if not hasattr(_HERE, "keeper"):
        _HERE.keeper = Keeper()
    return _HERE.keeper.call(function, task, timeout=timeout)


def _connect(scheduler: str) -> Any:
    if not ADDRESS.fullmatch(scheduler):
        raise DesignError(f"scheduler {scheduler[:80]!r} is no address; an example is tcp://127.0.0.1:8786")
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise SimulationError(
            "a scheduler needs Dask, which is not installed: pip install lmu-analog[dask]"
        ) from None
    for name in ("distributed", "distributed.client"):  # what goes wrong is said by our own errors
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    _check_protocol(scheduler)
    try:
        return Client(scheduler, timeout=CONNECT_TIMEOUT, set_as_default=False)
    except (OSError, TimeoutError):
        raise SimulationError(
            f"no scheduler answers at {scheduler} within {CONNECT_TIMEOUT:g} s; start one with 'dask "
            "scheduler', or leave the scheduler out to run on this computer"
        ) from None


def _check_protocol(scheduler: str) -> None:
    """Refuse a port where something else answers, such as the scheduler's web page.

    A Dask scheduler speaks first: the number of frames of its greeting, eight bytes, little-endian. Its
    client would take any other eight bytes for a length and ask for exabytes.
    """
    kind, _, place = scheduler.partition("://")
    if kind != "tcp":
        return
    host, _, port = place.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_TIMEOUT) as probe:
            greeting = probe.recv(8)
    except TimeoutError:
        greeting = b""
    except (OSError, OverflowError):
        return  # nobody there yet: the client waits
    if len(greeting) != 8 or int.from_bytes(greeting, "little") > MOST_FRAMES:
        raise SimulationError(
            f"what answers at {scheduler} is no Dask scheduler; its port is 8786 unless it says otherwise"
        )


def _check_workers(client: Any, scheduler: str) -> None:
    try:
        client.wait_for_workers(1, timeout=WORKER_TIMEOUT)
    except TimeoutError:
        raise SimulationError(
            f"the scheduler at {scheduler} has no workers; start one with 'dask worker {scheduler}'"
        ) from None
    for address, version in client.run(_version, on_error="return").items():
        if isinstance(version, BaseException):
            raise SimulationError(
                f"worker {address} cannot load lmu_analog ({version}); install version {__version__} there"
            )
        if version != __version__:
            raise SimulationError(_other_version(f"worker {address}", version, __version__))


def _version() -> str:
    return __version__


def _other_version(who: str, theirs: str, ours: str) -> str:
    return f"{who} has lmu_analog {theirs}, this computer {ours}; install one version on both"
