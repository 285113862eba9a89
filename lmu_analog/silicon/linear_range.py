"""How far a transconductor is linear: its current against its differential input, from a device's own curve.

A pair of widths w_1 and w_2 with a tail I carries i_1 + i_2 = I at v = V(i_1/w_1) - V(i_2/w_2), where V is the gate's
voltage for a current of one width, read in a ``DeviceTable``. That holds at every inversion level. In weak inversion a
plain pair is a tanh; in strong inversion its third harmonic is (v/V_ov)^2/32.

Two pairs of unequal widths, crossed so that one leans to each side, are a doublet (Gilbert, JSSC 33, 1998; in
subthreshold CMOS Furth and Andreou, Electronics Letters 31, 1995): the curvature of one is undone by the other. In
weak inversion its response is maximally flat at a ratio of 2 + sqrt(3), as that of a pair with symmetric diffusors or
of a bump-linearized one can be, for which the formula is the same: sinh(y)/(2 + cosh(y)), y = v/(n U_T). A larger
ratio lets the distortion rise and fall again below a limit, and so reaches farther.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float
from scipy.interpolate import CubicSpline

from lmu_analog.circuits.devices.pdk import InstalledPdk
from lmu_analog.errors import DesignError
from lmu_analog.silicon.cells import Devices, Place, Sizing, differential_pair
from lmu_analog.silicon.deck import OPTIONS, instances
from lmu_analog.silicon.memory import transistor
from lmu_analog.silicon.sizing import specific_current, transfer
from lmu_analog.silicon.tables import DeviceTable
from lmu_analog.spice.cards import number
from lmu_analog.spice.commands import run_commands
from lmu_analog.units import write

DISTORTION = 0.01  # total harmonic distortion at the end of the linear range
MAXIMALLY_FLAT = 2.0 + 3.0**0.5
SWEPT, STEP = 0.4, 0.004  # V: how far a drawn cell is swept, and in which steps
_POINTS = 64  # of one period
_PLACES = np.geomspace(2e-3, 1.5, 120)  # V: amplitudes that are tried
RATIOS = tuple(float(r) for r in np.arange(2.0, 14.5, 0.5))
INVERSIONS = tuple(float(f"{x:.3g}") for x in np.geomspace(0.1, 60.0, 28))


@dataclass(frozen=True)
class Cell:
    """A pair, or two crossed ones, at an inversion level.

    Attributes
    ----------
    inversion : float
        Inversion coefficient at the mean current of a device and the mean width.
    ratio : float
        Of the two widths in each of two crossed pairs; 1 for a single plain pair.
    efficiency : float, 1/V
        Transconductance over the current of one side.
    linear : float, V
        Largest amplitude between its inputs at which no smaller one distorts more than ``DISTORTION``.
    """

    inversion: float
    ratio: float
    efficiency: float
    linear: float


def cell(
    table: DeviceTable, *, length: float, inversion: float, ratio: float = 1.0, distortion: float = DISTORTION
) -> Cell:
    """Find slope and linear range.

    Parameters
    ----------
    table : DeviceTable
    length : float, m
    inversion, ratio : float
        See ``Cell``.
    distortion : float
        Total harmonic distortion at the end of the linear range.

    Raises
    ------
    DesignError
        If the table does not hold that inversion level.
    """
    return cell_of(gate_law(table, length), inversion, ratio, distortion=distortion)


def cell_of(gate: CubicSpline, inversion: float, ratio: float, *, distortion: float = DISTORTION) -> Cell:
    """Find the same for a device whose V_GS over the logarithm of its inversion coefficient is given."""
    v, i = curve(gate, inversion, ratio)
    # Half the difference over the current of one side, over half the input: the transconductance of one side.
    slope = 2.0 * float(CubicSpline(v, i)(0.0, 1))
    return Cell(inversion, ratio, slope, reach(v, i, distortion=distortion))


def reach(v: Float[np.ndarray, " n"], i: Float[np.ndarray, " n"], *, distortion: float = DISTORTION) -> float:
    """Give the largest amplitude at which no smaller one distorts a sine more than that, V."""
    found = harmonics(v, i, _PLACES)
    over = np.flatnonzero(~(found <= distortion))
    k = int(over[0]) if len(over) else len(_PLACES)
    linear = float(_PLACES[k - 1]) if k else 0.0
    if 0 < k < len(_PLACES) and np.isfinite(found[k]):
        share = (distortion - found[k - 1]) / (found[k] - found[k - 1])
        linear += float(share * (_PLACES[k] - _PLACES[k - 1]))
    return linear


@lru_cache(maxsize=64)
def at_range(
    table: DeviceTable, *, length: float, linear: float, doublet: bool, distortion: float = DISTORTION
) -> Cell:
    """Find the lowest inversion level at which a transconductor is linear that far, and there the least ratio.

    Raises
    ------
    DesignError
        If none of ``INVERSIONS`` is.
    """
    gate, places = gate_law(table, length), linear * np.linspace(0.1, 1.0, 10)
    for inversion in INVERSIONS:
        for ratio in RATIOS if doublet else (1.0,):
            v, i = curve(gate, inversion, ratio)
            if (harmonics(v, i, places) <= distortion).all():
                return cell_of(gate, inversion, ratio, distortion=distortion)
    raise DesignError(
        f"no pair of {table.device.name} is linear to {write(linear, 'V')} within {distortion:.3g}; "
        "give a smaller amplitude"
    )


def harmonics(
    v: Float[np.ndarray, " n"], i: Float[np.ndarray, " n"], amplitude: Float[np.ndarray, " a"]
) -> Float[np.ndarray, " a"]:
    """Give the total harmonic distortion of a curve i(v) at some amplitudes of a sine; NaN beyond its ends."""
    phase = 2.0 * np.pi * (np.arange(_POINTS) + 0.5) / _POINTS
    at = amplitude[:, None] * np.sin(phase)
    parts = np.abs(np.fft.rfft(CubicSpline(v, i)(at), axis=1))
    found = np.sqrt((parts[:, 2 : _POINTS // 2] ** 2).sum(axis=1)) / parts[:, 1]
    return np.where(amplitude <= min(v[-1], -v[0]), found, np.nan)


def gate_law(table: DeviceTable, length: float) -> CubicSpline:
    """Give V_GS over the logarithm of the inversion coefficient."""
    width = table.grid.reference
    v_gs, current = transfer(table, width=width, length=length, v_ds=table.supply / 3.0)
    return CubicSpline(np.log(current / (specific_current(table, length) * width / length)), v_gs)


def curve(
    gate: CubicSpline, inversion: float, ratio: float
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Give differential inputs, and half the difference of the currents over the mean current of a side."""
    # Shares of a tail from one part in a hundred thousand on; both sides must be in the table.
    one = 1.0 / (1.0 + np.exp(-np.linspace(-11.5, 11.5, 401)))
    narrow, wide = 2.0 / (1.0 + ratio), 2.0 * ratio / (1.0 + ratio)

    def volts(share: np.ndarray, width: float) -> np.ndarray:
        level = np.log(2.0 * inversion * share / width)
        return np.where((level >= gate.x[0]) & (level <= gate.x[-1]), gate(level), np.nan)

    v = volts(one, wide) - volts(1.0 - one, narrow)
    known = np.isfinite(v)
    v, i = v[known], (2.0 * one - 1.0)[known]
    if len(v) < 8 or v[0] >= 0.0 or v[-1] <= 0.0:
        raise DesignError(f"inversion coefficient {inversion:.3g} is outside the device's table")
    # The other pair leans to the other side: its curve is this one turned by half a turn.
    even = np.linspace(-1.0, 1.0, 801) * min(v[-1], -v[0])
    first = CubicSpline(v, i)(even)
    return even, 0.5 * (first - first[::-1])


