"""MOS transistors as behavioural sources by the EKV model: SPICE's level 1 has no weak inversion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmu_analog.circuits.components import Mosfet
from lmu_analog.circuits.devices.ekv import specific_current
from lmu_analog.circuits.devices.models import EkvModel

if TYPE_CHECKING:
    from PySpice.Spice.Netlist import Circuit as PySpiceCircuit
    from PySpice.Spice.Netlist import SubCircuit

HIGHEST = 300.0  # of x, about 21 V over the threshold: e^300 is far from overflow, and no circuit gets there


def place_mosfet(written: PySpiceCircuit, c: Mosfet, known: dict[tuple[EkvModel, float], str]) -> None:
    """Write a transistor as an X element; devices of one model and one W/L share a subcircuit."""
    key = (c.model, c.value)
    if key not in known:
        known[key] = f"{c.model.kind}mos_{len(known)}"
        written.subcircuit(_mosfet_subcircuit(c.model, c.value, known[key]))
    written.X(c.name[1:], known[key], c.drain, c.gate, c.source, c.bulk)


def _mosfet_subcircuit(model: EkvModel, ratio: float, name: str) -> SubCircuit:
    """Write one transistor with W/L = ``ratio``: pins drain, gate, source, bulk; no parameters.

    The source needs no minimum conductance beside it: both squares have a slope everywhere, and ngspice's
    own gmin stepping finds the operating point.
    """
    from PySpice.Spice.Netlist import SubCircuit

    written = SubCircuit(name, "d", "g", "s", "b")
    forward, reverse = (_square(model, pin) for pin in "sd")
    current = f"{specific_current(model, ratio)!r}*({forward}-{reverse})"
    ends = ("d", "s") if model.kind == "n" else ("s", "d")
    written.BehavioralSource("d", *ends, current_expression=current)
    return written


def _square(model: EkvModel, pin: str) -> str:
    """Write ln^2(1 + e^x), x = (V_GB - V_T - n V_pinB)/(2 n U_T), so that no exponential overflows."""
    gate, end = ("v(g,b)", f"v({pin},b)") if model.kind == "n" else ("v(b,g)", f"v(b,{pin})")
    x = f"({gate}-{model.threshold!r}-{model.slope!r}*{end})/{2.0 * model.slope * model.thermal!r}"
    return f"ln(1+exp(min({x},{HIGHEST!r})))**2"
