"""The table of sections: a row adds one to the page, to its contents, to its JSON and to ``--sections``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lmu_analog.errors import DesignError, LmuAnalogError, SimulationError, readable, shown
from lmu_analog.output.report.accuracy import accuracy, frequency, profile, window
from lmu_analog.output.report.contributors import error_budget, noise_section
from lmu_analog.output.report.made import components, drawings, parts, what_it_takes
from lmu_analog.output.report.origin import design_file, provenance
from lmu_analog.output.report.requirements import specification
from lmu_analog.output.report.spread import calibrated, cornered_circuit, mismatch, sensitivity
from lmu_analog.output.report.subject import Section, Settings, Subject
from lmu_analog.output.report.taps import taps
from lmu_analog.output.text_tables import Table


@dataclass(frozen=True)
class Row:
    """A section before it is made; ``key`` is its anchor and its name in ``--sections``."""

    key: str
    title: str
    make: Callable[[Subject], Section]


@dataclass(frozen=True)
class Made:
    """A section with its key and title."""

    key: str
    title: str
    section: Section


SECTIONS: tuple[Row, ...] = (
    Row("specification", "Specification", specification),
    Row("summary", "Accuracy", accuracy),
    Row("window-over-time", "The sliding window", window),
    Row("profile-over-r", "Error against delay", profile),
    Row("taps", "Taps", taps),
    Row("budget", "Error budget", error_budget),
    Row("noise", "Noise", noise_section),
    Row("mismatch", "Mismatch ensemble", mismatch),
    Row("sensitivity", "The elements that matter", sensitivity),
    Row("calibration", "Calibration", calibrated),
    Row("corners", "Corners", cornered_circuit),
    Row("frequency", "Frequency response", frequency),
    Row("drawings", "Drawings", drawings),
    Row("circuit", "Circuit", components),
    Row("parts", "Bill of materials", parts),
    Row("resources", "Power, area and cost", what_it_takes),
    Row("design-file", "Design file", design_file),
    Row("provenance", "Provenance", provenance),
)
# What a fault in the program raises: it costs its section, not the page.
_FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NameError,
    NotImplementedError,
    OSError,
    RuntimeError,
    StopIteration,
    TypeError,
    ValueError,
)
_LEFT_OUT = Section(absent="Left out here, as it takes long; the command report makes it.")


def read_sections(text: str | None) -> tuple[str, ...]:
    """Read the names of sections, parted by commas; all for none.

    Raises
    ------
    DesignError
        If one is unknown, or none is named.
    """
    if text is None:
        return ()
    known = [row.key for row in SECTIONS]
    named = [name.strip() for name in text.split(",")]
    for name in named:
        if name not in known:
            raise DesignError(f"sections={shown(name, 60)}: no such section; known are {', '.join(known)}")
    return tuple(named)


def wanted(settings: Settings) -> tuple[Row, ...]:
    """Give the rows of the sections that are wanted, in the order of the page."""
    return tuple(row for row in SECTIONS if not settings.sections or row.key in settings.sections)


def make(subject: Subject, progress: Callable[[int], None] | None = None) -> tuple[Made, ...]:
    """Make the sections that are wanted; one that cannot be made says why, and the others are made.

    Parameters
    ----------
    subject : Subject
    progress : callable, optional
        Called with 1 after every section.
    """
    found: list[Made] = []
    for row in wanted(subject.settings):
        section = _LEFT_OUT if row.key in subject.settings.skipped else _made(row, subject)
        found.append(Made(row.key, row.title, section))
        if progress is not None:
            progress(1)
    return tuple(found)


def _made(row: Row, subject: Subject) -> Section:
    try:
        return row.make(subject)
    except LmuAnalogError as error:
        return Section(absent=readable(str(error)), failed=isinstance(error, SimulationError))
    except _FAULTS as error:
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return Section(absent=readable(f"A fault of the program, please report it: {said}"), failed=True)


def as_json(made: Made) -> dict[str, Any]:
    """Give a section as an object: its numbers, and the tables, captions and notes that the page shows."""
    section = made.section
    state = "failed" if section.failed else "absent" if section.absent else "shown"
    return {
        "title": made.title,
        "state": state,
        "reason": section.absent,
        "lead": section.lead,
        "notes": list(section.notes),
        "figures": [
            {"title": f.title, "caption": f.caption, "table": _table(f.table)} for f in section.figures
        ],
        "tables": [_table(table) for table in section.tables],
        "text": section.text,
        "content": dict(section.content),
    }


def _table(table: Table) -> dict[str, Any]:
    return {"caption": table.caption, "columns": list(table.columns), "rows": [list(r) for r in table.rows]}
