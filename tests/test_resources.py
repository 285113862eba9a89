"""Supply current, chip area and money."""

import math
from pathlib import Path

import pytest

from lmu_analog.analysis.resources import resources
from lmu_analog.building import build
from lmu_analog.circuits.components import Capacitor, OpAmp, Resistor, Transconductor
from lmu_analog.circuits.devices.prices import Price, read_prices
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.limits import demands
from lmu_analog.output import resources as shown

BOARD = Design(order=3, theta="1 ms", opamp="MCP6004", supply="2.5 V")
CHIP = Design(
    order=3,
    theta="10 us",
    family="active-rc",
    capacitance="2 pF",
    technology="ihp-sg13g2",
    mismatch={"resistor": {"area": "50 um2", "scale": "units"}},
)


def test_a_family_of_one_rail_takes_power_from_it_alone():
    design = Design(order=2, theta="1 ms", family="dpi", capacitance="10 pF", supply="3 V")
    found = resources(design)
    assert found.power == pytest.approx(3.0 * found.current)


def test_power_is_the_quiescent_current_of_all_amplifiers_and_what_their_outputs_deliver():
    found = resources(BOARD)
    count = sum(isinstance(c, OpAmp) for c in build(BOARD).components)
    assert count > 3
    quiescent, loads, *spare = found.currents
    # parts.toml: 0.1 mA each, across 5 V, for 1 ms.
    assert (quiescent.count, quiescent.each) == (count, 1e-4)
    # Quads: what the circuit leaves of the last is supplied too.
    assert sum(s.count for s in spare) == -count % 4
    current = (count + -count % 4) * 1e-4 + loads.count * loads.each
    assert found.current == pytest.approx(current)
    assert found.power == pytest.approx(5.0 * current)
    assert found.energy == pytest.approx(5e-3 * current)
    assert found.areas == ()
    assert found.cost is None


def test_an_output_delivers_from_each_supply_half_of_what_a_resistor_takes():
    # One sine: the mean magnitude of each output's current is 2/pi of its peak, but for the bias of 1 pA.
    design = BOARD.replace(signal="sine", capacitance="1 nF")
    loads = resources(design).currents[1]
    peaks = [abs(d.peak) for d in demands(build(design), design.stimulus) if d.quantity == "output current"]
    assert loads.each == pytest.approx(
        sum(peaks) / len(peaks) / math.pi, rel=2e-3
    )  # peaks are low by .12 % at most
    assert loads.note.startswith("class AB")
    # Ten times the capacitance: a tenth of the resistance everywhere, and ten times the current.
    wide = resources(design.replace(capacitance="10 nF")).currents[1]
    assert wide.each == pytest.approx(
        10.0 * loads.each, rel=1e-2
    )  # the op-amps' GBW sees no difference but a little


def test_an_ideal_amplifier_has_no_known_current():
    found = resources(BOARD.replace(opamp="ideal"))
    assert found.current is None
    assert "current of ideal: an ideal op-amp has no supply current; name a part" in shown.missing(found)
    table = {"gain": "100 dB", "gbw": "1 MHz"}
    assert "no current known" in shown.missing(resources(BOARD.replace(opamp=table)))[0]


def test_spare_units_of_packages_take_their_current_and_chips_have_none():
    dual = BOARD.replace(opamp="OPA2192", supply=5.0)
    count = len(build(dual).amplifiers)
    names = [c.what for c in resources(dual).currents]
    assert ("spare amplifier" in names) == (count % 2 == 1)
    single, quad = (resources(dual.replace(opamp=part)) for part in ("OPA192", "OPA4192"))
    # The same die: the quads draw for the units that are left over, 1 mA each; the parts are otherwise alike.
    assert quad.current - single.current == pytest.approx((-count % 4) * 1e-3, abs=1e-9)
    chip = dual.replace(family="switched-capacitor", opamp="OPA4192")
    assert "spare amplifier" not in [c.what for c in resources(chip).currents]


