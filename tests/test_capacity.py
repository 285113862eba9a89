"""The capacity experiment, against figures of an independent program and against the plain recursion."""

import numpy as np
import pytest

from lmu_analog.experiments import capacity, frame
from lmu_analog.memory.window import readout
from lmu_analog.networks.cell import Memory

# Mean square error of the untrained memory: a rerun of the paper's public notebook with nengo's noise.
PUBLISHED = {100: 1.00e-2, 1000: 1.07e-4, 10_000: 1.32e-6, 100_000: 2.19e-7}


def test_the_memory_holds_what_the_published_one_does():
    found = capacity.run(capacity.Options(steps=10_000, epochs=0), frame.silent)
    assert [row["steps"] for row in found["table"]] == [100, 1000, 10_000]
    for row in found["table"]:
        # Other noise of the same law: 20 % as the issue asks; the standard error is below 5 %.
        assert row["mse"] == pytest.approx(PUBLISHED[row["steps"]], rel=0.2)
        assert row["standard_error"] < 0.05 * row["mse"]
    assert found["mse"] == found["table"][-1]["mse"]


def test_the_stored_run_holds_the_published_figures():
    if not (frame.STORED / "capacity.json").exists():
        pytest.fail("run python -m benchmarks.experiments capacity")
    table = frame.stored("capacity")["result"]["table"]
    assert {row["steps"]: pytest.approx(row["mse"], rel=0.2) for row in table} == PUBLISHED
    trained = {row["steps"]: row["lstm"]["mse"] for row in table if row["lstm"]}
    assert trained.keys() == {100, 1000}
    part = frame.stored("capacity", capacity.Options(steps=1000))["result"]
    assert part["mse"] == pytest.approx(PUBLISHED[1000], rel=0.2)
    assert part["lstm"]["mse"] > part["mse"]
    assert capacity.part(frame.stored("capacity")["result"], capacity.Options(steps=777)) is None


def test_responses_are_those_of_the_plain_recursion():
    memory = Memory(12, 30.0)
    impulse = np.zeros(75)
    impulse[0] = 1.0
    plain = memory.run(impulse) @ readout(12, capacity.DELAYS).T
    np.testing.assert_allclose(capacity.responses(memory, 75), plain.T, atol=1e-12)  # rounding of 75 steps


def test_noise_is_limited_to_its_band_and_starts_at_a_zero_crossing():
    x = capacity.noise(1000, 6, np.random.default_rng(1))
    assert x.shape == (6, 2500)
    np.testing.assert_allclose(np.abs(x).max(axis=-1), 1.0)
    spectrum = np.abs(np.fft.rfft(x))
    assert spectrum[:, [0, *range(26, 1251)]].max() < 1e-9  # rounding: 25 periods of 2.5 T are the band's end
    # A step at the steepest: 2 pi 10/1000, half of it at most beside a crossing.
    assert np.abs(x[:, 0]).max() <= np.pi * 10.0 / 1000.0


def test_lengths_lead_up_to_the_longest():
    assert capacity.lengths(100) == [100]
    assert capacity.lengths(50) == [50]
    assert capacity.lengths(2500) == [100, 1000, 2500]
    assert capacity.lengths(100_000) == [100, 1000, 10_000, 100_000]


def test_an_lstm_stands_beside_the_memory():
    pytest.importorskip("optax")
    found = capacity.run(capacity.Options(steps=50, signals=4, epochs=1), frame.silent)
    # Four gates of 100 units that see 1 input and 100 units, each with a bias; a readout of 5.
    assert found["lstm"]["parameters"] == 4 * 100 * (1 + 100 + 1) + 5 * 101
    assert found["lstm"]["states"] == 200
    # One epoch teaches nothing: about the signal's own power, below its largest square.
    assert 0.01 < found["lstm"]["mse"] < 1.0
    header, rows = capacity.rows(found)
    assert [len(row) for row in rows] == [len(header)] * 2
