"""Many chips: their window errors as built, after one trim of the common bias, and with theta fitted."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Complex, Float

from lmu_analog.engine import native
from lmu_analog.errors import SimulationError
from lmu_analog.memory import window
from lmu_analog.silicon.compiled import Compiled, compiled, samples
from lmu_analog.silicon.draws import Deviations, nominal, spread
from lmu_analog.silicon.laws import Laws, laws
from lmu_analog.silicon.samples import BLOCK, TIMEOUT, Bench, Measured, measured, settled
from lmu_analog.silicon.small_signal import Engine
from lmu_analog.spice.session import Session
from lmu_analog.spice.worker import Worker

Measure = Callable[[Deviations, Float[np.ndarray, " s"]], Measured]
FACTORS = np.geomspace(0.5, 2.0, 1401)  # of theta that are tried: steps of .1 %, polished by a parabola
COARSE = 10  # of these factors, which are tried first
TOGETHER = 32  # chips whose windows of their own fit a core's cache
FRESH = 16  # blocks of samples that one process of ngspice takes
TRIMS = 2  # corrections of the bias, each from the response that the one before left
TRIED = 1.02  # factor of the bias at which the nominal circuit says how theta follows it


@dataclass(frozen=True, eq=False)
class Errors:
    """Window NRMSE of some chips, fractions of rms(u), offsets of states removed.

    Attributes
    ----------
    built, trimmed, fitted : (s,) array
        As built; after one trim of the common bias; as built, against the window whose length fits best.
    theta, theta_trimmed : (s,) array, s
        Window length that fits best, before and after the trim.
    trim : (s,) array
        Factor of the common bias.
    before, after : Measured
        As built, and after the trim.
    """

    built: Float[np.ndarray, " s"]
    trimmed: Float[np.ndarray, " s"]
    fitted: Float[np.ndarray, " s"]
    theta: Float[np.ndarray, " s"]
    theta_trimmed: Float[np.ndarray, " s"]
    trim: Float[np.ndarray, " s"]
    before: Measured
    after: Measured

    def of(self, samples: np.ndarray | slice) -> "Errors":
        """Give those of some samples."""
        return Errors(**{f.name: _some(getattr(self, f.name), samples) for f in fields(self)})


def _some(values: Any, samples: np.ndarray | slice) -> Any:
    return values.of(samples) if isinstance(values, Measured) else values[samples]


def joined_errors(parts: list[Errors]) -> Errors:
    """Put stretches of samples together."""
    numbers = {
        f.name: np.concatenate([getattr(p, f.name) for p in parts])
        for f in fields(Errors)
        if f.name not in ("before", "after")
    }
    return Errors(**numbers, before=joined([p.before for p in parts]), after=joined([p.after for p in parts]))


def errors(
    measure: Measure,
    sample: Deviations,
    bench: Bench,
    *,
    nominal_sample: Deviations,
    wanted: float | None = None,
) -> Errors:
    """Measure some chips, trim the bias of each so that its window has the wanted length, and measure again.

    Parameters
    ----------
    measure : callable
        From samples and factors of the bias to what is measured: an engine.
    sample : Deviations
    bench : Bench
    nominal_sample : Deviations
        One sample in which nothing deviates: how theta follows the bias is seen there.
    wanted : float, s, optional
        Window length to which small signals are trimmed; that of the circuit unless given. A circuit that is right at
        full amplitude has a shorter one, as compression lengthens it.
    """
    exponent = bias_exponent(measure, bench, nominal_sample=nominal_sample)
    return errors_with(measure, sample, bench, exponent=exponent, wanted=wanted)


def errors_with(
    measure: Measure, sample: Deviations, bench: Bench, *, exponent: float, wanted: float | None = None
) -> Errors:
    """Do the same where ``bias_exponent`` is known."""
    theta, frequency = bench.circuit.theta, bench.frequency
    goal = wanted or theta
    trim = np.ones(len(sample))
    before = after = measure(sample, trim)
    first = found = fitted_theta(before.states, frequency, theta)
    for _ in range(TRIMS):
        known = np.isfinite(found)
        trim = np.where(known, trim * (np.where(known, found, goal) / goal) ** (-1.0 / exponent), trim)
        after = measure(sample, trim)
        found = fitted_theta(after.states, frequency, theta)
    return Errors(
        window_errors(before.states, frequency, theta),
        window_errors(after.states, frequency, theta),
        own_window_errors(before.states, frequency, first),
        first,
        found,
        trim,
        before,
        after,
    )


def bias_exponent(measure: Measure, bench: Bench, *, nominal_sample: Deviations) -> float:
    """Give d ln(theta)/d ln(bias) of the nominal circuit: -1 in weak inversion, -1/2 far in strong."""
    ends = [
        fitted_theta(measure(nominal_sample, np.array([f])).states, bench.frequency, bench.circuit.theta)[0]
        for f in (1.0, TRIED)
    ]
    return float(np.log(ends[1] / ends[0]) / np.log(TRIED))


def window_errors(
    states: Complex[np.ndarray, "s k d"],
    frequency: Float[np.ndarray, " k"],
    theta: float,
    *,
    offset: Float[np.ndarray, "s d"] | None = None,
    amplitude: float = 1.0,
) -> Float[np.ndarray, " s"]:
    """Give the NRMSE over the window for tones of one amplitude, V each, in the band."""
    return window_profiles(states, frequency, theta, offset=offset, amplitude=amplitude)[1]


def window_profiles(
    states: Complex[np.ndarray, "s k d"],
    frequency: Float[np.ndarray, " k"],
    theta: float,
    *,
    offset: Float[np.ndarray, "s d"] | None = None,
    amplitude: float = 1.0,
) -> tuple[Float[np.ndarray, "s q"], Float[np.ndarray, " s"]]:
    """Give the error at the points of the window, and over all of it, for tones of one amplitude, V each."""
    tones = frequency, np.full(len(frequency), amplitude + 0.0j)
    rule = window.quadrature_for(states.shape[-1], tones, theta)
    profile = window.tone_profile(amplitude * states, tones, theta, offset=offset, quadrature=rule)
    return window.measured(profile, rule)


def own_window_errors(
    states: Complex[np.ndarray, "s k d"], frequency: Float[np.ndarray, " k"], theta: Float[np.ndarray, " s"]
) -> Float[np.ndarray, " s"]:
    """Give the NRMSE of every chip over a window of its own length; NaN where that is not known."""
    found = np.full(len(theta), np.nan)
    known = np.flatnonzero(np.isfinite(theta))
    if not len(known):
        return found
    # The rule of the longest window is enough for the others.
    tones = frequency, np.ones(len(frequency), complex)
    rule = window.quadrature_for(states.shape[-1], tones, float(theta[known].max()))
    rows, turns = window.readout(states.shape[-1], rule.r), -2j * np.pi * np.outer(frequency, rule.r)
    for first in range(0, len(known), TOGETHER):
        at = known[first : first + TOGETHER]
        missed = states[at] @ rows.T - np.exp(theta[at, None, None] * turns)
        square = np.sum(np.real(missed) ** 2 + np.imag(missed) ** 2, axis=1)
        found[at] = window.measured(np.sqrt(square / len(frequency)), rule)[1]
    return found


def fitted_theta(
    states: Complex[np.ndarray, "s k d"], frequency: Float[np.ndarray, " k"], theta: float
) -> Float[np.ndarray, " s"]:
    """Give the window length whose ideal delays fit each chip best, s; least squares over band and window."""
    table = _products_with_ideal(states.shape[-1], tuple(frequency.tolist()), theta)
    flat = states.reshape(len(states), -1)
    parts = np.concatenate([np.real(flat), np.imag(flat)], axis=1)
    # Few factors say about where the best is, its neighbours then exactly where.
    coarse = parts @ table[::COARSE].T
    best = COARSE * np.argmax(np.where(np.isfinite(coarse), coarse, -np.inf), axis=1)
    near = np.arange(-1, 2)
    while True:
        best = np.clip(best, 1, len(FACTORS) - 2)
        left, here, right = np.einsum("sjp,sp->js", table[best[:, None] + near], parts)
        climbs = ((right > here).astype(int) - (left > here).astype(int)) * (
            (best > 1) & (left > here) | (best < len(FACTORS) - 2) & (right > here)
        )
        if not climbs.any():
            break
        best = best + climbs
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = 0.5 * (left - right) / (left - 2.0 * here + right)
    step = np.log(FACTORS[1] / FACTORS[0])
    return theta * FACTORS[best] * np.exp(apart * step)


@lru_cache(maxsize=8)
def _products_with_ideal(order: int, frequency: tuple[float, ...], theta: float) -> Float[np.ndarray, "f p"]:
    """Give what makes of the states' real, then imaginary parts their product with ideal delays, for all ``FACTORS``.

    |shown - ideal|^2 is, but for what does not depend on the factor, minus twice their product.
    """
    tones = np.array(frequency), np.ones(len(frequency), complex)
    rule = window.quadrature_for(order, tones, theta)
    rows = window.readout(order, rule.r) * rule.weight[:, None]
    turns = 2j * np.pi * theta * np.outer(tones[0], rule.r)
    found = (np.exp(FACTORS[:, None, None] * turns) @ rows).reshape(len(FACTORS), -1)
    return np.concatenate([np.real(found), -np.imag(found)], axis=1)


def with_ngspice(bench: Bench, worker: Worker | None = None) -> Measure:
    """Give ngspice as an engine, its samples in whole blocks in worker processes.

    ngspice's library ages: after some hundred circuits it lost operating points that a new process finds, and once
    ended its process. A process takes ``FRESH`` blocks, and a block that was lost, or lost a chip, is run again in a
    new one; its bits do not depend on that.

    Parameters
    ----------
    bench : Bench
    worker : Worker, optional
        Runs all blocks in place of processes of its own, without a second try: for a few samples.
    """

    def measure(sample: Deviations, trim: np.ndarray) -> Measured:
        stretches = [slice(k, k + BLOCK) for k in range(0, len(sample), BLOCK)]
        tasks = [(bench, sample.of(at), trim[at]) for at in stretches]
        if worker is not None:
            return joined([worker.call(_block, task, timeout=TIMEOUT) for task in tasks])
        return joined(in_fresh_workers(_block, tasks, is_whole=_is_whole))

    return measure


def _is_whole(found: Measured) -> bool:
    return bool((found.rung >= 0).all())


Block = TypeVar("Block")


def in_fresh_workers(
    function: Callable[..., Block],
    tasks: Sequence[tuple[Any, ...]],
    *,
    is_whole: Callable[[Block], bool],
    timeout: float = TIMEOUT,
) -> list[Block]:
    """Call a function for some blocks of samples, ``FRESH`` of them a process, again where one was lost or lacks any.

    Parameters
    ----------
    function : callable
        Of a module.
    tasks : sequence of tuples
        Its arguments.
    is_whole : callable
        Tells whether a block has all of its samples; another process runs it again if not.
    timeout : float, s
        For a block.
    """
    found: list[Block] = []
    for first in range(0, len(tasks), FRESH):
        with Worker() as fresh:
            for task in tasks[first : first + FRESH]:
                found.append(_twice(fresh, function, task, is_whole, timeout))
    return found


def _twice(
    worker: Worker,
    function: Callable[..., Block],
    task: tuple[Any, ...],
    is_whole: Callable[[Block], bool],
    timeout: float,
) -> Block:
    if worker.alive:
        with contextlib.suppress(SimulationError):
            found = worker.call(function, task, timeout=timeout)
            if is_whole(found):
                return found
    with Worker() as other:
        return other.call(function, task, timeout=timeout)


def joined(parts: list[Measured]) -> Measured:
    """Put stretches of samples together."""
    return Measured(
        *(
            np.concatenate([getattr(p, name) for p in parts])
            for name in ("offset", "states", "current", "rung")
        )
    )


def _block(bench: Bench, sample: Deviations, trim: np.ndarray) -> Measured:
    return measured(bench, sample, trim=trim)


def with_exact(engine: Engine, frequency: Float[np.ndarray, " k"]) -> Measure:
    """Give the exact engine as one at some tones, Hz: compiled where the native library is, else in NumPy."""
    if not native.is_there():
        return lambda sample, trim: engine.samples(sample, frequency, trim=trim)
    plan = _plan(engine, tuple(frequency.tolist()))
    return lambda sample, trim: samples(plan, sample, trim)


@lru_cache(maxsize=4)
def _plan(engine: Engine, frequency: tuple[float, ...]) -> Compiled:
    return compiled(engine, np.array(frequency))


def exact_engine(bench: Bench, worker: Worker) -> Engine:
    """Measure the laws of a settled bench's transistors, once, and make the exact engine of them."""
    found = spread(bench.circuit, bench.installed.pdk)
    volts, known = worker.call(_laws, (bench,), timeout=TIMEOUT)
    here, at = bench.here, bench.conditions.temperature
    resistance = np.array([x.value * x.warm(at) for x in here.resistors])
    return Engine(here, bench.installed.pdk, found, known, volts, resistance)


def _laws(bench: Bench) -> tuple[dict[str, float], Laws]:
    with Session(bench.lines) as session:
        found = session.point(list(bench.circuit.nets)).volts
    volts = dict(zip(bench.circuit.nets, found.tolist(), strict=True)) | {"0": 0.0}
    return volts, laws(bench, spread(bench.circuit, bench.installed.pdk), volts)


def settle(bench: Bench, worker: Worker) -> Bench:
    """Find the nominal operating point, in a worker process."""
    return worker.call(settled, (bench,), timeout=TIMEOUT)


def nominal_chip(bench: Bench) -> Deviations:
    """Give one sample in which nothing deviates."""
    return nominal(bench.circuit, spread(bench.circuit, bench.installed.pdk))
