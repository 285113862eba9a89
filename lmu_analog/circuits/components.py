"""Components of circuits: what each is, between which nets, and with which figures.

Reference designators start with the letter of their kind and are unique in a circuit; "0" is ground.
"""

import re
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Literal

from lmu_analog.circuits.devices.models import IDEAL_OTA, EkvModel, OpAmpModel, OtaModel

GROUND = "0"
INPUT = "u"
LOAD = "receiver's load"  # role of what a receiver puts at an output: simulated, and on no board

MismatchClass = Literal["resistor", "capacitor", "inductor", "transconductor", "tau", "opamp"]
Classes = tuple[MismatchClass, ...]


@dataclass(frozen=True)
class TwoTerminal:
    """A component between two nets whose law has one value; ``role`` says what it is there for.

    ``classes`` are those of mismatch that act on the value; without any it never deviates.
    """

    name: str
    a: str
    b: str
    value: float
    role: str
    classes: Classes = ()


@dataclass(frozen=True)
class Resistor(TwoTerminal):
    """R between two nets, Ohm."""

    classes: Classes = ("resistor",)


@dataclass(frozen=True)
class Capacitor(TwoTerminal):
    """C between two nets, F."""

    classes: Classes = ("capacitor",)


@dataclass(frozen=True)
class Inductor(TwoTerminal):
    """L between two nets, H."""

    classes: Classes = ("inductor",)


@dataclass(frozen=True)
class Supply(TwoTerminal):
    """A constant voltage, V, of ``a`` against ``b``: a rail or a bias."""


@dataclass(frozen=True)
class Bias(TwoTerminal):
    """A constant current, A, that flows from ``a`` through the source to ``b``."""


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
    classes: Classes = ("transconductor",)
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
    classes: Classes = ("opamp",)


@dataclass(frozen=True)
class DifferentialOpAmp:
    """A fully differential op-amp; its common-mode feedback holds the mean of the outputs amid its supplies.

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
    classes: Classes = ("opamp",)


@dataclass(frozen=True)
class Follower:
    """An ideal source of ``gain`` times v(plus) - v(minus) at ``out`` against ``base``; it never deviates."""

    name: str
    out: str
    plus: str
    minus: str
    gain: float
    role: str
    classes: Classes = ()
    base: str = GROUND


@dataclass(frozen=True)
class Ammeter:
    """A source of 0 V whose current, from ``a`` to ``b``, a probe reads."""

    name: str
    a: str
    b: str
    role: str
    classes: Classes = ()


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
    classes: Classes = ("transconductor",)


@dataclass(frozen=True)
class Switch:
    """A switch between two nets, closed in one phase of a two-phase clock; the value is its resistance, Ohm."""

    name: str
    a: str
    b: str
    phase: Literal[1, 2]
    value: float
    role: str
    classes: Classes = ()


Passive = Resistor | Capacitor | Inductor
Amplifier = OpAmp | DifferentialOpAmp
Component = Passive | Transconductor | Amplifier | Follower | Ammeter | Supply | Bias | Mosfet | Switch


@dataclass(frozen=True)
class Kind:
    """What is true of every component of a kind, whatever its nets and values.

    Attributes
    ----------
    name : str
        As patterns, counts and warnings have it.
    label : str
        As parts lists and schematics have it.
    letter : str
        With which names in a circuit begin.
    prefix : str
        Of reference designators on a board.
    unit : str
        SI unit of the value; empty for a ratio, and where there is no value.
    ends : tuple of str
        Attributes with the nets that a component joins or senses.
    driven : tuple of str
        Attributes with the nets that it drives.
    stiff : bool
        Whether it sets the voltage of what it drives, rather than sending a current there.
    across : (str, str)
        The two terminals that its law is about; on one net they would make it void.
    conducts : bool
        Whether a direct current passes between these two.
    value : str
        Attribute with its value; empty where it has none.
    signed : bool
        Whether that may be zero or negative.
    parameters : tuple of str
        Numbers that mismatch may change: its value, or figures of its model.
    """

    name: str
    label: str
    letter: str
    prefix: str
    unit: str = ""
    _: KW_ONLY
    ends: tuple[str, ...] = ("a", "b")
    driven: tuple[str, ...] = ()
    stiff: bool = False
    across: tuple[str, str] = ("a", "b")
    conducts: bool = False
    value: str = "value"
    signed: bool = False
    parameters: tuple[str, ...] = ("value",)

    @cached_property
    def terminals(self) -> tuple[str, ...]:
        """Attributes with all nets, what is driven first: the order of a circuit's nets, and so of its unknowns."""
        return self.driven + self.ends

    @cached_property
    def pins(self) -> tuple[str, ...]:
        """The same, what is driven last, as boards and SPICE have it."""
        return self.ends + self.driven


