"""Measured parts in their places: read, chosen together, and written as a design."""

import itertools
import json
import math

import numpy as np
import pytest

from lmu_analog.building import build
from lmu_analog.circuits.devices.measured import MeasuredPart, read_measured
from lmu_analog.cli.app import run_command
from lmu_analog.codesign import assignment
from lmu_analog.codesign.assignment import Offers, assigned
from lmu_analog.codesign.bins import place_parts
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.simulation import simulate

DESIGN = Design(order=3, theta="1 ms", realization="ladder", values="E24", mismatch={"resistor": "1 %"})


@pytest.fixture(autouse=True)
def _few_descents(monkeypatch):
    """Search less: few parts need little."""
    monkeypatch.setattr(assignment, "MOST_KICKS", 3)


def bag(design: Design, count: int, seed: int) -> list[MeasuredPart]:
    """Measure so many parts of 1 % for every place of a design."""
    random, found = np.random.default_rng(seed), []
    for c in build(design).components:
        kind = {"R": "resistor", "C": "capacitor"}.get(c.name[0])
        for k in range(count if kind else 0):
            value = c.value * (1.0 + 0.01 * random.uniform(-1, 1))
            found.append(MeasuredPart(f"{c.name} no. {k}", kind, float(value), c.value))
    return found


def test_an_assignment_is_the_best_of_all_where_all_can_be_tried(monkeypatch):
    random = np.random.default_rng(3)
    J, e = random.normal(size=(6, 4)), 0.01 * random.normal(size=6)
    place, part = np.array([0, 0, 1, 1]), np.array([0] * 4 + [1] * 4)
    off = 0.01 * random.normal(size=8)
    offers = Offers(place, part, off)
    halves = list(itertools.permutations(range(4), 2))
    every = [(*a, *(4 + k for k in b)) for a in halves for b in halves]
    sizes = [float(np.sum((e + J @ off[list(chosen)]) ** 2)) for chosen in every]
    monkeypatch.setattr(assignment, "MOST_KICKS", 20)
    found = assigned(J, e, offers, start=offers.nearest(), hold=0.0)[0]
    assert len(set(found.tolist())) == 4
    np.testing.assert_array_equal(part[found], place)
    assert float(np.sum((e + J @ off[found]) ** 2)) == pytest.approx(min(sizes), rel=1e-9)


@pytest.mark.parametrize("readout", ["ideal", "fitted"])
def test_parts_are_placed_once_each_and_closer_than_the_nearest(readout):
    design = DESIGN.replace(readout=readout)
    parts = bag(design, 3, 0)
    found = place_parts(design, parts, uncertainty=1e-4)
    by_name = {part.name: part for part in parts}
    assert len({p.part for p in found.placed}) == len(found.placed)
    values = {c.name: c.value for c in build(found.design).components if c.name[0] in "RC"}
    expected = {p.component: by_name[p.part].value for p in found.placed}
    assert values == pytest.approx(expected, rel=1e-11)  # a design has twelve digits of a value
    assert all(by_name[p.part].nominal == p.nominal for p in found.placed)
    assert found.added < 0.3 * found.added_nearest
    assert found.error == float(simulate(found.design).window_nrmse)
    assert found.design.tolerances["resistor"].tolerance == 1e-4
    assert found.unused == len(parts) - len(found.placed)
    if (
        readout == "ideal"
    ):  # the states of the circuit against those of the memory, at the tones of the design
        result = simulate(found.design)
        apart = (result.states - result.reference_states).values / np.sqrt(2.0 * np.arange(3) + 1.0)
        rms = math.sqrt(float(np.mean(np.sum(apart**2, axis=1)))) / design.stimulus.rms
        # Ten tones stand for all of the band.
        assert rms == pytest.approx(found.added, rel=0.5)


