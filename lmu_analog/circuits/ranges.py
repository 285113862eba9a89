"""Whether the values of a circuit are practical, how many parts it has, and how far their values spread."""

import math
from collections import Counter
from collections.abc import Iterator

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import (
    GROUND,
    KINDS,
    Capacitor,
    Component,
    DifferentialOpAmp,
    Inductor,
    Mosfet,
    Resistor,
    Transconductor,
    is_outside,
    kind_of,
    outputs,
    terminals,
)
from lmu_analog.circuits.devices.packages import form_of
from lmu_analog.circuits.families.registry import is_on_chip
from lmu_analog.units import write

Valued = Resistor | Capacitor | Inductor | Transconductor | Mosfet
# Design practice: below 1 kOhm op-amps warm up, above 1 MOhm noise, bias and leakage rule; below 10 pF
# stray capacitances dominate, above 1 uF films are large. They are parts on a board: on a chip other limits hold.
DISCRETE: dict[type[Resistor | Capacitor], tuple[float, float]] = {
    Resistor: (1e3, 1e6),
    Capacitor: (10e-12, 1e-6),
}
CERAMIC = 10e-9  # F: up to here C0G is common, beyond it film
LEAST_LOAD = 2e3  # Ohm: the load that data sheets of op-amps specify
LARGEST_SPREAD = 1e3
VALUED: tuple[type[Valued], ...] = (Resistor, Capacitor, Inductor, Transconductor, Mosfet)
ROUNDING = 1e-9  # a value on the limit is inside
OF_LIMITS = ("resistor range", "capacitor range", "op-amp load")  # how warnings of these begin
SHOWN = 4  # components by name in one line


def warnings(circuit: Circuit) -> tuple[str, ...]:
    """Say what a builder of the circuit should know, a line for every check that finds something.

    ``resistor range``: outside 1 kOhm to 1 MOhm; ``capacitor range``: outside 10 pF to 1 uF (both but for
    families on a chip); ``op-amp load``: resistors at an output together below 2 kOhm; ``resistor spread``
    and so on: the largest value of a kind more than 1000 times the smallest; ``op-amp outputs``: a part of the
    catalogue with one output stands where two are needed, or the other way round (but for families on a chip).
    """
    return (*_ranges(circuit), *_loads(circuit), *_wide_spreads(circuit), *_outputs(circuit))


def counts(circuit: Circuit) -> dict[str, int]:
    """Count the components of every kind: ``resistor``, ``capacitor``, ``op-amp`` and so on."""
    return dict(Counter(kind_of(c).name for c in circuit.components))


def spreads(circuit: Circuit) -> dict[str, float]:
    """Give the ratio of the largest value to the smallest for every kind of component that has one."""
    ends = {KINDS[of].name: _ends(circuit, of) for of in VALUED}
    return {name: found[1].value / found[0].value for name, found in ends.items() if found}


def _ends(circuit: Circuit, of: type[Valued]) -> tuple[Valued, Valued] | None:
    """Give the components with the smallest and the largest value."""
    # A capacitor whose value says nothing, such as that of a reference, has no class: it need not match any other.
    counted = (
        c for c in circuit.only(of) if not is_outside(c) and (c.classes or not isinstance(c, Capacitor))
    )
    by_value = sorted(counted, key=lambda part: part.value)
    return (by_value[0], by_value[-1]) if by_value else None


def _ranges(circuit: Circuit) -> Iterator[str]:
    if is_on_chip(circuit):
        return
    for of, (low, high) in DISCRETE.items():
        name, unit = KINDS[of].name, KINDS[of].unit
        outside = [
            c for c in circuit.components if isinstance(c, of) and not is_outside(c) and not is_within(c)
        ]
        if outside:
            text = _listed({c.name: write(c.value, unit) for c in outside})
            yield f"{name} range: outside {write(low, unit)} to {write(high, unit)}: {text}"


def is_within(part: Resistor | Capacitor) -> bool:
    """Tell whether a part on a board has a value within the limits of its kind."""
    low, high = DISCRETE[type(part)]
    return bool(low * (1 - ROUNDING) <= part.value <= high * (1 + ROUNDING))


def loads(circuit: Circuit) -> dict[str, float]:
    """Give what resistors load every amplifier with, as if their far ends were at ground, Ohm."""
    touching: dict[str, list[Component]] = {}
    for c in circuit.components:
        for net in terminals(c):
            touching.setdefault(net, []).append(c)
    conductance: dict[str, float] = {}
    for c in circuit.only(Resistor):
        for net, far in ((c.a, c.b), (c.b, c.a)):
            # Of a pair in series both count.
            beyond = [] if far in (GROUND, circuit.source) else [o for o in touching[far] if o is not c]
            pair = [o.value for o in beyond if isinstance(o, Resistor)] if len(beyond) == 1 else []
            conductance[net] = conductance.get(net, 0.0) + 1.0 / (c.value + sum(pair))
    return {
        c.name: 1.0 / max(conductance.get(net, 0.0) for net in outputs(c))
        for c in circuit.amplifiers
        if any(net in conductance for net in outputs(c))
    }


def _loads(circuit: Circuit) -> Iterator[str]:
    heavy = {
        name: write(load, "Ohm")
        for name, load in loads(circuit).items()
        if load < LEAST_LOAD * (1 - ROUNDING)
    }
    if heavy:
        yield f"op-amp load: below {write(LEAST_LOAD, 'Ohm')} at the output of {_listed(heavy)}"


def _wide_spreads(circuit: Circuit) -> Iterator[str]:
    for of in VALUED:
        if not (found := _ends(circuit, of)):
            continue
        low, high = found
        if high.value / low.value > LARGEST_SPREAD * (1 + ROUNDING) and math.isfinite(high.value):
            text = _listed({c.name: write(c.value, KINDS[of].unit).strip() for c in found})
            yield f"{KINDS[of].name} spread: a factor of {high.value / low.value:.3g}, above 1000: {text}"


def _outputs(circuit: Circuit) -> Iterator[str]:
    if is_on_chip(circuit):
        return
    needs = Counter((c.model.name, isinstance(c, DifferentialOpAmp)) for c in circuit.amplifiers)
    for (name, two), count in needs.items():
        if form_of(name).differential is not (not two):  # fits, or nothing is known of the part
            continue
        have, want = ("one output", "two") if two else ("two outputs", "one")
        yield (
            f"op-amp outputs: {name} has {have}, and {count} amplifiers need {want}: it is simulated so, but cannot be "
            "ordered for this board; lmu-analog parts lists both kinds"
        )


def _listed(values: dict[str, str]) -> str:
    shown = [f"{name} = {value}" for name, value in list(values.items())[:SHOWN]]
    more = len(values) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
