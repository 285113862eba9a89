"""Bills of materials, read back by the csv module: every part once, packages as few as can be, nothing invented."""

import csv
import io
import os
import shutil
import subprocess
from collections import Counter

import pytest

from lmu_analog.building import build
from lmu_analog.circuits.components import Capacitor, DifferentialOpAmp, OpAmp, Resistor
from lmu_analog.circuits.devices.parts import catalogue
from lmu_analog.circuits.devices.prices import Price, read_prices
from lmu_analog.circuits.ranges import warnings
from lmu_analog.cli import run_command
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.output.export.board import assembly
from lmu_analog.output.export.formats import BOMS, export
from lmu_analog.output.export.lists import COLUMNS, bom, bom_lines, estimate
from lmu_analog.units import parse

DESIGN = Design(
    order=6,
    theta="20 ms",
    capacitance="1 nF",
    bandwidth="200 Hz",
    opamp="OPA2192",
    supply="5 V",
    values="E96",
    mismatch={"resistor": "1 %", "capacitor": "5 %"},
)
DIFFERENTIAL = DESIGN.replace(family="active-rc-differential", opamp="OPA1637", supply="5 V")


def read(text):
    return list(csv.DictReader(io.StringIO(text)))


def lines(design, prices=None):
    return read(bom(design, build(design), prices))


