"""Linear time-invariant systems, one or thousands at once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Complex, Float
from scipy import linalg

from lmu_analog.memory.convolution import convolve

AT_ONCE = 1 << 14  # entries of the matrices that are solved in one call, which a processor's cache holds
_COUPLED = 1e-9  # of the largest entry of a row: below it is rounding


@dataclass(frozen=True, eq=False)
class StateSpace:
    """The single-input system x' = A x + B u, y = C x + D u + slope (u', u'', ...) + offset.

    With ``dt`` it is a sampled system, x[k] = A x[k-1] + B u[k]. Leading axes mean many of these.

    Attributes
    ----------
    A : (..., n, n) array, 1/s
    B : (..., n, 1) array, 1/s
    C : (..., p, n) array
    D : (..., p, 1) array
    dt : float or None, s
        Sampling interval, None in continuous time.
    offset : (..., p) array or None
        What the outputs show at u = 0, in the unit of y: op-amp offsets, seen at the outputs.
    slope : (..., p, k) array or None, s, s^2, ...
        What the outputs show of u', u'', ..., where poles far beyond the band were left out; continuous
        time only.
    """

    A: Float[np.ndarray, "*#s n n"]
    B: Float[np.ndarray, "*#s n 1"]
    C: Float[np.ndarray, "*#s p n"]
    D: Float[np.ndarray, "*#s p 1"]
    dt: float | None = None
    offset: Float[np.ndarray, "*#s p"] | None = None
    slope: Float[np.ndarray, "*#s p k"] | None = None

    @property
    def order(self) -> int:
        """Number of states n."""
        return self.A.shape[-1]

    @property
    def poles(self) -> Complex[np.ndarray, "*s n"]:
        """Eigenvalues of A, (..., n), 1/s; of a sampled system without unit."""
        return np.linalg.eigvals(self.A).astype(complex)


def cut(system: StateSpace, k: int | slice) -> StateSpace:
    """Take one of many systems, or a stretch of them."""
    offset, slope = (None if x is None else x[k] for x in (system.offset, system.slope))
    return StateSpace(system.A[k], system.B[k], system.C[k], system.D[k], system.dt, offset, slope)


def joined(parts: Sequence[StateSpace]) -> StateSpace:
    """Put many systems after one another along their first axis; what one part has and another lacks is 0."""

    def whole(name: str) -> np.ndarray | None:
        present = [x for part in parts if (x := getattr(part, name)) is not None]
        if not present:
            return None
        shape = present[0].shape[1:]
        found = [getattr(part, name) for part in parts]
        return np.concatenate(
            [
                np.zeros((len(p.A), *shape), p.A.dtype) if x is None else x
                for p, x in zip(parts, found, strict=True)
            ]
        )

    A, B, C, D = (np.concatenate([getattr(part, name) for part in parts]) for name in "ABCD")
    return StateSpace(A, B, C, D, parts[0].dt, whole("offset"), whole("slope"))


def transform(system: StateSpace, T: Float[np.ndarray, "n n"]) -> StateSpace:
    """Change coordinates to z = T x; the input-output map stays the same."""
    inverse = np.linalg.inv(T)
    return replace(system, A=T @ system.A @ inverse, B=T @ system.B, C=system.C @ inverse)


def slowest_reached(system: StateSpace) -> float:
    """Give the largest real part, 1/s, of the poles of all states that the input reaches.

    Parts that only direct voltages reach, such as the filter of a reference, have poles that no signal excites,
    whatever the values; states that merely cancel in a balanced circuit are not among them.

    Parameters
    ----------
    system : StateSpace
        One, in continuous time.
    """
    drives = np.abs(system.A) > _COUPLED * np.abs(system.A).max(axis=1, keepdims=True)
    reached = np.abs(system.B[:, 0]) > _COUPLED * np.abs(system.B).max(initial=0.0)
    while (further := reached | drives[:, reached].any(axis=1)).sum() > reached.sum():
        reached = further
    inner = system.A[np.ix_(reached, reached)]
    return float(np.max(np.real(np.linalg.eigvals(inner)), initial=-np.inf))


def growth(system: StateSpace) -> Float[np.ndarray, "*s"]:
    """Give the largest real part of the poles, (...,), 1/s; the system is unstable where it is positive.

    A pole z of a sampled system counts as log(z)/dt.
    """
    if system.dt is None:
        return np.asarray(np.real(system.poles).max(axis=-1))
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.abs(system.poles).max(axis=-1)) / system.dt)


def frequency_response(
    system: StateSpace, frequency: Float[np.ndarray, " f"]
) -> Complex[np.ndarray, "*s f p"]:
    """Evaluate C (jw - A)^-1 B + D.

    Parameters
    ----------
    system : StateSpace
        Continuous, (...,); for a sampled one z (z - A)^-1 B is used, because u[k] acts on x[k] itself.
    frequency : (f,) array, Hz

    Returns
    -------
    (..., f, p) complex array
    """
    identity = np.eye(system.order)
    A, B, C, D = (M[..., None, :, :] for M in (system.A, system.B, system.C, system.D))
    # Many frequencies of one system are solved in one call, each as if alone; of many systems, few.
    stretch = max(1, AT_ONCE // max(1, system.A.size))
    responses = []
    for start in range(0, len(frequency), stretch):
        s = 2j * np.pi * frequency[start : start + stretch]
        at = s[:, None, None]
        if system.dt is None:
            state = np.linalg.solve(at * identity - A, B)
        else:
            state = np.linalg.solve(identity - np.exp(-at * system.dt) * A, B)
        responses.append((C @ state + D)[..., 0])
        if system.slope is not None:
            responses[-1] += np.stack([fed(system, one) for one in s], axis=-2)
    return np.concatenate(responses, axis=-2)


def fed(system: StateSpace, s: complex) -> np.ndarray | float:
    """Give what the derivatives of u add at once, (..., p)."""
    if system.slope is None:
        return 0.0
    return np.asarray(system.slope @ s ** np.arange(1, system.slope.shape[-1] + 1))


def respond(system: StateSpace, u: Float[np.ndarray, " t"], dt: float) -> Float[np.ndarray, "*s t p"]:
    """Propagate a piecewise-linear input from rest, without a step error.

    First-order hold is exact for an input that is linear between samples (Franklin, Powell and Workman,
    Digital Control of Dynamic Systems, 1998, section 6.3.2). The impulse response is doubled in length
    until it has died out, then convolved with the input.

    Parameters
    ----------
    system : StateSpace
        Continuous, (...,).
    u : (t,) array, V
        Input at 0, dt, 2 dt, ...; zero before.
    dt : float, s

    Returns
    -------
    (..., t, p) array
        Output at the same instants, the offset included.
    """
    phi, gamma0, gamma1 = first_order_hold(system, dt)
    start = phi @ gamma1 + gamma0
    impulse = impulse_response(phi, start, len(u))

    drive = convolve(u[:-1], impulse)
    state = np.zeros((*impulse.shape[:-1], len(u)))
    state[..., 1:] = drive[..., : len(u) - 1]
    # The convolution carries x[k] - gamma1 u[k]; at the first sample u has jumped but x has not.
    state[..., 1:] += gamma1 * u[1:]
    # Nor has there been the ramp into the first sample, which the convolution has assumed.
    ramp = impulse_response(phi, phi @ gamma1, len(u)) * u[0]
    state[..., 1 : ramp.shape[-1] + 1] -= ramp
    output = system.C @ state + system.D * u
    if system.slope is not None:  # a pole far beyond the band has followed the piece that ends here
        output = output + system.slope[..., :1] * np.diff(u, prepend=u[0]) / dt
    if system.offset is not None:
        output = output + system.offset[..., None]
    return np.swapaxes(output, -1, -2)


def first_order_hold(
    system: StateSpace, dt: float
) -> tuple[Float[np.ndarray, "*s n n"], Float[np.ndarray, "*s n 1"], Float[np.ndarray, "*s n 1"]]:
    """Give phi, gamma0, gamma1 of x(t + dt) = phi x(t) + gamma0 u(t) + gamma1 u(t + dt), u straight between."""
    n = system.order
    block = np.zeros((*system.A.shape[:-2], n + 2, n + 2))
    block[..., :n, :n] = system.A * dt
    block[..., :n, n : n + 1] = system.B * dt
    block[..., n, n + 1] = 1.0
    exponential = linalg.expm(block)
    phi = exponential[..., :n, :n]
    gamma1 = exponential[..., :n, n + 1 :]
    return phi, exponential[..., :n, n : n + 1] - gamma1, gamma1


def impulse_response(phi: np.ndarray, start: np.ndarray, length: int) -> np.ndarray:
    """Stack start, phi start, phi^2 start, ... along the last axis until it has died out.

    Parameters
    ----------
    phi : (..., n, n) array
        One step of the system.
    start : (..., n, 1) array
    length : int
        At most length - 1 columns come back; fewer where the rest is below rounding.
    """
    response, power = start, phi
    scale = np.abs(start).max()
    while response.shape[-1] < length - 1:
        tail = power @ response
        response = np.concatenate([response, tail], axis=-1)
        # 1e-17 of the start: what is left adds less than rounding to any later output.
        if np.abs(tail).max() < 1e-17 * scale:
            break
        power = power @ power
    return response[..., : length - 1]
