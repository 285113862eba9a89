"""A measured circuit beside its simulation and its ensemble: the same metrics for a bench recording.

What a build does to all channels alike is fitted apart: the delay scale theta', one gain, and an offset a
channel, in least squares against the ideal memory (or the delayed input, for taps) at theta'.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from jaxtyping import Float
from scipy.interpolate import CubicSpline
from scipy.optimize import minimize_scalar

from lmu_analog.analysis.calibration_file import Correction
from lmu_analog.analysis.measurement import Measurement
from lmu_analog.circuits.circuit import Circuit, reading_taps
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.memory import window
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.statespace import StateSpace
from lmu_analog.simulation import Grid, exact_states, settling
from lmu_analog.stimulus import MOST_POINTS, ROUNDING, Recording, Tones

_POINTS_A_WINDOW = 50  # at least, in one theta: what lies between is a cubic
_SCALES = np.geomspace(0.5, 2.0, 57)  # of theta; 2.5 % apart, so a tone of 6 turns in theta is not missed
_NARROWEST = 1e-9  # of theta: where the search for it stops
_AT_EDGE = "theta that fits best is an end of the range from half to twice the design's: it says nothing"


@dataclass(frozen=True, eq=False)
class _Fit:
    """What a build does to all channels alike.

    Attributes
    ----------
    theta : float, s
        Window length that fits best.
    gain : float
        Of all channels.
    offset : (c,) array, V
        Of each channel, at its output.
    at_edge : bool
        Whether theta is an end of the range that was searched, so that it says nothing.
    """

    theta: float
    gain: float
    offset: Float[np.ndarray, " c"]
    at_edge: bool


@dataclass(frozen=True, eq=False)
class _Run:
    """A recording on an even grid: the drive, all of it, and the instants that are scored.

    ``scored`` (s,) and ``values`` (s, c) leave out the start. ``rule`` says where in the window states are scored.
    """

    drive: Grid
    scored: np.ndarray
    values: np.ndarray
    kind: str
    r: np.ndarray
    rule: window.Quadrature

    @property
    def input(self) -> CubicSpline:
        return CubicSpline(self.drive.time, self.drive.values)

    def delayed(self, theta: float, r: np.ndarray) -> np.ndarray:
        """Give the input u(t - r theta), 0 before the recording, (s, q)."""
        times = self.scored[:, None] - theta * r
        return np.where(times < 0.0, 0.0, self.input(np.maximum(times, 0.0)))

    def ideal(self, order: int, theta: float) -> np.ndarray:
        """Give what an ideal build gives, (s, c): zero beyond its order, where a calibrated readout has more."""
        if self.kind == "taps":
            return self.delayed(theta, self.r)
        states = self.states(legendre(order, theta))
        return np.pad(states, ((0, 0), (0, self.values.shape[1] - order)))

    def states(self, system: StateSpace) -> np.ndarray:
        """Run a system from rest, (s, d)."""
        return CubicSpline(self.drive.time, exact_states(system, self.drive))(self.scored)


def analyze(
    design: Design,
    measurement: Measurement,
    *,
    circuit: Circuit,
    skip: float | None = None,
    correction: Correction | None = None,
) -> xr.Dataset:
    """Score a recording as ``simulate`` scores a circuit, beside the exact engine with the same input.

    Parameters
    ----------
    design : Design
    measurement : Measurement
    circuit : Circuit
        Whose simulation stands beside.
    skip : float, s, optional
        What is left out at the start. Unless given: for a periodic signal until the circuit has settled and
        the window is full, and then what makes whole periods; nothing for a recording or step, before which
        the input is 0 V and the memory settled.
    correction : Correction, optional
        A calibrated readout, by which states of recording and simulation are read; channels are its coefficients.

    Returns
    -------
    xarray.Dataset
        Scalars ``nrmse`` (window NRMSE of states; of taps the rms over them), ``simulated_nrmse`` (the same of
        the exact engine), ``truncation_nrmse`` (of the ideal memory), ``difference_nrmse`` (measured minus
        simulated), ``corrected_nrmse`` (fitted theta, gain and offsets removed), fractions of rms(u);
        ``gain``; ``theta``, s; ``offset`` (channel), V; ``profile``, ``simulated_profile`` (delay): fractions at
        the points of the window, or at the taps; ``input`` (time), ``measured``, ``simulated`` (time,
        channel), V. Attributes ``kind``, provenance of the design, ``warnings``.

    Raises
    ------
    DesignError
        If the recording is too short.
    SimulationError
        If the circuit is unstable.
    """
    if correction is not None:
        if measurement.kind == "taps":
            raise DesignError(
                "a calibrated readout reads states, and the recording has taps; record states or nets"
            )
        measurement = replace(measurement, values=correction.read(measurement.values))
    run = _run(design, measurement, circuit, skip)
    rms = float(np.sqrt(np.mean(run.input(run.scored) ** 2)))
    if rms == 0.0:
        raise DesignError("the measured input is zero throughout what is scored; record longer, or skip less")
    outputs = [design.order + k for k in measurement.outputs]
    simulated = run.states(extract(reading_taps(circuit) if outputs else circuit))
    ideal = run.states(legendre(design.order, design.theta))
    if run.kind == "taps":
        rows = window.readout(design.order, run.r)
        # The circuit's own taps as they are; others are read off its states.
        simulated = simulated[:, outputs] if outputs else simulated @ rows.T
        ideal = ideal @ rows.T
    elif correction is not None:
        simulated = correction.read(simulated)
    found = _fit(run, design.order, design.theta)
    corrected = (run.values - found.offset) / found.gain
    profiles = {
        name: _profile(run, values, theta) / rms
        for name, values, theta in (
            ("measured", run.values, design.theta),
            ("simulated", simulated, design.theta),
            ("ideal", ideal, design.theta),
            ("corrected", corrected, found.theta),
        )
    }
    apart = np.sqrt(np.mean(_estimates(run, run.values - simulated) ** 2, axis=0))
    difference = float(_overall(run, apart)) / rms
    return _dataset(design, run, profiles, simulated=simulated, found=found, difference=difference)


def _fit(run: _Run, order: int, theta: float) -> _Fit:
    """Fit theta, gain and offsets in least squares: errors of the window (Parseval), or of taps."""
    weights = np.ones(run.values.shape[1])
    if run.kind == "states":
        weights = 1.0 / (2.0 * np.arange(run.values.shape[1]) + 1.0)  # integral of P_i^2 over the window
    offset = run.values.mean(axis=0)
    measured = run.values - offset

    def parts(scale: float) -> tuple[float, float, np.ndarray]:
        ideal = run.ideal(order, scale * theta)
        mean = ideal.mean(axis=0)
        ideal = ideal - mean
        power = float(np.mean(ideal**2, axis=0) @ weights)
        gain = float(np.mean(ideal * measured, axis=0) @ weights) / power
        return float(np.mean((measured - gain * ideal) ** 2, axis=0) @ weights), gain, mean

    best = int(np.argmin([parts(scale)[0] for scale in _SCALES]))
    low, high = _SCALES[max(best - 1, 0)], _SCALES[min(best + 1, len(_SCALES) - 1)]
    options = {"xatol": _NARROWEST}
    search = minimize_scalar(lambda s: parts(s)[0], bounds=(low, high), method="bounded", options=options)
    _, gain, mean = parts(search.x)
    if gain == 0.0:
        raise DesignError("the measured channels do not follow the measured input: a gain of 0 fits best")
    return _Fit(search.x * theta, gain, offset - gain * mean, best in (0, len(_SCALES) - 1))


def _run(design: Design, measurement: Measurement, circuit: Circuit, skip: float | None) -> _Run:
    time, span = measurement.time, float(measurement.time[-1])
    start = _start(design, circuit, span) if skip is None else skip
    if not 0.0 <= start < span:
        raise DesignError(
            f"the recording lasts {span:.3g} s, of which {start:.3g} s are left out at the start; "
            "record longer, or give skip="
        )
    finest = max(len(time) - 1, int(np.ceil(_POINTS_A_WINDOW * span / design.theta - ROUNDING)))
    count = min(finest, MOST_POINTS - 1)
    even = np.linspace(0.0, span, count + 1)
    drive = CubicSpline(time, measurement.input)(even)
    recording = Recording(span / count, drive)
    # The last instant of whole periods is the first again.
    scored = np.linspace(start, span, max(2, round(count * (span - start) / span)), endpoint=False)
    values = CubicSpline(time, measurement.values)(scored)
    # Places in the window by order and bandwidth: a bench's input is smooth between its samples.
    wave = np.array([design.bandwidth]), np.ones(1, complex)
    held = design.order if measurement.kind == "taps" else values.shape[1]
    rule = window.quadrature_for(held, wave, design.theta)
    return _Run(Grid(recording, recording.time, drive), scored, values, measurement.kind, measurement.r, rule)


def _start(design: Design, circuit: Circuit, span: float) -> float:
    """Say when scoring starts, s."""
    if not isinstance(design.stimulus, Tones):
        return 0.0
    ready = settling(extract(circuit), design.theta) + design.theta
    period = design.stimulus.period
    periods = int((span - ready) / period + 1e-6)
    return span - periods * period if periods else ready


def _estimates(run: _Run, values: np.ndarray) -> np.ndarray:
    """Give what is compared with the delayed input, (s, q): the window of states, or the taps as they are."""
    if run.kind == "taps":
        return values
    return values @ run.rule.rows(values.shape[1]).T


def _profile(run: _Run, values: np.ndarray, theta: float) -> np.ndarray:
    r = run.r if run.kind == "taps" else run.rule.r
    return np.sqrt(np.mean((_estimates(run, values) - run.delayed(theta, r)) ** 2, axis=0))


def _overall(run: _Run, profile: np.ndarray) -> np.ndarray:
    if run.kind == "taps":
        return np.asarray(np.sqrt(np.mean(profile**2)))
    return window.window_nrmse(profile, run.rule)


def _dataset(
    design: Design,
    run: _Run,
    profiles: dict[str, np.ndarray],
    *,
    simulated: np.ndarray,
    found: _Fit,
    difference: float,
) -> xr.Dataset:
    share, volts = {"units": "1"}, {"units": "V"}
    scores = {name: float(_overall(run, profile)) for name, profile in profiles.items()}
    if run.kind == "states":
        profiles = {name: profile[run.rule.shown] for name, profile in profiles.items()}
    names = {"measured": "nrmse", "ideal": "truncation_nrmse"}
    names |= {k: f"{k}_nrmse" for k in ("simulated", "corrected")}
    r = run.r if run.kind == "taps" else window.QUADRATURE.r
    channels = (
        [f"m{i}" for i in range(run.values.shape[1])] if run.kind == "states" else [f"r={k:g}" for k in r]
    )
    warnings = [_AT_EDGE] if found.at_edge else []
    return xr.Dataset(
        {
            **{names[k]: ((), score, share) for k, score in scores.items()},
            "difference_nrmse": ((), difference, share),
            "gain": ((), found.gain, share),
            "theta": ((), found.theta, {"units": "s"}),
            "offset": ("channel", found.offset, volts),
            "profile": ("delay", profiles["measured"], share),
            "simulated_profile": ("delay", profiles["simulated"], share),
            "corrected_profile": ("delay", profiles["corrected"], share),
            "input": ("time", run.input(run.scored), volts),
            "measured": (("time", "channel"), run.values, volts),
            "simulated": (("time", "channel"), simulated, volts),
        },
        coords={
            "time": ("time", run.scored, {"units": "s"}),
            "channel": channels,
            "delay": ("delay", r, {"units": "theta"}),
        },
        attrs={"kind": run.kind, **design.provenance, "warnings": warnings},
    )