def swept(
    sizing: Sizing, installed: InstalledPdk, *, conductance: float, temperature: float = 27.0
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Sweep one transconductor as it is drawn, tail and mirror included, in ngspice.

    Parameters
    ----------
    sizing : Sizing
    installed : InstalledPdk
    conductance : float, S
        That it is drawn for.
    temperature : float, C

    Returns
    -------
    v : (n,) array, V
        Between the inputs, to both sides of the common voltage.
    i : (n,) array, A
        Difference of the currents of its outputs: ``conductance`` times v, as far as it is linear.
    """
    pdk, width = installed.pdk, conductance * sizing.width_per_siemens
    devices = Devices(transistor(pdk, "nmos"), transistor(pdk, "pmos"), sizing)
    mirror = devices.draw(
        Place("B.d", "pb", "pb", "vdd", "vdd", "bias"), sizing.tail_ratio * width, sizing.tail
    )
    drawn = differential_pair(devices, "G", inputs=("ip", "in"), outputs=("op", "on"), width=width)
    lines = [
        "* one transconductor",
        *installed.cards("typical", "typical"),
        f".options {OPTIONS}",
        f".temp {number(temperature)}",
        *(
            f"{name} {' '.join(x.nets)} {x.device} w={number(x.width)} l={number(x.length)}"
            for x in (*mirror, *drawn)
            for name in instances(x)
        ),
        f"Vdd vdd 0 {number(sizing.supply)}",
        f"Ib pb 0 {number(2.0 * sizing.density * width)}",
        "Vd d 0 0",
        f"Vc c 0 {number(sizing.common)}",
        "Ep ip c d 0 0.5",
        "En in c d 0 -0.5",
        f"Vp op 0 {number(sizing.common)}",
        f"Vn on 0 {number(sizing.common)}",
    ]
    (found,) = run_commands(lines, [f"dc vd {-SWEPT} {SWEPT} {STEP}"], saved=["i(vp)", "i(vn)"])
    i = found["i(vp)"] - found["i(vn)"]
    return np.linspace(-SWEPT, SWEPT, len(i)), np.asarray(i, float)
