"""What a joint fit of standard values is about: a circuit's nodes and outputs, and what choices make of its window.

The fit is of the circuit with ideal amplifiers, on which what roundings do hardly depends; it is found some five times
faster, and once for all op-amps. The circuit as it is decides among the best few.
"""

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from jaxtyping import Bool, Complex, Float, Int

from lmu_analog.circuits.circuit import Circuit, Term
from lmu_analog.circuits.components import (
    GROUND,
    Amplifier,
    Capacitor,
    Component,
    Resistor,
    outputs,
    terminals,
)
from lmu_analog.circuits.devices.models import IDEAL
from lmu_analog.circuits.devices.passives import Stock
from lmu_analog.circuits.devices.values import TIE, nearest
from lmu_analog.circuits.driven import Driven, driven
from lmu_analog.circuits.joint_search import LN10, Balancing, Choices, Model, Node, Outputs, Seen, fit_jointly
from lmu_analog.circuits.nodal.adjoint import derivatives
from lmu_analog.circuits.nodal.extract import extract, split
from lmu_analog.circuits.ranges import DISCRETE, LEAST_LOAD, ROUNDING
from lmu_analog.memory.statespace import frequency_response
from lmu_analog.memory.window import gauss_legendre

NODES = 48  # frequencies of the norm
LEVELS = 13  # of a node without a capacitor, over a decade; more are no better
# Levels of outputs: from a little below the voltage as it is, so that roundings take it no further, in steps of a
# fifth of what two standard values are apart, over two of them; at most a tenth, for signals then are nearer to noise.
BELOW = 0.4  # of what two standard values are apart
WIDTH, WIDEST = 1.6, 0.1
STEPS = 8
LOWEST = 0.5  # of the voltage that an output has
MOST_SWING = 1.05  # of it, to which roundings may raise it: a sixth of the usual headroom
RIDGE = (
    0.05  # of the largest that one level of an output does: weaker, two may be moved against each other far
)
STEADY = 0.03  # of the window error, what an output's voltage counts that is not at its level
FITS = 3  # that the circuit as it is decides between
KEPT = 256  # fits that are remembered
PREPARED = 4  # circuits whose sensitivities are

FitKind = Literal["joint", "common", "alone"]


@dataclass(frozen=True, eq=False)
class Group:
    """What hangs on one node, or on its mirror images: its columns of the values, and its levels.

    ``power`` is that of the level in each value; ``timed`` says that there is a capacitor, ``held`` that a value is
    given, so that the node keeps its level.
    """

    columns: np.ndarray
    power: np.ndarray
    levels: np.ndarray
    timed: bool
    held: bool


@dataclass(frozen=True, eq=False)
class Fit:
    """Values of all parts, and what outputs' voltages are multiplied by.

    Attributes
    ----------
    values, exact : dict of str to float
        Of R and C, by name: standard ones, and those before rounding.
    log_scales : (o,) array
        For every amplifier the logarithm of its outputs' level.
    error : float
        Window error that standard values add, a fraction.
    kind : {"joint", "common", "alone"}
        Whether levels and roundings are chosen together, and what reads an output divides by its level; or every value
        is rounded to the nearest at the best levels, or at the best of its node by itself.
    """

    values: dict[str, float]
    exact: dict[str, float]
    log_scales: Float[np.ndarray, " o"]
    error: float
    kind: FitKind


