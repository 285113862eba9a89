"""Files and folders that are whole or not there: made beside under a new name, then moved into place.

Links are written through: the link stays, and what it points to is replaced. A new file has the mode that the
umask asks for, a replaced one keeps its own. Nothing is removed but what was made here.
"""

import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from lmu_analog.errors import DesignError, readable

MARK = "unfinished-by-lmu-analog"  # in a folder of ours; locked while its writer lives
ENDING = ".unfinished"
NAME_KEPT = 40  # characters of the final name in that of an unfinished folder: names have an end
CONTENT = "content"


def write_text(path: Path | str, text: str) -> Path:
    """Write UTF-8 text so that a reader never meets half of it; half a surrogate becomes its escape.

    Raises
    ------
    DesignError
        As ``whole_file``.
    """
    path = Path(path)
    return write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_bytes(path: Path | str, content: bytes) -> Path:
    """Write bytes so that a reader never meets half of them.

    Raises
    ------
    DesignError
        As ``whole_file``.
    """
    path = Path(path)
    with whole_file(path) as half:
        half.write_bytes(content)
    return path


def check_file(path: Path | str) -> Path:
    """Refuse what no file can be written to, before the work is done; give the file behind a link.

    Raises
    ------
    DesignError
        If it is a folder, pipe or device, is write-protected, or its folder does not exist.
    """
    path = Path(path)
    try:
        there = path.stat()
    except FileNotFoundError:  # a link may point to a file that is not there yet
        there = None
    except OSError as error:
        raise _unwritten(path, error) from error
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    if there is not None:
        if stat.S_ISDIR(there.st_mode):
            raise DesignError(f"{path} is a folder; give the name of a file in it")
        if not stat.S_ISREG(there.st_mode):
            kind = "a pipe" if stat.S_ISFIFO(there.st_mode) else "a device or socket"
            raise DesignError(f"{path} is {kind}, not a file; give the name of a file")
        if not there.st_mode & 0o222:
            raise DesignError(f"{path} is write-protected; give another name, or make it writable")
    elif not target.parent.is_dir():
        raise DesignError(f"{path} cannot be written: No such file or directory")
    return target


@contextmanager
def whole_file(path: Path | str) -> Generator[Path, None, None]:
    """Hand out a file to fill, which takes its name once all is in it; else nothing is left of it.

    Raises
    ------
    DesignError
        If it is no file, its folder is missing or cannot be written, or the disk is full.
    """
    path = Path(path)
    target = check_file(path)
    try:
        # Made in a folder of its own, not by mkstemp, so that its mode is that of any new file.
        prefix = f".{target.name[:NAME_KEPT]}."
        with tempfile.TemporaryDirectory(
            dir=target.parent, prefix=prefix, ignore_cleanup_errors=True
        ) as folder:
            half = Path(folder, CONTENT)
            yield half
            if target.exists():
                half.chmod(stat.S_IMODE(target.stat().st_mode))
            half.replace(target)
    except OSError as error:
        raise _unwritten(path, error) from error


@contextmanager
def whole_folder(path: Path | str) -> Generator[Path, None, None]:
    """Hand out a folder to fill, which takes its name once all is in it; else nothing is left of it.

    What a writer of the same folder left when it was killed is removed.

    Raises
    ------
    DesignError
        If it cannot be made, or something other than an empty folder is in the way.
    """
    path = Path(path)
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        outer = Path(tempfile.mkdtemp(dir=target.parent, prefix=_prefix(target), suffix=ENDING))
    except OSError as error:
        raise _unwritten(path, error, "made") from error
    finished = False
    try:
        with (outer / MARK).open("wb") as mark:
            _lock(mark.fileno())
            (outer / CONTENT).mkdir()
            yield outer / CONTENT
            (outer / CONTENT).replace(target)
            finished = True
    except OSError as error:
        raise _unwritten(path, error, "made") from error
    finally:
        for _ in range(1 if finished else 20):  # other threads may still write when the first has failed
            shutil.rmtree(outer, ignore_errors=True)
            if not finished:
                time.sleep(0.02)


def _prefix(target: Path) -> str:
    return f".{target.name[:NAME_KEPT]}."


def _sweep(target: Path) -> None:
    """Remove unfinished folders for this one whose writer was killed: they hold our mark, and nobody holds it."""
    for entry in os.scandir(target.parent):
        if not (entry.name.startswith(_prefix(target)) and entry.name.endswith(ENDING)):
            continue
        try:
            descriptor = os.open(Path(entry.path, MARK), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            continue
        try:
            if _lock(descriptor):
                shutil.rmtree(entry.path, ignore_errors=True)
        finally:
            os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # somebody's, or a file system without locks
        return False
    return True


def _unwritten(path: Path, error: OSError, what: str = "written") -> DesignError:
    return DesignError(f"{readable(str(path))} cannot be {what}: {error.strerror or error}")
