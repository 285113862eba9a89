"""The nonlinear engine's unit of work: consecutive samples whose op-amps or transconductors saturate.

Periodic steady states by harmonic balance, recordings by waveform relaxation. A sample that it cannot do for sure
is told apart, to be handed to ngspice: one that uses nearly all of a rail, slew limit or input range, that does
not converge, or whose error, as far as it can be estimated, is not small.
"""

import math
import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache, partial

import numpy as np

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.nodal.extract import probe_rows
from lmu_analog.circuits.nodal.saturation import Limits, check_parts, limits
from lmu_analog.circuits.nodal.stamps import stamp
from lmu_analog.circuits.nodal.unknowns import Index
from lmu_analog.design import Design
from lmu_analog.ensembles.allocation import one_thread_each
from lmu_analog.ensembles.balance import SETTLED, Balance, Drive, balance
from lmu_analog.ensembles.blocks import joined, whole_blocks
from lmu_analog.ensembles.exact import block_size, exact_chunk
from lmu_analog.ensembles.sampling import RANDOM, Plan, draw_plan
from lmu_analog.ensembles.transients import LEFT_OUT, NEARLY, recorded_profiles
from lmu_analog.memory import window
from lmu_analog.mismatch.law import Mismatch, sample
from lmu_analog.simulation import grid, ideal_window, places
from lmu_analog.stimulus import Recording, Tones
from lmu_analog.storage.reasons import CODES
from lmu_analog.storage.results import CHUNK, GOOD, Results

HARMONICS = (4, 12)  # of the highest tone that are kept; the larger number where the smaller is too few
BATCH_VALUES = 1_000_000  # complex numbers of the responses held at once: 16 MB
BLOCK_POINTS = 2**17  # samples times points of a recording, in a block: a second's work at order 6
FEWEST = 4  # samples of a block, which take hardly longer than one
MOST_VALUES = 30_000_000  # of one sample; beyond it the common period of the tones is too long
Way = Callable[[Circuit, np.ndarray, Limits], tuple[np.ndarray, np.ndarray]]


def nonlinear_chunk(design: Design, seed: int, samples: range, *, plan: Plan = RANDOM) -> Results:
    """Run consecutive samples; those to be handed to ngspice have the reason ``handed`` and no result.

    They are computed in whole blocks, see ``blocks``, so that no sample's last bit depends on which others are
    wanted.

    Parameters
    ----------
    design : Design
    seed : int
    samples : range
    plan : Plan

    Raises
    ------
    CircuitError
        If the circuit has parts whose law is not known: transistors, switches, a SPICE model file.
    """
    check_parts(build(design))
    key, size = (design.digest, pickle.dumps(design)), nonlinear_block_size(design)
    with one_thread_each():
        return joined([_block(key, seed, block, plan) for block in whole_blocks(samples, size)], samples)


def nonlinear_block_size(design: Design) -> int:
    """Give the number of samples that are computed together: a power of two, and no more than a chunk."""
    match design.stimulus:
        case Tones() as tones:
            together = BATCH_VALUES // _values(build(design), _drive(tones, HARMONICS[0]))
        case Recording():
            together = BLOCK_POINTS // len(grid(design.stimulus, design.theta).time)
    return 2 ** int(np.log2(min(CHUNK, max(FEWEST, together))))


# A design is no key, as it holds dictionaries; its pickled bytes are, and its digest knows the recording's.
@lru_cache(maxsize=4)
def _block(key: tuple[str, bytes], seed: int, block: range, plan: Plan) -> Results:
    """Run a whole block of samples."""
    design: Design = pickle.loads(key[1])
    circuit, law = build(design), Mismatch.of(design)
    # Blocks of the exact engine are larger, and each of them is run once.
    larger = whole_blocks(block, block_size(design))
    linear = joined([_linear_block(key, seed, one, plan) for one in larger], block)
    values = sample(circuit, law, draw_plan(circuit, law, seed=seed, samples=block, plan=plan))
    limited = limits(circuit, Index(circuit), values)
    if limited is None:
        return linear
    profile, error, reason = linear.profile.copy(), linear.window_nrmse.copy(), linear.reason.copy()
    rule = places(design.stimulus, design.order, design.theta)
    reason[linear.status == GOOD] = CODES["handed"]
    for solve in _ways(design):
        waiting = np.flatnonzero(reason == CODES["handed"])
        solved, found = solve(circuit, values[waiting], limited.of(waiting))
        profile[waiting[solved]], error[waiting[solved]] = window.measured(found, rule)
        reason[waiting[solved]] = CODES["none"]
    left = reason == CODES["handed"]
    profile[left], error[left] = np.nan, np.nan
    return replace(linear, profile=profile, window_nrmse=error, given=reason)


