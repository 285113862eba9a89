"""Whether active parts can give what a signal asks of them: swing, current and slew rate, and ranges of inputs.

The circuit is taken as linear: beyond a limit its true voltages are others, and what is asked says by how much.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.nodal.saturation import KNEE
from lmu_analog.circuits.nodal.stages import UNITS, Quantity, Watch, Watched, watched
from lmu_analog.errors import LmuAnalogError
from lmu_analog.memory.sampled import sampled_run, steady_response
from lmu_analog.memory.statespace import StateSpace, first_order_hold, growth
from lmu_analog.stimulus import Recording, Stimulus, Tones
from lmu_analog.units import write

POINTS = 64  # in a period of the highest tone: the peak is missed by 1 - cos(pi/64), .12 %, at most
FEWER, MOST_POINTS = 16, 4_000_000  # where tones have a long common period: by 1.9 %
POINTS_A_WINDOW = 50  # of a recording, in one theta
BLOCK = 4_000_000  # values at once
ROUNDING = 1e-9  # a peak on the limit is inside
KNEES: dict[Quantity, float] = {
    "output voltage": KNEE,
    "slew rate": KNEE,
}  # shares where the models begin to saturate
# Of a transconductor's current, beyond which the linear engine is told to be wrong about it: a third of 1e-3 of rms(u),
# as the states of order 23 added up to 2.6 times what each lacked (benchmarks/two_engines.py).
NONLINEAR = 3e-4


@dataclass(frozen=True)
class Demand:
    """What is asked of one part, and what it gives.

    Attributes
    ----------
    element : str
    net : str
        The output, or the positive input.
    part : str
        Name of its model.
    quantity : str
        "output voltage", "output current", "slew rate", "common mode" or "input range".
    peak : float, V, A or V/s
        The value nearest to its limit, with its sign; offsets and bias currents of the circuit included.
    limit : float, V, A or V/s
        The limit on that side; infinite where none is known.
    share : float
        Of the limit that is used; above 1 the part cannot do it.
    random_share : float
        The same with random offsets at three sigma.
    mean : float or None
        Of the magnitude; None where it was not computed.
    """

    element: str
    net: str
    part: str
    quantity: Quantity
    peak: float
    limit: float
    share: float
    random_share: float
    mean: float | None

    @property
    def kept(self) -> bool:
        """Whether the part can do it."""
        return self.share <= 1.0 + ROUNDING


def demands(circuit: Circuit, stimulus: Stimulus) -> tuple[Demand, ...]:
    """List what a signal asks of every active part that is not ideal.

    Tones are evaluated in their steady state, 64 points to a period of the highest: peaks are low by .12 % at
    most. Recordings are evaluated from rest, at their points, 50 to a window at least. With a clock, an output
    must step from one sample to the next within half a period, and currents are left out.

    Parameters
    ----------
    circuit : Circuit
        At its nominal values.
    stimulus : Tones or Recording

    Returns
    -------
    tuple of Demand
        Empty for circuits of transistors, and of ideal parts alone.

    Raises
    ------
    CircuitError
        If the circuit has no state space.
    """
    found = watched(circuit)
    if found is None or float(growth(found.system)) >= 0.0:
        return ()
    low, high, mean = _extremes(found, stimulus, circuit.theta)
    return _listed(found, low, high, mean)


def output_range(circuit: Circuit, stimulus: Stimulus) -> tuple[float, float]:
    """Give the lowest and the highest voltage, V, that a signal asks of any op-amp's output; NaN where none is real."""
    found = watched(circuit)
    if found is None or float(growth(found.system)) >= 0.0:
        return math.nan, math.nan
    of = np.array([watch.quantity == "output voltage" for watch in found.of], bool)
    if not of.any():
        return math.nan, math.nan
    low, high, _ = _extremes(found, stimulus, circuit.theta)
    return float(low[of].min()), float(high[of].max())


