"""The NumPy Legendre memory: the software that a circuit is compared with.

The update m[k] = Ad m[k-1] + Bd u[k] holds u[k] over the interval that *ends* at sample k, as keras-lmu
does. A zero-order-hold input runs half a sample ahead of the sampled one, so ``midpoints`` samples a continuous
input half a sample early; the memory then follows the continuous one to second order in dt.
"""

from collections.abc import Callable
from typing import Literal, assert_never

import numpy as np
from jaxtyping import Float
from scipy import linalg

from lmu_analog.memory.convolution import convolve
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.statespace import StateSpace, impulse_response

Method = Literal["zoh", "euler"]


def discretize(system: StateSpace, dt: float, method: Method = "zoh") -> StateSpace:
    """Turn a continuous system into the update m[k] = A m[k-1] + B u[k].

    Parameters
    ----------
    system : StateSpace
        Continuous; leading axes are many.
    dt : float, s
        Sampling interval.
    method : {"zoh", "euler"}
        Zero-order hold (exact for an input that is constant over a step) or forward Euler, I + A dt.
    """
    n = system.order
    match method:
        case "zoh":
            block = np.zeros((*system.A.shape[:-2], n + 1, n + 1))
            block[..., :n, :n], block[..., :n, n:] = system.A * dt, system.B * dt
            exponential = linalg.expm(block)
            A, B = exponential[..., :n, :n], exponential[..., :n, n:]
        case "euler":
            A, B = np.eye(n) + system.A * dt, system.B * dt
        case _:
            assert_never(method)
    return StateSpace(A, B, system.C, system.D, dt)


def numpy_memory(order: int, theta: float, *, dt: float, method: Method = "zoh") -> StateSpace:
    """Build the sampled memory of the given order; theta and dt in the same unit (s, or steps)."""
    return discretize(legendre(order, theta), dt, method)


def run(memory: StateSpace, u: Float[np.ndarray, "*b t"]) -> Float[np.ndarray, "*b t n"]:
    """Run a sampled memory from rest.

    Parameters
    ----------
    memory : StateSpace
        Sampled.
    u : (..., t) array, V
        Leading axes are many inputs.

    Returns
    -------
    (..., t, n) array, V
        The states, u[k] already in row k.
    """
    drive = np.asarray(u, float)[..., None] * memory.B[:, 0]
    states = np.empty_like(drive)
    state = np.zeros((*drive.shape[:-2], memory.order))
    for k in range(drive.shape[-2]):
        state = state @ memory.A.T + drive[..., k, :]
        states[..., k, :] = state
    return states


def midpoints(u: Callable[[np.ndarray], np.ndarray], dt: float, count: int) -> Float[np.ndarray, " t"]:
    """Sample u(t) half a sample before 0, dt, 2 dt, ..., which corrects the half-sample lead of the hold."""
    return u((np.arange(count) - 0.5) * dt)


def filtered(memory: StateSpace, u: Float[np.ndarray, " t"]) -> Float[np.ndarray, "t n"]:
    """Give what ``run`` gives, by convolution with the impulse response: for long inputs, stable memories."""
    impulse = impulse_response(memory.A, memory.B, len(u) + 1)
    return convolve(np.asarray(u, float), impulse)[:, : len(u)].T
