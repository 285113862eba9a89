"""Which cell a memory is made of, at which inversion levels, lengths and capacitance: chosen from what it must do.

The ideal circuit says how fast every state is, the amplitude how far a transconductor must be linear, and the device
tables what that takes (the gm/I_D method, see ``sizing``). In order:

1. Inversion of the pairs: the lowest at which one is linear over the amplitude. A doublet of unequal pairs takes less
   current than a plain pair in strong inversion, and gates that are far larger: it is taken where those are a small
   load, in slow memories, and a plain pair in fast ones.
2. Length of the pairs: the longest whose gates are at most ``SHARE`` of the capacitance of any state. Predistortion
   absorbs that share; but charges of gates follow the process otherwise than plates do. Where not even long gates are
   a load, pairs are in weaker inversion, and wider.
3. Tails and loads: as strong as ``STRONGEST``, and as long as their gates are no larger than the pairs', so that
   thresholds move currents little. The smallest current is to need no long chain of narrow devices: slow memories
   have weaker tails and loads, and states nearer to ground.
4. Capacitance, and with it all widths: the smallest at which the offsets of the states are a small share of the
   amplitude.

Gates and plates have areas in one proportion, whatever the capacitance is: matching is bought with capacitance.
"""

import math
from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import GROUND, Transconductor
from lmu_analog.circuits.devices.pdk import InstalledPdk, PdkDevice
from lmu_analog.errors import DesignError
from lmu_analog.silicon.cells import DIGITS, Sizing
from lmu_analog.silicon.linear_range import DISTORTION, Cell, at_range, cell
from lmu_analog.silicon.memory import Plan, plan, transistor
from lmu_analog.silicon.sizing import OperatingPoint, biased, operating_point, specific_current, usable_length
from lmu_analog.silicon.tables import DeviceTable, device_table, grid_of
from lmu_analog.units import write

SHARE = 0.15  # of a state's capacitance that gates of pairs may be
OFFSET = 0.045  # sigma of a state's offset over the amplitude
RIPPLE = 0.007  # distortion that a nominal cell may have below its linear range: mismatch adds to it
LEAST_LENGTH = 1.3e-6  # m: shorter pairs have too little gain
LEAST_DOUBLET = 4e-6  # m: where gates would make a doublet shorter, a plain pair is taken
LONGEST_PAIR = 25e-6  # m: slower memories have wider pairs, in weaker inversion
LONGEST = 49e-6  # m: the models end at 50 um
STRONGEST = 15.0  # inversion of tails and loads: gm/I_D is then 6.5 /V, and they saturate at .25 V
WEAKEST = 0.01  # inversion of a doublet
CHAIN, TRIODE_CHAIN = 8, 32  # narrow devices in series, of tails and loads, and of triode devices
# m. The threshold of devices narrower than .5 um follows the process 1.7 times as far as that of wide ones (the kit's
# bins); triode devices may, for they only set the common voltage.
NARROW, NARROW_TRIODE = 0.51e-6, 0.25e-6
FOOT = 0.06  # V across a triode device
COMMON = np.arange(
    1.1, 0.89, -0.05
)  # V of the states, from the best on: triode devices in strong inversion at -40 C
MARGIN = 0.1  # V beyond saturation
CAPACITANCES = tuple(1e-12 * x for x in (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0))  # F
MIDDLE = 20e-6  # m: a length at which inversion levels are chosen, before there is one
_LENGTHS = np.geomspace(LEAST_LENGTH, LONGEST_PAIR, 25)


@dataclass(frozen=True, eq=False)
class Tables:
    """Device tables of the n and the p transistor of the cells."""

    n: DeviceTable
    p: DeviceTable


def tables_for(installed: InstalledPdk) -> Tables:
    """Give the tables that sizes are chosen from: of long devices alone, which takes seconds and not a minute."""

    def found(kind: str) -> DeviceTable:
        device = transistor(installed.pdk, kind)
        grid = grid_of(device, lengths=(2e-6, MIDDLE), widths=(2e-6,))
        return device_table(installed, device.name, grid=grid)

    return Tables(found("nmos"), found("pmos"))


@dataclass(frozen=True)
class Choice:
    """Geometry, and why.

    Attributes
    ----------
    sizing : Sizing
    cell : Cell
        The transconductor: its inversion level and linear range.
    share : float
        Of the busiest state's capacitance that is gates.
    offset : float, V
        Sigma of the worst offset between the two nets of a state, as matching of thresholds makes it.
    current : float, A
        Of all pairs.
    why : tuple of str
        A line for each decision.
    """

    sizing: Sizing
    cell: Cell
    share: float
    offset: float
    current: float
    why: tuple[str, ...]


