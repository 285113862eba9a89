import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_analog.circuits.nodal.series import Series, add, inverse, multiply, negative

numbers = st.one_of(st.none(), st.floats(-4, 4))
series = st.lists(numbers, min_size=1, max_size=5).map(tuple)


def dense(a: Series, length: int = 12) -> np.ndarray:
    return np.array([0.0 if x is None else x for x in a] + [0.0] * (length - len(a)))


@given(series, series)
def test_sums_and_products_are_those_of_polynomials(a, b):
    np.testing.assert_allclose(dense(add(a, negative(b))), dense(a) - dense(b), atol=1e-12)
    wanted = np.convolve(dense(a, 5), dense(b, 5))[:4]
    np.testing.assert_allclose(dense(multiply(a, b, 3), 4), wanted, atol=1e-11)


@given(st.floats(0.5, 4), series)
def test_a_series_times_its_inverse_is_one(first, rest):
    a = (first, *rest)
    product = dense(multiply(a, inverse(a, 5), 5))
    # Coefficients of the inverse grow like (4/.5)^5; rounding with them.
    np.testing.assert_allclose(product[:6], [1, 0, 0, 0, 0, 0], atol=1e-8)


def test_a_series_without_a_constant_has_no_inverse():
    with pytest.raises(ZeroDivisionError, match="without a constant"):
        inverse((None, 1.0), 2)
