"""Runs on disk: a Zarr store that xarray opens, complete sample by sample.

Arrays are created once, without a compressor, in chunks of fixed size; ``done`` is written after the
results it vouches for. Attributes hold no clock, so equal runs are equal byte for byte.
"""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import xarray as xr
import zarr

from lmu_analog.design import Design
from lmu_analog.errors import SimulationError, StoreError
from lmu_analog.memory.window import QUADRATURE

CHUNK = 64  # samples; a unit of work, the same whatever the number of samples or workers
GOOD, UNSTABLE, FAILED = 0, 1, 2
ARRAYS = ("window_nrmse", "profile", "status", "done", "sample", "delay")
_FORMAT = 1


@dataclass(frozen=True, eq=False)
class Results:
    """Outcome of consecutive samples.

    Attributes
    ----------
    start : int
        Number of the first sample.
    profile : (s, q) array
        NRMSE over the window; inf where unstable, NaN where failed.
    window_nrmse : (s,) array
    status : (s,) int8 array
        0 good, 1 unstable, 2 failed.
    """

    start: int
    profile: np.ndarray
    window_nrmse: np.ndarray
    status: np.ndarray


def failed(start: int, stop: int) -> Results:
    """Give the outcome of samples start .. stop-1 that could not be run."""
    profile = np.full((stop - start, len(QUADRATURE.r)), np.nan)
    return Results(start, profile, profile[:, 0], np.full(stop - start, FAILED, np.int8))


@dataclass(frozen=True, eq=False)
class Store:
    """An open run."""

    path: Path
    group: zarr.Group

    @property
    def done(self) -> np.ndarray:
        """Which samples are complete, (n,) bool."""
        return np.asarray(_array(self.group, "done")[:], bool)

    def write(self, results: Results) -> None:
        """Write consecutive samples, then vouch for them.

        Raises
        ------
        SimulationError
            If the disk is full or the folder cannot be written.
        """
        stretch = slice(results.start, results.start + len(results.status))
        try:
            for name in ("window_nrmse", "profile", "status"):
                _array(self.group, name)[stretch] = getattr(results, name)
            _array(self.group, "done")[stretch] = True
        except OSError as error:
            raise SimulationError(
                f"{self.path}: cannot be written ({error.strerror}); the samples before are kept"
            ) from error

    def dataset(self) -> xr.Dataset:
        """Read the run as a dataset, in memory."""
        return open_run(self.path)


def manifest(design: Design, *, seed: int, engine: str) -> dict[str, str | int | float]:
    """Say what a run is of: two runs with equal manifests have equal samples."""
    return {"format": _FORMAT, "engine": engine, "seed": seed, **design.provenance}


def create(path: Path, described: dict[str, str | int | float], samples: int) -> Store:
    """Make an empty store.

    Raises
    ------
    StoreError
        If something is already there, or the folder cannot be made.
    """
    if path.exists():
        raise StoreError(f"{path} exists; give another name, or --resume to continue it")
    try:
        group = zarr.open_group(path, mode="w-", zarr_format=3)
        group.attrs.update(described)
        _arrays(group, samples)
    except OSError as error:
        _remove(path)
        raise StoreError(f"{path} cannot be made: {error.strerror or error}") from error
    return Store(path, group)


def _remove(path: Path) -> None:
    """Remove a folder for good: zarr's other writers may still be at work when the first has failed."""
    for _ in range(20):
        shutil.rmtree(path, ignore_errors=True)
        time.sleep(0.02)


def resume(path: Path, described: dict[str, str | int | float], samples: int) -> Store:
    """Open a store to continue or extend it.

    Raises
    ------
    StoreError
        If it is no run, is damaged, or is of another design, seed, engine or version; the difference is
        named.
    """
    group = _group(path, mode="r+")
    for key, wanted in described.items():
        if (found := group.attrs.get(key)) != wanted:
            raise StoreError(f"{path} is of another run: its {key} is {found!r}, not {wanted!r}")
    open_run(path)  # a damaged store is refused before anything is computed
    if samples > _array(group, "status").shape[0]:
        for name in ("sample", "window_nrmse", "profile", "status", "done"):
            array = _array(group, name)
            array.resize((samples, *array.shape[1:]))
        _array(group, "sample")[:] = np.arange(samples)
    return Store(path, group)


def open_run(path: Path | str) -> xr.Dataset:
    """Read a run as a dataset, in memory.

    Raises
    ------
    StoreError
        If there is none.
    """
    _group(Path(path), mode="r")
    try:
        with xr.open_zarr(path, consolidated=False) as lazy:
            return lazy.load()
    except (ValueError, OSError) as error:
        raise _damaged(Path(path), str(error)) from None


def _damaged(path: Path, how: str) -> StoreError:
    return StoreError(f"{path} is damaged ({how[:80]}); remove it and run it again")


def _group(path: Path, *, mode: str) -> zarr.Group:
    if not path.exists():
        raise StoreError(f"{path} does not exist; make it with lmu-analog montecarlo")
    try:
        group = zarr.open_group(path, mode=mode)  # type: ignore[arg-type]
    except (FileNotFoundError, ValueError):
        group = None
    if group is None or group.attrs.get("format") != _FORMAT or "done" not in group:
        raise StoreError(f"{path} is no Monte Carlo run of this program")
    if missing := [name for name in ARRAYS if name not in group]:
        raise _damaged(path, f"{missing[0]} is missing")
    return group


def _arrays(group: zarr.Group, samples: int) -> None:
    points = len(QUADRATURE.r)
    layout: dict[str, tuple[tuple[str, ...], tuple[int, ...], str, object]] = {
        "window_nrmse": (("sample",), (samples,), "float64", np.nan),
        "profile": (("sample", "delay"), (samples, points), "float64", np.nan),
        "status": (("sample",), (samples,), "int8", FAILED),
        "done": (("sample",), (samples,), "bool", False),
        "sample": (("sample",), (samples,), "int64", 0),
        "delay": (("delay",), (points,), "float64", 0.0),
    }
    for name, (names, shape, kind, fill) in layout.items():
        group.create_array(
            name,
            shape=shape,
            chunks=(CHUNK if names[0] == "sample" else points, *shape[1:]),
            dtype=kind,
            fill_value=fill,
            compressors=None,
            dimension_names=names,
        )
    for name in ("window_nrmse", "profile"):
        group[name].attrs["units"] = "1"
    group["status"].attrs.update(
        {"flag_values": [GOOD, UNSTABLE, FAILED], "flag_meanings": "good unstable failed"}
    )
    group["delay"].attrs["units"] = "theta"
    _array(group, "sample")[:] = np.arange(samples)
    _array(group, "delay")[:] = QUADRATURE.r


def _array(group: zarr.Group, name: str) -> zarr.Array[Any]:
    return cast("zarr.Array[Any]", group[name])


def finished(path: Path, samples: int) -> int:
    """Count the samples below ``samples`` that a store already has; 0 where there is none."""
    if not path.exists():
        return 0
    return int(open_run(path).done[:samples].sum())
