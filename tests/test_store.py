"""Runs on disk are complete sample by sample, equal to the byte, and refused where they do not belong."""

import copy
import json
import os
import resource
import subprocess
import sys
import time

import numpy as np
import pytest
import xarray as xr
import zarr

from lmu_analog.design import Design
from lmu_analog.ensembles import exact, montecarlo
from lmu_analog.ensembles.montecarlo import monte_carlo
from lmu_analog.ensembles.yields import counts, percentiles, yield_within
from lmu_analog.errors import SimulationError, StoreError
from lmu_analog.storage.layout import CHUNK
from lmu_analog.storage.reasons import reasons
from lmu_analog.storage.results import FAILED, GOOD, UNSTABLE
from lmu_analog.storage.store import create, finished, manifest, open_run, resume

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
    monkeypatch.setattr(exact, "BLOCK", CHUNK)
    monte_carlo(DESIGN, 200, seed=1, store=tmp_path / "whole.zarr")
    whole = montecarlo.exact_chunk

    def interrupted(design, seed, samples, **chosen):
        if samples.start == 2 * CHUNK:
            raise KeyboardInterrupt
        return whole(design, seed, samples, **chosen)

    monkeypatch.setattr(montecarlo, "exact_chunk", interrupted)
    with pytest.raises(KeyboardInterrupt):
        monte_carlo(DESIGN, 200, seed=1, store=tmp_path / "cut.zarr")
    monkeypatch.setattr(montecarlo, "exact_chunk", whole)
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
    with pytest.raises(StoreError, match="exists; give another name, or resumed=True"):
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
    store.write([results])

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zarr.Array, "__setitem__", full)
    with pytest.raises(SimulationError, match="No space left on device.*the samples before are kept"):
        store.write([montecarlo.exact_chunk(DESIGN, 0, range(2, 3))])
    monkeypatch.undo()
    assert store.done.tolist() == [True, True, False]


def test_a_disk_that_is_full_in_earnest_loses_nothing_complete(tmp_path):
    store = create(tmp_path / "run.zarr", manifest(DESIGN, seed=0, engine="exact"), 3000)
    store.write([montecarlo.exact_chunk(DESIGN, 0, range(64))])
    before = contents(tmp_path / "run.zarr")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (4096, hard)
    )  # the system refuses larger files, as a full disk does
    try:
        with pytest.raises(SimulationError, match="cannot be written .File too large.*resumed=True goes on"):
            store.write([montecarlo.exact_chunk(DESIGN, 0, range(64, 128))])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    after = contents(tmp_path / "run.zarr")
    assert store.done.sum() == 64
    assert after.keys() == before.keys()
    run = open_run(tmp_path / "run.zarr").isel(sample=slice(64))
    np.testing.assert_array_equal(run.profile, montecarlo.exact_chunk(DESIGN, 0, range(64)).profile)


def test_a_store_that_cannot_be_made_leaves_nothing(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(StoreError, match="cannot be made: File too large"):
            create(tmp_path / "run.zarr", manifest(DESIGN, seed=0, engine="exact"), 3)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "how"),
    [("profile/c/0/0", "short"), ("profile/c/0/0", "gone"), ("status/c/0", "gone"), ("reason/c/0", "short")],
)
def test_a_damaged_file_is_named_and_its_samples_can_be_run_anew(tmp_path, name, how):
    path = tmp_path / "run.zarr"
    monte_carlo(DESIGN, 3, seed=1, store=path)
    whole, file = contents(path), path / name
    if how == "short":
        file.write_bytes(file.read_bytes()[:100])
    else:
        file.unlink()
    said = r"has 100 bytes, not \d+; remove \S+ and" if how == "short" else "is missing; remove"
    for attempt in (open_run, lambda p: monte_carlo(DESIGN, 3, seed=1, store=p, resumed=True)):
        with pytest.raises(
            StoreError, match=f"{name} {said} done/c/0 from it, then resumed=True runs samples 0 to"
        ):
            attempt(path)
    for remedy in (file, path / "done/c/0"):
        remedy.unlink(missing_ok=True)
    monte_carlo(DESIGN, 3, seed=1, store=path, resumed=True)
    assert contents(path) == whole


