"""A circuit as a KiCad project: a schematic with the symbols of KiCad's libraries, from order 8 on in several sheets.

Written as the S-expressions of KiCad 7 (format 20230121), which later ones read; run with KiCad 9. Everything that is
drawn stands in the files, so that neither the export nor the sheets need KiCad's libraries.
"""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import GROUND, Amplifier, DifferentialOpAmp
from lmu_analog.circuits.devices.packages import LETTERS
from lmu_analog.circuits.families.registry import is_left_out, is_on_chip
from lmu_analog.circuits.interface import REFERENCE
from lmu_analog.design import Design
from lmu_analog.files_out import check_file, write_text
from lmu_analog.output.export import symbols
from lmu_analog.output.export.board import RAILS, Assembly, Packaged, Placed, assembly
from lmu_analog.output.export.lists import bom_lines
from lmu_analog.output.export.sheet import (
    PASSIVE,
    Block,
    Box,
    Device,
    Item,
    Label,
    Paper,
    Part,
    Point,
    Wire,
    alone,
    beside,
    blocks,
    junctions,
    on_many,
    on_one,
    tied,
)
from lmu_analog.output.export.symbols import STEP, Pin, Symbol

SEVERAL = 8  # order from which on there is a sheet for every few stages
_FONT = "(effects (font (size 1.27 1.27)){})"
_NAMESPACE = uuid.UUID("6c6d7561-6e61-6c6f-6700-6b6963616400")  # ids follow from the design: equal files
_POWER = {GROUND: "power:GND", RAILS[0]: "power:VCC", RAILS[1]: "power:VEE"}
NET_NAMES = {GROUND: "GND"}  # of nets that KiCad calls otherwise
_SYMBOLS = {
    "resistor": "Device:R", "capacitor": "Device:C", "inductor": "Device:L", "ammeter": "Jumper:SolderJumper_2_Bridged",
}  # fmt: skip
_ALWAYS = ("Manufacturer", "MPN")  # fields for people to fill in where nothing is known
_PIN_SPACE = 2  # steps between the pins of a sheet
_JUMPER = "Jumper:SolderJumper-2_P1.3mm_Bridged_RoundedPad1.0x1.5mm"
_TEST_PAD = "TestPoint:TestPoint_Pad_D1.5mm"


@dataclass(frozen=True)
class Drawn:
    """What stands for a device in a schematic.

    Attributes
    ----------
    device : Device
    symbol : Symbol
    reference, value : str
    unit : int
        Of the symbol, from 1.
    pins : tuple of (str, Pin)
        Pin of the symbol for every pin of the device.
    fields : dict
        Footprint, and what a bill of materials lists.
    listed : bool
        Whether it is ordered.
    renamed : dict
        Nets of pins that the device does not name, where they are others: with a single supply.
    """

    device: Device
    symbol: Symbol
    reference: str
    value: str
    unit: int
    pins: tuple[tuple[str, Pin], ...]
    fields: Mapping[str, str]
    listed: bool = True
    renamed: Mapping[str, str] = field(default_factory=dict)

    @property
    def others(self) -> tuple[tuple[Pin, str | None], ...]:
        """Pins that the device does not name, each with its net; None where it stays open."""
        if self.symbol.name.startswith(("Amplifier", "Device:Opamp", "lmu:Opamp")):
            found = symbols.others(self.symbol.of_unit(self.unit))
            return tuple((pin, None if net is None else self.renamed.get(net, net)) for pin, net in found)
        return ()


@dataclass(frozen=True)
class Sheet:
    """One sheet of a schematic.

    Attributes
    ----------
    name : str
        As people see it; empty for the one with the others in it.
    file : str
        Name of its file.
    paper : Paper
    items : tuple of Item
    """

    name: str
    file: str
    paper: Paper
    items: Block


