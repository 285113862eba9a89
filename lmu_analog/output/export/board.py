"""A circuit as boards and programs list it: reference designators, pins, values as text."""

from dataclasses import dataclass

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import (
    Component,
    Switch,
    kind_of,
)
from lmu_analog.units import write


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
        return kind_of(self.component).label

    @property
    def part(self) -> str:
        """Name of the op-amp, transconductor or transistor; empty for what is known by its value."""
        model = getattr(self.component, "model", None)
        return "" if model is None else model.name

    @property
    def value(self) -> float | None:
        """Its value, SI unit; none for amplifiers and ammeters."""
        known = kind_of(self.component).value
        return getattr(self.component, known) if known else None

    @property
    def unit(self) -> str:
        """SI unit of the value; none for a gain or W/L."""
        return kind_of(self.component).unit

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
        prefix = kind_of(component).prefix
        counts[prefix] = counts.get(prefix, 0) + 1
        placed.append(Placed(f"{prefix}{counts[prefix]}", component, pins(component)))
    return tuple(placed)


def pins(component: Component) -> tuple[tuple[str, str], ...]:
    """Name the pins of a component, each with its net."""
    found = tuple((name, str(getattr(component, name))) for name in kind_of(component).pins)
    return (*found, ("clock", f"clk{component.phase}")) if isinstance(component, Switch) else found
