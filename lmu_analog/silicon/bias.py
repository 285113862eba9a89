r"""Bias of a memory: one current sets the gates of all tails and of all loads.

The loads' gate line comes from a replica of half a row: a load on its own gate above a triode device whose gate is at
the common voltage. So the operating point of the states is that of the replica, whatever process and temperature do.

The current is ideal, from outside, or made on the chip by a generator that holds the transconductance of the pairs.

     vdd --+----------+--- R ---+                        Two p-channel devices like those of the pairs, the second
           |                    | rs                     K times as wide, carry one current: the mirror below sees
    K = 1 ga --o-- pg ---o-- gb  K                       to that. What their gate voltages differ by drops over R.
           |   |         |                               In strong inversion that is 2 (1 - 1/sqrt K) I/g_m, in weak
           +---+         +----+                          ln(K) I/g_m, with the g_m of ``ga``: so g_m R is constant,
           |                  |                          whatever mobility, threshold, oxide and temperature are.
          na ----o-- ng --o-- nb       nc --- pb         All pairs of the memory have the same length and density.
           |              |            |  the mirror of
           +---- ground --+------------+  the tails      K near 1 follows g_m best, and asks most of matching.

Weak inversion: the difference is U_T ln K (the current is proportional to absolute temperature, PTAT; Vittoz and
Fellrath, 1977). Strong inversion: constant transconductance, Steininger, 1990.

The mirror and the pair agree on no current too. Start-up: a few diodes from the supply pull the gate of ``j`` up, and
it draws current from ``pg``; as soon as the mirror carries enough, ``k`` holds that gate at ground. The diodes carry
their small current always, so that there is one operating point.
"""

import math
from dataclasses import dataclass, replace

from lmu_analog.circuits.components import GROUND
from lmu_analog.circuits.devices.pdk import Pdk, PdkDevice
from lmu_analog.errors import DesignError
from lmu_analog.silicon.cells import DIGITS, Devices, Place, load
from lmu_analog.silicon.devices import Current, Mos, Resistor

THERMAL = 0.02585  # V, U_T at 27 C
SLOPE = 1.5  # n of the gate in weak inversion, about: only the first guess of the resistor takes it
OUTSIDE = 2  # units where the resistor is outside: a pin of 10 pF lets it settle
SHORT = 5e-6  # m, of the device that starts: off, it leaks little
ICE = 273.15  # K
STRIP = 990e-6  # m: a longer strip of poly is several in series
HELD = 0.02  # V: where the operating point of a net begins that a transistor holds at ground


@dataclass(frozen=True)
class Generator:
    """What a generator of the bias on the chip is made of.

    Attributes
    ----------
    ratio : int
        K: the second device of its pair is so many of the first.
    units : int or None
        Its current over the memory's reference; the mirror is made of so many alike devices. None: as many as make the
        area of strip and gates the least, for the strip is as much shorter; outside the chip, enough for the
        capacitance of a pin.
    length : float or None, m
        Of both; that of the pairs unless given.
    denser : float
        Density of the smaller device over that of the pairs.
    diodes : int
        In series, of the start-up: the more there are, the less current they take and the later it starts.
    sink : float
        How much more than the mirror of the generator the device can take that ends the start-up.
    resistor : str
        Device of the process; empty for a resistor outside the chip.
    strip : float, m
        Width of the resistor on the chip.
    tc1 : float, 1/K
        Of a resistor outside the chip, from 27 C.
    resistance : float or None, Ohm
        In place of the one that the density asks for.
    """

    ratio: int = 2
    units: int | None = None
    length: float | None = None
    denser: float = 1.0
    diodes: int = 2
    sink: float = 2.0
    resistor: str = "ppolyf_u"
    strip: float = 0.8e-6
    tc1: float = 0.0
    resistance: float | None = None


# One circuit: which of the two it is, the inversion of the memory's pairs says. In weak inversion g_m is I/(n U_T) for
# every geometry, so the generator's pair is smaller and denser than those of slow memories, whose gates are large; and
# as currents are small, more diodes let the start-up take less.
GENERATORS = {
    "constant-gm": Generator(),
    "ptat": Generator(length=10e-6, denser=4.0, diodes=4, sink=4.0),
}


@dataclass(frozen=True)
class Bias:
    """What sets the currents of a memory.

    Attributes
    ----------
    devices : tuple of Mos or Resistor
    sources : tuple of Current
    trim : str
        The source or the resistor that a trim of the chip scales.
    starts : tuple of (net, V)
        Voltages near the operating point.
    """

    devices: tuple[Mos | Resistor, ...]
    sources: tuple[Current, ...]
    trim: str
    starts: tuple[tuple[str, float], ...] = ()


def bias(
    devices: Devices,
    *,
    generator: Generator | None = None,
    pdk: Pdk | None = None,
) -> Bias:
    """Draw the two gate lines, and what gives the current.

    Parameters
    ----------
    devices : Devices
    generator : Generator, optional
        On the chip; without, the current is ideal and comes from outside.
    pdk : Pdk, optional
        With the resistor that ``generator`` names.

    Raises
    ------
    DesignError
        If the generator's resistor is on the chip and no kit is given, or has none of that name.
    """
    s = devices.sizing
    mirror = s.tail_ratio * s.replica
    lines = [
        *devices.draw(Place("B.d", "pb", "pb", "vdd", "vdd", "bias"), mirror, s.tail),
        *devices.draw(Place("B.m", "vb", "pb", "vdd", "vdd", "bias"), mirror, s.tail),
        *load(devices, "B", ("vb", "z_b"), width=2.0 * s.replica, role="bias"),
        *devices.draw(
            Place("B.z", "z_b", "vcm", GROUND, GROUND, "bias"),
            2.0 * s.triode_ratio * s.replica,
            s.triode,
            least=s.least_triode,
        ),
    ]
    if generator is None:
        source = Current("Iref", "pb", GROUND, 2.0 * s.density * s.replica, "reference")
        return Bias(tuple(lines), (source,), source.name)
    units = generator.units or _units(devices, generator, pdk)
    width = 2.0 * s.replica * units / generator.denser
    strip = _resistor(devices, generator, pdk, width)
    drawn = (
        *lines,
        *_pair(devices, generator, width, units),
        *_start_up(devices, generator, units),
        strip,
    )
    starts = {"pg": s.supply - 1.2, "rs": s.supply - 0.2, "ng": 1.0, "b_st": HELD}
    return Bias(drawn, (), strip.name, tuple(starts.items()))


