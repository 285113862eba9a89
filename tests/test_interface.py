"""What stands around a memory on a board: a buffer with a filter before it, a single supply, loads at its outputs."""

import csv
import io
import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from scipy import signal

from lmu_analog import Design, DesignError, simulate
from lmu_analog.advice import value_warnings
from lmu_analog.analysis.measurement import read_measurement
from lmu_analog.analysis.noise import noise
from lmu_analog.analysis.periodic import nonlinear
from lmu_analog.analysis.resources import resources
from lmu_analog.analysis.testplan import plan_of
from lmu_analog.building import build
from lmu_analog.circuits import ranges
from lmu_analog.circuits.circuit import Term, reading_taps
from lmu_analog.circuits.components import Capacitor, Resistor
from lmu_analog.circuits.devices.values import nearest
from lmu_analog.circuits.interface import without_interface
from lmu_analog.circuits.lowpass import HIGHEST_ORDER, poles
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.circuits.nodal.saturation import limits
from lmu_analog.circuits.nodal.unknowns import Index
from lmu_analog.circuits.ranges import DISCRETE
from lmu_analog.ensembles.exact import exact_chunk
from lmu_analog.ensembles.transients import recorded_profiles
from lmu_analog.limits import demands
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.statespace import frequency_response
from lmu_analog.memory.window import quadrature_for, readout
from lmu_analog.output.decks import deck_text
from lmu_analog.output.export.board import assembly
from lmu_analog.output.export.lists import bom
from lmu_analog.output.export.testplan import content, point_table
from lmu_analog.output.starting import new_design
from lmu_analog.simulation import distance, grid, ideal_window, places
from lmu_analog.spice import ngspice
from lmu_analog.spice.cards import Source
from lmu_analog.spice.deck import Sweep, deck
from lmu_analog.spice.elements import element_cards
from lmu_analog.spice.readback import circuit_of, read_edited
from lmu_analog.spice.worker import Worker

REAL = {"gain": "100 dB", "gbw": "3 MHz", "output_current": "20 mA", "rail": "4.9 V"}


def design(order=3, **more) -> Design:
    return Design(**{"order": order, "theta": "20 ms", "taps": [0.5, 1.0], "opamp": REAL, **more})


def response(circuit, frequency):
    """Give states and taps over their gain, (f, d + t)."""
    return frequency_response(extract(reading_taps(circuit)), frequency)


# ---------------------------------------------------------------- loads


def test_a_load_divides_the_current_of_a_synapse_tap_and_leaves_the_memory():
    plain = build(design(family="rc-synapse"))
    (own,) = (c for c in plain.only(Resistor) if c.name == "Rtap1")
    loaded = build(design(family="rc-synapse", output_load=own.value))
    frequency = np.array([3.0, 17.0])
    before, after = response(plain, frequency), response(loaded, frequency)
    np.testing.assert_allclose(after[:, :3], before[:, :3], rtol=1e-12)
    np.testing.assert_allclose(after[:, 3], 0.5 * before[:, 3], rtol=1e-12)


def test_an_output_must_give_the_current_of_its_load_too():
    light, heavy = (build(design(output_load=load)) for load in (None, {"resistor": "600 ohm"}))
    asked = [
        {d.net: d for d in demands(c, design().stimulus) if d.quantity == "output current"}
        for c in (light, heavy)
    ]
    volts = {d.net: d.peak for d in demands(heavy, design().stimulus) if d.quantity == "output voltage"}
    for net in ("tap1", "tap2"):
        # A tap has nothing else to drive but its own feedback resistor, which takes current of the same sign.
        own, whole = abs(asked[0][net].peak), abs(asked[1][net].peak)
        assert whole - own == pytest.approx(abs(volts[net]) / 600.0, rel=0.02)
    assert asked[0]["x0"].peak == asked[1]["x0"].peak


def test_without_taps_the_load_is_at_every_state_and_of_a_pair_between_its_nets():
    names = {c.name for c in build(design(taps=[], output_load="10 kohm")).components}
    assert {"Rload_x0", "Rload_x1", "Rload_x2"} <= names
    pair = {"resistor": "10 kohm", "capacitor": "1 nF"}
    names = {
        c.name
        for c in build(design(family="active-rc-differential", taps=[1.0], output_load=pair)).components
    }
    assert {"Rload_tap1", "Cload_tap1"} <= names


