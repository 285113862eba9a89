"""LTspice's drawing is the deck: spicelib reads it, and its wires join what the circuit joins."""

import re
from collections import defaultdict

import pytest

from lmu_analog.building import build
from lmu_analog.circuits.components import Capacitor, Inductor, OpAmp, Resistor
from lmu_analog.cli import run_command
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.output.decks import deck_text, write_deck

DESIGN = Design(order=3, theta="1 ms", opamp="OPA2192", mismatch={"resistor": "1 %"})
# Pins of LTspice's own symbols, in the order of the netlist.
PINS = {
    "res": ((16, 16), (16, 96)),
    "cap": ((16, 0), (16, 64)),
    "ind": ((16, 16), (16, 96)),
    r"Opamps\\opamp": ((-32, 48), (-32, 80), (32, 64)),
}
TURNS = {
    "R0": lambda x, y: (x, y),
    "R90": lambda x, y: (-y, x),
    "R180": lambda x, y: (-x, -y),
    "R270": lambda x, y: (y, -x),
}


@pytest.fixture
def library(tmp_path):
    """The symbols that spicelib wants to find, as LTspice has them."""
    folder = tmp_path / "sym"
    (folder / "Opamps").mkdir(parents=True)
    for name, pins in PINS.items():
        file = folder / f"{name.replace(chr(92) * 2, '/')}.asy"
        prefix = "X" if "opamp" in name else name[0].upper()
        lines = ["Version 4", "SymbolType CELL", f"SYMATTR Prefix {prefix}"]
        for k, (x, y) in enumerate(pins, 1):
            lines += [f"PIN {x} {y} NONE 0", f"PINATTR PinName p{k}", f"PINATTR SpiceOrder {k}"]
        file.write_text("\n".join(lines) + "\n")
    return folder


def read(path, library):
    """What spicelib reads of a drawing."""
    editor = pytest.importorskip("spicelib.editor.asc_editor")
    editor.AscEditor.set_custom_library_paths(str(library))
    return editor.AscEditor(path)


def netlisted(drawing):
    """Nets of every symbol, as LTspice would netlist it: points joined by wires, named by flags."""
    parent = {}

    def root(key):
        parent.setdefault(key, key)
        while parent[key] != key:
            key = parent[key]
        return key

    for wire in drawing.wires:
        parent[root((wire.V1.X, wire.V1.Y))] = root((wire.V2.X, wire.V2.Y))
    names = defaultdict(set)
    for flag in drawing.labels:
        names[root((flag.coord.X, flag.coord.Y))].add(flag.text.strip())
    assert all(len(found) == 1 for found in names.values())  # no net has two names
    found = {}
    for name, part in drawing.components.items():
        nets = []
        for pin in PINS[part.symbol]:
            x, y = TURNS[part.rotation.name](*pin)
            (net,) = names[root((part.position.X + x, part.position.Y + y))]
            nets.append(net)
        found[name] = nets
    return found


@pytest.mark.parametrize("opamp", ["OPA2192", "ideal"])
@pytest.mark.parametrize("family", ["active-rc", "active-rc-differential", "passive-rlc", "gm-c"])
def test_the_drawing_joins_what_the_circuit_joins(family, opamp, tmp_path, library):
    design = DESIGN.replace(family=family, opamp="ideal" if family == "active-rc-differential" else opamp)
    if family == "passive-rlc":
        design = design.replace(taps=[0.5])  # for a follower, whose feedback is a wire
    circuit = build(design)
    path, beside = write_deck(design, tmp_path / "d.asc", dialect="ltspice")
    assert (path.name, beside.name) == ("d.asc", "d.cir")
    assert beside.read_text() == deck_text(design, dialect="ltspice")
    drawing = read(path, library)
    found = netlisted(drawing)
    wanted = {c.name: [c.a, c.b] for c in circuit.only(Resistor, Capacitor, Inductor)}
    wanted |= {c.name: [c.minus, c.plus, c.out] for c in circuit.only(OpAmp)}
    assert found == wanted
    for c in circuit.only(Resistor, Capacitor, Inductor):
        # Decks have twelve digits.
        assert float(drawing.components[c.name].attributes["Value"]) == pytest.approx(c.value, rel=1e-11)
    for c in circuit.only(Inductor):  # LTspice gives an inductor 1 mOhm otherwise
        assert drawing.components[c.name].attributes["SpiceLine"] == "Rser=0"


@pytest.mark.parametrize("family", ["active-rc", "gm-c", "switched-capacitor"])
def test_what_is_not_drawn_stands_there_as_text(family, tmp_path, library):
    design = DESIGN.replace(family=family, opamp="ideal" if family == "switched-capacitor" else "OPA2192")
    circuit = build(design)
    path, _ = write_deck(design, tmp_path / "d.asc", dialect="ltspice")
    text, comment = re.findall(r"^TEXT .* [!;](.*)$", path.read_text(), re.MULTILINE)
    told = text.split("\\n")
    deck = [line for line in deck_text(design, dialect="ltspice").splitlines() if line[0] != "*"]
    drawn = {c.name for c in circuit.only(Resistor, Capacitor, Inductor)}
    drawn |= {f"X{c.name[1:]}" for c in circuit.only(OpAmp)}
    cards = [line for line in deck if line.split()[0] not in drawn and line != ".end"]
    extra = ["X1 p n out op_OPA2192"] if family == "active-rc" else []
    assert [line for line in told if line in cards] == cards
    assert [line for line in told if line not in cards and " drawn_" not in line] == extra
    assert "probe m0 = " in comment


def test_an_op_amp_is_wrapped_so_that_its_pins_are_those_of_the_symbol(tmp_path):
    path, _ = write_deck(DESIGN, tmp_path / "d.asc", dialect="ltspice")
    text = path.read_text()
    assert r"!.subckt drawn_op_OPA2192 n p out\nX1 p n out op_OPA2192\n.ends drawn_op_OPA2192\n" in text
    assert text.count("SYMATTR Value drawn_op_OPA2192") == len(build(DESIGN).only(OpAmp))
    ideal = DESIGN.replace(opamp="ideal")
    path, _ = write_deck(ideal, tmp_path / "i.asc", dialect="ltspice")
    assert r"!.subckt drawn_ideal n p out\nE1 out 0 p n 100000000.0\n.ends drawn_ideal\n" in path.read_text()


def test_the_command_writes_drawing_and_deck(tmp_path):
    (tmp_path / "d.toml").write_text('[memory]\norder = 2\ntheta = "1 ms"\n')
    command = ["netlist", str(tmp_path / "d.toml"), "--dialect", "ltspice", "-o", str(tmp_path / "d.asc")]
    assert run_command(command) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"d.toml", "d.asc", "d.cir"}


def test_a_drawing_for_another_simulator_is_refused(tmp_path):
    with pytest.raises(DesignError, match=r"d\.asc: \.asc is a drawing for LTspice; give --dialect ltspice"):
        write_deck(DESIGN, tmp_path / "d.asc")
    assert not any(tmp_path.iterdir())
