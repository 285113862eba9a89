"""The window length that a circuit really has."""

import numpy as np
import pytest

from lmu_analog import Design
from lmu_analog.analysis.device_under_calibration import circuit_device, excitation, responses
from lmu_analog.analysis.readouts import effective_theta


@pytest.mark.parametrize("factor", [0.7, 1.0, 1.3])
def test_theta_is_found_again(factor: float):
    design = Design(order=4, theta="1 ms", bandwidth="400 Hz", opamp="OPA2192")
    device, given = circuit_device(design), excitation(4, design.bandwidth, theta=design.theta)
    stretched = device.nominal * np.where(device.rates, factor, 1.0)
    found = effective_theta(responses(device, stretched[None], given.frequency)[0], given, design.theta)
    # All capacitors that much larger; beyond a quarter the error has several minima. Truncation shifts the best.
    assert found / design.theta == pytest.approx(factor, rel=3e-3)
