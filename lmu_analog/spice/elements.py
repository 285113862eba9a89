"""Every component as cards, and the clock that drives switches; amplifiers are subcircuits without parameters.

MOS transistors are behavioural sources by the EKV model: SPICE's level 1 has no weak inversion.
"""

import math
from collections.abc import Iterable, Iterator

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
    kind_of,
)
from lmu_analog.circuits.devices.ekv import specific_current
from lmu_analog.circuits.devices.models import IDEAL_OTA, EkvModel, Library, OpAmpModel
from lmu_analog.circuits.nodal.saturation import turning
from lmu_analog.errors import CircuitError, DesignError
from lmu_analog.spice.cards import Card, Element, Model, Source, Subcircuit, number

MOST_ELEMENTS = 1_000_000  # of users' models in one deck: some gigabytes in ngspice
IDEAL_GAIN = 1e8  # stands for infinity: error 1e-8 times the noise gain, and ngspice still solves to 1e-12
_HELD = 3.0  # widths of the turn beyond a limit, where an overloaded pole is held: tanh(4) is within 1e-3 of its end

GAP = 0.02  # of a period: both phases are open, before each of them
EDGE = 2e-3  # of a period: how long a clock's edge takes; switches move in its middle
_OFF = 1e12  # off-resistance over on-resistance: what leaks in thousands of periods is below 1e-7
_HIGHEST = 300.0  # of x, about 21 V over the threshold: e^300 is far from overflow, and no circuit gets there


def element_cards(components: Iterable[Component], *, rippling: str | None = None) -> Iterator[Card]:
    """Give the cards of components, each under its own name, and of each subcircuit and model before its first use.

    AC 1 is on the supply that ``rippling`` names, if any.
    """
    amplifiers: dict[tuple[type, OpAmpModel], str] = {}
    transistors: dict[tuple[EkvModel, float], str] = {}
    switches: dict[float, str] = {}
    components = tuple(components)
    # Nets that the circuit itself supplies, then texts of users' models whose supplies are there.
    supplied = {c.a.lower() for c in components if isinstance(c, Supply)}
    _check_size(components)
    for c in components:
        match c:
            case Resistor() | Capacitor() | Inductor():
                yield Element(c.name, (c.a, c.b), number(c.value))
            case Transconductor():
                yield from _transconductor(c)
            case OpAmp() | DifferentialOpAmp():
                yield from _amplifier(c, amplifiers, supplied)
            case Follower():
                yield Element(c.name, (c.out, c.base, c.plus, c.minus), number(c.gain))
            case Mosfet():
                yield from _mosfet(c, transistors)
            case Ammeter():
                yield Source(c.name, (c.a, c.b), "0")
            case Supply() | Bias():
                yield Source(c.name, (c.a, c.b), number(c.value), ac="1" if c.name == rippling else "")
            case Switch():
                yield from _switch(c, switches)


def library(components: Iterable[Component]) -> str:
    """Give the text of the users' own models of op-amps, each once; empty without."""
    amplifiers = (c for c in components if isinstance(c, Amplifier))
    found = (c.model.library.text.rstrip() for c in amplifiers if c.model.library is not None)
    return "\n".join(dict.fromkeys(found))


def clock_cards(clock: float, *, start: float, gap: float = GAP) -> Iterator[Source]:
    """Give the clock sources: phase 1 ends, and takes the sample, at (k - 1/2)/clock, phase 2 at k/clock.

    Both from ``start``, s, on; both phases are open for a share ``gap`` of the period before each.

    Nets ``clk1`` and ``clk2`` are 1 V while the switches of that phase are closed, which is while the clock
    is above 0.5 V.
    """
    period = 1.0 / clock
    edge, width = EDGE * period, (0.5 - gap - EDGE) * period
    for phase in (1, 2):
        delay = start + (0.5 * (phase - 1) + gap - 0.5 * EDGE) * period
        times = tuple(number(time) for time in (delay, edge, edge, width, period))
        yield Source(f"Vclk{phase}", (f"clk{phase}", GROUND), wave="PULSE", numbers=("0", "1", *times))


def _check_size(components: Iterable[Component]) -> None:
    sizes = [c.model.library.size for c in components if isinstance(c, OpAmp) and c.model.library is not None]
    if sum(sizes) > MOST_ELEMENTS:
        raise DesignError(
            f"[circuit] opamp: {len(sizes)} op-amps of {sizes[0]} elements each are more than the {MOST_ELEMENTS} that "
            "ngspice is given; take a smaller model or order"
        )


