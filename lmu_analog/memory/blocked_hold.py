"""Many systems through one recording, exactly, by a blocked first-order hold.

First-order hold is exact for a piecewise-linear input (Franklin, Powell and Workman, Digital Control of Dynamic
Systems, 1998, section 6.3.2). Instead of one small product a time step, ``BLOCK`` steps are one product: the
input's part of all blocks at once, then the state from block to block, then the states inside all blocks.
"""

from math import factorial

import numpy as np
from jaxtyping import Float

from lmu_analog.memory.squares import IdealWindow, squared_errors
from lmu_analog.memory.statespace import StateSpace

BLOCK = 16  # steps in a block
TAYLOR = 16  # terms: 1/17! beside a norm of 1 is below rounding
FACTORIAL = [float(factorial(k)) for k in range(TAYLOR + 3)]


def many_runs(system: StateSpace, u: Float[np.ndarray, " t"], dt: float) -> Float[np.ndarray, "s t p"]:
    """Propagate a piecewise-linear input from rest through many continuous systems.

    The same as ``statespace.respond``, sooner for many systems and a recording of hundreds of points.

    Parameters
    ----------
    system : StateSpace
        One leading axis s.
    u : (t,) array, V
        Input at 0, dt, 2 dt, ...; zero before.
    dt : float, s
    """
    return np.swapaxes(_outputs(system, np.asarray(u, float), dt), -1, -2)


def _outputs(system: StateSpace, u: np.ndarray, dt: float) -> np.ndarray:
    """Give the outputs, (s, p, t)."""
    feed = [np.zeros_like(system.D)] * 3
    feed[0] = system.D
    if system.slope is not None:
        feed[1] = system.slope[..., :1]
    if system.offset is not None:
        feed[2] = system.offset[..., None]
    # What a pole far beyond the band adds has followed the piece that ends here.
    at_once = np.stack([u, np.diff(u, prepend=u[0]) / dt, np.ones_like(u)])
    y = np.concatenate(feed, axis=-1) @ at_once
    y[..., 1:] += system.C @ np.swapaxes(_states(system, u, dt)[:, : len(u) - 1], -1, -2)
    return y


def many_profiles(
    system: StateSpace, u: Float[np.ndarray, " t"], dt: float, *, ideal: IdealWindow, rms: float
) -> Float[np.ndarray, "s q"]:
    """Give ``window.time_profile`` of ``many_runs`` without the errors at every moment.

    Parameters
    ----------
    system : StateSpace
        One leading axis s; outputs the Legendre states.
    u : (t,) array, V
    dt : float, s
    ideal : IdealWindow
        The ideal window at the quadrature points, V.
    rms : float, V
    """
    y = _outputs(system, np.asarray(u, float), dt)
    return np.sqrt(squared_errors(ideal, y) / len(u)) / rms


def _states(system: StateSpace, u: np.ndarray, dt: float) -> np.ndarray:
    """Give x at every sample but the first, where it is zero, and some more, (s, t', n)."""
    samples, n = system.A.shape[:2]
    phi, hold, ramp = _one_step(system.A * dt, system.B[..., 0] * dt)
    blocks = max(1, -(-(len(u) - 1) // BLOCK))
    padded = np.concatenate([u, np.full(BLOCK * blocks + 1 - len(u), u[-1])])
    pieces = np.stack([padded[k : k + BLOCK * blocks : BLOCK] for k in range(BLOCK + 1)], axis=1)
    powers, forced = _blocked(phi.transpose(0, 2, 1), hold, ramp)
    driven = pieces @ forced.reshape(samples, BLOCK + 1, BLOCK * n)
    starts = np.zeros((samples, blocks, n))
    last, ends = np.ascontiguousarray(powers[:, :, -1]), driven[:, :, -n:]
    for k in range(1, blocks):
        starts[:, k] = (starts[:, k - 1, None] @ last)[:, 0] + ends[:, k - 1]
    driven += starts @ powers.reshape(samples, n, BLOCK * n)
    return driven.reshape(samples, blocks * BLOCK, n)


def _blocked(phi: np.ndarray, hold: np.ndarray, ramp: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give what a block's first state, (s, n, L, n), and its inputs, (s, L + 1, L, n), become in each step.

    States are rows here, and ``phi`` is transposed.
    """
    samples, n = phi.shape[:2]
    powers = np.empty((samples, n, BLOCK, n))
    forced = np.zeros((samples, BLOCK + 1, BLOCK, n))
    # x' = phi x + hold u + ramp (u' - u): one input counts where a piece begins, and where one ends.
    powers[:, :, 0] = phi
    forced[:, 0, 0], forced[:, 1, 0] = hold - ramp, ramp
    for k in range(1, BLOCK):
        powers[:, :, k] = powers[:, :, k - 1] @ phi
        forced[:, : k + 1, k] = forced[:, : k + 1, k - 1] @ phi
        forced[:, k, k] += hold - ramp
        forced[:, k + 1, k] = ramp
    return powers, forced


def _one_step(A: np.ndarray, B: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give phi = e^A, (s, n, n), and what a constant and a rising input add in one step, (s, n).

    phi = 1 + A P, hold = P B, ramp = R B with P = 1 + A R, P and R the next two functions of e^A's family; they
    double with their argument (Higham, Functions of Matrices, 2008, section 10.7.4).
    """
    norm = float(np.abs(A).sum(axis=-1).max())
    halvings = max(0, int(np.ceil(np.log2(max(norm, 1e-300)))))
    A, unit = A / 2.0**halvings, np.eye(A.shape[-1])
    R = np.broadcast_to(unit / FACTORIAL[TAYLOR + 2], A.shape)
    for k in range(TAYLOR + 1, 1, -1):
        R = A @ R + unit / FACTORIAL[k]
    P = unit + A @ R
    phi = unit + A @ P
    for _ in range(halvings):
        # Over two steps: R is 1/4 (R + P^2 ... ) in terms of one; from e^(2A), phi_1 and phi_2.
        R = 0.25 * (phi @ R + P + R)
        P = 0.5 * (phi + unit) @ P
        phi = phi @ phi
    return phi, (P @ B[..., None])[..., 0], (R @ B[..., None])[..., 0]
