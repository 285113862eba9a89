"""Sweeps give labelled arrays over design parameters."""

import numpy as np
import pytest
import xarray as xr

from lmu_analog.design import Design
from lmu_analog.design_keys import KEYS
from lmu_analog.ensembles.sweep import sweep
from lmu_analog.errors import DesignError, SimulationError, StoreError
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


def test_numbers_stay_numbers_and_every_key_has_a_name():
    grid = sweep(
        DESIGN.replace(opamp={"gain": 100.0, "gbw": 1e6, "slew": 1e6}, mismatch={"capacitor": "1 %"}),
        {
            "mismatch.resistor": ["1 %", "2 %"],
            "circuit.opamp.gbw": np.array([1e6, 2e6]),
            "memory.order": np.arange(2, 4),
            "spec.nrmse": [0.05],
            "drift.resistor": ["25 ppm"],
        },
        lambda design: {
            "resistor": design.mismatch["resistor"].tolerance,
            "capacitor": design.mismatch["capacitor"].tolerance,
            "gbw": design.opamp_model.gbw,
            "order": design.order,
            "nrmse": design.nrmse,
            "drift": design.drift["resistor"].tc1,
        },
    )
    assert grid.sizes["circuit.opamp.gbw"] == 2
    assert grid["circuit.opamp.gbw"].dtype.kind == "f"
    assert grid["memory.order"].dtype.kind == "i"
    at = grid.sel({"mismatch.resistor": "2 %", "circuit.opamp.gbw": 2e6, "memory.order": 3}).squeeze()
    assert [float(at[name]) for name in ("resistor", "capacitor", "gbw", "order", "nrmse", "drift")] == [
        0.02, 0.01, 2e6, 3.0, 0.05, 25e-6,
    ]  # fmt: skip


def test_every_key_of_the_design_file_can_be_named():
    for key in KEYS.values():
        name = key.name if key.table == key.name else f"{key.table}.{key.name}"
        kept = sweep(DESIGN, {name: [getattr(DESIGN, field_of(key))]}, lambda design: design.theta)
        assert kept.value.shape == (1,)


def field_of(key):
    return next(field for field, known in KEYS.items() if known is key)


def test_a_combination_that_is_no_design_or_fails_is_nan_with_its_reason():
    def measure(design):
        if design.order == 4:
            raise SimulationError("ngspice fell over")
        return design.order

    grid = sweep(DESIGN, {"order": [3, 99, 4]}, measure)
    np.testing.assert_array_equal(grid.value, [3.0, np.nan, np.nan])
    assert grid.reason.values.tolist() == [
        "",
        "[memory] order: order 99 is outside 1 to 64",
        "ngspice fell over",
    ]


def test_a_grid_without_any_design_is_refused():
    with pytest.raises(
        DesignError, match=r"^no combination could be measured: \[memory\] order: order 98 is"
    ):
        sweep(DESIGN, {"order": [98, 99]}, lambda design: 0.0)


def test_datasets_are_nan_where_a_combination_is_none():
    grid = sweep(DESIGN, {"order": [2, 99]}, lambda design: simulate(design)[["profile", "window_nrmse"]])
    assert grid.profile.dims == ("order", "delay")
    assert np.isnan(grid.profile[1]).all()
    assert float(grid.window_nrmse[0]) == float(simulate(DESIGN.replace(order=2)).window_nrmse)


def window_error(design):
    return simulate(design)[["profile", "window_nrmse"]]


def test_workers_and_a_store_change_nothing(tmp_path):
    parameters = {"order": [2, 3, 99], "realization": ["legendre", "ladder"]}
    plain = sweep(DESIGN, parameters, window_error)
    seen = []
    stored = sweep(DESIGN, parameters, window_error, workers=2, store=tmp_path / "s", progress=seen.append)
    xr.testing.assert_identical(stored, plain)
    assert seen == [1] * 6
    (tmp_path / "s" / "2.json").unlink()  # as after a kill
    again = sweep(
        DESIGN, parameters, window_error, store=str(tmp_path / "s"), resumed=True, progress=seen.append
    )
    xr.testing.assert_identical(again, plain)
    assert seen[6:] == [5, 1]


def test_a_store_is_neither_overwritten_nor_mixed(tmp_path):
    path = tmp_path / "s"
    sweep(DESIGN, {"order": [2]}, window_error, store=path)
    with pytest.raises(StoreError, match=r"s exists; give another name, or resumed=True to continue it$"):
        sweep(DESIGN, {"order": [2]}, window_error, store=path)
    with pytest.raises(StoreError, match=r"s is of another sweep: its parameters differ; give another name$"):
        sweep(DESIGN, {"order": [3]}, window_error, store=path, resumed=True)
    (path / "0.json").write_text("{")
    with pytest.raises(StoreError, match=r"0\.json is damaged; remove it"):
        sweep(DESIGN, {"order": [2]}, window_error, store=path, resumed=True)


def test_a_measure_that_workers_cannot_import_is_refused():
    with pytest.raises(DesignError, match="^measure is not a function of a module"):
        sweep(DESIGN, {"order": [2, 3]}, lambda design: 0.0, workers=2)


def test_warnings_of_the_datasets_are_kept_with_their_combination(tmp_path):
    design = Design(order=2, theta="1 ms", capacitance="10 nF", opamp="LM358", realization="legendre")
    grid = sweep(design, {"signal.amplitude": [0.5], "circuit.opamp": ["LM358", "ideal"]}, simulate)
    assert grid.attrs["warnings"] == []
    # A microfarad at 1 ms: resistors of some hundred ohms, which an LM358 cannot drive.
    asked = {"circuit.capacitance": [1e-8, 1e-5]}
    lines = sweep(design, asked, simulate, store=tmp_path / "s").attrs["warnings"]
    assert all(line.startswith("circuit.capacitance = 1e-05: ") for line in lines)
    assert [line for line in lines if "output current: the output of U" in line]
    assert sweep(design, asked, simulate, store=tmp_path / "s", resumed=True).attrs["warnings"] == lines