class Measure:
    """What values of a circuit make of its window and of the voltages at its outputs.

    Parameters
    ----------
    circuit : Circuit
        Linear, in continuous time.
    bandwidth : float, Hz
        Band of the norm: mean over it of sum_i |dm_i|^2/(2i+1).
    """

    def __init__(self, circuit: Circuit, bandwidth: float) -> None:
        rule = gauss_legendre(NODES)
        self.frequency = bandwidth * rule.r
        self.root = np.sqrt(rule.weight[:, None] / (2.0 * np.arange(circuit.order) + 1.0))
        self.driven = driven(circuit)
        self.free = np.array(self.driven.free, bool)
        self.readout, rest = _readout(circuit, self.driven)
        shown = tuple(
            tuple(Term("v", net, sign) for net, sign in zip(nets, (1.0, -1.0), strict=False))
            for nets in self.driven.outputs
        )
        # What probes read elsewhere stands behind the outputs.
        self.circuit = replace(circuit, probes=(*shown, *(rest if any(rest) else ())))
        self.plan = split(self.circuit)
        volts, others = self._response(circuit.values[None])
        self.nominal = (volts @ self.readout.T + others)[0]
        self.volts = np.maximum(np.abs(volts[0]).max(axis=0), 1e-300)
        along = rule.weight[:, None] * volts[0].conj()
        self.along = along / np.maximum(np.sum(along * volts[0], axis=0).real, 1e-300)
        self.by_output = self.coordinates(self.readout * volts[0][:, None, :])
        self.by_output[:, ~self.free] = 0.0
        self.ridge = RIDGE * float(np.sqrt((self.by_output**2).sum(axis=0).max(initial=0.0)))
        square = self.by_output.T @ self.by_output + (self.ridge**2 or 1.0) * np.eye(len(self.free))
        self.follow = np.linalg.solve(square, self.by_output.T)
        self.resistors, self.loads = _loads(circuit)
        conductance = self._conductances(circuit.values)
        self.heaviest = np.maximum(conductance, 1.0 / LEAST_LOAD)

    def coordinates(self, states: Complex[np.ndarray, "f d n"]) -> Float[np.ndarray, "e n"]:
        """Give deviations of the states real coordinates, whose sum of squares is the squared window error."""
        flat = (self.root[..., None] * states).reshape(self.root.size, states.shape[-1])
        return np.concatenate([np.real(flat), np.imag(flat)])

    def _conductances(self, values: Float[np.ndarray, "*s m"]) -> Float[np.ndarray, "*s n"]:
        """Give what loads every net of an output, S, as if the far ends of its resistors were at ground."""
        return (1.0 / values[..., self.resistors]) @ self.loads

    def _response(self, values: Float[np.ndarray, "s m"]) -> tuple[np.ndarray, np.ndarray | float]:
        found = frequency_response(extract(self.circuit, values, plan=self.plan), self.frequency)
        count = len(self.free)
        return found[..., :count], found[..., count:] if found.shape[-1] > count else 0.0

    def __call__(
        self,
        values: Float[np.ndarray, "s m"],
        log_scales: Float[np.ndarray, "s o"],
        follows: Bool[np.ndarray, " s"] | bool = True,
    ) -> "Measured":
        """Measure values.

        Parameters
        ----------
        values : (s, m) array
        log_scales : (s, o) array
            Logarithms of what outputs' voltages are multiplied by.
        follows : (s,) bool array
            Whether what reads the outputs divides by what is best, rather than by just that.
        """
        volts, others = self._response(values)
        count, turns = len(values), np.broadcast_to(np.asarray(follows), len(values))[:, None]
        t = np.zeros_like(log_scales)
        error = np.zeros((count, 0))
        for step in range(3):
            read = (volts * np.exp(-log_scales - t)[:, None, :]) @ self.readout.T + others - self.nominal
            error = self.coordinates(np.moveaxis(read, 0, -1)).T
            if step < 2:
                t = t + np.where(turns, error @ self.follow.T, 0.0)
        raised = np.abs(volts).max(axis=1) / self.volts
        level = np.sum(
            self.along * volts, axis=1
        ).real  # of every output, over what it is in the circuit as it is
        load = self._conductances(values) / self.heaviest
        return Measured(error.reshape(count, -1), t, level * np.exp(-log_scales) - 1.0, raised, load)


