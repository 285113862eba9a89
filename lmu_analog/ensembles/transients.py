"""Monte Carlo of nonlinear circuits for recorded inputs: what all samples share, and which are solved for sure."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Complex, Float
from scipy import linalg

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.nodal.extract import Split, split
from lmu_analog.circuits.nodal.forced import Forced, forced
from lmu_analog.circuits.nodal.saturation import Amplifiers, Inputs, Limits, centred, limits, saturate
from lmu_analog.circuits.nodal.stamps import stamp
from lmu_analog.ensembles.balance import STEEPEST
from lmu_analog.ensembles.relaxation import Course, Relaxed, relax
from lmu_analog.ensembles.waveforms import PLACES, Common, steps_of
from lmu_analog.memory import window
from lmu_analog.memory.polynomial_hold import doublings, hold_step
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
    rows = rule.rows(circuit.order)
    course = Course(recording.values, rows, np.ascontiguousarray(truth.T), plan.shared)
    batch = max(1, BATCH_VALUES // (2 * (len(plan.A) + 3 * len(limited.seen)) ** 2))
    for parts in PARTS:
        waiting = np.flatnonzero(~sure & ~lost)
        for k in range(0, len(waiting), batch):
            part = waiting[k : k + batch]
            found = _solved(plan, values[part], limited.of(part), course=course, parts=parts)
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
    plan: Outline, values: np.ndarray, limited: Limits, *, course: Course, parts: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give which samples are solved for sure, which shorter steps would not help, and profiles."""
    length, rms, unit = plan.recording.dt / parts, plan.recording.rms, plan.unit
    centre = np.broadcast_to(plan.shared.centre, (len(values), *plan.shared.centre.shape))
    equations = centred(stamp(plan.circuit, plan.split.index, values), limited, centre)
    found = forced(plan.split, equations, limited)
    system = replace(found, A=found.A * unit / unit[:, None], B=found.B / unit[:, None], C=found.C * unit)
    halvings = doublings(MOST_DEVIATION * plan.A, length)
    steps = steps_of(system, hold_step(system.A, system.B, length, places=PLACES, halvings=halvings), length)
    run = relax(system, limited, steps, course=course, parts=parts)
    missed = SPREAD[type(limited.law)] * run.defect + _hurried(plan, limited, run, length)
    weight = 1.0 / (2.0 * np.arange(plan.circuit.order) + 1.0)
    unsure = np.sqrt((_gains(plan, system) @ missed[..., None])[..., 0] ** 2 @ weight)
    ordinary = _norm(system.A) <= MOST_DEVIATION * _norm(plan.A)
    sure = run.settled & run.within & ordinary & (unsure <= LEFT_OUT * rms)
    return sure, ~(run.within & ordinary), np.sqrt(run.square) / rms


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
