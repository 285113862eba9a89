"""Chips of an open process as samples of an ensemble: what they have in common, and the units of work.

The window error of a chip is the one after one trim of its bias, without the DC offsets of the states; what it is as
built, with theta fitted, and with offsets, stands beside it. Samples that the exact engine is not sure of are run in
ngspice.
"""

import hashlib
import pickle
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from lmu_analog.design import Design
from lmu_analog.engine import native
from lmu_analog.ensembles.blocks import joined, whole_blocks
from lmu_analog.ensembles.pool import run_tasks
from lmu_analog.errors import DesignError, SimulationError
from lmu_analog.memory.window import POINTS
from lmu_analog.mismatch.selection import Selection
from lmu_analog.silicon.deck import element_lines
from lmu_analog.silicon.designing import bench_of, chip_gain, tones
from lmu_analog.silicon.draws import Deviations, acting_draws, deviations, spread
from lmu_analog.silicon.ensemble import (
    Errors,
    bias_exponent,
    errors_with,
    exact_engine,
    joined_errors,
    nominal_chip,
    window_profiles,
    with_exact,
    with_ngspice,
)
from lmu_analog.silicon.samples import BLOCK, Bench, Measured, measured
from lmu_analog.silicon.small_signal import BATCH, Engine
from lmu_analog.spice.worker import Worker
from lmu_analog.storage.reasons import CODES, code_of
from lmu_analog.storage.results import CHIP, FAILED, GOOD, Results, failed

ChipEngine = Literal["exact", "ngspice"]
RENEWED_AFTER = {
    "exact": 2,
    "ngspice": 5,
}  # units of work that a process takes: ngspice's library ages with circuits
TIMEOUT = 3600.0  # s for a unit of work
# Shares of the time that the preparation takes: the circuit, what the trim does, the laws of all transistors.
_DRAWN, _TRIMMED = 0.3, 0.4


@dataclass(frozen=True, eq=False)
class Chips:
    """What all samples of a run have in common.

    Attributes
    ----------
    bench : Bench
    seed : int
    acts : (z,) bool array
        Which draws act.
    amplitude : float, V
        Of every tone, on the chip.
    exponent : float
        How theta follows the bias, see ``silicon.ensemble.bias_exponent``.
    nominal : Errors
        Of the chip in which nothing deviates, in ngspice.
    exact : Engine or None
        The exact engine; None where ngspice runs all.
    """

    bench: Bench
    seed: int
    acts: Bool[np.ndarray, " z"]
    amplitude: float
    exponent: float
    nominal: Errors
    exact: Engine | None = None

    @property
    def block(self) -> int:
        """Samples that are computed together, so that the bits of one do not depend on which are wanted."""
        return BLOCK if self.exact is None else BATCH

    @property
    def engine(self) -> ChipEngine:
        """Which one it is."""
        return "ngspice" if self.exact is None else "exact"


def prepare(
    design: Design,
    seed: int = 0,
    *,
    engine: ChipEngine = "exact",
    progress: Callable[[float], None] | None = None,
) -> Chips:
    """Draw the circuit of a design, measure its nominal chip, and the laws of its transistors if they are wanted.

    Parameters
    ----------
    design : Design
        With ``uses_pdk``.
    seed : int
    engine : {"exact", "ngspice"}
    progress : callable, optional
        Called with the fraction that is done.

    Raises
    ------
    DesignError
        If transistors cannot take the design, or a pattern picks no mismatch.
    SimulationError
        If ngspice is missing, or finds no operating point of the nominal chip.
    """

    def tell(share: float) -> None:
        if progress:
            progress(share)

    whole = _DRAWN + _TRIMMED if engine == "ngspice" else 1.0
    with Worker() as worker:
        bench = bench_of(design, worker=worker, progress=lambda share: tell(_DRAWN / whole * share))
        found = spread(bench.circuit, bench.installed.pdk)
        acts = acting_draws(bench.circuit, found, Selection(design.only, design.without))
        amplitude = float(np.abs(tones(design).phasor[0])) * chip_gain(design)
        measure, undeviated = with_ngspice(bench, worker), nominal_chip(bench)
        exponent = bias_exponent(measure, bench, nominal_sample=undeviated)
        nominal = errors_with(measure, undeviated, bench, exponent=exponent)
        if not _whole(nominal).all():
            raise SimulationError(
                "the nominal chip could not be measured: no window length fits its response"
            )
        tell((_DRAWN + _TRIMMED) / whole)
        exact = None if engine == "ngspice" else exact_engine(bench, worker)
    tell(1.0)
    return Chips(bench, seed, acts, amplitude, exponent, nominal, exact)


