"""Prices where no price list is given: the middles of the price classes of parts, which are from memory."""

import math

from lmu_analog.circuits.devices import passives

QUANTITY = 100  # pieces


def class_price(kind: passives.Kind, value: float, tolerance: float) -> float | None:
    """Give what one resistor or capacitor costs of a hundred, USD: an order of magnitude; None where it is not sold.

    The geometric mean of the ends of its price class; of the cheapest, which starts at nothing, half its end.

    Parameters
    ----------
    kind : {"resistor", "capacitor"}
    value : float
        Ohm or F, a standard one.
    tolerance : float
        Largest one, a fraction.
    """
    choice = passives.choose(kind, value, tolerance=tolerance)
    if choice is None:
        return None
    low, high = passives.PRICE_CLASSES[choice.of.price(QUANTITY)]
    return math.sqrt(low * high) if low else 0.5 * high
