"""Components of circuits: what each is, between which nets, and with which figures.

Reference designators start with the letter of their kind and are unique in a circuit; "0" is ground.
"""

import re
from dataclasses import dataclass
from typing import Literal

from lmu_analog.circuits.devices.models import IDEAL_OTA, EkvModel, OpAmpModel, OtaModel

GROUND = "0"
INPUT = "u"

MismatchClass = Literal["resistor", "capacitor", "inductor", "transconductor", "tau", "opamp"]


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
    model: OtaModel = IDEAL_OTA


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


@dataclass(frozen=True)
class DifferentialOpAmp:
    """A fully differential op-amp; its common-mode feedback holds the mean of the outputs at ground.

    One pole, as an ``OpAmp``, for the difference of the outputs; the common mode settles at the same
    crossover and does not see the inputs.
    """

    name: str
    plus: str
    minus: str
    out_plus: str
    out_minus: str
    model: OpAmpModel
    role: str
    classes: tuple[MismatchClass, ...] = ("opamp",)


@dataclass(frozen=True)
class Follower:
    """An ideal source of ``gain`` times v(plus) - v(minus) at ``out``; it never strays."""

    name: str
    out: str
    plus: str
    minus: str
    gain: float
    role: str
    classes: tuple[MismatchClass, ...] = ()


@dataclass(frozen=True)
class Ammeter:
    """A source of 0 V whose current, from ``a`` to ``b``, a probe reads."""

    name: str
    a: str
    b: str
    role: str
    classes: tuple[MismatchClass, ...] = ()


@dataclass(frozen=True)
class Supply:
    """A constant voltage, V, of ``a`` against ``b``: a rail or a bias."""

    name: str
    a: str
    b: str
    value: float
    role: str
    classes: tuple[MismatchClass, ...] = ()


@dataclass(frozen=True)
class Bias:
    """A constant current, A, that flows from ``a`` through the source to ``b``."""

    name: str
    a: str
    b: str
    value: float
    role: str
    classes: tuple[MismatchClass, ...] = ()


@dataclass(frozen=True)
class Mosfet:
    """A MOS transistor by the EKV model; the value is its W/L."""

    name: str
    drain: str
    gate: str
    source: str
    bulk: str
    value: float
    model: EkvModel
    role: str
    classes: tuple[MismatchClass, ...] = ("transconductor",)


@dataclass(frozen=True)
class Switch:
    """A switch between two nets, closed in one phase of a two-phase clock; the value is its resistance, Ohm."""

    name: str
    a: str
    b: str
    phase: Literal[1, 2]
    value: float
    role: str
    classes: tuple[MismatchClass, ...] = ()


Passive = Resistor | Capacitor | Inductor
Component = (
    Passive
    | Transconductor
    | OpAmp
    | DifferentialOpAmp
    | Follower
    | Ammeter
    | Supply
    | Bias
    | Mosfet
    | Switch
)
LETTERS: dict[type, str] = {
    Resistor: "R",
    Capacitor: "C",
    Inductor: "L",
    Transconductor: "G",
    OpAmp: "U",
    DifferentialOpAmp: "U",
    Follower: "E",
    Ammeter: "V",
    Supply: "V",
    Bias: "I",
    Mosfet: "M",
    Switch: "S",
}


def terminals(component: Component) -> tuple[str, ...]:
    """Nets that a component touches."""
    match component:
        case Transconductor() | OpAmp() | Follower():
            return component.out, component.plus, component.minus
        case DifferentialOpAmp():
            return component.out_plus, component.out_minus, component.plus, component.minus
        case Mosfet():
            return component.drain, component.gate, component.source, component.bulk
        case _:
            return component.a, component.b


def outputs(component: Component) -> tuple[str, ...]:
    """Nets whose voltage a component sets."""
    match component:
        case OpAmp() | Follower():
            return (component.out,)
        case DifferentialOpAmp():
            return component.out_plus, component.out_minus
        case _:
            return ()


def identifier(text: str) -> str:
    """Turn a role such as ``a[2,3]`` into a name part, ``a_2_3``."""
    return re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")


def kind_name(kind: type) -> str:
    """Name a kind of component as people do: ``op-amp`` for ``OpAmp``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind.__name__).lower()
