"""Estimates from two engines: unbiased, with intervals that hold, on data whose truth is known."""

import numpy as np
import pytest
import xarray as xr

from lmu_analog.design import Design
from lmu_analog.ensembles.hybrid import beside, combine, control_variate, hybrid, yield_of_both
from lmu_analog.ensembles.montecarlo import monte_carlo
from lmu_analog.errors import DesignError, SimulationError, StoreError

# Two theta of signal a period keep the decks short.
DESIGN = Design(order=2, theta="1 ms", bandwidth="5 kHz", mismatch={"resistor": "3 %"}, nrmse="90 %")


def pair(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Errors as ensembles have them, skewed, and ngspice's a curved function of them with noise."""
    x = np.exp(0.4 * rng.standard_normal(count))
    return x, x + 0.1 * x**2 + 0.02 * rng.standard_normal(count)


# E x^p = exp(p^2 0.4^2 / 2).
MEAN = np.exp(0.08) + 0.1 * np.exp(0.32)


def as_run(errors: np.ndarray, status: np.ndarray | None = None) -> xr.Dataset:
    status = np.zeros(len(errors), np.int8) if status is None else status
    return xr.Dataset({"window_nrmse": ("sample", errors), "status": ("sample", status)})


def test_the_mean_is_unbiased_and_its_interval_holds():
    rng, repeats, subset = np.random.default_rng(1), 2000, 12
    values, covered, worth = [], [], []
    for _ in range(repeats):
        x, y = pair(rng, 400)
        found = control_variate(y[:subset], x[:subset], x[subset:])
        values.append(found.value)
        covered.append(found.low <= MEAN <= found.high)
        worth.append(found.equivalent)
    error = (np.mean(values) - MEAN) / (np.std(values) / np.sqrt(repeats))
    assert abs(error) < 4.0  # standard errors: one in 16,000 fair runs fails
    # 12 skewed pairs: Student's interval of such data itself holds in 93 to 95 %; 0.5 % is 1 standard error.
    assert 0.92 < np.mean(covered) < 0.98
    # Worth more than the 12 that it cost, and honest: the variance of 12 plain samples over its own.
    plain = np.var(pair(rng, 200_000)[1])
    assert np.median(worth) == pytest.approx(plain / np.var(values), rel=0.3)
    assert np.median(worth) > 10 * subset


def test_a_slope_from_the_same_samples_would_be_biased():
    """Why each sample has the others' slope: the usual estimate is off by many standard errors."""
    rng, repeats, subset = np.random.default_rng(2), 3000, 12
    usual, ours = [], []
    for _ in range(repeats):
        x, y = pair(rng, 400)
        head, rest = x[:subset], x[subset:]
        slope = np.cov(head, y[:subset])[0, 1] / head.var(ddof=1) * len(rest) / len(x)
        usual.append(y[:subset].mean() - slope * (head.mean() - rest.mean()))
        ours.append(control_variate(y[:subset], head, rest).value)
    bias = [(np.mean(v) - MEAN) / (np.std(v) / np.sqrt(repeats)) for v in (usual, ours)]
    assert abs(bias[0]) > 5.0 > 4.0 > abs(bias[1])


def test_a_control_that_says_nothing_does_no_harm():
    rng = np.random.default_rng(3)
    y = rng.standard_normal(50)
    constant = control_variate(y, np.ones(50), np.ones(100))
    assert constant.value == pytest.approx(y.mean(), abs=1e-12)
    alone = control_variate(y, rng.standard_normal(50), np.zeros(0))
    assert alone.value == pytest.approx(y.mean(), abs=1e-12)
    # Student's interval, with one degree of freedom less for the slope: 0.1 % wider.
    assert alone.high - alone.value == pytest.approx(2.0106 * y.std(ddof=1) / np.sqrt(50), rel=1e-3)


def test_a_perfect_control_is_worth_all_samples():
    x = np.random.default_rng(4).exponential(size=1000)
    found = control_variate(2.0 * x[:50], x[:50], x[50:])
    assert found.value == pytest.approx(2.0 * x.mean(), rel=1e-12)
    # 1000 but for the scatter of two estimates of one variance, from 50 and 950 samples.
    assert 500 < found.equivalent < 2000


def test_the_yield_is_unbiased_and_its_interval_never_too_narrow():
    rng, repeats, limit = np.random.default_rng(5), 400, 2.0
    truth = np.mean(pair(rng, 1_000_000)[1] <= limit)  # to 4e-4
    values, covered = [], []
    for _ in range(repeats):
        x, y = pair(rng, 600)
        found = yield_of_both(as_run(x), as_run(y[:100]), limit)
        values.append(found.value)
        covered.append(found.low <= truth <= found.high)
    assert abs(np.mean(values) - truth) < 4 * np.std(values) / np.sqrt(repeats) + 1e-3
    assert np.mean(covered) >= 0.95


def test_unstable_and_failed_samples_count_as_they_should():
    rng = np.random.default_rng(6)
    x, y = pair(rng, 200)
    x[3], y[3] = np.inf, np.inf  # unstable in both
    y[5] = np.nan  # failed in ngspice alone
    status = np.zeros(200, np.int8)
    status[3] = 1
    other = status[:50].copy()
    other[5] = 2
    found = combine(as_run(x, status), as_run(y[:50], other), limit=1.5)
    keep = np.delete(np.arange(50), [3, 5])
    assert found.mean == control_variate(y[keep], x[keep], x[50:])
    ran = np.delete(np.arange(50), 5)
    swapped = (y[ran] <= 1.5).mean() - (x[ran] <= 1.5).mean()
    assert found.within.value == pytest.approx((x <= 1.5).mean() + swapped, abs=1e-12)
    assert found.warnings[-1] == "ngspice failed in 1 of 50 samples, which are left out"


def test_engines_that_disagree_are_told_of():
    x = np.linspace(1.0, 2.0, 40)
    y = x[:20].copy()
    assert combine(as_run(x), as_run(y)).warnings == ()
    y[7] *= 1.25
    found = combine(as_run(x), as_run(y))
    assert found.worst_sample == 7
    assert found.largest_difference == pytest.approx(0.2)
    assert found.warnings == (
        "the engines disagree by more than 5 % in 1 of 20 samples, by 20 % at most; first in sample 7: trust "
        "the estimate from both, not the quick engine alone",
    )
    assert combine(as_run(x), as_run(y), bound=0.3).warnings == ()


def test_too_few_pairs_are_refused():
    x = np.linspace(1.0, 2.0, 40)
    y = np.where(np.arange(20) < 9, x[:20], np.nan)
    with pytest.raises(SimulationError, match="9 of 20 samples are finite in both engines, 10 are needed"):
        combine(as_run(x), as_run(y))


@pytest.mark.parametrize("subset", [9, 31, True])
def test_a_subset_beyond_the_samples_is_refused(subset):
    with pytest.raises(DesignError, match=f"hybrid {subset}: of 30 samples ngspice can run 10 to 30"):
        hybrid(DESIGN, 30, subset=subset)


def test_ngspice_is_no_control_for_itself():
    with pytest.raises(DesignError, match="take the engine exact or nonlinear"):
        hybrid(DESIGN, 30, subset=10, engine="ngspice")


@pytest.mark.ngspice
def test_both_engines_run_the_same_samples_and_are_kept(tmp_path):
    path = tmp_path / "run.zarr"
    run, found = hybrid(DESIGN, 100, 2, subset=10, store=path, workers=1)
    assert run.identical(monte_carlo(DESIGN, 100, 2, store=path, resumed=True))
    assert found.correlation > 0.999
    assert found.largest_difference < 0.01
    assert found.mean.low < float(run.window_nrmse.mean()) < found.mean.high
    assert (tmp_path / "run-ngspice.zarr").exists()
    assert beside(path) == tmp_path / "run-ngspice.zarr"
    again, same = hybrid(DESIGN, 100, 2, subset=10, store=path, workers=1, resumed=True)
    assert same == found
    assert again.identical(run)
    with pytest.raises(StoreError, match="run-ngspice.zarr exists; give another name, or resumed=True"):
        hybrid(DESIGN, 100, 2, subset=10, store=path)
