"""A wrong part is named from recorded states, with what looks like it; a healthy board has none."""

import json

import numpy as np
import pytest

from lmu_analog.analysis.faults import diagnose
from lmu_analog.analysis.measurement import Measurement
from lmu_analog.building import build
from lmu_analog.circuits.circuit import with_values
from lmu_analog.circuits.nodal.altered import altered
from lmu_analog.circuits.nodal.clamped import operating_point
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.cli import run_command
from lmu_analog.design import Design
from lmu_analog.ensembles.sampling import planned_circuit
from lmu_analog.errors import DesignError
from lmu_analog.memory.statespace import frequency_response
from lmu_analog.output.bench import fault_text
from lmu_analog.simulation import Grid, exact_states, ngspice_task, settling
from lmu_analog.spice import ngspice
from lmu_analog.stimulus import Recording

PARTS = {"resistor": "1 %", "capacitor": "1 %"}
DESIGN = Design(order=3, theta="1 ms", bandwidth="500 Hz", opamp="OPA2192", mismatch=PARTS)
STEP = 1e-5  # s, 200 points in a period of the highest tone: straight lines are 1e-4 off


def changed(circuit, **factors):
    """Give a circuit with values times factors."""
    names = [p.name for p in circuit.parameters]
    values = circuit.values.copy()
    for name, factor in factors.items():
        values[names.index(name)] *= factor
    return with_values(circuit, values)


def recorded(circuit, *, design=DESIGN, share=1.0, noise=0.0):
    """Record a board from rest through a state space in the time domain, as a logger does."""
    time = np.arange(0.0, 40.0 * design.theta, STEP)
    drive = share * design.stimulus(time)
    states = exact_states(extract(circuit), Grid(Recording(STEP, drive), time, drive))
    states += noise * np.random.default_rng(0).standard_normal(states.shape)
    return Measurement(time, drive, "states", states, np.empty(0))


