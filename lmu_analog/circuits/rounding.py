"""Circuits of standard values: the common resistor of each amplifier for which rounding adds the least error.

Values that no single part of the series comes close to may be made of two.

All that is joined to one node that no amplifier drives (a virtual ground, a synapse) may change its
impedance level by a factor of its own without changing the circuit's response: Kirchhoff's current law at
the node is multiplied by it. That factor is free, so it is chosen such that the values lie near standard
ones: over a decade, in steps of the capacitors' series where the node has a capacitor, which then is exact,
and in steps of 10^(1/100) where it has none.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Literal

import numpy as np
from jaxtyping import Bool, Complex, Float

from lmu_analog.circuits.circuit import Circuit, with_twelve_digits, with_values
from lmu_analog.circuits.components import Capacitor, Component, Resistor, Transconductor
from lmu_analog.circuits.devices.passives import Stock
from lmu_analog.circuits.devices.values import TIE, Pair, around, best_pair, nearest
from lmu_analog.circuits.driven import read_at
from lmu_analog.circuits.families.registry import is_on_chip
from lmu_analog.circuits.fitting import Model, Node, fit_jointly
from lmu_analog.circuits.impedance import ANY_CAPACITOR, levels_within, nodes
from lmu_analog.circuits.joint_values import (
    MOST_SWING,
    STEADY,
    Fit,
    FitKind,
    Group,
    Measure,
    Problem,
    fitted,
    in_columns,
    prepared,
    problem,
    with_ideal_amplifiers,
)
from lmu_analog.circuits.nodal.adjoint import derivatives
from lmu_analog.circuits.nodal.extract import extract, split
from lmu_analog.circuits.ranges import DISCRETE
from lmu_analog.circuits.readout import Refit, Target
from lmu_analog.circuits.refining import refined
from lmu_analog.circuits.rules import check
from lmu_analog.memory.statespace import frequency_response
from lmu_analog.memory.window import gauss_legendre

ValuesFit = Literal["common", "joint"]
OutputLevels = Literal["free", "held"]
COARSEST_CAPACITORS = "E12"  # C0G capacitors are not sold in finer series
FACTORS = 10.0 ** (np.arange(-50, 50) / 100.0)  # a decade of common resistors R_0 = 10^(k/100)
NODES = 48  # frequencies of the norm
PASSES = 2  # over all nodes; a third finds nothing better
KEPT = 64  # circuits whose search is remembered: those of a report and its corners
FEW_NODES = 12  # up to here a joint fit starts with what the descent finds; beyond it was never as good
KEPT_FITS = (
    256  # of circuits with ideal amplifiers: small, and what a search asks for again with other op-amps
)
FAR_BETTER = 0.25  # of what each node by itself adds: common levels were never as good
CLEARLY = (
    1.3  # times less than common levels with ideal amplifiers: those with the circuit's own are not better
)
AS_IDEAL = (
    0.5  # of the circuit's own error: a fit with ideal amplifiers that adds more found what there is to find
)
DIGITS = 6  # of the levels of outputs
# Where roundings raise outputs too far: how much lower than usual they start, in logarithms, and what their voltages
# count then, of the window error.
MUCH_LOWER, STEADIER = 0.1, 0.1
MOST_TRIALS = 400  # extractions in one pass; a larger circuit takes the best of the simple choices


@dataclass(frozen=True, eq=False)
class Rounded:
    """A circuit of standard values.

    Attributes
    ----------
    circuit : Circuit
    before, after : float
        Window error, a fraction of the input, that is added by rounding each value where it stands, and of the
        chosen circuit.
    exact : Circuit
        The same at the chosen impedance levels, before rounding.
    """

    circuit: Circuit
    before: float
    after: float
    exact: Circuit


@lru_cache(maxsize=KEPT)
def choose_common(
    circuit: Circuit,
    *,
    bandwidth: float,
    resistors: str = "E96",
    capacitors: str | None = None,
    levels: Literal["any", "within limits"] = "any",
    stock: Stock = ANY_CAPACITOR,
    fit: ValuesFit = "common",
    pairs: float | None = None,
    kept: frozenset[str] = frozenset(),
    readout: Target | None = None,
    outputs: OutputLevels = "free",
    hopeless: float = math.inf,
) -> Rounded:
    """Round every R and C to standard values, at the impedance levels where that hurts least.

    First the best of three simple choices (levels as they are, one common level, for each node the level
    with the smallest relative errors), then, in circuits of up to some dozen states, descent over single
    nodes. The halves of a differential circuit stay alike. Inductors and transconductors keep their exact
    values; so does the level of what an ammeter or a source is joined to. Deterministic, and kept: a command builds
    its design again and again, and searches once.

    Parameters
    ----------
    circuit : Circuit
        Linear; for families on a chip, which have no standard values, nothing changes.
    bandwidth : float, Hz
        Band of the norm: mean over it of sum_i |dm_i|^2/(2i+1).
    resistors : str
        Series of the resistors.
    capacitors : str, optional
        Series of the capacitors: that of the resistors, at most E12, unless given.
    levels : {"any", "within limits"}
        Whether the search may leave the limits of values and loads that the circuit keeps as it is.
    stock : Stock
        Which capacitors can be ordered: within limits, no level has fewer of them than the circuit as it is.
    fit : {"common", "joint"}
        Whether every value is rounded to the nearest at its node's level, or levels and roundings of the whole circuit
        are chosen together (``joint_search``), which is never worse.
    pairs : float or None
        With ``joint``: the bound of ``paired``, if that follows. What it makes of two parts rounds nothing, so that no
        other rounding may count on it.
    kept : frozenset of str
        Components that keep their values, and with them the level of their nodes.
    readout : {"fitted", "window"} or None
        With ``joint``: what a readout is fitted to afterwards. Then what counts is what it cannot undo.
    outputs : {"free", "held"}
        With ``joint``, whether the voltages of outputs are chosen, too, which what reads them then divides by. Held,
        the probes stay as they are, and the values alone describe the circuit. They are held in any case where
        components are kept or a readout is fitted.
    hopeless : float
        Window error, a fraction: where a first joint fit leaves more, no other way is tried, and the values are taken
        as they are.
    """
    if is_on_chip(circuit) or circuit.small_signal is not None:
        return Rounded(circuit, 0.0, 0.0, circuit)
    if capacitors is None:
        capacitors = capacitors_beside(resistors)
    series = {"R": resistors, "C": capacitors}
    limited = stock if levels == "within limits" else None
    rounding = _Rounding(circuit, bandwidth, series, limited, kept=kept)
    if not any(on.any() for on in rounding.rounds.values()):
        return Rounded(circuit, 0.0, 0.0, circuit)
    if fit == "common" or not rounding.groups:
        made = rounding.common()
    elif outputs == "free" and circuit.clock is None and not kept and readout is None:
        made = _jointly(rounding, bandwidth, pairs, hopeless)
    else:
        made = rounding.best_of_both(pairs, readout)
    # A level may be a power of ten, whose last digits are the C library's.
    circuits = [
        with_twelve_digits(read_at(with_values(circuit, values), levels))
        for values, levels in ((made.values, made.read_at), (made.exact, made.exact_read_at))
    ]
    return Rounded(circuits[0], made.before, made.after, circuits[1])


@dataclass(frozen=True, eq=False)
class _Made:
    """Values of a circuit, (m,), standard and before rounding, and what they add to the window's error.

    ``before`` is what each value where it stands adds. What reads the nets of ``read_at`` divides by their levels,
    and before rounding by those of ``exact_read_at``.
    """

    values: Float[np.ndarray, " m"]
    exact: Float[np.ndarray, " m"]
    before: float
    after: float
    read_at: dict[str, float] = field(default_factory=dict)
    exact_read_at: dict[str, float] = field(default_factory=dict)


def _jointly(rounding: "_Rounding", bandwidth: float, pairs: float | None, hopeless: float) -> _Made:
    """Take the best of the fits of a circuit: with ideal amplifiers, and with its own where these matter too much.

    Where these are not clearly better than common levels, the common levels of the circuit itself are found, too, and
    where outputs would swing too far with every one of them, levels and roundings by ``fitting``.
    """
    circuit, ideal = rounding.circuit, with_ideal_amplifiers(rounding.circuit)
    measure = Measure(circuit, bandwidth)
    given = (bandwidth, rounding.series["R"], rounding.series["C"], rounding.stock, pairs)
    fits = _fits(ideal, *given)
    best = _judged(measure, rounding, fits, pairs)
    if best.made.after > hopeless:
        return best.made
    if not best.is_far_better and ideal != circuit and fits[0].error <= AS_IDEAL * best.made.after:
        fits += _fits(circuit, *given)
        best = _judged(measure, rounding, fits, pairs)
    if best.is_far_better:
        return best.made
    if not best.joint * CLEARLY < best.common < math.inf or best.raised > MOST_SWING:
        fits += (_as_fit(circuit, rounding.common_beside(prepared(circuit, bandwidth)[1]), measure),)
        best = _judged(measure, rounding, fits, pairs)
    if math.isinf(best.joint):
        values, exact = rounding.joint(pairs)
        fits += (_as_fit(circuit, replace(best.made, values=values, exact=exact), measure, kind="joint"),)
        best = _judged(measure, rounding, fits, pairs)
    return best.made


@dataclass(frozen=True, eq=False)
class _Judged:
    """The best of some fits by the error of the circuit itself, and the least errors of the kinds of fits.

    ``raised`` is by how much an output swings more than with exact values, at most. A joint fit with which one swings
    too far does not count.
    """

    made: _Made
    raised: float
    joint: float
    common: float
    alone: float

    @property
    def is_far_better(self) -> bool:
        """Whether a joint fit is so good that common levels cannot be better."""
        return self.joint < FAR_BETTER * self.alone and self.raised <= MOST_SWING


def _judged(measure: Measure, rounding: "_Rounding", fits: tuple[Fit, ...], pairs: float | None) -> _Judged:
    circuit = rounding.circuit
    values = np.array([in_columns(circuit, fit.values) for fit in fits])
    exact = np.array([in_columns(circuit, fit.exact) for fit in fits])
    stands = rounding.rounded([1.0] * len(rounding.groups))
    made = [rounding.made(v, e, pairs) for v, e in zip(values, exact, strict=True)]
    scales = np.array([fit.log_scales for fit in fits])
    follows = np.array([fit.kind == "joint" for fit in fits])
    seen = measure(
        np.array([*made, stands]), np.concatenate([scales, 0.0 * scales[:1]]), np.append(follows, False)
    )
    # An output may swing a little further than with exact values, or as far as common levels make it.
    is_common = np.array([fit.kind == "common" for fit in fits])
    highest = np.maximum(MOST_SWING, seen.raised[:-1][is_common][-1:].max(axis=0, initial=0.0))
    may = np.all(seen.raised[:-1] <= highest * (1.0 + TIE), axis=1)
    errors = np.where(may, seen.errors[:-1], np.inf)
    best = int(_equally_good(errors).argmax())
    after = seen.errors[best]
    if pairs is not None:
        after = measure(values[[best]], scales[[best]], follows[[best]]).errors[0]
    read_at, exact_read_at = (
        {
            net: float(f"{level:.{DIGITS - 1}e}")
            for nets, level in zip(measure.driven.outputs, np.exp(log_level), strict=True)
            for net in nets
        }
        for log_level in (scales[best] + seen.t[best], scales[best])
    )
    found = _Made(values[best], exact[best], float(seen.errors[-1]), float(after), read_at, exact_read_at)
    # Each node by itself is what others are compared with, however far an output swings.
    joint, common, alone = (
        float(of[[fit.kind == kind for fit in fits]].min(initial=math.inf))
        for kind, of in (("joint", errors), ("common", errors), ("alone", seen.errors[:-1]))
    )
    return _Judged(found, float(seen.raised[best].max(initial=0.0)), joint, common, alone)


def _as_fit(circuit: Circuit, made: _Made, measure: Measure, kind: FitKind = "common") -> Fit:
    names = [p.name for p in circuit.parameters]
    values, exact = (dict(zip(names, of.tolist(), strict=True)) for of in (made.values, made.exact))
    return Fit(values, exact, np.zeros(len(measure.free)), made.after, kind)


@lru_cache(maxsize=KEPT_FITS)
def _fits(
    circuit: Circuit,
    bandwidth: float,
    resistors: str,
    capacitors: str,
    stock: Stock | None,
    pairs: float | None,
) -> tuple[Fit, ...]:
    """Fit the values of a circuit: the best few, then common levels, last each node by itself.

    Common levels are only searched for where no fit is so much better than each node by itself that they cannot be.
    """
    rounding = _Rounding(circuit, bandwidth, {"R": resistors, "C": capacitors}, stock)

    def put(lower: float | None, steady: float = STEADY) -> Problem:
        return problem(
            circuit,
            rounding.groups,
            bandwidth=bandwidth,
            resistors=resistors,
            capacitors=capacitors,
            stock=stock,
            pairs=pairs,
            lower=lower,
            steady=steady,
        )

    found = put(0.0)
    highest = np.full(len(found.measure.free), MOST_SWING)
    fits = fitted(found, highest, loads=stock is not None)
    # Where roundings raise outputs too far, these may start lower; where outputs have all the load that they may have,
    # lower ones have more.
    for lower in (MUCH_LOWER, None) if found.measure.free.any() else ():
        if len(fits) == 1:
            found = put(lower, STEADIER)
            fits = fitted(found, highest, loads=stock is not None)
    joint, alone = fits[:-1], fits[-1]
    if joint and joint[0].error < FAR_BETTER * alone.error:
        return fits
    beside = _as_fit(circuit, rounding.common_beside(prepared(circuit, bandwidth)[1]), found.measure)
    if not joint:
        # An output may swing as far as common levels make it.
        values = in_columns(circuit, beside.values)[None]
        raised = found.measure(values, beside.log_scales[None], False).raised[0]
        if np.any(raised > highest):
            joint = fitted(found, np.maximum(highest, raised), loads=stock is not None)[:-1]
    return (*joint, beside, alone)


def capacitors_beside(resistors: str) -> str:
    """Give the series of the capacitors: that of the resistors, at most E12."""
    return min(resistors, COARSEST_CAPACITORS, key=lambda name: int(name[1:]))


class _Rounding:
    """The circuit's nodes, and what it costs to round its values at chosen levels."""

    def __init__(
        self,
        circuit: Circuit,
        bandwidth: float,
        series: dict[str, str],
        stock: Stock | None,
        *,
        kept: frozenset[str] = frozenset(),
    ) -> None:
        self.circuit, self.kept = circuit, kept
        self.series = series
        names = [
            p.component[0] if p.name == p.component and p.name not in kept else "" for p in circuit.parameters
        ]
        self.rounds = {kind: np.array([n == kind for n in names]) for kind in ("R", "C")}
        hung = nodes(circuit)
        self.stock = stock
        self.shared = stock is None  # one level for all nodes may be beyond the limits of some
        self.groups = [_group(circuit, members, series["C"], kept) for members in hung]
        if stock is not None:
            within = levels_within(circuit, hung, [group.levels for group in self.groups], stock=stock)
            self.groups = [replace(g, levels=kept) for g, kept in zip(self.groups, within, strict=True)]
        rule = gauss_legendre(NODES)
        self.frequency, self.weight = bandwidth * rule.r, rule.weight
        # Decided by the connections, which are the same for all values.
        self.plan = None if circuit.clock is not None else split(circuit)
        self.nominal = self._response(circuit.values)

    def _response(self, values: np.ndarray) -> np.ndarray:
        return frequency_response(extract(self.circuit, values, plan=self.plan), self.frequency)

    def errors(self, values: Float[np.ndarray, "s m"]) -> Float[np.ndarray, " s"]:
        """Give the window error that values add, (s,)."""
        power = np.abs(self._response(values) - self.nominal) ** 2
        return np.sqrt(power @ (1.0 / (2.0 * np.arange(self.circuit.order) + 1.0)) @ self.weight)

    def rounded(self, levels: list[float]) -> Float[np.ndarray, " m"]:
        """Give standard values at a level for every node, (m,)."""
        values = self.exact(levels)
        for kind, chosen in self.rounds.items():
            values[chosen] = nearest(values[chosen], self.series[kind])
        return values

    def exact(self, levels: list[float]) -> Float[np.ndarray, " m"]:
        """Give the values at a level for every node, (m,)."""
        values = self.circuit.values.copy()
        for group, level in zip(self.groups, levels, strict=True):
            values[group.columns] *= level**group.power
        return values

    def simple(self) -> list[list[float]]:
        """Levels as they are, the best of every node by itself, and the common ones where limits do not matter."""
        own = [self._closest(group) for group in self.groups]
        if not self.shared:
            return [[1.0] * len(own), own]
        free = [group for group in self.groups if group.timed and not group.held]
        shared = free[0].levels if free else np.ones(1)
        same = [
            [
                float(level) if g.timed and not g.held else best
                for g, best in zip(self.groups, own, strict=True)
            ]
            for level in shared
        ]
        return [[1.0] * len(own), own, *same]

    def _closest(self, group: Group) -> float:
        exact = self.circuit.values[group.columns] * group.levels[:, None] ** group.power
        error = np.zeros_like(exact)
        for kind, chosen in self.rounds.items():
            at = chosen[group.columns]
            error[:, at] = np.log(nearest(exact[:, at], self.series[kind]) / exact[:, at])
        # Admittances count; what they have in common cancels where no capacitor keeps time.
        error = error * group.power
        if not group.timed:
            error = error - error.mean(axis=1, keepdims=True)
        good = _equally_good(np.sqrt((error**2).sum(axis=1)))
        return float(min(group.levels[good], key=lambda level: abs(np.log(level))))

    def residual(
        self, readout: Target | None
    ) -> Callable[[Float[np.ndarray, "s m"]], Float[np.ndarray, "s e"]]:
        """Give what takes values to what they add to the window's error, or to what a fitted readout leaves of it."""
        if readout is None:
            return lambda values: (
                self._coordinates(np.moveaxis(self._response(values) - self.nominal, 0, -1)).T
            )
        refit = Refit.of(self.circuit, self.frequency, self.weight, target=readout)
        return lambda values: refit.left(self._response(values))

    def _coordinates(self, states: Complex[np.ndarray, "f d n"]) -> Float[np.ndarray, "e n"]:
        weight = np.sqrt(self.weight[:, None] / (2.0 * np.arange(self.circuit.order) + 1.0))
        flat = (weight[..., None] * states).reshape(-1, states.shape[-1])
        return np.concatenate([np.real(flat), np.imag(flat)])

    def _slopes(self, readout: Target | None, values: Float[np.ndarray, " m"]) -> Float[np.ndarray, "e m"]:
        """Differentiate ``residual`` by the logarithms of values."""
        found = derivatives(with_values(self.circuit, values), self.frequency)
        by_logarithm = found.by_parameter * values
        if readout is None:
            return self._coordinates(by_logarithm)
        refit = Refit.of(self.circuit, self.frequency, self.weight, target=readout)
        return refit.slopes(found.states, by_logarithm)

    def common(self) -> _Made:
        """Round every value to the nearest, at the levels of nodes that are best."""
        before, chosen, after = self._start(descends=True)
        return _Made(self.rounded(chosen), self.exact(chosen), before, after)

    def common_beside(self, slopes: Float[np.ndarray, "e m"]) -> _Made:
        """Give what a joint fit is held against: of few nodes ``common``, of more the same by the first order.

        There a joint fit is always better, unless outputs swing too far with it, and trying all levels of all nodes
        takes longer than the fit itself.

        Parameters
        ----------
        slopes : (e, m) array
            Of the window's error by the logarithms of values.
        """
        if len(self.groups) <= FEW_NODES:
            return self.common()
        before, simple, after = self._start(descends=False)
        chosen = self.descended_in(slopes, simple)
        error = float(self.errors(self.rounded(chosen)[None])[0])
        if _equally_good(np.array([error, after]))[1]:
            chosen, error = simple, after
        return _Made(self.rounded(chosen), self.exact(chosen), before, error)

    def _start(self, *, descends: bool) -> tuple[float, list[float], float]:
        """Give the error of values where they stand, good levels of nodes, simple or by descent, and their error."""
        simple = self.simple()
        errors = self.errors(np.stack([self.rounded(levels) for levels in simple]))
        start = int(_equally_good(errors).argmax())
        chosen, after = simple[start], float(errors[start])
        if descends:
            chosen, after = self.descended(chosen, after)
        return float(errors[0]), chosen, after

    def best_of_both(self, pairs: float | None, readout: Target | None) -> _Made:
        """Round by common levels or by ``fitting``, whichever is better, with probes as they are."""
        before, chosen, after = self._start(descends=len(self.groups) <= FEW_NODES)
        values, exact = self.rounded(chosen), self.exact(chosen)
        joint = self.joint(pairs, readout)
        both = [self.made(*each, pairs) for each in ((values, exact), joint)]
        by_one, together = np.linalg.norm(self.residual(readout)(np.stack(both)), axis=1)
        if together < by_one:
            values, exact = joint
            after = float(self.errors(values[None])[0])
        return _Made(values, exact, before, after)

    def joint(
        self, pairs: float | None, readout: Target | None = None
    ) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
        """Choose levels and roundings together: standard values, and those at the levels before rounding, (m,) each."""
        roles = {c.name: c.role for c in self.circuit.components}
        # A half whose value is given is not rounded as the other one is.
        role = [p.name if p.name in self.kept else roles[p.component] for p in self.circuit.parameters]
        nodes = [Node(g.columns, _tied([role[k] for k in g.columns]), g.power, g.levels) for g in self.groups]
        kinds = [next((k for k, on in self.rounds.items() if on[at]), None) for at in range(len(role))]
        model_of = partial(
            Model,
            nodes,
            self.circuit.values,
            [None if k is None else self.series[k] for k in kinds],
            stocks=[self.stock if k == "C" else None for k in kinds],
            pairs=math.inf if pairs is None else pairs,
        )
        errors = self.residual(readout)
        model = model_of(self._slopes(readout, self.circuit.values))
        start = [int(np.abs(np.log(g.levels)).argmin()) for g in self.groups]
        chosen = fit_jointly(model, errors, start)
        if readout is not None:
            # The error that is left is that of the second order, so the first is taken where the choice is.
            chosen = refined(
                model, lambda values: model_of(self._slopes(readout, values)), errors, choice=chosen
            )
        values, exact = model.values(chosen), model.exact_values(chosen)
        # The logarithm of a rounding has lost its last digits: standard values are numbers of three.
        for kind, on in self.rounds.items():
            values[on] = nearest(values[on], self.series[kind])
        return values, exact

    def made(
        self, values: Float[np.ndarray, " m"], exact: Float[np.ndarray, " m"], pairs: float | None
    ) -> Float[np.ndarray, " m"]:
        """Give what is made of standard values, (m,): of those that are off by more than a bound, pairs."""
        found = values.copy()
        if pairs is not None:
            two = {"R": _pair_of_resistors, "C": _pair_of_capacitors}
            for kind, on in self.rounds.items():
                for k in np.flatnonzero(on):
                    if _is_off(values[k], exact[k], pairs):
                        found[k] = two[kind](float(exact[k]), self.series[kind]).value
        return found

    def descended_in(self, slopes: Float[np.ndarray, "e m"], levels: list[float]) -> list[float]:
        """Try every level of every node in turn, and keep what is better to first order in the roundings."""
        levels = list(levels)
        rounds = np.any(list(self.rounds.values()), axis=0)
        off = np.zeros(len(rounds))
        off[rounds] = np.log(self.rounded(levels)[rounds] / self.exact(levels)[rounds])
        error = slopes @ off
        for _ in range(PASSES):
            for k, group in enumerate(self.groups):
                if not group.timed or len(group.levels) == 1:
                    continue
                at, own = group.columns, slopes[:, group.columns]
                there = [self._off(group, float(level)) for level in (*group.levels, levels[k])]
                tried = (error - own @ off[at])[:, None] + own @ np.stack(there, axis=1)
                good = _equally_good(np.linalg.norm(tried, axis=0))
                if not good[-1]:
                    best = int(good.argmax())
                    levels[k], error, off[at] = float(group.levels[best]), tried[:, best], there[best]
        return levels

    def _off(self, group: Group, level: float) -> Float[np.ndarray, " k"]:
        """Give the logarithms of what a node's values are rounded by at a level, (k,)."""
        exact = self.circuit.values[group.columns] * level**group.power
        found = np.zeros_like(exact)
        for kind, chosen in self.rounds.items():
            at = chosen[group.columns]
            found[at] = np.log(nearest(exact[at], self.series[kind]) / exact[at])
        return found

    def descended(self, levels: list[float], error: float) -> tuple[list[float], float]:
        """Try every level of every node in turn, and keep what is better: levels, and their error."""
        timed = [k for k, g in enumerate(self.groups) if g.timed]
        trials = sum(len(self.groups[k].levels) for k in timed)
        tried = 0  # nodes whose levels were tried since one of them changed that of another
        for k in timed * (PASSES if trials <= MOST_TRIALS else 0):
            if tried == len(timed):
                break  # every further trial would be a repetition
            others = [[*levels[:k], float(level), *levels[k + 1 :]] for level in self.groups[k].levels]
            errors = self.errors(np.stack([self.rounded(o) for o in others]))
            tried += 1
            if not _equally_good(np.append(errors, error))[-1]:
                best = int(_equally_good(errors).argmax())
                levels, error, tried = others[best], float(errors[best]), 1
        return levels, error


