"""Tolerances: every way to write one, and every way to get it wrong."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_analog.circuits.devices.tolerance import (
    CLASSES,
    DISTRIBUTIONS,
    Group,
    Tolerance,
    read_groups,
    read_tolerance,
    spreads,
)
from lmu_analog.errors import DesignError

percents = st.decimals(0, Decimal("99.99"), places=2)


@given(local=percents, lot=percents, distribution=st.sampled_from(DISTRIBUTIONS))
def test_percent_and_fraction_and_table_say_the_same(local, lot, distribution):
    wanted = Tolerance(float(local / 100), distribution, float(lot / 100))
    table = {"tolerance": f"{local} %", "distribution": distribution, "lot": f"{lot} %"}
    assert read_tolerance(table) == wanted
    assert read_tolerance({**table, "tolerance": float(local / 100), "lot": float(lot / 100)}) == wanted
    assert read_tolerance(wanted) == wanted
    assert read_tolerance(f"{local} %") == Tolerance(float(local / 100))


def test_what_is_left_out_is_gauss3_without_a_lot():
    assert read_tolerance("1 %") == Tolerance(0.01, "gauss3", 0.0)
    assert read_tolerance(0) == Tolerance(0.0, "gauss3", 0.0)
    assert read_tolerance({"lot": "500 ppm"}) == Tolerance(0.0, "gauss3", 5e-4)


def test_the_classes_and_distributions_are_those_of_the_design_file():
    assert CLASSES == ("resistor", "capacitor", "inductor", "transconductor", "tau", "opamp")
    assert DISTRIBUTIONS == ("gauss3", "gauss", "uniform", "lognormal")


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ("100 %", r"^a tolerance of 100 % is outside 0 to 100 %; write for example '1 %' or 0.01$"),
        (1, r"^a tolerance of 100 % is outside 0 to 100 %; write for example '1 %' or 0.01$"),
        (1.5, r"^1.5 is 150 %; write '1.5 %' or 0.015$"),
        ("-1 %", r"^a tolerance of -1 % is outside 0 to 100 %; write for example '1 %' or 0.01$"),
        ({"tolerance": "1 %", "lot": "100 %"}, r"^a tolerance of 100 % is outside"),
        ("1 V", r"^'1 V' is in V; write a fraction such as"),
        ("", r"^'' is not a quantity; write a fraction"),
        (float("nan"), r"^nan is not finite; write a fraction"),
        (True, r"^True is not a quantity"),
        (["1 %"], r"^\['1 %'\] is not a quantity"),
        ({}, r"^a tolerance table needs tolerance, lot, or both; or area or device$"),
        ({"distribution": "uniform"}, r"^a tolerance table needs tolerance, lot, or both;"),
        (
            {"tolerance": "1 %", "sigma": 3},
            r"^unknown key 'sigma'; known are tolerance, distribution, lot, scale",
        ),
        (
            {"tolerance": "1 %", "distribution": "normal"},
            r"^unknown distribution 'normal'; known are gauss3, gauss,",
        ),
        ({"tolerance": "1 %", "scale": "area"}, r"^unknown scale 'area'; known are none, units$"),
        ({"area": "1 um2", "lot": "1 %"}, r"^lot beside area or device: the technology says it; give one"),
        ({"area": "1 V"}, r"^'1 V' is in V; write an area such as '25 um2'$"),
        ({"area": 0}, r"^area = 0 m\^2 is outside 1e-16 to 0\.01 m\^2$"),
        ({"device": 3}, r"^device is the name of one, not 3$"),
        ({"tolerance": "1 %", "distribution": ["gauss"]}, r"^unknown distribution \['gauss'\]; known are"),
    ],
)
def test_a_wrong_tolerance_is_refused(given_, message):
    with pytest.raises(DesignError, match=message):
        read_tolerance(given_)


def test_devices_of_more_units_deviate_less():
    nominal = np.array([2.0, 1.0, 9.0])
    np.testing.assert_array_equal(spreads(Tolerance(0.03), nominal), [0.03] * 3)
    scaled = spreads(Tolerance(0.03, scale="units"), nominal)
    np.testing.assert_allclose(scaled, [0.03 / np.sqrt(2.0), 0.03, 0.01], rtol=1e-15)
    assert len(spreads(Tolerance(0.03, scale="units"), nominal[:0])) == 0


def test_n_independent_units_in_a_sum_deviate_by_the_root_of_n_less():
    # The law of scale = "units", by brute force: 9 units each with sigma 3 %.
    units = 1.0 + 0.03 * np.random.default_rng(0).standard_normal((20000, 9))
    (one, nine) = spreads(Tolerance(0.03, "gauss", scale="units"), np.array([1.0, 9.0]))
    # Sigma of a standard deviation of 20000 draws is .5 %; four of them.
    assert units.sum(axis=1).std() / 9.0 == pytest.approx(nine, rel=0.02)
    assert units[:, 0].std() == pytest.approx(one, rel=0.02)


@given(size=st.floats(1e-16, 1e-2), scale=st.sampled_from(["none", "units"]))
def test_a_tolerance_by_area_reads_back(size, scale):
    wanted = Tolerance(area=size, device="rppd", scale=scale)
    assert (
        read_tolerance({"area": size, "device": "rppd", "scale": scale}) == read_tolerance(wanted) == wanted
    )


def test_a_group_is_patterns_and_a_correlation():
    wanted = (Group(("Ra_*", "Rb_*"), 0.8),)
    assert read_groups([{"components": "Ra_*, Rb_*", "correlation": "80 %"}]) == read_groups(wanted) == wanted
