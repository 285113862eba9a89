"""Decks for other simulators say what ours say: read back by other people's parsers, or run in ngspice."""

import re
from itertools import pairwise

import numpy as np
import pytest

from lmu_analog.building import build
from lmu_analog.circuits.components import (
    Capacitor,
    Inductor,
    OpAmp,
    Resistor,
    Transconductor,
    terminals,
)
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.cli import run_command
from lmu_analog.design import Design
from lmu_analog.output.decks import deck_text, write_deck, write_decks
from lmu_analog.spice import ngspice
from lmu_analog.spice.cards import Source, read_deck
from lmu_analog.spice.deck import Transient, described, written

LETTERS = {Resistor: "R", Capacitor: "C", Inductor: "L"}
DESIGN = Design(order=3, theta="1 ms", opamp="OPA2192")
ROUNDING = 1e-12  # parsers turn text into floats of their own; all digits are in the decks


def passives(circuit):
    return [c for c in circuit.components if isinstance(c, Resistor | Capacitor | Inductor)]


@pytest.mark.parametrize("dialect", ["ltspice", "xyce", "spectre"])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_written_and_says_that_it_was_not_run(family, dialect):
    text = deck_text(DESIGN.replace(family=family), dialect=dialect)
    head = text.splitlines()[:3]
    assert f"dialect = {dialect}" in head[1]
    assert "syntax not run" in head[2]
    assert len(re.findall(r"^(?:\*|//) probe m\d", text, re.MULTILINE)) == 3


@pytest.mark.parametrize("opamp", ["ideal", "OPA2192"])
@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_read_from_a_deck_is_what_it_was_written_from(family, opamp):
    design = DESIGN.replace(family=family, opamp=opamp)
    given = described(build(design), Transient(1e-3, 1e-6), design.stimulus, notes=("seed = 0",))
    assert read_deck(written(given)) == given


@pytest.mark.parametrize(("points", "wave"), [(100, "PWL"), (3000, "FILE")])
def test_a_recording_and_a_users_model_are_read_as_they_were_written(points, wave, tmp_path):
    (tmp_path / "u.csv").write_text("\n".join(f"{1e-5 * k},{np.cos(0.01 * k)}" for k in range(points)))
    cards = ".subckt MYAMP inp inn vcc vee out\nE1 out 0 inp inn 1e5\nR1 vcc vee 1e9\n.ends\n"
    (tmp_path / "amp.lib").write_text(cards)
    opamp = {"gain": 1e5, "gbw": "1 MHz", "model": str(tmp_path / "amp.lib"), "subcircuit": "MYAMP"}
    design = Design(order=2, theta="1 ms", file=tmp_path / "u.csv", opamp=opamp)
    given = described(build(design), Transient(1e-3, 1e-6), design.stimulus)
    assert given.cards[0].wave == wave
    assert ("vcc", "0") in [card.nodes for card in given.cards if isinstance(card, Source)]
    assert given.library.startswith(".subckt MYAMP")
    assert read_deck(written(given), given.library) == given


@pytest.mark.parametrize("family", ["active-rc", "passive-rlc", "gm-c", "rc-synapse"])
def test_spicelib_reads_the_values_and_nets_of_the_circuit_from_an_ltspice_deck(family, tmp_path):
    spicelib = pytest.importorskip("spicelib")
    design = DESIGN.replace(family=family)
    circuit = build(design)
    (path,) = write_deck(design, tmp_path / "d.net", dialect="ltspice")
    read = spicelib.SpiceEditor(path)
    for c in passives(circuit):
        assert read.get_component_nodes(c.name) == [c.a, c.b]
        assert read.get_component_floatvalue(c.name) == pytest.approx(c.value, rel=ROUNDING)
    for c in circuit.components:
        if isinstance(c, OpAmp):
            assert read.get_component_nodes(f"X{c.name[1:]}") == [c.plus, c.minus, c.out]
            assert read.get_component_value(f"X{c.name[1:]}") == "op_OPA2192"
        if isinstance(c, Transconductor):
            # spicelib takes every element to have two nets, and the rest for its value.
            assert read.get_component_nodes(c.name) == ["0", c.out]
            *inputs, value = read.get_component_value(c.name).split()
            assert (inputs, float(value)) == ([c.plus, c.minus], c.value)
    written = {name for name in read.get_components() if name[0] in "RCL"}
    assert written == {c.name.upper() for c in passives(circuit)}


