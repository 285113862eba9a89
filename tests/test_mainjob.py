"""The main job leaves everything in one folder, goes on in its own, and touches no other."""

import json
import shutil

import numpy as np
import pytest

from lmu_analog.cli import run_command
from lmu_analog.design import Design
from lmu_analog.errors import DesignError, SimulatorMissing
from lmu_analog.output import mainjob, summary
from lmu_analog.spice import ngspice
from lmu_analog.storage.store import open_run

DESIGN = Design(
    order=2, theta="1 ms", mismatch={"resistor": "1 %"}, nrmse="50 %", taps=[0.5], tap_nrmse="90 %"
)
FILES = {
    "design.toml",
    "derivation.txt",
    "circuit.cir",
    "run.zarr",
    "result.json",
    "report.html",
    mainjob.MARK,
}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """One main job, shared by the tests that only look at it."""
    folder = tmp_path_factory.mktemp("job") / "results"
    return folder, mainjob.run(DESIGN, folder, samples=10, seed=3)


@pytest.fixture
def no_page(monkeypatch):
    """Leave the report's content out, which takes most of a job, where a test looks at other files."""
    monkeypatch.setattr(mainjob, "report", lambda *_: ("", {}))


@pytest.mark.ngspice
def test_all_files_are_there_and_named_and_nothing_else(done):
    folder, content = done
    assert {p.name for p in folder.iterdir()} == FILES
    assert {*content["files"]} == {str(folder / name) for name in FILES - {mainjob.MARK}}


@pytest.mark.ngspice
def test_the_result_holds_both_engines_and_the_ensemble(done):
    folder, content = done
    result = json.loads((folder / "result.json").read_text("utf-8"))
    assert set(result["simulate"]) == {"exact", "ngspice"}
    assert {name: run["engine"] for name, run in result["simulate"].items()} == {
        "exact": "exact",
        "ngspice": "ngspice",
    }
    # The engines answer the same question within 1e-4 absolute, the bound of the project.
    errors = [run["window_nrmse"] for run in result["simulate"].values()]
    assert abs(errors[0] - errors[1]) < 1e-4
    ensemble = result["montecarlo"]
    assert (ensemble["samples"], ensemble["seed"], ensemble["resumed"]) == (10, 3, 0)
    assert ensemble["yield"]["limit"] == 0.5
    assert result["design"]["design"] == DESIGN.digest
    (tap,), (nominal,) = ensemble["taps"], result["simulate"]["ngspice"]["taps"]
    run = open_run(folder / "run.zarr")
    alone = summary.ensemble(run, DESIGN, nominal=0.0, seconds=0.0, resumed=0, path=None)
    assert [tap] == alone["taps"]
    assert (
        (tap["net"], tap["r"], tap["yield"]["limit"])
        == (nominal["net"], nominal["r"], 0.9)
        == ("tap1", 0.5, 0.9)
    )
    assert nominal["nrmse"] < tap["nrmse"]["median"] < 2.0 * nominal["nrmse"]  # parts of 1 %
    assert result == {k: v for k, v in content.items() if k != "files"}


@pytest.mark.ngspice
def test_the_design_file_in_the_folder_is_the_same_design(done):
    assert Design.load(done[0] / "design.toml").digest == DESIGN.digest


@pytest.mark.ngspice
def test_the_ensemble_is_of_this_design_and_seed(done):
    run = open_run(done[0] / "run.zarr")
    assert (run.attrs["design"], run.attrs["seed"]) == (DESIGN.digest, 3)
    assert np.isfinite(run.window_nrmse).all()


@pytest.mark.ngspice
@pytest.mark.usefixtures("no_page")
def test_a_second_run_takes_over_what_is_complete(done):
    folder, first = done
    before = open_run(folder / "run.zarr").window_nrmse.values
    again = mainjob.run(Design.load(folder / "design.toml"), folder, samples=12, seed=3)
    assert (again["montecarlo"]["resumed"], again["montecarlo"]["samples"]) == (10, 12)
    np.testing.assert_array_equal(open_run(folder / "run.zarr").window_nrmse[:10], before)
    assert again["files"] == first["files"]


@pytest.mark.ngspice
@pytest.mark.parametrize(("design", "seed"), [(DESIGN, 4), (DESIGN.replace(order=3), 3)])
def test_a_folder_of_another_design_or_seed_is_refused(done, design, seed):
    before = {p: p.stat().st_mtime_ns for p in done[0].rglob("*")}
    with pytest.raises(DesignError, match="holds a run of another design or seed; give another folder$"):
        mainjob.run(design, done[0], samples=10, seed=seed)
    assert {p: p.stat().st_mtime_ns for p in done[0].rglob("*")} == before


@pytest.mark.ngspice
def test_a_foreign_folder_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(DesignError, match="exists and is no empty folder; give another name$"):
        mainjob.run(DESIGN, tmp_path, samples=2)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.ngspice
def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(DesignError, match="exists and is no empty folder|cannot be used"):
            mainjob.run(DESIGN, folder, samples=2)


@pytest.mark.ngspice
@pytest.mark.parametrize(
    "options", [{"samples": 0}, {"workers": 0}, {"seed": -1}], ids=["samples", "workers", "seed"]
)
def test_wrong_numbers_are_refused_before_anything_is_written(tmp_path, options):
    with pytest.raises(DesignError, match="whole number"):
        mainjob.run(DESIGN, tmp_path / "results", **options)
    assert not (tmp_path / "results").exists()


