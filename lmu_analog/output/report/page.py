"""The report as one HTML page that needs nothing else, and as one object for JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from lmu_analog.errors import DesignError
from lmu_analog.files_out import write_text
from lmu_analog.output.report.glossary import TERMS
from lmu_analog.output.report.sections import Made, as_json, make
from lmu_analog.output.report.subject import Subject
from lmu_analog.output.report.verdict import Verdict, about, headline, title, verdict

_FOLDED = 40  # rows of a table above which it is shown when asked for


def report(subject: Subject, progress: Callable[[int], None] | None = None) -> tuple[str, dict[str, Any]]:
    """Make a report.

    Parameters
    ----------
    subject : Subject
    progress : callable, optional
        Called with 1 after every section.

    Returns
    -------
    html : str
        No scripts, nothing loaded, the same bytes for the same subject.
    content : dict
        The same for JSON: ``title``, ``about``, ``verdict``, ``headline``, ``design``, ``settings``, and
        ``sections`` by key (see ``sections.as_json``).

    Raises
    ------
    DesignError
        If a result or the run is of another design.
    """
    _check(subject)
    made, said = make(subject, progress), verdict(subject)
    return _html(subject, made, said), _content(subject, made, said)


def write_report(path: Path | str, html: str) -> Path:
    """Write the file whole or not at all.

    Raises
    ------
    DesignError
        If it cannot be written.
    """
    return write_text(Path(path), html)


def _check(subject: Subject) -> None:
    given = {**subject.results, "run": subject.run, "sensitivity": subject.sensitivity}
    digest = subject.design.digest
    for name, data in given.items():
        if data is not None and data.attrs.get("design", digest) != digest:
            raise DesignError(f"report: the {name} result is of another design; run it anew for this one")


def _html(subject: Subject, made: tuple[Made, ...], said: Verdict) -> str:
    environment = Environment(
        loader=PackageLoader("lmu_analog.output.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(
        title=title(subject),
        about=about(subject),
        verdict=said,
        tiles=list(headline(subject)),
        sections=made,
        folded=_FOLDED,
        glossary=TERMS,
        origin=subject.design.provenance,
    )


def _content(subject: Subject, made: tuple[Made, ...], said: Verdict) -> dict[str, Any]:
    chosen = subject.settings
    return {
        "title": title(subject),
        "about": about(subject),
        "verdict": asdict(said),
        "headline": [
            {"label": label, "value": value, "note": note} for label, value, note in headline(subject)
        ],
        "design": dict(subject.design.provenance),
        "settings": {key: getattr(chosen, key) for key in ("budget", "calibration", "corners", "seed")},
        "sections": {one.key: as_json(one) for one in made},
    }
