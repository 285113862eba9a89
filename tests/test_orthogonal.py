"""Filters with given poles are orthonormal, and any response with these poles is a sum of them."""

import numpy as np
import pytest
from scipy import linalg

from lmu_analog.memory.orthogonal import Filters, as_system, expand, filters
from lmu_analog.memory.statespace import frequency_response

CONTINUOUS = np.array([-1.0, -0.7 + 2.0j, -0.7 - 2.0j, -30.0])
SAMPLED = np.array([0.3, 0.8 + 0.3j, 0.8 - 0.3j, 0.0])


def response(chosen: Filters, f: float) -> np.ndarray:
    """Solve the filters' equations at one frequency."""
    s, unit = 2j * np.pi * f, np.eye(len(chosen.a))
    if chosen.dt is None:
        return np.linalg.solve(s * unit - chosen.a, chosen.b)
    return np.linalg.solve(unit - np.exp(-s * chosen.dt) * chosen.a, chosen.b)


def matrix_with(poles: np.ndarray, seed: int) -> np.ndarray:
    """Make a real matrix of these poles, two real ones and a pair."""
    first, pair, last = poles[0].real, poles[1], poles[3].real
    A = linalg.block_diag(first, [[pair.real, pair.imag], [-pair.imag, pair.real]], last)
    T = np.random.default_rng(seed).standard_normal((4, 4)) + 2.0 * np.eye(4)
    return T @ A @ np.linalg.inv(T)


@pytest.mark.parametrize("weight", [0.0, 2.5])
def test_continuous_filters_are_orthonormal(weight):
    poles = np.repeat(CONTINUOUS + 0.8 * weight, 2)  # some of them grow
    chosen = filters(poles, weight=weight)
    damped = chosen.a - weight * np.eye(8)
    gram = linalg.solve_continuous_lyapunov(damped, -np.outer(chosen.b, chosen.b.conj()))
    np.testing.assert_allclose(gram, np.eye(8), atol=1e-12)  # rounding
    np.testing.assert_array_equal(np.diag(chosen.a), poles)


@pytest.mark.parametrize("weight", [1.0, 1.3])
def test_sampled_filters_are_orthonormal(weight):
    poles = np.repeat(SAMPLED * (1.0 + 0.8 * (weight - 1.0)), 2)
    chosen = filters(poles, weight=weight, dt=0.1)
    gram = linalg.solve_discrete_lyapunov(chosen.a / weight, np.outer(chosen.b, chosen.b.conj()))
    np.testing.assert_allclose(gram, np.eye(8), atol=1e-12)  # rounding
    np.testing.assert_allclose(np.diag(chosen.a), poles, rtol=1e-15, atol=0.0)


@pytest.mark.parametrize(
    ("poles", "weight", "dt"),
    [(CONTINUOUS, 0.0, None), (CONTINUOUS + 2.0, 4.0, None), (SAMPLED, 1.0, 0.1), (1.2 * SAMPLED, 1.4, 0.1)],
)
def test_a_derivative_of_a_response_is_a_sum_of_filters_with_its_poles_twice(poles, weight, dt):
    random = np.random.default_rng(3)
    A, B = matrix_with(poles, 1), random.standard_normal((1, 4))
    A_p, B_p = random.standard_normal((3, 4, 4)), random.standard_normal((3, 4))
    chosen = filters(np.repeat(np.linalg.eigvals(A), 2), weight=weight, dt=dt)
    x = expand(A, chosen, from_input=B)[0]
    z = expand(A, chosen, from_filters=A_p @ x, from_input=B_p)
    for f in (0.03, 0.4, 2.0):
        s = 2j * np.pi * f
        back = 1.0 if dt is None else np.exp(-s * dt)
        whole = s * np.eye(4) - A if dt is None else np.eye(4) - back * A
        state = np.linalg.solve(whole, B[0])
        slope = np.linalg.solve(whole, (back * A_p @ state + B_p).T).T
        seen = response(chosen, f)
        # The poles of A come from its eigenvalues, some 1e-14 off.
        np.testing.assert_allclose(x @ seen, state, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(z @ seen, slope, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(("poles", "weight", "dt"), [(CONTINUOUS, 0.0, None), (SAMPLED, 1.0, 0.1)])
def test_the_real_system_carries_real_and_imaginary_parts(poles, weight, dt):
    chosen = filters(poles, weight=weight, dt=dt)
    parts = frequency_response(as_system(chosen), np.array([0.2]))[0]
    found = parts[:4] + 1j * parts[4:]
    np.testing.assert_allclose(found, response(chosen, 0.2), rtol=1e-12)
