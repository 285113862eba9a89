"""The report is one sound HTML file that says what it was given, and nothing it was not."""

import re
from dataclasses import replace
from functools import cache
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from lmu_analog.building import build
from lmu_analog.design import Design
from lmu_analog.ensembles.montecarlo import monte_carlo
from lmu_analog.ensembles.yields import percentiles, yield_within
from lmu_analog.errors import DesignError
from lmu_analog.output.facts import percent, quantity
from lmu_analog.output.report import ReportContent, report, verdict, write_report
from lmu_analog.simulation import simulate

VOID = {"meta", "br", "hr", "img", "link", "input"}
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"


class Outline(HTMLParser):
    """Follows the tags of a page and refuses those that do not match."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute twice in {tag}"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def outline(html: str) -> Outline:
    parsed = Outline()
    parsed.feed(html)
    parsed.close()
    return parsed


def content(order: int = 6, family: str = "active-rc") -> ReportContent:
    return made(order, family)


@cache
def made(order: int, family: str) -> ReportContent:
    design = Design(
        order=order,
        theta="1 ms",
        bandwidth="1 kHz" if order == 6 else "6 kHz",
        family=family,
        opamp="OPA2192" if order == 6 else "ideal",
        mismatch={"resistor": "1 %", "capacitor": "1 %", "transconductor": "1 %"},
        nrmse="5 %",
    )
    circuit = build(design)
    names = np.array([circuit.components[-1].name, "Ra_1_0"], dtype=object)
    shares = {"share": ("element", np.array([0.75, 0.25])), "excess": ("element", np.array([0.0123, 0.0045]))}
    shares["kind"] = ("element", np.array(["capacitor", "resistor"], dtype=object))
    sensitivity = xr.Dataset(shares, {"element": names}, {"predicted_rms": 0.0131})
    return ReportContent(
        design, {"exact": simulate(design)}, monte_carlo(design, 30, workers=1), sensitivity, circuit
    )


@cache
def page(order: int = 6, family: str = "active-rc") -> str:
    return report(content(order, family))


def test_nothing_is_loaded_and_nothing_runs():
    assert "http" not in page()
    parsed = outline(page())
    assert not {"script", "link", "iframe", "object", "embed", "img"} & {tag for tag, _ in parsed.tags}
    for _, attributes in parsed.tags:
        assert not any(name.startswith("on") or name == "src" for name in attributes)
        assert all(value.startswith("#") for name, value in attributes.items() if name == "href" and value)
    assert "@import" not in page()


@pytest.mark.parametrize(("order", "family"), [(6, "active-rc"), (24, "active-rc"), (24, "rc-synapse")])
def test_the_file_stays_small_and_its_tags_match(order: int, family: str):
    html = page(order, family)
    assert len(html.encode()) < 600_000  # the limit is 3 MB
    assert outline(html).open == []


def test_ids_are_unique_and_references_find_them():
    parsed = outline(page())
    ids = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    wanted = re.findall(r"url\(#([^)]+)\)|href=\"#([^\"]+)\"", page())
    wanted += [(name, "") for _, a in parsed.tags for name in (a.get("aria-labelledby") or "").split()]
    assert {first or second for first, second in wanted} <= set(ids)


def test_the_page_is_accessible():
    parsed = outline(page())
    tags = [tag for tag, _ in parsed.tags]
    assert ("html", {"lang": "en"}) in parsed.tags
    levels = [int(tag[1]) for tag in tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert set(levels[1:]) == {2}
    assert tags.count("figure") == tags.count("figcaption") == tags.count("svg") == tags.count("details") == 6
    assert tags.count("table") == tags.count("caption") > 6
    assert all("scope" in attributes for tag, attributes in parsed.tags if tag == "th")
    assert all(attributes.get("role") == "img" for tag, attributes in parsed.tags if tag == "svg")
    assert "prefers-color-scheme: dark" in page()
    assert "@media print" in page()


def test_the_numbers_are_those_that_were_given():
    given, text = content(), unescape(page())
    result, run = given.results["exact"], given.run
    for key in ("window_nrmse", "truncation_nrmse", "reference_nrmse"):
        assert percent(float(result[key])) in text
    assert quantity(float(result.seconds), "s") in text
    assert run is not None
    spread = percentiles(run)
    assert all(percent(spread[name]) in text for name in ("mean", "median", "p05", "p95"))
    found = yield_within(run, 0.05)
    assert f"{percent(found.low)} to {percent(found.high)}" in text
    assert given.design.digest in text
    assert "1.23 %" in text  # the excess of the first element
    assert "126 dB" in text  # the gain of the op-amp
    assert 'bandwidth = "1 kHz"' in text


def test_equal_content_gives_equal_bytes():
    again = replace(content(), results=dict(content().results))
    assert report(again) == page()


def test_the_time_is_shown_only_if_given():
    assert ">written<" not in page()
    assert "2031-05-06" in report(replace(content(), written="2031-05-06 07:08"))


def test_hostile_text_stays_text():
    given = content()
    sensitivity = given.sensitivity
    assert sensitivity is not None
    named = sensitivity.assign_coords(element=np.array([HOSTILE, "$x^{"], dtype=object))
    design = given.design.replace(opamp={"gain": 1e6, "gbw": 1e7})
    object.__setattr__(design, "opamp", {"gain": 1e6, "gbw": 1e7, "name": HOSTILE})  # past the checks
    hostile = ReportContent(design, {}, None, named, given.circuit, (HOSTILE,), written=HOSTILE)
    for html in (report(hostile), report(replace(hostile, text=HOSTILE))):
        tags = {tag for tag, _ in outline(html).tags}
        assert not {"script", "img"} & tags
        assert "&lt;script&gt;" in html


@pytest.mark.parametrize(
    ("errors", "limit", "words"),
    [
        ([0.02, 0.03], 0.05, "PASS"),
        ([0.02, 0.02, 0.06], 0.05, "PASS nominally"),
        ([0.02, np.inf, np.inf], 0.05, "FAIL with mismatch"),
        ([0.02], 0.001, "FAIL"),
        ([0.02], None, "No limit given"),
    ],
)
def test_the_headline_says_whether_the_limit_is_met(errors: list[float], limit: float | None, words: str):
    values = np.array(errors)
    status = np.where(np.isinf(values), 1, 0)
    run = xr.Dataset({"window_nrmse": ("sample", values), "status": ("sample", status)})
    given = replace(content(), design=content().design.replace(nrmse=limit), run=run)
    assert verdict(given).word == words


def test_a_report_without_simulation_and_ensemble_says_so():
    bare = ReportContent(
        content().design, {}, None, None, content().circuit, ("the nominal circuit is unstable",)
    )
    html = report(bare)
    assert "Not simulated" in html
    assert "the nominal circuit is unstable" in html
    assert "Mismatch ensemble" not in html


def test_results_of_another_design_are_refused():
    other = replace(content(), design=content().design.replace(order=5))
    with pytest.raises(DesignError, match="the exact result is of another design; run it anew for this one"):
        report(other)


def test_the_file_is_written_whole_and_overwrites(tmp_path: Path):
    path = tmp_path / "report.html"
    write_report(path, "old")
    assert write_report(path, page()).read_text("utf-8") == page()
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(DesignError, match="report.html cannot be written"):
        write_report(tmp_path / "missing" / "report.html", page())
