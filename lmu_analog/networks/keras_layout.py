"""Weights in the layout of keras-lmu, whose theta is in steps.

keras-lmu (0.9, ``LMUCell.build`` and ``call``) joins what it can into two kernels: the memory's input takes rows
of (inputs, hidden), the hidden cell takes rows of (memories*order, inputs), and the coefficients of one memory
lie next to each other. It leaves out what its options switch off. With Keras 3 ``get_weights`` gives kernel,
recurrent_kernel and bias of the hidden cell, then of the memory kernel, bias, theta_inv and recurrent_kernel, as
far as there are any.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmu_analog.errors import DesignError
from lmu_analog.networks.cell import HIGHEST_ORDER
from lmu_analog.networks.network import LMULayer, lmu_layer
from lmu_analog.units import whole

_HIDDEN = ("hidden kernel", "hidden recurrent_kernel", "hidden bias")
_OTHER_CELLS = {3: "a GRUCell", 4: "an LSTMCell"}  # by the number of gates that share its kernel


@dataclass(frozen=True)
class Connections:
    """Which optional connections a keras-lmu layer has, by its own names; its defaults are off.

    Attributes
    ----------
    hidden_to_memory, memory_to_memory, input_to_hidden : bool
        e_h, e_m and W_x.
    use_bias : bool
        Of the memory's input; the hidden cell always has one here.
    trainable_theta : bool
        Whether 1/theta is among the weights.
    hidden_cell : bool
        False for a layer made with ``hidden_cell=None``, whose output is the memory itself (and the input, with
        ``input_to_hidden``): its weights have no hidden units.
    """

    hidden_to_memory: bool = False
    memory_to_memory: bool = False
    input_to_hidden: bool = False
    use_bias: bool = False
    trainable_theta: bool = False
    hidden_cell: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """The arrays of ``get_weights``, in order."""
        optional = {
            "memory's bias": self.use_bias,
            "theta_inv": self.trainable_theta,
            "memory's recurrent_kernel": self.memory_to_memory,
        }
        there = (name for name, switched_on in optional.items() if switched_on)
        hidden = _HIDDEN if self.hidden_cell else ()
        return (*hidden, "memory's kernel", *there)


def from_keras_lmu(
    arrays: Sequence[Any],  # they come from elsewhere: what they hold is checked below
    connections: Connections = Connections(),  # noqa: B008  # frozen
    *,
    theta: float,
    order: int,
    method: str = "zoh",
) -> LMULayer:
    """Take the weights of a keras-lmu layer whose hidden cell is a ``SimpleRNNCell`` with tanh, or None.

    Parameters
    ----------
    arrays : sequence of arrays
        What ``layer.get_weights()`` gives.
    connections : Connections
        As the layer was made; they say which arrays there are.
    theta : float, steps
        The layer's; a trained one among the arrays takes its place.
    order : int
        Number of coefficients of one memory.
    method : {"zoh", "euler"}
        keras-lmu's ``discretizer``.

    Raises
    ------
    DesignError
        If there are more or fewer arrays than the connections say, one is no array of real numbers, the hidden cell
        is another one, or a shape does not fit; the array and the axis are named.
    """
    order = whole(order, "coefficients (order)", low=1, high=HIGHEST_ORDER)
    if connections.hidden_to_memory and not connections.hidden_cell:
        raise DesignError(
            "hidden_to_memory without a hidden cell: keras-lmu has no such layer; leave one out"
        )
    names = connections.names
    if len(arrays) != len(names):
        raise DesignError(
            f"{len(arrays)} arrays given; these connections make {len(names)}: {', '.join(names)}"
            f"{'' if len(arrays) < len(names) else '; a cell other than SimpleRNNCell has more'}"
        )
    found = {name: _numbers(name, array) for name, array in zip(names, arrays, strict=True)}
    kernel = _matrix("memory's kernel", found["memory's kernel"])
    features = kernel.shape[1] * order
    if not connections.hidden_cell:
        rows = features + (len(kernel) if connections.input_to_hidden else 0)
        found |= dict(zip(_HIDDEN, (np.zeros((rows, 0)), np.zeros((0, 0)), np.zeros(0)), strict=True))
    hidden = _matrix("hidden kernel", found["hidden kernel"])
    _check_cell(_matrix("hidden recurrent_kernel", found["hidden recurrent_kernel"]))
    units = hidden.shape[1]
    inputs = kernel.shape[0] - (units if connections.hidden_to_memory else 0)
    if inputs < 1:
        raise DesignError(
            f"memory's kernel: axis 0 (inputs + hidden) has length {len(kernel)}, not above {units}"
        )
    if len(hidden) != (rows := features + (inputs if connections.input_to_hidden else 0)):
        axis = "memories*order + inputs" if connections.input_to_hidden else "memories*order"
        raise DesignError(f"hidden kernel: axis 0 ({axis}) has length {len(hidden)}, not {rows}")
    trained = found.get("theta_inv")
    if trained is not None and trained.size != 1:
        raise DesignError(f"theta_inv has shape {trained.shape}; one number is wanted")
    given = {
        "input_encoders": kernel[:inputs],
        "hidden_encoders": kernel[inputs:]
        if connections.hidden_to_memory
        else np.zeros((units, kernel.shape[1])),
        "memory_encoders": found.get("memory's recurrent_kernel", np.zeros((features, kernel.shape[1]))),
        "input_kernel": hidden[features:] if connections.input_to_hidden else np.zeros((inputs, units)),
        "hidden_kernel": found["hidden recurrent_kernel"],
        "memory_kernel": hidden[:features],
        "bias": found["hidden bias"],
        "memory_bias": found.get("memory's bias"),
    }
    return lmu_layer(given, theta=theta if trained is None else 1.0 / trained.item(), method=method)


def _numbers(name: str, given: object) -> np.ndarray:
    try:
        array = np.asarray(given)
    except ValueError:  # lists of different lengths
        raise DesignError(
            f"{name} is ragged: its rows differ in length; an array of numbers is wanted"
        ) from None
    if array.dtype.kind not in "iuf":
        raise DesignError(f"{name} holds {array.dtype} values; real numbers are wanted")
    return array.astype(float)


def _check_cell(recurrent: np.ndarray) -> None:
    """Refuse the kernels of another hidden cell: theirs are several gates wide."""
    units, width = recurrent.shape
    if units and width != units and width % units == 0 and width // units in _OTHER_CELLS:
        raise DesignError(
            f"hidden recurrent_kernel has shape {recurrent.shape}, that of {_OTHER_CELLS[width // units]} of {units} "
            "units; a SimpleRNNCell with tanh, or no hidden cell, is wanted"
        )


def _matrix(name: str, array: np.ndarray) -> np.ndarray:
    if array.ndim != 2:
        raise DesignError(f"{name} has shape {array.shape}; two axes are wanted")
    return array


def to_keras_lmu(layer: LMULayer, connections: Connections) -> list[np.ndarray]:
    """Give arrays for ``set_weights`` of a keras-lmu layer; its theta is ``layer.theta / layer.dt`` steps.

    Raises
    ------
    DesignError
        If the weights use what the layer cannot hold: a connection that it lacks, or A and B of their own.
    """
    if layer.own_matrices:
        raise DesignError("keras-lmu keeps A and B of the Legendre memory; these weights have others")
    w = layer.arrays
    optional = {
        "hidden_to_memory": w.hidden_encoders,
        "memory_to_memory": w.memory_encoders,
        "input_to_hidden": w.input_kernel,
        "use_bias": w.memory_bias,
    }
    for option, array in optional.items():
        if np.any(array) and not getattr(connections, option):
            raise DesignError(f"these weights need a keras-lmu layer with {option}=True")
    has = connections
    if layer.hidden and not has.hidden_cell:
        raise DesignError(
            f"these weights have {layer.hidden} hidden units; a layer with a hidden cell is wanted"
        )
    kernel = np.concatenate([w.memory_kernel, w.input_kernel]) if has.input_to_hidden else w.memory_kernel
    return [
        *([kernel, w.hidden_kernel, w.bias] if has.hidden_cell else []),
        np.concatenate([w.input_encoders, w.hidden_encoders]) if has.hidden_to_memory else w.input_encoders,
        *([w.memory_bias] if has.use_bias else []),
        *([np.asarray(layer.dt / layer.theta)] if has.trainable_theta else []),
        *([w.memory_encoders] if has.memory_to_memory else []),
    ]
