"""Whether an ensemble shows a wanted yield: verdicts, what would decide, and who says so."""

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from lmu_analog import cli
from lmu_analog.building import build
from lmu_analog.design import Design
from lmu_analog.ensembles.intervals import clopper_pearson
from lmu_analog.ensembles.montecarlo import MOST_SAMPLES, monte_carlo
from lmu_analog.ensembles.verdict import YieldVerdict, clopper_pearson_samples, yield_verdict
from lmu_analog.ensembles.yields import yield_within
from lmu_analog.output.report.page import report
from lmu_analog.output.report.requirements import requirements
from lmu_analog.output.report.subject import Settings, Subject
from lmu_analog.output.report.verdict import headline, verdict
from lmu_analog.output.text_tables import share, verdict_text
from lmu_analog.simulation import simulate

TEXT = (
    '[memory]\norder = 2\ntheta = "1 ms"\n[mismatch]\nresistor = "5 %"\n[spec]\nnrmse = "{}"\nyield = "{}"\n'
)
DESIGN = Design(order=2, theta="1 ms", mismatch={"resistor": "5 %"}, nrmse="20 %")
LIMIT = 0.1


def run(good: int, samples: int, sampling: str = "random") -> xr.Dataset:
    """Give a run of which so many circuits, spread over it, keep the limit."""
    bad = np.linspace(0, samples, samples - good, endpoint=False).astype(int)
    errors = np.full(samples, 0.5 * LIMIT)
    errors[bad] = 2.0 * LIMIT
    content = {"window_nrmse": ("sample", errors), "status": ("sample", np.zeros(samples, int))}
    return xr.Dataset(content, attrs={"sampling": sampling})


def verdict_for(good: int, samples: int, wanted: float, sampling: str = "random") -> YieldVerdict:
    given = run(good, samples, sampling)
    return yield_verdict(given, yield_within(given, LIMIT), wanted)


@given(samples=st.integers(1, 3000), bad=st.integers(0, 60), wanted=st.floats(1e-9, 1.0))
def test_the_verdict_is_where_the_interval_lies(samples, bad, wanted):
    good = max(0, samples - bad)
    low, high = clopper_pearson(good, samples)
    expected = "pass" if low >= wanted else "fail" if high < wanted else "undecided"
    assert verdict_for(good, samples, wanted).verdict == expected


@pytest.mark.parametrize("wanted", [0.5, 0.9, 0.99, 0.999, 0.9999])
def test_if_all_pass_the_number_of_samples_has_a_closed_form(wanted):
    # All of n good: Clopper and Pearson's lower end is 0.025^(1/n).
    needed = math.ceil(math.log(0.025) / math.log(wanted))
    assert clopper_pearson_samples(1.0, wanted) == needed
    assert verdict_for(needed, needed, wanted).verdict == "pass"
    assert verdict_for(needed - 1, needed - 1, wanted) == YieldVerdict(wanted, "undecided", needed)


@given(
    good=st.integers(1, 199), bad=st.integers(1, 40), wanted=st.floats(0.3, 0.999), times=st.integers(1, 20)
)
def test_so_many_samples_decide_and_fewer_do_not(good, bad, wanted, times):
    samples = good + bad
    needed = clopper_pearson_samples(good / samples, wanted)
    # Whole multiples of the ensemble have the same yield exactly.
    low, high = clopper_pearson(times * good, times * samples)
    margin = 1e-9  # of the two ways to compute the same beta distribution
    if needed is not None and times * samples >= needed:
        assert low >= wanted - margin or high < wanted + margin
    else:
        assert low < wanted + margin
        assert high >= wanted - margin


def test_a_yield_that_is_just_what_is_wanted_is_never_decided():
    assert verdict_for(198, 200, 0.99) == YieldVerdict(0.99, "undecided", None)
    assert clopper_pearson_samples(0.99 + 1e-9, 0.99) is None  # more than can be run
    assert clopper_pearson_samples(0.99 + 1e-4, 0.99) < MOST_SAMPLES


def test_all_circuits_can_be_missed_and_never_shown():
    assert verdict_for(5000, 5000, 1.0) == YieldVerdict(1.0, "undecided", None)
    assert verdict_for(4999, 5000, 1.0).verdict == "fail"


@pytest.mark.parametrize(("sampling", "block"), [("latin", 64), ("sobol", 256)])
def test_even_samples_are_counted_in_whole_blocks(sampling, block):
    few = verdict_for(block, block, 0.9, sampling)  # no interval yet
    assert (few.verdict, few.samples_to_decide) == ("undecided", 4 * block)
    random = np.random.default_rng(2)
    errors = np.where(random.random(8 * block) < 0.9, 0.5 * LIMIT, 2.0 * LIMIT)
    many = run(0, 8 * block, sampling).assign(window_nrmse=("sample", errors))
    found = yield_within(many, LIMIT)
    assert found.method == "replicates"
    wanted = found.value - 0.25 * (found.high - found.low)  # half of the half width away
    needed = yield_verdict(many, found, wanted).samples_to_decide
    # Half widths go with one over the root of the samples, so four times as many; the next block after rounding.
    assert needed in (32 * block, 33 * block)


