"""Modified nodal analysis: the equations E v' + E_u u' = F v + G u + h of a circuit, many samples at once.

Ideal op-amps are nullors: their input nets share one voltage, their output supplies any current
(Carlin, IEEE Trans. Circuit Theory 11, 1964). A one-pole op-amp has the equation
v_out' = w_t (v+ - v- + V_os) - (w_t/A0) v_out instead of its output's current law.
"""

from dataclasses import dataclass

import numpy as np

from lmu_analog.circuits.circuit import (
    GROUND,
    Capacitor,
    Circuit,
    Component,
    Inductor,
    OpAmp,
    Resistor,
    Transconductor,
)
from lmu_analog.errors import CircuitError


@dataclass(frozen=True, eq=False)
class Equations:
    """Stamped equations of s samples in N unknowns.

    Attributes
    ----------
    E, F : (s, N, N) arrays
    drive : (s, N, 3) array
        Columns G, E_u and h.
    """

    E: np.ndarray
    F: np.ndarray
    drive: np.ndarray


class Index:
    """Numbers of unknowns and equations, fixed by the connections alone.

    Attributes
    ----------
    column : dict
        Net to unknown; nets merged by nullors share one.
    law : dict
        Net to its current law; nets that an op-amp or the input drives have none.
    own : dict
        One-pole op-amp or inductor to the equation that it brings.
    size : int
        Number N of unknowns.
    """

    def __init__(self, circuit: Circuit) -> None:
        self.source = circuit.source
        self._alias = _merged_inputs(circuit)
        amplifiers = [c for c in circuit.components if isinstance(c, OpAmp)]
        driven = {circuit.source, *(c.out for c in amplifiers)}
        free = [n for n in circuit.nets if self.resolve(n) == n and n != circuit.source]
        laws = [n for n in circuit.nets if n not in driven]
        inductors = [c.name for c in circuit.components if isinstance(c, Inductor)]
        owners = [c.name for c in amplifiers if not c.model.ideal] + inductors
        self.column = {net: k for k, net in enumerate(free)}
        self.current = {name: len(free) + k for k, name in enumerate(inductors)}
        self.law = {net: k for k, net in enumerate(laws)}
        self.own = {name: len(laws) + k for k, name in enumerate(owners)}
        self.size = len(free) + len(inductors)
        if len(laws) + len(owners) != self.size:
            raise CircuitError(
                f"{len(laws) + len(owners)} equations for {self.size} unknowns; "
                "an ideal op-amp forces nets together that something else already drives"
            )

    def resolve(self, net: str) -> str:
        """Give the net whose voltage this one shares."""
        return self._alias.get(net, net)

    def voltage(self, net: str) -> int | None:
        """Give the unknown that is the voltage of a net, None for ground and the input."""
        return self.column.get(self.resolve(net))


def _merged_inputs(circuit: Circuit) -> dict[str, str]:
    alias: dict[str, str] = {}
    for c in circuit.components:
        if isinstance(c, OpAmp) and c.model.ideal:
            a, b = (alias.get(net, net) for net in (c.plus, c.minus))
            keep, drop = (b, a) if b in (GROUND, circuit.source) else (a, b)
            alias = {net: keep if root == drop else root for net, root in alias.items()}
            alias[drop] = keep
    return alias


def stamp(circuit: Circuit, index: Index, values: np.ndarray) -> Equations:
    """Write the equations for values (s, m) of ``circuit.parameters``."""
    board = _Board(index, len(values))
    column = 0
    for component in circuit.components:
        match component:
            case OpAmp() if component.model.ideal:
                width = 0
            case OpAmp():
                width = 2
            case _:
                width = 1
        board.place(component, values[:, column : column + width])
        column += width
    return Equations(board.E, board.F, board.drive)


def storage(circuit: Circuit, index: Index) -> tuple[np.ndarray, np.ndarray]:
    """Give incidences (N, k), left and right, that span E whatever the values of its k storage elements."""
    left, right = [], []
    for c in circuit.components:
        row, column = np.zeros(index.size), np.zeros(index.size)
        match c:
            case Capacitor():
                for net, sign in ((c.a, 1.0), (c.b, -1.0)):
                    if net in index.law:
                        row[index.law[net]] = sign
                    if (k := index.voltage(net)) is not None:
                        column[k] += sign
            case Inductor():
                row[index.own[c.name]] = column[index.current[c.name]] = 1.0
            case OpAmp() if not c.model.ideal:
                row[index.own[c.name]] = column[index.column[c.out]] = 1.0
            case _:
                continue
        left.append(row)
        right.append(column)
    return np.reshape(left, (-1, index.size)).T, np.reshape(right, (-1, index.size)).T


class _Board:
    """Collects stamps; a current law reads: what leaves the net through capacitors = what comes in."""

    def __init__(self, index: Index, samples: int) -> None:
        self.index = index
        self.E = np.zeros((samples, index.size, index.size))
        self.F = np.zeros_like(self.E)
        self.drive = np.zeros((samples, index.size, 3))

    def place(self, component: Component, values: np.ndarray) -> None:
        """Stamp one component with its parameter values, (s, width)."""
        match component:
            case Resistor():
                self._branch(self.F, 0, (component.a, component.b), -1.0 / values[:, 0])
            case Capacitor():
                self._branch(self.E, 1, (component.a, component.b), values[:, 0])
            case Inductor():
                self._inductor(component, values[:, 0])
            case Transconductor():
                row = self.index.law.get(component.out)
                self._difference(row, (component.plus, component.minus), values[:, 0])
            case OpAmp() if not component.model.ideal:
                self._amplifier(component, values)
            case OpAmp():
                pass

    def _add(self, target: np.ndarray, kind: int, at: tuple[int, str], amount: np.ndarray) -> None:
        row, net = at
        if self.index.resolve(net) == self.index.source:
            self.drive[:, row, kind] += amount
        elif (column := self.index.voltage(net)) is not None:
            target[:, row, column] += amount

    def _branch(self, target: np.ndarray, kind: int, nets: tuple[str, str], amount: np.ndarray) -> None:
        for here, there in (nets, nets[::-1]):
            if (row := self.index.law.get(here)) is not None:
                self._add(target, kind, (row, here), amount)
                self._add(target, kind, (row, there), -amount)

    def _difference(self, row: int | None, nets: tuple[str, str], amount: np.ndarray) -> None:
        if row is not None:
            self._add(self.F, 0, (row, nets[0]), amount)
            self._add(self.F, 0, (row, nets[1]), -amount)

    def _inductor(self, component: Inductor, values: np.ndarray) -> None:
        row, column = self.index.own[component.name], self.index.current[component.name]
        for net, sign in ((component.a, -1.0), (component.b, 1.0)):
            if net in self.index.law:
                self.F[:, self.index.law[net], column] += sign
        self.E[:, row, column] = values
        self._difference(row, (component.a, component.b), np.ones(len(values)))

    def _amplifier(self, component: OpAmp, values: np.ndarray) -> None:
        row, column = self.index.own[component.name], self.index.column[component.out]
        crossover = 2.0 * np.pi * values[:, 0]
        self.E[:, row, column] = 1.0
        self._difference(row, (component.plus, component.minus), crossover)
        self.F[:, row, column] -= crossover / component.model.gain
        self.drive[:, row, 2] = crossover * values[:, 1]
