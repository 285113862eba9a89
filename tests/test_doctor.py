"""What the doctor says: what is here, and what is missing, without a stumble."""

import json

from lmu_analog.cli.app import run_command
from lmu_analog.engine import native
from lmu_analog.ensembles.exact import kernel_of
from lmu_analog.output import doctor
from lmu_analog.spice import ngspice
from lmu_analog.version import __version__


def test_it_says_versions_processor_player_and_simulator(capsys):
    assert run_command(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["version"] == __version__
    assert found["processor"]["cores"] >= 1
    assert found["engine"]["player"] == kernel_of(None)
    assert found["packages"]["numpy"]
    assert set(found["extras"]) == {
        "control",
        "dask",
        "demo",
        "gf180",
        "learn",
        "notebook",
        "verilog-a",
        "widget",
    }
    if ngspice.library_path() is not None:
        assert found["ngspice"]["missing"] is None
        assert found["ngspice"]["version"].startswith("ngspice-")
    assert run_command(["doctor"]) == 0
    assert f"lmu-analog   {__version__}" in capsys.readouterr().out


def test_what_is_missing_is_said(monkeypatch):
    monkeypatch.setattr(native, "found", lambda: native.Found(None, "there is no C compiler"))
    monkeypatch.setattr(ngspice, "library_path", lambda: None)
    monkeypatch.setattr(ngspice, "program", lambda: (None, None))
    monkeypatch.setattr(doctor, "EXTRAS", {"none": ("a-package-that-is-not-there",)})
    found = doctor.doctor()
    assert found["engine"] == {
        "player": "numpy",
        "instruction_set": None,
        "missing": "there is no C compiler",
    }
    said = doctor.as_text(found)
    assert "numpy: no native player, there is no C compiler; results are the same, slower" in said
    assert "a-package-that-is-not-there not installed" in said
    assert "ngspice" in found["ngspice"]["missing"]
