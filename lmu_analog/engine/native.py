"""The player of jobs in C, if its library is there: loaded, checked against its source, and called."""

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Float

from lmu_analog.engine.compiling import compile_library, digest, library_name, variants
from lmu_analog.engine.draws import BEYOND, TRUNCATION, LawSteps
from lmu_analog.engine.job import TRUSTED, Eliminations, Job, Played
from lmu_analog.engine.program import Program
from lmu_analog.errors import SimulationError

FOLDER = Path(__file__).parent
GROUP = 16  # samples that the player takes at once
Field = int | float | np.ndarray  # of a struct


@dataclass(frozen=True)
class Found:
    """What is there of the native player.

    Attributes
    ----------
    library : ctypes library or None
    missing : str
        Why there is none.
    """

    library: Any
    missing: str = ""


@lru_cache(maxsize=1)
def found() -> Found:
    """Load the library; in a checkout one that is missing or not of this source is made anew first."""
    path = FOLDER / library_name()
    try:
        wanted = digest(FOLDER)
    except OSError as error:  # a bundle of Python files alone
        return Found(None, str(error))
    library = _opened(path, wanted)
    if library is not None:
        return Found(library)
    why = "its library is of another source" if path.exists() else "its library was not built"
    if (FOLDER.parents[1] / "pyproject.toml").is_file():
        why = compile_library(FOLDER) or why
        library = _opened(path, wanted)
    return Found(library, "" if library is not None else why)


def _opened(path: Path, wanted: str) -> Any:
    # The digest is read from the file: a library that is loaded once cannot be replaced in this process.
    try:
        if wanted.encode() not in path.read_bytes():
            return None
        return ctypes.CDLL(str(path))
    except OSError:
        return None


def is_there() -> bool:
    """Whether the native player can run."""
    return found().library is not None


def instruction_set() -> str:
    """Name the instruction set that the player uses here."""
    return variants()[min(found().library.lmu_widest(), len(variants()) - 1)]


