"""One circuit, two engines: exact propagation, or ngspice; the same question, the same answer."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, assert_never

import numpy as np
import scipy

from lmu_analog.advice import order_warnings, value_warnings
from lmu_analog.building import build
from lmu_analog.circuits.circuit import reading_taps
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.design import Design
from lmu_analog.errors import DesignError, SimulationError, shown
from lmu_analog.limits import limit_warnings
from lmu_analog.memory import window
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.projection import projected
from lmu_analog.memory.reference import filtered, midpoints, numpy_memory
from lmu_analog.memory.sampled import ringing_time, sampled_run, steady_response
from lmu_analog.memory.statespace import StateSpace, frequency_response, growth, respond, slowest_reached
from lmu_analog.memory.taps import of_states
from lmu_analog.spice import ngspice
from lmu_analog.spice.deck import SPARE_TICKS, Transient, deck, step_seconds, transient, vector
from lmu_analog.spice.netlist import lead, needs_file, recording_points
from lmu_analog.stimulus import Recording, Stimulus, Tones

if TYPE_CHECKING:
    import xarray as xr

    from lmu_analog.circuits.circuit import Circuit

Engine = Literal["exact", "ngspice"]
ENGINES: tuple[Engine, ...] = ("exact", "ngspice")

LONG = 20.0  # s of ngspice, estimated, that are said beforehand
APART = 1e-3  # of rms(u): engines that agree differ by ngspice's step error, some 1e-5
REFERENCE_STEPS = 1000  # of the NumPy memory in one theta
POINTS_A_CYCLE = 16  # of the highest tone; 4 would do for exact mean squares, 16 draw well
FEWEST_POINTS = 512
POINTS_A_WINDOW = 50  # of a recording, in one theta
TONES_AT_ONCE = 64
MOST_VALUES = 150_000_000  # points in time times numbers kept at each: 1.2 GB, and twice that on the way
LONGEST_WAIT = 200.0  # theta
RUN_UP = 32  # points; what a spline does at its end fades by 2 + sqrt(3) a point, so 1e-18 is left
SETTLED = 16.0  # time constants of the slowest pole: what is left is 1e-7


@dataclass(frozen=True, eq=False)
class Grid:
    """The evaluation grid of a run: times (t,), s, and the input on them, (t,), V."""

    stimulus: Stimulus
    time: np.ndarray
    values: np.ndarray

    @property
    def rms(self) -> float:
        """rms(u) on the grid, V."""
        return float(np.sqrt(np.mean(self.values**2)))


def grid(stimulus: Stimulus, theta: float) -> Grid:
    """Choose times: one period of tones, all of a recording (finer where it is coarse beside theta)."""
    match stimulus:
        case Tones():
            turns = float(stimulus.frequency.max()) * stimulus.period
            count = max(FEWEST_POINTS, round(POINTS_A_CYCLE * turns))
            times = stimulus.period * np.arange(count) / count
            return Grid(stimulus, times, stimulus(times))
        case Recording():
            fine = stimulus.refined(theta / POINTS_A_WINDOW)
            return Grid(fine, fine.time, fine.values)


def exact_states(system: StateSpace, evaluation_grid: Grid) -> np.ndarray:
    """Propagate without a step error: the steady state of tones, or a recording from rest; (..., t, p), V.

    The states of a sampled system are those at its own instants, and smooth between them.
    """
    match evaluation_grid.stimulus:
        case Tones() as tones:
            phasor = steady_response(system, tones.frequency) * tones.phasor[:, None]
            states = _waveform(phasor, tones, evaluation_grid.time)
            return states if system.offset is None else states + system.offset[..., None, :]
        case Recording() as recording if system.dt is not None:
            return sampled_run(system, recording, evaluation_grid.time)
        case Recording() as recording:
            return respond(system, recording.values, recording.dt)


def ngspice_states(
    circuit: Circuit,
    evaluation_grid: Grid,
    *,
    settle: float,
    run: Callable[..., dict[str, np.ndarray]] = ngspice.run,
) -> np.ndarray:
    """Let ngspice run the circuit; (t, d) states, V.

    In a worker process take ``ngspice.run_here`` to ``run`` it.
    """
    return ngspice_outputs(circuit, evaluation_grid, settle=settle, run=run)[0]


def ngspice_outputs(
    circuit: Circuit,
    evaluation_grid: Grid,
    *,
    settle: float,
    run: Callable[..., dict[str, np.ndarray]] = ngspice.run,
) -> tuple[np.ndarray, np.ndarray]:
    """Let ngspice run the circuit; (t, d) states and its (t, p) taps over their gain, V."""
    analysis, text, recording = ngspice_task(circuit, evaluation_grid.stimulus, settle=settle)
    vectors = run(text, analysis, recording=recording)
    states = read_states(vectors, circuit, evaluation_grid, analysis=analysis)
    return states, read_taps(vectors, circuit, evaluation_grid, analysis=analysis)


def ngspice_task(
    circuit: Circuit, stimulus: Stimulus, *, settle: float
) -> tuple[Transient, str, np.ndarray | None]:
    """Give analysis, deck and recording (or none) that ``ngspice.run`` needs."""
    analysis = transient(circuit, stimulus, settle=settle)
    recording = recording_points(stimulus) if needs_file(stimulus) else None
    return analysis, deck(circuit, analysis, stimulus), recording


def read_states(
    vectors: dict[str, np.ndarray], circuit: Circuit, evaluation_grid: Grid, *, analysis: Transient
) -> np.ndarray:
    """Read the Legendre states off ngspice's vectors at the times of the grid; (t, d), V."""
    return _read(vectors, circuit, evaluation_grid, analysis=analysis)


