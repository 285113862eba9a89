"""Stimuli: definitions, closed forms and invariants."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_analog.errors import DesignError
from lmu_analog.stimulus import (
    MOST_POINTS,
    Recording,
    Tones,
    chirp,
    multitone,
    noise,
    occupied_bandwidth,
    sine,
    step,
)

volts = st.floats(-1e3, 1e3).map(lambda v: round(v, 6))
bandwidths = st.floats(1e-6, 1e12)


@st.composite
def tones(draw):
    harmonics = draw(st.lists(st.integers(1, 40), min_size=1, max_size=6, unique=True))
    parts = draw(st.lists(st.tuples(volts, volts), min_size=len(harmonics), max_size=len(harmonics)))
    cosine, sine_ = np.array(parts).T
    return Tones(draw(bandwidths) * np.array(harmonics), cosine, sine_)


@st.composite
def recordings(draw):
    return Recording(draw(st.floats(1e-9, 1e3)), np.array(draw(st.lists(volts, min_size=2, max_size=20))))


def size(signal):
    """Return the voltage that rounding errors are relative to."""
    return float(np.abs(signal.phasor).sum()) + 1e-300


@given(signal=tones())
def test_tones_repeat_after_their_period_and_not_after_a_prime_part_of_it(signal):
    turns = signal.frequency * signal.period
    # k * f and their ratios round to 2e-16 relative, times at most 40 * 40 turns.
    np.testing.assert_allclose(turns, np.round(turns), atol=1e-11)
    assert math.gcd(*np.round(turns).astype(int).tolist()) == 1


@given(signal=tones(), part=st.floats(-2, 2))
def test_the_phasors_give_the_same_signal(signal, part):
    t = part * signal.period
    expected = (signal.phasor @ np.exp(2j * np.pi * signal.frequency * t)).real
    # Phases up to 2 pi * 80 round to 1e-13 rad.
    np.testing.assert_allclose(signal(t), expected, atol=1e-12 * size(signal))


@given(signal=tones())
def test_the_rms_is_that_of_samples_over_a_period(signal):
    samples = signal(np.arange(2048) / 2048 * signal.period)  # even sampling is exact below 1024 turns
    np.testing.assert_allclose(signal.rms, np.sqrt(np.mean(samples**2)), atol=1e-11 * size(signal))


@given(signal=tones(), offset=st.floats(0, 1))
def test_no_sample_exceeds_the_peak_and_fine_samples_come_close(signal, offset):
    samples = np.abs(signal((np.arange(20_000) + offset) / 20_000 * signal.period))
    assert samples.max() <= signal.peak + 1e-11 * size(signal)
    # Half a sample is 40 * pi / 20000 rad of the highest tone; u falls at most by 1 - cos (M. Riesz).
    assert samples.max() >= signal.peak * math.cos(1600 * math.pi / 20_000) - 1e-11 * size(signal)


@pytest.mark.parametrize(
    ("cosine", "sine_", "peak"),
    [
        # sin x + sin 2x: stationary where 4 c^2 + c - 2 = 0 for c = cos x.
        ([0, 0], [1, 1], math.sqrt(1 - ((33**0.5 - 1) / 8) ** 2) * (1 + (33**0.5 - 1) / 4)),
        # cos x - cos 2x = c - 2 c^2 + 1: 9/8 at c = 1/4 but -2 at c = -1, so the peak is the trough.
        ([1, -1], [0, 0], 2.0),
        # cos x - cos(2x) / 4: curvature zero at x = 0, a flat stationary point; the peak is 5/4 at pi.
        ([1, -0.25], [0, 0], 1.25),
        # 4 cos x + cos 2x / 1 has its flat point at x = pi; the peak is 5.
        ([4, 1], [0, 0], 5.0),
    ],
)
def test_the_peak_of_two_tones_is_the_closed_form(cosine, sine_, peak):
    signal = Tones(np.array([3.0, 6.0]), np.array(cosine, float), np.array(sine_, float))
    assert math.isclose(signal.peak, peak, rel_tol=1e-12)  # Newton ends at rounding error


@given(bandwidth=bandwidths, amplitude=st.floats(1e-6, 1e6), count=st.integers(1, 30), seed=st.integers(0))
def test_a_multitone_has_equal_tones_up_to_the_bandwidth_and_the_peak_asked_for(
    bandwidth, amplitude, count, seed
):
    signal = multitone(bandwidth, amplitude, count=count, seed=seed)
    levels = np.abs(signal.phasor)
    np.testing.assert_allclose(levels, levels[0], rtol=1e-14)  # a few roundings
    np.testing.assert_allclose(signal.frequency, np.arange(1, count + 1) * (bandwidth / count), rtol=1e-15)
    assert math.isclose(signal.peak, amplitude, rel_tol=1e-9)  # what peak promises
    assert math.isclose(signal.period * bandwidth, count, rel_tol=1e-12)


@pytest.mark.parametrize("make", [multitone, noise])
def test_the_seed_alone_decides_the_draw(make):
    first, again, other = make(1e3, 0.5, seed=1), make(1e3, 0.5, seed=1), make(1e3, 0.5, seed=2)
    np.testing.assert_array_equal(first.phasor, again.phasor)
    assert np.abs(first.phasor - other.phasor).max() > 1e-3


def test_the_default_phases_are_numpys_uniform_draw():
    phase = np.random.default_rng(0).uniform(0, 2 * np.pi, 10)
    # Angles of a scaled unit phasor round to a few 1e-16 rad.
    phasor = multitone(1e3, 0.5).phasor
    np.testing.assert_allclose(phasor / np.abs(phasor), np.exp(1j * phase), atol=1e-14)


def test_noise_amplitudes_are_gaussian_and_its_peak_is_the_amplitude():
    signal = noise(1e3, 0.5, count=900)
    parts = np.concatenate([signal.cosine, signal.sine]) / signal.rms * math.sqrt(900)
    # 1800 standard normal draws: their kurtosis is 3 with a standard error of sqrt(24 / 1800) = 0.12.
    assert abs(np.mean(parts**4) / np.mean(parts**2) ** 2 - 3) < 0.5
    assert math.isclose(signal.peak, 0.5, rel_tol=1e-9)


def test_a_sine_starts_at_zero_and_reaches_its_amplitude_after_a_quarter_period():
    signal = sine(50.0, 2.0)
    np.testing.assert_allclose(signal(np.array([0, 0.005, 0.015])), [0, 2, -2], atol=1e-14)  # rounding of pi
    assert (signal.period, signal.peak) == (0.02, pytest.approx(2.0, rel=1e-12))


@pytest.mark.parametrize(
    ("frequency", "message"),
    [
        ([1.0, 1.0], "positive, distinct frequencies, got 1, 1 Hz"),
        ([0.0, 1.0], "positive, distinct frequencies, got 0, 1 Hz"),
        ([-1.0, 1.0], "positive, distinct frequencies"),
        ([np.nan, 1.0], "frequency of the tones: one axis of finite numbers is accepted"),
    ],
)
def test_improper_frequencies_are_refused(frequency, message):
    with pytest.raises(DesignError, match=message):
        Tones(np.array(frequency), np.ones(2), np.ones(2))


@pytest.mark.parametrize("ratio", [math.sqrt(2), 1 + 1 / 1009, 1 + 1e-9])
def test_tones_without_a_practical_period_say_what_to_do(ratio):
    signal = Tones(np.array([100.0, 100.0 * ratio]), np.ones(2), np.ones(2))
    with pytest.raises(DesignError, match=r"tones at 100, .* choose multiples of one common frequency"):
        _ = signal.period


def test_decimal_frequencies_find_their_common_period():
    signal = Tones(np.array([0.3, 0.7, 1.1]), np.ones(3), np.ones(3))
    assert math.isclose(signal.period, 10, rel_tol=1e-15)  # 1 / 0.1 Hz; none of the four is a binary fraction


def test_a_peak_beyond_reach_is_refused():
    with pytest.raises(DesignError, match="the highest turns 1000000 times in a common period"):
        _ = Tones(np.array([1.0, 1e6]), np.ones(2), np.ones(2)).peak


@pytest.mark.parametrize(
    "make",
    [
        lambda v: sine(v, 1.0),
        lambda v: sine(1.0, v),
        lambda v: multitone(v, 1.0),
        lambda v: noise(1.0, v),
        lambda v: step(v, duration=1.0, dt=0.1),
        lambda v: step(1.0, duration=v, dt=0.1),
        lambda v: chirp(1.0, 1.0, duration=v),
        lambda v: Recording(v, np.ones(2)),
        lambda v: Recording(1.0, np.ones(2)).refined(v),
    ],
)
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_figures_that_are_not_positive_and_finite_are_refused_by_name(make, value):
    with pytest.raises(DesignError, match=r"^(\w+) = (0.0|-1.0|nan|inf): a positive, finite number"):
        make(value)


@pytest.mark.parametrize("count", [0, -3])
@pytest.mark.parametrize("make", [multitone, noise])
def test_a_comb_without_tones_is_refused(make, count):
    with pytest.raises(DesignError, match=f"count = {count}: a positive, finite number is accepted"):
        make(1.0, 1.0, count=count)


@given(recording=recordings())
def test_a_recording_passes_through_its_samples_and_rests_before_and_holds_after(recording):
    np.testing.assert_array_equal(recording(recording.time), recording.values)
    assert recording(-recording.dt) == 0
    assert recording(-2e-9 * recording.dt) == 0
    assert recording(-1e-300) == recording.values[0]  # 0 but for rounding
    assert recording(2 * recording.duration) == recording.values[-1]


@given(recording=recordings(), part=st.floats(0, 1), parts=st.integers(1, 50))
def test_refining_keeps_the_function_and_meets_the_step(recording, part, parts):
    step_ = recording.dt / parts
    fine = recording.refined(step_)
    assert fine.dt <= step_ * (1 + 1e-15)  # both sides round
    np.testing.assert_array_equal(fine.values[:: round(recording.dt / fine.dt)], recording.values)
    t = part * recording.duration
    # Rounding of t / dt moves a value by 20 * 2e-16 of the largest step, 2e3 V.
    np.testing.assert_allclose(fine(t), recording(t), atol=1e-10)


def test_refining_stops_at_the_most_points():
    assert Recording(1.0, np.arange(101.0)).refined(1e-9).values.size == 399_901  # 100 * 3999 + 1
    long = Recording(1.0, np.arange(MOST_POINTS + 1.0))
    assert long.refined(0.1).values.size == MOST_POINTS + 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0], "at least two samples, got 1"),
        ([1.0, np.inf], "samples of a recording: one axis of finite numbers"),
    ],
)
def test_improper_samples_are_refused(values, message):
    with pytest.raises(DesignError, match=message):
        Recording(1.0, np.array(values))


def test_arrays_are_copied_and_read_only():
    values = np.ones(3)
    recording = Recording(1.0, values)
    values[0] = 7
    assert recording.values[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        recording.values[0] = 7
    with pytest.raises(ValueError, match="read-only"):
        sine(1.0, 1.0).sine[0] = 7


@given(duration=st.floats(1e-6, 1e3), count=st.integers(1, 1000))
def test_a_step_holds_its_amplitude_for_the_duration(duration, count):
    signal = step(0.5, duration=duration, dt=duration / count)
    assert signal.values.size == count + 1
    assert set(signal.values) == {0.5} == {signal.rms}
    assert math.isclose(signal.duration, duration, rel_tol=1e-12)  # count roundings of dt at most


def test_a_chirp_turns_half_as_often_as_its_last_frequency_and_fills_its_band():
    signal = chirp(100.0, 0.5, duration=2.0)
    crossings = np.count_nonzero(np.diff(np.signbit(signal.values[1:])))
    assert abs(crossings - 200) <= 1  # phase B t^2 / 2 = 100 turns, two crossings each, but for the ends
    assert math.isclose(signal.duration, 2.0, rel_tol=1e-12)
    assert abs(signal.peak - 0.5) < 0.5 * 0.004  # 40 points a cycle miss a crest by 1 - cos(pi / 40) = 0.31 %
    # Uniform power up to 100 Hz, tapered by the Hann window, whose 99 % point is at 87 % of the sweep.
    assert 80 < occupied_bandwidth(signal) < 100


def test_too_many_samples_are_refused():
    with pytest.raises(DesignError, match="1 s in steps of 1e-09 s: at most 400000 samples are accepted"):
        step(1.0, duration=1.0, dt=1e-9)


@given(cycles=st.integers(20, 200), offset=volts)
def test_the_occupied_bandwidth_of_a_sine_is_its_frequency_whatever_the_mean(cycles, offset):
    t = np.arange(1000) / 1000
    signal = Recording(1e-3, offset + np.sin(2 * np.pi * cycles * t))
    # The duration is 1 s, so bins are 1 Hz wide; a Hann line spreads over two of them either way.
    assert abs(occupied_bandwidth(signal) - cycles) <= 2


@pytest.mark.parametrize(("share", "frequency"), [(0.5, 20), (0.85, 100), (0.95, 300)])
def test_the_share_of_the_power_decides_the_occupied_bandwidth(share, frequency):
    t = np.arange(1000) / 1000
    parts = [(20, 0.8), (100, 0.1), (300, 0.1)]  # Hz, share of the power
    signal = Recording(1e-3, sum(math.sqrt(p) * np.sin(2 * np.pi * f * t) for f, p in parts))
    assert abs(occupied_bandwidth(signal, share) - frequency) <= 2  # bins of 1 Hz, Hann window


def test_a_constant_occupies_no_bandwidth_and_a_whole_share_is_refused():
    signal = step(0.1, duration=1.0, dt=0.1)
    assert occupied_bandwidth(signal) == 0
    with pytest.raises(DesignError, match="share = 1 of the power: a number between 0 and 1 is accepted"):
        occupied_bandwidth(signal, 1)