def _call(c: Component, subcircuit: str) -> Element:
    """Stand a subcircuit in for a component; its pins are in the order that the table of kinds gives."""
    return Element(f"X{c.name[1:]}", tuple(getattr(c, pin) for pin in kind_of(c).pins), subcircuit)


def _transconductor(c: Transconductor) -> Iterator[Card]:
    if c.model == IDEAL_OTA:
        # SPICE's current leaves the first node, so ground comes first.
        yield Element(c.name, (GROUND, c.out, c.plus, c.minus), number(c.value))
    else:
        model = f"ota_{c.name[1:]}"
        yield from (Subcircuit(model, ("p", "n", "out"), tuple(_ota(c))), _call(c, model))


def _mosfet(c: Mosfet, known: dict[tuple[EkvModel, float], str]) -> Iterator[Card]:
    """Give a transistor; devices of one model and one W/L share a subcircuit."""
    key = (c.model, c.value)
    if key not in known:
        known[key] = f"{c.model.kind}mos_{len(known)}"
        yield mosfet_subcircuit(c.model, c.value, known[key])
    yield _call(c, known[key])


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


def _switch(switch: Switch, known: dict[float, str]) -> Iterator[Card]:
    """Give a voltage-controlled switch, and a model for every on-resistance that is not known yet."""
    if switch.value not in known:
        known[switch.value] = f"sw_{len(known)}"
        figures = {"roff": _OFF * switch.value, "ron": switch.value, "vh": 0.0, "vt": 0.5}
        yield Model(known[switch.value], "SW", {name: number(figure) for name, figure in figures.items()})
    yield Element(switch.name, (switch.a, switch.b, f"clk{switch.phase}", GROUND), known[switch.value])


def _amplifier(c: Amplifier, known: dict[tuple[type, OpAmpModel], str], supplied: set[str]) -> Iterator[Card]:
    name, key = c.name[1:], (type(c), c.model)
    if c.model.library is not None:
        yield from _by_library(c, c.model.library, supplied)
    elif not c.model.ideal:
        if key not in known:
            part = "".join(letter if letter.isalnum() else "_" for letter in c.model.name)
            known[key] = f"op_{part}_{len(known)}" if known else f"op_{part}"
            subcircuit = opamp_subcircuit if isinstance(c, OpAmp) else _differential_subcircuit
            yield subcircuit(c.model, known[key])
        yield _call(c, known[key])
    elif isinstance(c, OpAmp):
        yield Element(f"E{name}", (c.out, GROUND, c.plus, c.minus), number(IDEAL_GAIN))
    else:
        base = GROUND
        if c.model.middle:
            base = f"mid_{name}"
            yield Source(f"Vmid_{name}", (base, GROUND), number(c.model.middle))
        for net, suffix, half in ((c.out_plus, "p", 0.5), (c.out_minus, "n", -0.5)):
            yield Element(f"E{name}_{suffix}", (net, base, c.plus, c.minus), number(half * IDEAL_GAIN))


def _by_library(c: Amplifier, model: Library, supplied: set[str]) -> Iterator[Card]:
    """Give an op-amp by the user's own model, and its supplies before the first."""
    if isinstance(c, DifferentialOpAmp):
        raise CircuitError(
            f"{c.name}: a model file describes a single-ended op-amp; use the family active-rc"
        )
    if model.text not in supplied:
        supplied.add(model.text)
        for pin, volts in (("vcc", model.supply), ("vee", -model.supply)):
            if pin in model.pins and pin not in supplied:
                yield Source(f"V{pin}", (pin, GROUND), number(c.model.middle + volts))
    nets = {"plus": c.plus, "minus": c.minus, "out": c.out, "vcc": "vcc", "vee": "vee", "ground": GROUND}
    yield Element(f"X{c.name[1:]}", tuple(nets[pin] for pin in model.pins), model.subcircuit)


def opamp_subcircuit(model: OpAmpModel, name: str) -> Subcircuit:
    """Give a one-pole op-amp: input stage, pole, clamp outside the rails, limited output about the supplies' middle.

    The pole is 1 S into C = 1/w_t beside R = A0. The slew limit saturates the input stage's current, the rails
    the output, by the law of ``circuits.saturation``. The clamp holds the pole's node near the rails, so that
    the op-amp recovers from overload. An output resistance comes last.
    """
    ends = (model.floor, model.rail)
    cards = (*_input_stage(model, ends=ends), *_output("out", model, gain=1.0, ends=ends))
    return Subcircuit(name, ("p", "n", "out"), cards)


