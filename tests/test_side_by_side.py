"""Designs side by side: keys that differ, the figures of other commands, and differences on common draws."""

import json

import numpy as np
import pytest

from lmu_analog.analysis.resources import resources
from lmu_analog.building import build
from lmu_analog.circuits.components import Capacitor, Resistor
from lmu_analog.circuits.devices.parts import catalogue
from lmu_analog.circuits.devices.passives import SOLD_IN
from lmu_analog.circuits.devices.prices import Price, name_of
from lmu_analog.circuits.devices.values import nearest
from lmu_analog.cli import run_command
from lmu_analog.codesign.prices import class_cost, class_price, package_price
from lmu_analog.codesign.side_by_side import side_by_side
from lmu_analog.design import Design
from lmu_analog.ensembles.exact import exact_chunk
from lmu_analog.ensembles.intervals import paired_fractions, paired_percentiles
from lmu_analog.errors import DesignError
from lmu_analog.output.design_text import commented
from lmu_analog.output.side_by_side import differing_keys

MISMATCH = {"resistor": "1 %", "capacitor": "1 %"}
FIRST = Design(order=3, theta="1 ms", bandwidth="500 Hz", opamp="OPA2192", nrmse="3.5 %", mismatch=MISMATCH)
TIGHT = FIRST.replace(mismatch={"resistor": "0.9 %", "capacitor": "1 %"}, nrmse="3.4 %")


@pytest.fixture(scope="module")
def found():
    return side_by_side({"first": FIRST, "tight": TIGHT, "longer": FIRST.replace(theta="2 ms")}, samples=400)


def test_common_draws_tell_apart_what_ensembles_alone_do_not(found):
    first, tight = found.sides[:2]
    difference = found.differences[0]
    assert difference.common_draws == difference.draws[0] == difference.draws[1]
    errors = [exact_chunk(d, 0, range(400)).window_nrmse for d in (FIRST, TIGHT)]
    assert difference.mean.value == pytest.approx(np.mean(errors[1] - errors[0]), rel=1e-12)
    assert difference.p95.value == pytest.approx(
        np.subtract(*np.percentile(errors, 95, axis=1)[::-1]), rel=1e-12
    )
    # Tenth part less of the resistors' error: the intervals of each alone overlap, that of the pairs leaves out none.
    assert tight.spread["p95_high"] > first.spread["p95_low"]
    assert difference.p95.low < difference.p95.value < difference.p95.high < 0.0
    assert first.spread["mean_low"] < tight.spread["mean_high"]
    assert difference.mean.high < 0.0
    passed = [e <= d.nrmse for e, d in zip(errors, (FIRST, TIGHT), strict=True)]
    assert difference.good.value == pytest.approx(passed[1].mean() - passed[0].mean(), abs=1e-12)
    assert difference.good.low < difference.good.value < difference.good.high


def test_another_task_is_named_and_the_rest_compared(found):
    difference = found.differences[1]
    # Bandwidth is given, so theta alone differs.
    assert difference.reason == "[memory] theta differs: errors are of another task"
    assert difference.p95 is difference.good is None
    assert found.sides[2].cost > 0.0
    faster, louder = FIRST.replace(bandwidth="600 Hz"), FIRST.replace(amplitude="0.25 V")
    one, other = side_by_side({"a": FIRST, "b": faster, "c": louder}, samples=40).differences
    assert one.reason == "[signal] bandwidth differs: errors are of another task"
    assert other.reason == ""  # errors are fractions of rms(u)
    assert abs(other.mean.value) < 1e-5  # other gains between the states, and op-amps of finite bandwidth


def test_errors_by_class_are_those_of_the_whole(found):
    """Classes add in power to the mismatch of the budget: its hundred circuits know that to a fifth at three sigma."""
    for side in found.sides:
        whole = np.sqrt(sum(rms**2 for rms in side.classes.values()))
        assert whole == pytest.approx(side.causes["mismatch"], rel=0.2)
        assert set(side.classes) == set(MISMATCH)


