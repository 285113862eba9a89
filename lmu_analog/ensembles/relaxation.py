"""Nonlinear circuits through a recording from rest: waveform relaxation by intervals, with an error estimate.

The solution is exact for slightly wrong sources. Their error is evaluated between the nodes (the defect) and where
steps meet (the kinks).
"""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from lmu_analog.circuits.nodal.forced import Forced
from lmu_analog.circuits.nodal.saturation import Limits, saturate
from lmu_analog.ensembles.waveforms import At, Common, RelaxationInterval, Steps, defect, nodes_of, settle
from lmu_analog.memory.polynomial_hold import POWERS

INTERVAL_STEPS = 16  # of a relaxation interval: steps that are repeated together
NEARLY = 0.99  # share of a limit; there an op-amp's law is 2.8 times as steep as below its knee, undone
DC_ROUNDS = (
    10  # sources at the operating point are offsets over the gain, and each round is better by the loop gain
)


@dataclass(frozen=True, eq=False)
class Course:
    """What all samples are driven by, and compared with.

    Attributes
    ----------
    u : (t,) array, V
        Straight between its points, zero before.
    rows, truth : (w, d) and (w, t) arrays
        Readout of the window, and what the window truly holds, V.
    shared : Common
    """

    u: Float[np.ndarray, " t"]
    rows: Float[np.ndarray, "w d"]
    truth: Float[np.ndarray, "w t"]
    shared: Common


@dataclass(frozen=True, eq=False)
class Relaxed:
    """What became of s samples; one that did not settle within the limits was given up there.

    Attributes
    ----------
    square : (s, w) array, V^2
        Squared error over the window, mean over the times of the course.
    defect : (s, n) array, V
        rms of what sources are off between the nodes.
    kinks : (s, n) array, V
        rms over the intervals by how much the sources that follow slopes at once jump where steps meet.
    jump : (s, n) array, V
        Of the saturating voltages, where the recording begins.
    settled, within : (s,) bool arrays
        Whether all relaxation intervals settled, and whether they are within the limits.
    """

    square: Float[np.ndarray, "s w"]
    defect: Float[np.ndarray, "s n"]
    kinks: Float[np.ndarray, "s n"]
    jump: Float[np.ndarray, "s n"]
    settled: Bool[np.ndarray, " s"]
    within: Bool[np.ndarray, " s"]


def relax(system: Forced, limited: Limits, steps: Steps, *, course: Course, parts: int) -> Relaxed:
    """Run samples through a recording.

    Parameters
    ----------
    system : Forced
        The linear part, which takes ``course.shared.centre`` of the slopes.
    limited : Limits
    steps : Steps
        Its steps.
    course : Course
    parts : int
        Steps in an interval of the recording.
    """
    at, w = _operating_point(system, limited, course.shared)
    live = np.arange(len(w))
    states = _states(system, at.x[..., None], w[..., None], course.u[:1])
    count, n = len(course.rows), len(course.shared.peak)
    true = (np.ones(len(w), bool) for _ in range(2))
    total = Relaxed(*(np.zeros((len(w), size)) for size in (count, n, n, n)), *true)
    total.square[:] = _squares(course, states, 0)
    stride = max(1, INTERVAL_STEPS // parts)
    for first in range(0, len(course.u) - 1, stride):
        u = course.u[first : first + stride + 1]
        driven = nodes_of(u, parts)
        found = settle(steps, limited, at, shared=course.shared, u=driven)
        w = np.ascontiguousarray(found.w[:, -1, :, parts - 1 :: parts])
        total.square[live] += _squares(
            course, _states(system, found.x[..., parts::parts], w, u[1:]), first + 1
        )
        off = defect(steps, limited, found, shared=course.shared, u=driven)
        total.defect[live] += np.sum(off**2, axis=-1)
        z, jumps = _met(found, at, is_first=first == 0)
        total.kinks[live] += np.sum(jumps**2, axis=-1)
        if first == 0:
            total.jump[:] = z - at.z
        at, within = found.end, found.saturated.share <= NEARLY
        if not (found.settled & within).all():
            total.settled[live], total.within[live] = found.settled, within
            kept = np.flatnonzero(found.settled & within)
            live, limited = live[kept], limited.of(kept)
            system, steps, at = (_cut(part, kept) for part in (system, steps, at))
        if not len(live):
            break
    intervals = len(course.u) - 1
    kinks, off = np.sqrt(total.kinks / intervals), np.sqrt(total.defect / (intervals * parts))
    return replace(total, square=total.square / len(course.u), kinks=kinks, defect=off)


def _operating_point(system: Forced, limited: Limits, shared: Common) -> tuple[At, np.ndarray]:
    """Find the operating point before the recording, and their sources w there, (s, n)."""
    n = len(shared.peak)
    centre = np.broadcast_to(shared.centre, (len(system.A), n, 1))
    at_dc = np.linalg.solve(system.A, system.B)
    static = system.D - system.C @ at_dc
    w = z = np.zeros((len(system.A), n, 1))
    for _ in range(DC_ROUNDS):
        z = static[:, :n, :n] @ w + static[:, :n, n + 1 :]
        w = saturate(limited.law, z, np.zeros_like(z), centre=centre).w
    x = -(at_dc[..., :n] @ w + at_dc[..., n + 1 :])
    return At(x[..., 0], z[..., 0], np.zeros_like(w[..., 0])), w[..., 0]


def _states(system: Forced, x: np.ndarray, w: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Give the Legendre states, (s, d, t)."""
    n = w.shape[1]
    C, D = system.C[:, n:], system.D[:, n:]
    return C @ x + D[..., :n] @ w + D[..., n : n + 1] * u + D[..., n + 1 :]


def _squares(course: Course, states: np.ndarray, first: int) -> np.ndarray:
    """Sum the squared errors of states at the times from ``first`` on, (s, w)."""
    error = course.rows @ states - course.truth[:, first : first + states.shape[-1]]
    return np.einsum("swt,swt->sw", error, error)


def _met(found: RelaxationInterval, at: At, *, is_first: bool) -> tuple[np.ndarray, np.ndarray]:
    """Give z where the interval starts, by its polynomials, (s, n), and what jumps where steps meet, (s, n, k)."""
    s, q, n, k = found.z.shape
    instant, z = (POWERS[0] @ y.reshape(s, q, n * k) for y in (found.saturated.instant, found.z))
    starts = instant.reshape(s, n, k)
    ends = np.concatenate([at.instant[..., None], found.saturated.instant[:, -1, :, :-1]], axis=-1)
    if is_first:
        ends[..., 0] = starts[..., 0]
    return z.reshape(s, n, k)[..., 0], starts - ends


def _cut(part: Any, kept: np.ndarray) -> Any:
    """Keep some of the samples of a dataclass of arrays."""

    def of(x: Any) -> Any:
        if isinstance(x, tuple):
            return tuple(y[kept] for y in x)
        return x[kept] if isinstance(x, np.ndarray) else x

    return replace(part, **{f.name: of(getattr(part, f.name)) for f in fields(part)})