def test_the_words_say_what_would_decide():
    assert verdict_text(YieldVerdict(0.9, "pass"), 10) == "pass"
    assert (
        verdict_text(YieldVerdict(0.9, "undecided", 64), 10)
        == "undecided with 10 samples; about 64 would decide"
    )
    never = verdict_text(YieldVerdict(0.9, "undecided"), 10)
    assert never == "undecided with 10 samples, and with as many as can be run if the yield stays the same"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.985, "98.5 %"),
        (0.99, "99 %"),
        (0.9986, "99.86 %"),
        (0.99993, "99.993 %"),
        (1.0, "100 %"),
        (None, "–"),
    ],
)
def test_yields_near_all_keep_the_digits_that_tell_them_apart(value, text):
    assert share(value) == text


@pytest.mark.parametrize(
    ("wanted", "mark", "kind"),
    [("90.0 %", "pass", "good"), ("99.9 %", "undecided", "partly"), ("100 %", "undecided", "partly")],
)
def test_the_report_decides_by_the_interval(wanted, mark, kind):
    design = DESIGN.replace(wanted_yield=wanted)
    subject = Subject(
        design, build(design), {"exact": simulate(design)}, monte_carlo(design, 64, 1, workers=1)
    )
    assert yield_within(subject.run, 0.2).value == 1.0
    found = {r.name: r for r in requirements(subject)}
    assert (found["Yield, 64 circuits"].mark, found["Yield, 64 circuits"].limit) == (mark, f"≥ {wanted}")
    # How many may miss the limit is what the yield says.
    assert found["Window NRMSE, with mismatch, p95"].mark == "open"
    assert found["Unstable or failed circuits"].mark == "open"
    assert verdict(subject).kind == kind
    assert f"A yield of {wanted} is wanted" in verdict(subject).sentence
    assert any(f"{wanted} is wanted" in note for _, _, note in headline(subject))
    page, content = report(replace(subject, settings=Settings(sections=("specification", "mismatch"))))
    assert content["sections"]["mismatch"]["content"]["yield"]["verdict"] == mark
    told = "about 3688 would decide" in page
    assert told == (wanted == "99.9 %")
    assert ("◐ undecided" in page) == (mark == "undecided")


def test_a_yield_that_is_missed_is_a_failure():
    design = DESIGN.replace(nrmse="10 %", wanted_yield="99 %")
    design = design.replace(mismatch={"resistor": "30 %"})
    subject = Subject(
        design, build(design), {"exact": simulate(design)}, monte_carlo(design, 64, 1, workers=1)
    )
    assert yield_within(subject.run, 0.1).high < 0.99
    assert verdict(subject).word == "FAIL with mismatch"
    assert [r.mark for r in requirements(subject) if r.name == "Yield, 64 circuits"] == ["fail"]


def test_without_a_run_theory_is_held_against_the_wanted_yield():
    design = DESIGN.replace(nrmse="10 %", mismatch={"resistor": "10 %"})
    (free, strict) = (
        Subject(d, build(d), {"exact": simulate(d)}) for d in (design, design.replace(wanted_yield="100 %"))
    )
    assert 0.5 < free.expected_yield.value < 1.0
    assert [[r.mark for r in requirements(s) if r.group == "yield"] for s in (free, strict)] == [
        ["pass"],
        ["fail"],
    ]
    assert [verdict(s).kind for s in (free, strict)] == ["good", "partly"]
    assert "100 % is wanted" in verdict(strict).sentence


def test_montecarlo_says_what_a_longer_run_would_tell_and_the_longer_run_tells(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.toml").write_text(TEXT.format("20 %", "99 %"))
    command = ["montecarlo", "d.toml", "-n", "50", "--workers", "1", "-o", "r.zarr"]
    assert cli.run_command([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["yield"]
    assert (found["wanted"], found["verdict"], found["samples_to_decide"]) == (0.99, "undecided", 368)
    command[3] = "368"
    assert cli.run_command([*command, "--resume"]) == 0
    assert "yield wanted            99 %  pass" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wanted", "verdict"), [("99 %", "pass"), ("99.9999999 %", "fail"), ("VALUE", "undecided")]
)
def test_the_command_yield_decides_by_its_own_interval(wanted, verdict, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command = ["yield", "d.toml", "-n", "200", "--workers", "1"]
    (tmp_path / "d.toml").write_text(TEXT.format("10 %", "99 %"))
    assert cli.run_command([*command, "--json"]) == 0
    value = json.loads(capsys.readouterr().out)["yield"]["value"]  # in its own interval
    (tmp_path / "d.toml").write_text(TEXT.format("10 %", wanted.replace("VALUE", f"{100 * value:.12f} %")))
    assert cli.run_command(command) == 0
    assert re.search(rf"  yield wanted +[\d.]+ %  {verdict}\n", capsys.readouterr().out)


def test_without_a_wanted_yield_the_keys_are_there_and_empty(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.toml").write_text(TEXT.format("20 %", "99 %").rpartition("yield")[0])
    assert (
        cli.run_command(["montecarlo", "d.toml", "-n", "3", "--workers", "1", "-o", "r.zarr", "--json"]) == 0
    )
    found = json.loads(capsys.readouterr().out)["yield"]
    assert [found[key] for key in ("wanted", "verdict", "samples_to_decide")] == [None, None, None]
