"""The weights of one LMU layer: what training has set, and its file.

Names and equations are those of the paper (Voelker, Kajić and Eliasmith, NeurIPS 2019, eqs 6 and 7).
"""

import io
import lzma
import math
import struct
import zipfile
import zlib
from dataclasses import dataclass, fields
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np

from lmu_analog.errors import DesignError, shown
from lmu_analog.files_in import read_bytes
from lmu_analog.files_out import whole_file

# What every array is, axis by axis; a product of axes is written with *.
AXES: dict[str, tuple[str, ...]] = {
    "input_encoders": ("inputs", "memories"),
    "hidden_encoders": ("hidden", "memories"),
    "memory_encoders": ("memories*order", "memories"),
    "input_kernel": ("inputs", "hidden"),
    "hidden_kernel": ("hidden", "hidden"),
    "memory_kernel": ("memories*order", "hidden"),
    "bias": ("hidden",),
    "memory_bias": ("memories",),
    "A": ("order", "order"),
    "B": ("order",),
}
FIGURES = ("theta", "dt")
METHODS = ("zoh", "euler")
LARGEST_FILE = 400_000_000  # bytes, of an archive and of each of its arrays: fifty million weights
MOST_ARRAYS = 10_000


@dataclass(frozen=True, eq=False)
class Weights:
    """The weights of one layer: u = e_x.x + e_h.h + e_m.m + b_m, h = tanh(W_x x + W_h h + W_m m + b).

    They come from files and other programs: shapes and values are checked here, and errors name the axis. A layer
    may have no hidden units: its output is then the memories.

    Attributes
    ----------
    input_encoders : (inputs, memories) array
        e_x.
    hidden_encoders : (hidden, memories) array
        e_h.
    memory_encoders : (memories*order, memories) array
        e_m; the coefficients of one memory lie next to each other.
    input_kernel : (inputs, hidden) array
        W_x, transposed.
    hidden_kernel : (hidden, hidden) array
        W_h, transposed.
    memory_kernel : (memories*order, hidden) array
        W_m, transposed.
    theta : float, s, or steps where dt is 1
        Window of every memory.
    bias : (hidden,) array, optional
        b; zeros unless given.
    memory_bias : (memories,) array, optional
        b_m; zeros unless given.
    dt : float, s
        Of one step.
    method : {"zoh", "euler"}
        How the memory is made discrete.
    A : (order, order) array, optional
        Of theta m' = A m + B u, where training has moved it from the Legendre memory's.
    B : (order,) array, optional
    """

    input_encoders: np.ndarray
    hidden_encoders: np.ndarray
    memory_encoders: np.ndarray
    input_kernel: np.ndarray
    hidden_kernel: np.ndarray
    memory_kernel: np.ndarray
    theta: float
    bias: np.ndarray | None = None
    memory_bias: np.ndarray | None = None
    dt: float = 1.0
    method: str = "zoh"
    A: np.ndarray | None = None
    B: np.ndarray | None = None

    def __post_init__(self) -> None:
        missing = {"bias": self.hidden_kernel, "memory_bias": self.memory_encoders}
        for name, beside in missing.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, np.zeros(np.shape(beside)[-1:]))
        given = {name: getattr(self, name) for name in AXES}
        for name, array in _checked({k: v for k, v in given.items() if v is not None}).items():
            object.__setattr__(self, name, array)
        for name in FIGURES:
            object.__setattr__(self, name, _positive(name, getattr(self, name)))
        if self.method not in METHODS:
            raise DesignError(f"method {shown(self.method)}; known are {', '.join(METHODS)}")
        if (self.A is None) != (self.B is None):
            raise DesignError("A and B go together; give both, or neither for the Legendre memory")

    @property
    def inputs(self) -> int:
        """Number of inputs x."""
        return self.input_encoders.shape[0]

    @property
    def memories(self) -> int:
        """Number of memories."""
        return self.input_encoders.shape[1]

    @property
    def hidden(self) -> int:
        """Number of hidden units h."""
        return self.hidden_encoders.shape[0]

    @property
    def order(self) -> int:
        """Number of coefficients of one memory."""
        return self.memory_encoders.shape[0] // self.memories


def _positive(name: str, value: object) -> float:
    figure = np.asarray(value)
    if figure.dtype.kind not in "iuf" or figure.shape != () or not 0.0 < float(figure) < np.inf:
        raise DesignError(f"{name} must be one positive number, not {shown(value, 60)}")
    return float(figure)


