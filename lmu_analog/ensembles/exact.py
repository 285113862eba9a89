"""The exact engine's unit of work: consecutive samples of a linear circuit, all at once.

Samples are computed in whole blocks, see ``blocks``, by engines that are tried in order: what one is not certain of,
the next computes.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit, small_signal_values
from lmu_analog.design import Design
from lmu_analog.engine import native
from lmu_analog.engine.draws import LawSteps
from lmu_analog.engine.frequency import PLAYERS, Engine, PerFrequency, Profiles
from lmu_analog.engine.order import products
from lmu_analog.engine.plan import FrequencyPlan, plan_frequencies
from lmu_analog.ensembles.allocation import keep_freed_memory, one_thread_each
from lmu_analog.ensembles.blocks import joined, whole_blocks
from lmu_analog.ensembles.sampling import RANDOM, Plan, draw_plan
from lmu_analog.ensembles.state_spaces import StateSpaces
from lmu_analog.errors import CircuitError, DesignError, shown
from lmu_analog.memory import window
from lmu_analog.mismatch.law import Mismatch, check_seed, is_sound, law_steps, moved, sample
from lmu_analog.reduction.reduced import planned
from lmu_analog.reduction.reduced_equations import Reduction
from lmu_analog.simulation import Grid, grid, places
from lmu_analog.stimulus import Tones
from lmu_analog.storage.results import FAILED, GOOD, UNSTABLE, Results

Kernel = Literal["native", "numpy"]
KERNELS: tuple[Kernel, ...] = get_args(Kernel)
Solver = Literal["per-frequency", "state-space"]
BLOCK = 2048  # samples of tones computed together: enough to hide what a call of NumPy costs
SMALL_BLOCK = 64  # of what takes longer: long recordings, circuits that do not come down to slow states
BLOCK_POINTS = 2**20  # samples times points of a recording, in a block between the two
KEPT_DESIGNS = 4
_PREPARING = threading.Lock()  # the threads of a run would all prepare the same, one hindering another
# What state spaces cost in NumPy, in complex products of the per-frequency solve (measured): once, and per square of
# the order, once and for every tone. What a product in single precision costs, of one in double.
DENSE_ONCE, DENSE, DENSE_TONE, SINGLE = 420.0, 62.0, 1.1, 0.5


def check_kernel(kernel: object) -> Kernel | None:
    """Refuse a player that there is not, or that cannot run here."""
    match kernel:
        case None:
            return None
        case "numpy":
            return "numpy"
        case "native":
            if native.is_there():
                return "native"
            raise DesignError(f"kernel 'native' cannot run here ({native.found().missing}); leave it out")
        case "numba" | "float32":
            raise DesignError(f"kernel {shown(kernel)} is gone: 'native' is faster, in double precision")
        case _:
            raise DesignError(f"unknown kernel {shown(kernel)}; known are {', '.join(KERNELS)}")


def kernel_of(kernel: Kernel | None) -> Kernel:
    """Name the player that is used where this one is asked for: the quickest that can run here unless one is."""
    return kernel or ("native" if native.is_there() else "numpy")


@dataclass(frozen=True, eq=False)
class Prepared:
    """What all samples of a design share.

    Attributes
    ----------
    circuit : Circuit
    law : Mismatch
    grid : Grid
        The evaluation grid.
    rule : Quadrature
        Where in the window errors are taken.
    plan : FrequencyPlan or None
        How the node equations are solved at the tones, where they are.
    """

    circuit: Circuit
    law: Mismatch
    grid: Grid
    rule: window.Quadrature
    plan: FrequencyPlan | None


def solver_of(design: Design, kernel: Kernel | None = None) -> Solver:
    """Choose how the samples of a design are computed; the one place where that is chosen.

    The per-frequency solve is quicker wherever the native player runs, and for sparse circuits in NumPy, too. A
    player that is asked for by name plays.
    """
    prepared = _prepared(_Named(design.digest, design))
    if prepared.plan is None:
        return "state-space"
    if kernel is None and not native.is_there() and relative_cost(prepared.plan) >= 1.0:
        return "state-space"
    return "per-frequency"


def relative_cost(plan: FrequencyPlan) -> float:
    """Estimate the time of the per-frequency solve over that of state spaces, both in NumPy."""
    cost = products(plan.tones) + SINGLE * products(plan.contour_passes)
    return cost / (DENSE_ONCE + plan.circuit.order**2 * (DENSE + DENSE_TONE * len(plan.w)))


def block_size(design: Design) -> int:
    """Give the number of samples that are computed together."""
    return _block_size(_Named(design.digest, design))


def exact_chunk(
    design: Design,
    seed: int,
    samples: range,
    *,
    plan: Plan = RANDOM,
    kernel: Kernel | None = None,
    solver: Solver | None = None,
    is_uniform: bool = False,
) -> Results:
    """Run consecutive samples in the exact engine.

    Parameters
    ----------
    design : Design
    seed : int
    samples : range
    plan : Plan
        How the samples are spread.
    kernel : {"native", "numpy"}, optional
        What plays the per-frequency solve; the bits are the same.
    solver : {"per-frequency", "state-space"}, optional
        That of ``solver_of`` unless given; results agree to 1e-8 of the error.
    is_uniform : bool
        Whether parts are uniform within their tolerance, by the same draws (``law.factor_uniform``).
    """
    named = _Named(design.digest, design)
    prepared, block = _prepared(named), _block_size(named)
    with _PREPARING:
        engines = _engines(named, solver or solver_of(design, kernel), kernel_of(kernel))
    parts = []
    with one_thread_each():
        for whole in whole_blocks(samples, block):
            values = _values(named, seed, whole, plan=plan, kernel=kernel, is_uniform=is_uniform)
            profile, status = _block(engines, prepared.circuit, values)
            parts.append(Results(whole.start, *window.measured(profile, prepared.rule), status))
    return joined(parts, samples)


def tap_errors(design: Design, seed: int, samples: range, *, plan: Plan = RANDOM) -> Float[np.ndarray, "s t"]:
    """Give the NRMSE of every tap, for consecutive samples of an ensemble: its draws are a function of the seed.

    Infinite where a sample is unstable, NaN where it has failed.
    """
    named = _Named(design.digest, design)
    prepared = _prepared(named)
    with _PREPARING:
        engines = _engines(named, solver_of(design), kernel_of(None))
    places = len(prepared.rule.weight)

    def taps(whole: range) -> np.ndarray:
        values = _values(named, seed, whole, plan=plan)
        return _block(engines, prepared.circuit, values)[0][:, places:]

    with one_thread_each():
        blocks = whole_blocks(samples, _block_size(named))
        found = np.concatenate([taps(whole) for whole in blocks])
    return found[samples.start - blocks[0].start :][: len(samples)]


def _values(
    named: "_Named",
    seed: int,
    samples: range,
    *,
    plan: Plan,
    kernel: Kernel | None = None,
    is_uniform: bool = False,
) -> Float[np.ndarray, "s m"]:
    """Draw the values of samples."""
    prepared = _prepared(named)
    if plan == RANDOM and kernel_of(kernel) == "native":
        return native.draw(_law_steps(named, is_uniform), seed=check_seed(seed), samples=samples).T
    law = replace(prepared.law, is_uniform=is_uniform)
    return sample(
        prepared.circuit, law, draw_plan(prepared.circuit, law, seed=seed, samples=samples, plan=plan)
    )


def exact_draws(
    design: Design, z: Float[np.ndarray, "s z"], *, is_uniform: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Run the circuits of given draws, columns as in ``law.columns``; window NRMSE (s,) and status (s,)."""
    named = _Named(design.digest, design)
    prepared = _prepared(named)
    law = replace(prepared.law, is_uniform=is_uniform)
    engines = _engines(named, solver_of(design), kernel_of(None))
    profile, status = _block(engines, prepared.circuit, sample(prepared.circuit, law, z))
    return window.window_nrmse(profile, prepared.rule), status


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
def _prepared(named: _Named) -> Prepared:
    keep_freed_memory()
    design = named.design
    circuit, stimulus = build(design), design.stimulus
    rule = places(stimulus, design.order, design.theta)
    return Prepared(
        circuit, Mismatch.of(design), grid(stimulus, design.theta), rule, _frequency_plan(circuit, design)
    )


