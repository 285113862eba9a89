"""The ideal memory: reference matrices, exact invariants, published approximation errors."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_analog.errors import DesignError
from lmu_analog.memory.legendre import (
    HIGHEST_ORDER,
    check_order,
    legendre,
    smallest_order,
    truncation_error,
    usable_band,
    window_length,
)
from lmu_analog.memory.statespace import frequency_response, growth

orders = st.integers(1, HIGHEST_ORDER)
thetas = st.floats(1e-12, 1e6)

# nengolib.synapses.analog.LegendreDelay with theta = 1 (project reference vectors, "AB").
REFERENCE = {
    1: ([[-1]], [1], [-1 + 0j]),
    2: ([[-1, -1], [3, -3]], [1, -3], [-2 - 1.4142135623730951j, -2 + 1.4142135623730951j]),
    3: (
        [[-1, -1, -1], [3, -3, -3], [-5, 5, -5]],
        [1, -3, 5],
        [
            -3.637834252744489,
            -2.6810828736277506 - 3.0504301992474083j,
            -2.6810828736277506 + 3.0504301992474083j,
        ],
    ),
    4: (
        [[-1, -1, -1, -1], [3, -3, -3, -3], [-5, 5, -5, -5], [7, -7, 7, -7]],
        [1, -3, 5, -7],
        [
            -4.7871931031284625 - 1.567476416895204j,
            -4.7871931031284625 + 1.567476416895204j,
            -3.212806896871528 - 4.773087433276646j,
            -3.212806896871528 + 4.773087433276646j,
        ],
    ),
    6: (
        [
            [-1, -1, -1, -1, -1, -1],
            [3, -3, -3, -3, -3, -3],
            [-5, 5, -5, -5, -5, -5],
            [7, -7, 7, -7, -7, -7],
            [-9, 9, -9, 9, -9, -9],
            [11, -11, 11, -11, 11, -11],
        ],
        [1, -3, 5, -7, 9, -11],
        [
            -7.4906375288096125 - 1.6215023887786026j,
            -7.4906375288096125 + 1.6215023887786026j,
            -6.470514936701594 - 4.900121147421321j,
            -6.470514936701594 + 4.900121147421321j,
            -4.0388475344888 - 8.345600414872218j,
            -4.0388475344888 + 8.345600414872218j,
        ],
    ),
}

# |[d-1/d] exp(-s) - exp(-s)| at s = 2 pi i f theta, mpmath with 60 digits ("pade_delay_error_abs").
PADE_ERROR = {
    (1, 0.1): 0.16531354646014124,
    (2, 0.25): 0.06697727536435831,
    (3, 0.5): 0.07899890944261097,
    (4, 1.0): 0.3444528582676142,
    (6, 0.5): 3.3775859106044452e-06,
    (6, 1.0): 0.007035020599201669,
    (8, 1.5): 0.006457227251617555,
    (12, 2.0): 5.123082983088991e-05,
    (16, 3.0): 4.358901947386668e-05,
    (21, 5.0): 0.003228732452364881,
    (24, 5.0): 1.5172464972735917e-05,
    (32, 10.0): 0.6946438062141534,
}


@pytest.mark.parametrize("order", REFERENCE)
def test_the_matrices_are_those_of_the_reference(order):
    A, B, poles = REFERENCE[order]
    system = legendre(order)
    np.testing.assert_array_equal(system.A, A)
    np.testing.assert_array_equal(system.B[:, 0], B)
    found = sorted(system.poles, key=lambda p: (round(p.real, 6), p.imag))
    wanted = sorted(poles, key=lambda p: (round(np.real(p), 6), np.imag(p)))
    np.testing.assert_allclose(found, wanted, atol=1e-12)  # poles of size 10, separated by more than 1


@given(order=orders, theta=thetas)
def test_theta_stretches_time_and_nothing_else(order, theta):
    unit, system = legendre(order), legendre(order, theta)
    np.testing.assert_allclose(system.A, unit.A / theta, rtol=1e-15)  # one or two roundings
    np.testing.assert_allclose(system.B, unit.B / theta, rtol=1e-15)
    assert window_length(system) == pytest.approx(theta, rel=1e-13)  # a sum of at most 64 equal signs


@given(order=orders)
def test_the_trace_is_minus_the_order_squared_and_at_dc_only_the_mean_remains(order):
    system = legendre(order)
    assert np.trace(system.A) == -(order**2)
    np.testing.assert_array_equal(system.C, np.eye(order))
    np.testing.assert_array_equal(
        system.A @ np.eye(order)[:, :1], -system.B
    )  # -A^-1 B = e_0, without inverse
    assert growth(system) < 0


def test_the_determinant_is_the_exact_one():
    # "AB" of the reference vectors; a determinant of size 3e5 rounds to 1e-10.
    dets = [np.linalg.det(legendre(d).A) for d in (1, 2, 3, 4, 6)]
    np.testing.assert_allclose(dets, [-1, 6, -60, 840, 332640], rtol=1e-12)


@given(order=orders)
def test_in_orthonormal_coordinates_the_memory_is_a_lossless_two_port(order):
    # Identity I2 of docs: z_i = m_i / sqrt(2i+1); over the rationals with W = diag(1/(2i+1)).
    system = legendre(order)
    W = [Fraction(1, 2 * i + 1) for i in range(order)]
    for i in range(order):
        for j in range(order):
            power = W[i] * Fraction(system.A[i, j]) + W[j] * Fraction(system.A[j, i])
            assert power == -(W[i] * Fraction(system.B[i, 0]) * W[j] * Fraction(system.B[j, 0])) - 1


@pytest.mark.parametrize(("order", "f", "error"), [(*k, e) for k, e in PADE_ERROR.items()])
def test_the_oldest_tap_misses_the_delay_by_the_error_of_pade(order, f, error):
    tap = frequency_response(legendre(order), np.array([f]))[0].sum()
    # The solve rounds to 1e-15 of states of size 1, with condition numbers up to 1e3 at d = 32.
    assert abs(tap - np.exp(-2j * np.pi * f)) == pytest.approx(error, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(
    ("order", "error"),
    [(1, 0.02), (2, 0.14), (3, 0.33), (4, 0.55), (6, 1.03), (8, 1.55), (12, 2.64), (16, 3.77)],
)
def test_the_delayed_tap_is_within_one_percent_up_to_the_published_frequency(order, error):
    # "largest f theta with error <= 1 %", on a grid of .01: held there, broken one step on.
    def miss(f):
        return abs(frequency_response(legendre(order), np.array([f]))[0].sum() - np.exp(-2j * np.pi * f))

    assert miss(error - 0.01 if order == 1 else error) <= 0.01 < miss(error + 0.01)


def test_truncation_errors_are_the_fixed_measures_of_the_project():
    found = [truncation_error(d, 1.0) for d in (5, 6, 7)]
    np.testing.assert_allclose(found, [0.0466748, 0.0112664, 0.00241351], rtol=1e-5)  # six digits were given


@pytest.mark.parametrize(
    ("order", "wm"), [(2, 0.60), (3, 1.76), (6, 6.46), (12, 17.3), (24, 40.2), (48, 87.1)]
)
def test_the_one_percent_band_of_a_flat_spectrum_is_the_derived_one(order, wm):
    # The error grows like the order-th power of w at most, and w_m is rounded to three digits (.5 % at
    # worst at d = 2 and 3, .3 % for the others); 300 tones in place of a continuum cost another 2 %.
    slack = 0.02 + order * (0.0085 if order == 2 else 0.003)
    assert truncation_error(order, wm / (2 * np.pi), tones=300) == pytest.approx(0.01, rel=min(slack, 0.06))


@given(order=st.integers(2, 24), band=st.floats(0.05, 1.5))
def test_more_states_and_smaller_bands_never_hurt(order, band):
    error = truncation_error(order, band)
    assert truncation_error(order + 1, band) <= error + 1e-12  # below that there is only rounding
    assert truncation_error(order, 0.9 * band) <= error + 1e-12


@given(error=st.floats(1e-6, 0.5), band=st.floats(0.1, 3.0))
def test_the_smallest_order_suffices_and_one_less_does_not(error, band):
    order = smallest_order(error, band)
    assert truncation_error(order, band) <= error
    assert order == 1 or truncation_error(order - 1, band) > error


@given(order=st.integers(1, 24), error=st.floats(1e-3, 0.1))
def test_at_the_end_of_the_usable_band_the_error_is_the_limit(order, error):
    # The band is bisected to 1e-6 of itself; the error grows at most like its order-th power, plus slack.
    assert truncation_error(order, usable_band(order, error)) == pytest.approx(error, rel=1e-6 * (order + 4))


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (0, r"^order 0 is outside 1 to 64$"),
        (65, r"^order 65 is outside 1 to 64$"),
        (-3, r"^order -3 is outside"),
        (10**30, r"^order 10{30} is outside 1 to 64$"),
        (2.5, r"^order must be a whole number from 1 to 64, not 2\.5$"),
        (6.0, r"whole number from 1 to 64, not 6\.0$"),
        ("six", r"whole number from 1 to 64, not 'six'$"),
        (True, r"whole number from 1 to 64, not True$"),
        (None, r"whole number from 1 to 64, not None$"),
    ],
)
def test_an_order_that_is_no_whole_number_from_1_to_64_is_refused(order, message):
    with pytest.raises(DesignError, match=message):
        check_order(order)


def test_an_order_too_long_to_print_is_refused_like_any_other():
    with pytest.raises(
        DesignError, match=r"^order a whole number of about [0-9]+ digits is outside 1 to 64$"
    ):
        check_order(16**5000)


def test_a_numpy_integer_is_an_order_and_becomes_plain():
    assert type(check_order(np.int64(6))) is int


@pytest.mark.parametrize("theta", [0.0, -1.0, 0.99e-12, 1.01e6, float("nan"), float("inf")])
def test_a_window_beyond_sense_is_refused(theta):
    with pytest.raises(DesignError, match=r"^theta = \S+ s is outside 1e-12 to 1e\+06 s$"):
        legendre(3, theta)


def test_an_error_that_no_order_reaches_is_refused_with_what_would_help():
    with pytest.raises(
        DesignError, match=r"no order up to 64 keeps the error within 1e-09 .* = 50; allow more"
    ):
        smallest_order(1e-9, 50.0)
