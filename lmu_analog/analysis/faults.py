"""Which element of a built circuit is wrong: hypotheses of a single fault, simulated exactly, beside a healthy board.

The recorded states are those of a circuit whose elements deviate within their tolerances, of which one may besides
have any value from open to short, or two may be exchanged. Each such hypothesis is fitted to the recording by
maximum a posteriori likelihood (Gauss-Newton with exact simulations): tolerances are the prior, and the charges at
the start, an offset and a small gain error of every channel are unknown too, so a recording needs no known past.
The fault is the hypothesis that fits best, if it beats the healthy board by a likelihood ratio that healthy boards
reach as often as the level says (Wilks, Ann. Math. Statist. 9, 1938, with Bonferroni's bound over all hypotheses);
what fits nearly as well cannot be told apart from it, and is named with it.

Both sides of the comparison go through one Gaussian filter, so that only the signal's band counts, and hypotheses
are evaluated in the frequency domain on a circle: what that assumes before the recording is a free response of the
circuit, which the unknown charges take up, whether it decays or grows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy import linalg, signal
from scipy.fft import next_fast_len
from scipy.interpolate import CubicSpline
from scipy.stats import chi2

from lmu_analog.analysis.measurement import Measurement
from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit, with_values
from lmu_analog.circuits.components import Capacitor, DifferentialOpAmp, OpAmp, Resistor
from lmu_analog.circuits.nodal.altered import Altered, altered
from lmu_analog.circuits.nodal.clamped import operating_point
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.memory import window
from lmu_analog.mismatch.law import TRUNCATION, Mismatch, relative_deviations
from lmu_analog.simulation import Grid, exact_states, settling
from lmu_analog.stimulus import Recording

LEVEL = 0.01  # healthy boards that are called faulty
ACCURACY = 1e-3  # of a channel: what its gain may be off by, one sigma
TOLERANCE = 0.01  # three sigma, of elements whose class the design leaves exact: no part is
AMPLIFIER = 0.1  # one sigma, of what the design says nothing about of its amplifiers
FLOOR = 2e-4  # of a channel's rms: no record is better, nor is the model of a part
UNEXPLAINED = 5e-3  # of a channel's rms: more is no circuit of linear parts with one fault
MOST_ELEMENTS = 600
_MOST_POINTS = 640  # of a channel that are compared: what lies before is left out
_COARSE_POINTS = 256  # of a channel in the search for candidates
_CLOSE_PAIRS = (
    1500  # pairs that are looked at with their own unknown charges: of more, the best of a quicker look
)
_AT_ONCE = 128  # pairs in one call
_SMOOTH = 0.133  # sigma of the filter in periods of the band's end, which it lets pass by 0.7
_REACH = 6.0  # sigmas to either side of the filter
_RATE = 100  # points in a theta of a recording that is made here
_FEWEST = 30  # points of a recording that are worth a comparison
_STEPS = 2  # points in a sigma: the filter leaves 3e-9 at half that rate
_FINE = 8  # finer points before the filter in one after it, at least
_FREE = 1e6  # prior deviation of what is unknown, in those of the noise
_EXTREME = 1e6  # ratio of admittances that is open or short
_OPEN = 0.02  # ratio below which the part is called so
_GRID = (1 / _EXTREME, 0.02, 0.1, 0.25, 0.5, 0.7, 0.85, 0.93, 1.07, 1.17, 1.4, 2.0, 4.0, 10.0, 50.0, _EXTREME)
_SHARPEN = 4  # halvings of the grid's spacing around its best point
_ITERATIONS = 6  # of Gauss and Newton
_SETTLED = 0.05  # of the cost: twice a logarithm of likelihood
_CANDIDATES = 10  # hypotheses that are fitted in full
_WORTH = 4.0  # by which a hypothesis must cost less than a healthy board in the search, to be fitted
_WORSE = 10.0  # of the least cost in the search: what costs more is not fitted
_UNLIKELY = 1e-6  # that parts within tolerances deviate so far, all together
_SAME = chi2.isf(0.01, 1)  # a hypothesis that is worse by more is told apart
_INTERVAL = 1.96  # sigmas: 95 %
_HEADROOM = 0.94  # of the swing: beyond it outputs begin to saturate
_STUCK = 0.95  # of the time beyond that: the output is at its rail
_NEAR = 0.05  # of the swing: so near must an operating point be to what was recorded
_GONE = 1e9  # ratio of values that is open or short at rest
_LARGER = 1.03  # ratio of two values that are worth exchanging


@dataclass(frozen=True)
class Fault:
    """One hypothesis that explains a recording.

    Attributes
    ----------
    kind : {"value", "open", "short", "swap"}
    elements : tuple of str
        The component, or the two that are exchanged.
    factor, low, high : float
        Value over the nominal one and its 95 % interval; inf of an open resistor. 1 of a swap.
    ratio : float
        Twice the logarithm of its likelihood over that of the healthy board.
    """

    kind: Literal["value", "open", "short", "swap"]
    elements: tuple[str, ...]
    factor: float
    low: float
    high: float
    ratio: float


@dataclass(frozen=True)
class Diagnosis:
    """What a recording says of the parts of a board.

    Attributes
    ----------
    faults : tuple of Fault
        What cannot be told apart, the best first; none for a board within its tolerances.
    ratio, threshold : float
        Twice the logarithm of the best likelihood ratio, and what it must exceed.
    level : float
        Healthy boards that exceed it, at most.
    hypotheses : int
        How many faults were simulated.
    residual : float
        What the best of all leaves of the recording, rms, as a fraction of a channel's rms.
    explained : bool
        Whether that is little enough for a circuit of linear parts, and the other parts are within their
        tolerances; if not, outputs saturate, or more than one part is wrong, and there are no faults.
    start, stop : float, s
        The part of the recording that was compared, on its own clock.
    groups : tuple of tuple of str
        Elements whose errors of 10 % this input cannot tell apart.
    evidence : {"response", "operating point"}
        Whether hypotheses were compared by what the recording shows of the input, or, where outputs stay at
        their rails, by the voltages at rest; ratios and residual are then NaN.
    """

    faults: tuple[Fault, ...]
    ratio: float
    threshold: float
    level: float
    hypotheses: int
    residual: float
    explained: bool
    start: float
    stop: float
    groups: tuple[tuple[str, ...], ...]
    evidence: Literal["response", "operating point"] = "response"


@dataclass(frozen=True, eq=False)
class _Data:
    """A recording behind its filter, and what turns responses into times.

    Attributes
    ----------
    s : (f,) complex array, 1/s
    drive, impulse : (f,) complex arrays
        Spectra of the input, V, and of a unit impulse at the start.
    growth : (n,) array
        Undoes the damping that the real part of ``s`` is, at the instants that are compared.
    first, count : int
        Which instants of the circle these are, and how many the circle has.
    values : (n, c) array, V
    sigma : (c,) array, V
        Of the noise behind the filter.
    """

    s: np.ndarray
    drive: np.ndarray
    impulse: np.ndarray
    growth: np.ndarray
    first: int
    count: int
    values: Float[np.ndarray, "n c"]
    sigma: Float[np.ndarray, " c"]

    def whitened(self, spectra: np.ndarray, part: slice = slice(None)) -> np.ndarray:
        """Give spectra (f, c, k) at the compared instants, or a part of them, over the noise, (n c, k)."""
        waves = np.fft.irfft(spectra, self.count, axis=0)[self.first : self.first + len(self.growth)][part]
        waves *= self.growth[part, None, None] / self.sigma[:, None]
        return waves.reshape(-1, spectra.shape[2])

    def simulated(self, responses: np.ndarray, part: slice = slice(None)) -> np.ndarray:
        """Give what ``Altered.responses`` are on this recording: the driven one, then the free ones, (n c, k)."""
        spectra = responses * self.impulse[:, None, None]
        spectra[:, :, 0] = responses[:, :, 0] * self.drive[:, None]
        return self.whitened(spectra, part)


@dataclass(frozen=True, eq=False)
class _Problem:
    """A circuit, its tolerances and a recording of it.

    ``prior`` (e, z) turns independent unit deviations into logarithms of admittances; ``target`` (n c,) is the
    recording over its noise, and ``channels`` (n c, 2 c) what gains and offsets of channels do to it.
    """

    circuit: Circuit
    rows: np.ndarray | None
    data: _Data
    nominal: Altered
    prior: np.ndarray
    target: np.ndarray
    channels: np.ndarray


@dataclass(frozen=True, eq=False)
class _Fitted:
    """A hypothesis after its fit.

    ``cost`` is twice the negative logarithm of its likelihood, of which ``strain`` is what deviations within
    tolerances cost; then the admittance ratio of the free element with its interval.
    """

    cost: float
    strain: float
    ratio: float = 1.0
    low: float = 1.0
    high: float = 1.0


def diagnose(
    design: Design,
    measurement: Measurement,
    *,
    circuit: Circuit,
    level: float = LEVEL,
    accuracy: float = ACCURACY,
) -> Diagnosis:
    """Find the part of a built circuit that is wrong, if one is.

    Parameters
    ----------
    design : Design
        Its mismatch is what healthy parts may deviate by; 1 % where it is silent.
    measurement : Measurement
    circuit : Circuit
        What the board is meant to be.
    level : float
        Fraction of healthy boards that may be called faulty.
    accuracy : float
        Gain error of the recorder's channels, one sigma.

    Raises
    ------
    DesignError
        If the circuit is sampled or nonlinear, too large, or the recording too short.
    """
    if (stuck := _stuck(design, measurement, circuit, level)) is not None:
        return stuck
    start, stop, problem = _problem(design, measurement, circuit, accuracy)
    singles, pairs = _hypotheses(problem)
    found = _candidates(problem, singles, pairs)
    healthy = _fit(problem, circuit.values, None)
    fits = [(one, ratio, _fit_of(problem, one, ratio)) for one, ratio in found]
    points = len(problem.target)
    best = min([healthy, *(fit for *_, fit in fits)], key=lambda fit: fit.cost)
    left = (best.cost - best.strain) / points
    scale = max(left, 1.0)  # noise that the recording has beyond what was assumed
    residual = float(FLOOR * np.sqrt(left))
    explained = residual < UNEXPLAINED and best.strain < float(chi2.isf(_UNLIKELY, problem.prior.shape[1]))
    count = len(singles) + len(pairs)
    threshold = float(chi2.isf(level / max(count, 1), 1))
    ratios = [(healthy.cost - fit.cost) / scale for *_, fit in fits]
    largest = max(ratios, default=0.0)
    faults: tuple[Fault, ...] = ()
    if largest > threshold and explained:
        order = np.argsort(ratios)[::-1]
        near = [k for k in order if largest - ratios[k] < _SAME]
        faults = tuple(_fault(problem, fits[k][0], fits[k][2], ratios[k]) for k in near)
    return Diagnosis(
        faults,
        float(largest),
        threshold,
        level,
        count,
        residual,
        explained,
        start,
        stop,
        groups_of(problem),
    )


def _problem(
    design: Design, measurement: Measurement, circuit: Circuit, accuracy: float
) -> tuple[float, float, _Problem]:
    if circuit.clock is not None or circuit.small_signal is not None:
        what = "sampled" if circuit.clock is not None else "nonlinear"
        raise DesignError(f"faults are looked for in linear circuits in continuous time; this one is {what}")
    if len(circuit.parameters) > MOST_ELEMENTS:
        raise DesignError(
            f"{len(circuit.parameters)} parameters; faults are looked for among at most {MOST_ELEMENTS}"
        )
    start, stop = _linear_part(design, measurement, circuit)
    data = _data(design, measurement, start, stop)
    rows = window.readout(design.order, measurement.r) if measurement.kind == "taps" else None
    nominal = altered(circuit, data.s, rows)
    target = (data.values / data.sigma).ravel()
    width = data.values.shape[1]
    one = np.broadcast_to(np.eye(width), (*data.values.shape, width))
    gains = (accuracy * one * (data.values / data.sigma)[:, :, None]).reshape(-1, width)
    offsets = _FREE * one.reshape(-1, width) / np.sqrt(len(data.values))
    prior = _prior(design, circuit, nominal)
    return start, stop, _Problem(circuit, rows, data, nominal, prior, target, np.hstack([gains, offsets]))


def _prior(design: Design, circuit: Circuit, nominal: Altered) -> np.ndarray:
    """Give what healthy parts deviate by, (e, z): local draws, lots, and what the design does not say."""
    place = {int(p): k for k, p in enumerate(nominal.parameter)}
    columns: dict[object, np.ndarray] = {}
    known = set[int]()
    for parameter, draw, spread, distribution in relative_deviations(circuit, Mismatch.of(design)):
        if (k := place.get(parameter)) is None:
            continue
        known.add(k)
        by = {"gauss3": TRUNCATION, "uniform": np.sqrt(3.0)}.get(distribution, 1.0)
        columns.setdefault(draw, np.zeros(len(place)))[k] = spread / by
    for k in set(range(len(place))) - known:
        columns["own", k] = np.zeros(len(place))
        columns["own", k][k] = TOLERANCE / TRUNCATION if nominal.is_element[k] else AMPLIFIER
    return np.array(list(columns.values())).reshape(-1, len(place)).T


def _net_volts(measurement: Measurement, circuit: Circuit) -> tuple[list[str], np.ndarray] | None:
    """Give the nets that recorded states read, and their voltages (t, n); None where these do not follow."""
    nets = list(dict.fromkeys(t.of for p in circuit.probes for t in p if t.kind == "v"))
    if measurement.kind != "states" or len(nets) > circuit.order or not circuit.amplifiers:
        return None
    matrix = np.array([[sum(t.factor for t in p if t.of == net) for net in nets] for p in circuit.probes])
    return nets, measurement.values @ np.linalg.pinv(matrix).T


def _limit(design: Design, circuit: Circuit) -> float:
    """Give the voltage up to which outputs are linear, V."""
    return _HEADROOM * min(design.rail, *(c.model.swing for c in circuit.amplifiers))


def _linear_part(design: Design, measurement: Measurement, circuit: Circuit) -> tuple[float, float]:
    """Give the longest part of a recording whose outputs, as far as it shows them, stay in their linear range, s."""
    time = measurement.time
    if (found := _net_volts(measurement, circuit)) is None:
        return 0.0, float(time[-1])
    beyond = np.abs(found[1]).max(axis=1) > _limit(design, circuit)
    edges = np.flatnonzero(np.diff(np.concatenate([[True], beyond, [True]]).astype(int)))
    begins, ends = edges[::2], edges[1::2] - 1
    if not len(begins):
        return 0.0, 0.0
    longest = int(np.argmax(time[ends] - time[begins]))
    return float(time[begins[longest]]), float(time[ends[longest]])


def _stuck(design: Design, measurement: Measurement, circuit: Circuit, level: float) -> Diagnosis | None:
    """Explain outputs that stay at their rails by what is open or short; None if none does, or nothing explains it."""
    found = None if circuit.clock is not None or circuit.small_signal else _net_volts(measurement, circuit)
    if found is None or circuit.only(DifferentialOpAmp) or any(c.model.ideal for c in circuit.only(OpAmp)):
        return None
    nets, volts = found
    limit = _limit(design, circuit)
    # At one rail: an output that swings between both is none of an operating point.
    at_rail = np.maximum(np.mean(volts > limit, axis=0), np.mean(volts < -limit, axis=0)) > _STUCK
    if not at_rail.any():
        return None
    mean, near = volts.mean(axis=0), _NEAR * limit / _HEADROOM
    faults: list[Fault] = []
    parts = circuit.only(Resistor, Capacitor)
    place = {p.name: k for k, p in enumerate(circuit.parameters)}
    for part in parts:
        for factor in (_GONE, 1.0 / _GONE):
            values = circuit.values.copy()
            values[place[part.name]] *= factor
            moved = with_values(circuit, values)
            points = [operating_point(moved, sign=sign) for sign in (1.0, -1.0)]
            if any(
                p and max(abs(p[net] - m) for net, m in zip(nets, mean, strict=True)) < near for p in points
            ):
                kind = "open" if isinstance(part, Resistor) == (factor > 1.0) else "short"
                end = np.inf if factor > 1.0 else 0.0
                faults.append(Fault(kind, (part.name,), end, end, end, float("nan")))
    if not faults:
        return None
    time, unknown = measurement.time, float("nan")
    whole = float(time[0]), float(time[-1])
    count = 2 * len(parts)
    return Diagnosis(
        tuple(faults), unknown, unknown, level, count, unknown, True, *whole, (), "operating point"
    )


def _data(design: Design, measurement: Measurement, start: float, stop: float) -> _Data:
    """Filter a recording, thin it, and lay it on a circle with a smooth return to zero."""
    sigma = _SMOOTH / max(design.bandwidth, 0.5 / design.theta)
    if np.count_nonzero((measurement.time >= start) & (measurement.time <= stop)) < _FEWEST:
        raise DesignError("too little of the recording lies within the linear range to look for faults")
    sigma = min(sigma, (stop - start) / (10.0 * _REACH))
    step = sigma / _STEPS
    start = max(start, stop - _MOST_POINTS * step - 2.0 * _REACH * sigma)
    recorded = float(np.median(np.diff(measurement.time)))
    finer = int(np.ceil(max(_FINE / _STEPS, min(step / recorded, 200_000 * step / (stop - start)))))
    fine = step / finer
    count = int((stop - start) / fine) + 1
    time = start + fine * np.arange(count)
    reach = int(np.ceil(_REACH * _STEPS)) * finer
    kernel = np.exp(-0.5 * (fine * np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    inside = (measurement.time >= start - recorded) & (measurement.time <= stop + recorded)
    outputs = CubicSpline(measurement.time[inside], measurement.values[inside])(time)
    values = signal.oaconvolve(outputs, kernel[:, None], "valid", axes=0)[::finer]
    # Before and behind lies what the circuit may remember of any past: a smooth way from and to zero.
    lead = 2 * reach
    shape = np.sin(0.5 * np.pi * np.arange(lead) / lead) ** 2
    given = CubicSpline(measurement.time[inside], measurement.input[inside])(time)
    extended = np.concatenate(
        [np.zeros(reach), given[0] * shape, given, given[-1] * shape[::-1], np.zeros(reach)]
    )
    drive = (
        np.convolve(extended, kernel, "same")
        if len(extended) < 5000
        else signal.oaconvolve(extended, kernel, "same")
    )
    drive = drive[::finer]
    circle = int(next_fast_len(len(drive), real=True) or len(drive))
    instants = step * np.arange(circle)
    damping = 1.0 / (step * circle)  # so that no pole of a hypothesis lies on a frequency
    damped = np.zeros(circle)
    damped[: len(drive)] = drive
    first = (reach + lead + reach) // finer  # of what is compared; the impulse is a reach earlier
    origin = instants[(reach + lead) // finer]
    impulse = np.exp(-0.5 * ((instants - origin) / sigma) ** 2)
    fade = np.exp(-damping * instants)
    s = damping + 2j * np.pi * np.arange(circle // 2 + 1) / (step * circle)
    rms = np.sqrt(np.mean((values - values.mean(axis=0)) ** 2, axis=0))
    # Behind the filter noise is correlated: white noise that is as dense in the band counts for it.
    noise = _recorder_noise(measurement) * np.sqrt(recorded / step)
    floor = np.hypot(FLOOR * np.maximum(rms, 0.1 * rms.max()), noise)
    if not rms.any():
        raise DesignError("the recorded channels are constant: no fault can be told from them")
    span = slice(first, first + len(values))
    return _Data(
        s,
        np.fft.rfft(fade * damped),
        np.fft.rfft(fade * impulse),
        1.0 / fade[span],
        first,
        circle,
        values,
        floor,
    )


def _recorder_noise(measurement: Measurement) -> np.ndarray:
    """Estimate the noise of every channel from third differences, which a smooth signal hardly has, (c,)."""
    third = np.diff(measurement.values, 3, axis=0)
    if not len(third):
        return np.zeros(measurement.values.shape[1])
    return np.median(np.abs(third), axis=0) / (0.6745 * np.sqrt(20.0))


_Hypothesis = tuple[
    int, ...
]  # places in Altered.parameter: of the one element that is free, or of two exchanged


def _hypotheses(problem: _Problem) -> tuple[list[_Hypothesis], list[_Hypothesis]]:
    """List single elements, and pairs of a kind with different values."""
    known = problem.nominal
    singles = [int(k) for k in np.flatnonzero(known.is_element)]
    values = problem.circuit.values[known.parameter]
    kinds = [problem.circuit.parameters[p].name[0] for p in known.parameter]
    pairs = [
        (a, b)
        for a, b in combinations(singles, 2)
        if kinds[a] == kinds[b] and max(values[a], values[b]) > _LARGER * min(values[a], values[b])
    ]
    return [(k,) for k in singles], pairs


def _exchanged(problem: _Problem, pair: _Hypothesis) -> np.ndarray:
    """Give the admittances of two elements that are exchanged, over their own, (2,)."""
    a, b = problem.circuit.values[problem.nominal.parameter[list(pair)]]
    ratio = b / a
    return np.array([1.0 / ratio, ratio] if problem.nominal.is_reciprocal[pair[0]] else [ratio, 1.0 / ratio])


class _Coarse:
    """Costs of hypotheses with the healthy circuit's slopes for what else deviates: quick, and right near it.

    Only every second instant of the last part is compared, which the filter's band needs no more of.
    """

    def __init__(self, problem: _Problem) -> None:
        self.problem, data = problem, problem.data
        count = len(data.values)
        self.part = slice(max(0, count - 2 * _COARSE_POINTS), count, 2)
        kept = np.zeros((count, data.values.shape[1]), bool)
        kept[self.part] = True
        self.target = problem.target[kept.ravel()]
        none = np.zeros(len(problem.nominal.storing))
        self.slopes = data.whitened(problem.nominal.slopes(data.drive, data.impulse, none), self.part)
        self.known = np.hstack([self.slopes @ problem.prior, problem.channels[kept.ravel()]])
        self.factor = linalg.cholesky(np.eye(self.known.shape[1]) + self.known.T @ self.known, lower=True)
        self.lower = linalg.solve_triangular(self.factor, self.known.T, lower=True)

    def gram(self, columns: np.ndarray) -> np.ndarray:
        """Give inner products of columns (n, k) weighted with the inverse covariance, (k, k)."""
        part = self.lower @ columns
        return columns.T @ columns - part.T @ part

    def charges(self) -> np.ndarray:
        """Give what unknown charges of the nominal circuit show, each of norm one, (n, k)."""
        waves = self.problem.data.simulated(self.problem.nominal.responses((), np.zeros(0)), self.part)[:, 1:]
        return _unit(waves)

    def cost(self, elements: _Hypothesis, ratio: np.ndarray) -> float:
        """Give the cost of a hypothesis with admittances over the nominal ones, (k,)."""
        waves = self.problem.data.simulated(self.problem.nominal.responses(elements, ratio - 1.0), self.part)
        products = self.gram(np.hstack([(self.target - waves[:, 0])[:, None], _unit(waves[:, 1:])]))
        own = products[1:, 1:] + np.eye(len(products) - 1) / _FREE
        return float(products[0, 0] - products[0, 1:] @ np.linalg.solve(own, products[1:, 0]))

    def quick_costs(self, pairs: np.ndarray, ratios: np.ndarray) -> np.ndarray:
        """Give about the cost of pairs (k, 2): charges act as in the nominal circuit; (k,)."""
        charges, data = self.charges(), self.problem.data
        own = self.gram(charges) + np.eye(charges.shape[1]) / _FREE
        found = []
        for k in range(0, len(pairs), _AT_ONCE):
            outputs = self.problem.nominal.driven(pairs[k : k + _AT_ONCE], ratios[k : k + _AT_ONCE] - 1.0)
            left = self.target[:, None] - data.whitened(outputs * data.drive[:, None, None], self.part)
            part = self.lower @ left
            beside = charges.T @ left - (self.lower @ charges).T @ part
            power = np.sum(left**2, axis=0) - np.sum(part**2, axis=0)
            found.append(power - np.sum(beside * np.linalg.solve(own, beside), axis=0))
        return np.concatenate(found) if found else np.zeros(0)

    def best(self, elements: _Hypothesis) -> tuple[float, float]:
        """Give the smallest cost over the values of one element, and the admittance over its own there."""
        grid = np.log(_GRID)
        costs = [self.cost(elements, np.exp([x])) for x in grid]
        k = int(np.argmin(costs))
        low, middle, high = grid[max(k - 1, 0)], grid[k], grid[min(k + 1, len(grid) - 1)]
        cost = costs[k]
        for _ in range(_SHARPEN):
            tried = [
                (self.cost(elements, np.exp([x])), x) for x in (0.5 * (low + middle), 0.5 * (middle + high))
            ]
            least, at = min(tried)
            if least < cost:
                cost = least
                low, middle, high = (low, at, middle) if at < middle else (middle, at, high)
            else:
                low, high = tried[0][1], tried[1][1]
        return cost, float(np.exp(middle))


def _candidates(
    problem: _Problem, singles: Sequence[_Hypothesis], pairs: Sequence[_Hypothesis]
) -> list[tuple[_Hypothesis, float]]:
    """Choose the hypotheses that are worth a full fit, with where to begin."""
    coarse = _Coarse(problem)
    costs = [(*coarse.best(one), one) for one in singles]
    if pairs:
        ratios = np.array([_exchanged(problem, pair) for pair in pairs])
        first = np.argsort(coarse.quick_costs(np.array(pairs), ratios))[:_CLOSE_PAIRS]
        costs += [(coarse.cost(pairs[k], ratios[k]), 1.0, pairs[k]) for k in first]
    costs.sort(key=lambda found: found[0])
    healthy = coarse.cost((), np.zeros(0))
    worst = costs[0][0] * _WORSE + len(coarse.target) if costs else 0.0
    return [
        (one, ratio) for cost, ratio, one in costs[:_CANDIDATES] if healthy - cost > _WORTH and cost < worst
    ]


def _unit(columns: np.ndarray) -> np.ndarray:
    """Scale columns to norm one."""
    size = np.linalg.norm(columns, axis=0)
    return columns / np.where(size > 0.0, size, 1.0)


def _fit_of(problem: _Problem, hypothesis: _Hypothesis, ratio: float) -> _Fitted:
    values = problem.circuit.values.copy()
    if len(hypothesis) == 1:
        return _fit(problem, values, hypothesis[0], ratio)
    places = problem.nominal.parameter[list(hypothesis)]
    values[places] = values[places[::-1]]
    return _fit(problem, values, None)


def _fit(problem: _Problem, values: np.ndarray, free: int | None, ratio: float = 1.0) -> _Fitted:
    """Fit all that is unknown: deviations within tolerances, charges, channels, and one element that is free."""
    known, data = problem.nominal, problem.data
    prior = problem.prior.copy()
    if free is not None:
        prior[free] = 0.0
    sign = np.where(known.is_reciprocal, -1.0, 1.0)
    deviation, x = np.zeros(len(prior)), ratio
    charges = np.zeros(len(known.storing))
    cost, spread, strain = np.inf, 0.0, 0.0
    below = ratio < 1.0  # then the admittance is sought, and else its inverse: both ends are numbers
    for _ in range(_ITERATIONS):
        before = cost
        logs = deviation.copy()
        if free is not None:
            logs[free] = np.log(x)
        moved = values.copy()
        moved[known.parameter] *= np.exp(sign * logs)
        here = altered(with_values(problem.circuit, moved), data.s, problem.rows)
        waves = data.simulated(here.responses((), np.zeros(0)))
        # What elements do to the free response is known once the charges are.
        slopes = data.whitened(here.slopes(data.drive, data.impulse, charges))
        size = np.maximum(np.linalg.norm(waves[:, 1:], axis=0), 1e-300)
        columns = [slopes @ prior, problem.channels, waves[:, 1:] * (_FREE / size)]
        residual = problem.target - waves[:, 0] + slopes @ deviation
        if free is not None:
            own = slopes[:, [free]] * (1.0 / x if below else -x)
            columns.append(own * _FREE)
        matrix = np.hstack(columns)
        width = matrix.shape[1]
        stacked = np.vstack([matrix, np.eye(width)])
        q, r = np.linalg.qr(stacked)
        right = q[: len(residual)].T @ residual
        solution = linalg.solve_triangular(r, right)
        cost = float(residual @ residual - right @ right)
        strain = float(np.sum(solution[: prior.shape[1]] ** 2))
        deviation = prior @ solution[: prior.shape[1]]
        first = prior.shape[1] + problem.channels.shape[1]
        charges = _FREE / size * solution[first : first + len(size)]
        if free is not None:
            step = _FREE * solution[-1]
            spread = abs(_FREE / r[-1, -1])
            at = x if below else 1.0 / x
            at = float(np.clip(at + np.clip(step, -0.7 * at, 2.0 * max(at, 0.1)), 1.0 / _EXTREME, 1.5))
            x = at if below else 1.0 / at
        if abs(cost - before) < _SETTLED:
            break
    if free is None:
        return _Fitted(cost, strain)
    at = x if below else 1.0 / x
    low, high = max(at - _INTERVAL * spread, 0.0), at + _INTERVAL * spread
    if below:
        return _Fitted(cost, strain, at, low, high)
    return _Fitted(cost, strain, 1.0 / at, 1.0 / high, np.inf if low == 0.0 else 1.0 / low)


def _fault(problem: _Problem, hypothesis: _Hypothesis, fit: _Fitted, ratio: float) -> Fault:
    names = tuple(
        problem.circuit.parameters[p].component for p in problem.nominal.parameter[list(hypothesis)]
    )
    if len(hypothesis) == 2:
        return Fault("swap", names, 1.0, 1.0, 1.0, ratio)
    kind: Literal["value", "open", "short"] = "value"
    if fit.ratio < _OPEN:
        kind = "open"
    elif fit.ratio > 1.0 / _OPEN:
        kind = "short"
    ends = [fit.ratio, fit.low, fit.high]
    if problem.nominal.is_reciprocal[hypothesis[0]]:
        ends = [np.inf if x == 0.0 else 1.0 / x for x in (fit.ratio, fit.high, fit.low)]
    return Fault(kind, names, float(ends[0]), float(ends[1]), float(ends[2]), ratio)


def alike(design: Design) -> tuple[tuple[str, ...], ...]:
    """Group the elements that a recording of a design's own test signal cannot tell apart.

    Raises
    ------
    DesignError
        As ``diagnose``.
    """
    circuit = build(design)
    system = extract(circuit)
    step = design.theta / _RATE
    span = settling(system, design.theta) + design.theta + 10.0 / design.bandwidth
    time = step * np.arange(int(span / step))
    drive = design.stimulus(time)
    states = exact_states(system, Grid(Recording(step, drive), time, drive))
    measurement = Measurement(time, drive, "states", states, np.empty(0))
    return groups_of(_problem(design, measurement, circuit, ACCURACY)[2])


def groups_of(problem: _Problem, error: float = 0.1) -> tuple[tuple[str, ...], ...]:
    """Group the elements whose errors of a size look alike behind tolerances, noise and unknown charges."""
    coarse, known = _Coarse(problem), problem.nominal
    chosen = np.flatnonzero(known.is_element)
    charges = coarse.charges()
    products = coarse.gram(np.hstack([charges, error * coarse.slopes[:, chosen]]))
    k = charges.shape[1]
    own = products[:k, :k] + np.eye(k) / _FREE
    seen = products[k:, k:] - products[k:, :k] @ np.linalg.solve(own, products[:k, k:])
    power = np.maximum(np.diag(seen), 1e-300)
    # What is left of one after the best multiple of the other.
    left = power[:, None] - seen**2 / power
    alike = (left < _SAME) & (left.T < _SAME)
    names = [problem.circuit.parameters[p].component for p in known.parameter[chosen]]
    groups: list[tuple[str, ...]] = []
    seen_already = set[int]()
    for k in range(len(names)):
        if k in seen_already:
            continue
        members = {k}
        while len(more := {int(j) for i in members for j in np.flatnonzero(alike[i])} | members) > len(
            members
        ):
            members = more
        seen_already |= members
        if len(members) > 1:
            groups.append(tuple(names[j] for j in sorted(members)))
    return tuple(groups)
