"""Amplifiers in packages: each in exactly one unit, and what is left over tied off."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_analog.building import build
from lmu_analog.circuits.components import Capacitor, DifferentialOpAmp, OpAmp, Resistor, terminals
from lmu_analog.circuits.devices.models import OpAmpModel
from lmu_analog.circuits.devices.packages import SPARE_RESISTANCE, Form, form_of, grouped
from lmu_analog.circuits.devices.parts import read_parts
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.output.export.board import RAILS, assembly, board

DESIGN = Design(order=3, theta="1 ms", opamp="OPA2192")
SOLD = {"one": 1, "two": 2, "four": 4}
OWN = {name: {"amplifiers": count, "packages": []} for name, count in SOLD.items()}


def amplifier(k, part):
    return OpAmp(f"U{k}", "p", "m", f"o{k}", OpAmpModel(part), "test")


@given(st.lists(st.sampled_from([*SOLD, "unknown"]), max_size=40))
def test_every_amplifier_is_in_exactly_one_unit_of_as_few_packages_as_can_be(parts):
    packages = grouped([amplifier(k, part) for k, part in enumerate(parts)], OWN)
    inside = [unit.name for package in packages for unit in package.units if unit is not None]
    assert sorted(inside) == sorted(f"U{k}" for k in range(len(parts)))
    counted = Counter(parts)
    for part, count in counted.items():
        of = [package for package in packages if package.form.part == part]
        size = SOLD.get(part, 1)
        assert len(of) == -(-count // size)  # rounded up
        assert all(len(package.units) == size for package in of)
        assert all(not package.spare for package in of[:-1])
        assert len(of[-1].spare) == -count % size
        # Units are filled in the order of the circuit.
        order = [int(unit.name[1:]) for package in of for unit in package.units if unit is not None]
        assert order == sorted(order)


def test_the_catalogue_says_how_a_part_is_sold_and_one_s_own_comes_first(tmp_path):
    assert form_of("OPA2192") == Form("OPA2192", 2, False, ("SOIC-8", "VSSOP-8"))
    assert form_of("MCP6004").amplifiers == 4
    assert form_of("nobody sells this") == Form("nobody sells this", 1, None, ())
    path = tmp_path / "parts.toml"
    figures = "gain = 100\ngbw = 1e6\nsupply = [5, 36]\n"
    path.write_text(f'[OPA2192]\n{figures}amplifiers = 4\npackages = ["SOIC-14"]\n[PLAIN]\n{figures}')
    own = read_parts(path)
    assert form_of("OPA2192", own) == Form("OPA2192", 4, False, ("SOIC-14",))
    assert form_of("PLAIN", own) == Form("PLAIN", 1, False, ())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("amplifiers = 0", r"amplifiers = 0; a whole number from 1 to 8 is wanted$"),
        ("amplifiers = 2.0", r"amplifiers = 2\.0; a whole number"),
        ("amplifiers = true", r"amplifiers = True; a whole number"),
        ('differential = "yes"', r"differential = 'yes'; give true or false$"),
        ('packages = "SOIC-8"', r"packages = 'SOIC-8'; a list of names is wanted"),
        ('packages = ["a b"]', r"packages = .*; a list of names is wanted"),
    ],
)
def test_a_wrong_form_is_refused(line, message, tmp_path):
    path = tmp_path / "parts.toml"
    path.write_text(f"[P]\ngain = 100\ngbw = 1e6\nsupply = [5, 36]\n{line}\n")
    with pytest.raises(DesignError, match=rf"^parts\.toml, \[P\]: {message}"):
        read_parts(path)


@pytest.mark.parametrize("order", [2, 3, 6])
def test_a_board_has_every_component_once_and_its_amplifiers_in_duals(order):
    design = DESIGN.replace(order=order)
    circuit = build(design)
    found = assembly(design, circuit)
    assert [p.component for p in found.placed] == list(circuit.components)
    designators = [p.designator for p in (*found.placed, *found.extras)]
    assert len(set(designators)) == len(designators)
    count = sum(isinstance(c, OpAmp) for c in circuit.components)
    assert len(found.packages) == -(-count // 2)
    assert [p.reference for p in found.packages] == [f"U{k + 1}" for k in range(len(found.packages))]
    units = Counter(p.designator for p in found.placed if isinstance(p.component, OpAmp))
    spare = [f"{p.reference}{letter}" for p in found.packages for letter, _ in p.spare]
    assert set(units.values()) == {1}
    assert sorted([*units, *spare]) == sorted(f"{p.reference}{x}" for p in found.packages for x in "AB")
    for packaged in found.packages:
        for place in found.placed:
            if place.reference == packaged.reference:
                at = "AB".index(place.letter)
                assert packaged.package.units[at] is place.component


def test_a_spare_op_amp_follows_ground_on_a_net_of_its_own():
    design = DESIGN.replace(opamp="MCP6004", supply="2.5 V")
    circuit = build(design)
    last = assembly(design, circuit).packages[-1]
    count = sum(isinstance(c, OpAmp) for c in circuit.components)
    assert len(last.spare) == -count % 4 > 0
    for letter, pins in last.spare:
        nets = dict(pins)
        assert nets["plus"] == "0"
        assert nets["minus"] == nets["out"] == f"spare_{last.reference}{letter}"
        assert nets["out"] not in circuit.nets


def test_a_spare_differential_amplifier_inverts_ground():
    own = {"FDA": {"amplifiers": 2, "differential": True}}
    fda = DifferentialOpAmp("U1", "p", "m", "op", "om", OpAmpModel("FDA"), "test")
    (package,) = grouped([fda], own)
    from lmu_analog.circuits.devices.packages import tied_off, tying_resistors

    nets = dict(tied_off(package, 1, reference="U7"))
    assert len(set(nets.values())) == 4
    joined = {frozenset(pair) for pair in tying_resistors(package, 1, reference="U7")}
    # Each output feeds the input of the other sign; both inputs see ground through as much.
    assert joined == {
        frozenset(pair)
        for pair in (
            ("0", nets["minus"]), ("0", nets["plus"]),
            (nets["out_plus"], nets["minus"]), (nets["out_minus"], nets["plus"]),
        )
    }  # fmt: skip
    assert SPARE_RESISTANCE > 0.0


def test_an_amplifier_with_the_wrong_number_of_outputs_is_refused():
    own = {"FDA": {"amplifiers": 1, "differential": True}}
    with pytest.raises(DesignError, match=r"^FDA has two outputs, and U0 needs one: it cannot be ordered"):
        grouped([amplifier(0, "FDA")], own)
    pair = DifferentialOpAmp("U1", "p", "m", "op", "om", OpAmpModel("TL072"), "test")
    with pytest.raises(DesignError, match=r"^TL072 has one output, and U1 needs two"):
        grouped([pair])


def test_every_rail_of_every_package_is_decoupled_and_connectors_lead_outside():
    circuit = build(DESIGN)
    found = assembly(DESIGN, circuit)
    capacitors = [p.component for p in found.extras if isinstance(p.component, Capacitor)]
    assert Counter(terminals(c) for c in capacitors) == {
        (rail, "0"): len(found.packages) + 1 for rail in RAILS
    }
    assert not [p for p in found.extras if isinstance(p.component, Resistor)]
    assert not any(p.component.classes for p in found.extras)  # no mismatch acts on them
    assert not {net for p in found.extras for _, net in p.pins} & set(circuit.nets)
    roles = {c.role: c.nets for c in found.connectors}
    assert roles["supply"] == (RAILS[0], "0", RAILS[1])
    assert roles["input"] == ("u", "0")
    assert roles["states"] == ("x0", "x1", "x2", "0")


def test_a_chip_has_no_packages_and_a_ladder_no_supply():
    chip = DESIGN.replace(family="switched-capacitor")
    circuit = build(chip)
    found = assembly(chip, circuit)
    assert (found.placed, found.packages, found.extras, found.connectors) == (board(circuit), (), (), ())
    ladder = DESIGN.replace(family="passive-rlc", realization="rlc-ladder")
    found = assembly(ladder, build(ladder))
    assert (found.packages, found.extras) == ((), ())
    assert "supply" not in {c.role for c in found.connectors}
