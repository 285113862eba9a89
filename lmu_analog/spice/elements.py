"""Every component as PySpice elements; amplifiers as subcircuits without parameters."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from lmu_analog.circuits.components import (
    GROUND,
    Ammeter,
    Amplifier,
    Bias,
    Capacitor,
    Component,
    DifferentialOpAmp,
    Follower,
    Inductor,
    Mosfet,
    OpAmp,
    Resistor,
    Supply,
    Switch,
    Transconductor,
)
from lmu_analog.circuits.devices.models import IDEAL_OTA, EkvModel, Library, OpAmpModel
from lmu_analog.circuits.nodal.saturation import turning
from lmu_analog.errors import CircuitError, DesignError
from lmu_analog.spice.clock import place_switch
from lmu_analog.spice.transistors import place_mosfet

if TYPE_CHECKING:
    from PySpice.Spice.Netlist import Circuit as PySpiceCircuit
    from PySpice.Spice.Netlist import SubCircuit

MOST_ELEMENTS = 1_000_000  # of users' models in one deck: some gigabytes in ngspice
_IDEAL_GAIN = 1e8  # stands for infinity: error 1e-8 times the noise gain, and ngspice still solves to 1e-12
_HELD = 3.0  # widths of the turn beyond a limit, where an overloaded pole is held: tanh(4) is within 1e-3 of its end


def place(written: PySpiceCircuit, components: Iterable[Component], *, rippling: str | None = None) -> None:
    """Write components into a PySpice circuit, each under its own name; AC 1 is on the supply named, if any."""
    amplifiers: dict[tuple[type, OpAmpModel], str] = {}
    transistors: dict[tuple[EkvModel, float], str] = {}
    switches: dict[float, str] = {}
    components = tuple(components)
    _check_size(components)
    for c in components:
        name = c.name[1:]
        match c:
            case Resistor() | Capacitor() | Inductor():
                passive = {Resistor: written.R, Capacitor: written.C, Inductor: written.L}
                passive[type(c)](name, c.a, c.b, c.value)
            case Transconductor():
                _place_transconductor(written, c)
            case OpAmp() | DifferentialOpAmp():
                _place_amplifier(written, c, amplifiers)
            case Follower():
                written.VCVS(name, c.out, GROUND, c.plus, c.minus, c.gain)
            case Mosfet():
                place_mosfet(written, c, transistors)
            case Supply() if c.name == rippling:
                written.V(name, c.a, c.b, f"DC {c.value!r} AC 1")
            case Ammeter() | Supply() | Bias():
                _place_constant(written, c)
            case Switch():
                place_switch(written, c, switches)


def _check_size(components: Iterable[Component]) -> None:
    sizes = [c.model.library.size for c in components if isinstance(c, OpAmp) and c.model.library is not None]
    if sum(sizes) > MOST_ELEMENTS:
        raise DesignError(
            f"[circuit] opamp: {len(sizes)} op-amps of {sizes[0]} elements each are more than the {MOST_ELEMENTS} that "
            "ngspice is given; take a smaller model or order"
        )


def _place_constant(written: PySpiceCircuit, c: Ammeter | Supply | Bias) -> None:
    place_source = written.I if isinstance(c, Bias) else written.V
    place_source(c.name[1:], c.a, c.b, "DC 0" if isinstance(c, Ammeter) else f"DC {c.value!r}")


def _place_transconductor(written: PySpiceCircuit, c: Transconductor) -> None:
    if c.model == IDEAL_OTA:
        # SPICE's current leaves the first node, so ground comes first.
        written.VCCS(c.name[1:], GROUND, c.out, c.plus, c.minus, c.value)
        return
    model = f"ota_{c.name[1:]}"
    written.subcircuit(_ota_subcircuit(c, model))
    written.X(c.name[1:], model, c.plus, c.minus, c.out)


def _place_amplifier(
    written: PySpiceCircuit, c: Amplifier, known: dict[tuple[type, OpAmpModel], str]
) -> None:
    if c.model.library is not None:
        _place_library(written, c, c.model.library)
        return
    name, key = c.name[1:], (type(c), c.model)
    if not c.model.ideal and key not in known:
        known[key] = _model_name(c.model.name, len(known))
        subcircuit = opamp_subcircuit if isinstance(c, OpAmp) else _differential_subcircuit
        written.subcircuit(subcircuit(c.model, known[key]))
    match c:
        case OpAmp() if c.model.ideal:
            written.VCVS(name, c.out, GROUND, c.plus, c.minus, _IDEAL_GAIN)
        case OpAmp():
            written.X(name, known[key], c.plus, c.minus, c.out)
        case DifferentialOpAmp() if c.model.ideal:
            for net, suffix, half in ((c.out_plus, "p", 0.5), (c.out_minus, "n", -0.5)):
                written.VCVS(f"{name}_{suffix}", net, GROUND, c.plus, c.minus, half * _IDEAL_GAIN)
        case DifferentialOpAmp():
            written.X(name, known[key], c.plus, c.minus, c.out_plus, c.out_minus)


def _place_library(written: PySpiceCircuit, c: Amplifier, library: Library) -> None:
    """Write an op-amp by the user's own model, whose text and supplies stand in the deck once."""
    if isinstance(c, DifferentialOpAmp):
        raise CircuitError(
            f"{c.name}: a model file describes a single-ended op-amp; use the family active-rc"
        )
    if library.text not in written.raw_spice:
        written.raw_spice += library.text.rstrip() + "\n"
        for pin, volts in (("vcc", library.supply), ("vee", -library.supply)):
            if pin in library.pins:
                written.V(pin, pin, GROUND, f"DC {volts!r}")
    nets = {"plus": c.plus, "minus": c.minus, "out": c.out, "vcc": "vcc", "vee": "vee", "ground": GROUND}
    written.X(c.name[1:], library.subcircuit, *(nets[pin] for pin in library.pins))


