"""Values that a design gives single components."""

import re

import numpy as np
import pytest

from lmu_analog.building import build
from lmu_analog.circuits.components import Capacitor, Resistor
from lmu_analog.circuits.devices.values import nearest
from lmu_analog.circuits.element_values import element_values
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.output.design_text import commented
from lmu_analog.output.export.lists import bom_lines
from lmu_analog.spice.deck import described, written
from lmu_analog.spice.driven import Transient

LADDER = Design(order=3, theta="1 ms", realization="ladder")


def values_of(circuit):
    return {c.name: c.value for c in circuit.only(Resistor, Capacitor)}


def test_a_value_that_is_given_is_that_of_the_circuit_its_deck_and_its_list_of_parts():
    design = LADDER.replace(element_values={"Ra_0_1": "12.1 kOhm"})
    made = build(design)
    assert values_of(made) == {**values_of(build(LADDER)), "Ra_0_1": 12.1e3}
    deck = written(described(made, Transient(1e-3, 1e-6), design.stimulus))
    assert re.search(r"(?m)^Ra_0_1 \S+ \S+ 12100(\.0)?\b", deck)
    lines = [line for line in bom_lines(design, made) if "Ra_0_1" in line.deck_names.split()]
    assert [float(line.value_si) for line in lines] == [12.1e3]


def test_the_coefficient_follows_by_the_formula_of_an_integrator():
    design = Design(order=1, theta="1 ms", realization="ladder", capacitance="1 nF")
    made = build(design.replace(element_values={"Ra_0_0": "470 kOhm", "Cint_0": "2.2 nF"}))
    assert extract(made).A[0, 0] == pytest.approx(-1.0 / (470e3 * 2.2e-9), rel=1e-12)


def test_a_pair_has_one_name_and_each_half_its_own():
    design = Design(order=2, theta="1 ms", family="active-rc-differential")
    made = values_of(build(design.replace(element_values={"Rb_0_n": 9e3, "Rb_0": 8e3, "Rb_1_p": 7e3})))
    before = values_of(build(design))
    assert made == {**before, "Rb_0_p": 8e3, "Rb_0_n": 9e3, "Rb_1_p": 7e3}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_values_of_a_circuit_given_back_are_the_circuit(family):
    design = Design(order=2, theta="1 ms", family=family)
    circuit = build(design)
    again = build(design.replace(element_values=element_values(circuit, digits=12)))
    assert again == circuit


def test_others_are_rounded_around_values_that_are_given():
    for fit in ("common", "joint"):
        given = {"Ra_0_1": 12.345e3, "Ra_2_1": 54.321e3}
        design = LADDER.replace(capacitance="1 nF", values="E24", values_fit=fit, element_values=given)
        made, kept = values_of(build(design)), values_of(build(design.replace(values="exact")))
        resistors = {name: x for name, x in made.items() if name[0] == "R"}
        assert {name: x for name, x in resistors.items() if x != nearest(np.array([x]), "E24")[0]} == given
        # The level of their nodes stays, else the circuit would be another one.
        held = [name for name in made if name.startswith(("Ra_0_", "Cint_0", "Rb_0"))]
        assert all(made[name] == pytest.approx(kept[name], rel=0.06) for name in held)


@pytest.mark.parametrize(("name", "text"), [
    ("d.csv", "name,value\nRa_0_1,12.1 kOhm  # measured\nCint_0,1.02e-9\n"),
    ("d.csv", "Ra_0_1;12,1 kOhm\nCint_0;1,02 nF\n"),
    ("d.toml", 'Ra_0_1 = "12.1 kOhm"\nCint_0 = "1.02 nF"\n'),
    ("d.toml", '[element_values]\nRa_0_1 = "12.1 kOhm"\nCint_0 = "1.02 nF"\n'),
])  # fmt: skip
def test_a_file_beside_the_design_has_them_too(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    (tmp_path / "design.toml").write_text(f'[memory]\norder = 3\n[circuit]\nelement_values = "{name}"\n')
    read = Design.load(tmp_path / "design.toml")
    assert read.element_values == {"Ra_0_1": 12.1e3, "Cint_0": 1.02e-9}
    (tmp_path / "again.toml").write_text(commented(read))
    assert Design.load(tmp_path / "again.toml") == read


@pytest.mark.parametrize(("text", "message"), [
    ("Ra_0_1,12.1 kOhm,5\n", r"values\.csv, line 1: 3 cells; give a table of name,value, .*"),
    ("Ra_0_1,1 kOhm\nRa_0_1,2 kOhm\n", r"values\.csv, line 2: 'Ra_0_1' has a value already; give it once"),
    ("Ra_0_1,many\n", r"values\.csv, line 1: Ra_0_1: 'many' is not a quantity; .*"),
    ("# none\n", r"values\.csv holds no value; .*"),
])  # fmt: skip
def test_a_wrong_file_is_refused_with_its_line(tmp_path, text, message):
    (tmp_path / "values.csv").write_text(text)
    with pytest.raises(DesignError, match=message):
        LADDER.replace(element_values=tmp_path / "values.csv")


def test_an_unknown_name_is_told_with_those_nearby():
    with pytest.raises(
        DesignError, match=r"\[circuit\] element_values: no 'Rao_1' in this circuit; near it are Ra_"
    ):
        build(LADDER.replace(element_values={"Rao_1": 1e4}))


def test_values_are_of_one_circuit_and_go_with_it():
    given = LADDER.replace(element_values={"Ra_0_1": 12.1e3})
    same = given.replace(nrmse=0.02, mismatch={"resistor": 0.01}, theta="1000 us")
    assert same.element_values == given.element_values
    for change in (
        {"theta": "2 ms"},
        {"order": 4},
        {"opamp": "TL072"},
        {"amplitude": 0.1},
        {"realization": "bus-ladder"},
    ):
        assert given.replace(**change).element_values == {}
    kept = given.replace(theta="2 ms", element_values=given.element_values)
    assert kept.element_values == given.element_values