def read_taps(
    vectors: dict[str, np.ndarray], circuit: Circuit, evaluation_grid: Grid, *, analysis: Transient
) -> np.ndarray:
    """Read the taps over their gain, as ``read_states`` does; (t, p), V.

    With a clock they count at its multiples, as the states that they show, and are read half a period later.
    """
    if not circuit.taps:
        return np.zeros((len(evaluation_grid.time), 0))
    shown = replace(circuit, probes=reading_taps(circuit).probes[circuit.order :])
    late = 0.0 if circuit.clock is None else 0.5 / circuit.clock
    return _read(vectors, shown, evaluation_grid, analysis=analysis, late=late)


def _read(
    vectors: dict[str, np.ndarray],
    circuit: Circuit,
    evaluation_grid: Grid,
    *,
    analysis: Transient,
    late: float = 0.0,
) -> np.ndarray:
    match evaluation_grid.stimulus:
        case Tones() as tones:
            spare = 0.0 if circuit.clock is None else SPARE_TICKS / circuit.clock
            begin = analysis.stop - tones.period - spare
            times = begin + np.mod(evaluation_grid.time - begin, tones.period)
            if circuit.clock is None:
                vectors = _since(vectors, begin)
        case Recording() as recording:
            times = evaluation_grid.time + lead(recording)
    states = np.stack([sum(t.factor * vectors[vector(t)] for t in p) for p in circuit.probes], axis=-1)
    # ngspice writes uneven times; a cubic keeps its error below that of the integration rule.
    fresh = np.concatenate([[True], np.diff(vectors["time"]) > 0.0])
    written, states = vectors["time"][fresh], states[fresh]
    if circuit.clock is not None:
        # Sampled states are valid when phase 2 ends, taps when phase 1 does; what lies between is neither wanted nor
        # settled.
        begin = lead(evaluation_grid.stimulus)
        count = int((written[-1] - begin - late) * circuit.clock * (1.0 + 1e-9)) + 1
        ticks = begin + np.arange(count) / circuit.clock
        written, states = ticks, np.stack([np.interp(ticks + late, written, m) for m in states.T], axis=-1)
    return scipy.interpolate.CubicSpline(written, states)(times)


def _since(vectors: dict[str, np.ndarray], begin: float) -> dict[str, np.ndarray]:
    """Leave out what ngspice wrote before a time, but for what a spline needs on its way in."""
    first = max(0, int(np.searchsorted(vectors["time"], begin)) - RUN_UP)
    return {name: values[first:] for name, values in vectors.items()}


def settling(system: StateSpace, theta: float) -> float:
    """Time, s, after which the transient has died out.

    Raises
    ------
    SimulationError
        If it never does, because the circuit is unstable.
    """
    rate = -float(growth(system))
    if rate <= 0.0:
        raise SimulationError(
            f"the circuit is unstable: a pole has the real part {-rate * theta:.3g}/theta; "
            "it has no steady state to measure"
        )
    longest = LONGEST_WAIT * theta
    if system.dt is not None:
        return ringing_time(system, longest=longest)
    return min(SETTLED / -slowest_reached(system), longest)


