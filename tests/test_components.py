"""The table of kinds says of every component what its own fields say."""

import re
from dataclasses import fields
from typing import get_args

import pytest

from lmu_analog.circuits.components import (
    KINDS,
    Component,
    DifferentialOpAmp,
    Follower,
    Mosfet,
    OpAmp,
    Resistor,
    Supply,
    Transconductor,
    across,
    outputs,
    parameters,
    terminals,
)
from lmu_analog.circuits.devices.ekv import NMOS
from lmu_analog.circuits.devices.models import IDEAL, OpAmpModel

REAL = OpAmpModel("part", gain=1e5, gbw=1e6)


def test_the_table_has_a_row_for_every_component_and_for_nothing_else():
    assert set(KINDS) == set(get_args(Component))


@pytest.mark.parametrize("component", KINDS, ids=lambda component: component.__name__)
def test_a_row_names_all_nets_of_its_component_and_a_value_that_it_has(component):
    known = KINDS[component]
    types = {field.name: field.type for field in fields(component)}
    nets = [name for name, type_ in types.items() if type_ in (str, "str") and name not in ("name", "role")]
    assert sorted(known.terminals) == sorted(known.pins) == sorted(nets)
    assert set(known.across) <= set(known.ends)
    numbers = {name for name, type_ in types.items() if type_ in (float, "float")}
    assert ({known.value} if known.value else set()) == numbers
    holder = types if known.value else {field.name for field in fields(OpAmpModel)}
    assert set(known.parameters) <= set(holder)


def test_kinds_are_told_apart_by_name_and_by_label():
    # Patterns such as kind:op-amp have always been the names of the classes.
    for component, known in KINDS.items():
        assert known.name == re.sub(r"(?<=[a-z])(?=[A-Z])", "-", component.__name__).lower()
    assert len({known.label for known in KINDS.values()}) == len(KINDS)


def test_nets_stand_in_the_order_that_unknowns_are_numbered_in():
    both = DifferentialOpAmp("U1", "p", "n", "y", "z", REAL, "integrator")
    assert terminals(both) == ("y", "z", "p", "n")
    assert outputs(both) == ("y", "z")
    assert across(both) == ("p", "n")
    device = Mosfet("M1", "d", "g", "s", "b", 2.0, NMOS, "device")
    assert terminals(device) == ("d", "g", "s", "b")
    assert across(device) == ("d", "s")


def test_a_current_into_a_net_does_not_set_its_voltage():
    assert outputs(Transconductor("G1", "y", "p", "n", 1e-3, "weight")) == ()
    assert outputs(Follower("E1", "y", "p", "n", 2.0, "gain")) == ("y",)
    assert (
        outputs(Supply("V1", "y", "0", 5.0, "rail")) == ()
    )  # its current is an unknown, and the net keeps its law


def test_only_real_amplifiers_have_figures_that_mismatch_changes():
    assert parameters(OpAmp("U1", "p", "n", "y", REAL, "integrator")) == ("gbw", "offset")
    assert parameters(OpAmp("U1", "p", "n", "y", IDEAL, "integrator")) == ()
    assert parameters(Follower("E1", "y", "p", "n", 2.0, "gain")) == ()
    assert parameters(Resistor("R1", "a", "b", 1e3, "series")) == ("value",)
