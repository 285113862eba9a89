"""Op-amps: a catalogue that makes sense, tables of figures, and what is refused."""

import math
import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from lmu_analog.building import build
from lmu_analog.circuits.devices import parts as parts_module
from lmu_analog.circuits.devices.models import IDEAL
from lmu_analog.circuits.devices.packages import FOOTPRINTS, form_of
from lmu_analog.circuits.devices.parts import (
    KINDS_OF_INPUT,
    PRICE_CLASSES,
    catalogue,
    confidence_of,
    opamp,
    read_parts,
)
from lmu_analog.design import Design
from lmu_analog.errors import DesignError

# Orders of magnitude between which parts of their kind lie; a slip of units falls outside.
SANE = {
    "swing_load": (500, 1e5), "gain": (75, 160), "gbw": (1e5, 1e8), "slew": (1e5, 1e8), "offset_max": (1e-6, 2e-2),
    "noise": (5e-10, 1e-7), "bias": (1e-14, 1e-6), "current": (1e-5, 1e-2),
}  # fmt: skip
# Fully differential amplifiers drive converters: they are faster, and take more.
FASTER = {"gbw": (5e6, 5e8), "slew": (1e7, 1e9), "bias": (1e-9, 1e-5), "current": (5e-4, 3e-2)}
OPTIONAL = {  # figures that are not known of every part
    "output_current": (1e-3, 0.2), "noise_corner": (0.0, 3e3), "current_noise": (1e-17, 1e-11), "psrr": (60, 160),
    "offset_typical": (1e-7, 1e-2),
}  # fmt: skip
PAGE = Path(__file__).resolve().parents[1] / "docs" / "adding-a-part.md"


def example():
    """Give the part that docs/adding-a-part.md adds."""
    return PAGE.read_text("utf-8").split("```toml fragment\n")[1].split("```")[0]


def added():
    return {name: {**figures} for name, figures in tomllib.loads(example()).items()}


@pytest.mark.parametrize("part", [*catalogue(), *added()])
def test_the_figures_of_a_part_are_complete_and_of_the_right_size(part):
    figures = dict({**catalogue(), **added()}[part])
    wanted = {**SANE, **(FASTER if figures.get("differential") else {})}
    assert set(wanted) <= set(figures)
    for name, (low, high) in {**wanted, **OPTIONAL}.items():
        if name in figures:
            assert low <= figures[name] <= high, name
    low, high = figures["supply"]
    assert 1.0 < low < high < 60.0
    assert figures.get("offset_typical", 0.0) < figures["offset_max"]
    # Old bipolar outputs and inputs stay up to some volts from a rail, no input goes a volt beyond one.
    assert all(0.0 < volts <= 5.0 for volts in figures["swing"])
    assert all(-1.0 < volts <= 5.0 for volts in figures["common_mode"])


@pytest.mark.parametrize("part", [*catalogue(), *added()])
def test_a_part_says_where_its_figures_are_from_and_how_it_is_sold(part):
    figures = {**catalogue(), **added()}[part]
    assert figures["maker"]
    assert figures["sheet"]
    assert figures["confidence"] == "memory"
    # A figure counts as read only where the sheet was found, with its address.
    read = {name for name in figures if confidence_of(figures, name) == "read"}
    assert read == set(figures.get("read", ()))
    assert not read or figures["address"].startswith("http")
    assert figures["amplifiers"] in (1, 2, 4)
    assert figures["packages"]
    pins = [int(name.rpartition("-")[2].rstrip("W")) for name in figures["packages"]]
    assert all(
        count >= (3 if "differential" not in figures else 4) * figures["amplifiers"] + 2 for count in pins
    )
    assert figures["price_class"] in PRICE_CLASSES
    assert figures["kind"] in KINDS_OF_INPUT


def test_the_catalogue_is_what_a_board_needs():
    families = {name: part for name, part in catalogue().items() if "like" not in part}
    single = [name for name, part in families.items() if not part.get("differential")]
    assert len(single) >= 30
    assert len(families) - len(single) >= 5  # fully differential
    assert {part["kind"] for part in catalogue().values()} == set(KINDS_OF_INPUT)
    for kind in KINDS_OF_INPUT:
        for supply in (5.0, 10.0, 30.0):
            fits = [
                n
                for n, p in catalogue().items()
                if p["kind"] == kind and p["supply"][0] <= supply <= p["supply"][1]
            ]
            assert fits, (kind, supply)
    assert min(part["current"] for part in catalogue().values()) < 50e-6  # low power
    counts = {form_of(name).amplifiers for name in catalogue() if not form_of(name).differential}
    assert counts == {1, 2, 4}


