"""Ensembles of nonlinear circuits: against ngspice, and what is handed over to it."""

import numpy as np
import pytest

from lmu_analog.design import Design
from lmu_analog.ensembles.exact import exact_chunk
from lmu_analog.ensembles.hybrid import hybrid
from lmu_analog.ensembles.montecarlo import monte_carlo
from lmu_analog.ensembles.nonlinear import nonlinear_chunk
from lmu_analog.ensembles.simulated import ngspice_sample
from lmu_analog.errors import CircuitError, StoreError
from lmu_analog.spice.worker import Worker
from lmu_analog.storage.reasons import CODES, reasons
from lmu_analog.storage.results import GOOD, UNSTABLE
from lmu_analog.storage.store import open_run

OPAMP = {
    "gain": "100 dB",
    "gbw": "10 MHz",
    "slew": "0.1 V/us",
    "offset_max": "3 mV",
    "output_resistance": "100 Ohm",
    "input_capacitance": "5 pF",
}
MISMATCH = {"resistor": "3 %", "capacitor": "3 %", "opamp": "3 %"}
# Swings to three quarters of the rails; a tenth of the slew limit.
MILD = Design(order=3, theta="1 ms", opamp=OPAMP, headroom="10 %", mismatch=MISMATCH)
# 30 kHz of gain-bandwidth product for 1 kHz.
SLOW = MILD.replace(
    family="active-rc-differential",
    realization="legendre",
    opamp={"gain": "80 dB", "gbw": "30 kHz", "offset_max": "3 mV", "input_capacitance": "5 pF"},
)
HARD = MILD.replace(opamp={**OPAMP, "slew": "0.001 V/us"})
# Some samples swing a little beyond what is sure, some do not.
BORDER = MILD.replace(order=2, headroom="0 %", realization="cap-feedforward")
# The middle and the end of the band repeat after 8 theta, the band's ten tones after 38.
BORDER = BORDER.replace(tones=[[BORDER.bandwidth / 2.0, 2.0, 0.0], [BORDER.bandwidth, 1.0, 0.14]])
OTA = {"gain": "60 dB", "limit": "200 mV", "parasitic": "5 fF", "pole": "10 MHz"}


@pytest.fixture(scope="module")
def worker():
    with Worker() as running:
        yield running


@pytest.fixture
def few_together(monkeypatch):
    """Compute eight samples together instead of 64, where a test wants fewer."""
    monkeypatch.setattr("lmu_analog.ensembles.nonlinear.CHUNK", 8)


@pytest.mark.ngspice
@pytest.mark.usefixtures("few_together")
@pytest.mark.parametrize(
    ("design", "moved"),
    [
        # Fast op-amps are linear until they clip: 2e-11.
        (MILD.replace(realization="cap-feedforward", headroom="0 %"), 0.0),
        # Slow ones are not, beyond the knee of rails (share 0.974) and slew limits (0.97).
        (SLOW.replace(headroom="0 %"), 4e-6),
        (SLOW.replace(opamp={**SLOW.opamp, "slew": "0.0078 V/us"}), 4e-7),
        (
            MILD.replace(
                family="gm-c", opamp="ideal", transconductor=OTA, headroom="30 %", realization="legendre"
            ),
            0.1,
        ),
    ],
)
def test_the_nonlinear_engine_agrees_with_ngspice(design, moved, worker):
    ours = nonlinear_chunk(design, 0, range(1))
    theirs = worker.call(ngspice_sample, (design, 0, 0), timeout=60.0)
    assert ours.reason[0] == CODES["none"]
    # 2e-6: measured are 1e-8 to 1.4e-6, the error of ngspice's step, of which half the step leaves a quarter.
    np.testing.assert_allclose(ours.profile, theirs.profile, atol=2e-6)
    # And it does something: the linear engine is elsewhere.
    assert np.abs(exact_chunk(design, 0, range(1)).profile - ours.profile).max() > moved


# A recording through circuits of every kind; the chirp starts at DC, so that all states swing.
RECORDED = MILD.replace(signal="chirp", headroom="40 %")


@pytest.mark.ngspice
@pytest.mark.usefixtures("few_together")
@pytest.mark.parametrize(
    ("design", "moved"),
    [
        (RECORDED.replace(order=2, realization="cap-feedforward"), 0.0),
        (Design(order=6, theta="1 ms", opamp="OPA2192", mismatch={"resistor": "1 %"}, signal="chirp"), 0.0),
        (
            RECORDED.replace(
                family="gm-c",
                opamp="ideal",
                transconductor={**OTA, "limit": "1 V"},
                realization="legendre",
            ),
            0.01,
        ),
        # Rails alone: with a slew limit the jump would go to ngspice.
        (
            RECORDED.replace(
                signal="step",
                headroom="60 %",
                family="active-rc-differential",
                opamp={"gain": "100 dB", "gbw": "10 MHz"},
            ),
            0.0,
        ),
    ],
    ids=["slew", "rail", "gm-c", "step"],
)
def test_recordings_agree_with_ngspice(design, moved, worker):
    ours = nonlinear_chunk(design, 0, range(1))
    theirs = worker.call(ngspice_sample, (design, 0, 0), timeout=60.0)
    assert ours.reason[0] == CODES["none"]
    # 1e-5: what an estimate must be below to be sure; measured are 2e-7 to 6e-6, nearly all of it the error of
    # ngspice's step, and of the short ramp that stands for a jump in its deck.
    np.testing.assert_allclose(ours.profile, theirs.profile, atol=1e-5)
    assert abs(exact_chunk(design, 0, range(1)).window_nrmse[0] - ours.window_nrmse[0]) > moved


