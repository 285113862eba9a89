"""Sizes from what a transistor is for: transconductance or current, inversion level, length.

Everything is read in a ``DeviceTable``. Voltages are magnitudes, as there.

The inversion coefficient is I_D over I_S W/L, with the specific current I_S of one square read in the table for each
length: the current at which gm/I_D is .618 of its largest, as it is at inversion coefficient 1 in the charge-based
model of Enz, Krummenacher and Vittoz (1995). Below .1 inversion is weak, above 10 strong.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float
from scipy.interpolate import CubicSpline

from lmu_analog.errors import DesignError
from lmu_analog.silicon.tables import EDGE, V_GS_STEP, DeviceTable, usable
from lmu_analog.units import write

GRID = 5e-9  # m: widths are multiples of it, as a layout's are
MOST_COUNT = 10_000  # alike devices side by side
# m: contact (.22 um), its distance from the gate (.15) and its enclosure (.07), the least drain of a GF180 layout
EXTENSION = 0.44e-6
UNITY = 1.0 / (0.5 + np.sqrt(1.25))  # gm/I_D over its largest, at inversion coefficient 1
_PASSES = 60
_SURFACE = 0.8  # V: across the depletion layer in moderate inversion, without bulk bias
_SLACK = 1e-9  # a fraction: sizes are sums of decimal numbers


@dataclass(frozen=True)
class OperatingPoint:
    """A transistor of ``count`` alike ones side by side, at a bias. All figures are of the whole.

    Attributes
    ----------
    device : str
    width, length : float, m
        Of one of ``count``.
    count : int
    v_gs, v_ds, v_sb : float, V
        Magnitudes.
    v_dsat : float, V
    current : float, A
    gm, gds, gmb : float, S
        Transconductance, output conductance, transconductance of the bulk.
    inversion : float
        Inversion coefficient.
    efficiency : float, 1/V
        gm/I_D.
    cgg, cgs, cgd, cdd : float, F
        At the gate, gate to source and to drain, at the drain: with overlap, and with the junction's edge at the gate.
        The rest of a drain's junction is in ``drain_junction``.
    white : float, V/rtHz
        Thermal noise, referred to the gate.
    flicker : float, V/rtHz
        1/f noise at 1 Hz, referred to the gate; its power goes with 1/f to ``exponent``.
    exponent : float
    sigma_vt : float, V
        Of the threshold of this device; the difference of a pair has sqrt(2) times as much.
    sigma_beta : float, fraction
        Of its current factor.
    off : float, A
        Drain current at V_GS = 0 without bulk bias, and without that of the junction.
    """

    device: str
    width: float
    length: float
    count: int
    v_gs: float
    v_ds: float
    v_sb: float
    v_dsat: float
    current: float
    gm: float
    gds: float
    gmb: float
    inversion: float
    efficiency: float
    cgg: float
    cgs: float
    cgd: float
    cdd: float
    white: float
    flicker: float
    exponent: float
    sigma_vt: float
    sigma_beta: float
    off: float

    @property
    def gain(self) -> float:
        """Intrinsic gain gm/gds."""
        return self.gm / self.gds

    @property
    def f_t(self) -> float:
        """Transit frequency gm / (2 pi cgg), Hz."""
        return self.gm / (2.0 * np.pi * self.cgg)

    @property
    def sigma_current(self) -> float:
        """Sigma of the current at a given V_GS, a fraction: of the threshold and of the current factor."""
        return float(np.hypot(self.efficiency * self.sigma_vt, self.sigma_beta))

    @property
    def is_saturated(self) -> bool:
        """Whether V_DS is above V_dsat."""
        return self.v_ds > self.v_dsat

    @property
    def area(self) -> float:
        """Of the gates, m^2."""
        return self.count * self.width * self.length

    def noise_corner(self) -> float:
        """Give the frequency at which 1/f noise is as large as thermal noise, Hz."""
        return float((self.flicker / self.white) ** (2.0 / self.exponent))


def specific_current(table: DeviceTable, length: float) -> float:
    """Give the specific current I_S of one square, A: read at half the supply, without bulk bias.

    Raises
    ------
    DesignError
        If the length is not in the table, or on an edge of two bins.
    """
    return _specific_current(table, length)


@lru_cache(maxsize=1024)
def _specific_current(table: DeviceTable, length: float) -> float:
    spot = _Spot(table, table.grid.reference, length, v_ds=table.supply / 2.0)
    _, top = spot.largest_efficiency()
    at = spot.at_efficiency(top * UNITY)
    return float(spot.current(at)) * length / table.grid.reference


def operating_point(
    table: DeviceTable,
    *,
    width: float,
    length: float,
    v_gs: float,
    v_ds: float,
    v_sb: float = 0.0,
    count: int = 1,
) -> OperatingPoint:
    """Give all figures of a transistor at given voltages.

    Raises
    ------
    DesignError
        If a size or a voltage is outside the table, or a size on an edge of two bins.
    """
    return _point(_Spot(table, width, length, v_ds=v_ds, v_sb=v_sb), v_gs, count)


def biased(
    table: DeviceTable,
    *,
    width: float,
    length: float,
    current: float,
    v_ds: float,
    v_sb: float = 0.0,
    count: int = 1,
) -> OperatingPoint:
    """Give all figures of a transistor that carries a given current, A.

    Raises
    ------
    DesignError
        As ``operating_point``, and if no V_GS of the table gives the current.
    """
    spot = _Spot(table, width, length, v_ds=v_ds, v_sb=v_sb)
    return _point(spot, spot.at_current(current / count), count)


def sized(
    table: DeviceTable,
    *,
    length: float,
    v_ds: float,
    v_sb: float = 0.0,
    current: float | None = None,
    transconductance: float | None = None,
    inversion: float | None = None,
    efficiency: float | None = None,
    least_count: int = 1,
) -> OperatingPoint:
    """Find width and number of alike devices for a current or transconductance at an inversion level.

    The width is a multiple of 5 nm off the edges of bins, of as few devices as have one; V_GS is then that of the
    wanted current or transconductance.

    Parameters
    ----------
    table : DeviceTable
    length : float, m
    v_ds, v_sb : float, V
    current, transconductance : float, A or S
        One of the two.
    inversion, efficiency : float, 1 or 1/V
        One of the two: the inversion coefficient, or gm/I_D.
    least_count : int
        For layouts with a common centroid, which need two or four.

    Raises
    ------
    DesignError
        If a width, length or inversion level is outside its limits; the message names the limit.
    """
    if (current is None) == (transconductance is None):
        raise DesignError(f"{table.device.name}: give either current or transconductance")
    if (inversion is None) == (efficiency is None):
        raise DesignError(f"{table.device.name}: give either inversion or efficiency (gm/I_D)")
    for what, given in (
        ("current", current),
        ("transconductance", transconductance),
        ("inversion", inversion),
        ("efficiency", efficiency),
    ):
        if given is not None and not 0.0 < given < np.inf:
            raise DesignError(f"{table.device.name}: {what} = {given:g} must be a positive number")
    level = _Level(table, length, v_ds, v_sb, inversion, efficiency)
    wanted = current if current is not None else transconductance or 0.0
    is_gm = current is None
    count, width = _fitting(level, wanted, is_gm=is_gm, least_count=least_count)
    spot = _Spot(table, width, length, v_ds=v_ds, v_sb=v_sb)
    v_gs = spot.at_gm(wanted / count) if is_gm else spot.at_current(wanted / count)
    return _point(spot, v_gs, count)


def transfer(
    table: DeviceTable, *, width: float, length: float, v_ds: float, v_sb: float = 0.0, step: float = 0.01
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Give V_GS in even steps (V) and the currents there (A), over all of a table that rises.

    Raises
    ------
    DesignError
        As ``operating_point``.
    """
    spot = _Spot(table, width, length, v_ds=v_ds, v_sb=v_sb)
    v_gs = np.arange(float(spot.v_gs[0]), float(spot.v_gs[-1]), step)
    level = spot.curve("current")(v_gs)
    # Leakage of the drain lets the first points fall, where it does not depend on the gate.
    first = int(np.flatnonzero(np.diff(level) <= 0.0)[-1]) + 1 if (np.diff(level) <= 0.0).any() else 0
    return v_gs[first:], np.exp(level[first:]) * width / length


