"""What a network is: layers with their sizes, windows and weights, and which of its outputs count.

Files, NumPy, training, cells as circuits and circuits in the loop all take this one description. A layer without
weights says what is to be trained; with weights it can be run as well. Names and equations are those of the paper
(Voelker, Kajić and Eliasmith, NeurIPS 2019, eqs 2, 6 and 7):

    u[k] = e_x.x[k] + e_h.h[k-1] + e_m.m[k-1] + b_m
    m[k] = Ad m[k-1] + Bd u[k]
    h[k] = tanh(W_x x[k] + W_h h[k-1] + W_m m[k] + b)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import Any, Literal, NamedTuple, SupportsFloat, assert_never, get_args

import numpy as np

from lmu_analog.errors import DesignError, shown
from lmu_analog.memory.legendre import coefficients
from lmu_analog.memory.reference import Method
from lmu_analog.units import is_whole

Activation = Literal["tanh", "linear"]
Readout = Literal["last", "every"]
Learned = Literal["theta", "A", "B"]
Connection = Literal[
    "input_kernel", "hidden_encoders", "memory_encoders", "hidden_kernel", "bias", "memory_bias"
]
CONNECTIONS: tuple[Connection, ...] = get_args(Connection)
_USUAL: tuple[Connection, ...] = CONNECTIONS[:-1]  # all but the bias of the memories, as in the paper
_WITHOUT_HIDDEN: tuple[Connection, ...] = ("memory_encoders", "memory_bias")  # what a memory alone may have
METHODS = ("zoh", "euler")
Arrays = Mapping[str, np.ndarray]  # the trained arrays of one layer, by name

# What every array of an LMU layer is, axis by axis; a product of axes is written with *.
AXES: dict[str, tuple[str, ...]] = {
    "input_encoders": ("inputs", "memories"),
    "hidden_encoders": ("hidden", "memories"),
    "memory_encoders": ("memories*order", "memories"),
    "input_kernel": ("inputs", "hidden"),
    "hidden_kernel": ("hidden", "hidden"),
    "memory_kernel": ("memories*order", "hidden"),
    "bias": ("hidden",),
    "memory_bias": ("memories",),
    "A": ("order", "order"),
    "B": ("order",),
}
_LSTM_AXES = {
    "kernel": ("inputs", "4*hidden"),
    "recurrent_kernel": ("hidden", "4*hidden"),
    "bias": ("4*hidden",),
}
_DENSE_AXES = {"kernel": ("inputs", "units"), "bias": ("units",)}


class Weights(NamedTuple):
    """The weights of an LMU layer as its equations take them; connections that are absent are zeros.

    Leading axes may stand for many circuits, each with weights of its own; biases then have an axis of one for the
    batch.

    Attributes
    ----------
    input_encoders : (inputs, memories) array
        e_x.
    hidden_encoders : (hidden, memories) array
        e_h.
    memory_encoders : (memories*order, memories) array
        e_m; the coefficients of one memory lie next to each other.
    input_kernel : (inputs, hidden) array
        W_x, transposed.
    hidden_kernel : (hidden, hidden) array
        W_h, transposed.
    memory_kernel : (memories*order, hidden) array
        W_m, transposed.
    bias : (hidden,) array
        b.
    memory_bias : (memories,) array
        b_m.
    """

    input_encoders: np.ndarray
    hidden_encoders: np.ndarray
    memory_encoders: np.ndarray
    input_kernel: np.ndarray
    hidden_kernel: np.ndarray
    memory_kernel: np.ndarray
    bias: np.ndarray
    memory_bias: np.ndarray


@dataclass(frozen=True)
class LMULayer:
    """A Legendre memory unit, with what of it is trained.

    Layers are equal if they are of one structure, whatever their weights: compiled training is kept by it.

    Attributes
    ----------
    hidden : int
        Units of the hidden state h; 0 gives out the memory itself.
    order : int
        States of one memory.
    theta : float, s, or steps where dt is 1
        Window of the memory. Where it is learned, weights that are given move it here, and their ``rate`` is then 1.
    memories : int
        Memories, each with its own input u.
    method : {"zoh", "euler"}
        How the memory is discretised.
    learned : tuple of {"theta", "A", "B"}
        What is trained besides encoders and kernels; theta as 1/theta, A and B those of theta m' = A m + B u.
    connections : tuple of str
        Those of ``CONNECTIONS`` that are there; ``input_encoders`` and ``memory_kernel`` always are.
    dt : float, s
        Of one step.
    weights : dict of arrays, optional
        Names and shapes are those of ``shapes``. They may come from files and other programs: they are checked here,
        and errors name the axis.
    """

    hidden: int
    order: int
    theta: float
    memories: int = 1
    method: Method = "zoh"
    learned: tuple[Learned, ...] = ()
    connections: tuple[Connection, ...] = _USUAL
    dt: float = 1.0
    weights: Arrays | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        _check_count("order", self.order)
        _check_count("memories", self.memories)
        _positive("theta", self.theta)
        _positive("dt", self.dt)
        if self.hidden == 0 and set(self.connections) - set(_WITHOUT_HIDDEN):
            raise DesignError(
                "a layer without hidden units (hidden = 0) has memory_encoders and memory_bias at most"
            )
        if self.hidden:
            _check_count("hidden", self.hidden)
        _check_weights(self)
        if self.weights is not None and "rate" in self.weights:
            theta = _positive("the learned theta", self.theta / self.weights["rate"].item())
            object.__setattr__(self, "theta", theta)
            object.__setattr__(self, "weights", {**self.weights, "rate": np.ones(1)})

    @property
    def inputs(self) -> int:
        """Number of inputs x, as the weights have it."""
        return inputs_of(self)

    @property
    def own_matrices(self) -> bool:
        """Whether A and B are trained, so that they are no longer those of the Legendre memory."""
        return bool({"A", "B"} & set(self.learned))

    @cached_property
    def matrices(self) -> tuple[np.ndarray, np.ndarray]:
        """A (order, order) and B (order,) of theta m' = A m + B u."""
        A, B = coefficients(self.order)
        given = self.weights or {}
        return given.get("A", A), given.get("B", B)

    @cached_property
    def arrays(self) -> Weights:
        """All weights, with zeros for connections that are not there."""
        given, lengths = _given(self), {**_lengths(self), "inputs": self.inputs}
        return Weights(
            *(given.get(name, np.zeros([lengths[a] for a in AXES[name]])) for name in Weights._fields)
        )


