"""Sampling plans: which points of the space of draws an ensemble takes.

"random" are the independent streams of ``mismatch.draw``. "latin" (McKay, Beckman and Conover, Technometrics
21, 1979) and "sobol" (Sobol' points, scrambled: Owen, Ann. Statist. 25, 1997) spread each block of samples
evenly. A block is randomised by itself, by seed and its number, and every point of it alone is a random one:
hence a sample is a pure function of (design, seed, sample) under each plan, a run can be continued or
extended, blocks are independent replicates, and their scatter gives the interval of any estimate.
"""

import hashlib
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal, get_args

import numpy as np
import scipy
from jaxtyping import Float

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit, with_values
from lmu_analog.design import Design
from lmu_analog.errors import DesignError, shown
from lmu_analog.memory.elementary import normal_quantile
from lmu_analog.mismatch.law import (
    Mismatch,
    check_index,
    check_seed,
    columns,
    draw,
    sample,
)
from lmu_analog.theory.first_order import first_order

Sampling = Literal["random", "latin", "sobol"]
SAMPLINGS: tuple[Sampling, ...] = get_args(Sampling)
# Samples of a block. Sobol' points want a power of two. 256 are four chunks, so that no chunk straddles two
# blocks; large enough that the even spread tells in more than the first few dimensions (a tenth of the
# variance of random samples at 60 elements), small enough that 1000 samples are replicates for an interval.
LATIN, SOBOL = 64, 256
BLOCK: dict[Sampling, int] = {"random": 1, "latin": LATIN, "sobol": SOBOL}
MOST_DIMENSIONS = 21201  # of the direction numbers by Joe and Kuo, which SciPy has
BITS = 30  # of SciPy's Sobol' points


@dataclass(frozen=True)
class Plan:
    """A sampling plan for one design.

    Attributes
    ----------
    sampling : {"random", "latin", "sobol"}
    order : tuple of int
        Columns of z in the order in which they get their Sobol' dimension; empty for the other plans.
    """

    sampling: Sampling = "random"
    order: tuple[int, ...] = ()


RANDOM = Plan()


def make_plan(design: Design, sampling: str) -> Plan:
    """Lay out a sampling plan.

    The first dimensions of Sobol' points are the most even, so they go to the draws with the largest effect:
    first-order effects, octave by octave, in the circuit's order within one. That is three to four times
    less variance at order 6 than the circuit's order. Equal names in two designs get the same numbers under
    "random" and "latin", not under "sobol".

    Raises
    ------
    DesignError
        If there is no such plan, or the circuit has more draws than there are Sobol' dimensions.
    """
    if sampling not in SAMPLINGS:
        raise DesignError(f"unknown sampling {shown(sampling)}; known are {', '.join(SAMPLINGS)}")
    if sampling != "sobol":
        return Plan(sampling)
    circuit, law = build(design), Mismatch.of(design)
    _check_dimensions(len(columns(circuit, law)))
    return Plan("sobol", _by_effect(first_order(design).added_rms))


def _check_dimensions(draws: int) -> None:
    if draws > MOST_DIMENSIONS:
        raise DesignError(
            f"sampling 'sobol' has {MOST_DIMENSIONS} dimensions, this circuit {draws} draws; use 'latin'"
        )


def _by_effect(effect: np.ndarray) -> tuple[int, ...]:
    largest = effect.max(initial=0.0)
    relative = effect / largest if largest > 0.0 else np.ones_like(effect)
    # Octaves, because rounding must not decide between equal effects; 0.3, because designs are fond of
    # ratios of 2, which would lie on an octave's border.
    octave = np.floor(np.log2(np.maximum(relative, 1e-300)) + 0.3)
    return tuple(int(k) for k in np.argsort(-octave, kind="stable"))


def draw_plan(
    circuit: Circuit, law: Mismatch, *, seed: int, samples: range, plan: Plan = RANDOM
) -> Float[np.ndarray, "s z"]:
    """Draw standard normals for a stretch of samples by a plan.

    Parameters
    ----------
    circuit : Circuit
    law : Mismatch
        Only says which draws are needed, never what they are.
    seed : int
    samples : range
        Consecutive sample numbers, counted from 0.
    plan : Plan
        From ``make_plan`` for the same design.

    Returns
    -------
    (s, z) array
        Columns as in ``law.columns``; each row alone is distributed as in the plan "random".
    """
    if plan.sampling == "random":
        return draw(circuit, law, seed=seed, samples=samples)
    names, seed, size = columns(circuit, law), check_seed(seed), BLOCK[plan.sampling]
    if not names or not samples:
        return np.zeros((len(samples), len(names)))
    blocks = range(samples.start // size, (samples.stop - 1) // size + 1)
    if plan.sampling == "latin":
        points = _latin(names, seed, blocks)
    else:
        points = np.concatenate([_sobol(plan.order, seed, block) for block in blocks])
    first = samples.start - size * blocks.start
    return normal_quantile(points[first : first + len(samples)])


def planned_circuit(design: Design, *, seed: int, index: int | None, sampling: str = "random") -> Circuit:
    """Build the circuit of one sample of a run with this plan; the nominal one for None."""
    if index is None:
        return build(design)
    circuit, law = build(design), Mismatch.of(design)
    stretch = range(check_index(index), index + 1)
    z = draw_plan(circuit, law, seed=seed, samples=stretch, plan=make_plan(design, sampling))
    return with_values(circuit, sample(circuit, law, z)[0])


def _latin(names: tuple[str, ...], seed: int, blocks: range) -> np.ndarray:
    """Give points in (0, 1), (samples of the blocks, names): one in every 64th part, for each name."""
    words = np.stack([_words(name, seed, blocks) for name in names], axis=-1)
    part = np.argsort(words[:, 0], axis=1, kind="stable")
    # 6 bits of the part, 46 within it and the centring: 53, exact, so never 0 or 1.
    within = ((words[:, 1] >> np.uint64(18)) + 0.5) * 2.0**-46
    return ((part + within) / LATIN).reshape(-1, len(names))


def _words(name: str, seed: int, blocks: range) -> np.ndarray:
    """Give two random 64-bit words for each sample of some blocks, (blocks, 2, 64)."""
    steps = 2 * LATIN // 4  # of a Philox counter in a block: a step gives four words
    generator = np.random.Philox(key=np.array([seed, _key(name)], np.uint64), counter=steps * blocks.start)
    return generator.random_raw(2 * LATIN * len(blocks)).reshape(len(blocks), 2, LATIN)


@cache
def _key(name: str) -> int:
    # Another stream than that of ``mismatch.draw``, which has the bare name.
    return int.from_bytes(hashlib.sha256(f"latin {name}".encode()).digest()[:8], "little")


# ngspice asks for one sample at a time, the exact engine for a quarter of a block.
@lru_cache(maxsize=2)
def _sobol(order: tuple[int, ...], seed: int, block: int) -> np.ndarray:
    """Give one scrambled block of points in (0, 1), (256, columns)."""
    _check_dimensions(len(order))

    rows = scipy.stats.qmc.Sobol(
        len(order), scramble=True, bits=BITS, rng=np.random.default_rng([seed, block])
    )
    points = np.empty((SOBOL, len(order)))
    points[:, np.array(order)] = rows.random(SOBOL)
    return points + 2.0 ** -(BITS + 1)  # the middle of the finest cell: never 0
