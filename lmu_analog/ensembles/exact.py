"""The exact engine's unit of work: consecutive samples of a linear circuit, all at once.

Samples are computed in whole blocks, see ``blocks``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from jaxtyping import Float
from threadpoolctl import threadpool_limits

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit, twin_values
from lmu_analog.design import Design
from lmu_analog.engine.plan import Tonewise
from lmu_analog.ensembles.allocation import keep_freed_memory
from lmu_analog.ensembles.blocks import joined, whole_blocks
from lmu_analog.ensembles.direct import direct_profiles, planned_directly, relative_cost
from lmu_analog.ensembles.kernel import Compiled, Kernel, compile_design, compiled_draw, draw_keys
from lmu_analog.ensembles.kernel_direct import CompiledDirect, compile_direct
from lmu_analog.ensembles.sampling import RANDOM, Plan, draw_plan
from lmu_analog.memory import lifted, steady, window
from lmu_analog.memory.sampled import steady_response
from lmu_analog.memory.squares import content_of
from lmu_analog.memory.stability import is_stable
from lmu_analog.memory.statespace import StateSpace, cut
from lmu_analog.mismatch.law import Mismatch, is_sound, moved, sample
from lmu_analog.reduction.reduced import planned, state_spaces
from lmu_analog.reduction.remainder import Reduction
from lmu_analog.simulation import Grid, exact_states, grid, ideal_window, places
from lmu_analog.stimulus import Recording, Tones
from lmu_analog.storage.store import FAILED, GOOD, UNSTABLE, Results

BLOCK = 2048  # samples of tones computed together: enough to hide what a call of NumPy costs
SMALL_BLOCK = 64  # of what takes longer: long recordings, circuits that do not come down to slow states
BLOCK_POINTS = 2**20  # samples times points of a recording, in a block between the two
BATCH_VALUES = 250_000  # states of all samples that are propagated together: what a core's cache holds
KEPT_DESIGNS = 4
COMPILED = (
    0.7  # relative cost of the direct solution from which on, compiled, the state space is quicker (measured)
)
COMPARED = 64  # samples that state what single precision costs


@dataclass(frozen=True, eq=False)
class Bench:
    """What all samples of a design share.

    Attributes
    ----------
    circuit : Circuit
    law : Mismatch
    looked_at : Grid
    rule : Quadrature
        Where in the window errors are taken.
    direct : Tonewise or None
        How the circuit is solved tone by tone, where that is quicker than its state space.
    """

    circuit: Circuit
    law: Mismatch
    looked_at: Grid
    rule: window.Quadrature
    direct: Tonewise | None


def block_size(design: Design) -> int:
    """Give the number of samples that are computed together."""
    return _block_size(_Named(design.digest, design))


def _block_size(named: "_Named") -> int:
    bench = _prepared(named)
    if bench.direct is None and _reduced(named) is None:
        return SMALL_BLOCK
    if isinstance(bench.looked_at.stimulus, Tones):
        return BLOCK
    return max(SMALL_BLOCK, 2 ** int(np.log2(BLOCK_POINTS / len(bench.looked_at.time))))


def exact_chunk(
    design: Design,
    seed: int,
    samples: range,
    *,
    plan: Plan = RANDOM,
    kernel: Kernel = "numpy",
    is_uniform: bool = False,
) -> Results:
    """Run consecutive samples in the exact engine.

    Kernels meet the same circuits: "numba" agrees to 1e-8 of the error, "float32" to ``precision_error``. With
    ``is_uniform`` parts are uniform within their tolerance, by the same draws (``law.factor_uniform``).
    """
    named = _Named(design.digest, design)
    bench, block = _prepared(named), _block_size(named)
    compiled, is_single = _compiled(named) if kernel == "numba" else None, kernel == "float32"
    solver = _Solver(named, compiled, is_single=is_single, is_uniform=is_uniform)
    parts = []
    with threadpool_limits(1):
        for whole in whole_blocks(samples, block):
            if kernel == "numba" and plan == RANDOM:
                draws = compiled_draw(_keys(named), seed=seed, samples=whole)
            else:
                draws = draw_plan(bench.circuit, bench.law, seed=seed, samples=whole, plan=plan)
            profile, status = _block(solver, draws)
            parts.append(Results(whole.start, *window.measured(profile, bench.rule), status))
    return joined(parts, samples)


def exact_draws(
    design: Design, z: Float[np.ndarray, "s z"], *, is_uniform: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Run the circuits of given draws, columns as in ``law.columns``; window NRMSE (s,) and status (s,)."""
    solver = _Solver(_Named(design.digest, design), is_uniform=is_uniform)
    profile, status = _block(solver, z)
    return window.window_nrmse(profile, solver.bench.rule), status


def precision_error(design: Design, seed: int) -> float:
    """Give the largest relative error of single precision in the window NRMSE of the first 64 samples."""
    first = range(COMPARED)
    exact, single = (exact_chunk(design, seed, first, kernel=k).window_nrmse for k in ("numpy", "float32"))
    finite = np.isfinite(exact)
    if not np.array_equal(finite, np.isfinite(single)):
        return float("inf")
    return float(np.max(np.abs(single[finite] / exact[finite] - 1.0), initial=0.0))


@dataclass(frozen=True)
class _Named:
    """A design that a cache can hold: told apart by its digest."""

    digest: str
    design: Design

    def __hash__(self) -> int:
        return hash(self.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Named) and other.digest == self.digest