def test_a_capacitor_at_an_ideal_output_changes_nothing():
    frequency = np.array([3.0, 17.0])
    plain, loaded = (build(design(opamp="ideal", output_load=load)) for load in (None, {"capacitor": "1 uF"}))
    np.testing.assert_allclose(response(loaded, frequency), response(plain, frequency), rtol=1e-12)


def test_a_load_is_the_receivers_and_is_not_ordered():
    asked = design(output_load={"resistor": "1.23 kohm", "capacitor": "1 nF"}, capacitance="10 nF")
    rows = list(csv.DictReader(io.StringIO(bom(asked, build(asked)))))
    assert rows == list(csv.DictReader(io.StringIO(bom(asked, build(design(capacitance="10 nF"))))))


def test_families_without_an_interface_refuse_it_in_a_line():
    with pytest.raises(DesignError, match=r"^\[circuit\] load: gm-c circuits take none; active-rc, .* do$"):
        design(family="gm-c", output_load="10 kohm")


# ---------------------------------------------------------------- the input buffer


@pytest.mark.parametrize("order", range(1, HIGHEST_ORDER + 1))
def test_poles_are_those_of_scipy(order):
    for response, made in (
        ("butterworth", signal.buttap(order)),
        ("bessel", signal.besselap(order, norm="mag")),
    ):
        # Roots of a polynomial of this order lose some digits.
        np.testing.assert_allclose(
            np.sort_complex(poles(order, response)), np.sort_complex(made[1]), rtol=0, atol=1e-9
        )


@pytest.mark.parametrize("family", ["active-rc", "active-rc-differential", "rc-synapse"])
@pytest.mark.parametrize(("order", "response_"), [(0, ""), (1, "bessel"), (2, "bessel"), (5, "butterworth")])
def test_the_memory_gets_what_the_filter_leaves(family, order, response_):
    buffer = {"order": order, "bandwidth": "800 Hz", "response": response_} if order else "buffer"
    asked = design(family=family, opamp="ideal", input_buffer=buffer)
    frequency = np.array([3.0, 50.0, 700.0, 3000.0])
    s = 2j * np.pi * frequency
    passed = np.ones(4)
    if order:
        make = {"bessel": partial(signal.bessel, norm="mag"), "butterworth": signal.butter}[response_]
        passed = np.polyval((made := make(order, 2 * np.pi * 800.0, analog=True))[0], s) / np.polyval(
            made[1], s
        )
    alone = response(build(asked.replace(input_buffer=None)), frequency)
    # Values have twelve digits.
    np.testing.assert_allclose(response(build(asked), frequency), passed[:, None] * alone, rtol=1e-8)


@pytest.mark.parametrize("family", ["active-rc", "active-rc-differential"])
def test_a_filter_of_standard_values_comes_close(family):
    asked = design(
        family=family, opamp="ideal", values="E96", input_buffer={"order": 4, "bandwidth": "2 kHz"}
    )
    circuit = build(asked)
    frequency = np.linspace(50.0, 2000.0, 20)
    s = 2j * np.pi * frequency
    b, a = signal.butter(4, 2 * np.pi * 2000.0, analog=True)
    plain = response(build(asked.replace(input_buffer=None)), frequency)[:, 0]
    made = response(circuit, frequency)[:, 0] / plain
    # E96 is within 1.2 % of any value, and the resistors of a section act together.
    assert 1e-6 < np.abs(made / (np.polyval(b, s) / np.polyval(a, s)) - 1.0).max() < 0.03
    own = [c for c in circuit.components if c.name.startswith(("Rin_", "Cin_"))]
    for c in own:
        assert c.value == pytest.approx(
            float(nearest(c.value, "E96" if c.name[0] == "R" else "E12")), rel=1e-12
        )
        low, high = DISCRETE[type(c)]
        assert low <= c.value <= high
    assert len(own) == (20 if family.endswith("differential") else 8)


@pytest.mark.parametrize("family", ["active-rc", "active-rc-differential", "rc-synapse"])
def test_without_its_interface_the_memory_is_as_its_family_made_it(family):
    asked = design(family=family, capacitance="10 nF")
    around = asked.replace(output_load="10 kohm", input_buffer={"order": 3, "bandwidth": "2 kHz"})
    assert without_interface(build(around)) == build(asked)
    leaking = (build(each.replace(leakage=100.0)) for each in (around, asked))
    assert without_interface(next(leaking)) == next(leaking)
    assert len(build(around).components) > len(build(asked).components)


