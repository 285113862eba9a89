"""KiCad's schematics join what the circuit joins, as independent readers find, with pins as data sheets number them."""

import importlib.util
import json
import math
import re
import shutil
from collections import defaultdict
from pathlib import Path

import kiutils.schematic
import pytest

from lmu_analog.building import build
from lmu_analog.circuits.components import GROUND, Follower
from lmu_analog.circuits.devices.packages import FOOTPRINTS, Form, form_of
from lmu_analog.circuits.devices.parts import catalogue
from lmu_analog.circuits.families.registry import FAMILIES, is_on_chip
from lmu_analog.cli import run_command
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.output.export import symbols
from lmu_analog.output.export.board import RAILS, assembly
from lmu_analog.output.export.kicad import files, project, write_kicad
from lmu_analog.output.export.sheet import PAPERS, Part, bounds

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
LIBRARIES, FOOTPRINT_LIBRARIES = Path("/usr/share/kicad/symbols"), Path("/usr/share/kicad/footprints")
DESIGN = Design(order=3, theta="1 ms", opamp="OPA2192", mismatch={"resistor": "1 %", "capacitor": "2 %"})
THIRD_ORDER = {"order": 3, "bandwidth": "20 kHz"}
needs_kicad = pytest.mark.skipif(shutil.which("kicad-cli") is None, reason="KiCad is not installed")
needs_libraries = pytest.mark.skipif(not LIBRARIES.exists(), reason="KiCad's libraries are not installed")


def script(name):
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BENCH = script("kicad")


def turned(symbol, pin):
    """Where a pin of a symbol is on the sheet: turned against the clock, then mirrored; y points down there."""
    x, y = pin.position.X, pin.position.Y
    angle = math.radians(symbol.position.angle or 0)
    x, y = x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)
    x, y = (-x if symbol.mirror == "y" else x), (-y if symbol.mirror == "x" else y)
    return symbol.position.X + x, symbol.position.Y - y


class Joined:
    """Points, names and ports that are joined: sets that grow together."""

    def __init__(self):
        self.parent = {}

    def root(self, key):
        self.parent.setdefault(key, key)
        while self.parent[key] != key:
            key = self.parent[key]
        return key

    def join(self, one, other):
        self.parent[self.root(one)] = self.root(other)

    @property
    def names(self):
        """Names of every set; empty for a pin that is said to be open."""
        found = defaultdict(set)
        for key in list(self.parent):
            if key[0] in ("net", "port", "power", "open"):
                found[self.root(key)].add("" if key[0] == "open" else key[-1])
        assert all(len(names) == 1 for names in found.values())  # no net has two names
        return {key: names.pop() for key, names in found.items()}


def point(file, place):
    return file, round(100.0 * place[0]), round(100.0 * place[1])


def symbols_of(sheet):
    """Every symbol with its reference, its value, and the pins of its unit with their places."""
    library = {symbol.libId: symbol for symbol in sheet.libSymbols}
    for symbol in sheet.schematicSymbols:
        given = {p.key: p.value for p in symbol.properties}
        units = (unit for unit in library[symbol.libId].units if unit.unitId in (0, symbol.unit))
        pins = [pin for unit in units for pin in unit.pins if pin.electricalType != "no_connect"]
        yield given["Reference"], given["Value"], [(pin.number, turned(symbol, pin)) for pin in pins]


def join_sheet(joined, name, sheet):
    """Join what one sheet joins; give its pins with their places."""
    found = []
    for wire in sheet.graphicalItems:
        joined.join(*(point(name, (p.X, p.Y)) for p in wire.points))
    for kind, labels in (("net", sheet.labels), ("port", sheet.hierarchicalLabels)):
        for label in labels:
            joined.join(point(name, (label.position.X, label.position.Y)), (kind, name, label.text))
    for label in sheet.globalLabels:
        joined.join(point(name, (label.position.X, label.position.Y)), ("power", label.text))
    for mark in sheet.noConnects:
        joined.join(point(name, (mark.position.X, mark.position.Y)), ("open", name, mark.uuid))
    for reference, value, pins in symbols_of(sheet):
        for number, place in pins:
            if reference.startswith("#PWR"):
                joined.join(point(name, place), ("power", value))
            elif not reference.startswith("#FLG"):
                found.append((point(name, place), (reference, number)))
    return found


