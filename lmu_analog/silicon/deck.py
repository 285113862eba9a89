"""A circuit of an open process as a deck for ngspice, and the commands that alter its devices."""

import re
from collections.abc import Iterable, Iterator, Sequence

from lmu_analog.circuits.components import GROUND
from lmu_analog.errors import CircuitError
from lmu_analog.silicon.devices import Current, Device, Mim, Mos, Resistor, SiliconCircuit, Voltage
from lmu_analog.spice.cards import number

# The currents of a slow memory are of nanoamperes: SPICE's default of 1 pA for what counts as no current is too coarse.
OPTIONS = "gmin=1e-15 abstol=1e-15 reltol=1e-5 keepopinfo"
LEAST_CAPACITANCE = 1e-21  # F: what stands for the deviation of a capacitor that has none
_SAFE = re.compile(r"[A-Za-z0-9_]+")


def deck_lines(
    circuit: SiliconCircuit,
    cards: Sequence[str],
    *,
    temperature: float = 27.0,
    saved: Sequence[str] = (),
    options: str = OPTIONS,
) -> list[str]:
    """Write a deck without an analysis.

    Parameters
    ----------
    circuit : SiliconCircuit
    cards : sequence of str
        Of the PDK: what to include, for which corner.
    temperature : float, C
    saved : sequence of str
        Figures of devices to be saved beside all voltages, such as ``@m.x1.m0[gm]``.
    options : str

    Returns
    -------
    list of str
        Title first, ``.end`` last.
    """
    lines = [
        f"* {circuit.realization} of order {circuit.order} in {circuit.process}",
        *cards,
        f".options {options}",
        f".temp {number(temperature)}",
        *element_lines(circuit),
    ]
    if circuit.nodeset:
        lines.append(".nodeset " + " ".join(f"v({net})={number(volts)}" for net, volts in circuit.nodeset))
    if saved:
        lines.append(".save all " + " ".join(saved))
    return [*lines, ".end"]


def element_lines(circuit: SiliconCircuit) -> Iterator[str]:
    """Give the cards of all devices and sources; beside every capacitor one that takes up its deviation."""
    yield from device_lines(circuit.devices)
    for s in circuit.sources:
        driven = " ac 1" if s.name == circuit.drive else ""
        letter = "I" if isinstance(s, Current) else "V"
        yield f"{letter}{plain(s.name)} {' '.join(s.nets)} {number(s.value)}{driven}"


def device_lines(devices: Iterable[Device]) -> Iterator[str]:
    """Give the cards of some devices."""
    for x in devices:
        match x:
            case Mos():
                for name in instances(x):
                    yield f"{name} {' '.join(x.nets)} {x.device} {geometry(x)}"
            case Mim():
                size = f"c_width={number(x.width)} c_length={number(x.length)}"
                for name in instances(x):
                    yield f"{name} {' '.join(x.nets)} {x.device} {size}"
                yield f"{deviation(x.name)} {' '.join(x.nets)} {number(LEAST_CAPACITANCE)}"
            case Resistor():
                # Not the kit's own subcircuit, whose body ngspice 39 misreads (see the defects in pdks.toml). What it
                # has at another temperature, a model says: an element has no temperature of its own to count from.
                name = resistor(x.name)
                coefficients = f"tc1={number(x.tc1)} tc2={number(x.tc2)} tnom={number(x.at)}"
                yield f".model m_{name} r {coefficients}"
                yield f"{name} {' '.join(x.nets)} {number(x.value)} m_{name}"


def geometry(x: Mos) -> str:
    """Give the geometry of a transistor as a card has it; drain and source are rectangles as wide as the gate."""
    size = f"w={number(x.width)} l={number(x.length)}"
    if not x.diffusion:
        return size
    area, edge = number(x.width * x.diffusion), number(2.0 * (x.width + x.diffusion))
    return f"{size} ad={area} as={area} pd={edge} ps={edge}"


def plain(name: str) -> str:
    """Give the name of a device as ngspice has it: in small letters, without dots.

    Raises
    ------
    CircuitError
        If it holds anything but letters, figures, dots and underscores.
    """
    found = name.replace(".", "_").lower()
    if not _SAFE.fullmatch(found):
        raise CircuitError(f"{name!r} is no name for a device: letters, figures, dots and underscores alone")
    return found


def instances(device: Mos | Mim) -> list[str]:
    """Give the names of a device's subcircuit calls: one for each of ``count``, as no kit's ``m`` can be trusted."""
    name = f"x{plain(device.name)}"
    return [name] if device.count == 1 else [f"{name}_{k}" for k in range(device.count)]


def inner(mos: Mos, element: str = "m0") -> list[str]:
    """Give the names of the transistors inside those calls, as ``alter`` and ``@...[gm]`` take them."""
    return [f"{element[0]}.{name}.{element}" for name in instances(mos)]


def deviation(name: str) -> str:
    """Give the name of the capacitor that takes up the deviation of another."""
    return f"cdev_{plain(name)}"


def resistor(name: str) -> str:
    """Give the name of a resistor in the deck."""
    return f"r{plain(name)}"


def source_card(name: str, circuit: SiliconCircuit) -> str:
    """Give the name of a source in the deck."""
    return ("i" if isinstance(circuit.source(name), Current) else "v") + plain(name)


def voltage_sources(circuit: SiliconCircuit) -> list[str]:
    """Name the voltage sources of the deck, whose currents ngspice knows."""
    return [source_card(s.name, circuit) for s in circuit.sources if isinstance(s, Voltage)]


def nets_read(circuit: SiliconCircuit) -> list[str]:
    """Name the nets that the probes read, each once, in order."""
    return list(dict.fromkeys(term.of for probe in circuit.probes for term in probe))


def check_nets(names: Iterable[str]) -> None:
    """Refuse nets that ngspice would read otherwise.

    Raises
    ------
    CircuitError
    """
    for name in names:
        if name != GROUND and not _SAFE.fullmatch(name):
            raise CircuitError(f"{name!r} is no name for a net: letters, figures and underscores alone")