def test_a_part_of_ones_own_says_its_current(tmp_path: Path):
    file = tmp_path / "parts.toml"
    file.write_text('[MINE]\ngain = 100\ngbw = 1e6\nsupply = [2, 6]\ncurrent = "50 uA"\n')
    mine = BOARD.replace(parts=file, opamp="MINE")
    assert resources(mine).currents[0].each == pytest.approx(50e-6)
    file.write_text("[MINE]\ngain = 100\ngbw = 1e6\nsupply = [2, 6]\ncurrent = -1\n")
    with pytest.raises(DesignError, match="MINE: current = -1 A; above 0"):
        resources(BOARD.replace(parts=file, opamp="MINE"))


def test_transconductors_need_at_least_what_weak_inversion_does():
    design = Design(order=3, theta="10 us", family="gm-c", capacitance="2 pF", supply="0.6 V")
    gm = sum(c.value for c in build(design).components if isinstance(c, Transconductor))
    # 2 n U_T with n = 1.35 and 25.852 mV at 300 K.
    assert resources(design).current == pytest.approx(2 * 1.35 * 0.025852 * gm)


def test_transconductors_of_a_wide_range_need_its_current_and_have_the_area_of_five_transistors():
    chip = Design(
        order=3, theta="10 us", family="gm-c", capacitance="2 pF", supply="0.6 V", technology="cmos-180"
    )
    wide = chip.replace(transconductor={"limit": "0.3 V"}, mismatch={"transconductor": {"area": "20 um2"}})
    values = [c.value for c in build(wide).only(Transconductor)]
    assert resources(wide).current == pytest.approx(0.3 * sum(values))
    areas = {a.what: a.total for a in resources(wide).areas}
    assert areas["OTA"] == pytest.approx(5 * len(values) * 20e-12)
    units = wide.replace(mismatch={"transconductor": {"area": "20 um2", "scale": "units"}})
    assert resources(units).areas[-1].total == pytest.approx(5 * 20e-12 * sum(values) / min(values))
    assert "area of OTA" in " ".join(shown.missing(resources(chip)))


def test_area_is_that_of_the_sheets_and_the_matching():
    found = {a.what: a for a in resources(CHIP).areas}
    parts = build(CHIP).components
    farads = [c.value for c in parts if isinstance(c, Capacitor)]
    ohms = [c.value for c in parts if isinstance(c, Resistor)]
    # technologies.toml: MIM 1.5 fF/um^2.
    assert found["capacitor (mim)"].total == pytest.approx(sum(farads) / 1.5e-3)
    resistors = found["resistor (rppd)"]
    assert resistors.units == pytest.approx(sum(ohms) / min(ohms))
    assert resistors.total == pytest.approx(50e-12 * sum(ohms) / min(ohms))
    # Without an area: squares of 260 Ohm, a micrometre wide.
    plain = {a.what: a for a in resources(CHIP.replace(mismatch={})).areas}
    assert plain["resistor (rppd)"].total == pytest.approx(sum(ohms) / 260 * 1e-12)


def test_a_resistor_too_narrow_to_draw_is_told():
    tight = CHIP.replace(mismatch={"resistor": {"area": "1 um2"}})
    note = next(a.note for a in resources(tight).areas if a.what.startswith("resistor"))
    assert "too narrow to draw: take more area" in note


