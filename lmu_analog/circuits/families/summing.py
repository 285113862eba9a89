"""A sum with signs by one op-amp."""

from collections.abc import Sequence

from lmu_analog.circuits.components import GROUND, Component, OpAmp, Resistor, identifier
from lmu_analog.circuits.devices.models import OpAmpModel

BALANCED = 1e-9  # of the feedback's conductance: a resistor for less would be none


def difference_amplifier(
    out: str,
    inputs: Sequence[tuple[str, str, float]],
    *,
    feedback: float,
    opamp: OpAmpModel,
    name: str,
    role: str,
) -> list[Component]:
    """Build a difference amplifier: both inputs see the same conductance, so each input has its own weight.

    Parameters
    ----------
    out : str
        Net of the sum.
    inputs : sequence of (str, str, float)
        Role of the resistor that sets a weight, net of the signal, and the weight, which is not zero.
    feedback : float, Ohm
    opamp : OpAmpModel
    name, role : str
        Of the op-amp and of what is around it.
    """
    minus = f"g{out}"
    negative, positive = (sum(abs(w) for *_, w in inputs if (w > 0) is p) for p in (False, True))
    plus = f"p{out}" if positive else GROUND
    parts: list[Component] = [
        OpAmp(f"U{name}", plus, minus, out, opamp, role),
        Resistor(f"R{name}_fb", minus, out, feedback, f"{role} feedback"),
    ]
    for weight_role, net, weight in inputs:
        into = plus if weight > 0.0 else minus
        parts.append(Resistor(f"R{identifier(weight_role)}", net, into, feedback / abs(weight), weight_role))
    spare = 1.0 + negative - positive
    if positive and abs(spare) > BALANCED:
        into = plus if spare > 0.0 else minus
        parts.append(Resistor(f"R{name}_bal", into, GROUND, feedback / abs(spare), f"{role} balance"))
    return parts
