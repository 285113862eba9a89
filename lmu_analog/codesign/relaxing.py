"""What stands in the way of a requirement that no circuit keeps, and what would help: shown to work, not only said."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from lmu_analog.circuits.devices.passives import passives
from lmu_analog.codesign.chip import ChipBank
from lmu_analog.codesign.requirement import Calibration, Requirement
from lmu_analog.codesign.search import Count, Search, gathered, structures, verify
from lmu_analog.ensembles.cluster import Crew
from lmu_analog.errors import LmuAnalogError
from lmu_analog.memory.legendre import HIGHEST_ORDER
from lmu_analog.units import write

CLOSEST = 3  # structures, of the least bound, that are looked at where none keeps the limit
HELD = 4  # candidates, from the best on, that are verified before a change is held for none
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
    look = found
    if need.nrmse is not None and not np.any(found.grid.kept[np.isfinite(found.grid.p95)] <= need.nrmse):
        look = gathered(requirement, structures(_closest(found), crew, count=count, prune=False)[0], {})
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
    relax = _relaxed(_narrowed(look, closest), least, crew, say=say, count=count)
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


def _closest(found: Search) -> Requirement:
    """Give the requirement with the structures alone whose bounds are least."""
    requirement = found.grid.requirement
    ranked = sorted(found.least, key=lambda one: found.least[one])[:CLOSEST]
    orders = tuple(sorted({order for order, _, _ in ranked}))
    pairs = tuple(dict.fromkeys((family, realization) for _, family, realization in ranked))
    return replace(requirement, allow=replace(requirement.allow, orders=orders, pairs=pairs))


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


def _narrowed(found: Search, closest: int) -> Requirement:
    """Give the requirement with what the closest candidate has: op-amps of its swing, and the finest series."""
    requirement = found.grid.requirement
    allow, bank = requirement.allow, found.grid.banks[found.grid.bank[closest]]
    if isinstance(bank, ChipBank):
        return requirement
    finest = max(allow.values, key=lambda name: int(name[1:]))
    opamps = tuple(allow.opamps[k] for k in bank.opamps)
    return replace(requirement, allow=replace(allow, values=(finest,), opamps=opamps))


def _relaxed(
    requirement: Requirement, least: float, crew: Crew | None, *, say: Callable[[str], None], count: Count
) -> list[Relaxed]:
    """Try changes one by one, with the structures alone that come closest; what keeps all limits is verified."""
    tried = []
    for change, relaxed in _changes(requirement, least):
        say(f"trying {change}")
        try:
            tried.append(_with(change, relaxed, crew, count=count))
        except LmuAnalogError:  # a change that no circuit can be built with
            continue
    found_ones = [one for one in tried if one is not None]
    return sorted(found_ones, key=lambda one: (not one.feasible, one.p95))


def _with(change: str, requirement: Requirement, crew: Crew | None, *, count: Count) -> Relaxed | None:
    """Find the best circuit under a change: the cheapest that holds, or the one that comes closest."""
    look = gathered(requirement, structures(requirement, crew, count=count)[0], {})
    grid = look.grid
    wanted = grid.objectives()[requirement.minimise]
    rows = np.flatnonzero(grid.within_limits())
    for k in rows[np.lexsort((grid.p95[rows], wanted[rows]))][:HELD].tolist():
        seen = verify(
            requirement, requirement.with_signal(grid.design_of(k)), grid.banks[grid.bank[k]].calibration
        )
        if not seen.reason:
            return Relaxed(change, seen.p95, seen.good, True, grid.figures(k))
    known = np.flatnonzero(np.isfinite(grid.p95))
    if not len(known):
        return None
    k = int(known[int(np.argmin(grid.kept[known]))])
    return Relaxed(change, float(grid.p95[k]), math.nan, False, grid.figures(k))
