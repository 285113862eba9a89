"""A circuit as lists: what to order, as CSV for people and for distributors, and what is joined to what, as JSON."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lmu_analog.analysis.resources import resources
from lmu_analog.building import volts_across
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import Ammeter, Amplifier, Capacitor, Component, Resistor
from lmu_analog.circuits.devices import passives
from lmu_analog.circuits.devices.packages import form_of
from lmu_analog.circuits.devices.parts import PRICE_CLASSES, catalogue
from lmu_analog.circuits.devices.passives import Choice, choose
from lmu_analog.circuits.devices.prices import CLASSES, Price, names_of, price_of, priced
from lmu_analog.circuits.devices.tolerance import law_text
from lmu_analog.circuits.devices.values import nearest
from lmu_analog.circuits.families.registry import is_left_out, is_on_chip
from lmu_analog.circuits.rounding import capacitors_beside
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.output.export.board import Connector, Placed, assembly, board
from lmu_analog.output.summary import dumps
from lmu_analog.units import parse, write

_FINEST = "E96"  # series that is offered where the design asks for none
_HEADER = (
    "Connector_PinHeader_2.54mm:PinHeader_1x{:02d}_P2.54mm_Vertical"  # KiCad's footprint of a pin header
)


@dataclass(frozen=True)
class Line:
    """A line of the bill of materials, in the order of its columns; text is empty where nothing is known.

    Attributes
    ----------
    references : str
        Reference designators, with spaces between them.
    quantity : int
        Parts to order; packages of amplifiers.
    kind, value : str
        ``value`` has six digits.
    value_si, unit : str
        The value with all digits.
    order_as, off_percent : str
        The standard value to order, and how far it is from the circuit's.
    tolerance_percent, tolerance_law : str
        What the design says.
    part : str
        Name of the amplifier, transconductor or transistor.
    roles, deck_names : str
        What the parts do, and what they are called in the deck.
    amplifiers, spare : str
        Amplifiers in these packages that the circuit uses, and units that it does not: they are tied off.
    order_tolerance_percent, material, temperature_ppm, voltage, package : str
        Of the series to order from: tolerance, film or dielectric, largest temperature coefficient, V that the part
        stands, and size or package.
    footprint : str
        KiCad's.
    maker, part_number : str
        As far as they are known: of amplifiers from the catalogue, of all else from a price list.
    price_each, price_total, price_class : str
        From a price list; the class, from memory, from the catalogue.
    note : str
        What keeps a line from being ordered, and the like.
    mouser, lcsc : str
        Numbers of distributors, from a price list.
    """

    references: str
    quantity: int
    kind: str
    value: str
    value_si: str = ""
    unit: str = ""
    order_as: str = ""
    off_percent: str = ""
    tolerance_percent: str = ""
    tolerance_law: str = ""
    part: str = ""
    roles: str = ""
    deck_names: str = ""
    amplifiers: str = ""
    spare: str = ""
    order_tolerance_percent: str = ""
    material: str = ""
    temperature_ppm: str = ""
    voltage: str = ""
    package: str = ""
    footprint: str = ""
    maker: str = ""
    part_number: str = ""
    price_each: str = ""
    price_total: str = ""
    price_class: str = ""
    note: str = ""
    mouser: str = ""
    lcsc: str = ""

    @property
    def description(self) -> str:
        """What to order, in words that a search finds: ``resistor 10 kOhm 1 % thick film 0603 75 V``."""
        if self.part:
            return " ".join(word for word in (self.kind, self.part, self.package) if word)
        tolerance = self.order_tolerance_percent or self.tolerance_percent
        words = (
            self.kind,
            self.order_as or self.value,
            f"{tolerance} %" if tolerance else "",
            self.material,
            self.package,
            f"{self.voltage} V" if self.voltage else "",
        )
        return " ".join(word for word in words if word)


COLUMNS = tuple(Line.__dataclass_fields__)


def bom(design: Design, circuit: Circuit, prices: Mapping[str, Price] | None = None) -> str:
    """Write the bill of materials as CSV: equal parts in one line, all columns of ``Line``.

    Amplifiers are counted in packages. ``order_as`` is the standard value (of the design's series, or E96 and E12).
    Ammeters are wires, ideal inverters of a balanced input come with the source, and loads with the receiver: they are
    left out; so are standard values on a chip.
    """
    return _csv(COLUMNS, bom_rows(design, circuit, prices))


def bom_rows(
    design: Design, circuit: Circuit, prices: Mapping[str, Price] | None = None
) -> list[list[str | int]]:
    """Give the lines of the bill of materials, one cell a column of ``COLUMNS``."""
    return [list(asdict(line).values()) for line in bom_lines(design, circuit, prices)]


def kicad_bom(design: Design, circuit: Circuit, prices: Mapping[str, Price] | None = None) -> str:
    """Write the bill of materials with the columns that KiCad's own export has, and fields of KiCad's beside them."""
    heads = ("Refs", "Value", "Footprint", "Qty", "DNP", "Description", "Manufacturer", "MPN", "Tolerance", "Voltage",
             "Material")  # fmt: skip
    return _csv(
        heads,
        (
            (line.references.replace(" ", ","), line.part or line.value, line.footprint, line.quantity, "",
             line.description, line.maker, line.part_number, _percent(line), _volts(line), line.material)
            for line in bom_lines(design, circuit, prices)
        ),
    )  # fmt: skip


def mouser_bom(design: Design, circuit: Circuit, prices: Mapping[str, Price] | None = None) -> str:
    """Write the bill of materials for Mouser's importer; the reference designators are the customer's part number."""
    heads = ("Mouser Part Number", "Manufacturer Part Number", "Manufacturer Name", "Description", "Quantity 1",
             "Customer Part Number")  # fmt: skip
    return _csv(
        heads,
        (
            (line.mouser, line.part_number, line.maker, line.description, line.quantity, line.references)
            for line in bom_lines(design, circuit, prices)
        ),
    )


def lcsc_bom(design: Design, circuit: Circuit, prices: Mapping[str, Price] | None = None) -> str:
    """Write the bill of materials for LCSC's importer, and for JLCPCB's, which reads the last three columns."""
    heads = ("Quantity", "Manufacturer Part Number", "Manufacturer", "LCSC Part Number", "Description", "Package",
             "Comment", "Designator", "Footprint")  # fmt: skip
    return _csv(
        heads,
        (
            (line.quantity, line.part_number, line.maker, line.lcsc, line.description, line.package,
             line.part or line.order_as or line.value, line.references.replace(" ", ","),
             line.footprint.rpartition(":")[2])
            for line in bom_lines(design, circuit, prices)
        ),
    )  # fmt: skip


def bom_lines(design: Design, circuit: Circuit, prices: Mapping[str, Price] | None = None) -> list[Line]:
    """Give the lines of the bill of materials: the circuit's parts in its order, then what a board needs beside them.

    Raises
    ------
    DesignError
        If the amplifier has one output where two are needed, or the other way round, or a price is of an unknown part.
    """
    if prices is not None:
        prices = priced(prices, (*catalogue(), *design.own_parts, design.opamp_model.name))
    prices = prices or {}
    found = assembly(design, circuit)
    groups: dict[tuple[str, ...], list[Placed]] = {}
    for placed in (*found.placed, *found.extras):
        if isinstance(placed.component, Ammeter) or is_left_out(circuit, placed.component):
            continue
        beside = "" if placed.component.classes else placed.component.role
        key = (placed.kind, placed.text, placed.part, *_tolerance(design, placed), beside)
        groups.setdefault(key, []).append(placed)
    lines = [_line(design, circuit, members, prices) for members in groups.values()]
    sizes: dict[int, list[Connector]] = {}
    for connector in found.connectors:
        sizes.setdefault(len(connector.nets), []).append(connector)
    return [*lines, *(_connectors(design, members, prices) for members in sizes.values())]


@dataclass(frozen=True)
class Estimate:
    """What a bill of materials may cost, by the price classes of its lines.

    Attributes
    ----------
    low, high : float, USD
    unknown : int
        Parts of no class, which are not in it.
    """

    low: float
    high: float
    unknown: int


def estimate(lines: Iterable[Line]) -> Estimate:
    """Add up the price classes of lines; they are from memory, so this is an order of magnitude."""
    classes = {**PRICE_CLASSES, **passives.PRICE_CLASSES}
    low = high = 0.0
    unknown = 0
    for line in lines:
        if line.price_class:
            least, most = classes[line.price_class]
            low, high = low + line.quantity * least, high + line.quantity * most
        else:
            unknown += line.quantity
    return Estimate(low, high, unknown)


def _line(design: Design, circuit: Circuit, members: list[Placed], prices: Mapping[str, Price]) -> Line:
    """Make a line of equal parts."""
    first = members[0]
    tolerance, law = _tolerance(design, first)
    order_as, off = _standard(design, circuit, first)
    references = list(dict.fromkeys(p.reference for p in members))
    known = {
        "value": first.text,
        "value_si": "" if first.value is None else repr(first.value),
        "unit": first.unit,
        "order_as": order_as,
        "off_percent": off,
        "tolerance_percent": tolerance,
        "tolerance_law": law,
        "part": first.part,
        "roles": "; ".join(dict.fromkeys(p.component.role for p in members)),
        "deck_names": " ".join(p.component.name for p in members),
    }
    component = first.component
    if is_on_chip(circuit):
        pass  # nothing is ordered
    elif isinstance(component, Amplifier):
        known |= _sold(design, component, count=len(members), packages=len(references), prices=prices)
    else:
        known |= _ordered(design, circuit, first, count=len(members), order_as=order_as, prices=prices)
    return Line(" ".join(references), len(references), first.kind, **known)


def _sold(
    design: Design, amplifier: Amplifier, *, count: int, packages: int, prices: Mapping[str, Price]
) -> dict[str, str]:
    """Give what is known of an amplifier as it is sold."""
    name = amplifier.model.name
    form = form_of(name, design.own_parts)
    part = {**catalogue(), **design.own_parts}.get(name, {})
    known = {
        "amplifiers": str(count),
        "spare": str(packages * form.amplifiers - count),
        "package": form.package,
        "footprint": form.footprint,
        "maker": str(part.get("maker", "")),
        "part_number": name if part else "",
        "price_class": str(part.get("price_class", "")),
        "note": "" if part else "no part of the catalogue",
    }
    found = price_of(prices, [name])
    if found is None:
        return known
    if found[1].amplifiers not in (None, form.amplifiers):
        return {
            **known,
            "note": f"the price list has a package of {found[1].amplifiers} amplifiers: not counted",
        }
    return {**known, **_cost(found[1], packages)}


def _ordered(
    design: Design,
    circuit: Circuit,
    placed: Placed,
    *,
    count: int,
    order_as: str,
    prices: Mapping[str, Price],
) -> dict[str, str]:
    """Give what is known of a part with a value as one orders it: its series, and its price."""
    component = placed.component
    kind = placed.kind
    known: dict[str, str] = {}
    wanted = _widest(design, component)
    value, choice = placed.value, None
    if isinstance(component, Resistor | Capacitor) and order_as:
        value = parse(order_as, placed.unit)
        voltage = _voltage(design, circuit, beside=not component.classes)
        choice = choose(
            "resistor" if isinstance(component, Resistor) else "capacitor",
            value,
            tolerance=wanted,
            voltage=voltage,
            decoupling=isinstance(component, Capacitor) and not component.classes,
        )
        known = _of_series(choice, count) if choice else {"note": _missing(kind, order_as, wanted, voltage)}
    names = (
        names_of(kind, value, (None if choice is None else choice.of.tolerance, wanted))
        if kind in CLASSES
        else []
    )
    found = price_of(prices, names)
    return known if found is None else {**known, **_cost(found[1], count)}


def _voltage(design: Design, circuit: Circuit, *, beside: bool) -> float:
    """Give the voltage that a part must stand: between a rail and ground one supply, between two outputs both."""
    return design.supply if beside and circuit.amplifiers else volts_across(design, circuit)


def _of_series(choice: Choice, count: int) -> dict[str, str]:
    series = choice.series
    return {
        "order_tolerance_percent": f"{100.0 * choice.of.tolerance:g}",
        "material": series.material,
        "temperature_ppm": "" if choice.of.tc is None else f"{1e6 * choice.of.tc:g}",
        "voltage": f"{series.voltage:g}",
        "package": series.size,
        "footprint": series.footprint,
        "price_class": choice.of.price(count),
    }


def _missing(kind: str, value: str, tolerance: float | None, voltage: float) -> str:
    law = "" if tolerance is None else f", {100.0 * tolerance:g} %"
    return f"no series of the catalogue has a {kind} of {value}{law} for {voltage:g} V"


def _cost(price: Price, count: int) -> dict[str, str]:
    """Give what a price list knows, and nothing where it says nothing."""
    each = price.at(count)
    told = {"maker": price.maker, "part_number": price.number, "mouser": price.mouser, "lcsc": price.lcsc}
    return {
        "price_each": f"{each:.6g}",
        "price_total": f"{count * each:.6g}",
        **{key: text for key, text in told.items() if text},
    }


def _connectors(design: Design, members: list[Connector], prices: Mapping[str, Price]) -> Line:
    """Make a line of equal connectors; that of the supply says what it must give."""
    size, count = len(members[0].nets), len(members)
    note = _supply(design) if any(c.role == "supply" for c in members) else ""
    price = price_of(prices, ["connector"])
    return Line(
        " ".join(c.reference for c in members),
        count,
        "connector",
        f"1x{size:02d}",
        roles="; ".join(c.role for c in members),
        package="pin header 2.54 mm",
        footprint=_HEADER.format(size),
        note=note,
        **({} if price is None else _cost(price[1], count)),
    )


def _supply(design: Design) -> str:
    """Say what the supply must give: its voltages, and the current without a signal, where it is known."""
    said = f"supply {'' if design.runs_from_ground else '+-'}{design.supply:g} V"
    current = resources(design).current_at_rest
    return said if current is None else f"{said}, {write(float(f'{current:.3g}'), 'A')} without load"


def _percent(line: Line) -> str:
    tolerance = line.order_tolerance_percent or line.tolerance_percent
    return f"{tolerance}%" if tolerance else ""


def _volts(line: Line) -> str:
    return f"{line.voltage}V" if line.voltage else ""


def _csv(heads: Iterable[str], rows: Iterable[Iterable[str | int]]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows([heads, *rows])
    return written.getvalue()


def _widest(design: Design, component: Component) -> float | None:
    """Give the largest tolerance of a part, a fraction; None where the design says none."""
    found = [t.tolerance for t in design.tolerances_of(component)]
    return max(found) if found and max(found) > 0.0 else None


def _tolerance(design: Design, placed: Placed) -> tuple[str, str]:
    """Give the largest tolerance of a part, in percent, and its law in words."""
    found = design.tolerances_of(placed.component)
    if not found or placed.value is None:
        return "", ""
    widest = max(found, key=lambda t: t.tolerance)
    return f"{100.0 * widest.tolerance:.6g}", law_text(widest).partition(", ")[2]


def _standard(design: Design, circuit: Circuit, placed: Placed) -> tuple[str, str]:
    component = placed.component
    if not isinstance(component, Resistor | Capacitor) or is_on_chip(circuit) or component.value <= 0.0:
        return "", ""
    series = _FINEST if design.values == "exact" else design.values
    if isinstance(component, Capacitor):
        series = capacitors_beside(series)
    value = float(nearest(component.value, series))
    return write(value, placed.unit), f"{100.0 * (value / component.value - 1.0):+.3g}"


def components_json(design: Design, circuit: Circuit) -> str:
    """Write components, nets and probes as JSON, for programs of one's own.

    References are those of the bill of materials, with the unit where a package has several: ``U2B``.
    """
    try:
        placed = assembly(design, circuit).placed
    except DesignError:  # an amplifier that nobody can order there: it is simulated and drawn all the same
        placed = board(circuit)
    nets: dict[str, list[str]] = {}
    for p in placed:
        for pin, net in p.pins:
            nets.setdefault(net, []).append(f"{p.designator}.{pin}")
    content: dict[str, Any] = {
        **design.provenance,
        "input": circuit.source,
        "components": [_component(p) for p in placed],
        "nets": nets,
        "probes": [[asdict(term) for term in probe] for probe in circuit.probes],
    }
    return dumps(content) + "\n"


def _component(placed: Placed) -> dict[str, Any]:
    c = placed.component
    model = getattr(c, "model", None)
    return {
        "reference": placed.designator,
        "name": c.name,
        "kind": placed.kind,
        "pins": dict(placed.pins),
        "value": placed.value,
        "unit": placed.unit,
        "role": c.role,
        "classes": list(c.classes),
        "model": None if model is None else asdict(model),
    }