@dataclass(frozen=True)
class LSTMLayer:
    """Long short-term memory (Hochreiter and Schmidhuber 1997, with forget gates): the baseline."""

    hidden: int
    weights: Arrays | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        _check_count("hidden", self.hidden)
        _check_weights(self)


@dataclass(frozen=True)
class DenseLayer:
    """y = f(x W + b), at every step by itself; ``kernel`` is W, (inputs, units), and ``bias`` is b."""

    units: int
    activation: Activation = "linear"
    weights: Arrays | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        _check_count("units", self.units)
        if self.activation not in get_args(Activation):
            raise DesignError(f"activation {shown(self.activation)}; known are linear, tanh")
        _check_weights(self)


Layer = LMULayer | LSTMLayer | DenseLayer


@dataclass(frozen=True)
class Network:
    """Layers, one after another.

    Attributes
    ----------
    inputs : int
        Components of the input at one step.
    layers : tuple
    readout : {"last", "every"}
        Whether the output of the last step counts, or of every step.
    """

    inputs: int
    layers: tuple[Layer, ...]
    readout: Readout = "last"

    def __post_init__(self) -> None:
        _check_count("inputs", self.inputs)
        if self.readout not in get_args(Readout):
            raise DesignError(f"readout {shown(self.readout)}; known are last, every")
        below, origin = self.inputs, "the network takes"
        for k, layer in enumerate(self.layers):
            if layer.weights is not None and (given := inputs_of(layer)) != below:
                raise DesignError(f"layer {k}: axis inputs has length {given}, not {below} as {origin}")
            below, origin = outputs(layer), f"layer {k} gives out"


