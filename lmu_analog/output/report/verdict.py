"""The head of the report: a verdict in a word, what the design is, and the figures that come first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from lmu_analog.building import capacitances
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.ensembles.expected import Expected
from lmu_analog.ensembles.uniform import uniform_yield
from lmu_analog.ensembles.verdict import verdict_of, yield_verdict
from lmu_analog.ensembles.yields import percentiles, yield_within
from lmu_analog.output.report.requirements import LEAST_YIELD, mark_of, requirements
from lmu_analog.output.report.subject import Subject
from lmu_analog.output.report.taps import shows
from lmu_analog.output.text_tables import (
    expected,
    interval,
    percent,
    quantity,
    share,
    uniform_aside,
    verdict_text,
)


@dataclass(frozen=True)
class Verdict:
    """The headline: a mark, a word and a sentence; ``kind`` chooses the colour."""

    kind: Literal["good", "partly", "bad", "open"]
    word: str
    sentence: str


_WITH_RUN = {
    "pass": Verdict("good", "PASS", ""),
    "fail": Verdict("bad", "FAIL with mismatch", ""),
    "undecided": Verdict("partly", "UNDECIDED with mismatch", ""),
}
_OF_TAPS = {
    **_WITH_RUN,
    "partly": Verdict("partly", "PASS nominally", ""),
    "open": Verdict("good", "PASS", ""),
}
# Theory alone fails no design.
_BY_THEORY = {**_WITH_RUN, "fail": Verdict("partly", "PASS nominally", "")}


def verdict(subject: Subject) -> Verdict:
    """Say whether the design meets its limit: the nominal circuit in every engine, and the ensemble.

    With a wanted yield, the ensemble meets or misses it, or leaves it undecided; without one the design fails
    with mismatch if fewer than half of the circuits are within the limit. What else is required of
    the circuit and missed is named, and takes the best mark away; where parts cannot give what the signal asks,
    the circuit is not what was simulated, and fails.
    """
    found = _with_taps(_verdict(subject), subject)
    asked = requirements(subject)
    beyond = [r.shown for r in asked if r.group == "limits" and r.mark == "fail"]
    if beyond:
        return Verdict("bad", "FAIL", f"{found.sentence} Parts are beyond their limits: {'; '.join(beyond)}.")
    missed = [r.name for r in asked if r.group == "circuit" and r.mark == "fail"]
    if not missed or found.kind == "bad":
        return found
    sentence = f"{found.sentence} Missed: {', '.join(missed)}."
    if found.kind == "good":
        return Verdict("partly", "PASS with limits", sentence)
    return replace(found, sentence=sentence)


def _verdict(subject: Subject) -> Verdict:
    limit, nominal = subject.design.nrmse, subject.nominal_error
    if nominal is None and subject.failures:
        return Verdict("bad", "Not simulated", f"{'; '.join(subject.failures.values())}.")
    if nominal is None:
        return Verdict("open", "Not simulated", "There is no simulation of the nominal circuit.")
    if limit is None:
        return Verdict("open", "No limit given", f"The window NRMSE is {percent(nominal)}.")
    said = f"window NRMSE {percent(nominal)}, limit {100.0 * limit:.3g} %"
    if not nominal <= limit:
        return Verdict("bad", "FAIL", f"The nominal circuit misses the specification: {said}.")
    met = f"The nominal circuit meets the specification ({said})"
    if subject.run is None:
        return _without_run(met, subject.expected_yield, subject.design.wanted_yield)
    found, samples = yield_within(subject.run, limit), subject.run.sizes["sample"]
    within = f"{round(found.value * samples)} of {samples} mismatched circuits do"
    planned = subject.run.attrs.get("planned", samples)
    undone = "" if planned == samples else f" Only {samples} of {planned} samples are done."
    even = uniform_aside(uniform_yield(subject.run, subject.design))
    sentence = f"{met}; {within} ({interval(found.low, found.high)}{even}).{undone}"
    if (wanted := subject.design.wanted_yield) is not None:
        decided = yield_verdict(subject.run, found, wanted)
        said = f": {verdict_text(decided, samples)}" if decided.verdict == "undecided" else ""
        sentence = f"{sentence} A yield of {share(wanted)} is wanted{said}."
        return replace(_WITH_RUN[decided.verdict], sentence=sentence)
    if found.value < LEAST_YIELD:
        return Verdict("bad", "FAIL with mismatch", sentence)
    if found.value < 1.0:
        return Verdict("partly", "PASS nominally", sentence)
    return Verdict("good", "PASS", sentence)


_RANKS = ("good", "partly", "bad")


def _with_taps(found: Verdict, subject: Subject) -> Verdict:
    """Add what the taps do to a verdict about the window, and give the worse of both."""
    limit, errors = subject.design.tap_nrmse, subject.tap_errors
    if limit is None or not errors:
        return found
    if missed := [f"{name} {percent(error)}" for name, error in errors.items() if not error <= limit]:
        said = f"The nominal circuit misses the limit of taps, {100.0 * limit:.3g} %: {', '.join(missed)}."
        return Verdict("bad", "FAIL", f"{found.sentence} {said}")
    said = f"{found.sentence} Taps keep their limit of {100.0 * limit:.3g} % (at most {percent(max(errors.values()))})"
    spreads = subject.tap_spreads
    yields = [] if isinstance(spreads, str) else [(t.good.value, t.name, t.good) for t in spreads if t.good]
    if not yields:
        ours = Verdict("good", "PASS", f"{said}.")
    else:
        value, name, good = min(yields)
        said += f"; with mismatch {share(value)} of circuits do at {name} ({interval(good.low, good.high)})."
        ours = replace(_OF_TAPS[mark_of(good, subject.design.wanted_yield)], sentence=said)
    if found.kind == "open" and subject.design.nrmse is None:
        return ours
    worse = found.kind not in _RANKS or _RANKS.index(found.kind) >= _RANKS.index(ours.kind)
    return replace(found if worse else ours, sentence=ours.sentence)


def _without_run(met: str, found: Expected | None, wanted: float | None) -> Verdict:
    if found is None:
        return Verdict("good", "PASS", f"{met}. No mismatch was run.")
    sentence = f"{met}. No ensemble was run; first-order theory expects a yield of {expected(found)}"
    aim = "" if wanted is None else f", {share(wanted)} is wanted"
    decided = verdict_of(found.low, found.high, LEAST_YIELD if wanted is None else wanted)
    return replace(_BY_THEORY[decided], sentence=f"{sentence}{aim}.")


def title(subject: Subject) -> str:
    """Name the design."""
    return f"Legendre memory of order {subject.design.order}, {subject.design.family}"


def about(subject: Subject) -> str:
    """Describe the design in a sentence."""
    design = subject.design
    parts = [c.model.name for c in subject.circuit.amplifiers]
    active = f" and {parts[0]} op-amps" if parts else ""
    return (
        f"It keeps the last {quantity(design.theta, 's')} of a signal of up to "
        f"{quantity(design.bandwidth, 'Hz')} in {design.order} states: {FAMILIES[design.family].about}, "
        f"{design.realization} realization, "
        f"with capacitors {_around(capacitances(design))}{active}."
    )


def _around(capacitors: tuple[float, ...]) -> str:
    low, high = (quantity(c, "F") for c in (min(capacitors), max(capacitors)))
    return f"around {low}" if low == high else f"of {low} to {high}"


def headline(subject: Subject) -> Iterator[tuple[str, str, str]]:
    """Give label, value and explanation of the figures that come first."""
    results, run, design = subject.results, subject.run, subject.design
    if (nominal := subject.nominal_error) is not None:
        yield "Window NRMSE", percent(nominal), "nominal circuit against the ideal sliding window"
        first = next(iter(results.values()))
        lacking = f"what an ideal memory of order {design.order} lacks"
        yield "Truncation", percent(float(first.truncation_nrmse)), lacking
        distance = max(float(result.reference_nrmse) for result in results.values())
        yield "Distance to NumPy LMU", percent(distance), "circuit against the software memory"
    if errors := subject.tap_errors:
        largest = max(errors, key=lambda name: errors[name])
        tap = next(tap for tap in subject.circuit.taps if tap.name == largest)
        which = "the tap" if len(errors) == 1 else f"the worst of {len(errors)} taps"
        yield "Tap NRMSE", percent(errors[largest]), f"{which}, {largest}, against {shows(tap.of, tap.gain)}"
    if run is not None and design.nrmse is not None:
        found = yield_within(run, design.nrmse)
        aim = "" if (wanted := design.wanted_yield) is None else f"; {share(wanted)} is wanted"
        even = uniform_aside(uniform_yield(run, design))
        yield "Yield", share(found.value), interval(found.low, found.high) + even + aim
    elif run is not None:
        median = percentiles(run)["median"]
        yield "Median with mismatch", percent(median), "window NRMSE of the ensemble"
