"""Sampling plans: even in every block, pure functions of the sample, and better than random samples."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtr

from lmu_analog.building import build
from lmu_analog.design import Design
from lmu_analog.ensembles.montecarlo import monte_carlo
from lmu_analog.ensembles.sampling import (
    BLOCK,
    MOST_DIMENSIONS,
    RANDOM,
    Plan,
    draw_plan,
    make_plan,
    planned_circuit,
)
from lmu_analog.errors import DesignError, StoreError
from lmu_analog.mismatch.law import Mismatch, columns, draw
from lmu_analog.output.decks import deck_text
from lmu_analog.simulation import simulate

DESIGN = Design(order=3, theta="1 ms", mismatch={"resistor": "2 %", "capacitor": "2 %"})
CIRCUIT, LAW = build(DESIGN), Mismatch.of(DESIGN)
EVEN = ["latin", "sobol"]


def points(sampling: str, samples: range, *, seed: int = 4) -> np.ndarray:
    plan = make_plan(DESIGN, sampling)
    return draw_plan(CIRCUIT, LAW, seed=seed, samples=samples, plan=plan)


def test_random_samples_are_the_streams_of_mismatch():
    assert make_plan(DESIGN, "random") == RANDOM
    np.testing.assert_array_equal(
        points("random", range(5, 80)), draw(CIRCUIT, LAW, seed=4, samples=range(5, 80))
    )


@pytest.mark.parametrize("sampling", EVEN)
def test_a_block_has_one_sample_in_every_part_of_each_draw(sampling):
    size = BLOCK[sampling]
    for block in range(3):
        part = np.floor(size * ndtr(points(sampling, range(block * size, (block + 1) * size))))
        np.testing.assert_array_equal(np.sort(part, axis=0), np.tile(np.arange(size)[:, None], part.shape[1]))


@pytest.mark.parametrize("sampling", EVEN)
def test_a_sample_is_the_same_in_any_stretch(sampling):
    whole = points(sampling, range(600))
    for stretch in (range(1), range(63, 65), range(200, 530), range(599, 600)):
        np.testing.assert_array_equal(points(sampling, stretch), whole[stretch.start : stretch.stop])


@pytest.mark.parametrize("sampling", EVEN)
def test_blocks_and_seeds_are_randomised_by_themselves(sampling):
    size = BLOCK[sampling]
    whole, other = points(sampling, range(2 * size)), points(sampling, range(size), seed=5)
    for a, b in ((whole[:size], whole[size:]), (whole[:size], other)):
        assert not (a == b).any()


@pytest.mark.parametrize("sampling", EVEN)
def test_every_single_sample_is_standard_normal(sampling):
    # Many blocks of one sample each: what is even within a block must not show.
    size = BLOCK[sampling]
    firsts = np.concatenate([points(sampling, range(b * size + 7, b * size + 8)) for b in range(40)])
    # 40 x 21 independent numbers; below 1e-3 one seed in a thousand would fail, and this one does not.
    assert stats.kstest(firsts.ravel(), "norm").pvalue > 1e-3


def test_latin_draws_depend_on_names_alone_as_random_ones_do():
    narrower = DESIGN.replace(mismatch={"capacitor": "1 %"})
    circuit, law = build(narrower), Mismatch.of(narrower)
    few = draw_plan(circuit, law, seed=4, samples=range(100), plan=Plan("latin"))
    names = columns(CIRCUIT, LAW)
    shared = [names.index(name) for name in columns(circuit, law)]
    np.testing.assert_array_equal(few, points("latin", range(100))[:, shared])


def test_the_first_sobol_dimensions_go_to_what_matters():
    design = DESIGN.replace(mismatch={"resistor": "0.1 %", "capacitor": {"tolerance": "0.1 %", "lot": "5 %"}})
    plan = make_plan(design, "sobol")
    names = columns(build(design), Mismatch.of(design))
    assert sorted(plan.order) == list(range(len(names)))
    assert names[plan.order[0]] == "lot|capacitor"
    assert names[plan.order[-1]] == "lot|resistor"  # has no effect at all


def test_the_limit_of_dimensions_is_said():
    too_many = Plan("sobol", tuple(range(MOST_DIMENSIONS + 1)))
    with pytest.raises(DesignError, match=f"has {MOST_DIMENSIONS} dimensions.*use 'latin'"):
        draw_plan(CIRCUIT, LAW, seed=0, samples=range(1), plan=too_many)


def test_an_unknown_plan_is_refused():
    with pytest.raises(DesignError, match="unknown sampling 'halton'; known are random, latin, sobol"):
        make_plan(DESIGN, "halton")


@pytest.mark.parametrize("sampling", EVEN)
def test_a_circuit_without_mismatch_is_sampled_too(sampling):
    run = monte_carlo(DESIGN.replace(mismatch={}), 3, sampling=sampling)
    assert len(np.unique(run.window_nrmse)) == 1


def test_even_samples_estimate_the_mean_square_error_better():
    # 21 draws. Variance of the estimate from 256 samples, from ten such estimates.
    variance = {}
    for sampling in ("random", "latin", "sobol"):
        run = monte_carlo(DESIGN, 10 * 256, seed=1, sampling=sampling, workers=1)
        variance[sampling] = (run.window_nrmse.values.reshape(10, 256) ** 2).mean(axis=1).var(ddof=1)
    # Measured over 40 blocks of two seeds: 24 and 31 times for Sobol', 1.2 and 1.7 for Latin. The ratio of two
    # variances with 9 degrees of freedom is within a factor 5.4 of the truth in 98 % of seeds.
    assert variance["random"] > 5.0 * variance["sobol"]
    assert variance["latin"] < 5.4 * variance["random"]


@pytest.mark.parametrize("sampling", EVEN)
def test_a_run_repeats_to_the_bit_and_goes_on_where_it_stopped(sampling, tmp_path):
    store = tmp_path / "run.zarr"
    monte_carlo(DESIGN, 100, seed=2, sampling=sampling, store=store)
    extended = monte_carlo(DESIGN, 300, seed=2, sampling=sampling, store=store, resumed=True)
    whole = monte_carlo(DESIGN, 300, seed=2, sampling=sampling)
    np.testing.assert_array_equal(extended.profile, whole.profile)
    assert extended.attrs == whole.attrs
    assert extended.attrs["sampling"] == sampling


@pytest.mark.ngspice
def test_both_engines_meet_the_same_samples():
    exact, simulated = (
        monte_carlo(DESIGN, 2, sampling="sobol", engine=e, workers=1) for e in ("exact", "ngspice")
    )
    # ngspice's step error, as in test_simulation.
    np.testing.assert_allclose(simulated.window_nrmse, exact.window_nrmse, atol=1e-4)


@pytest.mark.parametrize("sampling", ["random", *EVEN])
def test_a_sample_of_a_run_is_replayed_alone(sampling):
    run = monte_carlo(DESIGN, 300, seed=2, sampling=sampling)
    alone = simulate(DESIGN, circuit=planned_circuit(DESIGN, seed=2, index=270, sampling=sampling))
    # Phasors in one, a sampled period in the other.
    assert float(run.window_nrmse[270]) == pytest.approx(float(alone.window_nrmse), rel=1e-9)


def test_a_deck_says_which_plan_its_sample_is_of():
    assert "* sampling = sobol" in deck_text(DESIGN, sample=3, sampling="sobol").splitlines()
    assert "sampling" not in deck_text(DESIGN, sample=3)


@pytest.mark.parametrize("index", [-1, True])
def test_a_sample_that_is_no_number_is_refused(index):
    with pytest.raises(DesignError, match=f"sample {index} is no whole number from 0 to"):
        planned_circuit(DESIGN, seed=0, index=index, sampling="latin")


@pytest.mark.parametrize(("first", "then"), [("random", "sobol"), ("sobol", "random"), ("latin", "sobol")])
def test_a_run_is_not_continued_by_another_plan(first, then, tmp_path):
    monte_carlo(DESIGN, 10, sampling=first, store=tmp_path / "run.zarr")
    with pytest.raises(StoreError, match=f"its sampling is '{first}', not '{then}'"):
        monte_carlo(DESIGN, 20, sampling=then, store=tmp_path / "run.zarr", resumed=True)


def test_a_random_run_says_nothing_of_its_sampling():
    # So that runs from before there were plans can be continued.
    assert "sampling" not in monte_carlo(DESIGN, 2).attrs
