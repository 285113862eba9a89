"""Mismatch at the level of a realization's coefficients: no circuit, every element strays by itself.

The norm is ||e||^2 = mean over w in [0, w_m] of sum_i |dx_i|^2/(2i+1): the mean over the window of the
squared error, for unit input at every frequency of the band.
"""

import numpy as np
from jaxtyping import Float

from lmu_analog.memory.realizations import Realization
from lmu_analog.memory.statespace import frequency_response
from lmu_analog.memory.structure import eliminate, read_out
from lmu_analog.memory.window import gauss_legendre

NODES = 80  # frequencies; 48 are enough at order 12
BATCH = 64  # samples at once: bounds the memory


def excess_error(
    realization: Realization, *, bandwidth: float, sigma: float, samples: int, seed: int = 0
) -> Float[np.ndarray, " s"]:
    """Perturb every coefficient, p (1 + sigma z), and give the excess window error of each sample.

    Parameters
    ----------
    realization : Realization
        Read out nominally: the perturbed circuit's states through the nominal matrix.
    bandwidth : float, Hz
        w_m / (2 pi), the band of the norm.
    sigma : float
        Relative standard deviation, Gaussian, untruncated.
    samples : int
    seed : int

    Returns
    -------
    (s,) array
        Fraction of the input; unstable samples stay in, by their frequency response.
    """
    rule = gauss_legendre(NODES)
    frequency = bandwidth * rule.r
    nominal = frequency_response(realization.system, frequency)
    legendre_norm = 1.0 / (2.0 * np.arange(nominal.shape[-1]) + 1.0)
    random = np.random.default_rng(seed)
    errors = []
    for start in range(0, samples, BATCH):
        z = random.standard_normal((min(BATCH, samples - start), len(realization.structure.coefficients)))
        values = realization.structure.values * (1.0 + sigma * z)
        perturbed = read_out(realization.structure, realization.readout, values)
        power = np.abs(frequency_response(perturbed, frequency) - nominal) ** 2 @ legendre_norm
        errors.append(np.sqrt(power @ rule.weight))
    return np.concatenate(errors)


def count_unstable(realization: Realization, *, sigma: float, samples: int, seed: int = 0) -> int:
    """Count unstable circuits among ``samples`` whose coefficients stray as in ``excess_error``."""
    random = np.random.default_rng(seed)
    count = 0
    for start in range(0, samples, BATCH):
        z = random.standard_normal((min(BATCH, samples - start), len(realization.structure.coefficients)))
        A, _ = eliminate(realization.structure, realization.structure.values * (1.0 + sigma * z))
        count += int((np.linalg.eigvals(A).real.max(axis=-1) > 0.0).sum())
    return count
