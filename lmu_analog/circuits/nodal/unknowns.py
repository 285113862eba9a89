"""Unknowns and equations of a circuit, and what spans its storage: fixed by the connections alone."""

import math

import numpy as np

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import (
    GROUND,
    Ammeter,
    Capacitor,
    Component,
    DifferentialOpAmp,
    Follower,
    Inductor,
    Mosfet,
    OpAmp,
    Supply,
    Switch,
    Transconductor,
    outputs,
)
from lmu_analog.errors import CircuitError


class Index:
    """Numbers of unknowns and equations.

    Attributes
    ----------
    column : dict
        Net to unknown; nets merged by nullors share one.
    current : dict
        Component to the unknown that is its current.
    law : dict
        Net to its current law; nets that an amplifier or the input drives have none, but for those that an ideal
        source drives against another net: they share that one's, because the source's current comes from there.
    own : dict
        Component to the first of the equations that it brings.
    inner : dict
        Output net of an amplifier with output resistance to the unknown that is its voltage before it.
    size : int
        Number N of unknowns.
    """

    def __init__(self, circuit: Circuit) -> None:
        self.source = circuit.source
        if nonlinear := circuit.only(Mosfet, Switch):
            raise CircuitError(
                f"{nonlinear[0].name} is not linear; only a circuit of linear parts has a state space"
            )
        self._alias = _merged_inputs(circuit)
        resistive = (c for c in circuit.amplifiers if not c.model.ideal and c.model.output_resistance > 0.0)
        behind = [net for c in resistive for net in outputs(c)]
        driven = {circuit.source, *(net for c in circuit.components for net in outputs(c))} - {*behind}
        free = [n for n in circuit.nets if self.resolve(n) == n and n != circuit.source]
        laws = [n for n in circuit.nets if n not in driven]
        carriers = [c.name for c in circuit.components if _carries_current(c)]
        self.column = {net: k for k, net in enumerate(free)}
        self.current = {name: len(free) + k for k, name in enumerate(carriers)}
        carried = len(free) + len(carriers)
        self.inner = {net: carried + k for k, net in enumerate(behind)}
        self.law = {net: k for k, net in enumerate(laws)}
        self.law |= {c.out: self.law[c.base] for c in circuit.only(Follower) if c.base in self.law}
        self._branches: dict[tuple[str, str], list[tuple[tuple[int, int], bool, int]]] = {}
        self.own, equations = {}, len(laws)
        for c in circuit.components:
            if count := _own_equations(c):
                self.own[c.name] = equations
                equations += count
        self.size = carried + len(behind)
        if equations != self.size:
            raise CircuitError(
                f"{equations} equations for {self.size} unknowns; "
                "an ideal op-amp forces nets together that something else already drives"
            )

    def resolve(self, net: str) -> str:
        """Give the net whose voltage this one shares."""
        return self._alias.get(net, net)

    def reads(self, net: str) -> int | None:
        """Give the unknown that is the voltage of a net; ``size`` stands for the input, None for ground."""
        shared = self.resolve(net)
        return self.size if shared == self.source else self.column.get(shared)

    def branch(self, nets: tuple[str, str]) -> list[tuple[tuple[int, int], bool, int]]:
        """Give the places that what is joined to two nets adds to, in order: each, whether it is a drive, and its sign.

        The sign is a place, 0 for what is added and 1 for its negative. Kept: circuits are stamped again and again.
        """
        if nets not in self._branches:
            found = []
            for here, there in (nets, nets[::-1]):
                row = self.law.get(here)
                for side, net in enumerate((here, there)):
                    column = self.reads(net)
                    if row is not None and column is not None:
                        found.append(((row, column), column == self.size, side))
            self._branches[nets] = found
        return self._branches[nets]

    def add(self, row: np.ndarray, net: str, weight: float) -> None:
        """Add the voltage of a net to a row over the unknowns and the input behind them, (N + 1,)."""
        if (at := self.reads(net)) is not None:
            row[at] += weight

    def output(self, net: str) -> int:
        """Give the unknown that an amplifier with this output net sets, before any output resistance."""
        return self.inner[net] if net in self.inner else self.column[net]


def _carries_current(c: Component) -> bool:
    match c:
        case Inductor() | Ammeter() | Supply():
            return True
        case Transconductor():
            return math.isfinite(c.model.pole)
        case _:
            return False


def _own_equations(c: Component) -> int:
    match c:
        case OpAmp():
            return 0 if c.model.ideal else 1
        case DifferentialOpAmp():
            return 1 if c.model.ideal else 2
        case Follower():
            return 1
        case _:
            return int(_carries_current(c))


def _merged_inputs(circuit: Circuit) -> dict[str, str]:
    alias: dict[str, str] = {}
    for c in circuit.amplifiers:
        if c.model.ideal:
            a, b = (alias.get(net, net) for net in (c.plus, c.minus))
            keep, drop = (b, a) if b in (GROUND, circuit.source) else (a, b)
            alias = {net: keep if root == drop else root for net, root in alias.items()}
            alias[drop] = keep
    return alias


def storage(circuit: Circuit, index: Index) -> tuple[np.ndarray, np.ndarray]:
    """Give incidences (N, k), left and right, that span E whatever the values of its k storage elements."""
    pairs = [pair for c in circuit.components for pair in _incidences(c, index)]
    # A capacitor between nets that are both driven, such as a load at an ideal output, is in no equation.
    pairs = [pair for pair in pairs if pair[0].any()]
    left, right = ([pair[side] for pair in pairs] for side in (0, 1))
    return np.reshape(left, (-1, index.size)).T, np.reshape(right, (-1, index.size)).T


def _incidences(c: Component, index: Index) -> list[tuple[np.ndarray, np.ndarray]]:
    match c:
        case Capacitor():
            return [_between(index, c.a, c.b)]
        case Inductor():
            return [_unit(index, index.own[c.name], {index.current[c.name]: 1.0})]
        case Transconductor():
            own = c.name in index.own
            pole = [_unit(index, index.own[c.name], {index.current[c.name]: 1.0})] if own else []
            return pole + ([_between(index, c.out, GROUND)] if c.model.parasitic else [])
        case OpAmp() | DifferentialOpAmp() if not c.model.ideal:
            first, ends = index.own[c.name], [index.output(net) for net in outputs(c)]
            found = [_unit(index, first, dict(zip(ends, (1.0, -1.0), strict=False)))]
            if isinstance(c, DifferentialOpAmp):
                found.append(_unit(index, first + 1, dict.fromkeys(ends, 1.0)))
            inputs = (c.plus, c.minus) if c.model.input_capacitance else ()
            return found + [_between(index, net, GROUND) for net in inputs]
        case _:
            return []


def _between(index: Index, a: str, b: str) -> tuple[np.ndarray, np.ndarray]:
    row, column = np.zeros(index.size), np.zeros(index.size + 1)
    for net, sign in ((a, 1.0), (b, -1.0)):
        if net in index.law:
            row[index.law[net]] += sign
        index.add(column, net, sign)
    return row, column[:-1]


def _unit(index: Index, equation: int, unknowns: dict[int, float]) -> tuple[np.ndarray, np.ndarray]:
    row, column = np.zeros(index.size), np.zeros(index.size)
    row[equation] = 1.0
    for k, sign in unknowns.items():
        column[k] = sign
    return row, column