def lmu_layer(
    arrays: Mapping[str, Any], *, theta: SupportsFloat, dt: SupportsFloat = 1.0, method: str = "zoh"
) -> LMULayer:
    """Make a layer of given weights, whose shapes say how large it is.

    Parameters
    ----------
    arrays : dict of arrays
        Of every name in ``AXES``; biases may be left out, and so may A and B, where training has not moved them from
        those of the Legendre memory. Hidden units may be none: the output is then the memories.
    theta : float, s, or steps where dt is 1
        Window of every memory.
    dt : float, s
        Of one step.
    method : {"zoh", "euler"}

    Raises
    ------
    DesignError
        If an array is missing or unknown, does not fit the others, or holds what are no finite numbers.
    """
    optional = {"bias", "memory_bias", "A", "B"}
    if missing := sorted(AXES.keys() - arrays.keys() - optional):
        raise DesignError(f"no array {missing[0]!r}; wanted are {', '.join(sorted(AXES.keys() - optional))}")
    if unknown := sorted(arrays.keys() - AXES.keys()):
        raise DesignError(f"unknown array {shown(unknown[0], 60)}; known are {', '.join(sorted(AXES))}")
    if method not in METHODS:
        raise DesignError(f"method {shown(method)}; known are {', '.join(METHODS)}")
    given = _numbers({name: arrays[name] for name in AXES if arrays.get(name) is not None})
    lengths: dict[str, tuple[int, str]] = {}
    _measure({name: array.shape for name, array in given.items()}, AXES, lengths)
    if ("A" in given) != ("B" in given):
        raise DesignError("A and B go together; give both, or neither for the Legendre memory")
    size = {axis: length for axis, (length, _) in lengths.items()}
    layer = LMULayer(
        size["hidden"],
        size["order"],
        _positive("theta", theta),
        size["memories"],
        method,
        learned=("A", "B") if "A" in given else (),
        connections=CONNECTIONS if size["hidden"] else _WITHOUT_HIDDEN,
        dt=_positive("dt", dt),
    )
    wanted = shapes(layer, size["inputs"])
    return replace(layer, weights={name: given.get(name, np.zeros(shape)) for name, shape in wanted.items()})


def with_weights(network: Network, weights: Sequence[Mapping[str, Any]]) -> Network:
    """Give a network the weights that training has found, layer by layer; a learned theta goes into the layer.

    Raises
    ------
    DesignError
        If layer, name or shape do not fit; the axis is named.
    """
    if len(weights) != len(network.layers):
        raise DesignError(f"weights of {len(weights)} layers for a network of {len(network.layers)}")
    layers: list[Layer] = []
    for k, (layer, given) in enumerate(zip(network.layers, weights, strict=True)):
        try:
            layers.append(replace(layer, weights={name: np.asarray(a, float) for name, a in given.items()}))
        except DesignError as error:
            raise DesignError(f"layer {k}: {error}") from error
    return replace(network, layers=tuple(layers))


def outputs(layer: Layer) -> int:
    """Count what a layer gives out at one step."""
    match layer:
        case LMULayer():
            return layer.hidden or layer.memories * layer.order
        case LSTMLayer():
            return layer.hidden
        case DenseLayer():
            return layer.units
        case _:
            assert_never(layer)


def shapes(layer: Layer, inputs: int) -> dict[str, tuple[int, ...]]:
    """Give names and shapes of a layer's trained arrays.

    ``rate`` is theta of the layer over the learned theta; ``A`` and ``B`` are those of theta = 1.
    """
    lengths = {**_lengths(layer), "inputs": inputs}
    return {name: tuple(lengths[axis] for axis in axes) for name, axes in _axes(layer).items()}


def all_shapes(network: Network) -> list[dict[str, tuple[int, ...]]]:
    """Give names and shapes of the trained arrays, layer by layer."""
    sizes = [network.inputs, *(outputs(layer) for layer in network.layers)]
    return [shapes(layer, n) for layer, n in zip(network.layers, sizes, strict=False)]


def count_parameters(network: Network) -> int:
    """Count the trained numbers."""
    return sum(prod(shape) for layer in all_shapes(network) for shape in layer.values())


def count_states(network: Network) -> int:
    """Count the numbers kept from one step to the next: m and h of an LMU, c and h of an LSTM."""
    total = 0
    for layer in network.layers:
        match layer:
            case LMULayer():
                # Hidden units that nothing feeds back are outputs, not states.
                fed_back = {"hidden_kernel", "hidden_encoders"} & set(layer.connections)
                total += layer.memories * layer.order + (layer.hidden if fed_back else 0)
            case LSTMLayer():
                total += 2 * layer.hidden
            case DenseLayer():
                pass
    return total


def _axes(layer: Layer) -> dict[str, tuple[str, ...]]:
    """Name the arrays that a layer has, with their axes; what is learned of a memory comes last."""
    match layer:
        case LMULayer():
            absent = set(CONNECTIONS) - set(layer.connections) | (
                set() if layer.hidden else {"memory_kernel"}
            )
            kept = {name: AXES[name] for name in Weights._fields if name not in absent}
            learned = {"theta": ("rate", ("one",)), "A": ("A", AXES["A"]), "B": ("B", AXES["B"])}
            return kept | dict(learned[name] for name in layer.learned)
        case LSTMLayer():
            return _LSTM_AXES
        case DenseLayer():
            return _DENSE_AXES
        case _:
            assert_never(layer)


