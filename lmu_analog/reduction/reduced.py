"""Many circuits as state spaces: of their slow states where those can be parted from the fast ones, else of all."""

import contextlib

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.circuit import Circuit, small_signal_values
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.errors import CircuitError
from lmu_analog.memory.statespace import StateSpace
from lmu_analog.reduction.reduced_equations import Reduction
from lmu_analog.reduction.slow import plan_reduction, slow_states


def planned(circuit: Circuit, *, band: float) -> Reduction | None:
    """Plan how a circuit, or its small-signal equivalent, comes down to its slow states; None where it does not.

    Parameters
    ----------
    circuit : Circuit
    band : float, Hz
        Highest frequency at which the response counts.
    """
    try:
        return None if circuit.clock else plan_reduction(circuit.small_signal or circuit, band=band)
    except (CircuitError, np.linalg.LinAlgError):
        return None


def state_spaces(
    circuit: Circuit, reduction: Reduction | None, values: Float[np.ndarray, "s m"]
) -> StateSpace:
    """Read samples back as state spaces; where the reduction is not certain, of all states.

    Parameters
    ----------
    circuit : Circuit
    reduction : Reduction or None
        From ``planned`` for the same circuit.
    values : (s, m) array
        Of ``circuit.parameters``, SI units.
    """
    if reduction is None:
        return extract(circuit, values)
    inner = values if circuit.small_signal is None else small_signal_values(circuit, values)
    with (
        contextlib.suppress(CircuitError, np.linalg.LinAlgError),
        np.errstate(over="ignore", invalid="ignore"),
    ):
        return slow_states(reduction, inner)
    return extract(reduction.circuit, inner)
