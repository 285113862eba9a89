"""Intervals against SciPy, and against how often they hold."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from scipy import stats

from lmu_analog.ensembles import intervals
from lmu_analog.ensembles.intervals import clopper_pearson, half_width, order_statistics, wilson


@given(data=st.data(), samples=st.integers(1, 500))
def test_clopper_and_pearsons_interval_is_scipys_exact_one(data, samples):
    good = data.draw(st.integers(0, samples))
    expected = stats.binomtest(good, samples).proportion_ci(method="exact")
    # SciPy solves for the bounds by root finding, to about 1e-9.
    assert clopper_pearson(good, samples) == pytest.approx((expected.low, expected.high), abs=1e-7)


@given(data=st.data(), samples=st.integers(1, 500))
def test_wilsons_interval_is_scipys(data, samples):
    good = data.draw(st.integers(0, samples))
    expected = stats.binomtest(good, samples).proportion_ci(method="wilson")
    # The same formula: rounding only.
    assert wilson(good, samples) == pytest.approx((expected.low, expected.high), abs=1e-12)


@given(samples=st.integers(1, 5000), fraction=st.sampled_from([0.05, 0.5, 0.95]))
def test_order_statistics_are_the_closest_that_enclose_a_percentile(samples, fraction):
    found = order_statistics(samples, fraction)
    if found is None:  # then the extremes themselves leave too much on one side
        assert max(fraction**samples, (1.0 - fraction) ** samples) > 0.025
        return
    low, high = found
    below = stats.binom(samples, fraction)
    # The percentile is under the low one if at most ``low`` samples are below it, over the high one if more
    # than ``high`` are.
    assert below.cdf(low) <= 0.025 < below.cdf(low + 1)
    assert below.sf(high) <= 0.025 < below.sf(high - 1)


@pytest.mark.parametrize(("samples", "fraction"), [(5, 0.5), (71, 0.05), (71, 0.95)])
def test_too_few_samples_have_no_percentile_interval(samples, fraction):
    assert order_statistics(samples, fraction) is None
    assert order_statistics(samples + 1, fraction) is not None


def test_the_interval_of_a_mean_is_students():
    values = np.random.default_rng(0).normal(size=9)
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert 2.0 * half_width(values) == pytest.approx(expected.high - expected.low)
    assert half_width(values[:1]) is None


@pytest.mark.parametrize("samples", [1, 5, 40, 1000, 100_000])
def test_quantiles_of_the_binomial_law_are_scipys(samples):
    for fraction in (0.05, 0.5, 0.95):
        for p in (0.0005, 0.025, 0.5, 0.975, 0.9995):
            assert intervals._binomial_quantile(p, samples, fraction) == stats.binom.ppf(p, samples, fraction)
