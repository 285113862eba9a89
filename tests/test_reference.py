"""The NumPy memory against SciPy, reference matrices and the continuous memory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.reference import discretize, filtered, midpoints, numpy_memory, run
from lmu_analog.memory.statespace import frequency_response

# "discrete_theta4_dt1_d4" of the project reference vectors (keras_lmu._cont2discrete_zoh; I + A/4).
ZOH_A = [
    [0.7551303081921892, -0.19139007915713405, -0.09351984061359754, -0.002614267371835781],
    [0.5741702374714018, 0.2744799113343849, -0.39382500891197136, -0.04680233350483367],
    [-0.46759920306798775, 0.6563750148532859, -0.1463169582287689, -0.2609446764357059],
    [0.018299871602850272, -0.10920544484461192, 0.365322547009988, 0.005422273362324703],
]
ZOH_B = [0.24486969180781076, -0.574170237471402, 0.4675992030679877, -0.01829987160285026]
EULER_A = [
    [0.75, -0.25, -0.25, -0.25],
    [0.75, 0.25, -0.75, -0.75],
    [-1.25, 1.25, -0.25, -1.25],
    [1.75, -1.75, 1.75, -0.75],
]
EULER_B = [0.25, -0.75, 1.25, -1.75]
# Smallest theta/dt for a stable forward Euler memory ("euler_min_theta_over_dt").
EULER_BOUND = {
    1: 0.5, 2: 1.5, 3: 3.0758709359520156, 4: 5.151957908600763, 6: 10.64181489366889, 8: 17.736426063989157,
    10: 26.28704416431518, 12: 36.18705461672973, 24: 120.26436791084619, 64: 638.650303507691,
}  # fmt: skip


def radius(memory):
    return np.abs(memory.poles).max()


def test_the_held_memory_is_that_of_keras_lmu():
    memory = numpy_memory(4, 4.0, dt=1.0)
    # Two matrix exponentials of a matrix of norm 3.
    np.testing.assert_allclose(memory.A, ZOH_A, atol=1e-14)
    np.testing.assert_allclose(memory.B[:, 0], ZOH_B, atol=1e-14)
    assert radius(memory) == pytest.approx(0.4478926372792079, abs=1e-12)
    assert memory.dt == 1.0


def test_the_euler_memory_is_exact_and_unstable_where_the_reference_is():
    memory = numpy_memory(4, 4.0, dt=1.0, method="euler")
    np.testing.assert_array_equal(memory.A, EULER_A)
    np.testing.assert_array_equal(memory.B[:, 0], EULER_B)
    assert radius(memory) == pytest.approx(1.2093912887098524, rel=1e-13)


@given(order=st.integers(1, 24), per_window=st.floats(2.0, 1000.0), theta=st.floats(1e-6, 1e3))
def test_discretization_is_that_of_scipy(order, per_window, theta):
    system, dt = legendre(order, theta), theta / per_window
    for method in ("zoh", "euler"):
        A, B, *_ = signal.cont2discrete((system.A, system.B, system.C, system.D), dt, method)
        found = discretize(system, dt, method)
        # expm with the same entries up to rounding of a matrix of norm up to 1e3.
        np.testing.assert_allclose(found.A, A, atol=1e-11 * max(1.0, np.abs(A).max()))
        np.testing.assert_allclose(found.B, B, atol=1e-11 * max(1.0, np.abs(B).max()))
        assert found.dt == dt


@pytest.mark.parametrize(("order", "bound"), EULER_BOUND.items())
def test_forward_euler_turns_unstable_at_the_published_step(order, bound):
    # One part in a thousand on either side of the bound.
    assert radius(numpy_memory(order, 1.001 * bound, dt=1.0, method="euler")) < 1.0
    assert radius(numpy_memory(order, 0.999 * bound, dt=1.0, method="euler")) > 1.0


def test_the_input_of_a_step_acts_in_the_same_step():
    memory = numpy_memory(3, 10.0, dt=1.0)
    states = run(memory, np.array([2.0, 0.0]))
    np.testing.assert_array_equal(states[0], 2.0 * memory.B[:, 0])
    np.testing.assert_allclose(states[1], 2.0 * (memory.A @ memory.B)[:, 0], rtol=1e-14)


@given(
    order=st.integers(1, 12),
    per_window=st.floats(20.0, 500.0),
    seed=st.integers(0, 99),
    length=st.integers(2, 300),
)
def test_filtering_gives_what_running_gives(order, per_window, seed, length):
    memory = numpy_memory(order, per_window, dt=1.0)
    u = np.random.default_rng(seed).standard_normal(length)
    expected = run(memory, u)
    # A convolution by FFT rounds relative to its largest output.
    np.testing.assert_allclose(filtered(memory, u), expected, atol=1e-12 * max(1.0, np.abs(expected).max()))


def test_a_single_sample_is_filtered_too():
    memory = numpy_memory(3, 10.0, dt=1.0)
    np.testing.assert_allclose(filtered(memory, np.array([1.5])), run(memory, np.array([1.5])), rtol=1e-13)


def test_a_constant_input_ends_as_the_mean_alone():
    states = run(numpy_memory(6, 50.0, dt=1.0), np.full(1000, 0.7))
    np.testing.assert_allclose(
        states[-1], [0.7, 0, 0, 0, 0, 0], atol=1e-12
    )  # 20 windows on, exp(-80) remains


def test_midpoints_lie_half_a_sample_before_the_samples():
    np.testing.assert_array_equal(midpoints(lambda t: t, 2.0, 4), [-1.0, 1.0, 3.0, 5.0])


def slope(order, sampled):
    """Give the power of dt with which the NumPy memory approaches the continuous one, for a sine."""
    f, theta, turns = 0.8, 1.0, 12
    steps = np.array([50, 100, 200, 400])
    errors = []
    for per_period in steps:
        dt, count = 1 / (f * per_period), turns * int(per_period)
        states = run(
            numpy_memory(order, theta, dt=dt), sampled(lambda t: np.sin(2 * np.pi * f * t), dt, count)
        )
        t = dt * np.arange(count)
        phasor = frequency_response(legendre(order, theta), np.array([f]))[0] * -1j
        exact = (phasor * np.exp(2j * np.pi * f * t)[:, None]).real
        last = slice(count - int(per_period), None)  # 11 periods on, the start has died out
        errors.append(np.sqrt(np.mean((states[last] - exact[last]) ** 2)))
    return -np.polyfit(np.log(steps), np.log(errors), 1)[0]


@pytest.mark.parametrize("order", [1, 3, 6])
def test_half_a_sample_makes_the_memory_second_order_in_dt(order):
    # The next power of dt changes the slope by less than .05 on this grid.
    assert slope(order, midpoints) == pytest.approx(2.0, abs=0.05)
    assert slope(order, lambda u, dt, count: u(dt * np.arange(count))) == pytest.approx(1.0, abs=0.05)