def marks(chips: Chips) -> dict[str, str]:
    """Say what samples depend on beside design, seed and engine, so that a run is continued with the same alone.

    Returns
    -------
    dict
        Digests of the model files and of the circuit as it was sized and predistorted, and how the exact engine runs:
        compiled and in NumPy it is the same to 1e-4, no closer.
    """
    cards = "\n".join(element_lines(chips.bench.circuit))
    ran = {} if chips.exact is None else {"laws": "compiled" if native.is_there() else "numpy"}
    return {
        "pdk": chips.bench.installed.digest,
        "circuit": hashlib.sha256(cards.encode()).hexdigest(),
        **ran,
    }


def check_prepared(chips: Chips, design: Design, *, seed: int, engine: ChipEngine) -> None:
    """Refuse what was prepared for something else.

    Raises
    ------
    DesignError
    """
    circuit = chips.bench.circuit
    known = (chips.seed, chips.engine, circuit.order, circuit.theta, circuit.realization)
    if known != (seed, engine, design.order, design.theta, design.realization):
        raise DesignError(
            "chips: prepared for another design, seed or engine; leave them out, or prepare anew"
        )


def drawn(chips: Chips, samples: range) -> Deviations:
    """Draw some samples."""
    circuit = chips.bench.circuit
    found = spread(circuit, chips.bench.installed.pdk)
    return deviations(circuit, found, seed=chips.seed, samples=samples, chosen=chips.acts)


def chips_chunk(pickled: bytes, samples: range) -> Results:
    """Run consecutive samples; call it in a worker. A design of a run is no key, its pickled bytes are."""
    chips = _unpickled(pickled)
    parts = [_rows(chips, block) for block in whole_blocks(samples, chips.block)]
    return joined(parts, samples)


@lru_cache(maxsize=1)
def _unpickled(pickled: bytes) -> Chips:
    return pickle.loads(pickled)


def run_chips(chips: Chips, todo: np.ndarray, *, workers: int) -> Generator[Results, None, None]:
    """Run samples in worker processes, a whole block each; a block that was lost is rows with a reason."""
    breaks = np.flatnonzero((np.diff(todo) > 1) | (todo[1:] % chips.block == 0)) + 1
    stretches = [range(int(p[0]), int(p[-1]) + 1) for p in np.split(todo, breaks) if len(p)]
    pickled = pickle.dumps(chips)
    tasks = [(pickled, stretch) for stretch in stretches]
    renewed = RENEWED_AFTER[chips.engine]
    for number, result in run_tasks(
        chips_chunk, tasks, workers=workers, timeout=TIMEOUT, renewed_after=renewed
    ):
        if isinstance(result, SimulationError):
            at = stretches[number]
            yield without_chips(failed(at.start, at.stop, reason=code_of(result)))
        else:
            yield result


def without_chips(results: Results) -> Results:
    """Give samples that could not be run the arrays of chips, all NaN."""
    nothing = np.full(len(results.status), np.nan)
    return Results(
        results.start,
        results.profile,
        results.window_nrmse,
        results.status,
        given=results.reason,
        more=dict.fromkeys(CHIP, nothing),
    )


def _rows(chips: Chips, block: range) -> Results:
    found, handed = errors_of(chips, drawn(chips, block))
    return results(chips, found, block.start, handed=handed)


