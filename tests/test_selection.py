"""Selections: what is chosen deviates as before, what is not stays nominal, in both engines."""

import json

import numpy as np
import pytest

from lmu_analog.building import build
from lmu_analog.circuits.devices.tolerance import CLASSES, DISTRIBUTIONS, Tolerance
from lmu_analog.cli import run_command
from lmu_analog.design import Design
from lmu_analog.ensembles.montecarlo import monte_carlo
from lmu_analog.errors import DesignError
from lmu_analog.mismatch.law import Mismatch, columns, draw, sample, sample_circuit
from lmu_analog.mismatch.selection import Selection
from lmu_analog.output.decks import deck_text
from lmu_analog.simulation import simulate
from lmu_analog.theory.sensitivity import elements

DESIGN = Design(
    order=3,
    theta="1 ms",
    opamp="TL072",
    mismatch={name: {"tolerance": "2 %", "lot": "3 %", "distribution": "lognormal"} for name in CLASSES},
)
CIRCUIT = build(DESIGN)
NAMES = np.array([p.name for p in CIRCUIT.parameters])


def ratios(design: Design, samples: range = range(5)) -> np.ndarray:
    circuit, law = build(design), Mismatch.of(design)
    values = sample(circuit, law, draw(circuit, law, seed=3, samples=samples))
    return values / np.where(circuit.values == 0.0, 1.0, circuit.values)


def moved(**chosen) -> set[str]:
    """Name the parameters that a selection moves."""
    nominal = np.where(CIRCUIT.values == 0.0, 0.0, 1.0)
    return set(NAMES[(ratios(DESIGN.replace(**chosen)) != nominal).any(axis=0)])


def starts(*heads: str) -> set[str]:
    return {str(name) for name in NAMES if name.startswith(heads)}


@pytest.mark.parametrize(
    ("only", "names"),
    [
        ("none", set()),
        ("all", set(NAMES)),
        ("", set(NAMES)),
        ("Cint_*", starts("Cint_")),
        ("Cint_*, Rb_0", starts("Cint_", "Rb_0")),
        ("class:capacitor", starts("C")),
        ("kind:resistor", starts("R")),
        ("Uint_1.gbw", {"Uint_1.gbw"}),
        ("Uint_1", {"Uint_1.gbw", "Uint_1.offset"}),
        ("local", set(NAMES)),
        ("lot", {str(name) for name in NAMES if not name.endswith(".offset")}),
    ],
)
def test_only_what_is_chosen_moves(only, names):
    assert moved(only=only or ()) == names


def test_without_takes_away_from_what_is_chosen():
    assert moved(without="class:resistor") == set(NAMES) - starts("R")
    assert moved(without="none") == set(NAMES)
    assert moved(only="class:resistor", without="Ra_*, lot") == starts("R") - starts("Ra_")


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_chosen_parts_deviate_as_in_the_whole_ensemble_and_the_others_are_exactly_nominal(distribution):
    design = DESIGN.replace(mismatch={"resistor": Tolerance(0.02, distribution, 0.03)})
    local, lot = (ratios(design.replace(only=part)) for part in ("local", "lot"))
    # p = nominal (1 + lot)(1 + local): three roundings.
    np.testing.assert_allclose(local * lot, ratios(design), rtol=1e-15)
    one = ratios(design.replace(only="Ra_1_0"))
    at = NAMES == "Ra_1_0"
    np.testing.assert_array_equal(one[:, at], local[:, at])
    assert (one[:, ~at] == np.where(CIRCUIT.values == 0.0, 0.0, 1.0)[~at]).all()


def test_a_selection_changes_no_draw():
    chosen = Mismatch.of(DESIGN.replace(only="Ra_*"))
    assert columns(CIRCUIT, chosen) == columns(CIRCUIT, Mismatch.of(DESIGN))


def test_without_mismatch_every_sample_is_the_nominal_circuit():
    design = DESIGN.replace(only="none")
    run = monte_carlo(design, 3, workers=1)
    # The ensemble and the single run take different ways to the same sum: rounding, cond(A) of order 3 is 30.
    np.testing.assert_allclose(run.window_nrmse, float(simulate(design).window_nrmse), rtol=1e-9)
    np.testing.assert_allclose(
        run.window_nrmse, run.window_nrmse[0], rtol=1e-12
    )  # lanes of a vector round alike
    assert sample_circuit(design, seed=5, index=7) == CIRCUIT


@pytest.mark.ngspice
def test_both_engines_run_the_selected_circuits():
    design = DESIGN.replace(only="class:capacitor", without="lot")
    exact, simulated = (monte_carlo(design, 2, engine=e, workers=1) for e in ("exact", "ngspice"))
    whole = monte_carlo(DESIGN, 2, workers=1)
    # ngspice's step error is 1e-4 of full scale, and the mismatch of the rest moves this by more than 1e-3.
    np.testing.assert_allclose(simulated.window_nrmse, exact.window_nrmse, atol=2e-4)
    assert np.abs(whole.window_nrmse - exact.window_nrmse).min() > 1e-3


