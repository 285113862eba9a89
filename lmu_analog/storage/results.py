"""What a sample leaves; apart from the files, whose libraries a process that only computes need not load."""

from dataclasses import dataclass

import numpy as np

from lmu_analog.memory.window import QUADRATURE
from lmu_analog.storage.reasons import CODES

CHUNK = 64  # samples; a unit of work, whatever the number of samples or workers
GOOD, UNSTABLE, FAILED = 0, 1, 2  # places in ``layout.STATUS``
_IMPLIED = np.array([CODES["none"], CODES["unstable"], CODES["impossible"]], np.int8)  # by status


@dataclass(frozen=True, eq=False)
class Results:
    """Outcome of consecutive samples.

    Attributes
    ----------
    start : int
        Number of the first sample.
    profile : (s, q) array
        NRMSE over the window; inf where unstable, NaN where failed.
    window_nrmse : (s,) array
    status : (s,) int8 array
        0 good, 1 unstable, 2 failed.
    given : (s,) int8 array, optional
        Codes of ``reasons.REASONS``; where it is left out, what the status implies.
    """

    start: int
    profile: np.ndarray
    window_nrmse: np.ndarray
    status: np.ndarray
    given: np.ndarray | None = None

    @property
    def reason(self) -> np.ndarray:
        """Why a sample is not good, (s,) int8: codes of ``reasons.REASONS``."""
        return _IMPLIED[self.status] if self.given is None else self.given

    @property
    def samples(self) -> np.ndarray:
        """Numbers of the samples, (s,)."""
        return np.arange(self.start, self.start + len(self.status))


def failed(start: int, stop: int, *, reason: int = CODES["impossible"]) -> Results:
    """Give the outcome of samples start .. stop-1 that could not be run."""
    count = stop - start
    profile = np.full((count, len(QUADRATURE.r)), np.nan)
    status, why = np.full(count, FAILED, np.int8), np.full(count, reason, np.int8)
    return Results(start, profile, profile[:, 0], status, why)
