"""The metadata of a run, compared with the layout before Zarr opens anything.

A store may come from elsewhere: its codecs say which code reads it (with Zarr 2 and an older numcodecs a filter
could run any), its shapes how much memory that takes. So nothing but the one layout is handed to Zarr.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any, cast

import zarr
from zarr.core.buffer import Buffer
from zarr.storage import MemoryStore

from lmu_analog.errors import DesignError, StoreError, shown
from lmu_analog.files_in import read_bytes
from lmu_analog.storage.layout import FORMAT, LAYOUT, MOST_SAMPLES, arrays_of, make_arrays

_FILE_NAME = "zarr.json"
_LARGEST_FILE = 1_000_000  # bytes
_SAMPLES = 7  # of the store in memory that shows how this Zarr writes the layout
# What every run says of itself, and what it may say.
_TOLD: dict[str, type | tuple[type, ...]] = {
    "format": int,
    "engine": str,
    "seed": int,
    "family": str,
    "realization": str,
    "order": int,
    "theta": (int, float),
    "bandwidth": (int, float),
    "design": str,
    "version": str,
}
_MAY_TELL = {
    "sampling": ("random", "latin", "sobol"),
    "solver": ("per-frequency", "state-space"),
    "kernel": ("numpy", "float32", "numba"),  # of runs by versions below 0.4
}


def check_metadata(path: Path) -> dict[str, int]:
    """Refuse a folder that is no run of this layout.

    Returns
    -------
    lengths : dict
        Number of samples that every array with a sample axis has room for.

    Raises
    ------
    StoreError
        Which names the file and the entry that is not as it must be.
    """
    if not path.exists():
        raise StoreError(f"{path} does not exist; make it with lmu-analog montecarlo")
    names = arrays_of(_check_group(path))
    return {name: length for name in names if (length := _check_array(path, name)) is not None}


def _check_group(path: Path) -> dict[str, Any]:
    """Check what a run says of itself, and give it."""
    foreign = StoreError(f"{path} is no Monte Carlo run of this program")
    if not (path / _FILE_NAME).is_file():
        raise foreign
    found = _read(path, _FILE_NAME)
    told = found.get("attributes")
    if found.get("node_type") != "group" or not isinstance(told, dict) or "format" not in told:
        raise foreign
    if told["format"] != FORMAT or isinstance(told["format"], bool):
        raise StoreError(
            f"{path} was written in layout {shown(told['format'])} by version {shown(told.get('version'))}; this "
            f"version reads layout {FORMAT}, which has checksums: run it again"
        )
    if found.get("zarr_format") != 3 or set(found) - {"attributes", "zarr_format", "node_type"}:
        raise damaged(path, f"{_FILE_NAME}: no group of Zarr format 3 as this program writes it")
    for key, kind in _TOLD.items():
        if not isinstance(told.get(key), kind) or isinstance(told.get(key), bool):
            raise damaged(path, f"{_FILE_NAME}: {key} is {shown(told.get(key))}")
    for key, known in _MAY_TELL.items():
        if key in told and told[key] not in known:
            raise damaged(path, f"{_FILE_NAME}: {key} is {shown(told[key])}")
    return cast("dict[str, Any]", told)


def _check_array(path: Path, name: str) -> int | None:
    """Compare one array; give its length along the samples, None where it has no such axis."""
    file = f"{name}/{_FILE_NAME}"
    if not (path / file).is_file():
        raise damaged(path, f"{file} is missing")
    found, wanted = _read(path, file), dict(_wanted()[name])
    shape, length = found.get("shape"), None
    if LAYOUT[name][0][0] == "sample" and isinstance(shape, list) and shape:
        length = shape[0]
        if isinstance(length, bool) or not isinstance(length, int) or not 0 <= length <= MOST_SAMPLES:
            raise damaged(path, f"{file}: {shown(length)} samples")
        wanted["shape"] = [length, *wanted["shape"][1:]]
    for key in [*wanted, *found]:
        # Equal as JSON: Python takes True for 1 and 1.0 for 1, and Zarr does not.
        if key not in found or json.dumps(found[key], sort_keys=True) != json.dumps(
            wanted.get(key), sort_keys=True
        ):
            raise damaged(
                path, f"{file}: {key[:40]} is {shown(found.get(key))}, not {shown(wanted.get(key))}"
            )
    return length


@cache
def _wanted() -> dict[str, dict[str, Any]]:
    """Give the metadata of every array as this Zarr writes it."""
    files: dict[str, Buffer] = {}
    make_arrays(zarr.open_group(MemoryStore(files), mode="w", zarr_format=3), _SAMPLES, LAYOUT)
    return {name: json.loads(files[f"{name}/{_FILE_NAME}"].to_bytes()) for name in LAYOUT}


def _read(path: Path, name: str) -> dict[str, Any]:
    try:
        content = json.loads(read_bytes(path / name, most=_LARGEST_FILE, wanted="the metadata of a run"))
    except DesignError as error:
        raise StoreError(str(error)) from None
    except (
        ValueError,
        RecursionError,
    ):  # no UTF-8, no JSON, a number of too many digits, or nested without end
        raise damaged(path, f"{name} is no JSON") from None
    if not isinstance(content, dict):
        raise damaged(path, f"{name} is no JSON object")
    return cast("dict[str, Any]", content)


def damaged(path: Path, how: str) -> StoreError:
    """Give the error of a store that is beyond repair."""
    return StoreError(f"{path} is damaged ({how}); remove it and run it again")
