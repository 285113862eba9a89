"""ngspice's shared library, driven by PySpice in a worker process, with every answer checked.

Exit status 0 is no success: the plot must be new and alone, complete, finite and hold every vector.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes.util
import functools
import logging
import math
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lmu_analog.errors import SimulationError, SimulatorMissing
from lmu_analog.spice.deck import Analysis, Sweep, Transient
from lmu_analog.spice.deckcheck import check_inputs, inspect
from lmu_analog.spice.netlist import RECORDING_FILE
from lmu_analog.spice.rawfile import read_raw
from lmu_analog.spice.worker import Worker, tell

INSTALL = (
    "ngspice is not installed: on Debian or Ubuntu run 'apt-get install ngspice libngspice0', on macOS "
    "'brew install ngspice libngspice', or set NGSPICE_LIBRARY_PATH to the shared library; "
    "the exact engine (--engine exact) works without it"
)
_FATAL = re.compile(
    r"\berror\b|fatal|aborted|timestep too small|unknown (subckt|model|device)|unrecognized|no such vector"
    r"|can't find (model|file)|cannot open|incomplete or empty|no convergence|unable to find definition"
    r"|not enough nodes|too few|missing|no simulations run|parse|resistance to low",
    re.IGNORECASE,
)
_HARMLESS = re.compile(
    r"note:|init file|using sparse|stepping|warning(?!.*to low)|unsupported|doing analysis|initial"
    # Newton's way to a solution may leave the domain of a function and come back; if not, the analysis fails.
    r"|out of range for",
    re.IGNORECASE,
)
# What users call things is no message: names of nodes and devices within subcircuits, and listings of voltages.
_INNER_NAME = re.compile(r"(?<![^\s.:])[^\s.:]++(\.[^\s.]+)+")
_LISTING = re.compile(r"\s*node\s+(last )?voltage", re.IGNORECASE)
_LISTED = re.compile(r"\s*(\S+(\s+[-+]?[\d.]+(e[-+]?\d+)?)+(\s*\*)?|-+(\s+-+)*)?\s*", re.IGNORECASE)
_ON_LINE = re.compile(r"error on line", re.IGNORECASE)
_NO_MEMORY = re.compile(
    r"can't (re)?allocate|out of memory|memory exhausted|failed to allocate", re.IGNORECASE
)
THREADS = 1  # of one simulation: many circuits go to many processes
_DONE = re.compile(r"(?:tran|ac)\S*\s+([0-9.]+)\s*%")
_LONGEST_REASON = 300  # characters
_BINARIES = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
_BEYOND_SENSE = 1e12  # V or A: ngspice gives 1e32 for a division by zero
TIMEOUT = 600.0  # s for one run unless the caller says otherwise
_Surroundings = tuple[int, dict[str, str], tuple[str, ...]]
# The largest deck that is accepted keeps 0.8 GB of vectors, and they are copied twice on their way to us.
MEMORY = 8.0  # GB for a process of ngspice, or all that the machine has
_MEMORY_VARIABLE = "LMU_ANALOG_NGSPICE_GB"


def library_path() -> str | None:
    """Find the shared library: NGSPICE_LIBRARY_PATH, else the system's, else none."""
    return os.environ.get("NGSPICE_LIBRARY_PATH") or ctypes.util.find_library("ngspice")


def require() -> None:
    """Raise ``SimulatorMissing``, which says how to install ngspice, if its library is not found."""
    path = library_path()
    if path is None:
        raise SimulatorMissing(INSTALL)
    if os.environ.get("NGSPICE_LIBRARY_PATH") and not _is_binary(Path(path)):
        raise SimulatorMissing(f"NGSPICE_LIBRARY_PATH={path} is no shared library; {INSTALL}")


