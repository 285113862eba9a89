"""What is known of the op-amps that a requirement allows: packages, currents, prices; which of them are affordable."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.devices.packages import form_of
from lmu_analog.circuits.devices.parts import catalogue
from lmu_analog.circuits.devices.prices import price_of
from lmu_analog.codesign.prices import package_price
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
        listed = [
            None if requirement.prices is None else price_of(requirement.prices, [part]) for part in parts
        ]
        sizes, prices = [], []
        for part, found in zip(parts, listed, strict=True):
            # A list may say how many amplifiers it prices together.
            of_list = None if found is None else found[1].amplifiers
            sizes.append(form_of(part, base.own_parts).amplifiers if of_list is None else of_list)
            if requirement.prices is None:
                each = package_price(known[part])
            else:
                each = None if found is None else found[1].each
            prices.append(math.nan if each is None else each)
        return cls(
            np.array(sizes, float),
            np.array([math.nan if c is None else parse(c, "A") for c in currents]),
            np.array(prices, float),
        )


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
