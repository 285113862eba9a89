"""Mismatch: the law apart from the draws.

A draw is a function of (seed, sample, name): every component has its own Philox stream (Salmon et al.,
SC 2011) and sample k is its k-th number. Two designs, and both engines, meet the same numbers, and any
sample can be replayed alone.

From a draw's words to the values of a sample only ``memory.elementary`` and operations that IEEE 754 fixes are used,
element by element: the values have the same bits on every processor, however many samples are asked for at once.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit, with_values
from lmu_analog.circuits.components import Component
from lmu_analog.circuits.devices.tolerance import (
    MOST_SAMPLES,
    Distribution,
    Group,
    PartTolerance,
    Tolerance,
    own_tolerance,
    spreads,
)
from lmu_analog.circuits.patterns import picks
from lmu_analog.design import Design
from lmu_analog.engine.draws import (
    ADDED,
    BEYOND,
    COMMON,
    EVEN_GAUSS,
    EVEN_LOGNORMAL,
    GAUSS,
    LOGNORMAL,
    TRUNCATED,
    TRUNCATION,
    UNIFORM,
    LawSteps,
)
from lmu_analog.errors import DesignError, shown
from lmu_analog.memory.elementary import exp, log1p, normal_cdf, normal_quantile
from lmu_analog.mismatch.groups import Shared, shared_draws
from lmu_analog.mismatch.selection import Selection, Target, acting
from lmu_analog.units import is_whole

HIGHEST_SEED = 2**63 - 1
BLOCK = 4  # 64-bit words that one step of a Philox counter gives
EXACT = Tolerance(0.0)


@dataclass(frozen=True)
class Mismatch:
    """The law: a tolerance for every class, what is correlated, and what of it acts.

    Attributes
    ----------
    classes : dict
        Class to tolerance; a class left out is exact.
    groups : tuple of Group
        Components whose local draws are correlated.
    selection : Selection
        All, unless some mismatch is switched off.
    is_uniform : bool
        Whether local draws are spread evenly over three standard deviations to either side, whatever the law of
        their class: parts uniform within their tolerance. Lots and offsets keep their law.
    parts : tuple of PartTolerance
        Components whose local tolerance is another than that of their class.
    """

    classes: dict[str, Tolerance]
    groups: tuple[Group, ...] = ()
    selection: Selection = Selection()
    is_uniform: bool = False
    parts: tuple[PartTolerance, ...] = ()

    @classmethod
    def of(cls, design: Design) -> "Mismatch":
        """Read the law off a design."""
        return cls(
            design.tolerances,
            design.groups,
            Selection(design.only, design.without),
            parts=design.part_tolerances,
        )


@dataclass(frozen=True, eq=False)
class _Columns:
    """Names of the draws of a circuit, and where each acts.

    A local draw belongs to one parameter and one class; after them comes one lot draw a class, then the
    shared ones of groups. ``acts`` says of local and lot draws whether they do; ``own`` is the tolerance of
    local ones that parts say, NaN where they say none.
    """

    names: tuple[str, ...]
    parameter: np.ndarray
    classes: tuple[str, ...]
    lots: tuple[str, ...]
    acts: np.ndarray
    shared: Shared
    own: np.ndarray


def columns(circuit: Circuit, mismatch: Mismatch) -> tuple[str, ...]:
    """Name the draws of a circuit, the columns of z: parameter and class, then lot and class, then groups.

    Raises
    ------
    DesignError
        If a pattern of the selection or of a group picks nothing, or groups overlap.
    """
    return _columns(circuit, mismatch).names


def _columns(circuit: Circuit, mismatch: Mismatch) -> _Columns:
    pairs = [
        (k, p.name, c) for k, p in enumerate(circuit.parameters) for c in p.classes if c in mismatch.classes
    ]
    lots = tuple(sorted(mismatch.classes))
    component = {c.name: c for c in circuit.components}
    owners = [component[circuit.parameters[k].component] for k, _, _ in pairs]
    local = [Target(c, name, owner) for (_, name, c), owner in zip(pairs, owners, strict=True)]
    acts = acting(mismatch.selection, [*local, *(Target(c) for c in lots)])
    names = [f"{name}|{c}" for _, name, c in pairs] + [f"lot|{c}" for c in lots]
    shared = shared_draws(mismatch.groups, local, first=len(names))
    parameter = np.array([k for k, _, _ in pairs], int)
    classes = tuple(c for *_, c in pairs)
    own = _own_tolerances(mismatch, owners, classes)
    return _Columns((*names, *shared.names), parameter, classes, lots, acts, shared, own)


def _own_tolerances(
    mismatch: Mismatch, owners: Sequence[Component], classes: Sequence[str]
) -> Float[np.ndarray, " l"]:
    """Give the tolerance that parts say of every local draw, NaN where they say none."""
    if not mismatch.parts:
        return np.full(len(owners), np.nan)
    for pattern in (pattern for part in mismatch.parts for pattern in part.components):
        if not any(picks(pattern, owner) for owner in owners):
            names = ", ".join(list(dict.fromkeys(owner.name for owner in owners))[:5]) or "none"
            raise DesignError(
                f"[mismatch] part {pattern[:60]!r} picks nothing that deviates; there are {names}"
            )
    known = {owner.name: own_tolerance(owner, mismatch.classes, mismatch.parts) for owner in owners}
    found = [known[owner.name] for owner in owners]
    return np.array([x[1] if x and x[0] == c else np.nan for x, c in zip(found, classes, strict=True)])


def _local_spreads(
    circuit: Circuit, mismatch: Mismatch, where: _Columns, draws: Sequence[int] | np.ndarray
) -> Float[np.ndarray, " k"]:
    """Give the local spread of draws of one class, (k,), as in ``Tolerance``."""
    if not len(draws):
        return np.zeros(0)
    at = np.asarray(draws)
    of_class = spreads(mismatch.classes[where.classes[at[0]]], circuit.values[where.parameter[at]])
    return np.where(np.isnan(where.own[at]), of_class, where.own[at])


def check_seed(seed: object) -> int:
    """Refuse a seed that is no whole number from 0 to 2^63 - 1."""
    if not is_whole(seed) or not 0 <= seed <= HIGHEST_SEED:
        raise DesignError(f"seed {shown(seed)} is no whole number from 0 to 2^63 - 1")
    return int(seed)


def check_index(index: object) -> int:
    """Refuse a sample that is none of any ensemble."""
    if not is_whole(index) or not 0 <= index < MOST_SAMPLES:
        raise DesignError(f"sample {shown(index)} is no whole number from 0 to {MOST_SAMPLES - 1}")
    return int(index)


def draw(circuit: Circuit, mismatch: Mismatch, *, seed: int, samples: range) -> Float[np.ndarray, "s z"]:
    """Draw standard normals for a stretch of samples.

    Parameters
    ----------
    circuit : Circuit
    mismatch : Mismatch
        Only says which draws are needed, never what they are.
    seed : int
    samples : range
        Consecutive sample numbers, counted from 0.

    Returns
    -------
    (s, z) array
        Columns as in ``columns``.
    """
    return normals(seed, columns(circuit, mismatch), samples)


def normals(seed: int, names: Sequence[str], samples: range) -> Float[np.ndarray, "s z"]:
    """Draw standard normals by their names: column z is the stretch ``samples`` of that name's own stream."""
    seed = check_seed(seed)
    words = np.empty((len(names), len(samples)), np.uint64)
    for row, stretch in zip(words, _words(seed, names, samples), strict=True):
        row[:] = stretch
    # 53 bits, centred: never 0, and where half a bit rounds up to 1, the quantile is that of 1 - 2^-53.
    return normal_quantile(((words >> np.uint64(11)) + 0.5) * 2.0**-53).T


