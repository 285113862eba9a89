"""Sections of the report: each is there, or says in a line why not; page and JSON tell the same."""

import json
import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser

import numpy as np
import pytest

from lmu_analog.analysis.noise import noise
from lmu_analog.building import build
from lmu_analog.circuits.components import Ammeter
from lmu_analog.design import Design
from lmu_analog.errors import CircuitError, DesignError, SimulationError
from lmu_analog.output.report import sections
from lmu_analog.output.report.job import design_report
from lmu_analog.output.report.page import report
from lmu_analog.output.report.requirements import requirements
from lmu_analog.output.report.sections import SECTIONS, Row, read_sections
from lmu_analog.output.report.subject import Section, Settings, Subject
from lmu_analog.output.report.verdict import verdict
from lmu_analog.output.summary import dumps
from lmu_analog.simulation import simulate
from lmu_analog.theory.sensitivity import elements

QUICK = Settings(budget=5, calibration=2, corners=5)
PLAIN = Design(order=3, theta="1 ms", mismatch={"resistor": "1 %", "capacitor": "1 %"}, nrmse="20 %")
SLOW_OPAMP = {"gain": "106 dB", "gbw": "1 Hz"}


class Reader(HTMLParser):
    """Collects the tables of every section by its anchor: caption, then rows of cells."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: dict[str, list[list[list[str]]]] = {}
        self.key, self.inside = "", ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag
        if tag == "section":
            self.key = dict(attrs)["aria-labelledby"] or ""
            self.tables[self.key] = []
        elif tag == "table":
            self.tables[self.key].append([])
        elif tag in ("tr", "caption"):
            self.tables[self.key][-1].append([] if tag == "tr" else [""])
        elif tag in ("td", "th"):
            self.tables[self.key][-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside in ("td", "th", "caption"):
            self.tables[self.key][-1][-1][-1] += data


def made(design: Design, *keys: str, **more: object) -> tuple[str, dict]:
    subject = Subject(design, build(design), settings=replace(QUICK, sections=keys))
    page, content = report(replace(subject, **more))
    return page, json.loads(dumps(content))


@cache
def everything() -> tuple[str, dict]:
    return made(PLAIN, results={"exact": simulate(PLAIN)})


def test_keys_are_unique_and_the_contents_lead_to_them_in_order():
    page, content = everything()
    keys = [row.key for row in SECTIONS]
    assert len(set(keys)) == len(keys)
    assert list(content["sections"]) == keys
    places = [page.index(f'<li><a href="#{key}">') for key in keys]
    places += [page.index(f'<h2 id="{key}">') for key in keys]
    assert places == sorted(places)


def plain(text: str) -> str:
    """Undo what a page does to numbers with their units: no line breaks, and signs as people write them."""
    for shown, written in (("\N{NO-BREAK SPACE}", " "), ("\N{WORD JOINER}", ""), ("Ω", "Ohm"), ("µ", "u")):
        text = text.replace(shown, written)
    return text


def test_page_and_json_have_the_same_tables():
    page, content = everything()
    page, content = plain(page), json.loads(plain(json.dumps(content, ensure_ascii=False)))
    reader = Reader()
    reader.feed(page)
    for key, section in content["sections"].items():
        tables = [figure["table"] for figure in section["figures"]] + section["tables"]
        expected = [[[t["caption"]], t["columns"], *t["rows"]] for t in tables]
        assert reader.tables[key] == expected, key
    assert sum(len(tables) for tables in reader.tables.values()) > 15


def test_the_numbers_of_the_json_are_those_of_the_functions_behind():
    _, content = everything()
    found = {key: section["content"] for key, section in content["sections"].items()}
    assert found["summary"]["exact"]["window_nrmse"] == float(simulate(PLAIN).window_nrmse)
    assert found["noise"]["band_v2"] == noise(PLAIN).attrs["band_v2"]
    assert found["sensitivity"]["predicted_rms"] == elements(PLAIN).attrs["predicted_rms"]
    assert found["corners"]["samples"] == QUICK.corners
    assert content["settings"] == {"budget": 5, "calibration": 2, "corners": 5, "seed": 0}
    # The budget's contributors and the remainder are the whole (as they are defined).
    shares = [row["share"] for row in found["budget"]["causes"]]
    assert sum(shares) + found["budget"]["remainder_share"] == pytest.approx(1.0, rel=1e-9)


def test_the_bill_of_materials_has_every_part():
    _, content = everything()
    lines = content["sections"]["parts"]["content"]["lines"]
    names = {c.name for c in build(PLAIN).components if not isinstance(c, Ammeter)}
    listed = [name for line in lines for name in line["deck_names"].split()]
    assert len(set(listed)) == len(listed)
    assert names <= set(listed)
    # Ideal amplifiers have a package each; what else there is a board needs beside the circuit.
    own = [line for line in lines if set(line["deck_names"].split()) & names]
    assert sum(line["quantity"] for line in own) == len(names)
    beside = {line["roles"] for line in lines if line not in own}
    assert beside == {"decoupling", "bulk decoupling", "supply", "input", "states"}


@pytest.mark.parametrize(
    ("error", "state", "words"),
    [
        (SimulationError("it <broke>"), "failed", "Could not be made: it &lt;broke&gt;"),
        (CircuitError("no such thing"), "absent", "Not shown: no such thing"),
    ],
)
def test_a_section_that_cannot_be_made_leaves_the_others(monkeypatch, error, state, words):
    def fail(_: Subject) -> Section:
        raise error

    rows = tuple(Row("noise", "Noise", fail) if row.key == "noise" else row for row in SECTIONS)
    monkeypatch.setattr(sections, "SECTIONS", rows)
    page, content = made(PLAIN, "noise", "resources")
    assert words in page
    assert {key: section["state"] for key, section in content["sections"].items()} == {
        "noise": state,
        "resources": "shown",
    }
    assert content["sections"]["noise"]["reason"] == str(error)


@pytest.mark.parametrize(
    ("design", "key", "reason"),
    [
        (PLAIN.replace(family="gm-c"), "parts", "gm-c circuits are made on a chip: no parts to order."),
        (PLAIN.replace(mismatch={}), "calibration", "no mismatch, so nothing to calibrate: give [mismatch]"),
        (PLAIN.replace(mismatch={}), "sensitivity", "No part of the design deviates: give [mismatch]."),
        (PLAIN, "mismatch", "No ensemble was given: run montecarlo, and then report with --run."),
        (PLAIN.replace(opamp=SLOW_OPAMP), "budget", "the circuit is unstable: a pole has the real part "),
    ],
)
def test_what_a_design_cannot_have_is_said_in_a_line(design: Design, key: str, reason: str):
    page, content = made(design, key)
    assert content["sections"][key]["reason"].startswith(reason)
    assert "\n" not in content["sections"][key]["reason"]
    assert f'<a href="#{key}">' in page
    assert reason in page


def test_what_the_main_job_leaves_out_is_named():
    settings = Settings(sections=("calibration",), skipped=("calibration",))
    _, content = made(PLAIN, settings=settings)
    assert content["sections"]["calibration"]["reason"].startswith("Left out here, as it takes long")


def test_every_requirement_is_decided():
    marks = {r.name: r.mark for r in requirements(Subject(PLAIN, build(PLAIN), {"exact": simulate(PLAIN)}))}
    assert marks == {
        "Window NRMSE, nominal, exact engine": "pass",
        "Yield by first-order theory": "pass",
        "Largest real part of a pole": "pass",
        "Common error of R, L, C and gm found to destabilise": "open",
        "Multiple of all tolerances found to destabilise": "pass",
    }  # ideal op-amps neither clip nor slew


@cache
def real_amplifiers() -> Subject:
    design = PLAIN.replace(opamp="OPA2192")
    return Subject(design, build(design), {"exact": simulate(design)})


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"headroom": -0.01}, "Headroom at full scale"),
        ({"slew_margin": 0.99}, "Slew margin at full scale"),
        ({"current_margin": 0.99}, "Output current margin at full scale"),
        ({"worst_corner_scale": 1.0}, "Multiple of all tolerances found to destabilise"),
    ],
)
def test_amplifiers_that_clip_or_slew_and_fragile_loops_take_the_best_mark_away(changes, name):
    good = real_amplifiers()
    assert verdict(good).kind == "good"
    subject = replace(good)
    # In place of what is computed when asked for.
    vars(subject)["figures_of_merit"] = replace(good.figures_of_merit, **changes)
    (found,) = (r for r in requirements(subject) if r.name == name)
    assert (found.mark, found.value) == ("fail", *changes.values())
    assert verdict(subject).kind == "partly"
    assert name in verdict(subject).sentence


def test_an_output_without_the_current_that_is_asked_of_it_fails_by_name():
    fast = PLAIN.replace(theta="100 us", bandwidth=None, capacitance="100 nF", opamp="OPA1612")
    subject = Subject(fast, build(fast), {"exact": simulate(fast)})
    asked = {r.name: r for r in requirements(subject) if r.group == "limits"}
    assert [r.mark for r in asked.values()].count("fail") == 1
    found = asked["Output current with the signal"]
    assert found.mark == "fail"
    assert re.match(r"the output of U\w+ needs \S+ mA, OPA1612 gives 55 mA \(\d+", found.shown)
    assert verdict(subject).kind == "bad"
    assert found.shown in verdict(subject).sentence


def test_figures_that_cannot_be_found_are_no_verdict_but_said():
    subject = replace(real_amplifiers())
    vars(subject)["figures_of_merit"] = "ngspice: it broke"
    (found,) = (r for r in requirements(subject) if r.mark == "open")
    assert (found.shown, found.value) == ("ngspice: it broke", None)
    assert verdict(subject).kind == "good"


def test_a_low_yield_by_theory_takes_the_best_mark_away():
    design = PLAIN.replace(mismatch={"capacitor": "20 %"}, nrmse=float(simulate(PLAIN).window_nrmse) * 1.01)
    subject = Subject(design, build(design), {"exact": simulate(design)})
    (found,) = (r for r in requirements(subject) if r.group == "yield")
    assert found.mark == "fail"
    assert verdict(subject).word == "PASS nominally"
    assert "first-order theory expects a yield of" in verdict(subject).sentence


def test_an_unstable_circuit_has_a_report_that_says_so(tmp_path):
    design = PLAIN.replace(opamp=SLOW_OPAMP)
    path = tmp_path / "r.html"
    with pytest.raises(
        SimulationError, match="r.html is written, but the circuit was not simulated: the cir"
    ):
        design_report(design, path, sections=("specification", "summary", "budget"))
    page = path.read_text("utf-8")
    assert "Could not be made: exact: the circuit is unstable: a pole has the real part" in page
    assert '<td class="bad">✗ fail</td>' in page


def test_names_of_sections_are_checked():
    assert read_sections(None) == ()
    assert read_sections("noise, budget") == ("noise", "budget")
    known = ", ".join(row.key for row in SECTIONS)
    for text in ("noise,budjet", "", "noise,", "Noise"):
        wrong = next(name for name in text.split(",") if name not in known.split(", "))
        with pytest.raises(DesignError) as caught:
            read_sections(text)
        assert str(caught.value) == f"sections={wrong!r}: no such section; known are {known}"


def test_progress_counts_every_section():
    steps: list[int] = []
    subject = Subject(PLAIN, build(PLAIN), settings=replace(QUICK, sections=("resources", "provenance")))
    report(subject, steps.append)
    assert steps == [1, 1]
    assert np.isfinite(subject.figures_of_merit.growth)
