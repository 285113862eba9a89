"""Sections on the circuit as it is built: drawings, components, what to order, what it takes."""

from __future__ import annotations

from dataclasses import asdict

from lmu_analog.analysis.resources import resources
from lmu_analog.circuits.families.registry import is_on_chip
from lmu_analog.circuits.ranges import counts, spreads
from lmu_analog.errors import DesignError
from lmu_analog.output import resources as taken
from lmu_analog.output import text_tables
from lmu_analog.output.export.lists import bom_lines, estimate
from lmu_analog.output.report.subject import Section, Subject
from lmu_analog.output.schematic import drawing_figure
from lmu_analog.output.text_tables import Table

# Columns of the bill of materials that a page has room for; the file has all.
_ORDERED = (
    "quantity", "kind", "value", "order_as", "off_percent", "tolerance_percent", "tolerance_law", "material", "package",
)  # fmt: skip
_HEADINGS = (
    "references", "number", "kind", "value", "order as", "off (%)", "tolerance (%)", "its law", "material", "package",
)  # fmt: skip
_MOST_REFERENCES = 8  # in a cell of the page


def drawings(subject: Subject) -> Section:
    """Draw one cell with its parts, the network, and the signal flow."""
    drawn = (drawing_figure(subject.circuit, what) for what in ("cell", "network", "flow"))
    return Section("The command draw writes them as SVG, PNG or PDF files of their own.", tuple(drawn))


def components(subject: Subject) -> Section:
    """Count the components with their ranges, and warn of impractical values."""
    of = subject.circuit
    content = {"counts": counts(of), "spreads": spreads(of), "warnings": list(subject.warnings)}
    return Section(tables=tuple(text_tables.circuit(of)), notes=subject.warnings, content=content)


def parts(subject: Subject) -> Section:
    """List what to order; there is nothing to order for a chip."""
    if is_on_chip(subject.circuit):
        return Section(absent=f"{subject.circuit.family} circuits are made on a chip: no parts to order.")
    try:
        lines = bom_lines(subject.design, subject.circuit)
    except DesignError as error:  # an amplifier that nobody can order there
        return Section(absent=f"{error}.")
    found = [asdict(line) for line in lines]
    rows = tuple(
        (_shortened(str(part["references"])), *(_readable(str(part[key])) for key in _ORDERED))
        for part in found
    )
    total = sum(int(str(part["quantity"])) for part in found)
    cost = estimate(lines)
    beside = f", without {cost.unknown} parts of no class" if cost.unknown else ""
    lead = (
        f"{total} parts in {len(found)} lines. By price classes, which are from memory, they cost "
        f"{cost.low:.2g} to {cost.high:.2g} USD{beside}. "
        "The command export --to bom writes the list as CSV, with a price list where there is one."
    )
    missing = [line for line in lines if line.note.startswith("no ")]
    notes = tuple(f"{_shortened(line.references)}: {line.note}." for line in missing)
    table = Table("Bill of materials", _HEADINGS, rows)
    return Section(lead, tables=(table,), notes=notes, content={"lines": found})


def _shortened(references: str) -> str:
    names = references.split()
    if len(names) <= _MOST_REFERENCES:
        return " ".join(names)
    return f"{' '.join(names[: _MOST_REFERENCES - 1])} … {names[-1]}"


def _readable(text: str) -> str:
    return text.replace("Ohm", "Ω").replace(" u", " µ")


def what_it_takes(subject: Subject) -> Section:
    """Sum up supply current, power, area and cost, as far as they are known."""
    found = resources(subject.design)
    notes = tuple(f"Not counted: {line}." for line in taken.missing(found))
    return Section(tables=taken.tables(found), notes=notes, content=taken.content(found))