def long_run(
    design: Design, *, circuit: Circuit | None = None, runs: int = 1, workers: int = 1
) -> str | None:
    """Say in a line how long ngspice will take, where that is long.

    Parameters
    ----------
    design : Design
    circuit : Circuit, optional
        In place of the nominal one.
    runs, workers : int
        So many runs like this one, shared by so many processes.

    Raises
    ------
    SimulationError
        If the circuit is unstable.
    """
    circuit = build(design) if circuit is None else circuit
    analysis = transient(circuit, design.stimulus, settle=settling(extract(circuit), design.theta))
    steps = analysis.stop / analysis.step
    seconds = steps * step_seconds(circuit) * runs / workers
    if seconds < LONG:
        return None
    many = "" if runs == 1 else f" in each of {runs} runs"
    took = f"{seconds:.2g} s" if seconds < 120.0 else f"{seconds / 60.0:.2g} min"
    if seconds > 7200.0:
        took = f"{seconds / 3600.0:.2g} h"
    return (
        f"ngspice takes about {steps:.2g} time steps{many}, some {took}; --engine exact takes seconds where parts stay "
        "linear"
    )


def simulate(
    design: Design,
    *,
    engine: Engine = "exact",
    circuit: Circuit | None = None,
    progress: Callable[[float], None] | None = None,
) -> xr.Dataset:
    """Run a design's circuit and compare it with the ideal sliding window and the NumPy memory.

    Parameters
    ----------
    design : Design
    engine : {"exact", "ngspice"}
    circuit : Circuit, optional
        To run in place of the nominal one, for example a mismatch sample of the same design.
    progress : callable, optional
        Called with the fraction that ngspice has done, now and then.

    Returns
    -------
    xarray.Dataset
        Scalars ``window_nrmse``, ``truncation_nrmse``, ``reference_nrmse`` (fractions of rms(u)) and
        ``seconds``; ``profile`` (delay); ``input`` (time), ``states``, ``ideal_states``, ``reference_states``
        (time, state), ``window`` and ``estimate`` (time, delay), V. Of a circuit with taps also ``taps``
        and ``ideal_taps`` (time, tap), V, and ``tap_net``, ``tap_r``, ``tap_gain`` and ``tap_nrmse`` (tap).
        Attribute ``warnings``: what is impractical about the circuit, and which parts cannot give what the signal asks,
        lines of text; ``model`` is "small-signal" where the exact engine ran the small-signal equivalent of a nonlinear
        circuit.

    Raises
    ------
    SimulationError
        If the circuit is unstable, or ngspice is missing or fails.
    """
    if engine not in ENGINES:
        raise DesignError(f"unknown engine {shown(engine)}; known are {', '.join(ENGINES)}")
    circuit = build(design) if circuit is None else circuit
    evaluation_grid = grid(design.stimulus, design.theta)
    _check_length(evaluation_grid, design)
    system = extract(circuit)
    settle = settling(system, design.theta)
    start = time.perf_counter()
    match engine:
        case "exact":
            with np.errstate(over="ignore", invalid="ignore"):
                read = extract(reading_taps(circuit)) if circuit.taps else system
                states, shown_by_taps = np.split(exact_states(read, evaluation_grid), [design.order], axis=-1)
        case "ngspice":
            run = partial(ngspice.run, progress=progress)
            states, shown_by_taps = ngspice_outputs(circuit, evaluation_grid, settle=settle, run=run)
        case _:
            assert_never(engine)
    seconds = time.perf_counter() - start
    if not (np.isfinite(states).all() and np.isfinite(shown_by_taps).all()):
        raise SimulationError(
            f"the {engine} engine gave values that are not finite: element values lie too far apart; "
            "bring [signal] bandwidth closer to 1/theta"
        )
    result = _dataset(design, evaluation_grid, states, engine=engine, seconds=seconds)
    if circuit.taps:
        result = result.assign(_taps(circuit, evaluation_grid, shown_by_taps))
    if engine == "exact" and circuit.small_signal is not None:
        result.attrs["model"] = "small-signal"
    lines = [
        *order_warnings(design),
        *value_warnings(design, circuit),
        *limit_warnings(circuit, evaluation_grid.stimulus),
    ]
    if engine == "ngspice" and (line := long_run(design, circuit=circuit)):
        lines.append(line)
    return result.assign_attrs(warnings=lines)


