"""Four sigma of chips from few: an engine whose failures are known in closed form."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from lmu_analog.ensembles.chips import chips_high_sigma, guided_errors, limit_at, trimmed_errors
from lmu_analog.errors import DesignError
from lmu_analog.silicon.contributors import Linearised, linearised
from tests.test_silicon_areas import BENCH, FOUND, measure

COUNT = 40


def one_direction(slope: np.ndarray) -> Linearised:
    """Give a law whose error has one direction of deviations, orthogonal to what the nominal chip has."""
    names = tuple(f"M{k}|threshold" for k in range(len(slope)))
    jacobian = np.stack([np.zeros(len(slope)), slope])
    error = np.array([0.01, 0.0])
    return Linearised(names, ("tail",) * len(slope), 1e-5, error, jacobian, 0.0 * jacobian, slope)


def test_a_few_hundred_chips_tell_four_sigma_to_a_tenth() -> None:
    slope = np.random.default_rng(3).standard_normal(COUNT) * 2e-4
    law = one_direction(slope)
    limit = limit_at(law, 4.0)

    # What decides bends away from the law: a third power, which moves the failure by decades.
    def judge(z: np.ndarray) -> np.ndarray:
        x = z @ slope / np.linalg.norm(slope)
        return np.sqrt(1e-4 + 1e-5 + np.linalg.norm(slope) ** 2 * (x + 0.01 * x**3) ** 2)

    at_limit = math.sqrt(limit**2 - 1.1e-4) / float(np.linalg.norm(slope))
    edge = np.roots(np.array([0.01, 0.0, 1.0, -at_limit]))
    true = 2.0 * norm.sf(float(edge[np.abs(edge.imag) < 1e-9].real[0]))
    found = chips_high_sigma(law, judge, guide=judge, limit=limit, samples=300)
    assert found.low < true < found.high
    low, high = found.sigma_interval
    assert low < found.sigma < high
    assert high - low < 0.2
    assert found.predicted == pytest.approx(2.0 * norm.sf(norm.isf(norm.sf(4.0) / 2.0)), rel=1e-3)
    with pytest.raises(DesignError, match="nominal chip misses the limit"):
        chips_high_sigma(law, judge, guide=judge, limit=0.01)


def test_errors_of_normals_are_those_of_chips_after_their_trim() -> None:
    law = linearised(measure, BENCH, FOUND)
    z = np.zeros((2, len(law.names)))
    z[1, 3] = 1.0
    seen = trimmed_errors(measure, BENCH, FOUND)(z)
    assert seen[0] == pytest.approx(law.nominal, rel=1e-3)
    assert seen[1] == pytest.approx(
        np.sqrt(law.rest + np.sum((law.error + law.jacobian[:, 3]) ** 2)), rel=1e-3
    )
    # A guide whose trims are a thousandth off is corrected.
    both = guided_errors(measure, lambda sample, trim: measure(sample, 1.001 * trim), BENCH, found=FOUND)(z)
    np.testing.assert_allclose(both, seen, rtol=1e-3)
