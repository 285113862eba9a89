"""What to try where a design misses its limits: single changes that first-order theory says would meet them.

One step around the design: another realization, a few states more or less, the next tolerances that are sold, faster
op-amps, a finer series of values, another capacitance, a fitted readout; each alone, each a key and a value, and beside
a fitted readout where none is enough alone. What is judged is all of ``[spec]``: the window NRMSE, and the error of
every tap, each within its limit by the fraction of circuits that is wanted, 95 % unless the design says so.

First-order theory leaves out what higher orders of mismatch add, up to 6 % of its error, so a change counts only if it
meets the limits with that added; and what rails and slew limits do, so a change that brings values or parts beyond
their limits, where the design is within, does not count. Nor does one that some hundred circuits of the exact engine
contradict.
"""

import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from itertools import islice

import numpy as np

from lmu_analog.analysis.calibrated_law import READOUTS, Readout, first_order_calibrated
from lmu_analog.analysis.calibration import calibrate
from lmu_analog.building import build, stock
from lmu_analog.circuits import ranges
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import Capacitor, DifferentialOpAmp, Resistor
from lmu_analog.circuits.devices.packages import form_of
from lmu_analog.circuits.devices.parts import catalogue, opamp
from lmu_analog.circuits.devices.passives import Kind, passives
from lmu_analog.circuits.devices.tolerance import Tolerance
from lmu_analog.circuits.devices.values import SERIES, nearest
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.circuits.impedance import ORIGIN
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.design import Design
from lmu_analog.ensembles.comparison import SECOND_ORDER
from lmu_analog.ensembles.exact import exact_draws, tap_errors
from lmu_analog.ensembles.intervals import clopper_pearson
from lmu_analog.ensembles.orders import USUAL_YIELD
from lmu_analog.ensembles.sampling import make_plan
from lmu_analog.errors import DesignError, LmuAnalogError
from lmu_analog.limits import limit_warnings
from lmu_analog.memory.legendre import HIGHEST_ORDER, truncation_error, usable_band
from lmu_analog.memory.statespace import growth
from lmu_analog.mismatch.law import Mismatch, draw
from lmu_analog.stimulus import Tones
from lmu_analog.storage.results import GOOD
from lmu_analog.theory.first_order import FirstOrder, first_order, first_order_of_taps
from lmu_analog.theory.quadratic import QuadraticForm, quadratic_form, quantile, within
from lmu_analog.units import fraction, write

MOST = 3  # changes that are named
CHECKED = 400  # circuits of the exact engine that a change is held against: 95 % is then known to 2.5 points
SEED = 0
_ORDERS = (1, -1, 2, -2, 3, -3)  # steps, the least first
_TIGHTER = 3  # classes of a tolerance, from the next one on
_FASTER = (1.0, 3.0, 10.0, 30.0)  # times the gain-bandwidth product: the slowest part beyond each is tried
_LEVELS = (10.0**0.5, 10.0**-0.5, 10.0)  # times the capacitance
_SEARCHED = 2  # changes that cannot meet the limits whose standard values are searched all the same
_SEARCHES = 6  # of standard values, in all: one takes a second at order 12
_PAIRS = ("0.5 %", "0.1 %")  # errors of a value beyond which two parts take its place
_BESIDE = 1  # steps of every key that are tried beside a fitted readout, where none is enough alone
_DIGITS = 2  # of a limit that could be met
_OF_READOUTS = {
    "readout": "a readout fitted to every circuit",
    "ensemble": "one readout fitted to all circuits",
}


@dataclass(frozen=True)
class Change:
    """A key with its value, as a design file has them.

    Attributes
    ----------
    key : str
        With its table, as in ``sweep``: ``memory.order``. ``calibration``, which is no key of a design file, has a
        method of ``calibrate``.
    value : int, str or dict
    """

    key: str
    value: object

    @property
    def text(self) -> str:
        """The line of a design file, or what to do."""
        table, _, name = self.key.rpartition(".")
        if not table:
            return f"{_OF_READOUTS[str(self.value)]} (lmu-analog calibrate --method {self.value})"
        value = self.value
        if isinstance(value, dict):
            written = f"{{ {', '.join(f'{name} = {json.dumps(x)}' for name, x in value.items())} }}"
        else:
            written = json.dumps(value)
        return f"[{table}] {name} = {written}"