@lru_cache(maxsize=KEPT_DESIGNS)
def _prepared(named: _Named) -> Bench:
    keep_freed_memory()
    design = named.design
    circuit, stimulus = build(design), design.stimulus
    direct = planned_directly(circuit, stimulus) if isinstance(stimulus, Tones) else None
    rule = places(stimulus, design.order, design.theta)
    return Bench(circuit, Mismatch.of(design), grid(stimulus, design.theta), rule, direct)


@lru_cache(maxsize=KEPT_DESIGNS)
def _reduced(named: _Named) -> Reduction | None:
    """Plan how the circuit comes down to its slow states, where it does."""
    stimulus = named.design.stimulus
    band = float(np.max(stimulus.frequency)) if isinstance(stimulus, Tones) else named.design.bandwidth
    return planned(_prepared(named).circuit, band=band)


@lru_cache(maxsize=KEPT_DESIGNS)
def _compiled(named: _Named) -> Compiled | CompiledDirect | None:
    """Prepare the compiled kernel; None where it does not apply: recordings, clocks, no slow states."""
    bench = _prepared(named)
    tones = bench.looked_at.stimulus
    if not isinstance(tones, Tones):
        return None
    if bench.direct is not None and relative_cost(bench.direct) < COMPILED:
        return compile_direct(bench.direct, _moving(bench, bench.direct.circuit), tones)
    reduction = _reduced(named)
    return None if reduction is None else compile_design(reduction, _moving(bench, reduction.circuit), tones)


def _moving(bench: Bench, linear: Circuit) -> np.ndarray:
    """Tell which parameters of a circuit, or of its linear twin, differ between samples, (m,) bool."""
    strayed = moved(bench.circuit, bench.law)
    inner = strayed if bench.circuit.twin is None else twin_values(bench.circuit, strayed)
    return inner != linear.values


@lru_cache(maxsize=KEPT_DESIGNS)
def _keys(named: _Named) -> np.ndarray:
    bench = _prepared(named)
    return draw_keys(bench.circuit, bench.law)


@dataclass(frozen=True, eq=False)
class _Solver:
    """How a block is computed: what is compiled, and whether in single precision."""

    named: _Named
    compiled: Compiled | CompiledDirect | None = None
    is_single: bool = False
    is_uniform: bool = False

    @property
    def bench(self) -> Bench:
        return _prepared(self.named)

    @property
    def law(self) -> Mismatch:
        return replace(self.bench.law, is_uniform=self.is_uniform)

    @property
    def dtype(self) -> type:
        return np.float32 if self.is_single else np.float64


def _block(solver: _Solver, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give profile (s, q) and status (s,) of a whole block of draws (s, z)."""
    circuit = solver.bench.circuit
    values = sample(circuit, solver.law, z)
    # A value that is not positive is no circuit; such a sample has failed, and the nominal stands in.
    sound = is_sound(circuit, values)
    if not sound.all():
        values = np.where(sound[:, None], values, circuit.values)
    profile, stable = _solved(solver, values)
    profile[~stable], profile[~sound] = np.inf, np.nan
    return profile, np.where(~sound, FAILED, np.where(stable, GOOD, UNSTABLE)).astype(np.int8)


def _solved(solver: _Solver, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give profile (s, q) of circuits, and which are stable, (s,); the quick way first, where there is one."""
    bench, direct = solver.bench, solver.bench.direct
    if solver.compiled is not None:
        inner = values if bench.circuit.twin is None else twin_values(bench.circuit, values)
        profile, stable, certain = solver.compiled.run(inner)
    elif direct is not None and isinstance(tones := bench.looked_at.stimulus, Tones):
        profile, stable, certain = direct_profiles(
            direct, bench.circuit, values, tones=tones, dtype=solver.dtype
        )
        profile = profile.astype(float, copy=False)
    else:
        return _by_state_space(solver, values)
    if not certain.all():
        profile[~certain], stable[~certain] = _by_state_space(solver, values[~certain])
    return profile, stable


def _by_state_space(solver: _Solver, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    bench = solver.bench
    system = state_spaces(bench.circuit, _reduced(solver.named), values, dtype=solver.dtype)
    stable = is_stable(system)
    with np.errstate(over="ignore", invalid="ignore"):  # where it is unstable
        return _profiles(system, bench, solver.named.design.theta).astype(float), stable


def _profiles(system: StateSpace, bench: Bench, theta: float) -> np.ndarray:
    looked_at = bench.looked_at
    match looked_at.stimulus:
        case Tones() as tones:
            wave = (tones.frequency, tones.phasor)
            if system.dt is None:
                return steady.many_profiles(system, wave, theta)
            phasor = steady_response(system, tones.frequency) * tones.phasor[:, None]
            return window.tone_profile(phasor, wave, theta, offset=system.offset)
        case Recording() as recording:
            rule = bench.rule
            truth = ideal_window(looked_at, theta, rule)
            if system.dt is not None:
                states = exact_states(system, looked_at)
                return window.time_profile(states, truth, looked_at.rms, quadrature=rule)
            u, dt, rms = recording.values, float(recording.dt), looked_at.rms
            content = content_of(bench.circuit.order, truth.T, rule, dtype=system.A.dtype)
            parts = _batches(system, looked_at)
            return np.concatenate([lifted.many_profiles(p, u, dt, content=content, rms=rms) for p in parts])


def _batches(system: StateSpace, looked_at: Grid) -> Iterator[StateSpace]:
    """Cut the samples into parts that are propagated together."""
    size = max(1, BATCH_VALUES // (len(looked_at.time) * system.order))
    for k in range(0, len(system.A), size):
        yield cut(system, slice(k, k + size))
