"""The memory in integers, as digital neuromorphic chips compute: decaying synapses, weights of few bits.

A synapse decays by delta/2^D a step, and what it keeps is cut off towards zero, as on Loihi, where D is 12 (Davies et
al., IEEE Micro 38(1), 2018). Principle 3 for the sampled memory takes the rounded decay into account, so that only
the rounding of states and weights is left.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from lmu_analog.errors import DesignError, shown
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.realizations import realize
from lmu_analog.memory.reference import discretize
from lmu_analog.memory.statespace import StateSpace, transform
from lmu_analog.networks.spiking.memory import WITHOUT
from lmu_analog.units import is_whole

Rounding = Literal["truncate", "nearest"]
_MOST_STATE_BITS = 32
_MOST_BITS = 16


@dataclass(frozen=True)
class Format:
    """Word lengths.

    Attributes
    ----------
    state : int
        Bits of a state and of the input, sign included; they saturate. 2 to 32.
    weight : int
        Bits of a weight, sign included; one bit is the sign alone. Weights into a state, the input's among them,
        share a power of two. 1 to 16.
    decay : int
        Bits of a synapse's decay. 1 to 16.
    rounding : {"truncate", "nearest"}
        Of what decay and weights leave below the last bit of a state: cut off towards zero, or rounded half up.
    """

    state: int = 16
    weight: int = 8
    decay: int = 12
    rounding: Rounding = "nearest"

    def __post_init__(self) -> None:
        limits = {"state": (2, _MOST_STATE_BITS), "weight": (1, _MOST_BITS), "decay": (1, _MOST_BITS)}
        for name, (least, most) in limits.items():
            bits = getattr(self, name)
            if not is_whole(bits) or not least <= bits <= most:
                raise DesignError(f"{name} of {shown(bits)} bits: {least} to {most} are wanted")


@dataclass(frozen=True, eq=False)
class IntegerMemory:
    """A memory in integers.

    x[k] = keep(x[k-1]) + shift(W x[k-1] + b u[k]), where keep multiplies by (2^D - delta)/2^D and shift divides each
    state's sum by its 2^s, both rounded to an integer; sums and products are exact, and states saturate.

    Attributes
    ----------
    weights : (d, d) array
    drive : (d,) array
    delta : int
        Decay in a step, over 2^D.
    shift : (d,) array
        s; where it is negative the sum is multiplied.
    words : Format
    unit : float
        What one stands for, in units of the states' radii and of the input's.
    system : StateSpace
        The memory in these states, sampled, without rounding; outputs are the Legendre states m.
    """

    weights: Int[np.ndarray, "d d"]
    drive: Int[np.ndarray, " d"]
    delta: int
    shift: Int[np.ndarray, " d"]
    words: Format
    unit: float
    system: StateSpace

    @property
    def largest(self) -> int:
        """The largest state."""
        return 2 ** (self.words.state - 1) - 1


def integer_memory(
    order: int,
    theta: float,
    words: Format,
    *,
    dt: float,
    tau: float,
    radii: Float[np.ndarray, " d"],
    realization: str = "legendre",
) -> IntegerMemory:
    """Round a memory to integers.

    Parameters
    ----------
    order : int
    theta : float, s
    words : Format
    dt : float, s
        A step.
    tau : float, s
        Of the synapses.
    radii : (d,) array
        Values of the states at which their integers are full; the input is full at 1.
    realization : str
        Coordinates of the states; one with a state for each of the memory's.
    """
    if realization in WITHOUT:
        raise DesignError(f"realization {realization} has two states for one; choose another")
    made = realize(legendre(order, theta), realization)
    system = discretize(transform(made.system, np.diag(1.0 / radii)), dt)
    full = 2**words.decay
    delta = min(full, max(1, round(-full * np.expm1(-dt / tau))))
    exact = np.hstack([system.A - (1.0 - delta / full) * np.eye(order), system.B])
    rounded, shift = _rounded(exact, words.weight)
    unit = 1.0 / (2 ** (words.state - 1) - 1)
    return IntegerMemory(rounded[:, :-1], rounded[:, -1], delta, shift, words, unit, system)


def _rounded(exact: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Round to integers of some bits, each row times its 2^-shift."""
    size = np.abs(exact)
    if bits == 1:
        return np.where(exact < 0.0, -1, 1), -np.round(np.log2(size.mean(axis=1))).astype(int)
    shift = np.floor(np.log2((2 ** (bits - 1) - 0.5) / size.max(axis=1))).astype(int)
    # The largest may still round up to 2^(bits-1).
    most = 2 ** (bits - 1) - 1
    return np.clip(np.round(np.ldexp(exact, shift[:, None])), -most, most).astype(int), shift


def integers(memory: IntegerMemory, u: Float[np.ndarray, " t"]) -> Int[np.ndarray, " t"]:
    """Round an input, full at 1, to integers; it saturates."""
    return np.clip(np.round(u / memory.unit), -memory.largest, memory.largest).astype(int)


def run(memory: IntegerMemory, u: Int[np.ndarray, " t"]) -> Int[np.ndarray, "t d"]:
    """Run from zero in 64-bit integers; equal to ``reference`` bit for bit."""
    keep, decay = 2**memory.words.decay - memory.delta, memory.words.decay
    x = np.zeros(len(memory.drive), int)
    states = np.empty((len(u), len(x)), int)
    for k, given in enumerate(u):
        sent = memory.weights @ x + memory.drive * given
        x = _divided(keep * x, decay, memory.words.rounding) + _divided(
            sent, memory.shift, memory.words.rounding
        )
        states[k] = x = np.clip(x, -memory.largest, memory.largest)
    return states


def _divided(value: np.ndarray, shift: int | np.ndarray, rounding: Rounding) -> np.ndarray:
    """Divide integers by 2^shift."""
    value, right = value << np.maximum(-shift, 0), np.maximum(shift, 0)
    if rounding == "nearest":
        return (value + ((1 << right) >> 1)) >> right
    return np.sign(value) * (np.abs(value) >> right)


def reference(memory: IntegerMemory, u: list[int]) -> list[list[int]]:
    """Run in Python's own integers, a word at a time: the reference for a chip's simulation."""
    half = memory.words.rounding == "nearest"

    def divided(value: int, shift: int) -> int:
        if shift <= 0:
            return value * 2**-shift
        if half:
            return (value + 2 ** (shift - 1)) // 2**shift
        return value // 2**shift if value >= 0 else -(-value // 2**shift)

    weights, drive, shifts = memory.weights.tolist(), memory.drive.tolist(), memory.shift.tolist()
    decay, keep, most = memory.words.decay, 2**memory.words.decay - memory.delta, memory.largest
    x, states = [0] * len(drive), []
    for given in u:
        sent = [
            sum(w * y for w, y in zip(row, x, strict=True)) + b * given
            for row, b in zip(weights, drive, strict=True)
        ]
        kept = [divided(keep * y, decay) for y in x]
        x = [y + divided(s, shift) for y, s, shift in zip(kept, sent, shifts, strict=True)]
        x = [max(-most, min(most, y)) for y in x]
        states.append(x)
    return states


def legendre_states(memory: IntegerMemory, states: Int[np.ndarray, "t d"]) -> Float[np.ndarray, "t d"]:
    """Give the Legendre states that integers stand for."""
    return memory.unit * states @ memory.system.C.T
