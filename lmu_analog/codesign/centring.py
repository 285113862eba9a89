"""Values that centre a circuit: the error of the nominal circuit, with op-amps as they are, made least.

Predistortion makes up for an op-amp of finite GBW integrator by integrator. Here all resistors are chosen together,
such that the window itself is right: least squares on the logarithms of the values by Levenberg and Marquardt (Quart.
Appl. Math. 2, 1944; J. SIAM 11, 1963), with exact derivatives from the adjoint of the node equations. There are more
values than the error sees, so moves cost a little and are bounded. Tones that the sum is over are the points of a Gauss
rule in the band, four a state; another rule says whether the error is small between them, too.

With the second order of mismatch what is made least is the mean square error of the circuits that will be built: what
parts that deviate add to first order depends on the values as well, and curvature acts on what error is left.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lmu_analog.building import build, memory, standard
from lmu_analog.circuits.circuit import Circuit, with_values
from lmu_analog.circuits.components import Capacitor, Inductor, Resistor, Transconductor
from lmu_analog.circuits.element_values import element_values, tied, with_element_values
from lmu_analog.circuits.families.registry import FAMILIES, is_on_chip
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.circuits.ranges import DISCRETE
from lmu_analog.circuits.ranges import warnings as range_warnings
from lmu_analog.design import Design
from lmu_analog.errors import CircuitError, DesignError
from lmu_analog.limits import limit_warnings
from lmu_analog.memory.statespace import growth
from lmu_analog.memory.window import gauss_legendre
from lmu_analog.mismatch.law import Mismatch
from lmu_analog.simulation import grid
from lmu_analog.theory.first_order import first_order, linearised
from lmu_analog.theory.quadratic import nrmse_quantiles
from lmu_analog.theory.second_order import added, relative_spreads

NODES, CHECKED = 4, 6  # tones a state: of the sum, and (one more) of the rule that checks it
LARGEST = (
    2.0,
    1.5,
    1.25,
    1.1,
)  # moves: the first with which the circuit breaks no limit that it kept is taken
COST = 0.1  # of a move of all values by a factor e, over the error at the start; its square is added
GRID = (
    1e-6  # of the logarithms: steps are rounded to it, so that last digits do not grow from one to the next
)
ENOUGH = 1e-3  # relative improvement, below which twice in a row the search ends
MOST_STEPS = 30
FIRST_DAMPING, LEAST_DAMPING, MOST_DAMPING = 1e-2, 1e-9, 1e8
BETTER = 1.0 - 1e-6  # of an objective: less is rounding, which must not choose where to start


@dataclass(frozen=True)
class Errors:
    """Errors of one circuit, fractions of rms(u).

    Attributes
    ----------
    nominal : float
        Window NRMSE without mismatch, of the design's signal.
    p95 : float or None
        Of the window NRMSE with mismatch, by first-order theory; None where nothing deviates.
    band : float
        Window NRMSE of a flat band, at the tones that are summed over.
    check : float
        The same by another rule, with other tones.
    """

    nominal: float
    p95: float | None
    band: float
    check: float


@dataclass(frozen=True)
class Centred:
    """A design with centred values.

    Attributes
    ----------
    design : Design
        With ``element_values``.
    before, after : Errors
        Of the design as it was, and of this one.
    predistorted : Errors or None
        With ``predistort = "gbw"``; None where that is not known of the circuit, or was there before.
    exact : Errors or None
        Before values were rounded to standard ones; None where they were not.
    moves : dict
        Name of a component, or of a pair, to the factor that its value has moved by, from where the search started.
    from_predistorted : bool
        Whether it started at the predistorted values.
    second_order : bool
        Whether the mean square error with mismatch was made least.
    evaluated : int
        Circuits that were looked at.
    """

    design: Design
    before: Errors
    after: Errors
    predistorted: Errors | None
    exact: Errors | None
    moves: dict[str, float]
    from_predistorted: bool
    second_order: bool
    evaluated: int


def centre(design: Design, *, capacitors: bool = False, second_order: bool = False) -> Centred:
    """Choose the values of a design's circuit such that the nominal circuit has the least window error.

    Resistors are chosen, or the transconductors of a circuit that has no others; every op-amp, buffer and load of the
    design counts. The error is that of a flat band, or of the design's own ``tones``. Where the design has a series of
    standard values, the centred values are rounded to it at last, by ``values_fit``.

    Parameters
    ----------
    design : Design
    capacitors : bool
        Whether capacitors, and inductors, are chosen too.
    second_order : bool
        Whether the mean square error with the design's mismatch is made least, to second order.

    Raises
    ------
    DesignError
        If the circuit is sampled, of transistors or of cells, is unstable as it is, has no value that could move, or
        has pairs of standard values.
    """
    _check(design, second_order)
    plain = design.replace(
        values="exact", values_fit="common", pairs=None, element_values=design.element_values
    )
    problem = _Problem.of(plain, capacitors=capacitors, second_order=second_order)
    start, from_predistorted, other = problem, False, _predistorted(plain)
    if other is not None:
        second = _Problem.of(other, capacitors=capacitors, second_order=second_order)
        if second.is_stable(second.none) and second.start < BETTER * problem.start:
            start, from_predistorted = second, True
    if not start.is_stable(start.none):
        raise DesignError("the circuit is unstable as it is: take a faster op-amp, or a longer theta")
    found, evaluated = start.centred()
    values = start.made(found)
    exact = plain.replace(element_values=element_values(values))
    made, before_rounding = exact, None
    if design.values != "exact":
        rounded = standard(design, memory(exact), outputs="held")  # for the values are to describe it alone
        made = design.replace(element_values=element_values(rounded))
        before_rounding = start.errors(exact)
    return Centred(
        made,
        problem.errors(design),
        start.errors(made),
        None if other is None else problem.errors(other),
        before_rounding,
        {name: math.exp(move) for name, move in zip(map(_name, start.names), found.tolist(), strict=True)},
        from_predistorted,
        second_order,
        evaluated,
    )


def _name(together: tuple[str, ...]) -> str:
    """Name a component, or a pair as ``element_values`` does."""
    return together[0] if len(together) == 1 else together[0].removesuffix("_p")


def _check(design: Design, second_order: bool) -> None:
    family = FAMILIES[design.family]
    if family.model != "linear" or design.family == "crossbar" or design.level == "transistor":
        able = ", ".join(k for k, of in FAMILIES.items() if of.model == "linear" and k != "crossbar")
        raise DesignError(
            f"values are centred in linear circuits whose values are free: those of {able} (behavioural)"
        )
    if design.pairs is not None:
        raise DesignError(
            "[circuit] pairs: the two parts of a pair have no names of their own in element_values; leave it out"
        )
    if second_order and not design.mismatch:
        raise DesignError(
            "the second order of mismatch needs some: give [mismatch], for example resistor = '1 %'"
        )


def _predistorted(design: Design) -> Design | None:
    """Give the design with predistorted values, where that is another circuit which can be built."""
    if design.predistort != "none" or design.element_values:
        return None
    other = design.replace(predistort="gbw")
    try:
        return None if memory(other) == memory(design) else other
    except (DesignError, CircuitError):  # an op-amp that is too slow for it
        return None


@dataclass(frozen=True, eq=False)
class _Problem:
    """Logarithms of moves x (u,) of the values of a circuit, and the error that they are chosen for.

    Attributes
    ----------
    design : Design
    memory, circuit : Circuit
        The memory alone, whose values are chosen, and all of the circuit, whose error counts.
    names : list of tuple of str
        What moves together, mirror images.
    columns : (u, m) array
        Which values of the circuit those are.
    over : Design
        With the tones that the sum is over as its signal.
    spreads : (m, z) array or None
        Of the second order; None without it.
    start : float
        Objective without a move.
    """

    design: Design
    memory: Circuit
    circuit: Circuit
    names: list[tuple[str, ...]]
    columns: Float[np.ndarray, "u m"]
    over: Design
    spreads: Float[np.ndarray, "m z"] | None
    start: float

    @classmethod
    def of(cls, design: Design, *, capacitors: bool, second_order: bool) -> "_Problem":
        alone, circuit = memory(design), build(design)
        names = _moving(alone, capacitors)
        if not names:
            raise DesignError("there is no resistor or transconductor whose value could move")
        columns = np.array([[float(p.name in together) for p in circuit.parameters] for together in names])
        over = design if design.tones else _over_band(design, NODES * design.order)
        spreads = relative_spreads(circuit, Mismatch.of(design)) if second_order else None
        made = cls(design, alone, circuit, names, columns, over, spreads, 0.0)
        return cls(design, alone, circuit, names, columns, over, spreads, made.at(made.none).objective)

    @property
    def none(self) -> Float[np.ndarray, " u"]:
        """No move."""
        return np.zeros(len(self.names))

    def moved(self, x: Float[np.ndarray, " u"]) -> Circuit:
        """Give the whole circuit with moved values."""
        return with_values(self.circuit, self.circuit.values * np.exp(x @ self.columns))

    def made(self, x: Float[np.ndarray, " u"]) -> Circuit:
        """Give the memory alone with moved values."""
        value = {c.name: c.value for c in self.memory.only(Resistor, Capacitor, Inductor, Transconductor)}
        moves = {name: move for names, move in zip(self.names, x, strict=True) for name in names}
        return with_element_values(
            self.memory, {name: value[name] * math.exp(move) for name, move in moves.items()}
        )

    def at(self, x: Float[np.ndarray, " u"]) -> "_At":
        """Evaluate objective, slopes and curvature."""
        circuit = self.moved(x)
        rest, error, slopes = linearised(self.over, circuit)
        J = (slopes * circuit.values) @ self.columns.T
        value, slope = rest + float(error @ error), 2.0 * J.T @ error
        if self.spreads is not None:
            more = added(self.over, circuit, self.spreads)
            value += more.spread + more.curvature
            slope = slope + self.columns @ (more.spread_slopes + more.curvature_slopes)
        return _At(value, slope, 2.0 * J.T @ J)

    def is_stable(self, x: Float[np.ndarray, " u"]) -> bool:
        """Tell whether all poles of the circuit are in the left half of the plane."""
        try:
            return float(growth(extract(self.moved(x)))) < 0.0
        except CircuitError:
            return False

    def centred(self) -> tuple[Float[np.ndarray, " u"], int]:
        """Give the moves with the least objective that break no limit, and how many circuits were looked at."""
        kept, evaluated = _broken(self.circuit, self.design), 0
        found = self.none
        for largest in LARGEST:
            found, more = self._least(*self._bounds(math.log(largest)))
            evaluated += more
            if _broken(self.moved(found), self.design) <= kept:
                break
        return found, evaluated

    def _bounds(self, largest: float) -> tuple[np.ndarray, np.ndarray]:
        """Bound the moves, and on a board the values as well: those within limits stay there."""
        low, high = np.full(len(self.names), -largest), np.full(len(self.names), largest)
        if is_on_chip(self.memory):
            return low, high
        parts = {c.name: c for c in self.memory.only(Resistor, Capacitor)}
        for k, (name, *_) in enumerate(self.names):
            if (part := parts.get(name)) is not None:
                least, most = np.log(np.array(DISCRETE[type(part)]) / part.value)
                low[k], high[k] = max(low[k], min(least, 0.0)), min(high[k], max(most, 0.0))
        return low, high

    def _least(self, low: np.ndarray, high: np.ndarray) -> tuple[Float[np.ndarray, " u"], int]:
        """Descend by damped Gauss-Newton steps from no move, within bounds."""
        x, here, evaluated = self.none, self.at(self.none), 1
        cost = COST**2 * here.objective
        damping, small = FIRST_DAMPING, 0
        for _ in range(MOST_STEPS):
            value, slope = here.objective + cost * float(x @ x), here.slope + 2.0 * cost * x
            outward = ((x <= low + GRID) & (slope > 0.0)) | ((x >= high - GRID) & (slope < 0.0))
            free = np.flatnonzero(~outward)
            bend = here.bend[np.ix_(free, free)] + 2.0 * cost * np.eye(len(free))
            taken, there = None, here
            while damping < MOST_DAMPING and len(free):
                step = np.zeros(len(x))
                step[free] = -np.linalg.solve(bend + damping * np.diag(np.diag(bend)), slope[free])
                trial = np.clip(np.round((x + step) / GRID) * GRID, low, high)
                there = self.at(trial)
                evaluated += 1
                if there.objective + cost * float(trial @ trial) < value and self.is_stable(trial):
                    taken = trial
                    break
                damping *= 4.0
            if taken is None:
                break
            x, here, damping = taken, there, max(0.25 * damping, LEAST_DAMPING)
            small = small + 1 if here.objective + cost * float(x @ x) > (1.0 - ENOUGH) * value else 0
            if small == 2:
                break
        return x, evaluated

    def errors(self, design: Design) -> Errors:
        """Give the errors of a design of this order and signal."""
        theory, circuit = first_order(design), build(design)
        deviates = bool(np.any(theory.jacobian))
        of_band = []
        for count in (NODES * design.order, CHECKED * design.order + 1):
            rest, error, _ = linearised(_over_band(design, count), circuit)
            of_band.append(math.sqrt(rest + float(error @ error)))
        return Errors(theory.nominal, nrmse_quantiles(theory)[2] if deviates else None, *of_band)


@dataclass(frozen=True, eq=False)
class _At:
    """The objective at some moves, its slopes (u,), and its curvature (u, u) as far as the error is linear."""

    objective: float
    slope: Float[np.ndarray, " u"]
    bend: Float[np.ndarray, "u u"]


def _over_band(design: Design, count: int) -> Design:
    """Give the design tones at the points of a Gauss rule whose powers are its weights: a flat band.

    It is as large as the signal, which counts beside the offset.
    """
    rule = gauss_legendre(count)
    size = grid(design.stimulus, design.theta).rms * np.sqrt(2.0 * rule.weight)
    tones = [(f, amplitude, 0.0) for f, amplitude in zip(design.bandwidth * rule.r, size, strict=True)]
    return design.replace(file=None, tones=tones, element_values={})


def _moving(circuit: Circuit, capacitors: bool) -> list[tuple[str, ...]]:
    """Name what moves, mirror images together."""
    first: tuple[type, ...] = (Resistor,) if circuit.only(Resistor) else (Transconductor,)
    kinds = (*first, *((Capacitor, Inductor) if capacitors else ()))
    moving = {c.name for c in circuit.components if isinstance(c, kinds)}
    return [names for names in tied(circuit) if names[0] in moving]


def _broken(circuit: Circuit, design: Design) -> set[str]:
    """Say which limits the circuit does not keep: kinds of warnings."""

    def lines() -> Iterator[str]:
        yield from range_warnings(circuit)
        yield from limit_warnings(circuit, design.stimulus)

    return {line.partition(":")[0] for line in lines()}
