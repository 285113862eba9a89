import numpy as np
import pytest

from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.sampled import bilinear
from lmu_analog.memory.stability import is_stable
from lmu_analog.memory.statespace import StateSpace, growth


def deviated(order: int, sigma: float, samples: int = 200) -> StateSpace:
    ideal = legendre(order)
    z = np.random.default_rng(0).standard_normal((samples, order, order))
    A = ideal.A * (1.0 + sigma * z)
    return StateSpace(A, np.repeat(ideal.B[None], samples, axis=0), ideal.C[None], ideal.D[None])


@pytest.mark.parametrize(
    ("order", "sigma"), [(1, 0.5), (3, 0.2), (6, 0.3), (12, 0.02), (12, 0.2), (24, 0.05)]
)
def test_the_answer_is_that_of_the_eigenvalues(order, sigma):
    system = deviated(order, sigma)
    np.testing.assert_array_equal(is_stable(system), growth(system) < 0.0)


def test_both_answers_occur():
    assert 0.2 < is_stable(deviated(24, 0.05)).mean() < 0.95


def test_systems_around_an_unstable_mean_are_told_apart():
    A = np.array([[[0.5]], [[0.2]], [[-0.1]]])
    system = StateSpace(A, np.ones((3, 1, 1)), np.ones((3, 1, 1)), np.zeros((3, 1, 1)))
    assert is_stable(system).tolist() == [False, False, True]


def test_sampled_systems_count_by_their_poles_in_the_unit_circle():
    system = bilinear(deviated(3, 0.2, 50), 0.01)
    np.testing.assert_array_equal(is_stable(system), np.abs(system.poles).max(axis=-1) < 1.0)
