"""Trained layers as the weights of the NumPy LMU."""

from typing import Any

import numpy as np

from lmu_analog.errors import DesignError
from lmu_analog.memory.legendre import coefficients
from lmu_analog.networks.learning.initial import Parameters
from lmu_analog.networks.learning.specification import CONNECTIONS, LMULayer, shapes
from lmu_analog.networks.weights import Weights


def to_weights(layer: LMULayer, parameters: Parameters) -> Weights:
    """Give a trained layer's weights; connections that it does not have are zeros.

    Raises
    ------
    DesignError
        If the layer has no hidden units.
    """
    if not layer.hidden:
        raise DesignError("a layer without hidden units is a memory, not an LMU; take networks.cell.Memory")
    p = {name: np.asarray(value, float) for name, value in parameters.items()}
    full = LMULayer(layer.hidden, layer.order, layer.theta, layer.memories, connections=CONNECTIONS)
    arrays: dict[str, Any] = {
        name: p.get(name, np.zeros(shape)) for name, shape in shapes(full, len(p["input_encoders"])).items()
    }
    theta = layer.theta / float(p["rate"][0]) if "rate" in p else layer.theta
    if {"A", "B"} & p.keys():
        ideal = dict(zip("AB", coefficients(layer.order), strict=True))
        arrays |= {name: p.get(name, ideal[name]) for name in "AB"}
    return Weights(**arrays, theta=theta, method=layer.method)
