"""Outputs of amplifiers whose voltage may stand for more or less of a variable, with other values of the same response.

At a virtual ground only currents count. So where all that hangs on an output leads to virtual grounds, its voltage may
be multiplied by a factor of its own: what is joined to it has resistances larger by that factor, and what drives it
has them smaller, so that all currents stay. What reads the output divides by the factor.

A difference amplifier, whose inputs are not at zero volts, keeps its weights as long as both of its inputs see the same
conductance. The resistor to ground that sees to that then takes another value.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import (
    GROUND,
    Amplifier,
    Capacitor,
    Component,
    DifferentialOpAmp,
    OpAmp,
    Resistor,
    outputs,
    terminals,
)
from lmu_analog.errors import DesignError, shown
from lmu_analog.units import parse

LEVELS = (0.1, 10.0)  # of a voltage: beyond, an output is noise or far over its rails


@dataclass(frozen=True)
class Balance:
    """The resistor that makes the inputs of a difference amplifier see the same conductance.

    Attributes
    ----------
    name : str
    same, other : tuple of str
        The resistors at its own input but for itself, and at the other one.
    """

    name: str
    same: tuple[str, ...]
    other: tuple[str, ...]


@dataclass(frozen=True)
class Driven:
    """The outputs of a circuit.

    Attributes
    ----------
    outputs : tuple of tuple of str
        Nets that swing together: one of an op-amp, two of one with two outputs.
    free : tuple of bool
        Whether their voltage may be multiplied.
    balances : tuple of Balance
    """

    outputs: tuple[tuple[str, ...], ...]
    free: tuple[bool, ...]
    balances: tuple[Balance, ...]


def driven(circuit: Circuit) -> Driven:
    """Find the outputs whose voltage may be multiplied, in the order of their amplifiers."""
    touching: dict[str, list[Component]] = {}
    for c in circuit.components:
        for net in dict.fromkeys(terminals(c)):
            touching.setdefault(net, []).append(c)
    balances: dict[str, Balance] = {}
    for c in circuit.only(OpAmp):
        if c.plus != GROUND and (found := _balance(c, touching)):
            balances[c.minus] = balances[c.plus] = found
    ends = {Capacitor: _virtual_grounds(circuit), Resistor: _virtual_grounds(circuit) | set(balances)}
    fixed = {term.of for tap in circuit.taps for term in tap.terms}
    fixed |= {term.of for probe in circuit.probes for term in probe if term.kind == "i"}

    def is_free(amplifier: Amplifier) -> bool:
        """Tell whether all that hangs on its outputs leads to virtual grounds, and nothing shows them as they are."""
        nets = outputs(amplifier)
        hung = [c for net in nets for c in touching[net] if c is not amplifier]
        return fixed.isdisjoint((*nets, *(c.name for c in hung))) and all(
            isinstance(c, Resistor | Capacitor)
            and ends[type(c)].issuperset(net for net in terminals(c) if net not in nets)
            for c in hung
        )

    return Driven(
        tuple(outputs(c) for c in circuit.amplifiers),
        tuple(is_free(c) for c in circuit.amplifiers),
        tuple(dict.fromkeys(balances.values())),
    )


def _virtual_grounds(circuit: Circuit) -> set[str]:
    """Give the nets that amplifiers hold at zero volts: their inputs, where the other input is at ground."""
    single = {c.minus for c in circuit.only(OpAmp) if c.plus == GROUND}
    return single | {net for c in circuit.only(DifferentialOpAmp) for net in (c.plus, c.minus)}


def _balance(amplifier: OpAmp, touching: dict[str, list[Component]]) -> Balance | None:
    """Find the one resistor from either input of an amplifier to ground, where all else there are resistors, too."""
    sides = [[c for c in touching[net] if c is not amplifier] for net in (amplifier.minus, amplifier.plus)]
    if not all(isinstance(c, Resistor) for side in sides for c in side):
        return None
    names = [tuple(c.name for c in side if GROUND not in terminals(c)) for side in sides]
    for k, side in enumerate(sides):
        grounded = [c.name for c in side if GROUND in terminals(c)]
        if len(grounded) == 1 and len(names[1 - k]) == len(sides[1 - k]):
            return Balance(grounded[0], names[k], names[1 - k])
    return None


def read_at(circuit: Circuit, levels: Mapping[str, float]) -> Circuit:
    """Divide what the probes read by the levels of the outputs that they read, by net."""
    probes = tuple(
        tuple(replace(t, factor=t.factor / levels.get(t.of, 1.0)) if t.kind == "v" else t for t in probe)
        for probe in circuit.probes
    )
    return replace(circuit, probes=probes)


def read_output_levels(given: Any) -> dict[str, float]:
    """Read ``{ x0 = 0.93 }``: what reading the net of an output is divided by.

    Raises
    ------
    DesignError
        If it is no table of numbers that voltages can be multiplied by.
    """
    if not isinstance(given, Mapping):
        raise DesignError(f"{{ x0 = 0.93, ... }} is wanted, not {shown(given)}")
    low, high = LEVELS
    found: dict[str, float] = {}
    for net, level in given.items():
        found[net] = float(f"{parse(level, ''):.11e}")
        if not low <= found[net] <= high:
            raise DesignError(f"{net} = {found[net]:g}; a level is {low:g} to {high:g}")
    return found


def with_output_levels(circuit: Circuit, levels: Mapping[str, float]) -> Circuit:
    """Divide what the probes read at outputs by levels, by net.

    Raises
    ------
    DesignError
        If no state is read at one of the nets.
    """
    known = tuple(dict.fromkeys(term.of for probe in circuit.probes for term in probe if term.kind == "v"))
    for net in levels:
        if net not in known:
            raise DesignError(
                f"no state is read at {shown(net)}; they are at {', '.join(known[:8]) or 'no net'}"
                + (", ..." if len(known) > 8 else "")
            )
    return read_at(circuit, levels)


def levels_between(plain: Circuit, circuit: Circuit) -> dict[str, float]:
    """Say what reading the outputs of a circuit is divided by, where another that is like it does not, by net."""
    terms = [t for probe in plain.probes for t in probe], [t for probe in circuit.probes for t in probe]
    found = {a.of: a.factor / b.factor for a, b in zip(*terms, strict=True) if a.kind == "v"}
    return {net: float(f"{level:.11e}") for net, level in found.items() if abs(level - 1.0) > 1e-9}