def errors_of(chips: Chips, sample: Deviations) -> tuple[Errors, Bool[np.ndarray, " s"]]:
    """Measure a whole block of samples; say which of them the exact engine left to ngspice."""
    handed = np.zeros(len(sample), bool)
    exact, bench = chips.exact, chips.bench
    if exact is None:
        return _in_ngspice(chips, sample), handed
    found = errors_with(with_exact(exact, bench.frequency), sample, bench, exponent=chips.exponent)
    handed = ~_whole(found)
    if not handed.any():
        return found, handed
    at = np.flatnonzero(handed)
    return joined_errors([found, _in_ngspice(chips, sample.of(at))]).of(_places(handed)), handed


def _places(handed: Bool[np.ndarray, " s"]) -> np.ndarray:
    """Say where every sample stands once those of ngspice are put behind all others."""
    places = np.arange(len(handed))
    places[handed] = len(handed) + np.arange(int(handed.sum()))
    return places


def _in_ngspice(chips: Chips, sample: Deviations) -> Errors:
    """Run samples in this process, again in a new one where it lost an operating point: ngspice's library ages."""
    bench = chips.bench

    def measure(some: Deviations, trim: Float[np.ndarray, " s"]) -> Measured:
        return measured(bench, some, trim=trim)

    parts: list[Errors] = []
    for first in range(0, len(sample), BLOCK):
        some = sample.of(slice(first, first + BLOCK))
        found = errors_with(measure, some, bench, exponent=chips.exponent)
        if not _whole(found).all():
            with Worker() as other:
                found = errors_with(with_ngspice(bench, other), some, bench, exponent=chips.exponent)
        parts.append(found)
    return joined_errors(parts)


def _whole(found: Errors) -> Bool[np.ndarray, " s"]:
    """Tell of which samples everything is known."""
    known = (found.built, found.trimmed, found.fitted, found.theta, found.trim, found.after.current)
    return np.asarray(np.isfinite(known).all(axis=0))


def results(chips: Chips, found: Errors, start: int, *, handed: Bool[np.ndarray, " s"]) -> Results:
    """Make rows of an ensemble of what was measured."""
    circuit, frequency = chips.bench.circuit, chips.bench.frequency
    good = _whole(found)

    def known(values: Float[np.ndarray, " s"]) -> Float[np.ndarray, " s"]:
        return np.where(good, values, np.nan)

    profile, error = window_profiles(found.after.states, frequency, circuit.theta)
    _, with_offsets = window_profiles(
        found.after.states, frequency, circuit.theta, offset=found.after.offset, amplitude=chips.amplitude
    )
    more = {
        "built_nrmse": found.built,
        "fitted_nrmse": found.fitted,
        "offset_nrmse": with_offsets,
        "theta_built": found.theta,
        "trim": found.trim,
        "power": found.after.current * circuit.source(circuit.supply).value,
    }
    reason = np.where(handed, CODES["unsure"], CODES["none"])
    return Results(
        start,
        np.where(good[:, None], profile, np.full((1, POINTS), np.nan)),
        known(error),
        np.where(good, GOOD, FAILED).astype(np.int8),
        given=np.where(good, reason, CODES["no_operating_point"]).astype(np.int8),
        more={name: known(values) for name, values in more.items()},
    )


def one_chip(chips: Chips, sample: int | None = None) -> Errors:
    """Measure one chip: the nominal one, or a sample with the bits that it has in an ensemble.

    Parameters
    ----------
    chips : Chips
    sample : int, optional
        The nominal chip unless given.

    Raises
    ------
    SimulationError
        If it could not be measured.
    """
    if sample is None and chips.exact is None:
        return chips.nominal
    block = range(0) if sample is None else whole_blocks(range(sample, sample + 1), chips.block)[0]
    with Worker() as worker:
        found: Errors = worker.call(_chip, (pickle.dumps(chips), block), timeout=TIMEOUT)
    place = 0 if sample is None else sample - block.start
    one = found.of(slice(place, place + 1))
    if not _whole(one).all():
        raise SimulationError(
            f"{'the nominal chip' if sample is None else f'chip {sample}'} could not be measured: ngspice finds no "
            "operating point, or no window length fits its response"
        )
    return one


def _chip(pickled: bytes, block: range) -> Errors:
    """Measure a block of chips, or the nominal one where it is empty."""
    chips = _unpickled(pickled)
    return errors_of(chips, drawn(chips, block) if len(block) else nominal_chip(chips.bench))[0]
