"""Statistics of an ensemble against SciPy and counting."""

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from scipy import stats

from lmu_analog.ensembles.yields import clopper_pearson, counts, percentiles, yield_within


def run(errors: list[float], status: list[int]) -> xr.Dataset:
    return xr.Dataset({"window_nrmse": ("sample", errors), "status": ("sample", status)})


@given(data=st.data(), samples=st.integers(1, 500))
def test_the_interval_is_scipys_exact_one(data, samples):
    good = data.draw(st.integers(0, samples))
    expected = stats.binomtest(good, samples).proportion_ci(method="exact")
    # SciPy solves for the bounds by root finding, to about 1e-9.
    assert clopper_pearson(good, samples) == pytest.approx((expected.low, expected.high), abs=1e-7)


def test_unstable_and_failed_samples_are_not_good():
    result = yield_within(run([0.01, 0.2, np.inf, np.nan], [0, 0, 1, 2]), 0.05)
    assert result.value == 0.25
    assert 0.0 < result.low < 0.25 < result.high < 1.0


def test_counts_name_what_went_wrong():
    assert counts(run([0.01, np.inf, np.inf, np.nan], [0, 1, 1, 2])) == {
        "samples": 4,
        "failed": 1,
        "unstable": 2,
    }


def test_percentiles_are_over_the_finite_samples():
    assert percentiles(run([0.01, 0.03, np.inf, np.nan], [0, 0, 1, 2]))["median"] == pytest.approx(0.02)


def test_an_ensemble_without_a_finite_sample_has_no_percentiles():
    assert set(percentiles(run([np.inf, np.nan], [1, 2])).values()) == {None}
