"""A user's SPICE model alone in ngspice: gain, GBW, offset, slew rate and output swing, beside those of its table.

Three short runs: an AC sweep of the loop gain, a step through a follower, and a slow sine of overload
through an amplifier of gain 11 with a load of 10 kOhm.
"""

import functools
import math
import shutil
from dataclasses import dataclass, replace

import numpy as np

from lmu_analog.circuits.devices.models import Library, OpAmpModel
from lmu_analog.errors import SimulationError
from lmu_analog.spice import ngspice
from lmu_analog.spice.deck import OPTIONS, Analysis, Sweep, Transient, analysis_line

_FACTOR = 1.5  # between measured and tabled gain, GBW, slew rate and swing: beyond it a warning
_OFFSET_APART = 1e-3  # V, likewise for the offset
_DIGITS = 4  # of what is measured: versions of ngspice and processors agree on these
_OFFSET_DIGITS = 7  # behind the point, V
_LEAST_BIAS = 1e-14  # A: below it stand ngspice's own tolerance and gmin
LOWEST, HIGHEST, A_DECADE = 1e-4, 1e10, 10  # Hz; 160 dB at 1 MHz have their corner at .01 Hz
_HIGHEST_GBW = 1e12  # Hz: of models without a pole
_LEAST_GAIN = 10.0  # less is no op-amp, or its pins are in another order
_LEVEL = 0.01  # of the gain, at which GBW is read, at least where it is 40 dB
RATIO, LOAD = 11.0, 10e3  # of the overloaded amplifier
_OVERLOAD = 1.5  # of the supply, that its output would have to reach
_STEPS = 400  # of a transient
_STRAIGHT = 0.8  # of the slope of a pole alone: what is slower slews
_TIMEOUT = 20.0  # s a run


@dataclass(frozen=True)
class Measured:
    """What a model does by itself, SI units.

    Attributes
    ----------
    gain : float, V/V
    gbw : float, Hz
    offset : float, V
        Of a follower's output without a signal.
    bias : float, A
        Mean current into the inputs, there.
    slew : float or None, V/s
        None where the step showed no limit.
    low, high : float or None, V
        Ends of the output's swing; None where it goes beyond the supply.
    """

    gain: float
    gbw: float
    offset: float
    bias: float
    slew: float | None
    low: float | None
    high: float | None


def with_measured(model: OpAmpModel) -> OpAmpModel:
    """Give an op-amp the figures that its SPICE model has, where they are asked for, and notes where they differ.

    Without a SPICE model it comes back as it is; without ngspice, or where the SPICE model does not run, with the
    figures of its table and a note that says so.
    """
    library = model.library
    if library is None:
        return model
    if ngspice.library_path() is None and shutil.which("ngspice") is None:
        return _noted(model, "ngspice is not installed, and the figures of the table stand unchecked")
    found = _measured(replace(library, notes=(), figures=""), gbw=model.gbw, slew=model.slew)
    if isinstance(found, str):
        return _noted(model, f"its figures cannot be measured, and those of the table stand: {found}")
    if not found.gain >= _LEAST_GAIN:
        return _noted(
            model,
            f"its gain at DC is {found.gain:.3g}, and the figures of the table stand: are its pins in the order that "
            "pins gives, and does it run from this supply?",
        )
    used = "the table's" if library.figures == "table" else "the measured"
    noted = _noted(model, *(f"{line}; the exact engine uses {used}" for line in _differences(model, found)))
    if library.figures == "table":
        return noted
    swing = {} if found.low is None else {"rail": found.high, "lowest": found.low, "swing_known": True}
    slew = {} if found.slew is None else {"slew": found.slew}
    return replace(
        noted, gain=found.gain, gbw=found.gbw, offset=found.offset, bias=found.bias, **slew, **swing
    )


def _noted(model: OpAmpModel, *lines: str) -> OpAmpModel:
    library = model.library
    if library is None or not lines:
        return model
    notes = (*library.notes, *(f"SPICE model {library.subcircuit}: {line}" for line in lines))
    return replace(model, library=replace(library, notes=notes))


def _differences(model: OpAmpModel, found: Measured) -> list[str]:
    """Say where measured figures are not those of the table."""
    swing = None if found.low is None or found.high is None else min(found.high, -found.low)
    pairs = [
        ("gain", model.gain, found.gain, "V/V"),
        ("GBW", model.gbw, found.gbw, "Hz"),
        ("slew rate", model.slew, found.slew, "V/s"),
        ("output swing", model.swing, swing, "V"),
        # What the table leaves out is not compared.
        ("bias current", model.bias or math.inf, found.bias, "A"),
    ]
    lines = [
        f"{name} is {measured:.4g} {unit}, and {tabled:.4g} in the table"
        for name, tabled, measured, unit in pairs
        if measured is not None and math.isfinite(tabled) and not 1.0 / _FACTOR < measured / tabled < _FACTOR
    ]
    if swing is None and model.swing_known and math.isfinite(model.swing):
        lines.append(f"output swing has no limit, and {model.swing:.4g} V in the table")
    if abs(found.offset - model.offset) > _OFFSET_APART:
        lines.append(f"offset is {found.offset:.4g} V, and {model.offset:.4g} in the table")
    return lines


@functools.lru_cache(maxsize=64)  # circuits are built again and again, and what fails may take a minute to
def _measured(library: Library, *, gbw: float, slew: float) -> Measured | str:
    """Measure a model once a process, or say why that fails."""
    try:
        return measure(library, gbw=gbw, slew=slew)
    except SimulationError as error:
        return str(error).splitlines()[0]


