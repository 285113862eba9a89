"""The cheapest gate areas for an error: devices grow at one ratio of width to length, so that the circuit stays.

The variance that a group of devices adds goes with one over its area (Pelgrom, Welbers and Duinmaijer, JSSC 24, 1989).
Of all areas with the same variance the sum is least where each group's goes with the root of what it adds times its
area: sum c_k/A_k with a multiplier for sum A_k. A device that is to be longer than its model allows becomes a chain.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from lmu_analog.circuits.devices.pdk import Pdk, PdkDevice
from lmu_analog.errors import CircuitError
from lmu_analog.silicon.cells import DIGITS, EDGE_MARGIN, Place, shape, stacked
from lmu_analog.silicon.contributors import By, Linearised, Of, labels
from lmu_analog.silicon.devices import Mos, SiliconCircuit

LONGEST = 49e-6  # m: a device that is to be longer is several in series
LEAST_WIDTH = 0.25e-6  # m
SMALLEST, LARGEST = 0.25, 64.0  # factors of areas that are chosen
ROUNDS = 240  # of the search for the multiplier, each of which halves its interval


def scaled(circuit: SiliconCircuit, factors: Mapping[str, float], *, pdk: Pdk) -> SiliconCircuit:
    """Draw transistors with other gate areas and the same ratio of width to length.

    Parameters
    ----------
    circuit : SiliconCircuit
    factors : dict
        Of the area, by role or by name, that of a chain being what its devices begin with; the name goes first.
    pdk : Pdk

    Returns
    -------
    SiliconCircuit
        Devices without a factor are as they were. A device that would be narrower than ``LEAST_WIDTH`` has that width,
        and a length in proportion.

    Raises
    ------
    CircuitError
        If a factor is of a role or device that is not there, or not positive.
    DesignError
        If a device is outside the limits of its model.
    """
    known = {x.role for x in circuit.transistors} | {stem(x) for x in circuit.transistors}
    if strange := sorted(set(factors) - known):
        listed = ", ".join(sorted({x.role for x in circuit.transistors}))
        raise CircuitError(f"no transistor or role is called {strange[0]}; roles are {listed}")
    if bad := next((name for name, factor in factors.items() if not 0.0 < factor < math.inf), None):
        raise CircuitError(f"{bad}: an area is multiplied by a positive number, not {factors[bad]}")
    drawn: list[Mos] = []
    for name, group in groupby(circuit.transistors, stem):
        chain = list(group)
        factor = factors.get(name, factors.get(chain[0].role, 1.0))
        drawn += chain if factor == 1.0 else _redrawn(name, chain, factor, pdk.devices[chain[0].device])
    others = [x for x in circuit.devices if not isinstance(x, Mos)]
    ends = {net for x in (*drawn, *others, *circuit.sources) for net in x.nets}
    return replace(
        circuit,
        devices=(*drawn, *others),
        nodeset=tuple((net, volts) for net, volts in circuit.nodeset if net in ends),
    )


def stem(mos: Mos) -> str:
    """Give the name that the devices of a chain have in common."""
    return mos.name.rstrip("0123456789")


def _redrawn(name: str, chain: list[Mos], factor: float, device: PdkDevice) -> list[Mos]:
    """Draw a chain with so many times its area."""
    first = chain[0]
    length, width = sum(x.length for x in chain), first.width * first.count
    ratio = width / length
    width = max(LEAST_WIDTH, width * math.sqrt(factor))
    whole = width / ratio
    series = max(1, math.ceil(whole / LONGEST - EDGE_MARGIN))
    one = _off_edges(whole / series, device)
    place = Place(name, first.drain, first.gate, chain[-1].source, first.bulk, first.role)
    return stacked(place, device, shape(device, ratio * one, one, least=LEAST_WIDTH, series=series))


def _off_edges(length: float, device: PdkDevice) -> float:
    """Round a length, and keep it off the edges of the models' bins."""
    for edge in device.bins_l[1:-1]:
        if abs(length / edge - 1.0) < EDGE_MARGIN:
            length = edge * (1.0 + math.copysign(EDGE_MARGIN, length - edge))
    return float(f"{length:.{DIGITS}g}")


@dataclass(frozen=True)
class Areas:
    """Factors of the gate areas of some groups, and what they come to.

    Attributes
    ----------
    factors : dict
        Of areas, by role or device.
    area : float, m^2
        Of all gates and plates.
    variance : float
        What deviations add to the mean square error, of the groups and of what no area changes.
    """

    factors: dict[str, float]
    area: float
    variance: float


def best_areas(
    law: Linearised,
    circuit: SiliconCircuit,
    area: float,
    *,
    by: By = "role",
    of: Of = "both",
    rms: float = 1.0,
    fixed: tuple[str, ...] = (),
) -> Areas:
    """Share an area out so that deviations add least to the mean square error.

    Parameters
    ----------
    law : Linearised
        Of the circuit as it is.
    circuit : SiliconCircuit
    area : float, m^2
        Of all gates and plates. Plates have what their capacitance needs, and are not chosen.
    by : {"role", "device"}
    of : {"error", "offset", "both"}
        What is to be small.
    rms : float, V
        Of the input on the chip.
    fixed : tuple of str
        Groups that keep their areas.

    Raises
    ------
    CircuitError
        If groups that may shrink no further have more.
    """
    of_group, free = groups(circuit, by), dict[str, float]()
    variance = dict.fromkeys(of_group, 0.0)
    constant = 0.0
    for label, value in zip(labels(law, by), law.variance(of, rms=rms).tolist(), strict=True):
        if label in variance and label not in fixed:
            variance[label] += value
        else:
            constant += value
    free = {name: size for name, size in of_group.items() if name not in fixed}
    kept = sum(x.area for x in circuit.devices) - sum(free.values())
    root = {name: math.sqrt(variance[name] / size) for name, size in free.items()}

    def factors(multiplier: float) -> dict[str, float]:
        return {name: min(LARGEST, max(SMALLEST, multiplier * root[name])) for name in free}

    def total(found: Mapping[str, float]) -> float:
        return kept + sum(found[name] * size for name, size in free.items())

    least = total(factors(0.0))
    if area < least * (1.0 - 1e-9):
        raise CircuitError(
            f"the smallest areas add up to {1e12 * least:.4g} um2, more than {1e12 * area:.4g}"
        )
    low, high = 0.0, LARGEST / max(min((r for r in root.values() if r > 0.0), default=1.0), 1e-300)
    for _ in range(ROUNDS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if total(factors(middle)) < area else (low, middle)
    # Six digits, so that the last bits of a processor do not decide.
    found = {name: float(f"{x:.{DIGITS}g}") for name, x in factors(low).items()}
    added = constant + sum(variance[name] / found[name] for name in free)
    return Areas(found, total(found), added)


def groups(circuit: SiliconCircuit, by: By) -> dict[str, float]:
    """Give the gate area of every role or device of the transistors, m^2."""
    found: dict[str, float] = {}
    for x in circuit.transistors:
        name = x.role if by == "role" else stem(x)
        found[name] = found.get(name, 0.0) + x.area
    return found


def rescaled(law: Linearised, factors: Mapping[str, float], *, by: By = "role") -> Linearised:
    """Give the law of the circuit with other areas: deviations go with one over the root of the area."""
    return law.scaled(np.array([factors.get(label, 1.0) ** -0.5 for label in labels(law, by)]))
