"""Modified nodal analysis: the equations E v' + E_u u' = F v + G u + h of a circuit, many samples at once.

Ideal op-amps are nullors: their input nets share one voltage, their output supplies any current
(Carlin, IEEE Trans. Circuit Theory 11, 1964). A one-pole op-amp has the equation
v_out' = w_t (v+ - v- + V_os) - (w_t/A0) (v_out - v_middle) instead of its output's current law, v_middle amid its
supplies; with an output resistance that equation is for the voltage before it, an unknown of its own.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmu_analog.circuits.circuit import Circuit, numbered
from lmu_analog.circuits.components import (
    GROUND,
    Ammeter,
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
    for component, at in numbered(circuit):
        stamps.place(component, columns[at])
    return Entries(stamps.E, stamps.F, stamps.drive)


def stamp(circuit: Circuit, index: Index, values: np.ndarray) -> Equations:
    """Write the equations as matrices for values (s, m) of ``circuit.parameters``."""
    sparse = entries(circuit, index, values)
    shape = (len(values), index.size, index.size)
    E, F, drive = np.zeros(shape), np.zeros(shape), np.zeros((*shape[:2], 3))
    for matrix, found in ((E, sparse.E), (F, sparse.F), (drive, sparse.drive)):
        for (row, column), amount in found.items():
            matrix[:, row, column] = amount
    return Equations(E, F, drive)


class _Stamps:
    """Collects stamps; a current law reads: what leaves the net through capacitors = what comes in."""

    def __init__(self, index: Index, samples: int, dtype: np.dtype[Any]) -> None:
        self.index = index
        self.one = np.ones(samples, dtype)
        self.E: Place = {}
        self.F: Place = {}
        self.drive: Place = {}

    def place(self, c: Component, values: np.ndarray) -> None:
        """Stamp one component with its parameter values, (width, s)."""
        match c:
            case Resistor():
                self._branch(self.F, (c.a, c.b), -1.0 / values[0])
            case Capacitor():
                self._branch(self.E, (c.a, c.b), values[0])
            case Inductor() | Ammeter() | Supply():
                row, column = self.index.own[c.name], self.index.current[c.name]
                self._carried((c.a, c.b), c.name)
                self._difference(row, (c.a, c.b), self.one)
                if isinstance(c, Inductor):
                    self._put(self.E, (row, column), values[0])
                elif isinstance(c, Supply):
                    self._put(self.drive, (row, 2), -values[0])
            case Bias():
                self._constant((c.b, c.a), values[0])
            case Transconductor():
                self._transconductor(c, values[0])
            case Follower():
                row = self.index.own[c.name]
                self._add(self.F, row, c.out, -self.one)
                self._difference(row, (c.plus, c.minus), c.gain * self.one)
                self._add(self.F, row, c.base, self.one)
            case OpAmp() | DifferentialOpAmp():
                self._amplifier(c, values)
            case _:
                pass

    @staticmethod
    def _put(target: Place, at: tuple[int, int], amount: np.ndarray) -> None:
        target[at] = target[at] + amount if at in target else amount

    def _add(self, target: Place, row: int | None, net: str, amount: np.ndarray) -> None:
        """Add a net's voltage to an equation of F, or its slope to one of E; that of the input is a drive."""
        column = self.index.reads(net)
        if row is None or column is None:
            return
        if column == self.index.size:
            self._put(self.drive, (row, int(target is self.E)), amount)
        else:
            self._put(target, (row, column), amount)

    def _branch(self, target: Place, nets: tuple[str, str], amount: np.ndarray) -> None:
        signed, slope = (amount, -amount), int(target is self.E)
        for at, is_drive, side in self.index.branch(nets):
            if is_drive:
                self._put(self.drive, (at[0], slope), signed[side])
            else:
                self._put(target, at, signed[side])

    def _difference(self, row: int | None, nets: tuple[str, str], amount: np.ndarray) -> None:
        self._add(self.F, row, nets[0], amount)
        self._add(self.F, row, nets[1], -amount)

    def _carried(self, nets: tuple[str, str], name: str) -> None:
        """Let an unknown current leave the first net and enter the second."""
        for net, sign in zip(nets, (-1.0, 1.0), strict=True):
            if net in self.index.law:
                self._put(self.F, (self.index.law[net], self.index.current[name]), sign * self.one)

    def _constant(self, nets: tuple[str, str], amount: np.ndarray) -> None:
        for net, sign in zip(nets, (1.0, -1.0), strict=True):
            if net in self.index.law:
                self._put(self.drive, (self.index.law[net], 2), sign * amount)

    def _transconductor(self, c: Transconductor, g: np.ndarray) -> None:
        """Stamp g (v+ - v-), behind the second pole if there is one, beside its output's R and C."""
        inputs, model = (c.plus, c.minus), c.model
        if math.isfinite(model.pole):
            row, column = self.index.own[c.name], self.index.current[c.name]
            rate = 2.0 * np.pi * model.pole
            self._carried((GROUND, c.out), c.name)
            self._put(self.E, (row, column), self.one)
            self._put(self.F, (row, column), -rate * self.one)
            self._difference(row, inputs, rate * g)
        else:
            self._difference(self.index.law.get(c.out), inputs, g)
        self._branch(self.F, (c.out, GROUND), -g / model.gain)
        self._branch(self.E, (c.out, GROUND), model.parasitic * self.one)

    def _amplifier(self, c: OpAmp | DifferentialOpAmp, values: np.ndarray) -> None:
        """Stamp one pole for the output, or for the difference of two, whose mean is held at zero."""
        index, model = self.index, c.model
        if model.ideal and isinstance(c, OpAmp):  # a nullor: no equation, and its inputs are one unknown
            return
        row, ends = index.own[c.name], [index.output(net) for net in outputs(c)]
        if model.ideal:
            for output in ends:
                self._put(self.F, (row, output), -self.one)
            self._held(row, 2.0 * model.middle * self.one)
            return
        crossover = 2.0 * np.pi * values[0]
        signed = list(zip(ends, (1.0, -1.0), strict=False))
        for output, sign in signed:
            self._put(self.E, (row, output), sign * self.one)
        self._difference(row, (c.plus, c.minus), crossover)
        for output, sign in signed:
            self._put(self.F, (row, output), -sign * crossover / model.gain)
        self._put(self.drive, (row, 2), crossover * values[1])
        if isinstance(c, DifferentialOpAmp):
            for output in ends:
                self._put(self.E, (row + 1, output), self.one)
                self._put(self.F, (row + 1, output), -crossover)
            self._held(row + 1, 2.0 * model.middle * crossover)
        else:
            self._held(row, model.middle * crossover / model.gain)
        self._pins(c)

    def _held(self, row: int, amount: np.ndarray) -> None:
        """Put what the middle of the supplies is in an equation, if it is not ground."""
        if amount.any():
            self._put(self.drive, (row, 2), amount)

    def _pins(self, c: OpAmp | DifferentialOpAmp) -> None:
        """Stamp bias current and capacitance of the inputs, and the resistance of the outputs."""
        index, model = self.index, c.model
        for net in (c.plus, c.minus):
            self._constant((GROUND, net), model.bias * self.one)
            self._branch(self.E, (net, GROUND), model.input_capacitance * self.one)
        for net in outputs(c):
            if net in index.inner:
                conductance = self.one / model.output_resistance
                self._add(self.F, index.law[net], net, -conductance)
                self._put(self.F, (index.law[net], index.inner[net]), conductance)
