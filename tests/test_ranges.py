"""Warnings name what is impractical, and nothing else; counts and spreads are those of the structure."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_analog.advice import advice
from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit, Term
from lmu_analog.circuits.components import Capacitor, OpAmp, Resistor
from lmu_analog.circuits.devices.models import IDEAL
from lmu_analog.circuits.ranges import counts, spreads, warnings
from lmu_analog.design import Design
from lmu_analog.output import summary, tables
from lmu_analog.output.html import unbroken
from lmu_analog.output.report.page import report
from lmu_analog.output.report.subject import Settings, Subject
from lmu_analog.simulation import simulate


def amplifier(r1=10e3, r2=10e3, c=1e-9, family="by hand"):
    parts = (
        Resistor("R1", "u", "g", r1, "in"),
        Resistor("R2", "g", "x", r2, "feedback"),
        Capacitor("C1", "g", "x", c, "feedback"),
        OpAmp("U1", "0", "g", "x", IDEAL, "amplifier"),
    )
    return Circuit(family, "none", 1.0, parts, ((Term("v", "x", 1.0),),))


@given(r1=st.floats(1e3, 1e6), r2=st.floats(2e3, 1e6), c=st.floats(10e-12, 1e-6))
def test_practical_values_give_no_warning(r1, r2, c):
    assert warnings(amplifier(r1, r2, c)) == ()


@pytest.mark.parametrize(("changes", "lines"), [
    ({"r1": 2.2e6}, ("resistor range: outside 1 kOhm to 1 MOhm: R1 = 2.2 MOhm",)),
    ({"r1": 990.0}, ("resistor range: outside 1 kOhm to 1 MOhm: R1 = 990 Ohm",)),
    ({"c": 4.7e-12}, ("capacitor range: outside 10 pF to 1 uF: C1 = 4.7 pF",)),
    ({"c": 2.2e-6}, ("capacitor range: outside 10 pF to 1 uF: C1 = 2.2 uF",)),
    ({"r2": 1.5e3}, ("op-amp load: below 2 kOhm at the output of U1 = 1.5 kOhm",)),
    (
        {"r1": 2e3, "r2": 3e6},
        (
            "resistor range: outside 1 kOhm to 1 MOhm: R2 = 3 MOhm",
            "resistor spread: a factor of 1.5e+03, above 1000: R1 = 2 kOhm, R2 = 3 MOhm",
        ),
    ),
])  # fmt: skip
def test_what_is_impractical_is_named_with_its_value(changes, lines):
    assert warnings(amplifier(**changes)) == lines


@pytest.mark.parametrize("small_first", [False, True])
def test_two_resistors_in_series_are_one_load_unless_something_is_between(small_first):
    one, two = (1e3, 24e3) if small_first else (24e3, 1e3)
    plain = amplifier()
    series = (Resistor("R3", "mid", "x", two, "load"), Resistor("R4", "mid", "0", one, "load"))
    assert warnings(replace(plain, components=(*plain.components, *series))) == ()
    beside = Resistor("R5", "mid", "0", 1e3, "load")
    found = warnings(replace(plain, components=(*plain.components, *series, beside)))
    # To a net where more ends, a resistor counts as if that were at ground.
    assert any(line.startswith("op-amp load") for line in found) is not small_first


def test_values_on_a_chip_have_no_range_of_a_board():
    assert warnings(amplifier(r1=5e6, c=1e-13, family="gm-c")) == ()


def test_a_line_names_the_first_components_and_counts_the_rest():
    circuit = build(Design(order=6, theta="1 ms", realization="legendre", capacitance="1 pF"))
    resistors, capacitors = warnings(circuit)[:2]
    assert resistors.startswith("resistor range: ")
    assert capacitors.startswith("capacitor range: outside 10 pF to 1 uF: Cint_0 = 1 pF, Cint_1 = 1 pF, ")
    assert capacitors.endswith(" and 2 more")


@pytest.mark.parametrize("order", [3, 6, 12])
def test_the_legendre_matrix_has_a_resistor_for_every_coefficient_and_two_an_inverter(order):
    found = counts(build(Design(order=order, theta="1 ms", realization="legendre")))
    inverters = found["op-amp"] - order
    assert found["capacitor"] == order
    assert found["resistor"] == order**2 + order + 2 * inverters


def test_spreads_are_ratios_of_the_largest_to_the_smallest():
    circuit = build(Design(order=6, theta="1 ms"))
    for kind, of in (("resistor", Resistor), ("capacitor", Capacitor)):
        values = np.array([c.value for c in circuit.components if isinstance(c, of)])
        assert spreads(circuit)[kind] == pytest.approx(values.max() / values.min(), rel=1e-15)
    assert set(spreads(circuit)) == {"resistor", "capacitor"}


def test_a_part_with_the_wrong_number_of_outputs_is_told_before_anybody_orders_it():
    pair = Design(order=3, theta="1 ms", family="active-rc-differential", opamp="OPA2192")
    (line,) = [w for w in warnings(build(pair)) if w.startswith("op-amp outputs")]
    count = len(build(pair).amplifiers)
    assert line.startswith(f"op-amp outputs: OPA2192 has one output, and {count} amplifiers need two: ")
    single = pair.replace(family="active-rc", opamp="OPA1637")
    (line,) = [w for w in warnings(build(single)) if w.startswith("op-amp outputs")]
    assert line.startswith("op-amp outputs: OPA1637 has two outputs, and ")
    chip = pair.replace(family="switched-capacitor")
    for fits in (
        pair.replace(opamp="OPA1637"),
        pair.replace(opamp="ideal"),
        single.replace(opamp="OPA2192"),
        chip,
    ):
        assert not [w for w in warnings(build(fits)) if w.startswith("op-amp outputs")]


def test_warnings_reach_json_terminal_and_report():
    design = Design(order=3, theta="1 s", capacitance="2.2 uF")
    result, circuit = simulate(design), build(design)
    content = summary.simulation(result)
    expected = list(warnings(circuit))
    assert expected[0].startswith(
        "capacitor range: outside 10 pF to 1 uF: Cint_0 = 2.2 uF, Cint_1 = 2.2 uF, "
    )
    assert content["warnings"] == [*expected, advice(design)]
    assert f"warning: {expected[0]}" in tables.simulation(content)
    wanted = Settings(sections=("circuit",))
    page, _ = report(Subject(design, circuit, warnings=warnings(circuit), settings=wanted))
    assert unbroken("outside 10 pF to 1 uF") in page


def test_a_simulation_of_a_sample_warns_of_the_sample():
    design = Design(order=3, theta="1 ms")
    circuit = build(design)
    changed = replace(
        circuit,
        components=tuple(replace(c, value=2e6) if isinstance(c, Resistor) else c for c in circuit.components),
    )
    assert simulate(design).attrs["warnings"] == list(warnings(circuit))
    assert simulate(design, circuit=changed).attrs["warnings"] == list(warnings(changed))
