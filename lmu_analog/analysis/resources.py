"""Resources of a circuit: supply current and energy, chip area, and cost of its parts.

Only what is known is counted, and what is missing is said: a sum is a figure of the rows above it.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import (
    Amplifier,
    Bias,
    Capacitor,
    Component,
    Mosfet,
    Resistor,
    Transconductor,
    is_leakage,
    is_outside,
    kind_of,
)
from lmu_analog.circuits.devices.packages import form_of
from lmu_analog.circuits.devices.parts import catalogue, confidence_of
from lmu_analog.circuits.devices.prices import CLASSES, Price, names_of, priced
from lmu_analog.circuits.devices.technology import THERMAL_SLOPE, Device, technology
from lmu_analog.circuits.devices.tolerance import Tolerance
from lmu_analog.circuits.families.registry import is_on_chip
from lmu_analog.circuits.interface import DIVIDER
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.limits import demands
from lmu_analog.units import parse

_WIDTH = 1e-6  # m: of a resistor whose area the mismatch does not say
_NARROWEST = 0.15e-6  # m: poly is not drawn narrower in the technologies known here
_LARGEST_CURRENT = 10.0  # A an amplifier
OF_AN_OTA = 5  # transistors: the tail, a pair and a mirror, as with [circuit] level = "transistor"


@dataclass(frozen=True)
class Current:
    """Supply current of parts of one kind.

    Attributes
    ----------
    what : str
    count : int
    each : float or None, A
        From the positive to the negative supply; None where it is not known.
    note : str
        Where the figure is from, or why it is missing.
    of_signal : bool
        Whether it flows with a signal alone.
    """

    what: str
    count: int
    each: float | None
    note: str
    of_signal: bool = False


@dataclass(frozen=True)
class Area:
    """Area of the devices of one class on a chip.

    Attributes
    ----------
    what : str
        The class and the technology's device.
    count : int
    units : float
        Unit elements of the smallest value in all of them.
    unit : float
        Value of a unit, Ohm, F, S of OTAs, or W/L of transistors.
    total : float or None, m^2
        Without spacing, wells, wires and dummies; None where it is not known.
    note : str
    """

    what: str
    count: int
    units: float
    unit: float
    total: float | None
    note: str


@dataclass(frozen=True)
class Cost:
    """Money for parts of one kind: ``packages`` of them at ``each``; None where there is no price."""

    what: str
    count: int
    packages: int
    each: float | None


@dataclass(frozen=True)
class Resources:
    """What a circuit takes.

    Attributes
    ----------
    supply : float, V
        The circuit runs from +-supply, or from a single one.
    theta : float, s
    currents : tuple of Current
        Of what stands at the supply, and of what outputs of op-amps deliver with the design's signal.
    areas : tuple of Area
        Empty without a technology, and for parts on a board.
    costs : tuple of Cost
        Empty without prices.
    single : bool
        Whether there is one supply.
    """

    supply: float
    theta: float
    currents: tuple[Current, ...]
    areas: tuple[Area, ...]
    costs: tuple[Cost, ...]
    single: bool = False

    @property
    def current(self) -> float | None:
        """Supply current of all that is known, A; None where nothing is."""
        return _sum([None if c.each is None else c.count * c.each for c in self.currents])

    @property
    def current_at_rest(self) -> float | None:
        """Supply current without a signal, A; None where that of any part is not known."""
        found = [c.each if c.each is None else c.count * c.each for c in self.currents if not c.of_signal]
        return None if None in found else _sum(found)

    @property
    def power(self) -> float | None:
        """Power from both supplies, or the only one, W."""
        return None if self.current is None else (1.0 if self.single else 2.0) * self.supply * self.current

    @property
    def energy(self) -> float | None:
        """Energy in one window of theta, J."""
        return None if self.power is None else self.power * self.theta

    @property
    def area(self) -> float | None:
        """Area of all devices whose area is known, m^2."""
        return _sum([a.total for a in self.areas])

    @property
    def cost(self) -> float | None:
        """Money for all parts that have a price."""
        return _sum([None if c.each is None else c.packages * c.each for c in self.costs])


def _sum(parts: list[float | None]) -> float | None:
    known = [part for part in parts if part is not None]
    return math.fsum(known) if known else None


def resources(
    design: Design, prices: Mapping[str, Price] | None = None, *, circuit: Circuit | None = None
) -> Resources:
    """Add up what a design's circuit takes.

    Parameters
    ----------
    design : Design
    prices : dict, optional
        Part or class to price, from ``read_prices``.
    circuit : Circuit, optional
        What ``build`` makes of the design, where that is known already.

    Raises
    ------
    DesignError
        If a part's current in a file of one's own is no current, or a price is of an unknown part.
    """
    if prices is not None:
        prices = priced(prices, (*catalogue(), *design.own_parts, design.opamp_model.name))
    circuit = build(design) if circuit is None else circuit
    return Resources(
        design.supply,
        design.theta,
        _currents(design, circuit),
        _areas(design, circuit),
        () if prices is None else _costs(design, circuit, prices),
        design.runs_from_ground,
    )


def _currents(design: Design, circuit: Circuit) -> tuple[Current, ...]:
    found = []
    amplifiers = circuit.amplifiers
    if amplifiers:
        found.append(Current(design.opamp_model.name, len(amplifiers), *_quiescent(design)))
        found += _delivered(design, circuit)
        found += _spare(design, circuit)
    if design.has_single_supply:
        note = "two resistors between the supply and ground; they set the reference"
        found.append(Current("reference divider", 1, 0.5 * design.supply / DIVIDER, note))
    pairs = circuit.only(Transconductor)
    if pairs:
        # A differential pair in weak inversion has gm = I/(2 n U_T), and no pair has more for its current. Nor is there
        # more at its output than its tail carries, gm times the input range.
        inversion = 2.0 * THERMAL_SLOPE
        ranges = [c.model.limit if math.isfinite(c.model.limit) else inversion for c in pairs]
        least = math.fsum(max(inversion, r) * c.value for r, c in zip(ranges, pairs, strict=True)) / len(
            pairs
        )
        note = "least: a differential pair in weak inversion, 2 n U_T gm"
        if max(ranges) > inversion:
            note = "least: gm times the input range, which the tail carries"
        found.append(Current("transconductor", len(pairs), least, note))
    biases = [abs(c.value) for c in circuit.only(Bias)]
    if biases:
        note = "bias sources of the circuit alone; their mirrors' copies are not counted"
        found.append(Current("bias", len(biases), math.fsum(biases) / len(biases), note))
    return tuple(found)


def _spare(design: Design, circuit: Circuit) -> list[Current]:
    """Give what units of packages take that the circuit does not use: they rest, and are supplied all the same."""
    size = form_of(design.opamp_model.name, design.own_parts).amplifiers
    unused = 0 if is_on_chip(circuit) else -len(circuit.amplifiers) % size
    if not unused:
        return []
    each, note = _quiescent(design)
    return [Current("spare amplifier", unused, each, f"units of packages that are not used; {note}")]


def _delivered(design: Design, circuit: Circuit) -> list[Current]:
    """Give what the loads of op-amps' outputs take from the supply with the design's signal.

    An output of class AB passes on what leaves it from the positive supply, and what enters it to the negative
    one: from the two together the mean of |i|, so half of that from each, as ``Resources`` counts.
    """
    asked = [d.mean for d in demands(circuit, design.stimulus) if d.quantity == "output current"]
    means = [mean for mean in asked if mean is not None]
    if not means:
        return []
    note = "class AB: half the mean magnitude of what an output delivers, with the design's signal"
    return [
        Current("load of an output", len(means), 0.5 * math.fsum(means) / len(means), note, of_signal=True)
    ]


def _quiescent(design: Design) -> tuple[float | None, str]:
    """Give the supply current of one amplifier, A, and where it is from."""
    name = design.opamp_model.name
    if design.opamp_model.ideal:
        return None, "an ideal op-amp has no supply current; name a part"
    part = {**catalogue(), **design.own_parts}.get(name)
    if part is None or "current" not in part or isinstance(design.opamp, dict):
        return None, "no current known; give one in [circuit] parts"
    current = parse(part["current"], "A")
    if not 0.0 < current <= _LARGEST_CURRENT:
        raise DesignError(
            f"{name}: current = {current:g} A; above 0 and at most {_LARGEST_CURRENT:g} A is wanted"
        )
    return current, f"quiescent, typical; confidence: {confidence_of(part, 'current')}"


def _areas(design: Design, circuit: Circuit) -> tuple[Area, ...]:
    if design.technology is None:
        return ()
    known = technology(design.technology).devices.values()
    if all(d.tolerance for d in known):  # parts on a board
        return ()
    found = []
    for kind, part in (("resistor", Resistor), ("capacitor", Capacitor), ("transconductor", Mosfet)):
        values = np.array([c.value for c in circuit.only(part) if not is_leakage(c)])
        named = design.mismatch[kind].device if kind in design.mismatch else ""
        device = next((d for d in known if d.kind == kind and named in ("", d.name)), None)
        if len(values):
            found.append(_area(design, kind, device, values))
    gm = np.array([c.value for c in circuit.only(Transconductor)])
    if len(gm):
        found.append(_area_of_transconductors(design, gm))
    return tuple(found)


def _area_of_transconductors(design: Design, values: np.ndarray) -> Area:
    """Give the area of transconductors that are no transistors yet: those of as many OTAs."""
    tolerance = design.mismatch.get("transconductor", Tolerance())
    unit = float(values.min())
    units = float(np.sum(values / unit))
    if tolerance.area is None:
        note = f"{design.technology} does not say; give an area in [mismatch] transconductor"
        return Area("OTA", len(values), units, unit, None, note)
    each = OF_AN_OTA * tolerance.area
    note = f"{OF_AN_OTA} transistors each, of the area that mismatch is given for"
    total = each * (units if tolerance.scale == "units" else len(values))
    return Area("OTA", len(values), units, unit, total, note)


def _area(design: Design, kind: str, device: Device | None, values: np.ndarray) -> Area:
    tolerance = design.mismatch.get(kind, Tolerance())
    given, scales = tolerance.area, tolerance.scale == "units"
    unit = float(values.min())
    units = float(np.sum(values / unit))
    what = kind if device is None else f"{kind} ({device.name})"
    by_matching = None if given is None else given * (units if scales else len(values))

    def row(total: float | None, note: str) -> Area:
        return Area(what, len(values), units, unit, total, note)

    if device is not None and device.density is not None:
        total = float(values.sum()) / device.density
        note = f"{1e3 * device.density:g} fF/um2; {device.confidence}"
        if given is not None:
            note += f"; a unit has {1e12 * unit / device.density:.3g} um2, matching was given for {1e12 * given:.3g}"
        return row(total, note)
    if device is not None and device.sheet is not None:
        note = f"{device.sheet:g} Ohm a square; {device.confidence}"
        if by_matching is None or given is None:
            return row(float(values.sum()) / device.sheet * _WIDTH**2, f"{note}; {1e6 * _WIDTH:g} um wide")
        # All devices have the same area, or the same area a unit: the longest, or any, is the narrowest.
        width = math.sqrt(given * device.sheet / (unit if scales else float(values.max())))
        narrow = "; too narrow to draw: take more area" if width < _NARROWEST else ""
        return row(by_matching, f"{note}; at least {1e6 * width:.3g} um wide{narrow}")
    if by_matching is not None:
        return row(by_matching, "the area that mismatch is given for")
    return row(None, f"{design.technology} does not say; give an area in [mismatch] {kind}")


def _costs(design: Design, circuit: Circuit, prices: Mapping[str, Price]) -> tuple[Cost, ...]:
    names = Counter(name for c in circuit.components if (name := _priced(design, c, prices)) is not None)
    found = []
    for name, count in names.items():
        price = prices.get(name)
        size = form_of(name, design.own_parts).amplifiers  # one of what is no amplifier
        if price is not None and price.amplifiers is not None:
            size = price.amplifiers
        packages = math.ceil(count / size)
        found.append(Cost(name, count, packages, None if price is None else price.at(packages)))
    return tuple(found)


def _priced(design: Design, component: Component, prices: Mapping[str, Price]) -> str | None:
    """Name a component as the price list does, as exactly as it can; None of what is not bought."""
    if is_outside(component):
        return None
    if isinstance(component, Amplifier):
        return design.opamp_model.name
    if isinstance(component, Mosfet):
        return "transconductor"
    kind = kind_of(component)
    if kind.name not in CLASSES:
        return None
    known = [t.tolerance for t in design.tolerances_of(component)]
    names = names_of(kind.name, getattr(component, kind.value), known)
    return next((name for name in names if name in prices), kind.name)
