"""Modified nodal analysis: the equations E v' + E_u u' = F v + G u + h of a circuit, many samples at once.

Ideal op-amps are nullors: their input nets share one voltage, their output supplies any current
(Carlin, IEEE Trans. Circuit Theory 11, 1964). A one-pole op-amp has the equation
v_out' = w_t (v+ - v- + V_os) - (w_t/A0) v_out instead of its output's current law; with an output resistance
that equation is for the voltage before it, an unknown of its own.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmu_analog.circuits.circuit import Circuit, width
from lmu_analog.circuits.components import (
    GROUND,
    Ammeter,
    Amplifier,
    Bias,
    Capacitor,
    Component,
    DifferentialOpAmp,
    Follower,
    Inductor,
    OpAmp,
    Resistor,
    Supply,
    Transconductor,
    outputs,
)
from lmu_analog.circuits.nodal.unknowns import Index

Place = dict[tuple[int, int], np.ndarray]


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


@dataclass(frozen=True, eq=False)
class Entries:
    """The same equations, entry by entry: for each place its s values.

    Attributes
    ----------
    E, F, drive : dict
        (row, column) to an (s,) array; ``drive`` has the columns of ``Equations.drive``.
    """

    E: Place
    F: Place
    drive: Place


def entries(circuit: Circuit, index: Index, values: np.ndarray) -> Entries:
    """Write the entries that are not zero for values (s, m) of ``circuit.parameters``."""
    stamps = _Stamps(index, len(values), values.dtype)
    columns = np.ascontiguousarray(values.T)
    column = 0
    for component in circuit.components:
        stamps.place(component, columns[column : column + width(component)])
        column += width(component)
    return Entries(stamps.E, stamps.F, stamps.drive)


def stamp(circuit: Circuit, index: Index, values: np.ndarray) -> Equations:
    """Write the equations as matrices for values (s, m) of ``circuit.parameters``."""
    sparse = entries(circuit, index, values)
    shape = (len(values), index.size, index.size)
    places = ((sparse.E, shape), (sparse.F, shape), (sparse.drive, (*shape[:2], 3)))
    E, F, drive = (_dense(found, shape) for found, shape in places)
    return Equations(E, F, drive)


def _dense(found: Place, shape: tuple[int, ...]) -> np.ndarray:
    matrix = np.zeros(shape)
    for (row, column), amount in found.items():
        matrix[:, row, column] = amount
    return matrix


class _Stamps:
    """Collects stamps; a current law reads: what leaves the net through capacitors = what comes in."""

    def __init__(self, index: Index, samples: int, dtype: np.dtype[Any]) -> None:
        self.index = index
        self.one = np.ones(samples, dtype)
        self.E: Place = {}
        self.F: Place = {}
        self.drive: Place = {}

    def place(self, component: Component, values: np.ndarray) -> None:
        """Stamp one component with its parameter values, (width, s)."""
        match component:
            case Resistor():
                self._branch(self.F, 0, (component.a, component.b), -1.0 / values[0])
            case Capacitor():
                self._branch(self.E, 1, (component.a, component.b), values[0])
            case Inductor():
                self._carried((component.a, component.b), component.name)
                row, column = self._place_of(component)
                self._put(self.E, (row, column), values[0])
                self._difference(row, (component.a, component.b), self.one)
            case Ammeter() | Supply():
                self._source(component, values)
            case Bias():
                self._constant((component.b, component.a), values[0])
            case Transconductor():
                self._transconductor(component, values[0])
            case Follower():
                row = self.index.own[component.name]
                self._add(self.F, 0, (row, component.out), -self.one)
                self._difference(row, (component.plus, component.minus), component.gain * self.one)
            case OpAmp() if not component.model.ideal:
                self._amplifier(component, values)
            case DifferentialOpAmp():
                self._differential(component, values)
            case _:
                pass

    @staticmethod
    def _put(target: Place, at: tuple[int, int], amount: np.ndarray) -> None:
        target[at] = target[at] + amount if at in target else amount

    def _add(self, target: Place, kind: int, at: tuple[int | None, str], amount: np.ndarray) -> None:
        row, net = at
        if row is None:
            return
        if self.index.resolve(net) == self.index.source:
            self._put(self.drive, (row, kind), amount)
        elif (column := self.index.voltage(net)) is not None:
            self._put(target, (row, column), amount)

    def _branch(self, target: Place, kind: int, nets: tuple[str, str], amount: np.ndarray) -> None:
        for here, there in (nets, nets[::-1]):
            row = self.index.law.get(here)
            self._add(target, kind, (row, here), amount)
            self._add(target, kind, (row, there), -amount)

    def _difference(self, row: int | None, nets: tuple[str, str], amount: np.ndarray) -> None:
        self._add(self.F, 0, (row, nets[0]), amount)
        self._add(self.F, 0, (row, nets[1]), -amount)

    def _place_of(self, component: Component) -> tuple[int, int]:
        return self.index.own[component.name], self.index.current[component.name]

    def _carried(self, nets: tuple[str, str], name: str) -> None:
        """Let an unknown current leave the first net and enter the second."""
        for net, sign in ((nets[0], -1.0), (nets[1], 1.0)):
            if net in self.index.law:
                self._put(self.F, (self.index.law[net], self.index.current[name]), sign * self.one)

    def _constant(self, nets: tuple[str, str], amount: np.ndarray) -> None:
        for net, sign in ((nets[0], 1.0), (nets[1], -1.0)):
            if net in self.index.law:
                self._put(self.drive, (self.index.law[net], 2), sign * amount)

    def _source(self, component: Ammeter | Supply, values: np.ndarray) -> None:
        row, _ = self._place_of(component)
        self._carried((component.a, component.b), component.name)
        self._difference(row, (component.a, component.b), self.one)
        if isinstance(component, Supply):
            self._put(self.drive, (row, 2), -values[0])

    def _transconductor(self, component: Transconductor, g: np.ndarray) -> None:
        """Stamp g (v+ - v-), behind the second pole if there is one, beside its output's R and C."""
        inputs, model = (component.plus, component.minus), component.model
        if math.isfinite(model.pole):
            row, column = self._place_of(component)
            rate = 2.0 * np.pi * model.pole
            self._carried((GROUND, component.out), component.name)
            self._put(self.E, (row, column), self.one)
            self._put(self.F, (row, column), -rate * self.one)
            self._difference(row, inputs, rate * g)
        else:
            self._difference(self.index.law.get(component.out), inputs, g)
        self._branch(self.F, 0, (component.out, GROUND), -g / model.gain)
        self._branch(self.E, 1, (component.out, GROUND), model.parasitic * self.one)

    def _amplifier(self, component: OpAmp, values: np.ndarray) -> None:
        row, column = self.index.own[component.name], self.index.output(component.out)
        crossover = 2.0 * np.pi * values[0]
        self._put(self.E, (row, column), self.one)
        self._difference(row, (component.plus, component.minus), crossover)
        self._put(self.F, (row, column), -crossover / component.model.gain)
        self._put(self.drive, (row, 2), crossover * values[1])
        self._pins(component)

    def _differential(self, component: DifferentialOpAmp, values: np.ndarray) -> None:
        """Stamp the difference as an op-amp's output, and the mean that its feedback holds at zero."""
        row = self.index.own[component.name]
        plus, minus = self.index.output(component.out_plus), self.index.output(component.out_minus)
        if component.model.ideal:
            for output in (plus, minus):
                self._put(self.F, (row, output), -self.one)
            return
        crossover = 2.0 * np.pi * values[0]
        self._put(self.E, (row, plus), self.one)
        self._put(self.E, (row, minus), -self.one)
        self._difference(row, (component.plus, component.minus), crossover)
        self._put(self.F, (row, plus), -crossover / component.model.gain)
        self._put(self.F, (row, minus), crossover / component.model.gain)
        self._put(self.drive, (row, 2), crossover * values[1])
        for output in (plus, minus):
            self._put(self.E, (row + 1, output), self.one)
            self._put(self.F, (row + 1, output), -crossover)
        self._pins(component)

    def _pins(self, component: Amplifier) -> None:
        """Stamp bias current and capacitance of the inputs, and the resistance of the outputs."""
        model = component.model
        for net in (component.plus, component.minus):
            self._constant((GROUND, net), model.bias * self.one)
            self._branch(self.E, 1, (net, GROUND), model.input_capacitance * self.one)
        for net in outputs(component):
            if net in self.index.inner:
                conductance = self.one / model.output_resistance
                self._add(self.F, 0, (self.index.law[net], net), -conductance)
                self._put(self.F, (self.index.law[net], self.index.inner[net]), conductance)
