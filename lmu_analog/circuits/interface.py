"""What stands around a memory on a board: a buffer with a low-pass filter, a single supply with its reference, loads.

Families know nothing of it: each function takes a finished circuit and gives it with more parts, and
``without_interface`` takes them away again.
"""

from dataclasses import dataclass, replace

from lmu_analog.circuits.circuit import Circuit, Term
from lmu_analog.circuits.components import (
    GROUND,
    INPUT,
    KINDS,
    LOAD,
    Amplifier,
    Capacitor,
    Component,
    DifferentialOpAmp,
    Follower,
    OpAmp,
    Resistor,
    Supply,
    leakage_of,
)
from lmu_analog.circuits.devices.models import OpAmpModel
from lmu_analog.circuits.devices.passives import Stock
from lmu_analog.circuits.devices.values import nearest
from lmu_analog.circuits.impedance import ANY_CAPACITOR
from lmu_analog.circuits.lowpass import Response, Values, sections, values
from lmu_analog.circuits.rules import check

REFERENCE = "vref"  # net amid a single supply, against which all signals are
POSITIVE = "VCC"  # net of the supply
SIGNAL = "signal"  # net of the source, whose voltage an ideal source adds to the reference
_SUPPLY = "single supply"  # begins the roles of what makes the reference, and of the source on it
DIVIDER = (
    10e3  # Ohm, each of two: some hundred microamperes, and op-amps' bias currents move it by microvolts
)
SMOOTHING = 1e-6  # F: with the divider 32 Hz, beyond which noise of the supply and of the divider is less
BUFFERED = "input"  # net of the input before the buffer
_BUFFER = "input buffer"  # begins the roles of its parts
_INVERTING = 10e3  # Ohm: of a differential buffer without a filter
_ONCE, _TWICE = 1.0, 2.0  # how the second resistor counts, see ``lowpass.values``


@dataclass(frozen=True)
class Load:
    """What a receiver puts between an output and ground, or between the two nets of an output.

    Attributes
    ----------
    resistance : float or None, Ohm
    capacitance : float or None, F
    """

    resistance: float | None = None
    capacitance: float | None = None


@dataclass(frozen=True)
class InputBuffer:
    """An amplifier of gain one between the source and the memory, with a low-pass filter.

    Attributes
    ----------
    order : int
        Of the filter; 0 for none.
    bandwidth : float or None, Hz
        Where it is 3 dB down; None without one.
    response : {"butterworth", "bessel"}
    """

    order: int = 0
    bandwidth: float | None = None
    response: Response = "butterworth"


def output_nets(circuit: Circuit) -> tuple[str, ...]:
    """Give the nets that receivers are connected to: those of the taps, or of the states where there are none."""
    read = [tap.terms for tap in circuit.taps] or circuit.probes
    nets = (term.of for terms in read for term in terms if term.kind == "v")
    return tuple(dict.fromkeys(net for net in nets if net != REFERENCE))


def loaded(circuit: Circuit, load: Load) -> Circuit:
    """Put a load at every output; of a pair of nets between them.

    Parameters
    ----------
    circuit : Circuit
    load : Load

    Returns
    -------
    Circuit
        With resistors ``Rload_...`` and capacitors ``Cload_...`` to ground, with a single supply to its reference, that
        never deviate: they are the receiver's.
    """
    ground = REFERENCE if REFERENCE in circuit.nets else GROUND
    pairs = {c.out_plus: c.out_minus for c in circuit.only(DifferentialOpAmp)}
    parts: list[Component] = []
    for net in output_nets(circuit):
        if net in pairs.values():
            continue
        name, ends = (net[:-1], (net, pairs[net])) if net in pairs else (net, (net, ground))
        if load.resistance is not None:
            parts.append(Resistor(f"Rload_{name}", *ends, load.resistance, LOAD, ()))
        if load.capacitance is not None:
            parts.append(Capacitor(f"Cload_{name}", *ends, load.capacitance, LOAD, ()))
    return check(replace(circuit, components=(*circuit.components, *parts)))


