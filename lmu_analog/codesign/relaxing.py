"""What stands in the way of a requirement that no circuit keeps, and what would help: shown to work, not only said."""

import heapq
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from lmu_analog.circuits.devices.passives import passives
from lmu_analog.codesign.chip import ChipGrid
from lmu_analog.codesign.grid import Grid, grid_of
from lmu_analog.codesign.law import Traces
from lmu_analog.codesign.promises import least_of, likely
from lmu_analog.codesign.requirement import Calibration, Requirement
from lmu_analog.codesign.search import Count, Search, gathered, promised, structures, verify
from lmu_analog.codesign.structures import Bank, Made, Promise, calibrated, law_with_readout, made_of
from lmu_analog.ensembles.allocation import one_thread_each
from lmu_analog.ensembles.cluster import Crew
from lmu_analog.errors import LmuAnalogError
from lmu_analog.memory.legendre import HIGHEST_ORDER
from lmu_analog.units import write

Which = tuple[int, str, str]  # order, family and realization
_Banks = dict[tuple[object, ...], tuple[Bank, ...]]  # by what ``_values_of`` gives

CLOSEST = 3  # structures, of the least bound, that are looked at where none keeps the limit
MOST_CLOSE = 6  # on a board, where it is guessed what standard values add
HELD = 4  # candidates that may be refused by verification before a change is held for none
LOOKED = 3  # structures in a row that are looked at for a change and bring nothing
# Beyond this order an exact circuit takes some 12 ms: fewer are enough to show that a change helps, and none is
# calibrated by itself, for a thousand take minutes.
LARGE, FEWER = 32, 1000
_DIGITS = 2  # of a limit that could be kept
_LARGER = 2  # orders beyond those allowed that are looked at
_ROOM = 1.03  # that a limit which could be kept leaves for the law's error


@dataclass(frozen=True)
class Relaxed:
    """A change of the requirement, and the best circuit that there is then.

    Attributes
    ----------
    change : str
        As the requirement would say it.
    p95, good : float
        Of that circuit: by the exact engine where it keeps all limits by the law, else by the law.
    feasible : bool
        Whether it keeps all limits, by the exact engine.
    figures : dict
        Objective to its value.
    """

    change: str
    p95: float
    good: float
    feasible: bool
    figures: dict[str, float]


@dataclass(frozen=True)
class Closest:
    """The candidate that comes closest to the limit of the error, by the law, and the limits that none keeps.

    Attributes
    ----------
    order : int
    family, realization : str
    calibration : {"none", "nominal", "each"}
    made_of : dict
        What it is made of, beside these.
    kept : float
        Error that the wanted share of its circuits keep; p95 where no error is limited.
    figures : dict
        Objective to its value.
    causes : dict
        Mean square error by cause, fractions of rms(u)^2.
    beyond : dict
        Limit that no candidate keeps to the best that there is, and what is wanted.
    """

    order: int
    family: str
    realization: str
    calibration: Calibration
    made_of: dict[str, object]
    kept: float
    figures: dict[str, float]
    causes: dict[str, float]
    beyond: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Obstacle:
    """Why no circuit keeps a requirement.

    Attributes
    ----------
    sentence : str
        In a line, with what would help.
    binding : list of str
        What stands in the way, the largest first.
    relax : list of Relaxed
        What would help, what does first.
    closest : Closest or None
        None where no circuit can be built.
    """

    sentence: str
    binding: list[str]
    relax: list[Relaxed]
    closest: Closest | None


def percent(value: float) -> str:
    """Write a fraction in per cent."""
    return f"{100.0 * value:.4g} %"


def limit_text(requirement: Requirement, error: float) -> str:
    """Write an error: a window NRMSE in per cent, or a network's loss."""
    return percent(error) if requirement.task is None else f"a loss of {error * error:.4g}"


def figure(name: str, value: float) -> str:
    """Write an objective with its name and unit."""
    if name == "area":
        return f"area {1e6 * value:.4g} mm2"
    return f"{name} {write(float(f'{value:.4g}'), 'W') if name == 'power' else f'{value:.4g}'}"


