"""What a data sheet would say of a design's memory: delay, swings, distortion, settling, stability."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from lmu_analog.analysis.effective_theta import effective_theta
from lmu_analog.analysis.periodic import bent
from lmu_analog.analysis.plant import excitation
from lmu_analog.analysis.supply import rejection
from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit, Term
from lmu_analog.circuits.components import DifferentialOpAmp, OpAmp, outputs
from lmu_analog.circuits.extract import extract
from lmu_analog.design import Design
from lmu_analog.errors import CircuitError, SimulationError
from lmu_analog.limits import Demand, demands, sine_demands, worst
from lmu_analog.memory.sampled import steady_response
from lmu_analog.memory.statespace import StateSpace, growth, respond
from lmu_analog.memory.window import quadrature_for, readout
from lmu_analog.stimulus import sine

GRID = 200  # frequencies over the band: the peaks are broad, a finer grid moves none by 1e-3
SETTLED = 1e-3  # of the step
STEPS = 200  # of the step response in one theta
LONGEST = 50.0  # theta: a step that has not settled by then does not count as settling
STEP = 1e-6  # relative, of the derivative of poles: right to about 1e-8
SIZES = (0.01, 0.03, 0.1, 0.2, 0.4, 0.7, 0.99)  # errors between which the least one is bracketed
HALVINGS = 12  # of a bracket: the least error is then right to 1e-4
MOST_TRIED, MOST_POLES = 4000, 8  # elements times states, and poles, that are tried: seconds


@dataclass(frozen=True)
class Merits:
    """Figures of the nominal circuit; none where the family has no such thing.

    Attributes
    ----------
    theta_eff : float, s
        Window length that fits the circuit best over the band.
    delay_flatness : float
        Largest minus least group delay of u(t - theta) over the band, in theta.
    swing : float, V
        Largest peak at an amplifier's output for a full-scale sine of the band.
    headroom : float or None
        Share of the output swing that it leaves, offsets and bias currents included.
    slew_margin : float or None
        Slew rate of the amplifiers over the largest slope that is asked of them; of differential ones, of the
        difference of their outputs.
    current_margin : float or None
        Output current of the amplifiers over the largest that is asked of them.
    limits : tuple of Demand
        What the design's own signal asks of every active part, those that use most of a limit first.
    thd : float or None
        Harmonics over the fundamental, rms over the window, for a full-scale sine at half the bandwidth. Zero
        where op-amps stay below the knee of their swing and slew limit; what else distorts in them is not in
        the model.
    settling : float or None, s
        Until the window's rms distance from its end stays within 0.1 % of a step.
    offset : float, V
        rms over the window of what the output shows at rest.
    growth : float, 1/s
        Largest real part of the poles.
    single_error : float or None
        Least relative error found of one element that destabilises.
    joint_error : float or None
        The same of all elements, each in its worst direction.
    psrr : float or None, dB
        Rejection of ripple on the supply, rms over the window, at the worst frequency of the band.
    psrr_worst : float or None, dB
        The same where all amplifiers push the same way.
    psrr_note : str
        How it was found, or why it was not.
    """

    theta_eff: float
    delay_flatness: float
    swing: float
    headroom: float | None
    slew_margin: float | None
    current_margin: float | None
    limits: tuple[Demand, ...]
    thd: float | None
    settling: float | None
    offset: float
    growth: float
    single_error: float | None
    joint_error: float | None
    psrr: float | None
    psrr_worst: float | None
    psrr_note: str


def merits(design: Design) -> Merits:
    """Measure a design's nominal circuit.

    Raises
    ------
    SimulationError
        If it is unstable.
    """
    circuit = build(design)
    system = extract(circuit)
    rate = float(growth(system))
    if rate >= 0.0:
        raise SimulationError(f"the circuit is unstable: a pole has the real part {rate:.3g} 1/s")
    frequency = np.linspace(1.0, GRID, GRID) / GRID * design.bandwidth
    states = steady_response(system, frequency)
    sines = worst(sine_demands(circuit, frequency, design.full_scale))
    asked = demands(circuit, design.stimulus)
    rest = np.zeros(design.order) if system.offset is None else system.offset
    given, supply = excitation(design.order, design.bandwidth, theta=design.theta), rejection(design, circuit)
    single, joint = (None, None) if circuit.clock is not None else stability_margin(circuit)
    return Merits(
        theta_eff=effective_theta(steady_response(system, given.frequency), given, design.theta),
        delay_flatness=_flatness(states, frequency) / design.theta,
        swing=_swing(design, circuit, frequency),
        headroom=1.0 - sines["output voltage"].share if "output voltage" in sines else None,
        slew_margin=_margin(sines.get("slew rate")),
        current_margin=_margin(sines.get("output current")),
        limits=tuple(sorted(asked, key=lambda d: -d.share)),
        thd=_distortion(design, circuit),
        settling=None if system.dt is not None else _settling(system, design.theta),
        offset=float(np.sqrt(_mean_square(rest))),
        growth=rate,
        single_error=single,
        joint_error=joint,
        psrr=supply.psrr,
        psrr_worst=supply.psrr_worst,
        psrr_note=supply.note,
    )


def _mean_square(states: np.ndarray) -> np.ndarray:
    """Give the mean of |estimate|^2 over the window, (...,), of Legendre states (..., d)."""
    rule = quadrature_for(states.shape[-1])
    return np.asarray(np.abs(states @ readout(states.shape[-1], rule.r).T) ** 2 @ rule.weight)


def _flatness(states: np.ndarray, frequency: np.ndarray) -> float:
    """Give largest minus least group delay, s, at the oldest point of the window."""
    oldest = states @ readout(states.shape[1], np.ones(1))[0]
    delay = -np.gradient(np.unwrap(np.angle(oldest)), 2.0 * np.pi * frequency)
    return float(delay.max() - delay.min())


def _swing(design: Design, circuit: Circuit, frequency: np.ndarray) -> float:
    """Give the largest peak, V, that a full-scale sine has at any amplifier's output."""
    amplifiers = [c for c in circuit.components if isinstance(c, OpAmp | DifferentialOpAmp)]
    nets = [net for c in amplifiers for net in outputs(c)]
    linear = circuit.twin or circuit
    if not nets:  # swings of what the states are read from
        nets = list(
            dict.fromkeys(t.of for p in linear.probes for t in p if t.kind == "v" and t.of != linear.source)
        )
    probes = tuple((Term("v", net, 1.0),) for net in nets)
    peak = design.full_scale * np.abs(steady_response(extract(replace(linear, probes=probes)), frequency))
    return float(peak.max(initial=0.0))


