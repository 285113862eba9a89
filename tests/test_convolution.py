"""Convolution in blocks is SciPy's."""

import numpy as np
import pytest
import scipy.signal

from lmu_analog.memory.convolution import convolve


@pytest.mark.parametrize(
    ("one", "other"), [((50,), (1,)), ((3, 5000), (3, 17)), ((400,), (2, 3, 399)), ((2, 1, 90), (3, 4000))]
)
def test_a_convolution_is_scipys(one, other):
    random = np.random.default_rng(0)
    x, h = random.standard_normal(one), random.standard_normal(other)
    lead = np.broadcast_shapes(one[:-1], other[:-1])
    wanted = scipy.signal.oaconvolve(
        np.broadcast_to(x, (*lead, one[-1])), np.broadcast_to(h, (*lead, other[-1])), axes=-1
    )
    # Sums of up to 400 products of order one, in double precision.
    np.testing.assert_allclose(convolve(x, h), wanted, atol=1e-12)