def test_what_a_killed_writer_leaves_is_swept(tmp_path):
    path = tmp_path / "run.zarr"
    monte_carlo(DESIGN, 3, seed=1, store=path)
    whole = contents(path)
    (path / "profile/c/0/0.0123.partial").write_bytes(b"half of it")
    (tmp_path / "run.zarr.lock").write_text("1 nobody\n")
    monte_carlo(DESIGN, 3, seed=1, store=path, resumed=True)
    assert contents(path) == whole
    assert [p.name for p in tmp_path.iterdir()] == ["run.zarr"]


def test_an_extension_that_was_killed_half_way_is_finished(tmp_path):
    path, whole = tmp_path / "run.zarr", tmp_path / "whole.zarr"
    monte_carlo(DESIGN, 3, seed=1, store=path)
    zarr.open_group(path, mode="r+")["profile"].resize((70, 33))
    with pytest.raises(StoreError, match="an extension of it was interrupted; resumed=True finishes that"):
        open_run(path)
    monte_carlo(DESIGN, 70, seed=1, store=path, resumed=True)
    monte_carlo(DESIGN, 70, seed=1, store=whole)
    assert contents(path) == contents(whole)


@pytest.mark.parametrize("name", ["window_nrmse", "profile", "status", "reason", "done", "sample", "delay"])
def test_one_flipped_bit_is_named_by_array_and_chunk(tmp_path, name):
    path = tmp_path / "run.zarr"
    monte_carlo(DESIGN, 3, seed=1, store=path)
    file = path / name / "c" / ("0/0" if name == "profile" else "0")
    altered = bytearray(file.read_bytes())
    altered[5] ^= 16
    file.write_bytes(altered)
    remedy = {"done": "", "sample": "", "delay": ""}.get(name, " and done/c/0")
    said = f"is damaged: {file.relative_to(path)} does not match its checksum; remove {file.relative_to(path)}{remedy} "
    for attempt in (open_run, lambda p: monte_carlo(DESIGN, 3, seed=1, store=p, resumed=True)):
        with pytest.raises(StoreError, match=said):
            attempt(path)


def test_arrays_of_no_value_are_written_anew(tmp_path):
    # Numbers of samples and points of the window follow from the layout: no sample need run again.
    path = tmp_path / "run.zarr"
    monte_carlo(DESIGN, 3, seed=1, store=path)
    whole = contents(path)
    for name in ("sample", "delay"):
        (path / name / "c" / "0").unlink()
        with pytest.raises(StoreError, match=f"{name}/c/0 is missing; resumed=True writes it anew"):
            open_run(path)
        monte_carlo(DESIGN, 3, seed=1, store=path, resumed=True)
        assert contents(path) == whole


@pytest.mark.parametrize(
    ("name", "value"),
    [("status", 99), ("reason", 77), ("reason", -1), ("window_nrmse", -0.1), ("window_nrmse", np.nan)]
    + [("profile", np.inf), ("sample", 7), ("delay", 0.5), ("status", UNSTABLE)],
)
def test_values_that_no_engine_writes_are_refused_though_the_checksum_holds(tmp_path, name, value):
    path = tmp_path / "run.zarr"
    monte_carlo(DESIGN, 3, seed=1, store=path)
    zarr.open_group(path, mode="r+")[name][1] = value
    with pytest.raises(
        StoreError, match=rf"is damaged \({'' if name != 'status' or value == 99 else 'reason'}"
    ):
        open_run(path)


def edits(content, where=()):
    """Give every way to lose, retype or enlarge an entry of some JSON."""
    for key, value in content.items() if isinstance(content, dict) else enumerate(content):
        for other in ("gone", -1, []):
            if other != value:
                yield (*where, key), other
        if isinstance(value, dict | list):
            yield from edits(value, (*where, key))


def edited(content, where, value):
    new = copy.deepcopy(content)
    inner = new
    for key in where[:-1]:
        inner = inner[key]
    if value == "gone":
        del inner[where[-1]]
    else:
        inner[where[-1]] = value
    return new


