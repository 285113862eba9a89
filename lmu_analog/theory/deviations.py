"""Which parameters of a circuit may deviate, and by how much: a box of errors scaled by one size."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.mismatch.law import TRUNCATION, Mismatch, relative_deviations

_LARGEST = 0.99  # of a value: no linear error takes more, so that values stay positive


@dataclass(frozen=True, eq=False)
class Box:
    """Errors z in -1..1; each multiplies some parameters by 1 + r z, or by exp(r z), where r = size amount.

    r grows no further than to 0.99, and of exponential errors to ln 100.

    Attributes
    ----------
    parameter, variable : (t,) int arrays
        Which parameter of the circuit is multiplied, and by which error.
    amount : (t,) array
        At size 1.
    exponential : (t,) bool array
    count : int
        Number of errors.
    """

    parameter: np.ndarray
    variable: np.ndarray
    amount: Float[np.ndarray, " t"]
    exponential: np.ndarray
    count: int

    @property
    def most(self) -> float:
        """The size from which on nothing grows any further."""
        return float((self._largest / self.amount).max(initial=0.0))

    @property
    def _largest(self) -> np.ndarray:
        return np.where(self.exponential, -math.log(1.0 - _LARGEST), _LARGEST)

    def _reach(self, size: np.ndarray) -> np.ndarray:
        return np.minimum(size[:, None] * self.amount, self._largest)

    def slopes(self, size: np.ndarray, z: Float[np.ndarray, "s z"]) -> Float[np.ndarray, "s t"]:
        """Give the slope of every term's logarithm by its error, for errors z (s, z) of sizes (s,)."""
        reach = self._reach(size)
        return np.where(self.exponential, reach, reach / (1.0 + reach * z[:, self.variable]))

    def values(self, nominal: np.ndarray, size: np.ndarray, z: np.ndarray) -> Float[np.ndarray, "s m"]:
        """Give the values of a circuit's parameters, (s, m), where errors z (s, z) have sizes (s,)."""
        x = self._reach(size) * z[:, self.variable]
        factors = np.ones((len(z), len(nominal)))
        for t, parameter in enumerate(self.parameter):
            factors[:, parameter] *= np.exp(x[:, t]) if self.exponential[t] else 1.0 + x[:, t]
        return nominal * factors


def common_box(circuit: Circuit) -> Box:
    """Let every R, L, C and transconductance err by the same relative size; amplifiers stay as they are."""
    moved = np.flatnonzero([p.nominal != 0.0 and "." not in p.name for p in circuit.parameters])
    count = len(moved)
    return Box(moved, np.arange(count), np.ones(count), np.zeros(count, bool), count)


def tolerance_box(circuit: Circuit, law: Mismatch) -> Box:
    """Let every device err by its own tolerance, and all of a class together by its lot: that is size 1.

    ``gauss3`` and ``uniform`` are taken to their end, ``gauss`` and ``lognormal`` to three sigma. Members of a
    group may err in opposite directions. What the selection leaves out is exact; offsets move no pole.
    """
    terms = relative_deviations(circuit, law)
    drawn = {draw: k for k, draw in enumerate(dict.fromkeys(draw for _, draw, *_ in terms))}
    return Box(
        np.array([parameter for parameter, *_ in terms], int),
        np.array([drawn[draw] for _, draw, *_ in terms], int),
        np.array([_reach(spread, distribution) for *_, spread, distribution in terms], float),
        np.array([distribution == "lognormal" for *_, distribution in terms], bool),
        len(drawn),
    )


def _reach(spread: float, distribution: str) -> float:
    match distribution:
        case "gauss":
            return TRUNCATION * spread
        case "lognormal":
            return TRUNCATION * math.sqrt(math.log1p(spread**2))
        case _:
            return spread