def obstacle(found: Search, crew: Crew | None, *, say: Callable[[str], None], count: Count) -> Obstacle:
    """Tell what comes closest, what binds, and what would help."""
    requirement = found.grid.requirement
    need = requirement.need
    said = partial(limit_text, requirement)
    say("no circuit keeps all limits; looking for what binds")
    kept = dict(found.verified)
    look, banks = found, {}
    if need.nrmse is not None and not np.any(found.grid.kept[np.isfinite(found.grid.p95)] <= need.nrmse):
        look, banks = _closest(found, crew, count=count)
    grid = look.grid
    known = np.flatnonzero(np.isfinite(grid.p95))
    if not len(known):
        reasons = sorted(found.reasons, key=lambda r: -found.reasons[r])
        why = (
            reasons[0]
            if reasons
            else "no part that is allowed is sold, priced and known by its supply current"
        )
        return Obstacle(f"no circuit can be built: {why}", [why], [], None)
    within = grid.kept[known] if need.nrmse is not None else grid.p95[known]
    closest = int(known[int(np.argmin(within))])
    least = float(within.min())
    binding: list[str] = []
    beyond: dict[str, tuple[float, float]] = {}
    shares = grid.causes(closest)
    if need.nrmse is not None and least > need.nrmse:
        beyond = {"nrmse": (least, need.nrmse)}
        total = sum(shares.values())
        ranked = sorted(shares, key=lambda name: -shares[name])
        binding = [
            f"{name} ({100.0 * shares[name] / total:.2g} % of the mean square error)" for name in ranked[:2]
        ]
        sentence = (
            f"no circuit keeps {said(need.nrmse)} at {percent(need.good)}; closest {said(least)}; "
            f"{ranked[0]} binds"
        )
    else:
        beyond = _other_limits(look)
        binding = [_beyond_text(name, *pair) for name, pair in beyond.items()]
        sentence = (
            f"no circuit keeps all limits; {binding[0]} binds" if binding else "no circuit keeps all limits"
        )
        refused = [v.reason for v in kept.values() if v.reason]
        if not binding and refused:
            binding = [max(sorted(set(refused)), key=refused.count)]
            sentence = f"no circuit keeps all limits: {binding[0]}"
    looking = _Looking(found, grid.banks[grid.bank[closest]], crew, count, banks)
    relax = _relaxed(looking, least, say=say)
    helping = [r.change for r in relax if r.feasible]
    if helping:
        sentence += f"; feasible with {', or with '.join(helping[:3])}"
    bank = grid.banks[grid.bank[closest]]
    near = Closest(
        bank.order,
        bank.family,
        bank.realization,
        bank.calibration,
        grid.made_of(closest),
        least,
        grid.figures(closest),
        shares,
        beyond,
    )
    return Obstacle(sentence, binding, relax, near)


def _closest(found: Search, crew: Crew | None, *, count: Count) -> tuple[Search, _Banks]:
    """Give structures that may come closest standard values, from the likeliest on: a search, and its banks.

    Until what was found is as good as the next one is likely to be.
    """
    requirement = _with_finest_values(found.grid.requirement)
    if requirement.allow.chip is not None or requirement.task is not None:
        ranked = sorted(found.least, key=lambda one: found.least[one])[:CLOSEST]
        return gathered(
            requirement, structures(requirement, crew, count=count, prune=False, which=ranked)[0], {}
        ), {}
    guess = {which: likely(requirement, promise) for which, promise in found.promises.items()}
    ranked = sorted(guess, key=lambda one: guess[one])
    made: dict[Which, Made] = {}
    best = math.inf
    for k, which in enumerate(ranked[:MOST_CLOSE]):
        if best <= guess[which]:
            break
        count("structures that come close", k, MOST_CLOSE)
        with one_thread_each():
            made[which] = made_of(requirement, which, prune=False)
        grid = grid_of(requirement, made[which].banks)
        best = min(best, float(grid.kept[np.isfinite(grid.p95)].min(initial=math.inf)))
    plain = requirement.allow.calibration == ("none",)
    banks = {_values_of(requirement, which): one.banks for which, one in made.items()} if plain else {}
    return gathered(requirement, made, {}), banks