@dataclass(frozen=True, eq=False)
class Measured:
    """What values make of a circuit.

    Attributes
    ----------
    error : (s, e) array
        Window error that they add, in the coordinates of ``Measure``.
    t : (s, o) array
        Logarithms of what is best to divide by beyond the levels of outputs that were given.
    off : (s, o) array
        Relative error of the voltages at outputs, at the levels that were given.
    raised : (s, o) array
        Largest voltage in the band over what it is in the circuit as it is.
    load : (s, n) array
        Conductance that every net of an output drives, over the larger of that in the circuit as it is and what op-amps
        like.
    """

    error: Float[np.ndarray, "s e"]
    t: Float[np.ndarray, "s o"]
    off: Float[np.ndarray, "s o"]
    raised: Float[np.ndarray, "s o"]
    load: Float[np.ndarray, "s n"]

    @property
    def errors(self) -> Float[np.ndarray, " s"]:
        """Window errors, fractions of the input, (s,)."""
        return np.sqrt((self.error**2).sum(axis=1))

    def keeps(
        self, usual: "Measured", highest: Float[np.ndarray, " o"], *, loads: bool
    ) -> Bool[np.ndarray, " s"]:
        """Tell which may be taken, (s,).

        Parameters
        ----------
        usual : Measured
            What is rounded where it stands: as far as that raises a load, others may, too.
        highest : (o,) array
            Largest voltage of every output over that in the circuit as it is.
        loads : bool
            Whether what outputs have to drive matters.
        """
        within = np.all((self.raised <= highest * (1.0 + TIE)) & (self.raised >= LOWEST), axis=1)
        heaviest = np.maximum(1.0, usual.load.max(axis=0)) * (1.0 + ROUNDING)
        return within & np.all(self.load <= heaviest, axis=1) if loads else within


def _readout(
    circuit: Circuit, found: Driven
) -> tuple[Float[np.ndarray, "d o"], tuple[tuple[Term, ...], ...]]:
    """Part the probes into a matrix over the outputs' voltages, of two nets their difference, and what is none."""
    place = {net: (k, len(nets)) for k, nets in enumerate(found.outputs) for net in nets}
    readout, rest = np.zeros((circuit.order, len(found.outputs))), []
    for i, probe in enumerate(circuit.probes):
        left = []
        factors: dict[str, float] = {}
        for term in probe:
            if term.kind == "v" and term.of in place:
                factors[term.of] = factors.get(term.of, 0.0) + term.factor
            else:
                left.append(term)
        for net, factor in factors.items():
            k, halves = place[net]
            first = found.outputs[k][0]
            if halves == 1 or factors.get(found.outputs[k][1]) == -factors.get(first, math.nan):
                readout[i, k] = factors[first]
            else:
                left.append(Term("v", net, factor))
        rest.append(tuple(left))
    return readout, tuple(rest)


def _loads(circuit: Circuit) -> tuple[Int[np.ndarray, " r"], Float[np.ndarray, "r n"]]:
    """Give the columns of resistors, (r,), and which load each net of an output, (r, n): 0 or 1."""
    place = {p.name: k for k, p in enumerate(circuit.parameters)}
    nets = {net: k for k, net in enumerate(net for c in circuit.amplifiers for net in outputs(c))}
    resistors = circuit.only(Resistor)
    found = np.zeros((len(resistors), len(nets)))
    for row, c in enumerate(resistors):
        for net in (c.a, c.b):
            if net in nets:
                found[row, nets[net]] = 1.0
    return np.array([place[c.name] for c in resistors], int), found


def with_ideal_amplifiers(circuit: Circuit) -> Circuit:
    """Give a circuit whose amplifiers are ideal."""
    components = tuple(replace(c, model=IDEAL) if isinstance(c, Amplifier) else c for c in circuit.components)
    return replace(circuit, components=components)