def buffered(
    circuit: Circuit,
    buffer: InputBuffer,
    *,
    opamp: OpAmpModel,
    series: str,
    stock: Stock = ANY_CAPACITOR,
) -> Circuit:
    """Put a buffer before a memory: the source drives the net ``input``, the buffer what it drove before.

    Parameters
    ----------
    circuit : Circuit
        Of one input net, or of a pair that an ideal inverter completes; then the buffer has two outputs.
    buffer : InputBuffer
    opamp : OpAmpModel
        The same as in the memory.
    series : str
        Of standard values, or "exact".
    stock : Stock
        What is asked of capacitors.

    Returns
    -------
    Circuit
        With amplifiers ``Uin_1``, ..., resistors ``Rin_...`` and capacitors ``Cin_...`` before its other parts.
    """
    pairs = [c for c in circuit.only(Follower) if c.minus == circuit.source]
    outer = [replace(c, out=f"{BUFFERED}n", minus=BUFFERED) for c in pairs]
    kept = [c for c in circuit.components if c not in pairs]
    found = sections(buffer.order, buffer.bandwidth, buffer.response) if buffer.bandwidth else ()
    parts: list[Component] = []
    count = max(len(found), 1)
    for k in range(1, count + 1):
        source, out = (
            (BUFFERED if k == 1 else f"{BUFFERED}_{k - 1}"),
            INPUT if k == count else f"{BUFFERED}_{k}",
        )
        section = found[k - 1] if found else None
        made = (
            None
            if section is None
            else values(section, series, inner=_TWICE if pairs else _ONCE, stock=stock)
        )
        stage = _Stage(k, source, out, made, opamp, series)
        parts += stage.differential() if pairs else stage.single()
    return check(replace(circuit, components=(*outer, *parts, *kept), source=BUFFERED))


@dataclass(frozen=True)
class _Stage:
    """Writes the parts of one section, or of a plain buffer without ``values``."""

    number: int
    source: str
    out: str
    values: Values | None
    opamp: OpAmpModel
    series: str

    @property
    def role(self) -> str:
        return f"{_BUFFER} {self.number}"

    def _resistor(self, letter: str, a: str, b: str, value: float) -> Component:
        return Resistor(f"Rin_{self.number}{letter}", a, b, value, self.role)

    def _capacitor(self, letter: str, a: str, b: str, value: float) -> Component:
        return Capacitor(f"Cin_{self.number}{letter}", a, b, value, self.role)

    def single(self) -> list[Component]:
        """One pole, or two after Sallen and Key, before a follower."""
        a, b = (f"{BUFFERED}_{self.number}{letter}" for letter in "ab")
        parts: list[Component] = []
        plus = self.source
        match self.values:
            case Values((r,), (c,)):
                plus = a
                parts = [self._resistor("", self.source, a, r), self._capacitor("", a, GROUND, c)]
            case Values((r1, r2), (c1, c2)):
                plus = b
                parts = [
                    self._resistor("a", self.source, a, r1),
                    self._resistor("b", a, b, r2),
                    self._capacitor("a", a, self.out, c1),
                    self._capacitor("b", b, GROUND, c2),
                ]
            case _:
                pass
        return [*parts, OpAmp(f"Uin_{self.number}", plus, self.out, self.out, self.opamp, self.role)]

    def differential(self) -> list[Component]:
        """Both halves invert, so that each drives the other output of the pair."""
        stem = f"{BUFFERED}_{self.number}"
        parts: list[Component] = []
        for half, source, out in (("p", f"{self.source}n", self.out), ("n", self.source, f"{self.out}n")):
            a, g = f"{stem}a{half}", f"{stem}g{half}"
            match self.values:
                case Values((r1, r3), (c1, c2)):
                    parts += [
                        self._resistor(f"a_{half}", source, a, r1),
                        self._resistor(f"b_{half}", a, out, r1),
                        self._resistor(f"c_{half}", a, g, r3),
                        self._capacitor(f"a_{half}", a, GROUND, c1),
                        self._capacitor(f"b_{half}", g, out, c2),
                    ]
                case single:
                    r = float(nearest(_INVERTING, self.series)) if self.series != "exact" else _INVERTING
                    r = r if single is None else single.resistors[0]
                    parts += [
                        self._resistor(f"a_{half}", source, g, r),
                        self._resistor(f"b_{half}", g, out, r),
                    ]
                    if single is not None:
                        parts.append(self._capacitor(f"_{half}", g, out, single.capacitors[0]))
        name, pins = f"Uin_{self.number}", (f"{stem}gn", f"{stem}gp", self.out, f"{self.out}n")
        return [*parts, DifferentialOpAmp(name, *pins, self.opamp, self.role)]