def _frequency_plan(circuit: Circuit, design: Design) -> FrequencyPlan | None:
    """Plan the solution of a circuit's equations, or of its small-signal equivalent's; None where there is none."""
    inner, stimulus = circuit.small_signal or circuit, design.stimulus
    if inner.clock or not isinstance(stimulus, Tones):
        return None
    try:
        return plan_frequencies(inner, stimulus.frequency)
    except (CircuitError, np.linalg.LinAlgError):
        return None


@lru_cache(maxsize=KEPT_DESIGNS)
def _reduced(named: _Named) -> Reduction | None:
    """Plan how the circuit comes down to its slow states, where it does."""
    stimulus = named.design.stimulus
    band = float(np.max(stimulus.frequency)) if isinstance(stimulus, Tones) else named.design.bandwidth
    return planned(_prepared(named).circuit, band=band)


@lru_cache(maxsize=2 * KEPT_DESIGNS)
def _law_steps(named: _Named, is_uniform: bool) -> LawSteps:
    prepared = _prepared(named)
    return law_steps(prepared.circuit, replace(prepared.law, is_uniform=is_uniform))


def _block_size(named: _Named) -> int:
    prepared = _prepared(named)
    if prepared.plan is None and _reduced(named) is None:
        return SMALL_BLOCK
    if isinstance(prepared.grid.stimulus, Tones):
        return BLOCK
    return max(SMALL_BLOCK, 2 ** int(np.log2(BLOCK_POINTS / len(prepared.grid.time))))


