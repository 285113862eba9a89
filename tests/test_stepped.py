"""Laws on polynomials, against the same laws on waveforms."""

import numpy as np
import pytest

from lmu_analog.circuits.nodal.saturation import Amplifiers, Inputs, saturate
from lmu_analog.circuits.nodal.stepped import saturate_steps
from lmu_analog.memory.polynomial_hold import NODES

W_T, RATE = 1e6, 2e4
# Slopes at the nodes from values at the start and the nodes, for a step of 1 s.
WHOLE = np.linalg.inv(np.vander(np.append(0.0, NODES), increasing=True))
SLOPE = np.array([[0.0, 1.0, 2.0 * c, 3.0 * c**2] for c in NODES]) @ WHOLE


def amplifiers(rail: float, threshold: float) -> Amplifiers:
    one = np.ones((1, 1))
    return Amplifiers(300.0 * one, -rail * one, rail * one, W_T * one[None], threshold * one[None])


def waveform(step: float, count: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give 0.98 sin(RATE t) at the start and the nodes of steps, and its slope there."""
    t = step * (np.arange(count) + NODES[:, None])[None, :, None]
    return np.zeros((1, 1)), 0.98 * np.sin(RATE * t), 0.98 * RATE * np.cos(RATE * t)


@pytest.mark.parametrize(("rail", "threshold"), [(1.0, np.inf), (np.inf, 0.02), (1.0, 0.021)])
def test_on_short_steps_an_op_amps_law_is_that_of_the_waveform(rail, threshold):
    law, centre = amplifiers(rail, threshold), np.full((1, 1), 1.3)
    errors = []
    for step in (2e-6, 1e-6):
        start, z, rate = waveform(step)
        found = saturate_steps(law, start, z, slope=SLOPE / step, centre=centre)
        s, q, n, k = z.shape
        true = saturate(
            law, z.reshape(s * q, n, k), rate.reshape(s * q, n, k), centre=np.full((3, 1, 1), 1.3)
        )
        errors.append(np.abs(found.w[0] - true.w).max() / np.abs(true.w).max())
        np.testing.assert_allclose(found.share[0], true.share.max(), rtol=1e-3)
    # The slope of a cubic: third order, so half the step leaves an eighth.
    assert errors[0] < 1e-3
    assert errors[1] < errors[0] / 6.0


def test_rails_have_the_right_integral_over_any_step():
    """Whatever z does within a step, w integrates to what the pole's voltage gained: no slope is needed."""
    rng = np.random.default_rng(0)
    z, step, rail = rng.uniform(-0.99, 0.99, (2, 3, 1, 5)), 1e-3, 1.0
    law = Amplifiers(
        np.full((1, 1), np.inf),
        np.full((1, 1), -rail),
        np.full((1, 1), rail),
        np.full((2, 1, 1), W_T),
        np.full((2, 1, 1), np.inf),
    )
    start = np.zeros((2, 1))
    found = saturate_steps(law, start, z, slope=SLOPE / step, centre=np.ones((1, 1)))
    weights = np.linalg.solve(np.vander(NODES, increasing=True).T, 1.0 / np.arange(1, 4))
    integral = step * np.einsum("q,sqnk->snk", weights, found.w)
    over = np.sign(z) * np.maximum(np.abs(z) - 0.95, 0.0) / 0.05
    extra = np.concatenate([np.zeros((2, 1, 1)), 0.05 * (np.arctanh(over) - over)[:, -1]], axis=-1)
    assert np.abs(extra).max() > 0.005  # some are beyond the knee
    np.testing.assert_allclose(integral, np.diff(extra, axis=-1) / W_T, atol=1e-12 / W_T)
    np.testing.assert_array_equal(found.instant, 0.0)


def test_a_transconductors_law_looks_at_no_slope():
    z = np.linspace(-0.5, 0.5, 30).reshape(1, 3, 1, 10)
    law = Inputs(np.array([[0.3]]))
    found = saturate_steps(
        law, np.zeros((1, 1)), z, slope=np.full((3, 4), np.nan), centre=np.full((1, 1), 0.5)
    )
    np.testing.assert_allclose(found.w, 0.3 * np.tanh(z / 0.3) - 0.5 * z, rtol=1e-13)
    assert found.share[0] == pytest.approx(np.tanh(0.5 / 0.3))
