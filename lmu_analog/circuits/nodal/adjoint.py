"""Sensitivities of the states to every component: one direct and one adjoint solve of the node equations a tone.

With M v = b and m = O v, dm/dp = X^T (db/dp - (dM/dp) v), where M^T X = O^T (Director and Rohrer, IEEE Trans.
Circuit Theory 16, 1969): as many solves as there are outputs, however many parameters there are.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Complex, Float

from lmu_analog.circuits.circuit import Circuit, numbered, small_signal_values
from lmu_analog.circuits.components import Component, Resistor
from lmu_analog.circuits.nodal.extract import extract, probe_rows
from lmu_analog.circuits.nodal.stamps import Entries, entries, stamp
from lmu_analog.circuits.nodal.unknowns import Index
from lmu_analog.memory.sampled import steady_response

STEP = 1e-5  # relative, of a sampled circuit's quotients: right to about 1e-9
OFFSET_STEP = 1.0  # V: what offsets do is linear


@dataclass(frozen=True, eq=False)
class Derivatives:
    """States over the input's phasors, their offset, and how both answer to every parameter.

    Attributes
    ----------
    states : (f, d) complex array
    by_parameter : (f, d, m) complex array
        d states / d p, per SI unit of ``circuit.parameters``.
    offset : (d,) array, V
        States at u = 0: op-amp offsets.
    offset_by_parameter : (d, m) array
    """

    states: Complex[np.ndarray, "f d"]
    by_parameter: Complex[np.ndarray, "f d m"]
    offset: Float[np.ndarray, " d"]
    offset_by_parameter: Float[np.ndarray, "d m"]


def derivatives(circuit: Circuit, frequency: Float[np.ndarray, " f"]) -> Derivatives:
    """Differentiate the steady state of a circuit by all of its parameters.

    Parameters
    ----------
    circuit : Circuit
        Nonlinear ones go through their small-signal equivalent. A sampled one is differentiated by small steps instead.
    frequency : (f,) array, Hz

    Raises
    ------
    CircuitError
        If the circuit has no state space.
    """
    if circuit.small_signal is not None:
        return _through_small_signal(circuit, derivatives(circuit.small_signal, frequency))
    if circuit.clock is not None:
        return _by_steps(circuit, frequency)
    index = Index(circuit)
    slopes, at = EquationSlopes.of(circuit, index), 2j * np.pi * np.asarray(frequency)
    nominal = stamp(circuit, index, circuit.values[None])
    E, F, drive = nominal.E[0], nominal.F[0], nominal.drive[0]
    output, feedthrough = probe_rows(circuit, index)
    found = [slopes.solve(s * E - F, drive[:, 0] - s * drive[:, 1], output, amount=slopes.at(s)) for s in at]
    size = (len(found), circuit.order, len(circuit.parameters))  # of no frequency, too
    states = np.array([state for state, _ in found], complex).reshape(size[:2]) + feedthrough[:, 0]
    offset, by_parameter = np.zeros(circuit.order), np.zeros((circuit.order, len(circuit.parameters)))
    if drive[:, 2].any() or slopes.constant.any():
        offset, by_parameter = slopes.solve(-F, drive[:, 2], output, amount=slopes.at_dc())
    by_value = np.array([slope for _, slope in found], complex).reshape(size)
    return Derivatives(states, by_value, offset, by_parameter)


@dataclass(frozen=True, eq=False)
class EquationSlopes:
    """d(equations)/dp, one line an entry: its row, its column of v and its parameter, then what it holds.

    Drives have columns of their own beside v: ``size`` the input, ``size + 1`` its derivative, ``size + 2``
    the constant.
    """

    size: int
    count: int
    row: np.ndarray
    column: np.ndarray
    parameter: np.ndarray
    storing: np.ndarray
    direct: np.ndarray
    constant: np.ndarray

    @classmethod
    def of(cls, circuit: Circuit, index: Index) -> "EquationSlopes":
        """Differentiate the stamps of all components at their nominal values."""
        lines = [line for c, at in numbered(circuit) for line in _lines(circuit, index, c, at)]
        table = np.reshape(np.array(lines, float), (-1, 6))
        row, column, parameter = (table[:, k].astype(int) for k in range(3))
        return cls(index.size, len(circuit.parameters), row, column, parameter, *table[:, 3:].T)

    def at(self, s: complex) -> np.ndarray:
        """Give the amounts of d(b - M v)/dp at a complex frequency, (l,)."""
        return self.direct - s * self.storing

    def at_dc(self) -> np.ndarray:
        """Give the same at u = 0 and s = 0."""
        return np.where(self.column < self.size, self.direct, self.constant)

    def solve(
        self, M: np.ndarray, b: np.ndarray, output: np.ndarray, *, amount: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Give O v (d,) and its derivatives (d, m)."""
        balance = 1.0 / np.abs(M).max(axis=1)  # laws in siemens beside equations in volts
        matrix = balance[:, None] * M
        v = np.linalg.solve(matrix, balance * b)
        adjoint = balance[:, None] * np.linalg.solve(matrix.T, output.T)
        unknowns = np.concatenate([v, np.ones(3)])
        change = np.zeros((len(M), self.count), np.result_type(amount, v))
        np.add.at(change, (self.row, self.parameter), amount * unknowns[self.column])
        return output @ v, adjoint.T @ change


