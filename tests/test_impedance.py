"""The impedance level that is chosen: within limits wherever an exhaustive search finds a choice; same response."""

import json
import tomllib
from importlib import resources

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmu_analog.advice import advice, design_warnings
from lmu_analog.analysis.noise import bounds
from lmu_analog.building import build, chooses_level, mapped
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import Capacitor, Inductor, OpAmp, Resistor
from lmu_analog.circuits.devices.values import nearest
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.circuits.impedance import CAPACITORS, RESISTORS, choose_impedances, keeps_limits, level
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.circuits.ranges import warnings
from lmu_analog.cli import run_command
from lmu_analog.design import Design
from lmu_analog.memory.legendre import legendre
from lmu_analog.output import summary, tables
from lmu_analog.units import parse

ON_A_BOARD = [
    (name, r) for name, family in FAMILIES.items() if not family.on_chip for r in family.realizations
]
OP_AMPS = FAMILIES["active-rc"].realizations
SLACK = 1.0 + 1e-9
VIBRATION = Design(order=6, theta="20 ms", bandwidth="200 Hz")


def some_choice_keeps(circuit: Circuit, stocked=lambda capacitor: True) -> bool:
    """Try every E12 capacitor at every integrator, and every E12 resistor at the other inputs of op-amps.

    Each input's level is its own, and loads are least at the largest resistors, so no product of choices is left out.
    """
    siemens = {c.out: 0.0 for c in circuit.only(OpAmp)}
    for net in {n for c in circuit.only(OpAmp) for n in (c.plus, c.minus)} - {"0"}:
        r, c = ([p for p in circuit.only(kind) if net in (p.a, p.b)] for kind in (Resistor, Capacitor))
        factors = c[0].value / CAPACITORS if c else RESISTORS / r[0].value
        inside = [
            f
            for f in factors
            if all(1e3 / SLACK <= p.value * f <= 1e6 * SLACK for p in r)
            and all(10e-12 / SLACK <= p.value / f <= 1e-6 * SLACK for p in c)
            and all(stocked(p.value / f) for p in c)
        ]
        if not inside:
            return False
        for p in r:
            for end in (p.a, p.b):
                if end in siemens:
                    siemens[end] += 1.0 / (p.value * max(inside))
    return all(g * 2e3 <= SLACK for g in siemens.values())


def beyond(circuit: Circuit) -> list[str]:
    about = ("resistor range", "capacitor range", "op-amp load")
    return [line for line in warnings(circuit) if line.startswith(about)]


@settings(max_examples=40)
@given(
    order=st.integers(3, 12),
    decade=st.floats(-5.0, 1.0),
    realization=st.sampled_from(OP_AMPS),
    turns=st.none() | st.floats(0.3, 3.0),
)
def test_all_values_are_within_limits_wherever_some_choice_of_capacitors_keeps_them(
    order, decade, realization, turns
):
    theta = 10.0**decade
    band = None if turns is None else turns / theta
    design = Design(order=order, theta=theta, realization=realization, bandwidth=band)
    exists = some_choice_keeps(mapped(design))
    assert keeps_limits(mapped(design)) == exists
    assert (beyond(build(design)) == []) == exists


def sold_at(tolerance):
    """Read off the data which capacitors of E12 are sold for filters: (least, largest, values of a decade) a class."""
    text = resources.files("lmu_analog.circuits.devices").joinpath("passives.toml").read_text()
    rows = [
        (
            *table["range"],
            CAPACITORS[: 12 if of["series"] == "E12" else None : 2 if of["series"] == "E6" else 1],
        )
        for table in tomllib.loads(text).values()
        if table["kind"] == "capacitor" and table.get("linear", True)
        for of in table["classes"]
        if of["tolerance"] <= tolerance
    ]

    def sold(capacitor: float) -> bool:
        standard = min(CAPACITORS, key=lambda c: abs(np.log(c / capacitor)))
        digits = float(f"{standard:.2e}".partition("e")[0])
        return any(
            low / SLACK <= standard <= high * SLACK
            and any(abs(float(f"{c:.2e}".partition("e")[0]) - digits) < 1e-6 for c in decade)
            for low, high, decade in rows
        )

    return sold


def test_capacitors_are_sold_at_their_tolerance_wherever_some_choice_of_those_keeps_all_limits():
    sold, moved = sold_at(1.0), 0
    for k in range(30):  # windows in which capacitors come up to where not all are sold
        theta, realization = 10.0 ** (-2.0 + 1.3 * k / 29.0), OP_AMPS[k % 6]
        design = Design(order=3 + k % 5, theta=theta, realization=realization, mismatch={"capacitor": "1 %"})
        circuit = build(design)
        assert (beyond(circuit) == []) == some_choice_keeps(mapped(design))
        if some_choice_keeps(mapped(design), sold):
            assert all(sold(c.value) for c in circuit.only(Capacitor))
            moved += circuit != build(design.replace(mismatch={}))
    assert moved > 3  # of those some would have others: 270 nF, say, is sold at 5 % alone