def program() -> tuple[str | None, str | None]:
    """Find the program, and what version it says it is; None for what is not there."""
    path = shutil.which("ngspice")
    if path is None:
        return None, None
    call = [path, "--version"]
    try:
        said = subprocess.run(
            call, capture_output=True, text=True, timeout=20.0, check=False, stdin=subprocess.DEVNULL
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return path, None
    return path, next(
        (found[0] for line in said.splitlines() if (found := re.search(r"ngspice-\S+", line))), None
    )


def _is_binary(path: Path) -> bool:
    """Whether a file begins as ELF or Mach-O libraries do; a mere name is left to the loader."""
    if path.name == str(path):
        return True
    try:
        with path.open("rb") as file:
            return file.read(4) in _BINARIES
    except OSError:
        return False


def memory_limit() -> int:
    """Bytes that a process of ngspice may use: LMU_ANALOG_NGSPICE_GB, else 8 GB or all that there is.

    Raises
    ------
    SimulationError
        If the variable is no positive number.
    """
    given = os.environ.get(_MEMORY_VARIABLE)
    if given is None:
        there_is = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return min(int(MEMORY * 1e9), there_is)
    try:
        size = float(given)
    except ValueError:
        size = math.nan
    if not 0.0 < size < 1e6:
        raise SimulationError(f"{_MEMORY_VARIABLE}={given:.40} must be a number of gigabytes, for example 8")
    return int(size * 1e9)


def _limit_memory(most: int, process: int | None = None) -> None:
    """Bound this process, or another by its number: a model may ask ngspice for more memory than the machine has.

    Another is bounded from outside once it runs (on Linux): a function called between fork and exec may stall in a
    program with threads, such as one that has loaded JAX.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
    if process is None:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
    elif sys.platform == "linux":
        with contextlib.suppress(ProcessLookupError):  # it has ended already
            resource.prlimit(process, resource.RLIMIT_DATA, (soft, hard))


def beyond_memory(deck: str = "", log: str = "") -> SimulationError:
    """Give the error of a process that reached its limit of memory."""
    return SimulationError(
        f"ngspice needs more than {memory_limit() / 1e9:g} GB of memory; give the circuit or its model fewer "
        f"elements or the signal fewer periods, or raise {_MEMORY_VARIABLE} (gigabytes)",
        deck=deck,
        log=log,
    )


def run(
    deck: str,
    analysis: Analysis,
    *,
    recording: np.ndarray | None = None,
    timeout: float = TIMEOUT,
    progress: Callable[[float], None] | None = None,
) -> dict[str, np.ndarray]:
    """Run one deck in a worker process, which is kept for the next deck unless anything went wrong.

    Parameters
    ----------
    deck : str
    analysis : Transient or Sweep
        What the deck asks for, to check the answer against.
    recording : (n, 2) array, optional
        Times, s, and volts of the file that the deck reads.
    timeout : float, s
    progress : callable, optional
        Called with the fraction of the analysis that is done, now and then.

    Returns
    -------
    dict
        Vector name, such as ``time``, ``frequency`` or ``v(x0)``, to values.

    Raises
    ------
    SimulatorMissing
        If there is no ngspice.
    SimulationError
        If it failed, crashed, took too long or gave an incomplete answer.
    """
    require()
    memory_limit()
    worker, is_kept = _idle_worker() or Worker(), False
    try:
        found = worker.call(run_here, (deck, analysis, recording), timeout=timeout, progress=progress)
        is_kept = not _IDLE
        return found
    finally:
        if is_kept:
            _IDLE.append((_surroundings(), worker))
        else:
            worker.close()


# At most one: the start of a process and its imports take a second, as long as a small deck.
_IDLE: list[tuple[_Surroundings, Worker]] = []


def _surroundings() -> _Surroundings:
    """Give what a worker takes over when it starts."""
    return os.getpid(), dict(os.environ), tuple(sys.path)


def _idle_worker() -> Worker | None:
    """Take the worker that an earlier deck left, if it would be the same when started now."""
    if not _IDLE:
        return None
    known, worker = _IDLE.pop()
    if known[0] != os.getpid():  # a fork's copy: the process belongs to its parent
        return None
    if known == _surroundings() and worker.alive:
        return worker
    worker.close()
    return None


@atexit.register
def _close_idle() -> None:
    if _IDLE and _IDLE[0][0][0] == os.getpid():
        _IDLE.pop()[1].close()


def run_batch(deck: str, analysis: Analysis, *, timeout: float = TIMEOUT) -> dict[str, np.ndarray]:
    """Run one deck with the program ``ngspice -b``, as a user would by hand; raises as ``run`` does."""
    program = shutil.which("ngspice")
    if program is None:
        raise SimulatorMissing(INSTALL)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "deck.cir").write_text(inspect(deck), "utf-8")
        command = [program, "-b", "-r", "out.raw", "deck.cir"]
        with subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"
        ) as process:
            _limit_memory(memory_limit(), process.pid)
            try:
                out, err = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                raise SimulationError(f"ngspice gave no answer within {timeout:g} s", deck=deck) from None
        log = out + err
        if _NO_MEMORY.search(log):
            raise beyond_memory(deck, log)
        complaint = fatal_line(log.splitlines())
        if process.returncode or complaint:
            raise SimulationError(
                f"ngspice: {complaint or f'exit status {process.returncode}'}", deck=deck, log=log
            )
        return checked(named(read_raw(Path(folder, "out.raw"))), deck, analysis, log=log)


def run_here(deck: str, analysis: Analysis, recording: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Run one deck in this process, which ngspice may kill: call it in a worker only."""
    with tempfile.TemporaryDirectory() as folder:
        if recording is not None:
            np.savetxt(Path(folder) / RECORDING_FILE, recording, fmt="%.17g")
        home = Path.cwd()
        os.chdir(folder)
        try:
            return _run(deck, analysis, recording)
        except MemoryError:
            raise beyond_memory(deck) from None
        finally:
            os.chdir(home)


def _run(deck: str, analysis: Analysis, recording: np.ndarray | None) -> dict[str, np.ndarray]:
    library = simulator()
    inspect(deck)
    library.forget()
    before = set(library.plot_names)
    library.attempt(lambda: library.load_circuit(deck))
    library.attempt(lambda: library.exec_command("run"))
    log = "\n".join(library.lines)
    if _NO_MEMORY.search(log):
        raise beyond_memory(deck, log)
    fresh = [name for name in library.plot_names if name not in before]
    if complaint := fatal_line(library.lines):
        raise SimulationError(f"ngspice: {complaint}", deck=deck, log=log)
    if len(fresh) != 1:
        raise SimulationError(f"ngspice made {len(fresh)} plots instead of one", deck=deck, log=log)
    vectors = {k: v._data for k, v in library.plot(None, fresh[0]).items()}
    library.attempt(lambda: library.exec_command("destroy all"))
    return checked(named(vectors), deck, analysis, log=log, recording=recording)


def named(vectors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Give every vector the name that a deck's ``.save`` uses: v(net), i(source), time, frequency."""

    def name(key: str) -> str:
        key = key.lower()
        if key in ("time", "frequency") or "(" in key:
            return key
        return f"i({key.removesuffix('#branch')})" if key.endswith("#branch") else f"v({key})"

    return {name(key): value for key, value in vectors.items()}


def fatal_line(lines: list[str]) -> str | None:
    """Give the first message of a log that means failure, with its reason, if any.

    ngspice writes the reason of "Error on line" two lines below, after the card; that of an expression stands
    above. What lists node voltages is passed over, for nodes have any names.
    """
    said = _messages(lines)
    bad = [k for k, line in enumerate(said) if _is_fatal(line)]
    if not bad:
        return None
    # An undefined parameter ends ngspice's library, which then says only that it cannot recover.
    undefined = [k for k, line in enumerate(said) if "undefined parameter" in line.lower()]
    first = min(bad[0], *undefined) if undefined else bad[0]
    return ": ".join(part.rstrip(":") for part in _explained(said, first))[:_LONGEST_REASON]


def _explained(said: list[str], first: int) -> Iterator[str]:
    """Give a message and what explains it, from the lines around it."""
    words = said[first].lower()
    if "unrecognized parameter" in words and first:
        yield said[first - 1]  # the card
    yield said[first]
    if _ON_LINE.search(words):
        yield from said[first + 1 : first + 3]
        return
    if "parsing stopped" in words:
        yield from said[first + 1 : first + 2]
    below = next((k for k in range(first + 1, min(first + 4, len(said))) if _ON_LINE.search(said[k])), None)
    if below is not None:
        yield from said[below + 1 : below + 2]
    if "timestep too small" in words:
        outside = [line for line in said if "out of range for" in line.lower()]
        yield from (line.rpartition("Error: ")[2] for line in outside[-1:])


def _is_fatal(line: str) -> bool:
    plain = _INNER_NAME.sub("...", line)
    return bool(_FATAL.search(plain)) and not _HARMLESS.search(plain)


def _messages(lines: list[str]) -> list[str]:
    """Leave out listings of voltages, and empty lines."""
    kept: list[str] = []
    listing = False
    for line in lines:
        listing = bool(_LISTING.match(line)) or (listing and bool(_LISTED.fullmatch(line)))
        if not listing and line.strip() and not line.lower().startswith("netlist line no"):
            kept.append(" ".join(line.split()))
    return kept


def checked(
    vectors: dict[str, np.ndarray],
    deck: str,
    analysis: Analysis,
    *,
    log: str = "",
    recording: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Return the vectors if the answer is complete.

    Raises
    ------
    SimulationError
        If a saved vector is missing, a value is not finite, the analysis stopped early, or an input is not what the
        deck says.
    """
    wanted = next(line for line in deck.splitlines() if line.startswith(".save")).lower().split()[1:]
    axis = "time" if isinstance(analysis, Transient) else "frequency"
    if missing := [name for name in (axis, *wanted) if name not in vectors]:
        raise SimulationError(f"ngspice gave no vector {missing[0]}", deck=deck, log=log)
    if bad := [name for name in wanted if not (np.abs(vectors[name]) < _BEYOND_SENSE).all()]:
        raise SimulationError(f"ngspice gave values of {bad[0]} that are not finite", deck=deck, log=log)
    end = float(np.real(vectors[axis][-1]))
    if isinstance(analysis, Sweep) and analysis.spacing == "lin" and len(vectors[axis]) != analysis.points:
        raise SimulationError(f"ngspice stopped after {len(vectors[axis])} frequencies", deck=deck, log=log)
    if isinstance(analysis, Transient) and not np.isclose(end, analysis.stop, rtol=1e-6):
        raise SimulationError(f"ngspice stopped at {end:g} s, before {analysis.stop:g} s", deck=deck, log=log)
    check_inputs(deck, vectors, recording=recording)
    return {name: vectors[name] for name in (axis, *wanted)}


@functools.cache
def simulator() -> Any:
    """Load the library once a process; PySpice is imported here and nowhere earlier."""
    path = library_path()
    if path is None:
        raise SimulatorMissing(INSTALL)
    os.environ["NGSPICE_LIBRARY_PATH"] = path
    from PySpice.Spice.NgSpice import SimulationType

    for version in range(SimulationType.LAST_VERSION + 1, 100):
        SimulationType.SIMULATION_TYPE.setdefault(version, SimulationType.SIMULATION_TYPE["last"])
    logging.getLogger("PySpice").setLevel(logging.CRITICAL + 1)
    _limit_memory(memory_limit())
    try:
        found = _shared_class()()
        # BSIM models are evaluated by two threads unless told otherwise, which wait for each other by turning: where
        # other work wants the cores, a transient of forty transistors took fifty times as long as with one.
        found._ngspice_shared.ngSpice_Command(f"set num_threads={THREADS}".encode())
        return found
    except (OSError, AttributeError) as error:
        raise SimulatorMissing(f"{path} is no library of ngspice ({error}); {INSTALL}") from None


def _shared_class() -> type:
    from PySpice.Spice.NgSpice.Shared import NgSpiceCircuitError, NgSpiceCommandError, NgSpiceShared

    class Shared(NgSpiceShared):
        """PySpice's interface, which keeps the log, forgets old circuits and never raises on a note."""

        def __init__(self) -> None:
            self.lines: list[str] = []
            super().__init__()

        def send_char(self, message: Any, ngspice_id: Any) -> Any:
            self.lines.append(str(message).partition(" ")[2])
            self._error_in_stdout = self._error_in_stderr = False
            return 0

        def send_stat(self, message: Any, ngspice_id: Any) -> Any:
            if found := _DONE.search(str(message)):
                tell(float(found[1]) / 100.0)
            return 0

        def attempt(self, action: Any) -> None:
            """Do it; whether it went well is read from the log and the plot, not from an exception."""
            try:
                action()
            except (NgSpiceCircuitError, NgSpiceCommandError, NameError) as error:
                self.lines.append(f"error: {error}")

        def forget(self) -> None:
            """Drop circuits and plots: a deck that fails to load would otherwise run the previous one."""
            library: Any = self._ngspice_shared
            library.ngSpice_Command(b"remcirc")
            library.ngSpice_Command(b"destroy all")
            self.lines.clear()

    return Shared
