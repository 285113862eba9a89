"""Measured parts in their best places: deviations that undo each other, in place of parts without any.

A part of 1 % that was measured is known to a hundredth of that. Which of the parts of a value goes to which place is
free, so the error of the whole circuit is minimised over it (``assignment``), roundings to standard values included,
and with a readout that is fitted to the circuit as it then is where the design has one. Slopes and error are those of
the circuit with the parts that were chosen, taken anew a few times.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Complex, Float, Int

from lmu_analog.building import memory, output_levels, readout_target, without_readout
from lmu_analog.circuits.circuit import Circuit, with_values
from lmu_analog.circuits.components import Capacitor, Resistor
from lmu_analog.circuits.devices.measured import UNITS, MeasuredPart
from lmu_analog.circuits.devices.passives import Kind
from lmu_analog.circuits.devices.tolerance import Tolerance
from lmu_analog.circuits.element_values import element_values
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.circuits.interface import without_interface
from lmu_analog.circuits.nodal.adjoint import derivatives
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.circuits.readout import Refit
from lmu_analog.codesign.assignment import Offers, assigned
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.memory.sampled import steady_response
from lmu_analog.memory.window import gauss_legendre
from lmu_analog.simulation import simulate
from lmu_analog.units import write

# Rounds, of slopes taken anew where the last one found something better; what a part must not be far from the last
# for, over the largest slope: second orders are some such part of a deviation.
HOLDS = (1e-5, 3e-3, 1e-2, 1e-2, 3e-2, 3e-2, 1e-1, 1e-1, 1e-1)
PATIENCE = 2  # rounds in a row that find nothing better, before the last
NODES, NODES_A_STATE = 24, 4  # frequencies of the norm, Gauss-Legendre nodes of the band
FARTHEST = 0.1  # of a value from the nearest one that the circuit has: beyond, it is for none of its places
_SAME = 1e-6  # two nominal values that differ by less are one
_BETTER = 1.0 - 1e-6
_MOST_NAMED = 4  # values that an error names


@dataclass(frozen=True)
class Placed:
    """A part in its place: the component's name, the part's, and the values that it has and that it stands for."""

    component: str
    part: str
    value: float
    nominal: float


@dataclass(frozen=True, eq=False)
class Placement:
    """Which measured part goes where.

    Attributes
    ----------
    design : Design
        With the measured values in ``element_values``, where those of standard values are, too.
    placed : tuple of Placed
        In the order of the circuit's components.
    unused : int
        Parts that are left.
    unknown : int
        Those of them whose value no place of the circuit has.
    nominal, nearest, error : float
        Window NRMSE of the design as it was, with the parts that are nearest to their values, and as they are placed:
        fractions, for the design's own signal.
    added_nominal, added_nearest, added : float
        The same against the ideal memory, rms over band and window: what ``nominal`` has beyond the truncation error.
    """

    design: Design
    placed: tuple[Placed, ...]
    unused: int
    unknown: int
    nominal: float
    nearest: float
    error: float
    added_nominal: float
    added_nearest: float
    added: float


def place_parts(
    design: Design, measured: Sequence[MeasuredPart], *, uncertainty: float | None = None
) -> Placement:
    """Choose a measured part for every resistor, and every capacitor, of a design's memory.

    A kind of which no part was measured keeps its values. A part without a nominal value stands for the nearest one
    that the circuit has.

    Parameters
    ----------
    design : Design
    measured : sequence of MeasuredPart
    uncertainty : float, optional
        Of the measurement, a fraction: the tolerance that is left of what was measured, in the design that comes back;
        its mismatch stays as it is unless given.

    Raises
    ------
    DesignError
        If there are fewer parts of a value than places, or the design joins pairs.
    """
    if design.pairs is not None:
        raise DesignError("[circuit] pairs: parts are placed one by one; leave pairs out")
    if FAMILIES[design.family].on_chip:
        raise DesignError(f"[circuit] family: parts of {design.family} are on a chip; nobody places them")
    circuit = without_readout(design)
    places = _places(circuit, {part.kind for part in measured})
    if not places:
        raise DesignError(f"no part was measured of what {design.family} circuits are made of here")
    offers, known, values = _offers(circuit, places, measured)
    objective = _Objective.of(design, circuit, np.array([k for _, _, k in places]))
    near = offers.nearest()
    best = near
    error = objective.errors(values, offers.off[best][None])[0]
    slopes, is_new, failed = np.zeros((0, 0)), True, 0
    for hold in HOLDS:
        if is_new:
            slopes = objective.slopes(values, offers.off[best])
        found = assigned(slopes, error - slopes @ offers.off[best], offers, start=best, hold=hold)
        errors = objective.errors(values, offers.off[np.array(found)])
        sizes = (errors**2).sum(axis=1)
        at = int(sizes.argmin())
        if is_new := float(sizes[at]) < float(error @ error) * _BETTER:
            best, error, failed = found[at], errors[at], 0
        elif (failed := failed + 1) > PATIENCE:
            break
    parts = [known[k] for k in best]
    placed = tuple(
        Placed(name, part.name, part.value, nominal)
        for (name, _, _), part, nominal in zip(places, parts, values.tolist(), strict=True)
    )
    made = _with_parts(design, placed)
    nearest = _with_parts(
        design,
        tuple(replace(p, value=known[k].value) for p, k in zip(placed, near, strict=True)),
    )
    spread = [objective.added(values, x) for x in (np.zeros(len(near)), offers.off[near], offers.off[best])]
    errors = [float(simulate(each).window_nrmse) for each in (design, nearest, made)]
    if uncertainty is not None:
        left = {kind: Tolerance(uncertainty) for kind in sorted({kind for _, kind, _ in places})}
        made = made.replace(
            mismatch={**design.mismatch, **left}, part_tolerances=(), element_values=made.element_values
        )
    unknown = len(measured) - len(known)
    return Placement(made, placed, len(measured) - len(placed), unknown, *errors, *spread)


def _places(circuit: Circuit, kinds: set[Kind]) -> list[tuple[str, Kind, int]]:
    """List the components that take a part: name, kind, and column of the circuit's values."""
    memory = {c.name for c in without_interface(circuit).only(Resistor, Capacitor) if c.classes}
    column = {p.name: k for k, p in enumerate(circuit.parameters)}
    found: list[tuple[str, Kind, int]] = []
    for c in circuit.only(Resistor, Capacitor):
        kind: Kind = "resistor" if isinstance(c, Resistor) else "capacitor"
        if c.name in memory and kind in kinds:
            found.append((c.name, kind, column[c.name]))
    return found