def test_the_cost_is_that_of_a_price_list_with_the_same_prices():
    circuit = build(FIRST)
    prices = {"OPA2192": Price(package_price(catalogue()["OPA2192"]), 2)}
    for c in circuit.components:
        if isinstance(c, Resistor | Capacitor):
            (kind,) = c.classes
            each = class_price(kind, float(nearest(c.value, SOLD_IN[kind])), 0.01)
            prices[name_of(kind, c.value, 0.01)] = Price(each)
    cost, unknown = class_cost(FIRST, circuit)
    assert unknown == 0
    assert cost == pytest.approx(resources(FIRST, prices).cost, rel=1e-12)
    assert class_cost(FIRST.replace(opamp="ideal"), circuit)[1] == len(circuit.amplifiers)
    chip = Design(order=3, theta="1 ms", family="gm-c")
    assert class_cost(chip, build(chip)) == (None, 0)


def test_keys_that_differ_have_what_they_are_where_a_file_says_nothing():
    other = FIRST.replace(values="E96", mismatch={"resistor": "1 %"}, capacitance="1 nF")
    assert differing_keys({"a": FIRST, "b": other}) == {
        "circuit.values": ("exact", "E96"),
        "circuit.capacitance": (None, "1 nF"),
        "mismatch.capacitor": ("1 %", None),
    }
    assert differing_keys({"a": FIRST, "b": FIRST}) == {}


def test_intervals_of_pairs_hold_the_truth_as_often_as_they_say():
    """Of 60 intervals of 95 %, fewer than 50 hold it with a probability of 2e-4."""
    generator = np.random.default_rng(0)
    common = generator.standard_normal((60, 200))
    pairs = np.stack([common, 1.2 * common + 0.3 * generator.standard_normal((60, 200))], axis=1)
    deviation = np.hypot(1.2, 0.3)
    truth = 1.6448536 * (deviation - 1.0)
    held = sum(low <= truth <= high for low, high in (paired_percentiles(p, 0.95, seed=1) for p in pairs))
    assert held >= 50
    # Of 60 circuits that one gains and 40 that the other does, the exact variance of the difference is known.
    low, high = paired_fractions(60, 40, 1000)
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.1 - 0.02**2) / np.sqrt(1000), rel=0.02)
    assert paired_fractions(0, 0, 10)[0] < 0.0 < paired_fractions(0, 0, 10)[1]


def test_the_command_gives_the_same_and_refuses_what_is_no_comparison(tmp_path, capsys):
    files = []
    for name, design in (("first", FIRST), ("tight", TIGHT)):
        files.append(tmp_path / f"{name}.toml")
        files[-1].write_text(commented(design))
    arguments = ["compare", *map(str, files), "-n", "50"]
    assert run_command([*arguments, "--json", "--nrmse", "3 %"]) == 0
    given = json.loads(capsys.readouterr().out)
    assert [row["key"] for row in given["keys"]] == ["mismatch.resistor", "spec.nrmse"]
    assert [of["yield"]["limit"] for of in given["designs"]] == [0.03, 0.03]
    assert given["differences"][0]["yield"]["value"] >= 0.0
    assert run_command(arguments) == 0
    said = capsys.readouterr().out
    assert "tight against first" in said
    assert max(map(len, said.splitlines())) <= 80
    for wrong, words in {
        ("compare", str(files[0])): "give two or more",
        ("compare", str(files[0]), str(files[0])): "are the same file",
        ("compare", str(files[0]), str(tmp_path / "none.toml")): "none.toml",
    }.items():
        assert run_command(list(wrong)) == 2
        error = capsys.readouterr().err.strip()
        assert words in error
        assert "\n" not in error
    with pytest.raises(DesignError, match="give two or more"):
        side_by_side({"a": FIRST})
