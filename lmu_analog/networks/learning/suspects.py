"""Why training diverged, as far as the weights tell."""

from collections.abc import Sequence

import numpy as np

from lmu_analog.networks.learning.dynamics import Parameters, dynamics
from lmu_analog.networks.learning.specification import LMULayer, Network

BEYOND = 1.0 + 1e-4  # rounding of float32 in A leaves a stable memory's radius below


def suspect(network: Network, weights: Sequence[Parameters]) -> str:
    """Name a memory that learning has made unstable, or nothing."""
    for k, (layer, arrays) in enumerate(zip(network.layers, weights, strict=True)):
        if not isinstance(layer, LMULayer):
            continue
        theta = layer.theta / float(arrays["rate"][0]) if "rate" in arrays else layer.theta
        if theta <= 0.0:
            return f"theta of layer {k} became {theta:.3g} steps"
        radius = np.abs(np.linalg.eigvals(np.asarray(dynamics(layer, arrays).A[0], float))).max()
        if radius > BEYOND:
            return (
                f"the memory of layer {k} is unstable, spectral radius {radius:.4g} (theta {theta:.3g} steps)"
            )
    return ""
