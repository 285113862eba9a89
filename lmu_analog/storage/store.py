"""Runs on disk: a Zarr store that xarray opens, complete sample by sample.

Arrays are created once, without a compressor, in chunks of fixed size; ``done`` is written after the
results it vouches for. Attributes hold no clock, so equal runs are equal byte for byte. A writer that is
killed leaves a store that the next one continues: what is not vouched for is run again.
"""

import contextlib
import shutil
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
import zarr

from lmu_analog.design import Design
from lmu_analog.errors import SimulationError, StoreError
from lmu_analog.memory.window import QUADRATURE
from lmu_analog.storage.chunks import check_chunks, sweep_leftovers
from lmu_analog.storage.layout import ARRAYS, RESULTS, array_of, make_array, make_arrays, update
from lmu_analog.storage.lock import locked
from lmu_analog.storage.reasons import CODES

GOOD, UNSTABLE, FAILED = 0, 1, 2  # places in ``layout.STATUS``
_IMPLIED = np.array([CODES["none"], CODES["unstable"], CODES["impossible"]], np.int8)  # by status
_ALONG = ("sample", *RESULTS, "done")  # what has a sample axis
_FORMAT = 1
# Of a run whose attributes do not say.
UNLESS_SAID: dict[str, str | int | float] = {"sampling": "random", "kernel": "numpy"}


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
    given : (s,) int8 array, optional
        Codes of ``reasons.REASONS``; where it is left out, what the status implies.
    """

    start: int
    profile: np.ndarray
    window_nrmse: np.ndarray
    status: np.ndarray
    given: np.ndarray | None = None

    @property
    def reason(self) -> np.ndarray:
        """Why a sample is not good, (s,) int8: codes of ``reasons.REASONS``."""
        return _IMPLIED[self.status] if self.given is None else self.given

    @property
    def samples(self) -> np.ndarray:
        """Numbers of the samples, (s,)."""
        return np.arange(self.start, self.start + len(self.status))


def failed(start: int, stop: int, *, reason: int = CODES["impossible"]) -> Results:
    """Give the outcome of samples start .. stop-1 that could not be run."""
    count = stop - start
    profile = np.full((count, len(QUADRATURE.r)), np.nan)
    status, why = np.full(count, FAILED, np.int8), np.full(count, reason, np.int8)
    return Results(start, profile, profile[:, 0], status, why)


@dataclass(frozen=True, eq=False)
class Store:
    """An open run."""

    path: Path
    group: zarr.Group

    @property
    def done(self) -> np.ndarray:
        """Which samples are complete, (n,) bool."""
        return np.asarray(array_of(self.group, "done")[:], bool)

    def write(self, results: Sequence[Results]) -> None:
        """Write samples, a file once whatever the number of results, then vouch for them.

        Raises
        ------
        SimulationError
            If the disk is full or the folder cannot be written.
        """
        ordered = sorted(results, key=lambda r: r.start)
        samples = np.concatenate([r.samples for r in ordered])
        fresh = {name: np.concatenate([getattr(r, name) for r in ordered]) for name in RESULTS}
        fresh["done"] = np.ones(len(samples), bool)
        try:
            for name, values in fresh.items():
                update(array_of(self.group, name), samples, values)
        except OSError as error:
            raise SimulationError(
                f"{self.path}: cannot be written ({_why(error)}); the samples before are kept, and --resume "
                "goes on from there"
            ) from error

    def dataset(self) -> xr.Dataset:
        """Read the run as a dataset, in memory."""
        return open_run(self.path)


def manifest(
    design: Design, *, seed: int, engine: str, sampling: str = "random", kernel: str = "numpy"
) -> dict[str, str | int | float]:
    """Say what a run is of: two runs with equal manifests have equal samples.

    What is as in ``UNLESS_SAID`` is left out, so that runs from before there was a choice can be continued.
    """
    chosen = {"sampling": sampling, "kernel": kernel}
    told = {key: value for key, value in chosen.items() if value != UNLESS_SAID[key]}
    return {"format": _FORMAT, "engine": engine, "seed": seed, **told, **design.provenance}


@contextlib.contextmanager
def opened(
    path: Path, described: dict[str, str | int | float], samples: int, *, resumed: bool
) -> Generator[Store, None, None]:
    """Make a store or continue one, and keep other writers away from it meanwhile.

    Raises
    ------
    StoreError
        As ``create`` and ``resume`` do, or if another process writes the store.
    """
    if resumed:
        _group(path, mode="r")
    elif path.exists():
        raise _exists(path)
    with locked(path):
        yield (resume if resumed else create)(path, described, samples)


def create(path: Path, described: dict[str, str | int | float], samples: int) -> Store:
    """Make an empty store, all of it or nothing.

    Raises
    ------
    StoreError
        If something is already there, or the folder cannot be made.
    """
    if path.exists():
        raise _exists(path)
    # A writer that is killed here leaves no half of a store under the name that people look at.
    unfinished = path.with_name(f"{path.name}.new")
    try:
        if unfinished.exists():
            _remove(unfinished)
        group = zarr.open_group(unfinished, mode="w-", zarr_format=3)
        group.attrs.update(described)
        make_arrays(group, samples)
        unfinished.rename(path)
    except OSError as error:
        _remove(unfinished)
        raise StoreError(f"{path} cannot be made: {_why(error)}") from error
    return Store(path, _group(path, mode="r+"))


def _exists(path: Path) -> StoreError:
    return StoreError(f"{path} exists; give another name, or --resume to continue it")


def _why(error: OSError) -> str:
    return str(error.strerror or error)


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
    found, wanted = UNLESS_SAID | group.attrs.asdict(), UNLESS_SAID | described
    for key in [*wanted, *found]:
        if found.get(key) != wanted.get(key):
            raise StoreError(
                f"{path} is of another run: its {key} is {found.get(key)!r}, not {wanted.get(key)!r}; "
                "give another -o, or what it was made with"
            )
    _check(path, group)
    return extend(Store(path, group), samples)


def extend(store: Store, samples: int) -> Store:
    """Make room for samples 0 .. samples-1; a run never shrinks."""
    try:
        _extend(store.path, store.group, samples)
    except OSError as error:
        raise StoreError(f"{store.path} cannot be written: {_why(error)}") from error
    return Store(store.path, _group(store.path, mode="r+"))


def _extend(path: Path, group: zarr.Group, samples: int) -> None:
    """Bring all arrays to one length, also where a writer was killed between two of them."""
    sweep_leftovers(path)
    if "reason" not in group:
        make_array(group, "reason", array_of(group, "status").shape[0])
        status = np.asarray(array_of(group, "status")[:])
        array_of(group, "reason")[:] = np.where(status == FAILED, CODES["unknown"], _IMPLIED[status])
    length = max(samples, *_lengths(group))
    for name in _ALONG:
        if (array := array_of(group, name)).shape[0] < length:
            array.resize((length, *array.shape[1:]))
    if not np.array_equal(np.asarray(array_of(group, "sample")[:]), np.arange(length)):
        array_of(group, "sample")[:] = np.arange(length)


def _lengths(group: zarr.Group) -> set[int]:
    return {array_of(group, name).shape[0] for name in _ALONG if name in group}


def open_run(path: Path | str) -> xr.Dataset:
    """Read a run as a dataset, in memory.

    Raises
    ------
    StoreError
        If there is none, or a file of it is damaged or missing.
    """
    group = _group(Path(path), mode="r")
    if len(_lengths(group)) > 1:
        raise StoreError(f"{path}: an extension of it was interrupted; --resume finishes that")
    _check(Path(path), group)
    try:
        with xr.open_zarr(path, consolidated=False) as lazy:
            return lazy.load()
    except (ValueError, OSError) as error:
        raise _damaged(Path(path), str(error)) from None


def _check(path: Path, group: zarr.Group) -> None:
    # A store without reasons was written by a version that left out files of nothing but fill values.
    check_chunks(path, group, RESULTS if "reason" in group else ())


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
    if missing := [name for name in ARRAYS if name not in group and name != "reason"]:
        raise _damaged(path, f"{missing[0]} is missing")
    return group


def finished(path: Path, samples: int) -> int:
    """Count the samples below ``samples`` that a store already has; 0 where there is none."""
    if not path.exists():
        return 0
    return int(Store(path, _group(path, mode="r")).done[:samples].sum())