def sine_demands(
    circuit: Circuit, frequency: Float[np.ndarray, " f"], amplitude: float
) -> tuple[Demand, ...]:
    """List what the worst sine of some asks of every active part, as ``demands`` does.

    Parameters
    ----------
    circuit : Circuit
    frequency : (f,) array, Hz
    amplitude : float, V
    """
    found = watched(circuit)
    if found is None:
        return ()
    response = _stepping(found, steady_response(found.system, frequency), frequency)
    size, dc = amplitude * np.abs(response).max(axis=0), _dc(found)
    return _listed(found, dc - size, dc + size, None)


def _dc(found: Watched) -> np.ndarray:
    """Give the quantities at u = 0, (k,); nothing steps then."""
    offset = np.zeros(len(found.of)) if found.system.offset is None else found.system.offset
    return offset * ~_steps(found)


def _steps(found: Watched) -> np.ndarray:
    """Tell which quantities of a sampled circuit are slopes, (k,) bool."""
    sampled = found.system.dt is not None
    return np.array([sampled and watch.quantity == "slew rate" for watch in found.of], bool)


def _stepping(found: Watched, response: np.ndarray, frequency: np.ndarray) -> np.ndarray:
    """Turn the responses of a sampled circuit's voltages, (f, k), to steps within half a period where asked."""
    if found.system.dt is None:
        return response
    step = (1.0 - np.exp(-2j * np.pi * frequency * found.system.dt)) * 2.0 / found.system.dt
    return np.where(_steps(found), response * step[:, None], response)


