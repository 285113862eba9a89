"""Tolerances part by part: the cheapest by trying all, kept by exact circuits, and written into a design."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

from lmu_analog.building import build
from lmu_analog.circuits.components import Capacitor
from lmu_analog.circuits.devices.prices import Price
from lmu_analog.cli import run_command
from lmu_analog.codesign import pearson
from lmu_analog.codesign.allocation import Problem, allocate
from lmu_analog.design import Design
from lmu_analog.ensembles.exact import exact_chunk
from lmu_analog.errors import DesignError
from lmu_analog.output.design_text import commented
from lmu_analog.theory.first_order import first_order
from lmu_analog.theory.quadratic import nrmse_quantiles, quadratic_form, within

MISMATCH = {"resistor": "1 %", "capacitor": "1 %"}
DESIGN = Design(order=6, theta="1 ms", opamp="OPA2192", nrmse="2 %", mismatch=MISMATCH)


def test_the_limit_is_kept_cheaper_than_by_one_class_for_all():
    found = allocate(DESIGN)
    assert found.uniform is not None
    assert found.cost < found.uniform.cost / 1.35
    assert found.cost < found.tightest
    # A fresh ensemble: sigma of a share of .95 of 5000 is .3 points, of its quantile about .5 %; five of either.
    error = exact_chunk(found.design, 2, range(5000)).window_nrmse
    assert np.mean(error <= 0.02) > 0.95 - 0.0155
    assert found.kept == pytest.approx(np.quantile(error, 0.95), rel=0.025 + 0.02)
    assert found.good > 0.95 - 0.0155


def test_the_choice_is_for_the_circuit_that_it_makes_whatever_was_given():
    """Capacitors are such as are sold at their class's tolerance, so a circuit of 5 % has others than one of 1 %."""
    design = DESIGN.replace(theta="20 ms", bandwidth=None)
    wide = design.replace(mismatch={"resistor": "5 %", "capacitor": "5 %"})
    assert not np.array_equal(build(design).values, build(wide).values)
    one, other = (allocate(d, samples=200) for d in (design, wide))
    assert one.design == other.design
    np.testing.assert_array_equal(build(one.design).values, build(design).values)
    # Of parts that are mostly of 5 %, the class stays that of the circuit.
    circuit = build(design)
    problem = Problem.of(design, circuit, tolerances={"capacitor": [0.05, 0.01]})
    made = problem.design(design, [0] * len(problem.parts))
    np.testing.assert_array_equal(build(made).values, circuit.values)
    assert {t.tolerance for c in circuit.only(Capacitor) for t in made.tolerances_of(c)} == {0.05}


def test_of_all_choices_none_is_cheaper():
    """Seven parts of three classes, tried one and all in the same theory."""
    design = Design(order=2, theta="1 ms", realization="legendre", nrmse="4 %", mismatch=MISMATCH)
    classes = {"resistor": [0.05, 0.01, 0.001], "capacitor": [0.1, 0.02, 0.01]}
    problem = Problem.of(design, build(design), tolerances=classes)
    limit = 1.3 * problem.kept([len(p.choices) - 1 for p in problem.parts], 0.95)
    chosen = problem.cheapest(limit, 0.95)
    every = itertools.product(*(range(len(part.choices)) for part in problem.parts))
    least = min(problem.cost(each) for each in every if problem.kept(each, 0.95) <= limit)
    assert problem.kept(chosen, 0.95) <= limit
    # A price for accuracy finds the hull of all choices; what lies between costs a part or two more.
    assert least <= problem.cost(chosen) <= 1.1 * least
    assert len(problem.parts) > 5


@pytest.mark.parametrize("bandwidth", [None, "3 kHz"])
def test_cumulants_of_a_choice_are_those_of_its_design(bandwidth):
    """With much truncation the nominal error counts, too: what parts move is then skewed by how it lies to them."""
    design = DESIGN.replace(bandwidth=bandwidth)
    problem = Problem.of(design, build(design), tolerances={})
    chosen = [k % len(part.choices) for k, part in enumerate(problem.parts)]
    form = quadratic_form(first_order(problem.design(design, chosen)))
    _, variance, third = form.slopes(0.0)
    np.testing.assert_allclose(problem.cumulants(chosen), [form.mean, variance, third], rtol=1e-6)


