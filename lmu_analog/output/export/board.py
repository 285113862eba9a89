"""A circuit as boards and programs list it: reference designators, pins, values as text."""

from dataclasses import dataclass

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import (
    Ammeter,
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
from lmu_analog.units import write

PREFIXES: dict[type, str] = {
    Resistor: "R",
    Capacitor: "C",
    Inductor: "L",
    Transconductor: "U",
    OpAmp: "U",
    DifferentialOpAmp: "U",
    Follower: "U",
    Mosfet: "Q",
    Switch: "SW",
    Ammeter: "V",
    Supply: "V",
    Bias: "I",
}
KINDS: dict[type, str] = {
    Resistor: "resistor",
    Capacitor: "capacitor",
    Inductor: "inductor",
    Transconductor: "transconductor",
    OpAmp: "op-amp",
    DifferentialOpAmp: "differential op-amp",
    Follower: "ideal amplifier",
    Mosfet: "transistor",
    Switch: "switch",
    Ammeter: "ammeter",
    Supply: "voltage source",
    Bias: "current source",
}
UNITS: dict[type, str] = {
    Resistor: "Ohm",
    Capacitor: "F",
    Inductor: "H",
    Transconductor: "S",
    Supply: "V",
    Bias: "A",
    Switch: "Ohm",
}


@dataclass(frozen=True)
class Placed:
    """A component with what a board knows of it.

    Attributes
    ----------
    reference : str
        ``R1``, ``U2``, ...
    component : Component
    pins : tuple of (str, str)
        Name of every pin with its net.
    """

    reference: str
    component: Component
    pins: tuple[tuple[str, str], ...]

    @property
    def kind(self) -> str:
        """What it is, in a word."""
        return KINDS[type(self.component)]

    @property
    def part(self) -> str:
        """Name of the op-amp, transconductor or transistor; empty for what is known by its value."""
        match self.component:
            case OpAmp() | DifferentialOpAmp() | Transconductor():
                return self.component.model.name
            case Mosfet():
                return f"{self.component.model.kind}-channel"
            case _:
                return ""

    @property
    def value(self) -> float | None:
        """Its value, SI unit; none for amplifiers and ammeters."""
        match self.component:
            case OpAmp() | DifferentialOpAmp() | Ammeter():
                return None
            case Follower():
                return self.component.gain
            case _:
                return self.component.value

    @property
    def unit(self) -> str:
        """SI unit of the value; none for a gain or W/L."""
        return UNITS.get(type(self.component), "")

    @property
    def text(self) -> str:
        """The value, or else the part, as a drawing shows it."""
        if self.value is None:
            return self.part or "0 V"
        return write(self.value, self.unit) if self.unit else f"{self.value:.6g}"


def board(circuit: Circuit) -> tuple[Placed, ...]:
    """Give every component its reference designator, counted by letter in the order of the circuit."""
    counts: dict[str, int] = {}
    placed: list[Placed] = []
    for component in circuit.components:
        prefix = PREFIXES[type(component)]
        counts[prefix] = counts.get(prefix, 0) + 1
        placed.append(Placed(f"{prefix}{counts[prefix]}", component, pins(component)))
    return tuple(placed)


def pins(component: Component) -> tuple[tuple[str, str], ...]:
    """Name the pins of a component, each with its net."""
    match component:
        case OpAmp() | Follower() | Transconductor():
            names = ("plus", "minus", "out")
        case DifferentialOpAmp():
            names = ("plus", "minus", "out_plus", "out_minus")
        case Mosfet():
            names = ("drain", "gate", "source", "bulk")
        case Switch():
            return ("a", component.a), ("b", component.b), ("clock", f"clk{component.phase}")
        case _:
            names = ("a", "b")
    return tuple((name, str(getattr(component, name))) for name in names)