def _lines(circuit: Circuit, index: Index, component: Component, at: slice) -> Iterator[tuple[float, ...]]:
    """Differentiate one component's stamp exactly: it is reciprocal in a resistance, else linear."""
    alone = replace(circuit, components=(component,), small_signal=None)
    values = circuit.values[at]
    for k, value in enumerate(values):
        moved = values.copy()
        # (a/p - a/(p/2))/p = -a/p^2; a linear stamp may be moved by any step.
        moved[k] = 0.5 * value if isinstance(component, Resistor) else 2.0 * value or 1.0
        weight = 1.0 / -value if isinstance(component, Resistor) else 1.0 / (moved[k] - value)
        stamped = entries(alone, index, np.array([values, moved]))
        yield from (
            (*line[:2], at.start + k, *line[2:]) for line in _differences(stamped, weight, index.size)
        )


def _differences(stamped: Entries, weight: float, size: int) -> Iterator[tuple[float, ...]]:
    """Give (row, column, storing, direct, constant) of what the second sample has more than the first."""
    places = ((stamped.E, (1.0, 0.0, 0.0)), (stamped.F, (0.0, 1.0, 0.0)))
    for found, kind in places:
        for (row, column), amount in found.items():
            if change := float(amount[1] - amount[0]) * weight:
                yield (row, column, *(change * k for k in kind))
    for (row, column), amount in stamped.drive.items():
        kind = ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0))[column]
        if change := float(amount[1] - amount[0]) * weight:
            yield (row, size + column, *(change * k for k in kind))


def _through_small_signal(circuit: Circuit, found: Derivatives) -> Derivatives:
    """Scale the equivalent circuit's derivatives to the parameters that its own follow in proportion."""
    values = circuit.values
    step = np.where(values == 0.0, 1.0, values)
    nominal = small_signal_values(circuit, values)
    moved = small_signal_values(circuit, values + np.diag(step))
    follows = ((moved - nominal) / step[:, None]).T
    return replace(
        found,
        by_parameter=found.by_parameter @ follows,
        offset_by_parameter=found.offset_by_parameter @ follows,
    )


def _by_steps(circuit: Circuit, frequency: np.ndarray) -> Derivatives:
    values = circuit.values
    step = np.where(values == 0.0, OFFSET_STEP, STEP * np.abs(values))
    sides = [extract(circuit, values + sign * np.diag(step)) for sign in (1.0, -1.0)]
    nominal = extract(circuit)
    states = [steady_response(side, frequency) for side in sides]
    offsets = [np.zeros((len(values), circuit.order)) if s.offset is None else s.offset for s in sides]
    by_parameter = (states[0] - states[1]) / (2.0 * step[:, None, None])
    offset = np.zeros(circuit.order) if nominal.offset is None else nominal.offset
    return Derivatives(
        steady_response(nominal, frequency),
        np.moveaxis(by_parameter, 0, -1),
        offset,
        ((offsets[0] - offsets[1]) / (2.0 * step[:, None])).T,
    )