def _order_reason(design: Design) -> dict[str, str]:
    return {} if design.reached is None else {"order_reason": design.reached.text}


def _taps(circuit: Circuit, evaluation_grid: Grid, shown_by_taps: np.ndarray) -> dict[str, Any]:
    """Compare taps over their gain, (t, p), with what they are to show."""
    wanted = ideal_taps(circuit, evaluation_grid)
    gain = np.array([tap.gain for tap in circuit.taps])
    error = np.sqrt(np.mean((shown_by_taps - wanted) ** 2, axis=0)) / evaluation_grid.rms
    names = np.array([tap.name for tap in circuit.taps])
    return {
        "tap": ("tap", names),
        "tap_net": ("tap", np.array([tap.net for tap in circuit.taps])),
        "tap_r": (
            "tap",
            np.array([np.nan if tap.of.r is None else tap.of.r for tap in circuit.taps]),
            {"units": "theta"},
        ),
        "tap_gain": ("tap", gain, {"units": "1"}),
        "tap_nrmse": ("tap", error, {"units": "1"}),
        "taps": (("time", "tap"), shown_by_taps * gain, {"units": "V"}),
        "ideal_taps": (("time", "tap"), wanted * gain, {"units": "V"}),
    }


def ideal_taps(circuit: Circuit, evaluation_grid: Grid) -> np.ndarray:
    """Give what taps are to show over their gain, (t, p), V: the input delayed, or states of the ideal memory."""
    order, theta, states = circuit.order, circuit.theta, None
    columns = []
    for tap in circuit.taps:
        if tap.of.r is not None:
            columns.append(evaluation_grid.stimulus(evaluation_grid.time - theta * tap.of.r))
            continue
        if states is None:
            states = exact_states(legendre(order, theta), evaluation_grid)
        columns.append(states @ of_states(tap.of, order))
    return np.stack(columns, axis=-1)


def engines_apart(results: Mapping[str, xr.Dataset]) -> str | None:
    """Compare the two engines where both ran one circuit: a line if they differ by more than ``APART``.

    Parameters
    ----------
    results : mapping of engine to Dataset
        From ``simulate``, for one design.

    Returns
    -------
    str or None
        None, too, where one engine alone ran.
    """
    if not set(ENGINES) <= set(results):
        return None
    exact, simulated = (results[engine] for engine in ("exact", "ngspice"))
    apart = distance(exact, simulated)
    if apart <= APART:
        return None
    why = (
        "the exact engine runs the small-signal equivalent"
        if "model" in exact.attrs
        else "ngspice is the reference"
    )
    errors = [100.0 * float(result["window_nrmse"]) for result in (exact, simulated)]
    return (
        f"engines: window estimates of exact and ngspice are {100.0 * apart:.3g} % of rms(u) apart, above "
        f"{100.0 * APART:g} % (window errors {errors[0]:.4g} and {errors[1]:.4g} %); {why}"
    )


def distance(one: xr.Dataset, other: xr.Dataset) -> float:
    """Give the rms over time and window of the difference of two runs' estimates, a fraction of rms(u)."""
    difference = np.mean((other["states"].values - one["states"].values) ** 2, axis=0)
    # The mean square over the window of Legendre polynomials with these coefficients.
    power = float(np.sum(difference / (2.0 * np.arange(len(difference)) + 1.0)))
    return math.sqrt(power / float(np.mean(one["input"].values ** 2)))


def _check_length(evaluation_grid: Grid, design: Design) -> None:
    """Refuse a recording that would not fit into memory, on its grid or on the NumPy memory's."""
    if isinstance(evaluation_grid.stimulus, Tones):
        return
    windows = evaluation_grid.stimulus.duration / design.theta
    most = MOST_VALUES / (2 * REFERENCE_STEPS * design.order)
    points = MOST_VALUES // (5 * window.POINTS + 6 * design.order)
    if windows > most or len(evaluation_grid.time) > points:
        raise DesignError(
            f"[signal] too long: {windows:.3g} windows of theta, {len(evaluation_grid.time)} points; at order "
            f"{design.order} at most {most:.2g} windows and {points} points are accepted: cut or thin it"
        )