def traced(path):
    """Trace what is joined on all sheets: pins, wires, labels and pins of sheets; ends that coincide."""
    top = kiutils.schematic.Schematic.from_file(str(path))
    joined = Joined()
    pins = join_sheet(joined, "", top)
    for box in top.sheets:
        name = box.fileName.value
        sheet = kiutils.schematic.Schematic.from_file(str(path.with_name(name)))
        pins += join_sheet(joined, name, sheet)
        assert {pin.name for pin in box.pins} == {label.text for label in sheet.hierarchicalLabels}
        for pin in box.pins:
            joined.join(point("", (pin.position.X, pin.position.Y)), ("port", name, pin.name))
    names, nets = joined.names, defaultdict(set)
    for place, pin in pins:
        name = names[joined.root(place)]
        if name:
            nets[name].add(pin)
    return dict(nets)


@pytest.mark.parametrize(
    ("family", "order", "given"),
    [
        *((family, 2, {}) for family in FAMILIES),
        ("active-rc", 3, {"opamp": "TL074"}),
        ("active-rc", 3, {"opamp": "TL071"}),
        ("active-rc", 2, {"opamp": "MCP6001", "supply": "2.5 V"}),
        ("active-rc", 2, {"taps": [0.5, 1.0]}),
        ("active-rc", 2, {"taps": [0.5], "output_load": "10 kohm", "input_buffer": THIRD_ORDER}),
        ("active-rc-differential", 2, {"input_buffer": THIRD_ORDER}),
        (
            "passive-rlc",
            3,
            {"taps": [0.5], "opamp": "TL072"},
        ),  # with a follower, and coils on op-amps' inputs
        ("active-rc", 8, {"opamp": "MCP6004", "reference": "mid", "input_buffer": THIRD_ORDER}),
        ("active-rc-differential", 8, {"opamp": "THS4521", "reference": "mid"}),
        ("active-rc-differential", 3, {"opamp": "THS4521", "supply": "2.5 V"}),
        ("active-rc", 9, {"realization": "legendre", "opamp": "OPA2192"}),
        ("active-rc-differential", 8, {"opamp": "OPA1632"}),
        ("gm-c", 8, {}),
        ("switched-capacitor", 8, {"taps": [0.5]}),
    ],
)
def test_the_sheets_join_what_the_circuit_joins(family, order, given, tmp_path):
    design = Design(order=order, theta="1 ms", family=family, **given)
    circuit = build(design)
    path = write_kicad(design, circuit, tmp_path / "board.kicad_sch")
    assert traced(path) == BENCH.expected(circuit, assembly(design, circuit))
    assert (len(list(tmp_path.glob("*.kicad_sch"))) > 1) == (order >= 8)


def test_a_wrong_wire_is_found(tmp_path):
    circuit = build(DESIGN)
    path = write_kicad(DESIGN, circuit, tmp_path / "board.kicad_sch")
    wanted = BENCH.expected(circuit, assembly(DESIGN, circuit))
    text = path.read_text()
    path.write_text(text.replace('(label "x1"', '(label "x2"', 1))
    assert traced(path) != wanted
    path.write_text(text.replace('(lib_id "Device:Opamp_Dual") (at', '(lib_id "Device:Opamp_Dual")  (at', 1))
    assert traced(path) == wanted
    path.write_text(text.replace("(mirror x) (unit 1)", "(unit 1)", 1))  # its inputs are swapped
    with pytest.raises((AssertionError, ValueError)):
        assert traced(path) == wanted