def _offers(
    circuit: Circuit, places: list[tuple[str, Kind, int]], measured: Sequence[MeasuredPart]
) -> tuple[Offers, list[MeasuredPart], Float[np.ndarray, " m"]]:
    """Sort places and parts by value; and give the parts that any place can take, and the places' values."""
    wanted = np.array([circuit.values[k] for _, _, k in places])
    bins: list[tuple[Kind, float]] = []
    of_place: list[int] = []
    for (_, kind, _), value in zip(places, wanted.tolist(), strict=True):
        of_place.append(_bin(bins, kind, value, _SAME))
        if of_place[-1] < 0:
            of_place[-1] = len(bins)
            bins.append((kind, value))
    known: list[MeasuredPart] = []
    of_part: list[int] = []
    for part in measured:
        stands_for, reach = (part.value, FARTHEST) if part.nominal is None else (part.nominal, _SAME)
        if (at := _bin(bins, part.kind, stands_for, reach)) >= 0:
            known.append(part)
            of_part.append(at)
    _check(bins, of_place, of_part)
    off = np.array([math.log(p.value / bins[b][1]) for p, b in zip(known, of_part, strict=True)])
    return Offers(np.array(of_place), np.array(of_part), off), known, wanted


def _bin(bins: list[tuple[Kind, float]], kind: Kind, value: float, reach: float) -> int:
    """Find the nearest value of a kind within reach; -1 if there is none."""
    apart = [abs(math.log(value / v)) if k == kind else math.inf for k, v in bins]
    at = min(range(len(bins)), key=apart.__getitem__, default=-1)
    return at if at >= 0 and apart[at] <= reach else -1


