"""What a network learns from, and whether it can."""

from dataclasses import dataclass
from typing import Literal, assert_never

import numpy as np

from lmu_analog.errors import DesignError
from lmu_analog.networks.network import Network, check_inputs, outputs

Objective = Literal["classes", "series"]


@dataclass(frozen=True, eq=False)
class Data:
    """Inputs and what is wanted.

    Attributes
    ----------
    x : (s, t, i) array
        Sample, step, component.
    y : (s,) int array, or (s, t, o) array
        Classes counted from 0, or wanted outputs.
    first : int
        Step from which outputs count; before it a series has no past.
    """

    x: np.ndarray
    y: np.ndarray
    first: int = 0


def check_data(network: Network, data: Data, objective: Objective) -> None:
    """Refuse data that the network cannot learn, naming the axis.

    Raises
    ------
    DesignError
    """
    check_inputs(data.x.shape, network.inputs)
    units, (samples, steps) = outputs(network.layers[-1]), data.x.shape[:2]
    match objective:
        case "classes":
            wanted = (samples,)
            if data.y.shape == wanted and not (data.y.min() >= 0 and data.y.max() < units):
                raise DesignError(
                    f"y has classes {data.y.min()} to {data.y.max()}; the network tells 0 to {units - 1}"
                )
        case "series":
            wanted = (samples, steps, units)
        case _:
            assert_never(objective)
    if data.y.shape != wanted:
        axis = next(
            (k for k, (a, b) in enumerate(zip(data.y.shape, wanted, strict=False)) if a != b), "count"
        )
        raise DesignError(f"y has shape {data.y.shape}, wrong in axis {axis}; {wanted} is wanted")
    if not np.isfinite(data.x).all():
        raise DesignError("x holds values that are not finite; take those samples out")
