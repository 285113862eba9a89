"""Prices where no price list is given: the middles of the price classes of parts, which are from memory."""

import math
from collections.abc import Mapping

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import Amplifier, Capacitor, Component, Resistor, is_outside
from lmu_analog.circuits.devices import passives
from lmu_analog.circuits.devices.packages import form_of
from lmu_analog.circuits.devices.parts import PRICE_CLASSES, catalogue
from lmu_analog.circuits.devices.values import nearest
from lmu_analog.circuits.families.registry import is_on_chip
from lmu_analog.design import Design

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
    return _middle(*passives.PRICE_CLASSES[choice.of.price(QUANTITY)])


def package_price(figures: Mapping[str, object]) -> float | None:
    """Give what one package of an amplifier costs of a hundred, USD; None where no class is known of it.

    Parameters
    ----------
    figures : mapping
        Of the part, as the catalogue has them.
    """
    known = PRICE_CLASSES.get(str(figures.get("price_class", "")))
    return None if known is None else _middle(*known)


def class_cost(design: Design, circuit: Circuit) -> tuple[float | None, int]:
    """Add up what the parts of a circuit on a board cost, as if a hundred of each were bought.

    A resistor or capacitor is bought at the widest tolerance that the design gives it, as the nearest value that is
    sold. Packages of amplifiers are whole ones.

    Returns
    -------
    float or None, USD
        None on a chip, where nothing is bought by the piece.
    int
        Parts of no price class, which are not in it; packages count as one each.
    """
    if is_on_chip(circuit):
        return None, 0
    known, unknown = [], 0
    for component in circuit.components:
        if is_outside(component) or isinstance(component, Amplifier):
            continue
        each = _each(design, component)
        if each is None:
            unknown += 1
        else:
            known.append(each)
    packages = math.ceil(
        len(circuit.amplifiers) / form_of(design.opamp_model.name, design.own_parts).amplifiers
    )
    each = package_price({**catalogue(), **design.own_parts}.get(design.opamp_model.name, {}))
    if each is None:
        unknown += packages
    else:
        known.append(packages * each)
    return math.fsum(known), unknown


def _each(design: Design, component: Component) -> float | None:
    match component:
        case Resistor():
            kind: passives.Kind = "resistor"
        case Capacitor():
            kind = "capacitor"
        case _:
            return None
    given = max((t.tolerance for t in design.tolerances_of(component)), default=0.0)
    tolerance = given or passives.USUAL[kind]  # exact in the design, and bought as usual
    return class_price(kind, float(nearest(component.value, passives.SOLD_IN[kind])), tolerance)


def _middle(low: float, high: float) -> float:
    return math.sqrt(low * high) if low else 0.5 * high