def play(job: Job, values: Float[np.ndarray, "m s"], watched: int, *, variant: str | None = None) -> Played:
    """Run samples, as ``interpreter.play`` does; ``variant`` is an instruction set other than the widest."""
    samples = values.shape[1]
    padded = -(-samples // GROUP) * GROUP
    given = np.ascontiguousarray(values)
    if padded > samples:
        given = np.pad(given, ((0, 0), (0, padded - samples)), "edge")
    places, points = len(job.window.rows) + len(job.window.taps), len(job.contour.powers)
    profile, fits = np.empty((places, padded)), np.empty(padded, np.uint8)
    determinant = np.empty((2, points, padded), np.float32)
    response = np.empty((2, len(job.bound), len(job.window.direct)))
    equations = np.empty(len(job.pencil.equations.template))
    # ctypes gives the interpreter's lock back: threads run beside each other.
    found = profile, fits, determinant, watched, response, equations
    _call("play", variant, job, given, padded, 0, padded, *found)
    return Played(
        profile[:, :samples], fits[:samples].astype(bool), determinant[..., :samples], response, equations
    )


def draw(law: LawSteps, *, seed: int, samples: range, variant: str | None = None) -> Float[np.ndarray, "m s"]:
    """Draw samples of a seed and apply the law: values (m, s), with the bits of ``mismatch.law.draw`` and ``sample``.

    Parameters
    ----------
    law : LawSteps
    seed : int
    samples : range
        Consecutive, of whole groups of eight.
    variant : str, optional
        An instruction set other than the widest.
    """
    if samples.start % 8 or len(samples) % 8:
        raise ValueError(f"samples {samples.start} to {samples.stop} are no whole groups of eight")
    values = np.empty((len(law.nominal), len(samples)))
    _call("draw", variant, law, seed, samples.start, len(samples), values)
    return values


def _call(name: str, variant: str | None, of: Job | LawSteps, *arguments: int | np.ndarray) -> None:
    """Call a function of player.c: the struct of a job or law first."""
    call(name, of, lambda: _fields(of), *arguments, variant=variant)


def _fields(of: Job | LawSteps) -> list[Field]:
    return _fields_of_job(of) if isinstance(of, Job) else _fields_of_law(of)


def call(
    name: str,
    of: object,
    fields: Callable[[], Sequence[Field]],
    *arguments: int | np.ndarray,
    variant: str | None = None,
) -> None:
    """Call a function of the library.

    Parameters
    ----------
    name : str
        Without the package's prefix and the instruction set.
    of : object
        What its first argument, a struct, is written of, once for as long as it lives.
    fields : callable
        Gives the fields of the struct, in order.
    arguments : int or array
        The others: whole numbers as they are, arrays by address.
    variant : str, optional
        An instruction set other than the widest.

    Raises
    ------
    SimulationError
        If there is no memory.
    """
    struct, _ = _written(of, fields)
    function = getattr(found().library, f"lmu_{name}_{variant or instruction_set()}")
    status = function(
        ctypes.c_void_p(struct.ctypes.data),
        *(ctypes.c_int64(x) if isinstance(x, int) else ctypes.c_void_p(x.ctypes.data) for x in arguments),
    )
    if status != 0:
        raise SimulationError("the native player has no memory")


_Struct = tuple[np.ndarray, list[np.ndarray]]
_STRUCTS: "WeakKeyDictionary[object, _Struct]" = WeakKeyDictionary()


def _written(of: object, fields: Callable[[], Sequence[Field]]) -> _Struct:
    """Write a struct: eight bytes a field, arrays by their addresses.

    With it come the arrays. They live as long as what it is of: of threads that write it at once, the first's count.
    """
    if of not in _STRUCTS:
        kept: list[np.ndarray] = []

        def field(x: Field) -> int:
            if isinstance(x, np.ndarray):
                kept.append(np.ascontiguousarray(x))
                return kept[-1].ctypes.data
            return int(np.float64(x).view(np.int64)) if isinstance(x, float) else x

        struct = np.array([field(x) for x in fields()], np.int64)
        return _STRUCTS.setdefault(of, (struct, kept))
    return _STRUCTS[of]


def array(x: np.ndarray, dtype: type = np.float64) -> np.ndarray:
    """Give an array in the type that a struct has it in."""
    return np.ascontiguousarray(x, dtype)


def _fields_of_law(law: LawSteps) -> list[Field]:
    return [
        len(law.keys),
        len(law.nominal),
        len(law.code),
        array(law.keys, np.uint64),
        array(law.follows, np.int64),
        array(law.shares),
        array(law.nominal),
        array(law.code, np.int64),
        array(law.constant),
        BEYOND,
        1.0 - 2.0 * BEYOND,
        TRUNCATION,
    ]


def _fields_of_job(job: Job) -> list[Field]:
    window = job.window

    def eliminations(on: Eliminations, dtype: type) -> list[Field]:
        counts: list[Field] = [len(on.passes), len(on.powers), on.places]
        return [*counts, array(on.passes, np.int64), array(on.code, np.int64), array(on.powers, dtype)]

    def program(of: Program) -> list[Field]:
        counts: list[Field] = [len(of.code), of.registers, len(of.template)]
        return [*counts, array(of.code, np.int64), array(of.constant), array(of.template)]

    return [
        *program(job.pencil.entries),
        *program(job.pencil.equations),
        job.pencil.sums,
        job.pencil.powers,
        job.pencil.unknowns,
        *eliminations(job.tones, np.float64),
        int(job.has_offsets),
        array(job.bound),
        TRUSTED,
        len(window.direct),
        len(window.rows),
        array(window.starts, np.int64),
        array(window.unknowns, np.int64),
        array(window.weights),
        array(window.direct),
        array(window.amplitude),
        array(window.rows),
        array(window.ideal),
        window.power,
        len(window.taps),
        array(window.taps),
        *eliminations(job.contour, np.float32),
        array(job.scale),
        array(job.pivots, np.float32),
    ]
