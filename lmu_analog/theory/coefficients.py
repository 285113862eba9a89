"""Mismatch at the level of a realization's coefficients: no circuit, every element deviates by itself.

The norm is ||e||^2 = mean over w in [0, w_m] of sum_i |dx_i|^2/(2i+1): the mean over the window of the
squared error, for unit input at every frequency of the band.
"""

import math

import numpy as np
from jaxtyping import Float

from lmu_analog.memory.realizations import Realization
from lmu_analog.memory.statespace import frequency_response
from lmu_analog.memory.structure import eliminate, matrices, read_out
from lmu_analog.memory.window import gauss_legendre

NODES = 80  # frequencies; 48 are enough at order 12
BATCH = 64  # samples at once: bounds the memory


def added_error(
    realization: Realization, *, bandwidth: float, sigma: float, samples: int, seed: int = 0
) -> Float[np.ndarray, " s"]:
    """Perturb every coefficient, p (1 + sigma z), and give the window error that it adds to each sample.

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


def first_order_added_error(realization: Realization, *, bandwidth: float) -> float:
    """Give the added error (rms) over sigma, to first order: fraction of the input per unit error, % per %.

    One direct and one adjoint solve a frequency: with F v = b and m = R v, dm/dp = X^T (db/dp - (dF/dp) v).

    Parameters
    ----------
    realization : Realization
    bandwidth : float, Hz
        As in ``added_error``.
    """
    rule = gauss_legendre(NODES)
    structure = realization.structure
    E, F, G = matrices(structure)
    storing = E.copy()
    storing[structure.dynamic :] = 0.0
    row, column = (np.array([getattr(c, k) for c in structure.coefficients], int) for k in ("row", "column"))
    kind = np.array([c.matrix for c in structure.coefficients])
    weight = 1.0 / (2.0 * np.arange(len(realization.readout)) + 1.0)
    total = 0.0
    for s, share in zip(2j * math.pi * bandwidth * rule.r, rule.weight, strict=True):
        M = s * storing - F
        v = np.linalg.solve(M, G[:, 0])
        adjoint = np.linalg.solve(M.T, realization.readout.T)
        reached = np.select([kind == "E", kind == "F"], [-s * v[column], v[column]], 1.0)
        slopes = adjoint[row] * (reached * structure.values)[:, None]
        total += float(share * np.sum(np.abs(slopes) ** 2 @ weight))
    return math.sqrt(total)


def mismatch_lower_bound(order: int, theta: float, *, bandwidth: float) -> float:
    """Give the lower bound w_m theta/(3 sqrt(d)): no d independent errors of time constants add less, per sigma.

    Derived here; n independent errors of any kind, such as those of dense matrices, may fall below it, down
    to the same with n in place of d.

    Parameters
    ----------
    order : int
    theta : float, s
    bandwidth : float, Hz
    """
    return 2.0 * math.pi * bandwidth * theta / (3.0 * math.sqrt(order))


def count_unstable(realization: Realization, *, sigma: float, samples: int, seed: int = 0) -> int:
    """Count unstable circuits among ``samples`` whose coefficients deviate as in ``added_error``."""
    random = np.random.default_rng(seed)
    count = 0
    for start in range(0, samples, BATCH):
        z = random.standard_normal((min(BATCH, samples - start), len(realization.structure.coefficients)))
        A, _ = eliminate(realization.structure, realization.structure.values * (1.0 + sigma * z))
        count += int((np.linalg.eigvals(A).real.max(axis=-1) > 0.0).sum())
    return count
