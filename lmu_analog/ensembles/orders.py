"""The order of a memory that leaves room for its parts: truncation and mismatch together keep a limit.

A design file with ``error`` and ``nrmse`` states two limits: ``error`` is that of truncation, which chooses the least
order, and ``nrmse`` that of the circuit. ``Design`` knows nothing of circuits and takes the least order; here
first-order theory chooses among that and larger ones. Every command reads its design through ``with_room``.
"""

import math
from functools import lru_cache

from lmu_analog.design import Design, Reached
from lmu_analog.ensembles.comparison import predict
from lmu_analog.errors import DesignError, LmuAnalogError
from lmu_analog.memory.legendre import truncation_error
from lmu_analog.theory.first_order import first_order

USUAL_YIELD = 0.95  # of circuits that keep the limit, where the design does not say how many shall
_LARGEST_ORDER = 24  # that is tried for a limit: beyond it parts of 1 % cost more than the window gains
_PATIENCE = 3  # orders in a row that are no better before the search ends


def with_room(design: Design) -> Design:
    """Give a design whose ``error`` chose the order one that leaves room for its parts within ``nrmse``.

    The order then stands in the place of the error, and ``reached`` says why it was chosen. A design with an order of
    its own, or without one of the two limits, is given back, as is one whose circuits cannot be predicted: what is
    wrong with those, a job says itself.
    """
    if design.error is None or design.nrmse is None:
        return design
    try:
        return design.with_order(order_within(design, least=design.order))
    except LmuAnalogError:
        return design


@lru_cache(maxsize=32)
def order_within(design: Design, *, least: int = 1) -> Reached:
    """Choose the smallest order whose circuits keep the limit of a design: truncation and parts together.

    Parameters
    ----------
    design : Design
        With ``nrmse``; its own signal decides.
    least : int
        Smallest order to try.

    Returns
    -------
    Reached
        Where no order keeps the limit, the smallest whose p95 is within a tenth of the least.

    Raises
    ------
    DesignError
        If the circuit of no order can be predicted, with the reason of the last one.
    """
    limit, wanted = design.nrmse or math.inf, design.wanted_yield or USUAL_YIELD
    tried: list[Reached] = []
    reason = ""
    for order in range(least, max(least, _LARGEST_ORDER) + 1):
        truncation = truncation_error(order, design.bandwidth * design.theta)
        if truncation > limit and order < _LARGEST_ORDER:
            continue  # parts take no error away, but by chance
        try:
            found = predict(first_order(design.replace(order=order)), limit)
        except LmuAnalogError as error:  # an op-amp that is too slow for this order, say
            reason = str(error)
            continue
        good = found.good or 0.0
        tried.append(Reached(order, truncation, found.p95, good, good >= wanted))
        if tried[-1].met:
            return tried[-1]
        if min(r.p95 for r in tried) < min((r.p95 for r in tried[-_PATIENCE:]), default=0.0):
            break
    if not tried:
        raise DesignError(f"[spec] nrmse: no order can be predicted: {reason}")
    least_p95 = min(r.p95 for r in tried)
    return next(r for r in tried if r.p95 <= 1.1 * least_p95)