@pytest.mark.parametrize(
    ("family", "realization"),
    [("active-rc", "cap-feedforward"), ("active-rc-differential", "legendre"), ("gm-c", "legendre"),
     ("passive-rlc", "rlc-ladder")],
)  # fmt: skip
def test_an_altered_circuit_answers_as_one_built_with_that_value(family, realization):
    amplifiers = {"opamp": "OPA2192"} if family.startswith("active") else {}
    circuit = build(DESIGN.replace(family=family, realization=realization, **amplifiers))
    frequency = np.array([10.0, 300.0, 4000.0])
    found = altered(circuit, 2j * np.pi * frequency)
    elements = np.flatnonzero(found.is_element)
    for k in elements[:: max(1, len(elements) // 8)]:
        for change in (-0.999, -0.3, 50.0):
            factor = 1.0 / (1.0 + change) if found.is_reciprocal[k] else 1.0 + change
            name = circuit.parameters[found.parameter[k]].name
            expected = frequency_response(extract(changed(circuit, **{name: factor})), frequency)
            answer = found.responses((int(k),), np.array([change]))[:, :, 0]
            # Two ways to solve the same equations, whose entries span eight decades.
            np.testing.assert_allclose(answer, expected, rtol=1e-7, atol=1e-9)


def test_two_altered_elements_answer_as_a_circuit_with_both():
    circuit, frequency = build(DESIGN), np.array([10.0, 300.0, 4000.0])
    found = altered(circuit, 2j * np.pi * frequency)
    names = [circuit.parameters[p].name for p in found.parameter]
    pair = names.index("Ra_2_1"), names.index("Rsum_0")
    expected = frequency_response(extract(changed(circuit, Ra_2_1=2.0, Rsum_0=0.25)), frequency)
    change = np.array([0.5, 4.0]) - 1.0
    np.testing.assert_allclose(found.responses(pair, change)[:, :, 0], expected, rtol=1e-7)
    np.testing.assert_allclose(found.driven(np.array([pair]), change[None])[:, :, 0], expected, rtol=1e-7)


@pytest.mark.parametrize(
    ("factors", "kind", "elements"),
    [
        ({"Cint_1": 1.1}, "value", {"Cint_1"}),
        ({"Rs_1": 0.8}, "value", {"Rs_1"}),
        ({"Rsum_3_bal": 1e9}, "open", {"Rsum_3_bal"}),
        # One resistor scales what the inverter of x0 puts out, another feeds it on: nothing else reads it.
        ({"Rinv_x0_fb": 1.15}, "value", {"Rinv_x0_fb", "Rinv_x0_in", "Ra_1_0"}),
    ],
)
def test_a_wrong_part_among_parts_of_one_percent_is_named_with_its_error(factors, kind, elements):
    ((name, factor),) = factors.items()
    board = changed(planned_circuit(DESIGN, seed=7, index=3, sampling="random"), **factors)
    found = diagnose(DESIGN, recorded(board), circuit=build(DESIGN))
    assert found.explained
    assert {fault.elements[0] for fault in found.faults} == elements
    named = next(fault for fault in found.faults if fault.elements == (name,))
    assert named.kind == kind
    if kind == "value":
        # The part has its own 1 % besides, and the interval is one of 95 %.
        true = factor_of(board, name)
        width = named.high - named.low
        assert named.low - width < true < named.high + width
        assert width < 0.05


def factor_of(board, name):
    """Give a part's value over the nominal one."""
    nominal = build(DESIGN)
    k = [p.name for p in nominal.parameters].index(name)
    return board.values[k] / nominal.values[k]


def test_two_exchanged_parts_are_named():
    nominal = build(DESIGN)
    at = {p.name: p.nominal for p in nominal.parameters}
    ratio = at["Rb_1"] / at["Ra_2_1"]
    board = changed(planned_circuit(DESIGN, seed=7, index=5), Rb_1=1.0 / ratio, Ra_2_1=ratio)
    found = diagnose(DESIGN, recorded(board), circuit=nominal)
    assert [(f.kind, set(f.elements)) for f in found.faults] == [("swap", {"Rb_1", "Ra_2_1"})]


@pytest.mark.parametrize("index", range(3))
def test_a_healthy_board_has_no_wrong_part_even_in_noise(index):
    board = planned_circuit(DESIGN, seed=8, index=index)
    found = diagnose(DESIGN, recorded(board, noise=1e-4 * index), circuit=build(DESIGN))
    assert found.faults == ()
    assert found.ratio < found.threshold
    assert found.explained


def test_noise_widens_the_interval_and_does_not_move_the_part():
    nominal = build(DESIGN)
    board = changed(nominal, Cint_2=0.85)
    quiet, noisy = (diagnose(DESIGN, recorded(board, noise=n), circuit=nominal) for n in (0.0, 1e-2))
    assert quiet.faults[0].elements == ("Cint_2",)
    assert ("Cint_2",) in [fault.elements for fault in noisy.faults]
    mine = next(fault for fault in noisy.faults if fault.elements == ("Cint_2",))
    assert mine.high - mine.low > quiet.faults[0].high - quiet.faults[0].low
    assert mine.low < 0.85 < mine.high


def test_a_board_with_two_wrong_parts_is_not_blamed_on_one_without_a_word():
    nominal = build(DESIGN)
    found = diagnose(DESIGN, recorded(changed(nominal, Cint_2=0.5, Rb_1=3.0)), circuit=nominal)
    assert not found.explained
    assert found.faults == ()


def test_resistors_of_an_inverter_look_alike():
    found = diagnose(DESIGN, recorded(build(DESIGN)), circuit=build(DESIGN))
    assert {"Rinv_u_in", "Rinv_u_fb", "Rb_0"} in [set(group) for group in found.groups]


def test_sampled_circuits_and_saturated_recordings_say_why_nothing_is_looked_for():
    sampled = Design(order=3, theta="1 ms", bandwidth="500 Hz", family="switched-capacitor")
    measured = recorded(build(DESIGN))
    with pytest.raises(DesignError, match="in linear circuits in continuous time; this one is sampled"):
        diagnose(sampled, measured, circuit=build(sampled))
    with pytest.raises(DesignError, match="too little of the recording lies within the linear range"):
        diagnose(DESIGN, recorded(build(DESIGN), share=1e3), circuit=build(DESIGN))


@pytest.mark.ngspice
def test_the_command_names_a_part_planted_in_a_deck(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.toml").write_text(
        '[memory]\norder = 3\ntheta = "1 ms"\n[signal]\nbandwidth = "500 Hz"\n'
        '[circuit]\nopamp = "OPA2192"\n[mismatch]\nresistor = "1 %"\ncapacitor = "1 %"\n'
    )
    healthy = planned_circuit(DESIGN, seed=1, index=0)
    settle = settling(extract(healthy), DESIGN.theta)
    for name, board in (("healthy", healthy), ("wrong", changed(healthy, Cint_1=1.12))):
        analysis, text, _ = ngspice_task(board, DESIGN.stimulus, settle=settle)
        vectors = ngspice.run(text, analysis)
        fresh = np.concatenate([[True], np.diff(vectors["time"]) > 0.0])
        table = np.column_stack([v[fresh] for v in vectors.values()])
        np.savetxt(f"{name}.csv", table, delimiter=",", header=",".join(vectors), comments="")
    assert run_command(["analyze", "d.toml", "--measured", "wrong.csv", "--json"]) == 0
    faults = json.loads(capsys.readouterr().out)["faults"]
    assert faults["verdict"] == "fault"
    assert [one["elements"] for one in faults["named"]] == [["Cint_1"]]
    assert faults["named"][0]["low"] < 1.12 * factor_of(healthy, "Cint_1") < faults["named"][0]["high"]
    assert run_command(["analyze", "d.toml", "--measured", "wrong.csv"]) == 0
    assert "Cint_1 is 1" in capsys.readouterr().out
    assert run_command(["analyze", "d.toml", "--measured", "healthy.csv"]) == 0
    assert "healthy  none of" in capsys.readouterr().out
    assert run_command(["analyze", "d.toml", "--measured", "healthy.csv", "--json", "--no-faults"]) == 0
    assert json.loads(capsys.readouterr().out)["faults"] is None


def test_the_operating_point_of_a_healthy_board_is_what_its_offsets_leave():
    circuit = build(DESIGN)
    found = operating_point(circuit)
    offset = extract(circuit).offset
    for probe, expected in zip(circuit.probes, offset, strict=True):
        # Two ways to solve the same equations.
        assert sum(t.factor * found[t.of] for t in probe) == pytest.approx(expected, rel=1e-6, abs=1e-12)
    flipped = operating_point(circuit, sign=-1.0)
    assert flipped["x0"] == pytest.approx(-found["x0"], rel=1e-9)


@pytest.mark.ngspice
def test_an_output_at_its_rail_is_traced_to_the_open_part(tmp_path):
    circuit = build(DESIGN)
    # Without it integrator 2 has no path at DC, and bias currents take it to a rail.
    board = changed(planned_circuit(DESIGN, seed=2, index=0), Ra_2_1=1e9)
    analysis, text, _ = ngspice_task(board, DESIGN.stimulus, settle=5e-3)
    vectors = ngspice.run(text, analysis)
    values = np.stack([sum(t.factor * vectors[f"v({t.of})"] for t in p) for p in circuit.probes], axis=-1)
    fresh = np.concatenate([[True], np.diff(vectors["time"]) > 0.0])
    measured = Measurement(
        vectors["time"][fresh], vectors["v(u)"][fresh], "states", values[fresh], np.empty(0)
    )
    found = diagnose(DESIGN, measured, circuit=circuit)
    assert found.evidence == "operating point"
    assert [(fault.kind, fault.elements) for fault in found.faults] == [("open", ("Ra_2_1",))]
    assert fault_text(found.faults[0]) == "Ra_2_1 is open"
    point = operating_point(changed(circuit, Ra_2_1=1e9))
    # Parts of 1 %, and rails that are rounded off over a quarter of a volt.
    assert point["x1"] == pytest.approx(float(np.mean(vectors["v(x1)"])), abs=0.25)
