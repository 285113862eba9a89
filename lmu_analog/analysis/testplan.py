"""What a bench shall find at the nets of the states: at rest, at three frequencies, after a step, with its spread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Complex, Float

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit, Output, Term
from lmu_analog.circuits.devices.tolerance import Tolerance
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.memory.sampled import steady_response
from lmu_analog.memory.stability import is_stable
from lmu_analog.memory.statespace import StateSpace, cut
from lmu_analog.memory.taps import wanted_response
from lmu_analog.mismatch.law import Mismatch, draw, is_sound, sample
from lmu_analog.simulation import Grid, exact_states, grid, ideal_taps, settling
from lmu_analog.stimulus import Recording

SAMPLES = 200
SHARES = (0.1, 0.5, 1.0)  # of the bandwidth: where amplitude and phase are expected
_STEP_POINTS = 300  # of the step response
_LONGEST = 6.0  # theta that a step response lasts, at most
_ROOM = 0.9  # of the swing that a step may take
_PERCENTILES = (5.0, 95.0)
_OFFSETS = Tolerance(1e-12)  # of op-amps where the design leaves them exact: their offsets vary all the same


@dataclass(frozen=True, eq=False)
class Spread:
    """Nominal values, and what 5 % and 95 % of boards are below; arrays of one shape."""

    nominal: np.ndarray
    p05: np.ndarray
    p95: np.ndarray


@dataclass(frozen=True, eq=False)
class TapPlan:
    """What a bench shall find at the taps, whose voltage may lie between two nets; k taps.

    Attributes
    ----------
    outputs : tuple of Output
    dc : Spread of (k,), V
    magnitude, phase : Spread of (3, k), V and degrees
    wanted : (3, k) complex array
        What they are to show of a sine, over it, with their gains.
    response : Spread of (t, k), V
    ideal : (t, k) array, V
        What they are to show of the step, with their gains.
    """

    outputs: tuple[Output, ...]
    dc: Spread
    magnitude: Spread
    phase: Spread
    wanted: Complex[np.ndarray, "f k"]
    response: Spread
    ideal: Float[np.ndarray, "t k"]


@dataclass(frozen=True, eq=False)
class TestPlan:
    """What a bench shall find; n test points, those of the states first, then nets of taps.

    Attributes
    ----------
    points : tuple of Term
        A net each, or the current through an ammeter.
    states : tuple of str
        How the Legendre states follow from the points, a formula each.
    amplitude, step : float, V
        Of the sines, peak, and of the step.
    frequency : (3,) array, Hz
    dc : Spread of (n,), V
        At an input of 0 V.
    magnitude, phase : Spread of (3, n), V and degrees
        Peak, and what the point leads the input by.
    time : (t,) array, s
    response : Spread of (t, n), V
        After the step from 0 V, from rest.
    record : float, s
        How long a recording must be at least.
    samples, unstable, seed : int
        Of the ensemble; unstable circuits are in no spread.
    taps : TapPlan or None
        None where there are no taps.
    """

    __test__ = False  # a plan for a board, none of pytest's

    points: tuple[Term, ...]
    states: tuple[str, ...]
    amplitude: float
    step: float
    frequency: Float[np.ndarray, " f"]
    dc: Spread
    magnitude: Spread
    phase: Spread
    time: Float[np.ndarray, " t"]
    response: Spread
    record: float
    samples: int
    unstable: int
    seed: int
    taps: TapPlan | None


def plan_of(design: Design, *, samples: int = SAMPLES, seed: int = 0) -> TestPlan:
    """Compute what a bench shall find of a design's circuit, by the exact engine.

    Parameters
    ----------
    design : Design
        Offsets of its op-amps vary within their data sheet even where its mismatch leaves op-amps exact.
    samples, seed : int
        Of the ensemble that gives the spread.

    Raises
    ------
    DesignError
        If states are currents of transistors, which their small-signal equivalent has in other places.
    SimulationError
        If the circuit is unstable.
    """
    circuit = build(design)
    read = (*circuit.probes, *(tap.terms for tap in circuit.taps))
    points = tuple(dict.fromkeys(replace(t, factor=1.0) for p in read for t in p))
    if circuit.small_signal is not None and (currents := [p.of for p in points if p.kind == "i"]):
        raise DesignError(
            f"no test plan: states of {design.family} circuits are currents of transistors "
            f"({', '.join(currents[:3])}), which no bench reads"
        )
    observed = _observed_at(circuit, (*((p,) for p in points), *(tap.terms for tap in circuit.taps)))
    nominal = extract(observed)
    law = Mismatch.of(design)
    if circuit.amplifiers:
        law = replace(law, classes={**law.classes, "opamp": law.classes.get("opamp", _OFFSETS)})
    values = sample(circuit, law, draw(circuit, law, seed=seed, samples=range(samples)))
    values = values[is_sound(circuit, values)]
    many = extract(observed, values)
    stable = is_stable(many)
    kept = _kept(many, stable)
    frequency = np.array(SHARES) * design.bandwidth
    waves = [steady_response(one, frequency) for one in (nominal, kept)]
    amplitude = design.amplitude
    # Phases near those of the nominal circuit, so that none jumps by a turn within the spread.
    turned = np.degrees(np.angle(waves[1] / waves[0])) + np.degrees(np.angle(waves[0]))
    span = min(max(3.0 * design.theta, settling(nominal, design.theta)), _LONGEST * design.theta)
    step, time, response = _step(design, circuit, nominal, kept, span)
    none = np.zeros(len(points) + len(circuit.taps))
    dc = _spread(lambda system: none if system.offset is None else system.offset, nominal, kept)
    magnitude = Spread(
        amplitude * np.abs(waves[0]), *np.percentile(amplitude * np.abs(waves[1]), _PERCENTILES, axis=0)
    )
    phase = Spread(np.degrees(np.angle(waves[0])), *np.percentile(turned, _PERCENTILES, axis=0))
    count = len(points)
    taps = None
    if circuit.taps:
        found = (_part(one, slice(count, None)) for one in (dc, magnitude, phase, response))
        taps = _tap_plan(circuit, *found, frequency=frequency, time=time, step=step)
    dc, magnitude, phase, response = (_part(one, slice(count)) for one in (dc, magnitude, phase, response))
    return TestPlan(
        points,
        tuple(f"m{i} = {_formula(p)}" for i, p in enumerate(circuit.probes)),
        amplitude,
        step,
        frequency,
        dc,
        magnitude,
        phase,
        time,
        response,
        settling(nominal, design.theta) + design.theta + 1.0 / (design.bandwidth * min(SHARES)),
        samples,
        samples - int(stable.sum()),
        seed,
        taps,
    )


def _part(of: Spread, outputs: slice) -> Spread:
    return Spread(of.nominal[..., outputs], of.p05[..., outputs], of.p95[..., outputs])


def _tap_plan(
    circuit: Circuit,
    dc: Spread,
    magnitude: Spread,
    phase: Spread,
    response: Spread,
    *,
    frequency: np.ndarray,
    time: np.ndarray,
    step: float,
) -> TapPlan:
    """Put what taps are to show beside what they do: the input late, or a sum of states of the ideal memory."""
    order, theta = circuit.order, circuit.theta
    gains = np.array([tap.gain for tap in circuit.taps])
    waves = [wanted_response(tap.of, frequency, order=order, theta=theta) for tap in circuit.taps]
    # After the last instant of a delayed step the input is there; before it there is nothing.
    held = Recording(time[1] - time[0], np.ones(len(time)))
    ideal = ideal_taps(circuit, Grid(held, time, held.values))
    return TapPlan(
        circuit.taps,
        dc,
        magnitude,
        phase,
        gains * np.stack(waves, axis=-1),
        response,
        step * gains * ideal,
    )


def _formula(probe: tuple[Term, ...]) -> str:
    return " + ".join(f"{t.factor:.6g} {t.kind}({t.of})" for t in probe).replace("+ -", "- ")


def _observed_at(circuit: Circuit, outputs: tuple[tuple[Term, ...], ...]) -> Circuit:
    """Give the circuit whose outputs are test points, and taps."""
    linear = None if circuit.small_signal is None else _observed_at(circuit.small_signal, outputs)
    return replace(circuit, probes=outputs, small_signal=linear)


def _kept(many: StateSpace, stable: np.ndarray) -> StateSpace:
    offset, slope = (None if x is None else x[stable] for x in (many.offset, many.slope))
    return StateSpace(many.A[stable], many.B[stable], many.C[stable], many.D[stable], many.dt, offset, slope)


def _spread(of: Callable[[StateSpace], np.ndarray], nominal: StateSpace, many: StateSpace) -> Spread:
    middle, found = of(nominal), np.atleast_2d(of(many))
    return Spread(middle, *np.percentile(found, _PERCENTILES, axis=0))


def _step(
    design: Design, circuit: Circuit, nominal: StateSpace, many: StateSpace, span: float
) -> tuple[float, np.ndarray, Spread]:
    """Answer a step, as large as the amplitude where outputs have room for it."""
    unit = Recording(span / _STEP_POINTS, np.ones(_STEP_POINTS + 1))
    instants = grid(unit, design.theta) if nominal.dt is None else Grid(unit, unit.time, unit.values)
    offsets = 0.0 if nominal.offset is None else nominal.offset
    one = exact_states(nominal, instants) - offsets
    step = design.amplitude
    if circuit.amplifiers:
        room = _ROOM * min(design.rail, *(c.model.swing for c in circuit.amplifiers))
        largest = step * float(np.abs(one).max())
        if largest > room:
            digit = 10.0 ** np.floor(np.log10(step * room / largest))
            step = float(f"{digit * np.floor(step * room / largest / digit):.1g}")
    shown = slice(None, None, max(1, (len(instants.time) - 1) // _STEP_POINTS))
    found = []
    for k in range(len(many.A)):
        system = cut(many, k)
        moved = exact_states(system, instants) - (0.0 if system.offset is None else system.offset)
        found.append(step * moved[shown] + (0.0 if system.offset is None else system.offset))
    return (
        step,
        instants.time[shown],
        Spread(step * one[shown] + offsets, *np.percentile(found, _PERCENTILES, axis=0)),
    )
