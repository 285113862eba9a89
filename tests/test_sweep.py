"""Sweeps give labelled arrays over design parameters."""

import numpy as np
import pytest
import xarray as xr

from lmu_analog.design import Design
from lmu_analog.ensembles.sweep import sweep
from lmu_analog.errors import DesignError
from lmu_analog.simulation import simulate

DESIGN = Design(order=3, theta="1 ms", bandwidth="300 Hz")


def test_a_number_is_measured_over_the_grid():
    grid = sweep(
        DESIGN,
        {"circuit.realization": ["legendre", "cap-feedforward"], "memory.order": [2, 3, 4]},
        lambda design: design.order,
    )
    assert grid.value.dims == ("circuit.realization", "memory.order")
    assert grid.value.sel({"circuit.realization": "legendre"}).values.tolist() == [2.0, 3.0, 4.0]


def test_keys_and_fields_name_the_same_parameter():
    a, b = (
        sweep(DESIGN, {name: ["1 ms", "2 ms"]}, lambda design: design.theta)
        for name in ("memory.theta", "theta")
    )
    np.testing.assert_array_equal(a.value, b.value)


def test_datasets_keep_their_dimensions():
    grid = sweep(DESIGN, {"order": [2, 3]}, lambda design: simulate(design)[["profile", "window_nrmse"]])
    assert grid.profile.dims == ("order", "delay")
    assert float(grid.window_nrmse[1]) == float(simulate(DESIGN).window_nrmse)


def test_several_numbers_are_named():
    grid = sweep(
        DESIGN, {"supply": [3, 5]}, lambda design: {"volts": design.supply, "double": 2 * design.supply}
    )
    assert isinstance(grid, xr.Dataset)
    assert grid.double.values.tolist() == [6.0, 10.0]


def test_values_that_are_tables_are_labelled_by_their_text():
    grid = sweep(
        DESIGN,
        {"mismatch": [{"resistor": "1 %"}, {"resistor": "2 %"}]},
        lambda design: design.mismatch["resistor"].tolerance,
    )
    assert grid.value.values.tolist() == [0.01, 0.02]


def test_an_unknown_parameter_is_refused():
    with pytest.raises(DesignError, match="unknown parameter 'circuit.colour'; known are memory.order"):
        sweep(DESIGN, {"circuit.colour": ["red"]}, lambda design: 0.0)


def test_a_combination_that_is_no_design_is_refused():
    with pytest.raises(DesignError, match=r"\[memory\] order: order 99 is outside"):
        sweep(DESIGN, {"order": [3, 99]}, lambda design: 0.0)
