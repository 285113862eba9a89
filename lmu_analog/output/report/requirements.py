"""What is required of a design, and whether it keeps it: the table that comes first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from lmu_analog.analysis.figures_of_merit import FiguresOfMerit
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.ensembles.orders import USUAL_YIELD
from lmu_analog.ensembles.uniform import uniform_yield
from lmu_analog.ensembles.verdict import verdict_of, yield_verdict
from lmu_analog.ensembles.yields import Yield, counts, percentiles, yield_within
from lmu_analog.limits import said as words_of
from lmu_analog.limits import worst
from lmu_analog.memory.statespace import growth
from lmu_analog.output import to_try
from lmu_analog.output.report.subject import Section, Subject
from lmu_analog.output.stability import bounded, found_at
from lmu_analog.output.text_tables import (
    Table,
    expected,
    interval,
    percent,
    share,
    uniform_aside,
    verdict_text,
)

Mark = Literal["pass", "partly", "undecided", "fail", "open"]
_WORDS: dict[Mark, str] = {
    "pass": "✓ pass",
    "partly": "◐ partly",
    "undecided": "◐ undecided",
    "fail": "✗ fail",
    "open": "–",
}
_FRAGILE = "Multiple of all tolerances found to destabilise"
LEAST_YIELD = 0.5  # below it a design fails with mismatch, where it does not say itself how many must pass


@dataclass(frozen=True)
class Requirement:
    """A figure with its limit.

    Attributes
    ----------
    name : str
    group : {"nrmse", "yield", "taps", "circuit", "limits"}
        What it is about; limits are those of parts, beyond which the circuit is not what was simulated.
    value : float or None
        SI unit, or a fraction.
    shown, limit : str
        The figure and its limit as people read them.
    mark : {"pass", "partly", "undecided", "fail", "open"}
    """

    name: str
    group: Literal["nrmse", "yield", "taps", "circuit", "limits"]
    value: float | None
    shown: str
    limit: str
    mark: Mark


def requirements(subject: Subject) -> tuple[Requirement, ...]:
    """List every requirement: window NRMSE and yield, those of taps, and what keeps a circuit inside its range."""
    return (*_errors(subject), *_yield(subject), *_taps(subject), *_circuit(subject))


def specification(subject: Subject) -> Section:
    """Show every requirement with its verdict."""
    found = requirements(subject)
    rows = tuple((r.name, r.shown, r.limit, _WORDS[r.mark]) for r in found)
    table = Table("Requirements and what the design reaches", ("figure", "result", "limit", "verdict"), rows)
    tried = to_try.relax(subject.design, fails=_fails(subject))
    more = to_try.table(tried)
    notes = [
        *_undecided(subject),
        *([] if tried["relax_note"] is None else [f"What to try, {tried['relax_note']}."]),
    ]
    lead = (
        "Limits are those of [spec] in the design file; that amplifiers neither clip nor slew nor lack "
        "current, with the signal and for every sine at full scale, and that no errors within the tolerances are "
        "found that make the circuit unstable, is required of every design. Corners are searched; below the bound "
        "beside it there is certainly none."
    )
    content = {"requirements": [asdict(r) for r in found], **tried}
    tables = (table,) if more is None else (table, more)
    return Section(lead, tables=tables, notes=tuple(notes), content=content)


def _fails(subject: Subject) -> bool:
    """Tell whether a limit of the design is missed: by an engine, by the ensemble, or without one by theory."""
    design = subject.design
    if any(to_try.nominal_fails(result, design) for result in subject.results.values()):
        return True
    if subject.run is not None:
        spreads = () if design.tap_nrmse is None else subject.tap_spreads
        return to_try.ensemble_fails(subject.run, design, [] if isinstance(spreads, str) else [*spreads])
    found = subject.expected_yield
    return found is not None and found.value < (design.wanted_yield or USUAL_YIELD)


def _undecided(subject: Subject) -> Iterator[str]:
    """Say how many samples would decide about the yield, where those of the run do not."""
    limit, wanted, run = subject.design.nrmse, subject.design.wanted_yield, subject.run
    if limit is None or wanted is None or run is None:
        return
    verdict = yield_verdict(run, yield_within(run, limit), wanted)
    if verdict.verdict == "undecided":
        yield f"The yield of {share(wanted)} is {verdict_text(verdict, run.sizes['sample'])}."


def _errors(subject: Subject) -> Iterator[Requirement]:
    limit, wanted = subject.design.nrmse, subject.design.wanted_yield
    for name, result in subject.results.items():
        yield _error(f"nominal, {name} engine", float(result.window_nrmse), limit)
    if subject.run is not None:
        spread = percentiles(subject.run)
        for name in ("median", "p95"):
            found = _error(f"with mismatch, {name}", spread[name], limit)
            yield found if wanted is None else replace(found, limit="see yield", mark="open")
    for engine in subject.failures:
        name = f"Simulation by the {engine} engine"
        yield Requirement(name, "circuit", None, "failed, see Accuracy", "done", "fail")


def _error(name: str, value: float | None, limit: float | None) -> Requirement:
    allowed = "none given" if limit is None else f"≤ {100.0 * limit:.3g} %"
    mark = "open" if value is None or limit is None else _within(value <= limit)
    return Requirement(f"Window NRMSE, {name}", "nrmse", value, percent(value), allowed, mark)


def _yield(subject: Subject) -> Iterator[Requirement]:
    limit, wanted, run = subject.design.nrmse, subject.design.wanted_yield, subject.run
    if run is not None:
        broken = counts(run)["unstable"] + counts(run)["failed"]
        allowed, mark = ("0", _within(broken == 0)) if wanted is None else ("see yield", "open")
        yield Requirement("Unstable or failed circuits", "yield", float(broken), str(broken), allowed, mark)
    if limit is None:
        return
    if run is not None:
        found, samples = yield_within(run, limit), run.sizes["sample"]
        even = uniform_aside(uniform_yield(run, subject.design))
        name = f"Yield, {samples} circuits"
        said = f"{share(found.value)} ({interval(found.low, found.high)}{even})"
        if wanted is None:
            yield Requirement(name, "yield", found.value, said, "all circuits", _share(found.value))
        else:  # by the interval where the design says how many must pass
            mark = yield_verdict(run, found, wanted).verdict
            yield Requirement(name, "yield", found.value, said, f"≥ {share(wanted)}", mark)
    elif (found := subject.expected_yield) is not None:
        least = LEAST_YIELD if wanted is None else wanted
        name, mark = "Yield by first-order theory", verdict_of(found.low, found.high, least)
        yield Requirement(name, "yield", found.value, expected(found), f"≥ {share(least)}", mark)


def _taps(subject: Subject) -> Iterator[Requirement]:
    """List the taps where they have a limit; each has a yield of its own, and the same one is wanted of all."""
    limit, wanted = subject.design.tap_nrmse, subject.design.wanted_yield
    if limit is None:
        return
    allowed = f"≤ {100.0 * limit:.3g} %"
    for name, error in subject.tap_errors.items():
        mark = _within(error <= limit)
        yield Requirement(f"NRMSE of {name}, nominal", "taps", error, percent(error), allowed, mark)
    spreads = subject.tap_spreads
    for tap in () if isinstance(spreads, str) else spreads:
        if (found := tap.good) is not None:
            name = f"Yield of {tap.name}, {subject.run.sizes['sample'] if subject.run else 0} circuits"
            said = f"{share(found.value)} ({interval(found.low, found.high)})"
            aim = "all circuits" if wanted is None else f"≥ {share(wanted)}"
            yield Requirement(name, "taps", found.value, said, aim, mark_of(found, wanted))


def mark_of(found: Yield, wanted: float | None) -> Mark:
    """Judge a yield: by its interval where the design says how many must pass."""
    return _share(found.value) if wanted is None else verdict_of(found.low, found.high, wanted)


def _circuit(subject: Subject) -> Iterator[Requirement]:
    rate = float(growth(extract(subject.circuit)))
    said = f"{rate:.4g} 1/s".replace("-", "−")
    yield Requirement("Largest real part of a pole", "circuit", rate, said, "< 0", _within(rate < 0.0))
    found = subject.figures_of_merit
    if isinstance(found, str):
        if rate < 0.0:
            yield Requirement("Stability, headroom and slew", "circuit", None, found, "known", "open")
        return
    yield from _stability(subject, found)
    if (room := found.headroom) is not None:
        mark = _within(room >= 0.0)
        yield Requirement("Headroom at full scale", "circuit", room, percent(room), "≥ 0 %", mark)
    margins = {"Slew": found.slew_margin, "Output current": found.current_margin}
    for name, margin in margins.items():
        if margin is not None:
            mark, said = _within(margin >= 1.0), f"{margin:.4g}"
            yield Requirement(f"{name} margin at full scale", "circuit", margin, said, "≥ 1", mark)
    # What the signal asks of the part that uses most of each limit, against what it gives.
    for quantity, asked in worst(found.limits).items():
        name = f"{quantity.capitalize()} with the signal"
        shown = f"{words_of(asked)} ({percent(asked.share)})"
        yield Requirement(name, "limits", asked.share, shown, "≤ 100 %", _within(asked.kept))


def _stability(subject: Subject, found: FiguresOfMerit) -> Iterator[Requirement]:
    """Compare the least multiple of all tolerances that was found to destabilise with one."""
    if subject.circuit.clock is not None:
        return
    figures = asdict(found)
    name = "Common error of R, L, C and gm found to destabilise"
    said = _said(figures, "worst_corner")
    yield Requirement(name, "circuit", found.worst_corner, said, "none given", "open")
    if found.worst_corner_scale_searched is not None:
        least, said = found.worst_corner_scale, _said(figures, "worst_corner_scale")
        mark = _within(least is None or least > 1.0)
        yield Requirement(_FRAGILE, "circuit", least, said, "> 1", mark)


def _said(figures: dict[str, Any], name: str) -> str:
    """Write what was found, and the bound beside it."""
    size, least = figures[f"{name}_bound"], bounded(figures, name)
    return f"{found_at(figures, name)}; {'no bound: ' if size is None else 'certainly none below '}{least}"


def _within(kept: bool) -> Mark:
    return "pass" if kept else "fail"


def _share(good: float) -> Mark:
    if good < LEAST_YIELD:
        return "fail"
    return "partly" if good < 1.0 else "pass"