def test_a_part_like_another_has_its_figures_and_read_is_only_what_it_took_over(tmp_path):
    quad, dual = catalogue()["TL074"], catalogue()["TL072"]
    own = {"like", "amplifiers", "packages", "price_class", "read"}
    assert {k: v for k, v in quad.items() if k not in own} == {k: v for k, v in dual.items() if k not in own}
    path = tmp_path / "mine.toml"
    path.write_text('[A]\nlike = "B"\nnoise = "20 nV/rtHz"\n[B]\nlike = "TL072"\namplifiers = 1\n')
    found = read_parts(path)
    assert (found["A"]["noise"], found["A"]["gbw"], found["A"]["amplifiers"]) == (20e-9, 4e6, 1)
    assert confidence_of(found["B"], "noise") == "read"
    assert confidence_of(found["A"], "noise") == "memory"


def test_the_part_of_the_page_can_be_added(tmp_path):
    (name,) = added()
    assert name not in catalogue()
    path = tmp_path / "mine.toml"
    path.write_text(example(), "utf-8")
    design = Design(order=3, theta="1 ms", opamp=name, parts=path, supply="2.5 V")
    circuit = build(design)
    assert {u.model.name for u in circuit.amplifiers} == {name}
    figures = added()[name]
    assert circuit.amplifiers[0].model.gbw == figures["gbw"]
    # Added to the catalogue it would be read like the rest.
    whole = Path(parts_module.__file__).with_name("parts.toml").read_text("utf-8") + example()
    path.write_text(whole, "utf-8")
    assert read_parts(path)[name] == read_parts(path)[name] | figures


KICAD = Path("/usr/share/kicad")


@pytest.mark.skipif(not KICAD.is_dir(), reason="KiCad's libraries are not installed")
def test_kicad_has_the_footprints_and_counts_the_same_amplifiers():
    for footprint in FOOTPRINTS.values():
        library, name = footprint.split(":")
        assert (KICAD / "footprints" / f"{library}.pretty" / f"{name}.kicad_mod").is_file()
    symbols = kicad_symbols()
    compared = 0
    for name in catalogue():
        for symbol in (found for found in symbols if found.startswith(name)):
            inputs = Counter(pin for pin in symbols[symbol] if pin in ("+", "-", "IN+", "IN-", "+IN", "-IN"))
            if inputs and form_of(name).differential is False:
                assert inputs["+"] == inputs["-"] == form_of(name).amplifiers, symbol
                compared += 1
    assert compared >= 30


def kicad_symbols():
    """Give the names of the pins of every symbol of KiCad's amplifiers, of those that extend another too."""
    text = (KICAD / "symbols" / "Amplifier_Operational.kicad_sym").read_text("utf-8")
    blocks = dict(re.findall(r'^\t\(symbol "([^"]+)"(.*?)^\t\)', text, re.S | re.M))
    bases = {name: re.search(r'\(extends "([^"]+)"', block) for name, block in blocks.items()}
    return {
        name: re.findall(r'\(name "([^"]*)"', blocks[base[1]] if (base := bases[name]) else block)
        for name, block in blocks.items()
    }


def test_the_parts_that_designs_name_stay_in_the_catalogue():
    wanted = {"TL072", "LM358", "OPA2134", "OPA2192", "MCP6004", "ADA4528-2", "LT1013", "OPA1612"}
    assert wanted <= set(catalogue())


