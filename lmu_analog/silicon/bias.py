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
from dataclasses import dataclass

from lmu_analog.circuits.components import GROUND
from lmu_analog.circuits.devices.pdk import Pdk, PdkDevice
from lmu_analog.errors import DesignError
from lmu_analog.silicon.cells import DIGITS, Devices, Place, load
from lmu_analog.silicon.devices import Current, Mos, Resistor

WIDTH = 2e-6  # m of one side of a pair that the replica would carry: large beside most, so that few errors are common
THERMAL = 0.02585  # V, U_T at 27 C
SLOPE = 1.3  # n of the gate in weak inversion, about: only the first guess of the resistor takes it
OUTSIDE = 8e-6  # m, of the smaller device where the resistor is outside: a pin of 10 pF lets it settle
ROUGH = 2  # digits of that width: nothing depends on more
SHORT = 5e-6  # m, of the device that starts: off, it leaks little
ICE = 273.15  # K
STRIP = 990e-6  # m: a longer strip of poly is several in series
PULLED, HELD = 3.0, 0.02  # V: where operating points begin, of what is pulled up and of what is held down


@dataclass(frozen=True)
class Generator:
    """What a generator of the bias on the chip is made of.

    Attributes
    ----------
    ratio : float
        K, of the widths of its pair.
    width : float or None, m
        Of the smaller device, with which its current goes. None: the strip of the resistor, whose length goes with the
        reciprocal, takes as much area as the gates; outside the chip, one that is large enough for the capacitance
        of a pin.
    diodes : int
        In series, of the start-up: the more there are, the less current they take and the later it starts.
    resistor : str
        Device of the process; empty for a resistor outside the chip.
    strip : float, m
        Width of the resistor on the chip.
    tc1 : float, 1/K
        Of a resistor outside the chip, from 27 C.
    resistance : float or None, Ohm
        In place of the one that the density asks for.
    """

    ratio: float = 2.0
    width: float | None = None
    diodes: int = 2
    resistor: str = "ppolyf_u"
    strip: float = 0.8e-6
    tc1: float = 0.0
    resistance: float | None = None


# One circuit: which of the two it is, the inversion of the memory's pairs says. In weak inversion currents are small,
# and more diodes let the start-up take less.
GENERATORS = {"constant-gm": Generator(), "ptat": Generator(diodes=3)}


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
    mirror = s.tail_ratio * WIDTH
    lines = [
        *devices.draw(Place("B.d", "pb", "pb", "vdd", "vdd", "bias"), mirror, s.tail),
        *devices.draw(Place("B.m", "vb", "pb", "vdd", "vdd", "bias"), mirror, s.tail),
        *load(devices, "B", ("vb", "z_b"), width=2.0 * WIDTH, role="bias"),
        *devices.draw(
            Place("B.z", "z_b", "vcm", GROUND, GROUND, "bias"), 2.0 * s.triode_ratio * WIDTH, s.triode
        ),
    ]
    if generator is None:
        source = Current("Iref", "pb", GROUND, 2.0 * s.density * WIDTH, "reference")
        return Bias(tuple(lines), (source,), source.name)
    width = generator.width or _balanced(devices, generator, pdk)
    strip = _resistor(devices, generator, pdk, width)
    drawn = (*lines, *_pair(devices, generator, width), *_start_up(devices, generator, width), strip)
    starts = {"pg": s.supply - 1.2, "rs": s.supply - 0.2, "ng": 1.0, "b_st": HELD}
    return Bias(drawn, (), strip.name, tuple(starts.items()))


def _pair(devices: Devices, made: Generator, width: float) -> list[Mos]:
    s = devices.sizing
    return [
        *devices.draw(Place("B.ga", "pg", "pg", "vdd", "vdd", "bias"), width, s.pair),
        *devices.draw(Place("B.gb", "ng", "pg", "rs", "rs", "bias"), made.ratio * width, s.pair),
        *load(devices, "B.na", ("pg", GROUND), width=width, role="bias", gate="ng"),
        *load(devices, "B.nb", ("ng", GROUND), width=width, role="bias", gate="ng"),
        *load(devices, "B.nc", ("pb", GROUND), width=2.0 * WIDTH, role="bias", gate="ng"),
    ]


def _start_up(devices: Devices, made: Generator, width: float) -> list[Mos]:
    s, nets = devices.sizing, ["vdd"]
    found: list[Mos] = []
    for letter in "pqrstuvw"[: made.diodes]:
        last = len(nets) == made.diodes
        nets.append("b_st" if last else f"b_{letter}")
        place = Place(f"B.s{letter}", nets[-1], nets[-1], nets[-2], nets[-2], "start-up")
        found += devices.draw(place, s.least_width, s.pair)
    below = s.load_ratio * width
    return [
        *found,
        *devices.draw(Place("B.k", "b_st", "ng", GROUND, GROUND, "start-up"), below, s.load),
        *devices.draw(Place("B.j", "pg", "b_st", GROUND, GROUND, "start-up"), s.least_width, SHORT),
    ]


def _balanced(devices: Devices, made: Generator, pdk: Pdk | None) -> float:
    """Give the width with which strip and gates have one area, which is the least of both together."""
    s = devices.sizing
    if not made.resistor:
        return OUTSIDE
    gates = (1.0 + made.ratio) * s.pair + 2.0 * s.load_ratio * s.load
    poly = _kit(made, pdk).device(made.resistor)
    squares = asked_resistance(devices, made, 1.0) / poly.sheet  # times the width, m
    strip = made.strip * (made.strip - 2.0 * poly.narrower) * squares
    return float(f"{math.sqrt(strip / gates):.{ROUGH}g}")


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
    """Give the resistor with which the generator's smaller device has the density of the pairs, about, Ohm.

    Of the charge-based model (Enz, Krummenacher and Vittoz, 1995) are the transconductance over the current, which
    says the inversion, and the gate voltages at that and at 1/K of it. A fit of the whole memory takes up the rest.
    """
    s = devices.sizing
    held = THERMAL / (s.width_per_siemens * s.density)
    level = _inversion(held * SLOPE)
    return float(_difference(level, made.ratio) * SLOPE * THERMAL / (s.density * width))


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