def opamp_subcircuit(model: OpAmpModel, name: str) -> SubCircuit:
    """Write a one-pole op-amp: input stage, pole, clamp outside the rails, limited output.

    The pole is 1 S into C = 1/w_t beside R = A0. The slew limit saturates the input stage's current, the rails
    the output, by the law of ``circuits.saturation``. The clamp holds the pole's node near the rails, so that
    the op-amp recovers from overload. An output resistance comes last.
    """
    from PySpice.Spice.Netlist import SubCircuit

    written = SubCircuit(name, "p", "n", "out")
    _input_stage(written, model, ends=(model.floor, model.rail))
    _output(written, ("out", 1.0), model, ends=(model.floor, model.rail))
    return written


def _differential_subcircuit(model: OpAmpModel, name: str) -> SubCircuit:
    """Write a fully differential one-pole op-amp; each output is half the difference, the mean is ground."""
    from PySpice.Spice.Netlist import SubCircuit

    written = SubCircuit(name, "p", "n", "outp", "outn")
    _input_stage(written, model, ends=(-2.0 * model.swing, 2.0 * model.swing))
    for pin in (("outp", 0.5), ("outn", -0.5)):
        _output(written, pin, model, ends=(-model.swing, model.swing))
    return written


def _input_stage(written: SubCircuit, model: OpAmpModel, *, ends: tuple[float, float]) -> None:
    crossover = 2.0 * math.pi * model.gbw
    for pin in ("p", "n"):
        if model.bias:
            written.I(f"b{pin}", pin, GROUND, model.bias)
        if model.input_capacitance:
            written.C(f"i{pin}", pin, GROUND, model.input_capacitance)
    plus = "p"
    if model.offset:
        written.V("os", "q", "p", model.offset)
        plus = "q"
    if math.isfinite(model.slew):
        limit = model.slew / crossover
        current = _saturated(f"v({plus},n)", -limit, limit)
        written.BehavioralSource("in", GROUND, "x", current_expression=current)
    else:
        written.VCCS("in", GROUND, "x", plus, "n", 1.0)
    written.C("pole", "x", GROUND, 1.0 / crossover)
    if math.isfinite(model.gain):
        written.R("pole", "x", GROUND, model.gain)
    if math.isfinite(model.swing):
        beyond = _HELD * turning(*ends)
        low, high = ends[0] - beyond, ends[1] + beyond
        current = f"1e3*(max(v(x)-{high!r},0)+min(v(x)+{-low!r},0))"
        written.BehavioralSource("clamp", "x", GROUND, current_expression=current)


def _output(
    written: SubCircuit, pin: tuple[str, float], model: OpAmpModel, *, ends: tuple[float, float]
) -> None:
    net, gain = pin
    name, inner = net, net
    if model.output_resistance:
        inner = f"{net}_inner"
        written.R(name, inner, net, model.output_resistance)
    if math.isfinite(model.swing):
        signal = "v(x)" if gain == 1.0 else f"{gain!r}*v(x)"
        voltage = _saturated(signal, *ends)
        written.BehavioralSource(name, inner, GROUND, voltage_expression=voltage)
    else:
        written.VCVS(name, inner, GROUND, "x", GROUND, gain)


def _saturated(signal: str, low: float, high: float) -> str:
    """Write the law of ``circuits.saturation`` in words that all dialects share."""
    width = turning(low, high)
    linear = f"min(max({signal},{low + width!r}),{high - width!r})"
    return f"{linear}+{width!r}*tanh(({signal}-{linear})/{width!r})"


def _ota_subcircuit(c: Transconductor, name: str) -> SubCircuit:
    """Write a transconductor with output conductance, parasitic capacitance, second pole and tanh limit."""
    from PySpice.Spice.Netlist import SubCircuit

    written, model = SubCircuit(name, "p", "n", "out"), c.model
    current = (
        f"{c.value * model.limit!r}*tanh(v(p,n)/{model.limit!r})"
        if math.isfinite(model.limit)
        else f"{c.value!r}*v(p,n)"
    )
    if math.isfinite(model.pole):
        # The current as a voltage behind 1 Ohm and C = 1/w_p.
        written.BehavioralSource("in", GROUND, "x", current_expression=current)
        written.R("pole", "x", GROUND, 1.0)
        written.C("pole", "x", GROUND, 1.0 / (2.0 * math.pi * model.pole))
        written.VCCS("out", GROUND, "out", "x", GROUND, 1.0)
    else:
        written.BehavioralSource("out", GROUND, "out", current_expression=current)
    if math.isfinite(model.gain):
        written.R("out", "out", GROUND, model.gain / c.value)
    if model.parasitic:
        written.C("out", "out", GROUND, model.parasitic)
    return written


def _model_name(part: str, number: int) -> str:
    letters = "".join(c if c.isalnum() else "_" for c in part)
    return f"op_{letters}" if number == 0 else f"op_{letters}_{number}"