@dataclass(frozen=True)
class Project:
    """A schematic: what is drawn, by the name of its device, and its sheets, the one that has the others first."""

    name: str
    drawn: dict[str, Drawn]
    sheets: tuple[Sheet, ...]

    @property
    def nets(self) -> dict[str, set[tuple[str, str]]]:
        """Every net with the reference designators and pin numbers at it."""
        found: dict[str, set[tuple[str, str]]] = {}
        for drawn in self.drawn.values():
            own = ((pin.number, drawn.device.net[name]) for name, pin in drawn.pins)
            beside = ((pin.number, net) for pin, net in drawn.others if net is not None)
            for number, net in (*own, *beside):
                found.setdefault(NET_NAMES.get(net, net), set()).add((drawn.reference, number))
        return found


def write_kicad(design: Design, circuit: Circuit, path: Path) -> Path:
    """Write a KiCad project: the schematic, the sheets within it beside it, and the project's file if there is none.

    References count by letter; the properties ``Deck`` and ``Role`` of a part name the deck's element and its
    role. Ground is ``GND``, rails are ``VCC`` and ``VEE``, any other net has the circuit's name.

    Parameters
    ----------
    design, circuit : Design, Circuit
    path : Path
        Of the schematic, ``NAME.kicad_sch``; the sheets within it are ``NAME-stages-1.kicad_sch`` and so on.

    Raises
    ------
    DesignError
        If a file cannot be written, or a part has the wrong number of outputs.
    """
    found = project(design, circuit, path.stem)
    texts = files(design, circuit, found)
    for name in texts:
        check_file(path.with_name(name))
    for name, text in reversed(texts.items()):  # the schematic itself once all that it names is there
        write_text(path.with_name(name), text)
    settings = path.with_suffix(".kicad_pro")
    if not settings.exists():  # what people have set there is theirs
        content = {"meta": {"filename": settings.name, "version": 1}}
        write_text(settings, json.dumps(content, indent=2) + "\n")
    return path


def project(design: Design, circuit: Circuit, name: str) -> Project:
    """Lay a circuit out: its stages, what supplies them, and what leads outside."""
    whole = assembly(design, circuit)
    ordered = _ordered(design, circuit)
    own = [_placed(p, whole, ordered) for p in whole.placed if not is_left_out(circuit, p.component)]
    stages = blocks([d.device for d in own])
    supply: list[Block] = []
    drawn = {d.device.name: d for d in own}
    for packaged in whole.packages:
        for letter, nets in packaged.spare:
            spare = _unit(packaged, letter, nets, _of_package(packaged, ordered))
            drawn[spare.device.name] = spare
            stages.append(tied(spare.device) if "out" in spare.device.net else alone(spare.device))
    for row in _supplies(whole, ordered):
        supply.append(beside(*(alone(d.device, "right" if d.unit > 1 else "down") for d in row)))
        drawn |= {d.device.name: d for d in row}
    outer: list[Block] = []
    for d in _outer(whole, ordered):
        drawn[d.device.name] = d
        outer.append(alone(d.device))
    if not whole.connectors:  # a flag alone with its ground on a sheet would be an error of KiCad's rules
        stages, outer = [*stages, *outer], []
    if circuit.order < SEVERAL:
        paper, items = on_one([*stages, *supply, *outer])
        return Project(name, drawn, (Sheet("", f"{name}.kicad_sch", paper, items),))
    below: list[Sheet] = []
    for title, group in (("Stages", stages), ("Supply", supply)):
        if group:
            paper, pages = on_many(group)
            for k, items in enumerate(pages, 1):
                below.append(Sheet(f"{title} {k}", f"{name}-{title.lower()}-{k}.kicad_sch", paper, items))
    boxes = [_box(sheet, below, outer, circuit) for sheet in below]
    paper, items = on_one([*boxes, *outer])
    return Project(name, drawn, (Sheet("", f"{name}.kicad_sch", paper, items), *below))


def _ordered(design: Design, circuit: Circuit) -> dict[str, dict[str, str]]:
    """Give the fields of every reference designator as the bill of materials has them; empty where nothing is known."""
    if is_on_chip(circuit):
        return {}
    found: dict[str, dict[str, str]] = {}
    for line in bom_lines(design, circuit):
        tolerance = line.order_tolerance_percent or line.tolerance_percent
        told = {
            "Footprint": line.footprint,
            "Order as": line.order_as,
            "Tolerance": f"{tolerance}%" if tolerance else "",
            "Voltage": f"{line.voltage}V" if line.voltage else "",
            "Material": line.material,
            "Manufacturer": line.maker,
            "MPN": line.part_number,
            "Note": line.note,
        }
        kept = {name: text for name, text in told.items() if text or name in _ALWAYS}
        found |= dict.fromkeys(line.references.split(), kept)
    return found


