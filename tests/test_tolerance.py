"""Tolerances: every way to write one, and every way to get it wrong."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_analog.circuits.tolerance import CLASSES, DISTRIBUTIONS, Tolerance, read_tolerance
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
        ("100 %", r"^a tolerance of 100 % is outside 0 to 100 %$"),
        (1.5, r"^a tolerance of 150 % is outside 0 to 100 %$"),
        ("-1 %", r"^a tolerance of -1 % is outside 0 to 100 %$"),
        ({"tolerance": "1 %", "lot": "100 %"}, r"^a tolerance of 100 % is outside"),
        ("1 V", r"^'1 V' is in V; write a fraction such as"),
        ("", r"^'' is not a quantity; write a fraction"),
        (float("nan"), r"^nan is not finite; write a fraction"),
        (True, r"^True is not a quantity"),
        (["1 %"], r"^\['1 %'\] is not a quantity"),
        ({}, r"^a tolerance table needs tolerance, lot, or both$"),
        ({"distribution": "uniform"}, r"^a tolerance table needs tolerance, lot, or both$"),
        ({"tolerance": "1 %", "sigma": 3}, r"^unknown key 'sigma'; known are tolerance, distribution, lot$"),
        (
            {"tolerance": "1 %", "distribution": "normal"},
            r"^unknown distribution 'normal'; known are gauss3, gauss,",
        ),
        ({"tolerance": "1 %", "distribution": ["gauss"]}, r"^unknown distribution \['gauss'\]; known are"),
    ],
)
def test_a_wrong_tolerance_is_refused(given_, message):
    with pytest.raises(DesignError, match=message):
        read_tolerance(given_)
