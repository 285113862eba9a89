"""Small failure probabilities: the interval holds what plain sampling counts."""

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from lmu_analog.design import Design
from lmu_analog.ensembles.exact import exact_chunk
from lmu_analog.ensembles.high_sigma import errors_of, extrapolate, high_sigma, scales_for
from lmu_analog.errors import DesignError
from lmu_analog.mismatch.law import Mismatch, build, draw
from lmu_analog.theory.first_order import first_order
from lmu_analog.theory.quadratic import quadratic_form, quantile

SIGMA = {"tolerance": "1 %", "distribution": "gauss"}
SMALL = Design(order=3, theta="1 ms", bandwidth="280 Hz", mismatch={"resistor": SIGMA, "capacitor": SIGMA})
# Where theory puts 3e-5, and what a million samples of the exact engine count (benchmarks/results/high_sigma.json).
LIMIT, COUNTED = 0.0908722, 4.0e-5


def test_a_thousand_circuits_give_a_4_sigma_yield():
    found = high_sigma(SMALL.replace(nrmse=LIMIT), seed=1)
    assert found.low < COUNTED < found.high
    assert found.high / found.low < 1.6  # nine per cent of standard error
    assert found.sigma == pytest.approx(3.96, abs=0.1)
    assert found.warnings == ()


def test_the_interval_holds_where_many_directions_share_the_blame():
    design = Design(
        order=5, theta="1 ms", bandwidth="700 Hz", realization="legendre", mismatch=SMALL.mismatch
    )
    limit = math.sqrt(quantile(quadratic_form(first_order(design)), 1.0 - 4e-3))
    counted = exact_chunk(design, 7, range(4000)).window_nrmse
    low, high = stats.binomtest(int(np.sum(counted > limit)), 4000).proportion_ci(0.99)
    found = high_sigma(design.replace(nrmse=limit), samples=600)
    assert found.directions > 2.0
    assert found.low < high  # a 95 % and a 99 % interval overlap, but for once in hundreds of seeds
    assert found.high > low


def test_scaled_sigma_holds_the_value_too_with_less_to_say():
    found = high_sigma(SMALL.replace(nrmse=LIMIT), method="scaled-sigma", seed=2)  # of 40 seeds, 39
    assert found.low < COUNTED < found.high


def test_the_extrapolation_recovers_its_own_law():
    scales = np.geomspace(1.8, 4.0, 6)
    random = np.random.default_rng(0)
    scale = np.repeat(scales, 50_000)
    # A half space at 4 sigma: P(s) = Phi(-4/s).
    failed = random.random(len(scale)) < stats.norm.cdf(-4.0 / scale)
    value, low, high, _, warnings = extrapolate(scale, failed)
    assert low < stats.norm.cdf(-4.0) < high
    assert value == pytest.approx(
        stats.norm.cdf(-4.0), rel=0.5
    )  # the asymptotic law itself is off by so much
    assert warnings == ()


def test_scales_reach_from_few_to_half_of_the_circuits():
    form = quadratic_form(first_order(SMALL))
    scales = scales_for(form, LIMIT**2)
    random = np.random.default_rng(0)
    x = random.standard_normal((20_000, len(form.scale)))
    for s, share in ((scales[0], 0.04), (scales[-1], 0.5)):
        found = np.mean(form.rest + np.sum((s * form.scale * x + form.centre) ** 2, axis=1) > LIMIT**2)
        assert found == pytest.approx(share, rel=0.1)  # 4 % of 20,000 are right to 4 %


def test_without_failures_there_is_a_bound_and_a_warning():
    nothing = extrapolate(np.repeat([2.0, 3.0, 4.0], 20), np.zeros(60, bool))
    assert nothing[:3] == (0.0, 0.0, 1.0)
    assert "nothing to extrapolate from" in nothing[4][0]
    # A part within three sigma cannot miss a limit at nine.
    bounded = SMALL.replace(mismatch={"capacitor": {"tolerance": "0 %", "lot": "1 %"}})
    form = quadratic_form(first_order(bounded))
    found = high_sigma(bounded.replace(nrmse=math.sqrt(form.mean) * 9.0), samples=100)
    assert (found.failure, found.low) == (0.0, 0.0)
    assert 0.0 < found.high < 1.0
    assert "no circuit failed" in found.warnings[0]


def test_errors_of_draws_are_those_of_the_ensemble():
    circuit, law = build(SMALL), Mismatch.of(SMALL)
    z = draw(circuit, law, seed=3, samples=range(20))
    # Two ways through the same equations: rounding.
    np.testing.assert_allclose(errors_of(SMALL, z), exact_chunk(SMALL, 3, range(20)).window_nrmse, rtol=1e-6)


@pytest.mark.ngspice
def test_ngspice_gives_the_same_errors():
    circuit, law = build(SMALL), Mismatch.of(SMALL)
    z = draw(circuit, law, seed=3, samples=range(2))
    # The step of our decks leaves 1e-4 of full scale.
    np.testing.assert_allclose(
        errors_of(SMALL, z, engine="ngspice", workers=1), errors_of(SMALL, z), atol=2e-4
    )


@pytest.mark.parametrize(
    ("changes", "options", "words"),
    [
        ({"nrmse": None}, {}, r"\[spec\] nrmse is missing: a yield needs a limit"),
        ({"mismatch": {}}, {}, "needs .mismatch. that has an effect on the window error"),
        ({"nrmse": "0.1 %"}, {}, "the nominal circuit misses the limit already: 1.19 % against 0.1 %"),
        ({}, {"samples": 10}, "10 samples; a whole number from 50 to 1000000 is accepted"),
        ({}, {"seed": -1}, "seed -1 is no whole number"),
    ],
)
def test_what_cannot_be_answered_is_refused(changes, options, words):
    with pytest.raises(DesignError, match=words):
        high_sigma(SMALL.replace(**{"nrmse": LIMIT, **changes}), **options)


def test_equal_seeds_give_equal_figures():
    given = SMALL.replace(nrmse=LIMIT)
    first, again = (dataclasses.asdict(high_sigma(given, samples=100, seed=5)) for _ in range(2))
    assert first == again