def on_reference(circuit: Circuit, volts: float, *, opamp: OpAmpModel) -> Circuit:
    """Run a circuit from a single supply: all that was at ground is at a reference amid it, which a follower drives.

        VCC --[R]--+--[R]-- ground      the source adds to the reference: v(u) = v(vref) + v(signal)
                   +--||--- ground      states and taps are read against it
                   +--[ follower >-- vref

    Amplifiers with two outputs hold their mean amid the supply themselves, which their common-mode pins set on a board:
    only those and the pair of the input need the reference, and they draw no more than its divider gives by itself.

    Parameters
    ----------
    circuit : Circuit
        Of linear parts about ground; its amplifiers' model has the middle of the supply.
    volts : float, V
        Of the supply.
    opamp : OpAmpModel
        Of the follower.
    """
    # A capacitor at a net that an ideal source holds would need its current's derivative; at the divider it needs none.
    pairs = bool(circuit.only(DifferentialOpAmp))
    divided, role = REFERENCE if pairs else f"{REFERENCE}_half", f"{_SUPPLY}, reference"
    made: list[Component] = [
        Supply("Vsupply", POSITIVE, GROUND, volts, _SUPPLY),
        Resistor("Rref_a", POSITIVE, divided, DIVIDER, role),
        Resistor("Rref_b", divided, GROUND, DIVIDER, role),
        Capacitor("Cref", divided, GROUND, SMOOTHING, role, ()),
    ]
    if not pairs:
        made.append(OpAmp("Uref", divided, REFERENCE, REFERENCE, opamp, role))
    source = Follower(
        "Esignal", circuit.source, SIGNAL, GROUND, 1.0, f"{_SUPPLY}, input on its middle", (), REFERENCE
    )
    moved = []
    for c in circuit.components:
        if isinstance(c, Follower):  # the other half of a balanced input
            moved.append(replace(c, minus=SIGNAL, base=REFERENCE))
        else:
            moved.append(_with_nets(c, {GROUND: REFERENCE}))
    return check(
        replace(
            circuit,
            components=(*made, source, *moved),
            probes=tuple(_against(p, REFERENCE) for p in circuit.probes),
            taps=tuple(replace(tap, terms=_against(tap.terms, REFERENCE)) for tap in circuit.taps),
            source=SIGNAL,
        )
    )


def _with_nets(component: Component, names: dict[str, str]) -> Component:
    """Give a component other nets at its ends."""
    ends = [name for name in KINDS[type(component)].terminals if getattr(component, name) in names]
    return replace(component, **{name: names[getattr(component, name)] for name in ends})


def _against(terms: tuple[Term, ...], net: str) -> tuple[Term, ...]:
    """Read voltages against a net; differences of two are so already."""
    total = sum(t.factor for t in terms if t.kind == "v")
    return terms if total == 0.0 else (*terms, Term("v", net, -total))


def parts_of_buffer(circuit: Circuit) -> list[Resistor | Capacitor]:
    """Give the resistors and capacitors of the input buffer."""
    return [c for c in circuit.only(Resistor, Capacitor) if c.role.startswith(_BUFFER)]


def without_interface(circuit: Circuit) -> Circuit:
    """Give the memory alone, as its family made it: about ground, without loads and buffer."""
    kept: list[Component] = []
    apart = {c.name for c in circuit.components if c.role == LOAD or c.role.startswith((_BUFFER, _SUPPLY))}
    leaks = {leakage_of(name) for name in apart}
    for c in circuit.components:
        if c.name in apart or c.role in leaks:
            continue
        if isinstance(c, Follower) and c.minus in (BUFFERED, SIGNAL):
            c = replace(c, out=f"{INPUT}n", minus=INPUT, base=GROUND)
        elif isinstance(c, Amplifier):
            c = replace(c, model=replace(c.model, middle=0.0))
        kept.append(_with_nets(c, {REFERENCE: GROUND}))
    if circuit.source not in (BUFFERED, SIGNAL):
        return replace(circuit, components=tuple(kept))
    return replace(
        circuit,
        components=tuple(kept),
        probes=tuple(_about_ground(p) for p in circuit.probes),
        taps=tuple(replace(tap, terms=_about_ground(tap.terms)) for tap in circuit.taps),
        source=INPUT,
    )


def _about_ground(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    return tuple(t for t in terms if t.of != REFERENCE)
