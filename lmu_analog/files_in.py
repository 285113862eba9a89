"""Bytes of users' files: regular files of a bounded size, so that no pipe, device or giant stalls a command."""

import os
import stat
from pathlib import Path

from lmu_analog.errors import DesignError


def read_bytes(path: Path | str, *, most: int, wanted: str) -> bytes:
    """Read a whole file that has at most so many bytes.

    Parameters
    ----------
    path : Path or str
    most : int, bytes
    wanted : str
        What the caller reads, for the error: "a design file", "a .csv or .wav".

    Raises
    ------
    DesignError
        If there is no such file, it is a folder, pipe or device, it is larger, or it cannot be read.
    """
    path = Path(path)
    if "\0" in str(path):
        raise DesignError(f"{str(path)!r:.60}: no name of a file; give {wanted}")
    try:
        with open(path, "rb", opener=_without_waiting) as file:  # noqa: PTH123 - Path.open takes no opener
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise DesignError(f"{path}: {_kind(mode)}, not a file; give {wanted}")
            content = file.read(most + 1)  # a file may grow, and some (in /proc) say they are empty
    except FileNotFoundError:
        raise DesignError(f"{path}: no such file; give {wanted}") from None
    except IsADirectoryError:
        raise DesignError(f"{path}: a folder, not a file; give {wanted}") from None
    except OSError as error:
        raise DesignError(f"{path}: cannot be read ({error.strerror}); give {wanted}") from None
    if len(content) > most:
        raise DesignError(f"{path}: larger than {size(most)}; give {wanted} of at most that size")
    return content


def size(count: int) -> str:
    """Write a number of bytes: ``"1 MB"``."""
    for power, unit in ((9, "GB"), (6, "MB"), (3, "kB")):
        if count >= 10**power:
            return f"{count / 10**power:.3g} {unit}"
    return f"{count} bytes"


def _without_waiting(name: str, flags: int) -> int:
    """Open a pipe without its other end; Windows has no such pipes."""
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))


def _kind(mode: int) -> str:
    return "a pipe" if stat.S_ISFIFO(mode) else "a device"
