"""Statistics of an ensemble against SciPy, counting and known distributions."""

from collections.abc import Sequence

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from scipy.special import ndtri
from scipy.stats import norm, qmc

from lmu_analog.ensembles.intervals import clopper_pearson
from lmu_analog.ensembles.sampling import BLOCK
from lmu_analog.ensembles.yields import counts, percentiles, warnings, yield_within

TRUTH = {"mean": np.exp(0.045), "p05": np.exp(-0.3 * 1.6449), "median": 1.0, "p95": np.exp(0.3 * 1.6449)}


def run(errors: Sequence[float] | np.ndarray, status: list[int], *, sampling: str = "random") -> xr.Dataset:
    attrs = {} if sampling == "random" else {"sampling": sampling}
    return xr.Dataset({"window_nrmse": ("sample", errors), "status": ("sample", status)}, attrs=attrs)


def known(sampling: str, samples: int, random: np.random.Generator) -> xr.Dataset:
    """Give log-normal errors exp(.3 x), where x is the sum of four draws: no plan gets that exactly."""
    size = BLOCK[sampling]
    match sampling:
        case "random":
            z = random.standard_normal((samples, 4))
        case "latin":
            blocks = [qmc.LatinHypercube(4, rng=random).random(size) for _ in range(samples // size)]
            z = ndtri(np.concatenate(blocks))
        case _:
            blocks = [qmc.Sobol(4, rng=random).random(size) for _ in range(samples // size)]
            z = ndtri(np.concatenate(blocks) + 2.0**-31)
    return run(np.exp(0.15 * z.sum(axis=1)), [0] * samples, sampling=sampling)


@pytest.mark.parametrize(("sampling", "samples"), [("random", 200), ("latin", 512), ("sobol", 1024)])
def test_intervals_hold_the_truth_about_nineteen_times_in_twenty(sampling, samples):
    random, times = np.random.default_rng(3), 200
    covered = dict.fromkeys([*TRUTH, 0.2, 0.8, 0.97], 0)
    for _ in range(times):
        given = known(sampling, samples, random)
        spread = percentiles(given)
        for name, truth in TRUTH.items():
            covered[name] += spread[f"{name}_low"] <= truth <= spread[f"{name}_high"]
        for share in (0.2, 0.8, 0.97):
            found = yield_within(given, float(np.exp(0.3 * norm.ppf(share))))
            covered[share] += found.low <= share <= found.high
    # Of 200, 190 are wanted, with a standard deviation of 3.1: three of those below it.
    assert min(covered.values()) >= 180, covered


def test_even_samples_have_narrower_intervals():
    random = np.random.default_rng(5)
    wide, narrow = (percentiles(known(s, 1024, random)) for s in ("random", "sobol"))
    # The mean of a nearly additive figure: Sobol' points take out all but the interactions.
    assert narrow["mean_high"] - narrow["mean_low"] < 0.3 * (wide["mean_high"] - wide["mean_low"])
    assert narrow["mean_square_se"] < 0.3 * wide["mean_square_se"]


def test_the_standard_error_of_the_mean_square_is_that_of_independent_samples():
    errors = np.random.default_rng(1).exponential(size=50)
    assert percentiles(run(errors, [0] * 50))["mean_square_se"] == pytest.approx(stats.sem(errors**2))


@pytest.mark.parametrize("sampling", ["latin", "sobol"])
def test_fewer_than_four_blocks_give_no_interval_and_say_so(sampling):
    samples = 4 * BLOCK[sampling] - 1
    few = run(np.linspace(0.01, 0.1, samples), [0] * samples, sampling=sampling)
    spread, found = percentiles(few), yield_within(few, 0.05)
    assert (found.low, found.high, found.method, spread["mean_low"], spread["p95_low"]) == (None,) * 5
    assert found.value == pytest.approx(0.44, abs=0.01)  # 4/9, of all samples
    assert [f"no interval: {sampling} sampling needs 4" in line for line in warnings(few)] == [True]
    many = run(np.linspace(0.01, 0.1, samples + 1), [0] * (samples + 1), sampling=sampling)
    assert warnings(many) == []
    assert yield_within(many, 0.05).method == "replicates"


def test_samples_beyond_the_last_complete_block_do_not_count():
    errors = np.concatenate([np.linspace(0.01, 0.1, 256), np.full(63, 5.0)])
    found = run(errors, [0] * 319, sampling="latin")
    assert percentiles(found)["mean"] == pytest.approx(0.055)
    assert yield_within(found, 1.0).value == 1.0


def test_rare_failures_of_even_samples_have_the_exact_binomial_interval():
    # Four blocks that agree by chance say nothing of what is rare.
    found = yield_within(run(np.full(256, 0.01), [0] * 256, sampling="latin"), 0.05)
    assert found.method == "clopper-pearson"
    assert (found.low, found.high) == clopper_pearson(256, 256)


def test_wilsons_interval_stands_beside_the_exact_one():
    found = yield_within(run([0.01] * 90 + [0.2] * 10, [0] * 100), 0.05)
    assert found.low < found.wilson_low < 0.9 < found.wilson_high < found.high


def test_unstable_and_failed_samples_are_not_good():
    result = yield_within(run([0.01, 0.2, np.inf, np.nan], [0, 0, 1, 2]), 0.05)
    assert result.value == 0.25
    assert 0.0 < result.low < 0.25 < result.high < 1.0


def test_counts_name_what_went_wrong():
    assert counts(run([0.01, np.inf, np.inf, np.nan], [0, 1, 1, 2])) == {
        "samples": 4,
        "planned": 4,
        "failed": 1,
        "unstable": 2,
    }


def test_percentiles_are_over_the_finite_samples():
    assert percentiles(run([0.01, 0.03, np.inf, np.nan], [0, 0, 1, 2]))["median"] == pytest.approx(0.02)


def test_an_ensemble_without_a_finite_sample_has_no_percentiles():
    assert set(percentiles(run([np.inf, np.nan], [1, 2])).values()) == {None}
