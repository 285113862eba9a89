"""Chips at full amplitude: parts of the error against their definitions, transients against small signals."""

import numpy as np
import pytest

from lmu_analog.circuits.devices.pdk import find_pdk
from lmu_analog.errors import DesignError
from lmu_analog.memory import window
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.sampled import steady_response
from lmu_analog.silicon.ensemble import nominal_chip, settle, window_errors, with_ngspice
from lmu_analog.silicon.samples import Bench
from lmu_analog.silicon.swing import Parts, at_swing, best_swing, comb, parts, quantile, thd
from lmu_analog.silicon.transients import SteadyStates, with_transients
from lmu_analog.spice.worker import Worker
from lmu_analog.stimulus import sine
from tests.kits import needs_gf180
from tests.test_silicon_engines import memory

THETA = 1e-4
FREQUENCY = 300.0 * np.arange(1, 11)
TONES = comb(FREQUENCY, 0.3)


def synthetic(offset: np.ndarray, cubic: float) -> tuple[np.ndarray, SteadyStates]:
    """Give phasors of an ideal memory, and its states with an offset and a third power of the input in the first."""
    ideal = steady_response(legendre(3, THETA), FREQUENCY)
    time = 7.3e-4 + TONES.period * np.arange(400) / 400
    turning = np.exp(2j * np.pi * np.outer(time, FREQUENCY)) * TONES.phasor
    states = np.real(turning @ ideal) + offset
    states[:, 0] += cubic * TONES(time) ** 3
    return ideal, SteadyStates(time, states[None], np.zeros(1), np.zeros(1, int))


def test_parts_of_the_error_add_up_to_what_the_window_shows() -> None:
    offset = np.array([1e-3, -2e-3, 5e-4])
    ideal, found = synthetic(offset, 0.4)
    one = np.ones(1)
    seen = parts(found, TONES, one, theta=THETA)
    # The definition: the error of the estimate at every place of the window, sampled over the period.
    wanted = np.stack([TONES(found.time - THETA * r) for r in window.QUADRATURE.r], axis=-1)
    direct = window.window_nrmse(window.time_profile(found.states, wanted, TONES.rms))
    assert seen.total[0] == pytest.approx(direct[0], rel=1e-6)
    # What of the third power is at the tones themselves counts there, as compression does, and its mean as an offset.
    power = 0.4 * TONES(found.time) ** 3
    np.testing.assert_allclose(seen.constant[0], offset + [power.mean(), 0.0, 0.0], atol=1e-9)
    at_tones = (seen.states[0] - ideal)[:, 0] * TONES.phasor
    own = np.sqrt(0.5 * np.sum(np.abs(at_tones) ** 2))
    apart = np.array([seen.distortion[0] * TONES.rms, own, power.mean()])
    assert np.sqrt(apart @ apart) == pytest.approx(np.sqrt(np.mean(power**2)), rel=1e-6)
    linear = parts(synthetic(offset, 0.0)[1], TONES, one, theta=THETA)
    assert linear.tones[0] == pytest.approx(window_errors(ideal[None], FREQUENCY, THETA)[0], rel=1e-9)
    assert linear.distortion[0] < 1e-12
    weight = 1.0 / np.array([1.0, 3.0, 5.0])
    assert linear.offset[0] == pytest.approx(np.sqrt(offset**2 @ weight) / TONES.rms, rel=1e-6)
    removed = parts(found, TONES, one, theta=THETA, removed=seen.constant)
    assert removed.offset[0] < 1e-9


def test_distortion_of_a_sine_is_the_ratio_of_its_harmonics() -> None:
    tone = sine(1e3, 0.1)
    time = tone.period * np.arange(64) / 64
    turn = 2e3 * np.pi * time
    states = np.stack([np.sin(turn) + 0.03 * np.sin(3 * turn) + 0.2, 0.0 * turn], axis=-1)
    found = SteadyStates(time, states[None], np.zeros(1), np.zeros(1, int))
    assert thd(found, tone)[0] == pytest.approx(0.03, rel=1e-9)


