"""The demands on every active part of a circuit: linear functions of the states, each with the part's limits.

Of an op-amp: the voltage of its output (before any output resistance), the current that leaves it, its slope, and the
common mode of its inputs; of a transconductor the voltage between its inputs. Currents follow from Kirchhoff's law at
the output: what resistors, capacitors and other inputs there take.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.circuit import Circuit, Term
from lmu_analog.circuits.components import (
    Ammeter,
    Amplifier,
    Bias,
    Capacitor,
    Component,
    DifferentialOpAmp,
    Inductor,
    OpAmp,
    Resistor,
    Supply,
    Transconductor,
    outputs,
    terminals,
)
from lmu_analog.circuits.nodal.extract import extract, unknowns
from lmu_analog.circuits.nodal.stamps import stamp
from lmu_analog.circuits.nodal.unknowns import Index
from lmu_analog.memory.statespace import StateSpace

Quantity = Literal["output voltage", "output current", "slew rate", "common mode", "input range"]
UNITS: dict[Quantity, str] = {
    "output voltage": "V",
    "output current": "A",
    "slew rate": "V/s",
    "common mode": "V",
    "input range": "V",
}


@dataclass(frozen=True)
class Watch:
    """One quantity of one part.

    Attributes
    ----------
    element : str
    net : str
        The output, or the positive input.
    part : str
        Name of its model.
    quantity : str
    low, high : float
        Between them the part works, V, A or V/s.
    middle : float
        Where it rests: ground, or the middle of a single supply.
    """

    element: str
    net: str
    part: str
    quantity: Quantity
    low: float
    high: float
    middle: float = 0.0


@dataclass(frozen=True, eq=False)
class Watched:
    """All k quantities of a circuit.

    Attributes
    ----------
    of : tuple of Watch
    system : StateSpace
        From the input u to them, (k,); with a clock to the voltages when phase 1 ends, and whose slopes are
        left to the steps from one sample to the next.
    spread : (k,) array
        Three sigma of what random offsets add at DC; 0 with a clock.
    """

    of: tuple[Watch, ...]
    system: StateSpace
    spread: Float[np.ndarray, " k"]


def watched(circuit: Circuit) -> Watched | None:
    """Find what limits a circuit that is linear between its limits; None where no active part is real.

    Parameters
    ----------
    circuit : Circuit
        At its nominal values. Circuits of transistors are left out: their limits are their own.

    Raises
    ------
    CircuitError
        If the circuit has no state space.
    """
    if circuit.small_signal is not None:
        return None
    if circuit.clock is not None:
        return _sampled(circuit)
    parts = [c for c in circuit.components if _is_real(c)]
    if not parts:
        return None
    index, system = unknowns(circuit)
    touching: dict[str, list[Component]] = {}
    for c in circuit.components:
        for net in dict.fromkeys(terminals(c)):
            touching.setdefault(net, []).append(c)
    rows = [row for c in parts for row in _rows(c, touching, index)]
    value, slope = np.stack([row.value for _, row in rows]), np.stack([row.slope for _, row in rows])
    # What of the unknowns, and what of the input itself.
    (P, u), (Pd, du) = ((part[:, :-1].copy(), part[:, -1:]) for part in (value, slope))
    constant = np.array([row.constant for _, row in rows])
    A, B, C, D = system.A, system.B, system.C, system.D
    offset = np.zeros(index.size) if system.offset is None else system.offset
    seen, fed = P @ C + Pd @ (C @ A), P @ D + Pd @ (C @ B) + u
    whole = StateSpace(A, B, seen, fed, None, P @ offset + constant, Pd @ D + du)
    spread = np.linalg.norm(P @ _offset_shifts(circuit, index), axis=1)
    return Watched(tuple(watch for watch, _ in rows), whole, spread)


def _is_real(c: Component) -> bool:
    match c:
        case OpAmp() | DifferentialOpAmp():
            return not c.model.ideal
        case Transconductor():
            return math.isfinite(c.model.limit)
        case _:
            return False


class _Row:
    """z = value v + slope v' + constant, over the unknowns v and the input behind them, (N + 1,)."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self.value, self.slope, self.constant = np.zeros(index.size + 1), np.zeros(index.size + 1), 0.0

    def add(self, net: str, weight: float) -> "_Row":
        """Add the voltage of a net."""
        self.index.add(self.value, net, weight)
        return self

    def add_slope(self, net: str, weight: float) -> "_Row":
        """Add the slope of a net's voltage."""
        self.index.add(self.slope, net, weight)
        return self


