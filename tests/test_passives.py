"""Series of resistors and capacitors: sane, and the cheapest that has a value is taken."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_analog.circuits.devices.passives import PRICE_CLASSES, QUANTITIES, choose, is_member, passives
from lmu_analog.circuits.devices.values import SERIES, nearest

# Largest coefficients that materials of these names have, ppm/K; EIA's class C0G is +-30 by definition.
SANE = {
    "thick film": 400, "thin film": 50, "metal film": 100, "metal foil": 5, "C0G": 30,
    "polypropylene film": 300, "polyester film": 1000,
}  # fmt: skip


@pytest.mark.parametrize("name", passives())
def test_a_series_is_complete_and_of_the_right_size(name):
    series = passives()[name]
    low, high = (1.0, 1e9) if series.kind == "resistor" else (1e-12, 1e-5)
    assert low <= series.least < series.largest <= high
    assert 10.0 <= series.voltage <= 1000.0
    for of in series.classes:
        assert 1e-4 <= of.tolerance <= 0.2
        assert of.series in SERIES
        assert set(of.prices) <= set(PRICE_CLASSES)
        assert list(of.prices) == sorted(of.prices, reverse=True)  # more are never dearer
        if series.material == "X7R":  # EIA: +-15 % from -55 to 125 C, no straight line
            assert (of.tc, series.drift, series.linear) == (None, 0.15, False)
        else:
            assert 0.0 < 1e6 * of.tc <= SANE[series.material]
    tolerances = [of.tolerance for of in series.classes]
    assert tolerances == sorted(tolerances, reverse=True)
    # Narrower tolerances cost at least as much.
    assert [of.price(100) for of in series.classes] == sorted(of.price(100) for of in series.classes)


def test_price_classes_follow_each_other_and_depend_on_the_quantity():
    ends = list(PRICE_CLASSES.values())
    assert all(first[1] == second[0] for first, second in zip(ends[:-1], ends[1:], strict=True))
    of = passives()["c0g-0805"].classes[0]
    assert [of.price(n) for n in (1, 99, 100, 999, 1000, 10**6)] == [of.prices[k] for k in (0, 0, 1, 1, 2, 2)]
    assert QUANTITIES == (1, 100, 1000)


@given(
    value=st.floats(1.0, 1e9),
    tolerance=st.sampled_from([0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05]),
    voltage=st.floats(0.0, 300.0),
)
def test_what_is_chosen_fits_and_nothing_that_fits_is_cheaper(value, tolerance, voltage):
    value = float(nearest(value, "E24"))
    found = choose("resistor", value, tolerance=tolerance, voltage=voltage)
    fits = [
        (of.price(100), series.name)
        for series in passives().values()
        if series.kind == "resistor" and series.voltage >= voltage
        and series.least <= value * (1 + 1e-9) and value <= series.largest * (1 + 1e-9)
        for of in series.classes
        if of.tolerance <= tolerance * (1 + 1e-9)
            # Makers that list a finer series list the values of E24, too.
            and any(is_member(value, listed) for listed in {of.series, "E24" if int(of.series[1:]) > 24 else of.series})
    ]  # fmt: skip
    if found is None:
        assert not fits
    else:
        assert (found.of.price(100), found.series.name) in fits
        assert found.of.price(100) == min(price for price, _ in fits)


def test_the_usual_choices_are_those_of_a_designer():
    assert choose("resistor", 10e3, tolerance=0.01).series.material == "thick film"
    assert choose("resistor", 10e3, tolerance=0.001).series.material == "thin film"
    assert choose("resistor", 10e3, tolerance=0.001).of.tolerance == pytest.approx(0.001)
    assert choose("capacitor", 1e-9, tolerance=0.05).series.material == "C0G"
    assert choose("capacitor", 680e-9, tolerance=0.05).series.material == "polyester film"
    assert choose("capacitor", 100e-9, decoupling=True).series.material == "X7R"
    assert choose("capacitor", 100e-9, tolerance=0.05).series.material != "X7R"  # no filter is made of it
    assert choose("resistor", 42.2e6, tolerance=0.01) is None  # nobody has it in stock
    assert choose("resistor", 10.05e3, tolerance=0.01) is None  # no standard value
    assert choose("capacitor", 22e-6, tolerance=0.05) is None


KICAD = Path("/usr/share/kicad/footprints")


@pytest.mark.skipif(not KICAD.is_dir(), reason="KiCad's libraries are not installed")
def test_kicad_has_the_footprints():
    for series in passives().values():
        library, name = series.footprint.split(":")
        assert (KICAD / f"{library}.pretty" / f"{name}.kicad_mod").is_file(), series.footprint