def test_the_filter_counts_as_error_and_is_told():
    asked = design(opamp="ideal", input_buffer={"order": 2, "bandwidth": "200 Hz"})
    found, plain = simulate(asked), simulate(asked.replace(input_buffer=None))
    (line,) = (text for text in found.attrs["warnings"] if text.startswith("input filter"))
    # The delay of a Butterworth filter of second order at low frequency is sqrt(2)/w_c.
    assert f"{1e3 * np.sqrt(2) / (2 * np.pi * 200.0):.2g} ms late" in line
    w = 2j * np.pi * np.asarray(asked.stimulus.frequency) / (2 * np.pi * 200.0)
    late = 1.0 / (1.0 + np.sqrt(2.0) * w + w**2)
    ideal = frequency_response(legendre(3, asked.theta), asked.stimulus.frequency)
    rows = readout(3, quadrature_for(3).r)
    wanted = np.exp(-2j * np.pi * np.outer(asked.stimulus.frequency, asked.theta * quadrature_for(3).r))
    power = np.mean(np.abs((late[:, None] * ideal) @ rows.T - wanted) ** 2, axis=0) @ quadrature_for(3).weight
    assert found.window_nrmse.item() == pytest.approx(np.sqrt(power), rel=1e-4)
    assert found.window_nrmse.item() > 1.01 * plain.window_nrmse.item()


@pytest.mark.parametrize(("given", "message"), [
    ({"order": 0, "bandwidth": "1 kHz"}, "order: 0 is no whole number from 1 to 8"),
    ({"order": 2}, "bandwidth is missing: where the filter is 3 dB down"),
    ({"order": 2, "bandwidth": "1 kHz", "response": "chebyshev"}, "response: unknown 'chebyshev'; known are "),
    ("filter", "'buffer', or { order = 2, bandwidth = '1 kHz', response = 'butterworth' }, not 'filter'"),
])  # fmt: skip
def test_a_wrong_filter_is_refused(given, message):
    with pytest.raises(DesignError, match=rf"^\[circuit\] input: {re.escape(message)}"):
        design(input_buffer=given)


def test_a_filter_without_practical_parts_names_a_bandwidth_that_has_some():
    asked = design(input_buffer={"order": 1, "bandwidth": "100 MHz"})
    (line,) = (text for text in value_warnings(asked, build(asked)) if "[circuit] input" in text)
    named = re.search(r'bandwidth = "(.+)" keeps', line)
    near = asked.replace(input_buffer={"order": 1, "bandwidth": named[1]})
    parts = [
        c
        for c in build(near).only(Resistor, Capacitor)
        if "in_" in c.name and c.role.startswith("input buffer")
    ]
    assert all(DISCRETE[type(c)][0] <= c.value <= DISCRETE[type(c)][1] for c in parts)
    assert len(parts) == 2
    assert not any("[circuit] input" in text for text in value_warnings(near, build(near)))


def test_what_a_load_or_a_weight_does_beyond_limits_is_told():
    asked = design(family="rc-synapse", opamp="ideal", output_load="10 kohm")
    (line,) = (text for text in value_warnings(asked, build(asked)) if text.startswith("load"))
    # The tap is a current into 10 kOhm, which as much beside it halves; 1 MOhm takes one part in 101.
    assert "by 50 % of a flat band" in line
    assert "[circuit] load of 1 MOhm or more" in line
    wide = design(outputs=[{"weights": [1.0, 1e-4, 0.5]}], taps=[0.5])
    (line,) = (text for text in value_warnings(wide, build(wide)) if text.startswith("values"))
    assert line.startswith("values: no resistors within these limits make the weights of out1: ")
    driven = design(output_load="10 kohm")
    assert not any(text.startswith("load") for text in value_warnings(driven, build(driven)))


# ---------------------------------------------------------------- a single supply

ALL = {
    "supply": "5 V",
    "reference": "mid",
    "input_buffer": {"order": 3, "bandwidth": "2 kHz"},
    "output_load": {"resistor": "3 kohm", "capacitor": "10 nF"},
}
SINGLE = {"gain": "100 dB", "gbw": "3 MHz", "slew": "2 V/us", "swing": ["0.1 V", "0.1 V"], "bias": "1 pA"}
FAMILIES_OF_BOARDS = ("active-rc", "active-rc-differential", "rc-synapse")


@pytest.fixture(scope="module")
def worker():
    with Worker() as started:
        yield started


