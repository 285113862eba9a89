"""Designs side by side: the same figures of each, and their differences on common draws.

A draw is a function of seed, sample and component name, so designs that share names meet the same parts: what both
suffer alike does not blur what one has over the other. Every design stands beside the first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import xarray as xr

from lmu_analog.analysis.budget import budget
from lmu_analog.analysis.resources import Resources, resources
from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import Amplifier, is_outside
from lmu_analog.circuits.devices.packages import form_of
from lmu_analog.circuits.devices.prices import Price
from lmu_analog.circuits.families.registry import is_on_chip
from lmu_analog.codesign.prices import class_cost
from lmu_analog.design import Design
from lmu_analog.design_keys import KEYS
from lmu_analog.ensembles.intervals import half_width, paired_fractions, paired_percentiles
from lmu_analog.ensembles.montecarlo import check_numbers, monte_carlo
from lmu_analog.ensembles.yields import Yield, counts, percentiles, yield_within
from lmu_analog.errors import DesignError, LmuAnalogError
from lmu_analog.mismatch.law import Mismatch, check_seed, columns
from lmu_analog.simulation import simulate
from lmu_analog.stimulus import Stimulus
from lmu_analog.storage.results import GOOD
from lmu_analog.theory.sensitivity import elements

SAMPLES = 2000
_OF_THE_BUDGET = 100  # circuits, as many as the command budget takes
_LEAST = 30  # pairs; a percentile of fewer says nothing


@dataclass(frozen=True, eq=False)
class Side:
    """One design's figures; errors are fractions of rms(u).

    Attributes
    ----------
    name : str
    design : Design
    run : Dataset
        Its ensemble, from ``monte_carlo``.
    nominal : float
        Window NRMSE without mismatch.
    spread : dict
        From ``ensembles.yields.percentiles``.
    ensemble : dict
        From ``ensembles.yields.counts``: how many samples are unstable, and such.
    good : Yield or None
        None without a limit.
    causes : dict
        Contributor of ``analysis.budget`` to the rms error that it adds alone; empty where there is no budget.
    classes : dict
        Mismatch class to the rms error that it adds by first-order theory; empty where there is none.
    cost : float or None, USD
        By the price list, or by price classes.
    unpriced : int
        Parts that have no price.
    parts : int
        That are placed: a package of amplifiers counts as one.
    takes : Resources
    notes : tuple of str
        What is not known, and what the signal asks that parts cannot give.
    """

    name: str
    design: Design
    run: xr.Dataset
    nominal: float
    spread: dict[str, float | None]
    ensemble: dict[str, int]
    good: Yield | None
    causes: dict[str, float]
    classes: dict[str, float]
    cost: float | None
    unpriced: int
    parts: int
    takes: Resources
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """A difference with its 95 % interval, from pairs of circuits."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """How far a design is from the first.

    Attributes
    ----------
    name : str
    common_draws : int
        Draws of the same name, which are the same numbers in both.
    draws : (int, int)
        Of the first, and of this one.
    pairs : int
        Samples of which both circuits are stable; errors are of these, the yield is of all.
    p95, mean : Change or None
        Of the window NRMSE.
    good : Change or None
        Of the yield, each within its own limit; None without limits.
    reason : str
        Why there is no difference of errors; empty where there is one.
    """

    name: str
    common_draws: int
    draws: tuple[int, int]
    pairs: int
    p95: Change | None
    mean: Change | None
    good: Change | None
    reason: str = ""


@dataclass(frozen=True, eq=False)
class SideBySide:
    """Designs side by side.

    Attributes
    ----------
    sides : tuple of Side
    differences : tuple of Difference
        Of every design but the first.
    samples, seed : int
    assumed : bool
        Whether prices are the middles of price classes, from memory.
    """

    sides: tuple[Side, ...]
    differences: tuple[Difference, ...]
    samples: int
    seed: int
    assumed: bool


def side_by_side(
    designs: Mapping[str, Design],
    *,
    samples: int = SAMPLES,
    seed: int = 0,
    nrmse: float | None = None,
    prices: Mapping[str, Price] | None = None,
) -> SideBySide:
    """Put designs side by side.

    Parameters
    ----------
    designs : dict
        Name to design, two at least.
    samples : int
        Circuits of every ensemble (exact engine), the same draws for all designs.
    seed : int
    nrmse : float, optional
        One limit of the window NRMSE for all, a fraction, in place of each design's own.
    prices : dict, optional
        From ``read_prices``; the middles of price classes unless given.

    Raises
    ------
    DesignError
        If there are fewer than two designs, or one has no circuit; the message has its name.
    SimulationError
        If a nominal circuit is unstable.
    """
    if len(designs) < 2:
        raise DesignError("one design stands beside no other; give two or more")
    samples, seed = check_numbers(samples, None)[0], check_seed(seed)
    sides = [_side(name, design, samples, seed, nrmse, prices) for name, design in designs.items()]
    differences = tuple(_difference(sides[0], side, seed) for side in sides[1:])
    return SideBySide(tuple(sides), differences, samples, seed, prices is None)


def _side(
    name: str,
    design: Design,
    samples: int,
    seed: int,
    nrmse: float | None,
    prices: Mapping[str, Price] | None,
) -> Side:
    limit = design.nrmse if nrmse is None else nrmse
    notes: list[str] = []
    try:
        circuit = build(design)
        nominal = float(simulate(design, circuit=circuit).window_nrmse)
        run = monte_carlo(design, samples, seed)
        takes = resources(design, prices)
    except LmuAnalogError as error:
        raise type(error)(f"{name}: {error}") from error
    try:
        causes, classes = _causes(design, seed), _classes(design)
    except LmuAnalogError as error:  # ngspice that is missing, a signal that the theory does not take
        causes, classes = {}, {}
        notes.append(f"errors by cause are not known: {error}")
    if prices is None:
        cost, unpriced = class_cost(design, circuit)
    else:
        cost, unpriced = takes.cost, sum(c.packages for c in takes.costs if c.each is None)
    return Side(
        name,
        design,
        run,
        nominal,
        percentiles(run),
        counts(run),
        None if limit is None else yield_within(run, limit),
        causes,
        classes,
        cost,
        unpriced,
        _placed(design, circuit),
        takes,
        (*notes, *run.attrs["warnings"]),
    )


def _causes(design: Design, seed: int) -> dict[str, float]:
    found = budget(design, samples=_OF_THE_BUDGET, seed=seed)
    return dict(zip(map(str, found.cause.values), found.mean_alone.values.tolist(), strict=True))


def _classes(design: Design) -> dict[str, float]:
    """Give what every mismatch class adds, rms, lots included; those that act."""
    found = elements(design)
    kinds = found.kind.values.astype(str)
    power = {kind: float(np.sum(found.excess.values[kinds == kind] ** 2)) for kind in dict.fromkeys(kinds)}
    return {kind: float(np.sqrt(of)) for kind, of in sorted(power.items()) if of > 0.0}


def _placed(design: Design, circuit: Circuit) -> int:
    """Count the parts that somebody places."""
    amplifiers = circuit.amplifiers
    size = 1 if is_on_chip(circuit) else form_of(design.opamp_model.name, design.own_parts).amplifiers
    others = sum(not (is_outside(c) or isinstance(c, Amplifier)) for c in circuit.components)
    return others - (-len(amplifiers) // size)


def _difference(first: Side, other: Side, seed: int) -> Difference:
    names = [columns(build(side.design), Mismatch.of(side.design)) for side in (first, other)]
    common, draws = len(set(names[0]) & set(names[1])), (len(names[0]), len(names[1]))
    stable = [(side.run.status == GOOD).values for side in (first, other)]
    pairs = stable[0] & stable[1]
    errors = np.array([side.run.window_nrmse.values[pairs] for side in (first, other)])

    def without(reason: str) -> Difference:
        return Difference(other.name, common, draws, int(pairs.sum()), None, None, None, reason)

    if different := _other_task(first.design, other.design):
        return without(f"{different}: errors are of another task")
    if pairs.sum() < _LEAST:
        return without(f"{int(pairs.sum())} pairs of stable circuits are too few; {_LEAST} are wanted")
    apart = errors[1] - errors[0]
    middle, half = float(apart.mean()), half_width(apart) or 0.0
    p95 = [float(np.percentile(of, 95.0)) for of in errors]
    return Difference(
        other.name,
        common,
        draws,
        int(pairs.sum()),
        Change(p95[1] - p95[0], *paired_percentiles(errors, 0.95, seed=seed)),
        Change(middle, middle - half, middle + half),
        _gain(first, other),
    )


def _gain(first: Side, other: Side) -> Change | None:
    """Compare the yields, circuit by circuit."""
    if first.good is None or other.good is None:
        return None
    passed = [
        ((side.run.window_nrmse <= good.limit) & (side.run.status == GOOD)).values
        for side, good in ((first, first.good), (other, other.good))
    ]
    gained, lost = int((passed[1] & ~passed[0]).sum()), int((passed[0] & ~passed[1]).sum())
    samples = len(passed[0])
    return Change((gained - lost) / samples, *paired_fractions(gained, lost, samples))


def _other_task(first: Design, other: Design) -> str:
    """Name the keys for which errors are not those of the same task; empty where they are.

    Errors are fractions of rms(u), so the amplitude alone makes no other task.
    """
    theta = ["[memory] theta"] if first.theta != other.theta else []
    scaled = first if first.file or first.tones else first.replace(amplitude=other.amplitude)
    if _same(scaled.stimulus, other.stimulus):
        signal = []
    else:
        keys = [name for name, key in KEYS.items() if key.table == "signal"]
        differing = [KEYS[name].label for name in keys if getattr(scaled, name) != getattr(other, name)]
        # A step lasts some theta; and recordings of one name lie in two folders.
        signal = differing or ([] if theta else ["[signal] file"])
    named = [*theta, *signal]
    return f"{' and '.join(named)} differ{'s' if len(named) == 1 else ''}" if named else ""


def _same(one: Stimulus, other: Stimulus) -> bool:
    return type(one) is type(other) and all(
        np.array_equal(getattr(one, f.name), getattr(other, f.name)) for f in fields(one)
    )