@lru_cache(maxsize=PREPARED)
def prepared(
    circuit: Circuit, bandwidth: float
) -> tuple[Measure, Float[np.ndarray, "e m"], Float[np.ndarray, "o m"]]:
    """Give what measures a circuit, and the slopes of its error, then of outputs' voltages, by logarithms of values."""
    measure = Measure(circuit, bandwidth)
    count = len(measure.free)
    slopes = derivatives(measure.circuit, measure.frequency).by_parameter * circuit.values
    states = measure.readout @ slopes[:, :count]
    if slopes.shape[1] > count:
        states = states + slopes[:, count:]
    off = np.sum(measure.along[..., None] * slopes[:, :count], axis=0).real
    return measure, measure.coordinates(states), off


@dataclass(frozen=True, eq=False)
class Problem:
    """A circuit with ideal amplifiers whose values are to be chosen.

    Attributes
    ----------
    circuit : Circuit
    measure : Measure
    model : Model
    series : tuple of (str or None)
        Of every value.
    steady : float
        Of the window error, what an output's voltage counts that is not at its level.
    """

    circuit: Circuit
    measure: Measure
    model: Model
    series: tuple[str | None, ...]
    steady: float


def problem(
    circuit: Circuit,
    groups: list[Group],
    *,
    bandwidth: float,
    resistors: str,
    capacitors: str,
    stock: Stock | None,
    pairs: float | None,
    lower: float | None = 0.0,
    steady: float = STEADY,
) -> Problem:
    """Put the choice of a circuit's values.

    Parameters
    ----------
    circuit : Circuit
        With ideal amplifiers.
    groups : list of Group
        Its nodes.
    bandwidth : float, Hz
    resistors, capacitors : str
        E-series.
    stock : Stock or None
        Which capacitors can be ordered, where values are to stay within limits.
    pairs : float or None
        Bound beyond which a value is made of two.
    lower : float or None
        By how much the voltages that outputs may have are lower than usual, in logarithms. None: they are not chosen,
        and what reads them only divides by what roundings make of them.
    steady : float
    """
    measure, of_states, of_outputs = prepared(circuit, bandwidth)
    by_name = {c.name: c for c in circuit.components}
    parts = [by_name[p.component] for p in circuit.parameters]
    kinds = [c if isinstance(c, Resistor | Capacitor) else None for c in parts]
    series = tuple(None if c is None else resistors if isinstance(c, Resistor) else capacitors for c in kinds)
    apart = LN10 / int(resistors[1:])  # two standard values, in logarithms
    step = min(WIDTH * apart, WIDEST) / (STEPS - 1)
    count = len(measure.free)
    levels = Outputs(
        np.concatenate([measure.by_output, np.zeros((count, count))]),
        step,
        0 if lower is None else math.ceil((BELOW * apart + lower) / step),
        1 if lower is None else STEPS,
        measure.ridge or 1.0,
        _balances(circuit, measure.driven),
    )
    model = Model(
        _nodes(circuit, parts, groups, measure),
        circuit.values,
        series,
        np.concatenate([of_states, steady * of_outputs]),
        stocks=[stock if isinstance(c, Capacitor) else None for c in kinds],
        pairs=math.inf if pairs is None else pairs,
        outputs=levels,
        limits=[None if stock is None or c is None else DISCRETE[type(c)] for c in kinds],
    )
    return Problem(circuit, measure, model, series, steady)


def _nodes(circuit: Circuit, parts: list[Component], groups: list[Group], measure: Measure) -> list[Node]:
    at_output = {net: k for k, nets in enumerate(measure.driven.outputs) if measure.free[k] for net in nets}
    inputs = [{c.plus, c.minus} - {GROUND} for c in circuit.amplifiers]
    at_input = {net: k for k, nets in enumerate(inputs) if measure.free[k] for net in nets}
    made = []
    for group in groups:
        hung = [parts[k] for k in group.columns]
        source = [next((at_output[net] for net in terminals(c) if net in at_output), -1) for c in hung]
        own = {at_input[net] for c in hung for net in terminals(c) if net in at_input}
        tied = _tied([(type(c).__name__, c.role, k) for c, k in zip(hung, source, strict=True)])
        levels = group.levels
        if not group.timed and len(levels) > LEVELS:
            by = math.ceil(len(levels) / LEVELS)
            levels = levels[int(np.abs(np.log(levels)).argmin()) % by :: by]
        made.append(
            Node(
                group.columns,
                tied,
                group.power,
                levels,
                own.pop() if len(own) == 1 else -1,
                tuple(source[k] for k in tied.argmax(axis=1)),
            )
        )
    return made


