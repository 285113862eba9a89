"""A deck of trusted models, and commands of ngspice that are run on it once, each with the vectors that it leaves.

For what ``Transient`` and ``Sweep`` do not say: sweeps of sources, noise by its contributors. The lines include files
of a process design kit, which ``deckcheck.inspect`` lets no circuit of a user do.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lmu_analog.errors import SimulationError, SimulatorMissing
from lmu_analog.spice.ngspice import INSTALL, TIMEOUT, fatal_line
from lmu_analog.spice.rawfile import read_raw

_ON_A_LINE = 20  # vectors of one save command: ngspice's lines have an end


def run_commands(
    lines: Sequence[str],
    commands: Sequence[str],
    *,
    saved: Sequence[str] = (),
    timeout: float = TIMEOUT,
) -> list[dict[str, np.ndarray]]:
    """Run commands on a deck, in a process of its own.

    Parameters
    ----------
    lines : sequence of str
        The deck: title first, without analyses and without ``.end``.
    commands : sequence of str
        In order: analyses (``op``, ``dc``, ``ac``, ``noise``; each leaves one plot) and others, such as ``alter``.
    saved : sequence of str
        Vectors that analyses keep; all voltages and currents of sources unless given.
    timeout : float, s

    Returns
    -------
    list of dict
        For every analysis the values of its vectors by their names in small letters.

    Raises
    ------
    SimulatorMissing
        If there is no ngspice.
    SimulationError
        If it failed, took too long, or gave values that are not finite.
    """
    program = shutil.which("ngspice")
    if program is None:
        raise SimulatorMissing(INSTALL)
    asked, count = ["set filetype=binary"], 0
    asked += [f"save {' '.join(saved[k : k + _ON_A_LINE])}" for k in range(0, len(saved), _ON_A_LINE)]
    for command in commands:
        asked.append(command)
        if command.split()[0] in ("op", "dc", "ac", "noise"):
            asked += [f"write {count}.raw all", "destroy all"]
            count += 1
    deck = "\n".join([*lines, ".control", *asked, "quit", ".endc", ".end", ""])
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "deck.cir").write_text(deck, "utf-8")
        try:
            done = subprocess.run(
                [program, "-b", "deck.cir"],
                cwd=folder,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            raise SimulationError(f"ngspice gave no answer within {timeout:g} s", deck=deck) from None
        log = done.stdout + done.stderr
        if complaint := fatal_line(log.splitlines()):
            raise SimulationError(f"ngspice: {complaint}", deck=deck, log=log)
        if len(list(Path(folder).glob("*.raw"))) != count:
            raise SimulationError(
                f"ngspice ended early, with exit status {done.returncode}", deck=deck, log=log
            )
        found = [read_raw(Path(folder, f"{k}.raw")) for k in range(count)]
    plots = [{name.lower(): values for name, values in plot.items()} for plot in found]
    if not all(np.isfinite(values).all() for plot in plots for values in plot.values()):
        raise SimulationError("ngspice gave values that are not finite", deck=deck, log=log)
    return plots
