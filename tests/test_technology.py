"""Technologies: Pelgrom's law, the published figures, and what temperature does."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_analog.analysis.corners import Axes, corners
from lmu_analog.building import build
from lmu_analog.circuits.circuit import with_values
from lmu_analog.circuits.devices.technology import pelgrom, technologies, technology, tolerances
from lmu_analog.circuits.devices.tolerance import CLASSES, Tolerance
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.circuits.temperature import NOMINAL, Drift, at_temperature
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.mismatch.law import Mismatch, columns, draw, sample, truncated
from lmu_analog.output.corners import content, remarks

UM2 = 1e-12


@pytest.mark.parametrize("name", technologies())
def test_every_figure_has_a_class_a_source_and_a_confidence(name):
    known = technology(name)
    assert known.about
    for device in known.devices.values():
        assert device.kind in CLASSES
        assert device.source
        assert device.confidence in ("public", "secondary", "textbook")
        spreads = (device.local, device.threshold, device.tolerance, device.lot)
        assert any(spreads)


@pytest.mark.parametrize(("name", "device", "figure", "value"), [
    # The models of the open PDKs (cornerRES, resistors_mod and cornerCAP of IHP-Open-PDK); % um, mV um, nm, a device
    ("ihp-sg13g2", "rsil", "local", 1.7e-8), ("ihp-sg13g2", "rppd", "local", 2e-8),
    ("ihp-sg13g2", "rhigh", "local", 5e-8), ("ihp-sg13g2", "mim", "local", 1e-8),
    ("ihp-sg13g2", "nmos", "threshold", 3.9e-9), ("ihp-sg13g2", "pmos", "threshold", 2.2e-9),
    ("ihp-sg13g2", "rppd", "lot", 0.1), ("ihp-sg13g2", "rhigh", "lot", 0.147),
    ("ihp-sg13g2", "rppd", "tc1", 170e-6), ("ihp-sg13g2", "rhigh", "tc1", -2300e-6),
    ("ihp-sg13g2", "rsil", "lot", 0.14), ("ihp-sg13g2", "rsil", "tc1", 3100e-6),
    ("ihp-sg13g2", "rppd", "tc2", 0.4e-6), ("ihp-sg13g2", "rsil", "tc2", 0.3e-6),
    ("ihp-sg13g2", "rhigh", "tc2", 2.1e-6), ("ihp-sg13g2", "rppd", "edge", 6e-9),
    ("ihp-sg13g2", "rsil", "edge", 6e-9), ("ihp-sg13g2", "rhigh", "edge", 9e-9),
    ("ihp-sg13g2", "mim", "tc2", 2e-9), ("ihp-sg13g2", "mim", "tc1", 3.6e-6), ("sky130", "nmos", "threshold", 3.4e-9),
    # The models of GF180MCU: pairs over root two, three sigma of res_statistical and mimcap_statistical
    ("gf180mcu", "nmos", "threshold", 5.05e-9), ("gf180mcu", "pmos", "threshold", 4.71e-9),
    ("gf180mcu", "mim", "lot", 0.075), ("gf180mcu", "ppolyf", "lot", 0.155), ("gf180mcu", "ppolyf", "sheet", 350),
    ("sky130", "mim", "local", 2.8e-8), ("sky130", "mim", "lot", 0.15),
])  # fmt: skip
def test_the_figures_are_the_published_ones(name, device, figure, value):
    assert getattr(technology(name).device(device), figure) == pytest.approx(value, rel=1e-12)


@given(area=st.floats(1e-14, 1e-6), factor=st.floats(1.1, 100.0))
def test_sigma_falls_with_the_root_of_the_area_and_a_pair_has_root_two_more(area, factor):
    assert pelgrom(2e-8, area) == pytest.approx(math.sqrt(factor) * pelgrom(2e-8, factor * area), rel=1e-12)
    pair = pelgrom(2e-8, area, of="pair")
    assert pair == pytest.approx(math.sqrt(2) * pelgrom(2e-8, area), rel=1e-12)


def test_tolerances_of_a_chip_are_three_sigma_of_one_device_and_a_lot():
    found = tolerances(technology("ihp-sg13g2"), {"resistor": 100 * UM2, "mim": 400 * UM2, "pmos": 100 * UM2})
    assert {(t.distribution, t.lot) for c, t in found.items() if c != "transconductor"} == {("gauss3", 0.1)}
    # Square: 2 % um over 10 um, and 6 nm of 10 um in width and in length.
    assert found["resistor"].tolerance == pytest.approx(3 * math.sqrt(0.002**2 + 2 * 0.0006**2), rel=1e-12)
    assert found["capacitor"].tolerance == pytest.approx(3 * 0.01 / 20, rel=1e-12)
    # 2.2 mV um over 10 um against n U_T = 34.9 mV.
    assert found["transconductor"].tolerance == pytest.approx(3 * 0.22e-3 / 34.9e-3, rel=1e-3)
    assert Design(order=3, mismatch=found).mismatch == found


def test_tolerances_of_a_board_stay_within_what_is_printed_on_the_part():
    found = tolerances(technology("discrete"), {"resistor": 0.0, "capacitor": 0.0})
    assert {k: t.tolerance + t.lot for k, t in found.items()} == pytest.approx(
        {"resistor": 0.01, "capacitor": 0.05}
    )
    assert {t.distribution for t in found.values()} == {"uniform"}
    assert tolerances(technology("discrete"), {"opamp": 0.0}) == {"opamp": Tolerance(0.03, "gauss3", 0.08)}


@pytest.mark.parametrize(("name", "area", "message"), [
    ("sky130", {"resistor": UM2}, r"^poly has no area coefficient: SkyWater open PDK"),
    ("cmos-65", {"inductor": UM2}, r"^cmos-65 has no 'inductor'; it has poly \(resistor\), mim"),
    ("ihp-sg13g2", {"rhigh": UM2, "rppd": UM2}, r"^ihp-sg13g2: two devices for the class resistor; give one"),
    ("ihp-sg13g2", {"rppd": 0.0}, r"^area = 0 m\^2; it must be positive$"),
    ("cmos-180", {"nmos": 0.02 * UM2}, r"^nmos of 0\.02 um\^2 deviates by 243 % \(three sigma\); take at least 0\.118"),
])  # fmt: skip
def test_what_a_technology_cannot_say_is_refused(name, area, message):
    with pytest.raises(DesignError, match=message):
        tolerances(technology(name), area)


def test_an_unknown_technology_is_refused():
    with pytest.raises(DesignError, match=r"^unknown technology 'cmos-7'; known are ihp-sg13g2, sky130, "):
        technology("cmos-7")


def test_a_narrow_resistor_deviates_by_its_width():
    # rppd of 1 um x 100 um: .2 % by area, .6 % by 6 nm of width, .006 % by length.
    sigma = math.sqrt(0.002**2 + 0.006**2 + 0.00006**2)
    found = tolerances(technology("ihp-sg13g2"), {"rppd": 100 * UM2}, width={"rppd": 1e-6})
    assert found["resistor"].tolerance == pytest.approx(3 * sigma, rel=1e-12)
    assert 100 * sigma == pytest.approx(0.63, abs=0.005)


@pytest.mark.parametrize(("table", "squares"), [
    ({"area": "100 um2"}, None),  # the width follows from every value
    ({"area": "100 um2", "width": "2 um"}, 25.0),
    ({"area": "100 um2", "scale": "units"}, "smallest"),
])  # fmt: skip
def test_every_resistor_of_a_design_has_the_width_that_makes_its_value(table, squares):
    design = Design(order=4, theta="1 ms", technology="ihp-sg13g2", mismatch={"resistor": table})
    circuit, law = build(design), Mismatch.of(design)
    resistors = np.array(["resistor" in p.classes for p in circuit.parameters])
    value = circuit.values[resistors]
    unit = value.min() if squares == "smallest" else value
    count = value / unit
    shape = np.full(len(value), squares) if isinstance(squares, float) else unit / 260.0
    width = np.sqrt(100.0 / shape)  # um
    sigma = np.sqrt(0.002**2 + (0.006 / width) ** 2 + (0.006 * width / 100.0) ** 2) / np.sqrt(count)
    z = np.full((1, len(columns(circuit, law))), 1.0)
    z[:, -1] = 0.0  # the lot
    found = sample(circuit, law, z)[0][resistors] / value - 1.0
    # A draw of one standard deviation, of a normal law cut at three.
    np.testing.assert_allclose(found, sigma * truncated(np.ones(1)), rtol=1e-9)


def test_the_lot_of_a_class_does_not_depend_on_width():
    found = tolerances(technology("ihp-sg13g2"), {"rsil": 100 * UM2}, width={"rsil": 1e-6})
    assert found["resistor"].lot == 0.14


@pytest.mark.parametrize(("table", "message"), [
    ({"device": "rppd", "width": "1 um"}, r"width without area: give the area W L too, for example area = '100 um2'"),
    ({"area": "1 um2", "width": "200 um"}, r"width = 0\.0002 m with area = 1e-12 m\^2; width and length are at least"),
    ({"area": "1 um2", "width": "1 V"}, r"'1 V'.*a length such as '2 um'"),
])  # fmt: skip
def test_a_width_beyond_sense_is_refused(table, message):
    with pytest.raises(DesignError, match=message):
        Design(order=3, theta="1 ms", technology="ihp-sg13g2", mismatch={"resistor": table})


def test_an_unknown_temperature_coefficient_is_not_zero():
    with pytest.raises(
        DesignError, match=r"temperature: the coefficient of poly of sky130 is not known; give it, for"
    ):
        Design(order=3, theta="1 ms", technology="sky130", temperature="85 C")
    known = Design(
        order=3,
        theta="1 ms",
        technology="sky130",
        temperature="85 C",
        drift={"resistor": "100 ppm", "capacitor": "0 ppm"},
    )
    assert known.unknown_drift == {}
    assert known.temperature_law == {"resistor": Drift(1e-4), "capacitor": Drift(0.0)}


def test_corners_say_what_temperature_leaves_where_it_is():
    design = Design(order=3, theta="1 ms", technology="sky130", drift={"resistor": "100 ppm"})
    given = content(corners(design, axes=Axes(samples=0)))
    assert given["unknown_drift"] == ["capacitor"]
    assert any(line.startswith("temperature leaves every capacitor where it is") for line in remarks(given))


def test_at_the_nominal_temperature_nothing_changes():
    circuit = build(Design(order=4, theta="1 ms", opamp="OPA2192"))
    law = technology("ihp-sg13g2").drifts({})
    np.testing.assert_array_equal(at_temperature(circuit, law, NOMINAL), circuit.values)


def test_every_class_moves_by_its_own_polynomial_and_offsets_stay():
    circuit = build(Design(order=3, theta="1 ms", opamp="OPA2192"))
    law = {"resistor": Drift(1e-3, 1e-6), "opamp": Drift(-2e-3)}
    found = at_temperature(circuit, law, NOMINAL + 50.0) / np.where(circuit.values == 0, 1, circuit.values)
    expected = {"resistor": 1 + 0.05 + 0.0025, "capacitor": 1.0, "opamp": 0.9}
    for p, factor in zip(circuit.parameters, found, strict=True):
        wanted = 0.0 if p.name.endswith(".offset") else expected[p.classes[0]]
        assert factor == pytest.approx(wanted, rel=1e-14)


def test_a_warm_memory_is_a_longer_one():
    # All time constants grow alike, hence theta.
    circuit = build(Design(order=4, theta="1 ms"))
    law = technology("ihp-sg13g2").drifts({"resistor": "rppd", "capacitor": "mim"})
    warm = extract(with_values(circuit, at_temperature(circuit, law, NOMINAL + 60.0)))
    stretched = (1 + 170e-6 * 60 + 0.4e-6 * 60**2) * (1 + 3.6e-6 * 60 + 2e-9 * 60**2)
    np.testing.assert_allclose(warm.A * stretched, extract(circuit).A, rtol=1e-9, atol=1e-6)


def test_temperatures_and_samples_broadcast():
    design = Design(order=3, theta="1 ms", mismatch={"resistor": "1 %"})
    circuit, law = build(design), Mismatch.of(design)
    values = sample(circuit, law, draw(circuit, law, seed=0, samples=range(5)))
    drift = {"resistor": Drift(1e-4)}
    found = at_temperature(circuit, drift, np.array([[250.0], [NOMINAL], [350.0]]), values=values)
    assert found.shape == (3, 5, len(circuit.values))
    np.testing.assert_array_equal(found[1], values)
    np.testing.assert_array_equal(found[2], at_temperature(circuit, drift, 350.0, values=values))


@pytest.mark.parametrize("temperatures", [423.15, [300.15, 423.15]])
def test_coefficients_that_leave_no_part_name_their_table(temperatures):
    design = Design(order=3, theta="1 ms", drift={"resistor": {"tc1": -0.01}})
    words = r"^\[drift\] resistor: at 423.15 K R\S+ would be -0.23 times its value at 300.15 K; give smaller"
    with pytest.raises(DesignError, match=words):
        at_temperature(build(design), design.temperature_law, np.asarray(temperatures))
    with pytest.raises(DesignError, match=words):
        build(design.replace(temperature="150 C"))
