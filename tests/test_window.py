"""The sliding window against exact polynomials, published profiles and brute-force sums over time."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.statespace import frequency_response
from lmu_analog.memory.window import (
    MOST_NODES,
    POINTS,
    QUADRATURE,
    Quadrature,
    gauss_legendre,
    quadrature_for,
    readout,
    time_profile,
    tone_profile,
    window_nrmse,
)

seeds = st.integers(0, 2**32 - 1)

# "bandlimited_1Hz_theta1" of the project reference vectors: u(t) = sum_k a_k cos(2 pi k t/10) + b_k sin(..),
# k = 1..10, theta = 1; steady state in phasors; NRMSE at r = 0, .25, .5, .75, 1 and over 101 even r.
COSINE = [
    0.02284051163573266, -0.023998547373113657, 0.11634101071349476, 0.019056455366001285,
    -0.09731123069849498, 0.06568839207678336, 0.23688837850421837, 0.1720494370423964,
    -0.1278425560866949, -0.22988008437576868,
]  # fmt: skip
SINE = [
    -0.11322582184330114, 0.0075073956279582505, -0.42237174165253494, -0.03974631955940474,
    -0.22633574681048316, -0.13302578242622864, -0.09887164376789301, -0.05745999123446507,
    0.07477798077434776, 0.18938596097333638,
]  # fmt: skip
PROFILES = {
    1: [0.93100995492345, 0.7445886587236372, 0.7726882336871739, 0.9051655881437394, 0.9768016981669244],
    2: [0.7268457649048106, 0.3823367182619293, 0.633247813799281, 0.672790625544312, 0.7933625566158811],
    3: [0.5182658396426036, 0.3075493878538029, 0.32399946893758763, 0.4451613400838277, 0.45055244678922873],
    4: [0.3201813608221724, 0.16529998232831655, 0.1759831170481215, 0.1688838879754022, 0.15521190778666563],
    6: [
        0.04905195431012512, 0.014664562974827672, 0.013611852693313558, 0.0096080348809647,
        0.003010283884137582,
    ],
    8: [
        0.0028401815575795574, 0.00036267133263973147, 0.0005076581131097918, 0.00047987479932033885,
        9.79754650557878e-06,
    ],
}  # fmt: skip
WINDOW = {
    1: 0.8435576580410377, 2: 0.6053161546124038, 3: 0.36957695904983795, 4: 0.1701922358260647,
    6: 0.013825631059608802, 8: 0.0006118659667615936, 12: 3.4528829439604084e-07,
}  # fmt: skip


def even(points):
    """Give even places with the plain mean as their rule."""
    return Quadrature(np.linspace(0.0, 1.0, points), np.full(points, 1.0 / points))


def reference_profile(order, quadrature):
    """Profile of the ideal memory for the reference signal."""
    frequency = np.arange(1, 11) / 10.0
    phasor = np.array(COSINE) - 1j * np.array(SINE)
    states = frequency_response(legendre(order), frequency) * phasor[:, None]
    return tone_profile(states, (frequency, phasor), 1.0, quadrature=quadrature)


@given(order=st.integers(1, 24), numerator=st.integers(0, 64))
def test_the_readout_is_the_shifted_legendre_polynomial_over_the_rationals(order, numerator):
    r = Fraction(numerator, 64)
    exact = [
        (-1) ** i * sum(comb(i, j) * comb(i + j, j) * (-r) ** j for j in range(i + 1)) for i in range(order)
    ]
    # |P_i| <= 1, and the recurrence rounds to about i ulp.
    np.testing.assert_allclose(readout(order, np.array([float(r)]))[0], np.array(exact, float), atol=1e-13)


def test_the_ends_of_the_window_read_alternating_and_plain_sums():
    np.testing.assert_allclose(readout(40, np.array([0.0])), [(-1.0) ** np.arange(40)], atol=1e-13)
    np.testing.assert_allclose(readout(40, np.array([1.0])), np.ones((1, 40)), atol=1e-13)


@given(points=st.integers(1, 40), seed=seeds)
def test_the_quadrature_is_exact_for_polynomials_of_degree_2n_minus_1(points, seed):
    rule = gauss_legendre(points)
    degree = 2 * points - 1
    c = np.random.default_rng(seed).uniform(-1, 1, degree + 1)
    integral = np.sum(c / (np.arange(degree + 1) + 1.0))
    assert rule.weight.sum() == pytest.approx(1.0, abs=1e-14)
    # At most 80 terms of size 1.
    assert np.polynomial.polynomial.polyval(rule.r, c) @ rule.weight == pytest.approx(integral, abs=1e-12)


def test_the_window_has_33_points():
    assert POINTS == len(QUADRATURE.r) == len(QUADRATURE.weight) == 33


@pytest.mark.parametrize("order", PROFILES)
def test_the_profile_of_the_ideal_memory_is_the_published_one(order):
    # 1e-13 of rounding against errors down to 1e-5.
    np.testing.assert_allclose(reference_profile(order, even(5)), PROFILES[order], rtol=1e-7)


@pytest.mark.parametrize("order", WINDOW)
def test_the_error_of_the_ideal_memory_over_the_window_is_the_published_one(order):
    rule = even(101)
    assert window_nrmse(reference_profile(order, rule), rule) == pytest.approx(WINDOW[order], rel=1e-7)


def test_the_six_state_memory_misses_the_reference_signal_by_1_383_percent():
    rule = even(101)
    assert round(float(window_nrmse(reference_profile(6, rule), rule)), 5) == 0.01383


@given(order=st.integers(1, 6), seed=seeds)
def test_parsevals_profile_is_the_rms_over_time_of_a_period(order, seed):
    rng = np.random.default_rng(seed)
    frequency, theta = np.array([1.0, 2.0, 5.0]), 0.3
    phasor = rng.standard_normal(3) + 1j * rng.standard_normal(3)
    states = rng.standard_normal((3, order)) + 1j * rng.standard_normal((3, order))
    offset = rng.standard_normal(order)
    t = np.arange(32) / 32.0  # more than twice the highest tone: squares are summed without aliasing
    turning = np.exp(2j * np.pi * np.outer(t, frequency))
    m = (turning @ states).real + offset
    delayed = t[:, None] - theta * QUADRATURE.r
    ideal = np.real(np.exp(2j * np.pi * delayed[..., None] * frequency) @ phasor)
    rms = np.sqrt(np.mean((turning @ phasor).real ** 2))
    # Sums of 32 numbers of size 1.
    np.testing.assert_allclose(
        tone_profile(states, (frequency, phasor), theta, offset=offset),
        time_profile(m, ideal, rms),
        rtol=1e-11,
    )


@given(seed=seeds)
def test_many_profiles_at_once_are_those_of_each(seed):
    rng = np.random.default_rng(seed)
    states, ideal = rng.standard_normal((4, 9, 3)), rng.standard_normal((9, POINTS))
    together = time_profile(states, ideal, 2.0)
    each = np.array([time_profile(s, ideal, 2.0) for s in states])
    np.testing.assert_allclose(together, each, rtol=1e-13)  # the same sums, perhaps in another order
    np.testing.assert_allclose(window_nrmse(together), [window_nrmse(p) for p in each], rtol=1e-13)


@given(level=st.floats(0.0, 10.0))
def test_an_even_profile_is_its_own_mean(level):
    assert window_nrmse(np.full(POINTS, level)) == pytest.approx(level, rel=1e-13)  # a weighted mean


def test_the_memory_that_shows_the_window_has_no_error():
    ideal = np.random.default_rng(0).standard_normal((7, 2)) @ readout(2, QUADRATURE.r).T
    m = np.linalg.lstsq(readout(2, QUADRATURE.r), ideal.T, rcond=None)[0].T
    assert np.abs(time_profile(m, ideal, 1.0)).max() < 1e-14  # a least-squares fit that is exact


# Exact to rounding for 64 states and 200 turns, where the integrand is no longer than a polynomial of degree 1000.
FINEST = gauss_legendre(600)


@pytest.mark.parametrize(
    ("order", "turns", "missed"),
    # Relative errors of 33 nodes, measured with 600.
    [
        (12, 21.0, 5e-3),
        (20, 14.9, 7e-3),
        (32, 8.0, 1e-2),
        (48, 12.0, 7e-4),
        (64, 18.4, 7e-4),
        (1, 21.0, 2e-5),
    ],
)
def test_long_and_wide_windows_are_integrated_to_1e_6(order, turns, missed):
    wave = (np.array([turns]), np.ones(1, complex))
    states = frequency_response(legendre(order), wave[0])
    wanted = window_nrmse(tone_profile(states, wave, 1.0, quadrature=FINEST), FINEST)
    rule = quadrature_for(order, wave, 1.0)
    assert window_nrmse(tone_profile(states, wave, 1.0), rule) == pytest.approx(wanted, rel=1e-6)
    few = window_nrmse(tone_profile(states, wave, 1.0, quadrature=QUADRATURE))
    assert abs(few / wanted - 1.0) > 0.1 * missed  # which is why 33 nodes are not enough here


@given(
    order=st.integers(1, 64),
    turns=st.floats(0.1, 100.0),
    deviation=st.sampled_from([0.0, 1e-6, 1e-3, 0.1]),
    seed=seeds,
)
@settings(max_examples=60, deadline=None)
def test_the_integral_is_right_for_any_states_of_any_sum_of_tones(order, turns, deviation, seed):
    random = np.random.default_rng(seed)
    frequency = turns * np.array([1.0, *random.uniform(0.0, 1.0, 3)])
    wave = (frequency, random.standard_normal(4) + 1j * random.standard_normal(4))
    states = frequency_response(legendre(order), frequency) * wave[1][:, None]
    states = states + deviation * random.standard_normal(states.shape)
    offset = deviation * random.standard_normal(order)
    wanted = window_nrmse(tone_profile(states, wave, 1.0, offset=offset, quadrature=FINEST), FINEST)
    found = window_nrmse(tone_profile(states, wave, 1.0, offset=offset), quadrature_for(order, wave, 1.0))
    # Errors below 1e-8 are rounding of the states, 1e-14 of them, in one rule and the other.
    assert found == pytest.approx(wanted, rel=1e-6, abs=1e-14)


def test_33_nodes_stay_where_they_are_enough():
    tones = np.ones(1, complex)
    for order, turns in [(1, 12.0), (6, 12.0), (12, 10.0), (16, 8.0), (24, 6.0), (30, 1.0)]:
        assert quadrature_for(order, (np.array([turns]), tones), 1.0) is QUADRATURE
    for order, turns in [(12, 21.0), (20, 14.9), (32, 8.0), (48, 12.0)]:
        assert quadrature_for(order, (np.array([turns]), tones), 1.0) is not QUADRATURE
    silent = (np.array([1.0, 500.0]), np.array([1.0, 0.0 + 0.0j]))
    assert quadrature_for(6, silent, 1.0) is QUADRATURE  # a tone of no amplitude does not count


def test_a_longer_rule_keeps_the_profiles_points_evenly_about_the_middle():
    rule = quadrature_for(48)
    np.testing.assert_array_equal(rule.r[rule.shown], QUADRATURE.r)
    np.testing.assert_allclose(rule.r + rule.r[::-1], 1.0, rtol=1e-15)  # rounding
    assert rule.weight.sum() == pytest.approx(1.0, rel=1e-14)
    assert not rule.weight[rule.shown].any()
    assert np.isinf(window_nrmse(np.full(len(rule.r), np.inf), rule))  # an unstable circuit, not a NaN


def test_no_number_of_turns_asks_for_endless_nodes():
    rule = quadrature_for(6, (np.array([1e9]), np.ones(1, complex)), 1.0)
    assert len(rule.r) == MOST_NODES + POINTS