def _extremes(found: Watched, stimulus: Stimulus, theta: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the least, the largest and the mean magnitude of every quantity, (k,)."""
    match stimulus:
        case Tones():
            return _of_tones(found, stimulus)
        case Recording():
            return _of_recording(found, stimulus.refined(theta / POINTS_A_WINDOW))


def _of_tones(found: Watched, tones: Tones) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    turns = np.rint(tones.frequency * tones.period).astype(int)
    response = _stepping(found, steady_response(found.system, tones.frequency), tones.frequency)
    phasor, dc = response * tones.phasor[:, None], _dc(found)
    highest = int(turns.max())
    count = (POINTS if POINTS * highest <= MOST_POINTS else FEWER) * highest
    kept: list[np.ndarray] = []
    for k in range(0, len(dc), max(1, BLOCK // count)):
        cut = slice(k, k + max(1, BLOCK // count))
        spectrum = np.zeros((phasor[:, cut].shape[1], count // 2 + 1), complex)
        spectrum[:, turns] = 0.5 * phasor[:, cut].T
        wave = np.fft.irfft(spectrum, count, norm="forward") + dc[cut, None]
        kept.append(_summary(wave))
    low, high, mean = np.concatenate(kept, axis=1)
    return low, high, mean


def _of_recording(found: Watched, recording: Recording) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    system = found.system
    if system.dt is not None:
        ticks = system.dt * np.arange(1.0, max(2.0, recording.duration // system.dt) + 1.0)
        wave = sampled_run(system, recording, ticks).T
        step = np.diff(wave, axis=1, prepend=0.0) * 2.0 / system.dt
        low, high, mean = _summary(np.where(_steps(found)[:, None], step, wave))
        return low, high, mean
    return _stretched(system, recording)


def _stretched(system: StateSpace, recording: Recording) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Run a recording from rest in as many stretches as each has points, side by side; no waveform is kept.

    First every stretch from rest, which gives its end from its start; then all from their true starts.
    """
    u, dt = recording.values, recording.dt
    length = int(np.ceil(np.sqrt(len(u))))
    stretches = -(-len(u) // length)
    # The last value is repeated to the end of the last stretch; what comes after the recording is not evaluated.
    padded = np.concatenate([u, np.full(stretches * length + 1 - len(u), u[-1])])
    here, after = padded[:-1].reshape(stretches, length), padded[1:].reshape(stretches, length)
    slope = np.diff(padded, prepend=padded[0])[:-1].reshape(stretches, length) / dt
    inside = (np.arange(stretches * length) < len(u)).reshape(stretches, length)
    phi, gamma0, gamma1 = first_order_hold(system, dt)
    x = np.zeros((system.order, stretches))
    for j in range(length):
        x = phi @ x + gamma0 * here[:, j] + gamma1 * after[:, j]
    across, start = np.linalg.matrix_power(phi, length), np.zeros((system.order, stretches))
    for k in range(1, stretches):
        start[:, k] = across @ start[:, k - 1] + x[:, k - 1]
    fed = np.zeros((system.C.shape[0], 1)) if system.slope is None else system.slope[:, :1]
    offset = np.zeros((len(fed), 1)) if system.offset is None else system.offset[:, None]
    low, high, total = np.full(len(fed), np.inf), np.full(len(fed), -np.inf), np.zeros(len(fed))
    x = start
    for j in range(length):
        good = inside[:, j]
        z = (system.C @ x + system.D * here[:, j] + fed * slope[:, j] + offset)[:, good]
        if z.size:
            low, high = np.minimum(low, z.min(axis=1)), np.maximum(high, z.max(axis=1))
            total += np.abs(z).sum(axis=1)
        x = phi @ x + gamma0 * here[:, j] + gamma1 * after[:, j]
    return low, high, total / len(u)


def _summary(wave: np.ndarray) -> np.ndarray:
    return np.stack([wave.min(axis=1), wave.max(axis=1), np.abs(wave).mean(axis=1)])


def _listed(found: Watched, low: np.ndarray, high: np.ndarray, mean: np.ndarray | None) -> tuple[Demand, ...]:
    listed: list[Demand] = []
    for k, watch in enumerate(found.of):
        bottom, top, spread = float(low[k]), float(high[k]), float(found.spread[k])
        below, above = _share(bottom, watch.low, watch), _share(top, watch.high, watch)
        upper = above > below or (above == below and abs(top - watch.middle) >= abs(bottom - watch.middle))
        peak, limit = (top, watch.high) if upper else (bottom, watch.low)
        random = max(_share(bottom - spread, watch.low, watch), _share(top + spread, watch.high, watch))
        of = (watch.element, watch.net, watch.part, watch.quantity)
        size = None if mean is None else float(mean[k])
        listed.append(Demand(*of, peak, limit, max(below, above), random, size))
    return tuple(listed)


def _share(value: float, limit: float, watch: Watch) -> float:
    """Give the share of a limit that a value on its side uses, from where the part rests.

    Of a range without that place it is the share of its half width.
    """
    if math.isinf(limit):
        return 0.0
    if watch.low < watch.middle < watch.high:
        return max((value - watch.middle) / (limit - watch.middle), 0.0)
    if math.isinf(watch.low) or math.isinf(watch.high):
        outside = value > limit if limit == watch.high else value < limit
        return math.inf if outside else 0.0
    middle, half = 0.5 * (watch.low + watch.high), 0.5 * (watch.high - watch.low)
    return max((value - middle) / half * (1.0 if limit == watch.high else -1.0), 0.0)


def as_rows(found: Sequence[Demand]) -> list[dict[str, Any]]:
    """Give demands as plain objects for JSON, those that are used most first."""
    return [asdict(d) for d in sorted(found, key=lambda d: -d.share)]


def worst(found: Sequence[Demand]) -> dict[Quantity, Demand]:
    """Pick for every quantity the part that uses most of its limit; those without any known limit are left out."""
    known = [d for d in found if math.isfinite(d.limit)]
    return {q: max(of, key=lambda d: d.share) for q in UNITS if (of := [d for d in known if d.quantity == q])}


def said(demand: Demand) -> str:
    """Say in words what is asked of a part, and what it gives."""
    unit = UNITS[demand.quantity]
    asked, given = _rounded(abs(demand.peak), unit), _rounded(abs(demand.limit), unit)
    match demand.quantity:
        case "output current":
            return f"the output of {demand.element} needs {asked}, {demand.part} gives {given}"
        case "output voltage":
            asked, given = _rounded(demand.peak, unit), _rounded(demand.limit, unit)
            return f"the output of {demand.element} needs {asked}, {demand.part} reaches {given}"
        case "slew rate":
            return f"the output of {demand.element} needs {asked}, {demand.part} slews at {given}"
        case "common mode":
            asked, given = _rounded(demand.peak, unit), _rounded(demand.limit, unit)
            return f"the inputs of {demand.element} are at {asked}, {demand.part} takes {given}"
        case "input range":
            short = 100.0 * _lost(demand.share)
            return f"{demand.element} sees {asked} of its input range of {given}: its current is {short:.2g} % short"


def _rounded(value: float, unit: str) -> str:
    if unit == "V/s":
        return f"{1e-6 * value:.3g} V/us"
    return write(float(f"{value:.3g}"), unit)


def _lost(share: float) -> float:
    """Share of a transconductor's current that tanh takes."""
    return 0.0 if share == 0.0 else 1.0 - math.tanh(share) / share


def limit_warnings(circuit: Circuit, stimulus: Stimulus, *, random: bool = False) -> tuple[str, ...]:
    """Say in a line for every quantity which parts are asked for more than they give; none where all can.

    Of outputs and slew rates it is told from 95 % of the limit on, where the models of the other engines begin to
    saturate; of transconductors' inputs where 3e-4 of the current is lost.

    Parameters
    ----------
    circuit : Circuit
    stimulus : Tones or Recording
    random : bool
        Whether random offsets are drawn: what they reach at three sigma is then told, too.
    """
    models = [c.model for c in circuit.amplifiers]
    notes = [note for m in models if m.library is not None for note in m.library.notes]
    notes += [
        f"output swing: that of {m.name} is not given, and the supply stands in for it; give swing"
        for m in models
        if not m.ideal and not m.swing_known
    ]
    known = tuple(dict.fromkeys(notes))
    try:
        found = demands(circuit, stimulus)
    except LmuAnalogError:  # whoever runs the circuit says why it cannot be
        return known
    return (*known, *(line for quantity in UNITS for line in _lines(found, quantity, random)))


NOT_MODELLED: dict[Quantity, str] = {
    "output voltage": "the exact engine does not clip",
    "output current": "no engine limits it",
    "slew rate": "the exact engine does not slew",
    "common mode": "no engine knows it",
    "input range": "the exact engine is linear",
}


def _lines(found: Sequence[Demand], quantity: Quantity, random: bool) -> Iterator[str]:
    of = sorted((d for d in found if d.quantity == quantity), key=lambda d: -d.share)
    knee = KNEES.get(quantity, 1.0) + ROUNDING
    beyond = [d for d in of if d.share > knee or (quantity == "input range" and _lost(d.share) > NONLINEAR)]
    if beyond:
        names = list(dict.fromkeys(d.element for d in beyond))
        linear = (
            f" and is linear up to {100.0 * KNEE:g} % of it" if quantity in KNEES and beyond[0].kept else ""
        )
        more = f", and {len(names) - 1} more like it" if len(names) > 1 else ""
        yield f"{quantity}: {said(beyond[0])}{linear}{more}; {NOT_MODELLED[quantity]}"
    elif random and (deviated := [d for d in of if d.random_share > 1.0 + ROUNDING]):
        worst_one = max(deviated, key=lambda d: d.random_share)
        yield (
            f"{quantity}: random offsets of three sigma take {worst_one.element} to "
            f"{100.0 * worst_one.random_share:.3g} % of its limit; {NOT_MODELLED[quantity]}"
        )
