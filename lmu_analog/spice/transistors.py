"""MOS transistors as behavioural sources by the EKV model: SPICE's level 1 has no weak inversion."""

from lmu_analog.circuits.devices.ekv import specific_current
from lmu_analog.circuits.devices.models import EkvModel
from lmu_analog.spice.cards import Element, Subcircuit

_HIGHEST = 300.0  # of x, about 21 V over the threshold: e^300 is far from overflow, and no circuit gets there


def mosfet_subcircuit(model: EkvModel, ratio: float, name: str) -> Subcircuit:
    """Write one transistor with W/L = ``ratio``: pins drain, gate, source, bulk; no parameters.

    The source needs no minimum conductance beside it: both squares have a slope everywhere, and ngspice's
    own gmin stepping finds the operating point.
    """
    forward, reverse = (_square(model, pin) for pin in "sd")
    current = f"{specific_current(model, ratio)!r}*({forward}-{reverse})"
    ends = ("d", "s") if model.kind == "n" else ("s", "d")
    return Subcircuit(name, ("d", "g", "s", "b"), (Element("Bd", ends, f"i={current}"),))


def _square(model: EkvModel, pin: str) -> str:
    """Write ln^2(1 + e^x), x = (V_GB - V_T - n V_pinB)/(2 n U_T), so that no exponential overflows."""
    gate, end = ("v(g,b)", f"v({pin},b)") if model.kind == "n" else ("v(b,g)", f"v(b,{pin})")
    x = f"({gate}-{model.threshold!r}-{model.slope!r}*{end})/{2.0 * model.slope * model.thermal!r}"
    return f"ln(1+exp(min({x},{_HIGHEST!r})))**2"
