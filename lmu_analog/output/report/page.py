"""The report as one HTML page that needs nothing else, and as one object for JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from lmu_analog.errors import DesignError
from lmu_analog.output import html
from lmu_analog.output.report.glossary import TERMS
from lmu_analog.output.report.sections import as_json, make
from lmu_analog.output.report.subject import Subject
from lmu_analog.output.report.verdict import about, headline, title, verdict

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
    given = {**subject.results, "run": subject.run, "sensitivity": subject.sensitivity}
    digest = subject.design.digest
    for name, data in given.items():
        if data is not None and data.attrs.get("design", digest) != digest:
            raise DesignError(f"report: the {name} result is of another design; run it anew for this one")
    made, said, tiles = make(subject, progress), verdict(subject), list(headline(subject))
    head = {"title": title(subject), "about": about(subject)}
    origin, chosen = subject.design.provenance, subject.settings
    shown = {"verdict": said, "tiles": tiles, "sections": made, "origin": origin}
    page = html.page("page.html.j2", **head, **shown, folded=_FOLDED, glossary=TERMS)
    content = {
        **head,
        "verdict": asdict(said),
        "headline": [{"label": label, "value": value, "note": note} for label, value, note in tiles],
        "design": origin,
        "settings": {key: getattr(chosen, key) for key in ("budget", "calibration", "corners", "seed")},
        "sections": {one.key: as_json(one) for one in made},
    }
    return page, content
