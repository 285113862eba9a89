"""Whole blocks of samples, so that the bits of a sample do not depend on which others are computed.

BLAS, and whatever repeats until all samples beside each other have settled, may round a sample differently with
other neighbours or in other numbers. So every engine computes blocks that begin at fixed sample numbers and are
always whole, filled with their true samples also beyond the last one wanted, in one thread: the same sample then
meets the same shapes, neighbours and order of operations in every run.
"""

from collections.abc import Sequence

import numpy as np

from lmu_analog.storage.results import Results


def whole_blocks(samples: range, size: int) -> list[range]:
    """Give the blocks of a fixed size that hold consecutive samples, each whole."""
    starts = range(size * (samples.start // size), samples.stop, size)
    return [range(start, start + size) for start in starts]


def joined(blocks: Sequence[Results], samples: range) -> Results:
    """Join the results of consecutive blocks, and cut out the samples that are wanted."""
    wanted = slice(samples.start - blocks[0].start, samples.stop - blocks[0].start)
    fields = ("profile", "window_nrmse", "status", "reason")
    profile, error, status, reason = (
        np.concatenate([getattr(block, name) for block in blocks])[wanted] for name in fields
    )
    more = {name: np.concatenate([block.array(name) for block in blocks])[wanted] for name in blocks[0].more}
    return Results(samples.start, profile, error, status, given=reason, more=more)
