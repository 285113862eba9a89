"""Maps onto synapses: exact ones, those of any synapse, and what a spread of time constants is good for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg

from lmu_analog.errors import DesignError
from lmu_analog.memory import reference
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.reference import discretize
from lmu_analog.memory.statespace import frequency_response, growth
from lmu_analog.networks.spiking.heterogeneous import (
    copies,
    deviated_memory,
    deviated_weights,
    filtered_copies,
    fitted_readout,
    fitted_series,
)
from lmu_analog.networks.spiking.memory import Settings, Silicon, run, spiking_memory
from lmu_analog.networks.spiking.neurons import lognormal
from lmu_analog.networks.spiking.synapses import (
    Synapse,
    continuous,
    discrete,
    inverse,
    inverse_of_matrix,
    mapped,
    response,
    series,
    stepped,
)
from lmu_analog.stimulus import multitone

ANY = st.builds(
    Synapse,
    tau=st.floats(0.02, 0.2),
    second=st.just(0.0) | st.floats(1e-15, 0.03),
    pulse=st.just(0.0) | st.floats(1e-15, 0.05),
    delay=st.just(0.0) | st.floats(1e-15, 0.02),
)
F = np.array([0.1, 0.5, 1.0])


@given(order=st.integers(1, 8), seed=st.integers(0, 99))
def test_the_discrete_map_is_exact_whatever_the_time_constants(order, seed):
    random = np.random.default_rng(seed)
    taus = random.uniform(0.02, 0.3, order)
    memory, u = discretize(legendre(order), 1e-3), random.standard_normal(50)
    found = discrete(memory, taus)
    a, x, states = np.exp(-1e-3 / taus), np.zeros(order), []
    for value in u:
        x = a * x + (1.0 - a) * (found.weights @ x + found.drives[0] * value)
        states.append(x)
    np.testing.assert_allclose(states, reference.run(memory, u), atol=1e-11)  # rounding of 50 steps


def test_a_continuous_memory_is_no_sampled_one():
    with pytest.raises(DesignError, match="a sampled memory is wanted; discretize it first"):
        discrete(legendre(2), np.ones(2))


@given(order=st.integers(1, 8), tau=st.floats(0.02, 0.2), second=st.floats(0.001, 0.05))
def test_polynomial_synapses_have_the_published_maps(order, tau, second):
    memory = legendre(order)
    A, B, one = memory.A, memory.B[:, 0], np.eye(order)
    first = mapped(memory, Synapse(tau))
    np.testing.assert_allclose(first.weights, continuous(memory, np.full(order, tau)).weights, atol=1e-12)
    np.testing.assert_allclose(first.drives[0], tau * B, atol=1e-9)
    two = mapped(memory, Synapse(tau, second=second), derivatives=1)
    np.testing.assert_allclose(two.weights, tau * second * A @ A + (tau + second) * A + one, atol=1e-9)
    np.testing.assert_allclose(two.drives[0], (tau + second) * B + tau * second * A @ B, atol=1e-8)
    np.testing.assert_allclose(two.drives[1], tau * second * B, atol=1e-8)


@given(synapse=ANY)
def test_the_series_is_that_of_the_synapse(synapse):
    s = 0.05 * np.exp(2j * np.pi * np.arange(16) / 16)  # Cauchy's integral over a small circle
    values = inverse(synapse, s)
    wanted = [np.mean(values * s**-k).real for k in range(4)]
    np.testing.assert_allclose(series(synapse, 4), wanted, atol=1e-9)
    assert series(synapse, 1).tolist() == [1.0]


@given(synapse=ANY, order=st.integers(1, 6))
def test_the_function_of_a_matrix_has_the_function_of_its_eigenvalues(synapse, order):
    A = legendre(order).A
    values, vectors = linalg.eig(A)
    wanted = (vectors * inverse(synapse, values)) @ linalg.inv(vectors)
    np.testing.assert_allclose(
        inverse_of_matrix(synapse, A), wanted.real, atol=1e-7
    )  # conditioning of vectors


@given(synapse=ANY)
def test_with_enough_derivatives_any_synapse_carries_the_memory(synapse):
    memory = legendre(4)
    ideal = frequency_response(memory, F)
    errors = [
        np.abs(response(mapped(memory, synapse, derivatives=k), synapse, F) - ideal).max() for k in (0, 2, 6)
    ]
    assert errors[2] < 1e-4  # the rest of the series, (2 pi 0.07)^7/7! and less
    assert errors[2] <= errors[1] + 1e-9


@pytest.mark.parametrize(
    "synapse", [Synapse(0.1, second=0.02), Synapse(0.1, pulse=0.02), Synapse(0.1, delay=0.01), Synapse(0.05)]
)
def test_stepped_synapses_filter_as_their_transfer_function_says(synapse):
    dt, f = 1e-4, 3.0
    t = dt * np.arange(30_000)
    filters = stepped(synapse, np.array([synapse.tau, 2.0 * synapse.tau]), dt)
    y = np.array([filters(np.full(2, w)) for w in np.cos(2 * np.pi * f * t)])
    late = t > 2.0  # of 3 s: 10 time constants at least
    seen = 2.0 * np.mean(y[late] * np.exp(-2j * np.pi * f * t[late])[:, None], axis=0)
    for k, tau in enumerate((synapse.tau, 2.0 * synapse.tau)):
        own = Synapse(tau, synapse.second, synapse.pulse, synapse.delay)
        wanted = 1.0 / inverse(own, np.array([2j * np.pi * f]))[0]
        assert abs(seen[k] - wanted) < 4e-3 * abs(
            wanted
        )  # half a step of delay, 2 pi 3 Hz 50 us, and half a pulse's


def test_measured_time_constants_give_the_memory_back():
    memory = legendre(6)
    taus = 0.1 * np.exp(0.3 * np.random.default_rng(0).standard_normal((5, 6)))
    ideal = frequency_response(memory, F)
    exact = frequency_response(deviated_memory(memory, taus, tau=0.1, compensated=True), F)
    np.testing.assert_allclose(exact, np.broadcast_to(ideal, exact.shape), atol=1e-11)
    off = frequency_response(deviated_memory(memory, taus, tau=0.1), F)
    assert np.abs(off - ideal).max(axis=(1, 2)).min() > 0.05
    with pytest.raises(DesignError, match="time constants are positive"):
        deviated_memory(memory, -taus, tau=0.1)


def test_weights_that_deviate_are_drawn_one_network_after_another():
    memory = legendre(12)
    one, two = (deviated_weights(memory, 0.1, np.random.default_rng(1), samples=n) for n in (1, 2))
    np.testing.assert_array_equal(one.A[0], two.A[0])
    assert growth(two).shape == (2,)


def test_a_readout_of_deviated_copies_reads_what_states_do_not_hold():
    memory, random = legendre(3), np.random.default_rng(2)
    f = np.linspace(0.05, 1.0, 40)
    states = frequency_response(memory, f)
    wanted = np.exp(-2j * np.pi * np.outer(f, [0.25, 0.75]))
    errors = []
    for taus in (np.zeros((3, 0)), np.full((3, 6), 0.1), 0.1 * np.exp(0.3 * random.standard_normal((3, 6)))):
        features = copies(states, taus, f)
        assert features.shape == (40, 3 * (1 + taus.shape[1]))
        weights = fitted_readout(features, wanted, noise=1e-3)
        errors.append(np.sqrt(np.mean(np.abs(features @ weights.T - wanted) ** 2)))
    assert errors[2] < 0.6 * errors[1] < 0.6 * errors[0]


def test_copies_in_time_are_those_in_frequency():
    f, dt = 2.0, 1e-4
    t = dt * np.arange(30_000)
    taus = np.array([[0.05, 0.1], [0.02, 0.2]])
    seen = filtered_copies(np.cos(2 * np.pi * f * t)[:, None] * [1.0, 2.0], taus, dt=dt)
    late = t >= 2.0  # two whole periods, ten time constants on
    phasors = 2.0 * np.mean(seen[late] * np.exp(-2j * np.pi * f * t[late])[:, None], axis=0)
    wanted = copies(np.array([[1.0 + 0j, 2.0]]), taus, np.array([f]))[0, 2:]
    np.testing.assert_allclose(phasors, wanted, rtol=2e-3)  # half a step of delay, 2 pi 2 Hz 50 us


def test_spikes_through_synapses_that_deviate_hold_more_of_the_window():
    memory = spiking_memory(
        3, 1.0, Settings(neurons=200, firing="spiking"), silicon=Silicon(tau=0.3), radii=np.ones(3)
    )
    t, skip = 1e-3 * np.arange(6000), 1000
    inputs = [multitone(1.0, 0.5, seed=seed) for seed in (0, 1)]  # one to fit, one to evaluate
    traces = [run(memory, u(t), seed=seed) for seed, u in enumerate(inputs)]
    windows = [u(t[skip:, None] - np.linspace(0.0, 1.0, 5)) for u in inputs]
    deviated = 0.1 * lognormal(np.random.default_rng(0), 0.3, (3, 8))
    errors = []
    for taus in (np.full((3, 8), 0.1), deviated):
        features = [np.hstack([x.states, filtered_copies(x.decoded, taus, dt=1e-3)])[skip:] for x in traces]
        weights = fitted_series(features[0], windows[0])
        errors.append(
            np.sqrt(np.mean((features[1] @ weights.T - windows[1]) ** 2) / np.mean(windows[1] ** 2))
        )
    # .13 and .06 over longer runs (benchmarks/heterogeneous.py); the factor is what counts.
    assert errors[1] < 0.7 * errors[0] < 0.15