def test_every_edit_of_the_metadata_is_refused_in_one_line_or_without_effect(tmp_path):
    path = tmp_path / "run.zarr"
    monte_carlo(DESIGN, 3, seed=1, store=path)
    whole = open_run(path)
    tried = refused = 0
    for file in sorted(path.rglob("zarr.json")):
        content = json.loads(file.read_text())
        for where, value in edits(content):
            if where[0] == "attributes" and len(where) > 1 and file.parent == path and where[1] != "format":
                continue  # what a run says of itself is read by nobody but people and --resume
            tried += 1
            file.write_text(json.dumps(edited(content, where, value)))
            with pytest.raises(
                StoreError, match=r"(is damaged \(|no Monte Carlo run|was written in layout)"
            ) as error:
                open_run(path)
            assert "\n" not in str(error.value)
            refused += 1
        file.write_text(json.dumps(content))
    assert tried == refused > 300
    xr.testing.assert_identical(open_run(path), whole)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"zarr\.json is no JSON"),
        (b"[1]", r"zarr\.json is no JSON object"),
        (b"[" * 20_000, r"zarr\.json is no JSON"),
        (b'{"attributes": ' + b"9" * 5000 + b"}", r"zarr\.json is no JSON"),
        (b"\xff\xfe", r"zarr\.json is no JSON"),
        (b" " * 1_000_001, "larger than 1 MB"),
    ],
)
def test_metadata_that_is_no_json_is_refused(tmp_path, content, message):
    path = tmp_path / "run.zarr"
    monte_carlo(DESIGN, 3, seed=1, store=path)
    for file in (path / "zarr.json", path / "profile" / "zarr.json"):
        before = file.read_bytes()
        file.write_bytes(content)
        with pytest.raises(StoreError, match=message):
            open_run(path)
        file.write_bytes(before)


def test_a_renamed_dimension_is_refused(tmp_path):
    # Once, it made a yield of 5.0.
    path = tmp_path / "run.zarr"
    monte_carlo(DESIGN, 3, seed=1, store=path)
    file = path / "status" / "zarr.json"
    file.write_text(file.read_text().replace('"sample"', '"delay"'))
    with pytest.raises(
        StoreError, match=r"status/zarr.json: dimension_names is \['delay'\], not \['sample'\]"
    ):
        open_run(path)


def test_a_store_of_zarr_2_is_not_opened_whatever_its_filters(tmp_path):
    # An object array with a pickle filter ran code as soon as it was read, with numcodecs before 0.16.
    group = zarr.open_group(tmp_path / "two.zarr", mode="w", zarr_format=2)
    group.attrs.update(manifest(DESIGN, seed=0, engine="exact"))
    (tmp_path / "two.zarr" / "done").mkdir()
    (tmp_path / "two.zarr" / "done" / ".zarray").write_text('{"filters": [{"id": "pickle"}]}')
    for attempt in (open_run, lambda p: monte_carlo(DESIGN, 3, store=p, resumed=True)):
        with pytest.raises(StoreError, match="is no Monte Carlo run of this program"):
            attempt(tmp_path / "two.zarr")


def test_a_pipe_in_a_store_is_not_waited_for(tmp_path):
    path = tmp_path / "run.zarr"
    monte_carlo(DESIGN, 3, seed=1, store=path)
    for name, said in (
        ("status/c/0", "is missing"),
        ("status/zarr.json", "is missing"),
        ("zarr.json", "no Monte"),
    ):
        (path / name).unlink()
        os.mkfifo(path / name)
        with pytest.raises(StoreError, match=said):
            open_run(path)


def test_a_store_of_the_layout_without_checksums_says_to_run_it_again(tmp_path):
    path = tmp_path / "run.zarr"
    monte_carlo(DESIGN, 3, seed=1, store=path)
    file = path / "zarr.json"
    file.write_text(file.read_text().replace('"format": 2', '"format": 1'))
    with pytest.raises(
        StoreError, match="was written in layout 1 by version '.*'; .* checksums: run it again"
    ):
        open_run(path)


def test_a_run_that_was_stopped_is_a_smaller_run_and_says_so(tmp_path):
    path = tmp_path / "run.zarr"
    store = create(path, manifest(DESIGN, seed=1, engine="exact"), 6000)
    store.write([exact.exact_chunk(DESIGN, 1, range(128, 192)), exact.exact_chunk(DESIGN, 1, range(64))])
    run = open_run(path)
    assert run.sample.values.tolist() == [*range(64), *range(128, 192)]
    assert run.attrs["warnings"] == ["128 of 6000 samples done"]
    assert counts(run) == {"samples": 128, "planned": 6000, "failed": 0, "unstable": 0}
    limit = float(np.median(run.window_nrmse))
    assert yield_within(run, limit).value == 0.5
    with xr.open_zarr(path, consolidated=False) as all_of_it:  # as anybody may open it
        assert counts(all_of_it) == counts(run)
        assert percentiles(all_of_it) == percentiles(run)
        assert yield_within(all_of_it, limit) == yield_within(run, limit)
        assert reasons(all_of_it) == {}


