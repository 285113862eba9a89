"""Commands, options, JSON keys and exit status are those that other people's scripts rely on."""

import json
import re
import subprocess
import sys
from fractions import Fraction

import pytest
import xarray as xr

from lmu_analog import cli
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.cli.app import as_options
from lmu_analog.design import Design
from lmu_analog.errors import SimulationError, SimulatorMissing
from lmu_analog.output import jobs
from lmu_analog.version import __version__

TEXT = '[memory]\norder = 3\ntheta = "1 ms"\n[mismatch]\nresistor = "1 %"\n[spec]\nnrmse = "5 %"\n'
SIMULATE = {"engine", "order", "window_nrmse", "truncation_nrmse", "reference_nrmse", "seconds"}
MONTECARLO = {
    "engine",
    "samples",
    "failed",
    "unstable",
    "resumed",
    "seed",
    "nominal_nrmse",
    "nrmse",
    "yield",
    "seconds",
    "run",
}
OPTIONS = {
    "new": {"order", "theta", "bandwidth", "realization", "family", "opamp", "output"},
    "derive": {"order", "json", "latex"},
    "families": {"json"},
    "netlist": {"output", "dialect", "sample", "seed", "samples", "only", "without"},
    "simulate": {"engine", "input", "sample", "seed", "plot", "json", "only", "without"},
    "montecarlo": {
        "samples",
        "seed",
        "engine",
        "workers",
        "output",
        "resume",
        "json",
        "sampling",
        "until",
        "hybrid",
    },
    "draw": {"output", "what"},
    "analyze": {"measured", "run", "skip", "sample", "seed", "sampling", "plot", "json"},
    "export": {"to", "output", "sample", "seed", "sampling"},
    "report": {"run", "output", "sections", "json"},
    "run": {"output", "samples", "only", "without"},
}