def _tied(keys: list[tuple[str, str, int]]) -> Float[np.ndarray, "u k"]:
    """Tie what has the same kind, role and output on a node, mirror images: units and their columns, (u, k)."""
    units = list(dict.fromkeys(keys))
    return np.array([[float(key == unit) for key in keys] for unit in units]).reshape(len(units), len(keys))


def _balances(circuit: Circuit, found: Driven) -> tuple[Balancing, ...]:
    place = {p.name: k for k, p in enumerate(circuit.parameters)}
    made = []
    for balance in found.balances:
        column, same, other = (
            place[balance.name],
            *(tuple(place[name] for name in names) for names in (balance.same, balance.other)),
        )
        own, conductance = 1.0 / circuit.values[column], 1.0 / circuit.values
        # The two inputs' conductances keep their ratio, which is one unless their levels are not alike.
        ratio = (own + conductance[list(same)].sum()) / conductance[list(other)].sum()
        share = [-conductance[k] / own for k in same] + [ratio * conductance[k] / own for k in other]
        made.append(Balancing(column, (*same, *other), tuple(share)))
    return tuple(made)


def fitted(found: Problem, highest: Float[np.ndarray, " o"], *, loads: bool) -> tuple[Fit, ...]:
    """Choose values: the best few fits, and last what each node is rounded to by itself.

    Parameters
    ----------
    found : Problem
    highest : (o,) array
        Largest voltage of every output over that in the circuit as it is.
    loads : bool
        Whether what outputs have to drive matters.
    """
    model, measure = found.model, found.measure
    start = [int(np.abs(np.log(node.levels)).argmin()) for node in model.nodes]
    alone = model.chosen(np.array([model.own_levels(), start], int), np.zeros((2, model.count), int))
    beside = measure(model.values(alone), model.log_scales(alone), False)

    def evaluate(values: Float[np.ndarray, "s m"], log_scales: Float[np.ndarray, "s o"]) -> Seen:
        seen = measure(values, log_scales)
        error = np.concatenate([seen.error, found.steady * seen.off], axis=1)
        return Seen(error, seen.t, seen.errors**2, seen.keeps(beside, highest, loads=loads))

    if not model.nodes:
        return _made(found, alone.at(slice(1)), beside.errors[:1], kind="alone")
    best, sizes = fit_jointly(model, evaluate, start)
    joint = _made(found, best.at(slice(FITS)), np.sqrt(sizes[:FITS]), kind="joint")
    return joint + _made(found, alone.at(slice(1)), beside.errors[:1], kind="alone")


def _made(
    found: Problem, choices: Choices, errors: Float[np.ndarray, " s"], *, kind: FitKind
) -> tuple[Fit, ...]:
    model = found.model
    values, exact, scales = model.values(choices), model.exact_values(choices), model.log_scales(choices)
    # The logarithm of a rounding has lost its last digits: standard values are numbers of three.
    for name in {name for name in found.series if name is not None}:
        on = [one == name for one in found.series]
        values[:, on] = nearest(values[:, on], name)
    names = [p.name for p in found.circuit.parameters]
    return tuple(
        Fit(
            dict(zip(names, of.tolist(), strict=True)),
            dict(zip(names, before.tolist(), strict=True)),
            scale,
            float(error),
            kind,
        )
        for of, before, scale, error in zip(values, exact, scales, errors, strict=True)
    )


def in_columns(circuit: Circuit, by_name: dict[str, float]) -> Float[np.ndarray, " m"]:
    """Give the values of a circuit with some of them replaced, (m,)."""
    return np.array([by_name.get(p.name, p.nominal) for p in circuit.parameters])
