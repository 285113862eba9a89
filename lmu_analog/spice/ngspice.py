"""ngspice's shared library, driven by PySpice in a worker process, and nothing taken on trust.

Exit status 0 is no success: the plot must be new and alone, complete, finite and hold every vector.
"""

from __future__ import annotations

import ctypes.util
import functools
import logging
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lmu_analog.errors import SimulationError, SimulatorMissing
from lmu_analog.spice.deck import Analysis, Sweep, Transient
from lmu_analog.spice.inspect import inspect
from lmu_analog.spice.netlist import RECORDING_FILE
from lmu_analog.spice.rawfile import read_raw
from lmu_analog.spice.worker import Worker

if TYPE_CHECKING:
    pass

INSTALL = (
    "ngspice is not installed: on Debian or Ubuntu run 'apt-get install ngspice libngspice0', on macOS "
    "'brew install ngspice libngspice', or set NGSPICE_LIBRARY_PATH to the shared library; "
    "the exact engine (--engine exact) works without it"
)
FATAL = re.compile(
    r"\berror\b|fatal|aborted|timestep too small|unknown (subckt|model|device)|unrecognized|no such vector"
    r"|can't find (model|file)|cannot open|incomplete or empty|no convergence|unable to find definition"
    r"|not enough nodes|too few|missing|no simulations run|parse|resistance to low",
    re.IGNORECASE,
)
HARMLESS = re.compile(
    r"note:|init file|using sparse|stepping|warning(?!.*to low)|unsupported|doing analysis|initial",
    re.IGNORECASE,
)
BINARIES = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
BEYOND_SENSE = 1e12  # V or A: ngspice gives 1e32 for a division by zero
TIMEOUT = 600.0  # s for one run unless the caller says otherwise


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


def _is_binary(path: Path) -> bool:
    """Whether a file begins as ELF or Mach-O libraries do; a mere name is left to the loader."""
    if path.name == str(path):
        return True
    try:
        with path.open("rb") as file:
            return file.read(4) in BINARIES
    except OSError:
        return False


def run(
    deck: str, analysis: Analysis, *, recording: np.ndarray | None = None, timeout: float = TIMEOUT
) -> dict[str, np.ndarray]:
    """Run one deck in a worker process of its own.

    Parameters
    ----------
    deck : str
    analysis : Transient or Sweep
        What the deck asks for, to check the answer against.
    recording : (n, 2) array, optional
        Times, s, and volts of the file that the deck reads.
    timeout : float, s

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
    with Worker() as worker:
        return worker.call(run_here, (deck, analysis, recording), timeout=timeout)


def run_batch(deck: str, analysis: Analysis, *, timeout: float = TIMEOUT) -> dict[str, np.ndarray]:
    """Run one deck with the program ``ngspice -b``, as a user would by hand; raises as ``run`` does."""
    program = shutil.which("ngspice")
    if program is None:
        raise SimulatorMissing(INSTALL)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "deck.cir").write_text(inspect(deck), "utf-8")
        command = [program, "-b", "-r", "out.raw", "deck.cir"]
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise SimulationError(f"ngspice gave no answer within {timeout:g} s", deck=deck) from None
        log = done.stdout + done.stderr
        complaint = fatal_line(log.splitlines())
        if done.returncode or complaint:
            raise SimulationError(
                f"ngspice: {complaint or f'exit status {done.returncode}'}", deck=deck, log=log
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
            return _run(deck, analysis)
        finally:
            os.chdir(home)


def _run(deck: str, analysis: Analysis) -> dict[str, np.ndarray]:
    simulator = _simulator()
    inspect(deck)
    simulator.forget()
    before = set(simulator.plot_names)
    simulator.attempt(lambda: simulator.load_circuit(deck))
    simulator.attempt(lambda: simulator.exec_command("run"))
    log = "\n".join(simulator.lines)
    fresh = [name for name in simulator.plot_names if name not in before]
    if complaint := fatal_line(simulator.lines):
        raise SimulationError(f"ngspice: {complaint}", deck=deck, log=log)
    if len(fresh) != 1:
        raise SimulationError(f"ngspice made {len(fresh)} plots instead of one", deck=deck, log=log)
    vectors = {k: v._data for k, v in simulator.plot(None, fresh[0]).items()}
    simulator.attempt(lambda: simulator.exec_command("destroy all"))
    return checked(named(vectors), deck, analysis, log=log)


def named(vectors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Give every vector the name that a deck's ``.save`` uses: v(net), i(source), time, frequency."""

    def name(key: str) -> str:
        key = key.lower()
        if key in ("time", "frequency") or "(" in key:
            return key
        return f"i({key.removesuffix('#branch')})" if key.endswith("#branch") else f"v({key})"

    return {name(key): value for key, value in vectors.items()}


def fatal_line(lines: list[str]) -> str | None:
    """Give the first line of a log that means failure, if any."""
    bad = (line.strip() for line in lines if FATAL.search(line) and not HARMLESS.search(line))
    return next(bad, None)


def checked(
    vectors: dict[str, np.ndarray], deck: str, analysis: Analysis, *, log: str = ""
) -> dict[str, np.ndarray]:
    """Return the vectors if the answer is complete.

    Raises
    ------
    SimulationError
        If a saved vector is missing, a value is not finite, or the analysis stopped early.
    """
    wanted = next(line for line in deck.splitlines() if line.startswith(".save")).lower().split()[1:]
    axis = "time" if isinstance(analysis, Transient) else "frequency"
    if missing := [name for name in (axis, *wanted) if name not in vectors]:
        raise SimulationError(f"ngspice gave no vector {missing[0]}", deck=deck, log=log)
    if bad := [name for name in wanted if not (np.abs(vectors[name]) < BEYOND_SENSE).all()]:
        raise SimulationError(f"ngspice gave values of {bad[0]} that are not finite", deck=deck, log=log)
    end = float(np.real(vectors[axis][-1]))
    if isinstance(analysis, Sweep) and analysis.spacing == "lin" and len(vectors[axis]) != analysis.points:
        raise SimulationError(f"ngspice stopped after {len(vectors[axis])} frequencies", deck=deck, log=log)
    if isinstance(analysis, Transient) and not np.isclose(end, analysis.stop, rtol=1e-6):
        raise SimulationError(f"ngspice stopped at {end:g} s, before {analysis.stop:g} s", deck=deck, log=log)
    return {name: vectors[name] for name in (axis, *wanted)}


@functools.cache
def _simulator() -> Any:
    """Load the library once a process; PySpice is imported here and nowhere earlier."""
    path = library_path()
    if path is None:
        raise SimulatorMissing(INSTALL)
    os.environ["NGSPICE_LIBRARY_PATH"] = path
    from PySpice.Spice.NgSpice import SimulationType

    for version in range(SimulationType.LAST_VERSION + 1, 100):
        SimulationType.SIMULATION_TYPE.setdefault(version, SimulationType.SIMULATION_TYPE["last"])
    logging.getLogger("PySpice").setLevel(logging.CRITICAL + 1)
    try:
        return _shared_class()()
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