def _lengths(layer: Layer) -> dict[str, int]:
    """Give the length of every axis but that of the inputs, which the layers below decide."""
    match layer:
        case LMULayer(hidden, order, _, memories):
            states = memories * order
            return {
                "hidden": hidden, "order": order, "memories": memories, "memories*order": states, "one": 1
            }  # fmt: skip
        case LSTMLayer(hidden):
            return {"hidden": hidden, "4*hidden": 4 * hidden}
        case DenseLayer(units):
            return {"units": units}
        case _:
            assert_never(layer)


def _given(layer: Layer) -> Arrays:
    if layer.weights is None:
        raise DesignError("the layer has no weights; train it, or draw some with initial and give it those")
    return layer.weights


def inputs_of(layer: Layer) -> int:
    """Give the number of inputs of a layer with weights."""
    return len(_given(layer)["input_encoders" if isinstance(layer, LMULayer) else "kernel"])


def check_shapes(layer: Layer, arrays: Mapping[str, Any], inputs: int | None = None) -> None:
    """Refuse arrays, NumPy's or JAX's, that are not those of a layer by name or shape.

    Raises
    ------
    DesignError
        Naming the array and the axis.
    """
    axes, known = _axes(layer), {axis: (n, "the layer") for axis, n in _lengths(layer).items()}
    if odd := sorted(axes.keys() ^ arrays.keys()):
        raise DesignError(f"{odd[0]!r} is missing or not known; wanted are {', '.join(axes)}")
    if inputs is not None:
        known["inputs"] = (inputs, "what is below")
    _measure({name: np.shape(arrays[name]) for name in axes}, axes, known)


def check_inputs(shape: tuple[int, ...], inputs: int) -> None:
    """Refuse inputs of a network by their shape: batch, step, component.

    Raises
    ------
    DesignError
        Naming the axis.
    """
    if len(shape) != 3 or 0 in shape:
        raise DesignError(
            f"x has shape {shape}; axes (batch, step, component) are wanted, none of them empty"
        )
    if shape[2] != inputs:
        raise DesignError(f"x: axis 2 (component) has length {shape[2]}, not {inputs} as the network takes")


def _check_weights(layer: Layer) -> None:
    """Refuse weights that are not those of a layer, and keep them as floats in the order of ``shapes``."""
    if layer.weights is None:
        return
    given = {name: layer.weights[name] for name in _axes(layer) if name in layer.weights}
    check_shapes(layer, layer.weights)
    object.__setattr__(layer, "weights", _numbers(given))


def _measure(
    shapes: Mapping[str, tuple[int, ...]],
    axes: Mapping[str, tuple[str, ...]],
    lengths: dict[str, tuple[int, str]],
) -> None:
    """Compare the axes of arrays; the first that has an axis says how long that axis is, unless it is known."""
    for name, shape in shapes.items():
        if len(shape) != len(axes[name]):
            raise DesignError(f"{name} has shape {shape}; axes ({', '.join(axes[name])}) are wanted")
        for k, (axis, length) in enumerate(zip(axes[name], shape, strict=True)):
            where = f"{name}: axis {k} ({axis})"
            if length == 0 and axis != "hidden":  # a layer without hidden units is a memory alone
                raise DesignError(f"{where} is empty")
            known, origin = lengths.setdefault(axis, (length, name))
            if length != known:
                raise DesignError(f"{where} has length {length}, not {known} as in {origin}")
            if axis == "memories*order":  # the order follows from the product with it
                memories, _ = lengths["memories"]
                if length % memories:
                    raise DesignError(f"{where} has length {length}, no multiple of {memories} memories")
                lengths.setdefault("order", (length // memories, name))


def _numbers(arrays: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Give arrays as floats, all of them finite."""
    found: dict[str, np.ndarray] = {}
    for name, given in arrays.items():
        array = np.asarray(given)
        if array.dtype.kind not in "iuf":
            raise DesignError(f"{name} holds {array.dtype} values; real numbers are wanted")
        if bad := int(np.sum(~np.isfinite(array))):
            raise DesignError(
                f"{name} holds {bad} values that are not finite, of {array.size}; train it anew"
            )
        found[name] = array.astype(float)
    return found


def _positive(name: str, value: object) -> float:
    number = np.asarray(value)
    if number.dtype.kind not in "iuf" or number.shape != () or not 0.0 < float(number) < np.inf:
        raise DesignError(f"{name} must be one positive number, not {shown(value, 60)}")
    return float(number)


def _check_count(name: str, value: int) -> None:
    if not is_whole(value) or value < 1:
        raise DesignError(f"{name} = {shown(value)}; a whole number from 1 up is wanted")
