"""Sampled memories beside continuous time: the bilinear map, when a sample counts, and how much it all deviates.

The convention is that of ``reference``: x[k] = A x[k-1] + B u[k], read at t = k dt, with u[k] = u((k - 1/2) dt).
The input is taken half an interval before the states are read, in the middle of the step that it acts on; a
hold and the implicit midpoint rule then follow the continuous memory to second order in dt. A two-phase
switched-capacitor circuit does just that: phase 1 ends with the sample, phase 2 with the new states.
"""

from collections.abc import Callable

import numpy as np
import scipy
from jaxtyping import Complex, Float

from lmu_analog.errors import DesignError
from lmu_analog.memory.convolution import convolve
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.reference import midpoints
from lmu_analog.memory.statespace import StateSpace, frequency_response, impulse_response
from lmu_analog.memory.window import quadrature_for

LEFT = 1e-7  # of the largest response: what may be left of a transient, as in continuous time


def bilinear(system: StateSpace, dt: float) -> StateSpace:
    """Map a continuous system by the implicit midpoint rule, whose A is the bilinear (Cayley) map.

    x[k] - x[k-1] = dt (A (x[k] + x[k-1])/2 + B u[k]): A and B are those of Tustin's method (Franklin, Powell
    and Workman, Digital Control of Dynamic Systems, 1998, section 6.1); the states are read as they are.

    Parameters
    ----------
    system : StateSpace
        Continuous, (...,).
    dt : float, s
    """
    half, identity = 0.5 * dt * system.A, np.eye(system.order)
    A = np.linalg.solve(identity - half, identity + half)
    return StateSpace(A, np.linalg.solve(identity - half, dt * system.B), system.C, system.D, dt)


def steady_response(system: StateSpace, frequency: Float[np.ndarray, " f"]) -> Complex[np.ndarray, "*s f p"]:
    """Give output over input phasors in continuous time; sampled outputs at the instants they are read.

    Raises
    ------
    DesignError
        If a frequency is beyond half the sampling rate.
    """
    response = frequency_response(system, frequency)
    if system.dt is None:
        return response
    if (highest := float(np.max(frequency))) >= 0.5 / system.dt:
        raise DesignError(
            f"[circuit] clock = {1.0 / system.dt:g} Hz is below twice the highest input frequency, "
            f"{highest:g} Hz; raise the clock or lower [signal] bandwidth"
        )
    return response * np.exp(-1j * np.pi * frequency * system.dt)[:, None]


def sampled_run(
    system: StateSpace, u: Callable[[np.ndarray], np.ndarray], time: Float[np.ndarray, " t"]
) -> Float[np.ndarray, "*s t p"]:
    """Run the difference equation from rest and read it at other times.

    Cubics give what lies between the samples, as for the NumPy reference: a hold would add half an interval
    of delay, which who knows the clock need not bear.

    Parameters
    ----------
    system : StateSpace
        Sampled, (...,).
    u : callable
        Input, V, at times in s; zero before 0.
    time : (t,) array, s
        From 0 on, rising.
    """
    dt = _interval(system)
    count = max(4, int(np.ceil(float(time[-1]) / dt)) + 2)
    samples = midpoints(u, dt, count)
    impulse = system.C @ impulse_response(system.A, system.B, count + 1)
    output = convolve(samples, impulse)[..., :count] + system.D * samples
    states = scipy.interpolate.CubicSpline(dt * np.arange(count), output, axis=-1)(time)
    if system.offset is not None:
        states = states + system.offset[..., None]
    return np.swapaxes(states, -1, -2)


def ringing_time(system: StateSpace, *, longest: float) -> float:
    """Time, s, after which an impulse's response stays below 1e-7 of its largest, at most ``longest``.

    Unlike the slowest pole it leaves out modes that the input does not reach, such as the common mode of a
    balanced circuit.
    """
    dt = _interval(system)
    impulse = system.C @ impulse_response(system.A, system.B, int(longest / dt) + 2)
    size = np.abs(impulse).max(axis=-2)
    return min(longest, dt * float(np.flatnonzero(size > LEFT * size.max())[-1] + 1))


def distance(system: StateSpace, theta: float, *, bandwidth: float, tones: int = 10) -> float:
    """How far a sampled memory is from the continuous one of its order, over the window and the band.

    Parameters
    ----------
    system : StateSpace
        Sampled (or not); outputs the Legendre states, (d,).
    theta : float, s
    bandwidth : float, Hz
        Of equal tones at k/tones of it.
    tones : int

    Returns
    -------
    float
        rms over tones and window of the difference of both estimates, as a fraction of rms(u).
    """
    order = system.C.shape[-2]
    frequency = bandwidth * np.arange(1, tones + 1) / tones
    error = steady_response(system, frequency) - frequency_response(legendre(order, theta), frequency)
    rule = quadrature_for(order)
    estimate = np.abs(error @ rule.rows(order).T) ** 2
    return float(np.sqrt(np.mean(estimate, axis=-2) @ rule.weight))


def _interval(system: StateSpace) -> float:
    if system.dt is None:
        raise ValueError("a continuous system has no samples; use statespace.respond")
    return system.dt
