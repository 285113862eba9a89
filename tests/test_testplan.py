"""The page for the person with the board: what it expects is what other ways to compute it give."""

import json

import numpy as np
import pytest

from lmu_analog.analysis.testplan import plan_of
from lmu_analog.building import build
from lmu_analog.circuits.nodal.adjoint import derivatives
from lmu_analog.cli import run_command
from lmu_analog.design import Design
from lmu_analog.ensembles.sampling import planned_circuit
from lmu_analog.errors import DesignError
from lmu_analog.spice import ngspice
from lmu_analog.spice.deck import Sweep, deck

TEXT = (
    '[memory]\norder = 3\ntheta = "1 ms"\n[signal]\nbandwidth = "500 Hz"\n'
    '[circuit]\nopamp = "OPA2192"\n[mismatch]\nresistor = "1 %"\ncapacitor = "1 %"\n'
)
DESIGN = Design(
    order=3,
    theta="1 ms",
    bandwidth="500 Hz",
    opamp="OPA2192",
    mismatch={"resistor": "1 %", "capacitor": "1 %"},
)


@pytest.mark.ngspice
def test_amplitudes_and_phases_are_those_of_ngspice():
    plan, circuit = plan_of(DESIGN, samples=20), build(DESIGN)
    sweep = Sweep(3, float(plan.frequency[1]), float(plan.frequency[2]))
    vectors = ngspice.run(deck(circuit, sweep), sweep)
    for k, point in enumerate(plan.points):
        wave = vectors[f"v({point.of})"][[0, -1]]
        # ngspice has the second pole of the op-amps' outputs; in the band that is 1e-4.
        np.testing.assert_allclose(plan.magnitude.nominal[1:, k], plan.amplitude * np.abs(wave), rtol=1e-3)
        np.testing.assert_allclose(plan.phase.nominal[1:, k], np.degrees(np.angle(wave)), atol=0.1)


def test_most_boards_lie_within_the_spread_and_one_in_ten_does_not():
    plan = plan_of(DESIGN, samples=200)
    inside = []
    for index in range(200, 300):  # others than those of the plan
        board = planned_circuit(DESIGN, seed=0, index=index)
        states = derivatives(board, plan.frequency).states
        factors = np.array([p[0].factor for p in board.probes])
        size = plan.amplitude * np.abs(states / factors)
        inside.append((size > plan.magnitude.p05) & (size < plan.magnitude.p95))
    # 0.9, with the scatter of 100 boards and of the percentiles of 200: 0.03 each.
    np.testing.assert_allclose(np.mean(inside, axis=0), 0.9, atol=0.12)


def test_offsets_at_rest_spread_as_first_order_theory_says():
    plan, circuit = plan_of(DESIGN, samples=400), build(DESIGN)
    found = derivatives(circuit, plan.frequency)
    factors = np.array([p[0].factor for p in circuit.probes])
    models = {c.name: c.model for c in circuit.amplifiers}
    largest = [
        models[p.component].offset_max if p.name.endswith(".offset") else 0.0 for p in circuit.parameters
    ]
    sigma = np.sqrt(((found.offset_by_parameter * np.array(largest) / 3.0) ** 2).sum(axis=1)) / np.abs(
        factors
    )
    np.testing.assert_allclose(plan.dc.nominal, found.offset / factors, rtol=1e-6, atol=1e-12)
    # 5 % to 95 % of a normal law; truncated at 3 sigma, and percentiles of 400 boards scatter by 5 %.
    np.testing.assert_allclose(plan.dc.p95 - plan.dc.p05, 2.0 * 1.645 * sigma, rtol=0.2)


