"""Exact steps of linear systems whose inputs are polynomials of time: a hold of higher order, without step limit.

With a hold of degree q - 1 the variation of constants is a sum of the functions phi_0 .. phi_q of A h (Hochbruck and
Ostermann, Acta Numerica 19, 2010, section 2.1). They start from their series at a small fraction of the step and
double (Higham, Functions of Matrices, 2008, section 10.7.4).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import factorial

import numpy as np
from jaxtyping import Float

# Radau's points: the last is the end of the step, and integrals of degree 4 are exact (Hairer and Wanner, Solving
# Ordinary Differential Equations II, 1996, section IV.5).
NODES = np.array([(4.0 - np.sqrt(6.0)) / 10.0, (4.0 + np.sqrt(6.0)) / 10.0, 1.0])
POWERS = np.linalg.inv(np.vander(NODES, increasing=True))  # of values at the nodes: coefficients of 1, s, s^2
TERMS = 13  # of the series: 1/13! 2^-13 is below rounding


@dataclass(frozen=True, eq=False)
class HoldStep:
    """What a step of s systems makes of its start and of m inputs given by their values at the nodes.

    Attributes
    ----------
    decay : (s, k, n, n) array
        State at k places of the step from that at its start.
    forced : (s, k, n, q, m) array
        State at those places from the inputs at the nodes.
    """

    decay: Float[np.ndarray, "s k n n"]
    forced: Float[np.ndarray, "s k n q m"]


def doublings(A: Float[np.ndarray, "n n"], step: float) -> int:
    """Give how often a step is halved before the series of ``hold_step`` converges at once."""
    norm = float(np.abs(A).sum(axis=-1).max(initial=0.0)) * step
    return max(0, int(np.ceil(np.log2(max(norm, 1e-300)))) + 1)


def hold_step(
    A: Float[np.ndarray, "s n n"],
    B: Float[np.ndarray, "s n m"],
    step: float,
    *,
    places: Sequence[float],
    halvings: int,
) -> HoldStep:
    """Find the step of systems x' = A x + B f.

    Parameters
    ----------
    A, B : (s, n, n) and (s, n, m) arrays, 1/s
    step : float, s
    places : sequence of k floats
        Where the state is wanted, from 0 to 1.
    halvings : int
        From ``doublings``; given, and not found here, so that a system's result does not depend on the others.
    """
    q, (n, m) = len(NODES), B.shape[-2:]
    decay, forced = np.empty((len(A), len(places), n, n)), np.empty((len(A), len(places), n, q, m))
    for k, place in enumerate(places):
        phi = _phi(A * (place * step), B, halvings)
        decay[:, k] = phi[..., :n]
        forced[:, k] = 0.0
        for j, weights in enumerate(POWERS):
            # The integral of e^(A(t - s)) s^j over the way: j! t^(j+1) phi_(j+1)(A t).
            term = step * factorial(j) * place ** (j + 1) * phi[..., n + j * m : n + (j + 1) * m]
            forced[:, k] += weights[:, None] * term[:, :, None, :]
    return HoldStep(decay, forced)


def _phi(A: np.ndarray, B: np.ndarray, halvings: int) -> np.ndarray:
    """Give phi_0(A), phi_1(A) B .. phi_q(A) B beside each other."""
    n, m = B.shape[-2:]
    parts = [slice(0, n), *(slice(n + j * m, n + (j + 1) * m) for j in range(len(NODES)))]
    small = A / 2.0**halvings
    power = np.concatenate([np.broadcast_to(np.eye(n), A.shape), B], axis=-1)
    phi = np.zeros((len(A), n, n + len(NODES) * m))
    for k in range(TERMS):
        phi[..., :n] += power[..., :n] / factorial(k)
        for j in range(1, len(parts)):
            phi[..., parts[j]] += power[..., n:] / factorial(k + j)
        power = small @ power
    for _ in range(halvings):
        twice = phi[..., :n] @ phi
        for j in range(1, len(parts)):
            for k in range(1, j + 1):
                twice[..., parts[j]] += phi[..., parts[k]] / factorial(j - k)
            twice[..., parts[j]] *= 0.5**j
        phi = twice
    return phi
