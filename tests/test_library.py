"""A user's SPICE model of an op-amp runs in ngspice in place of ours."""

from pathlib import Path

import numpy as np
import pytest

from lmu_analog.building import build
from lmu_analog.design import Design
from lmu_analog.errors import CircuitError, DesignError
from lmu_analog.output.design_text import commented
from lmu_analog.simulation import simulate
from lmu_analog.spice.netlist import netlist

# One pole: 1 mS x 1 MOhm x 1000 = 120 dB, 1 mS x 1000 / (2 pi 1.59 uF) = 100 kHz, with suffixes as makers write them.
MODEL = """* an op-amp
.subckt MYAMP inp inn vcc vee out
G1 0 x inp inn 1m
R1 x 0 1Meg
C1 x 0 1.5915494u
E1 y 0 x 0 1k
R2 y out 10
R3 vcc vee 100k
.ends MYAMP
"""


@pytest.fixture
def design(tmp_path: Path) -> Design:
    (tmp_path / "amp.lib").write_text(MODEL)
    (tmp_path / "design.toml").write_text(
        "[memory]\norder = 3\ntheta = '1 ms'\n[circuit]\nfamily = 'active-rc'\n[circuit.opamp]\n"
        "gain = '120 dB'\ngbw = '100 kHz'\nrail = '1000 V'\noutput_resistance = '10 Ohm'\n"
        "model = 'amp.lib'\nsubcircuit = 'MYAMP'\n"
    )
    return Design.load(tmp_path / "design.toml")


def test_the_model_and_its_supplies_stand_in_the_deck_once(design):
    text = str(netlist(build(design)))
    assert text.lower().count(".subckt myamp") == 1
    assert text.count("Vvcc vcc 0 DC 5.0") == text.count("Vvee vee 0 DC -5.0") == 1
    calls = [line.split() for line in text.splitlines() if line.startswith("X")]
    assert len(calls) == sum(c.name[0] == "U" for c in build(design).components)
    assert all(call[3:5] == ["vcc", "vee"] and call[-1].lower() == "myamp" for call in calls)


@pytest.mark.ngspice
def test_ngspice_runs_the_model_and_agrees_with_its_figures(design):
    exact, simulated = (simulate(design, engine=engine) for engine in ("exact", "ngspice"))
    # The model is one pole of the stated gain and bandwidth; ngspice's step error remains.
    np.testing.assert_allclose(simulated.states, exact.states, atol=1e-4)
    ideal = simulate(design.replace(opamp="ideal"))
    assert float(abs(exact.states - ideal.states).max()) > 2e-4


def test_the_digest_follows_the_models_text(design, tmp_path):
    (tmp_path / "amp.lib").write_text(MODEL.replace("1Meg", "2Meg"))
    assert Design.load(tmp_path / "design.toml").digest != design.digest


def test_a_written_design_names_the_model_beside_it(design, tmp_path):
    (tmp_path / "again.toml").write_text(commented(design))
    assert Design.load(tmp_path / "again.toml").digest == design.digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("model = 'amp.lib'\n", ""), "subcircuit needs model, a file, together with subcircuit"),
        (("'MYAMP'", "'OTHER'"), "OTHER"),
        (("'MYAMP'\n", "'MYAMP'\npins = ['plus', 'minus', 'out']\n"), "MYAMP has 5 pins, and pins names 3"),
        (
            ("'MYAMP'\n", "'MYAMP'\npins = ['plus', 'up']\n"),
            "pins are a list of plus, minus, vcc, vee, out and ground",
        ),
        (("'amp.lib'", "'none.lib'"), r"none\.lib"),
    ],
)
def test_a_wrong_model_is_refused(design, tmp_path, change, message):
    text = (tmp_path / "design.toml").read_text().replace(*change)
    (tmp_path / "design.toml").write_text(text)
    with pytest.raises(DesignError, match=rf"\[circuit\] opamp: .*{message}"):
        Design.load(tmp_path / "design.toml")


def test_a_hostile_model_is_refused_with_its_line(design, tmp_path):
    (tmp_path / "amp.lib").write_text(MODEL.replace("R3 vcc", ".control\nshell rm -r .\n.endc\nR3 vcc"))
    with pytest.raises(DesignError, match=r"amp\.lib, line 8"):
        Design.load(tmp_path / "design.toml")


def test_a_differential_family_refuses_a_single_ended_model(design):
    with pytest.raises(CircuitError, match="a model file describes a single-ended op-amp"):
        netlist(build(design.replace(family="active-rc-differential")))