def usable_length(table: DeviceTable, length: float) -> float:
    """Give the nearest length that is off the edges of bins, m.

    Raises
    ------
    DesignError
        If the length is outside the model's limits.
    """
    device = table.device
    device.check(device.width_min, length)
    ranges = [usable(device.bins_l, k) for k in range(len(device.bins_l) - 1)]
    near = [min(max(length, low), high) for low, high in ranges]
    return min(near, key=lambda size: abs(size - length))


def drain_junction(table: DeviceTable, *, width: float, extension: float = EXTENSION) -> tuple[float, float]:
    """Give reverse current (A) and capacitance (F) that a drain's area and outer edge add, for its own layout.

    Parameters
    ----------
    table : DeviceTable
    width : float, m
        Of the device; the drain is as wide.
    extension : float, m
        Of the drain, across the gate.
    """
    j = table.junction
    area, edge = width * extension, width + 2.0 * extension
    return (
        j.area_current * area + j.edge_current * edge,
        j.area_capacitance * area + j.edge_capacitance * edge,
    )


@dataclass(frozen=True)
class _Level:
    """An inversion level at a bias, for any width."""

    table: DeviceTable
    length: float
    v_ds: float
    v_sb: float
    inversion: float | None
    efficiency: float | None

    def yields(self, width: float, *, is_gm: bool) -> float:
        """Give current or transconductance of one device of this width."""
        spot = _Spot(self.table, width, self.length, v_ds=self.v_ds, v_sb=self.v_sb)
        if self.efficiency is not None:
            v_gs = spot.at_efficiency(self.efficiency)
            current = float(spot.current(v_gs))
            return current * self.efficiency if is_gm else current
        current = (self.inversion or 0.0) * self.squares(width)
        if not is_gm:
            return current
        return current * float(spot.efficiency(spot.at_current(current)))

    def squares(self, width: float) -> float:
        """Give the current of one device of this width at inversion coefficient 1, A."""
        return specific_current(self.table, self.length) * width / self.length


