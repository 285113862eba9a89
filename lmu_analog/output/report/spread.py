"""Sections on many circuits: the ensemble, which elements matter, what calibration wins back, corners."""

from __future__ import annotations

from dataclasses import asdict

from lmu_analog.analysis.calibration import calibrate
from lmu_analog.analysis.corners import Axes, corners
from lmu_analog.ensembles.yields import counts, percentiles, warnings
from lmu_analog.output import calibration, figures, text_tables
from lmu_analog.output import corners as cornered
from lmu_analog.output.jobs import against_theory
from lmu_analog.output.report.subject import Section, Subject
from lmu_analog.output.summary import good_circuits, laws, records, uniform_circuits
from lmu_analog.output.svg import draw
from lmu_analog.output.text_tables import percent
from lmu_analog.storage.completed import circuits
from lmu_analog.storage.reasons import reasons
from lmu_analog.theory.sensitivity import elements, tighten

EXACT = Section(absent="No part of the design deviates: give [mismatch].")


def mismatch(subject: Subject) -> Section:
    """Show the ensemble: its spread, its yield, and how it compares with first-order theory."""
    run, design = subject.run, subject.design
    if run is None:
        return Section(absent="No ensemble was given: run montecarlo, and then report with --run.")
    theory = against_theory(run, design)
    drawn = figures.histogram_figure(run, limit=design.nrmse, nominal=subject.nominal_error)
    content = {
        **counts(run),
        "reasons": reasons(run),
        "nrmse": percentiles(run),
        "yield": good_circuits(run, design),
        "yield_uniform": uniform_circuits(run, design),
        "mismatch": laws(design),
        "theory": None if theory is None else asdict(theory),
        "warnings": warnings(run),
    }
    lead = f"{circuits(run)}, {run.attrs['engine']} engine, seed {run.attrs['seed']}."
    return Section(
        lead, (drawn,), (text_tables.ensemble(run, design, theory),), tuple(warnings(run)), content=content
    )


def sensitivity(subject: Subject) -> Section:
    """Show which elements matter, and what tightening the first three would leave."""
    if not subject.design.mismatch:
        return EXACT
    found = elements(subject.design) if subject.sensitivity is None else subject.sensitivity
    if not found.sizes["element"]:
        return EXACT
    left = tighten(found)
    names = [str(name) for name in left.element.values]
    rms = float(found.attrs["predicted_rms"])
    lead = (
        f"First to tighten: {', '.join(names)}. With these exact, the error added by mismatch (rms) falls "
        f"from {percent(rms)} to {percent(float(left.rms[-1]))} of rms(u)."
    )
    columns = {"name": "element", "class": "kind", "share": "share", "excess": "excess"}
    content = {"predicted_rms": rms, "elements": records(found, columns)}
    drawn = figures.elements_figure(found, values=text_tables.nominal_values(subject.circuit))
    return Section(lead, (drawn,), (text_tables.tightened(found),), content=content)


def calibrated(subject: Subject) -> Section:
    """Show what calibration wins back."""
    chosen, design = subject.settings, subject.design
    found = calibrate(design, chosen.calibration, chosen.seed)
    even = calibration.uniform_beside(design, chosen.calibration, chosen.seed)
    content = calibration.content(found, design.nrmse, even)
    words = f"5 % to 95 % of {chosen.calibration} circuits and their median, before (nominal) and after."
    height = 1.0 + 0.42 * found.sizes["calibration"]
    canvas = draw(lambda c: calibration.plot_calibration(found, c.subplots()), height=height)
    key, title, table = "calibration-errors", "Window NRMSE by method", calibration.table(content)
    drawn = figures.figure(key, title, words, drawn=canvas, table=table)
    lead = (
        f"The same {chosen.calibration} circuits (seed {chosen.seed}) with every method, evaluated on another input "
        "than that of the fit. The command calibrate takes more circuits and other settings."
    )
    return Section(lead, (drawn,), content=content)


def cornered_circuit(subject: Subject) -> Section:
    """Show the corners of process, temperature and supply."""
    chosen, design = subject.settings, subject.design
    found = corners(design, chosen.seed, axes=Axes(samples=chosen.corners))
    content = cornered.content(found)
    table, notes = cornered.table(content), cornered.remarks(content)
    lead = (
        f"{len(content['corners'])} corners; {content['samples']} mismatched circuits in each. "
        "Supplies change the headroom alone."
    )
    if not content["lots"] and len(content["axes"]["temperature"]) == 1:
        return Section(lead, tables=(table,), notes=notes, content=content)
    words = "Each corner alone, then the whole cross of them as a range."
    height = 1.8 + 0.25 * len(content["one_at_a_time"])
    canvas = draw(lambda c: cornered.plot_corners(found, c.subplots()), height=height)
    key, title = "corner-errors", "Window NRMSE in the corners"
    drawn = figures.figure(key, title, words, drawn=canvas, table=table)
    return Section(lead, (drawn,), notes=notes, content=content)
