"""A user's SPICE model is measured by itself: the exact engine gets what it does, and the table is checked."""

import math
from dataclasses import replace

import pytest

from lmu_analog import Design, build, netlist, simulate
from lmu_analog.circuits.components import OpAmp
from lmu_analog.circuits.devices.models import OpAmpModel
from lmu_analog.errors import DesignError, SimulationError
from lmu_analog.simulation import engines_apart
from lmu_analog.spice import elements, modelcheck, ngspice
from lmu_analog.spice.modelcheck import measure

SUPPLY = 5.0
GM, CURRENT, C, R, OFFSET, BIAS, RESISTANCE = 1e-3, 20e-6, 80e-12, 1e8, 2e-3, 1e-8, 50.0
LOW, HIGH = -4.0, 3.5
AMP = f"""* one pole with all that can be measured
.subckt amp plus minus vcc vee out
Vos q plus {OFFSET}
Ip plus 0 {BIAS}
Im minus 0 {BIAS}
G1 0 x VALUE={{LIMIT({GM}*V(q,minus),-{CURRENT},{CURRENT})}}
R1 x 0 {R}
C1 x 0 {C}
E1 y 0 VALUE={{LIMIT(V(x),V(vee)+{SUPPLY + LOW},V(vcc)-{SUPPLY - HIGH})}}
Ro y out {RESISTANCE}
.ends
"""
FIGURES = {
    "gain": GM * R,
    "gbw": GM / (2.0 * math.pi * C),
    "slew": CURRENT / C,
    "offset": OFFSET,
    "bias": BIAS,
    "swing": [SUPPLY + LOW, SUPPLY - HIGH],
}
OTHER = {"gain": "120 dB", "gbw": "10 MHz", "slew": "20 V/us"}


def design(folder, text=AMP, **figures):
    path = folder / "amp.lib"
    path.write_text(text, "utf-8")
    table = {"model": str(path), "subcircuit": "amp", **figures}
    return Design(order=1, theta="1 ms", signal="sine", bandwidth="500 Hz", supply=SUPPLY, opamp=table)


def model_of(asked: Design) -> OpAmpModel:
    return next(c.model for c in build(asked).components if isinstance(c, OpAmp))


@pytest.mark.ngspice
def test_a_model_shows_the_figures_that_its_elements_give(tmp_path):
    library = design(tmp_path, **FIGURES).opamp_model.library
    assert library is not None
    found = measure(library, gbw=1e7, slew=math.inf)
    # Newton's tolerances and four digits; and what Ro takes of the swing beside the load of 9.2 kOhm.
    assert found.gain == pytest.approx(FIGURES["gain"], rel=1e-3)
    assert found.gbw == pytest.approx(FIGURES["gbw"], rel=1e-3)
    assert (found.offset, found.bias) == pytest.approx((OFFSET, BIAS), rel=1e-3)
    assert found.slew == pytest.approx(FIGURES["slew"], rel=0.05)  # its ends round the straight part
    assert (found.low, found.high) == pytest.approx((LOW, HIGH), rel=1e-2)


@pytest.mark.ngspice
def test_a_table_that_is_right_is_not_warned_of_and_one_that_is_not_is_replaced(tmp_path):
    right, wrong = (model_of(design(tmp_path, **figures)) for figures in (FIGURES, OTHER))
    assert right.library is not None
    assert right.library.notes == ()
    assert wrong.library is not None
    assert replace(wrong, library=None) == replace(right, library=None)
    said = "\n".join(wrong.library.notes)
    for line in (
        "gain is 1e+05 V/V, and 1e+06 in the table",
        "GBW is 1.989e+06 Hz, and 1e+07 in the table",
        "slew rate is 2.5",
        "offset is 0.002 V, and 0 in the table",
        "the exact engine uses the measured",
    ):
        assert line in said


@pytest.mark.ngspice
def test_with_the_measured_figures_the_engines_agree_and_with_the_tables_they_are_told_apart(tmp_path):
    for figures, agree in (("measured", True), ("table", False)):
        asked = design(tmp_path, **OTHER, figures=figures)
        results = {engine: simulate(asked, engine=engine) for engine in ("exact", "ngspice")}
        assert (engines_apart(results) is None) == agree
        assert any("gain is 1e+05" in line for line in results["exact"].attrs["warnings"])
    assert model_of(asked).gain == pytest.approx(1e6)