def _differential_subcircuit(model: OpAmpModel, name: str) -> Subcircuit:
    """Give a fully differential one-pole op-amp; each output is half the difference, the mean amid the supplies."""
    ends = (-model.swing, model.swing)
    outputs = [*_output("outp", model, gain=0.5, ends=ends), *_output("outn", model, gain=-0.5, ends=ends)]
    inputs = _input_stage(model, ends=(-2.0 * model.swing, 2.0 * model.swing))
    return Subcircuit(name, ("p", "n", "outp", "outn"), (*inputs, *outputs))


def _input_stage(model: OpAmpModel, *, ends: tuple[float, float]) -> Iterator[Card]:
    crossover = 2.0 * math.pi * model.gbw
    for pin in ("p", "n"):
        if model.bias:
            yield Source(f"Ib{pin}", (pin, GROUND), number(model.bias))
        if model.input_capacitance:
            yield Element(f"Ci{pin}", (pin, GROUND), number(model.input_capacitance))
    plus = "p"
    if model.offset:
        yield Source("Vos", ("q", "p"), number(model.offset))
        plus = "q"
    if math.isfinite(model.slew):
        limit = model.slew / crossover
        yield Element("Bin", (GROUND, "x"), "i=" + _saturated(f"v({plus},n)", -limit, limit))
    else:
        yield Element("Gin", (GROUND, "x", plus, "n"), number(1.0))
    yield Element("Cpole", ("x", GROUND), number(1.0 / crossover))
    if math.isfinite(model.gain):
        yield Element("Rpole", ("x", GROUND), number(model.gain))
    if math.isfinite(model.swing):
        beyond = _HELD * turning(*ends)
        low, high = ends[0] - beyond, ends[1] + beyond
        current = f"1e3*(max(v(x)-{high!r},0)+min(v(x)+{-low!r},0))"
        yield Element("Bclamp", ("x", GROUND), f"i={current}")


def _output(net: str, model: OpAmpModel, *, gain: float, ends: tuple[float, float]) -> Iterator[Card]:
    inner, base = net, GROUND
    if model.output_resistance:
        inner = f"{net}_inner"
        yield Element(f"R{net}", (inner, net), number(model.output_resistance))
    if model.middle:
        base = f"{net}_mid"
        yield Source(f"Vm{net}", (base, GROUND), number(model.middle))
    if math.isfinite(model.swing):
        signal = "v(x)" if gain == 1.0 else f"{gain!r}*v(x)"
        yield Element(f"B{net}", (inner, base), "v=" + _saturated(signal, *ends))
    else:
        yield Element(f"E{net}", (inner, base, "x", GROUND), number(gain))


def _saturated(signal: str, low: float, high: float) -> str:
    """Write the law of ``circuits.saturation`` in words that all dialects share."""
    width = turning(low, high)
    linear = f"min(max({signal},{low + width!r}),{high - width!r})"
    return f"{linear}+{width!r}*tanh(({signal}-{linear})/{width!r})"


def _ota(c: Transconductor) -> Iterator[Element]:
    """Give a transconductor with output conductance, parasitic capacitance, second pole and tanh limit."""
    model = c.model
    current = (
        f"i={c.value * model.limit!r}*tanh(v(p,n)/{model.limit!r})"
        if math.isfinite(model.limit)
        else f"i={c.value!r}*v(p,n)"
    )
    if math.isfinite(model.pole):
        # The current as a voltage behind 1 Ohm and C = 1/w_p.
        yield Element("Bin", (GROUND, "x"), current)
        yield Element("Rpole", ("x", GROUND), number(1.0))
        yield Element("Cpole", ("x", GROUND), number(1.0 / (2.0 * math.pi * model.pole)))
        yield Element("Gout", (GROUND, "out", "x", GROUND), number(1.0))
    else:
        yield Element("Bout", (GROUND, "out"), current)
    if math.isfinite(model.gain):
        yield Element("Rout", ("out", GROUND), number(model.gain / c.value))
    if model.parasitic:
        yield Element("Cout", ("out", GROUND), number(model.parasitic))
