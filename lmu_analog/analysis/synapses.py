"""Synapse weights computed anew from measured time constants: exact, whatever the time constants are.

W = diag(tau) A + I and b = diag(tau) B hold for any tau (NEF Principle 3), so filters that deviate need not be
trimmed where their weights can be set.
"""

import re

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import GROUND, Transconductor

_WEIGHT = re.compile(r"w\[(\d+),(\d+)\]")


def lacks_for_compensation(circuit: Circuit) -> str | None:
    """Say in a line why weights cannot make up for time constants; None if they can."""
    if circuit.family != "rc-synapse":
        return f"weights that can be set are wanted, as those of rc-synapse; {circuit.family} has none"
    weights = [_WEIGHT.fullmatch(c.role) for c in circuit.only(Transconductor)]
    onto_itself = {found[1] for found in weights if found and found[1] == found[2]}
    if len(onto_itself) < circuit.order:
        return (
            f"{circuit.realization} has synapses without a weight onto themselves, which the measured time "
            "constants call for; take principle3"
        )
    return None


def compensated(circuit: Circuit, values: Float[np.ndarray, "s m"]) -> Float[np.ndarray, "s m"]:
    """Set the weights of RC synapses for the time constants R_i C_i that they have.

    The errors of the weights themselves stay; a weight may change its sign, as its value then does.

    Parameters
    ----------
    circuit : Circuit
        One for which ``lacks_for_compensation`` is None.
    values : (s, m) array
        Of mismatched circuits.

    Returns
    -------
    (s, m) array
    """
    column = {p.name: k for k, p in enumerate(circuit.parameters)}
    changed = np.array(values, float)
    for component in circuit.only(Transconductor):
        row = component.out.removeprefix("x")
        R, C = column[f"Rtau_{row}"], column[f"Ctau_{row}"]
        stretch = values[:, R] * values[:, C] / (circuit.values[R] * circuit.values[C])
        sign = -1.0 if component.plus == GROUND else 1.0
        weight = sign * component.value * circuit.values[R]
        found = _WEIGHT.fullmatch(component.role)
        fixed = 1.0 if found and found[1] == found[2] else 0.0
        wanted = (weight - fixed) * stretch + fixed
        k = column[component.name]
        changed[:, k] = sign * wanted / values[:, R] * (values[:, k] / component.value)
    return changed