def measure(library: Library, *, gbw: float, slew: float) -> Measured:
    """Measure a model by itself.

    Parameters
    ----------
    library : Library
    gbw : float, Hz
        What is expected; used where the model has no gain.
    slew : float, V/s
        What is expected: how long to wait for a step.

    Raises
    ------
    SimulationError
        If ngspice fails at it.
    """
    gain, found_gbw = _open_loop(library)
    if not gain >= _LEAST_GAIN:
        return Measured(gain, gbw, 0.0, 0.0, None, None, None)
    offset, bias, found_slew = _step(library, gbw=found_gbw, slew=slew)
    low, high = _overload(library, gbw=found_gbw, slew=min(slew, found_slew or math.inf))
    limited = max(-low, high) < _OVERLOAD * library.supply * 0.9
    return Measured(
        _rounded(gain),
        _rounded(found_gbw),
        round(offset, _OFFSET_DIGITS),
        _rounded(bias) if abs(bias) > _LEAST_BIAS else 0.0,
        # How long a step is watched moves the third digit.
        None if found_slew is None else float(f"{found_slew:.2g}"),
        _rounded(low) if limited else None,
        _rounded(high) if limited else None,
    )


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def _run(library: Library, cards: list[str], analysis: Analysis, *, also: str = "") -> dict[str, np.ndarray]:
    nets = {"plus": "p", "minus": "m", "out": "o", "vcc": "vcc", "vee": "vee", "ground": "0"}
    lines = [
        f"{library.subcircuit} by itself",
        library.text.rstrip(),
        f"Vvcc vcc 0 DC {library.supply!r}",
        f"Vvee vee 0 DC {-library.supply!r}",
        f"Xmodel {' '.join(nets[pin] for pin in library.pins)} {library.subcircuit}",
        *cards,
        OPTIONS,
        analysis_line(analysis),
        f".save v(p) v(m) v(o) {also}".rstrip(),
        ".end",
    ]
    # Where there is a program it is quicker than a worker with Python and the library.
    run = ngspice.run if shutil.which("ngspice") is None else ngspice.run_batch
    return run("\n".join(lines) + "\n", analysis, timeout=_TIMEOUT)


def _open_loop(library: Library) -> tuple[float, float]:
    """Give gain at DC and GBW."""
    # A follower with the signal within its loop (Middlebrook, 1975): the gain is between its two ends.
    cards = ["Vp p 0 DC 0", "Vloop m o DC 0 AC 1"]
    points = round(A_DECADE * math.log10(HIGHEST / LOWEST)) + 1
    vectors = _run(library, cards, Sweep(A_DECADE, LOWEST, HIGHEST, "dec"))
    frequency = np.real(vectors["frequency"])
    if len(frequency) < points - 1:
        raise SimulationError(f"ngspice stopped after {len(frequency)} frequencies")
    response = -vectors["v(o)"] / (vectors["v(m)"] - vectors["v(p)"])
    gain = float(np.real(response[0]))
    if not gain >= _LEAST_GAIN:
        return gain, math.nan
    # Of one pole, 1/A = 1/A0 + j f/GBW; read where other poles are far.
    level = min(1.0 / _LEVEL, math.sqrt(gain))
    k = int(np.argmin(np.abs(np.log(np.abs(response) / level))))
    slope = max(float(abs(np.imag(1.0 / response[k]))), float(frequency[k]) / _HIGHEST_GBW)
    return gain, float(frequency[k]) / slope


def _step(library: Library, *, gbw: float, slew: float) -> tuple[float, float, float | None]:
    """Give offset, bias current, and the slew rate if a step of a quarter of the supply shows one."""
    height = 0.25 * library.supply
    lasting = 20.0 / (2.0 * math.pi * gbw) + (3.0 * height / slew if math.isfinite(slew) else 0.0)
    rest, edge = 0.1 * lasting, 1e-3 * lasting
    points = f"0 0 {rest!r} 0 {rest + edge!r} {height!r} {lasting!r} {height!r}"
    cards = [f"Vp p 0 DC 0 PWL({points})", "Vloop o m DC 0"]
    vectors = _run(library, cards, Transient(lasting, lasting / _STEPS), also="i(vp) i(vloop)")
    time, out = vectors["time"], vectors["v(o)"]
    before = out[time <= rest]
    offset = float(before[-1])
    bias = 0.5 * float(vectors["i(vloop)"][0] - vectors["i(vp)"][0])
    rise = out - offset
    reached = float(np.max(rise))
    if not reached > 0.3 * height:  # it hardly moved in several times what the table says
        after = time > rest + edge
        return offset, bias, max(float(np.max(np.diff(out[after]) / np.diff(time[after]))), 1e-12)
    end = min(reached, height)
    at = [float(np.interp(share * end, np.maximum.accumulate(rise), time)) for share in (0.3, 0.7)]
    slope = 0.4 * end / max(at[1] - at[0], 1e-30)
    # As slow as one pole makes it, and the edge itself.
    straight = height / (math.log(0.7 / 0.3) / (0.4 * 2.0 * math.pi * gbw) + edge)
    return offset, bias, slope if slope < _STRAIGHT * straight else None


def _overload(library: Library, *, gbw: float, slew: float) -> tuple[float, float]:
    """Give the ends of the output's swing."""
    slow = 100.0 * RATIO / (2.0 * math.pi * gbw) + (
        100.0 * library.supply / slew if math.isfinite(slew) else 0.0
    )
    peak = _OVERLOAD * library.supply / RATIO
    cards = [
        f"Vp p 0 DC 0 SIN(0 {peak!r} {1.0 / slow!r} 0 0 0)",
        f"Rf o m {10e3 * (RATIO - 1.0)!r}",
        "Rg m 0 10000.0",
        f"Rl o 0 {LOAD!r}",
    ]
    out = _run(library, cards, Transient(slow, slow / _STEPS))["v(o)"]
    return float(np.min(out)), float(np.max(out))
