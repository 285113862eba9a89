"""What to change in a design whose values no board has: the capacitance, the window, the order, the realization."""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

import numpy as np

from lmu_analog.building import chooses_level, mapped, stock
from lmu_analog.circuits import ranges
from lmu_analog.circuits.circuit import Circuit, reading_taps_alone
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.circuits.impedance import (
    ORIGIN,
    beyond_limits,
    has_a_window,
    keeps_limits,
    usable_capacitance,
)
from lmu_analog.circuits.interface import (
    LOAD,
    Load,
    buffered,
    loaded,
    parts_of_buffer,
    without_interface,
)
from lmu_analog.circuits.lowpass import response_of
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.design import Design
from lmu_analog.errors import LmuAnalogError
from lmu_analog.limits import limit_warnings
from lmu_analog.memory.legendre import HIGHEST_ORDER, usable_band
from lmu_analog.memory.statespace import frequency_response
from lmu_analog.units import write

_POINTS = 201  # of the band, at which a filter is looked at
_TELLS = 0.01  # of the input: what an input filter takes from it is told from here on
_STEP = 10.0**0.05  # of the window
_FINE = 4  # steps that are taken at once before the nearest of them is sought
_FARTHEST = 80  # steps: up to ten thousandfold
_FARTHEST_FILTER = 200  # steps: ten decades
_FINE_FILTER = 10  # steps that are taken at once: a filter is made anew at every one
_FEWER = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48)  # orders: few, for every one is a circuit
_FEW = 4  # orders up to here are tried one by one
_MORE = (1, 2)  # larger orders have rarely what a smaller one lacks


def value_warnings(design: Design, circuit: Circuit) -> tuple[str, ...]:
    """Say which values of a design's circuit are impractical, and what to change where they are beyond limits."""
    found = ranges.warnings(circuit)
    more = advice(design) if any(line.startswith(ranges.OF_LIMITS) for line in found) else None
    around = (
        *_of_the_filters_parts(design, circuit),
        *_of_the_filter(design),
        *_of_the_load(design, circuit),
    )
    return (*found, *([more] if more else []), *around)


def _of_the_filter(design: Design) -> Iterator[str]:
    """Say what the filter of an input buffer does to the window by itself, where that tells."""
    buffer = design.input_buffer
    if buffer is None or buffer.bandwidth is None:
        return
    frequency = np.linspace(0.0, 1.0, _POINTS) * design.bandwidth
    found = response_of(frequency, order=buffer.order, bandwidth=buffer.bandwidth, response=buffer.response)
    error = float(np.sqrt(np.mean(np.abs(found - 1.0) ** 2)))
    if error < _TELLS:
        return
    delay = -float(np.angle(found[1])) / (2.0 * np.pi * frequency[1])
    droop = -20.0 * float(np.log10(np.abs(found[-1])))
    yield (
        f"input filter: the memory gets the input {write(float(f'{delay:.2g}'), 's')} late, "
        f"{100.0 * delay / design.theta:.3g} % of theta, and {droop:.2f} dB lower at the end of the band; "
        f"that counts, by itself as an error of {100.0 * error:.3g} % of a flat band"
    )


def _of_the_filters_parts(design: Design, circuit: Circuit) -> Iterator[str]:
    """Name the nearest bandwidth whose filter has parts within limits, where those of the input filter are not."""
    buffer = design.input_buffer
    if buffer is None or buffer.bandwidth is None or all(map(ranges.is_within, parts_of_buffer(circuit))):
        return
    memory, given = without_interface(circuit), buffer.bandwidth
    caps = stock(design, memory)

    def nearby(step: int) -> float:
        return float(f"{given * _STEP**step:.1e}")

    def keeps(step: int) -> bool:
        near = replace(buffer, bandwidth=nearby(step))
        made = buffered(memory, near, opamp=design.opamp_model, series=design.values, stock=caps)
        return all(map(ranges.is_within, parts_of_buffer(made)))

    coarse = (way * k for k in range(_FINE_FILTER, _FARTHEST_FILTER + 1, _FINE_FILTER) for way in (1, -1))
    near = next((step for step in coarse if keeps(step)), None)
    if near is None:
        return
    way = 1 if near > 0 else -1
    found = next(step for step in range(near - way * (_FINE_FILTER - 1), near + way, way) if keeps(step))
    yield f'values: [circuit] input: bandwidth = "{write(nearby(found), "Hz")}" keeps the limits for its own parts'


def _of_the_load(design: Design, circuit: Circuit) -> Iterator[str]:
    """Say what loads take from outputs that no op-amp drives, or a weak one, and which resistance takes little."""
    load = design.output_load
    if load is None:
        return
    name, share = _taken(circuit, load, design.bandwidth)
    if share < _TELLS:
        return
    light = (10.0**k for k in range(3, 13))
    enough = (r for r in light if _taken(circuit, replace(load, resistance=r), design.bandwidth)[1] < _TELLS)
    found = next(enough, None)
    way_out = (
        ""
        if found is None
        else f"; [circuit] load of {write(found, 'Ohm')} or more changes it by less than 1 %"
    )
    yield f"load: it changes {name} by {100.0 * share:.3g} % of a flat band, for no op-amp holds that{way_out}"


def _taken(circuit: Circuit, load: Load, bandwidth: float) -> tuple[str, float]:
    """Give the output that a load changes most, and by how much: rms over a flat band, a fraction of its own."""
    free = replace(circuit, components=tuple(c for c in circuit.components if c.role != LOAD))
    frequency = np.linspace(0.0, bandwidth, _POINTS)
    names = [tap.name for tap in circuit.taps] or [f"m{i}" for i in range(circuit.order)]
    alone, with_load = (
        frequency_response(extract(reading_taps_alone(c) if c.taps else c), frequency)
        for c in (free, loaded(free, load))
    )
    size = np.sqrt(np.mean(np.abs(alone) ** 2, axis=0))
    moved = np.sqrt(np.mean(np.abs(with_load - alone) ** 2, axis=0))
    shares = np.divide(moved, size, out=np.zeros_like(moved), where=size > 0.0)
    most = int(shares.argmax())
    return names[most], float(shares[most])


