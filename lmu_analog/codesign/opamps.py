"""What is known of the op-amps that a requirement allows: packages, currents, prices; which of them are affordable."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.devices.packages import form_of
from lmu_analog.circuits.devices.parts import PRICE_CLASSES, catalogue
from lmu_analog.circuits.devices.prices import Price, price_of
from lmu_analog.codesign.requirement import Requirement
from lmu_analog.units import parse


@dataclass(frozen=True)
class Figures:
    """What is known of the op-amps that are allowed, and of their packages.

    Attributes
    ----------
    amplifiers : (o,) array
        In one package.
    current : (o,) array, A
        Of one amplifier; NaN where it is not known.
    price : (o,) array
        Of a package; NaN where it has none.
    """

    amplifiers: Float[np.ndarray, " o"]
    current: Float[np.ndarray, " o"]
    price: Float[np.ndarray, " o"]

    @classmethod
    def of(cls, requirement: Requirement) -> "Figures":
        """Look them up."""
        base, parts = requirement.base, requirement.allow.opamps
        known = {**catalogue(), **base.own_parts}
        currents = [known[part].get("current") for part in parts]
        return cls(
            np.array([form_of(part, base.own_parts).amplifiers for part in parts], float),
            np.array([math.nan if c is None else parse(c, "A") for c in currents]),
            np.array([_opamp_price(part, known[part], requirement.prices) for part in parts]),
        )


def _opamp_price(part: str, figures: Mapping[str, object], prices: Mapping[str, Price] | None) -> float:
    if prices is not None:
        found = price_of(prices, [part])
        return math.nan if found is None else found[1].each
    name = figures.get("price_class")
    if name is None:
        return math.nan
    low, high = PRICE_CLASSES[str(name)]
    return math.sqrt(low * high) if low else 0.5 * high


def affordable(requirement: Requirement, amplifiers: int) -> list[int]:
    """Give the op-amps with which so many amplifiers alone keep the limits of cost and power.

    What they cost, and take at rest, is a bound: all other parts and loads only add.
    """
    figures, need, base = Figures.of(requirement), requirement.need, requirement.base
    packages = np.ceil(amplifiers / figures.amplifiers)
    supplies = 1.0 if base.has_single_supply else 2.0
    cost = packages * figures.price
    power = packages * figures.amplifiers * figures.current * supplies * base.supply
    # What is not known is none of the bound's business.
    beyond = (cost > (math.inf if need.cost is None else need.cost)) | (
        power > (math.inf if need.power is None else need.power)
    )
    return np.flatnonzero(~beyond).tolist()
