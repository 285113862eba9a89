"""Weights in the layout of keras-lmu, whose theta is in steps.

keras-lmu (0.9, ``LMUCell.build`` and ``call``) joins what it can into two kernels: the memory's input takes rows
of (inputs, hidden), the hidden cell takes rows of (memories*order, inputs), and the coefficients of one memory
lie next to each other. It leaves out what its options switch off. With Keras 3 ``get_weights`` gives kernel,
recurrent_kernel and bias of the hidden cell, then of the memory kernel, bias, theta_inv and recurrent_kernel, as
far as there are any.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lmu_analog.errors import DesignError
from lmu_analog.networks.weights import Weights


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
    """

    hidden_to_memory: bool = False
    memory_to_memory: bool = False
    input_to_hidden: bool = False
    use_bias: bool = False
    trainable_theta: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The arrays of ``get_weights``, in order."""
        optional = {
            "memory's bias": self.use_bias,
            "theta_inv": self.trainable_theta,
            "memory's recurrent_kernel": self.memory_to_memory,
        }
        there = (name for name, switched_on in optional.items() if switched_on)
        return ("hidden kernel", "hidden recurrent_kernel", "hidden bias", "memory's kernel", *there)


def from_keras_lmu(
    arrays: Sequence[np.ndarray],
    connections: Connections = Connections(),  # noqa: B008  # frozen
    *,
    theta: float,
    order: int,
    method: str = "zoh",
) -> Weights:
    """Take the weights of a keras-lmu layer whose hidden cell is a ``SimpleRNNCell`` with tanh.

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
        If there are more or fewer arrays than the connections say, or a shape does not fit; the axis is named.
    """
    names = connections.names
    if len(arrays) != len(names):
        raise DesignError(
            f"{len(arrays)} arrays given; these connections make {len(names)}: {', '.join(names)}"
        )
    found = {name: np.asarray(array, float) for name, array in zip(names, arrays, strict=True)}
    kernel, hidden = (_matrix(name, found[name]) for name in ("memory's kernel", "hidden kernel"))
    units, features = hidden.shape[1], kernel.shape[1] * order
    inputs = kernel.shape[0] - (units if connections.hidden_to_memory else 0)
    if inputs < 1:
        raise DesignError(
            f"memory's kernel: axis 0 (inputs + hidden) has length {len(kernel)}, not above {units}"
        )
    if len(hidden) != (rows := features + (inputs if connections.input_to_hidden else 0)):
        axis = "memories*order + inputs" if connections.input_to_hidden else "memories*order"
        raise DesignError(f"hidden kernel: axis 0 ({axis}) has length {len(hidden)}, not {rows}")
    trained = found.get("theta_inv")
    return Weights(
        input_encoders=kernel[:inputs],
        hidden_encoders=kernel[inputs:]
        if connections.hidden_to_memory
        else np.zeros((units, kernel.shape[1])),
        memory_encoders=found.get("memory's recurrent_kernel", np.zeros((features, kernel.shape[1]))),
        input_kernel=hidden[features:] if connections.input_to_hidden else np.zeros((inputs, units)),
        hidden_kernel=found["hidden recurrent_kernel"],
        memory_kernel=hidden[:features],
        theta=theta if trained is None else float(1.0 / trained),
        bias=found["hidden bias"],
        memory_bias=found.get("memory's bias"),
        method=method,
    )


def _matrix(name: str, array: np.ndarray) -> np.ndarray:
    if array.ndim != 2:
        raise DesignError(f"{name} has shape {array.shape}; two axes are wanted")
    return array


def to_keras_lmu(weights: Weights, connections: Connections) -> list[np.ndarray]:
    """Give arrays for ``set_weights`` of a keras-lmu layer; its theta is ``weights.theta / weights.dt`` steps.

    Raises
    ------
    DesignError
        If the weights use what the layer cannot hold: a connection that it lacks, or A and B of their own.
    """
    if weights.A is not None:
        raise DesignError("keras-lmu keeps A and B of the Legendre memory; these weights have others")
    w, bias = weights, np.asarray(weights.memory_bias)
    held = {
        "hidden_to_memory": w.hidden_encoders,
        "memory_to_memory": w.memory_encoders,
        "input_to_hidden": w.input_kernel,
        "use_bias": bias,
    }
    for option, array in held.items():
        if np.any(array) and not getattr(connections, option):
            raise DesignError(f"these weights need a keras-lmu layer with {option}=True")
    has = connections
    return [
        np.concatenate([w.memory_kernel, w.input_kernel]) if has.input_to_hidden else w.memory_kernel,
        w.hidden_kernel,
        np.asarray(w.bias),
        np.concatenate([w.input_encoders, w.hidden_encoders]) if has.hidden_to_memory else w.input_encoders,
        *([bias] if has.use_bias else []),
        *([np.asarray(w.dt / w.theta)] if has.trainable_theta else []),
        *([w.memory_encoders] if has.memory_to_memory else []),
    ]
