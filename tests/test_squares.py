import numpy as np
import pytest

from lmu_analog.memory.squares import prepared_window, squared_errors
from lmu_analog.memory.window import QUADRATURE, readout


@pytest.mark.parametrize("order", [1, 6, 32, 33, 64])
@pytest.mark.parametrize("scale", [1.0, 1e-6])
def test_squared_errors_are_those_taken_place_by_place(order, scale):
    random = np.random.default_rng(order)
    rows = readout(order, QUADRATURE.r)
    y = random.standard_normal((4, order, 20))
    window = rows @ y[0] + scale * random.standard_normal((33, 20))
    y += scale * random.standard_normal(y.shape)
    wanted = ((rows @ y - window) ** 2).sum(axis=-1)
    found = squared_errors(prepared_window(order, window, QUADRATURE), y.copy())
    # Rounding is 1e-16 of products of states; states of the first sample err by ``scale`` alone.
    np.testing.assert_allclose(found, wanted, rtol=1e-8 if scale < 1.0 else 1e-11)


@pytest.mark.parametrize("order", [4, 40])
def test_the_only_content_that_states_show_has_no_error(order):
    y = np.random.default_rng(1).standard_normal((1, order, 7))
    ideal = prepared_window(order, readout(order, QUADRATURE.r) @ y[0], QUADRATURE)
    # The square of rounding, 1e-15 of states of size one, summed over states and moments.
    assert squared_errors(ideal, y.copy()).max() < 1e-25


def test_a_silent_window_is_measured_too():
    y = np.ones((1, 3, 2))
    rows = readout(3, QUADRATURE.r)
    found = squared_errors(prepared_window(3, np.zeros((33, 2)), QUADRATURE), y.copy())
    np.testing.assert_allclose(found[0], 2.0 * rows.sum(axis=1) ** 2, rtol=1e-12)