def _words(seed: int, names: Sequence[str], samples: range) -> Iterator[np.ndarray]:
    """Give every name's stretch of its own stream, 64 bits a sample."""
    first = samples.start // BLOCK
    skip = samples.start - BLOCK * first
    generator = np.random.Philox(key=0)
    state: Any = generator.state
    # Turning one generator to another key takes a sixth of the time that making a new one does.
    for name in names:
        state["state"]["key"][:] = seed, key_of(name)
        state["state"]["counter"][:] = first, 0, 0, 0
        state["buffer_pos"] = BLOCK
        generator.state = state
        yield generator.random_raw(skip + len(samples))[skip:]


@cache
def key_of(name: str) -> int:
    """Give the key of a draw's stream: half of Philox's, the other is the seed."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")


def sample(circuit: Circuit, mismatch: Mismatch, z: Float[np.ndarray, "*s z"]) -> Float[np.ndarray, "*s m"]:
    """Apply the law to draws.

    p = p_nominal (1 + lot of the class) (1 + local) for every class of a parameter; random offsets of
    op-amps, sigma a third of their largest, are added (both only where class ``opamp`` is named). What the
    selection leaves out is exactly one, or no offset.

    Parameters
    ----------
    circuit : Circuit
    mismatch : Mismatch
    z : (..., z) array
        Standard normals, columns as in ``columns``.

    Returns
    -------
    (..., m) array
        Values of ``circuit.parameters``, SI units.
    """
    where = _columns(circuit, mismatch)
    lines = np.moveaxis(where.shared.mix(z), -1, 0)  # a line a draw: its samples lie side by side
    lead = (slice(None),) + (None,) * (lines.ndim - 1)
    values = np.broadcast_to(circuit.values[lead], (len(circuit.values), *lines.shape[1:])).copy()
    lot_at = {c: len(where.classes) + k for k, c in enumerate(where.lots)}
    spans = _offset_spans(circuit)
    kinds = np.array(where.classes)
    is_offset = np.array([spans[k] is not None for k in where.parameter], bool)
    for c, tolerance in mismatch.classes.items():
        scaling = np.flatnonzero((kinds == c) & ~is_offset)
        # A draw of zero would not do: the lognormal law has its mean, not its median, at one.
        spread = _local_spreads(circuit, mismatch, where, scaling)[where.acts[scaling]]
        moved = scaling[where.acts[scaling]]
        # A parameter meets a class at most once, so no index repeats here.
        drawn = factor_uniform if mismatch.is_uniform else factor
        values[where.parameter[moved]] *= drawn(lines[moved], spread[lead], tolerance.distribution)
        if where.acts[lot_at[c]] and tolerance.lot:
            values[where.parameter[scaling]] *= factor(
                lines[lot_at[c]], tolerance.lot, tolerance.distribution
            )
    for k in np.flatnonzero(is_offset & where.acts[: len(kinds)]):
        if mismatch.classes["opamp"] != EXACT:
            values[where.parameter[k]] += spans[where.parameter[k]] / TRUNCATION * truncated(lines[k])
    return np.moveaxis(values, 0, -1)


_KINDS: dict[tuple[Distribution, bool], int] = {
    ("gauss3", False): TRUNCATED,
    ("gauss3", True): UNIFORM,
    ("uniform", False): UNIFORM,
    ("uniform", True): UNIFORM,
    ("gauss", False): GAUSS,
    ("gauss", True): EVEN_GAUSS,
    ("lognormal", False): LOGNORMAL,
    ("lognormal", True): EVEN_LOGNORMAL,
}


def law_steps(circuit: Circuit, mismatch: Mismatch) -> LawSteps:
    """Write the law of a circuit as steps, in the order in which ``sample`` multiplies."""
    where, spans = _columns(circuit, mismatch), _offset_spans(circuit)
    code: list[tuple[int, int, int]] = []
    constant: list[tuple[float, float]] = []

    def act(draw_at: int, parameter: int, spread: float, kind: int) -> None:
        code.append((kind, draw_at, parameter))
        if kind in (LOGNORMAL, EVEN_LOGNORMAL):
            variance = float(log1p(np.array(spread * spread)))
            constant.append((float(np.sqrt(variance)), 0.5 * variance))
        else:
            constant.append((spread / TRUNCATION if kind in (TRUNCATED, ADDED) else spread, 0.0))

    is_offset = [spans[k] is not None for k in where.parameter]
    for c, tolerance in mismatch.classes.items():
        mine = [k for k, kind in enumerate(where.classes) if kind == c and not is_offset[k]]
        spread = _local_spreads(circuit, mismatch, where, mine)
        for k, local in zip(mine, spread.tolist(), strict=True):
            if where.acts[k] and local:
                act(k, int(where.parameter[k]), local, _KINDS[tolerance.distribution, mismatch.is_uniform])
        lot = len(where.classes) + where.lots.index(c)
        if where.acts[lot] and tolerance.lot and mine:
            act(lot, -1, tolerance.lot, _KINDS[tolerance.distribution, False])
            code.extend((COMMON, lot, int(where.parameter[k])) for k in mine)
            constant.extend((0.0, 0.0) for _ in mine)
    for k in np.flatnonzero(np.array(is_offset, bool) & where.acts[: len(is_offset)]).tolist():
        if mismatch.classes["opamp"] != EXACT:
            act(k, int(where.parameter[k]), float(spans[where.parameter[k]] or 0.0), ADDED)
    follows, shares = np.full(len(where.names), -1), np.zeros((len(where.names), 2))
    shared = where.shared
    follows[shared.members] = shared.follows
    shares[shared.members] = np.sqrt(np.stack([shared.correlation, 1.0 - shared.correlation], axis=-1))
    return LawSteps(
        np.array([key_of(name) for name in where.names], np.uint64),
        follows,
        shares,
        circuit.values,
        np.array(code, int).reshape(-1, 3),
        np.array(constant, float).reshape(-1, 2),
    )


def sample_circuit(design: Design, *, seed: int, index: int) -> Circuit:
    """Build the circuit of one mismatch sample."""
    circuit, law = build(design), Mismatch.of(design)
    z = draw(circuit, law, seed=seed, samples=range(check_index(index), index + 1))
    return with_values(circuit, sample(circuit, law, z)[0])


def moved(circuit: Circuit, mismatch: Mismatch) -> Float[np.ndarray, " m"]:
    """Give the values when every draw is one, (m,), SI units: what differs from the nominal ones is what deviates."""
    return sample(circuit, mismatch, np.ones((1, len(columns(circuit, mismatch)))))[0]


def relative_deviations(circuit: Circuit, mismatch: Mismatch) -> list[tuple[int, int, float, Distribution]]:
    """List what multiplies a parameter: its place in ``circuit.parameters``, the draw, its spread and law.

    Local draws and lots of everything but offset voltages, as ``sample`` applies them; draws are numbered as in
    ``columns``, those of groups left out.
    """
    where = _columns(circuit, mismatch)
    kinds, spans = np.array(where.classes), _offset_spans(circuit)
    is_offset = np.array([spans[k] is not None for k in where.parameter], bool)
    found: list[tuple[int, int, float, Distribution]] = []
    for at, c in enumerate(where.lots, len(where.classes)):
        tolerance, scaling = mismatch.classes[c], np.flatnonzero((kinds == c) & ~is_offset)
        spread = _local_spreads(circuit, mismatch, where, scaling)
        for draw_at, k, local in zip(scaling, where.parameter[scaling], spread, strict=True):
            if where.acts[draw_at] and local:
                found.append((int(k), int(draw_at), float(local), tolerance.distribution))
            if where.acts[at] and tolerance.lot:
                found.append((int(k), at, tolerance.lot, tolerance.distribution))
    return found


def is_sound(circuit: Circuit, values: Float[np.ndarray, "*s m"]) -> np.ndarray:
    """Tell which samples are circuits: all values but offset voltages are positive; (...,) bool."""
    positive = np.array([not p.name.endswith(".offset") for p in circuit.parameters], bool)
    least = values.min(axis=tuple(range(values.ndim - 1)))[positive] if values.size else np.array(())
    if (least > 0.0).all():  # nearly always, and quicker to see than sample by sample
        return np.ones(values.shape[:-1], bool)
    return np.asarray((values[..., positive] > 0.0).all(axis=-1))


def factor(z: np.ndarray, spread: float | np.ndarray, distribution: Distribution) -> np.ndarray:
    """Turn standard normals into factors around 1; ``spread``, one or one a draw, as in ``Tolerance``."""
    if not np.any(spread):
        return np.ones_like(z)
    match distribution:
        case "gauss3":
            return 1.0 + spread / TRUNCATION * truncated(z)
        case "gauss":
            return 1.0 + spread * z
        case "uniform":
            return 1.0 + spread * (2.0 * normal_cdf(z) - 1.0)
        case "lognormal":
            variance = log1p(spread * spread)
            return exp(np.sqrt(variance) * z - 0.5 * variance)


def factor_uniform(z: np.ndarray, spread: float | np.ndarray, distribution: Distribution) -> np.ndarray:
    """Turn standard normals into factors of parts that are uniform within their tolerance.

    The normal behind a law becomes uniform over three standard deviations to either side, by its distribution
    function: within the tolerance where that is three sigma, within three where it is one, and, of a lognormal law,
    in the logarithm. A law that is uniform stays as it is.
    """
    match distribution:
        case "gauss3" | "uniform":
            return factor(z, spread, "uniform")
        case "gauss" | "lognormal":
            return factor(TRUNCATION * (2.0 * normal_cdf(z) - 1.0), spread, distribution)


def truncated(z: np.ndarray) -> np.ndarray:
    """Map standard normals to normals truncated at +-3, through their distribution functions."""
    return normal_quantile(BEYOND + (1.0 - 2.0 * BEYOND) * normal_cdf(z))


def _offset_spans(circuit: Circuit) -> list[float | None]:
    """Give, for every parameter, the largest random offset if it is an offset voltage, else None."""
    amplifiers = circuit.amplifiers
    models = {c.name: c.model for c in amplifiers}
    return [
        models[p.component].offset_max if p.name.endswith(".offset") else None for p in circuit.parameters
    ]
