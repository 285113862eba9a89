"""What all experiments share: the table of names, options, provenance and stored results.

An experiment is a module of this folder with a frozen dataclass ``Options`` whose defaults are those of the
stored run, ``run(options, progress)`` that gives plain numbers, lists and dictionaries, and ``rows(result)`` that
gives header and rows of the table to print. ``progress`` is called as ``with progress(label, total) as advance``.
``part(result, options)``, where a module has it, gives what a stored result says for other options, and
``notes(result)`` lines to print below the table. ``figures`` has a row for it, which draws such a result.
"""

import importlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import fields
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from lmu_analog.errors import DesignError, SimulationError, StoreError, shown
from lmu_analog.version import __version__

Progress = Callable[[str, int | None], AbstractContextManager[Callable[[int], None]]]
Table = tuple[Sequence[str], Sequence[Sequence[str]]]

# Name -> module of this folder, and what it answers, in a line.
EXPERIMENTS: dict[str, tuple[str, str]] = {
    "capacity": ("capacity", "How well an untrained memory holds up to 100,000 steps, beside an LSTM."),
    "delay-network": (
        "delay_network",
        "The delay network of order 3 (100 ms, 3 Hz): op-amps in ngspice beside neuromorphic chips.",
    ),
    "digits": ("digits", "Permuted digits, pixel by pixel: LMU, LSTM of equal size, feed-forward network."),
    "psmnist": (
        "psmnist",
        "Permuted sequential MNIST, 784 steps: LMU, parallel LMU, LSTM, and a network that sees all pixels.",
    ),
    "scale": ("scale", "The same trained weights at half and double step size: LMU and LSTM."),
    "digital-memory": (
        "digital_memory",
        "The memory in integers: what words of 1 to 16 bits for states, weights and decay cost.",
    ),
    "learned-theta": ("learned_theta", "A memory that learns theta: a known delay, found from poor starts."),
    "poisson-scaling": (
        "poisson_scaling",
        "Error, time and storage of spiking neurons against their number: channel and memories.",
    ),
    "spiking-delay-network": (
        "spiking_delay_network",
        "The delay network of order 3 in spiking neurons, with and without the mismatch of silicon.",
    ),
    "synapse-mismatch": (
        "synapse_mismatch",
        "Synapses that deviate or are not of first order: what the memory loses, and what wins it back.",
    ),
    "mackey-glass": (
        "mackey_glass",
        "The Mackey-Glass series 15 steps ahead: LMU, LSTM and a hybrid of equal size.",
    ),
    "hardware-loss": (
        "hardware_loss",
        "Digits and Mackey-Glass with op-amp circuits for memories: what mismatch costs, and what is won back.",
    ),
    "task-tolerances": (
        "task_tolerances",
        "Digits with op-amp circuits: tolerances chosen by the network's loss beside those by the window error.",
    ),
    "silicon-digits": (
        "silicon_digits",
        "Digits by memories, tanh units and weights in GF180MCU transistors: accuracy, power, area, mismatch.",
    ),
}
COSTS = ("states", "parameters", "s an epoch", "us a step")  # of networks, in tables
STORED = Path(__file__).parent / "stored"
EXTRAS = {"jax", "flax", "optax", "sklearn", "equinox"}  # loaded only with the extra `learn`


def module_of(name: str) -> ModuleType:
    """Load the module of an experiment.

    Raises
    ------
    DesignError
        If there is no experiment of that name, or it needs an extra that is not installed.
    """
    if name not in EXPERIMENTS:
        raise DesignError(f"no experiment {shown(name)}; known ones are {', '.join(EXPERIMENTS)}")
    with _needs(name):
        return importlib.import_module(f"lmu_analog.experiments.{EXPERIMENTS[name][0]}")


