"""What a sample leaves; apart from the files, whose libraries a process that only computes need not load."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from lmu_analog.memory.window import QUADRATURE
from lmu_analog.storage.reasons import CODES

CHUNK = 64  # samples; a unit of work, whatever the number of samples or workers
# What a chip of an open process leaves beside these, a number each; ``window_nrmse`` is its error after one trim.
CHIP = {
    "built_nrmse": "1",  # as built
    "fitted_nrmse": "1",  # as built, against the window whose length fits best
    "offset_nrmse": "1",  # after the trim, with the DC offsets of the states
    "theta_built": "s",  # window length that fits best, as built
    "trim": "1",  # factor of the reference current, or of the conductance of the generator's resistor
    "power": "W",  # after the trim
}
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
    more : mapping of str to (s,) array
        What samples of some runs leave beside, see ``CHIP``.
    """

    start: int
    profile: np.ndarray
    window_nrmse: np.ndarray
    status: np.ndarray
    given: np.ndarray | None = None
    more: Mapping[str, np.ndarray] = field(default_factory=dict[str, np.ndarray])

    def array(self, name: str) -> np.ndarray:
        """Give one array by its name in the layout; NaN where these samples have none of it."""
        if name in self.more:
            return self.more[name]
        return getattr(self, name, np.full(len(self.status), np.nan))

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
