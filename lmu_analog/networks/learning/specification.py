"""What a trainable network is made of: layers as data, and how many parameters and states they have."""

from dataclasses import dataclass
from typing import Literal, assert_never, get_args

from lmu_analog.errors import DesignError, shown
from lmu_analog.memory.reference import Method
from lmu_analog.units import is_whole

Activation = Literal["tanh", "linear"]
Readout = Literal["last", "every"]
Learned = Literal["theta", "A", "B"]
Connection = Literal[
    "input_kernel", "hidden_encoders", "memory_encoders", "hidden_kernel", "bias", "memory_bias"
]
CONNECTIONS: tuple[Connection, ...] = get_args(Connection)
USUAL: tuple[Connection, ...] = CONNECTIONS[:-1]  # all but the bias of the memories, as in the paper


@dataclass(frozen=True)
class LMULayer:
    """A Legendre memory unit, as in ``networks.cell``, with what of it is trained.

    Attributes
    ----------
    hidden : int
        Units of the hidden state h; 0 gives out the memory itself.
    order : int
        States of one memory.
    theta : float, steps
        Window of the memory.
    memories : int
        Memories, each with its own input u.
    method : {"zoh", "euler"}
        How the memory is discretised.
    learned : tuple of {"theta", "A", "B"}
        What is trained besides encoders and kernels; theta as 1/theta.
    connections : tuple of str
        Those of ``CONNECTIONS`` that are there; ``input_encoders`` and ``memory_kernel`` always are.
    """

    hidden: int
    order: int
    theta: float
    memories: int = 1
    method: Method = "zoh"
    learned: tuple[Learned, ...] = ()
    connections: tuple[Connection, ...] = USUAL

    def __post_init__(self) -> None:
        _positive("order", self.order)
        _positive("memories", self.memories)
        if not 0.0 < self.theta < float("inf"):
            raise DesignError(f"theta = {self.theta:g} steps; a finite number above 0 is wanted")
        if self.hidden == 0 and set(self.connections) - {"memory_encoders", "memory_bias"}:
            raise DesignError(
                "a layer without hidden units (hidden = 0) has memory_encoders and memory_bias at most"
            )
        if self.hidden:
            _positive("hidden", self.hidden)


@dataclass(frozen=True)
class LSTMLayer:
    """Long short-term memory (Hochreiter and Schmidhuber 1997, with forget gates): the baseline."""

    hidden: int

    def __post_init__(self) -> None:
        _positive("hidden", self.hidden)


@dataclass(frozen=True)
class DenseLayer:
    """y = f(x W + b), at every step by itself."""

    units: int
    activation: Activation = "linear"

    def __post_init__(self) -> None:
        _positive("units", self.units)


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
        _positive("inputs", self.inputs)


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
    """Give names and shapes of a layer's trained arrays; those of an LMU are as in ``networks.weights``.

    ``rate`` is theta of the specification over the learned theta; ``A`` and ``B`` are those of theta = 1.
    """
    match layer:
        case LMULayer():
            return _lmu_shapes(layer, inputs)
        case LSTMLayer(h):
            return {"kernel": (inputs, 4 * h), "recurrent_kernel": (h, 4 * h), "bias": (4 * h,)}
        case DenseLayer(units):
            return {"kernel": (inputs, units), "bias": (units,)}
        case _:
            assert_never(layer)


def _lmu_shapes(layer: LMULayer, inputs: int) -> dict[str, tuple[int, ...]]:
    hidden, memories, states = layer.hidden, layer.memories, layer.memories * layer.order
    known = {
        "input_encoders": (inputs, memories),
        "hidden_encoders": (hidden, memories),
        "memory_encoders": (states, memories),
        "input_kernel": (inputs, hidden),
        "hidden_kernel": (hidden, hidden),
        "memory_kernel": (states, hidden),
        "bias": (hidden,),
        "memory_bias": (memories,),
    }
    absent = set(CONNECTIONS) - set(layer.connections) | (set() if hidden else {"memory_kernel"})
    learned = {"theta": ("rate", (1,)), "A": ("A", (layer.order,) * 2), "B": ("B", (layer.order,))}
    kept = {name: shape for name, shape in known.items() if name not in absent}
    return kept | dict(learned[name] for name in layer.learned)


def all_shapes(network: Network) -> list[dict[str, tuple[int, ...]]]:
    """Give names and shapes of the trained arrays, layer by layer."""
    sizes = [network.inputs, *(outputs(layer) for layer in network.layers)]
    return [shapes(layer, n) for layer, n in zip(network.layers, sizes, strict=False)]


def count_parameters(network: Network) -> int:
    """Count the trained numbers."""
    total = 0
    for layer in all_shapes(network):
        for shape in layer.values():
            size = 1
            for length in shape:
                size *= length
            total += size
    return total


def count_states(network: Network) -> int:
    """Count the numbers that are carried from one step to the next: m and h of an LMU, c and h of an LSTM."""
    total = 0
    for layer in network.layers:
        match layer:
            case LMULayer():
                # Hidden units that nothing feeds back are outputs, not states.
                carried = {"hidden_kernel", "hidden_encoders"} & set(layer.connections)
                total += layer.memories * layer.order + (layer.hidden if carried else 0)
            case LSTMLayer():
                total += 2 * layer.hidden
            case DenseLayer():
                pass
    return total


def _positive(name: str, value: int) -> None:
    if not is_whole(value) or value < 1:
        raise DesignError(f"{name} = {shown(value)}; a whole number from 1 up is wanted")
