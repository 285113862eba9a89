"""Tolerances with their law, and the yield of parts that are uniform within them, beside that of the law."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from lmu_analog import Design, monte_carlo
from lmu_analog.analysis.calibration import calibrate
from lmu_analog.building import build
from lmu_analog.circuits.circuit import with_values
from lmu_analog.circuits.devices.tolerance import Tolerance, law_text
from lmu_analog.cli.app import app
from lmu_analog.ensembles import uniform
from lmu_analog.ensembles.exact import exact_chunk
from lmu_analog.ensembles.high_sigma import errors_of
from lmu_analog.ensembles.intervals import clopper_pearson
from lmu_analog.ensembles.uniform import applies, uniform_yield
from lmu_analog.ensembles.yields import yield_within
from lmu_analog.mismatch.law import Mismatch, draw, factor_uniform, sample
from lmu_analog.output import calibration as shown
from lmu_analog.output.design_text import commented
from lmu_analog.output.export.lists import COLUMNS, bom_rows
from lmu_analog.simulation import simulate

PARTS = {"resistor": "1 %", "capacitor": "1 %"}
DESIGN = Design(order=3, theta="1 ms", realization="cap-feedforward", mismatch=PARTS, nrmse="1.45 %")
EVEN = DESIGN.replace(mismatch={c: {"tolerance": "1 %", "distribution": "uniform"} for c in PARTS})


@pytest.mark.parametrize(
    ("tolerance", "words"),
    [
        (Tolerance(0.01), "1 %, normal, 3 sigma"),
        (Tolerance(0.01, "gauss"), "1 %, normal, 1 sigma"),
        (Tolerance(0.2, "uniform", lot=0.05), "20 %, uniform, lot 5 %"),
        (Tolerance(0.3, "lognormal"), "30 %, lognormal, 1 sigma"),
        (
            Tolerance(0.002, scale="units"),
            "0.2 %, normal, 3 sigma for the smallest, over the root of the units",
        ),
    ],
)
def test_a_tolerance_is_written_with_its_law(tolerance, words):
    assert law_text(tolerance) == words


def test_the_law_stands_wherever_a_tolerance_does():
    assert "# 1 %, normal, 3 sigma" in commented(DESIGN)
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in bom_rows(DESIGN, build(DESIGN))]
    assert {(r["tolerance_percent"], r["tolerance_law"]) for r in rows if r["kind"] == "resistor"} == {
        ("1", "normal, 3 sigma")
    }


@pytest.mark.parametrize(("distribution", "reach"), [("gauss3", 0.03), ("uniform", 0.03), ("gauss", 0.09)])
def test_uniform_parts_fill_three_sigma_evenly(distribution, reach):
    # Quantiles of the normal become those of the uniform law: -reach, -reach/2, 0, and so on.
    z = np.array([-40.0, -0.6744897501960817, 0.0, 0.6744897501960817, 40.0])
    wanted = 1.0 + reach * np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    np.testing.assert_allclose(factor_uniform(z, 0.03, distribution), wanted, rtol=1e-14)  # rounding


def test_lots_and_offsets_keep_their_law():
    design = Design(
        order=2,
        theta="1 ms",
        opamp="OPA2192",
        mismatch={"resistor": {"tolerance": "1 %", "lot": "2 %"}, "opamp": "0 %"},
    )
    circuit, law = build(design), Mismatch.of(design)
    z = draw(circuit, law, seed=0, samples=range(50))
    alone = Mismatch({"resistor": Tolerance(0.0, lot=0.02), "opamp": Tolerance(0.0)}, is_uniform=True)
    np.testing.assert_array_equal(sample(circuit, alone, z), sample(circuit, Mismatch(alone.classes), z))


def test_the_same_draws_evaluate_uniform_parts():
    run = monte_carlo(DESIGN, 300, seed=4, workers=1)
    found = uniform_yield(run, DESIGN)
    # The design that states the uniform law meets the same draws, so the same circuits, to the last bit.
    stated = monte_carlo(EVEN, 300, seed=4, workers=1)
    assert found == yield_within(stated, DESIGN.nrmse)
    assert 0.1 < found.value < yield_within(run, DESIGN.nrmse).value - 0.1


def test_a_uniform_part_is_that_of_a_circuit_built_by_hand():
    circuit, law = build(DESIGN), Mismatch.of(DESIGN)
    z = draw(circuit, law, seed=1, samples=range(3))
    from scipy.stats import norm  # another distribution function than the law's own

    share = 1.0 + 0.01 * (2.0 * norm.cdf(z[2]) - 1.0)
    moves = [k for k, p in enumerate(circuit.parameters) if {"resistor", "capacitor"} & set(p.classes)]
    values = circuit.values.copy()
    values[moves] *= share[: len(moves)]  # a draw a part, in the order of the parameters; lots come after
    wanted = float(simulate(DESIGN, circuit=with_values(circuit, values)).window_nrmse)
    found = exact_chunk(DESIGN, 1, range(2, 3), is_uniform=True).window_nrmse[0]
    assert found == pytest.approx(wanted, rel=1e-8)  # what the ensemble's faster method may leave out


def test_where_there_is_none_it_is_none():
    run = monte_carlo(DESIGN, 20, workers=1)
    assert uniform_yield(run, DESIGN.replace(nrmse=None)) is None
    assert not applies(EVEN)
    assert not applies(DESIGN.replace(mismatch={"resistor": {"lot": "1 %"}}))
    transistors = Design(order=2, theta="1 ms", family="dpi", mismatch={"tau": "1 %"})
    assert not applies(transistors)


def test_of_a_long_run_the_first_samples_stand_for_all(monkeypatch):
    monkeypatch.setattr(uniform, "MOST", 100)
    run = monte_carlo(DESIGN, 150, workers=1)
    found = uniform_yield(run, DESIGN)
    good = int((exact_chunk(DESIGN, 0, range(100), is_uniform=True).window_nrmse <= DESIGN.nrmse).sum())
    assert (found.low, found.high) == clopper_pearson(good, 100)


def test_the_commands_give_both_yields(tmp_path):
    path = tmp_path / "design.toml"
    path.write_text(commented(DESIGN))
    runner, store = CliRunner(), tmp_path / "run.zarr"
    arguments = ["montecarlo", str(path), "-o", str(store), "-n", "200", "--workers", "1"]
    done = runner.invoke(app, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    content = json.loads(done.stdout)
    assert content["mismatch"] == {"resistor": "1 %, normal, 3 sigma", "capacitor": "1 %, normal, 3 sigma"}
    both = content["yield"], content["yield_uniform"]
    assert set(both[1]) == {"limit", "value", "low", "high", "samples"}
    assert both[1]["value"] < both[0]["value"]
    again = runner.invoke(app, [*arguments, "--resume"]).stdout
    assert "parts uniform within their tolerance, 200 samples" in again
    assert "resistor: normal, 3 sigma" in again


def test_calibration_is_evaluated_with_uniform_parts_too():
    content = shown.content(
        calibrate(DESIGN, 40, methods=("theta",)),
        DESIGN.nrmse,
        shown.uniform_beside(DESIGN, 40, 0, methods=("theta",)),
    )
    stated = shown.content(calibrate(EVEN, 40, methods=("theta",)), DESIGN.nrmse)
    for method in ("nominal", "theta"):  # the design that states the uniform law has the same circuits
        assert content["methods"][method]["yield_uniform"] == stated["methods"][method]["yield"]
    assert "uniform parts" in shown.text(content)
    assert shown.uniform_beside(EVEN, 40, 0) is None


@pytest.mark.ngspice
def test_ngspice_evaluates_uniform_parts_alike():
    # One tone, so that ngspice is done soon. benchmarks/uniform_yield.py has 300.
    design = DESIGN.replace(signal="sine", opamp="OPA2192", nrmse="2.5 %")
    even = design.replace(mismatch={c: {"tolerance": "1 %", "distribution": "uniform"} for c in PARTS})
    exact = exact_chunk(design, 0, range(6), is_uniform=True).window_nrmse
    z = draw(build(even), Mismatch.of(even), seed=0, samples=range(6))
    simulated = errors_of(even, z, engine="ngspice", workers=1)
    # The engines agree to 1e-3 of an error (the deck's time step); the circuits lie farther apart than that.
    np.testing.assert_allclose(simulated, exact, rtol=1e-3)
    assert np.ptp(exact) > 0.1 * exact.min()
