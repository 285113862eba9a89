"""The check of a PDK's statistics: its short form on GF180, and that each of its verdicts can be the other one."""

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from lmu_analog.circuits.devices.pdk import find_pdk, pdk
from lmu_analog.cli.app import run_command
from lmu_analog.output import pdk_findings
from lmu_analog.silicon import doctor
from lmu_analog.silicon.doctor import Check, Findings, examine, mean_check, sigma_check
from tests.kits import fake_models, needs_gf180


def test_verdicts_tell_a_sigma_that_is_off_from_draws_that_are_too_few():
    drawn = np.random.default_rng(3).normal(size=5000)
    drawn = (drawn - drawn.mean()) / drawn.std(ddof=1)
    assert sigma_check("", "", drawn, wanted=1.0 / 1.015, unit="V").verdict == "ok"
    assert (
        sigma_check("", "", drawn, wanted=1.0 / 1.03, unit="V").verdict == "too few draws"
    )  # 2 % and four times 1 %
    assert sigma_check("", "", drawn, wanted=1.0 / 1.07, unit="V").verdict == "off"
    assert sigma_check("", "", drawn[:200], wanted=1.0, unit="V").verdict != "ok"  # whose error alone is 5 %
    assert mean_check("", "", drawn + 3.9 / np.sqrt(5000), unit="V").verdict == "ok"
    assert mean_check("", "", drawn + 4.1 / np.sqrt(5000), unit="V").verdict == "off"


@needs_gf180
@pytest.mark.skipif(shutil.which("ngspice") is None, reason="needs ngspice")
def test_gf180_does_what_its_files_say_and_a_wrong_law_is_told():
    kit = find_pdk("gf180mcu")
    found = examine(kit, quick=True, draws=200)
    assert not found.off
    assert len(found.checks) > 40
    assert "junction leakage" in pdk_findings.text(pdk_findings.content(found))
    # The same kit, were its thresholds said to be half as wide again and its lots to move the oxide less.
    devices = {
        name: dataclasses.replace(device, threshold=1.5 * device.threshold)
        for name, device in kit.pdk.devices.items()
        if device.kind == "nmos"
    }
    process = tuple(
        dataclasses.replace(row, per_sigma={v: 0.9 * x for v, x in row.per_sigma.items()})
        if "toxe" in row.parameters
        else row
        for row in kit.pdk.process
        if row.device in devices
    )
    wrong = dataclasses.replace(kit.pdk, devices=devices, process=process)
    off = [check.what for check in examine(dataclasses.replace(kit, pdk=wrong), quick=True, draws=200).off]
    assert [what.split(",")[0] for what in off] == ["sigma of V_T", "I_D", "I_D"]
    assert [what for what in off if "mc_toxe " in what or "mc_toxeN " in what] == off[1:]


def test_a_kit_that_is_off_ends_the_command_with_status_1(tmp_path, monkeypatch, capsys):
    kit = find_pdk("gf180mcu", fake_models(tmp_path))

    def found(verdict):
        sigma = Check("mismatch", "sigma of V_T", 1.0, 2.0, "V", "within 2 %", verdict)
        return lambda *_, **__: Findings(kit, 1, 5000, (sigma,), ())

    command = ["pdk", "check", "gf180mcu", "--pdk", str(tmp_path)]
    monkeypatch.setattr(doctor, "examine", found("off"))
    assert run_command(command) == 1
    assert "gf180mcu: 1 of 1 checks is off, the first: sigma of V_T" in capsys.readouterr().err
    monkeypatch.setattr(doctor, "examine", found("ok"))
    assert run_command(command) == 0


def test_the_stored_check_is_whole_and_of_a_release_that_the_table_knows():
    path = Path(__file__).parents[1] / "benchmarks" / "results" / "pdk_gf180mcu.json"
    found = json.loads(path.read_text("utf-8"))
    known = dict(pdk("gf180mcu").releases[found["release"]])
    lines = "".join(f"{name} {digest}\n" for name, digest in sorted(known.items()))
    assert found["digest"] == hashlib.sha256(lines.encode()).hexdigest()
    assert found["draws"] >= 5000
    assert found["off"] == 0
    sigmas = [row for row in found["checks"] if row["what"].startswith("sigma")]
    assert len(sigmas) == 10  # three sizes of two transistors, the process, and both together
    assert all(abs(row["measured"] / row["wanted"] - 1.0) <= 0.02 for row in sigmas)
    seen = {round(row["measured"] / row["wanted"], 4) for row in sigmas}
    assert len(seen) == 10  # no two of them are the same draws