@dataclass(frozen=True)
class Trial:
    """A change, or several together, and what first-order theory expects of it.

    Attributes
    ----------
    changes : tuple of Change
    nrmse_p95 : float
        95th percentile of the window NRMSE, a fraction.
    tap_nrmse_p95 : float or None
        That of the worst tap; None without taps or a limit of theirs.
    good : float
        Fraction of circuits within the limits, of the limit that fewer keep.
    feasible : bool
        Whether all limits would be met, with what higher orders may add.
    """

    changes: tuple[Change, ...]
    nrmse_p95: float
    tap_nrmse_p95: float | None
    good: float
    feasible: bool

    @property
    def text(self) -> str:
        """What to write into the design file."""
        return " and ".join(change.text for change in self.changes)


@dataclass(frozen=True)
class ToTry:
    """What to try, and what was judged.

    Attributes
    ----------
    trials : tuple of Trial
        At most three that would meet the limits: single changes, or where none does, changes beside a fitted readout.
        Where none of those does, at most three that come closer than the design, and as the last one the smallest limit
        that could be met.
    note : str
        What is judged, or why nothing is named.
    """

    trials: tuple[Trial, ...]
    note: str


@dataclass(frozen=True, eq=False)
class _Outlook:
    """The laws of all errors that have a limit, and of the window in any case."""

    design: Design
    window: FirstOrder
    taps: tuple[FirstOrder, ...] = ()
    changes: tuple[Change, ...] = ()
    limits: tuple[float, ...] = field(init=False)

    def __post_init__(self) -> None:
        window = () if self.design.nrmse is None else (self.design.nrmse,)
        object.__setattr__(self, "limits", (*window, *[self.design.tap_nrmse or math.inf] * len(self.taps)))

    @property
    def limited(self) -> tuple[FirstOrder, ...]:
        return (*(() if self.design.nrmse is None else (self.window,)), *self.taps)

    @cached_property
    def widened(self) -> tuple[QuadraticForm, ...]:
        """Their laws with what higher orders may add."""
        factor = 1.0 + SECOND_ORDER
        return tuple(quadratic_form(replace(law, jacobian=factor * law.jacobian)) for law in self.limited)

    @cached_property
    def good(self) -> float:
        """Expected yield, of the limit that fewer circuits keep."""
        return min(
            within(quadratic_form(law), limit**2)
            for law, limit in zip(self.limited, self.limits, strict=True)
        )

    @cached_property
    def surely_good(self) -> float:
        """The same with what higher orders may add."""
        return min(within(form, limit**2) for form, limit in zip(self.widened, self.limits, strict=True))

    @cached_property
    def reachable(self) -> tuple[float, ...]:
        """Limits that would be kept by as many circuits as are wanted."""
        return tuple(math.sqrt(quantile(form, _wanted(self.design))) for form in self.widened)

    @property
    def distance(self) -> float:
        """How far the limits are missed, as a ratio; at most one where they are met."""
        return max(found / limit for found, limit in zip(self.reachable, self.limits, strict=True))

    @property
    def rank(self) -> float:
        """The distance in the digits of a limit: those that differ in others are equally far."""
        return float(f"{self.distance:.{_DIGITS}g}")

    def trial(self, *more: Change, feasible: bool) -> Trial:
        """Sum it up."""
        taps = [math.sqrt(quantile(quadratic_form(law), 0.95)) for law in self.taps]
        p95 = math.sqrt(quantile(quadratic_form(self.window), 0.95))
        return Trial((*self.changes, *more), p95, max(taps, default=None), self.good, feasible)