@pytest.mark.parametrize("family", ["active-rc", "passive-rlc", "gm-c", "crossbar"])
def test_a_spectre_parser_reads_the_values_and_nets_of_the_circuit(family, tmp_path):
    parser = pytest.importorskip("evas.netlist.spectre_parser")
    design = DESIGN.replace(family=family)
    circuit = build(design)
    (path,) = write_deck(design, tmp_path / "d.scs", dialect="spectre")
    read = parser.parse_spectre(str(path))
    found = {i.name: i for i in read.instances}
    words = {Resistor: ("resistor", "r"), Capacitor: ("capacitor", "c"), Inductor: ("inductor", "l")}
    for c in passives(circuit):
        master, figure = words[type(c)]
        assert found[c.name].model_name == master
        assert found[c.name].nodes == [c.a, c.b]
        assert found[c.name].params[figure] == pytest.approx(c.value, rel=ROUNDING)
    for c in circuit.components:
        if isinstance(c, OpAmp):
            assert found[f"X{c.name[1:]}"].nodes == [c.plus, c.minus, c.out]
        if isinstance(c, Transconductor):
            assert found[c.name].nodes == ["0", *terminals(c)]
            assert found[c.name].params["gm"] == pytest.approx(c.value, rel=ROUNDING)
    amplitudes = [s.params["ampl"] for s in read.sources if s.source_type == "sine"]
    np.testing.assert_allclose(amplitudes, np.abs(design.stimulus.phasor), rtol=ROUNDING)
    chain = [(s.node_pos, s.node_neg) for s in read.sources if s.source_type == "sine"]
    assert chain[0][0] == circuit.source
    assert all(below == above for (_, below), (above, _) in pairwise(chain))
    assert read.tran.stop == pytest.approx(float(tran(deck_text(design))[1]))


def tran(text):
    return re.search(r"^\.tran (.*)$", text, re.MULTILINE)[1].split()


def for_ngspice(text, dialect, ours):
    """Put ngspice's words in the place of a dialect's; elements, nets and numbers stay."""
    if dialect == "ltspice":
        text = re.sub(r"^\.options plotwinsize.*\n", "", text, flags=re.MULTILINE)
        text = text.replace(" Rser=0", "").replace("SINE(", "SIN(")
        return text.replace("\n.tran 0 ", f"\n.tran {tran(ours)[0]} ")
    text = re.sub(r"^\.options (timeint|device).*\n", "", text, flags=re.MULTILINE)
    options = re.search(r"^\.options .*$", ours, re.MULTILINE)[0]
    text = re.sub(r"[{}]", "", text).replace(".print tran format=csv", f"{options}\n.save")
    return re.sub(
        r"VSWITCH \(RON=(\S+) ROFF=(\S+) VON=\S+ VOFF=\S+\)", r"SW(ron=\1 roff=\2 vt=0.5 vh=0)", text
    )


@pytest.mark.ngspice
@pytest.mark.parametrize(
    ("family", "opamp", "dialect"),
    [
        ("active-rc", "OPA2192", "ltspice"),
        ("active-rc", "OPA2192", "xyce"),
        ("passive-rlc", "ideal", "ltspice"),
        ("switched-capacitor", "ideal", "xyce"),
    ],
)
def test_in_ngspices_words_a_dialects_deck_gives_what_ours_gives(family, opamp, dialect):
    design = DESIGN.replace(family=family, opamp=opamp, order=2)
    ours = deck_text(design)
    step, stop, *_ = tran(ours)
    stop = f"{float(stop) / 20.0!r}"  # a short stretch shows every element
    shorter = (re.sub(r"(\.tran \S+) \S+", rf"\1 {stop}", t) for t in (
        ours, for_ngspice(deck_text(design, dialect=dialect), dialect, ours)
    ))  # fmt: skip
    analysis = Transient(float(stop), float(step))
    first, second = (ngspice.run(text, analysis) for text in shorter)
    assert first.keys() == second.keys()
    for name, values in first.items():
        # The same elements in the same order: the same floating-point operations.
        np.testing.assert_allclose(second[name], values, rtol=0.0, atol=1e-12 * np.abs(values).max())