def _fitting(level: _Level, wanted: float, *, is_gm: bool, least_count: int) -> tuple[int, float]:
    """Find count and width of one device, off the edges of bins: the fewest devices that have such a width."""
    device = level.table.device
    ranges = [
        usable(device.bins_w, k)
        for k in range(len(device.bins_w) - 1)
        if any(device.bins_w[k] <= w <= device.bins_w[k + 1] for w in level.table.grid.widths)
    ]
    most = ranges[-1][1]
    count = max(least_count, int(np.ceil(wanted / level.yields(most, is_gm=is_gm) * (1.0 - 1e-9))))
    where = f"L = {write(level.length, 'm')}"
    # A width on an edge is left by one device more; three more leave any edge.
    for more in range(count, count + 4):
        if more > MOST_COUNT:
            break
        for low, high in ranges:
            ends = [level.yields(width, is_gm=is_gm) for width in (low, high)]
            if ends[0] * (1.0 - _SLACK) <= wanted / more <= ends[1] * (1.0 + _SLACK):
                return more, _width(level, wanted / more, (low, high), is_gm=is_gm)
    low = ranges[0][0]
    least = level.yields(low, is_gm=is_gm)
    unit = "S" if is_gm else "A"
    if wanted / count < least:
        width = low * wanted / count / least
        raise DesignError(
            f"{device.name}: W = {write(width, 'm')} below {write(low, 'm')} at {where}; take a longer device, "
            f"a lower inversion level, or at least {write(least * least_count, unit)}"
        )
    raise DesignError(
        f"{device.name}: {write(wanted, unit)} at {where} takes more than {MOST_COUNT} devices of "
        f"W = {write(most, 'm')}; take a shorter device or a higher inversion level"
    )


def _width(level: _Level, wanted: float, ends: tuple[float, float], *, is_gm: bool) -> float:
    """Find the width between ends of one bin: currents are nearly proportional to it, so few passes do."""
    low, high = ends
    at = low
    for _ in range(_PASSES):
        ratio = wanted / level.yields(at, is_gm=is_gm)
        following = min(max(at * ratio, low), high)
        if abs(following / at - 1.0) < 1e-7:
            break
        at = following
    first, last = int(np.ceil(low / GRID - 1e-6)), int(np.floor(high / GRID + 1e-6))
    return float(f"{min(max(round(at / GRID), first), last) * GRID:.9g}")