@dataclass(frozen=True)
class _Candidate:
    """A change, or several, with the design that they make, and the readout that is fitted."""

    changes: tuple[Change, ...]
    design: Design
    readout: Readout | None = None


def _wanted(design: Design) -> float:
    return design.wanted_yield or USUAL_YIELD


def judged(design: Design) -> str:
    """Say in words what ``[spec]`` asks."""
    limits = [("window NRMSE", design.nrmse), ("the error of every tap", design.tap_nrmse)]
    said = " and ".join(f"{name} within {_percent(limit)}" for name, limit in limits if limit is not None)
    fewer = "" if design.nrmse is None or design.tap_nrmse is None else "each "
    by = f"{fewer}by {_percent(_wanted(design))} of circuits" if design.mismatch else "without mismatch"
    return f"{said}, {by}"


@lru_cache(maxsize=16)
def what_to_try(design: Design) -> ToTry | None:
    """Name changes of a design that misses its limits with which it would meet them.

    Parameters
    ----------
    design : Design
        That fails, as circuits show: theory alone is not asked whether it does.

    Returns
    -------
    ToTry or None
        None without a limit.
    """
    if design.nrmse is None and design.tap_nrmse is None:
        return None
    circuit = build(design)
    try:
        present = _outlook(_Candidate((), design), circuit)
    except LmuAnalogError as error:
        return ToTry((), f"no change is named, as first-order theory does not apply: {error}")
    if present.good >= _wanted(design):
        return ToTry(
            (),
            f"no change is named: first-order theory expects {_percent(present.good)} of circuits within the "
            "limits, so what fails is not in it (rails, slew limits, or the chance of few samples)",
        )
    search = _Search(design, circuit)
    said = f"judged: {judged(design)}; by first-order theory"
    named = search.named(_candidates(design, circuit))
    if not named:
        said = f"{said} no single change meets it"
        named = search.named(_beside_a_readout(design, circuit))
        said = f"{said}, but some do beside a readout fitted to every circuit" if named else said
    return ToTry(tuple(named or search.closest(present)), f"{said}{search.left_out}")