@pytest.mark.parametrize("part", catalogue())
def test_a_part_runs_inside_its_supply_range_and_swings_as_far_as_its_data_sheet_says(part):
    low, high = catalogue()[part]["supply"]
    lower, upper = catalogue()[part]["swing"]
    # A part whose outputs stay farther from a rail than the least supply is high has no swing left there.
    low = max(low, 2.001 * max(lower, upper), 1.001 * sum(catalogue()[part]["common_mode"]))
    for share in (0.0, 0.37, 1.0):  # both ends, and between them all is linear
        supply = min(max(0.5 * (low + share * (high - low)), 0.5 * low), 0.5 * high)
        model = opamp(part, supply=supply)
        assert model.name == part
        assert (model.rail, model.floor) == (supply - upper, lower - supply)
        assert model.swing == min(supply - upper, supply - lower)
        assert model.swing_known
        below, above = catalogue()[part]["common_mode"]
        assert model.common_mode == (below - supply, supply - above)
        assert model.output_current == catalogue()[part].get("output_current", math.inf)
        assert 20 * math.log10(model.gain) == pytest.approx(
            catalogue()[part]["gain"], abs=1e-9
        )  # one logarithm
        assert (model.gbw, model.slew) == (catalogue()[part]["gbw"], catalogue()[part]["slew"])
        assert (model.offset, model.offset_max) == (0.0, catalogue()[part]["offset_max"])
        assert model.bias == catalogue()[part]["bias"]


@pytest.mark.parametrize("part", catalogue())
def test_a_supply_outside_the_range_is_refused(part):
    low, high = catalogue()[part]["supply"]
    for total in (0.98 * low, 1.02 * high):
        said = rf"^{part} runs from {low:g} to {high:g} V in total; \[circuit\] supply gives {total:g} V in total"
        with pytest.raises(DesignError, match=said):
            opamp(part, supply=total / 2)


def test_an_unknown_part_is_refused_with_the_known_ones():
    with pytest.raises(
        DesignError,
        match=r"^unknown op-amp 'OPA219'; known are ideal, .*OPA2192, .*lmu-analog parts lists, or a table",
    ):
        opamp("OPA219", supply=5.0)


def test_the_ideal_opamp_knows_no_supply():
    assert opamp("ideal", supply=1e-3) is IDEAL


def test_a_table_of_figures_is_read_with_units():
    table = {"gain": "100 dB", "gbw": "10 MHz", "slew": "20 V/us", "offset": "-1 mV", "offset_max": "2 mV"}
    model = opamp({**table, "rail": "4.5 V", "name": "my-part"}, supply=5.0)
    assert (model.name, model.gbw, model.slew, model.rail) == ("my-part", 1e7, 2e7, 4.5)
    assert (model.gain, model.offset, model.offset_max) == (pytest.approx(1e5, rel=1e-14), -1e-3, 2e-3)
    more = {"output_resistance": "50 Ohm", "bias": "-20 nA", "input_capacitance": "5 pF"}
    model = opamp({**table, **more}, supply=5.0)
    assert (model.output_resistance, model.bias, model.input_capacitance) == (50.0, -20e-9, 5e-12)


def test_a_short_table_takes_the_supply_as_rail_and_no_offset():
    model = opamp({"gain": 1e5, "gbw": 1e6}, supply=3.3)
    assert (model.name, model.rail, model.offset, model.offset_max) == ("opamp", 3.3, 0.0, 0.0)
    assert (model.floor, model.swing_known, model.output_current) == (-3.3, False, math.inf)
    assert model.common_mode == (-math.inf, math.inf)
    assert math.isinf(model.slew)
    assert not model.ideal


def test_swing_and_input_range_are_distances_from_the_rails():
    # ST's TL072 at +-15 V swings 13.5 V, and takes -12 to 15 V at its inputs; so does this at +-5 V, 10 V less.
    table = {"gain": 1e5, "gbw": 1e6, "swing": ["1.5 V", 1.5], "common_mode": [3, "0 V"]}
    model = opamp({**table, "swing_load": "10 kOhm", "output_current": "40 mA"}, supply=5.0)
    assert (model.floor, model.rail, model.swing_known) == (-3.5, 3.5, True)
    assert (model.common_mode, model.output_current) == ((-2.0, 5.0), 0.04)
    assert opamp({**table, "swing": [0.75, 1.5]}, supply=5.0).swing == 3.5
    assert opamp({"gain": 1e5, "gbw": 1e6, "rail": 4.5}, supply=5.0).swing_known


def test_the_tl072_at_5_volts_no_longer_reaches_its_supply():
    assert opamp("TL072", supply=5.0).swing == 3.5  # it was 5 V
    assert opamp("LM358", supply=5.0).swing == 3.5
    with pytest.raises(
        DesignError, match=r"^LM358: outputs stay 1\.5 V from the positive rail, and a supply of"
    ):
        opamp("LM358", supply=1.5)