class _Spot:
    """A size at a V_DS and V_SB: figures as functions of V_GS, interpolated in the table."""

    def __init__(
        self, table: DeviceTable, width: float, length: float, *, v_ds: float, v_sb: float = 0.0
    ) -> None:
        grid, device = table.grid, table.device
        device.check(width, length)
        self.table, self.width, self.length, self.v_ds, self.v_sb = table, width, length, v_ds, v_sb
        self._in_l, self._by_l = _in_bin(device.name, "L", length, device.bins_l, grid.lengths)
        self._in_w, self._by_w = _in_bin(device.name, "W", width, device.bins_w, grid.widths)
        for what, volts, nodes in (("V_DS", v_ds, grid.v_ds), ("V_SB", v_sb, grid.v_sb)):
            if not nodes[0] - 1e-12 <= volts <= nodes[-1] + 1e-12:
                limits = f"{write(nodes[0], 'V')} to {write(nodes[-1], 'V')}"
                raise DesignError(f"{device.name}: {what} = {write(volts, 'V')}; its table holds {limits}")
        self._by_sb = _spline_weights(np.sqrt(_SURFACE + np.array(grid.v_sb)), np.sqrt(_SURFACE + v_sb))
        self._by_ds = _spline_weights(np.log(grid.v_ds), np.log(v_ds))
        self._curves = self._between_bulk_voltages()

    def _of_size(self, values: Float[np.ndarray, "l w ..."]) -> Float[np.ndarray, "..."]:
        nodes = values[np.ix_(self._in_l, self._in_w)]
        return np.tensordot(self._by_w, np.tensordot(self._by_l, nodes, 1), 1)

    def _between_bulk_voltages(self) -> dict[str, CubicSpline]:
        """Interpolate between bulk voltages at equal currents.

        A threshold that moves by .1 V changes the current at a given V_GS by a decade, but V_GS at a given current by
        .1 V, almost in proportion to the root of the voltage across the depletion layer.
        """
        grid = self.table.grid
        along = {
            name: np.tensordot(self._by_ds, np.moveaxis(self._of_size(v), 1, 0), 1)
            for name, v in self.table.curves.items()
        }  # over (v_sb, v_gs)
        v_gs = np.array(grid.v_gs)
        same = [k for k, volts in enumerate(grid.v_sb) if abs(volts - self.v_sb) < 1e-9]
        if same:
            return {name: CubicSpline(v_gs, values[same[0]]) for name, values in along.items()}
        currents = along["current"]
        low, high = currents[:, 0].max(), currents[:, -1].min()
        between = currents[0, 1:-1]
        levels = np.array([low, *between[(between > low + 0.02) & (between < high - 0.02)], high])
        at = np.array([CubicSpline(row, v_gs)(levels) for row in currents])
        x = self._by_sb @ at
        found = {"current": CubicSpline(x, levels)}
        for name in along.keys() - found.keys():
            rows = [CubicSpline(v_gs, row)(v) for row, v in zip(along[name], at, strict=True)]
            found[name] = CubicSpline(x, self._by_sb @ np.array(rows))
        return found

    @property
    def v_gs(self) -> np.ndarray:
        """Nodes of V_GS, V."""
        return self._curves["current"].x

    def curve(self, name: str) -> CubicSpline:
        """Give the logarithm of a figure of the table over V_GS."""
        return self._curves[name]

    def current(self, v_gs: float) -> float:
        """Give I_D, A."""
        return float(np.exp(self.curve("current")(v_gs))) * self.width / self.length

    def efficiency(self, v_gs: float) -> float:
        """Give gm/I_D, 1/V."""
        return float(np.exp(self.curve("gm")(v_gs)))

    def largest_efficiency(self) -> tuple[float, float]:
        """Give V_GS and value of the largest gm/I_D."""
        curve = self.curve("gm")
        k = int(np.argmax(curve(curve.x)))
        flat = [
            x for x in curve.derivative().roots(extrapolate=False) if abs(x - curve.x[k]) <= 2.0 * V_GS_STEP
        ]
        places = np.array([curve.x[k], *flat])
        best = float(places[np.argmax(curve(places))])
        return best, self.efficiency(best)

    def at_efficiency(self, efficiency: float) -> float:
        """Find the V_GS of a gm/I_D, on the side of strong inversion."""
        curve = self.curve("gm")
        at, top = self.largest_efficiency()
        bottom = self.efficiency(float(curve.x[-1]))
        if not bottom <= efficiency <= top:
            raise DesignError(
                f"{self.table.label}: gm/I_D = {efficiency:.3g} /V; at L = {write(self.length, 'm')} and "
                f"V_DS = {write(self.v_ds, 'V')} it is {bottom:.2g} to {top:.3g} /V"
            )
        found = [float(x) for x in curve.solve(np.log(efficiency), extrapolate=False) if x >= at - 1e-9]
        return max(found, default=at)

    def at_current(self, current: float) -> float:
        """Find the V_GS of a current."""
        return self._where(self.curve("current").c, np.log(current * self.length / self.width), current, "A")

    def at_gm(self, gm: float) -> float:
        """Find the V_GS of a transconductance: the one in weaker inversion, where mobility lets it fall again."""
        total = self.curve("current").c + self.curve("gm").c
        return self._where(total, np.log(gm * self.length / self.width), gm, "S")

    def _where(self, coefficients: np.ndarray, level: float, given: float, unit: str) -> float:
        curve = CubicSpline.construct_fast(coefficients, self.v_gs)
        found = [float(x) for x in curve.solve(level, extrapolate=False) if np.isfinite(x)]
        if not found:
            ends = np.exp(curve(self.v_gs)) * self.width / self.length
            limits = f"{write(float(ends[0]), unit)} to {write(float(ends.max()), unit)}"
            raise DesignError(
                f"{self.table.label}: {write(given, unit)} with W = {write(self.width, 'm')}, "
                f"L = {write(self.length, 'm')}; it has {limits} from V_GS = {self.v_gs[0]:.3g} to "
                f"{self.v_gs[-1]:.3g} V"
            )
        return found[0]

    def small(self, v_gs: float) -> dict[str, float]:
        """Give capacitances and noise of one square or metre, at the V_GS that has this current without bulk bias."""
        table, grid = self.table, self.table.grid
        at = v_gs
        if self.v_sb > 0.0:
            plain = _Spot(table, self.width, self.length, v_ds=self.v_ds)
            at = plain.at_current(self.current(v_gs))
        v_ds = min(max(self.v_ds, grid.v_ds_ac[0]), grid.v_ds_ac[-1])
        weights = _spline_weights(np.log(grid.v_ds_ac), np.log(v_ds))
        curves = {name: np.tensordot(weights, self._of_size(v), 1) for name, v in table.ac_curves.items()}
        return {name: float(np.exp(CubicSpline(grid.v_gs_ac, v)(at))) for name, v in curves.items()}

    def off(self) -> float:
        """Give the current at V_GS = 0, A."""
        return float(np.exp(self._of_size(self.table.off) @ self._by_ds)) * self.width


