"""What all experiments share: names, options, stored results, the command."""

import json
import re
from dataclasses import dataclass, fields, is_dataclass
from types import SimpleNamespace

import pytest

from lmu_analog import cli
from lmu_analog.errors import DesignError, SimulationError, StoreError
from lmu_analog.experiments import frame
from lmu_analog.option import option
from lmu_analog.version import __version__

STORED = sorted(path.stem for path in frame.STORED.glob("*.json"))
PROVENANCE = {"command", "seed", "seconds", "date", "version", "machine", "result"}


@dataclass(frozen=True)
class Options:
    """Of an experiment that adds."""

    first: int = option(1, "A number.")
    others: tuple[int, ...] = option((2, 3), "More of them.")
    twice: bool = option(False, "Count all twice.")
    seed: int = option(0, "Without effect.")


def run(options: Options, progress: frame.Progress) -> dict:
    with progress("adding", len(options.others)) as advance:
        total = options.first
        for number in options.others:
            total += number
            advance(1)
    return {"sum": total * (1 + options.twice)}


@pytest.fixture
def adding(monkeypatch, tmp_path):
    """Add an experiment to the table, and keep stored results elsewhere."""
    module = SimpleNamespace(Options=Options, run=run, rows=lambda r: (("what", "sum"), [("all", r["sum"])]))
    known = frame.module_of
    monkeypatch.setitem(frame.EXPERIMENTS, "adding", ("adding", "Adds numbers."))
    monkeypatch.setattr(frame, "module_of", lambda name: module if name == "adding" else known(name))
    monkeypatch.setattr(frame, "STORED", tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", frame.EXPERIMENTS)
def test_an_experiment_is_a_module_with_options_that_have_defaults_and_help(name):
    module = frame.module_of(name)
    assert is_dataclass(module.Options())
    assert all(f.metadata["help"].endswith(".") for f in fields(module.Options))
    assert callable(module.run)
    assert callable(module.rows)


@pytest.mark.parametrize("name", STORED)
def test_a_stored_result_says_how_it_came_about_and_is_laid_out(name):
    text = (frame.STORED / f"{name}.json").read_text("utf-8")
    content = frame.stored(name)
    assert content.keys() - {"note"} == PROVENANCE
    # Where files are on one machine, and that trainings of hours were done before, is no part of what made a result.
    asked = re.sub(r" --(data DIR|checkpoints DIR|no-train)\b", "", content["command"])
    assert asked == frame.command(name, frame.module_of(name).Options())
    assert not content["result"].keys() & PROVENANCE
    assert content["machine"].keys() <= {"cores", "python", "numpy", "scipy", "jax", "optax"}
    assert re.findall(r"/(?:home|root|tmp|Users|work)/", text) == []
    shown = frame.text(name, content).splitlines()
    assert shown[0] == frame.EXPERIMENTS[name][1]
    assert content["command"] in shown[-1]


def test_a_result_of_another_version_is_marked():
    content = frame.stored("learned-theta")
    now = frame.text("learned-theta", {**content, "version": __version__}).splitlines()[-1]
    before = frame.text("learned-theta", {**content, "version": "0.0.1"}).splitlines()[-1]
    assert before == f"{now}, by version 0.0.1: not run again with {__version__}"


def test_a_run_and_its_stored_result_print_the_same_keys(adding, capsys):
    assert (
        cli.run_command(["experiment", "adding", "--first", "4", "--others", "5, 6", "--twice", "--json"])
        == 0
    )
    ran = json.loads(capsys.readouterr().out)
    assert ran["sum"] == 30
    assert ran["command"] == "lmu-analog experiment adding --first 4 --others 5,6 --twice"
    (adding / "adding.json").write_text(json.dumps(frame.execute("adding")))
    assert cli.run_command(["experiment", "adding", "--stored", "--json"]) == 0
    kept = json.loads(capsys.readouterr().out)
    assert kept["sum"] == 6
    assert kept.keys() == ran.keys() == PROVENANCE - {"result"} | {"experiment", "sum"}
    assert cli.run_command(["experiment", "adding"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[:4] == ["Adds numbers.", "", "what  sum", "all     6"]
    assert re.fullmatch(r"lmu-analog experiment adding, seed 0, 0.* s, \d{4}-\d\d-\d\d", shown[-1])


def test_a_stored_result_is_only_shown_for_its_own_options(adding):
    with pytest.raises(SimulationError, match="^experiment adding has no stored result; run it first$"):
        frame.stored("adding")
    (adding / "adding.json").write_text(json.dumps(frame.execute("adding")))
    assert frame.stored("adding", Options())["result"] == {"sum": 6}
    with pytest.raises(
        DesignError, match="the stored run is of 'lmu-analog experiment adding'; leave out the other"
    ):
        frame.stored("adding", Options(first=2))
    (adding / "adding.json").write_text("{")
    with pytest.raises(StoreError, match=r"adding.json is damaged"):
        frame.stored("adding")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nosuch"], f"no experiment 'nosuch'; known ones are {', '.join(frame.EXPERIMENTS)}"),
        (["capacity", "--steps", "ten"], "Invalid value for '--steps'"),
        (["capacity", "--steps", "3"], "--steps 3: a delay of 50 to 1000000 steps is wanted"),
        (["capacity", "--signals", "1"], "--signals 1: a whole number from 2 up is wanted"),
        (["capacity", "--nosuch"], "No such option: --nosuch"),
    ],
)
def test_wrong_names_and_options_are_one_line_and_status_2(arguments, said, capsys):
    assert cli.run_command(["experiment", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1


def test_a_list_that_is_none_is_refused(adding, capsys):
    assert cli.run_command(["experiment", "adding", "--others", "1,b"]) == 2
    assert "--others '1,b': whole numbers with commas between them are wanted" in capsys.readouterr().err


def test_the_help_lists_experiments_without_loading_them(capsys, monkeypatch):
    monkeypatch.setattr(frame, "module_of", lambda name: pytest.fail("loaded"))
    assert cli.run_command(["experiment", "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in frame.EXPERIMENTS)


def test_an_extra_that_is_missing_is_named(monkeypatch):
    def absent(name: str) -> None:
        raise ModuleNotFoundError(name="optax.losses")

    monkeypatch.setattr(frame.importlib, "import_module", absent)
    with pytest.raises(
        DesignError, match=r"capacity needs optax.losses; install it with pip install 'lmu-analog\[learn\]'"
    ):
        frame.module_of("capacity")