@pytest.mark.ngspice
@pytest.mark.usefixtures("no_page")
def test_a_recording_is_copied_and_the_folder_stands_alone(tmp_path):
    rows = "".join(f"{5e-5 * k!r},{float(np.sin(0.2 * k))!r}\n" for k in range(100))
    (tmp_path / "heard.csv").write_text(rows)
    # Without limits, which this signal would miss: what to try then takes long.
    design = DESIGN.replace(file=tmp_path / "heard.csv", nrmse=None, tap_nrmse=None)
    digest = design.digest
    mainjob.run(design, tmp_path / "results", samples=2)
    (tmp_path / "heard.csv").unlink()
    (tmp_path / "results").rename(tmp_path / "moved")
    alone = Design.load(tmp_path / "moved" / "design.toml")
    assert alone.digest == digest
    again = mainjob.run(alone, tmp_path / "moved", samples=2)
    assert again["montecarlo"]["resumed"] == 2


def test_a_missing_ngspice_is_said_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(ngspice, "library_path", lambda: None)
    with pytest.raises(SimulatorMissing, match="apt-get install ngspice libngspice0"):
        mainjob.run(DESIGN, tmp_path / "results")
    assert not (tmp_path / "results").exists()


@pytest.mark.ngspice
@pytest.mark.usefixtures("no_page")
def test_the_command_tells_what_it_left(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run_command(["new", "--order", "2", "-o", "d.toml"]) == 0
    assert run_command(["run", "d.toml", "-o", "results", "-n", "4"]) == 0
    shown = capsys.readouterr().out
    assert "results/report.html" in shown
    assert "exact engine" in shown
    assert "ngspice engine" in shown


MODEL = """* an op-amp in two files
.include "lib/inner.lib"
.subckt opamp plus minus vcc vee out
Xa plus minus out gain
.ends
"""
INNER = """.include "lib/more.lib"
.subckt gain plus minus out
Eg x 0 plus minus 1e5
Rg x y 1k
Cg y 0 {c}
Eo out 0 y 0 1
.ends
"""
PARTS = "[MINE]\ngain = 100\ngbw = 1e7\nsupply = [5, 36]\n"


def design_with(tmp_path, *, recording="signal.csv", parts=None, model=None, include=True):
    """Make a design that reads files of these names."""
    folder = tmp_path / "given"
    folder.mkdir()
    circuit = {}
    if parts:
        (folder / parts).write_text(PARTS)
        circuit |= {"parts": parts, "opamp": '"MINE"'}
    text = f"""[memory]\norder = 2\ntheta = "1 ms"\n[signal]\nfile = "{recording}"\n[circuit]\n"""
    if parts:
        text += f'parts = "{parts}"\n' + ("" if model else 'opamp = "MINE"\n')
    if model:
        (folder / "lib").mkdir()
        (folder / "lib" / "inner.lib").write_text(INNER if include else "")
        (folder / "lib" / "more.lib").write_text(".param c=1u\n")
        plain = MODEL if include else INNER.replace("gain plus minus out", "opamp plus minus vcc vee out")
        plain = plain if include else plain.replace('.include "lib/more.lib"\n', "").replace("{c}", "1u")
        (folder / model).write_text(plain)
        text += f'[circuit.opamp]\ngain = 1e5\ngbw = 1e7\nmodel = "{model}"\nsubcircuit = "opamp"\n'
    (folder / recording).write_text("0,0\n1e-3,1\n2e-3,0\n")
    (folder / "d.toml").write_text(text)
    return Design.load(folder / "d.toml")


@pytest.mark.parametrize(
    ("files", "there"),
    [
        ({}, {"signal.csv"}),
        ({"parts": "design.toml"}, {"signal.csv", "parts.toml"}),
        ({"recording": "parts.toml.csv", "parts": "Parts.toml"}, {"parts.toml.csv", "Parts.toml"}),
        ({"recording": "input.txt"}, {"recording.txt"}),
        ({"parts": "result.json", "model": "opamp.lib"}, {"signal.csv", "parts.json", "model/opamp.lib",
                                                          "model/lib/inner.lib", "model/lib/more.lib"}),
        ({"model": "circuit.cir"}, {"signal.csv", "model/circuit.cir", "model/lib/inner.lib", "model/lib/more.lib"}),
        ({"model": "circuit.cir", "include": False}, {"signal.csv", "model/circuit.cir"}),
        ({"model": "opamp.lib", "include": False}, {"signal.csv", "opamp.lib"}),
    ],
)  # fmt: skip
def test_what_is_written_loads_again_wherever_it_is_taken(tmp_path, files, there):
    design = design_with(tmp_path, **files)
    wanted, results = design.digest, tmp_path / "results"
    results.mkdir()
    for _ in range(2):  # a run may go on in its own folder
        written = mainjob.write_design(design, results)
        found = {str(p.relative_to(results)) for p in results.rglob("*") if p.is_file()}
        assert found == {"design.toml", *there} == {str(p.relative_to(results)) for p in written}
        design = Design.load(results / "design.toml")
    shutil.rmtree(tmp_path / "given")
    results.rename(tmp_path / "elsewhere")
    assert Design.load(tmp_path / "elsewhere" / "design.toml").digest == wanted