@lru_cache(maxsize=2)
def _linear_block(key: tuple[str, bytes], seed: int, block: range, plan: Plan) -> Results:
    return exact_chunk(pickle.loads(key[1]), seed, block, plan=plan)


def _ways(design: Design) -> Iterator[Way]:
    """Give what to try, the quickest first: from circuit, values and limits to which are solved, and profiles."""
    evaluation_grid = grid(design.stimulus, design.theta)
    match evaluation_grid.stimulus:
        case Tones() as tones:
            for highest in HARMONICS:
                yield partial(_profiles, drive=_drive(tones, highest))
        case Recording() as recording:
            rule = places(recording, design.order, design.theta)
            truth = ideal_window(evaluation_grid, design.theta, rule)
            yield partial(recorded_profiles, recording=recording, truth=truth, rule=rule)


def parts(results: Results) -> tuple[list[Results], list[int]]:
    """Part a chunk into what is done, consecutive samples each, and the samples that wait for ngspice."""
    waiting = results.reason == CODES["handed"]
    edges = np.flatnonzero(np.diff(waiting)) + 1
    done = [
        Results(
            int(stretch[0]) + results.start,
            results.profile[stretch],
            results.window_nrmse[stretch],
            results.status[stretch],
            given=results.reason[stretch],
        )
        for stretch in np.split(np.arange(len(waiting)), edges)
        if not waiting[stretch[0]]
    ]
    return done, results.samples[waiting].tolist()


def taken_over(results: Results) -> Results:
    """Mark ngspice's good results as those of samples that were handed to it."""
    return replace(
        results, given=np.where(results.status == GOOD, CODES["handed"], results.reason).astype(np.int8)
    )


def _profiles(
    circuit: Circuit, values: np.ndarray, limited: Limits, *, drive: Drive
) -> tuple[np.ndarray, np.ndarray]:
    """Give which samples could be solved, (s,) bool, and the profiles of those."""
    index = Index(circuit)
    kept = [np.zeros((0, len(window.quadrature_for(circuit.order, _tones(drive), circuit.theta).r)))]
    solved = np.zeros(len(values), bool)
    size = _values(circuit, drive)
    batch = max(1, BATCH_VALUES // size)
    if size > MOST_VALUES:
        return solved, kept[0]
    for k in range(0, len(values), batch):
        part = np.arange(k, min(k + batch, len(values)))
        equations = stamp(circuit, index, values[part])
        found = balance(equations, limited.of(part), probe_rows(circuit, index), drive=drive)
        solved[part] = sure = _is_sure(found, drive)
        if sure.any():
            kept.append(_profile(found.outputs[sure], drive, circuit.theta))
    return solved, np.concatenate(kept)


def _values(circuit: Circuit, drive: Drive) -> int:
    """Count the numbers of one sample's responses."""
    return (drive.highest + 1) * Index(circuit).size ** 2


def _drive(tones: Tones, harmonics: int) -> Drive:
    turns = np.rint(tones.frequency * tones.period).astype(int)
    return Drive(2.0 * math.pi / tones.period, turns, tones.phasor, harmonics * int(turns.max()))


def _is_sure(found: Balance, drive: Drive) -> np.ndarray:
    """Tell which samples are solved beyond doubt; comparisons with NaN are false, as they should be."""
    # The mean square over the window of a sum of Legendre polynomials with coefficients m_i.
    weight = 1.0 / (2.0 * np.arange(found.left_out.shape[1]) + 1.0)
    beyond = np.sqrt(found.left_out**2 @ weight)
    rms = np.linalg.norm(drive.phasor) / math.sqrt(2.0)
    return (found.residual <= SETTLED) & (found.share <= NEARLY) & (beyond <= LEFT_OUT * rms)


def _profile(outputs: np.ndarray, drive: Drive, theta: float) -> np.ndarray:
    """NRMSE over the window, (s, q), of states with coefficients (s, h, d); harmonics count as error."""
    return window.tone_profile(2.0 * outputs[:, 1:], _tones(drive), theta, offset=np.real(outputs[:, 0]))


def _tones(drive: Drive) -> tuple[np.ndarray, np.ndarray]:
    """Give the input at all harmonics that are kept, Hz and V; it is zero at most."""
    frequency = drive.rate / (2.0 * math.pi) * np.arange(1, drive.highest + 1)
    return frequency, 2.0 * drive.spectrum[1:]
