"""A first design file: written whole from a few figures or a recording, or not at all."""

import json
import tomllib

import numpy as np
import pytest

from lmu_analog.circuits.devices.tolerance import Tolerance
from lmu_analog.cli import run_command
from lmu_analog.design import Design
from lmu_analog.ensembles.montecarlo import monte_carlo
from lmu_analog.ensembles.orders import with_room
from lmu_analog.errors import DesignError
from lmu_analog.memory.legendre import smallest_order
from lmu_analog.output.starting import FIRST_ORDER, new_design


@pytest.fixture
def recording(tmp_path):
    """Write two seconds of a 5 Hz sine of 0.4 V, windowed, beside the design."""
    t = np.arange(0, 2, 1e-3)
    u = 0.4 * np.sin(2 * np.pi * 5 * t) * np.hanning(t.size)
    path = tmp_path / "u.csv"
    path.write_text("\n".join(f"{a!r},{b!r}" for a, b in zip(t.tolist(), u.tolist(), strict=True)))
    return path


def test_without_figures_a_first_design_has_six_states_and_usual_mismatch(tmp_path):
    design = new_design({}, tmp_path / "design.toml")
    assert Design.load(tmp_path / "design.toml") == design
    assert design.order == FIRST_ORDER == 6
    assert set(design.mismatch) == {"resistor", "capacitor"}
    assert set(design.mismatch.values()) == {Tolerance(0.01)}
    assert design.nrmse == 0.1


def test_figures_that_are_given_are_kept(tmp_path):
    asked = {"order": 8, "theta": "2 ms", "bandwidth": "500 Hz", "family": "rc-synapse", "opamp": "OPA2192"}
    design = new_design(asked, tmp_path / "design.toml")
    loaded = Design.load(tmp_path / "design.toml")
    assert loaded == design
    assert (loaded.order, loaded.theta, loaded.bandwidth) == (8, 2e-3, 500.0)
    assert (loaded.family, loaded.realization, loaded.opamp) == ("rc-synapse", "unit-weight", "OPA2192")


def test_a_key_that_no_part_takes_is_told_and_one_of_the_reference_is_not(tmp_path):
    said: list[str] = []
    asked = {"order": 3, "family": "rc-synapse", "opamp": "OPA2192"}
    new_design(asked, tmp_path / "d.toml", notify=said.append)
    assert said == ["opamp: no part of this rc-synapse circuit takes it"]
    new_design({**asked, "reference": "mid"}, tmp_path / "e.toml", notify=said.append)  # a follower holds it
    new_design(
        {"order": 3, "family": "rc-synapse", "reference": "mid"}, tmp_path / "f.toml", notify=said.append
    )
    assert len(said) == 1
    assert "opamp" in tomllib.loads((tmp_path / "f.toml").read_text())["circuit"]


def test_an_error_chooses_the_order(tmp_path):
    design = new_design({"error": "2 %", "bandwidth": "1 Hz"}, tmp_path / "design.toml")
    assert design.order == 6  # truncation .0467, .0113 at 5 and 6 states
    assert Design.load(tmp_path / "design.toml") == design


def test_a_recording_gives_its_peak_and_its_occupied_band(tmp_path, recording):
    design = new_design({"theta": "0.1 s"}, tmp_path / "design.toml", recording=recording)
    loaded = Design.load(tmp_path / "design.toml")
    assert loaded == design
    assert loaded.file == recording
    assert loaded.amplitude == pytest.approx(0.4, rel=0.02)  # the window and 5 Hz peak apart by at most 50 ms
    assert 5.0 <= loaded.bandwidth <= 7.0  # bins of .5 Hz, and a window on top of a window
    assert loaded.stimulus.peak == loaded.amplitude


def test_figures_overrule_what_a_recording_says(tmp_path, recording):
    design = new_design({"bandwidth": "20 Hz", "amplitude": "1 V"}, tmp_path / "d.toml", recording=recording)
    assert (design.bandwidth, design.amplitude) == (20.0, 1.0)


