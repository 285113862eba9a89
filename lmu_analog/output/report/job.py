"""The report of a design file: simulate what the page needs, and write it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import xarray as xr

from lmu_analog.advice import design_warnings
from lmu_analog.building import build
from lmu_analog.design import Design
from lmu_analog.errors import DesignError, LmuAnalogError, SimulationError, readable
from lmu_analog.files_out import check_file, write_text
from lmu_analog.output.progress import shares
from lmu_analog.output.report.page import report
from lmu_analog.output.report.sections import wanted
from lmu_analog.output.report.subject import LARGE, Settings, Subject
from lmu_analog.simulation import ENGINES, engines_apart, simulate
from lmu_analog.spice import ngspice
from lmu_analog.storage.store import open_run

_FEWER = 20  # circuits in the calibration of large orders


def steps(sections: tuple[str, ...]) -> int:
    """Length of the progress bar: the engines and the sections."""
    return len(ENGINES) + len(wanted(Settings(sections)))


def design_report(
    design: Design,
    path: Path | str,
    *,
    run_path: Path | str | None = None,
    sections: tuple[str, ...] = (),
    progress: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """Write the report of a design, and give it as an object for JSON.

    The nominal circuit runs in the exact engine, and in ngspice where it is installed. An engine that fails is
    named on the page.

    Parameters
    ----------
    design : Design
    path : Path
        Page to write.
    run_path : Path, optional
        Monte Carlo run of the design; its seed is that of all other draws.
    sections : tuple of str
        Keys of those that are wanted; all unless given.
    progress : callable, optional
        Called with 1 after every step.

    Raises
    ------
    DesignError
        If the run is of another design, or the page cannot be written.
    SimulationError
        If no engine could simulate the circuit; the page is written all the same.
    """
    path = Path(path)
    if path.is_dir() or not path.parent.is_dir():  # said before the work, which takes a while
        raise DesignError(f"-o {path}: a file in an existing folder is wanted")
    check_file(path)
    run = None if run_path is None else open_run(Path(run_path))
    if run is not None and run.attrs["design"] != design.digest:
        raise DesignError(f"run={run_path} is of another design; give its own, or run it again")
    circuit = build(design)
    results, failures = _simulated(design, progress)
    apart = engines_apart(results)
    subject = Subject(
        design,
        circuit,
        results,
        run,
        failures=failures,
        warnings=(*design_warnings(design, circuit), *([apart] if apart else [])),
        settings=Settings(
            sections,
            calibration=Settings.calibration if design.order <= LARGE else _FEWER,
            seed=0 if run is None else int(run.attrs["seed"]),
        ),
    )
    page, content = report(subject, progress)
    write_text(path, page)
    if not results:
        raise SimulationError(
            f"{path} is written, but the circuit was not simulated: {'; '.join(failures.values())}"
        )
    return content


def _simulated(
    design: Design, progress: Callable[[float], None] | None
) -> tuple[dict[str, xr.Dataset], dict[str, str]]:
    """Give the results of the engines that are installed, and why others have none."""
    results: dict[str, xr.Dataset] = {}
    failures: dict[str, str] = {}
    for engine in ENGINES:
        moved = shares(progress or (lambda _: None), 1.0)
        if engine == "exact" or ngspice.library_path():
            try:
                results[engine] = simulate(design, engine=engine, progress=moved)
            except LmuAnalogError as error:
                failures[engine] = readable(str(error))
        moved(1.0)
    return results, failures