def test_transistors_currents_and_operating_points_reach_spectre():
    text = deck_text(DESIGN.replace(family="dpi"), dialect="spectre")
    assert re.search(r"^    Bd \(d s\) bsource i=\S+$", text, re.MULTILINE)
    assert re.search(r"^save u Vout_0:p Vout_1:p Vout_2:p$", text, re.MULTILINE)
    assert re.search(r"^nodeset in_0=0\.4\d+$", text, re.MULTILINE)
    assert text.count("\nsubckt ") == text.count("\nends ") == 2  # one of each kind: they share a size


def test_a_long_recording_is_read_from_its_file_in_every_dialect(tmp_path):
    rows = "\n".join(f"{1e-5 * k},{np.sin(0.01 * k)}" for k in range(3000))
    (tmp_path / "u.csv").write_text(rows)
    design = Design(order=2, theta="1 ms", file=tmp_path / "u.csv")
    wanted = {
        "ltspice": "Vin u 0 PWL file=input.txt AC 1",
        "xyce": 'Vin u 0 DC 0 AC 1 PWL FILE "input.txt"',
        "spectre": 'Vin (u 0) vsource type=pwl dc=0 mag=1 file="input.txt"',
    }
    for dialect, line in wanted.items():
        assert line in deck_text(design, dialect=dialect).splitlines()


def test_a_users_model_stays_as_it_stands(tmp_path):
    cards = ".subckt MYAMP inp inn vcc vee out\nE1 out 0 inp inn 1e5\nR1 vcc vee 1e9\n.ends\n"
    (tmp_path / "amp.lib").write_text(cards)
    (tmp_path / "d.toml").write_text(
        '[memory]\norder = 2\ntheta = "1 ms"\n[circuit]\nopamp = { gain = 1e5, gbw = "1 MHz", model = "amp.lib", '
        'subcircuit = "MYAMP", pins = ["plus", "minus", "vcc", "vee", "out"] }\n'
    )
    design = Design.load(tmp_path / "d.toml")
    body = "\n".join(cards.splitlines()[:3])
    for dialect in ("ltspice", "xyce"):
        assert f"\n{body}\n.ends" in deck_text(design, dialect=dialect)
    text = deck_text(design, dialect="spectre")
    assert f"\nsimulator lang=spice\n{body}\n.ends" in text
    assert text.count("simulator lang=spectre") == 2


def test_a_users_model_keeps_the_functions_that_ngspice_lacks_in_the_dialects_that_have_them(tmp_path):
    cards = ".subckt MYAMP inp inn vcc vee out\nE1 out 0 VALUE={IF(V(inp)>V(inn),LIMIT(V(inp),0,1),STP(1))}\n.ends\n"
    (tmp_path / "amp.lib").write_text(cards)
    opamp = {"gain": 1e5, "gbw": "1 MHz", "model": str(tmp_path / "amp.lib"), "subcircuit": "MYAMP"}
    design = Design(order=2, theta="1 ms", opamp=opamp)
    assert ".func if(c,p,q) {ternary_fcn(c,p,q)}\n.func limit(" in deck_text(design)
    for dialect in ("ltspice", "xyce"):
        library = deck_text(design, dialect=dialect).partition(".subckt")[2].partition(".ends")[0]
        assert library.splitlines()[1:] == [
            ".func stp(x) {if(x>0,1,0)}",
            "E1 out 0 VALUE={if(V(inp)>V(inn),limit(V(inp),0,1),stp(1))}",
        ]


def test_the_command_writes_samples_in_a_dialect(tmp_path):
    (tmp_path / "d.toml").write_text('[memory]\norder = 2\ntheta = "1 ms"\n[mismatch]\nresistor = "1 %"\n')
    out = tmp_path / "decks"
    command = [
        "netlist",
        str(tmp_path / "d.toml"),
        "--dialect",
        "spectre",
        "--samples",
        "0:2",
        "-o",
        str(out),
    ]
    assert run_command(command) == 0
    assert sorted(p.name for p in out.iterdir()) == ["sample-0000.scs", "sample-0001.scs"]
    design = Design.load(tmp_path / "d.toml")
    (first, _) = write_decks(design, tmp_path / "again", samples=range(2), dialect="spectre")
    assert first.read_text() == (out / "sample-0000.scs").read_text()
