"""Search by enumeration: every candidate has its figures by the law, and the exact engine decides about the best.

A structure (order, family, realization) is dropped where its circuits could not keep the limit of the error with exact
values, the best op-amp and the tightest parts: a bound for all of its candidates. All others get standard values, by
which a series of resistors may be beyond that bound, and stand in the grid (``grid``). The front over error, cost,
power and parts is exact: no row of the grid dominates a member.

Then every member is verified: its design is built and linearised by itself, its parts are held against their limits,
and an exact ensemble says what share of circuits keeps the limits. What does not hold leaves the grid, and the front is
taken again without it, so what it hid comes back, until every member holds. Candidates whose law is beyond the limit by
less than ``MARGIN`` count until the ensemble has decided.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lmu_analog.analysis.calibrated_law import first_order_calibrated
from lmu_analog.analysis.calibration import calibrate
from lmu_analog.analysis.noise import noise
from lmu_analog.building import build
from lmu_analog.circuits import ranges
from lmu_analog.codesign.chip import ChipBank, ChipGrid, MadeOnChip, grid_on_chip, made_on_chip
from lmu_analog.codesign.chip import of_a_structure as of_a_structure_on_chip
from lmu_analog.codesign.front import front
from lmu_analog.codesign.grid import Grid, grid_of
from lmu_analog.codesign.law import MARGIN
from lmu_analog.codesign.requirement import Calibration, Requirement
from lmu_analog.codesign.structures import DECADES, Bank, Made, Promise, made_of, promise_of
from lmu_analog.codesign.task import task_first_order, task_results
from lmu_analog.design import Design
from lmu_analog.ensembles.allocation import one_thread_each
from lmu_analog.ensembles.cluster import Crew
from lmu_analog.ensembles.exact import exact_chunk, tap_errors
from lmu_analog.ensembles.intervals import clopper_pearson
from lmu_analog.ensembles.sampling import make_plan
from lmu_analog.errors import DesignError, LmuAnalogError
from lmu_analog.limits import limit_warnings
from lmu_analog.storage.results import GOOD
from lmu_analog.theory.first_order import first_order
from lmu_analog.theory.quadratic import nrmse_quantiles, quadratic_form, within

SAMPLES = 5000  # of the ensemble that verifies
TASKED = 300  # of one whose circuits run in a network
CALIBRATED = 1000  # of one whose circuits are calibrated one by one, which takes longer
SEED = 0
MOST = 50_000_000  # candidates: some hundred bytes each
TIMEOUT = 3600.0  # s for one structure, or one verification


@dataclass(frozen=True)
class Verified:
    """What the exact engine said of a candidate.

    Attributes
    ----------
    reason : str
        Why it is none; empty where it holds.
    nrmse : float
        Window NRMSE without mismatch; with a network the root of its loss, as in all that follows.
    law_p95, law_good : float
        What 95 % of circuits keep, and the share within the limit, by first-order theory of the circuit as it is built.
    p95, good, low, high : float
        The same of the exact ensemble, with a 95 % interval of the share. All are those at the temperature where fewest
        are good, and of equally many where p95 is largest.
    samples : int
    snr : float or None, dB
        At the temperature where it is least.
    of_circuit : bool
        Whether the reason is one of the nominal circuit, whatever its tolerances.
    """

    reason: str
    nrmse: float = math.nan
    law_p95: float = math.nan
    law_good: float = math.nan
    p95: float = math.nan
    good: float = math.nan
    low: float = math.nan
    high: float = math.nan
    samples: int = 0
    snr: float | None = None
    of_circuit: bool = False


@dataclass(eq=False)
class Search:
    """What a search has found so far.

    Attributes
    ----------
    grid : Grid or ChipGrid
    front : list of int
        Rows of the grid that nothing dominates and that hold, from the first objective's least; all verified.
    verified : dict
        Row to what the exact engine said.
    counts : dict
        Candidates: ``grid`` of all, which is ``failed`` (could not be built), ``unfit`` (values or op-amps), ``same``
        (as others), ``pruned`` and ``evaluated``; and of the evaluated ones ``beyond`` (a limit), ``refused`` (by
        verification, or with one that was), ``dominated`` and ``front``.
    reasons : dict
        Why structures could not be built, or candidates were refused, to how many.
    least : dict
        (order, family, realization) to the bound of its error.
    promises : dict
        (order, family, realization) to what is known of it before it has standard values; none on a chip.
    """

    grid: Grid | ChipGrid
    front: list[int] = field(default_factory=list)
    verified: dict[int, Verified] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    least: dict[tuple[int, str, str], float] = field(default_factory=dict)
    promises: dict[tuple[int, str, str], Promise] = field(default_factory=dict)

    @property
    def winner(self) -> int | None:
        """The member of the front that has least of what is to be minimised; of equal ones that of the least error."""
        wanted = self.grid.requirement.minimise
        values = self.grid.objectives()
        ranked = sorted(self.front, key=lambda k: (values[wanted][k], values["p95"][k], k))
        return ranked[0] if ranked else None


@dataclass(frozen=True)
class Kept:
    """Where finished work is kept, and found again: by a key of text.

    Attributes
    ----------
    load : callable
        Key to what was kept, or None.
    save : callable
        Of a key and what to keep.
    """

    load: Callable[[str], Any]
    save: Callable[[str, Any], None]


NOT_KEPT = Kept(lambda key: None, lambda key, value: None)
Count = Callable[[str, int, int], None]  # told what is worked on, how many are done, and of how many


def uncounted(label: str, done: int, total: int) -> None:
    """Count nothing."""


def search(
    requirement: Requirement,
    crew: Crew | None = None,
    *,
    say: Callable[[str], None] = lambda text: None,
    count: Count = uncounted,
    kept: Kept = NOT_KEPT,
    prune: bool = True,
) -> Search:
    """Find the front of a requirement, all members verified.

    Parameters
    ----------
    requirement : Requirement
    crew : Crew, optional
        Who does the work; this process unless given.
    say : callable
        Told what was found on the way.
    count : callable
        Told of progress.
    kept : Kept
        Where structures and verifications are kept.
    prune : bool
        Whether structures that cannot keep the limit are left out; without, the grid has all that can be built.
    """
    made, failed = structures(requirement, crew, count=count, kept=kept, prune=prune)
    found = gathered(requirement, made, failed)
    say(f"{len(found.grid)} candidates evaluated, {found.counts['pruned']} pruned by a bound")
    return verified(found, crew, count=count, kept=kept)


def structures(
    requirement: Requirement,
    crew: Crew | None = None,
    *,
    count: Count = uncounted,
    kept: Kept = NOT_KEPT,
    prune: bool = True,
    which: Sequence[tuple[int, str, str]] | None = None,
) -> tuple[dict[tuple[int, str, str], Made | MadeOnChip], dict[str, int]]:
    """Make structures of a requirement, all that it allows unless some are named.

    Those that cannot be built are counted by their reason.

    Raises
    ------
    DesignError
        If there are more than ``MOST`` candidates.
    """
    allow = requirement.allow
    if which is None:
        which = [(order, *pair) for order in allow.orders for pair in allow.pairs]
    check_size(requirement)
    tasks = [(requirement, one, prune) for one in which]
    made: dict[tuple[int, str, str], Made | MadeOnChip] = {}
    failed: dict[str, int] = {}
    keys = [f"structure {order} {family} {realization}" for order, family, realization in which]
    done: dict[int, Made | MadeOnChip | str] = {}
    count("structures", 0, len(which))
    for k, result in _each(_made, tasks, keys, crew, kept):
        done[k] = result
        count("structures", len(done), len(which))
    # In the order of the structures, not in that in which they were finished.
    for k, one in enumerate(which):
        result = done[k]
        if isinstance(result, str):
            failed[result] = failed.get(result, 0) + 1
        else:
            made[one] = result
    return made, failed


def _made(requirement: Requirement, which: tuple[int, str, str], prune: bool) -> Made | MadeOnChip | str:
    try:
        with one_thread_each():
            if requirement.allow.chip is not None:
                return made_on_chip(requirement, which, prune=prune)
            return made_of(requirement, which, prune=prune)
    except LmuAnalogError as error:
        return str(error)


def promised(
    requirement: Requirement, which: Sequence[tuple[int, str, str]], crew: Crew | None = None
) -> dict[tuple[int, str, str], Promise]:
    """Say what some structures on a board promise; those that cannot be built, or that nothing suits, are left out."""
    tasks = [(requirement, one) for one in which]
    keys = [f"promise {order} {family} {realization}" for order, family, realization in which]
    done = dict(_each(_promised, tasks, keys, crew, NOT_KEPT))
    return {one: done[k] for k, one in enumerate(which) if isinstance(done[k], Promise)}


def _promised(requirement: Requirement, which: tuple[int, str, str]) -> Promise | str | None:
    try:
        with one_thread_each():
            return promise_of(requirement, which)
    except LmuAnalogError as error:
        return str(error)


def gathered(
    requirement: Requirement,
    made: Mapping[tuple[int, str, str], Made | MadeOnChip],
    failed: Mapping[str, int],
) -> Search:
    """Put structures together to a grid; of two that are the same circuit the first counts."""
    banks: list[Bank] = []
    on_chip: list[ChipBank] = []
    allow = requirement.allow
    same = 0
    for bank in (bank for one in made.values() for bank in one.banks):
        if isinstance(bank, ChipBank):
            if any(bank.is_same(other) for other in on_chip):
                same += bank.candidates(requirement)
            else:
                on_chip.append(bank)
        elif not any(_is_same(bank, other) for other in banks):
            banks.append(bank)
        else:
            same += bank.candidates(requirement)
    grid = grid_of(requirement, banks) if allow.chip is None else grid_on_chip(requirement, on_chip)
    of_a_structure = _of_a_structure(requirement)
    counts = {
        "grid": of_a_structure * len(allow.orders) * len(allow.pairs),
        "failed": of_a_structure * sum(failed.values()),
        "unfit": sum(one.unfit for one in made.values()),
        "same": same,
        "pruned": sum(one.pruned for one in made.values()),
        "evaluated": len(grid),
    }
    least = {which: one.least for which, one in made.items()}
    promises = {
        which: one.promise for which, one in made.items() if isinstance(one, Made) and one.promise is not None
    }
    return Search(grid, counts=counts, reasons=dict(failed), least=least, promises=promises)


def check_size(requirement: Requirement) -> None:
    """Refuse more than ``MOST`` candidates.

    Raises
    ------
    DesignError
        If there are more.
    """
    structures_of = len(requirement.allow.orders) * len(requirement.allow.pairs)
    if (count := _of_a_structure(requirement) * structures_of) > MOST:
        raise DesignError(
            f"[allow]: {count} candidates; at most {MOST} are searched at once, so give shorter lists"
        )


def _of_a_structure(requirement: Requirement) -> int:
    """Count the candidates of one order, family and realization."""
    allow = requirement.allow
    if allow.chip is not None:
        return of_a_structure_on_chip(requirement)
    lists = (allow.opamps, allow.values, DECADES, allow.resistor, allow.capacitor, allow.calibration)
    return math.prod(len(one) for one in lists)


def _is_same(one: Bank, other: Bank) -> bool:
    """Tell whether two structures are the same circuit, as Legendre and orthonormal coordinates are once scaled."""
    return (
        (one.order, one.family, one.series, one.calibration, one.names)
        == (other.order, other.family, other.series, other.calibration, other.names)
        and one.swing == other.swing
        and np.array_equal(one.values, other.values)
    )


def verified(
    found: Search,
    crew: Crew | None = None,
    *,
    count: Count = uncounted,
    kept: Kept = NOT_KEPT,
) -> Search:
    """Verify the front, and what takes the place of members that do not hold, until all hold."""
    grid = found.grid
    good = grid.within_limits(MARGIN)
    columns = grid.compared()
    while True:
        rows = np.flatnonzero(good)
        members = [int(k) for k in rows[front(columns[rows])]] if len(rows) else []
        new = [k for k in members if k not in found.verified]
        if not new:
            break
        total = len(found.verified) + len(new)
        count("verified", len(found.verified), total)
        designs = [grid.requirement.with_signal(grid.design_of(k)) for k in new]
        ways = [grid.banks[grid.bank[k]].calibration for k in new]
        tasks = [(grid.requirement, *one) for one in zip(designs, ways, strict=True)]
        keys = [f"verified {way} {design.digest}" for design, way in zip(designs, ways, strict=True)]
        done: dict[int, Verified] = {}
        for n, result in _each(_verified, tasks, keys, crew, kept):
            done[n] = result
            count("verified", len(found.verified) + len(done), total)
        # In the order of the rows, not in that in which they were finished.
        for n, k in enumerate(new):
            result = found.verified[k] = done[n]
            if result.of_circuit:
                good &= ~grid.is_circuit_of(k)
            elif result.reason and result.samples:
                good &= ~grid.falls_with(k)
        for k, result in found.verified.items():
            good[k] = not result.reason
    for reason in (v.reason for v in found.verified.values() if v.reason):
        found.reasons[reason] = found.reasons.get(reason, 0) + 1
    keeping, tried = int(np.count_nonzero(good)), int(np.count_nonzero(grid.within_limits(MARGIN)))
    found.counts |= {
        "beyond": len(grid) - tried,
        "refused": tried - keeping,
        "dominated": keeping - len(members),
        "front": len(members),
    }
    found.front = members
    return found


def _verified(requirement: Requirement, design: Design, calibration: Calibration) -> Verified:
    with one_thread_each():
        return verify(requirement, design, calibration)


def verify(
    requirement: Requirement, design: Design, calibration: Calibration = "none", *, samples: int | None = None
) -> Verified:
    """Build one candidate and hold it against all limits, by an exact ensemble at every temperature.

    Parameters
    ----------
    requirement : Requirement
    design : Design
    calibration : {"none", "nominal", "each"}
        With ``each`` every circuit of the ensemble gets a readout of its own.
    samples : int, optional
        ``SAMPLES`` unless given, with ``each`` ``CALIBRATED``, with a network ``TASKED``.
    """
    task = requirement.task
    if samples is None:
        samples = TASKED if task is not None else CALIBRATED if calibration == "each" else SAMPLES
    need = requirement.need
    try:
        circuit = build(design)
        beyond = [w for w in ranges.warnings(circuit) if w.startswith(ranges.OF_LIMITS)]
        beyond += limit_warnings(circuit, design.stimulus)
        if beyond:
            return Verified(beyond[0], of_circuit=True)
        each = calibration == "each"
        there = at_temperatures(requirement, design)
        snr = None
        if need.snr is not None:
            snr = min(float(noise(at).attrs["band_snr_db"]) for at in there)
            if snr < need.snr:
                return Verified(f"signal-to-noise ratio below {need.snr:g} dB", snr=snr, of_circuit=True)
        shares = [_share(requirement, at, samples, each=each) for at in there]
        (share, p95), worst = min(zip(shares, there, strict=True), key=lambda one: (one[0][0], -one[0][1]))
        if task is not None:
            theory = task_first_order(worst, task)
        else:
            theory = first_order_calibrated(worst, "readout") if each else first_order(worst)
        law_p95 = nrmse_quantiles(theory, (0.95,))[0]
        law_good = 1.0 if need.nrmse is None else within(quadratic_form(theory), need.nrmse**2)
        interval = clopper_pearson(round(share * samples), samples)
        found = Verified("", theory.nominal, law_p95, law_good, p95, share, *interval, samples, snr)
        if share < need.good:
            return replace(found, reason="fewer circuits than wanted keep the limit")
    except LmuAnalogError as error:
        return Verified(str(error))
    return found


def at_temperatures(requirement: Requirement, design: Design) -> list[Design]:
    """Give a candidate at every temperature that is asked for; itself where none is."""
    # Of the nominal circuit, at whatever temperature it is.
    own = {"element_values": design.element_values, "output_levels": design.output_levels}
    return [design.replace(temperature=t, **own) for t in requirement.temperatures] or [design]


def _share(requirement: Requirement, design: Design, samples: int, *, each: bool) -> tuple[float, float]:
    """Give the share of exact circuits that keep the limits of errors, and the p95 of the window's."""
    need = requirement.need
    if requirement.task is not None:
        found = np.sqrt(task_results(design, requirement.task, seed=SEED, samples=range(samples))[0])
    elif each:
        left = calibrate(design, samples, SEED, methods=("readout",)).sel(calibration="readout")
        found = np.where(left.status.values == GOOD, left.window_nrmse.values, np.inf)
    else:
        found = exact_chunk(design, SEED, range(samples)).window_nrmse
    errors = np.where(np.isnan(found), np.inf, found)
    # Without a limit, too, a circuit that is unstable is none.
    good = np.isfinite(errors) if need.nrmse is None else errors <= need.nrmse
    if need.tap_nrmse is not None:
        taps = tap_errors(design, SEED, range(samples), plan=make_plan(design, "random"))
        good &= np.all(taps <= need.tap_nrmse, axis=1)  # of NaN, no
    return float(good.mean()), float(np.quantile(errors, 0.95, method="higher"))


def _each(
    function: Callable[..., Any],
    tasks: Sequence[tuple[Any, ...]],
    keys: Sequence[str],
    crew: Crew | None,
    kept: Kept,
) -> Iterator[tuple[int, Any]]:
    """Do tasks, those that were kept not again, and keep each as it ends; results do not depend on who does them."""
    todo: list[int] = []
    for k, key in enumerate(keys):
        before = kept.load(key)
        if before is None:
            todo.append(k)
        else:
            yield k, before
    if crew is None or (crew.workers == 1 and not crew.remote):
        outcomes: Iterator[tuple[int, Any]] = ((n, function(*tasks[k])) for n, k in enumerate(todo))
    else:
        outcomes = crew.run(function, [tasks[k] for k in todo], timeout=TIMEOUT)
    for n, result in outcomes:
        if isinstance(result, LmuAnalogError):
            raise result
        place: int = todo[n]
        kept.save(str(keys[place]), result)
        yield place, result
