"""Linear systems against SciPy, python-control and closed forms."""

import control
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.reference import discretize, run
from lmu_analog.memory.statespace import (
    StateSpace,
    frequency_response,
    growth,
    impulse_response,
    respond,
    transform,
)

orders = st.integers(1, 7)
seeds = st.integers(0, 2**32 - 1)


def random_system(order, seed, lead=()):
    """Draw a well damped system with two outputs and feed-through."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((*lead, order, order))
    A = A - (np.abs(np.linalg.eigvals(A)).max() + 0.5) * np.eye(order)
    B, C, D = (rng.standard_normal((*lead, *shape)) for shape in ((order, 1), (2, order), (2, 1)))
    return StateSpace(A, B, C, D)


def random_input(seed, samples=60):
    """Draw a piecewise-linear input that jumps at t = 0."""
    return 3.0 + np.random.default_rng(seed).standard_normal(samples)


@given(order=orders, seed=seeds, dt=st.floats(1e-3, 0.5))
def test_a_response_is_that_of_scipy_lsim_with_a_jump_at_the_start(order, seed, dt):
    system, u = random_system(order, seed), random_input(seed)
    _, expected, _ = signal.lsim((system.A, system.B, system.C, system.D), u, dt * np.arange(len(u)))
    # Both are exact for this input; the convolution adds rounding of the largest output only.
    np.testing.assert_allclose(respond(system, u, dt), expected, atol=1e-11 * np.abs(expected).max())


@given(order=orders, theta=st.floats(1e-9, 1e4), per_window=st.floats(3.0, 300.0), seed=seeds)
def test_a_memory_on_any_time_scale_responds_as_scipy_lsim_says(order, theta, per_window, seed):
    system, u = legendre(order, theta), random_input(seed)
    dt = theta / per_window
    _, expected, _ = signal.lsim((system.A, system.B, system.C, system.D), u, dt * np.arange(len(u)))
    expected = expected.reshape(len(u), order)  # lsim drops the axis of a single output
    np.testing.assert_allclose(respond(system, u, dt), expected, atol=1e-11 * np.abs(expected).max())


@given(order=orders, seed=seeds, lead=st.sampled_from([(1,), (3,), (2, 3)]))
def test_a_stack_of_systems_responds_as_each_alone(order, seed, lead):
    stack, u = random_system(order, seed, lead), random_input(seed)
    together = respond(stack, u, 0.1)
    assert together.shape == (*lead, len(u), 2)
    for at in np.ndindex(*lead):
        alone = respond(StateSpace(stack.A[at], stack.B[at], stack.C[at], stack.D[at]), u, 0.1)
        # A stack stops its impulse responses together, after 1e-17 of their start: rounding is what differs.
        np.testing.assert_allclose(together[at], alone, atol=1e-12 * np.abs(alone).max())


def test_an_undamped_integrator_responds_with_the_trapezoidal_integral():
    integrator = StateSpace(np.zeros((1, 1)), np.ones((1, 1)), np.ones((1, 1)), np.zeros((1, 1)))
    u = random_input(1)
    expected = np.append(0.0, np.cumsum(0.5 * (u[1:] + u[:-1]))) * 0.01
    # The impulse response never dies out; sixty sums round to 1e-15 of their size.
    np.testing.assert_allclose(respond(integrator, u, 0.01)[:, 0], expected, atol=1e-14)


@pytest.mark.parametrize("samples", [2, 3, 4, 5])
def test_the_shortest_inputs_have_responses_too(samples):
    system, u = random_system(3, 5), random_input(2, samples)
    _, expected, _ = signal.lsim((system.A, system.B, system.C, system.D), u, 0.2 * np.arange(samples))
    np.testing.assert_allclose(respond(system, u, 0.2), expected, atol=1e-13)  # a few products of ones


def test_the_offset_shifts_every_output_at_all_times():
    plain = random_system(3, 7)
    shifted = StateSpace(plain.A, plain.B, plain.C, plain.D, None, np.array([0.25, -1.0]))
    difference = respond(shifted, random_input(3), 0.1) - respond(plain, random_input(3), 0.1)
    np.testing.assert_allclose(difference, np.tile([0.25, -1.0], (60, 1)), atol=1e-14)  # one sum


@given(order=orders, seed=seeds)
def test_the_input_output_map_survives_a_change_of_coordinates(order, seed):
    system = random_system(order, seed)
    T = np.eye(order) + 0.2 * np.random.default_rng(seed).uniform(-1, 1, (order, order)) / order
    f = np.array([0.0, 0.1, 1.0])
    # T is diagonally dominant, with a condition number below 2: rounding grows no further than 1e-13.
    np.testing.assert_allclose(
        frequency_response(transform(system, T), f), frequency_response(system, f), rtol=1e-9, atol=1e-11
    )
    np.testing.assert_allclose(transform(system, T).A @ T, T @ system.A, atol=1e-11)


@given(order=orders, seed=seeds)
def test_a_frequency_response_is_that_of_python_control(order, seed):
    system = random_system(order, seed)
    f = np.array([0.0, 0.03, 0.5, 7.0])
    expected = control.ss(system.A, system.B, system.C, system.D)(2j * np.pi * f)[:, 0, :]
    # Two solvers of one well-conditioned linear system.
    np.testing.assert_allclose(frequency_response(system, f), expected.T, rtol=1e-9, atol=1e-11)


@given(order=orders, f=st.floats(0.01, 0.45))
def test_a_sampled_frequency_response_is_the_steady_state_of_a_sampled_tone(order, f):
    memory = discretize(legendre(order, 4.0), 1.0)
    k = np.arange(400)
    steady = frequency_response(memory, np.array([f]))[0]
    tone = run(memory, np.cos(2 * np.pi * f * k))
    expected = (steady * np.exp(2j * np.pi * f * k)[:, None]).real
    # After 300 samples at a spectral radius of at most .78 the start-up is 1e-32 of its size.
    np.testing.assert_allclose(tone[300:], expected[300:], atol=1e-10)


def test_poles_and_growth_of_a_stack_belong_to_its_members():
    A = np.array([[[-1.0, 0.0], [0.0, -3.0]], [[2.0, 0.0], [0.0, -5.0]]])
    stack = StateSpace(A, np.ones((2, 2, 1)), np.eye(2), np.zeros((2, 1)))
    assert stack.order == 2
    np.testing.assert_array_equal(growth(stack), [-1.0, 2.0])
    np.testing.assert_array_equal(np.sort(stack.poles.real), [[-3.0, -1.0], [-5.0, 2.0]])
    assert stack.poles.dtype == complex


@given(order=orders, seed=seeds, length=st.integers(2, 40))
def test_an_impulse_response_is_the_powers_of_one_step(order, seed, length):
    rng = np.random.default_rng(seed)
    phi, start = rng.standard_normal((order, order)) / order, rng.standard_normal((order, 1))
    columns = [start]
    for _ in range(length - 2):
        columns.append(phi @ columns[-1])
    found = impulse_response(phi, start, length)
    assert found.shape[-1] <= length - 1
    full = np.zeros((order, length - 1))
    full[:, : found.shape[-1]] = found
    # Repeated squaring rounds otherwise than repeated steps, and the tail below 1e-17 is left out.
    expected = np.hstack(columns)
    np.testing.assert_allclose(full, expected, atol=1e-12 * np.abs(expected).max())


def test_an_impulse_response_that_has_died_out_is_short():
    assert impulse_response(np.array([[0.5]]), np.array([[1.0]]), 10**6).shape[-1] <= 128