def _in_bin(
    device: str, what: str, size: float, edges: tuple[float, ...], nodes: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Give the nodes of the bin that holds a size, and their weights: the polynomial in the reciprocal of the size."""
    ranges = [usable(edges, k) for k in range(len(edges) - 1)]
    inside = [(k, r) for k, r in enumerate(ranges) if r[0] * (1 - _SLACK) <= size <= r[1] * (1 + _SLACK)]
    if not inside:
        edge = min(edges[1:-1], key=lambda e: abs(e - size))
        raise DesignError(
            f"{device}: {what} = {write(size, 'm')} is at the edge of two bins of its model; give at most "
            f"{write(edge * (1.0 - EDGE), 'm')} or at least {write(edge * (1.0 + EDGE), 'm')}"
        )
    k, _ = inside[0]
    places = np.array([j for j, node in enumerate(nodes) if edges[k] <= node <= edges[k + 1]])
    if not len(places):
        raise DesignError(
            f"{device}: the table has no {what} from {write(edges[k], 'm')} to {write(edges[k + 1], 'm')}"
        )
    x, at = 1.0 / np.array(nodes)[places], 1.0 / size
    weights = [np.prod([(at - x[j]) / (x[i] - x[j]) for j in range(len(x)) if j != i]) for i in range(len(x))]
    return places, np.array(weights)


def _spline_weights(x: np.ndarray, at: float) -> np.ndarray:
    """Give what a cubic spline through nodes makes of their values at a place."""
    return CubicSpline(x, np.eye(len(x)))(at)


def _point(spot: _Spot, v_gs: float, count: int) -> OperatingPoint:
    table, width, length = spot.table, spot.width, spot.length
    device = table.device
    low, high = float(spot.v_gs[0]), float(spot.v_gs[-1])
    if not low <= v_gs <= high:
        raise DesignError(
            f"{device.name}: V_GS = {write(v_gs, 'V')}; its table holds {low:.3g} to {high:.3g} V"
        )
    figures = {name: float(np.exp(spot.curve(name)(v_gs))) for name in table.curves}
    small = spot.small(v_gs)
    current = count * spot.current(v_gs)
    gm = figures["gm"] * current
    sigma_vt, sigma_beta = device.sigmas(width, length)
    area = width * length
    return OperatingPoint(
        device=device.name,
        width=width,
        length=length,
        count=count,
        v_gs=float(v_gs),
        v_ds=spot.v_ds,
        v_sb=spot.v_sb,
        v_dsat=figures["v_dsat"],
        current=current,
        gm=gm,
        gds=figures["gds"] * current / length,
        gmb=figures["gmb"] * gm,
        inversion=current / (count * width / length * specific_current(table, length)),
        efficiency=figures["gm"],
        cgg=small["cgg"] * area * count,
        cgs=small["cgs"] * area * count,
        cgd=small["cgd"] * width * count,
        cdd=small["cdd"] * width * count,
        white=float(np.sqrt(small["white"] / gm)),
        flicker=float(np.sqrt(small["flicker"] / (area * count))),
        exponent=table.exponent,
        sigma_vt=float(sigma_vt / np.sqrt(count)),
        sigma_beta=float(sigma_beta / np.sqrt(count)),
        off=spot.off() * count,
    )