def design_warnings(design: Design, circuit: Circuit) -> tuple[str, ...]:
    """Say all that whoever builds the circuit of a design should know: order, values, parts beyond their limits."""
    return (
        *order_warnings(design),
        *value_warnings(design, circuit),
        *limit_warnings(circuit, design.stimulus),
    )


def order_warnings(design: Design) -> tuple[str, ...]:
    """Say where an order that was chosen does not keep the limit."""
    found = design.reached
    return () if found is None or found.met else (f"[memory] order = {design.order}: {found.text}",)


@lru_cache(maxsize=32)
def advice(design: Design) -> str | None:
    """Name the key that brings the values of a design within the limits of a board, and a value that does.

    Where the capacitance is given: one that works, and whether leaving it out does. Else no choice of capacitors
    works, and the nearest window and the nearest order that have one are named, or other realizations of the same
    family. None where the design keeps all limits, or is on a chip.
    """
    if FAMILIES[design.family].on_chip:
        return None
    circuit = mapped(design)
    if chooses_level(design):
        return None if keeps_limits(circuit) else _elsewhere(design, circuit)
    if not any(line.startswith(ranges.OF_LIMITS) for line in ranges.warnings(circuit)):
        return None  # a sample is beyond them, which nobody chooses
    one = usable_capacitance(circuit, design.capacitance or ORIGIN, stock(design, circuit))
    said = [] if one is None else [f'[circuit] capacitance = "{write(one, "F")}" keeps these limits']
    if keeps_limits(circuit):
        said.append("[circuit] capacitance left out does, with a capacitor chosen for every integrator")
    return f"values: {'; '.join(said)}" if said else _elsewhere(design, circuit)


def _elsewhere(design: Design, circuit: Circuit) -> str:
    start = "values: no capacitors of E12 from 10 pF to 1 uF keep these limits"
    if apart := _outputs_apart(circuit):
        start = (
            f"values: no resistors within these limits make the weights of {', '.join(apart)}: weights that are more "
            "alike ([circuit] output), or a gain nearer to one, need none beyond them"
        )
    found = [
        *(f'[memory] theta = "{write(theta, "s")}"' for theta in _windows(design, circuit)),
        *(f"[memory] order = {order}" for order in _orders(design)),
        *(f'[circuit] realization = "{name}"' for name in _realizations(design)),
    ]
    if not found:
        found = list(_both(design))
    return f"{start}; the nearest designs with some: {' or '.join(found)}" if found else start


def _outputs_apart(circuit: Circuit) -> list[str]:
    """Name the taps whose own resistors no level brings within limits."""
    beyond = {c.name for parts in beyond_limits(circuit) for c in parts}
    return [tap.name for tap in circuit.taps if any(name.startswith(f"R{tap.name}_") for name in beyond)]


def _windows(design: Design, circuit: Circuit) -> Iterator[float]:
    """Find the nearest window, s, of two digits with values within limits."""
    if not has_a_window(circuit):
        return
    coarse = (way * k for k in range(_FINE, _FARTHEST + 1, _FINE) for way in (1, -1))
    near = next((step for step in coarse if keeps_limits(circuit, _STEP**step)), None)
    if near is None:
        return
    way = 1 if near > 0 else -1
    steps = range(near - way * (_FINE - 1), near + way * _FINE, way)
    # All time constants go with theta, but with a given bandwidth the scaling changes too: then it is tried in earnest.
    for theta in (float(f"{design.theta * _STEP**step:.1e}") for step in steps):
        if keeps_limits(circuit, theta / design.theta) and _keeps(design, theta=theta):
            yield theta
            return


def _orders(design: Design) -> Iterator[int]:
    """Find the nearest order with values within limits."""
    lower = [design.order - k for k in _FEWER if design.order - k > _FEW]
    lower += range(min(_FEW, design.order - 1), 0, -1)
    first = next((k for k in lower if _keeps(design, order=k)), None)
    if first is not None:
        tried = [k for k in range(design.order - 1, first, -1) if k not in lower]
        yield next((k for k in tried if _keeps(design, order=k)), first)
        return
    higher = [design.order + k for k in _MORE if design.order + k <= HIGHEST_ORDER]
    yield from [k for k in higher if _keeps(design, order=k)][:1]


def _realizations(design: Design) -> Iterator[str]:
    """Find the first other realization with values within limits."""
    others = [name for name in FAMILIES[design.family].realizations if name != design.realization]
    yield from [name for name in others if _keeps(design, realization=name)][:1]


def _both(design: Design) -> Iterator[str]:
    """Find another realization with a window that has values within limits."""
    for name in FAMILIES[design.family].realizations:
        other = design.replace(realization=name)
        for theta in _windows(other, mapped(other)):
            yield f'[circuit] realization = "{name}" with [memory] theta = "{write(theta, "s")}"'
            return


def _keeps(design: Design, **changes: object) -> bool:
    """Tell whether a changed design has values within limits; a bandwidth that the order set goes with it."""
    follows = design.bandwidth == usable_band(design.order) / design.theta
    try:
        return keeps_limits(mapped(design.replace(**changes, **({"bandwidth": None} if follows else {}))))
    except LmuAnalogError:  # no such memory, or an op-amp that is too slow for it
        return False
