"""Figures of merit of a design, as in a data sheet: delay, swings, distortion, settling, stability."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lmu_analog.analysis.device_under_calibration import excitation
from lmu_analog.analysis.periodic import nonlinear
from lmu_analog.analysis.readouts import effective_theta
from lmu_analog.analysis.supply import rejection
from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit, Term
from lmu_analog.circuits.components import outputs
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.design import Design
from lmu_analog.errors import CircuitError, SimulationError
from lmu_analog.limits import Demand, demands, sine_demands, worst
from lmu_analog.memory.sampled import steady_response
from lmu_analog.memory.statespace import StateSpace, growth, respond
from lmu_analog.memory.window import quadrature_for, readout
from lmu_analog.mismatch.law import Mismatch
from lmu_analog.stimulus import sine
from lmu_analog.theory.deviations import Box, common_box, tolerance_box
from lmu_analog.theory.stability_bound import stability_bound
from lmu_analog.theory.worst_corner import single_error, worst_corner

_GRID = 200  # frequencies over the band: the peaks are broad, a finer grid moves none by 1e-3
_SETTLED = 1e-3  # of the step
_STEPS = 200  # of the step response in one theta
_LONGEST = 50.0  # theta: a step that has not settled by then does not count as settling


@dataclass(frozen=True)
class FiguresOfMerit:
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
        rms over the window of the output at u = 0.
    growth : float, 1/s
        Largest real part of the poles.
    single_error : float or None
        Least relative error found of one element that destabilises.
    worst_corner : float or None
        Least relative error, common to R, L, C and gm, that was found to destabilise with some signs.
    worst_corner_searched : float or None
        Up to which none was found where there is none; none of sampled circuits, which are not searched.
    worst_corner_bound : float or None
        Below it no corner destabilises, nor anything between corners.
    worst_corner_bound_reason : str
        How it was found, or why it was not.
    worst_corner_scale, worst_corner_scale_searched, worst_corner_scale_bound, worst_corner_scale_bound_reason
        The same as a multiple of every class's own tolerance and lot, of op-amps' GBW, too; none without mismatch.
    psrr : float or None, dB
        Rejection of ripple on the supply, rms over the window, at the worst frequency of the band.
    psrr_one_sign : float or None, dB
        The same where the rejections of all op-amps have one sign.
    psrr_worst : float or None, dB
        The same with the worst signs found; all are tried of up to 20 op-amps.
    psrr_bound : float or None, dB
        No signs do worse.
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
    worst_corner: float | None
    worst_corner_searched: float | None
    worst_corner_bound: float | None
    worst_corner_bound_reason: str
    worst_corner_scale: float | None
    worst_corner_scale_searched: float | None
    worst_corner_scale_bound: float | None
    worst_corner_scale_bound_reason: str
    psrr: float | None
    psrr_one_sign: float | None
    psrr_worst: float | None
    psrr_bound: float | None
    psrr_note: str

    @property
    def joint_error(self) -> float | None:
        """Another name of ``worst_corner``."""
        return self.worst_corner


def figures_of_merit(design: Design) -> FiguresOfMerit:
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
    frequency = np.linspace(1.0, _GRID, _GRID) / _GRID * design.bandwidth
    states = steady_response(system, frequency)
    sines = worst(sine_demands(circuit, frequency, design.full_scale))
    asked = demands(circuit, design.stimulus)
    offset = np.zeros(design.order) if system.offset is None else system.offset
    given, supply = excitation(design.order, design.bandwidth, theta=design.theta), rejection(design, circuit)
    common, tolerances = common_box(circuit), tolerance_box(circuit, Mismatch.of(design))
    return FiguresOfMerit(
        theta_eff=effective_theta(steady_response(system, given.frequency), given, design.theta),
        delay_flatness=_flatness(states, frequency) / design.theta,
        swing=_swing(design, circuit, frequency),
        headroom=1.0 - sines["output voltage"].share if "output voltage" in sines else None,
        slew_margin=_margin(sines.get("slew rate")),
        current_margin=_margin(sines.get("output current")),
        limits=tuple(sorted(asked, key=lambda d: -d.share)),
        thd=_distortion(design, circuit),
        settling=None if system.dt is not None else _settling(system, design.theta),
        offset=float(np.sqrt(_mean_square(offset))),
        growth=rate,
        single_error=None if circuit.clock is not None else single_error(circuit),
        **_corner("worst_corner", circuit, common),
        **_corner("worst_corner_scale", circuit, tolerances),
        psrr=supply.psrr,
        psrr_one_sign=supply.psrr_one_sign,
        psrr_worst=supply.psrr_worst,
        psrr_bound=supply.psrr_bound,
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
    amplifiers = circuit.amplifiers
    nets = [net for c in amplifiers for net in outputs(c)]
    linear = circuit.small_signal or circuit
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
    """Give the THD by harmonic balance; none where the circuit is linear, too nonlinear, or so in ways not modelled."""
    try:
        found = nonlinear(circuit, sine(0.5 * design.bandwidth, design.full_scale))
    except CircuitError:
        return None
    if found is None or not found.sure[0]:
        return None
    power = _mean_square(found.phasor[0])
    return float(np.sqrt(power[1:].sum() / power[0]))


def _settling(system: StateSpace, theta: float) -> float | None:
    count = int(_LONGEST * _STEPS)
    dt = theta / _STEPS
    states = respond(replace(system, offset=None), np.ones(count), dt)
    # Finite gain leaves a lasting error; settling is towards the circuit's own end.
    error = np.sqrt(_mean_square(states - states[-1]))
    late = np.flatnonzero(error > _SETTLED)
    return None if len(late) and late[-1] > 0.9 * count else float(dt * (late[-1] + 1 if len(late) else 0))


def _corner(name: str, circuit: Circuit, box: Box) -> dict[str, Any]:
    """Give the four figures of a box."""
    bound = stability_bound(circuit, box)
    searched = box.count > 0 and circuit.clock is None
    found = worst_corner(circuit, box) if searched else None
    return {
        name: found and found.size,
        f"{name}_searched": box.most if searched else None,
        f"{name}_bound": bound.size,
        f"{name}_bound_reason": bound.reason,
    }