def test_a_step_ends_at_the_mean_of_the_window_and_outputs_have_room():
    plan, circuit = plan_of(DESIGN, samples=20), build(DESIGN)
    factors = np.array([p[0].factor for p in circuit.probes])
    # m0 is the mean of a constant window, the others are 0; op-amps with finite gain and offsets err by 1e-4.
    np.testing.assert_allclose(
        plan.response.nominal[-1] * factors, [plan.step, 0.0, 0.0], atol=1e-3 * plan.step
    )
    assert np.all(np.abs(plan.response.nominal) < 4.9)
    assert np.all(plan.response.p05 <= plan.response.p95)
    large = plan_of(DESIGN.replace(headroom="0 %", amplitude="3 V"), samples=5)
    assert np.abs(large.response.nominal).max() < 4.9


@pytest.mark.parametrize(
    "changes",
    [
        {"family": "active-rc-differential", "realization": "legendre"},
        {"family": "gm-c", "realization": "legendre", "opamp": "ideal"},
        {"family": "passive-rlc", "realization": "rlc-ladder", "opamp": "ideal", "order": 4},
        {"family": "switched-capacitor", "realization": "legendre", "mismatch": {"capacitor": "1 %"}},
    ],
)
def test_every_family_has_a_plan(changes):
    plan = plan_of(DESIGN.replace(**changes), samples=10)
    count = len(plan.points)
    assert plan.magnitude.nominal.shape == (3, count) == plan.phase.p05.shape
    assert plan.response.p95.shape == (len(plan.time), count)
    assert np.all(plan.magnitude.p05 <= plan.magnitude.p95)
    assert all(np.isfinite(part).all() for part in (plan.dc.nominal, plan.response.p05, plan.phase.p95))


TAPPED = DESIGN.replace(taps=[0.25, {"r": 1.0, "gain": 2.0}], outputs=[{"weights": [0.0, 1.0, 0.0]}])


@pytest.mark.ngspice
@pytest.mark.parametrize("family", ["active-rc", "active-rc-differential"])
def test_taps_are_those_of_ngspice_beside_what_they_are_to_show(family):
    design = TAPPED.replace(family=family)
    plan, circuit = plan_of(design, samples=20), build(design)
    sweep = Sweep(3, float(plan.frequency[1]), float(plan.frequency[2]))
    vectors = ngspice.run(deck(circuit, sweep), sweep)
    for k, tap in enumerate(circuit.taps):
        wave = sum(t.factor * vectors[f"v({t.of.lower()})"][[0, -1]] for t in tap.terms)
        # As for the states; the second pole of op-amps counts at every amplifier on the way.
        np.testing.assert_allclose(
            plan.taps.magnitude.nominal[1:, k], plan.amplitude * np.abs(wave), rtol=2e-3
        )
        np.testing.assert_allclose(plan.taps.phase.nominal[1:, k], np.degrees(np.angle(wave)), atol=0.2)
        assert {(t.kind, t.of) for t in tap.terms} <= {(p.kind, p.of) for p in plan.points}
    turns = np.exp(-2j * np.pi * plan.frequency[:, None] * design.theta * np.array([0.25, 1.0]))
    np.testing.assert_allclose(plan.taps.wanted[:, :2], turns * [1.0, 2.0], rtol=1e-12)
    assert np.all(plan.taps.magnitude.p05 < plan.taps.magnitude.p95)
    assert np.all(plan.taps.dc.p05 < plan.taps.dc.p95)


def test_states_that_are_currents_of_transistors_have_no_plan():
    design = Design(order=2, theta="1 ms", family="dpi", taps=[1.0])
    with pytest.raises(
        DesignError, match=r"^no test plan: states of dpi circuits are currents of transistors"
    ):
        plan_of(design, samples=2)
    plan = plan_of(Design(order=2, theta="1 ms", family="gm-c", level="transistor"), samples=2)
    assert [p.kind for p in plan.points] == ["v", "v"]