BARE = {"gain": "100 dB", "gbw": "1 MHz"}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            {**BARE, "slewrate": 1},
            r"^unknown op-amp figure 'slewrate'; known are name, gain, gbw, slew, offset, offse",
        ),
        ({"gbw": "1 MHz"}, r"^an op-amp table needs gain and gbw; gain is missing$"),
        ({"gain": 1e5}, r"^an op-amp table needs gain and gbw; gbw is missing$"),
        ({}, r"^an op-amp table needs gain and gbw; gain is missing$"),
        (
            {**BARE, "name": "a b"},
            r"^op-amp name 'a b' may hold letters, digits and _ \. - only, at most 31$",
        ),
        ({**BARE, "name": "x" * 32}, r"may hold letters, digits"),
        ({**BARE, "name": "x\n.control"}, r"^op-amp name 'x\\n\.control' may hold letters"),
        ({**BARE, "name": 741}, r"^op-amp name 741 may hold letters"),
        ({**BARE, "gain": 0}, r"^op-amp gain = 0; it must be positive$"),
        ({**BARE, "gain": -5}, r"^op-amp gain = -5; it must be positive$"),
        ({**BARE, "gbw": "0 Hz"}, r"^op-amp gbw = 0; it must be positive$"),
        ({**BARE, "slew": "-1 V/us"}, r"^op-amp slew = -1e\+06; it must be positive$"),
        ({**BARE, "rail": 0}, r"^op-amp rail = 0; it must be positive$"),
        ({**BARE, "offset_max": "-1 mV"}, r"^op-amp offset_max = -0\.001; it must be positive$"),
        ({**BARE, "gbw": "1 MV"}, r"^'1 MV' is in V; write a number in Hz"),
        ({**BARE, "gain": "inf"}, r"'inf' is not a quantity; write a gain"),
        ({**BARE, "offset": math.nan}, r"^nan is not finite; write a number in V"),
        ({**BARE, "output_resistance": "-1 Ohm"}, r"^op-amp output_resistance = -1; it must be positive$"),
        ({**BARE, "bias": 2}, r"^op-amp bias = 2; at most 1 is accepted$"),
        ({**BARE, "input_capacitance": "5 pV"}, r"^'5 pV' is in V; write a number in F"),
        (
            {**BARE, "swing": 0.1},
            r"^swing is \[from the negative rail, from the positive rail\], V, not 0\.1$",
        ),
        ({**BARE, "swing": [0.1, 0.1, 0.1]}, r"^swing is \[from the negative rail, from the positive"),
        ({**BARE, "swing": [-0.1, 0.1]}, r"^op-amp swing = -0\.1 V from a rail; no output goes beyond"),
        (
            {**BARE, "swing": [0.1, 5]},
            r"^opamp: outputs stay 5 V from the positive rail, and a supply of \+-5 V",
        ),
        ({**BARE, "swing": [6, 5]}, r"^opamp: outputs stay 6 V from the negative rail"),
        ({**BARE, "swing": [0, 0], "rail": 4}, r"^op-amp table has both swing and rail; give one of them$"),
        ({**BARE, "swing": ["1 A", 0]}, r"^'1 A' is in A; write a number in V"),
        ({**BARE, "common_mode": "3 V"}, r"^common_mode is \[from the negative rail, from the"),
        ({**BARE, "common_mode": [6, 5]}, r"^opamp: common_mode = \[6, 5\] V from the rails leaves no range"),
        ({**BARE, "common_mode": [-2e6, 5]}, r"^op-amp common_mode = -2e\+06; at most 1e\+06 is accepted$"),
        ({**BARE, "output_current": 0}, r"^op-amp output_current = 0; it must be positive$"),
        ({**BARE, "output_current": "5 V"}, r"^'5 V' is in V; write a number in A"),
        ({**BARE, "swing_load": 0}, r"^op-amp swing_load = 0; it must be positive$"),
        ({**BARE, "slew": True}, r"^True is not a quantity; write a number in V/s"),
    ],
)
def test_a_wrong_table_is_refused_with_the_figure(table, message):
    with pytest.raises(DesignError, match=message):
        opamp(table, supply=5.0)