@pytest.mark.parametrize(("asked", "message"), [
    ({"order": 65}, r"^\[memory\] order: order 65 is outside 1 to 64$"),
    ({"theta": "1 kHz"}, r"^\[memory\] theta: '1 kHz' is in Hz"),
    ({"error": "1 %"}, r"^\[memory\] order is missing: give order, or error .* bandwidth$"),
    ({"error": "1 %", "order": 3, "bandwidth": 1.0}, r"^both order= and error= .* give one of them$"),
    ({"opamp": "uA741"}, r"^\[circuit\] opamp: unknown op-amp 'uA741'"),
])  # fmt: skip
def test_a_wrong_figure_is_refused_and_nothing_is_left(tmp_path, asked, message):
    with pytest.raises(DesignError, match=message):
        new_design(asked, tmp_path / "design.toml")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_refused_and_kept(tmp_path):
    path = tmp_path / "design.toml"
    path.write_text("mine")
    with pytest.raises(DesignError, match=r"design\.toml exists; give another name, or remove it first$"):
        new_design({}, path)
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_refused_and_not_made(tmp_path):
    with pytest.raises(DesignError, match=r"design\.toml cannot be written: No such file or directory$"):
        new_design({}, tmp_path / "none" / "design.toml")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("content", "message"), [
    ("0,1\n1,1\n2,1\n", r"u\.csv is constant, so it has no bandwidth; give bandwidth=$"),
    ("0,1\n", r"u\.csv: 1 rows of data; give at least two rows"),
    (None, r"u\.csv: no such file; give a \.csv or \.wav$"),
])  # fmt: skip
def test_a_recording_that_says_nothing_is_refused(tmp_path, content, message):
    path = tmp_path / "u.csv"
    if content:
        path.write_text(content)
    with pytest.raises(DesignError, match=message):
        new_design({}, tmp_path / "design.toml", recording=path)
    assert not (tmp_path / "design.toml").exists()


def test_a_constant_recording_passes_with_a_bandwidth(tmp_path):
    (tmp_path / "u.csv").write_text("0,1\n1,1\n2,1\n")
    design = new_design({"bandwidth": "1 Hz"}, tmp_path / "design.toml", recording=tmp_path / "u.csv")
    assert design.full_scale == 1.0


def test_a_recording_in_another_folder_is_refused(tmp_path, recording):
    (tmp_path / "sub").mkdir()
    with pytest.raises(DesignError, match=r"u\.csv must lie in the folder of .*design\.toml, which names it"):
        new_design({}, tmp_path / "sub" / "design.toml", recording=recording)
    assert list((tmp_path / "sub").iterdir()) == []


# ---------------------------------------------------------------- keys that mean something, and room for the parts


@pytest.mark.parametrize(
    ("family", "classes", "keys"),
    [
        ("active-rc", {"resistor", "capacitor"}, {"family", "realization", "opamp", "supply", "headroom"}),
        ("gm-c", {"capacitor", "transconductor"}, {"family", "realization", "supply", "headroom"}),
        (
            "rc-synapse",
            {"resistor", "capacitor", "transconductor", "tau"},
            {"family", "realization", "supply", "headroom"},
        ),
        ("passive-rlc", {"resistor", "capacitor", "inductor"}, {"family", "realization"}),
    ],
)
def test_only_what_means_something_for_the_family_is_written(tmp_path, family, classes, keys):
    path = tmp_path / "design.toml"
    new_design({"family": family}, path)
    written = tomllib.loads(path.read_text())
    assert set(written["circuit"]) == keys
    assert set(written["mismatch"]) == classes


def test_single_tolerances_take_the_place_of_the_usual_one(tmp_path):
    design = new_design({}, tmp_path / "d.toml", tolerances={"resistor": "0.1 %"})
    assert design.mismatch == {"resistor": Tolerance(0.001), "capacitor": Tolerance(0.01)}


@pytest.mark.parametrize(("asked", "tolerances", "message"), [
    ({"family": "gm-c"}, {"resistor": "1 %"}, r"^resistor=: a gm-c circuit has none; its parts are capacitor, trans"),
    ({"family": "dpi", "values": "E24"}, {}, r"^values=: dpi circuits are made on a chip and have no standard values$"),
])  # fmt: skip
def test_what_means_nothing_for_the_family_is_refused(tmp_path, asked, tolerances, message):
    with pytest.raises(DesignError, match=message):
        new_design(asked, tmp_path / "d.toml", tolerances=tolerances)
    assert list(tmp_path.iterdir()) == []


