"""A first design file: written whole from a few figures or a recording, or not at all."""

import numpy as np
import pytest

from lmu_analog.circuits.devices.tolerance import Tolerance
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
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
    assert set(design.mismatch) == {"resistor", "capacitor", "transconductor", "tau"}
    assert set(design.mismatch.values()) == {Tolerance(0.01)}
    assert design.nrmse == 0.1


def test_figures_that_are_given_are_kept(tmp_path):
    asked = {"order": 8, "theta": "2 ms", "bandwidth": "500 Hz", "family": "rc-synapse", "opamp": "OPA2192"}
    design = new_design(asked, tmp_path / "design.toml")
    loaded = Design.load(tmp_path / "design.toml")
    assert loaded == design
    assert (loaded.order, loaded.theta, loaded.bandwidth) == (8, 2e-3, 500.0)
    assert (loaded.family, loaded.realization, loaded.opamp) == ("rc-synapse", "unit-weight", "OPA2192")


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
