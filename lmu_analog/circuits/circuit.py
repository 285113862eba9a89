"""A circuit as data: components between named nets, and probes that read the Legendre states.

Reference designators start with the letter of their kind (R, C, L, G, U) and are unique; "0" is ground.
"""

import math
import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Float

from lmu_analog.errors import CircuitError

GROUND = "0"
INPUT = "u"

MismatchClass = Literal["resistor", "capacitor", "inductor", "transconductor", "tau", "opamp"]


@dataclass(frozen=True)
class OpAmpModel:
    """What an op-amp does: ideal, or one pole with offset, rails and slew limit.

    Attributes
    ----------
    name : str
        Part or model name, letters, digits and ``_ - .``.
    gain : float, V/V
        DC open-loop gain A0.
    gbw : float, Hz
        Gain-bandwidth product.
    slew : float, V/s
        Largest rate of the output.
    offset : float, V
        Systematic input offset voltage; nominal circuits have it.
    offset_max : float, V
        Largest random offset; mismatch samples draw it with sigma = max/3.
    rail : float, V
        Output saturates at +-rail.
    """

    name: str = "ideal"
    gain: float = math.inf
    gbw: float = math.inf
    slew: float = math.inf
    offset: float = 0.0
    offset_max: float = 0.0
    rail: float = math.inf

    @property
    def ideal(self) -> bool:
        """Whether the output simply forces the inputs together."""
        return math.isinf(self.gain) and math.isinf(self.gbw)


IDEAL = OpAmpModel()


@dataclass(frozen=True)
class Resistor:
    """R between two nets, Ohm."""

    name: str
    a: str
    b: str
    value: float
    role: str
    classes: tuple[MismatchClass, ...] = ("resistor",)


@dataclass(frozen=True)
class Capacitor:
    """C between two nets, F."""

    name: str
    a: str
    b: str
    value: float
    role: str
    classes: tuple[MismatchClass, ...] = ("capacitor",)


@dataclass(frozen=True)
class Inductor:
    """L between two nets, H."""

    name: str
    a: str
    b: str
    value: float
    role: str
    classes: tuple[MismatchClass, ...] = ("inductor",)


@dataclass(frozen=True)
class Transconductor:
    """A current value * (v(plus) - v(minus)), S, that flows into the net ``out``.

    A negative weight swaps the inputs, so the value stays positive.
    """

    name: str
    out: str
    plus: str
    minus: str
    value: float
    role: str
    classes: tuple[MismatchClass, ...] = ("transconductor",)


@dataclass(frozen=True)
class OpAmp:
    """An operational amplifier with a single-ended output."""

    name: str
    plus: str
    minus: str
    out: str
    model: OpAmpModel
    role: str
    classes: tuple[MismatchClass, ...] = ("opamp",)


Component = Resistor | Capacitor | Inductor | Transconductor | OpAmp
LETTERS: dict[type, str] = {Resistor: "R", Capacitor: "C", Inductor: "L", Transconductor: "G", OpAmp: "U"}


@dataclass(frozen=True)
class Term:
    """One term of a probe: ``factor`` times the voltage of a net, or the current through a component."""

    kind: Literal["v", "i"]
    of: str
    factor: float


@dataclass(frozen=True)
class Parameter:
    """One number that mismatch may change.

    Attributes
    ----------
    name : str
        ``Ra_2_3``, or ``Uint_0.gbw`` where a component has several.
    component : str
        Its component.
    nominal : float
        SI unit of the quantity.
    classes : tuple of str
        Mismatch classes that act on it, multiplied.
    """

    name: str
    component: str
    nominal: float
    classes: tuple[MismatchClass, ...]


@dataclass(frozen=True)
class Circuit:
    """Components, the probes that read the states, and what the circuit is meant to be.

    Attributes
    ----------
    family, realization : str
        How it came about.
    theta : float, s
        Window length of the memory that it carries.
    components : tuple of Component
    probes : tuple of tuple of Term
        For every Legendre state m_i the linear expression, in V, that gives it.
    source : str
        Net of the input u.
    """

    family: str
    realization: str
    theta: float
    components: tuple[Component, ...]
    probes: tuple[tuple[Term, ...], ...]
    source: str = field(default=INPUT)

    @property
    def order(self) -> int:
        """Number of Legendre states."""
        return len(self.probes)

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """All numbers that mismatch may change, in component order: the columns of ``values``."""
        return tuple(p for c in self.components for p in _parameters(c))

    @cached_property
    def values(self) -> Float[np.ndarray, " m"]:
        """Nominal values of ``parameters``, (m,), SI units."""
        return np.array([p.nominal for p in self.parameters])

    @cached_property
    def nets(self) -> tuple[str, ...]:
        """All nets but ground, in order of appearance."""
        names = (net for c in self.components for net in terminals(c))
        return tuple(dict.fromkeys(net for net in names if net != GROUND))


def terminals(component: Component) -> tuple[str, ...]:
    """Nets that a component touches."""
    match component:
        case Resistor() | Capacitor() | Inductor():
            return component.a, component.b
        case Transconductor() | OpAmp():
            return component.out, component.plus, component.minus


def identifier(text: str) -> str:
    """Turn a role such as ``a[2,3]`` into a name part, ``a_2_3``."""
    return re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")


def _parameters(component: Component) -> tuple[Parameter, ...]:
    if not isinstance(component, OpAmp):
        return (Parameter(component.name, component.name, component.value, component.classes),)
    model = component.model
    if model.ideal:
        return ()
    return (
        Parameter(f"{component.name}.gbw", component.name, model.gbw, component.classes),
        Parameter(f"{component.name}.offset", component.name, model.offset, component.classes),
    )


def with_values(circuit: Circuit, values: Float[np.ndarray, " m"]) -> Circuit:
    """Give the same circuit other values, (m,), in the order of ``circuit.parameters``."""
    if len(values) != len(circuit.parameters):
        raise CircuitError(
            f"{len(values)} values given; the circuit has {len(circuit.parameters)} parameters"
        )
    given = iter(values)
    components = tuple(_revalued(c, [float(next(given)) for _ in _parameters(c)]) for c in circuit.components)
    return replace(circuit, components=components)


def _revalued(component: Component, values: list[float]) -> Component:
    if not isinstance(component, OpAmp):
        return replace(component, value=values[0])
    if not values:
        return component
    return replace(component, model=replace(component.model, gbw=values[0], offset=values[1]))