def test_a_limit_with_a_band_chooses_the_order_so_that_the_parts_have_room(tmp_path):
    said = []
    asked = {"theta": "20 ms", "bandwidth": "40 Hz", "nrmse": "5 %"}
    design = new_design(asked, tmp_path / "d.toml", notify=said.append)
    assert Design.load(tmp_path / "d.toml") == design
    # An independent count: of 400 circuits of the exact engine some 95 % or more keep the limit, and one order less
    # does not. The interval of 95 % in 400 is 92.4 to 96.9 %.
    good = {}
    for order in (design.order - 1, design.order):
        run = monte_carlo(design.replace(order=order), 400, 1)
        good[order] = float((run.window_nrmse.values <= 0.05).mean())
    assert good[design.order - 1] < 0.924
    assert good[design.order] > 0.924
    assert said[0].startswith(f"order {design.order}: truncation ")


def test_where_no_order_keeps_the_limit_the_one_that_comes_closest_is_taken_and_said(tmp_path):
    said = []
    asked = {"theta": "20 ms", "bandwidth": "40 Hz", "nrmse": "1 %"}
    design = new_design(asked, tmp_path / "d.toml", tolerances={"capacitor": "5 %"}, notify=said.append)
    assert said[0].endswith("no order keeps the limit")
    assert said[1].startswith(("to try: p95 ", "not enough: p95 "))
    assert said[-1].startswith("judged: window NRMSE within ")
    assert (
        design.order < 12
    )  # truncation is below 1 % from order 6 on, and parts then cost the more the more there are


LEAVES_ROOM = (
    '[memory]\nerror = "2 %"\ntheta = "20 ms"\n[signal]\nbandwidth = "40 Hz"\n'
    '[mismatch]\nresistor = "1 %"\ncapacitor = "1 %"\n[spec]\nnrmse = "2 %"\n'
)


def test_an_error_in_a_file_leaves_room_for_the_parts_as_new_does_and_every_command_says_why(
    tmp_path, capsys
):
    path, other = tmp_path / "d.toml", tmp_path / "new.toml"
    path.write_text(LEAVES_ROOM)
    least = smallest_order(0.02, 0.8)
    asked = {"theta": "20 ms", "bandwidth": "40 Hz", "error": "2 %", "nrmse": "2 %"}
    design = with_room(Design.load(path))
    assert design == new_design(asked, other) == Design.load(other)
    assert design.order == least + 1
    assert other.read_text().splitlines()[1].endswith(f"# {design.reached.text}")
    # An independent count: the least order has fewer than 95 % of 400 circuits within the limit, this one has not.
    good = [
        float((monte_carlo(design.replace(order=n), 400, 1).window_nrmse.values <= 0.02).mean())
        for n in (least, design.order)
    ]
    assert good[0] < 0.924 < good[1]
    assert run_command(["simulate", str(path), "--json"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert (found["order"], found["order_reason"]) == (design.order, design.reached.text)
    assert err == f"order {design.order}: {design.reached.text}\n"
    # Without a limit of the circuit, and with an order, nothing is chosen.
    for text in (
        LEAVES_ROOM.partition("[spec]")[0],
        LEAVES_ROOM.replace('error = "2 %"', f"order = {least}"),
    ):
        path.write_text(text)
        assert with_room(Design.load(path)).order == least
        assert with_room(Design.load(path)).reached is None


def test_where_no_order_leaves_room_the_best_is_taken_with_a_warning(tmp_path, capsys):
    path = tmp_path / "d.toml"
    narrow = LEAVES_ROOM.replace("40 Hz", "10 Hz").replace('nrmse = "2 %"', 'nrmse = "0.4 %"')
    path.write_text(narrow.replace('or = "1 %"', 'or = "5 %"'))
    assert run_command(["simulate", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (line,) = [line for line in found["warnings"] if "order" in line]
    assert line.startswith(f"[memory] order = {found['order']}: truncation ")
    assert line.endswith(": no order keeps the limit")


def test_the_command_takes_all_that_a_first_design_needs(tmp_path):
    path = tmp_path / "d.toml"
    words = [
        "--supply",
        "2.5 V",
        "--values",
        "E24",
        "--resistor",
        "0.1 %",
        "--capacitor",
        "2 %",
        "--nrmse",
        "8 %",
    ]
    words += ["--yield", "90 %", "--capacitance", "10 nF", "--order", "4"]
    assert run_command(["new", *words, "-o", str(path)]) == 0
    design = Design.load(path)
    assert (design.supply, design.values, design.capacitance, design.nrmse) == (2.5, "E24", 10e-9, 0.08)
    assert (design.wanted_yield, design.order) == (0.9, 4)
    assert design.mismatch == {"resistor": Tolerance(0.001), "capacitor": Tolerance(0.02)}
