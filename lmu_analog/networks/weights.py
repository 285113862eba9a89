"""Layers and networks in NumPy archives."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from lmu_analog.arrays_in import read_arrays
from lmu_analog.errors import DesignError, shown
from lmu_analog.files_out import whole_file
from lmu_analog.networks.network import (
    Activation,
    DenseLayer,
    Layer,
    LMULayer,
    LSTMLayer,
    Network,
    Readout,
    inputs_of,
    lmu_layer,
)

LARGEST_FILE = 400_000_000  # bytes, of an archive and of each of its arrays: fifty million weights


def to_npz(path: Path | str, layer: LMULayer) -> Path:
    """Write a layer to a NumPy archive, its weights under their own names; zeros for absent connections.

    Raises
    ------
    DesignError
        If the file cannot be written.
    """
    return write_archive(path, _content(layer))


def from_npz(path: Path | str) -> LMULayer:
    """Read a layer from a NumPy archive as ``to_npz`` writes it; other arrays in it are refused.

    Raises
    ------
    DesignError
        If the file is missing, no archive, or its arrays are not those of one layer.
    """
    return _lmu_layer(read_archive(path), path)


def network_to_npz(path: Path | str, network: Network) -> Path:
    """Write a network of LMU and dense layers to a NumPy archive: array a of layer k is called k/a.

    Raises
    ------
    DesignError
        If the network has an LSTM, or the file cannot be written.
    """
    return write_archive(path, network_arrays(network))


def network_from_npz(path: Path | str) -> Network:
    """Read a network that ``network_to_npz`` has written.

    Raises
    ------
    DesignError
        If the file is missing, no such archive, or its arrays do not make a network; array and axis are named.
    """
    return network_of(read_archive(path), path)


def network_arrays(network: Network) -> dict[str, np.ndarray]:
    """Give everything that a network's file holds, by name.

    Raises
    ------
    DesignError
        If the network has an LSTM.
    """
    content: dict[str, np.ndarray] = {"readout": np.array(network.readout)}
    for k, layer in enumerate(network.layers):
        content |= {f"{k}/{name}": array for name, array in _content(layer).items()}
    return content


def network_of(content: Mapping[str, np.ndarray], path: Path | str) -> Network:
    """Make a network of the arrays of a file, whose name errors start with.

    Raises
    ------
    DesignError
        If they do not make a network; array and axis are named.
    """
    parts: dict[int, dict[str, np.ndarray]] = {}
    readout = "last"
    for name, array in content.items():
        number, _, inner = name.partition("/")
        if name == "readout":
            readout = str(array)
        elif not number.isdecimal() or not inner:
            raise DesignError(
                f"{path}: array {shown(name, 60)} is of no layer; names such as 0/memory_kernel are wanted"
            )
        else:
            parts.setdefault(int(number), {})[inner] = array
    layers = tuple(_read_layer(parts[k], f"{path}, layer {k}") for k in sorted(parts))
    if not layers:
        raise DesignError(f"{path} holds no layers; names such as 0/memory_kernel are wanted")
    try:
        return Network(inputs_of(layers[0]), layers, cast("Readout", readout))
    except DesignError as error:
        raise DesignError(f"{path}: {error}") from error


def _content(layer: Layer) -> dict[str, np.ndarray]:
    """Give everything that a layer's file holds, by name."""
    match layer:
        case LMULayer():
            A, B = layer.matrices
            return {
                **layer.arrays._asdict(),
                **({"A": A, "B": B} if layer.own_matrices else {}),
                **{name: np.asarray(getattr(layer, name)) for name in ("theta", "dt", "method")},
            }
        case DenseLayer():
            return {**(layer.weights or {}), "activation": np.array(layer.activation)}
        case LSTMLayer():
            raise DesignError("files are of LMU and dense layers; an LSTM has no place in them")


def _read_layer(content: dict[str, np.ndarray], origin: str) -> Layer:
    if "kernel" not in content:
        return _lmu_layer(content, origin)
    if odd := sorted({"kernel", "bias", "activation"} ^ content.keys()):
        raise DesignError(f"{origin}: array {shown(odd[0], 60)} is missing or unknown, for a dense layer")
    weights = {name: content[name] for name in ("kernel", "bias")}
    try:
        units = weights["kernel"].shape[-1] if weights["kernel"].ndim else 0
        return DenseLayer(units, cast("Activation", str(content["activation"])), weights)
    except DesignError as error:
        raise DesignError(f"{origin}: {error}") from error


def _lmu_layer(content: dict[str, np.ndarray], origin: Path | str) -> LMULayer:
    """Make a layer of named arrays; ``origin`` is what errors call them."""
    arrays, known = dict(content), {"theta", "dt", "method"}
    figures: dict[str, Any] = {name: arrays.pop(name) for name in known & arrays.keys()}
    try:
        if "theta" not in figures:
            raise DesignError("no array 'theta'; wanted are three encoders, three kernels and theta")
        figures["method"] = str(figures.get("method", "zoh"))
        return lmu_layer(arrays, **figures)
    except DesignError as error:
        raise DesignError(f"{origin}: {error}") from error


def write_archive(path: Path | str, content: dict[str, Any]) -> Path:
    """Write arrays to a NumPy archive; a reader, or a crash, never meets half of it.

    Raises
    ------
    DesignError
        If the file cannot be written.
    """
    path = Path(path)
    with whole_file(path) as half, half.open("wb") as file:
        np.savez(file, **content)
    return path


def read_archive(path: Path | str, *, write: str = "to_npz") -> dict[str, np.ndarray]:
    """Read all arrays of a NumPy archive.

    Raises
    ------
    DesignError
        If the file is missing, or no archive of numbers, or holds more of them than any network has.
    """
    return read_arrays(path, most=LARGEST_FILE, write=f"write one with {write}")
