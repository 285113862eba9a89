"""Fully differential transconductors of one pair or two crossed ones, and the row that they drive.

        vdd                          A transconductor is a pair with its tail. Its drains are the two nets of the
         |                           state that it drives: no mirror copies a signal current, so none adds a pole
        tail [pb]                    or an error of gain.
         |
   +-----+-----+                     A row has one pair of load transistors, which carry the sum of its tails.
[plus]       [minus]    pair         Their sources stand on two transistors in the triode region whose gates are
   |           |                     the state's nets: where both rise, these conduct more, and the loads draw the
xn |           | xp     nets         common voltage down again: common-mode feedback without a second pole.
 load [vb]   load [vb]
   +-----+-----+                     The transconductance of a pair goes with the root of its current, and at first
  [xp] both [xn]        triode       order not with its own offset: what mismatch of tails does to it is halved.
       ground
                                  In strong inversion a plain pair is linear over some tenths of a volt. In weak
  .a wide   .b narrow   tail .t   inversion it is a tanh, and a doublet is taken: two pairs of unequal widths, crossed,
  .c narrow .d wide     tail .u   each with half of the tail's current (``linear_range`` says how far it is linear).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from lmu_analog.circuits.components import GROUND
from lmu_analog.circuits.devices.pdk import PdkDevice
from lmu_analog.errors import CircuitError
from lmu_analog.silicon.devices import Mos

EDGE_MARGIN = 0.01  # how far sizes stay from the edges of a model's bins, which device figures jump at
WIDEST = 50e-6  # m: a device that is to be wider is several side by side
DIGITS = 6  # of a width: last bits of an optimiser's are not to decide


@dataclass(frozen=True)
class Sizing:
    """Geometry of all cells of a memory: widths go with transconductance, so that all pairs have one inversion.

    Attributes
    ----------
    capacitance : float, F
        What the transconductors of the first state charge; the MIM capacitor between its two nets has half of it.
    density : float, A/m
        Current of one side of a pair over its width.
    width_per_siemens : float, m/S
        Of one side of a pair.
    pair, tail, load, triode, cascode : float, m
        Lengths.
    tail_ratio : float
        Width of a tail over that of one side of its pair.
    load_ratio, triode_ratio, cascode_ratio : float
        Widths on one side of a row over the sum of the widths of its pairs; no cascode where its ratio is 0.
    least_width, least_triode : float, m
        A device that is to be narrower is several in series; the second is of triode devices, which need not match.
    least_carrier : float, m
        The same of tails and loads: where models of narrow devices follow the process otherwise than wide ones, a
        load of the smallest row carries another current than the replica says.
    common : float, V
        Of states and input at the operating point.
    supply : float, V
    doublet : float
        Of the two widths in each of two crossed pairs that make up a transconductor; 1 for one plain pair.
    replica : float, m
        Width of one side of the pair that the bias is drawn for.
    rise, tail_line, load_line : float, V
        Where an operating point begins: source of a pair above its gates, gate lines of tails and of loads.
    """

    capacitance: float
    density: float
    width_per_siemens: float
    pair: float
    tail: float
    load: float
    triode: float
    cascode: float = 1.4e-6
    tail_ratio: float = 2.0
    load_ratio: float = 0.58
    triode_ratio: float = 0.47
    cascode_ratio: float = 0.0
    least_width: float = 0.25e-6
    least_triode: float = 0.25e-6
    least_carrier: float = 0.25e-6
    common: float = 1.1
    supply: float = 3.3
    doublet: float = 1.0
    replica: float = 2e-6
    rise: float = 1.2
    tail_line: float = 2.1
    load_line: float = 1.0


@dataclass(frozen=True)
class Shape:
    """How a wanted width over a length is drawn: ``series`` devices in a row, each of ``count`` side by side."""

    width: float
    length: float
    series: int
    count: int


def shape(
    device: PdkDevice, width: float, length: float, *, least: float, series: int | None = None
) -> Shape:
    """Draw a width that may be below or above what a model allows, and keep it off the edges of bins.

    Parameters
    ----------
    device : PdkDevice
    width, length : float, m
        Of one device that would do it.
    least : float, m
        Narrower devices become a chain with the same ratio of width to length.
    series : int, optional
        Length of that chain, where it is to stay as it was.

    Raises
    ------
    DesignError
        If length or width are outside the limits of the model.
    """
    chain = series or (1 if width >= least else math.ceil(1.2 * least / width))
    count = max(1, math.ceil(chain * width / WIDEST))
    drawn = chain * width / count
    for edge in device.bins_w[1:-1]:
        if abs(drawn / edge - 1.0) < EDGE_MARGIN:
            drawn = edge * (1.0 + math.copysign(EDGE_MARGIN, drawn - edge))
    drawn = float(f"{drawn:.{DIGITS}g}")
    device.check(drawn, length)
    return Shape(drawn, length, chain, count)


@dataclass(frozen=True)
class Place:
    """Where a transistor stands: its name, its nets, its role."""

    name: str
    drain: str
    gate: str
    source: str
    bulk: str
    role: str


def stacked(place: Place, device: PdkDevice, drawn: Shape) -> list[Mos]:
    """Give the transistors of a shape; a chain has nets of its own between them."""
    if not place.name:
        raise CircuitError("a transistor needs a name")
    inner = [f"{place.name.replace('.', '_').lower()}_{k}" for k in range(1, drawn.series)]
    ends = [place.drain, *inner, place.source]
    found = []
    for k in range(drawn.series):
        name = place.name if drawn.series == 1 else f"{place.name}{k}"
        nets = (ends[k], place.gate, ends[k + 1], place.bulk)
        size = (drawn.width, drawn.length, place.role, drawn.count)
        found.append(Mos(name, *nets, device.name, *size))
    return found


@dataclass(frozen=True)
class Devices:
    """The two transistors of a process that cells are made of, how they are sized, and chains that are to stay.

    Without the latter a correction of 1 % might make two devices of three, whose ends and bins add other errors.
    """

    n: PdkDevice
    p: PdkDevice
    sizing: Sizing
    chains: Mapping[str, int] = field(default_factory=dict[str, int])

    def draw(
        self,
        place: Place,
        width: float,
        length: float,
        *,
        series: int | None = None,
        least: float | None = None,
    ) -> list[Mos]:
        """Draw one transistor; those that stand on ground are n, the others p."""
        device = self.n if place.bulk == GROUND else self.p
        kept = series or self.chains.get(place.name)
        drawn = shape(device, width, length, least=least or self.sizing.least_width, series=kept)
        return stacked(place, device, drawn)


def differential_pair(
    devices: Devices, name: str, *, inputs: tuple[str, str], outputs: tuple[str, str], width: float
) -> list[Mos]:
    """Draw a transconductor: its current flows out of ``outputs[0]`` as the first input rises.

    Parameters
    ----------
    devices : Devices
    name : str
    inputs, outputs : (plus, minus)
        Nets.
    width : float, m
        Of one side of the pair. Its bulk is its source (a well of its own): no body effect takes headroom.
    """
    s = devices.sizing
    if s.doublet == 1.0:
        return _pair(devices, name, inputs=inputs, outputs=outputs, widths=(width, width), letters="abt")
    narrow, wide = width / (1.0 + s.doublet), width * s.doublet / (1.0 + s.doublet)
    both = {"inputs": inputs, "outputs": outputs}
    return [
        *_pair(devices, name, **both, widths=(wide, narrow), letters="abt"),
        *_pair(devices, name, **both, widths=(narrow, wide), letters="cdu"),
    ]


def tails(sizing: Sizing, name: str) -> list[str]:
    """Give the nets where the tails of a transconductor meet its pairs."""
    return [f"{letter}_{name.lower()}" for letter in ("t" if sizing.doublet == 1.0 else "tu")]


def _pair(
    devices: Devices,
    name: str,
    *,
    inputs: tuple[str, str],
    outputs: tuple[str, str],
    widths: tuple[float, float],
    letters: str,
) -> list[Mos]:
    """Draw one pair, whose tail carries what its two widths would at the density of all."""
    s, top = devices.sizing, f"{letters[2]}_{name.lower()}"
    tail = s.tail_ratio * sum(widths) / 2.0
    first, second, third = (f"{name}.{letter}" for letter in letters)
    return [
        *devices.draw(Place(first, outputs[1], inputs[0], top, top, "pair"), widths[0], s.pair),
        *devices.draw(Place(second, outputs[0], inputs[1], top, top, "pair"), widths[1], s.pair),
        *devices.draw(Place(third, top, "pb", "vdd", "vdd", "tail"), tail, s.tail, least=s.least_carrier),
    ]


def row(devices: Devices, net: str, width: float) -> list[Mos]:
    """Draw the loads of a state and what holds its common voltage.

    Parameters
    ----------
    devices : Devices
    net : str
        Of the state: its two nets are this with ``p`` and ``n``.
    width : float, m
        Sum of the widths of one side of all pairs that drive it.
    """
    s, foot = devices.sizing, f"z_{net}"
    found: list[Mos] = []
    for side in "pn":
        found += load(devices, f"L{net}{side}", (f"{net}{side}", foot), width=width, role="load")
    for side in "pn":
        place = Place(f"L{net}{side}.z", foot, f"{net}{side}", GROUND, GROUND, "common-mode")
        found += devices.draw(place, s.triode_ratio * width, s.triode, least=s.least_triode)
    return found


def load(
    devices: Devices, name: str, nets: tuple[str, str], *, width: float, role: str, gate: str = "vb"
) -> list[Mos]:
    """Draw one load between two nets, with its cascode on the same gate line if it has one.

    The cascode is short and wide, in weak inversion, and so leaves the long device below enough voltage.
    """
    s, (top, foot) = devices.sizing, nets
    found: list[Mos] = []
    if s.cascode_ratio:
        wide = max(s.least_width, s.cascode_ratio * width)
        middle = f"k_{name.replace('.', '_').lower()}"
        found += devices.draw(
            Place(f"{name}.c", top, gate, middle, GROUND, "cascode"), wide, s.cascode, series=1
        )
        top = middle
    return found + devices.draw(
        Place(f"{name}.l", top, gate, foot, GROUND, role),
        s.load_ratio * width,
        s.load,
        least=s.least_carrier,
    )