def places(stimulus: Stimulus, order: int, theta: float) -> window.Quadrature:
    """Choose where in the window an error is taken, so that its integral is right for any memory of an order."""
    match stimulus:
        case Tones() as tones:
            return window.quadrature_for(order, (tones.frequency, tones.phasor), theta)
        case Recording():
            return window.projection(order)


def ideal_window(
    evaluation_grid: Grid, theta: float, quadrature: window.Quadrature = window.QUADRATURE
) -> np.ndarray:
    """Give what the window truly holds, u(t - r theta), at the places of a rule; (t, q), V.

    The rule of ``places`` for a recording has its Legendre coefficients too; the grid is then its samples.
    """
    ideal = evaluation_grid.stimulus(evaluation_grid.time[:, None] - theta * quadrature.r)
    if isinstance(quadrature, window.Projection) and isinstance(evaluation_grid.stimulus, Recording):
        u, dt, order = evaluation_grid.values, evaluation_grid.stimulus.dt, quadrature.after - 1
        return np.concatenate([ideal, projected(u, dt, theta, order=order)], axis=1)
    return ideal


def reference_states(evaluation_grid: Grid, order: int, theta: float) -> np.ndarray:
    """Run the NumPy memory (ZOH, dt = theta/1000, half sample corrected) to the grid; (t, d), V."""
    dt = theta / REFERENCE_STEPS
    memory = numpy_memory(order, theta, dt=dt)
    match evaluation_grid.stimulus:
        case Tones() as tones:
            half_sample = np.exp(-1j * np.pi * tones.frequency * dt)
            phasor = frequency_response(memory, tones.frequency) * (tones.phasor * half_sample)[:, None]
            return _waveform(phasor, tones, evaluation_grid.time)
        case Recording() as recording:
            count = int(np.ceil(recording.duration / dt)) + 2
            states = filtered(memory, midpoints(recording, dt, count))
            return scipy.interpolate.CubicSpline(dt * np.arange(count), states)(evaluation_grid.time)


def _waveform(phasor: np.ndarray, tones: Tones, times: np.ndarray) -> np.ndarray:
    total = 0.0
    for k in range(0, len(tones.frequency), TONES_AT_ONCE):  # bounds the memory
        cut = slice(k, k + TONES_AT_ONCE)
        turning = np.exp(2j * np.pi * np.outer(times, tones.frequency[cut]))
        total = total + np.real(turning @ phasor[..., cut, :])
    return np.asarray(total)


def _dataset(
    design: Design, evaluation_grid: Grid, states: np.ndarray, *, engine: Engine, seconds: float
) -> xr.Dataset:
    theta, rms = design.theta, evaluation_grid.rms
    ideal = exact_states(legendre(design.order, theta), evaluation_grid)
    reference = reference_states(evaluation_grid, design.order, theta)
    rule = places(evaluation_grid.stimulus, design.order, theta)
    truth = ideal_window(evaluation_grid, theta, rule)
    rows = rule.rows(design.order)
    versus = {
        "window": (states, truth),
        "truncation": (ideal, truth),
        "reference": (states, reference @ rows.T),
    }
    profiles = {
        name: window.time_profile(given, wanted, rms, quadrature=rule)
        for name, (given, wanted) in versus.items()
    }
    import xarray as xr  # which takes longer to load than all the rest; worker processes do without

    volts, share = {"units": "V"}, {"units": "1"}
    return xr.Dataset(
        {
            **{
                f"{name}_nrmse": ((), float(window.window_nrmse(profile, rule)), share)
                for name, profile in profiles.items()
            },
            "seconds": ((), seconds, {"units": "s"}),
            "profile": ("delay", profiles["window"][rule.shown], share),
            "input": ("time", evaluation_grid.values, volts),
            "states": (("time", "state"), states, volts),
            "ideal_states": (("time", "state"), ideal, volts),
            "reference_states": (("time", "state"), reference, volts),
            "window": (("time", "delay"), truth[:, rule.shown], volts),
            "estimate": (("time", "delay"), states @ rows[rule.shown].T, volts),
        },
        coords={
            "time": ("time", evaluation_grid.time, {"units": "s"}),
            "state": np.arange(design.order),
            "delay": ("delay", window.QUADRATURE.r, {"units": "theta"}),
        },
        attrs={"engine": engine, **design.provenance, **_order_reason(design)},
    )
