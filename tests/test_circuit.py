"""Circuits as data: parameters in component order, other values, nets and names."""

import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_analog.circuits.circuit import Circuit, Term, with_values
from lmu_analog.circuits.components import (
    Capacitor,
    Inductor,
    OpAmp,
    Resistor,
    Transconductor,
    identifier,
    terminals,
)
from lmu_analog.circuits.devices.models import IDEAL, OpAmpModel
from lmu_analog.errors import CircuitError

REAL = OpAmpModel("part", gain=1e5, gbw=1e6, offset=1e-3, offset_max=5e-3, rail=5.0)
CIRCUIT = Circuit(
    "by hand",
    "none",
    1.0,
    (
        Resistor("R1", "u", "a", 1e3, "series"),
        OpAmp("U1", "0", "a", "x", REAL, "integrator"),
        Capacitor("C1", "a", "x", 1e-9, "integrator", ("capacitor", "tau")),
        OpAmp("U2", "x", "y", "y", IDEAL, "buffer"),
        Inductor("L1", "y", "z", 1e-3, "filter"),
        Transconductor("G1", "z", "y", "0", 1e-4, "weight"),
    ),
    ((Term("v", "x", 2.0),),),
)


def test_parameters_stand_in_component_order_with_their_classes():
    assert [(p.name, p.component, p.nominal, p.classes) for p in CIRCUIT.parameters] == [
        ("R1", "R1", 1e3, ("resistor",)),
        ("U1.gbw", "U1", 1e6, ("opamp",)),
        ("U1.offset", "U1", 1e-3, ("opamp",)),
        ("C1", "C1", 1e-9, ("capacitor", "tau")),
        ("L1", "L1", 1e-3, ("inductor",)),
        ("G1", "G1", 1e-4, ("transconductor",)),
    ]
    np.testing.assert_array_equal(CIRCUIT.values, [1e3, 1e6, 1e-3, 1e-9, 1e-3, 1e-4])


positive = st.floats(1e-15, 1e15)


@given(values=st.lists(positive, min_size=6, max_size=6))
def test_given_values_read_back(values):
    changed = with_values(CIRCUIT, np.array(values))
    np.testing.assert_array_equal(changed.values, values)
    assert [p.name for p in changed.parameters] == [p.name for p in CIRCUIT.parameters]
    assert changed.nets == CIRCUIT.nets
    assert changed.probes == CIRCUIT.probes


def test_the_nominal_values_change_nothing():
    assert with_values(CIRCUIT, CIRCUIT.values) == CIRCUIT


@pytest.mark.parametrize("count", [0, 5, 7])
def test_the_wrong_number_of_values_is_refused(count):
    with pytest.raises(CircuitError, match=rf"^{count} values given; the circuit has 6 parameters$"):
        with_values(CIRCUIT, np.ones(count))


def test_nets_stand_in_order_of_appearance_without_ground():
    assert CIRCUIT.nets == ("u", "a", "x", "y", "z")
    assert terminals(CIRCUIT.components[1]) == ("x", "0", "a")
    assert CIRCUIT.order == 1


def test_an_opamp_is_ideal_only_without_limits_of_gain_and_band():
    assert IDEAL.ideal
    assert OpAmpModel(rail=5.0, slew=1e6).ideal
    assert not OpAmpModel(gain=1e6).ideal
    assert not OpAmpModel(gbw=1e6).ideal
    assert math.isinf(IDEAL.slew)


@given(i=st.integers(0, 99), j=st.integers(0, 99), letter=st.sampled_from("abcsw"))
def test_roles_of_different_elements_give_different_name_parts(i, j, letter):
    assert identifier(f"{letter}[{i},{j}]") == f"{letter}_{i}_{j}"


@given(text=st.text())
def test_every_name_part_can_stand_in_a_deck(text):
    assert all(c.isascii() and (c.isalnum() or c == "_") for c in identifier(text))


def test_a_circuit_cannot_be_changed():
    with pytest.raises(FrozenInstanceError, match="family"):
        CIRCUIT.family = "other"