def _tied(roles: list[str]) -> Float[np.ndarray, "u k"]:
    """Tie what has the same role on a node, mirror images: units and their columns, (u, k)."""
    units = list(dict.fromkeys(roles))
    return np.array([[float(role == unit) for role in roles] for unit in units])


def _equally_good(errors: Float[np.ndarray, " k"]) -> Bool[np.ndarray, " k"]:
    """Tell which errors are the smallest but for rounding, which must not choose: it differs between machines."""
    return errors <= errors.min() * (1.0 + TIE) + TIE


def _group(circuit: Circuit, parts: list[Component], capacitors: str, kept: frozenset[str]) -> Group:
    names = {c.name: c for c in parts}
    columns = [k for k, p in enumerate(circuit.parameters) if p.name in names]
    power = [-1.0 if isinstance(names[circuit.parameters[k].name], Capacitor | Transconductor) else 1.0
             for k in columns]  # fmt: skip
    anchors = [c.value for c in parts if isinstance(c, Capacitor)]
    levels = anchors[0] / around(anchors[0], capacitors) if anchors else FACTORS
    held = not kept.isdisjoint(names)
    return Group(np.array(columns, int), np.array(power), np.ones(1) if held else levels, bool(anchors), held)


def paired(rounded: Rounded, resistors: str, *, bound: float) -> Circuit:
    """Make every R and C that is off by more than a bound of the two standard values that come closest.

    Two resistors are in series or in parallel; two capacitors are in parallel, because the net between two
    in series would have no path for direct current. The second part has the name of the first and ``_second``.

    Parameters
    ----------
    rounded : Rounded
        From ``choose_common`` with the same series.
    resistors : str
        Series of the resistors; that of the capacitors is at most E12.
    bound : float
        Largest relative error of one part, a fraction. What no pair comes within is made of the best.
    """
    components = []
    for part, exact in zip(rounded.circuit.components, rounded.exact.components, strict=True):
        match part, exact:
            case (Resistor(), Resistor()) if _is_off(part.value, exact.value, bound):
                components += _two_resistors(part, exact.value, resistors)
            case (Capacitor(), Capacitor()) if _is_off(part.value, exact.value, bound):
                components += _two_capacitors(part, exact.value, capacitors_beside(resistors))
            case _:
                components.append(part)
    return check(replace(rounded.circuit, components=tuple(components)))


