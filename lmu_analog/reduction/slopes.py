"""Derivatives of a circuit's state space by its parameters: quotients of small steps, for many at once."""

import contextlib

import numpy as np
from jaxtyping import Int

from lmu_analog.circuits.circuit import Circuit, small_signal_values
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.errors import CircuitError
from lmu_analog.memory.statespace import StateSpace, cut, joined
from lmu_analog.reduction.reduced_equations import Reduction
from lmu_analog.reduction.slow import slow_states

STEP = 1e-3  # of a value: the quotient's error is its fourth power, and what reading back rounds, over it
OFFSET_STEP = 1.0  # V: what offsets do is linear
SIDES = np.array([-2.0, -1.0, 1.0, 2.0])  # steps, and their weights in a quotient of fourth order
WEIGHTS = np.array([1.0, -8.0, 8.0, -1.0]) / 12.0
AT_ONCE = 256  # parameters: bounds the memory


def slopes(
    circuit: Circuit, reduction: Reduction | None, parameters: Int[np.ndarray, " m"]
) -> tuple[StateSpace, StateSpace]:
    """Differentiate the state space of a circuit by some of its parameters.

    Parameters
    ----------
    circuit : Circuit
        Nonlinear ones go through their small-signal equivalent.
    reduction : Reduction or None
        From ``reduced.planned``; where it fails, the state spaces are those of all states.
    parameters : (m,) array
        Places in ``circuit.parameters``.

    Returns
    -------
    nominal, by_parameter : StateSpace
        The matrices, and their derivatives per SI unit of the parameters, which have a leading axis m.
    """
    if reduction is not None:
        with contextlib.suppress(CircuitError, np.linalg.LinAlgError):
            return _slopes(circuit, reduction, parameters)
    return _slopes(circuit, None, parameters)


def _slopes(
    circuit: Circuit, reduction: Reduction | None, parameters: np.ndarray
) -> tuple[StateSpace, StateSpace]:
    nominal = _read(circuit, reduction, circuit.values[None])
    stretches = (parameters[k : k + AT_ONCE] for k in range(0, len(parameters), AT_ONCE))
    found = [_quotients(circuit, reduction, stretch) for stretch in stretches]
    return cut(nominal, 0), joined([cut(nominal, slice(0, 0)), *found])


def _quotients(circuit: Circuit, reduction: Reduction | None, parameters: np.ndarray) -> StateSpace:
    values, count = circuit.values, len(parameters)
    step = np.where(values == 0.0, OFFSET_STEP, STEP * np.abs(values))[parameters]
    moved = np.tile(values, (len(SIDES), count, 1))
    moved[:, np.arange(count), parameters] += np.outer(SIDES, step)
    sides = _read(circuit, reduction, moved.reshape(len(SIDES) * count, -1))

    def quotient(x: np.ndarray) -> np.ndarray:
        change = np.tensordot(WEIGHTS, x.reshape(len(SIDES), count, *x.shape[1:]), 1)
        return change / step.reshape(-1, *[1] * (x.ndim - 1))

    A, B, C, D = (quotient(x) for x in (sides.A, sides.B, sides.C, sides.D))
    offset, slope = (None if x is None else quotient(x) for x in (sides.offset, sides.slope))
    return StateSpace(A, B, C, D, sides.dt, offset, slope)


def _read(circuit: Circuit, reduction: Reduction | None, values: np.ndarray) -> StateSpace:
    """Read circuits back, one beside the other in the same coordinates."""
    if reduction is None:
        return extract(circuit, values)
    found = slow_states(
        reduction, values if circuit.small_signal is None else small_signal_values(circuit, values)
    )
    A, B, C, D = (
        np.broadcast_to(x, (len(values), *x.shape[-2:])) for x in (found.A, found.B, found.C, found.D)
    )
    slope = None if found.slope is None else found.slope[..., :1]  # a recording has no further derivatives
    return StateSpace(A, B, C, D, None, found.offset, slope)
