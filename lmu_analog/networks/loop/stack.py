"""A trained network as NumPy arrays: LMU layers, dense layers, and the file that keeps them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from jaxtyping import Float

from lmu_analog.errors import DesignError, shown
from lmu_analog.networks.learning.exchange import to_weights
from lmu_analog.networks.learning.initial import Parameters
from lmu_analog.networks.learning.specification import (
    Activation,
    DenseLayer,
    LMULayer,
    Network,
    Readout,
)
from lmu_analog.networks.weights import Weights, from_arrays, read_archive, to_arrays, write_archive

Objective = Literal["classes", "series"]


@dataclass(frozen=True, eq=False)
class Dense:
    """y = f(x W + b), at every step by itself.

    Attributes
    ----------
    kernel : (inputs, units) array
        W.
    bias : (units,) array
        b.
    activation : {"linear", "tanh"}
        f.
    """

    kernel: np.ndarray
    bias: np.ndarray
    activation: Activation = "linear"

    def __post_init__(self) -> None:
        for name, axes in (("kernel", 2), ("bias", 1)):
            array = np.asarray(getattr(self, name), float)
            if array.ndim != axes:
                raise DesignError(f"{name} has shape {array.shape}; {axes} axes are wanted")
            if bad := int(np.sum(~np.isfinite(array))):
                raise DesignError(
                    f"{name} holds {bad} values that are not finite, of {array.size}; train it anew"
                )
            object.__setattr__(self, name, array)
        if self.bias.shape[0] != self.kernel.shape[1]:
            raise DesignError(
                f"bias: axis 0 (units) has length {self.bias.shape[0]}, not {self.kernel.shape[1]} as in kernel"
            )
        if self.activation not in ("linear", "tanh"):
            raise DesignError(f"activation {shown(self.activation)}; known are linear, tanh")


Layer = Weights | Dense


@dataclass(frozen=True, eq=False)
class Stack:
    """Trained layers, one after another.

    Attributes
    ----------
    layers : tuple of Weights or Dense
    readout : {"last", "every"}
        Whether the output of the last step counts, or of every step.
    """

    layers: tuple[Layer, ...]
    readout: Readout = "last"

    def __post_init__(self) -> None:
        if not any(isinstance(layer, Weights) for layer in self.layers):
            raise DesignError("the network has no LMU layer, so no memory that a circuit could be")
        if self.readout not in ("last", "every"):
            raise DesignError(f"readout {shown(self.readout)}; known are last, every")
        for k, (before, after) in enumerate(zip(self.layers, self.layers[1:], strict=False)):
            if sizes(before)[1] != sizes(after)[0]:
                raise DesignError(
                    f"layer {k + 1}: axis inputs has length {sizes(after)[0]}, not {sizes(before)[1]} "
                    f"as layer {k} gives out"
                )

    @property
    def inputs(self) -> int:
        """Components of the input at one step."""
        return sizes(self.layers[0])[0]


def sizes(layer: Layer) -> tuple[int, int]:
    """Give what a layer takes and gives out at one step."""
    if isinstance(layer, Weights):
        return layer.inputs, layer.hidden
    return layer.kernel.shape[0], layer.kernel.shape[1]


def from_trained(network: Network, weights: Sequence[Parameters]) -> Stack:
    """Take over what training has found; JAX is not needed.

    Raises
    ------
    DesignError
        If a layer is neither an LMU with hidden units nor dense.
    """
    layers: list[Layer] = []
    for k, (layer, arrays) in enumerate(zip(network.layers, weights, strict=True)):
        match layer:
            case LMULayer():
                layers.append(to_weights(layer, arrays))
            case DenseLayer(_, activation):
                layers.append(Dense(arrays["kernel"], arrays["bias"], activation))
            case _:
                raise DesignError(f"layer {k} is an LSTM; circuits take the place of memories of LMUs alone")
    return Stack(tuple(layers), network.readout)


def check_inputs(stack: Stack, x: np.ndarray) -> Float[np.ndarray, "b t i"]:
    """Give inputs as floats.

    Raises
    ------
    DesignError
        If an axis is wrong, which is named, or a value is not finite.
    """
    x = np.asarray(x, float)
    if x.ndim != 3 or 0 in x.shape:
        raise DesignError(
            f"x has shape {x.shape}; axes (batch, step, component) are wanted, none of them empty"
        )
    if x.shape[2] != stack.inputs:
        raise DesignError(
            f"x: axis 2 (component) has length {x.shape[2]}, not {stack.inputs} as the network takes"
        )
    if not np.isfinite(x).all():
        raise DesignError(f"x holds {int(np.sum(~np.isfinite(x)))} values that are not finite")
    return x


def to_npz(path: Path | str, stack: Stack) -> Path:
    """Write a network to a NumPy archive: array a of layer k is called k/a."""
    path = Path(path)
    content: dict[str, Any] = {"readout": np.array(stack.readout)}
    for k, layer in enumerate(stack.layers):
        if isinstance(layer, Weights):
            arrays = to_arrays(layer)
        else:
            arrays = {"kernel": layer.kernel, "bias": layer.bias, "activation": np.array(layer.activation)}
        content |= {f"{k}/{name}": array for name, array in arrays.items()}
    return write_archive(path, content)


def from_npz(path: Path | str) -> Stack:
    """Read a network that ``to_npz`` has written.

    Raises
    ------
    DesignError
        If the file is missing, no such archive, or its arrays do not make a network; array and axis are named.
    """
    path = Path(path)
    parts: dict[int, dict[str, np.ndarray]] = {}
    readout = "last"
    for name, array in read_archive(path).items():
        number, _, inner = name.partition("/")
        if name == "readout":
            readout = str(array)
        elif not number.isdecimal() or not inner:
            raise DesignError(
                f"{path}: array {shown(name, 60)} is of no layer; names such as 0/memory_kernel are wanted"
            )
        else:
            parts.setdefault(int(number), {})[inner] = array
    layers = [_layer(parts[k], f"{path}, layer {k}") for k in sorted(parts)]
    try:
        return Stack(tuple(layers), cast("Readout", readout))
    except DesignError as error:
        raise DesignError(f"{path}: {error}") from error


def _layer(content: dict[str, np.ndarray], origin: str) -> Layer:
    if "kernel" not in content:
        return from_arrays(content, origin)
    if odd := sorted({"kernel", "bias", "activation"} ^ content.keys()):
        raise DesignError(f"{origin}: array {shown(odd[0], 60)} is missing or unknown, for a dense layer")
    try:
        return Dense(content["kernel"], content["bias"], cast("Activation", str(content["activation"])))
    except DesignError as error:
        raise DesignError(f"{origin}: {error}") from error