@dataclass(frozen=True, eq=False)
class _Search:
    """What was tried, and what did not count."""

    design: Design
    circuit: Circuit
    tried: list[tuple[_Candidate, _Outlook]] = field(default_factory=list)
    postponed: list[tuple[float, _Candidate]] = field(default_factory=list)
    lost: Counter[str] = field(default_factory=Counter)
    searches: Counter[str] = field(default_factory=Counter)

    @property
    def left_out(self) -> str:
        """Say what did not count."""
        said = ", ".join(f"{count} {reason}" for reason, count in self.lost.items())
        return f"; not counted: {said}" if said else ""

    @cached_property
    def _known(self) -> frozenset[str]:
        return _beyond(self.design, self.circuit)

    def named(self, by_key: Iterator[list[_Candidate]]) -> list[Trial]:
        """Give of every key the first change that meets the limits, up to three in all."""
        found: list[Trial] = []
        for candidates in by_key:
            meeting = (outlook for c in candidates if (outlook := self._meeting(c)) is not None)
            found += [outlook.trial(feasible=True) for outlook in islice(meeting, 1)]
            if len(found) == MOST:
                break
        return found

    def _meeting(self, candidate: _Candidate, *, searched: bool = False) -> _Outlook | None:
        """Predict a change, and give what it does if that meets the limits; what does not is kept for ``closest``."""
        try:
            if not searched and self._is_missed_by_exact_values(candidate):
                return None
            if not searched and self._takes_too_long(candidate):
                return None
            circuit = self.circuit if candidate.design is self.design else build(candidate.design)
            if not _beyond(candidate.design, circuit) <= self._known:
                self.lost["beyond limits of values or parts"] += 1
                return None
            found = _outlook(candidate, circuit)
            meets = found.surely_good >= _wanted(self.design)
            if meets and _holds(candidate):
                return found
        except LmuAnalogError:  # no such memory, an op-amp that is too slow, an unstable circuit
            self.lost["without a circuit or its theory"] += 1
            return None
        if meets:
            self.lost["that circuits of the exact engine contradict"] += 1
        else:
            self.tried.append((candidate, found))
        return None

    def _takes_too_long(self, candidate: _Candidate) -> bool:
        """Tell whether standard values were searched for so many designs already that no more are."""
        if candidate.design.values == "exact" or candidate.design is self.design:
            return False
        self.searches["done"] += 1
        if self.searches["done"] <= _SEARCHES:
            return False
        self.lost["not looked at, as their standard values take long to find"] += 1
        return True

    def _is_missed_by_exact_values(self, candidate: _Candidate) -> bool:
        """Tell whether a change falls short with exact values: rounding them takes no error away, but by chance.

        A search of standard values takes long, and is done for those that come closest alone.
        """
        if candidate.design.values == "exact" or candidate.design is self.design:
            return False
        exact = candidate.design.replace(values="exact", pairs=None)
        found = _outlook(replace(candidate, design=exact), build(exact))
        if found.surely_good >= _wanted(self.design):
            return False
        self.postponed.append((round(found.distance, 9), candidate))
        return True

    def closest(self, present: _Outlook) -> list[Trial]:
        """Give the changes that come closest, and the smallest limit that could be met.

        A change that is no closer than the design itself, in the digits of a limit, is none of them.
        """
        for _, candidate in sorted(self.postponed, key=lambda pair: pair[0])[:_SEARCHED]:
            self._meeting(candidate, searched=True)
        here = _Candidate((), self.design)
        ranked = sorted([(here, present), *self.tried], key=lambda pair: pair[1].rank)
        closer = [found for _, found in ranked if found.rank < present.rank]
        near = [found.trial(feasible=False) for found in closer[:MOST]]
        for candidate, found in ranked:
            limits = _limits(found)
            try:
                relaxed = candidate.design.replace(**limits)
                holds = _holds(replace(candidate, design=relaxed))
            except LmuAnalogError:  # a limit beyond sense
                continue
            if holds:
                outlook = _Outlook(relaxed, found.window, found.taps, found.changes)
                spec = [Change(f"spec.{name}", _percent(limit)) for name, limit in limits.items()]
                return [*near, outlook.trial(*spec, feasible=True)]
        return near


def _limits(found: _Outlook) -> dict[str, float]:
    """Give every limit that must be larger to be met, rounded up."""
    asked = found.design
    least = {} if asked.nrmse is None else {"nrmse": found.reachable[0]}
    if taps := found.reachable[len(least) :]:
        least["tap_nrmse"] = max(taps)
    return {name: _up(value) for name, value in least.items() if value > getattr(asked, name)}


def _up(value: float) -> float:
    """Round up to two digits."""
    step = 10.0 ** (math.floor(math.log10(value)) - _DIGITS + 1)
    return float(f"{math.ceil(value / step - 1e-9) * step:.{_DIGITS}g}")


def _percent(share: float) -> str:
    return f"{100.0 * share:.4g} %"


def _outlook(candidate: _Candidate, circuit: Circuit) -> _Outlook:
    """Predict what circuits of a candidate do."""
    design = candidate.design
    if float(growth(extract(circuit))) >= 0.0:
        raise DesignError("the circuit is unstable")
    readout = candidate.readout
    window = first_order(design) if readout is None else first_order_calibrated(design, readout)
    taps = () if design.tap_nrmse is None else first_order_of_taps(design)
    return _Outlook(design, window, taps, candidate.changes)


def _beyond(design: Design, circuit: Circuit) -> frozenset[str]:
    """Name the limits of values and parts that a circuit does not keep."""
    lines = (*ranges.warnings(circuit), *limit_warnings(circuit, design.stimulus))
    return frozenset(line.partition(":")[0] for line in lines)