@pytest.mark.ngspice
@pytest.mark.parametrize("family", FAMILIES_OF_BOARDS)
@pytest.mark.parametrize("order", [3, 6])
@pytest.mark.parametrize(
    "opamp", ["ideal", {**SINGLE, "output_resistance": "100 Ohm"}], ids=["ideal", "real"]
)
def test_ngspice_finds_the_same_response_with_all_of_it(worker, family, order, opamp):
    circuit = build(design(order, family=family, opamp=opamp, **ALL))
    sweep = Sweep(6, 0.2 * design(order).bandwidth, 3.0 * design(order).bandwidth)
    vectors = worker.call(ngspice.run_here, (deck(circuit, sweep), sweep), timeout=60.0)
    read = reading_taps(circuit).probes
    seen = np.stack([sum(t.factor * vectors[f"v({t.of.lower()})"] for t in p) for p in read], -1)
    wanted = response(circuit, np.real(vectors["frequency"]))
    # Ideal op-amps have a gain of 1e8 in the deck.
    assert np.abs(seen - wanted).max() < 2e-6 * np.abs(wanted).max()
    # What the deck says by itself is the same, too.
    back = circuit_of(read_edited(deck(circuit, sweep)))
    np.testing.assert_allclose(
        frequency_response(extract(back), np.array([20.0, 90.0])),
        frequency_response(extract(circuit), np.array([20.0, 90.0])),
        rtol=1e-6,
    )


@pytest.mark.ngspice
@pytest.mark.parametrize("family", ["active-rc", "active-rc-differential"])
def test_ngspice_finds_the_same_step_with_all_of_it(family):
    asked = design(1, family=family, opamp=SINGLE, signal="step", headroom="70 %", **ALL)
    exact, run = simulate(asked), simulate(asked, engine="ngspice")
    assert distance(exact, run) < 1e-4
    np.testing.assert_allclose(run.taps, exact.taps, atol=1e-4)


def voltages(circuit, values=None):
    """Give the voltage at rest of every net that is no source's."""
    nets = [net for net in circuit.nets if net != circuit.source]
    probes = tuple((Term("v", net, 1.0),) for net in nets)
    return dict(zip(nets, extract(replace(circuit, probes=probes, taps=()), values).offset, strict=True))


@pytest.mark.parametrize("family", FAMILIES_OF_BOARDS)
def test_all_rests_at_the_reference(family):
    circuit = build(design(family=family, opamp="ideal", **ALL))
    rest = voltages(circuit)
    assert rest.pop("VCC") == pytest.approx(5.0)
    np.testing.assert_allclose(list(rest.values()), 2.5, rtol=1e-9)
    # A divider that is off moves the reference, and signals with it; states and taps are read against it.
    values = np.array([1.1 * p.nominal if p.name == "Rref_a" else p.nominal for p in circuit.parameters])
    moved = voltages(circuit, values)
    if not family.endswith("differential"):  # there the divider has the input's common mode to carry
        assert moved["vref"] == pytest.approx(5.0 / 2.1)
    assert 2.3 < moved["vref"] < 2.45
    np.testing.assert_allclose(extract(reading_taps(circuit), values).offset, 0.0, atol=1e-9)


def test_finite_gain_leaves_an_output_amid_its_supply():
    rest = voltages(build(design(opamp={"gain": "40 dB", "gbw": "1 MHz"}, taps=[], reference="mid")))
    # The reference's follower has 2.5 V at its input and, in the middle of its supply, no error to make.
    assert rest["vref"] == pytest.approx(2.5, rel=1e-12)
    np.testing.assert_allclose([rest[f"x{i}"] for i in range(3)], 2.5, rtol=1e-9)


def test_a_single_supply_is_as_good_as_two_of_half():
    single, two = (
        design(opamp=SINGLE, taps=[], headroom="1 %", signal="sine", **more)
        for more in ({"reference": "mid"}, {"supply": "2.5 V"})
    )
    assert without_interface(build(single)) == without_interface(build(two)) == build(two)
    frequency = np.array([3.0, 40.0])
    np.testing.assert_allclose(response(build(single), frequency), response(build(two), frequency), rtol=1e-9)
    powers = [noise(d).attrs["band_v2"] for d in (single, two)]
    assert powers[0] == pytest.approx(powers[1], rel=1e-6)  # that of the divider rides with all signals
    # Outputs saturate about the middle: in the steady state, and on the way through a recording.
    third = [nonlinear(build(d), d.stimulus).phasor[0, 2] for d in (single, two)]
    assert np.abs(third[0]).max() > 1e-9
    np.testing.assert_allclose(*third, rtol=0, atol=1e-4 * np.abs(third[0]).max())
    profiles = [recorded(d.replace(signal="chirp"))[0] for d in (single, two)]
    np.testing.assert_allclose(*profiles, rtol=1e-6)