def test_a_run_of_which_nothing_is_done_has_nothing_to_say(tmp_path):
    create(tmp_path / "run.zarr", manifest(DESIGN, seed=1, engine="exact"), 60)
    with pytest.raises(StoreError, match="run.zarr: 0 of 60 samples done; continue it with resumed=True"):
        open_run(tmp_path / "run.zarr")


def test_folders_beside_a_store_are_nobodys_to_remove(tmp_path):
    for name in ("run.zarr.new", ".run.zarr.x.unfinished"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "thesis.txt").write_text("mine")
    (tmp_path / "run.zarr.lock").write_text("mine")
    with pytest.raises(StoreError, match=r"run\.zarr\.lock is in the way.*move it"):
        monte_carlo(DESIGN, 3, seed=1, store=tmp_path / "run.zarr")
    assert (tmp_path / "run.zarr.lock").read_text() == "mine"
    (tmp_path / "run.zarr.lock").unlink()
    monte_carlo(DESIGN, 3, seed=1, store=tmp_path / "run.zarr")
    for name in ("run.zarr.new", ".run.zarr.x.unfinished"):
        assert (tmp_path / name / "thesis.txt").read_text() == "mine"


def test_a_store_is_made_behind_a_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "run.zarr").symlink_to(tmp_path / "disk" / "big.zarr")
    monte_carlo(DESIGN, 3, seed=1, store=tmp_path / "run.zarr")
    assert (tmp_path / "run.zarr").is_symlink()
    assert (tmp_path / "disk" / "big.zarr" / "zarr.json").is_file()
    assert open_run(tmp_path / "run.zarr").sizes["sample"] == 3


def test_runs_of_which_nothing_is_good_keep_their_files_and_reasons(tmp_path):
    # Files of nothing but fill values are written too: a file that is missing is then one that was lost.
    wild = DESIGN.replace(mismatch={"resistor": {"tolerance": "90 %", "distribution": "gauss"}})
    stored = monte_carlo(wild, 40, seed=1, store=tmp_path / "run.zarr")
    memory = monte_carlo(wild, 40, seed=1)
    np.testing.assert_array_equal(stored.reason, memory.reason)
    counted = reasons(stored)
    assert counted["a component value that is not positive"] == int((stored.status == FAILED).sum()) > 0
    assert sum(counted.values()) == int((stored.status != GOOD).sum())


def test_a_run_of_another_version_or_engine_is_refused(tmp_path, monkeypatch):
    monte_carlo(DESIGN, 3, seed=1, store=tmp_path / "run.zarr")
    described = manifest(DESIGN, seed=1, engine="exact")
    for key, other in {"version": "9.9", "engine": "ngspice", "extra": "new"}.items():
        with pytest.raises(StoreError, match=f"its {key} is .*, not '{other}'; give another -o"):
            resume(tmp_path / "run.zarr", described | {key: other}, 3)


def test_a_command_killed_in_mid_run_is_resumed_to_the_same_bytes(tmp_path):
    path, file = tmp_path / "run.zarr", tmp_path / "d.toml"
    file.write_text("[memory]\norder = 2\ntheta = '1 ms'\n[mismatch]\nresistor = '1 %'\n")
    options = [str(file), "-n", "2000", "--seed", "1", "-o", str(path), "--workers", "2"]
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "lmu_analog.cli", "montecarlo", *options]
    process = subprocess.Popen(command, env=paths, stdout=subprocess.DEVNULL)
    while not path.exists() and process.poll() is None:
        time.sleep(0.01)
    time.sleep(0.05)
    process.kill()
    process.wait()
    design = Design.load(file)
    monte_carlo(design, 2000, seed=1, store=path, resumed=True, workers=1)
    monte_carlo(design, 2000, seed=1, store=tmp_path / "whole.zarr")
    assert contents(path) == contents(tmp_path / "whole.zarr")