def _rows(c: Component, touching: dict[str, list[Component]], index: Index) -> Iterator[tuple[Watch, _Row]]:
    match c:
        case Transconductor():
            limit = c.model.limit
            row = _Row(index).add(c.plus, 1.0).add(c.minus, -1.0)
            yield Watch(c.name, c.plus, c.model.name, "input range", -limit, limit), row
        case OpAmp() | DifferentialOpAmp():
            model, name = c.model, c.model.name
            for net in outputs(c):
                voltage = _Row(index)
                voltage.value[index.output(net)] = 1.0
                yield Watch(c.name, net, name, "output voltage", *output_ends(c), model.middle), voltage
                current = _current_from(net, touching[net], index)
                most = model.output_current
                yield Watch(c.name, net, name, "output current", -most, most), current
            # The slew limit of a differential op-amp is that of the difference of its outputs, as in the deck.
            slope = _Row(index)
            for net, sign in zip(outputs(c), (1.0, -1.0), strict=False):
                slope.slope[index.output(net)] = sign
            yield Watch(c.name, outputs(c)[0], name, "slew rate", -model.slew, model.slew), slope
            mean = _Row(index).add(c.plus, 0.5).add(c.minus, 0.5)
            low, high = (model.middle + end for end in model.common_mode)
            yield Watch(c.name, c.plus, name, "common mode", low, high, model.middle), mean
        case _:
            pass


def output_ends(c: Amplifier) -> tuple[float, float]:
    """Give lowest and highest voltage of one output, V; of two whose mean is held the smaller swing is both's."""
    model = c.model
    low, high = (model.floor, model.rail) if isinstance(c, OpAmp) else (-model.swing, model.swing)
    return model.middle + low, model.middle + high


def _current_from(net: str, parts: list[Component], index: Index) -> _Row:
    """Sum up what all parts at an output's net take from it."""
    row = _Row(index)
    for c in parts:
        match c:
            case Resistor() if net in (c.a, c.b):
                row.add(net, 1.0 / c.value).add(_other(c, net), -1.0 / c.value)
            case Capacitor() if net in (c.a, c.b):
                row.add_slope(net, c.value).add_slope(_other(c, net), -c.value)
            case Inductor() | Ammeter() | Supply() if net in (c.a, c.b):
                row.value[index.current[c.name]] += 1.0 if net == c.a else -1.0
            case Bias() if net in (c.a, c.b):
                row.constant += c.value if net == c.a else -c.value
            case Transconductor() if net == c.out:
                row.add(net, c.value / c.model.gain).add_slope(net, c.model.parasitic)
                if c.name in index.current:
                    row.value[index.current[c.name]] -= 1.0
                else:
                    row.add(c.plus, -c.value).add(c.minus, c.value)
            case OpAmp() | DifferentialOpAmp():
                inputs = (c.plus, c.minus).count(net)
                row.constant += inputs * c.model.bias
                row.add_slope(net, inputs * c.model.input_capacitance)
            case _:
                pass
    return row


def _other(c: Resistor | Capacitor, net: str) -> str:
    return c.b if net == c.a else c.a


def _offset_shifts(circuit: Circuit, index: Index) -> np.ndarray:
    """Give what the largest random offset of each op-amp does to every unknown at DC, (N, k); they add in power."""
    amplifiers = circuit.amplifiers
    drawn = [c for c in amplifiers if not c.model.ideal and c.model.offset_max > 0.0]
    if not drawn:
        return np.zeros((index.size, 0))
    equations = stamp(circuit, index, circuit.values[None])
    pushed = np.zeros((index.size, len(drawn)))
    for k, c in enumerate(drawn):
        pushed[index.own[c.name], k] = 2.0 * np.pi * c.model.gbw * c.model.offset_max
    return np.linalg.solve(-equations.F[0], pushed)


def _sampled(circuit: Circuit) -> Watched | None:
    """Watch what outputs hold when phase 1 ends, and how far they step; currents are charge packets."""
    watches: list[Watch] = []
    probes: list[tuple[Term, ...]] = []
    for c in circuit.amplifiers:
        if c.model.ideal:
            continue
        model, nets = c.model, outputs(c)
        for net in nets:
            watches.append(Watch(c.name, net, model.name, "output voltage", *output_ends(c)))
            probes.append((Term("v", net, 1.0),))
        signs = zip(nets, (1.0, -1.0), strict=False)
        watches.append(Watch(c.name, nets[0], model.name, "slew rate", -model.slew, model.slew))
        probes.append(tuple(Term("v", net, sign) for net, sign in signs))
    if not watches:
        return None
    system = extract(replace(circuit, probes=tuple(probes)))
    return Watched(tuple(watches), system, np.zeros(len(watches)))
