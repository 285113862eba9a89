"""The exact engine's unit of work: consecutive samples of a linear circuit, all at once."""

from collections.abc import Iterator

import numpy as np

from lmu_analog.building import build
from lmu_analog.circuits.extract import extract
from lmu_analog.design import Design
from lmu_analog.ensembles.mismatch import Mismatch, draw, is_sound, sample
from lmu_analog.ensembles.store import FAILED, GOOD, UNSTABLE, Results
from lmu_analog.memory import window
from lmu_analog.memory.sampled import steady_response
from lmu_analog.memory.statespace import StateSpace, growth
from lmu_analog.simulation import Grid, exact_states, grid, ideal_window
from lmu_analog.stimulus import Tones

RECORDING_BATCH = 16  # samples propagated at once through a recording
BATCH_VALUES = 20_000_000  # and fewer where the recording is long: bounds the memory to about 1 GB


def exact_chunk(design: Design, seed: int, samples: range) -> Results:
    """Run consecutive samples in the exact engine."""
    circuit, law = build(design), Mismatch.of(design)
    values = sample(circuit, law, draw(circuit, law, seed=seed, samples=samples))
    looked_at = grid(design.stimulus, design.theta)
    # A value that is not positive is no circuit; such a sample has failed, and the nominal stands in.
    sound = is_sound(circuit, values)
    system = extract(circuit, np.where(sound[:, None], values, circuit.values))
    stable = growth(system) < 0.0
    profile = _profiles(system, looked_at, design.theta)
    profile[~stable], profile[~sound] = np.inf, np.nan
    status = np.where(~sound, FAILED, np.where(stable, GOOD, UNSTABLE)).astype(np.int8)
    return Results(samples.start, profile, window.window_nrmse(profile), status)


def _profiles(system: StateSpace, looked_at: Grid, theta: float) -> np.ndarray:
    match looked_at.stimulus:
        case Tones() as tones:
            phasor = steady_response(system, tones.frequency) * tones.phasor[:, None]
            return window.tone_profile(phasor, (tones.frequency, tones.phasor), theta, offset=system.offset)
        case _:
            truth = ideal_window(looked_at, theta)
            parts = [
                window.time_profile(exact_states(part, looked_at), truth, looked_at.rms)
                for part in _batches(system, _batch(system, looked_at))
            ]
            return np.concatenate(parts)


def _batch(system: StateSpace, looked_at: Grid) -> int:
    values = len(looked_at.time) * (system.order + window.POINTS)
    return max(1, min(RECORDING_BATCH, BATCH_VALUES // values))


def _batches(system: StateSpace, size: int) -> Iterator[StateSpace]:
    for k in range(0, len(system.A), size):
        cut = slice(k, k + size)
        offset = None if system.offset is None else system.offset[cut]
        yield StateSpace(system.A[cut], system.B[cut], system.C[cut], system.D[cut], system.dt, offset)