def _margin(demand: Demand | None) -> float | None:
    """Give how many times the limit covers what is asked."""
    return None if demand is None or demand.share == 0.0 else 1.0 / demand.share


def _distortion(design: Design, circuit: Circuit) -> float | None:
    """Give the THD by harmonic balance; none where nothing bends, or it bends too far or in unknown ways."""
    try:
        found = bent(circuit, sine(0.5 * design.bandwidth, design.full_scale))
    except CircuitError:
        return None
    if found is None or not found.sure[0]:
        return None
    power = _mean_square(found.phasor[0])
    return float(np.sqrt(power[1:].sum() / power[0]))


def _settling(system: StateSpace, theta: float) -> float | None:
    count = int(LONGEST * STEPS)
    dt = theta / STEPS
    states = respond(replace(system, offset=None), np.ones(count), dt)
    # Finite gain leaves a lasting error; settling is towards the circuit's own end.
    error = np.sqrt(_mean_square(states - states[-1]))
    late = np.flatnonzero(error > SETTLED)
    return None if len(late) and late[-1] > 0.9 * count else float(dt * (late[-1] + 1 if len(late) else 0))


def stability_margin(circuit: Circuit) -> tuple[float | None, float | None]:
    """Find how wrong elements must be for the circuit to become unstable.

    The slopes of the poles say which elements to try alone, and in which directions to move all of them
    together; the error itself is then found by bisection of the true growth. Directions that were not tried
    may do with less.

    Parameters
    ----------
    circuit : Circuit
        Stable, in continuous time.

    Returns
    -------
    (float, float)
        Relative error of one element, and of all; none where no error below 1 does it.
    """
    moved = np.flatnonzero([p.nominal != 0.0 and "." not in p.name for p in circuit.parameters])
    poles, slopes = _pole_slopes(circuit, moved)
    speed = np.abs(slopes) / -np.real(poles)[:, None]
    most = MOST_TRIED // max(len(poles), 1)
    alone = moved[np.argsort(-speed.max(axis=0, initial=0.0))[:most]]
    single = np.zeros((2 * len(alone), len(circuit.parameters)))
    single[np.arange(len(single)), np.tile(alone, 2)] = np.repeat([1.0, -1.0], len(alone))
    nearest = np.argsort(-speed.sum(axis=1))[:MOST_POLES]
    joint = np.zeros((len(nearest), len(circuit.parameters)))
    joint[:, moved] = np.sign(slopes[nearest])
    return _least(circuit, single), _least(circuit, joint)


def _pole_slopes(circuit: Circuit, elements: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the poles (n,), and the slopes of their real parts by relative errors of elements, (n, k)."""
    steps = np.zeros((len(elements), len(circuit.parameters)))
    steps[np.arange(len(elements)), elements] = STEP
    nominal = extract(circuit).A
    change = (extract(circuit, circuit.values * (1.0 + steps)).A - nominal) / STEP
    poles, right = np.linalg.eig(nominal)
    left = np.linalg.inv(right)
    return np.asarray(poles, complex), np.real(np.einsum("in,kno,oi->ik", left, change, right, optimize=True))


def _least(circuit: Circuit, directions: Float[np.ndarray, "k m"]) -> float | None:
    """Find the least relative error along any of the directions that makes the circuit unstable."""

    def unstable(errors: np.ndarray) -> np.ndarray:
        return np.asarray(growth(extract(circuit, circuit.values * (1.0 + errors)))) >= 0.0

    low = 0.0
    for high in SIZES:
        found = np.flatnonzero(unstable(high * directions))
        if len(found):
            break
        low = high
    else:
        return None
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        still = found[unstable(middle * directions[found])]
        low, high, found = (low, middle, still) if len(still) else (middle, high, found)
    return float(high)
