"""What a process keeps for many calculations: memory between arrays, and one thread for each."""

import contextlib
import threading
from collections.abc import Generator
from functools import cache
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

LARGEST = 32_000_000  # bytes; glibc takes no lesson from blocks above 32 MiB


@cache
def keep_freed_memory() -> None:
    """Have the C library keep what arrays free, for the next ones; at most some 64 MB.

    glibc takes every block beyond a threshold fresh from the system, which fills it with zeros page by page: for
    arrays of a megabyte that costs more than the arithmetic on them. The threshold rises to the size of the
    largest such block that was freed (mallopt(3), M_MMAP_THRESHOLD). Other C libraries lose nothing.
    """
    np.empty(LARGEST, np.uint8)


_LOCK = threading.Lock()
_HELD: list[Any] = []
_USERS = 0


@cache
def _libraries() -> ThreadpoolController:
    # Once, when NumPy's and SciPy's are loaded: to look for them takes as long as a thousand samples do.
    return ThreadpoolController()


@contextlib.contextmanager
def one_thread_each() -> Generator[None, None, None]:
    """Hold BLAS to one thread: the number of threads can change the last bits, and our threads are the cores' already.

    The limit is the process's; with many users at once it ends with the last.
    """
    global _USERS
    with _LOCK:
        if _USERS == 0:
            _HELD.append(_libraries().limit(limits=1))
        _USERS += 1
    try:
        yield
    finally:
        with _LOCK:
            _USERS -= 1
            if _USERS == 0:
                _HELD.pop().restore_original_limits()
