"""Bias of a memory: one current sets the gates of all tails and of all loads.

The loads' gate line comes from a replica of half a row: a load on its own gate above a triode device whose gate is at
the common voltage. So the operating point of the states is that of the replica, whatever process and temperature do.
"""

from lmu_analog.circuits.components import GROUND
from lmu_analog.silicon.cells import Devices, Place, load
from lmu_analog.silicon.devices import Current, Mos

WIDTH = 2e-6  # m of one side of a pair that the replica would carry: large beside most, so that few errors are common


def bias(devices: Devices) -> tuple[list[Mos], Current]:
    """Draw the two gate lines, and the reference current that a trim of the chip scales.

    All transconductances go with its root where the pairs are in strong inversion.
    """
    s = devices.sizing
    mirror = s.tail_ratio * WIDTH
    found = [
        *devices.draw(Place("B.d", "pb", "pb", "vdd", "vdd", "bias"), mirror, s.tail),
        *devices.draw(Place("B.m", "vb", "pb", "vdd", "vdd", "bias"), mirror, s.tail),
        *load(devices, "B", ("vb", "z_b"), width=2.0 * WIDTH, role="bias"),
        *devices.draw(
            Place("B.z", "z_b", "vcm", GROUND, GROUND, "bias"), 2.0 * s.triode_ratio * WIDTH, s.triode
        ),
    ]
    return found, Current("Iref", "pb", GROUND, 2.0 * s.density * WIDTH, "reference")