def test_parts_that_are_missing_are_told_in_one_line():
    parts = bag(DESIGN, 1, 0)
    kept = [p for p in parts if p.kind == "capacitor"]
    with pytest.raises(
        DesignError, match=r"^too few parts were measured: the circuit needs 1 more resistor of "
    ):
        place_parts(DESIGN, parts[1:] if parts[0].kind == "resistor" else parts[:-1])
    alone = place_parts(DESIGN, kept)  # no resistor was measured: they stay as they are
    assert {p.component[0] for p in alone.placed} == {"C"}
    with pytest.raises(DesignError, match=r"parts of gm-c are on a chip"):
        place_parts(Design(order=3, theta="1 ms", family="gm-c"), parts)
    with pytest.raises(DesignError, match=r"pairs: parts are placed one by one"):
        place_parts(DESIGN.replace(pairs=1e-3), parts)


def test_tables_of_parts_are_read(tmp_path):
    path = tmp_path / "bins.csv"
    path.write_text("R1,10.02 kOhm\n# a comment\nC1,1.003 nF,1 nF\nR2,9970\n")
    assert read_measured(path) == (
        MeasuredPart("R1", "resistor", 10.02e3),
        MeasuredPart("C1", "capacitor", 1.003e-9, 1e-9),
        MeasuredPart("R2", "resistor", 9970.0),
    )
    path.write_text("kind;nominal;name;value\nresistor;10 kOhm;a;10,02 kOhm\n")
    assert read_measured(path) == (MeasuredPart("a", "resistor", 10.02e3, 10e3),)


@pytest.mark.parametrize(("text", "message"), [
    ("", r"holds no part; give rows of name,value"),
    ("R1,10 kOhm\nR1,10 kOhm", r"line 2: 'R1' is there already"),
    ("R1", r"line 1: 1 cells; give rows"),
    ("x,10", r"line 1: '10' of what\? write a unit, Ohm or F"),
    ("R1,nan", r"line 1: nan is not finite"),
    ("R1,-5 Ohm", r"line 1: -5 Ohm of a resistor; it must be positive"),
    ("name,value,kind\na,1,coil", r"line 2: unknown kind 'coil'; known are resistor, capacitor"),
])  # fmt: skip
def test_a_wrong_table_is_refused_with_its_line(tmp_path, text, message):
    path = tmp_path / "bins.csv"
    path.write_text(text)
    with pytest.raises(DesignError, match=message):
        read_measured(path)


def test_the_command_writes_design_and_list(tmp_path, capsys):
    (tmp_path / "d.toml").write_text(
        "[memory]\norder = 3\ntheta = '1 ms'\n[circuit]\nrealization = 'ladder'\nvalues = 'E24'\n"
    )
    rows = [f"{p.name},{p.value!r},{p.nominal!r},{p.kind}" for p in bag(DESIGN, 2, 0)]
    (tmp_path / "bins.csv").write_text("\n".join(rows))
    paths = [str(tmp_path / name) for name in ("d.toml", "bins.csv", "o.toml", "list.csv")]
    arguments = ["place", paths[0], "--bins", paths[1], "-o", paths[2], "--list", paths[3], "--json"]
    assert run_command(arguments) == 0
    given = json.loads(capsys.readouterr().out)
    assert given["nrmse"]["placed"] == float(simulate(Design.load(paths[2])).window_nrmse)
    listed = [line.split(",") for line in (tmp_path / "list.csv").read_text().splitlines()]
    assert [(p["component"], p["part"], str(p["value"]), str(p["nominal"])) for p in given["placed"]] == [
        tuple(row) for row in listed[1:]
    ]
    (tmp_path / "bins.csv").write_text("\n".join(rows[:3]))
    assert run_command(["place", *paths[:1], "--bins", paths[1]]) == 2
    assert "bins.csv: too few parts were measured: the circuit needs " in capsys.readouterr().err


@pytest.mark.parametrize("fit", ["common", "joint"])
def test_standard_values_keep_their_levels_where_only_resistors_were_measured(fit):
    design = DESIGN.replace(values_fit=fit)
    found = place_parts(design, [part for part in bag(design, 2, 0) if part.kind == "resistor"])
    before, after = (
        {c.name: c.value for c in build(d).components if c.name[0] == "C"} for d in (design, found.design)
    )
    assert after == before
    # Parts of 1 % in what is read as before: the error of another circuit would be a multiple.
    assert simulate(found.design).window_nrmse < 2.0 * simulate(design).window_nrmse