_Ordered = dict[str, dict[str, str]]


def _placed(placed: Placed, whole: Assembly, ordered: _Ordered) -> Drawn:
    """Draw a component, or a unit of a package."""
    component, kind = placed.component, placed.kind
    told = {**ordered.get(placed.reference, {}), "Deck": component.name, "Role": component.role}
    if isinstance(component, Amplifier) and whole.packages:
        (packaged,) = (p for p in whole.packages if p.reference == placed.reference)
        return _unit(packaged, placed.letter, placed.pins, {**told, **_of_package(packaged, ordered)})
    if kind in _SYMBOLS:
        symbol = symbols.library()[_SYMBOLS[kind]]
        pins = dict(zip(("a", "b"), symbol.pins, strict=True))
        reach = max(abs(v) for pin in symbol.pins for v in pin.at)
        ends = {"a": (-reach, 0), "b": (reach, 0)}
    else:
        symbol = symbols.own(kind)
        pins = {pin.name: pin for pin in symbol.pins}
        ends = {pin.name: (pin.at[0], -pin.at[1]) for pin in symbol.pins}
    device = Device(
        placed.designator, kind, placed.pins, tuple(ends.items()), reach=1 if kind in PASSIVE else 4
    )
    told["Footprint"] = told.get("Footprint") or _footprint(placed)
    reference, value = placed.reference, placed.text
    return Drawn(device, symbol, reference, value, 1, tuple(pins.items()), told, listed=kind != "ammeter")


def _unit(
    packaged: Packaged, letter: str, nets: tuple[tuple[str, str], ...], fields: Mapping[str, str]
) -> Drawn:
    """Draw a unit of a package; upside down, so that its minus input is above."""
    form = packaged.package.form
    differential = len(nets) == 4
    symbol = symbols.of_form(form, differential=differential)
    unit = LETTERS.index(letter) + 1 if letter else 1
    pins = symbols.roles(symbol.of_unit(unit))
    device = Device(
        packaged.reference + letter,
        "differential op-amp" if differential else "op-amp",
        nets,
        tuple((name, pin.at) for name, pin in pins.items()),
        reach=max(abs(pin.at[1]) for pin in symbol.of_unit(unit)),
    )
    part, renamed = form.part, _renamed(packaged.rest)
    return Drawn(device, symbol, packaged.reference, part, unit, tuple(pins.items()), fields, renamed=renamed)


def _renamed(rest: str) -> dict[str, str]:
    """Say which nets the supply pins and the common-mode pin of an amplifier have, if not those of two supplies."""
    return {} if rest == GROUND else {RAILS[1]: GROUND, GROUND: rest}


def _of_package(packaged: Packaged, ordered: _Ordered) -> dict[str, str]:
    """Give the fields of a package, the same for all its units; no footprint where its pins have no numbers of one."""
    form = packaged.package.form
    symbol = symbols.of_form(form, differential=_differential(packaged))
    known = ordered.get(packaged.reference, {})
    return {**known, "Footprint": "" if symbol.name.endswith("in_a_package") else form.footprint}


def _differential(packaged: Packaged) -> bool:
    return any(isinstance(unit, DifferentialOpAmp) for unit in packaged.package.units)


