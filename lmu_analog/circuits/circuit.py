"""A circuit as data: components between named nets, and probes that read the Legendre states."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, TypeVar

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.components import (
    GROUND,
    INPUT,
    Amplifier,
    Component,
    DifferentialOpAmp,
    MismatchClass,
    OpAmp,
    kind_of,
    parameters,
    terminals,
)
from lmu_analog.errors import CircuitError
from lmu_analog.memory.taps import Tap

C = TypeVar("C", bound=Component)


@dataclass(frozen=True)
class Term:
    """One term of a probe: ``factor`` times the voltage of a net, or the current through a component."""

    kind: Literal["v", "i"]
    of: str
    factor: float


@dataclass(frozen=True)
class Output:
    """A net, or pair of nets, that shows what a tap is to show.

    Attributes
    ----------
    name : str
        ``tap1``, ``tap2``, ..., or with weights ``out1``, ``out2``, ... in the order of the design.
    net : str
        Where it is found; of a pair without p and n.
    terms : tuple of Term
        Its voltage.
    of : Tap
        What it is to show.
    gain : float
        Volts for one volt of that; negative where it is inverted.
    """

    name: str
    net: str
    terms: tuple[Term, ...]
    of: Tap
    gain: float


@dataclass(frozen=True)
class Parameter:
    """One number that mismatch may change.

    Attributes
    ----------
    name : str
        ``Ra_2_3``, or ``Uint_0.gbw`` where a component has several.
    component : str
        Its component.
    nominal : float
        SI unit of the quantity.
    classes : tuple of str
        Mismatch classes that act on it, multiplied.
    """

    name: str
    component: str
    nominal: float
    classes: tuple[MismatchClass, ...]


@dataclass(frozen=True)
class Circuit:
    """Components, the probes that read the states, and what the circuit is meant to be.

    Attributes
    ----------
    family, realization : str
        How it came about.
    theta : float, s
        Window length of the memory that it implements.
    components : tuple of Component
    probes : tuple of tuple of Term
        For every Legendre state m_i the linear expression, in V, that gives it.
    source : str
        Net of the input u.
    small_signal : Circuit or None
        Small-signal equivalent of a nonlinear circuit: linear. Its parameters follow those of
        the same name, and a transconductor ``G..`` the transistor ``M..``, in proportion.
    clock : float or None, Hz
        Of the switches, if there are any.
    operating_point : tuple of (net, V)
        Voltages near the operating point, where there is more than one or it is hard to find.
    taps : tuple of Output
        Outputs that show the window's content.
    """

    family: str
    realization: str
    theta: float
    components: tuple[Component, ...]
    probes: tuple[tuple[Term, ...], ...]
    source: str = INPUT
    small_signal: "Circuit | None" = None
    clock: float | None = None
    operating_point: tuple[tuple[str, float], ...] = ()
    taps: tuple[Output, ...] = ()

    @property
    def order(self) -> int:
        """Number of Legendre states."""
        return len(self.probes)

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """All numbers that mismatch may change, in component order: the columns of ``values``."""
        found: list[Parameter] = []
        for c in self.components:
            # The numbers of an amplifier are those of its model, under their own names.
            holder, prefix = (c.model, f"{c.name}.") if isinstance(c, Amplifier) else (c, "")
            for known in parameters(c):
                name = f"{prefix}{known}" if prefix else c.name
                found.append(Parameter(name, c.name, getattr(holder, known), c.classes))
        return tuple(found)

    @cached_property
    def values(self) -> Float[np.ndarray, " m"]:
        """Nominal values of ``parameters``, (m,), SI units."""
        return np.array([p.nominal for p in self.parameters])

    @cached_property
    def nets(self) -> tuple[str, ...]:
        """All nets but ground, in order of appearance."""
        names = (net for c in self.components for net in terminals(c))
        return tuple(dict.fromkeys(net for net in names if net != GROUND))

    @property
    def amplifiers(self) -> list[Amplifier]:
        """Op-amps, of one output or two, in order."""
        return self.only(OpAmp, DifferentialOpAmp)

    def only(self, *kinds: type[C]) -> list[C]:
        """Give the components of some kinds, in order."""
        return [c for c in self.components if isinstance(c, kinds)]


def reading_taps(circuit: Circuit) -> Circuit:
    """Give the circuit with its taps, over their gain, read after its states, as if they were states, too."""
    return _reading(circuit, circuit.probes, circuit.small_signal and reading_taps(circuit.small_signal))


def reading_taps_alone(circuit: Circuit) -> Circuit:
    """Give the circuit with its taps, over their gain, read in place of its states."""
    return _reading(circuit, (), circuit.small_signal and reading_taps_alone(circuit.small_signal))


def _reading(circuit: Circuit, before: tuple[tuple[Term, ...], ...], linear: Circuit | None) -> Circuit:
    shown = (tuple(replace(t, factor=t.factor / tap.gain) for t in tap.terms) for tap in circuit.taps)
    return replace(circuit, probes=(*before, *shown), small_signal=linear)


def numbered(circuit: Circuit) -> Iterator[tuple[Component, slice]]:
    """Give every component with its places in ``values``: none for ideal amplifiers and ammeters."""
    end = 0
    for component in circuit.components:
        start, end = end, end + len(parameters(component))
        yield component, slice(start, end)


def with_values(circuit: Circuit, values: Float[np.ndarray, " m"]) -> Circuit:
    """Give the same circuit other values, (m,), in the order of ``circuit.parameters``."""
    if len(values) != len(circuit.parameters):
        raise CircuitError(
            f"{len(values)} values given; the circuit has {len(circuit.parameters)} parameters"
        )
    components = tuple(_revalued(c, values[at].tolist()) for c, at in numbered(circuit))
    linear = circuit.small_signal and with_values(circuit.small_signal, small_signal_values(circuit, values))
    return replace(circuit, components=components, small_signal=linear)


def with_twelve_digits(circuit: Circuit) -> Circuit:
    """Give the same circuit with its values, probes, clock and operating point rounded to 12 significant digits.

    What a circuit is made of comes out of LAPACK and the C library, whose last digits, some 1e-15, depend on the
    processor; a decimal number is written and read exactly everywhere. Figures of models are those of a data sheet,
    and stay. Its small-signal equivalent is rounded alike.
    """

    def rounded(component: Component) -> Component:
        name = kind_of(component).value
        return replace(component, **{name: _twelve_digits(getattr(component, name))}) if name else component

    return replace(
        circuit,
        components=tuple(map(rounded, circuit.components)),
        probes=tuple(tuple(replace(t, factor=_twelve_digits(t.factor)) for t in p) for p in circuit.probes),
        small_signal=None if circuit.small_signal is None else with_twelve_digits(circuit.small_signal),
        clock=None if circuit.clock is None else _twelve_digits(circuit.clock),
        operating_point=tuple((net, _twelve_digits(voltage)) for net, voltage in circuit.operating_point),
        taps=tuple(replace(tap, gain=_twelve_digits(tap.gain)) for tap in circuit.taps),
    )


def _twelve_digits(x: float) -> float:
    return float(f"{x:.11e}")


def small_signal_values(circuit: Circuit, values: Float[np.ndarray, "*s m"]) -> Float[np.ndarray, "*s t"]:
    """Give the parameters of the small-signal equivalent, (..., t), for values (..., m) of the circuit.

    A parameter of the equivalent moves by the same factor as the circuit's of its name (or as ``M..`` for a
    transconductor ``G..``); one without such a counterpart keeps its nominal value.
    """
    linear = circuit.small_signal
    if linear is None:
        raise CircuitError(f"a {circuit.family} circuit has no small-signal equivalent: it is linear itself")
    column = {p.name: k for k, p in enumerate(circuit.parameters)}
    followed = [column.get(p.name, column.get(f"M{p.name[1:]}")) for p in linear.parameters]
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(circuit.values == 0.0, 1.0, np.asarray(values, float) / circuit.values)
    given = [np.ones(factor.shape[:-1]) if k is None else factor[..., k] for k in followed]
    return linear.values * np.stack(given, axis=-1)


def _revalued(component: Component, values: list[float]) -> Component:
    changed = dict(zip(parameters(component), values, strict=True))
    if isinstance(component, Amplifier):
        return replace(component, model=replace(component.model, **changed))
    return replace(component, **changed)


def voltage_probes(readout: Float[np.ndarray, "d v"], nets: Sequence[str]) -> tuple[tuple[Term, ...], ...]:
    """Read states off v nets; ``readout`` gives the Legendre state for one volt on each, (d, v)."""
    return tuple(
        tuple(Term("v", nets[int(j)], float(row[j])) for j in np.flatnonzero(row)) for row in readout
    )


def difference_probes(readout: Float[np.ndarray, "d v"], nets: Sequence[str]) -> tuple[tuple[Term, ...], ...]:
    """Read states off pairs of nets, ``x0p`` against ``x0n``.

    Parameters
    ----------
    readout : (d, v) array
        Legendre state for one volt between each pair.
    nets : sequence of str
        Names of the v pairs, without the p and n.
    """
    return tuple(
        tuple(
            Term("v", f"{nets[int(j)]}{half}", sign * float(row[j]))
            for j in np.flatnonzero(row)
            for half, sign in (("p", 1.0), ("n", -1.0))
        )
        for row in readout
    )
