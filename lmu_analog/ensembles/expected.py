"""The yield by first-order theory, compared with circuits: how many of its digits are significant.

The quadratic form is accurate relative to itself far out in either tail, and so says 99.99999947 %; of the circuit it
knows the slopes alone, and what it leaves out is largest there. A few hundred circuits of the exact engine say between
which yields the circuit's own lies, which is all that stands without an ensemble or the command ``yield``.
"""

from dataclasses import dataclass

import numpy as np

from lmu_analog.building import build
from lmu_analog.design import Design
from lmu_analog.ensembles.comparison import predict
from lmu_analog.ensembles.exact import exact_draws
from lmu_analog.ensembles.intervals import clopper_pearson
from lmu_analog.ensembles.uniform import applies, is_slow
from lmu_analog.ensembles.yields import Yield, yield_of
from lmu_analog.mismatch.law import Mismatch, draw
from lmu_analog.storage.results import GOOD
from lmu_analog.theory.first_order import FirstOrder

CHECKED, CHECKED_SLOW = 1000, 200  # circuits; all good is then at least 99.63 %, or 98.2 %
SEED = 0  # the first circuits of that ensemble


@dataclass(frozen=True)
class Expected:
    """A yield by first-order theory, with what circuits say of it.

    Attributes
    ----------
    limit : float
        Of the window NRMSE, a fraction.
    value : float
        By the quadratic form, an extrapolation beyond ``low`` to ``high``.
    low, high : float
        95 % interval (Clopper-Pearson) of the yield, from the circuits alone; both ``value`` where nothing deviates.
    samples : int
        Number of those circuits.
    uniform : Yield or None
        Of the same draws with parts uniform within their tolerance, as of ``uniform.uniform_yield``.
    """

    limit: float
    value: float
    low: float
    high: float
    samples: int
    uniform: Yield | None = None

    @property
    def fits(self) -> bool:
        """Whether the circuits can have the yield that theory expects."""
        return self.low <= self.value <= self.high


def expected_yield(design: Design, theory: FirstOrder) -> Expected | None:
    """Give the yield that the theory of a design expects, checked by the exact engine; None without a limit."""
    if design.nrmse is None:
        return None
    value = predict(theory, design.nrmse).good or 0.0
    if theory.predicted_rms == 0.0:
        return Expected(design.nrmse, value, value, value, 0)
    samples = CHECKED_SLOW if is_slow(design) else CHECKED
    circuit, law = build(design), Mismatch.of(design)
    z = draw(circuit, law, seed=SEED, samples=range(samples))
    good = _good(design, z, is_uniform=False)
    even = yield_of(_good(design, z, is_uniform=True), design.nrmse) if applies(design) else None
    return Expected(design.nrmse, value, *clopper_pearson(int(good.sum()), samples), samples, even)


def _good(design: Design, z: np.ndarray, *, is_uniform: bool) -> np.ndarray:
    error, status = exact_draws(design, z, is_uniform=is_uniform)
    return (status == GOOD) & (error <= (design.nrmse or 0.0))