def test_one_capacitor_that_is_proposed_is_sold_at_the_tolerance():
    design = Design(order=3, theta="55 ms", capacitance="1 nF", realization="ladder")
    lines = [advice(design.replace(mismatch={"capacitor": t})) for t in ("5 %", "1 %")]
    values = [line.partition('"')[2].partition('"')[0] for line in lines]
    assert values == ["39 nF", "47 nF"]
    assert [sold_at(t)(parse(c, "F")) for c in values for t in (5.0, 1.0)] == [True, False, True, True]


@pytest.mark.parametrize(("family", "realization"), ON_A_BOARD)
def test_the_response_is_that_of_the_memory_at_any_level(family, realization):
    if realization.startswith("principle3"):
        pytest.skip("is no exact memory")
    design = Design(order=5, theta="3 ms", family=family, realization=realization)
    # Twelve digits of the values, over at most some hundred of them.
    ideal = legendre(5, 3e-3)
    back = extract(build(design))
    f = design.bandwidth * np.linspace(0.1, 1.0, 7)
    response = [_response(system, f) for system in (back, ideal)]
    np.testing.assert_allclose(response[0], response[1], rtol=0, atol=1e-9)


def _response(system, f):
    A, B, C, D = system.A, system.B, system.C, system.D
    return np.stack([C @ np.linalg.solve(2j * np.pi * x * np.eye(len(A)) - A, B) + D for x in f])[..., 0]


@pytest.mark.parametrize("realization", OP_AMPS)
def test_integrating_capacitors_are_of_e12_and_few(realization):
    circuit = build(VIBRATION.replace(realization=realization))
    values = [c.value for c in circuit.only(Capacitor) if c.name.startswith("Cint_")]
    assert values == [float(nearest(v, "E12")) for v in values]
    assert min(values) >= 10e-12
    assert max(values) <= 1e-6


def test_one_capacitor_serves_all_where_it_can():
    circuit = build(Design(order=6, theta="20 ms", realization="ladder"))
    assert level(circuit).capacitors == ((6.8e-9, 6),)
    assert level(circuit).common is None
    assert min(c.value for c in circuit.only(Resistor)) >= 10e3


def test_a_capacitance_that_is_given_is_that_of_all_integrators_and_the_choice_does_not_act():
    design = VIBRATION.replace(capacitance="1 nF")
    assert not chooses_level(design)
    assert build(design) == mapped(design)
    assert {c.value for c in build(design).only(Capacitor) if c.name.startswith("Cint_")} == {1e-9}


def test_families_on_a_chip_keep_a_nanofarad():
    for name, family in FAMILIES.items():
        if family.on_chip:
            one, other = (Design(order=2, theta="1 ms", family=name, capacitance=c) for c in (None, "1 nF"))
            assert build(one) == build(other)
            assert one.digest == other.digest
            assert not chooses_level(one)


def test_the_level_does_not_depend_on_where_the_search_starts():
    circuit = mapped(VIBRATION)
    other = mapped(VIBRATION, 33e-9)
    values = [[c.value for c in choose_impedances(of).only(Resistor, Capacitor)] for of in (circuit, other)]
    # Both starts have twelve digits.
    np.testing.assert_allclose(values[0], values[1], rtol=1e-11)


def test_halves_of_a_differential_circuit_are_alike():
    circuit = build(VIBRATION.replace(family="active-rc-differential"))
    value = {c.name: c.value for c in circuit.only(Resistor, Capacitor)}
    pairs = [(name, name[:-1] + "n") for name in value if name.endswith("_p")]
    assert pairs
    assert all(value[a] == value[b] for a, b in pairs)


def test_a_passive_ladder_has_one_level_and_the_smallest_coils():
    circuit = build(Design(order=5, theta="1 ms", family="passive-rlc"))
    (resistance,) = {c.value for c in circuit.only(Resistor)}
    assert 1e3 <= resistance < 1.3e3  # a step of E12 above the limit
    coils = [c.value for c in circuit.only(Inductor)]
    assert max(coils) == pytest.approx(resistance * 1e-3 / 2, rel=1e-9)  # L_0 = R theta/2
    assert beyond(circuit) == []


@pytest.mark.parametrize("series", ["E6", "E24", "E96"])
def test_standard_values_stay_within_limits(series):
    circuit = build(VIBRATION.replace(values=series))
    assert [line for line in warnings(circuit) if "range" in line] == []