@pytest.mark.usefixtures("few_together")
@pytest.mark.parametrize("signal", ["multitone", "chirp"])
def test_a_linear_circuit_is_the_exact_engines(signal):
    for opamp in ("ideal", {"gain": "100 dB", "gbw": "10 MHz", "rail": "1 MV"}):
        design = MILD.replace(opamp=opamp, signal=signal)
        np.testing.assert_allclose(
            nonlinear_chunk(design, 0, range(5)).profile,
            exact_chunk(design, 0, range(5)).profile,
            # The exact engine stops its own rounds where 1e-8 is left, and takes fast poles to have followed.
            rtol=1e-6,
            atol=2e-8,
        )


@pytest.mark.parametrize("design", [MILD, RECORDED.replace(order=2)], ids=["tones", "recording"])
def test_a_sample_does_not_depend_on_its_chunk(design):
    whole = nonlinear_chunk(design, 0, range(0, 40))
    for k in (0, 7, 39):
        alone = nonlinear_chunk(design, 0, range(k, k + 1))
        np.testing.assert_array_equal(alone.profile[0], whole.profile[k])


@pytest.mark.usefixtures("few_together")
@pytest.mark.parametrize(
    "design",
    [
        HARD,
        MILD.replace(amplitude="6 V"),
        # Far beyond: rounds would crawl, and a small change be taken for the end of it.
        MILD.replace(amplitude="6 V", bandwidth="1 kHz"),
        # Jumps by more than the slew limit follows.
        MILD.replace(signal="step"),
        MILD.replace(signal="chirp", amplitude="6 V"),
    ],
    ids=["slew", "rail", "far", "jump", "clipped-chirp"],
)
def test_what_cannot_be_done_is_said_and_not_guessed(design):
    found = nonlinear_chunk(design, 0, range(4))
    assert (found.reason == CODES["handed"]).all()
    assert np.isnan(found.window_nrmse).all()


def test_unstable_and_impossible_samples_are_not_handed_over():
    design = MILD.replace(mismatch={"resistor": {"tolerance": "90 %", "distribution": "gauss"}})
    found, linear = nonlinear_chunk(design, 0, range(64)), exact_chunk(design, 0, range(64))
    np.testing.assert_array_equal(found.status, linear.status)
    assert (linear.status == UNSTABLE).any()
    assert (linear.status > UNSTABLE).any()
    lost = linear.status != GOOD
    np.testing.assert_array_equal(found.reason[lost], linear.reason[lost])
    np.testing.assert_array_equal(found.window_nrmse[lost], linear.window_nrmse[lost])


@pytest.mark.ngspice
@pytest.mark.usefixtures("few_together")
def test_samples_beyond_the_engine_are_run_by_ngspice(tmp_path, worker):
    alone = nonlinear_chunk(BORDER, 0, range(4))
    handed = alone.reason == CODES["handed"]
    assert handed.any()
    assert not handed.all()
    run = monte_carlo(BORDER, 4, engine="nonlinear", store=tmp_path / "run.zarr", workers=1)
    simulated = [
        worker.call(ngspice_sample, (BORDER, 0, int(k)), timeout=60.0) for k in np.flatnonzero(handed)
    ]
    np.testing.assert_array_equal(run.window_nrmse[handed], [s.window_nrmse[0] for s in simulated])
    np.testing.assert_array_equal(run.window_nrmse[~handed], alone.window_nrmse[~handed])
    assert (run.status == GOOD).all()
    assert reasons(run) == {"beyond the nonlinear engine, so ngspice ran it": int(handed.sum())}
    assert open_run(tmp_path / "run.zarr").attrs["engine"] == "nonlinear"
    with pytest.raises(StoreError, match="its engine is 'nonlinear', not 'exact'"):
        monte_carlo(BORDER, 4, engine="exact", store=tmp_path / "run.zarr", resumed=True)


@pytest.mark.ngspice
@pytest.mark.usefixtures("few_together")
def test_a_recording_runs_to_its_end_resumed_and_beside_ngspice(tmp_path, monkeypatch):
    monkeypatch.setattr("lmu_analog.ensembles.hybrid.FEWEST", 3)
    rails = {"gain": "100 dB", "gbw": "10 MHz"}
    design = MILD.replace(order=2, signal="step", headroom="2 %", realization="legendre", opamp=rails)
    alone = nonlinear_chunk(design, 0, range(3))
    sure = alone.reason == CODES["none"]
    assert sure.any()
    assert not sure.all()
    store = tmp_path / "run.zarr"
    monte_carlo(design, 1, engine="nonlinear", store=store, workers=1)
    run, both = hybrid(design, 3, subset=3, engine="nonlinear", store=store, resumed=True, workers=1)
    assert (run.status == GOOD).all()
    np.testing.assert_array_equal(run.window_nrmse[sure], alone.window_nrmse[sure])
    assert reasons(run) == {"beyond the nonlinear engine, so ngspice ran it": int((~sure).sum())}
    # The engines meet the same circuits: 1e-4 of the error is 1e-5 of rms(u), as above.
    assert both.largest_difference < 1e-4
    assert both.correlation > 0.9999


def test_transistors_are_refused_before_anything_is_written(tmp_path):
    design = Design(order=2, theta="1 ms", family="gm-c", level="transistor")
    with pytest.raises(CircuitError, match="not of transistors or switches; use the ngspice engine"):
        monte_carlo(design, 4, engine="nonlinear", store=tmp_path / "run.zarr")
    assert not (tmp_path / "run.zarr").exists()
