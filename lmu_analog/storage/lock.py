"""One writer a store: a lock file beside it, which a killed writer cannot keep.

Only a file that reads as a lock is taken and removed: another file of that name is somebody's.
"""

import contextlib
import fcntl
import os
import re
import socket
import stat
from collections.abc import Generator
from pathlib import Path

from lmu_analog.errors import StoreError

_OURS = re.compile(rb"([0-9]{1,20} \S{1,255}\n)?")  # nothing yet, or a process and its computer


@contextlib.contextmanager
def locked(path: Path) -> Generator[None, None, None]:
    """Keep other writers away from a store.

    Raises
    ------
    StoreError
        If another process writes it, or the lock file beside it cannot be made.
    """
    file = path.with_name(f"{path.name}.lock")
    try:
        descriptor = _acquire(path, file)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error} ({file.name})") from error
    try:
        yield
    finally:
        # Removed while it is still ours: a file that is there but not locked was left by a killed writer.
        file.unlink(missing_ok=True)
        os.close(descriptor)


def _acquire(path: Path, file: Path) -> int:
    while True:
        # A link is not followed, and a pipe not waited for: neither is a lock.
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode) or not _OURS.fullmatch(
                os.pread(descriptor, 1000, 0)
            ):
                raise StoreError(f"{file} is in the way: the lock of {path.name} has this name; move it")
            _seize(descriptor, path)
            # Its last owner may have removed the file after we had opened it: then it locks nothing.
            if file.exists() and os.path.samestat(os.fstat(descriptor), file.stat()):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()} {socket.gethostname()}\n".encode(), 0)
                return descriptor
        except (OSError, StoreError):
            os.close(descriptor)
            raise
        os.close(descriptor)


def _seize(descriptor: int, path: Path) -> None:
    """Lock the file, by the operating system where it can, else by who is written in it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _busy(path, *_owner(descriptor)) from None
    except OSError:  # a file system without locks
        pid, host = _owner(descriptor)
        if pid and (host != socket.gethostname() or _is_alive(int(pid))):
            raise _busy(path, pid, host) from None


def _owner(descriptor: int) -> tuple[str, str]:
    pid, _, host = os.pread(descriptor, 1000, 0).decode(errors="replace").strip().partition(" ")
    return (pid, host) if pid.isdigit() else ("", "")


def _busy(path: Path, pid: str, host: str) -> StoreError:
    who = f"process {pid} on {host}" if pid else "another process"
    return StoreError(
        f"{path} is being written by {who}; wait until it ends, or stop it "
        f"(if it is long gone, remove {path.name}.lock)"
    )


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid != os.getpid()