def _other_limits(found: Search) -> dict[str, tuple[float, float]]:
    """Give other limits than the error's that no candidate which keeps the error keeps: the least, and the limit.

    The one that is missed most comes first.
    """
    grid, need = found.grid, found.grid.requirement.need
    good = np.isfinite(grid.p95)
    if need.nrmse is not None:
        good &= grid.kept <= need.nrmse
    missed: dict[str, tuple[float, float]] = {}
    for name, values in grid.objectives().items():
        limit = getattr(need, name, None)
        if limit is not None and good.any() and values[good].min() > limit:
            missed[name] = (float(values[good].min()), float(limit))
    known = grid.snr[good & np.isfinite(grid.snr)]
    if need.snr is not None and known.size and known.max() < need.snr:
        missed["snr"] = (float(known.max()), need.snr)
    return dict(sorted(missed.items(), key=lambda one: -over_limit(one[0], *one[1])))


def over_limit(name: str, best: float, limit: float) -> float:
    """Give the best of a figure over its limit; of a signal-to-noise ratio the noise, as voltages."""
    return 10.0 ** ((limit - best) / 20.0) if name == "snr" else best / limit


def _beyond_text(name: str, best: float, limit: float) -> str:
    if name == "snr":
        return f"signal-to-noise ratio {best:.4g} dB at most, and {limit:.4g} dB wanted"
    return f"{figure(name, best)} at least, and {figure(name, limit)} wanted"


def _changes(requirement: Requirement, least: float) -> Iterator[tuple[str, Requirement]]:
    """List changes of a requirement, each a step of one kind: parts, calibration, orders, limits."""
    allow, need = requirement.allow, requirement.need

    def allowing(**changes: object) -> Requirement:
        return replace(requirement, allow=replace(allow, **changes))  # type: ignore[arg-type]

    kinds = ("capacitor", "resistor") if allow.chip is None else ()
    tighter = {kind: _tighter(kind, getattr(allow, kind)) for kind in kinds}
    classes = {kind: (*getattr(allow, kind), t) for kind, t in tighter.items() if t is not None}
    said = {kind: f"{kind}s of {percent(t)}" for kind, t in tighter.items() if t is not None}
    yield from ((said[kind], allowing(**{kind: both})) for kind, both in classes.items())
    if len(classes) > 1:
        yield " and ".join(said.values()), allowing(**classes)
    ways = {"nominal": "a readout fitted to the nominal circuit", "each": "a readout fitted to each circuit"}
    for way, text in ways.items():
        if way not in allow.calibration and not requirement.temperatures and requirement.task is None:
            yield text, allowing(calibration=(*allow.calibration, way))
    more = tuple(range(max(allow.orders) + 1, min(max(allow.orders) + _LARGER, HIGHEST_ORDER) + 1))
    if more and requirement.task is None:
        yield f"order {' or '.join(map(str, more))}", allowing(orders=(*allow.orders, *more))
    if need.nrmse is not None and least > need.nrmse:
        limit = _up(least * _ROOM)
        base = requirement.base if requirement.task is not None else requirement.base.replace(nrmse=limit)
        yield (
            f"a limit of {limit_text(requirement, limit)}",
            replace(requirement, need=replace(need, nrmse=limit), base=base),
        )
    for name in ("cost", "power", "parts", "area", "snr", "tap_nrmse"):
        if getattr(need, name) is not None:
            yield f"no limit of {name}", replace(requirement, need=replace(need, **{name: None}))
    if requirement.temperatures:
        yield "no temperature but that of nominal values", replace(requirement, temperatures=())


