"""Runs on disk: a Zarr store that xarray opens, complete sample by sample.

Arrays are created once, in chunks of fixed size with a checksum each; ``done`` is written after the
results it vouches for. Attributes hold no clock, so equal runs are equal byte for byte. A writer that is
killed leaves a store that the next one continues: what is not vouched for is run again.
"""

import contextlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr
import zarr
from zarr.storage import LocalStore

from lmu_analog.design import Design
from lmu_analog.errors import DesignError, SimulationError, StoreError, shown
from lmu_analog.files_in import real
from lmu_analog.files_out import whole_folder
from lmu_analog.memory.window import QUADRATURE
from lmu_analog.storage.chunks import check_files, read_done, read_results, sweep_leftovers
from lmu_analog.storage.completed import of_planned
from lmu_analog.storage.layout import FORMAT, LAYOUT, array_of, arrays_of, make_arrays, results_of, update
from lmu_analog.storage.lock import locked
from lmu_analog.storage.metadata import check_metadata
from lmu_analog.storage.results import Results

# Of a run whose attributes do not say.
_UNLESS_SAID: dict[str, str | int | float] = {"sampling": "random"}


@dataclass(frozen=True, eq=False)
class Store:
    """An open run."""

    path: Path
    group: zarr.Group

    @property
    def done(self) -> np.ndarray:
        """Which samples are complete, (n,) bool."""
        return read_done(self.path, self.group)

    def write(self, results: Sequence[Results]) -> None:
        """Write samples, a file once whatever the number of results, then vouch for them.

        Raises
        ------
        SimulationError
            If the disk is full or the folder cannot be written.
        """
        ordered = sorted(results, key=lambda r: r.start)
        samples = np.concatenate([r.samples for r in ordered])
        names = results_of(self.group.attrs.asdict())
        fresh = {name: np.concatenate([r.array(name) for r in ordered]) for name in names}
        fresh["done"] = np.ones(len(samples), bool)
        try:
            for name, values in fresh.items():
                update(array_of(self.group, name), samples, values)
        except OSError as error:
            raise SimulationError(
                f"{self.path}: cannot be written ({_why(error)}); the samples before are kept, and resumed=True "
                "goes on from there"
            ) from error

    def dataset(self, samples: int | None = None) -> xr.Dataset:
        """Read the run, or its samples below a number, as a dataset in memory."""
        return open_run(self.path, samples)


def manifest(
    design: Design, *, seed: int, engine: str, sampling: str = "random", solver: str | None = None
) -> dict[str, str | int | float]:
    """Say what a run is of: two runs with equal manifests have equal samples.

    What is as in ``_UNLESS_SAID`` is left out, so that runs from before there was a choice can be continued.
    """
    told: dict[str, str | int | float] = {} if sampling == "random" else {"sampling": sampling}
    if solver is not None:
        told["solver"] = solver
    return {"format": FORMAT, "engine": engine, "seed": seed, **told, **design.provenance}


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
        check_metadata(path)
    else:
        check_free(path)
    if path.is_symlink():  # the link stays, and the lock lies beside the store itself
        path = real(path)
    with locked(path):
        yield (resume if resumed else create)(path, described, samples)


def create(path: Path, described: dict[str, str | int | float], samples: int) -> Store:
    """Make an empty store, all of it or nothing.

    Raises
    ------
    StoreError
        If something is already there, or the folder cannot be made.
    """
    check_free(path)
    try:
        # A writer that is killed here leaves no half of a store under the name that people look at.
        with whole_folder(path) as unfinished:
            group = zarr.open_group(LocalStore(unfinished), mode="w-", zarr_format=3)
            group.attrs.update(described)
            make_arrays(group, samples, arrays_of(described))
    except DesignError as error:
        raise StoreError(str(error)) from error
    return Store(path, _group(path, mode="r+"))


def check_free(path: Path) -> None:
    """Refuse a name that is taken: before work whose store would be refused at its end.

    Raises
    ------
    StoreError
    """
    if path.exists():
        raise StoreError(f"{path} exists; give another name, or resumed=True to continue it")


def _why(error: OSError) -> str:
    return str(error.strerror or error)


def resume(path: Path, described: dict[str, str | int | float], samples: int) -> Store:
    """Open a store to continue or extend it.

    Raises
    ------
    StoreError
        If it is no run, is damaged, or is of another design, seed, engine or version; the difference is
        named.
    """
    group = _group(path, mode="r+")
    found, wanted = _UNLESS_SAID | group.attrs.asdict(), _UNLESS_SAID | described
    for key in [*wanted, *found]:
        if found.get(key) != wanted.get(key):
            ours, theirs = shown(wanted.get(key), 80), shown(found.get(key), 80)
            raise StoreError(
                f"{path} is of another run: its {key} is {theirs}, not {ours}; "
                "give another -o, or what it was made with"
            )
    check_files(path, group)
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
    along = ("sample", *results_of(group.attrs.asdict()), "done")
    length = max(samples, *(array_of(group, name).shape[0] for name in along))
    for name in along:
        if (array := array_of(group, name)).shape[0] < length:
            array.resize((length, *array.shape[1:]))
    for name, wanted in (("sample", np.arange(length)), ("delay", QUADRATURE.r)):
        array = array_of(group, name)
        # Points of the window from another processor may end in another digit, and stay.
        if not np.allclose(np.asarray(array[:]), wanted, rtol=0.0, atol=1e-12):
            array[:] = wanted


def open_run(path: Path | str, samples: int | None = None) -> xr.Dataset:
    """Read a run as a dataset, in memory: the samples that are done.

    Parameters
    ----------
    path : Path or str
    samples : int, optional
        Only those below this number; all unless given.

    Returns
    -------
    xarray.Dataset
        Of a run that is not complete, ``planned`` says how many samples there were to be, and ``warnings`` says it
        in words.

    Raises
    ------
    StoreError
        If there is no run, nothing of it is done, it is of another layout, or a file of it is missing, altered or
        holds what no engine writes.
    """
    path = Path(path)
    lengths = check_metadata(path)
    if len(set(lengths.values())) > 1:
        raise StoreError(f"{path}: an extension of it was interrupted; resumed=True finishes that")
    group = _group(path, mode="r")
    done = read_done(path, group)[:samples]
    read = read_results(path, group, np.flatnonzero(done))
    run = xr.Dataset(
        {name: (LAYOUT[name][0], read[name], LAYOUT[name][3]) for name in results_of(group.attrs.asdict())}
        | {"done": (("sample",), np.ones(len(read["sample"]), bool))},
        coords={name: ((name,), read[name], LAYOUT[name][3]) for name in ("sample", "delay")},
        attrs=group.attrs.asdict(),
    )
    return of_planned(run, len(done), str(path))


def _group(path: Path, *, mode: Literal["r", "r+"]) -> zarr.Group:
    check_metadata(path)
    return zarr.open_group(LocalStore(path, read_only=mode == "r"), mode=mode, zarr_format=3)


def finished(path: Path | str, samples: int) -> int:
    """Count the samples below ``samples`` that a store already has; 0 where there is none."""
    path = Path(path)
    if not path.exists():
        return 0
    return int(read_done(path, _group(path, mode="r"))[:samples].sum())
