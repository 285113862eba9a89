"""Room for the steps of a batch, used again by the next: fresh pages would take a tenth of the time."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Scratch:
    """Arrays by name; every call overwrites them, and what a call gives back holds none of them."""

    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    def array(self, name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Give an array of that shape, whatever is in it."""
        found = self.arrays.get(name)
        if found is None or found.shape != shape or found.dtype != dtype:
            found = self.arrays[name] = np.empty(shape, dtype)
        return found