def _is_off(value: float, exact: float, bound: float) -> bool:
    return abs(value / exact - 1.0) > bound


def _pair_of_resistors(value: float, series: str) -> Pair:
    """Find two in series or in parallel, whichever is closer."""
    return _closest(value, series, Resistor, ways=(True, False))


def _pair_of_capacitors(value: float, series: str) -> Pair:
    return _closest(value, series, Capacitor, ways=(True,))


def _closest(value: float, series: str, of: type[Resistor | Capacitor], *, ways: tuple[bool, ...]) -> Pair:
    """Find two values, summed or not, that come closest: within the limits of a board, if these beat a single one."""

    def off(found: float) -> float:
        return abs(found / value - 1.0)

    single = off(float(nearest(value, series)))
    for limits in (DISCRETE[of], None):
        pairs = [best_pair(value, series, summed=summed, limits=limits) for summed in ways]
        best = min(pairs, key=lambda pair: round(off(pair.value) / TIE))
        if off(best.value) < single:
            break
    return best


def _two_resistors(part: Resistor, value: float, series: str) -> tuple[Resistor, Resistor]:
    pair = _pair_of_resistors(value, series)
    first, second = (
        replace(part, value=pair.first),
        replace(part, name=f"{part.name}_second", value=pair.second),
    )
    if not pair.summed:
        return first, second
    middle = f"{part.name}_mid"
    return replace(first, b=middle), replace(second, a=middle)


def _two_capacitors(part: Capacitor, value: float, series: str) -> tuple[Capacitor, Capacitor]:
    pair = _pair_of_capacitors(value, series)
    return replace(part, value=pair.first), replace(part, name=f"{part.name}_second", value=pair.second)