def recorded(asked):
    """Give the profile of a nonlinear circuit for a recording, (1, q)."""
    circuit = build(asked)
    values = circuit.values[None]
    instants, limited = grid(asked.stimulus, asked.theta), limits(circuit, Index(circuit), values)
    rule = places(instants.stimulus, asked.order, asked.theta)
    truth = ideal_window(instants, asked.theta, rule)
    solved, profile = recorded_profiles(
        circuit, values, limited, recording=instants.stimulus, truth=truth, rule=rule
    )
    assert solved.all()
    return profile


@pytest.mark.parametrize("family", FAMILIES_OF_BOARDS)
def test_both_solvers_know_where_all_rests(family):
    asked = design(family=family, opamp=SINGLE, mismatch={"resistor": "1 %"}, **{**ALL, "output_load": None})
    found = [exact_chunk(asked, 1, range(3), solver=name) for name in ("per-frequency", "state-space")]
    # An output of a pair that is eliminated has the middle of the supply in it, which the window has not.
    np.testing.assert_allclose(found[0].window_nrmse, found[1].window_nrmse, rtol=1e-6)
    assert found[0].window_nrmse.max() < 0.5


def test_limits_are_told_against_ground():
    narrow = {**SINGLE, "common_mode": ["0.5 V", "1.5 V"]}
    asked = design(opamp=narrow, input_buffer="buffer", reference="mid", signal="sine")
    found = {(d.element, d.quantity): d for d in demands(build(asked), asked.stimulus)}
    tap, two = found["Utap1", "output voltage"], asked.replace(reference="ground", supply="2.5 V")
    same = {(d.element, d.quantity): d for d in demands(build(two), two.stimulus)}["Utap1", "output voltage"]
    assert tap.peak == pytest.approx(2.5 + same.peak, abs=1e-6)
    assert {round(tap.limit, 9), round(same.limit, 9)} in ({0.1, -2.4}, {4.9, 2.4})
    assert tap.share == pytest.approx(same.share)
    buffer = found["Uin_1", "common mode"]  # its inputs follow the signal of 0.5 V
    assert buffer.peak == pytest.approx(3.0, abs=2e-3)
    assert buffer.limit == pytest.approx(3.5)
    assert buffer.share == pytest.approx(0.5, abs=2e-3)


def test_what_a_bench_finds_is_at_the_reference():
    plan = plan_of(design(opamp=SINGLE, reference="mid"), samples=20)
    rest = dict(zip((p.of for p in plan.points), plan.dc.nominal, strict=True))
    assert rest.keys() == {"x0", "x1", "x2", "tap1", "tap2", "vref"}
    np.testing.assert_allclose(list(rest.values()), 2.5, atol=1e-3)
    assert np.abs(plan.response.nominal[0] - 2.5).max() < 1e-2
    assert np.abs(plan.response.nominal - 2.5).max() > 0.1


def test_taps_are_recorded_against_the_reference(tmp_path):
    asked = design(opamp=SINGLE, reference="mid")
    circuit = build(asked)
    plan = plan_of(asked, samples=2)
    told = content(asked, circuit, plan, design_file="d.toml")
    read_of = {row[0]: row[-1].split() for row in point_table(plan, told).rows}
    assert read_of["v(vref)"] == ["m0,", "m1,", "m2"]
    assert read_of["v(x0)"][:2] == ["m0", "="]
    columns = told["record"]["taps"]["columns"]
    assert columns == ["time", "input", "v(tap1)", "v(vref)", "v(tap2)"]
    path = tmp_path / "taps.csv"
    rows = [[k, 1.0, 2.5 + k, 2.5, 2.5 - k] for k in range(3)]
    path.write_text("\n".join(",".join(map(str, row)) for row in [columns, *rows]))
    found = read_measurement(path, circuit)
    assert found.kind == "taps"
    np.testing.assert_allclose(found.values, [[k, -k] for k in range(3)])
    path.write_text("time,input,v(tap1)\n0,1,1\n1,1,1\n2,1,1\n")
    with pytest.raises(DesignError, match=r"no column 'v\(vref\)'; tap1 is v\(tap1\) against v\(vref\)"):
        read_measurement(path, circuit)