def _supplies(whole: Assembly, ordered: _Ordered) -> Iterator[list[Drawn]]:
    """Give what stands together: the supply unit of a package with its capacitors, then the rest."""
    extras = list(whole.extras)
    for packaged in whole.packages:
        row: list[Drawn] = []
        form = packaged.package.form
        symbol = symbols.of_form(form, differential=_differential(packaged))
        if symbol.supply_unit is not None:
            device = Device(f"{packaged.reference} supply", "supply unit", (), (), reach=6)
            fields = _of_package(packaged, ordered)
            unit, renamed = symbol.supply_unit, _renamed(packaged.rest)
            row.append(
                Drawn(device, symbol, packaged.reference, form.part, unit, (), fields, renamed=renamed)
            )
        near = [p for p in extras if p.component.name.startswith(f"Cdec_{packaged.reference}_")]
        yield [*row, *(_placed(p, whole, ordered) for p in near)]
        extras = [p for p in extras if p not in near]
    for placed in extras:
        yield [_placed(placed, whole, ordered)]


def _outer(whole: Assembly, ordered: _Ordered) -> Iterator[Drawn]:
    """Give connectors, test points, and the flags by which KiCad knows where a supply comes from."""
    for connector in whole.connectors:
        symbol = symbols.connector(len(connector.nets))
        nets = tuple((str(k), net) for k, net in enumerate(connector.nets, 1))
        ends = tuple((pin.number, (-pin.at[0], -pin.at[1])) for pin in symbol.pins)
        device = Device(connector.reference, "connector", nets, ends, reach=len(nets) + 1)
        fields = {**ordered.get(connector.reference, {}), "Role": connector.role}
        pins = tuple((pin.number, pin) for pin in symbol.pins)
        yield Drawn(device, symbol, connector.reference, connector.role, 1, pins, fields)
    for point in whole.test_points:
        value = NET_NAMES.get(point.net, point.net)
        yield _at_one(point.reference, "Connector:TestPoint", value, point.net, {"Footprint": _TEST_PAD})
    supplied = (GROUND, *(whole.rails if whole.packages else ()))
    for k, net in enumerate(supplied, 1):
        yield _at_one(f"#FLG{k:02d}", "power:PWR_FLAG", "PWR_FLAG", net, {})


def _at_one(reference: str, name: str, value: str, net: str, fields: Mapping[str, str]) -> Drawn:
    """Draw what has one pin."""
    symbol = symbols.library()[name]
    device = Device(reference, "point", (("1", net),), (("1", (0, 0)),), reach=4)
    return Drawn(device, symbol, reference, value, 1, (("1", symbol.pins[0]),), fields, listed=False)


def _footprint(placed: Placed) -> str:
    """Give the footprint of a part by its value; none for inductors, whose makers each have their own."""
    value = placed.value or 0.0
    if placed.kind == "ammeter":
        return _JUMPER
    if placed.kind == "resistor":
        return "Resistor_SMD:R_0805_2012Metric"
    if placed.kind != "capacitor":
        return ""
    for largest, footprint in _CAPACITORS:
        if value <= largest * (1.0 + 1e-9):
            return footprint
    return ""


_CAPACITORS = (
    (1e-9, "Capacitor_SMD:C_0603_1608Metric"),
    (10e-9, "Capacitor_SMD:C_0805_2012Metric"),
    (100e-9, "Capacitor_SMD:C_1206_3216Metric"),
    (10e-6, "Capacitor_SMD:C_1210_3225Metric"),
)


def _used(items: Iterable[Item]) -> set[str]:
    """Nets with a name on a sheet, but for those that have it on all: the supply and its reference."""
    return {item.net for item in items if isinstance(item, Label)} - {*_POWER, REFERENCE}


def _box(sheet: Sheet, sheets: Sequence[Sheet], outer: Sequence[Block], circuit: Circuit) -> Block:
    """Draw a sheet as a box with a pin for every net that leads out of it, those that it drives on the right."""
    elsewhere = {net for other in sheets if other is not sheet for net in _used(other.items)}
    elsewhere |= {net for block in outer for net in _used(block)}
    known = (
        *circuit.nets,
        *sorted(_used(sheet.items) - set(circuit.nets)),
    )  # clocks are no nets of the circuit
    crossing = [net for net in known if net in _used(sheet.items) and net in elsewhere]
    driven = [net for net in crossing if net in _driven(sheet.items)]
    taken = [net for net in crossing if net not in driven]
    width = max((len(net) for net in crossing), default=0) * 2 + 12
    height = _PIN_SPACE * (max(len(driven), len(taken)) + 1) + 2
    left = [(net, (0, _PIN_SPACE * (k + 1))) for k, net in enumerate(taken)]
    right = [(net, (width, _PIN_SPACE * (k + 1))) for k, net in enumerate(driven)]
    items: list[Item] = [Box(sheet.name, sheet.file, (0, 0), (width, height), (*left, *right))]
    for side, ends in ((-1, left), (1, right)):
        for net, (x, y) in ends:
            items += [Wire((x, y), (x + 2 * side, y)), Label(net, (x + 2 * side, y), (side, 0))]
    return tuple(items)


