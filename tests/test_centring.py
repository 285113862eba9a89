"""Centred values: exact slopes, an optimum that another optimiser finds, and a design file that says them."""

import json

import numpy as np
import pytest
from scipy import optimize

from lmu_analog.building import build
from lmu_analog.circuits.components import Capacitor, Resistor
from lmu_analog.circuits.devices.values import nearest
from lmu_analog.cli import run_command
from lmu_analog.codesign.centring import COST, _Problem, centre
from lmu_analog.design import Design
from lmu_analog.ensembles.exact import exact_chunk
from lmu_analog.errors import CircuitError, DesignError
from lmu_analog.mismatch.law import Mismatch
from lmu_analog.output import centring as shown
from lmu_analog.output.design_text import commented
from lmu_analog.theory.first_order import first_order, linearised
from lmu_analog.theory.second_order import added, relative_spreads

MISMATCH = {"resistor": "1 %", "capacitor": {"tolerance": "2 %", "lot": "3 %"}}
SLOW = Design(order=3, theta="40 us", opamp="TL072", mismatch=MISMATCH)
CIRCUITS = [
    SLOW,
    Design(order=3, theta="2 us", opamp="THS4551", supply=2.5, family="active-rc-differential", mismatch=MISMATCH),
    Design(order=3, theta="20 us", family="gm-c", transconductor={"gain": "50 dB", "parasitic": "0.2 pF"},
           mismatch={**MISMATCH, "transconductor": "1 %"}),
    Design(order=3, theta="100 us", family="passive-rlc", mismatch={**MISMATCH, "inductor": "2 %"}),
]  # fmt: skip


@pytest.mark.parametrize("design", CIRCUITS, ids=lambda design: design.family)
def test_slopes_of_what_is_made_least_are_those_of_finite_differences(design):
    problem = _Problem.of(design, capacitors=True, second_order=True)
    x = np.random.default_rng(0).uniform(-0.1, 0.1, len(problem.names))
    slope, step = problem.at(x).slope, 1e-4
    for k in range(0, len(x), 5):
        at = [problem.at(x + sign * step * np.eye(len(x))[k]).objective for sign in (2.0, 1.0, -1.0, -2.0)]
        quotient = (8.0 * (at[1] - at[2]) - (at[0] - at[3])) / (12.0 * step)
        # A rule of fourth order: its own error, and rounding over the step, are some 1e-10 of the largest slope.
        assert slope[k] == pytest.approx(quotient, abs=1e-6 * np.abs(slope).max())


@pytest.mark.parametrize(("design", "curved"), [(CIRCUITS[0].replace(mismatch=dict.fromkeys(MISMATCH, "10 %")), 0.0),
    (Design(order=3, theta="1 ms", bandwidth="3 kHz", realization="ladder",
            mismatch=dict.fromkeys(MISMATCH, "10 %")), 0.1),
])  # fmt: skip
def test_what_mismatch_adds_is_what_exact_circuits_have_more(design, curved):
    """To first order it is that of first-order theory; far from the window curvature counts, too."""
    circuit, theory = build(design), first_order(design)
    spreads = relative_spreads(circuit, Mismatch.of(design))
    found = added(design, circuit, spreads)
    assert found.spread == pytest.approx(theory.predicted_rms**2, rel=1e-9)
    square = exact_chunk(design, 0, range(20_000)).window_nrmse ** 2
    more, sigma = float(square.mean() - theory.nominal**2), float(square.std() / np.sqrt(len(square)))
    assert more == pytest.approx(found.spread + found.curvature, abs=4.0 * sigma)
    assert found.curvature > curved * found.spread
    assert curved == 0.0 or more - found.spread > 8.0 * sigma  # so that the curvature is seen


