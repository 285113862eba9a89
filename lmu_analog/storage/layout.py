"""How a run lies on disk: arrays of a Zarr group in chunks of fixed size, each with a checksum, no compressor."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

import numpy as np
import zarr
from zarr.codecs import Crc32cCodec

from lmu_analog.circuits.devices.tolerance import MOST_SAMPLES as MOST_SAMPLES
from lmu_analog.memory.window import QUADRATURE
from lmu_analog.storage.reasons import CODES
from lmu_analog.storage.results import CHIP, CHUNK

FORMAT = 2  # of stores; 1 had no checksums
# Samples in a file. A file costs about a millisecond whatever its size: files of 64 would hold the exact engine
# up; 1024 samples are 0.3 MB.
FILE = 16 * CHUNK
STATUS = ("good", "unstable", "failed")
RESULTS = ("window_nrmse", "profile", "status", "reason")  # what a sample leaves
# Dimensions, type, fill value and attributes.
LAYOUT: dict[str, tuple[tuple[str, ...], str, object, dict[str, Any]]] = {
    "window_nrmse": (("sample",), "float64", np.nan, {"units": "1"}),
    "profile": (("sample", "delay"), "float64", np.nan, {"units": "1"}),
    "status": (
        ("sample",),
        "int8",
        STATUS.index("failed"),
        {"flag_values": list(range(len(STATUS))), "flag_meanings": " ".join(STATUS)},
    ),
    "reason": (
        ("sample",),
        "int8",
        CODES["unknown"],
        {"flag_values": list(CODES.values()), "flag_meanings": " ".join(CODES)},
    ),
    "done": (("sample",), "bool", False, {}),
    "sample": (("sample",), "int64", 0, {}),
    "delay": (("delay",), "float64", 0.0, {"units": "theta"}),
    **{name: (("sample",), "float64", np.nan, {"units": units}) for name, units in CHIP.items()},
}
_KEEP_EMPTY = {"array.write_empty_chunks": True}  # a file that is missing is then a file that was lost


def results_of(told: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the arrays that a sample of a run leaves; ``told`` are the attributes of the run."""
    return (*RESULTS, *CHIP) if "pdk" in told else RESULTS


def arrays_of(told: Mapping[str, Any]) -> tuple[str, ...]:
    """Name all arrays of a run."""
    return (*results_of(told), "done", "sample", "delay")


def make_arrays(group: zarr.Group, samples: int, names: Iterable[str]) -> None:
    """Make arrays of a run, empty, and their coordinates."""
    points = len(QUADRATURE.r)
    sizes = {"sample": (samples, FILE), "delay": (points, points)}
    for name in names:
        dimensions, kind, fill, attributes = LAYOUT[name]
        group.create_array(
            name,
            shape=tuple(sizes[n][0] for n in dimensions),
            chunks=tuple(sizes[n][1] for n in dimensions),
            dtype=kind,
            fill_value=fill,
            compressors=Crc32cCodec(),  # four bytes a file, which tell a flipped bit
            dimension_names=dimensions,
            attributes=attributes,
        )
    array_of(group, "sample")[:] = np.arange(samples)
    array_of(group, "delay")[:] = QUADRATURE.r


def array_of(group: zarr.Group, name: str) -> zarr.Array[Any]:
    """Open one array; whatever is written to it, also nothing but fill values, gets a file."""
    with zarr.config.set(_KEEP_EMPTY):
        return cast("zarr.Array[Any]", group[name])


def update(array: "zarr.Array[Any]", samples: np.ndarray, values: np.ndarray) -> None:
    """Put values at some samples, in rising order, each file with one write."""
    if samples[-1] - samples[0] == len(samples) - 1:
        array[int(samples[0]) : int(samples[-1]) + 1] = values
        return
    size = array.chunks[0]
    for first in np.unique(samples // size * size):
        here = samples // size * size == first
        stretch = slice(int(first), min(int(first) + size, array.shape[0]))
        block = np.array(array[stretch])
        block[samples[here] - first] = values[here]
        array[stretch] = block
