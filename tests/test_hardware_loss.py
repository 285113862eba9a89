"""What the stored run of `hardware-loss` must show, and a small run of it."""

import numpy as np
import pytest

from lmu_analog.errors import DesignError
from lmu_analog.experiments import frame, hardware_loss, mackey_glass

FOUR = ("circuit", "calibrated", "aware", "both")


def stored() -> dict:
    return frame.stored("hardware-loss")["result"]


def test_one_percent_of_mismatch_costs_half_a_point_at_most():
    found = stored()["digits"]["0.01"]
    assert found["software"] - found["circuit"] <= 0.5
    assert found["loss"]["circuit"]["mean"] == pytest.approx(found["software"] - found["circuit"])


def test_there_are_twenty_circuits_for_each_of_five_networks():
    found = stored()["digits"]
    assert {"0", "0.01", "0.05", "0.1"} <= found.keys()
    for sigma, row in found.items():
        for name in FOUR:
            assert np.shape(row["circuits"][name]) == (5, 1 if sigma == "0" else 20)
            assert row[name] == pytest.approx(np.mean(row["circuits"][name]))
            assert row["loss"][name]["low"] <= row["loss"][name]["mean"] <= row["loss"][name]["high"]


def test_calibration_and_training_win_back_most_of_what_ten_percent_cost():
    row = stored()["digits"]["0.1"]
    lost = row["loss"]["circuit"]["mean"]
    assert row["loss"]["calibrated"]["mean"] < 0.2 * lost
    assert row["loss"]["aware"]["mean"] < 0.5 * lost


def test_the_series_lose_less_with_calibration_too():
    row = stored()["mackey-glass"]["0.1"]
    assert row["software"] < row["calibrated"] < row["circuit"]
    assert row["aware"] < row["circuit"]


def test_ngspice_tells_the_digits_as_the_exact_engine_does():
    spice = stored()["ngspice"]
    assert spice["images"] >= 20
    # An image in a hundred may lie so near a border that 1e-3 of its outputs decide.
    assert spice["same"] >= 0.98 * spice["images"]
    assert spice["output_difference"] < 2e-3


def test_the_table_has_what_networks_and_circuits_take():
    found = stored()
    header, rows = hardware_loss.rows(found)
    assert {len(row) for row in rows} == {len(header)}
    for task in ("digits", "mackey-glass"):
        about = found["about"][task]
        assert {"states", "parameters", "seconds_an_epoch", "seconds_a_step", "hardware"} <= about.keys()
    assert "2.90" in rows[-1]


def test_a_short_run_has_every_figure(monkeypatch):
    pytest.importorskip("jax")
    pytest.importorskip("optax")
    from lmu_analog.experiments import comparing, hardware
    from lmu_analog.networks.learning import forward, training

    def fit(network, *given, objective, **options):
        # Without circuits the digits alone are learned, with them the series too: a program takes seconds to compile.
        if objective == "series" and "deviations" not in options:
            return training.Trained(options["start"], options["start"], training.History(), 0.0)
        return training.fit(network, *given, objective=objective, **options)

    monkeypatch.setattr(hardware, "fit", fit)
    # The time of a step is that of another program for each network.
    monkeypatch.setattr(comparing, "seconds_a_step", lambda *_, **__: 1e-6)
    monkeypatch.setattr(forward, "UNROLL", 1)  # what is unrolled takes twice the time to compile
    monkeypatch.setattr(hardware_loss, "ORDER", 4)
    monkeypatch.setattr(hardware_loss, "HIDDEN", 4)
    monkeypatch.setattr(mackey_glass, "LAYERS", 1)
    short = mackey_glass.Options(8, 200, 100, 20, 1, (0.003,), 1)
    monkeypatch.setattr(mackey_glass, "Options", lambda seed: short)
    options = hardware_loss.Options((0.05,), 2, 1, 1, 1, 1, 1, 1, images=0, cells=0)
    found = hardware_loss.run(options, frame.silent)
    for task in ("digits", "mackey-glass"):
        row = found[task]["0.05"]
        assert np.shape(row["circuits"]["circuit"]) == (1, 2)
        assert all(0.0 < row[name] < 100.0 for name in ("software", *FOUR))
        assert row["unstable"] == 0
    header, rows = hardware_loss.rows(found)
    assert len(rows) == 3
    assert {len(row) for row in rows} == {len(header)}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"mismatch": (1.5,)}, "mismatch=: fractions from 0 to below 1 with commas between them"),
        ({"mismatch": ()}, "mismatch=: fractions"),
        ({"circuits": 0}, "circuits=0: at least 1 is wanted"),
        ({"series_epochs": 0}, "series_epochs=0: at least 1 is wanted"),
    ],
)
def test_options_that_cannot_be_are_refused(given, words):
    with pytest.raises(DesignError, match=words):
        hardware_loss.Options(**given)


@pytest.mark.parametrize(
    ("family", "realization", "words"),
    [
        ("nosuch", "ladder", "unknown 'nosuch'; known are active-rc"),
        ("switched-capacitor", "ladder", "family=switched-capacitor: it has a clock of its own"),
        ("passive-rlc", "unit-weight", "unit-weight"),
    ],
)
def test_circuits_that_cannot_be_are_refused_before_training(family, realization, words, monkeypatch):
    pytest.importorskip("jax")
    pytest.importorskip("optax")
    from lmu_analog.experiments import hardware

    monkeypatch.setattr(hardware, "fit", None)
    with pytest.raises(DesignError, match=words):
        hardware_loss.run(hardware_loss.Options(family=family, realization=realization), frame.silent)