def _tighter(kind: str, allowed: Sequence[float]) -> float | None:
    """Give the next tolerance that is sold below those that are allowed; None where none is."""
    known = sorted(
        {c.tolerance for s in passives().values() if s.kind == kind and s.linear for c in s.classes},
        reverse=True,
    )
    return next((t for t in known if t < min(allowed) * (1.0 - 1e-9)), None)


def _up(value: float) -> float:
    """Round up to two digits."""
    step = 10.0 ** (math.floor(math.log10(value)) - _DIGITS + 1)
    return float(f"{math.ceil(value / step - 1e-9) * step:.{_DIGITS}g}")


def _with_finest_values(requirement: Requirement) -> Requirement:
    """Give the requirement with the finest series alone, with which standard values add least."""
    if requirement.allow.chip is not None:
        return requirement
    finest = max(requirement.allow.values, key=lambda name: int(name[1:]))
    return replace(requirement, allow=replace(requirement.allow, values=(finest,)))


def _values_of(requirement: Requirement, which: Which) -> tuple[object, ...]:
    """Give what standard values of a structure, and the op-amps that it can use, depend on, of what changes change."""
    need, allow = requirement.need, requirement.allow
    return which, allow.capacitor[-1], requirement.temperatures, need.nrmse


@dataclass(eq=False)
class _Looking:
    """What is known while changes are tried, so that nothing is made twice.

    Attributes
    ----------
    found : Search
        That has no front.
    closest : Bank
        The bank of the candidate that comes closest.
    crew : Crew or None
    count : callable
    banks : dict
        Structures with standard values, read as they are, by ``_values_of``.
    laws : dict
        Structure and calibration to the law with exact values.
    """

    found: Search
    closest: Bank
    crew: Crew | None
    count: Count
    banks: _Banks
    laws: dict[tuple[Which, Calibration], Traces] = field(default_factory=dict)

    def promises(self, requirement: Requirement) -> dict[Which, Promise]:
        """Give what is known of the structures that a change may help."""
        known, allow = self.found.promises, requirement.allow
        new = [order for order in allow.orders if order not in self.found.grid.requirement.allow.orders]
        # What a larger order can take away is what the window is cut off at.
        room = dict.fromkeys(
            which[1:]
            for which, one in known.items()
            if new and least_of(requirement, replace(one, traces=replace(one.traces, rest=0.0))) < math.inf
        )
        if not new:
            return known
        return promised(requirement, [(order, *pair) for order in new for pair in room], self.crew)

    def law(self, requirement: Requirement, which: Which, promise: Promise, way: Calibration) -> Traces:
        """Give the law of a structure with exact values and a fitted readout."""
        if (which, way) not in self.laws:
            with one_thread_each():
                self.laws[which, way] = law_with_readout(requirement, which, promise, calibration=way)
        return self.laws[which, way]

    def banks_of(self, requirement: Requirement, which: Which, way: Calibration) -> list[Bank]:
        """Give a structure with standard values, its states read in one way."""
        key = _values_of(requirement, which)
        with one_thread_each():
            if key not in self.banks:
                plain = replace(requirement, allow=replace(requirement.allow, calibration=("none",)))
                self.banks[key] = made_of(plain, which, prune=False).banks
            banks = self.banks[key]
            return [b if way == "none" else calibrated(requirement, b, calibration=way) for b in banks]


def _relaxed(looking: _Looking, least: float, *, say: Callable[[str], None]) -> list[Relaxed]:
    """Try changes one by one; what keeps all limits is verified."""
    tried = []
    requirement = _with_finest_values(looking.found.grid.requirement)
    for change, relaxed in _changes(requirement, least):
        say(f"trying {change}")
        try:
            if requirement.allow.chip is None:
                tried.append(_with(change, relaxed, looking))
            else:
                tried.append(_on_chip(change, relaxed, looking))
        except LmuAnalogError:  # a change that no circuit can be built with
            continue
    found_ones = [one for one in tried if one is not None]
    return sorted(found_ones, key=lambda one: (not one.feasible, one.p95))