def test_packages_are_whole(tmp_path: Path):
    file = tmp_path / "prices.csv"
    file.write_text("part,price,amplifiers\nMCP6004, 0.50, 4  # quad\n\nresistor,0.01\n")
    prices = read_prices(file)
    assert prices == {"MCP6004": Price(0.5, 4), "resistor": Price(0.01)}
    found = resources(BOARD, prices)
    parts = build(BOARD).components
    amplifiers = sum(isinstance(c, OpAmp) for c in parts)
    resistors = sum(isinstance(c, Resistor) for c in parts)
    assert found.cost == pytest.approx(-(-amplifiers // 4) * 0.5 + resistors * 0.01)
    assert "price of capacitor" in shown.missing(found)
    assert "cost of parts" in shown.text(found)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no price"),
        ("resistor\n", "line 1: 1 cells; give rows of part,price or part,price,amplifiers"),
        ("resistor,cheap\n", "line 1: 'cheap'; give a price such as 2.45"),
        ("resistor,$0.02\n", r"line 1: '\$0.02'; give a price such as 2.45"),
        ("resistor,nan\n", "line 1: price nan, 1 amplifiers"),
        (
            "resistor,0,02\n",
            "line 1: '0,02' may be a price with a decimal comma; write resistor,2.45 or resistor;2,45$",
        ),
        (
            "OPA2192,2,45\n",
            "line 1: '2,45' may be a price with a decimal comma; write OPA2192,2.45 or OPA2192;2,45, or a header "
            "part,price,amplifiers$",
        ),
        ("OPA2192,2,05\n", "line 1: '2,05' may be a price with a decimal comma"),
        ("part,price\nOPA2192,2,4\n", "line 2: '2,4' may be a price with a decimal comma"),
        ("OPA2192,2,45,2\n", "line 1: 4 cells; give rows of part,price"),
        ('OPA2192,"1,234"\n', "line 1: '1,234'; give a price such as 2.45"),
        ("OPA2192;1.234,5\n", "line 1: '1.234,5'; give a price such as 2.45"),
        (
            "OPA2192,2.45,two\n",
            "line 1: '2.45,two'; give a price such as 2.45, and a whole number of amplifiers",
        ),
        ("OPA2192,2.45,65\n", "line 1: price 2.45, 65 amplifiers; 0 to 1e\\+06 and 1 to 64 are accepted"),
        ("resistor,1\nResistor,2\n", "line 2: 'Resistor' has a price already"),
        ("resistor,-1\n", "line 1: price -1, 1 amplifiers"),
        ("resistor,1\nresistor,2\n", "line 2: 'resistor' has a price already"),
    ],
)
def test_a_wrong_price_list_is_refused(tmp_path: Path, content: str, message: str):
    file = tmp_path / "prices.csv"
    file.write_text(content)
    with pytest.raises(DesignError, match=message):
        read_prices(file)
    with pytest.raises(DesignError, match=r"none\.csv: no such file; give a table of prices$"):
        read_prices(tmp_path / "none.csv")


@pytest.mark.parametrize(
    "content",
    [
        "resistor,0.02\ncapacitor,0.05\nOPA2192,2.45,2\n",
        "resistor;0,02\ncapacitor;0,05\nOPA2192;2,45;2\n",
        "\ufeffpart;price;amplifiers\r\nResistor;0,02;\r\ncapacitor;0,05;\r\nopa2192;2,45;2\r\n",
        "sep=;\nresistor;0.02\ncapacitor;0.05\nOPA2192;2.45;2\n",
        "resistor\t0,02\ncapacitor\t0,05\nOPA2192\t2,45\t2\n",
        '"part","price"\n"resistor","0,02"\n"capacitor","0,05"  # cheap\n"OPA2192",2.45,2\n',
        "Part,Price (EUR),Amplifiers\nresistor,0.02\ncapacitor,0.05,,\nOPA2192,2.45,2\n",
    ],
)
def test_a_price_list_of_any_kind_gives_the_same_cost(tmp_path: Path, content: str):
    design = BOARD.replace(opamp="OPA2192", supply=5.0)
    file = tmp_path / "prices.csv"
    file.write_bytes(content.encode())
    given = {"resistor": Price(0.02), "capacitor": Price(0.05), "OPA2192": Price(2.45, 2)}
    assert resources(design, read_prices(file)).cost == resources(design, given).cost


def test_a_name_that_nothing_has_is_refused_with_those_that_are_known(tmp_path: Path):
    file = tmp_path / "prices.csv"
    file.write_text("resistors,0.02\n")
    message = (
        "prices: unknown part 'resistors', near resistor; known are resistor, capacitor, inductor, trans.*"
    )
    with pytest.raises(DesignError, match=f"^{message}$"):
        resources(BOARD, read_prices(file))
    file.write_text("LT1013,1.5,2  # not in this circuit\n")
    assert resources(BOARD, read_prices(file)).cost is None