@contextmanager
def _needs(name: str) -> Generator[None, None, None]:
    """Say which extra brings what is missing; an experiment may load it late, to show stored results without it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRAS:
            raise
        raise DesignError(
            f"experiment {name} needs {error.name}; install it with pip install 'lmu-analog[learn]'"
        ) from error


def command(name: str, options: Any) -> str:
    """Write the command that runs an experiment with these options; defaults are left out."""
    usual, words = type(options)(), ["lmu-analog experiment", name]
    for known in fields(options):
        given = getattr(options, known.name)
        flag = known.name.replace("_", "-")
        if given == getattr(usual, known.name):
            continue
        if isinstance(given, Path):  # where files are on one machine says nothing on another
            words.append(f"--{flag} {known.metadata['metavar']}")
        elif isinstance(given, bool):
            words.append(f"--{flag}" if given else f"--no-{flag}")
        else:
            words.append(f"--{flag} {','.join(map(str, given)) if isinstance(given, tuple) else given}")
    return " ".join(words)


def execute(name: str, options: Any = None, progress: Progress | None = None) -> dict[str, Any]:
    """Run an experiment; its result together with how it came about.

    Parameters
    ----------
    name : str
        In ``EXPERIMENTS``.
    options : Options of the experiment's module, optional
        Those of the stored run unless given.
    progress : callable, optional
        Shows how far the work is; silent unless given.

    Returns
    -------
    dict
        ``command``, ``seed``, ``seconds``, ``date``, ``version``, ``machine`` and ``result``.
    """
    module = module_of(name)
    options = module.Options() if options is None else options
    from lmu_analog.mismatch.law import check_seed  # late: the command's help lists experiments without NumPy

    check_seed(getattr(options, "seed", 0))
    began = time.perf_counter()
    with _needs(name):
        result = module.run(options, progress or silent)
    return {
        "command": command(name, options),
        "seed": getattr(options, "seed", None),
        "seconds": round(time.perf_counter() - began, 3),
        "date": datetime.now(UTC).date().isoformat(),
        "version": __version__,
        "machine": machine(),
        "result": result,
    }


def machine() -> dict[str, Any]:
    """Say what figures of time depend on: cores, and the versions of what has computed."""
    computing = [name for name in ("numpy", "scipy", "jax", "optax") if name in sys.modules]
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in computing},
    }


def stored(name: str, options: Any = None) -> dict[str, Any]:
    """Read the stored result of an experiment.

    Raises
    ------
    DesignError
        If other options are asked for than those of the stored run, and it does not hold theirs.
    SimulationError
        If the experiment has no stored result yet.
    """
    module = module_of(name)
    path = STORED / f"{name}.json"
    if not path.exists():
        raise SimulationError(f"experiment {name} has no stored result; run it first")
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise StoreError(f"{path} is damaged: {error}; install the package anew") from error
    if options is None or options == module.Options():
        return content
    part = getattr(module, "part", None)
    result = part(content["result"], options) if part else None
    if result is None:
        raise DesignError(
            f"the stored run is of {content['command']!r}; leave out the other options, or run it anew"
        )
    return {**content, "result": result}


def flat(name: str, content: dict[str, Any]) -> dict[str, Any]:
    """Give one object for scripts: the keys of the result beside those of its provenance."""
    about = {key: value for key, value in content.items() if key != "result"}
    return {"experiment": name, **content["result"], **about}


def text(name: str, content: dict[str, Any]) -> str:
    """Lay out an experiment's table, with command, seed and time below it."""
    header, rows = module_of(name).rows(content["result"])
    cells = [list(header), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(header))]
    lines = []
    for first, *others in cells:
        aligned = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        lines.append("  ".join([first.ljust(widths[0]), *aligned]).rstrip())
    seed = "" if content["seed"] is None else f", seed {content['seed']}"
    about = f"{content['command']}{seed}, {content['seconds']:.3g} s, {content['date']}"
    if content["version"] != __version__:
        about += f", by version {content['version']}: not run again with {__version__}"
    if "note" in content:
        about += f"; {content['note']}"
    said = getattr(module_of(name), "notes", None)
    below = [*said(content["result"]), ""] if said else []
    return "\n".join([EXPERIMENTS[name][1], "", *lines, "", *below, about])


def cost_cells(row: dict[str, Any]) -> tuple[str, ...]:
    """Lay out what a network takes, under ``COSTS``."""
    numbers = (str(row[name]) for name in ("states", "parameters"))
    return (*numbers, f"{row['seconds_an_epoch']:.2g}", f"{1e6 * row['seconds_a_step']:.3g}")


@contextmanager
def silent(label: str, total: int | None = None) -> Generator[Callable[[int], None], None, None]:  # noqa: ARG001
    """Stand in for a progress bar where nobody looks."""
    yield lambda amount: None  # noqa: ARG005
