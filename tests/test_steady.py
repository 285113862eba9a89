import numpy as np
import pytest

from lmu_analog.memory import window
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.statespace import StateSpace, frequency_response
from lmu_analog.memory.steady import many_profiles, many_responses


def many(order: int, samples: int = 5, *, whole: bool = True) -> StateSpace:
    random = np.random.default_rng(1)
    ideal = legendre(order)
    A = ideal.A * (1.0 + 0.02 * random.standard_normal((samples, order, order)))
    C = np.broadcast_to(ideal.C, A.shape)
    D, offset, slope = np.zeros((samples, order, 1)), None, None
    if whole:
        D = 1e-3 * random.standard_normal(D.shape)
        offset = 1e-3 * random.standard_normal((samples, order))
        slope = 1e-4 * random.standard_normal((samples, order, 3))
    return StateSpace(A, np.repeat(ideal.B[None], samples, axis=0), C, D, None, offset, slope)


FREQUENCY = np.array([0.05, 0.5, 1.0, 2.0])


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("order", [1, 2, 3, 12, 24])
def test_responses_are_those_of_lapack(order, whole):
    system = many(order, whole=whole)
    wanted = frequency_response(system, FREQUENCY)
    # Both are backward stable; the condition of jw - A is below 1e4 here.
    np.testing.assert_allclose(many_responses(system, FREQUENCY), wanted, atol=1e-12 * np.abs(wanted).max())


@pytest.mark.parametrize("whole", [True, False])
def test_profiles_are_those_of_the_window(whole):
    system, phasor = many(6, whole=whole), np.array([0.3, 0.1 - 0.4j, -0.2j, 0.05])
    wanted = window.tone_profile(
        frequency_response(system, FREQUENCY) * phasor[:, None],
        (FREQUENCY, phasor),
        1.0,
        offset=system.offset,
    )
    np.testing.assert_allclose(many_profiles(system, (FREQUENCY, phasor), 1.0), wanted, rtol=1e-10)


def test_states_that_the_input_never_reaches_do_no_harm():
    system = many(4, whole=False)
    A = np.zeros((5, 6, 6))
    A[:, :4, :4], A[:, 4, 4], A[:, 5, 5] = system.A, -3.0, -3.0
    B = np.concatenate([system.B, np.zeros((5, 2, 1))], axis=1)
    C = np.concatenate([system.C, np.ones((5, 4, 2))], axis=2)
    padded = StateSpace(A, B, C, system.D)
    np.testing.assert_allclose(
        many_responses(padded, FREQUENCY), frequency_response(system, FREQUENCY), atol=1e-12
    )


def test_the_systems_are_left_as_they_were():
    system = many(3, samples=1)
    before = system.A.copy()
    many_responses(system, FREQUENCY)
    np.testing.assert_array_equal(system.A, before)
