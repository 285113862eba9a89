"""Neurons: tuning, decoders, and what they send."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_analog.errors import DesignError
from lmu_analog.networks.spiking import decoders as solver
from lmu_analog.networks.spiking.decoders import decoders
from lmu_analog.networks.spiking.firing import Decoded, fire, largest_rates
from lmu_analog.networks.spiking.neurons import Populations, Tuning, deviated, lognormal, populations, rate

LIF, RECTIFIED = Tuning(), Tuning("rectified")


def one(tuning: Tuning, current: float) -> Decoded:
    """A single neuron with J = current x, whose decoder counts its spikes."""
    drawn = Populations(np.full((1, 1), current, np.float32), np.zeros((1, 1), np.float32), tuning)
    return Decoded(drawn, np.ones((1, 1), np.float32))


def counts(tuning: Tuning, firing: str, current: float, *, dt: float = 1e-3, steps: int = 4000) -> np.ndarray:
    send = fire(one(tuning, current), firing, dt)
    return dt * np.array([send(np.ones(1))[0] for _ in range(steps)])


@given(
    low=st.floats(10.0, 100.0),
    width=st.floats(0.0, 100.0),
    seed=st.integers(0, 99),
    curve=st.sampled_from(["lif", "rectified"]),
)
def test_neurons_begin_at_their_intercepts_and_reach_their_rates(low, width, seed, curve):
    tuning = Tuning(curve, (low, low + width), (-0.9, 0.9))
    drawn = populations(2, 30, tuning, seed=seed)
    direction = np.sign(drawn.gain)
    at_one = rate((direction * drawn.gain + drawn.bias).astype(float), tuning)
    # Gains are single precision; the steepest, of intercepts near 0.9, lose a digit of it.
    assert at_one.min() > low * (1 - 1e-4)
    assert at_one.max() < (low + width) * (1 + 1e-4)
    threshold = 1.0 if curve == "lif" else 0.0
    intercept = (threshold - drawn.bias) / np.abs(drawn.gain)
    assert (np.abs(intercept) < 0.9 + 1e-4).all()


def test_stratified_neurons_cover_the_range_once_each():
    drawn = populations(3, 50, Tuning("rectified", (50.0, 60.0)), seed=4)
    intercept = -drawn.bias / np.abs(drawn.gain)
    parts = np.floor((intercept + 1.0) / 2.0 * 50 + 1e-4).astype(int)  # single precision at the borders
    assert all(len(set(row)) >= 49 for row in parts.tolist())
    assert (np.sign(drawn.gain).sum(axis=1) == 0).all()
    free = populations(3, 50, Tuning("rectified", (50.0, 60.0), draw="independent"), seed=4)
    assert (np.sign(free.gain).sum(axis=1) != 0).any()


def test_silicon_deviates_by_what_is_asked():
    drawn = populations(4, 5000, LIF)
    off = deviated(drawn, gain=0.2, bias=0.1, seed=1)
    factor, shift = off.gain / drawn.gain, off.bias - drawn.bias
    # 20,000 draws: 0.5 % of a standard deviation, 0.14 % of the mean.
    assert factor.mean() == pytest.approx(1.0, abs=0.006)
    assert factor.std() == pytest.approx(0.2, rel=0.03)
    assert shift.std() == pytest.approx(0.1, rel=0.03)
    np.testing.assert_array_equal(deviated(drawn).gain, drawn.gain)
    assert (lognormal(np.random.default_rng(0), 0.0, (3,)) == 1.0).all()


@pytest.mark.parametrize("tuning", [LIF, RECTIFIED])
def test_decoders_solve_the_ridge_regression_over_the_neurons(tuning):
    drawn = populations(2, 40, tuning, seed=3)
    x = np.linspace(-1.0, 1.0, solver.POINTS)
    for row, found in enumerate(decoders(drawn, regularisation=0.1)):
        a = rate(np.outer(x, drawn.gain[row].astype(float)) + drawn.bias[row], tuning)
        ridge = len(x) * (0.1 * a.max()) ** 2
        wanted = np.linalg.solve(a.T @ a + ridge * np.eye(40), a.T @ x)
        np.testing.assert_allclose(
            found, wanted, atol=1e-4 * np.abs(wanted).max()
        )  # rates in single precision
        np.testing.assert_allclose(a @ found, x, atol=0.12)  # what the ridge leaves


def test_decoders_do_not_depend_on_how_neurons_are_cut_up(monkeypatch):
    drawn = populations(1, 100, LIF)
    whole = decoders(drawn)
    monkeypatch.setattr(solver, "CHUNK", 7)
    np.testing.assert_allclose(
        decoders(drawn), whole, rtol=1e-4, atol=1e-10
    )  # order of sums, single precision


@pytest.mark.parametrize("current", [1.5, 3.0])
def test_a_membrane_fires_at_the_rate_of_its_curve(current):
    wanted = rate(np.array(current), LIF) * 4.0
    assert counts(LIF, "spiking", current).sum() == pytest.approx(wanted, abs=1.5)  # a spike at either end
    assert counts(LIF, "rate", current).sum() == pytest.approx(wanted, rel=1e-5)  # single precision


def test_a_membrane_keeps_its_rate_in_coarser_steps():
    fine, coarse = (counts(LIF, "spiking", 5.0, dt=dt, steps=round(2.0 / dt)).sum() for dt in (1e-4, 1e-3))
    assert abs(fine - coarse) <= 1.5  # spikes are placed within a step: a spike at either end


def test_integrate_and_fire_loses_no_spike_even_of_many_in_a_step():
    found = counts(RECTIFIED, "spiking", 2500.5, steps=1000)
    assert found.max() == pytest.approx(3.0, rel=1e-6)
    assert found.sum() == pytest.approx(2500.5, abs=2.0)


@pytest.mark.parametrize(
    ("tuning", "current", "x"), [(LIF, 2.0, 1.0), (RECTIFIED, 30.0, 1.0), (RECTIFIED, 30.0, 9.0)]
)
def test_thinned_spikes_are_a_poisson_process_of_the_neuron_s_rate(tuning, current, x):
    dt, steps = 5e-3, 8000
    send = fire(one(tuning, current), "poisson", dt, seed=2)
    found = dt * np.array([send(np.full(1, x))[0] for _ in range(steps)])
    mean = float(rate(np.array(current * x), tuning)) * dt
    # Five standard errors of mean and of variance; a Poisson count has both equal.
    assert found.mean() == pytest.approx(mean, abs=5 * np.sqrt(mean / steps))
    assert found.var() == pytest.approx(mean, abs=5 * np.sqrt((mean + 2 * mean**2) / steps))


def test_no_neuron_exceeds_the_tabulated_bound():
    drawn = populations(3, 200, LIF, seed=5)
    places = np.array([0.3, 1.0, 2.5])
    bounds = largest_rates(drawn, places)
    for k, place in enumerate(places):
        x = np.linspace(-place, place, 31)[:, None, None]
        assert (
            rate((x * drawn.gain + drawn.bias).astype(float), LIF).max(axis=(0, 2))
            <= bounds[:, k] * (1 + 1e-6)
        ).all()


@pytest.mark.parametrize("firing", ["poisson", "spiking", "rate"])
@pytest.mark.parametrize("tuning", [LIF, RECTIFIED])
def test_populations_stand_for_what_they_are_given(firing, tuning):
    drawn = populations(3, 400, tuning)
    send = fire(Decoded(drawn, decoders(drawn)), firing, 1e-3)
    x = np.array([-0.7, 0.1, 0.5])
    mean = np.mean([send(x) for _ in range(1000)], axis=0)
    # Spikes of 400 neurons at some 50 Hz leave 0.2/sqrt(1000); the decoders' own error is below 0.01.
    np.testing.assert_allclose(mean, x, atol=0.035)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Tuning(rates=(0.0, 10.0)), r"rates from 0 to 10 Hz: two rising, positive rates"),
        (lambda: Tuning(rates=(100.0, 600.0)), r"cannot fire at 600 Hz with a refractory time of 0\.002 s"),
        (lambda: Tuning(rates=(1.0, 2.0)), r"cannot be tuned to 1 Hz with a membrane of 0\.02 s; give 5 Hz or more"),
        (lambda: Tuning(membrane=0.0), r"membrane 0 s and refractory 0\.002 s: times are wanted"),
        (lambda: populations(2, 0, LIF), r"0 neurons in each of 2 populations"),
        (lambda: deviated(populations(1, 2, LIF), gain=-0.1), r"spreads are not negative"),
        (lambda: decoders(populations(1, 2, LIF), regularisation=0.0), r"regularisation 0: a positive fraction"),
        (lambda: decoders(one(LIF, 0.5).populations), r"no neuron of a population fires"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(make, said):
    with pytest.raises(DesignError, match=said):
        make()
