import numpy as np
import pytest

from lmu_analog.errors import CircuitError
from lmu_analog.memory.statespace import frequency_response
from lmu_analog.reduction.solvent import Polynomial, nominal_solvent, solvent, state_space


def example(n: int = 4, samples: int = 3) -> Polynomial:
    random = np.random.default_rng(0)
    M = [random.standard_normal((samples, n, n)) * scale for scale in (1.0, 0.02, 0.02, 0.004)]
    M[1] += np.eye(n)
    b = [random.standard_normal((samples, n)) * scale for scale in (1.0, 0.05, 0.0, 0.0)]
    C = [random.standard_normal((2, n)), 0.03 * random.standard_normal((2, n))]
    return Polynomial(M, b, C, [np.zeros(2), 0.1 * np.ones(2)], random.standard_normal((samples, n)))


def test_a_solvent_solves_its_polynomial():
    polynomial = example()
    A = solvent(polynomial.M)
    left = sum(M @ np.linalg.matrix_power(A, k) for k, M in enumerate(polynomial.M))
    # Iterated until nothing moves by more than 1e-13.
    assert np.abs(left).max() < 1e-12


def test_the_nominal_solvent_has_the_slowest_eigenvalues_of_the_pencil():
    M = [part[0] for part in example().M]
    np.testing.assert_allclose(nominal_solvent(M), solvent([part[None] for part in M])[0], atol=1e-9)


def test_the_state_space_responds_as_the_polynomial_does():
    polynomial, rate = example(), 50.0
    system = state_space(polynomial, rate)
    s = 0.01j  # in units of the rate; what fast poles add beyond u''' is (0.01 * 0.1)^4
    M, b = (sum(x * s**k for k, x in enumerate(part)) for part in (polynomial.M, polynomial.b))
    C, D = (sum(x * s**k for k, x in enumerate(part)) for part in (polynomial.C, polynomial.D))
    wanted = np.linalg.solve(M, b[..., None])[..., 0] @ C.T + D
    found = frequency_response(system, np.array([0.01 * rate / (2 * np.pi)]))[:, 0]
    np.testing.assert_allclose(found, wanted, atol=1e-11)


def test_rest_is_what_constants_leave():
    polynomial = example()
    at_dc = np.linalg.solve(polynomial.M[0], polynomial.constant[..., None])[..., 0] @ polynomial.C[0].T
    np.testing.assert_allclose(state_space(polynomial, 50.0).offset, at_dc, rtol=1e-12)


def test_modes_that_cannot_be_parted_are_refused():
    M = [np.eye(2)[None], np.eye(2)[None], 5.0 * np.eye(2)[None]]
    with pytest.raises(CircuitError, match="too close together"):
        solvent(M)