def _holds(candidate: _Candidate) -> bool:
    """Hold a change against circuits of the exact engine: whether as many as are wanted can be good.

    Recordings are left to the theory, which is exact over all of their moments; they would take long.
    """
    design = candidate.design
    if not design.mismatch or not isinstance(design.stimulus, Tones):
        return True
    good = np.ones(CHECKED, bool)
    if candidate.readout is not None:
        left = calibrate(design, CHECKED, SEED, methods=(candidate.readout,)).sel(
            calibration=candidate.readout
        )
        good &= (left.window_nrmse.values <= (design.nrmse or math.inf)) & (left.status.values == GOOD)
    else:
        circuit, law = build(design), Mismatch.of(design)
        z = draw(circuit, law, seed=SEED, samples=range(CHECKED))
        error, status = exact_draws(design, z)
        good &= (status == GOOD) & (error <= (design.nrmse or math.inf))
    kept = [int(good.sum())]
    if design.tap_nrmse is not None:
        errors = tap_errors(design, SEED, range(CHECKED), plan=make_plan(design, "random"))
        kept += np.sum(errors <= design.tap_nrmse, axis=0).tolist()
    return clopper_pearson(min(kept), CHECKED)[1] >= _wanted(design)


def _candidates(design: Design, circuit: Circuit) -> Iterator[list[_Candidate]]:
    """List changes key by key, of each the least step first: keys that cost no dearer part, then parts, then work.

    Some are without effect on circuits of a family, and come no closer to a limit.
    """
    yield _made(design, "circuit.realization", "realization", _realizations(design))
    yield list(_orders(design))
    amplifiers = circuit.amplifiers
    if design.predistort == "none" and any(not c.model.ideal for c in amplifiers):
        yield _made(design, "circuit.predistort", "predistort", iter(["gbw"]))
    kinds: dict[Kind, type[Resistor | Capacitor]] = {"resistor": Resistor, "capacitor": Capacitor}
    for kind, of in kinds.items():
        if kind in design.mismatch and not FAMILIES[design.family].on_chip:
            yield list(_tighter(design, kind, of))
    if design.values != "exact" and design.values_fit == "common":
        yield _made(design, "circuit.values_fit", "values_fit", iter(["joint"]))
    yield _made(design, "circuit.values", "values", _finer(design))
    yield _made(design, "circuit.pairs", "pairs", _joined(design))
    yield _made(design, "circuit.opamp", "opamp", _faster(design, circuit))
    yield _made(design, "circuit.capacitance", "capacitance", _levels(design))
    yield [_Candidate((Change("calibration", name),), design, name) for name in READOUTS if _can_fit(design)]


def _can_fit(design: Design) -> bool:
    """Tell whether a fitted readout helps towards a limit, and its theory is known."""
    known = isinstance(design.stimulus, Tones) and design.temperature is None
    return known and design.nrmse is not None and bool(design.mismatch)


def _beside_a_readout(design: Design, circuit: Circuit) -> Iterator[list[_Candidate]]:
    """List the least steps of every key, each together with a readout fitted to every circuit."""
    fit = Change("calibration", "readout")
    for candidates in _candidates(design, circuit) if _can_fit(design) else ():
        alone = [c for c in candidates if c.readout is None][:_BESIDE]
        yield [_Candidate((*c.changes, fit), c.design, "readout") for c in alone]


def _made(design: Design, key: str, name: str, values: Iterator[object]) -> list[_Candidate]:
    """Change one field of a design; what cannot be is left out."""
    found = []
    for value in values:
        try:
            found.append(_Candidate((Change(key, value),), design.replace(**{name: value})))
        except LmuAnalogError:
            continue
    return found


def _realizations(design: Design) -> Iterator[object]:
    return iter(name for name in FAMILIES[design.family].realizations if name != design.realization)