def test_element_values_do_not_depend_on_what_is_measured(tmp_path, monkeypatch):
    asked = design(tmp_path, **OTHER)
    monkeypatch.setattr(modelcheck, "with_measured", lambda model: replace(model, gbw=1.0))
    values = {p.name: p.nominal for p in build(asked).parameters if "." not in p.name}
    plain = asked.replace(opamp=OTHER)
    assert values == {p.name: p.nominal for p in build(plain).parameters if "." not in p.name}


def test_without_ngspice_the_table_stands_and_that_is_said(tmp_path, monkeypatch):
    asked = design(tmp_path, **OTHER)
    monkeypatch.setattr(ngspice, "library_path", lambda: None)
    monkeypatch.setattr(modelcheck.shutil, "which", lambda _: None)
    assert model_of(asked).gbw == 10e6
    warned = simulate(asked).attrs["warnings"]
    assert any("ngspice is not installed, and the figures of the table stand unchecked" in w for w in warned)


@pytest.mark.ngspice
def test_a_model_that_does_not_run_is_said_with_the_reason(tmp_path):
    asked = design(tmp_path, AMP.replace("R1 x 0 1", "R1 x 0 noiseless 1"), **OTHER)
    warned = simulate(asked).attrs["warnings"]
    assert any("cannot be measured" in w and "unknown parameter (noiseless)" in w for w in warned)
    with pytest.raises(
        SimulationError, match=r"Error on line: .* noiseless .*: unknown parameter \(noiseless\)"
    ):
        simulate(asked, engine="ngspice")


@pytest.mark.ngspice
def test_a_model_is_measured_once_whether_it_runs_or_not(tmp_path, monkeypatch):
    asked = [design(tmp_path, text, **OTHER) for text in (AMP, AMP.replace("R1 x 0 1", "R1 x 0 noiseless 1"))]
    first = [model_of(one) for one in asked]
    monkeypatch.setattr(modelcheck, "measure", None)  # it would raise if it were called again
    assert [model_of(one) for one in asked] == first


@pytest.mark.ngspice
@pytest.mark.parametrize(("text", "pins"), [
    (AMP, ["minus", "plus", "vcc", "vee", "out"]),
    (AMP.replace("V(vee)+1.0", "1.0"), ["plus", "minus", "vcc", "vee", "out"]),  # never below 1 V
])  # fmt: skip
def test_pins_in_another_order_and_outputs_on_one_side_are_asked_about(tmp_path, text, pins):
    model = model_of(design(tmp_path, text, **OTHER, pins=pins))
    assert model.gain == pytest.approx(1e6)
    assert model.library is not None
    assert (
        "are its pins in the order that pins gives, and does it run from this supply?"
        in model.library.notes[0]
    )


@pytest.mark.ngspice
def test_a_model_without_a_pole_is_as_quick_as_is_told(tmp_path):
    text = ".subckt amp plus minus vcc vee out\nE1 out 0 plus minus 1e5\nR1 vcc vee 1e9\n.ends\n"
    model = model_of(design(tmp_path, text, **OTHER))
    assert (model.gain, model.gbw, model.slew) == (1e5, 1e12, 20e6)


def test_figures_are_measured_or_those_of_the_table(tmp_path):
    with pytest.raises(DesignError, match=r"figures = 'both'; give measured or table"):
        design(tmp_path, **OTHER, figures="both")


def test_what_is_left_out_of_a_file_is_said_in_the_warnings(tmp_path, monkeypatch):
    monkeypatch.setattr(ngspice, "library_path", lambda: None)
    monkeypatch.setattr(modelcheck.shutil, "which", lambda _: None)
    warned = simulate(design(tmp_path, ".options gmin=1\n" + AMP, **OTHER)).attrs["warnings"]
    assert any(w == "amp.lib: left out, for they are the circuit's: .options (line 1)" for w in warned)


def test_models_that_are_too_many_elements_together_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(ngspice, "library_path", lambda: None)
    monkeypatch.setattr(modelcheck.shutil, "which", lambda _: None)
    monkeypatch.setattr(elements, "MOST_ELEMENTS", 24)
    asked = design(tmp_path, **OTHER)
    netlist(build(asked))  # three op-amps of eight elements
    with pytest.raises(
        DesignError, match=r"\[circuit\] opamp: \d+ op-amps of 8 elements each are more than the 24"
    ):
        netlist(build(asked.replace(order=2)))