@pytest.mark.parametrize("family", FAMILIES)
def test_every_component_is_drawn_once_with_its_value_its_footprint_and_its_name_in_the_deck(
    family, tmp_path
):
    design = DESIGN.replace(family=family, opamp="ideal")
    circuit = build(design)
    read = kiutils.schematic.Schematic.from_file(str(write_kicad(design, circuit, tmp_path / "c.kicad_sch")))
    told = [({p.key: p.value for p in symbol.properties}, symbol.unit) for symbol in read.schematicSymbols]
    named = {given["Deck"]: given for given, _ in told if "Deck" in given}
    whole = assembly(design, circuit)
    outside = {} if is_on_chip(circuit) else {c.name for c in circuit.only(Follower)}
    assert named.keys() - {p.component.name for p in whole.extras} == {
        c.name for c in circuit.components if c.name not in outside
    }
    for placed in (*whole.placed, *whole.extras):
        if placed.component.name in outside:
            continue
        given = named[placed.component.name]
        assert given["Reference"] == placed.reference
        assert given["Value"] == placed.text
        assert given["Role"] == placed.component.role
        if placed.kind in ("resistor", "capacitor"):
            assert re.fullmatch(r"\w+:\w+_\d{4}_\d{4}Metric", given["Footprint"])
    drawn = [(given["Reference"], unit) for given, unit in told if given["Reference"][0] != "#"]
    assert len(drawn) == len(set(drawn))


@pytest.mark.parametrize(("family", "order"), [("active-rc", 3), ("active-rc-differential", 9), ("dpi", 2)])
def test_nothing_on_a_sheet_covers_anything_else_or_leaves_the_paper(family, order):
    design = DESIGN.replace(family=family, order=order, opamp="ideal")
    found = project(design, build(design), "board")
    for sheet in found.sheets:
        parts = [item for item in sheet.items if isinstance(item, Part)]
        boxes = []
        for part in parts:
            xs, ys = zip(*(*part.ends.values(), part.at), strict=True)
            boxes.append((min(xs), max(xs), min(ys), max(ys)))
        for k, (left, right, top, bottom) in enumerate(boxes):
            for other in boxes[:k]:
                assert left > other[1] or right < other[0] or top > other[3] or bottom < other[2]
        left, top, right, bottom = bounds(sheet.items)
        assert left > 0
        assert top > 0
        assert right < sheet.paper.size[0]
        assert bottom < sheet.paper.size[1]


def test_a_sheet_that_no_paper_holds_is_as_large_as_it_must_be():
    design = DESIGN.replace(order=32, realization="legendre", family="gm-c")
    found = project(design, build(design), "board")
    for sheet in found.sheets:
        right, bottom = bounds(sheet.items)[2:]
        assert right < sheet.paper.size[0]
        assert bottom < sheet.paper.size[1]
    assert {sheet.paper for sheet in found.sheets} <= set(PAPERS)


def test_equal_designs_give_equal_files():
    circuit = build(DESIGN)
    first, second = (files(DESIGN, circuit, project(DESIGN, circuit, "board")) for _ in range(2))
    assert first == second


def test_the_command_writes_the_sheets_beside_and_leaves_the_settings_of_a_project(tmp_path):
    (tmp_path / "d.toml").write_text('[memory]\norder = 8\ntheta = "1 ms"\n[circuit]\nopamp = "OPA2192"\n')
    command = ["export", str(tmp_path / "d.toml"), "--to", "kicad", "-o", str(tmp_path / "b.kicad_sch")]
    assert run_command(command) == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert names >= {"b.kicad_sch", "b.kicad_pro", "b-stages-1.kicad_sch", "b-supply-1.kicad_sch"}
    settings = tmp_path / "b.kicad_pro"
    assert json.loads(settings.read_text())["meta"]["filename"] == "b.kicad_pro"
    settings.write_text("{}")
    assert run_command(command) == 0
    assert settings.read_text() == "{}"


def test_a_part_with_the_wrong_number_of_outputs_is_refused(tmp_path):
    design = DESIGN.replace(family="active-rc-differential")
    with pytest.raises(DesignError, match="OPA2192 has one output, and Uint_0 needs two"):
        write_kicad(design, build(design), tmp_path / "c.kicad_sch")
    assert not any(tmp_path.iterdir())