def chosen(
    circuit: Circuit,
    tables: Tables,
    frequency: Float[np.ndarray, " k"],
    *,
    amplitude: float,
    supply: float = 3.3,
    offset: float = OFFSET,
) -> Choice:
    """Choose cell, inversion levels, lengths and capacitance of a memory.

    Parameters
    ----------
    circuit : Circuit
        An ideal gm-C memory.
    tables : Tables
    frequency : (k,) array, Hz
        Of its band.
    amplitude : float, V
        Peak of the input on the chip, and between the nets of a state.
    supply : float, V
    offset : float
        Sigma of a state's offset that is allowed, over the amplitude. Where not even the largest capacitance has it,
        that is taken, and ``why`` says so.

    Raises
    ------
    DesignError
        If no cell is fast or linear enough, or the supply too low.
    """
    wanted = plan(circuit, 1.0, frequency)
    pairs = _pairs(wanted, tables, amplitude)
    found: Choice | None = None
    for capacitance in CAPACITANCES:
        found = _at(capacitance, wanted, tables, pairs=pairs, amplitude=amplitude, supply=supply)
        if found.offset <= offset * amplitude:
            break
    if found is None:
        raise DesignError("there is no capacitance to choose from")
    size = write(found.sizing.capacitance, "F")
    is_met = found.offset <= offset * amplitude
    last = (
        f"{size} for every state: offsets of {_percent(found.offset / amplitude)} of the amplitude (one sigma), "
        + (
            f"{_percent(offset)} are allowed"
            if is_met
            else f"not {_percent(offset)}: it is the largest that is tried"
        )
    )
    return Choice(found.sizing, found.cell, found.share, found.offset, found.current, (*found.why, last))


@dataclass(frozen=True)
class _Pairs:
    """What makes a transconductor, and what its gates are of the busiest state's capacitance."""

    cell: Cell
    length: float
    share: float
    why: tuple[str, ...]


def busiest(wanted: Plan) -> float:
    """Give the largest sum of the transconductances whose gates a state carries, over its capacitance, 1/s."""
    total = dict.fromkeys(wanted.nets, 0.0)
    for x, g in zip(wanted.amplifiers, wanted.conductance, strict=True):
        if _signal(x) in total:
            total[_signal(x)] += float(g)
    return max(total[x.a] / float(c) for x, c in zip(wanted.capacitors, wanted.capacitance, strict=True))


def _signal(x: Transconductor) -> str:
    return x.plus if x.minus == GROUND else x.minus


def _pairs(wanted: Plan, tables: Tables, amplitude: float) -> _Pairs:
    """Choose a doublet if its gates may be long enough, else a plain pair."""
    rate, plain = busiest(wanted), at_range(tables.p, length=MIDDLE, linear=amplitude, doublet=False)
    for doublet in (True, False):
        one = at_range(tables.p, length=MIDDLE, linear=amplitude, doublet=doublet, distortion=RIPPLE)
        lengths = [_length(tables.p, x) for x in _LENGTHS]
        fitting = bisect_right(lengths, SHARE, key=lambda x: _gates(tables, one, x) * rate)
        length = lengths[fitting - 1] if fitting else 0.0
        if length < (LEAST_DOUBLET if doublet else LEAST_LENGTH):
            continue
        share = _gates(tables, one, length) * rate
        if doublet and length == lengths[-1]:
            one = _weaker(tables.p, one, length, share=share, linear=amplitude)
            share = _gates(tables, one, length) * rate
        reaching = cell(tables.p, length=length, inversion=one.inversion, ratio=one.ratio).linear
        one = replace(one, linear=reaching)
        kind = f"doublets of pairs, {one.ratio:g} to 1 in width" if one.ratio > 1.0 else "plain pairs"
        reason = (
            f", with {plain.efficiency / one.efficiency:.2g} of the current that plain pairs would take"
            if one.ratio > 1.0
            else ": doublets would load the states with their gates"
            if doublet is False
            else ""
        )
        return _Pairs(
            one,
            length,
            share,
            (
                f"{kind} at inversion {one.inversion:.2g}: linear to {write(_two(one.linear), 'V')} "
                f"within {_percent(DISTORTION)}{reason}",
                f"pairs {write(length, 'm')} long: gates are {_percent(share)} of the busiest state's capacitance, "
                f"at most {_percent(SHARE)}",
            ),
        )
    raise DesignError(
        f"no pair of {tables.p.device.name} that is linear to {write(amplitude, 'V')} is fast enough: gates of "
        f"{write(LEAST_LENGTH, 'm')} would be {_percent(_gates(tables, plain, LEAST_LENGTH) * rate)} of a state's "
        "capacitance; give a longer theta or a smaller order"
    )