@pytest.mark.parametrize("part", ["OPA192", "OPA2192", "OPA4192", "MCP6004"])
@pytest.mark.parametrize("order", [3, 6])
def test_amplifiers_are_ordered_in_whole_packages_and_each_is_in_one(part, order):
    design = DESIGN.replace(opamp=part, order=order, supply="2.5 V")
    circuit = build(design)
    size = catalogue()[part]["amplifiers"]
    count = sum(isinstance(c, OpAmp) for c in circuit.components)
    (line,) = [row for row in lines(design) if row["kind"] == "op-amp"]
    assert int(line["quantity"]) == -(-count // size) == len(line["references"].split())
    assert (int(line["amplifiers"]), int(line["spare"])) == (count, -count % size)
    assert sorted(line["deck_names"].split()) == sorted(c.name for c in circuit.amplifiers)
    assert (line["part_number"], line["maker"]) == (part, catalogue()[part]["maker"])
    assert line["package"] == catalogue()[part]["packages"][0]


def test_the_vibration_sensor_orders_thirteen_duals_not_twenty_six():
    design = DESIGN.replace(realization="legendre", order=16)
    circuit = build(design)
    count = len(circuit.amplifiers)
    (line,) = [row for row in lines(design) if row["kind"] == "op-amp"]
    assert int(line["quantity"]) == (count + 1) // 2 < count


def test_every_reference_is_listed_once_and_quantities_count_them():
    for design in (DESIGN, DIFFERENTIAL):
        found = assembly(design, build(design))
        listed = [name for row in lines(design) for name in row["references"].split()]
        assert max(Counter(listed).values()) == 1
        inverters = {
            p.reference for p in found.placed if p.kind == "ideal amplifier"
        }  # the source brings them
        soldered = {p.reference for p in (*found.placed, *found.extras)} - inverters
        assert set(listed) == soldered | {c.reference for c in found.connectors}
        for row in lines(design):
            assert int(row["quantity"]) == len(row["references"].split())


def test_passive_parts_say_what_to_order():
    rows = [row for row in lines(DESIGN) if row["kind"] in ("resistor", "capacitor")]
    circuit = build(DESIGN)
    own = [row for row in rows if row["tolerance_percent"]]
    assert sum(int(row["quantity"]) for row in own) == len(circuit.only(Resistor, Capacitor))
    for row in own:
        assert row["note"] == ""
        assert float(row["order_tolerance_percent"]) <= float(row["tolerance_percent"])
        assert float(row["voltage"]) >= 10.0  # both supplies
        assert row["footprint"]
        assert row["material"]
        assert (row["maker"], row["part_number"], row["price_each"]) == (
            "",
            "",
            "",
        )  # not known, not invented
    films = {row["material"] for row in own if row["kind"] == "capacitor"}
    assert films <= {"C0G", "polypropylene film", "polyester film"}
    decoupling = [row for row in rows if "decoupling" in row["roles"]]
    (packages,) = [int(row["quantity"]) for row in rows_of(DESIGN, "op-amp")]
    assert {row["value"]: int(row["quantity"]) for row in decoupling} == {"100 nF": 2 * packages, "4.7 uF": 2}
    assert {row["material"] for row in decoupling} == {"X7R"}


def rows_of(design, kind):
    return [row for row in lines(design) if row["kind"] == kind]


def test_what_nobody_sells_is_said():
    design = DESIGN.replace(capacitance="100 pF", theta="1 s", bandwidth="4 Hz")
    notes = [row["note"] for row in lines(design) if row["kind"] == "resistor" and row["note"]]
    assert notes
    assert notes[0].startswith("no series of the catalogue has a resistor of ")
    assert notes[0].endswith("Ohm, 1 % for 10 V")


def test_connectors_and_supply_are_listed():
    rows = rows_of(DESIGN, "connector")
    supply = next(row for row in rows if "supply" in row["roles"])
    packages = len(assembly(DESIGN, build(DESIGN)).packages)
    # catalogue: 1 mA an amplifier, spare units too.
    assert supply["note"] == f"supply +-5 V, {2 * packages} mA without load"
    assert {row["roles"] for row in rows} >= {"supply", "input", "states"}
    tapped = DESIGN.replace(taps=[0.5, 1.0])
    (taps,) = [c.nets for c in assembly(tapped, build(tapped)).connectors if c.role == "taps"]
    assert taps == (*(term.of for tap in build(tapped).taps for term in tap.terms), "0")
    many = DIFFERENTIAL.replace(order=24, realization="legendre", values="exact")
    sizes = [len(c.nets) for c in assembly(many, build(many)).connectors]
    assert max(sizes) <= 40  # KiCad's longest header
    assert sum(sizes) > 48


def test_the_differential_family_orders_amplifiers_with_two_outputs_and_no_others():
    circuit = build(DIFFERENTIAL)
    (line,) = rows_of(DIFFERENTIAL, "differential op-amp")
    assert int(line["quantity"]) == len(circuit.only(DifferentialOpAmp))
    assert line["part_number"] == "OPA1637"
    with pytest.raises(
        DesignError, match=r"^OPA2192 has one output, and U\w+ needs two: it cannot be ordered"
    ):
        lines(DIFFERENTIAL.replace(opamp="OPA2192"))
    with pytest.raises(DesignError, match=r"^OPA1637 has two outputs, and U\w+ needs one"):
        lines(DESIGN.replace(opamp="OPA1637"))
    # A table of figures may be anything.
    table = DIFFERENTIAL.replace(opamp={"gain": "100 dB", "gbw": "10 MHz", "name": "mine"})
    (line,) = rows_of(table, "differential op-amp")
    assert (line["part_number"], line["note"]) == ("", "no part of the catalogue")


def test_spare_differential_amplifiers_bring_their_resistors():
    for order in (3, 4):
        design = DIFFERENTIAL.replace(opamp="THS4522", supply="2.5 V", order=order)
        count = len(build(design).only(DifferentialOpAmp))
        (line,) = rows_of(design, "differential op-amp")
        ties = [row for row in rows_of(design, "resistor") if row["roles"] == "ties a spare unit off"]
        assert int(line["spare"]) == count % 2
        assert sum(int(row["quantity"]) for row in ties) == 4 * (count % 2)


PRICES = """part,price,quantity,maker,part number,lcsc,mouser
OPA2192,3.00,1,Texas Instruments,OPA2192IDR,C1,595-1
opa2192,2.00,5,,,,
resistor 1 %,0.01,,,,,
resistor,0.10,,,,,
capacitor 2.7nF 5%,0.05,,Somebody,XYZ27,C2,
connector,0.20,,,,,
"""


def test_a_price_list_by_part_number_class_and_tolerance_is_applied(tmp_path):
    path = tmp_path / "prices.csv"
    path.write_text(PRICES)
    rows = lines(DESIGN, read_prices(path))
    (amplifier,) = [row for row in rows if row["kind"] == "op-amp"]
    assert int(amplifier["quantity"]) >= 5
    assert amplifier["price_each"] == "2"  # from five on
    assert float(amplifier["price_total"]) == 2.0 * int(amplifier["quantity"])
    assert (amplifier["part_number"], amplifier["lcsc"], amplifier["mouser"]) == ("OPA2192IDR", "C1", "595-1")
    resistors = [row for row in rows if row["kind"] == "resistor"]
    assert {row["price_each"] for row in resistors if row["tolerance_percent"]} == {"0.01"}
    (priced,) = [row for row in rows if row["part_number"] == "XYZ27"]
    assert (priced["order_as"], priced["maker"], priced["price_each"]) == ("2.7 nF", "Somebody", "0.05")
    other = [row for row in rows if row["kind"] == "capacitor" and row["part_number"] == ""]
    assert other
    assert all(row["price_each"] == "" for row in other)
    few = lines(DESIGN.replace(order=2), read_prices(path))
    (amplifier,) = [row for row in few if row["kind"] == "op-amp"]
    assert int(amplifier["quantity"]) < 5
    assert amplifier["price_each"] == "3"


def test_a_package_of_another_size_is_not_counted():
    (line,) = [row for row in lines(DESIGN, {"OPA2192": Price(3.0, 4)}) if row["kind"] == "op-amp"]
    assert line["price_each"] == ""
    assert line["note"] == "the price list has a package of 4 amplifiers: not counted"


HEADS = {  # what the importers look for
    "bom-kicad": {
        "Refs",
        "Value",
        "Footprint",
        "Qty",
        "DNP",
    },  # kicad-cli sch export bom has these by default
    "bom-mouser": {"Mouser Part Number", "Manufacturer Part Number", "Quantity 1"},
    "bom-lcsc": {
        "Quantity",
        "Manufacturer Part Number",
        "LCSC Part Number",
        "Comment",
        "Designator",
        "Footprint",
    },
}


@pytest.mark.parametrize("to", HEADS)
def test_importers_get_their_columns_and_the_same_parts(to, tmp_path):
    path = tmp_path / "prices.csv"
    path.write_text(PRICES)
    found = read(export(DESIGN, to, tmp_path / "b.csv", prices=read_prices(path)).read_text())
    own = lines(DESIGN, read_prices(path))
    assert HEADS[to] <= set(found[0])
    count = next(head for head in ("Qty", "Quantity", "Quantity 1") if head in found[0])
    assert [int(row[count]) for row in found] == [int(row["quantity"]) for row in own]
    named = next(head for head in ("MPN", "Manufacturer Part Number") if head in found[0])
    assert [row[named] for row in found] == [row["part_number"] for row in own]
    references = next(head for head in ("Refs", "Designator", "Customer Part Number") if head in found[0])
    listed = [row[references].replace(",", " ") for row in found]
    assert listed == [row["references"] for row in own]


def test_the_classes_of_all_lines_bound_what_a_board_costs():
    found = bom_lines(DESIGN, build(DESIGN))
    cost = estimate(found)
    (amplifier,) = [line for line in found if line.kind == "op-amp"]
    # OPA2192 is of class D, 1 to 3 USD; resistors and capacitors of a few cents come on top.
    assert amplifier.price_class == "D"
    assert amplifier.quantity * 1.0 < cost.low < cost.high
    assert 3.0 * amplifier.quantity < cost.high < 3.0 * amplifier.quantity + 20.0
    assert cost.unknown == sum(line.quantity for line in found if line.kind == "connector")


@pytest.mark.skipif(shutil.which("kicad-cli") is None, reason="KiCad is not installed")
def test_kicads_own_list_has_the_same_first_columns(tmp_path):
    sheet = export(DESIGN, "kicad", tmp_path / "c.kicad_sch")
    command = ["kicad-cli", "sch", "export", "bom", "-o", str(tmp_path / "k.csv"), str(sheet)]
    environment = {**os.environ, "HOME": str(tmp_path)}
    subprocess.run(command, env=environment, capture_output=True, check=True)
    own = next(csv.reader((tmp_path / "k.csv").read_text("utf-8").splitlines()))
    ours = next(csv.reader(BOMS["bom-kicad"](DESIGN, build(DESIGN), None).splitlines()))
    assert ours[: len(own)] == own


def test_descriptions_say_what_a_search_needs():
    found = {row["Designator"]: row for row in read(BOMS["bom-lcsc"](DESIGN, build(DESIGN), None))}
    row = next(row for refs, row in found.items() if "C1" in refs.split(","))
    assert row["Description"] == f"capacitor {row['Comment']} 5 % C0G {row['Package']} 50 V"
    assert parse(row["Comment"], "F") == build(DESIGN).only(Capacitor)[0].value


def test_the_command_takes_a_price_list_and_refuses_it_elsewhere(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.csv").write_text("resistor 0.1 %,0.2\nOPA2192,3\n")
    (tmp_path / "d.toml").write_text('[memory]\norder = 2\n[circuit]\nopamp = "OPA2192"\n')
    command = ["export", "d.toml", "-o", "b.csv", "--prices", "p.csv", "--to"]
    assert run_command([*command, "bom"]) == 0
    rows = read((tmp_path / "b.csv").read_text())
    assert tuple(rows[0]) == COLUMNS
    assert [row["price_each"] for row in rows if row["kind"] == "op-amp"] == ["3"]
    capsys.readouterr()
    assert run_command([*command, "json"]) == 2
    assert "only bom, bom-kicad, bom-mouser, bom-lcsc, board take them" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "resistor ten,1\n",
            r"line 1: 'resistor ten'; write resistor, resistor 1 %, or a value with its unit: ",
        ),
        (
            "resistor 10 nF,1\n",
            r"line 1: 'resistor 10 nF'; write resistor, .* is in F; write a number in Ohm",
        ),
        ("resistor 0 %,1\n", r"line 1: 'resistor 0 %'; write .*: a tolerance is between 0 and 100 %"),
        ("connector 10 kOhm,1\n", r"line 1: 'connector 10 kOhm'; write .*: none is known of connector"),
        ("resistor 1%,1\nresistor 1.0 %,2\n", r"line 2: 'resistor 1 %' has a price already; give it once"),
        ("part,price,lcsc\nresistor,1,C1,7\n", r"line 2: 4 cells, and the header names 3"),
        ("part,price,quantity\nresistor,1,0\n", r"line 2: 'resistor,1,0' may have a decimal comma"),
        ("part,price,quantity\nresistor,1.5,x\n", r"line 2: quantity 'x'; a whole number from 1"),
        ("part,price,maker\nresistor,0,02\n", r"line 2: 'resistor,0,02' may have a decimal comma"),
        (
            "part,price,quantity\nresistor,1.5,10\nresistor,1.4,10\n",
            r"line 3: 'resistor' has a price already",
        ),
        ("part,price,maker\nresistor,cheap,X\n", r"line 2: 'resistor,cheap,X'; give a part and a price"),
    ],
)
def test_a_wrong_row_is_refused_with_its_line(tmp_path, content, message):
    path = tmp_path / "p.csv"
    path.write_text(content)
    with pytest.raises(DesignError, match=message):
        read_prices(path)


@pytest.mark.parametrize("design", [DESIGN, DESIGN.replace(family="gm-c", values="exact")])
def test_what_leaks_is_simulated_and_nothing_that_one_buys(design):
    leaking = design.replace(leakage=1e4)
    assert len(build(leaking).components) > len(build(design).components)
    assert bom(leaking, build(leaking)) == bom(design, build(design))
    assert warnings(build(leaking)) == warnings(build(design))