@lru_cache(maxsize=2 * KEPT_DESIGNS)
def _engines(named: _Named, solver: Solver, kernel: Kernel) -> tuple[Engine, ...]:
    """List the engines for a design in the order in which they are tried."""
    found: list[Engine] = []
    prepared = _prepared(named)
    plan, stimulus = prepared.plan, prepared.grid.stimulus
    if solver == "per-frequency" and plan is not None and isinstance(stimulus, Tones):
        moving = _small_signal(prepared.circuit, moved(prepared.circuit, prepared.law)) != plan.circuit.values
        per_frequency = PerFrequency.of(plan, moving, stimulus, play=PLAYERS[kernel])
        found.append(_SmallSignal(prepared.circuit, per_frequency))
    return *found, _LateStateSpaces(named)


def _small_signal(circuit: Circuit, values: np.ndarray) -> np.ndarray:
    """Give the values of the linear circuit that stands for this one."""
    return values if circuit.small_signal is None else small_signal_values(circuit, values)


@dataclass(frozen=True, eq=False)
class _SmallSignal:
    """An engine of the linear circuit that stands for another one."""

    circuit: Circuit
    inner: Engine

    def run(self, values: np.ndarray) -> Profiles:
        return self.inner.run(_small_signal(self.circuit, values))


@dataclass(frozen=True, eq=False)
class _LateStateSpaces:
    """State spaces whose reduction is planned when a sample needs it: most runs never do."""

    named: _Named

    def run(self, values: np.ndarray) -> Profiles:
        prepared = _prepared(self.named)
        with _PREPARING:
            reduction, theta = _reduced(self.named), self.named.design.theta
        return StateSpaces(prepared.circuit, reduction, prepared.grid, prepared.rule, theta).run(values)


def _block(
    engines: Sequence[Engine], circuit: Circuit, values: Float[np.ndarray, "s m"]
) -> tuple[np.ndarray, np.ndarray]:
    """Give profile (s, q) and status (s,) of a whole block of samples."""
    # A value that is not positive is no circuit; such a sample has failed, and the nominal stands in.
    sound = is_sound(circuit, values)
    if not sound.all():
        values = np.where(sound[:, None], values, circuit.values)
    profile, stable = _solved(engines, values)
    profile[~stable], profile[~sound] = np.inf, np.nan
    return profile, np.where(~sound, FAILED, np.where(stable, GOOD, UNSTABLE)).astype(np.int8)


def _solved(
    engines: Sequence[Engine], values: Float[np.ndarray, "s m"]
) -> tuple[Float[np.ndarray, "s q"], Bool[np.ndarray, " s"]]:
    """Give profile (s, q) of circuits, and which are stable, (s,): each engine computes what those before left."""
    first = engines[0].run(values)
    profile, stable, doubtful = first.profile, first.stable, np.flatnonzero(~first.certain)
    for engine in engines[1:]:
        if not len(doubtful):
            break
        found = engine.run(values[doubtful])
        profile[doubtful], stable[doubtful] = found.profile, found.stable
        doubtful = doubtful[~found.certain]
    return profile, stable
