"""Steps of linear systems under polynomial inputs, against matrix exponentials of the system with its input."""

import numpy as np
import pytest
from scipy import linalg

from lmu_analog.memory.polynomial_hold import NODES, POWERS, doublings, hold_step

STEP = 0.3


def system(samples: int, fastest: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    A = rng.normal(size=(samples, 5, 5)) - 2.0 * np.eye(5)
    A[:, 0, 0] = -fastest
    return A, rng.normal(size=(samples, 5, 2))


def expected(A: np.ndarray, B: np.ndarray, place: float, inputs: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Let a chain of integrators make the polynomial: f'' is constant; everything in units of the step."""
    n, m = B.shape
    whole = np.zeros((n + 3 * m, n + 3 * m))
    whole[:n, :n], whole[:n, n : n + m] = STEP * A, STEP * B
    whole[n : n + 2 * m, n + m :] = np.eye(2 * m)
    c = POWERS @ inputs
    start = np.concatenate([x, c[0], c[1], 2.0 * c[2]])
    return (linalg.expm(place * whole) @ start)[:n]


# 3e8: an amplifier's pole beside a step of a recording; the exponential of a large matrix loses digits itself.
@pytest.mark.parametrize(("fastest", "rtol"), [(2.0, 1e-12), (1e3, 1e-12), (3e8, 1e-7)])
def test_a_step_is_that_of_the_exponential(fastest, rtol):
    A, B = system(3, fastest)
    rng = np.random.default_rng(1)
    x, inputs = rng.normal(size=5), rng.normal(size=(3, 2))
    places = (*NODES.tolist(), 0.4)
    found = hold_step(A, B, STEP, places=places, halvings=doublings(A[0], STEP))
    for s in range(3):
        states = found.decay[s] @ x + np.einsum("knqm,qm->kn", found.forced[s], inputs)
        for k, place in enumerate(places):
            wanted = expected(A[s], B[s], place, inputs, x)
            np.testing.assert_allclose(states[k], wanted, rtol=rtol, atol=rtol * np.abs(wanted).max())


def test_a_sample_does_not_depend_on_its_neighbours():
    A, B = system(4, 50.0)
    whole = hold_step(A, B, STEP, places=NODES.tolist(), halvings=8)
    alone = hold_step(A[2:3], B[2:3], STEP, places=NODES.tolist(), halvings=8)
    np.testing.assert_array_equal(alone.decay[0], whole.decay[2])
    np.testing.assert_array_equal(alone.forced[0], whole.forced[2])


def test_the_nodes_integrate_degree_four_exactly():
    weights = np.linalg.solve(np.vander(NODES, increasing=True).T, 1.0 / np.arange(1, 4))
    for degree in range(5):
        assert weights @ NODES**degree == pytest.approx(1.0 / (degree + 1), rel=1e-13)
    assert weights @ NODES**5 != pytest.approx(1.0 / 6.0, rel=1e-6)
