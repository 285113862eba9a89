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
from lmu_analog.files_out import write_text
from lmu_analog.output import summary
from lmu_analog.output.html import unbroken
from lmu_analog.output.report import page as paged
from lmu_analog.output.report.glossary import TERMS
from lmu_analog.output.report.requirements import requirements
from lmu_analog.output.report.subject import Settings, Subject
from lmu_analog.output.report.verdict import verdict
from lmu_analog.output.text_tables import percent, quantity
from lmu_analog.simulation import simulate

VOID = {"meta", "br", "hr", "img", "link", "input"}
# The figures themselves are tested where they are computed.
QUICK = Settings(budget=5, calibration=2, corners=5)
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"


LANDMARKS = ["header", "nav", "main", "footer"]


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


def report(given: Subject) -> str:
    """Give the page alone."""
    return paged.report(given)[0]


@cache
def content() -> Subject:
    design = Design(
        order=6,
        theta="1 ms",
        bandwidth="1 kHz",
        opamp="OPA2192",
        mismatch={"resistor": "1 %", "capacitor": "1 %"},
        nrmse="5 %",
    )
    circuit = build(design)
    names = np.array([circuit.components[-1].name, "Ra_1_0"], dtype=object)
    shares = {"share": ("element", np.array([0.75, 0.25])), "excess": ("element", np.array([0.0123, 0.0045]))}
    shares["kind"] = ("element", np.array(["capacitor", "resistor"], dtype=object))
    sensitivity = xr.Dataset(shares, {"element": names}, {"predicted_rms": 0.0131})
    results, run = {"exact": simulate(design)}, monte_carlo(design, 30, workers=1)
    return Subject(design, circuit, results, run, sensitivity=sensitivity, settings=QUICK)


@cache
def page() -> str:
    return report(content())


def only(*sections: str) -> Settings:
    return replace(QUICK, sections=sections)


def known(given: Subject) -> Subject:
    """Give the nominal circuit's figures of merit, which take long, to a subject of the same circuit."""
    vars(given)["figures_of_merit"] = content().figures_of_merit
    return given


def test_nothing_is_loaded_and_nothing_runs():
    assert not re.search(r"https?:|//", page())
    parsed = outline(page())
    assert not {"script", "link", "iframe", "object", "embed", "img"} & {tag for tag, _ in parsed.tags}
    for _, attributes in parsed.tags:
        assert not any(name.startswith("on") or name == "src" for name in attributes)
        assert all(value.startswith("#") for name, value in attributes.items() if name == "href" and value)
    assert "@import" not in page()


def test_the_terms_of_the_page_are_explained_on_it():
    found = [term for term, _ in TERMS]
    for name in (
        "window",
        "delay r",
        "order",
        "realization",
        "truncation error",
        "added error",
        "yield",
        "lot",
    ):
        assert any(name in term for term in found)
    assert re.findall(r"<dt>(.*?)</dt><dd>", page()) == found
    assert '<a href="#glossary">' in page()


def test_the_file_is_small_and_its_tags_match():
    assert len(page().encode()) < 600_000  # the limit is 3 MB
    assert outline(page()).open == []