@pytest.fixture
def design(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.toml").write_text(TEXT)
    return "d.toml"


@pytest.fixture
def answer(capsys):
    """Run a command that must succeed; give the one JSON object on its stdout."""

    def run(*arguments):
        assert cli.run_command([*arguments, "--json"]) == 0
        shown = capsys.readouterr()
        assert shown.err == ""
        return json.loads(shown.out)

    return run


@pytest.mark.parametrize("command", OPTIONS)
def test_every_option_of_the_architecture_is_there(command, capsys):
    assert cli.run_command([command, "--help"]) == 0
    shown = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert set(re.findall(r"--([a-z]+)", shown)) >= OPTIONS[command]


def test_the_commands_are_listed_without_arguments(capsys):
    assert cli.run_command([]) == 2
    shown = capsys.readouterr()
    assert shown.err == ""
    assert all(command in shown.out for command in OPTIONS)


def test_the_version_is_told(capsys):
    assert cli.run_command(["--version"]) == 0
    assert capsys.readouterr().out == f"{__version__}\n"


def test_derive_gives_rationals_and_seven_proofs(answer):
    given = answer("derive", "--order", "3")
    assert {"order", "A", "B", "pade", "proofs"} <= set(given)
    assert given["order"] == 3
    assert given["A"][2] == ["-5", "5", "-5"]
    assert given["B"] == ["1", "-3", "5"]
    assert set(given["pade"]) == {"numerator", "denominator"}
    assert [Fraction(c) for c in given["pade"]["denominator"]] == [1, *map(Fraction, ("3/5", "3/20", "1/60"))]
    assert given["proofs"] == dict.fromkeys(("pade", "hurwitz", "transform", "I1", "I2", "I3", "I4"), True)


def test_families_lists_every_pair_once(answer):
    pairs = answer("families")["pairs"]
    assert all(set(pair) == {"family", "realization", "model"} for pair in pairs)
    assert {pair["model"] for pair in pairs} <= {"linear", "sampled", "nonlinear"}
    listed = [(pair["family"], pair["realization"]) for pair in pairs]
    assert sorted(listed) == sorted((name, r) for name, f in FAMILIES.items() for r in f.realizations)


@pytest.mark.parametrize("engine", ["exact", pytest.param("ngspice", marks=pytest.mark.ngspice)])
def test_simulate_gives_the_keys_that_scripts_rely_on(design, answer, engine):
    given = answer("simulate", design, "--engine", engine, "--sample", "2", "--seed", "5")
    assert set(given) >= SIMULATE
    assert (given["engine"], given["order"]) == (engine, 3)
    assert 0.0 < given["truncation_nrmse"] < given["window_nrmse"] < 0.1


def test_montecarlo_gives_the_keys_that_scripts_rely_on(design, answer):
    given = answer("montecarlo", design, "-n", "20", "--seed", "7", "-o", "r.zarr")
    assert set(given) >= MONTECARLO
    assert set(given["nrmse"]) >= {"mean", "median", "p05", "p95"}
    assert set(given["yield"]) >= {"limit", "value", "low", "high"}
    assert (given["samples"], given["seed"], given["resumed"], given["run"]) == (20, 7, 0, "r.zarr")
    assert given["yield"]["limit"] == 0.05


def test_the_nonlinear_engine_is_an_engine_of_ensembles(design, answer):
    given = answer("montecarlo", design, "-n", "3", "--engine", "nonlinear", "-o", "r.zarr")
    assert (given["engine"], given["failed"], given["hybrid"]) == ("nonlinear", 0, None)
    assert cli.run_command(["simulate", design, "--engine", "nonlinear"]) == 2


@pytest.mark.ngspice
def test_hybrid_gives_the_keys_that_scripts_rely_on(design, answer, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("lmu_analog.ensembles.hybrid.FEWEST", 4)
    text = TEXT.replace("order = 3", "order = 2") + '[signal]\nbandwidth = "5 kHz"\n'  # two theta a period
    (tmp_path / "d.toml").write_text(text)
    given = answer("montecarlo", design, "-n", "50", "--hybrid", "4", "--workers", "1", "-o", "r.zarr")
    assert (given["engine"], given["samples"]) == ("exact", 50)
    both = given["hybrid"]
    assert set(both["mean"]) == {"value", "low", "high", "equivalent"} == set(both["mean_square"])
    assert set(both["yield"]) == {"limit", "value", "low", "high"}
    assert {"subset", "correlation", "largest_difference", "worst_sample", "warnings"} < set(both)
    assert xr.open_zarr(tmp_path / "r-ngspice.zarr", consolidated=False).sizes["sample"] == 4
    again = ["montecarlo", design, "-n", "50", "--hybrid", "4", "-o", "r.zarr", "--resume"]
    assert cli.run_command(again) == 0
    assert re.search(
        r"hybrid mean .*\n  hybrid yield .*\n  ngspice samples +4  worth", capsys.readouterr().out
    )


@pytest.mark.parametrize(
    "other", [["--sampling", "sobol"], ["--until", "mean +-5 %"], ["--engine", "ngspice"]]
)
def test_hybrid_does_not_go_with_every_option(design, other, capsys, tmp_path):
    assert cli.run_command(["montecarlo", design, "-n", "50", "--hybrid", "10", *other, "-o", "r.zarr"]) == 2
    assert "hybrid" in capsys.readouterr().err
    assert not (tmp_path / "r.zarr").exists()


def test_montecarlo_without_a_limit_has_no_yield(design, answer, tmp_path):
    (tmp_path / "d.toml").write_text(TEXT.partition("[spec]")[0])
    assert answer("montecarlo", design, "-n", "3", "-o", "r.zarr")["yield"] is None


def test_a_run_of_which_every_sample_failed_has_failed(design, capsys, tmp_path):
    # One resistor in six would be negative: with thirty of them hardly a circuit is possible.
    wild = '{ tolerance = "99 %", distribution = "gauss" }'
    text = TEXT.replace("order = 3", "order = 8").replace('"1 %"', wild)
    (tmp_path / "d.toml").write_text(text)
    assert cli.run_command(["montecarlo", design, "-n", "4", "-o", "r.zarr", "--json"]) == 1
    shown = capsys.readouterr()
    assert json.loads(shown.out)["failed"] == 4
    assert shown.err.startswith("lmu-analog: r.zarr: all samples failed")


def test_a_resumed_run_says_how_many_samples_it_took_over(design, answer):
    answer("montecarlo", design, "-n", "10", "-o", "r.zarr")
    given = answer("montecarlo", design, "-n", "15", "-o", "r.zarr", "--resume")
    assert (given["samples"], given["resumed"]) == (15, 10)


def test_a_run_stops_where_it_is_precise_enough(design, answer):
    asked = ("montecarlo", design, "--until", "median +-5 %", "--sampling", "latin", "-o", "r.zarr")
    given = answer(*asked)
    assert given["sampling"] == "latin"
    assert given["warnings"] == []
    assert given["until"]["text"] == "median +-5 %"
    assert given["until"]["reached"]
    half = 0.5 * (given["nrmse"]["median_high"] - given["nrmse"]["median_low"]) / given["nrmse"]["median"]
    assert given["until"]["half_width"] == pytest.approx(half)
    again = answer(*asked, "--resume")
    assert again["resumed"] == again["samples"] == given["samples"] < 100_000
    assert again["nrmse"] == given["nrmse"]


def test_a_precision_that_is_not_reached_is_said(design, capsys):
    asked = ["montecarlo", design, "--until", "p95 +-0.1 %", "-n", "80", "-o", "r.zarr"]
    assert cli.run_command(asked) == 0
    assert "p95 +-0.1 %: not reached" in capsys.readouterr().out


def test_too_few_blocks_for_an_interval_are_said(design, capsys):
    assert cli.run_command(["montecarlo", design, "--sampling", "sobol", "-n", "80", "-o", "r.zarr"]) == 0
    assert "warning: no interval: sobol sampling needs 4 complete blocks" in capsys.readouterr().out


def test_a_run_opens_with_xarray_by_its_name(design, answer):
    path = answer("montecarlo", design, "-n", "5", "-o", "r.zarr")["run"]
    with xr.open_zarr(path, consolidated=False) as run:
        assert run.sizes["sample"] == 5


def test_new_writes_a_design_that_all_commands_take(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    asked = ["--order", "4", "--theta", "2 ms", "--bandwidth", "100 Hz", "--realization", "legendre"]
    assert cli.run_command(["new", *asked, "--opamp", "OPA2192", "-o", "n.toml"]) == 0
    assert "lmu-analog run n.toml" in capsys.readouterr().err
    made = Design.load("n.toml")
    assert (made.order, made.theta, made.bandwidth) == (4, 2e-3, 100.0)
    assert (made.realization, made.opamp) == ("legendre", "OPA2192")


def test_netlist_shows_a_deck_or_writes_it(design, capsys, tmp_path):
    assert cli.run_command(["netlist", design]) == 0
    shown = capsys.readouterr().out
    assert shown.endswith(".end\n")
    assert cli.run_command(["netlist", design, "-o", "a.cir", "--dialect", "ngspice"]) == 0
    assert (tmp_path / "a.cir").read_text() == shown


def test_netlist_writes_a_deck_for_every_sample(design, tmp_path):
    assert cli.run_command(["netlist", design, "--samples", "3:6", "--seed", "2", "-o", "decks"]) == 0
    assert cli.run_command(["netlist", design, "--sample", "4", "--seed", "2", "-o", "four.cir"]) == 0
    written = sorted(p.name for p in (tmp_path / "decks").iterdir())
    assert written == ["sample-0003.cir", "sample-0004.cir", "sample-0005.cir"]
    four = (tmp_path / "decks" / "sample-0004.cir").read_text()
    assert four == (tmp_path / "four.cir").read_text()
    assert "* seed = 2\n* sample = 4\n" in four


def test_another_dialect_is_refused_for_now(design, capsys):
    assert cli.run_command(["netlist", design, "--dialect", "morse"]) == 2
    assert "--dialect" in capsys.readouterr().err


def test_simulate_draws_where_it_is_asked(design, capsys, tmp_path):
    assert cli.run_command(["simulate", design, "--plot", "a.svg"]) == 0
    assert "window NRMSE" in capsys.readouterr().out
    assert "<svg" in (tmp_path / "a.svg").read_text()


def test_simulate_takes_a_recording_as_the_input(design, answer, tmp_path):
    rows = "".join(f"{1e-4 * k},{(k % 7) / 7}\n" for k in range(100))
    (tmp_path / "r.csv").write_text("seconds,volts\n" + rows)
    assert answer("simulate", design, "--input", "r.csv") != answer("simulate", design)


def test_report_is_one_page(design, tmp_path, capsys):
    assert cli.run_command(["montecarlo", design, "-n", "5", "-o", "r.zarr"]) == 0
    chosen = ["--sections", "specification,mismatch"]
    assert cli.run_command(["report", design, "--run", "r.zarr", "-o", "r.html", *chosen]) == 0
    assert (tmp_path / "r.html").read_text().lower().startswith("<!doctype html")


def test_a_run_of_another_design_is_not_reported(design, tmp_path, capsys):
    assert cli.run_command(["montecarlo", design, "-n", "5", "-o", "r.zarr"]) == 0
    (tmp_path / "e.toml").write_text(TEXT.replace("order = 3", "order = 4"))
    capsys.readouterr()
    assert cli.run_command(["report", "e.toml", "--run", "r.zarr", "-o", "r.html"]) == 2
    message = "--run r.zarr is of another design; give its own, or run it again"
    assert capsys.readouterr().err == f"lmu-analog: {message}\n"
    assert not (tmp_path / "r.html").exists()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (SimulationError("ngspice: timestep too small"), "lmu-analog: ngspice: timestep too small\n"),
        (SimulatorMissing("ngspice is not installed"), "lmu-analog: ngspice is not installed\n"),
        (KeyboardInterrupt(), "lmu-analog: interrupted\n"),
    ],
)
def test_work_that_fails_has_status_one(design, capsys, monkeypatch, error, message):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(jobs, "simulate_one", fail)
    assert cli.run_command(["simulate", design]) == 1
    assert capsys.readouterr().err == message


def test_it_works_from_any_folder_and_with_any_file_name(tmp_path, monkeypatch):
    home = tmp_path / "a folder"
    home.mkdir()
    (home / "µ 'quoted' \"d\".toml").write_text(TEXT)
    command = [
        sys.executable,
        "-m",
        "lmu_analog.cli",
        "simulate",
        str(home / "µ 'quoted' \"d\".toml"),
        "--json",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert set(json.loads(done.stdout)) >= SIMULATE
    assert done.stderr == ""


@pytest.mark.ngspice
def test_a_script_needs_no_main_guard(tmp_path):
    (tmp_path / "script.py").write_text(
        "from lmu_analog import Design, monte_carlo\n"
        "design = Design(order=2, theta='1 ms', mismatch={'resistor': '1 %'})\n"
        "print(int(monte_carlo(design, 1, engine='ngspice', workers=1).done.sum()))\n"
    )
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("1\n", "")


@pytest.mark.parametrize(("said", "shown"), [
    ("r exists; or resumed=True to continue it", "r exists; or --resume to continue it"),
    ("aware_epochs=0: at least 1 is wanted", "--aware-epochs 0: at least 1 is wanted"),
    ("plot=: experiment x has no figure", "--plot: experiment x has no figure"),
    ("record longer, or give skip=", "record longer, or give --skip"),
    ("choose with --column (column= in Python)", "choose with --column (column= in Python)"),
    ("a == b and f(x=1) stay, as does order = 3", "a == b and f(x=1) stay, as does order = 3"),
])  # fmt: skip
def test_arguments_of_functions_are_named_as_options(said, shown):
    assert as_options(said) == shown
