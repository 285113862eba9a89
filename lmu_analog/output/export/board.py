"""A circuit as boards and programs list it: reference designators, pins, values as text, amplifiers in packages.

``board`` gives every component of a circuit a designator of its own. ``assembly`` says what is soldered: amplifiers
share packages, spare units are tied off, supplies are decoupled, and connectors lead outside.
"""

from dataclasses import dataclass

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import (
    GROUND,
    LOAD,
    Amplifier,
    Capacitor,
    Component,
    Follower,
    Resistor,
    Supply,
    Switch,
    kind_of,
)
from lmu_analog.circuits.devices.packages import SPARE_RESISTANCE, Package, grouped, tied_off, tying_resistors
from lmu_analog.circuits.families.registry import is_on_chip
from lmu_analog.circuits.interface import POSITIVE, REFERENCE, SIGNAL
from lmu_analog.design import Design
from lmu_analog.units import write

RAILS = (POSITIVE, "VEE")  # nets of the supply; what a deck calls by no name
DECOUPLING = 100e-9  # F, from each rail to ground at every package
BULK = 4.7e-6  # F, from each rail to ground where the supply comes in
MOST_PINS = 40  # of one pin header


@dataclass(frozen=True)
class Placed:
    """A component with what a board knows of it.

    Attributes
    ----------
    reference : str
        ``R1``, ``U2``, ...; amplifiers in one package have the same.
    component : Component
    pins : tuple of (str, str)
        Name of every pin with its net.
    letter : str
        Unit of its package that it is, ``B``; empty for what has a package by itself.
    """

    reference: str
    component: Component
    pins: tuple[tuple[str, str], ...]
    letter: str = ""

    @property
    def designator(self) -> str:
        """Reference with the unit, ``U2B``: unique on a board."""
        return self.reference + self.letter

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


@dataclass(frozen=True)
class Packaged:
    """A package of amplifiers on a board.

    Attributes
    ----------
    reference : str
        ``U3``.
    package : Package
        What its units are.
    rest : str
        Net amid the supplies.
    """

    reference: str
    package: Package
    rest: str = GROUND

    @property
    def spare(self) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
        """Letter of every spare unit, with its pins and their nets: tied off."""
        return tuple(
            (
                self.package.letter(unit),
                tied_off(self.package, unit, reference=self.reference, rest=self.rest),
            )
            for unit in self.package.spare
        )


@dataclass(frozen=True)
class Connector:
    """A connector; pin k + 1 has the k-th net, "0" for ground."""

    reference: str
    role: str
    nets: tuple[str, ...]


@dataclass(frozen=True)
class TestPoint:
    """A pad on which a probe can be set."""

    __test__ = False  # pytest: no class of tests

    reference: str
    net: str


@dataclass(frozen=True)
class Assembly:
    """All that is soldered on a board.

    Attributes
    ----------
    placed : tuple of Placed
        Every component of the circuit, in its order.
    packages : tuple of Packaged
        Those of its amplifiers.
    extras : tuple of Placed
        What the circuit, as simulated, does not have: decoupling capacitors, resistors of spare units.
    connectors : tuple of Connector
        Supply, input, states and taps.
    test_points : tuple of TestPoint
        Of states, taps and ground; copper alone, nothing to order.
    rails : tuple of str
        Nets of the supply beside ground, the positive one first.
    rest : str
        Net amid the supplies: ground, or the reference of a single supply.
    """

    placed: tuple[Placed, ...]
    packages: tuple[Packaged, ...] = ()
    extras: tuple[Placed, ...] = ()
    connectors: tuple[Connector, ...] = ()
    test_points: tuple[TestPoint, ...] = ()
    rails: tuple[str, ...] = RAILS
    rest: str = GROUND