def _driven(items: Iterable[Item]) -> set[str]:
    """Nets that amplifiers of a sheet drive."""
    found: set[str] = set()
    for item in items:
        if isinstance(item, Part):
            nets = item.device.net
            found |= {net for name, net in nets.items() if name in ("out", "out_plus", "out_minus")}
    return found


def files(design: Design, circuit: Circuit, found: Project) -> dict[str, str]:
    """Write the sheets of a project: text by the name of its file, the schematic itself first."""
    root = uuid.uuid5(_NAMESPACE, f"{design.digest} {circuit.values.tolist()}")
    comments = (f"{circuit.family}, {circuit.realization}", f"design {design.digest[:16]}")
    writer = _Writer(found, root, f"Legendre memory, order {circuit.order}", comments)
    return {sheet.file: "\n".join(writer.sheet(sheet)) + "\n" for sheet in found.sheets}


@dataclass(frozen=True)
class _Writer:
    """Writes the sheets of one project.

    Attributes
    ----------
    project : Project
    root : UUID
        Of the schematic, from which all others follow.
    title : str
    comments : tuple of str
    """

    project: Project
    root: uuid.UUID
    title: str
    comments: tuple[str, ...]

    def sheet(self, sheet: Sheet) -> Iterator[str]:
        """Write one sheet."""
        top = sheet is self.project.sheets[0]
        own = self.root if top else _id(self.root, "file", sheet.file)
        path = f"/{self.root}" if top else f"/{self.root}/{_id(self.root, 'sheet', sheet.name)}"
        crossing = set[str]() if top else self._crossing(sheet)
        yield "(kicad_sch (version 20230121) (generator lmu_analog)"
        yield f"  (uuid {own})"
        wide, high = sheet.paper.size
        yield (
            f'  (paper "{sheet.paper.name}")'
            if sheet.paper.name
            else f'  (paper "User" {_mm(wide)} {_mm(high)})'
        )
        name = f"{self.title}: {sheet.name}" if sheet.name else self.title
        comments = " ".join(f"(comment {k} {_quoted(text)})" for k, text in enumerate(self.comments, 1))
        yield f"  (title_block (title {_quoted(name)}) {comments})"
        yield "  (lib_symbols"
        used = [self.project.drawn[item.device.name] for item in sheet.items if isinstance(item, Part)]
        embedded = {d.symbol.name: d.symbol for d in used}
        embedded |= {name: symbols.library()[name] for name in _POWER.values()}
        yield from (f"    {symbol.text}" for symbol in embedded.values())
        yield "  )"
        for point in junctions(sheet.items):
            yield f"  (junction (at {_at(point)}) (diameter 0) (color 0 0 0 0) (uuid {_id(own, 'j', point)}))"
        for number, item in enumerate(sheet.items):
            yield from self._item(item, path, _id(own, "i", number), crossing, _driven(sheet.items))
        if top:
            yield '  (sheet_instances (path "/" (page "1")))'
        yield ")"

    def _crossing(self, sheet: Sheet) -> set[str]:
        """Nets that lead out of a sheet: those at the pins of its box."""
        boxes = (item for item in self.project.sheets[0].items if isinstance(item, Box))
        return {net for box in boxes if box.name == sheet.name for net, _ in box.ends}

    def _item(
        self, item: Item, path: str, own: uuid.UUID, crossing: set[str], driven: set[str]
    ) -> Iterator[str]:
        match item:
            case Wire():
                points = f"(pts (xy {_at(item.start)}) (xy {_at(item.end)}))"
                yield f"  (wire {points} (stroke (width 0) (type default)) (uuid {own}))"
            case Label(net=net) if net in _POWER:
                yield from self._power(net, item.at, item.toward, path, own)
            case Label():
                angle, side = {(-1, 0): (180, "right"), (0, -1): (90, "left"), (0, 1): (270, "right")}.get(
                    item.toward, (0, "left")
                )
                place = f"{_quoted(item.net)}"
                style = f"(at {_at(item.at)} {angle})"
                if item.net == REFERENCE:
                    font = _FONT.format(f" (justify {side})")
                    yield f"  (global_label {place} (shape passive) {style} {font} (uuid {own}))"
                elif item.net in crossing:
                    shape = "output" if item.net in driven else "input"
                    font = _FONT.format(f" (justify {side})")
                    yield f"  (hierarchical_label {place} (shape {shape}) {style} {font} (uuid {own}))"
                else:
                    font = _FONT.format(f" (justify {side} bottom)")
                    yield f"  (label {place} {style} {font} (uuid {own}))"
            case Box():
                yield from self._box(item)
            case Part():
                yield from self._part(item, path, own)

    def _box(self, box: Box) -> Iterator[str]:
        (sheet,) = (s for s in self.project.sheets if s.name == box.name)
        page = self.project.sheets.index(sheet) + 1
        own = _id(self.root, "sheet", sheet.name)
        (x, y), (w, h) = box.at, box.size
        yield f"  (sheet (at {_at(box.at)}) (size {_mm(w)} {_mm(h)}) (fields_autoplaced)"
        yield f"    (stroke (width 0.1524) (type solid)) (fill (color 0 0 0 0.0)) (uuid {own})"
        for name, text, place, side in (
            ("Sheetname", sheet.name, (x, y - 1), "bottom"),
            ("Sheetfile", sheet.file, (x, y + h + 1), "top"),
        ):
            font = _FONT.format(f" (justify left {side})")
            yield f'    (property "{name}" {_quoted(text)} (at {_at(place)} 0) {font})'
        driven = _driven(sheet.items)
        for net, end in box.ends:
            angle, side = (180, "left") if end[0] == x else (0, "right")
            shape = "output" if net in driven else "input"
            font = _FONT.format(f" (justify {side})")
            yield f"    (pin {_quoted(net)} {shape} (at {_at(end)} {angle}) {font} (uuid {_id(own, net)}))"
        name = _quoted(self.project.name)
        yield f'    (instances (project {name} (path "/{self.root}" (page "{page}"))))'
        yield "  )"

    def _power(self, net: str, at: Point, toward: Point, path: str, own: uuid.UUID) -> Iterator[str]:
        """Write a symbol of ground or a rail that points some way."""
        ground = net == GROUND
        upright = (0, 1) if ground else (0, -1)
        turns = [upright, (upright[1], -upright[0]), (-upright[0], -upright[1]), (-upright[1], upright[0])]
        angle = 90 * turns.index(toward)
        far = 4 if toward[0] == 0 else 5
        symbol = symbols.library()[_POWER[net]]
        text = (at[0] + far * toward[0], at[1] + far * toward[1])
        yield from self._symbol(
            symbol,
            (at, angle, ""),
            f"#PWR{own.int % 10**8:08d}",
            NET_NAMES.get(net, net),
            path=path,
            own=own,
            texts=(at, text, 90 if angle in (90, 270) else 0),
            hidden=True,
        )

    def _part(self, part: Part, path: str, own: uuid.UUID) -> Iterator[str]:
        drawn = self.project.drawn[part.device.name]
        angle, mirror = _placing(part, drawn)
        x, y = part.at
        reach = part.device.reach + 2
        if part.turn == "down":
            texts, side = ((x + 2, y - 1), (x + 2, y + 1), 0), "left"
        elif part.device.kind in ("op-amp", "differential op-amp", "supply unit"):
            texts, side = ((x + 1, y - 5), (x + 1, y + 5), 0), "left"
        elif part.device.kind == "transistor":  # leads leave it above and below
            texts, side = ((x - 3, y - 4), (x - 3, y + 4), 0), ""
        elif part.device.kind == "point":
            texts, side = ((x + 2, y - 3), (x + 2, y - 5), 0), "left"
        else:
            texts, side = ((x, y - reach), (x, y + reach), 90 if angle in (90, 270) else 0), ""
        yield from self._symbol(
            drawn.symbol,
            (part.at, angle, mirror),
            drawn.reference,
            drawn.value,
            path=path,
            own=own,
            texts=texts,
            side=side,
            unit=drawn.unit,
            fields=drawn.fields,
            listed=drawn.listed,
            hidden=drawn.reference.startswith("#"),
        )
        for k, (pin, net) in enumerate(drawn.others):  # drawn upside down, as amplifiers are
            up = -1 if mirror == " (mirror x)" else 1
            end, toward = (x + pin.at[0], y - up * pin.at[1]), (pin.outward[0], -up * pin.outward[1])
            if net is None:
                yield f"  (no_connect (at {_at(end)}) (uuid {_id(own, 'open', k)}))"
            elif net in _POWER:
                yield from self._power(net, end, toward, path, _id(own, "power", k))
            else:
                label = Label(net, end, toward)
                yield from self._item(label, path, _id(own, "label", k), crossing=set(), driven=set())

    def _symbol(
        self,
        symbol: Symbol,
        placing: tuple[Point, int, str],
        reference: str,
        value: str,
        *,
        path: str,
        own: uuid.UUID,
        texts: tuple[Point, Point, int],
        side: str = "",
        unit: int = 1,
        fields: Mapping[str, str] | None = None,
        listed: bool = False,
        hidden: bool = False,
    ) -> Iterator[str]:
        at, angle, mirror = placing
        above, below, turn = texts
        board = "no" if reference.startswith("#") else "yes"
        yield f"  (symbol (lib_id {_quoted(symbol.name)}) (at {_at(at)} {angle}){mirror} (unit {unit})"
        yield f"    (in_bom {'yes' if listed else 'no'}) (on_board {board}) (dnp no) (uuid {own})"
        yield _property("Reference", reference, above, turn, side=side, hidden=hidden)
        yield _property("Value", value, below, turn, side=side)
        told = {"Footprint": "", "Datasheet": symbol.fields.get("Datasheet", ""), **(fields or {})}
        yield from (_property(name, text, at, 0, hidden=True) for name, text in told.items())
        for pin in symbol.of_unit(unit):
            yield f'    (pin "{pin.number}" (uuid {_id(own, "pin", pin.number)}))'
        place = f'(path "{path}" (reference {_quoted(reference)}) (unit {unit}))'
        yield f"    (instances (project {_quoted(self.project.name)} {place}))"
        yield "  )"


def _placing(part: Part, drawn: Drawn) -> tuple[int, str]:
    """Give angle and mirroring of a part's symbol."""
    if part.device.kind in ("op-amp", "differential op-amp") and drawn.symbol.name[:4] != "lmu:":
        return 0, " (mirror x)"
    if drawn.symbol.name.startswith("lmu:Opamp"):
        return 0, " (mirror x)"
    if part.device.kind == "connector":
        return 0, " (mirror y)"
    if part.device.kind in PASSIVE:  # upright in KiCad's library
        return {"right": 90, "left": 270, "down": 0}[part.turn], ""
    return 0, " (mirror y)" if part.turn == "left" else ""


def _property(name: str, text: str, at: Point, turn: int, *, side: str = "", hidden: bool = False) -> str:
    style = (f" (justify {side})" if side else "") + " hide" * hidden
    return f"    (property {_quoted(name)} {_quoted(text)} (at {_at(at)} {turn}) {_FONT.format(style)})"


def _id(root: uuid.UUID, *of: object) -> uuid.UUID:
    return uuid.uuid5(root, repr(of))


def _mm(steps: int) -> str:
    return f"{STEP * steps:.2f}"


def _at(point: Point) -> str:
    return f"{_mm(point[0])} {_mm(point[1])}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
