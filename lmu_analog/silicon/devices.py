"""A circuit in the devices of a process: transistors, capacitors and resistors by their geometry, between nets.

``circuits.circuit.Circuit`` is about values that a memory needs; here a device has the figures that a layout has, and
what it does at an operating point only its foundry's model says.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from lmu_analog.circuits.circuit import Term
from lmu_analog.circuits.components import GROUND
from lmu_analog.errors import CircuitError

DIFFUSION = 0.5e-6  # m: a row of contacts between gate and edge, from memory of the design rules


@dataclass(frozen=True)
class Mos:
    """A transistor of the process.

    Attributes
    ----------
    name : str
        ``CELL.DEVICE`` or a single word, unique in a circuit.
    drain, gate, source, bulk : str
        Nets.
    device : str
        As the process calls it, such as ``nmos_3p3``.
    width, length : float, m
        As drawn, of one of ``count``.
    role : str
        What it is there for, such as ``tail`` or ``mirror``: devices of one role are sized alike.
    count : int
        Alike devices side by side.
    diffusion : float, m
        How far drain and source reach from the gate; 0 where they are to have no junction, as kits have it unless
        asked.
    """

    name: str
    drain: str
    gate: str
    source: str
    bulk: str
    device: str
    width: float
    length: float
    role: str
    count: int = 1
    diffusion: float = 0.0

    @property
    def nets(self) -> tuple[str, str, str, str]:
        """Drain, gate, source, bulk."""
        return self.drain, self.gate, self.source, self.bulk

    @property
    def area(self) -> float:
        """Gate area, m^2."""
        return self.count * self.width * self.length


@dataclass(frozen=True)
class Mim:
    """A capacitor of two metal plates; ``count`` alike, of ``width`` times ``length``, m."""

    name: str
    a: str
    b: str
    device: str
    width: float
    length: float
    role: str
    count: int = 1

    @property
    def nets(self) -> tuple[str, str]:
        """Both plates."""
        return self.a, self.b

    @property
    def area(self) -> float:
        """Of the plates, m^2."""
        return self.count * self.width * self.length


@dataclass(frozen=True)
class Resistor:
    """A resistor: a strip of poly on the chip, or one outside.

    Attributes
    ----------
    name, a, b : str
    value : float, Ohm
        Nominal, of all ``count`` together, at ``at``.
    role : str
    device : str
        As the process calls it; empty for one outside the chip, which deviates by nothing but temperature.
    width, length : float, m
        As drawn, of one strip.
    count : int
        Alike strips in series.
    tc1, tc2 : float, 1/K and 1/K^2
    at : float, C
        Where ``value`` holds.
    """

    name: str
    a: str
    b: str
    value: float
    role: str
    device: str = ""
    width: float = 0.0
    length: float = 0.0
    count: int = 1
    tc1: float = 0.0
    tc2: float = 0.0
    at: float = 27.0

    @property
    def nets(self) -> tuple[str, str]:
        """Both ends."""
        return self.a, self.b

    @property
    def area(self) -> float:
        """Of the strips, m^2."""
        return self.count * self.width * self.length

    def warm(self, temperature: float) -> float:
        """Give by how much more it has at a temperature, C, as a factor."""
        apart = temperature - self.at
        return 1.0 + self.tc1 * apart + self.tc2 * apart**2


@dataclass(frozen=True)
class Current:
    """An ideal current, A, that flows from ``a`` through the source to ``b``: what comes from outside the chip."""

    name: str
    a: str
    b: str
    value: float
    role: str

    @property
    def nets(self) -> tuple[str, str]:
        """Where it comes from, and where it goes."""
        return self.a, self.b


@dataclass(frozen=True)
class Voltage:
    """An ideal voltage, V, of ``a`` against ``b``."""

    name: str
    a: str
    b: str
    value: float
    role: str

    @property
    def nets(self) -> tuple[str, str]:
        """Plus and minus."""
        return self.a, self.b


Device = Mos | Mim | Resistor
Source = Current | Voltage


@dataclass(frozen=True)
class SiliconCircuit:
    """Devices and sources between nets, and how the memory is read from them.

    Attributes
    ----------
    process : str
        Name of the PDK.
    realization : str
    theta : float, s
        Window length that it is meant to have.
    devices : tuple of Mos, Mim or Resistor
    sources : tuple of Current or Voltage
        Supplies, bias, and the resting voltage of the input; what the input adds to that, ``drive`` says.
    drive : str
        Name of the voltage source that carries the input.
    probes : tuple of tuple of Term
        For every Legendre state m_i the linear expression of net voltages against ``quiescent`` that gives it, V.
    quiescent : float, V
        Voltage of signals without input; the probes read deviations from it. Of a differential pair it cancels.
    trim : tuple of str
        Names of the sources that one trim of a chip scales together, or of resistors whose conductance it scales.
    nodeset : tuple of (net, V)
        Voltages near the operating point.
    supply : str
        Name of the voltage source that feeds the chip: its current times its voltage is the power.
    gain : float
        Volts on chip for one volt of the input as the memory is specified; probes are for the drive's own volts.
    """

    process: str
    realization: str
    theta: float
    devices: tuple[Device, ...]
    sources: tuple[Source, ...]
    drive: str
    probes: tuple[tuple[Term, ...], ...]
    quiescent: float
    trim: tuple[str, ...] = ()
    nodeset: tuple[tuple[str, float], ...] = ()
    supply: str = "Vdd"
    gain: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what no deck could hold: names that repeat, sources that are not there, nets of one end.

        Raises
        ------
        CircuitError
        """
        names = [x.name.lower() for x in (*self.devices, *self.sources)]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise CircuitError(f"two devices are called {twice}")
        known = {s.name for s in self.sources}
        for name in (self.drive, self.supply):
            if name not in known:
                raise CircuitError(f"there is no source {name}")
        known |= {r.name for r in self.resistors}
        for name in self.trim:
            if name not in known:
                raise CircuitError(f"there is no source and no resistor {name}")
        ends = [net for x in (*self.devices, *self.sources) for net in x.nets]
        read = {term.of for probe in self.probes for term in probe}
        if missing := sorted(read - set(ends)):
            raise CircuitError(f"probes read the net {missing[0]}, which is not there")
        if alone := next((net for net in ends if net != GROUND and ends.count(net) < 2), None):
            raise CircuitError(f"net {alone} has one end only")

    @property
    def order(self) -> int:
        """Number of Legendre states."""
        return len(self.probes)

    @cached_property
    def transistors(self) -> tuple[Mos, ...]:
        """All transistors, in order."""
        return tuple(x for x in self.devices if isinstance(x, Mos))

    @cached_property
    def capacitors(self) -> tuple[Mim, ...]:
        """All capacitors, in order."""
        return tuple(x for x in self.devices if isinstance(x, Mim))

    @cached_property
    def resistors(self) -> tuple[Resistor, ...]:
        """All resistors, in order."""
        return tuple(x for x in self.devices if isinstance(x, Resistor))

    @cached_property
    def nets(self) -> tuple[str, ...]:
        """All nets but ground, in order of appearance."""
        ends = (net for x in (*self.devices, *self.sources) for net in x.nets)
        return tuple(dict.fromkeys(net for net in ends if net != GROUND))

    def source(self, name: str) -> Source:
        """Find a source by its name."""
        return next(s for s in self.sources if s.name == name)

    def fixed(self) -> Iterator[tuple[str, float]]:
        """Give the nets that a voltage source holds against ground, and their voltages."""
        for s in self.sources:
            if isinstance(s, Voltage) and s.b == GROUND:
                yield s.a, s.value
            elif isinstance(s, Voltage) and s.a == GROUND:
                yield s.b, -s.value


def with_junctions(circuit: SiliconCircuit, diffusion: float = DIFFUSION) -> SiliconCircuit:
    """Give the circuit with junctions of all drains and sources: their leakage and their capacitance.

    Parameters
    ----------
    circuit : SiliconCircuit
    diffusion : float, m
        From the gate to the edge, every device with its own: neighbours that share one have less.
    """
    return replace(
        circuit,
        devices=tuple(replace(x, diffusion=diffusion) if isinstance(x, Mos) else x for x in circuit.devices),
    )
