"""Monte Carlo of nonlinear circuits for recorded inputs, from rest: waveform relaxation, and an estimate of its error.

The solution of an interval is exact for slightly wrong sources. Their error is evaluated between the nodes (the
defect) and where steps meet (the kinks).
"""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Complex, Float
from scipy import linalg

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.nodal.extract import Split, split
from lmu_analog.circuits.nodal.forced import Forced, forced
from lmu_analog.circuits.nodal.saturation import Amplifiers, Inputs, Limits, centred, limits, saturate
from lmu_analog.circuits.nodal.stamps import stamp
from lmu_analog.ensembles.balance import STEEPEST
from lmu_analog.ensembles.waveforms import (
    PLACES,
    At,
    Common,
    RelaxationInterval,
    Steps,
    defect,
    nodes_of,
    settle,
    steps_of,
)
from lmu_analog.memory import window
from lmu_analog.memory.polynomial_hold import POWERS, doublings, hold_step
from lmu_analog.memory.statespace import StateSpace, respond
from lmu_analog.stimulus import Recording

PARTS = (1, 2, 4)  # steps in an interval of the recording; a larger number where a smaller is too few
LEFT_OUT = 1e-5  # of rms(u): estimated error of the states over the window
MOST_POINTS = 20_000  # points of the nominal waveforms that slopes and peaks are taken from
LEAST_PEAK = 1e-6  # of the largest: what does not swing is not resolved to its own digits
MOST_DEVIATION = 4.0  # times the nominal rates: a sample beyond it is left to ngspice
# rms over a step of a polynomial's error, over that where it is evaluated: 0.8 where steps are short and the law is
# smooth (transconductors). Op-amps saturate within a few steps, the knee somewhere in one: up to 5.3 was measured.
SPREAD = {Inputs: 1.5, Amplifiers: 6.0}
RESOLVED = 3.0  # steps times rate up to which the polynomials of a step follow a pole
BAND = (0.0, 0.3, 0.6, 1.0)  # of 2 order/theta, where gains are evaluated
INTERVAL_STEPS = 16  # of a relaxation interval: steps that are repeated together
NEARLY = 0.99  # share of a limit; there an op-amp's law is 2.8 times as steep as below its knee, undone
DC_ROUNDS = (
    10  # sources at the operating point are offsets over the gain, and each round is better by the loop gain
)
BATCH_VALUES = 2_000_000  # numbers of the steps of all samples that are run together: 16 MB


@dataclass(frozen=True, eq=False)
class Outline:
    """What the nominal circuit says about all samples.

    Attributes
    ----------
    circuit : Circuit
    split : Split
    recording : Recording
    shared : Common
    unit : (r,) array
        Balances the states.
    A : (r, r) array, 1/s
        Of the balanced linear part.
    poles : (r,) complex array, 1/s
    """

    circuit: Circuit
    split: Split
    recording: Recording
    shared: Common
    unit: Float[np.ndarray, " r"]
    A: Float[np.ndarray, "r r"]
    poles: Complex[np.ndarray, " r"]


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