def test_theory_follows_the_selection():
    # Not lognormal, whose median, where slopes are taken, is not what is switched off.
    design = DESIGN.replace(mismatch=dict.fromkeys(CLASSES, "2 %"))
    found = elements(design.replace(only="Ra_*, Cint_1"))
    named = {str(e) for e in found.element.values[found.excess.values > 0.0]}
    assert named == starts("Ra_") | {"Cint_1"}
    whole = elements(design)
    one = {str(e): float(x) for e, x in zip(whole.element.values, whole.excess.values, strict=True)}
    for e, x in zip(found.element.values, found.excess.values, strict=True):
        assert x == pytest.approx(one[str(e)] if e in named else 0.0, rel=1e-6)


def test_a_run_and_a_deck_say_what_was_chosen():
    design = DESIGN.replace(only="Ra_*,lot", without="Ra_1_0")
    assert (design.provenance["only"], design.provenance["without"]) == ("Ra_*, lot", "Ra_1_0")
    assert "* mismatch = only Ra_*, lot; without Ra_1_0\n" in deck_text(design, sample=0)
    assert "mismatch" not in deck_text(DESIGN, sample=0)
    assert not DESIGN.provenance.keys() & {"only", "without"}
    assert str(Selection()) == ""


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (
            {"only": "Rx_*"},
            r"^only 'Rx_\*' picks no mismatch; there are Uint_0.gbw, .*; class:.*; role:.*; kind:.*;",
        ),
        ({"only": "Ra_*", "without": "kind:mosfet"}, r"^without 'kind:mosfet' picks no mismatch; there are "),
        ({"only": "Ra_*, role:z[1,*]"}, r"^only 'role:z\[1,\*\]' picks no mismatch"),
        (
            {"only": "Ra_*", "mismatch": {}},
            r"^only 'Ra_\*' picks no mismatch; the design has none; give \[mis",
        ),
    ],
)
def test_a_pattern_that_picks_nothing_is_refused_before_a_store_is_made(tmp_path, chosen, message):
    with pytest.raises(DesignError, match=message):
        monte_carlo(DESIGN.replace(**chosen), 3, workers=1, store=tmp_path / "run.zarr")
    assert not (tmp_path / "run.zarr").exists()


def test_a_run_is_not_continued_under_another_selection(tmp_path):
    path = tmp_path / "run.zarr"
    monte_carlo(DESIGN.replace(only="Ra_*"), 2, workers=1, store=path)
    with pytest.raises(ValueError, match=r"is of another run: its only is 'Ra_\*', not 'Rb_\*'"):
        monte_carlo(DESIGN.replace(only="Rb_*"), 2, workers=1, store=path, resumed=True)
    with pytest.raises(ValueError, match="is of another run: its (only|design) is "):
        monte_carlo(DESIGN, 2, workers=1, store=path, resumed=True)


@pytest.fixture
def path(tmp_path):
    """Write a design file with a selection of its own."""
    file = tmp_path / "d.toml"
    file.write_text('[memory]\norder = 3\ntheta = "1 ms"\n[mismatch]\nresistor = "1 %"\nonly = "Rb_*"\n')
    return file


def test_the_command_line_chooses_mismatch(path, tmp_path, capsys):
    def figures(*options: str) -> dict[str, float]:
        store = tmp_path / f"{'-'.join(options)}.zarr".replace("*", "x")
        assert run_command(["montecarlo", str(path), "-n", "3", "-o", str(store), "--json", *options]) == 0
        found = json.loads(capsys.readouterr().out)
        return {"nominal": found["nominal_nrmse"], **found["nrmse"]}

    nominal = figures("--only", "none")
    assert nominal["p95"] == pytest.approx(nominal["nominal"], rel=1e-9)  # rounding, as above
    file, both = figures(), figures("--only", "Rb_*", "--only", "Ra_*,lot", "--without", "Ra_*")
    assert file == both
    assert file["p95"] != pytest.approx(file["nominal"], rel=1e-4)


def test_one_sample_is_replayed_with_what_was_chosen(path, capsys):
    decks = []
    for only in ("none", "all"):
        assert run_command(["netlist", str(path), "--sample", "2", "--only", only]) == 0
        text = capsys.readouterr().out
        decks.append([line for line in text.splitlines() if not line.startswith("*")])
    nominal = [line for line in deck_text(Design.load(path)).splitlines() if not line.startswith("*")]
    assert decks[0] == nominal
    assert decks[1] != nominal
    assert run_command(["simulate", str(path), "--only", "none", "--sample", "0", "--json"]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["simulate"], "lmu-analog: --only chooses among mismatch, and there is none without --sample\n"),
        (["netlist"], "lmu-analog: --only chooses among mismatch, and there is none without --sample\n"),
        (["simulate", "--sample", "1"], "lmu-analog: only 'Rx_*' picks no mismatch; there are Rb_0, "),
    ],
)
def test_a_selection_in_vain_is_refused(path, capsys, arguments, message):
    assert run_command([arguments[0], str(path), *arguments[1:], "--only", "Rx_*"]) == 2
    assert capsys.readouterr().err.startswith(message)


@pytest.mark.ngspice
def test_a_run_refuses_a_selection_in_vain_before_it_writes(path, tmp_path, capsys):
    assert run_command(["run", str(path), "-o", str(tmp_path / "out"), "--only", "Rx_*"]) == 2
    assert "picks no mismatch" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