def _orders(design: Design) -> Iterator[_Candidate]:
    """Change the order and keep the band: one that followed from the order must be given then."""
    band: tuple[Change, ...] = ()
    if design.bandwidth == usable_band(design.order) / design.theta:
        design = design.replace(bandwidth=float(f"{design.bandwidth:.6g}"))
        band = (Change("signal.bandwidth", design.bandwidth),)
    limit = math.inf if design.nrmse is None else design.nrmse
    for step in _ORDERS:
        order = design.order + step
        # Parts take no error away, but by chance; what is far beyond needs no circuit to be judged.
        if (
            1 <= order <= HIGHEST_ORDER
            and truncation_error(order, design.bandwidth * design.theta) <= 3.0 * limit
        ):
            yield from (
                replace(made, changes=(*made.changes, *band))
                for made in _made(design, "memory.order", "order", iter([order]))
            )


def _tighter(design: Design, kind: Kind, of: type[Resistor | Capacitor]) -> Iterator[_Candidate]:
    """Take the next tolerances that are sold, for all values that the circuit then has."""
    now = design.mismatch[kind]
    if now.by_technology:
        return
    known = {c.tolerance for s in passives().values() if s.kind == kind and s.linear for c in s.classes}
    for tolerance in sorted((t for t in known if t < now.tolerance * (1.0 - 1e-9)), reverse=True)[:_TIGHTER]:
        law = replace(now, tolerance=tolerance)
        other = design.replace(mismatch={**design.mismatch, kind: law})
        try:
            made = build(other)
        except LmuAnalogError:
            continue
        values = np.array([c.value for c in made.only(of) if kind in c.classes])
        if stock(other, made, kind).has(values).all():
            yield _Candidate((Change(f"mismatch.{kind}", _written(law)),), other)


def _written(law: Tolerance) -> object:
    figures: dict[str, object] = {"tolerance": _percent(law.tolerance)}
    if law.distribution != "gauss3":
        figures["distribution"] = law.distribution
    if law.lot:
        figures["lot"] = _percent(law.lot)
    if law.scale != "none":
        figures["scale"] = law.scale
    return figures if len(figures) > 1 else figures["tolerance"]


def _finer(design: Design) -> Iterator[object]:
    """Name finer series that resistors of the design's tolerance are sold in."""
    if design.values == "exact":
        return
    wanted = design.tolerances.get("resistor", Tolerance(0.01)).tolerance
    known = {
        c.series
        for s in passives().values()
        if s.kind == "resistor"
        for c in s.classes
        if c.tolerance <= wanted
    }
    finest = max((SERIES.index(name) for name in known), default=-1)
    yield from (
        name for name in ("E24", "E96", "E192") if SERIES.index(design.values) < SERIES.index(name) <= finest
    )


def _joined(design: Design) -> Iterator[object]:
    """Name errors of standard values beyond which two are joined."""
    if design.values != "exact":
        yield from (bound for bound in _PAIRS if design.pairs is None or fraction(bound) < design.pairs)


def _faster(design: Design, circuit: Circuit) -> Iterator[object]:
    """Name op-amps of the catalogue that run from the supply and are faster, by ever more."""
    models = [c.model for c in circuit.amplifiers]
    if not models or any(m.ideal for m in models):
        return
    slowest = min(m.gbw for m in models)
    differential = any(isinstance(c, DifferentialOpAmp) for c in circuit.amplifiers)
    known: dict[str, float] = {}
    for name in {**catalogue(), **design.own_parts}:
        if form_of(name, design.own_parts).differential is differential:
            try:
                model = opamp(name, supply=design.rail, parts=design.own_parts)
            except DesignError:
                continue
            if model.takes_middle or not design.has_single_supply:
                known[name] = model.gbw
    ranked = sorted(known, key=lambda name: (known[name], name))
    found = (next((n for n in ranked if known[n] > factor * slowest), None) for factor in _FASTER)
    yield from dict.fromkeys(name for name in found if name is not None)


def _levels(design: Design) -> Iterator[object]:
    """Name other capacitances; where one is chosen for every integrator, one for all is no better."""
    given = design.capacitance if design.capacitance or not FAMILIES[design.family].on_chip else ORIGIN
    if given is not None:
        yield from (write(float(nearest(factor * given, "E12")), "F") for factor in _LEVELS)
