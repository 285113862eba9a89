"""Yield of chips far out in the tail: the exact engine finds where they fail, ngspice judges few of them.

The linear law of a chip's error after its trim (``silicon.contributors``) is a quadratic form, of which importance
sampling takes its directions, as ``high_sigma`` does for circuits of values. How far to go along them the exact engine
says, which knows what is not linear; weights of the chips that ngspice has then run make the estimate unbiased whatever
both said.
"""

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr

from lmu_analog.ensembles.high_sigma import PLAIN, HighSigma, fails, tuned, weighted
from lmu_analog.errors import DesignError
from lmu_analog.mismatch.law import normals
from lmu_analog.silicon.contributors import Linearised
from lmu_analog.silicon.draws import Spread, from_normals
from lmu_analog.silicon.ensemble import (
    Measure,
    bias_exponent,
    errors,
    fitted_theta,
    nominal_chip,
    window_errors,
)
from lmu_analog.silicon.samples import Bench
from lmu_analog.simulation import Engine
from lmu_analog.theory.first_order import FirstOrder
from lmu_analog.theory.quadratic import beyond, principal, quadratic_form, quantile

ErrorsOf = Callable[[Float[np.ndarray, "s z"]], Float[np.ndarray, " s"]]


def trimmed_errors(measure: Measure, bench: Bench, found: Spread) -> ErrorsOf:
    """Give what turns standard normals into window errors after one trim of each chip; NaN where there is none.

    Parameters
    ----------
    measure : callable
        An engine: it measures every chip three times.
    bench : Bench
    found : Spread
        Of the circuit; columns of the normals are as in ``draws.names``.
    """
    undeviated = nominal_chip(bench)

    def errors_of(z: np.ndarray) -> np.ndarray:
        return errors(measure, from_normals(found, z), bench, nominal_sample=undeviated).trimmed

    return errors_of


def guided_errors(measure: Measure, guide: Measure, bench: Bench, *, found: Spread) -> ErrorsOf:
    """Give the same with two measurements of every chip: the guide's trim, then one correction of what it left.

    Parameters
    ----------
    measure : callable
        What is to be believed, such as ngspice.
    guide : callable
        The exact engine: where it does not know a chip, that one is corrected from what it is as built.
    bench : Bench
    found : Spread
    """
    undeviated, theta = nominal_chip(bench), bench.circuit.theta
    slope = bias_exponent(guide, bench, nominal_sample=undeviated)

    def errors_of(z: np.ndarray) -> np.ndarray:
        chips = from_normals(found, z)
        trim = errors(guide, chips, bench, nominal_sample=undeviated).trim
        seen = fitted_theta(measure(chips, trim).states, bench.frequency, theta)
        trim = trim * np.where(np.isfinite(seen), seen / theta, 1.0) ** (-1.0 / slope)
        return window_errors(measure(chips, trim).states, bench.frequency, theta)

    return errors_of


def limit_at(law: Linearised, sigma: float) -> float:
    """Give the window NRMSE that the linear law puts at so many standard deviations: at 4, 3.2e-5 of chips miss it."""
    return math.sqrt(quantile(quadratic_form(_theory(law)), float(ndtr(sigma))))


def chips_high_sigma(
    law: Linearised,
    judge: ErrorsOf,
    *,
    guide: ErrorsOf,
    limit: float,
    samples: int = 480,
    seed: int = 0,
    engine: Engine = "ngspice",
) -> HighSigma:
    """Estimate the small fraction of chips that miss a limit after their trim.

    Parameters
    ----------
    law : Linearised
    judge : callable
        From normals to window errors: what decides, such as ngspice.
    guide : callable
        Likewise: the exact engine, which some thousand chips tune the law with.
    limit : float
        Of the window NRMSE.
    samples : int
        Chips that are judged.
    seed : int
        Of the standard normals, the same ones as in ``draws.deviations``, which the method then moves.
    engine : {"exact", "ngspice"}
        What the judge is, for the record.

    Raises
    ------
    DesignError
        If the nominal chip misses the limit.
    """
    theory = _theory(law)
    if theory.nominal >= limit:
        raise DesignError(
            f"the nominal chip misses the limit already: {100 * theory.nominal:.3g} % against {100 * limit:.3g} %"
        )
    form, axes = principal(theory)
    twist, directions = tuned(guide, form, axes, limit=limit, seed=seed)
    normal = normals(seed, list(law.names), range(samples))
    z = twist.draws(normal)
    z[::PLAIN] = normal[::PLAIN]
    estimate = weighted(fails(judge(z), limit), twist.log_ratio(z))
    found, warnings = estimate[:4], estimate[4]
    predicted = beyond(form, limit**2)
    return HighSigma("importance", engine, samples, limit, *found, predicted, directions, warnings)


def _theory(law: Linearised) -> FirstOrder:
    return FirstOrder(law.names, law.rest, law.error, law.jacobian)