def assembly(design: Design, circuit: Circuit) -> Assembly:
    """Put a circuit on a board: amplifiers in packages, spare units tied off, supplies decoupled, connectors.

    Reference designators count by letter in the order of the circuit, and what it does not have itself follows. Every
    amplifier is in exactly one unit of one package. Circuits on a chip have no packages and nothing beside them.

    Raises
    ------
    DesignError
        If the part has one output where two are needed, or the other way round.
    """
    if is_on_chip(circuit):
        return Assembly(board(circuit))
    counts: dict[str, int] = {}
    packages = grouped(circuit.amplifiers, design.own_parts)
    homes = {  # name of an amplifier to its package and unit
        unit.name: (k, package.letter(at))
        for k, package in enumerate(packages)
        for at, unit in enumerate(package.units)
        if unit is not None
    }
    taken: dict[int, str] = {}  # reference designators of the packages
    placed: list[Placed] = []
    for component in circuit.components:
        if isinstance(component, Amplifier):
            package, letter = homes[component.name]
            if package not in taken:
                taken[package] = _next(counts, kind_of(component).prefix)
            placed.append(Placed(taken[package], component, pins(component), letter))
        elif _elsewhere(component):  # it takes no reference designator of this board
            placed.append(Placed(component.name, component, pins(component)))
        else:
            placed.append(Placed(_next(counts, kind_of(component).prefix), component, pins(component)))
    rails, rest = (RAILS, GROUND) if REFERENCE not in circuit.nets else (RAILS[:1], REFERENCE)
    packaged = tuple(Packaged(taken[k], package, rest) for k, package in enumerate(packages))
    beside = _beside(packaged, rails)
    extras = tuple(Placed(_next(counts, kind_of(part).prefix), part, pins(part)) for part in beside)
    connectors = _connectors(circuit, rails=rails if packaged else ())
    read = (net for c in connectors if c.role in ("states", "taps") for net in c.nets if net != GROUND)
    points = tuple(TestPoint(f"TP{k}", net) for k, net in enumerate((*dict.fromkeys(read), GROUND), 1))
    return Assembly(tuple(placed), packaged, extras, connectors, points, rails, rest)


def _elsewhere(component: Component) -> bool:
    """Tell a source, a supply or a load that decks alone have."""
    on_reference = isinstance(component, Follower) and component.base != GROUND
    return component.role == LOAD or isinstance(component, Supply) or on_reference


def _beside(packages: tuple[Packaged, ...], rails: tuple[str, ...]) -> list[Component]:
    """Give what stands beside packages: decoupling, and the resistors of their spare units."""
    parts: list[Component] = []
    for packaged in packages:
        for unit in packaged.package.spare:
            joined = tying_resistors(packaged.package, unit, reference=packaged.reference, rest=packaged.rest)
            stem = f"Rspare_{packaged.reference}{packaged.package.letter(unit)}"
            role = "ties a spare unit off"
            parts += [
                Resistor(f"{stem}_{k}", a, b, SPARE_RESISTANCE, role, ())
                for k, (a, b) in enumerate(joined, 1)
            ]
    for packaged in packages:
        parts += [
            Capacitor(f"Cdec_{packaged.reference}_{rail}", rail, GROUND, DECOUPLING, "decoupling", ())
            for rail in rails
        ]
    if packages:
        parts += [Capacitor(f"Cbulk_{rail}", rail, GROUND, BULK, "bulk decoupling", ()) for rail in rails]
    return parts


def _connectors(circuit: Circuit, *, rails: tuple[str, ...]) -> tuple[Connector, ...]:
    """Give the ways in and out: supply, input (of both signs, where a circuit needs them), what probes read, taps."""
    driven = (c.out for c in circuit.only(Follower))
    # The source of a deck with a single supply is against ground; that of a board is on its reference.
    outside = (*driven, REFERENCE) if circuit.source == SIGNAL else (circuit.source, *driven)
    inputs = (*outside, GROUND)
    found: list[tuple[str, tuple[str, ...]]] = []
    if rails:
        found.append(("supply", (rails[0], GROUND, *rails[1:])))
    found.append(("input", inputs))
    probed = [term for probe in circuit.probes for term in probe]
    tapped = [term for tap in circuit.taps for term in tap.terms]
    for role, terms in (("states", probed), ("taps", tapped)):
        nets = tuple(sorted(dict.fromkeys(t.of for t in terms if t.kind == "v"), key=REFERENCE.__eq__))
        for start in range(0, len(nets), MOST_PINS - 1):
            found.append((role, (*nets[start : start + MOST_PINS - 1], GROUND)))
    return tuple(Connector(f"J{k}", role, nets) for k, (role, nets) in enumerate(found, 1))


def _next(counts: dict[str, int], prefix: str) -> str:
    """Count on by letter."""
    counts[prefix] = counts.get(prefix, 0) + 1
    return f"{prefix}{counts[prefix]}"


def board(circuit: Circuit) -> tuple[Placed, ...]:
    """Give every component a reference designator of its own, counted by letter in the order of the circuit."""
    counts: dict[str, int] = {}
    placed: list[Placed] = []
    for component in circuit.components:
        placed.append(Placed(_next(counts, kind_of(component).prefix), component, pins(component)))
    return tuple(placed)


def pins(component: Component) -> tuple[tuple[str, str], ...]:
    """Name the pins of a component, each with its net."""
    names = [n for n in kind_of(component).pins if n != "base" or getattr(component, n) != GROUND]
    found = tuple((name, str(getattr(component, name))) for name in names)
    return (*found, ("clock", f"clk{component.phase}")) if isinstance(component, Switch) else found
