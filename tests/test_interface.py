"""What stands around a memory on a board: a buffer with a filter before it, loads at its outputs."""

import csv
import io
import re
from functools import partial

import numpy as np
import pytest
from scipy import signal

from lmu_analog import Design, DesignError, simulate
from lmu_analog.building import build
from lmu_analog.circuits.circuit import reading_taps
from lmu_analog.circuits.components import Resistor
from lmu_analog.circuits.devices.values import nearest
from lmu_analog.circuits.interface import without_interface
from lmu_analog.circuits.lowpass import HIGHEST_ORDER, poles
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.circuits.ranges import DISCRETE
from lmu_analog.limits import demands
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.statespace import frequency_response
from lmu_analog.memory.window import quadrature_for, readout
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


# ---------------------------------------------------------------- the input buffer


@pytest.mark.parametrize("order", range(1, HIGHEST_ORDER + 1))
def test_poles_are_those_of_scipy(order):
    for response, made in (
        ("butterworth", signal.buttap(order)),
        ("bessel", signal.besselap(order, norm="mag")),
    ):
        # Roots of a polynomial of this order lose some digits.
        np.testing.assert_allclose(
            np.sort_complex(poles(order, response)), np.sort_complex(made[1]), rtol=0, atol=1e-9
        )


@pytest.mark.parametrize("family", ["active-rc", "active-rc-differential", "rc-synapse"])
@pytest.mark.parametrize(("order", "response_"), [(0, ""), (1, "bessel"), (2, "bessel"), (5, "butterworth")])
def test_the_memory_gets_what_the_filter_leaves(family, order, response_):
    buffer = {"order": order, "bandwidth": "800 Hz", "response": response_} if order else "buffer"
    asked = design(family=family, opamp="ideal", input_buffer=buffer)
    frequency = np.array([3.0, 50.0, 700.0, 3000.0])
    s = 2j * np.pi * frequency
    passed = np.ones(4)
    if order:
        make = {"bessel": partial(signal.bessel, norm="mag"), "butterworth": signal.butter}[response_]
        passed = np.polyval((made := make(order, 2 * np.pi * 800.0, analog=True))[0], s) / np.polyval(
            made[1], s
        )
    alone = response(build(asked.replace(input_buffer=None)), frequency)
    # Values have twelve digits.
    np.testing.assert_allclose(response(build(asked), frequency), passed[:, None] * alone, rtol=1e-8)


@pytest.mark.parametrize("family", ["active-rc", "active-rc-differential"])
def test_a_filter_of_standard_values_comes_close(family):
    asked = design(
        family=family, opamp="ideal", values="E96", input_buffer={"order": 4, "bandwidth": "2 kHz"}
    )
    circuit = build(asked)
    frequency = np.linspace(50.0, 2000.0, 20)
    s = 2j * np.pi * frequency
    b, a = signal.butter(4, 2 * np.pi * 2000.0, analog=True)
    plain = response(build(asked.replace(input_buffer=None)), frequency)[:, 0]
    made = response(circuit, frequency)[:, 0] / plain
    # E96 is within 1.2 % of any value, and the resistors of a section act together.
    assert 1e-6 < np.abs(made / (np.polyval(b, s) / np.polyval(a, s)) - 1.0).max() < 0.03
    own = [c for c in circuit.components if c.name.startswith(("Rin_", "Cin_"))]
    for c in own:
        assert c.value == pytest.approx(
            float(nearest(c.value, "E96" if c.name[0] == "R" else "E12")), rel=1e-12
        )
        low, high = DISCRETE[type(c)]
        assert low <= c.value <= high
    assert len(own) == (20 if family.endswith("differential") else 8)


@pytest.mark.parametrize("family", ["active-rc", "active-rc-differential", "rc-synapse"])
def test_without_its_interface_the_memory_is_as_its_family_made_it(family):
    asked = design(family=family, capacitance="10 nF")
    around = asked.replace(output_load="10 kohm", input_buffer={"order": 3, "bandwidth": "2 kHz"})
    assert without_interface(build(around)) == build(asked)
    assert len(build(around).components) > len(build(asked).components)


def test_the_filter_counts_as_error_and_is_told():
    asked = design(opamp="ideal", input_buffer={"order": 2, "bandwidth": "200 Hz"})
    found, plain = simulate(asked), simulate(asked.replace(input_buffer=None))
    (line,) = (text for text in found.attrs["warnings"] if text.startswith("input filter"))
    # The delay of a Butterworth filter of second order at low frequency is sqrt(2)/w_c.
    assert f"{1e3 * np.sqrt(2) / (2 * np.pi * 200.0):.2g} ms late" in line
    w = 2j * np.pi * np.asarray(asked.stimulus.frequency) / (2 * np.pi * 200.0)
    late = 1.0 / (1.0 + np.sqrt(2.0) * w + w**2)
    ideal = frequency_response(legendre(3, asked.theta), asked.stimulus.frequency)
    rows = readout(3, quadrature_for(3).r)
    wanted = np.exp(-2j * np.pi * np.outer(asked.stimulus.frequency, asked.theta * quadrature_for(3).r))
    power = np.mean(np.abs((late[:, None] * ideal) @ rows.T - wanted) ** 2, axis=0) @ quadrature_for(3).weight
    assert found.window_nrmse.item() == pytest.approx(np.sqrt(power), rel=1e-4)
    assert found.window_nrmse.item() > 1.01 * plain.window_nrmse.item()


@pytest.mark.parametrize(("given", "message"), [
    ({"order": 0, "bandwidth": "1 kHz"}, "order: 0 is no whole number from 1 to 8"),
    ({"order": 2}, "bandwidth is missing: where the filter is 3 dB down"),
    ({"order": 2, "bandwidth": "1 kHz", "response": "chebyshev"}, "response: unknown 'chebyshev'; known are "),
    ("filter", "'buffer', or { order = 2, bandwidth = '1 kHz', response = 'butterworth' }, not 'filter'"),
])  # fmt: skip
def test_a_wrong_filter_is_refused(given, message):
    with pytest.raises(DesignError, match=rf"^\[circuit\] input: {re.escape(message)}"):
        design(input_buffer=given)
