"""The design report: one HTML file that needs nothing else and says first whether the design is good."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import xarray as xr
from jinja2 import Environment, PackageLoader, StrictUndefined

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import DifferentialOpAmp, OpAmp
from lmu_analog.circuits.families import FAMILIES
from lmu_analog.design import Design
from lmu_analog.ensembles.comparison import Comparison
from lmu_analog.ensembles.yields import percentiles, yield_within
from lmu_analog.errors import DesignError
from lmu_analog.output import facts, figures
from lmu_analog.output.design_text import commented
from lmu_analog.output.facts import Table, interval, percent, quantity
from lmu_analog.output.figures import Figure
from lmu_analog.output.files import write_text


@dataclass(frozen=True, eq=False)
class ReportContent:
    """What a report is made of; nothing is simulated for it.

    Attributes
    ----------
    design : Design
    results : dict of Dataset
        Engine to its ``simulate``; may be empty.
    run : Dataset or None
        From ``monte_carlo``.
    sensitivity : Dataset or None
        From ``sensitivity.elements``.
    theory : Comparison or None
        The run over first-order theory.
    circuit : Circuit
        Of the design, nominal.
    warnings : tuple of str
        What the reader should know about the circuit.
    text : str
        The design file as it was given; written anew unless given.
    written : str
        When, as it shall be shown; left out unless given, so that equal content gives equal bytes.
    """

    design: Design
    results: Mapping[str, xr.Dataset]
    run: xr.Dataset | None
    sensitivity: xr.Dataset | None
    circuit: Circuit
    warnings: tuple[str, ...] = ()
    text: str = ""
    written: str = ""
    theory: Comparison | None = None


@dataclass(frozen=True)
class Verdict:
    """The headline: a mark, a word and a sentence; ``kind`` chooses the colour."""

    kind: Literal["good", "partly", "bad", "open"]
    word: str
    sentence: str


@dataclass(frozen=True)
class Section:
    """A part of the report; ``key`` is its anchor."""

    key: str
    title: str
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    text: str = ""


def report(content: ReportContent) -> str:
    """Write the report as HTML: no scripts, nothing loaded, the same bytes for the same content.

    Raises
    ------
    DesignError
        If a result or the run is of another design.
    """
    _check(content)
    environment = Environment(
        loader=PackageLoader("lmu_analog.output", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        title=f"Legendre memory of order {content.design.order}, {content.design.family}",
        about=_about(content),
        verdict=verdict(content),
        tiles=_tiles(content),
        sections=list(_sections(content)),
    )


def write_report(path: Path | str, html: str) -> Path:
    """Write the file whole or not at all.

    Raises
    ------
    DesignError
        If it cannot be written.
    """
    return write_text(Path(path), html)


def verdict(content: ReportContent) -> Verdict:
    """Say whether the design meets its limit: the nominal circuit in every engine, and the ensemble.

    It fails with mismatch if fewer than half of the circuits are within the limit.
    """
    limit, nominal = content.design.nrmse, nominal_error(content)
    if nominal is None:
        return Verdict("open", "Not simulated", "There is no simulation of the nominal circuit.")
    if limit is None:
        return Verdict("open", "No limit given", f"The window NRMSE is {percent(nominal)}.")
    said = f"window NRMSE {percent(nominal)}, limit {100.0 * limit:.3g} %"
    if not nominal <= limit:
        return Verdict("bad", "FAIL", f"The nominal circuit misses the specification: {said}.")
    met = f"The nominal circuit meets the specification ({said})"
    if content.run is None:
        return Verdict("good", "PASS", f"{met}. No mismatch was run.")
    found, samples = yield_within(content.run, limit), content.run.sizes["sample"]
    within = f"{round(found.value * samples)} of {samples} mismatched circuits do"
    sentence = f"{met}; {within} ({interval(found)})."
    if found.value < 0.5:
        return Verdict("bad", "FAIL with mismatch", sentence)
    if found.value < 1.0:
        return Verdict("partly", "PASS nominally", sentence)
    return Verdict("good", "PASS", sentence)


def nominal_error(content: ReportContent) -> float | None:
    """Give the largest window NRMSE of the engines, a fraction; None without a simulation."""
    return max((float(result.window_nrmse) for result in content.results.values()), default=None)


def _check(content: ReportContent) -> None:
    given = {**content.results, "run": content.run, "sensitivity": content.sensitivity}
    digest = content.design.digest
    for name, data in given.items():
        if data is not None and data.attrs.get("design", digest) != digest:
            raise DesignError(f"report: the {name} result is of another design; run it anew for this one")


def _about(content: ReportContent) -> str:
    design = content.design
    parts = [c.model.name for c in content.circuit.components if isinstance(c, OpAmp | DifferentialOpAmp)]
    active = f" and {parts[0]} op-amps" if parts else ""
    return (
        f"It keeps the last {quantity(design.theta, 's')} of a signal of up to "
        f"{quantity(design.bandwidth, 'Hz')} in {design.order} states: {FAMILIES[design.family].about}, "
        f"{design.realization} realization, "
        f"with capacitors around {quantity(design.capacitance, 'F')}{active}."
    )


def _tiles(content: ReportContent) -> Iterator[tuple[str, str, str]]:
    """Give label, value and explanation of the figures that come first."""
    if (nominal := nominal_error(content)) is not None:
        first = next(iter(content.results.values()))
        yield "Window NRMSE", percent(nominal), "nominal circuit against the ideal sliding window"
        lacking = f"what an ideal memory of order {content.design.order} lacks"
        yield "Truncation", percent(float(first.truncation_nrmse)), lacking
        distance = max(float(result.reference_nrmse) for result in content.results.values())
        yield "Distance to NumPy LMU", percent(distance), "circuit against the software memory"
    if content.run is not None and content.design.nrmse is not None:
        found = yield_within(content.run, content.design.nrmse)
        yield "Yield", percent(found.value), interval(found)
    elif content.run is not None:
        median = percentiles(content.run)["median"]
        yield "Median with mismatch", percent(median), "window NRMSE of the ensemble"


def _sections(content: ReportContent) -> Iterator[Section]:
    results, design = content.results, content.design
    against = facts.specification(results, content.run, design.nrmse)
    yield Section("specification", "Specification", tables=(against,))
    if results:
        shown = results.get("ngspice", next(iter(results.values())))
        yield Section("summary", "Accuracy", tables=(facts.accuracy(results),))
        pair = (figures.window_figure(shown), figures.traces_figure(shown))
        yield Section("window-over-time", "The sliding window", pair)
    if results or content.run is not None:
        drawn = figures.profile_figure(results, content.run)
        yield Section("profile-over-r", "Error over the window", (drawn,))
    if content.run is not None:
        drawn = figures.histogram_figure(content.run, limit=design.nrmse, nominal=nominal_error(content))
        told = facts.ensemble(content.run, design, content.theory)
        yield Section("mismatch", "Mismatch ensemble", (drawn,), (told,))
    response = figures.bode(content.circuit, bandwidth=design.bandwidth)
    yield Section("frequency", "Frequency response", (figures.bode_figure(response),))
    if content.sensitivity is not None and content.sensitivity.sizes["element"]:
        drawn = figures.elements_figure(content.sensitivity, values=facts.nominal_values(content.circuit))
        left = facts.tightened(content.sensitivity)
        yield Section("sensitivity", "The elements that matter", (drawn,), (left,))
    yield Section("circuit", "Circuit", tables=tuple(facts.circuit(content.circuit)), notes=content.warnings)
    yield Section("design-file", "Design file", text=content.text or commented(design))
    yield Section(
        "provenance", "Provenance", tables=(facts.provenance(design, content.run, written=content.written),)
    )
