"""The generalised chi-square against closed forms, and against samples of itself."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from lmu_analog.theory.first_order import FirstOrder
from lmu_analog.theory.quadratic import QuadraticForm, beyond, principal, quadratic_form, quantile, within


@given(
    scale=st.floats(1e-4, 1e2),
    centre=st.floats(-3.0, 3.0),
    count=st.integers(1, 12),
    probability=st.floats(1e-9, 1.0 - 1e-9),
)
@example(scale=1e-4, centre=0.0, count=1, probability=0.015625)
@example(scale=1.0 / 256.0, centre=0.0, count=1, probability=1e-6)
def test_equal_terms_are_a_noncentral_chi_square(scale, centre, count, probability):
    form = QuadraticForm(0.3, np.full(count, scale), np.full(count, scale * centre))
    law = stats.ncx2(count, count * centre**2) if centre else stats.chi2(count)
    q = 0.3 + scale**2 * float(law.ppf(probability))
    # SciPy's own non-central tails are right to about 1e-9 of the whole, some 1e-11 where they are small.
    assert within(form, q) == pytest.approx(law.cdf((q - 0.3) / scale**2), rel=1e-7, abs=2e-11)
    assert beyond(form, q) == pytest.approx(law.sf((q - 0.3) / scale**2), rel=1e-7, abs=2e-11)


@pytest.mark.parametrize("q", [30.0, 100.0, 600.0])
def test_far_tails_are_right_relative_to_themselves(q: float):
    form = QuadraticForm(0.0, np.ones(3), np.zeros(3))
    # Down to 1e-129: SciPy's central tail is right to rounding.
    assert beyond(form, q) == pytest.approx(stats.chi2.sf(q, 3), rel=1e-10)


def test_the_mean_of_copies_is_one_more_form():
    form = QuadraticForm(0.0, np.ones(1), np.zeros(1)).mean_of(40)
    for q in (0.4, 0.9, 1.1, 2.0):
        assert within(form, q) == pytest.approx(stats.chi2.cdf(40 * q, 40), rel=1e-10)
    assert form.variance == pytest.approx(2.0 / 40.0)


def test_samples_of_a_form_follow_its_law():
    random = np.random.default_rng(3)
    scale, centre = np.geomspace(1.0, 1e-4, 60), 0.5 * random.standard_normal(60)
    form = QuadraticForm(0.1, scale, centre)
    samples = 0.1 + np.sum((scale * random.standard_normal((20_000, 60)) + centre) ** 2, axis=1)
    # Kolmogorov's statistic exceeds 1.63/sqrt(n) in 1 % of all draws; the seed is fixed.
    at = np.quantile(samples, np.linspace(0.02, 0.98, 25))
    law = np.array([within(form, q) for q in at])
    assert np.abs(law - np.linspace(0.02, 0.98, 25)).max() < 1.63 / np.sqrt(20_000)


@pytest.mark.parametrize("probability", [1e-6, 0.05, 0.5, 0.95, 1.0 - 1e-6])
def test_a_quantile_has_its_probability_below(probability: float):
    form = QuadraticForm(0.01, np.array([1.0, 0.7, 1e-3]), np.array([0.0, 2.0, 0.4]))
    # Quantiles are given to 1e-7 of themselves.
    assert within(form, quantile(form, probability)) == pytest.approx(probability, rel=1e-5)


def test_principal_axes_keep_the_error_of_every_draw():
    random = np.random.default_rng(1)
    jacobian, error = random.standard_normal((30, 9)), random.standard_normal(30)
    theory = FirstOrder(tuple("abcdefghi"), 0.2, error, jacobian)
    form, axes = principal(theory)
    x = random.standard_normal((5, 9))
    direct = 0.2 + np.sum((error + x @ jacobian.T) ** 2, axis=1)
    turned = form.rest + np.sum((form.scale * (x @ axes) + form.centre) ** 2, axis=1)
    np.testing.assert_allclose(turned, direct, rtol=1e-12)  # rounding
    assert form.mean == pytest.approx(theory.nominal**2 + theory.predicted_rms**2)


def test_without_mismatch_the_law_is_a_step():
    form = quadratic_form(FirstOrder((), 0.25, np.zeros(4), np.zeros((4, 0))))
    assert quantile(form, 0.95) == 0.25
    assert (within(form, 0.24), within(form, 0.25), beyond(form, 0.26)) == (0.0, 1.0, 0.0)


def test_far_below_all_that_is_likely_the_probability_vanishes_quietly():
    scale = np.geomspace(1.0, 1e-5, 80)
    form = QuadraticForm(0.1, scale, np.full(80, 0.3))
    assert 0.0 <= within(form, 0.1001) < 1e-30