@pytest.mark.parametrize(
    "more",
    [
        {"reference": "mid", "opamp": SINGLE},
        {"family": "active-rc-differential"},
        {"family": "dpi", "supply": 1.5},
    ],
)
def test_a_deck_names_the_net_of_a_tap_as_its_circuit_does(more):
    asked = Design(**{"order": 3, "theta": "20 ms", "taps": [0.5], "capacitance": "1 nF", **more})
    assert [tap.net for tap in circuit_of(read_edited(deck_text(asked))).taps] == ["tap1"]


def test_the_supply_feeds_the_divider_too():
    asked = design(opamp="MCP6004", reference="mid")
    found = resources(asked)
    assert found.power == pytest.approx(5.0 * found.current)
    (divider,) = (c for c in found.currents if c.what == "reference divider")
    assert divider.each == pytest.approx(5.0 / 20e3)
    board = assembly(asked, build(asked))
    # What the supply must give without a signal: 100 uA for every unit of the quads, used or not, and the divider.
    assert found.current_at_rest == pytest.approx(4 * len(board.packages) * 100e-6 + 5.0 / 20e3)
    assert found.current_at_rest < found.current
    assert f"supply 5 V, {1e3 * found.current_at_rest:.3g} mA without load" in bom(asked, build(asked))
    nets = {c.role: c.nets for c in board.connectors}
    assert nets["supply"] == ("VCC", "0")
    assert nets["input"] == ("u", "vref", "0")
    assert {p.component.name for p in board.placed} >= {"Rref_a", "Rref_b", "Cref", "Uref"}
    assert not any("VEE" in dict(p.pins).values() for p in (*board.placed, *board.extras))
    # Nothing need match the reference's capacitor, the largest of all, some thousand times a filter's.
    filtered = build(asked.replace(input_buffer={"order": 2, "bandwidth": "100 kHz"}))
    values = sorted(c.value for c in filtered.only(Capacitor))
    assert values[-1] == pytest.approx(1e-6)
    (line,) = (line for line in ranges.warnings(filtered) if line.startswith("capacitor spread"))
    assert f"{values[-2] / values[0]:.3g}" in line


@pytest.mark.parametrize(("given", "message"), [
    ({"family": "gm-c"}, "[circuit] reference: gm-c circuits take none; active-rc"),
    ({"opamp": {**SINGLE, "common_mode": ["2.6 V", "0 V"]}},
     "[circuit] reference: inputs of opamp take 2.6 to 5 V of a supply of 5 V, not its middle, 2.5 V; "),
    ({"opamp": {**SINGLE, "swing": ["0.1 V", "2.6 V"]}}, "[circuit] opamp: opamp: outputs stay 2.6 V from "),
    ({"opamp": "TL072"}, "[circuit] opamp: TL072 runs from 7 to 36 V in total; [circuit] supply gives 5 V in total; "),
])  # fmt: skip
def test_what_no_single_supply_can_do_is_refused(given, message):
    with pytest.raises(DesignError, match=f"^{re.escape(message)}"):
        design(reference="mid", **given)


def test_new_writes_a_single_supply(tmp_path):
    new_design({"order": 3, "supply": "5 V", "reference": "mid", "opamp": "MCP6002"}, tmp_path / "d.toml")
    found = Design.load(tmp_path / "d.toml")
    assert (found.rail, found.middle, found.opamp_model.rail) == (2.5, 2.5, pytest.approx(2.475))
    assert 'reference = "mid"' in (tmp_path / "d.toml").read_text()


def test_a_users_model_has_its_pins_at_the_single_supply(tmp_path):
    (tmp_path / "amp.lib").write_text(".subckt amp p n vcc vee out\nEout out vee p n 1e5\n.ends\n")
    model = {"model": str(tmp_path / "amp.lib"), "subcircuit": "amp", "figures": "table"}
    circuit = build(design(opamp={**SINGLE, **model}, reference="mid"))
    sources = {c.name: (c.nodes, c.dc) for c in element_cards(circuit.components) if isinstance(c, Source)}
    # Two sources of one net would leave their currents open.
    assert sources == {"Vsupply": (("VCC", "0"), "5.0"), "Vvee": (("vee", "0"), "0.0")}
