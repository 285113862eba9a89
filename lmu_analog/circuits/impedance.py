"""The impedance level that a circuit is built at: capacitors that are sold, resistors that op-amps can drive.

All that hangs on one node that no amplifier drives (a virtual ground, a synapse) may have a factor of its own:
Kirchhoff's current law there is multiplied by it, and the circuit's response stays. With resistors f times as large,
capacitors are smaller by f, so a choice of the integrating capacitor is one of f. Where a node has no capacitor (a
summer, an inverter), f is free.

What is chosen, in this order: every value within the limits of ``ranges``; capacitors that can be ordered at the
tolerance that is asked for (a 270 nF of 1 % is in no series of ``passives``); capacitors of 100 pF and more (a stray
picofarad is then below 1 %); of 10 nF and less (C0G; above it film); resistors of 10 kOhm and more; few different
capacitors, of the series E3 where one is among the good ones, else of E6, else of E12; and resistors around 47 kOhm
at integrators, from 10 kOhm on at summers and inverters, whose own poles are then fast. Last, resistors at outputs
that have more to drive than op-amps like are made larger.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float

from lmu_analog.circuits.circuit import Circuit, with_twelve_digits
from lmu_analog.circuits.components import (
    GROUND,
    Ammeter,
    Bias,
    Capacitor,
    Component,
    Inductor,
    Resistor,
    Supply,
    Transconductor,
    is_leakage,
    is_outside,
    outputs,
    terminals,
)
from lmu_analog.circuits.connected import connected
from lmu_analog.circuits.devices.passives import Stock
from lmu_analog.circuits.devices.values import E24
from lmu_analog.circuits.ranges import CERAMIC, DISCRETE, LEAST_LOAD, ROUNDING, loads

Scalable = Resistor | Capacitor | Inductor | Transconductor

ORIGIN = 1e-9  # F: capacitance of circuits on a chip, and of others before a level is chosen
LEAST_USUAL = {Resistor: 10e3, Capacitor: 100e-12}
INTEGRATOR = 47e3  # Ohm: wanted geometric mean of the largest and the smallest resistor of an integrator
SPARED = 8.0  # a value out of its limits is worse than all that is only unusual
STOCKED = (E24[::8], E24[::4], E24[::2])  # E3, E6 and E12: the coarser, the more makers and sizes there are


def _from_to(low: float, high: float) -> Float[np.ndarray, " n"]:
    """Give the members of E12 from a power of ten to another, rising, (n,)."""
    decades = range(round(np.log10(low)), round(np.log10(high)))
    return np.array([*(float(f"{x}e{k}") for k in decades for x in STOCKED[-1]), high])


ANY_CAPACITOR = Stock("capacitor")  # of the tolerance that is usual: all of E12 that is within limits
CAPACITORS = _from_to(*DISCRETE[Capacitor])
RESISTORS = _from_to(*DISCRETE[Resistor])


def nodes(circuit: Circuit) -> list[list[Component]]:
    """Sort the components by the undriven node they hang on; those between two such nodes join them.

    Mirror images, whose parts have the same roles, are one. What an ammeter or a source is joined to is left out: their
    currents are read, so its level is fixed.
    """
    driven = {GROUND, circuit.source, *(net for c in circuit.components for net in outputs(c))}
    undriven: list[str] = []
    joined: list[tuple[str, str]] = []
    hung: dict[str, list[Component]] = {}
    for c in circuit.only(Resistor, Capacitor, Inductor, Transconductor):
        nets = [c.out] if isinstance(c, Transconductor) else [c.a, c.b]
        if free := [net for net in nets if net not in driven]:
            undriven.extend(free)
            joined.extend(pairwise(free))
            hung.setdefault(free[0], []).append(c)
    fixed = {net for c in circuit.only(Ammeter, Supply, Bias) for net in terminals(c)}
    mirrored: dict[tuple[str, ...], list[Component]] = {}
    for node in connected(undriven, joined):
        if not node & fixed:
            parts = [c for net, found in hung.items() if net in node for c in found]
            mirrored.setdefault(tuple(c.role for c in parts), []).extend(parts)
    return list(mirrored.values())


@dataclass(frozen=True, eq=False)
class _Node:
    """What hangs on one node, and the levels that it may have: every one a standard value of its first part.

    ``stock`` says which capacitors can be ordered.
    """

    parts: list[Component]
    stock: Stock = ANY_CAPACITOR

    def _values(self, of: type[Resistor | Capacitor]) -> Float[np.ndarray, " n"]:
        return np.array([c.value for c in self.parts if isinstance(c, of)])

    @cached_property
    def resistors(self) -> Float[np.ndarray, " r"]:
        """Their values as they are, Ohm, (r,)."""
        return self._values(Resistor)

    @cached_property
    def capacitors(self) -> Float[np.ndarray, " c"]:
        """Their values as they are, F, (c,); the first one integrates."""
        return self._values(Capacitor)

    @cached_property
    def factors(self) -> Float[np.ndarray, " k"]:
        """What resistors may be multiplied by, (k,); in the order of ``CAPACITORS`` or of ``RESISTORS``."""
        if len(self.capacitors):
            return self.capacitors[0] / CAPACITORS
        return RESISTORS / self.resistors[0] if len(self.resistors) else np.ones(1)

    def lacking(self, factors: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
        """Count the capacitors that cannot be ordered at any levels, (k,)."""
        if not len(self.capacitors):
            return np.zeros(len(factors))
        return np.sum(~self.stock.has(np.outer(1.0 / factors, self.capacitors)), axis=1).astype(float)

    @cached_property
    def usable(self) -> Bool[np.ndarray, " k"]:
        """Levels that count, (k,): within limits those with the fewest capacitors that cannot be ordered, else all."""
        within = self.scores < SPARED
        if not within.any():
            return np.ones(len(self.factors), bool)
        lacking = np.where(within, self.lacking(self.factors), np.inf)
        return lacking <= lacking.min()

    @cached_property
    def _least_score(self) -> float:
        return float(self.scores[self.usable].min())

    @cached_property
    def scores(self) -> Float[np.ndarray, " k"]:
        """How bad a level is, (k,): below ``SPARED`` all values are within their limits, and at 0 all are usual."""
        return self.scored(self.factors)

    def scored(self, factors: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
        """Score any levels, (k,): first by how many values are out of their limits, then by what is unusual."""
        count, beyond, score = (np.zeros(len(factors)) for _ in range(3))
        for of, values in (
            (Resistor, np.outer(factors, self.resistors)),
            (Capacitor, np.outer(1.0 / factors, self.capacitors)),
        ):
            low, high = DISCRETE[of]
            # Decades out of the limits; rounded, for what the last digit decides would depend on the processor.
            out = np.log10(np.maximum(np.maximum(low / values, values / high), 1.0))
            out = np.round(out, 8)
            count, beyond = count + (out > 0.0).sum(axis=1), beyond + out.sum(axis=1)
            usual = (values >= LEAST_USUAL[of] * (1.0 - ROUNDING)).all(axis=1)
            score += (1.0 if of is Resistor else 4.0) * ~usual
            if of is Capacitor:
                score += 2.0 * (values > CERAMIC * (1.0 + ROUNDING)).any(axis=1)
        return SPARED * count + score + 1e-3 * beyond

    @cached_property
    def distances(self) -> Float[np.ndarray, " k"]:
        """Decades between the resistors at a level and those that are wanted, (k,)."""
        r = np.outer(self.factors, self.resistors)
        if not r.size:
            return np.abs(np.log10(CAPACITORS / ORIGIN)) if len(self.capacitors) else np.zeros(1)
        mean = np.sqrt(r.min(axis=1) * r.max(axis=1)) / INTEGRATOR
        apart = mean if len(self.capacitors) else r.min(axis=1) / LEAST_USUAL[Resistor]
        return np.round(np.abs(np.log10(apart)), 8)

    @cached_property
    def best(self) -> int:
        """The level that it would have alone."""
        good = self.usable & (self.scores <= self._least_score)
        return int(np.where(good, self.distances, np.inf).argmin())

    @cached_property
    def good(self) -> Bool[np.ndarray, " k"]:
        """Levels that are as good as the best, next to it without a gap among those that count, (k,)."""
        bad = np.flatnonzero(self.usable & (self.scores > self._least_score))
        low, high = bad[bad < self.best].max(initial=-1), bad[bad > self.best].min(initial=len(self.scores))
        places = np.arange(len(self.scores))
        return self.usable & (places > low) & (places < high)

    def higher(self, level: int) -> int:
        """Give the next level with larger resistors that keeps the limits, or the same where there is none.

        One that counts comes first; beyond the last of them limits are worth more than what can be ordered.
        """
        way, end = (-1, -1) if len(self.capacitors) else (1, len(self.factors))
        out = (k for k in range(level + way, end, way) if self.scores[k] >= SPARED)
        above = range(level + way, next(out, end), way)
        return next((k for k in above if self.usable[k]), above[0] if above else level)

    def highest(self, level: int) -> int:
        """Give the last of them."""
        while (after := self.higher(level)) != level:
            level = after
        return level


def choose_impedances(circuit: Circuit, stock: Stock = ANY_CAPACITOR) -> Circuit:
    """Give the same circuit, with the same response, at the impedance level that suits a board: see the module.

    Deterministic. Where no choice brings a node's values within their limits they are as close to it as can be.
    Levels of different nodes are chosen apart but for the number of different capacitors and for the loads of
    outputs: those are smallest at the largest resistors, so where any choice of capacitors from E12 keeps all limits,
    this one does.

    Parameters
    ----------
    circuit : Circuit
        At any level. Where it has one as a whole (not ``has_free_levels``), that stays, and nodes of resistors alone
        have their own, as those of amplifiers beside a passive ladder.
    stock : Stock
        Which capacitors can be ordered; where those of a node can be within limits, they are.
    """
    found = [_Node(parts, stock) for parts in _chosen_apart(circuit)]
    chosen = [node.best for node in found]
    timed = [k for k, node in enumerate(found) if len(node.capacitors)]
    for level, members in _few([found[k] for k in timed]):
        for k in members:
            chosen[timed[k]] = level
    chosen = _unloaded(circuit, found, chosen)
    factors = {
        part.name: float(node.factors[level])
        for node, level in zip(found, chosen, strict=True)
        for part in node.parts
    }
    return with_twelve_digits(
        replace(circuit, components=tuple(_scaled(c, factors.get(c.name, 1.0)) for c in circuit.components))
    )


@dataclass(frozen=True)
class Level:
    """What the values of a circuit on a board are.

    Attributes
    ----------
    capacitors : tuple of (F, int)
        Different integrating capacitors, rising, each with the number of integrators that have it.
    resistors : (float, float) or None, Ohm
        The smallest and the largest.
    load : float or None, Ohm
        The least that an amplifier's output drives, all its resistors taken to ground.
    common : float or None, F
        The one capacitor for all integrators that comes closest to the limits, of E12; None where all have one
        already, or the level is that of the whole circuit.
    common_resistors : (float, float) or None, Ohm
        What resistors at integrators would then be.
    """

    capacitors: tuple[tuple[float, int], ...]
    resistors: tuple[float, float] | None
    load: float | None
    common: float | None = None
    common_resistors: tuple[float, float] | None = None


def level(circuit: Circuit, stock: Stock = ANY_CAPACITOR) -> Level:
    """Sum up the values of a circuit, and what one capacitor, in stock, for all integrators would make of them."""
    circuit = replace(circuit, components=tuple(c for c in circuit.components if not is_leakage(c)))
    ends = [c.value for c in circuit.only(Resistor) if not is_outside(c)]
    kinds = tuple(sorted(Counter(integrating(circuit)).items()))
    summed = Level(
        kinds, (min(ends), max(ends)) if ends else None, min(loads(circuit).values(), default=None)
    )
    if len(kinds) < 2 or not has_free_levels(circuit):
        return summed
    timed = [node for parts in nodes(circuit) if len((node := _Node(parts, stock)).capacitors)]
    # Mean scores, so that of two capacitors that leave some values out the one that is nearer to all limits counts.
    scores = np.mean([node.scores for node in timed], axis=0)
    best = int(np.where(_stocked_first(scores, stock.has(CAPACITORS)), scores, np.inf).argmin())
    resistors = np.concatenate([node.factors[best] * node.resistors for node in timed])
    common = float(CAPACITORS[best])
    return replace(summed, common=common, common_resistors=(float(resistors.min()), float(resistors.max())))


def _stocked_first(scores: Float[np.ndarray, " k"], has: Bool[np.ndarray, " k"]) -> Bool[np.ndarray, " k"]:
    """Tell which levels come into question, (k,): those in stock where one of them is within limits, else all."""
    within = has & (scores < SPARED)
    return within if within.any() else np.ones(len(scores), bool)


def usable_capacitance(circuit: Circuit, capacitance: float, stock: Stock = ANY_CAPACITOR) -> float | None:
    """Find one capacitance with which a circuit keeps all limits: the nearest of E12, F; None if there is none.

    Where some that do are in stock, the nearest of those.

    Parameters
    ----------
    circuit : Circuit
        With one capacitance throughout.
    capacitance : float, F
        What that is.
    """
    parts = _of_one_level(circuit)
    factors = capacitance / CAPACITORS
    along, beside = np.split(_at_outputs(circuit, [parts]), 2, axis=1)
    heaviest = (along / factors + beside).max(axis=0, initial=0.0)
    keeps = (_Node(parts).scored(factors) < SPARED) & (heaviest <= (1.0 + ROUNDING) / LEAST_LOAD)
    away = np.round(np.abs(np.log10(factors)), 8)
    stocked = keeps & stock.has(CAPACITORS)
    keeps = stocked if stocked.any() else keeps
    return float(CAPACITORS[np.where(keeps, away, np.inf).argmin()]) if keeps.any() else None


def keeps_limits(circuit: Circuit, slower: float = 1.0) -> bool:
    """Tell whether some capacitors of E12 bring all values and loads within limits.

    Parameters
    ----------
    circuit : Circuit
        At any level.
    slower : float
        Its time constants are multiplied by this first, as those of a longer window are.
    """
    if not has_free_levels(circuit):
        parts = _slowed(_of_one_level(circuit), slower)
        apart = all(_Node(of).scores.min() < SPARED for of in _chosen_apart(circuit))
        return apart and bool((_Node(parts).scored(integrating(circuit)[0] / CAPACITORS) < SPARED).any())
    hung = [_slowed(parts, slower) for parts in nodes(circuit)]
    found = [_Node(parts) for parts in hung]
    if any(node.scores.min() >= SPARED for node in found):
        return False
    # Loads are lightest where every node has the largest resistors that its limits allow.
    largest = [float(node.factors[node.highest(node.best)]) for node in found]
    made = {c.name: c for parts in hung for c in parts}
    slow = replace(circuit, components=tuple(made.get(c.name, c) for c in circuit.components))
    heaviest = (_at_outputs(slow, hung) / np.append(largest, 1.0)).sum(axis=1).max(initial=0.0)
    return bool(heaviest <= (1.0 + ROUNDING) / LEAST_LOAD)


def beyond_limits(circuit: Circuit) -> list[list[Component]]:
    """Give the parts of every node with a level of its own that no level brings within limits."""
    return [parts for parts in _chosen_apart(circuit) if _Node(parts).scores.min() >= SPARED]


def _slowed(parts: list[Component], factor: float) -> list[Component]:
    """Multiply the time constants of what hangs on a node, if it has any."""
    if not any(isinstance(c, Capacitor) for c in parts):
        return parts
    return [replace(c, value=factor * c.value) if isinstance(c, Resistor | Inductor) else c for c in parts]


def has_a_window(circuit: Circuit) -> bool:
    """Tell whether some window could do: no node spreads wider than limits, those without capacitors are within."""
    found = [_Node(parts) for parts in nodes(circuit)]
    widest = DISCRETE[Resistor][1] / DISCRETE[Resistor][0] * (1.0 + ROUNDING)
    return all(
        node.resistors.max(initial=0.0) <= widest * node.resistors.min(initial=np.inf)
        if len(node.capacitors)
        else node.scores.min() < SPARED
        for node in found
    )


def integrating(circuit: Circuit) -> tuple[float, ...]:
    """Give the capacitor that each node integrates on, or the first one of a circuit with one level as a whole, F."""
    first = [[c.value for c in parts if isinstance(c, Capacitor)][:1] for parts in nodes(circuit)]
    found = tuple(c for values in first for c in values)
    return found or tuple(c.value for c in circuit.only(Capacitor)[:1])


def has_free_levels(circuit: Circuit) -> bool:
    """Tell whether every part hangs on a node whose level is free; else the circuit has one level as a whole."""
    free = {c.name for parts in nodes(circuit) for c in parts}
    return all(c.name in free for c in circuit.only(Resistor, Capacitor, Inductor, Transconductor))


def _chosen_apart(circuit: Circuit) -> list[list[Component]]:
    """Give the nodes that may have a level of their own: all, or those of resistors alone beside what has one."""
    found = nodes(circuit)
    if has_free_levels(circuit):
        return found
    return [parts for parts in found if all(isinstance(c, Resistor) for c in parts)]


def _of_one_level(circuit: Circuit) -> list[Component]:
    """Give the parts whose level goes with the capacitance where there is one: all but those of amplifiers beside."""
    apart: set[str] = set()
    if not has_free_levels(circuit):
        apart = {c.name for parts in _chosen_apart(circuit) for c in parts}
    return [c for c in circuit.components if isinstance(c, Scalable) and c.name not in apart]


def common_capacitance(circuit: Circuit, capacitance: float, stock: Stock = ANY_CAPACITOR) -> float:
    """Choose the capacitance of a circuit that has one level as a whole, such as a passive ladder, F.

    Its resistors and inductors go with 1/C. As ``choose_impedances``, but with inductors the resistors are the smallest
    that are allowed, because 1 kOhm at 1 ms is 0.5 H already.

    Parameters
    ----------
    circuit : Circuit
    capacitance : float, F
        That it was made with.
    stock : Stock
        Which capacitors can be ordered.
    """
    whole = _Node(_of_one_level(circuit))
    factors = capacitance / CAPACITORS
    scores = whole.scored(factors)
    scores = np.where(_stocked_first(scores, stock.has(CAPACITORS)), scores, np.inf)
    if circuit.only(Inductor):
        # The smallest resistance, that is the largest factor of the capacitors, among those within limits.
        scores = np.where(scores < SPARED, 0.0, scores)
        wanted = -np.log10(CAPACITORS)
    else:
        r = np.outer(factors, whole.resistors)
        wanted = np.round(np.abs(np.log10(np.sqrt(r.min(axis=1) * r.max(axis=1)) / INTEGRATOR)), 8)
    good = scores <= scores.min()
    return float(CAPACITORS[np.where(good, wanted, np.inf).argmin()])


def _scaled(c: Component, factor: float) -> Component:
    match c:
        case Resistor() | Inductor():
            return replace(c, value=c.value * factor)
        case Capacitor() | Transconductor():
            return replace(c, value=c.value / factor)
        case _:
            return c


def _few(found: list[_Node]) -> Iterable[tuple[int, list[int]]]:
    """Choose few different capacitors: for each its place in ``CAPACITORS`` and the nodes that have it.

    Good levels of a node are an interval, and the fewest points that meet all intervals are found by taking the upper
    end of the one that ends first, again and again.
    """
    left = set(range(len(found)))
    while left:
        end = min(int(np.flatnonzero(found[k].good)[-1]) for k in left)
        members = sorted(k for k in left if found[k].good[end])
        common = np.logical_and.reduce([found[k].good for k in members])
        in_series = (common & np.isin(_mantissas(CAPACITORS), series) for series in STOCKED)
        stocked = next(places for places in in_series if places.any())  # E12 has all of them
        distance = np.sum([found[k].distances for k in members], axis=0)
        yield int(np.where(stocked, distance, np.inf).argmin()), members
        left -= set(members)


def _mantissas(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    return np.array([float(f"{x:.3e}".partition("e")[0]) for x in values])


def _unloaded(circuit: Circuit, found: list[_Node], chosen: list[int]) -> list[int]:
    """Make resistors larger, as far as limits allow, where they load an output too much."""
    conductance = _at_outputs(circuit, [node.parts for node in found])

    def loads(levels: Sequence[int]) -> Float[np.ndarray, "o k"]:
        return conductance / np.append([n.factors[k] for n, k in zip(found, levels, strict=True)], 1.0)

    least = loads([node.highest(k) for node, k in zip(found, chosen, strict=True)]).sum(axis=1)
    # No choice helps an output that has too much to drive even so; twice the least is then near enough, for the last
    # factor of two would cost all that is usual.
    most = np.where(least <= (1.0 + ROUNDING) / LEAST_LOAD, 1.0 / LEAST_LOAD, 2.0 * least) * (1.0 + ROUNDING)
    levels = list(chosen)
    while len(most):
        shares = loads(levels)
        beyond = shares.sum(axis=1) / most
        worst = int(beyond.argmax())
        if beyond[worst] <= 1.0:
            break
        at = np.argsort(-shares[worst, :-1], kind="stable")
        above = {int(k): found[k].higher(levels[k]) for k in at if shares[worst, k] > 0.0}
        above = {k: level for k, level in above.items() if level != levels[k]}
        # What cannot be ordered comes last: only where all others are at their largest.
        k = next((k for k, level in above.items() if found[k].usable[level]), next(iter(above)))
        levels[k] = above[k]
    return levels


def _at_outputs(circuit: Circuit, hung: Sequence[list[Component]]) -> Float[np.ndarray, "o k"]:
    """Sum the conductances from every amplifier's output to every node, S; the last column is of other resistors."""
    place = {net: k for k, net in enumerate(dict.fromkeys(n for c in circuit.amplifiers for n in outputs(c)))}
    at = {c.name: k for k, parts in enumerate(hung) for c in parts}
    conductance = np.zeros((len(place), len(hung) + 1))
    for c in circuit.only(Resistor):
        for net in (c.a, c.b):
            if net in place:
                conductance[place[net], at.get(c.name, len(hung))] += 1.0 / c.value
    return conductance


