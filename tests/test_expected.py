"""The yield that first-order theory expects, with the digits that circuits leave it."""

import json

import pytest
from typer.testing import CliRunner

from lmu_analog import Design, monte_carlo
from lmu_analog.cli.app import app
from lmu_analog.ensembles.comparison import theory_of
from lmu_analog.ensembles.expected import CHECKED, expected_yield
from lmu_analog.ensembles.uniform import uniform_yield
from lmu_analog.ensembles.yields import yield_within
from lmu_analog.output.design_text import commented
from lmu_analog.output.text_tables import expected, rough

DESIGN = Design(
    order=3, theta="1 ms", realization="cap-feedforward", mismatch={"resistor": "1 %", "capacitor": "1 %"}
)


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (0.9999999947, 0.99632, 1.0, "above 99.6 %"),
        (7.11e-11, 0.0, 0.00368, "below 0.4 %"),
        (0.94512, 0.93, 0.957, "95 %"),
        (0.99731, 0.9957, 0.9989, "99.7 %"),
        (0.5, 0.5, 0.5, "50.0 %"),
        (0.9, 0.2, 0.3, "20.0 % to 30.0 %"),  # the circuits say what theory does not
    ],
)
def test_a_yield_has_the_digits_that_its_interval_leaves(value, low, high, text):
    assert rough(value, low, high) == text


@pytest.mark.parametrize("limit", ["5 %", "1.4 %"])
def test_theory_is_checked_by_the_circuits_of_an_ensemble(limit):
    design = DESIGN.replace(nrmse=limit)
    found = expected_yield(design, theory_of(design))
    run = monte_carlo(design, CHECKED, 0, workers=1)
    counted = yield_within(run, design.nrmse)
    assert (found.low, found.high, found.samples) == (counted.low, counted.high, CHECKED)
    assert found.uniform == uniform_yield(run, design)


def test_theory_that_does_not_hold_is_contradicted():
    wide = DESIGN.replace(order=6, nrmse="60 %", mismatch={"resistor": "30 %", "capacitor": "30 %"})
    found = expected_yield(wide, theory_of(wide))
    assert not found.fits
    assert "do not agree, so mismatch is too large" in expected(found)


def test_the_commands_print_no_digit_that_is_not_known(tmp_path):
    path = tmp_path / "design.toml"
    path.write_text(commented(DESIGN.replace(nrmse="5 %")))
    runner = CliRunner()
    content = json.loads(runner.invoke(app, ["sensitivity", str(path), "--json"]).stdout)
    known = content["yield"]
    assert known["value"] > 1.0 - 1e-6  # an extrapolation, far beyond the interval's resolution
    assert (known["high"], known["samples"]) == (1.0, CHECKED)
    assert known["low"] == pytest.approx(
        0.025 ** (1.0 / CHECKED), rel=1e-12
    )  # Clopper-Pearson where all are good
    assert set(content["yield_uniform"]) == {"limit", "value", "low", "high", "samples"}
    text = runner.invoke(app, ["sensitivity", str(path)]).stdout
    assert "above 99.6 %" in text
    assert "99.9999" not in text
    assert "the command yield goes there" in text
    high = json.loads(runner.invoke(app, ["yield", str(path), "-n", "200", "--json"]).stdout)
    assert high["yield_uniform"]["samples"] == 200