INPUTS = ("plus", "minus")
KINDS: dict[type, Kind] = {
    Resistor: Kind("resistor", "resistor", "R", "R", "Ohm", conducts=True),
    Capacitor: Kind("capacitor", "capacitor", "C", "C", "F"),
    Inductor: Kind("inductor", "inductor", "L", "L", "H", conducts=True),
    Transconductor: Kind(
        "transconductor", "transconductor", "G", "U", "S", ends=INPUTS, across=INPUTS, driven=("out",)
    ),
    OpAmp: Kind(
        "op-amp", "op-amp", "U", "U", ends=INPUTS, across=INPUTS, driven=("out",), stiff=True,
        value="", parameters=("gbw", "offset"),
    ),
    DifferentialOpAmp: Kind(
        "differential-op-amp", "differential op-amp", "U", "U", ends=INPUTS, across=INPUTS,
        driven=("out_plus", "out_minus"), stiff=True, value="", parameters=("gbw", "offset"),
    ),
    Follower: Kind(
        "follower", "ideal amplifier", "E", "U", ends=(*INPUTS, "base"), across=INPUTS, driven=("out",), stiff=True,
        value="gain", signed=True, parameters=(),
    ),
    Ammeter: Kind("ammeter", "ammeter", "V", "V", conducts=True, value="", parameters=()),
    Supply: Kind("supply", "voltage source", "V", "V", "V", conducts=True, signed=True),
    Bias: Kind("bias", "current source", "I", "I", "A", signed=True),
    Mosfet: Kind(
        "mosfet", "transistor", "M", "Q",
        ends=("drain", "gate", "source", "bulk"), across=("drain", "source"), conducts=True,
    ),
    Switch: Kind("switch", "switch", "S", "SW", "Ohm", conducts=True),
}  # fmt: skip


def kind_of(component: Component) -> Kind:
    """Look up what is true of all components of its kind."""
    return KINDS[type(component)]


def terminals(component: Component) -> tuple[str, ...]:
    """Nets that a component touches, those that it drives first."""
    return tuple(getattr(component, name) for name in KINDS[type(component)].terminals)


def outputs(component: Component) -> tuple[str, ...]:
    """Nets whose voltage a component sets."""
    known = KINDS[type(component)]
    return tuple(getattr(component, name) for name in known.driven) if known.stiff else ()


def across(component: Component) -> tuple[str, str]:
    """Nets of the two terminals that its law is about."""
    first, second = KINDS[type(component)].across
    return getattr(component, first), getattr(component, second)


def parameters(component: Component) -> tuple[str, ...]:
    """Name the numbers of a component that mismatch may change: none of an ideal amplifier."""
    known = KINDS[type(component)]
    if not known.value and isinstance(component, Amplifier) and component.model.ideal:
        return ()
    return known.parameters


def leakage_of(capacitor: str) -> str:
    """Give the role of the insulation resistance of a capacitor."""
    return f"leakage of {capacitor}"


def is_leakage(component: Component) -> bool:
    """Tell insulation resistances, which are properties of capacitors and no parts by themselves."""
    return component.role.startswith(leakage_of(""))


def is_outside(component: Component) -> bool:
    """Tell what nobody places on a board: ideal sources, supplies, the loads of receivers, insulation resistances."""
    return isinstance(component, Follower | Supply) or component.role == LOAD or is_leakage(component)


def identifier(text: str) -> str:
    """Turn a role such as ``a[2,3]`` into a name part, ``a_2_3``."""
    return re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")
