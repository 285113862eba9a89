"""Where training starts: seeded weights, as NumPy arrays."""

from typing import assert_never

import numpy as np

from lmu_analog.memory.legendre import coefficients
from lmu_analog.mismatch.law import check_seed
from lmu_analog.networks.network import Arrays, DenseLayer, Layer, LMULayer, LSTMLayer, Network, all_shapes

_FED_BACK = ("hidden_encoders", "hidden_kernel")


def initial(network: Network, seed: int = 0, *, recurrence: float = 1.0) -> list[Arrays]:
    """Draw the weights that training starts from.

    Encoders are LeCun-uniform and kernels Glorot-normal, memory encoders zero (Voelker, Kajić and Eliasmith 2019,
    section 3.1); LSTMs start as in Keras: Glorot-uniform, orthogonal, forget gates open.

    Parameters
    ----------
    network : Network
    seed : int
    recurrence : float
        Factor on what the hidden units of LMUs feed back, to the memories and to themselves; less than one keeps
        deep networks from wandering by themselves, and the published Mackey-Glass networks start at zero.

    Returns
    -------
    list of dict
        Arrays of every layer, see ``network.shapes``.
    """
    sequence = np.random.SeedSequence([check_seed(seed)])
    generators = [np.random.default_rng(s) for s in sequence.spawn(len(network.layers))]
    drawn = [
        _layer(layer, shapes, rng)
        for layer, shapes, rng in zip(network.layers, all_shapes(network), generators, strict=True)
    ]
    return [
        {name: recurrence * v if name in _FED_BACK else v for name, v in arrays.items()} for arrays in drawn
    ]


def _layer(layer: Layer, shapes: dict[str, tuple[int, ...]], rng: np.random.Generator) -> Arrays:
    match layer:
        case LMULayer():
            return {name: _lmu_array(layer, name, shape, rng) for name, shape in shapes.items()}
        case LSTMLayer(hidden):
            bias = np.zeros(4 * hidden)
            bias[hidden : 2 * hidden] = 1.0
            return {
                "kernel": _uniform(shapes["kernel"], 6.0 / sum(shapes["kernel"]), rng),
                "recurrent_kernel": _orthogonal(shapes["recurrent_kernel"], rng),
                "bias": bias,
            }
        case DenseLayer(units):
            kernel = _uniform(shapes["kernel"], 6.0 / sum(shapes["kernel"]), rng)
            return {"kernel": kernel, "bias": np.zeros(units)}
        case _:
            assert_never(layer)


def _lmu_array(layer: LMULayer, name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    match name:
        case "input_encoders" | "hidden_encoders":
            return _uniform(shape, 3.0 / shape[0], rng)
        case "input_kernel" | "memory_kernel" | "hidden_kernel":
            return np.sqrt(2.0 / sum(shape)) * rng.standard_normal(shape)
        case "rate":
            return np.ones(shape)
        case "A" | "B":
            return dict(zip("AB", coefficients(layer.order), strict=True))[name].copy()
        case _:
            return np.zeros(shape)


def _uniform(shape: tuple[int, ...], square: float, rng: np.random.Generator) -> np.ndarray:
    return np.sqrt(square) * rng.uniform(-1.0, 1.0, shape)


def _orthogonal(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    q, r = np.linalg.qr(rng.standard_normal((shape[0], max(shape))).T)
    # Signs of r's diagonal make the law uniform over orthogonal matrices (Mezzadri 2007).
    return (q * np.sign(np.diag(r))).T