def _on_chip(change: str, requirement: Requirement, looking: _Looking) -> Relaxed | None:
    """Find the best circuit under a change, on a chip, where all structures are soon made."""
    look = gathered(requirement, structures(requirement, looking.crew, count=looking.count)[0], {})
    return _holding(change, requirement, [look.grid]) or _nearest(change, look.grid)


def _with(change: str, requirement: Requirement, looking: _Looking) -> Relaxed | None:
    """Find a cheap circuit that holds under a change; where none is found, what the closest one comes to.

    Structures are looked at in the order of what they promise: with exact values, where a readout is fitted by the law
    of it, and with standard values last; until none is left that promises more than what was found, or several in a row
    brought nothing.
    """
    promises = looking.promises(requirement)
    ways: tuple[Calibration, ...] = (
        ("none",) if requirement.task is not None else requirement.allow.calibration
    )
    # Of equal ones in the order of structures.
    queue: list[tuple[float, int, bool, Which, Calibration]] = []

    def put(place: int, which: Which, way: Calibration, law: Traces | None = None) -> None:
        least = float(f"{least_of(requirement, promises[which], calibration=way, law=law):.6g}")
        if least < math.inf:
            heapq.heappush(queue, (least, place, law is None and way != "none", which, way))

    for place, which in enumerate(promises):
        for way in ways:
            if way != "each" or which[0] <= LARGE:
                put(place, which, way)
    grids = [grid_of(requirement, [looking.closest])]
    best, idle = _least_within(grids[0]), 0
    while queue and idle < LOOKED and queue[0][0] < best:
        _, place, unknown, which, way = heapq.heappop(queue)
        if unknown:
            put(place, which, way, looking.law(requirement, which, promises[which], way))
            continue
        grids.append(grid_of(requirement, looking.banks_of(requirement, which, way)))
        found = _least_within(grids[-1])
        idle = 0 if found < best else idle + 1
        best = min(best, found)
    if (holding := _holding(change, requirement, grids)) is not None:
        return holding
    return _closest_with(change, requirement, looking) if promises is looking.found.promises else None


def _closest_with(change: str, requirement: Requirement, looking: _Looking) -> Relaxed | None:
    """Say what the closest candidate comes to under a change, by the law."""
    known = looking.found.grid.requirement.allow.calibration
    new: list[Calibration] = [way for way in requirement.allow.calibration if way not in known]
    with one_thread_each():
        banks = [calibrated(requirement, looking.closest, calibration=way) for way in new]
    return _nearest(change, grid_of(requirement, banks or [looking.closest]))


def _least_within(grid: Grid | ChipGrid) -> float:
    """Give the least of what is to be minimised that keeps all limits by the law; infinite where none does."""
    wanted = grid.objectives()[grid.requirement.minimise]
    return float(wanted[grid.within_limits()].min(initial=math.inf))


def _holding(change: str, requirement: Requirement, grids: Sequence[Grid | ChipGrid]) -> Relaxed | None:
    """Verify candidates of grids that keep all limits, the cheapest first; None where the first of them do not hold."""
    ranked = []
    for g, grid in enumerate(grids):
        wanted = grid.objectives()[requirement.minimise]
        ranked += [(wanted[k], grid.p95[k], g, int(k)) for k in np.flatnonzero(grid.within_limits())]
    for _, _, g, k in sorted(ranked)[:HELD]:
        grid = grids[g]
        design, bank = requirement.with_signal(grid.design_of(k)), grid.banks[grid.bank[k]]
        seen = verify(requirement, design, bank.calibration, samples=FEWER if design.order > LARGE else None)
        if not seen.reason:
            return Relaxed(change, seen.p95, seen.good, True, grid.figures(k))
    return None


def _nearest(change: str, grid: Grid | ChipGrid) -> Relaxed | None:
    """Say how close the closest candidate of a grid comes, by the law; None where none can be bought."""
    known = np.flatnonzero(np.isfinite(grid.p95))
    if not len(known):
        return None
    k = int(known[int(np.argmin(grid.kept[known]))])
    return Relaxed(change, float(grid.p95[k]), math.nan, False, grid.figures(k))
