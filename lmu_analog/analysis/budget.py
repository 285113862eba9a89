"""Where a design's window error comes from: each contributor turned on alone, against all of them at once."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import xarray as xr
from jaxtyping import Float

from lmu_analog.analysis.noise import noise_powers
from lmu_analog.analysis.periodic import Periodic, difference_power, error_power, ideal, linear, nonlinear
from lmu_analog.building import build, with_its_readout
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import DifferentialOpAmp, OpAmp, Transconductor
from lmu_analog.circuits.devices.models import IDEAL, IDEAL_OTA, OpAmpModel, OtaModel
from lmu_analog.design import Design
from lmu_analog.errors import CircuitError, SimulationError
from lmu_analog.memory.window import Quadrature, quadrature_for, readout, time_profile
from lmu_analog.mismatch.law import Mismatch, columns, draw, sample
from lmu_analog.simulation import simulate
from lmu_analog.stimulus import Tones, multitone

CONTRIBUTORS = ("truncation", "values", "gain", "speed", "offset", "mismatch", "noise", "distortion")
_PLACES = (0.0, 0.5, 1.0)
_SAMPLES = 100  # circuits of the ensemble: its rms is then right to about 5 %
Engine = Literal["nonlinear", "ngspice", "linear"]
Contributor = Literal["values", "gain", "speed"]
_FAST = 1e4  # times the op-amp's own crossover: a finite gain needs a pole, here too fast to matter

_OPAMP: dict[Contributor, Callable[[OpAmpModel], OpAmpModel]] = {
    "values": lambda m: replace(IDEAL, middle=m.middle),
    "gain": lambda m: OpAmpModel(m.name, gain=m.gain, gbw=_FAST * m.gbw, middle=m.middle),
    "speed": lambda m: OpAmpModel(
        m.name,
        gbw=m.gbw,
        output_resistance=m.output_resistance,
        input_capacitance=m.input_capacitance,
        middle=m.middle,
    ),
}
_OTA: dict[Contributor, Callable[[OtaModel], OtaModel]] = {
    "values": lambda m: IDEAL_OTA,
    "gain": lambda m: OtaModel(m.name, gain=m.gain),
    "speed": lambda m: m,
}


@dataclass(frozen=True, eq=False)
class _Part:
    """One contributor at every place: growth of the mean square error, and mean square of what it adds itself."""

    power: Float[np.ndarray, " q"]
    alone: Float[np.ndarray, " q"]


def _nothing(subject: "_Subject") -> _Part:
    return _Part(np.zeros(len(subject.r)), np.zeros(len(subject.r)))


@dataclass(frozen=True, eq=False)
class _Subject:
    """What is analysed: a design with a sum of tones as its input, its circuit, its linear steady state.

    ``r`` has the places of the rule that integrates over the window, then ``_PLACES``.
    """

    design: Design
    tones: Tones
    circuit: Circuit
    nominal: Periodic
    rule: Quadrature

    @classmethod
    def of(cls, design: Design) -> "_Subject":
        if not isinstance(tones := design.stimulus, Tones):
            tones = multitone(design.bandwidth, design.full_scale)
            design = design.replace(file=None, tones=None, signal="multitone", amplitude=design.full_scale)
        circuit = build(design)
        nominal = linear(circuit, tones)
        if not nominal.sure[0]:
            raise SimulationError("the nominal circuit is unstable: it has no steady state to split up")
        rule = quadrature_for(design.order, (tones.frequency, tones.phasor), design.theta)
        return cls(design, tones, circuit, nominal, rule)

    @property
    def r(self) -> np.ndarray:
        """Where the error is taken, (q,)."""
        return np.concatenate([self.rule.r, _PLACES])

    def error(self, found: Periodic) -> np.ndarray:
        """Mean square error of every sample that is sure, (s, q)."""
        return error_power(found, self.design.theta, self.r)[found.sure]

    def values(self, z: np.ndarray) -> np.ndarray:
        """Parameters of the samples with draws z, (s, m)."""
        return sample(self.circuit, Mismatch.of(self.design), z)


def budget(design: Design, *, samples: int = _SAMPLES, seed: int = 0) -> xr.Dataset:
    """Split the window error into its contributors.

    The input is the design's sum of tones, or the default ten tones in place of a recording. ``power`` of a
    contributor is by how much the mean square error grows when it is turned on alone, so it may be negative where
    it happens to undo another error; ``alone`` is the rms of what it adds, whatever there was. ``measured``
    has all contributors at once: an ensemble of the nonlinear circuit, and noise. ``remainder`` is what the powers
    leave: contributors that act together, and chance.

    Parameters
    ----------
    design : Design
    samples : int
        Circuits of the ensemble; one where there is no mismatch.
    seed : int

    Returns
    -------
    xarray.Dataset
        ``power`` and ``alone`` over (cause, delay), ``measured`` and ``remainder`` (delay): mean squares as
        fractions of rms(u)^2, but ``alone`` of rms(u). ``mean_power`` and ``mean_alone`` (cause): over the
        window. Over ``place`` (r = 0, .5, 1): ``window_db``, the signal over all errors, ``sinad_db``, over
        noise and distortion alone, and ``enob`` from it, which know nothing of the linear window error.
        Attributes ``measured_nrmse``, ``remainder_share``,
        ``engine`` (of the distortion: nonlinear, ngspice or linear), ``samples`` (that have a steady state)
        of ``drawn``, and ``left_out``: contributors that are not known of this family.

    Raises
    ------
    SimulationError
        If the nominal circuit is unstable, or ngspice is needed and fails.
    """
    subject = _Subject.of(design)
    law = Mismatch.of(subject.design)
    z = draw(subject.circuit, law, seed=seed, samples=range(samples))
    z = z if z.shape[1] else z[:1]
    distortion, engine = _distortion(subject)
    thermal, left_out = _noise(subject)
    parts = {
        **_active(subject),
        **_random(subject, z, np.array([".offset|" in name for name in columns(subject.circuit, law)], bool)),
        "noise": thermal,
        "distortion": distortion,
    }
    values = subject.values(z)
    found = nonlinear(subject.circuit, subject.tones, values) if engine == "nonlinear" else None
    if found is None:
        errors = subject.error(linear(subject.circuit, subject.tones, values)) + distortion.power
    else:
        errors = subject.error(found)
    about = {"engine": engine, "samples": len(errors), "drawn": len(z), "left_out": left_out}
    return _dataset(subject, parts, errors.mean(axis=0) + thermal.power, about=about)


def _active(subject: _Subject) -> dict[str, _Part]:
    """Split what the nominal circuit does by the figures of its active parts."""
    tones, design = subject.tones, subject.design
    memory = ideal(design.order, design.theta, tones)
    kinds: tuple[Contributor, ...] = ("values", "gain", "speed")
    runs = {kind: linear(_with_contributor(design, kind, subject.circuit), tones) for kind in kinds}
    errors = {kind: error_power(found, design.theta, subject.r)[0] for kind, found in runs.items()}
    truncation = subject.error(memory)[0]
    parts = {
        "truncation": _Part(truncation, truncation),
        "values": _Part(
            errors["values"] - truncation, difference_power(runs["values"], memory, subject.r)[0]
        ),
    }
    for kind in ("gain", "speed"):
        before = _before_speed(subject.circuit) if kind == "speed" else "values"
        # Offsets are a contributor of their own.
        added = difference_power(runs[kind], runs[before], subject.r, with_offset=False)[0]
        parts[kind] = _Part(errors[kind] - errors[before], added)
    return parts


def _with_contributor(design: Design, contributor: Contributor, circuit: Circuit) -> Circuit:
    """Build a design with one error contributor in its active parts, which are otherwise ideal.

    Parameters
    ----------
    design : Design
    contributor : {"values", "gain", "speed"}
        Nothing but the element values as they are, or finite DC gain, or finite bandwidth (with what input
        capacitance and output resistance do to it). Predistortion belongs to the bandwidth that it makes up
        for: it is there with ``speed`` alone.
    circuit : Circuit
        The design's own.
    """
    if contributor != "speed" and design.predistort != "none":
        fixed = with_its_readout(design)
        circuit = build(fixed.replace(predistort="none", element_values=design.element_values))
    circuit = circuit.small_signal or circuit
    parts = []
    for c in circuit.components:
        match c:
            case OpAmp() | DifferentialOpAmp() if not c.model.ideal:
                parts.append(replace(c, model=_OPAMP[contributor](c.model)))
            case Transconductor():
                parts.append(replace(c, model=_OTA[contributor](c.model)))
            case _:
                parts.append(c)
    return replace(circuit, components=tuple(parts), small_signal=None)


def _before_speed(circuit: Circuit) -> Contributor:
    """Give what bandwidth is turned on upon: of transconductors, whose poles need a load, finite gain."""
    finite = (c for c in circuit.only(Transconductor) if math.isfinite(c.model.gain))
    return "gain" if any(finite) else "values"


def _random(subject: _Subject, z: np.ndarray, offsets: np.ndarray) -> dict[str, _Part]:
    """Let offsets deviate alone, then all else alone."""
    tones, nominal = subject.tones, subject.nominal
    rows = readout(subject.circuit.order, subject.r)
    shifted = linear(subject.circuit, tones, subject.values(z * offsets))
    offset = np.mean((shifted.offset @ rows.T) ** 2, axis=0) / tones.rms**2
    deviated = linear(subject.circuit, tones, subject.values(z * ~offsets))
    if not deviated.sure.any():
        raise SimulationError("every circuit of the ensemble is unstable; tighten the mismatch")
    # With what parts do to the operating point, as mirrors that carry the bias do: it is in no other contributor.
    added = difference_power(deviated, nominal, subject.r)[deviated.sure]
    growth = subject.error(deviated).mean(axis=0) - subject.error(nominal)[0]
    return {"offset": _Part(offset, offset), "mismatch": _Part(growth, added.mean(axis=0))}


def _noise(subject: _Subject) -> tuple[_Part, list[str]]:
    """Take noise over all frequencies, or in the band where that diverges; none without an operating point."""
    try:
        found = noise_powers(subject.design, subject.circuit, subject.r)
    except CircuitError:
        return _nothing(subject), ["noise"]
    total = found.total.sum(axis=1)
    power = (total if np.isfinite(total).all() else found.band.sum(axis=1)) / subject.tones.rms**2
    return _Part(power, power), []


def _distortion(subject: _Subject) -> tuple[_Part, Engine]:
    """Find what rails, slew limits and input ranges add; by ngspice where harmonic balance gives up."""
    if subject.circuit.clock is not None:
        return _nothing(subject), "linear"
    try:
        found = nonlinear(subject.circuit, subject.tones)
    except CircuitError:
        return _by_ngspice(subject), "ngspice"
    if found is None:
        return _nothing(subject), "linear"
    if not found.sure[0]:
        return _by_ngspice(subject), "ngspice"
    growth = subject.error(found)[0] - subject.error(subject.nominal)[0]
    return _Part(
        growth, difference_power(found, subject.nominal, subject.r, with_offset=False)[0]
    ), "nonlinear"


def _by_ngspice(subject: _Subject) -> _Part:
    design, tones = subject.design, subject.tones
    real, straight = (simulate(design, engine=e, circuit=subject.circuit) for e in ("ngspice", "exact"))
    r = subject.r
    times, places = real.time.values, Quadrature(r, np.full(len(r), 1.0 / len(r)))
    truth = tones(times[:, None] - design.theta * r)
    rows = readout(design.order, r)
    real, straight = real.states.values, straight.states.values
    errors = [time_profile(states, truth, tones.rms, quadrature=places) ** 2 for states in (real, straight)]
    added = time_profile(real, straight @ rows.T, tones.rms, quadrature=places) ** 2
    return _Part(errors[0] - errors[1], added)


def _dataset(
    subject: _Subject, parts: dict[str, _Part], measured: np.ndarray, *, about: Mapping[str, object]
) -> xr.Dataset:
    rule = subject.rule
    window, weight, shown = len(rule.r), rule.weight, rule.shown
    power, alone = (
        np.array([getattr(parts[name], key) for name in CONTRIBUTORS]) for key in ("power", "alone")
    )
    remainder = measured - power.sum(axis=0)
    mean = float(weight @ measured[:window])
    share, decibels = {"units": "1"}, {"units": "dB"}
    figures = _converter_figures(subject, parts, measured)
    return xr.Dataset(
        {
            "power": (("cause", "delay"), power[:, shown], share),
            "alone": (("cause", "delay"), np.sqrt(alone[:, shown]), share),
            "mean_power": ("cause", power[:, :window] @ weight, share),
            "mean_alone": ("cause", np.sqrt(alone[:, :window] @ weight), share),
            "measured": ("delay", measured[shown], share),
            "remainder": ("delay", remainder[shown], share),
            "window_db": ("place", figures[0], decibels),
            "sinad_db": ("place", figures[1], decibels),
            "enob": ("place", figures[2], {"units": "bit"}),
        },
        coords={
            "cause": np.array(CONTRIBUTORS, dtype=object),
            "delay": ("delay", rule.r[shown], {"units": "theta"}),
            "place": ("place", np.array(_PLACES), {"units": "theta"}),
        },
        attrs={
            "measured_nrmse": math.sqrt(mean),
            "remainder_share": float(weight @ remainder[:window]) / mean,
            **about,
            **subject.design.provenance,
        },
    )


def _converter_figures(
    subject: _Subject, parts: dict[str, _Part], measured: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the signal over all errors, over noise and distortion (dB), and the latter as bits, at the places.

    Bits are those of a full-scale sine (IEEE Std 1241): the test signal has less power.
    """
    unwanted = (parts["noise"].alone + parts["distortion"].alone)[-len(_PLACES) :]
    with np.errstate(divide="ignore"):
        window, sinad = (-10.0 * np.log10(p) for p in (measured[-len(_PLACES) :], unwanted))
    full = 20.0 * math.log10(subject.design.full_scale / (math.sqrt(2.0) * subject.tones.rms))
    return window, sinad, (sinad + full - 1.76) / 6.02
