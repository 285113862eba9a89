"""Single precision by choice, against double precision, which other tests hold against ngspice."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from lmu_analog import Design, StoreError, monte_carlo
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.cli.app import app
from lmu_analog.ensembles.exact import exact_chunk, precision_error
from lmu_analog.output import tables

MISMATCH = {name: "5 %" for name in ("resistor", "capacitor", "inductor", "transconductor", "tau", "opamp")}
PAIRS = [(name, r) for name, family in FAMILIES.items() for r in family.realizations]


def both(design: Design, samples: range = range(40)) -> list[np.ndarray]:
    return [exact_chunk(design, 1, samples, kernel=kernel).profile for kernel in ("numpy", "float32")]


@pytest.mark.parametrize(("family", "realization"), PAIRS)
def test_single_precision_costs_less_than_a_thousandth_of_the_signal_in_every_family(family, realization):
    design = Design(
        order=6, theta="1 ms", family=family, realization=realization, opamp="OPA2192", mismatch=MISMATCH
    )
    double, single = both(design)
    # States agree to 1e-5 of the largest, or the block is computed in double; a readout adds up to six of them,
    # some of which nearly cancel where a synapse has a second pole.
    np.testing.assert_allclose(single, double, atol=1e-3)


def test_single_precision_keeps_four_digits_at_order_24():
    design = Design(order=24, theta="1 ms", realization="ladder", opamp="OPA2192", mismatch=MISMATCH)
    double, single = both(design)
    assert (single != double).any()
    np.testing.assert_allclose(single, double, rtol=1e-3)


def test_recordings_too(tmp_path):
    path = tmp_path / "u.csv"
    times = np.linspace(0.0, 5e-3, 301)
    np.savetxt(path, np.column_stack([times, np.sin(4e3 * times)]), delimiter=",")
    design = Design(order=6, theta="1 ms", file=path, bandwidth="1 kHz", mismatch=MISMATCH)
    double, single = both(design)
    assert (single != double).any()
    np.testing.assert_allclose(single, double, rtol=1e-3)


def test_the_stated_error_is_the_largest_of_the_first_samples():
    design = Design(order=6, theta="1 ms", mismatch=MISMATCH)
    double, single = (
        exact_chunk(design, 3, range(64), kernel=kernel).window_nrmse for kernel in ("numpy", "float32")
    )
    assert precision_error(design, 3) == np.abs(single / double - 1.0).max() > 0.0


def test_rates_without_a_third_power_in_single_precision_take_double():
    # Its state space is quicker than its equations tone by tone, which no power of the rate enters.
    design = Design(
        order=12, theta="1e-10 s", realization="legendre", capacitance="1 fF", mismatch={"resistor": "1 %"}
    )
    double, single = both(design)
    np.testing.assert_array_equal(single, double)


def test_a_run_keeps_its_precision_and_says_what_it_costs(tmp_path):
    path, store = tmp_path / "design.toml", tmp_path / "run.zarr"
    path.write_text('[memory]\norder = 3\ntheta = "1 ms"\n[mismatch]\nresistor = "1 %"\n')
    arguments = ["montecarlo", str(path), "-n", "20", "-o", str(store), "--kernel", "float32", "--json"]
    content = json.loads(CliRunner().invoke(app, arguments).stdout)
    assert content["kernel"] == "float32"
    assert content["precision_error"] == precision_error(Design.load(path), 0) > 0.0
    assert f"{content['precision_error']:.1e}  of an error, at most" in tables.ensemble(content)
    with pytest.raises(StoreError, match="kernel"):
        monte_carlo(Design.load(path), 20, store=store, resumed=True)