def test_the_swing_is_where_the_share_of_chips_errs_least() -> None:
    amplitude = np.array([0.1, 0.2, 0.3])
    total = np.array([[0.3, 0.1, 0.2, 0.2], [0.1, 0.1, 0.1, np.nan], [0.2, 0.2, 0.2, 0.2]])
    assert quantile(total, 0.75).tolist() == [0.2, 0.1, 0.2]
    assert quantile(total, 0.95).tolist() == [0.3, np.inf, 0.2]
    assert best_swing(amplitude, total, share=0.75).amplitude == 0.2
    assert best_swing(amplitude, total).amplitude == 0.3
    met = best_swing(amplitude, total, share=0.75, wanted=0.25)
    assert (met.amplitude, met.error, met.lost) == (0.1, 0.2, 0)
    with pytest.raises(DesignError, match="multiples of the first"):
        comb(np.array([100.0, 250.0]), 0.1)


def test_many_chips_at_an_amplitude_follow_from_small_signals_and_the_nominal_one() -> None:
    offset = np.array([1e-3, -2e-3, 5e-4])
    ideal, found = synthetic(np.zeros(3), 0.4)
    small = parts(synthetic(np.zeros(3), 0.0)[1], TONES, np.ones(1), theta=THETA)
    large = parts(found, TONES, np.ones(1), theta=THETA)

    def both(name: str) -> np.ndarray:
        return np.concatenate([getattr(small, name), getattr(large, name)])

    nominal = Parts(*(both(x) for x in ("total", "tones", "offset", "distortion", "states", "constant")))
    amplitude = np.array([1e-3, 1.0])
    seen = at_swing(1.01 * ideal[None], offset[None], nominal, tones=TONES, amplitude=amplitude, theta=THETA)
    # One per cent of gain and an offset on top of the nominal cubic: the direct sum, at the one amplitude.
    power = synthetic(offset, 0.4)[1].states + 0.01 * synthetic(np.zeros(3), 0.0)[1].states
    wanted = np.stack([TONES(found.time - THETA * r) for r in window.QUADRATURE.r], axis=-1)
    direct = window.window_nrmse(window.time_profile(power, wanted, TONES.rms))
    assert seen[1, 0] == pytest.approx(direct[0], rel=1e-6)
    assert seen[0, 0] > 3.0 * direct[0]  # a thousandth of the signal, the same offset
    # Noise adds in squares.
    noisy = at_swing(
        1.01 * ideal[None],
        offset[None],
        nominal,
        tones=TONES,
        amplitude=amplitude,
        theta=THETA,
        noise=1e-3,
    )
    assert noisy[1, 0] == pytest.approx(np.hypot(seen[1, 0], 1e-3 / TONES.rms), rel=1e-9)


@needs_gf180
def test_a_transient_of_small_signals_is_the_response_and_distortion_goes_with_the_square() -> None:
    tones = comb(FREQUENCY, 1.0)
    with Worker() as worker:
        bench = settle(Bench(memory(), find_pdk("gf180mcu"), FREQUENCY), worker)
        chip = nominal_chip(bench)
        small = with_ngspice(bench, worker)(chip, np.ones(1)).states[0]
        amplitude = np.array([0.01, 0.1, 0.2])
        found = with_transients(bench, tones, worker)(chip.of(np.zeros(3, int)), np.ones(3), amplitude)
    assert (found.rung >= 0).all()
    assert found.apart.max() < 1e-5  # of 0.2 V: six windows are a steady state
    seen = parts(found, tones, amplitude, theta=THETA)
    # The trapezoidal rule at 64 steps a turn of the highest tone is 1e-3 off there.
    assert np.abs(seen.states[0] - small).max() < 2e-3 * np.abs(small).max()
    # A symmetric pair's first distortion is cubic.
    assert seen.distortion[2] / seen.distortion[1] == pytest.approx(4.0, rel=0.1)
    assert seen.distortion[1] > 3e-4
