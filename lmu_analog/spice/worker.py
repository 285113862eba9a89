"""One child process that runs functions for us, with a timeout, and may crash without harm.

The child is started as ``python -m lmu_analog.spice.worker``, not forked and not re-importing the user's
script, so scripts and notebooks need no ``if __name__ == "__main__"``.
"""

import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from lmu_analog.errors import LmuAnalogError, SimulationError

_START_TIMEOUT = (
    300.0  # s until a call begins; importing takes seconds on a cold disk, and on a busy machine many
)
_LARGEST_FILE = 2_000_000_000  # bytes a child may write to one file
_WATCH_SECONDS = 1.0
_TELL_SECONDS = 0.2  # least time between two reports of progress
_LOG_TAIL = 4000  # bytes of a dead child's output that are kept
_ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "VECLIB_MAXIMUM")}


class Worker:
    """A child process that calls functions given to it by name; a context manager."""

    def __init__(self) -> None:
        self.timed_out = False
        self._tail = ""
        self._closing = threading.Lock()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # closed in close()
        self._connection, child = Pipe()
        command = [sys.executable, "-m", "lmu_analog.spice.worker", str(child.fileno())]
        paths = os.pathsep.join(p for p in sys.path if p)
        self._process = subprocess.Popen(
            command,
            pass_fds=[child.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env={**os.environ, **_ONE_THREAD, "PYTHONPATH": paths},
        )
        child.close()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether the child can take another call."""
        return self._process.poll() is None and not self._connection.closed

    @property
    def pid(self) -> int:
        """Process number of the child."""
        return self._process.pid

    def call(
        self,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        *,
        timeout: float,
        progress: Callable[[float], None] | None = None,
    ) -> Any:
        """Call a module-level function in the child.

        Parameters
        ----------
        function : callable
        arguments : tuple
        timeout : float, s
            From when the function begins: the start of the process, and the imports that the function needs,
            have a limit of their own.
        progress : callable, optional
            Called with the fraction that is done, as often as the function says it with ``tell``.

        Raises
        ------
        SimulationError
            If the child crashed or did not answer in time; it is then dead, and a new one must be made.
        LmuAnalogError
            What the function itself raised.
        """
        try:
            self._connection.send((function, arguments, progress is not None))
            self._await(_START_TIMEOUT)
            self._connection.recv()  # that the function begins
            end = time.monotonic() + timeout
            self._await(timeout)
            kind, result = self._connection.recv()
            while kind == "progress":
                if progress is not None:
                    progress(result)
                self._await(max(0.0, end - time.monotonic()), timeout)
                kind, result = self._connection.recv()
        except (EOFError, ConnectionError):
            status = self._process.wait()
            self.close()
            last = self._tail.strip().rpartition("\n")[2][:200]
            how = _reason(status) + (f": {last}" if last else "")
            raise SimulationError(f"the worker process died ({how})", log=self._tail) from None
        if kind == "error":
            raise result
        return result

    def _await(self, left: float, timeout: float | None = None) -> None:
        if not self._connection.poll(left):
            self.timed_out = True
            self.close()
            limit = left if timeout is None else timeout
            raise SimulationError(f"no answer within {limit:g} s; the worker was stopped")

    def close(self) -> None:
        """Stop the child at once; a second call, from any thread, does nothing."""
        with self._closing:
            if self._process.poll() is None:
                self._process.kill()
            self._process.wait()
            if not self._connection.closed:
                self._connection.close()
            if not self._log.closed:
                self._log.seek(0)
                self._tail = self._log.read()[-_LOG_TAIL:].decode(errors="replace")
                self._log.close()


def _reason(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


class _Teller:
    """What a child says of its work while it is at it."""

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self.told = 0.0

    def __call__(self, share: float) -> None:
        if self.connection is not None and time.monotonic() - self.told > _TELL_SECONDS:
            self.told = time.monotonic()
            self.connection.send(("progress", share))


tell = _Teller()  # of this process; a function that a worker runs calls it with the fraction that is done


def _watch(parent: int) -> None:
    """End this process, whatever it is doing, soon after its parent was killed."""
    while os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    os._exit(1)


def main(descriptor: int) -> None:
    """Serve calls until the parent hangs up."""
    threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    limit = _LARGEST_FILE if hard == resource.RLIM_INFINITY else min(_LARGEST_FILE, hard)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    connection = Connection(descriptor)
    while True:
        try:
            function, arguments, asked = connection.recv()  # imports the function's module
        except EOFError:
            return
        connection.send("begun")
        tell.connection = connection if asked else None
        try:
            try:
                answer = ("result", function(*arguments))
            except LmuAnalogError as error:
                answer = ("error", error)
            connection.send(answer)  # which copies it
        except MemoryError:
            answer = None
            connection.send(("error", _beyond_memory()))


def _beyond_memory() -> SimulationError:
    from lmu_analog.spice.ngspice import beyond_memory  # which starts workers, so not above

    return beyond_memory()


if __name__ == "__main__":
    # The module that others import, not its double that runs as a program: they share ``tell``.
    from lmu_analog.spice.worker import main as serve

    serve(int(sys.argv[1]))
