"""MNIST's files of handwritten digits, as series of pixels in one random order: the task of permuted sequential MNIST.

The files are the user's (LeCun, Cortes and Burges 1998); nothing here goes to the network.
"""

import gzip
import hashlib
import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from lmu_analog.errors import DesignError
from lmu_analog.files_in import read_bytes
from lmu_analog.mismatch.law import check_seed

SIDE, PIXELS, CLASSES = 28, 784, 10
VALIDATING = 12  # one in so many training images validates: 5000
SOURCE = (
    "get the four files from https://ossci-datasets.s3.amazonaws.com/mnist/ and name their folder with --data"
)
_LARGEST = 60_000_000  # bytes of a file, packed or not: the largest has 47 million

# Name as it was first published -> images or labels in it, and the MD5 digest of the unpacked file.
FILES: dict[str, tuple[int, str]] = {
    "train-images-idx3-ubyte": (60_000, "6bbc9ace898e44ae57da46a324031adb"),
    "train-labels-idx1-ubyte": (60_000, "a25bea736e30d166cdddb491f175f624"),
    "t10k-images-idx3-ubyte": (10_000, "2646ac647ad5339dbf082846283269ea"),
    "t10k-labels-idx1-ubyte": (10_000, "27ae3e4e09519cfbb04c329615203637"),
}


@dataclass(frozen=True, eq=False)
class Pixels:
    """Images as series: x of (s, 784), a pixel a step, 0 to 255; y the digit of each, (s,)."""

    x: UInt8[np.ndarray, "s t"]
    y: Int[np.ndarray, " s"]


@dataclass(frozen=True, eq=False)
class Sequences:
    """Three parts: for training, for validation, and for one test at the end."""

    train: Pixels
    valid: Pixels
    test: Pixels


def permuted(folder: Path, seed: int = 0) -> Sequences:
    """Read MNIST as series of 784 pixels, all in one random order.

    Parameters
    ----------
    folder : Path
        With the four files, packed (``.gz``) or not.
    seed : int
        Of the order of the pixels, and of which twelfth of the training images is for validation.

    Raises
    ------
    DesignError
        If a file is missing, torn, or not that of MNIST; it says where to get it.
    """
    rng = np.random.default_rng(check_seed(seed))
    pixels = rng.permutation(PIXELS)
    arrays = [_checked(folder, name) for name in FILES]
    (x, y), (test_x, test_y) = arrays[:2], arrays[2:]
    order, valid = rng.permutation(len(x)), len(x) // VALIDATING
    x, test_x = (a.reshape(len(a), PIXELS)[:, pixels] for a in (x, test_x))
    parts = (order[valid:], order[:valid])
    train, validation = (Pixels(x[chosen], y[chosen].astype(np.int64)) for chosen in parts)
    return Sequences(train, validation, Pixels(test_x, test_y.astype(np.int64)))


def _checked(folder: Path, name: str) -> np.ndarray:
    """Read one of the four files, and refuse what is not MNIST."""
    content, path = _content(folder, name)
    count, digest = FILES[name]
    array = idx(content, str(path))
    shape = (count, SIDE, SIDE) if "images" in name else (count,)
    if array.shape != shape:
        raise DesignError(f"{path} holds an array of {array.shape}, not {shape} as MNIST's; {SOURCE}")
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != digest:
        raise DesignError(f"{path} is not MNIST's {name}: its MD5 digest is another; {SOURCE}")
    return array


def _content(folder: Path, name: str) -> tuple[bytes, Path]:
    """Find a file under any of its usual names, and unpack it."""
    known = [base + end for base in (name, name.replace("-idx", ".idx")) for end in (".gz", "")]
    for path in (folder / file for file in known):
        if path.exists():
            content = read_bytes(path, most=_LARGEST, wanted="a file of MNIST")
            return (_unpacked(content, path) if path.suffix == ".gz" else content), path
    raise DesignError(f"{folder}: no file {known[0]} of MNIST; {SOURCE}")


def _unpacked(content: bytes, path: Path) -> bytes:
    try:
        with gzip.open(io.BytesIO(content)) as file:
            found = file.read(_LARGEST + 1)
    except (OSError, EOFError, zlib.error):
        raise DesignError(f"{path} is torn, or not packed with gzip; {SOURCE}") from None
    if len(found) > _LARGEST:
        raise DesignError(f"{path} unpacks to more than any file of MNIST has; {SOURCE}")
    return found


def idx(content: bytes, origin: str) -> UInt8[np.ndarray, "*n"]:
    """Read an array of bytes in the format IDX: two zeros, 8, the number of axes, their lengths, the numbers.

    Parameters
    ----------
    content : bytes
    origin : str
        What errors begin with.

    Raises
    ------
    DesignError
        If the header is another, or the numbers are more or fewer than it says.
    """
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise DesignError(f"{origin} does not begin as an IDX file of bytes does (00 00 08); {SOURCE}")
    axes = content[3]
    begin = 4 + 4 * axes
    if len(content) < begin:
        raise DesignError(f"{origin} ends within its header; {SOURCE}")
    shape = struct.unpack(f">{axes}I", content[4:begin])
    wanted = int(np.prod(shape, dtype=object))
    if len(content) - begin != wanted:
        raise DesignError(
            f"{origin} has {len(content) - begin} numbers, not {wanted} as its header says; {SOURCE}"
        )
    return np.frombuffer(content, np.uint8, offset=begin).reshape(shape)