@pytest.mark.parametrize("tolerance", [("1 %", "1 %"), ("0.1 %", "5 %"), ("0.1 %", "0.1 %")])
def test_the_gamma_law_is_the_quadratic_form_but_for_a_percent(tolerance):
    design = DESIGN.replace(mismatch=dict(zip(("resistor", "capacitor"), tolerance, strict=True)))
    theory = first_order(design)
    form = quadratic_form(theory)
    _, variance, third = form.slopes(0.0)
    cumulants = np.array([form.mean, variance, third])
    for probability, apart in ((0.95, 0.01), (0.99, 0.002)):
        exact = nrmse_quantiles(theory, (probability,))[0]
        assert pearson.quantile(cumulants, probability) == pytest.approx(exact, rel=apart)
        assert pearson.within(cumulants, exact) == pytest.approx(within(form, exact**2), abs=0.004)


def test_a_design_says_what_was_chosen(tmp_path, capsys):
    (tmp_path / "d.toml").write_text(commented(DESIGN))
    out = tmp_path / "cheap.toml"
    given = [
        "allocate",
        str(tmp_path / "d.toml"),
        "-o",
        str(out),
        "-n",
        "500",
        "--json",
        "--capacitor",
        "1 %, 5 %",
    ]
    assert run_command(given) == 0
    said = json.loads(capsys.readouterr().out)
    design = Design.load(out)
    assert said["parts"] == [
        {"components": list(p.components), "tolerance": p.tolerance} for p in design.part_tolerances
    ]
    assert {row["tolerance"] for row in said["counts"]["capacitor"]} <= {0.01, 0.05}
    assert run_command(given) == 2
    assert "exists" in capsys.readouterr().err


def test_a_price_without_a_tolerance_buys_none():
    with pytest.raises(DesignError, match="no resistor of this value has a price at any of these tolerances"):
        allocate(DESIGN, prices={"resistor": Price(0.01), "capacitor": Price(0.02)})
    rows = {
        f"{kind} {t}": Price(each)
        for kind in ("resistor", "capacitor")
        for t, each in (("1 %", 1.0), ("0.1 %", 2.0))
    }
    found = allocate(DESIGN, prices={**rows, "resistor": Price(0.001)}, samples=500)
    assert {t for of in found.counts.values() for t in of} <= {0.01, 0.001}
    assert found.cost == sum(
        n * (1.0 if t == 0.01 else 2.0) for of in found.counts.values() for t, n in of.items()
    )


def test_a_circuit_that_failed_keeps_no_limit(monkeypatch):
    found = exact_chunk(DESIGN, 0, range(500))
    broken = replace(found, window_nrmse=np.full(500, np.nan))
    monkeypatch.setattr("lmu_analog.codesign.allocation.exact_chunk", lambda *_: broken)
    with pytest.raises(DesignError, match="more than 5 % of exact circuits are unstable or have failed"):
        allocate(DESIGN, samples=500)


@pytest.mark.parametrize(
    ("changes", "chosen", "said"),
    [
        ({"nrmse": None}, {}, r"\[spec\] nrmse is missing"),
        ({"nrmse": "1.01 %"}, {}, r"the tightest parts keep 1\.\d+ %, not 1\.01 %"),
        ({}, {"resistor": [2.0]}, r"resistor: a tolerance lies between 0 and 100 %"),
        ({"family": "gm-c"}, {}, r"gm-c: parts on a chip are not bought by tolerance"),
        (
            {"mismatch": {"resistor": {"tolerance": "1 %", "scale": "units"}}},
            {},
            "are not bought part by part",
        ),
        ({}, {"resistor": [1e-6]}, r"no resistor of this value has a price at any of these tolerances"),
    ],
)
def test_what_cannot_be_allocated_says_why(changes, chosen, said):
    with pytest.raises(DesignError, match=said):
        allocate(DESIGN.replace(**changes), tolerances=chosen)