FORMS = [
    *(form_of(part) for part in catalogue()),
    Form("ideal"),
    Form("three", 3, False),
    Form("two", 2, True, ("TSSOP-16",)),
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.part)
def test_every_amplifier_has_a_symbol_with_all_pins_told(form):
    differential = bool(form.differential)
    symbol = symbols.of_form(form, differential=differential)
    wanted = {"plus", "minus", *(("out_plus", "out_minus") if differential else ("out",))}
    numbers = [pin.number for pin in symbol.pins]
    assert len(numbers) == len(set(numbers))
    supplies = set()
    for unit in range(1, symbol.units + 1):
        pins = symbol.of_unit(unit)
        if unit != symbol.supply_unit:
            assert symbols.roles(pins).keys() == wanted
        supplies |= {net for _, net in symbols.others(pins)}
    assert supplies >= set(RAILS)
    assert supplies <= {*RAILS, GROUND, None}
    assert symbol.units - (symbol.supply_unit is not None) == form.amplifiers


@pytest.mark.parametrize("pins", [1, 2, 3, 17, 40])
@needs_libraries
def test_connectors_are_those_of_kicad(pins):
    text = (LIBRARIES / "Connector_Generic.kicad_sym").read_text()
    plain = script("kicad_symbols")
    (content,) = symbols.read(text)
    (theirs,) = (
        s for s in content if isinstance(s, list) and s[0] == "symbol" and s[1] == f'"Conn_01x{pins:02d}"'
    )
    ours = symbols.connector(pins).content
    assert ours[2:] == [plain.plain(part) for part in theirs[2:] if plain.kept(part)]


@needs_libraries
def test_the_symbols_are_those_of_kicad():
    copied = script("kicad_symbols").copied(LIBRARIES)
    ours = Path(symbols.__file__).with_name("symbols.kicad_sym").read_text()
    # Other versions of KiCad may have changed a symbol; the version that they were taken from is in the file.
    if re.search("from version (.*)", copied)[1] == re.search("from version (.*)", ours)[1]:
        assert ours == copied


@pytest.mark.skipif(not FOOTPRINT_LIBRARIES.exists(), reason="KiCad's footprints are not installed")
def test_footprints_exist_and_have_the_pads_of_the_symbols():
    def pads(footprint):
        library, _, name = footprint.partition(":")
        text = (FOOTPRINT_LIBRARIES / f"{library}.pretty" / f"{name}.kicad_mod").read_text()
        return set(re.findall(r'\(pad "([^"]+)"', text))

    for footprint in FOOTPRINTS.values():
        assert pads(footprint)
    for form in FORMS:
        symbol = symbols.of_form(form, differential=bool(form.differential))
        if form.footprint and not symbol.name.endswith("in_a_package"):
            assert {pin.number for pin in symbol.pins} <= pads(form.footprint)
    for family in ("active-rc", "passive-rlc"):
        design = DESIGN.replace(family=family)
        for drawn in project(design, build(design), "board").drawn.values():
            footprint = drawn.fields.get("Footprint")
            if footprint:
                assert {pin.number for pin in drawn.symbol.pins} <= pads(footprint)


@needs_kicad
@pytest.mark.parametrize(
    ("family", "order", "given"),
    [
        ("active-rc", 3, {"opamp": "OPA2192"}),
        ("active-rc-differential", 8, {"opamp": "THS4521", "supply": "2.5 V"}),
        ("active-rc", 8, {"opamp": "MCP6002", "reference": "mid", "input_buffer": THIRD_ORDER}),
        ("switched-capacitor", 2, {}),
        ("passive-rlc", 3, {"taps": [0.5], "opamp": "TL072"}),
    ],
)
def test_kicad_itself_finds_no_error_and_our_nets(family, order, given, tmp_path):
    folder = tmp_path / "board"
    folder.mkdir()
    row = BENCH.measure(Design(order=order, theta="1 ms", family=family, **given), folder, tmp_path)
    assert row["erc_errors"] == 0
    assert row["nets_differ"] == []
    assert row["values_differ"] == []
    assert row["nets"] > 3
