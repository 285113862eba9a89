"""ngspice's unit of work: one sample, run in a worker process."""

import pickle
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit, with_values
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.design import Design
from lmu_analog.ensembles.sampling import RANDOM, Plan, draw_plan
from lmu_analog.errors import SimulationError
from lmu_analog.memory import window
from lmu_analog.mismatch.law import Mismatch, is_sound, sample
from lmu_analog.simulation import Grid, grid, ideal_window, ngspice_states, places, settling
from lmu_analog.spice import ngspice
from lmu_analog.storage.results import GOOD, UNSTABLE, Results, failed


@dataclass(frozen=True, eq=False)
class _Prepared:
    """What all samples have in common: circuit, law, times, places in the window, its ideal content, (t, q), V."""

    circuit: Circuit
    law: Mismatch
    grid: Grid
    rule: window.Quadrature
    truth: np.ndarray


# Without it, a sample of order 3 spends a fifth of its time outside ngspice. A design is no key, as it holds
# dictionaries; its pickled bytes are, and cost 0.1 ms.
@lru_cache(maxsize=2)
def _prepared(pickled: bytes) -> _Prepared:
    design: Design = pickle.loads(pickled)
    evaluation_grid = grid(design.stimulus, design.theta)
    rule = places(evaluation_grid.stimulus, design.order, design.theta)
    truth = ideal_window(evaluation_grid, design.theta, rule)
    return _Prepared(build(design), Mismatch.of(design), evaluation_grid, rule, truth)


def ngspice_sample(design: Design, seed: int, index: int, *, plan: Plan = RANDOM) -> Results:
    """Run one sample in ngspice; call it in a worker."""
    prepared = _prepared(pickle.dumps(design))
    samples = range(index, index + 1)
    z = draw_plan(prepared.circuit, prepared.law, seed=seed, samples=samples, plan=plan)
    return ngspice_draws(design, z[0], index)


def ngspice_draws(design: Design, z: Float[np.ndarray, " z"], index: int) -> Results:
    """Run the circuit of given draws, columns as in ``law.columns``, in ngspice; call it in a worker."""
    prepared = _prepared(pickle.dumps(design))
    values = sample(prepared.circuit, prepared.law, z[None])[0]
    if not is_sound(prepared.circuit, values):
        return failed(index, index + 1)
    mismatched = with_values(prepared.circuit, values)
    try:
        settle = settling(extract(mismatched), design.theta)
    except SimulationError:
        unstable = np.full((1, window.POINTS), np.inf)
        return Results(index, unstable, unstable[:, 0], np.array([UNSTABLE], np.int8))
    states = ngspice_states(mismatched, prepared.grid, settle=settle, run=ngspice.run_here)
    profile = window.time_profile(states, prepared.truth, prepared.grid.rms, quadrature=prepared.rule)[None]
    return Results(index, *window.measured(profile, prepared.rule), np.array([GOOD], np.int8))
