"""What stands around a memory on a board: loads at its outputs."""

import csv
import io

import numpy as np
import pytest

from lmu_analog import Design, DesignError
from lmu_analog.building import build
from lmu_analog.circuits.circuit import reading_taps
from lmu_analog.circuits.components import Resistor
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.limits import demands
from lmu_analog.memory.statespace import frequency_response
from lmu_analog.output.export.lists import bom

REAL = {"gain": "100 dB", "gbw": "3 MHz", "output_current": "20 mA", "rail": "4.9 V"}


def design(order=3, **more) -> Design:
    return Design(**{"order": order, "theta": "20 ms", "taps": [0.5, 1.0], "opamp": REAL, **more})


def response(circuit, frequency):
    """Give states and taps over their gain, (f, d + t)."""
    return frequency_response(extract(reading_taps(circuit)), frequency)


# ---------------------------------------------------------------- loads


def test_a_load_divides_the_current_of_a_synapse_tap_and_leaves_the_memory():
    plain = build(design(family="rc-synapse"))
    (own,) = (c for c in plain.only(Resistor) if c.name == "Rtap1")
    loaded = build(design(family="rc-synapse", output_load=own.value))
    frequency = np.array([3.0, 17.0])
    before, after = response(plain, frequency), response(loaded, frequency)
    np.testing.assert_allclose(after[:, :3], before[:, :3], rtol=1e-12)
    np.testing.assert_allclose(after[:, 3], 0.5 * before[:, 3], rtol=1e-12)


def test_an_output_must_give_the_current_of_its_load_too():
    light, heavy = (build(design(output_load=load)) for load in (None, {"resistor": "600 ohm"}))
    asked = [
        {d.net: d for d in demands(c, design().stimulus) if d.quantity == "output current"}
        for c in (light, heavy)
    ]
    volts = {d.net: d.peak for d in demands(heavy, design().stimulus) if d.quantity == "output voltage"}
    for net in ("tap1", "tap2"):
        # A tap has nothing else to drive but its own feedback resistor, which takes current of the same sign.
        own, whole = abs(asked[0][net].peak), abs(asked[1][net].peak)
        assert whole - own == pytest.approx(abs(volts[net]) / 600.0, rel=0.02)
    assert asked[0]["x0"].peak == asked[1]["x0"].peak


def test_without_taps_the_load_is_at_every_state_and_of_a_pair_at_both_nets():
    names = {c.name for c in build(design(taps=[], output_load="10 kohm")).components}
    assert {"Rload_x0", "Rload_x1", "Rload_x2"} <= names
    pair = {"resistor": "10 kohm", "capacitor": "1 nF"}
    names = {
        c.name
        for c in build(design(family="active-rc-differential", taps=[1.0], output_load=pair)).components
    }
    assert {"Rload_tap1p", "Rload_tap1n", "Cload_tap1p", "Cload_tap1n"} <= names


def test_a_capacitor_at_an_ideal_output_changes_nothing():
    frequency = np.array([3.0, 17.0])
    plain, loaded = (build(design(opamp="ideal", output_load=load)) for load in (None, {"capacitor": "1 uF"}))
    np.testing.assert_allclose(response(loaded, frequency), response(plain, frequency), rtol=1e-12)


def test_a_load_is_the_receivers_and_is_not_ordered():
    asked = design(output_load={"resistor": "1.23 kohm", "capacitor": "1 nF"}, capacitance="10 nF")
    rows = list(csv.DictReader(io.StringIO(bom(asked, build(asked)))))
    assert rows == list(csv.DictReader(io.StringIO(bom(asked, build(design(capacitance="10 nF"))))))


def test_families_without_an_interface_refuse_it_in_a_line():
    with pytest.raises(DesignError, match=r"^\[circuit\] load: gm-c circuits take none; active-rc, .* do$"):
        design(family="gm-c", output_load="10 kohm")