def _checked(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Give the arrays as floats; the first that has an axis says how long that axis is."""
    lengths: dict[str, tuple[int, str]] = {}
    checked: dict[str, np.ndarray] = {}
    for name, given in arrays.items():
        axes, array = AXES[name], np.asarray(given)
        if array.dtype.kind not in "iuf":
            raise DesignError(f"{name} holds {array.dtype} values; real numbers are wanted")
        if array.ndim != len(axes):
            raise DesignError(f"{name} has shape {array.shape}; axes ({', '.join(axes)}) are wanted")
        for k, axis in enumerate(axes):
            _measure(lengths, (name, k, axis), array.shape[k])
        if bad := int(np.sum(~np.isfinite(array))):
            raise DesignError(
                f"{name} holds {bad} values that are not finite, of {array.size}; train it anew"
            )
        checked[name] = array.astype(float)
    return checked


def _measure(lengths: dict[str, tuple[int, str]], place: tuple[str, int, str], length: int) -> None:
    """Remember or compare the length of one axis; the order follows from the product with it."""
    name, k, axis = place
    where = f"{name}: axis {k} ({axis})"
    if length == 0 and axis != "hidden":  # a layer without hidden units is a memory alone
        raise DesignError(f"{where} is empty")
    known, origin = lengths.setdefault(axis, (length, name))
    if length != known:
        raise DesignError(f"{where} has length {length}, not {known} as in {origin}")
    if axis == "memories*order":
        memories, _ = lengths["memories"]
        if length % memories:
            raise DesignError(f"{where} has length {length}, no multiple of {memories} memories")
        lengths.setdefault("order", (length // memories, name))


def to_npz(path: Path | str, weights: Weights) -> Path:
    """Write weights to a NumPy archive, under their own names.

    Raises
    ------
    DesignError
        If the file cannot be written.
    """
    path = Path(path)
    return write_archive(path, to_arrays(weights))


def to_arrays(weights: Weights) -> dict[str, np.ndarray]:
    """Give everything that weights hold, by name."""
    given = {f.name: getattr(weights, f.name) for f in fields(weights)}
    return {name: np.asarray(v) for name, v in given.items() if v is not None}


def write_archive(path: Path | str, content: dict[str, Any]) -> Path:
    """Write arrays to a NumPy archive that is whole or not there.

    Raises
    ------
    DesignError
        If the file cannot be written.
    """
    path = Path(path)
    with whole_file(path) as half, half.open("wb") as file:
        np.savez(file, **content)
    return path


def from_npz(path: Path | str) -> Weights:
    """Read weights from a NumPy archive as ``to_npz`` writes it; other arrays in it are refused.

    Raises
    ------
    DesignError
        If the file is missing, no archive, or its arrays are not those of one layer.
    """
    path = Path(path)
    return from_arrays(read_archive(path), path)


def from_arrays(content: dict[str, np.ndarray], origin: Path | str) -> Weights:
    """Make weights of named arrays; ``origin`` is what errors call them.

    Raises
    ------
    DesignError
        If an array is missing or unknown, or does not fit the others.
    """
    names = {f.name for f in fields(Weights)}
    optional = {"bias", "memory_bias", "dt", "method", "A", "B"}
    if unknown := sorted(content.keys() - names):
        raise DesignError(
            f"{origin}: unknown array {shown(unknown[0], 60)}; known are {', '.join(sorted(names))}"
        )
    if missing := sorted(names - content.keys() - optional):
        raise DesignError(
            f"{origin}: no array {missing[0]!r}; wanted are {', '.join(sorted(names - optional))}"
        )
    given = {name: _plain(name, v) for name, v in content.items() if name != "method"}
    try:
        return Weights(**given, method=str(content.get("method", "zoh")))  # type: ignore[arg-type]
    except DesignError as error:
        raise DesignError(f"{origin}: {error}") from error


def read_archive(path: Path | str) -> dict[str, np.ndarray]:
    """Read all arrays of a NumPy archive.

    Raises
    ------
    DesignError
        If the file is missing, or no archive of numbers, or holds more of them than any network has.
    """
    content = io.BytesIO(read_bytes(path, most=LARGEST_FILE, wanted="a NumPy archive (.npz)"))
    if not zipfile.is_zipfile(content):
        raise DesignError(f"{path} is no NumPy archive; write one with to_npz")
    try:
        with zipfile.ZipFile(content) as archive:
            _check_sizes(path, archive)
        content.seek(0)
        with np.load(content, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except DesignError:
        raise
    # What the standard library and NumPy make of a torn or forged archive, and of a header that is no dictionary.
    except (
        ValueError,
        TypeError,
        EOFError,
        KeyError,
        RuntimeError,
        OSError,
        SyntaxError,
        TokenError,
    ) as error:
        raise DesignError(f"{path} is no NumPy archive of numbers; write one with to_npz") from error
    except (zipfile.BadZipFile, zlib.error, struct.error, lzma.LZMAError, MemoryError) as error:
        raise DesignError(f"{path} is no NumPy archive of numbers; write one with to_npz") from error


def _check_sizes(path: Path | str, archive: zipfile.ZipFile) -> None:
    """Refuse arrays before they are made: a header of a few bytes may ask for all memory, or unpack to it."""
    members = archive.infolist()
    if len(members) > MOST_ARRAYS:
        raise DesignError(f"{path} holds {len(members)} arrays; at most {MOST_ARRAYS} are accepted")
    for member in members:
        with archive.open(member) as file:
            version = np.lib.format.read_magic(file)
            read = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read(file)
        if (size := math.prod(shape) * dtype.itemsize) > LARGEST_FILE or member.file_size > LARGEST_FILE:
            raise DesignError(
                f"{path}: array {shown(member.filename, 60)} of {shown(max(size, member.file_size))} bytes; "
                f"at most {LARGEST_FILE} are accepted"
            )


def _plain(name: str, value: np.ndarray) -> np.ndarray | float:
    return _positive(name, value) if name in FIGURES else value