def test_taps_end_a_step_where_the_input_is_times_their_gain():
    plan = plan_of(TAPPED, samples=20)
    last, ideal = plan.taps.response.nominal[-1], plan.taps.ideal
    # The last output is the first Legendre state, of which a constant input leaves nothing.
    np.testing.assert_allclose(last, plan.step * np.array([1.0, 2.0, 0.0]), atol=1e-3 * plan.step)
    late = plan.time[:, None] - DESIGN.theta * np.array([0.25, 1.0])
    edges = np.abs(late) < plan.time[1]
    wanted = np.where(late > 0.0, plan.step * np.array([1.0, 2.0]), 0.0)
    np.testing.assert_allclose(ideal[:, :2][~edges], wanted[~edges])
    assert plan_of(DESIGN, samples=5).taps is None


def test_the_page_has_taps_and_how_to_score_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = TEXT.replace("[circuit]\n", "[circuit]\ntaps = [0.25, { r = 1.0, gain = 2.0 }]\n")
    (tmp_path / "board.toml").write_text(text)
    assert run_command(["export", "board.toml", "--to", "testplan", "-o", "plan.html"]) == 0
    page, numbers = (tmp_path / "plan.html").read_text(), json.loads((tmp_path / "plan.json").read_text())
    assert page.count("<svg") == 2
    assert "<td>2 u(t\N{NO-BREAK SPACE}−\N{NO-BREAK SPACE}1\N{NO-BREAK SPACE}θ)</td>" in page
    assert "lmu-analog analyze board.toml --measured taps.csv" in page
    # States alone in the recording of the board; taps by their nets in one of their own, as analyze reads them.
    assert numbers["record"]["columns"] == ["time", "input", "v(x0)", "v(x1)", "v(x2)"]
    assert numbers["record"]["taps"]["columns"] == ["time", "input", "v(tap1)", "v(tap2)"]
    plan = plan_of(Design.load("board.toml"))
    tap = numbers["taps"][1]
    assert (tap["name"], tap["points"], tap["r"], tap["gain"]) == ("tap2", ["v(tap2)"], 1.0, 2.0)
    for i, at in enumerate(tap["frequencies"]):
        assert at["amplitude"]["p95"] == pytest.approx(plan.taps.magnitude.p95[i, 1], rel=1e-9)
        assert at["ideal_amplitude"] == pytest.approx(2.0 * plan.amplitude, rel=1e-12)
    assert len(tap["step"]["ideal"]) == len(numbers["step"]["time"])


def test_exact_parts_leave_offsets_alone_to_spread():
    plan = plan_of(DESIGN.replace(mismatch={}), samples=10)
    np.testing.assert_allclose(plan.magnitude.p05, plan.magnitude.p95, rtol=1e-7)  # rounding of small states
    assert np.all(plan.dc.p05 < plan.dc.p95)


def test_the_command_writes_a_page_that_needs_nothing_else_and_its_numbers(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "board.toml").write_text(TEXT)
    command = ["export", "board.toml", "--to", "testplan", "-o"]
    assert run_command([*command, "plan.html"]) == 0
    page, numbers = (tmp_path / "plan.html").read_text(), json.loads((tmp_path / "plan.json").read_text())
    assert "lmu-analog analyze board.toml --measured board.csv" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org/1999/xlink", "")
    assert numbers["record"]["columns"] == ["time", "input", "v(x0)", "v(x1)", "v(x2)"]
    assert [s["volts"] for s in numbers["supplies"]] == [5.0, -5.0]
    assert [f["frequency"] for f in numbers["frequencies"]] == [50.0, 250.0, 500.0]
    assert numbers["ensemble"]["samples"] == 200
    assert numbers["ensemble"]["seed"] == 0
    assert ["Ra_1_0", "Rinv_x0_in", "Rinv_x0_fb"] in numbers["alike"]
    plan = plan_of(DESIGN)
    first = numbers["frequencies"][0]["points"][0]
    assert first["amplitude"]["nominal"] == pytest.approx(plan.magnitude.nominal[0, 0], rel=1e-9)
    assert run_command([*command, "plan.txt"]) == 2
    assert "-o plan.txt: testplan files end in .html; give such a name" in capsys.readouterr().err
    assert run_command([*command, "plan.html", "--sample", "3"]) == 2
    assert "a test plan is for every board; leave it out" in capsys.readouterr().err
