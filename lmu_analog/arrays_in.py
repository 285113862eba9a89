"""Arrays of numbers in users' files, as NumPy writes them: checked before they are made."""

import io
import lzma
import math
import struct
import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import IO

import numpy as np

from lmu_analog.errors import DesignError, shown
from lmu_analog.files_in import read_bytes

_MOST_ARRAYS = 10_000
# What the standard library and NumPy make of a torn or forged file, and of a header that is no dictionary.
_TORN = (
    ValueError,
    TypeError,
    EOFError,
    KeyError,
    RuntimeError,
    OSError,
    SyntaxError,
    TokenError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    lzma.LZMAError,
    MemoryError,
)


def read_arrays(path: Path | str, *, most: int, write: str) -> dict[str, np.ndarray]:
    """Read all arrays of a NumPy archive.

    Parameters
    ----------
    path : Path or str
    most : int, bytes
        Of the file, and of each of its arrays.
    write : str
        How to come by one, for the error: "write one with to_npz".

    Raises
    ------
    DesignError
        If the file is missing, or no archive of numbers, or holds larger ones.
    """
    content = io.BytesIO(read_bytes(path, most=most, wanted="a NumPy archive (.npz)"))
    if not zipfile.is_zipfile(content):
        raise DesignError(f"{path} is no NumPy archive; {write}")
    try:
        with zipfile.ZipFile(content) as archive:
            members = archive.infolist()
            if len(members) > _MOST_ARRAYS:
                raise DesignError(f"{path} holds {len(members)} arrays; at most {_MOST_ARRAYS} are accepted")
            for member in members:
                with archive.open(member) as file:
                    _check_size(path, file, member.filename, unpacked=member.file_size, most=most)
        content.seek(0)
        with np.load(content, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except DesignError:
        raise
    except _TORN as error:
        raise DesignError(f"{path} is no NumPy archive of numbers; {write}") from error


def read_numbers(path: Path, *, name: str, most: int = 1_000_000) -> np.ndarray:
    """Read an array of numbers from a ``.npy`` file, or that of a name, or the only one, from an ``.npz`` file.

    Parameters
    ----------
    path : Path
    name : str
    most : int, bytes
        Of the file, and of each of its arrays.

    Raises
    ------
    DesignError
        If the file is missing, or there is no such array.
    """
    wanted = f"a .npy or .npz file of NumPy's with {name}"
    content = read_bytes(path, most=most, wanted=wanted)
    found = None
    if zipfile.is_zipfile(io.BytesIO(content)):
        arrays = read_arrays(path, most=most, write=f"give {wanted}")
        found = arrays.get(name, next(iter(arrays.values())) if len(arrays) == 1 else None)
    else:
        try:
            _check_size(path, io.BytesIO(content), path.name, unpacked=len(content), most=most)
            found = np.load(io.BytesIO(content), allow_pickle=False)
        except DesignError:
            raise
        except _TORN:
            pass
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "fiu":
        raise DesignError(f"{path}: no array {name!r} of numbers in it; give {wanted}")
    return found


def _check_size(path: Path | str, file: IO[bytes], name: str, *, unpacked: int, most: int) -> None:
    """Refuse an array before it is made: a header of a few bytes may ask for all memory, or unpack to it."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if (size := math.prod(shape) * dtype.itemsize) > most or unpacked > most:
        raise DesignError(
            f"{path}: array {shown(name, 60)} of {shown(max(size, unpacked))} bytes; at most {most} are accepted"
        )
