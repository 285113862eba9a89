"""The chunks of a run: which must be there, that each is whole and as it was written, and what is in it.

Every chunk has the same length and ends in a checksum. What is not vouched for by ``done`` is not read.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import zarr

from lmu_analog.errors import StoreError, shown
from lmu_analog.memory.window import QUADRATURE
from lmu_analog.storage.layout import FILE, STATUS, array_of, results_of
from lmu_analog.storage.metadata import damaged
from lmu_analog.storage.reasons import CODES
from lmu_analog.storage.results import CHIP

_LEFTOVERS = "*.partial"  # zarr writes a file under such a name, then renames it
_CHECKSUM = 4  # bytes at the end of a file
AT_ONCE = 64  # files: what is read together
_SAME_POINT = 1e-12  # of the window: its points are computed, and may end in another digit elsewhere


def sweep_leftovers(path: Path) -> None:
    """Remove the unfinished files of a writer that was killed."""
    for left in path.rglob(_LEFTOVERS):
        left.unlink(missing_ok=True)


def read_done(path: Path, group: zarr.Group) -> np.ndarray:
    """Say which samples are complete, (n,) bool.

    Raises
    ------
    StoreError
        If a file of it is damaged.
    """
    done = np.zeros(array_of(group, "done").shape[0], bool)
    for stretch, values in _read(path, group, "done", _present(path, group, "done")):
        bits = values.view(np.uint8)
        if (bits > 1).any():
            raise _odd(path, "done", stretch.start + int(np.argmax(bits > 1)), bits.max())
        done[stretch] = values
    return done


def read_results(path: Path, group: zarr.Group, numbers: np.ndarray) -> dict[str, np.ndarray]:
    """Read what samples left, whose numbers rise, and refuse what no engine writes.

    Returns
    -------
    values : dict
        Every array of the layout but ``done``, by its name.

    Raises
    ------
    StoreError
        Which names the file that is missing, cut or altered and what to remove to run its samples anew, or the
        sample whose values cannot be.
    """
    wanted = np.unique(numbers // FILE)
    read: dict[str, np.ndarray] = {}
    for name in ("sample", *results_of(group.attrs.asdict())):
        parts = [
            values[numbers[(numbers >= s.start) & (numbers < s.stop)] - s.start]
            for s, values in _read(path, group, name, wanted)
        ]
        read[name] = np.concatenate(parts) if parts else np.empty((0, *array_of(group, name).shape[1:]))
    _check_values(path, numbers, read)
    return {**read, "delay": _read_delay(path, group)}


def _read_delay(path: Path, group: zarr.Group) -> np.ndarray:
    """Read the points of the window that the profile is at, fractions of theta."""
    ((_, delay),) = _read(path, group, "delay", np.zeros(1, int))
    if not np.allclose(delay, QUADRATURE.r, rtol=0.0, atol=_SAME_POINT):
        raise damaged(path, f"delay: {shown(delay.tolist())} are not the points of the window")
    return delay


def check_files(path: Path, group: zarr.Group) -> None:
    """Refuse a run of which any file is damaged, also one that nothing vouches for: it will be written to.

    A missing file of finished samples would be filled with what unfinished ones have, and look whole again.

    Raises
    ------
    StoreError
        As ``read_results``.
    """
    finished = np.flatnonzero(read_done(path, group)) // FILE
    results = results_of(group.attrs.asdict())
    for name in ("sample", "delay", *results):
        vouched = finished if name in results else np.empty(0, int)
        for _ in _read(path, group, name, np.union1d(_present(path, group, name), vouched)):
            pass


def _check_values(path: Path, numbers: np.ndarray, read: dict[str, np.ndarray]) -> None:
    """Refuse values that are no outcome of a sample: such a file was not written by this program."""
    status, reason = read["status"], read["reason"]
    profile, error = read["profile"], read["window_nrmse"]
    good, unstable, failed = (status == k for k in range(len(STATUS)))
    _refuse(path, "sample", numbers, np.not_equal(read["sample"], numbers), read["sample"])
    _refuse(path, "status", numbers, ~(good | unstable | failed), status)
    _refuse(path, "reason", numbers, ~np.isin(reason, list(CODES.values())), reason)
    _refuse(path, "reason", numbers, ~good & (reason == CODES["none"]), reason)
    # Good samples have errors, unstable ones grow without bound, failed ones have no number.
    for name, values in (("window_nrmse", error[:, None]), ("profile", profile)):
        fits = np.select(
            [good[:, None], unstable[:, None]],
            [np.isfinite(values) & (values >= 0.0), values == np.inf],
            np.isnan(values),
        )
        _refuse(path, name, numbers, np.asarray(~fits.all(axis=1)), np.where(fits, 0.0, values).sum(axis=1))
    for name in CHIP:
        if name in read:
            _refuse(path, name, numbers, np.where(good, ~np.isfinite(read[name]), False), read[name])


def _refuse(path: Path, name: str, numbers: np.ndarray, bad: np.ndarray, values: np.ndarray) -> None:
    if bad.any():
        raise _odd(path, name, int(numbers[np.argmax(bad)]), values[np.argmax(bad)])


def _odd(path: Path, name: str, sample: int, value: Any) -> StoreError:
    return damaged(path, f"{name} of sample {sample} is {value}, which no engine writes for its status")


def _present(path: Path, group: zarr.Group, name: str) -> np.ndarray:
    """List the numbers of the files of an array that are there, along the samples."""
    array = cast("zarr.Array[Any]", group[name])
    named = [file.name for file in (path / name / "c").glob("[0-9]*")]
    numbers = np.array(sorted(int(n) for n in named if n.isdecimal() and len(n) < 10), int)
    return np.array([k for k in numbers if (path / _file(name, array, int(k))).exists()], int)


def _read(path: Path, group: zarr.Group, name: str, chunks: np.ndarray) -> Iterator[tuple[range, np.ndarray]]:
    """Read some files of an array, neighbours together: the samples of each stretch, and its values."""
    array = cast("zarr.Array[Any]", group[name])
    chunks = chunks[chunks * FILE < array.shape[0]]
    for chunk in chunks:
        _check_length(path, name, array, int(chunk))
    for first in np.split(chunks, np.flatnonzero(np.diff(chunks) > 1) + 1):
        for part in np.split(first, range(AT_ONCE, len(first), AT_ONCE)):
            if len(part):
                yield _stretch(path, name, array, int(part[0]), int(part[-1]))


def _stretch(
    path: Path, name: str, array: "zarr.Array[Any]", first: int, last: int
) -> tuple[range, np.ndarray]:
    size = array.chunks[0]
    samples = range(first * size, min((last + 1) * size, array.shape[0]))
    try:
        return samples, np.asarray(array[samples.start : samples.stop])
    except (ValueError, OSError) as error:
        if first == last:
            how = "does not match its checksum" if "checksum" in str(error) else f"cannot be read ({error})"
            raise _broken(path, name, array, first, how, gone=False) from None
    for k in range(first, last + 1):  # which of them is it?
        _stretch(path, name, array, k, k)
    return _stretch(path, name, array, first, last)  # it was being written


def _check_length(path: Path, name: str, array: "zarr.Array[Any]", chunk: int) -> None:
    """Refuse a file that is none or of another length: a pipe has no end, and a giant is not what we wrote."""
    file = path / _file(name, array, chunk)
    wanted = int(np.prod(array.chunks)) * array.dtype.itemsize + _CHECKSUM
    if not file.is_file():
        raise _broken(path, name, array, chunk, "is missing", gone=not file.exists())
    if (found := file.stat().st_size) != wanted:
        raise _broken(path, name, array, chunk, f"has {found} bytes, not {wanted}", gone=False)


def _broken(
    path: Path, name: str, array: "zarr.Array[Any]", chunk: int, how: str, *, gone: bool
) -> StoreError:
    file = _file(name, array, chunk)
    marks = [] if name in ("delay", "sample") else [f"done/c/{chunk}"]
    remedy = " and ".join(dict.fromkeys([*([] if gone else [str(file)]), *marks]))
    samples = f"runs samples {chunk * FILE} to {chunk * FILE + FILE - 1} anew" if marks else "writes it anew"
    first = f"remove {remedy} from it, then " if remedy else ""
    return StoreError(f"{path} is damaged: {file} {how}; {first}resumed=True {samples}")


def _file(name: str, array: "zarr.Array[Any]", chunk: int) -> Path:
    return Path(name, "c", str(chunk), *"0" * (array.ndim - 1))
