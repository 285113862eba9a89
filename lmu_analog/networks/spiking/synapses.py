"""Synapses: filters with unit DC gain, and the weights with which they implement a memory.

Principle 3 for any synapse: if x is to obey x' = A x + B u although every input passes H(s), the input must be
g(A) x + B_0 u + B_1 u' + ..., with g = 1/H as a function of a matrix. From u' on the terms follow from one another,

    B_0 = A^-1 (g(A) - 1) B,    B_j = A^-1 (B_(j-1) - c_j B),    g(s) = 1 + c_1 s + c_2 s^2 + ...

(for polynomials g: Voelker and Eliasmith, Neural Computation 30, 2018, section 3.3; the closed form derived here).
For a first-order synapse this is tau A + 1 and tau B, and all else is zero.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import factorial

import numpy as np
from jaxtyping import Complex, Float
from scipy import linalg
from scipy.signal import lfilter
from scipy.special import bernoulli

from lmu_analog.errors import DesignError
from lmu_analog.memory.statespace import StateSpace

_SHORTEST = 1e-15  # s
Filter = Callable[[Float[np.ndarray, " d"]], Float[np.ndarray, " d"]]


@dataclass(frozen=True)
class Synapse:
    """H(s) = exp(-delay s) (1 - exp(-pulse s))/(pulse s) / ((tau s + 1)(second s + 1)).

    With all but ``tau`` zero it is the first-order low-pass. ``second`` is another pole; ``pulse`` stretches every
    spike to a rectangle, as silicon does in front of its integrator; ``delay`` is that of the way there.

    Attributes
    ----------
    tau, second, pulse, delay : float, s
    """

    tau: float
    second: float = 0.0
    pulse: float = 0.0
    delay: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 < self.tau < np.inf:
            raise DesignError(f"tau = {self.tau:g} s is not a positive time")
        for name in ("second", "pulse", "delay"):
            value = getattr(self, name)
            if not (value == 0.0 or _SHORTEST <= value < np.inf):
                raise DesignError(f"{name} = {value:g} s is not a time; give 0, or {_SHORTEST:g} s or more")

    @property
    def plain(self) -> bool:
        """Whether it is of first order."""
        return not (self.second or self.pulse or self.delay)


@dataclass(frozen=True, eq=False)
class Mapped:
    """What a synapse must be given so that its output is the state of a memory.

    Attributes
    ----------
    weights : (d, d) array
        From x.
    drives : (j, d) array, 1, s, ...
        From u, u', ...
    """

    weights: Float[np.ndarray, "d d"]
    drives: Float[np.ndarray, "j d"]


def inverse(synapse: Synapse, s: Complex[np.ndarray, " f"]) -> Complex[np.ndarray, " f"]:
    """Evaluate g = 1/H at complex numbers s, 1/s, none of them zero."""
    stretch = synapse.pulse * s / -np.expm1(-synapse.pulse * s) if synapse.pulse else 1.0
    return np.exp(synapse.delay * s) * stretch * (1.0 + synapse.tau * s) * (1.0 + synapse.second * s)


def inverse_of_matrix(synapse: Synapse, A: Float[np.ndarray, "d d"]) -> Float[np.ndarray, "d d"]:
    """Evaluate g(A) for a matrix, 1/s, without a pole at zero."""
    one = np.eye(len(A))
    found = (one + synapse.tau * A) @ (one + synapse.second * A)
    if synapse.pulse:
        found = found @ np.linalg.inv(_held(-synapse.pulse * A))
    return found @ linalg.expm(synapse.delay * A) if synapse.delay else found


def _held(Z: np.ndarray) -> np.ndarray:
    """Integrate exp(Z t) over t from 0 to 1: (e^Z - 1)/Z, without the cancellation of small Z."""
    n = len(Z)
    block = np.zeros((2 * n, 2 * n))
    block[:n, :n], block[:n, n:] = Z, np.eye(n)
    return linalg.expm(block)[:n, n:]


def series(synapse: Synapse, count: int) -> Float[np.ndarray, " c"]:
    """Give c_0 = 1, c_1, ... of g(s) = c_0 + c_1 s + ..., (count,), in s, s^2, ..."""
    powers = np.array([float(factorial(k)) for k in range(count)])
    rising = (-1.0) ** np.arange(count)  # z/(1 - e^-z) has the Bernoulli numbers of z/(e^z - 1) with +1/2
    factors = [
        synapse.delay ** np.arange(count) / powers,
        rising * bernoulli(count)[:count] * synapse.pulse ** np.arange(count) / powers,
        np.array([1.0, synapse.tau]),
        np.array([1.0, synapse.second]),
    ]
    found = np.ones(1)
    for factor in factors:
        found = np.convolve(found, factor)[:count]
    return np.pad(found, (0, count - len(found)))


def mapped(system: StateSpace, synapse: Synapse, *, derivatives: int = 0) -> Mapped:
    """Map a continuous memory onto a synapse, with ``derivatives`` of the input.

    Exact where g is a polynomial with no more derivatives than its degree less one; else exact for inputs whose
    higher derivatives vanish.
    """
    A, B = system.A, system.B[:, 0]
    weights = inverse_of_matrix(synapse, A)
    known = series(synapse, derivatives + 1)
    drives = [np.linalg.solve(A, weights @ B - B)]
    for c in known[1:]:
        drives.append(np.linalg.solve(A, drives[-1] - c * B))
    return Mapped(weights, np.stack(drives))


def discrete(system: StateSpace, taus: Float[np.ndarray, " d"]) -> Mapped:
    """Map a sampled memory onto sampled first-order synapses, one time constant a state; exact.

    x[k] = a x[k-1] + (1 - a)(W x[k-1] + b u[k]), a = exp(-dt/tau), is the memory for W = (A - a)/(1 - a),
    b = B/(1 - a) (Voelker, PhD thesis, 2019, eq. 5.9).
    """
    if system.dt is None:
        raise DesignError("a sampled memory is wanted; discretize it first")
    a = np.exp(-system.dt / taus)[:, None]
    return Mapped((system.A - a * np.eye(system.order)) / (1.0 - a), (system.B / (1.0 - a)).T)


def continuous(system: StateSpace, taus: Float[np.ndarray, " d"]) -> Mapped:
    """Map a memory onto first-order synapses, one time constant a state: diag(tau) A + 1, diag(tau) B."""
    return Mapped(taus[:, None] * system.A + np.eye(system.order), (taus[:, None] * system.B).T)


def response(
    mapping: Mapped, synapse: Synapse, frequency: Float[np.ndarray, " f"]
) -> Complex[np.ndarray, "f d"]:
    """Evaluate the states of synapses with these weights, (f, d), for a unit input at each frequency, Hz.

    The steady state; whether the loop is stable, which a delay may spoil, is not checked.
    """
    s = 2j * np.pi * frequency
    drive = s[:, None] ** np.arange(len(mapping.drives)) @ mapping.drives
    loop = inverse(synapse, s)[:, None, None] * np.eye(len(mapping.weights)) - mapping.weights
    return np.linalg.solve(loop, drive[..., None])[..., 0]


def low_pass(x: Float[np.ndarray, "t *d"], tau: float, dt: float) -> Float[np.ndarray, "t *d"]:
    """Filter series, in steps of ``dt``, s, by a first-order synapse from rest; by zero-order hold."""
    a = np.exp(-dt / tau)
    return np.asarray(lfilter([1.0 - a], [1.0, -a], x, axis=0))


def stepped(synapse: Synapse, taus: Float[np.ndarray, " d"], dt: float) -> Filter:
    """Make d synapses ready to filter, step by step of ``dt``, s; poles by zero-order hold, from rest.

    Parameters
    ----------
    synapse : Synapse
        Its ``tau`` is not used; pulse and delay are rounded to whole steps.
    taus : (d,) array, s
        Of each state.
    dt : float, s
    """
    decay = np.exp(-dt / taus)
    later = np.exp(-dt / synapse.second) if synapse.second else 0.0
    wait, width = round(synapse.delay / dt), max(1, round(synapse.pulse / dt))
    line = np.zeros((wait + width, len(taus)))  # the latest inputs, a ring
    first, second = np.zeros(len(taus)), np.zeros(len(taus))
    clock = 0

    def advance(w: np.ndarray) -> np.ndarray:
        nonlocal clock
        if len(line) > 1:
            line[clock % len(line)] = w
            ages = (clock - wait - np.arange(width)) % len(line)
            w = line[ages].mean(axis=0)
            clock += 1
        np.add(w, decay * (first - w), out=first)
        np.add(first, later * (second - first), out=second)
        return second.copy()

    return advance
