"""The files of a run: which must be there, how long each must be, and what killed writers leave.

Every chunk is written whole, without a compressor, so the length of its file is known.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import zarr

from lmu_analog.errors import StoreError

LEFTOVERS = "*.partial"  # zarr writes a file under such a name, then renames it


def sweep_leftovers(path: Path) -> None:
    """Remove the unfinished files of a writer that was killed."""
    for left in path.rglob(LEFTOVERS):
        left.unlink(missing_ok=True)


def check_chunks(path: Path, group: zarr.Group, names: tuple[str, ...]) -> None:
    """Refuse a run of which a file is missing or too short for what ``done`` vouches.

    Parameters
    ----------
    path : Path
    group : zarr.Group
    names : tuple of str
        Arrays with a sample axis that hold something for every finished sample.

    Raises
    ------
    StoreError
        Which names the file, and what to remove to run its samples anew.
    """
    done = cast("zarr.Array[Any]", group["done"])
    for file in _chunk_files(path / "done"):
        _check_length(path, done, file)
    finished = np.flatnonzero(np.asarray(done[:], bool))
    for name in names:
        array = cast("zarr.Array[Any]", group[name])
        for chunk in np.unique(finished // array.chunks[0]):
            _check_length(path, array, path / name / "c" / "/".join([str(chunk), *"0" * (array.ndim - 1)]))


def _chunk_files(folder: Path) -> Iterator[Path]:
    return (file for file in (folder / "c").glob("[0-9]*") if file.suffix == "")


def _check_length(path: Path, array: "zarr.Array[Any]", file: Path) -> None:
    wanted = int(np.prod(array.chunks)) * array.dtype.itemsize
    found = file.stat().st_size if file.is_file() else None
    if found == wanted:
        return
    index = int(file.relative_to(path).parts[2])
    mark = Path("done", "c", str(index))
    name = file.relative_to(path)
    what = f"{name} is missing" if found is None else f"{name} has {found} bytes, not {wanted}"
    both = str(mark) if found is None or name == mark else f"{name} and {mark}"
    first, size = index * array.chunks[0], array.chunks[0]
    raise StoreError(
        f"{path} is damaged: {what}; remove {both} from it, then --resume runs samples {first} to "
        f"{first + size - 1} anew"
    )