def test_the_choice_is_said_in_words_and_numbers():
    circuit = build(VIBRATION)
    content = summary.impedance(VIBRATION, circuit)
    assert content["chosen"]
    assert sum(c["count"] for c in content["capacitors"]) == 6
    assert {c["kind"] for c in content["capacitors"]} == {"C0G", "film"}
    values = [c.value for c in circuit.only(Resistor)]
    assert content["resistors"] == {"lowest": min(values), "highest": max(values)}
    text = tables.impedance_line(content)
    assert text.startswith("impedance level chosen ")
    assert "220 nF film" in text
    assert "one capacitor 22 nF for all: resistors of " in text
    # What leaks is no part, and of two resistors in series an output drives both.
    assert summary.impedance(VIBRATION, build(VIBRATION.replace(leakage=1e4))) == content
    paired = Design(order=5, theta="1 ms", values="E24", pairs="1 %")
    single = summary.impedance(VIBRATION, build(paired.replace(pairs=None)))["load"]
    assert summary.impedance(paired, build(paired))["load"] == pytest.approx(single, rel=0.1)
    given = VIBRATION.replace(capacitance="22 nF")
    assert summary.impedance(given, build(given))["chosen"] is False
    assert tables.impedance_line(summary.impedance(given, build(given))) == ""
    chip = Design(order=3, family="gm-c")
    assert summary.impedance(chip, build(chip)) is None


def test_one_capacitor_for_all_has_the_resistors_that_are_said():
    content = summary.impedance(VIBRATION, build(VIBRATION))["common"]
    circuit = mapped(VIBRATION, content["capacitance"])
    at_integrators = [
        c.value for c in circuit.only(Resistor) if c.b.startswith("g") and not c.b.startswith("gy")
    ]
    ends = content["resistors"]
    assert (ends["lowest"], ends["highest"]) == pytest.approx((min(at_integrators), max(at_integrators)))


def test_simulate_prints_and_writes_the_choice(tmp_path, capsys):
    path = tmp_path / "d.toml"
    path.write_text('[memory]\norder = 3\ntheta = "20 ms"\n')
    assert run_command(["simulate", str(path)]) == 0
    assert "impedance level" in capsys.readouterr().out
    assert run_command(["simulate", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["impedance"]["chosen"] is True
    assert run_command(["netlist", str(path), "-o", str(tmp_path / "d.cir")]) == 0
    assert "impedance level chosen" in capsys.readouterr().err


# ---------------------------------------------------------------- what to change


def test_a_capacitance_that_works_is_named_where_one_does():
    line = advice(VIBRATION.replace(capacitance="1 nF"))
    assert line == (
        'values: [circuit] capacitance = "22 nF" keeps these limits; [circuit] capacitance left out does, with a '
        "capacitor chosen for every integrator"
    )
    assert beyond(build(VIBRATION.replace(capacitance="22 nF"))) == []
    assert advice(VIBRATION.replace(capacitance="22 nF")) is None


@pytest.mark.parametrize(
    ("design", "changes"),
    [
        (Design(order=3, theta="10 s", realization="ladder"), [{"theta": "1.4 s"}]),
        (
            Design(order=6, theta="10 ms", realization="balanced"),
            [{"order": 4}, {"realization": "cap-feedforward"}],
        ),
        (Design(order=3, theta="10 s", family="passive-rlc"), [{"theta": "5.6 s"}, {"order": 1}]),
    ],
    ids=["window", "order", "passive"],
)
def test_where_no_capacitors_work_the_nearest_designs_that_have_some_are_named(design, changes):
    line = advice(design)
    assert line.startswith("values: no capacitors of E12 from 10 pF to 1 uF keep these limits; the nearest ")
    for change in changes:
        ((key, value),) = change.items()
        assert f"] {key} = {value}" in line.replace('"', "")
        assert beyond(build(design.replace(bandwidth=None, **change))) == []
    assert design_warnings(design, build(design))[-1] == line


def test_no_window_between_the_proposed_one_and_the_design_has_values_within_limits():
    design = Design(order=3, theta="10 s", realization="ladder")
    for theta in np.geomspace(1.6, 10.0, 20):  # the steps of the search are 12 %
        assert not some_choice_keeps(mapped(design.replace(theta=float(theta), bandwidth=None)))


def test_bounds_of_noise_are_those_of_the_chosen_capacitors():
    chosen = [c.value for c in build(VIBRATION).only(Capacitor) if c.name.startswith("Cint_")]
    given = bounds(VIBRATION.replace(capacitance="1 nF"), 60.0)["kt_c_v2"]
    expected = given * float(np.mean([1e-9 / c for c in chosen]))
    assert bounds(VIBRATION, 60.0)["kt_c_v2"] == pytest.approx(expected, rel=1e-12)