def _check(bins: list[tuple[Kind, float]], of_place: list[int], of_part: list[int]) -> None:
    short = [
        f"{of_place.count(b) - of_part.count(b)} more {kind}{'s' * (of_place.count(b) > of_part.count(b) + 1)} "
        f"of {write(value, UNITS[kind])}"
        for b, (kind, value) in enumerate(bins)
        if of_part.count(b) < of_place.count(b)
    ]
    if short:
        named = ", ".join(short[:_MOST_NAMED])
        more = f", and of {len(short) - _MOST_NAMED} more values" if len(short) > _MOST_NAMED else ""
        raise DesignError(f"too few parts were measured: the circuit needs {named}{more}")


def _with_parts(design: Design, placed: tuple[Placed, ...]) -> Design:
    """Give the design with parts in their places.

    Standard values are of levels that were chosen, which those of some parts alone do not tell: then all are given.
    """
    parts = {p.component: p.value for p in placed}
    if design.values == "exact":
        return design.replace(element_values={**design.element_values, **parts})
    own = element_values(memory(design), digits=12)
    return design.replace(
        element_values={**own, **design.element_values, **parts}, output_levels=output_levels(design)
    )


@dataclass(frozen=True, eq=False)
class _Objective:
    """The error of a circuit against the ideal memory, or what a readout that is fitted to it leaves."""

    circuit: Circuit
    refit: Refit
    matrix: Float[np.ndarray, "d d"] | None
    column: Int[np.ndarray, " m"]

    @classmethod
    def of(cls, design: Design, circuit: Circuit, column: Int[np.ndarray, " m"]) -> "_Objective":
        rule = gauss_legendre(max(NODES, NODES_A_STATE * design.order))
        target = readout_target(design)
        refit = Refit.of(circuit, design.bandwidth * rule.r, rule.weight, target=target or "fitted")
        matrix = None if target else np.eye(design.order)
        if matrix is not None and not isinstance(design.readout, str):
            matrix = np.array(design.readout)
        return cls(circuit, refit, matrix, column)

    def _values(self, nominal: np.ndarray, x: np.ndarray) -> np.ndarray:
        values = np.tile(self.circuit.values, (*x.shape[:-1], 1))
        values[..., self.column] = nominal * np.exp(x)
        return values if x.ndim > 1 else values.ravel()

    def _states(self, nominal: np.ndarray, x: np.ndarray) -> Complex[np.ndarray, "*s f d"]:
        return steady_response(extract(self.circuit, self._values(nominal, x)), self.refit.frequency)

    def errors(self, nominal: np.ndarray, x: Float[np.ndarray, "s m"]) -> Float[np.ndarray, "s e"]:
        """Give the error with places at ``nominal`` times exp(x), of s circuits."""
        states = self._states(nominal, x)
        if self.matrix is None:
            return self.refit.left(states)
        return self.refit.missed(states @ self.matrix.T)

    def slopes(self, nominal: np.ndarray, x: np.ndarray) -> Float[np.ndarray, "e m"]:
        """Differentiate it by x."""
        values = self._values(nominal, x)
        found = derivatives(with_values(self.circuit, values), self.refit.frequency)
        by_logarithm = found.by_parameter[..., self.column] * values[self.column]
        if self.matrix is None:
            return self.refit.slopes(found.states, by_logarithm)
        return self.refit.seen(np.einsum("de,fem->fdm", self.matrix, by_logarithm))

    def added(self, nominal: np.ndarray, x: np.ndarray) -> float:
        """Give the rms error against what the readout is to give."""
        states = self._states(nominal, x)
        matrix = self.refit.matrix(states) if self.matrix is None else self.matrix
        return float(np.linalg.norm(self.refit.missed(states @ matrix.T)))
