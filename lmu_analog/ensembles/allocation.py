"""Memory that stays with the process between arrays."""

from functools import cache

import numpy as np

LARGEST = 32_000_000  # bytes; glibc takes no lesson from blocks above 32 MiB


@cache
def keep_freed_memory() -> None:
    """Have the C library keep what arrays free, for the next ones; at most some 64 MB.

    glibc takes every block beyond a threshold fresh from the system, which fills it with zeros page by page: for
    arrays of a megabyte that costs more than the arithmetic on them. The threshold rises to the size of the
    largest such block that was freed (mallopt(3), M_MMAP_THRESHOLD). Other C libraries lose nothing.
    """
    np.empty(LARGEST, np.uint8)