def levels_within(
    circuit: Circuit,
    hung: Sequence[list[Component]],
    levels: Sequence[Float[np.ndarray, " _"]],
    *,
    stock: Stock = ANY_CAPACITOR,
) -> list[Float[np.ndarray, " _"]]:
    """Keep of the levels of nodes those that are as good as the circuit has them now.

    Parameters
    ----------
    circuit : Circuit
    hung : sequence of list of Component
        What hangs on every node, from ``nodes``.
    levels : sequence of (k,) arrays
        For every node factors of its resistors, 1 among them or near.
    stock : Stock
        Which capacitors can be ordered.
    """
    kept = []
    for parts, given in zip(hung, levels, strict=True):
        node = _Node(parts, stock)
        scores, lacking = node.scored(np.append(given, 1.0)), node.lacking(np.append(given, 1.0))
        within = (scores[:-1] <= scores[-1]) & (lacking[:-1] <= lacking[-1])
        kept.append(given[within] if within.any() else np.ones(1))
    conductance = _at_outputs(circuit, hung)
    heaviest = (conductance / np.append([factors.min() for factors in kept], 1.0)).sum(axis=1)
    loaded = np.any(conductance[heaviest > (1.0 + ROUNDING) / LEAST_LOAD, :-1] > 0.0, axis=0)
    return [
        factors[factors >= 1.0 - ROUNDING] if down and (factors >= 1.0 - ROUNDING).any() else factors
        for factors, down in zip(kept, loaded, strict=True)
    ]