def _two(value: float) -> float:
    return float(f"{value:.2g}")


def _weaker(table: DeviceTable, one: Cell, length: float, *, share: float, linear: float) -> Cell:
    """Take a doublet into weaker inversion, as far as its gates may grow and it stays as linear, but for 2 %."""
    least = max(WEAKEST, one.inversion * share / SHARE)
    for inversion in np.geomspace(least, one.inversion, 8)[:-1]:
        found = cell(table, length=length, inversion=float(f"{inversion:.2g}"), ratio=one.ratio)
        if found.linear >= 0.98 * linear:
            return found
    return one


def _percent(value: float) -> str:
    return f"{100.0 * value:.2g} %"


def _length(table: DeviceTable, length: float) -> float:
    """Give a length of three digits that a model has."""
    return float(f"{usable_length(table, min(max(length, LEAST_LENGTH), LONGEST)):.3g}")


@lru_cache(maxsize=1024)
def _point(table: DeviceTable, length: float, inversion: float, *, v_ds: float = 0.7) -> OperatingPoint:
    width = table.grid.reference
    current = inversion * specific_current(table, length) * width / length
    return biased(table, width=width, length=length, current=current, v_ds=v_ds)


def _gates(tables: Tables, one: Cell, length: float) -> float:
    """Give the capacitance of the gates of one side over its transconductance, s."""
    point = _point(tables.p, length, one.inversion, v_ds=1.1)
    return point.cgg / (point.current * one.efficiency)


def _at(
    capacitance: float, wanted: Plan, tables: Tables, *, pairs: _Pairs, amplitude: float, supply: float
) -> Choice:
    """Choose tails, loads and triode devices for pairs at a capacitance."""
    n, p, one = tables.n, tables.p, pairs.cell
    gate = _point(p, pairs.length, one.inversion, v_ds=1.1)
    density = gate.current / gate.width
    currents = wanted.conductance * capacitance / one.efficiency  # of one side of each
    rows = {
        net: sum(float(i) for x, i in zip(wanted.amplifiers, currents, strict=True) if x.out == net)
        for net in wanted.nets
    }
    least_row, least_tail = min(rows.values()), float(currents.min()) * (1.0 if one.ratio > 1.0 else 2.0)
    area = pairs.length**2 / (one.inversion * specific_current(p, pairs.length))  # of gates, for one ampere
    tail, load = _carrier(p, least_tail, 0.5 * area), _carrier(n, least_row, area)
    common = _common(n, least_row)
    squares = 1.0 / _triode(n, common)
    triode = _length(n, 1.6 * NARROW_TRIODE / (squares * least_row))
    _check(supply, common, amplitude, volts=(gate.v_gs, tail.v_dsat, load.v_dsat))
    ratio = {
        "tail_ratio": 2.0 * density * tail.width / tail.current,
        "load_ratio": density * load.width / load.current,
        "triode_ratio": density * squares * triode,
    }
    widths = wanted.conductance * capacitance / (density * one.efficiency)
    # The replica of the bias is as wide as the pairs are on the average.
    sizing = Sizing(
        capacitance,
        _short(density),
        _short(1.0 / (density * one.efficiency)),
        pair=pairs.length,
        tail=tail.length,
        load=load.length,
        triode=triode,
        **{name: _short(value) for name, value in ratio.items()},
        least_width=NARROW,
        least_triode=NARROW_TRIODE,
        least_carrier=NARROW,
        common=common,
        supply=supply,
        doublet=one.ratio,
        replica=float(f"{widths.mean():.2g}"),
        rise=round(gate.v_gs, 2),
        tail_line=round(supply - tail.v_gs, 2),
        load_line=round(FOOT + load.v_gs, 2),
    )
    sigma = _offset(wanted, tables, sizing, efficiency=(tail.efficiency, load.efficiency))
    why = (
        f"tails at inversion {tail.inversion:.2g} and {write(tail.length, 'm')}, loads at {load.inversion:.2g} and "
        f"{write(load.length, 'm')}: no chain longer than {CHAIN} for the smallest row, {write(_two(least_row), 'A')}",
        f"states at {common:g} V: triode devices of the common-mode feedback are chains of at most {TRIODE_CHAIN}",
    )
    return Choice(sizing, one, pairs.share, sigma, float(2.0 * currents.sum()), (*pairs.why, *why))


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _carrier(table: DeviceTable, least: float, area: float) -> OperatingPoint:
    """Choose a tail or load: its inversion for the smallest current, its length for a gate area for one ampere."""
    square = specific_current(table, MIDDLE)
    inversion = min(STRONGEST, least * CHAIN * LONGEST / (NARROW * square))
    length = _length(table, math.sqrt(area * inversion * square))
    return _point(table, length, inversion)


