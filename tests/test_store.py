"""Runs on disk are complete sample by sample, equal to the byte, and refused where they do not belong."""

import numpy as np
import pytest
import xarray as xr
import zarr

from lmu_analog.design import Design
from lmu_analog.ensembles import montecarlo
from lmu_analog.ensembles.montecarlo import monte_carlo
from lmu_analog.ensembles.store import CHUNK, create, finished, manifest, open_run
from lmu_analog.errors import SimulationError, StoreError

DESIGN = Design(order=3, theta="1 ms", mismatch={"resistor": "1 %"})


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_xarray_opens_a_run(tmp_path):
    returned = monte_carlo(DESIGN, 100, seed=1, store=tmp_path / "run.zarr")
    with xr.open_zarr(tmp_path / "run.zarr", consolidated=False) as opened:
        assert set(opened.data_vars) >= {"window_nrmse", "profile", "status"}
        assert opened.profile.dims == ("sample", "delay")
        np.testing.assert_array_equal(opened.window_nrmse, returned.window_nrmse)
        assert opened.attrs["seed"] == 1
        assert opened.attrs["design"] == DESIGN.digest


def test_a_stored_run_equals_one_in_memory(tmp_path):
    stored = monte_carlo(DESIGN, 100, seed=1, store=tmp_path / "run.zarr")
    memory = monte_carlo(DESIGN, 100, seed=1)
    for name in memory.data_vars:
        np.testing.assert_array_equal(stored[name], memory[name])
    assert stored.attrs == memory.attrs


def test_equal_runs_are_equal_to_the_byte(tmp_path):
    for name in ("a.zarr", "b.zarr"):
        monte_carlo(DESIGN, 100, seed=1, store=tmp_path / name)
    assert contents(tmp_path / "a.zarr") == contents(tmp_path / "b.zarr")


def test_an_interrupted_run_is_continued_to_the_same_bytes(tmp_path, monkeypatch):
    monte_carlo(DESIGN, 200, seed=1, store=tmp_path / "whole.zarr")
    whole, calls = montecarlo.exact_chunk, []

    def interrupted(*task):
        calls.append(task)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return whole(*task)

    monkeypatch.setattr(montecarlo, "exact_chunk", interrupted)
    with pytest.raises(KeyboardInterrupt):
        monte_carlo(DESIGN, 200, seed=1, store=tmp_path / "cut.zarr")
    monkeypatch.undo()
    assert finished(tmp_path / "cut.zarr", 200) == 2 * CHUNK
    monte_carlo(DESIGN, 200, seed=1, store=tmp_path / "cut.zarr", resumed=True)
    assert contents(tmp_path / "cut.zarr") == contents(tmp_path / "whole.zarr")


def test_a_run_can_be_extended(tmp_path):
    monte_carlo(DESIGN, 100, seed=1, store=tmp_path / "run.zarr")
    extended = monte_carlo(DESIGN, 150, seed=1, store=tmp_path / "run.zarr", resumed=True)
    np.testing.assert_array_equal(extended.window_nrmse, monte_carlo(DESIGN, 150, seed=1).window_nrmse)


def test_an_existing_store_is_refused(tmp_path):
    monte_carlo(DESIGN, 3, store=tmp_path / "run.zarr")
    before = contents(tmp_path / "run.zarr")
    with pytest.raises(StoreError, match="exists; give another name, or --resume"):
        monte_carlo(DESIGN, 3, store=tmp_path / "run.zarr")
    assert contents(tmp_path / "run.zarr") == before


@pytest.mark.parametrize(
    ("design", "seed", "message"),
    [
        (DESIGN, 2, "its seed is 1, not 2"),
        (DESIGN.replace(order=4), 1, "its order is 3, not 4"),
        (DESIGN.replace(mismatch={"resistor": "2 %"}), 1, "its design is"),
    ],
)
def test_a_store_of_another_run_is_refused_with_the_difference(tmp_path, design, seed, message):
    monte_carlo(DESIGN, 3, seed=1, store=tmp_path / "run.zarr")
    with pytest.raises(StoreError, match=message):
        monte_carlo(design, 3, seed=seed, store=tmp_path / "run.zarr", resumed=True)


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "precious.txt").write_text("mine")
    with pytest.raises(StoreError, match="is no Monte Carlo run"):
        open_run(tmp_path / "folder")
    with pytest.raises(StoreError, match="is no Monte Carlo run"):
        monte_carlo(DESIGN, 3, store=tmp_path / "folder", resumed=True)
    assert (tmp_path / "folder" / "precious.txt").read_text() == "mine"


def test_a_foreign_zarr_group_is_refused(tmp_path):
    zarr.open_group(tmp_path / "other.zarr", mode="w").attrs["x"] = 1
    with pytest.raises(StoreError, match="is no Monte Carlo run"):
        open_run(tmp_path / "other.zarr")


def test_a_run_that_does_not_exist_says_how_to_make_it(tmp_path):
    with pytest.raises(StoreError, match="does not exist; make it with lmu-analog montecarlo"):
        open_run(tmp_path / "none.zarr")


def test_a_store_that_cannot_be_made_says_why(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be made"):
        create(tmp_path / "file" / "run.zarr", manifest(DESIGN, seed=0, engine="exact"), 3)


def test_a_full_disk_is_an_error_that_keeps_what_was_done(tmp_path, monkeypatch):
    store = create(tmp_path / "run.zarr", manifest(DESIGN, seed=0, engine="exact"), 3)
    results = montecarlo.exact_chunk(DESIGN, 0, range(2))
    store.write(results)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zarr.Array, "__setitem__", full)
    with pytest.raises(SimulationError, match="No space left on device.*the samples before are kept"):
        store.write(montecarlo.exact_chunk(DESIGN, 0, range(2, 3)))
    monkeypatch.undo()
    assert store.done.tolist() == [True, True, False]
