"""Sections on where the report is from: the design file and the versions."""

from __future__ import annotations

from lmu_analog.output import text_tables
from lmu_analog.output.design_text import commented
from lmu_analog.output.report.subject import Section, Subject


def design_file(subject: Subject) -> Section:
    """Show the design file."""
    return Section(text=subject.text or commented(subject.design))


def provenance(subject: Subject) -> Section:
    """Show digest, seeds and versions."""
    table = text_tables.provenance(subject.design, subject.run, written=subject.written)
    return Section(
        tables=(table,),
        content={**subject.design.provenance, "made_by": {row[0]: row[1] for row in table.rows}},
    )
