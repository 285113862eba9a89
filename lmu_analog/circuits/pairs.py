"""Two standard parts in place of one: values that no single part of the series comes close to."""

from dataclasses import replace

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import Capacitor, Resistor
from lmu_analog.circuits.devices.values import TIE, best_pair
from lmu_analog.circuits.rounding import Rounded, capacitors_beside
from lmu_analog.circuits.rules import check


def paired(rounded: Rounded, resistors: str, *, bound: float) -> Circuit:
    """Make every R and C that is off by more than a bound of the two standard values that come closest.

    Two resistors are in series or in parallel; two capacitors are in parallel, because the net between two
    in series would have no path for direct current. The second part has the name of the first and ``_second``.

    Parameters
    ----------
    rounded : Rounded
        From ``choose_common`` with the same series.
    resistors : str
        Series of the resistors; that of the capacitors is at most E12.
    bound : float
        Largest relative error of one part, a fraction. What no pair comes within is made of the best.
    """
    components = []
    for part, exact in zip(rounded.circuit.components, rounded.exact.components, strict=True):
        match part, exact:
            case (Resistor(), Resistor()) if abs(part.value / exact.value - 1.0) > bound:
                components += _resistors(part, exact.value, resistors)
            case (Capacitor(), Capacitor()) if abs(part.value / exact.value - 1.0) > bound:
                components += _capacitors(part, exact.value, capacitors_beside(resistors))
            case _:
                components.append(part)
    return check(replace(rounded.circuit, components=tuple(components)))


def _resistors(part: Resistor, value: float, series: str) -> tuple[Resistor, Resistor]:
    pair, parallel = (best_pair(value, series, summed=summed) for summed in (True, False))
    if abs(parallel.value / value - 1.0) < abs(pair.value / value - 1.0) - TIE:
        pair = parallel
    first, second = (
        replace(part, value=pair.first),
        replace(part, name=f"{part.name}_second", value=pair.second),
    )
    if not pair.summed:
        return first, second
    middle = f"{part.name}_mid"
    return replace(first, b=middle), replace(second, a=middle)


def _capacitors(part: Capacitor, value: float, series: str) -> tuple[Capacitor, Capacitor]:
    pair = best_pair(value, series, summed=True)
    return replace(part, value=pair.first), replace(part, name=f"{part.name}_second", value=pair.second)