def test_no_other_optimiser_finds_more():
    design = CIRCUITS[2]
    problem = _Problem.of(design, capacitors=False, second_order=False)
    found, _ = problem.centred()
    cost = COST**2 * problem.start

    def residuals(x):
        return np.append(linearised(problem.over, problem.moved(x))[1], np.sqrt(cost) * x)

    def jacobian(x):
        circuit = problem.moved(x)
        slopes = linearised(problem.over, circuit)[2] * circuit.values
        return np.concatenate([slopes @ problem.columns.T, np.sqrt(cost) * np.eye(len(x))])

    bounds = problem._bounds(np.log(2.0))
    other = optimize.least_squares(residuals, problem.none, jacobian, bounds=bounds, max_nfev=100)
    start, mine = (float(np.sum(residuals(x) ** 2)) for x in (problem.none, found))
    # Both stop on a floor that is nearly flat.
    assert start - mine > 0.98 * (start - 2.0 * other.cost)
    assert mine < 0.2 * start


def test_centred_circuits_are_better_than_predistorted_ones():
    design = SLOW.replace(order=6, theta="100 us", bandwidth=None, mismatch=dict.fromkeys(MISMATCH, "1 %"))
    nominal, mean = (centre(design, second_order=second) for second in (False, True))
    assert nominal.predistorted is not None
    assert nominal.after.p95 < 0.86 * nominal.predistorted.p95 < 0.86 * nominal.before.p95
    assert nominal.after.check == pytest.approx(nominal.after.band, rel=1e-3)  # no fit to tones
    assert max(nominal.moves.values()) <= 2.0 + 1e-9
    # With the second order parts add less, and the nominal circuit is no longer the best.
    assert mean.after.p95 < 0.99 * nominal.after.p95
    assert mean.after.nominal > nominal.after.nominal
    errors = exact_chunk(nominal.design, 1, range(2000)).window_nrmse
    # A quantile of 2000 circuits has a sigma of 1 %; first-order theory is some percent off.
    assert np.quantile(errors, 0.95) == pytest.approx(nominal.after.p95, rel=0.05)
    assert np.isfinite(errors).all()  # all are stable


def test_a_pair_moves_together_and_a_series_is_kept():
    design = CIRCUITS[1].replace(order=2, bandwidth=None, values="E96", capacitance="22 pF")
    found = centre(design)
    assert {name for name in found.moves if name.endswith(("_p", "_n"))} == set()
    circuit = build(found.design)
    for kind, series in ((Resistor, "E96"), (Capacitor, "E12")):
        values = np.array([c.value for c in circuit.only(kind)])
        np.testing.assert_allclose(values, nearest(values, series), rtol=1e-9)
    assert found.exact is not None
    assert found.exact.band < found.before.band


def test_the_command_writes_the_design(tmp_path, capsys):
    (tmp_path / "d.toml").write_text(commented(CIRCUITS[2]))
    given = ["centre", str(tmp_path / "d.toml"), "-o", str(tmp_path / "c.toml"), "--json"]
    assert run_command(given) == 0
    said = json.loads(capsys.readouterr().out)
    made = Design.load(tmp_path / "c.toml")
    assert made.element_values == said["element_values"]
    assert first_order(made).nominal == said["after"]["nrmse"] < said["before"]["nrmse"]
    assert "moved most: G" in shown.text(said)
    assert run_command(given) == 2
    assert "c.toml exists" in capsys.readouterr().err


@pytest.mark.parametrize(("changes", "said"), [
    ({"family": "switched-capacitor", "opamp": "ideal"}, "values are centred in linear circuits whose values are free"),
    ({"family": "crossbar", "opamp": "ideal"}, "values are centred in linear circuits whose values are free"),
    ({"values": "E24", "pairs": 0.01}, r"\[circuit\] pairs: the two parts of a pair have no names of their own"),
    ({"mismatch": {}}, r"the second order of mismatch needs some: give \[mismatch\]"),
    ({"theta": "1 us"}, "the circuit is unstable as it is: take a faster op-amp, or a longer theta"),
])  # fmt: skip
def test_what_cannot_be_centred_says_why(changes, said):
    with pytest.raises(DesignError, match=said):
        centre(SLOW.replace(**changes), second_order=True)


def test_the_second_order_is_of_linear_circuits():
    design = Design(order=2, theta="1 ms", family="switched-capacitor", mismatch={"capacitor": "1 %"})
    circuit = build(design)
    with pytest.raises(CircuitError, match="known of linear circuits, not of switched-capacitor"):
        added(design, circuit, np.zeros((len(circuit.parameters), 1)))