@lru_cache(maxsize=64)
def _triode(n: DeviceTable, common: float) -> float:
    """Give the current of one square with ``FOOT`` across it, A.

    In the triode region current is a v - b v^2, and the table begins above ``FOOT``.
    """
    near, far = n.grid.v_ds[0], n.grid.v_ds[1]
    width = n.grid.reference
    one, other = (
        operating_point(n, width=width, length=MIDDLE, v_gs=common, v_ds=v).current * MIDDLE / width / v
        for v in (near, far)
    )
    return FOOT * (one + (one - other) * (near - FOOT) / (far - near))


def _common(n: DeviceTable, least_row: float) -> float:
    """Choose the voltage of the states: the best at which the triode devices of the smallest row are no long chains."""
    least = NARROW_TRIODE / (TRIODE_CHAIN * LONGEST)  # squares
    fitting = (x for x in COMMON if least_row / _triode(n, x) >= least)
    return next(fitting, COMMON[-1])


def _check(supply: float, common: float, amplitude: float, *, volts: tuple[float, float, float]) -> None:
    """Refuse a supply that leaves a tail no room, or states that leave a load none."""
    gate, tail, load = volts
    needed = common + gate + 0.5 * amplitude + tail + MARGIN
    if supply < needed:
        raise DesignError(
            f"[circuit] supply: {write(supply, 'V')}; pairs that are linear to {write(amplitude, 'V')} need "
            f"{needed:.2f} V; give more, or a smaller amplitude"
        )
    if common - 0.5 * amplitude < FOOT + load + 0.5 * MARGIN:
        raise DesignError(
            f"[signal] amplitude: {write(amplitude, 'V')} on the chip leaves loads no voltage where states are at "
            f"{common:g} V; give a smaller one"
        )


def _offset(wanted: Plan, tables: Tables, sizing: Sizing, *, efficiency: tuple[float, float]) -> float:
    """Give the largest sigma of a state's offset: thresholds of all devices, through the ideal circuit."""
    n, p = tables.n.device, tables.p.device
    tail, load = efficiency
    uneven = (sizing.doublet - 1.0) / (sizing.doublet + 1.0)  # of a doublet's tail, goes to one side
    size = len(wanted.nets)
    A, square, width_of_row = np.zeros((size, size)), np.zeros(size), np.zeros(size)
    for x, g in zip(wanted.amplifiers, wanted.conductance * sizing.capacitance, strict=True):
        row, signal = wanted.nets.index(x.out), _signal(x)
        width = float(g) * sizing.width_per_siemens
        current = width * sizing.density
        width_of_row[row] += width
        if signal in wanted.nets:
            A[row, wanted.nets.index(signal)] += g if x.minus == GROUND else -g
        # Of what the currents of the two sides differ by: g is this difference for one volt between the nets.
        square[row] += 2.0 * (float(g) * _sigma(p, width, sizing.pair, NARROW)) ** 2
        if uneven:
            each = tail * _sigma(p, 0.5 * sizing.tail_ratio * width, sizing.tail, NARROW)
            square[row] += 2.0 * (uneven * each * current) ** 2
    for row, width in enumerate(width_of_row.tolist()):
        each = load * _sigma(n, sizing.load_ratio * width, sizing.load, NARROW) * width * sizing.density
        square[row] += 2.0 * each**2
    return float(np.sqrt((np.linalg.inv(A) ** 2 @ square).max()))


def _sigma(device: PdkDevice, width: float, length: float, narrow: float) -> float:
    """Give sigma of a threshold; a chain of ``k`` devices has ``k`` times the width and so ``k^2`` times the area."""
    series = max(1, math.ceil(narrow / width))
    return device.threshold / (series * math.sqrt(width * length))