def _pair(devices: Devices, made: Generator, width: float, units: int) -> list[Mos]:
    """Draw the pair and its mirror; ratios are numbers of alike devices, as edges add to each."""
    s = devices.sizing
    length = made.length or s.pair

    def side(name: str, net: str) -> list[Mos]:
        return load(devices, name, (net, GROUND), width=2.0 * s.replica, role="bias", gate="ng")

    return [
        *devices.draw(Place("B.ga", "pg", "pg", "vdd", "vdd", "bias"), width, length),
        *_alike(devices.draw(Place("B.gb", "ng", "pg", "rs", "rs", "bias"), width, length), made.ratio),
        *_alike(side("B.na", "pg"), units),
        *_alike(side("B.nb", "ng"), units),
        *side("B.nc", "pb"),
    ]


def _alike(found: list[Mos], times: int) -> list[Mos]:
    return [replace(x, count=times * x.count) for x in found]


def _start_up(devices: Devices, made: Generator, units: int) -> list[Mos]:
    s, nets = devices.sizing, ["vdd"]
    found: list[Mos] = []
    for letter in "pqrstuvw"[: made.diodes]:
        last = len(nets) == made.diodes
        nets.append("b_st" if last else f"b_{letter}")
        place = Place(f"B.s{letter}", nets[-1], nets[-1], nets[-2], nets[-2], "start-up")
        found += devices.draw(place, s.least_width, s.pair)
    taken = made.sink * s.load_ratio * 2.0 * s.replica * units
    return [
        *found,
        *devices.draw(Place("B.k", "b_st", "ng", GROUND, GROUND, "start-up"), taken, s.load),
        *devices.draw(Place("B.j", "pg", "b_st", GROUND, GROUND, "start-up"), s.least_width, SHORT),
    ]


def _units(devices: Devices, made: Generator, pdk: Pdk | None) -> int:
    """Give the units with which strip and gates have about one area, which is the least of both together."""
    s = devices.sizing
    if not made.resistor:
        return OUTSIDE
    gates = (1.0 + made.ratio) * (made.length or s.pair) + 2.0 * made.denser * s.load_ratio * s.load
    poly = _kit(made, pdk).device(made.resistor)
    squares = asked_resistance(devices, made, 1.0) / poly.sheet  # times the width, m
    strip = made.strip * (made.strip - 2.0 * poly.narrower) * squares
    return max(1, round(math.sqrt(strip / gates) * made.denser / (2.0 * s.replica)))


def _kit(made: Generator, pdk: Pdk | None) -> Pdk:
    if pdk is None:
        raise DesignError(f"the bias has a resistor {made.resistor}, and no process kit to take it from")
    return pdk


def _resistor(devices: Devices, made: Generator, pdk: Pdk | None, width: float) -> Resistor:
    wanted = made.resistance or asked_resistance(devices, made, width)
    value = float(f"{wanted:.{DIGITS}g}")
    if not made.resistor:
        return Resistor("B.r", "vdd", "rs", value, "bias", tc1=made.tc1)
    kit = _kit(made, pdk)
    poly, across, count = kit.device(made.resistor), made.strip, 1
    while (length := _length(poly, across, value / count)) > STRIP:
        count += 1
    length = float(f"{length:.{DIGITS}g}")
    poly.check(across, length)
    real = count * poly.resistance(across, length)
    figures = {"tc1": poly.tc1, "tc2": poly.tc2, "at": round(kit.temperature - ICE, 6)}
    return Resistor("B.r", "vdd", "rs", real, "bias", poly.name, across, length, count, **figures)


def _length(poly: PdkDevice, width: float, value: float) -> float:
    return (value * (width - 2.0 * poly.narrower) - 2.0 * poly.ends) / poly.sheet


def asked_resistance(devices: Devices, made: Generator, width: float) -> float:
    """Give the resistor with which the generator's smaller device has its density, about, Ohm.

    Of the charge-based model (Enz, Krummenacher and Vittoz, 1995) are the transconductance over the current, which
    says the inversion, and the gate voltages at that and at 1/K of it. A fit of the whole memory takes up the rest.
    """
    s = devices.sizing
    held = THERMAL / (s.width_per_siemens * s.density)
    level = made.denser * (made.length or s.pair) / s.pair * _inversion(held * SLOPE)
    return float(_difference(level, made.ratio) * SLOPE * THERMAL / (made.denser * s.density * width))


def _inversion(share: float) -> float:
    """Give the inversion coefficient at which g_m n U_T/I is a share of its largest, by halving."""
    low, high = 1e-6, 1e6
    for _ in range(200):
        middle = math.sqrt(low * high)
        root = math.sqrt(middle)
        low, high = (middle, high) if -math.expm1(-root) / root > share else (low, middle)
    return low


def _difference(level: float, ratio: float) -> float:
    """Give the difference of the gate voltages of one current in two widths, over n U_T."""
    return 2.0 * (math.log(math.expm1(math.sqrt(level))) - math.log(math.expm1(math.sqrt(level / ratio))))