def test_the_figures_of_a_large_order_stay_small():
    # Of all families, the one with the largest drawings: two states for every one of the memory.
    design = Design(order=16, theta="1 ms", bandwidth="4 kHz", family="switched-capacitor")
    large = Subject(design, build(design), settings=only("drawings"))
    html = report(large)
    # Drawings grow in proportion: half of the limit at order 24. The other sections hardly grow with the order.
    assert len(html.encode()) < 1_000_000
    parsed = outline(html)
    assert parsed.open == []
    (flow,) = (attributes for tag, attributes in parsed.tags if tag == "img")
    assert (flow["src"] or "").startswith("data:image/png;base64,")
    assert (flow["alt"] or "").startswith("Signal-flow matrix of the ")


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
    # 2 of the window, then profile, budget, noise, histogram, elements, calibration, Bode plots, 3 drawings.
    assert (
        tags.count("figure") == tags.count("figcaption") == tags.count("svg") == tags.count("details") == 12
    )
    assert tags.count("table") == tags.count("caption") > 12
    assert [tag for tag in tags if tag in ("header", "nav", "main", "footer")] == LANDMARKS
    assert parsed.tags[tags.index("a")] == ("a", {"class": "skip", "href": "#main"})
    assert all("scope" in attributes for tag, attributes in parsed.tags if tag == "th")
    assert all(attributes.get("role") == "img" for tag, attributes in parsed.tags if tag == "svg")
    assert "prefers-color-scheme: dark" in page()
    assert "@media print" in page()


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb (WCAG 2.2, definitions)."""
    parts = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255.0
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_text_stands_out_from_its_ground_in_light_dark_and_print():
    themes = [dict(re.findall(r"--([\w-]+): (#\w+)", block)) for block in page().split(":root {")[1:]]
    assert len(themes) == 3
    kinds = ("good", "bad", "partly", "open")
    pairs = [("text", "page"), ("quiet", "page"), ("quiet", "card"), ("link", "page"), ("link", "card")]
    pairs += [(kind, f"{kind}-card") for kind in kinds] + [("text", f"{kind}-card") for kind in kinds]
    for theme in themes:
        for pair in pairs:
            low, high = sorted(luminance(theme[name]) for name in pair)
            assert (high + 0.05) / (low + 0.05) >= 4.5, pair  # WCAG 2.2, 1.4.3, level AA


def test_the_numbers_are_those_that_were_given():
    given, text = content(), unescape(page()).replace("\N{NO-BREAK SPACE}", " ")
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
    assert "1.23 %" in text  # the error that the first element adds
    assert "126 dB" in text  # the gain of the op-amp
    assert 'bandwidth = "1 kHz"' in text


def test_every_number_stays_on_the_line_of_its_unit():
    prose = re.sub(r"<(svg|pre|style|title)\b.*?</\1>", "", page(), flags=re.DOTALL)
    text = unescape(re.sub(r"<[^>]*>", "\n", prose))
    units = r"%|[kMGmµunp]?(?:Hz|V|F|Ohm|Ω|A|W|s)\b|dB|V/|θ|°"
    assert re.findall(rf".*[0-9] (?:{units}).*", text) == []
    # The other way round, so that the sieve is known to hold something, and letters are those that people write.
    assert len(re.findall(rf"[0-9]\N{{NO-BREAK SPACE}}(?:{units})", text)) > 100
    assert not re.search(r"[0-9]\N{NO-BREAK SPACE}(?:u[AVsF]|\w?Ohm)", text)
    assert 'theta = "1 ms"' in page().replace("&#34;", '"')  # a design file is copied, and keeps plain spaces


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("446 uA of 40 mA", "446_µA of 40_mA"),
        ("0.5 V/us, 22 kOhm", "0.5_V/~µs, 22_kΩ"),
        ("within 5 % of 12 circuits", "within 5_% of 12 circuits"),
        ("≥ 90 %; 3 sigma, -2 1/s", "≥_90_%; 3_sigma, -2_1/~s"),
        ("against u(t − 0.5 θ) times 2", "against u(t_−_0.5_θ) times 2"),
        ("order 6 and 3 more", "order 6 and 3 more"),
    ],
)
def test_quantities_are_found_in_text(text, shown):
    marked = shown.replace("_", "\N{NO-BREAK SPACE}").replace("~", "\N{WORD JOINER}")
    assert unbroken(text) == marked


def test_type_in_figures_can_be_read_on_a_telephone():
    """A page of 420 dots has 388 for a figure: there its type has 9 dots, or it is wider, and scrolls."""
    drawings = re.findall(r'<svg role="img"(.*?)</svg>', page(), re.DOTALL)
    assert len(drawings) == 12
    for drawing in drawings:
        wide = float(re.search(r'viewBox="0 0 ([0-9.]+)', drawing)[1])
        least = float(re.search(r"min-width:([0-9.]+)px", drawing)[1])
        sizes = [float(size) for size in re.findall(r"font(?:-size)?: [a-z ]*([0-9.]+)px", drawing)]
        assert sizes
        assert min(sizes) * max(least, 388.0) / wide > 8.9
    plots = [d for d in drawings if "drawing-" not in d]
    assert len(plots) == 9
    assert all(float(re.search(r"min-width:([0-9.]+)px", plot)[1]) <= 388.0 for plot in plots)


def test_equal_content_gives_equal_bytes():
    first, again = (replace(content(), settings=only("profile-over-r", "provenance")) for _ in range(2))
    assert report(known(first)) == report(again)  # which computes the figures anew


def test_the_time_is_shown_only_if_given():
    assert ">written<" not in page()
    timed = replace(content(), written="2031-05-06 07:08", settings=only("provenance"))
    assert "2031-05-06" in report(known(timed))


def test_hostile_text_stays_text():
    given = content()
    sensitivity = given.sensitivity
    assert sensitivity is not None
    named = sensitivity.assign_coords(element=np.array([HOSTILE, "$x^{"], dtype=object))
    design = given.design.replace(opamp={"gain": 1e6, "gbw": 1e7})
    object.__setattr__(design, "opamp", {"gain": 1e6, "gbw": 1e7, "name": HOSTILE})  # past the checks
    hostile = Subject(
        design,
        given.circuit,
        sensitivity=named,
        failures={"exact": HOSTILE},
        warnings=(HOSTILE,),
        written=HOSTILE,
        settings=only("specification", "summary", "sensitivity", "circuit", "design-file", "provenance"),
    )
    named_file = replace(hostile, text=HOSTILE, settings=only("design-file"))
    for html in (report(hostile), report(known(named_file))):
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
    assert verdict(known(given)).word == words  # figures of merit do not depend on the limit


@pytest.mark.parametrize(
    ("limit", "wanted", "times", "word"),
    [
        (0.5, None, 2.0, "PASS"),
        (0.5, None, 0.9, "FAIL"),
        (0.5, 0.9, 1.001, "FAIL with mismatch"),
        (None, None, 2.0, "PASS"),
    ],
)
def test_taps_with_a_limit_are_required_and_judged(limit, wanted, times, word):
    # The limit as a multiple of the worst nominal tap's error, beyond which mismatch takes about every other circuit.
    tap_limit = times * float(tapped().results["exact"].tap_nrmse.max())
    design = tapped().design.replace(nrmse=limit, wanted_yield=wanted, tap_nrmse=tap_limit)
    given = replace(tapped(), design=design)
    vars(given)["figures_of_merit"] = "not looked at"
    asked = {r.name: r for r in requirements(given) if r.group == "taps"}
    errors, (spread, _) = given.results["exact"].tap_nrmse.values, given.tap_spreads
    assert asked["NRMSE of tap1, nominal"].value == errors[0]
    assert asked["NRMSE of tap1, nominal"].mark == ("pass" if errors[0] <= tap_limit else "fail")
    assert asked["Yield of tap1, 60 circuits"].value == spread.good.value
    assert verdict(given).word == word
    assert ("misses the limit of taps" in verdict(given).sentence) == (word == "FAIL")


def test_the_section_on_taps_has_the_numbers_of_simulate_and_montecarlo():
    given = tapped()
    shown = replace(given, settings=only("taps"))
    vars(shown)["figures_of_merit"] = "not looked at"
    html, whole = paged.report(shown)
    found = whole["sections"]["taps"]["content"]
    assert found["nominal"]["exact"] == summary.simulation(given.results["exact"])["taps"]
    expected = summary.ensemble(given.run, given.design, nominal=0.0, seconds=0.0, resumed=0, path=None)
    assert found["ensemble"] == expected["taps"]
    (table,) = whole["sections"]["taps"]["tables"]
    assert [row[:2] for row in table["rows"]] == [["tap1", "u(t − 0.5 θ)"], ["tap2", "2 u(t − 1 θ)"]]
    assert [row[3] for row in table["rows"]] == [percent(tap["nrmse"]["median"]) for tap in expected["taps"]]
    assert html.count("<svg") == 2
    assert "Not shown: The circuit has no taps" in page()


@cache
def tapped() -> Subject:
    design = content().design.replace(order=3, taps=[0.5, {"r": 1.0, "gain": 2.0}], tap_nrmse="20 %")
    run = monte_carlo(design, 60, workers=1)
    return Subject(design, build(design), {"exact": simulate(design)}, run, settings=QUICK)


def test_a_report_without_simulation_and_ensemble_says_so():
    wanted = only("specification", "summary", "window-over-time", "profile-over-r", "mismatch", "circuit")
    bare = Subject(content().design, content().circuit, warnings=("a warning",), settings=wanted)
    html = report(known(bare))
    assert "Not simulated" in html
    assert "a warning" in html
    assert "Not shown: No ensemble was given: run montecarlo, and then report with --run." in html


def test_results_of_another_design_are_refused():
    other = replace(content(), design=content().design.replace(order=5))
    with pytest.raises(DesignError, match="the exact result is of another design; run it anew for this one"):
        report(other)


def test_the_file_is_written_whole_and_overwrites(tmp_path: Path):
    path = tmp_path / "report.html"
    write_text(path, "old")
    assert write_text(path, page()).read_text("utf-8") == page()
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(DesignError, match="report.html cannot be written"):
        write_text(tmp_path / "missing" / "report.html", page())
