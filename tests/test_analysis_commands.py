"""The commands calibrate, corners and resources."""

import json
from pathlib import Path

import pytest

from lmu_analog.cli.app import run_command

DESIGN = """
[memory]
order = 3
theta = "1 ms"
[signal]
bandwidth = "250 Hz"
[circuit]
opamp = "MCP6004"
supply = "2.5 V"
technology = "discrete"
[mismatch]
resistor = { tolerance = "1 %", lot = "1 %" }
[spec]
nrmse = "5 %"
"""


@pytest.fixture
def design(tmp_path: Path) -> str:
    path = tmp_path / "design.toml"
    path.write_text(DESIGN)
    return str(path)


def spoken(capsys: pytest.CaptureFixture[str]) -> dict:
    return json.loads(capsys.readouterr().out)


def test_calibrate_prints_every_method_and_draws(
    design: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    plot = tmp_path / "plot.svg"
    given = ["calibrate", design, "-n", "10", "--method", "dac", "--json", "--plot", str(plot)]
    assert run_command(given) == 0
    content = spoken(capsys)
    assert list(content["methods"]) == ["nominal", "dac"]
    assert content["methods"]["dac"]["nrmse"]["median"] < content["methods"]["nominal"]["nrmse"]["median"]
    assert content["methods"]["dac"]["drifted"] is None
    assert content["methods"]["dac"]["yield"]["limit"] == 0.05
    assert "Window NRMSE" in plot.read_text()


def test_corners_print_a_table_and_draw(design: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    plot = tmp_path / "plot.svg"
    given = [
        "corners",
        design,
        "-n",
        "0",
        "--temperature",
        "27 C",
        "--temperature",
        "60 C",
        "--plot",
        str(plot),
    ]
    assert run_command(given) == 0
    said = capsys.readouterr().out
    assert "corners, 18 in all, 0 mismatched circuits in each" in said
    assert "resistor slow" in said
    assert "60 C" in said
    assert "all crossed" in plot.read_text()
    assert run_command(["corners", design, "-n", "0", "--supply", "95 %", "--json"]) == 0
    content = spoken(capsys)
    assert content["axes"]["supply"] == [0.95]
    assert content["corners"][0]["p95_nrmse"] is None  # no samples


def test_resources_say_what_is_missing(design: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    prices = tmp_path / "prices.csv"
    prices.write_text("MCP6004,0.5,4\n")
    assert run_command(["resources", design, "--prices", str(prices), "--json"]) == 0
    content = spoken(capsys)
    assert content["power"] == pytest.approx(5.0 * content["supply_current"])
    assert sorted(content["missing"]) == ["price of capacitor", "price of resistor"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["calibrate", "--plot", "x.txt"], "--plot x.txt: a file in an existing folder"),
        (["corners", "--temperature", "warm"], "--temperature"),
        (["corners", "--supply", "0 %"], "supplies are fractions of the nominal one"),
        (["resources", "--prices", "none.csv"], "none.csv: no such file; give a table of prices"),
    ],
)
def test_wrong_options_end_with_status_two(
    design: str, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
):
    assert run_command([arguments[0], design, *arguments[1:]]) == 2
    assert message in capsys.readouterr().err
