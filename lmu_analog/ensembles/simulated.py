"""ngspice's unit of work: one sample, run in a worker process."""

import numpy as np

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit, with_values
from lmu_analog.circuits.extract import extract
from lmu_analog.design import Design
from lmu_analog.ensembles.mismatch import Mismatch, draw, is_sound, sample
from lmu_analog.ensembles.store import GOOD, UNSTABLE, Results, failed
from lmu_analog.errors import SimulationError
from lmu_analog.memory import window
from lmu_analog.simulation import Grid, grid, ideal_window, ngspice_task, read_states, settling
from lmu_analog.spice import ngspice


def ngspice_sample(design: Design, seed: int, index: int) -> Results:
    """Run one sample in ngspice; call it in a worker."""
    circuit, law = build(design), Mismatch.of(design)
    values = sample(circuit, law, draw(circuit, law, seed=seed, samples=range(index, index + 1)))[0]
    if not is_sound(circuit, values):
        return failed(index, index + 1)
    mismatched = with_values(circuit, values)
    try:
        settle = settling(extract(mismatched), design.theta)
    except SimulationError:
        unstable = np.full((1, window.POINTS), np.inf)
        return Results(index, unstable, unstable[:, 0], np.array([UNSTABLE], np.int8))
    looked_at = grid(design.stimulus, design.theta)
    states = _ngspice_states(mismatched, looked_at, settle)
    truth = ideal_window(looked_at, design.theta)
    profile = window.time_profile(states, truth, looked_at.rms)[None]
    return Results(index, profile, window.window_nrmse(profile), np.array([GOOD], np.int8))


def _ngspice_states(circuit: Circuit, looked_at: Grid, settle: float) -> np.ndarray:
    analysis, text, recording = ngspice_task(circuit, looked_at.stimulus, settle=settle)
    vectors = ngspice.run_here(text, analysis, recording)
    return read_states(vectors, circuit, looked_at, analysis=analysis)