def recorded_profiles(
    circuit: Circuit,
    values: Float[np.ndarray, "s m"],
    limited: Limits,
    *,
    recording: Recording,
    truth: Float[np.ndarray, "t q"],
    rule: window.Quadrature = window.QUADRATURE,
) -> tuple[Bool[np.ndarray, " s"], Float[np.ndarray, "k q"]]:
    """Give which samples are solved for sure, and the NRMSE over the window of those k.

    Parameters
    ----------
    circuit : Circuit
    values : (s, m) array
        Of stable samples.
    limited : Limits
        The nonlinear laws, of the same samples.
    recording : Recording
        Its points are the times that the error is taken at.
    truth : (t, q) array, V
        What the window truly holds then.
    rule : Quadrature
        At which places of it.

    Raises
    ------
    CircuitError
        If the circuit has no state space.
    """
    sure, lost = np.zeros(len(values), bool), np.zeros(len(values), bool)
    profile = np.zeros((len(values), truth.shape[1]))
    plan = outline(circuit, recording)
    if plan is None:
        return sure, profile[sure]
    rows, wanted = rule.rows(circuit.order), np.ascontiguousarray(truth.T)
    batch = max(1, BATCH_VALUES // (2 * (len(plan.A) + 3 * len(limited.seen)) ** 2))
    for parts in PARTS:
        waiting = np.flatnonzero(~sure & ~lost)
        for k in range(0, len(waiting), batch):
            part = waiting[k : k + batch]
            found = _solved(plan, values[part], limited.of(part), parts=parts, rows=rows, truth=wanted)
            sure[part], lost[part], profile[part] = found
    return sure, profile[sure]


def outline(circuit: Circuit, recording: Recording) -> Outline | None:
    """Analyse the nominal circuit; None where it is linear, or its linear waveforms grow without limit."""
    shared = split(circuit)
    nominal = circuit.values[None]
    equations, limited = stamp(circuit, shared.index, nominal), limits(circuit, shared.index, nominal)
    if limited is None:
        return None
    z = _swing(forced(shared, equations, limited), recording)
    if not np.isfinite(z).all():
        return None
    rate = np.gradient(z, recording.dt, axis=-1)
    slope = saturate(limited.law, z, rate, centre=np.ones((1, z.shape[1], 1))).slope
    slope = np.minimum(slope, STEEPEST)
    centre = 0.5 * (slope.min(axis=-1) + slope.max(axis=-1))[0][:, None]
    size = np.abs(z[0]).max(axis=-1)
    peak = np.maximum(size, max(LEAST_PEAK * float(size.max()), np.finfo(float).tiny))
    A = forced(shared, centred(equations, limited, centre[None]), limited).A[0]
    balanced, (unit, _) = linalg.matrix_balance(A, permute=False, separate=True)
    poles = np.linalg.eigvals(A).astype(complex)
    return Outline(circuit, shared, recording, Common(centre, peak), unit, balanced, poles)


def _swing(system: Forced, recording: Recording) -> np.ndarray:
    """Give the saturating voltages of the linear circuit, (1, n, t)."""
    n = system.D.shape[-1] - 2
    A, C, D = system.A, system.C[:, :n], system.D[:, :n]
    offset = D[..., -1] - (C @ np.linalg.solve(A, system.B[..., -1:]))[..., 0]
    linear = StateSpace(A, system.B[..., n : n + 1], C, D[..., n : n + 1], None, offset)
    with np.errstate(over="ignore", invalid="ignore"):  # where it is unstable
        return np.swapaxes(respond(linear, recording.values[:MOST_POINTS], recording.dt), -1, -2)


def _solved(
    plan: Outline, values: np.ndarray, limited: Limits, *, parts: int, rows: np.ndarray, truth: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give which samples are solved for sure, which shorter steps would not help, and profiles."""
    length, rms, unit = plan.recording.dt / parts, plan.recording.rms, plan.unit
    centre = np.broadcast_to(plan.shared.centre, (len(values), *plan.shared.centre.shape))
    equations = centred(stamp(plan.circuit, plan.split.index, values), limited, centre)
    found = forced(plan.split, equations, limited)
    system = replace(found, A=found.A * unit / unit[:, None], B=found.B / unit[:, None], C=found.C * unit)
    halvings = doublings(MOST_DEVIATION * plan.A, length)
    steps = steps_of(system, hold_step(system.A, system.B, length, places=PLACES, halvings=halvings), length)
    run = _relaxed(plan, system, limited, steps=steps, parts=parts, rows=rows, truth=truth)
    missed = SPREAD[type(limited.law)] * run.defect + _hurried(plan, limited, run, length)
    weight = 1.0 / (2.0 * np.arange(plan.circuit.order) + 1.0)
    unsure = np.sqrt((_gains(plan, system) @ missed[..., None])[..., 0] ** 2 @ weight)
    ordinary = _norm(system.A) <= MOST_DEVIATION * _norm(plan.A)
    sure = run.settled & run.within & ordinary & (unsure <= LEFT_OUT * rms)
    return sure, ~(run.within & ordinary), np.sqrt(run.square) / rms


def _relaxed(
    plan: Outline,
    system: Forced,
    limited: Limits,
    *,
    steps: Steps,
    parts: int,
    rows: Float[np.ndarray, "w d"],
    truth: Float[np.ndarray, "w t"],
) -> Relaxed:
    """Run samples through the recording, from rest.

    Parameters
    ----------
    plan : Outline
    system : Forced
        The linear part, which takes ``plan.shared.centre`` of the slopes.
    limited : Limits
    steps : Steps
        Its steps.
    parts : int
        Steps in an interval of the recording.
    rows, truth : (w, d) and (w, t) arrays
        Readout of the window, and what the window truly holds, V.
    """
    u, shared = plan.recording.values, plan.shared
    at, w = _operating_point(system, limited, shared)
    live = np.arange(len(w))
    states = _states(system, at.x[..., None], w[..., None], u[:1])
    count, n = len(rows), len(shared.peak)
    true = (np.ones(len(w), bool) for _ in range(2))
    total = Relaxed(*(np.zeros((len(w), size)) for size in (count, n, n, n)), *true)
    total.square[:] = _squares(rows @ states - truth[:, :1])
    stride = max(1, INTERVAL_STEPS // parts)
    for first in range(0, len(u) - 1, stride):
        course = u[first : first + stride + 1]
        driven = nodes_of(course, parts)
        found = settle(steps, limited, at, shared=shared, u=driven)
        w = np.ascontiguousarray(found.w[:, -1, :, parts - 1 :: parts])
        states = _states(system, found.x[..., parts::parts], w, course[1:])
        total.square[live] += _squares(rows @ states - truth[:, first + 1 : first + len(course)])
        off = defect(steps, limited, found, shared=shared, u=driven)
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
    intervals = len(u) - 1
    kinks, off = np.sqrt(total.kinks / intervals), np.sqrt(total.defect / (intervals * parts))
    return replace(total, square=total.square / len(u), kinks=kinks, defect=off)


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


def _squares(error: np.ndarray) -> np.ndarray:
    """Sum squares over time, (s, w)."""
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


def _norm(A: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(A).sum(axis=-1).max(axis=-1))


def _gains(plan: Outline, system: Forced) -> np.ndarray:
    """Give the largest gains from sources to states over the memory's band, (s, d, n)."""
    n, identity = len(plan.shared.peak), np.eye(len(plan.A))
    found = np.zeros((len(system.A), plan.circuit.order, n))
    for turn in BAND:
        s = 2j * plan.circuit.order * turn / plan.circuit.theta
        x = np.linalg.solve(s * identity - system.A, system.B[..., :n])
        found = np.maximum(found, np.abs(system.C[:, n:] @ x + system.D[:, n:, :n]))
    return found


def _hurried(plan: Outline, limited: Limits, run: Relaxed, length: float) -> np.ndarray:
    """Estimate what poles too fast for the steps miss of the sources, (s, n), V.

    After a kink sources go over to their new course as such a pole does, and not at once: an area of their jump
    times its time constant.
    """
    recording = plan.recording
    fast = plan.poles[np.abs(plan.poles) * length > RESOLVED]
    missed = run.kinks * float(np.max(1.0 / np.abs(np.real(fast)), initial=0.0)) / recording.dt
    if isinstance(limited.law, Amplifiers):
        # An output that slews by V is late by at most the area V^2 / (2 slew).
        slew = (limited.law.threshold * limited.law.crossover)[..., 0]
        missed = missed + run.jump**2 / (2.0 * slew) / np.sqrt(plan.circuit.theta * recording.duration)
    return missed
