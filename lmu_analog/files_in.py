"""Bytes of users' files: regular files of a bounded size, so that no pipe, device or giant stalls a command."""

import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

from lmu_analog.errors import DesignError

LARGEST_TOML = 1_000_000  # bytes: a design is a page, not a data set
DEEPEST = 16  # brackets within brackets, and parts of a dotted key; our files have 3
# What may hold brackets and dots that mean nothing (strings and comments), or what counts. A string that is never
# ended goes to the end of its line or of the text; the parser refuses it.
_TOKEN = re.compile(
    r'"""(?:[^\\]|\\.)*?(?:"""|\Z)|\'\'\'.*?(?:\'\'\'|\Z)|"(?:[^"\\\n]|\\.)*"?|\'[^\'\n]*\'?|#[^\n]*|[\[\]{}.\n=,]',
    re.DOTALL,
)


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


def real(path: Path) -> Path:
    """Give the file behind a name, links followed as far as they lead.

    ``Path.resolve`` raises RuntimeError where links go in a circle, a file's name with a null a ValueError.
    """
    return path if "\0" in str(path) else Path(os.path.realpath(path))


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


def read_toml(path: Path, *, wanted: str) -> dict[str, Any]:
    """Read a TOML file of one's own.

    Parameters
    ----------
    path : Path
    wanted : str
        What it is, for the errors: "a design file".

    Raises
    ------
    DesignError
        Which begins with the path, if there is no such file, it is larger than a megabyte, no UTF-8, or no TOML.
    """
    content = read_bytes(path, most=LARGEST_TOML, wanted=wanted)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DesignError(f"{path}: is not UTF-8 text; give {wanted}") from None
    if line := _too_deep(text):
        raise DesignError(f"{path}: line {line} nests more than {DEEPEST} deep; give {wanted}")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, or an integer too long to read
        raise DesignError(f"{path}: is not valid TOML: {str(error).split('; use sys.')[0][:200]}") from None


def _too_deep(text: str) -> int:
    """Give the line at which brackets or dots go too deep, counted from 1; 0 if none does."""
    line, depth, dots = 1, 0, 0
    for token in _TOKEN.finditer(text):
        match token[0]:
            case "[" | "{":
                depth += 1
            case "]" | "}":
                depth = max(0, depth - 1)
            case ".":
                dots += 1
            case "\n" | "=" | ",":
                dots = 0
            case _:  # a string or a comment
                pass
        if depth > DEEPEST or dots > DEEPEST:
            return line
        line += token[0].count("\n")
    return 0
