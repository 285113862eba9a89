"""Device tables: what a transistor of a process does at every bias, swept once in ngspice and kept.

The gm/I_D method (Silveira, Flandre and Jespers, 1996; Jespers and Murmann, "Systematic Design of Analog CMOS
Circuits", 2017) sizes transistors by figures that do not depend on the width: transconductance over current,
gain, transit frequency, noise times area. They are read here from the foundry's own model, for a grid of sizes and
biases of one corner and temperature, and interpolated in logarithms.

All voltages are magnitudes: a p-channel device has positive ones too. ``v_sb`` is the reverse voltage from source to
bulk.
"""

import hashlib
import itertools
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float

from lmu_analog.arrays_in import read_arrays
from lmu_analog.circuits.devices.pdk import InstalledPdk, PdkDevice
from lmu_analog.errors import DesignError, SimulationError
from lmu_analog.files_out import whole_file
from lmu_analog.spice.cards import number
from lmu_analog.spice.commands import run_commands
from lmu_analog.units import ICE

FORMAT = 2  # of the kept tables: a change makes all of them anew
ROOM = 300.15  # K
# Sizes nearer than this to an inner edge of two bins are not taken: rounding of a size would swap the model.
EDGE = 0.01
LENGTHS_IN_BIN, WIDTHS_IN_BIN = 4, 2
V_GS_STEP = 0.05  # V; a cubic spline of ln(I_D) is then within .1 % in moderate inversion
V_DS = (0.1, 0.15, 0.2, 0.3, 0.45, 0.7, 1.1, 1.65, 2.4, 3.3)
V_SB = (0.0, 0.3, 0.8, 1.65)
V_DS_AC = (0.2, 0.5, 1.1, 3.3)  # V: capacitances and noise are smoother than currents
_EVERY = 2  # of the V_GS of the currents, for capacitances and noise
_LARGE_AREA, _LARGE_EDGE = (
    1e-8,
    1e-2,
)  # m^2 and m: junctions large enough to stand out of what a model rounds to
_MOST_BYTES = 500_000_000
_AC = 1e6  # Hz, where capacitances are read: far below all transit frequencies, and well above rounding
# Of ngspice's operating point: its name of each figure that is kept.
_FROM_OP = {"current": "id", "gm": "gm", "gds": "gds", "gmb": "gmbs", "v_dsat": "vdsat"}
_OFF = ("id", "igidl", "isub")
_OF_JUNCTION = ("ibd", "capbd")
_SCALARS = ("junction", "exponent")  # kept as they are


@dataclass(frozen=True)
class Grid:
    """Where a table has its nodes.

    Attributes
    ----------
    lengths, widths : tuple of float, m
    v_gs : tuple of float, V
        Evenly spaced from 0.
    v_ds, v_sb : tuple of float, V
    v_ds_ac : tuple of float, V
        Of capacitances and noise.
    reference : float, m
        Width at which the specific current is read, wide enough that narrow-width effects are small.
    """

    lengths: tuple[float, ...]
    widths: tuple[float, ...]
    v_gs: tuple[float, ...]
    v_ds: tuple[float, ...] = V_DS
    v_sb: tuple[float, ...] = V_SB
    v_ds_ac: tuple[float, ...] = V_DS_AC
    reference: float = 5e-6

    @property
    def v_gs_ac(self) -> tuple[float, ...]:
        """V_GS of capacitances and noise, V."""
        return self.v_gs[::_EVERY]


@dataclass(frozen=True)
class Junction:
    """Drain or source against bulk, in reverse at half the supply.

    Attributes
    ----------
    area_current, edge_current : float, A/m^2 and A/m
        Leakage of the area and of the perimeter.
    area_capacitance, edge_capacitance : float, F/m^2 and F/m
        What the area and the perimeter add to the drain's capacitance, which has that of the edge at the gate.
    """

    area_current: float
    edge_current: float
    area_capacitance: float
    edge_capacitance: float


@dataclass(frozen=True, eq=False)
class DeviceTable:
    """One device at one corner and temperature.

    Attributes
    ----------
    device : PdkDevice
    process : str
        Name of the PDK.
    corner : str
    temperature : float, K
    supply : float, V
    grid : Grid
    curves : dict
        Logarithms over (length, width, v_sb, v_ds, v_gs), normalized so that they vary little with the size:
        ``current`` (I_D L/W), ``gm`` (gm/I_D), ``gds`` (L gds/I_D), ``gmb`` (gmb/gm), ``v_dsat``.
    ac_curves : dict
        Logarithms over (length, width, v_ds_ac, v_gs_ac) without bulk bias: ``cgg`` and ``cgs`` (over W L), ``cgd``
        and ``cdd`` (over W), ``white`` (drain noise over gm), ``flicker`` (gate-referred at 1 Hz, times W L).
    off : (lengths, widths, v_ds) array
        Logarithm of the drain's current over the width at V_GS = 0, A/m, without that of the junction.
    junction : Junction
    exponent : float
        Flicker noise goes with 1/f to this power.
    """

    device: PdkDevice
    process: str
    corner: str
    temperature: float
    supply: float
    grid: Grid
    curves: Mapping[str, Float[np.ndarray, "l w b d g"]]
    ac_curves: Mapping[str, Float[np.ndarray, "l w da ga"]]
    off: Float[np.ndarray, "l w d"]
    junction: Junction
    exponent: float

    @property
    def label(self) -> str:
        """Device, corner and temperature, in words."""
        return f"{self.device.name}, {self.corner}, {self.temperature - ICE:g} C"


def grid_of(
    device: PdkDevice, *, lengths: Sequence[float] | None = None, widths: Sequence[float] | None = None
) -> Grid:
    """Give the nodes for a device: in every bin of its models, from edge to edge but off the inner edges.

    Parameters
    ----------
    device : PdkDevice
        A transistor.
    lengths, widths : sequence of float, m, optional
        Only the bins that hold these.

    Raises
    ------
    DesignError
        If the device is no transistor.
    """
    if device.kind not in ("nmos", "pmos"):
        raise DesignError(f"{device.name} is no transistor; device tables are of transistors")
    found_l = _nodes(device.bins_l, LENGTHS_IN_BIN, lengths)
    found_w = _nodes(device.bins_w, WIDTHS_IN_BIN, widths)
    top = max(V_DS)
    v_gs = tuple(round(k * V_GS_STEP, 6) for k in range(round(top / V_GS_STEP) + 1))
    reference = max((w for w in found_w if w < 1e-5), default=found_w[0])
    return Grid(found_l, found_w, v_gs, reference=reference)


def _nodes(edges: tuple[float, ...], count: int, only: Sequence[float] | None) -> tuple[float, ...]:
    """Place nodes evenly in the reciprocal of the size, as binned parameters are linear in it."""
    found: list[float] = []
    for k in range(len(edges) - 1):
        low, high = usable(edges, k)
        if only is None or any(edges[k] <= size <= edges[k + 1] for size in only):
            found += [float(f"{1.0 / x:.4e}") for x in np.linspace(1.0 / low, 1.0 / high, count)]
    return tuple(found)


def usable(edges: tuple[float, ...], k: int) -> tuple[float, float]:
    """Give the sizes of bin ``k`` that are off its edges; those where the model ends are no such edges."""
    low = edges[k] * (1.0 + EDGE) if k else edges[0]
    # A limit of 50.001 um is meant to take in 50 um.
    high = edges[k + 1] * (1.0 - EDGE) if k + 2 < len(edges) else float(f"{edges[-1]:.3e}")
    return low, high


def device_table(
    installed: InstalledPdk,
    name: str,
    *,
    corner: str = "typical",
    temperature: float = ROOM,
    grid: Grid | None = None,
) -> DeviceTable:
    """Give the table of a device: from the cache, or swept in ngspice and put there.

    Parameters
    ----------
    installed : InstalledPdk
        From ``find_pdk``.
    name : str
        Of the device, such as ``nmos_3p3``.
    corner : str
    temperature : float, K
    grid : Grid, optional
        ``grid_of`` the device unless given.

    Raises
    ------
    DesignError
        If the device or the corner is unknown.
    SimulationError
        If ngspice is missing or failed.
    """
    device = installed.pdk.device(name)
    cards = tuple(installed.cards(corner))
    return _kept(_Wanted(installed, device, corner, temperature, grid or grid_of(device), cards))


@dataclass(frozen=True)
class _Wanted:
    """What makes a table; equal ones are the same table."""

    installed: InstalledPdk
    device: PdkDevice
    corner: str
    temperature: float
    grid: Grid
    cards: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Of all that the figures depend on; not of where the model files lie."""
        said = [
            FORMAT,
            self.installed.digest,
            self.device.name,
            self.corner,
            self.temperature,
            astuple(self.grid),
        ]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()

    def __hash__(self) -> int:
        return hash(self.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Wanted) and self.digest == other.digest


@lru_cache(maxsize=64)
def _kept(wanted: _Wanted) -> DeviceTable:
    path = cache_folder() / f"{wanted.installed.pdk.name}-{wanted.device.name}-{wanted.digest[:24]}.npz"
    try:
        return _table(wanted, read_arrays(path, most=_MOST_BYTES, write="it is made anew"))
    except (DesignError, KeyError, ValueError):  # not there, or not whole
        arrays = _swept(wanted)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as half, half.open("wb") as file:
            np.savez(file, **arrays)  # pyright: ignore[reportArgumentType]
    except (DesignError, OSError):
        pass  # a cache that cannot be written costs the next run its sweep, and nothing else
    return _table(wanted, arrays)


def cache_folder() -> Path:
    """Folder of the kept tables, as the platform has it for caches of a user's programs."""
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "lmu-analog" / "device-tables"


def _table(wanted: _Wanted, arrays: Mapping[str, np.ndarray]) -> DeviceTable:
    """Make the table of its arrays, which must be all there and of the right shapes."""
    grid = wanted.grid
    sizes = (len(grid.lengths), len(grid.widths))
    shape = (*sizes, len(grid.v_sb), len(grid.v_ds), len(grid.v_gs))
    ac_shape = (*sizes, len(grid.v_ds_ac), len(grid.v_gs_ac))
    curves = {name: _float(arrays[name], shape) for name in _FROM_OP}
    ac_curves = {name: _float(arrays[name], ac_shape) for name in _AC_NAMES}
    junction = map(float, _float(arrays["junction"], (4,)))
    (exponent,) = map(float, _float(arrays["exponent"], (1,)))
    pdk = wanted.installed.pdk
    return DeviceTable(
        wanted.device,
        pdk.name,
        wanted.corner,
        wanted.temperature,
        pdk.supply,
        grid,
        curves,
        ac_curves,
        _float(arrays["off"], (*sizes, len(grid.v_ds))),
        Junction(*junction),
        exponent,
    )


def _float(given: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if given.shape != shape or not np.isfinite(given).all():
        raise ValueError("another shape, or no numbers")
    return given.astype(float)


_AC_NAMES = ("cgg", "cgs", "cgd", "cdd", "white", "flicker")


def _swept(wanted: _Wanted) -> dict[str, np.ndarray]:
    """Sweep a device in ngspice, everything as it is kept: logarithms in single precision, 4e-6 of a figure."""
    arrays = _swept_currents(wanted) | _swept_small(wanted)
    return {
        name: values if name in _SCALARS else values.astype(np.float32) for name, values in arrays.items()
    }


def _sizes(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Lengths and widths that broadcast over the sizes, (l, 1) and (1, w)."""
    return np.array(grid.lengths)[:, None], np.array(grid.widths)[None, :]


def _head(wanted: _Wanted, title: str) -> list[str]:
    # Every net is held by a source, so tolerances play no part; gmin would add to the currents of an off device.
    return [
        f"* {wanted.device.name}: {title}",
        *wanted.cards,
        ".options gmin=1e-21",
        f".temp {number(wanted.temperature - ICE)}",
    ]


def _call(wanted: _Wanted, name: str, nets: str, size: tuple[float, float], more: str = "") -> str:
    device = wanted.device
    length, width = size
    given = f"{device.width_name}={number(width)} {device.length_name}={number(length)}"
    return f"{name} {nets} {device.name} {given} {more}".rstrip()


def _sign(device: PdkDevice) -> float:
    return 1.0 if device.kind == "nmos" else -1.0


def _swept_currents(wanted: _Wanted) -> dict[str, np.ndarray]:
    """Sweep V_GS of all sizes and bulk voltages at once, for each V_DS: figures of the operating point."""
    grid, device, sign = wanted.grid, wanted.device, _sign(wanted.device)
    sizes = list(itertools.product(grid.lengths, grid.widths))
    lines = _head(wanted, "currents")
    lines += [f"vb{b} b{b} 0 {number(-sign * v)}" for b, v in enumerate(grid.v_sb)]
    lines += ["vg g 0 0", "vd d 0 0"]
    names: list[str] = []
    for k, size in enumerate(sizes):
        for b in range(len(grid.v_sb)):
            lines.append(_call(wanted, f"x{k}_{b}", f"d g 0 b{b}", size))
            names.append(device.path(f"x{k}_{b}"))
    top, step = sign * grid.v_gs[-1], sign * grid.v_gs[1]
    lines += _junction_lines(wanted)
    commands: list[str] = []
    for v in grid.v_ds:
        at = f"alter vd dc={number(sign * v)}"
        commands += [at, f"dc vg 0 {number(top)} {number(step)}", "alter vg dc=0", "op"]
    off_names = names[:: len(grid.v_sb)]
    saved = [f"@{name}[{key}]" for name in names for key in _FROM_OP.values()]
    saved += [f"@{name}[{key}]" for name in off_names for key in _OFF if key not in _FROM_OP.values()]
    saved += [f"@{device.path(f'xj{k}')}[{key}]" for k in range(3) for key in _OF_JUNCTION]
    found = run_commands(lines, commands, saved=saved)
    plots, at_zero = found[::2], found[1::2]
    if any(len(next(iter(plot.values()))) != len(grid.v_gs) for plot in plots):
        raise SimulationError(f"ngspice did not sweep all of {device.name}")
    shape = (len(grid.lengths), len(grid.widths), len(grid.v_sb))
    raw = {
        kept: np.stack(
            [
                np.reshape([_of(plot, name, key) for name in names], (*shape, len(grid.v_gs)))
                for plot in plots
            ],
            axis=3,
        )
        for kept, key in _FROM_OP.items()
    }
    long, wide = (x[..., None, None, None] for x in _sizes(grid))
    current = raw["current"]
    normalized = {
        "current": current * long / wide,
        "gm": raw["gm"] / current,
        "gds": raw["gds"] * long / current,
        "gmb": raw["gmb"] / raw["gm"],
        "v_dsat": raw["v_dsat"],
    }
    leaks = [[sum(float(_of(p, name, key)[-1]) for key in _OFF) for p in at_zero] for name in off_names]
    off = np.reshape(leaks, (*shape[:2], len(grid.v_ds))) / _sizes(grid)[1][..., None]
    kept = {name: _log(values) for name, values in normalized.items()}
    return kept | {"off": _log(off), "junction": np.array(astuple(_junction(device, at_zero[0])))}


def _of(plot: dict[str, np.ndarray], name: str, key: str) -> np.ndarray:
    """Find a figure of a device, which ngspice calls i(@...) or v(@...) where it is a current or a voltage."""
    said = f"@{name}[{key}]"
    for spelled in (said, f"i({said})", f"v({said})"):
        if spelled in plot:
            return np.abs(plot[spelled])
    raise SimulationError(f"ngspice gave no {said}")


def _log(values: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(np.abs(values), 1e-60))


def _swept_small(wanted: _Wanted) -> dict[str, np.ndarray]:
    """Read capacitances at the terminals, and noise by its contributors, of all sizes at once for each V_GS.

    ngspice's own figures of a BSIM4 device, ``@m[cgg]`` and the like, leave out overlap, fringe and junction: a tenth
    of the gate and nearly all of the drain in saturation. So they are measured, as currents at 1 MHz.
    """
    grid, device, sign = wanted.grid, wanted.device, _sign(wanted.device)
    cases = list(itertools.product(grid.lengths, grid.widths, range(len(grid.v_ds_ac))))
    lines = _head(wanted, "capacitances and noise")
    lines += ["vg g 0 0"]
    lines += [f"vd{d} d{d} 0 {number(sign * v)} ac 0" for d, v in enumerate(grid.v_ds_ac)]
    for k, (length, width, d) in enumerate(cases):
        lines.append(_call(wanted, f"x{k}", f"dr{k} ga{k} so{k} 0", (length, width)))
        lines += [f"vg{k} ga{k} g 0", f"vd_{k} dr{k} d{d} 0", f"vs{k} so{k} 0 0", f"f{k} 0 out vd_{k} 1"]
    lines.append("rout out 0 1")
    saved = [f"i({x}{k})" for k in range(len(cases)) for x in ("vg", "vd_", "vs")]
    commands: list[str] = []
    for v in grid.v_gs_ac:
        commands += [f"alter vg dc={number(sign * v)}", "alter vg ac=1"]
        commands += [f"alter vd{d} ac=0" for d in range(len(grid.v_ds_ac))]
        commands += [f"ac lin 1 {_AC:g} {_AC:g}", "alter vg ac=0"]
        commands += [f"alter vd{d} ac=1" for d in range(len(grid.v_ds_ac))]
        commands.append(f"ac lin 1 {_AC:g} {_AC:g}")
    plots = run_commands(lines, commands, saved=saved)
    shape = (len(grid.lengths), len(grid.widths), len(grid.v_ds_ac))

    def read(of: Sequence[dict[str, np.ndarray]], name: str) -> np.ndarray:
        found = [[plot[f"i({name}{k})"][-1] for k in range(len(cases))] for plot in of]
        return np.moveaxis(np.reshape(found, (len(of), *shape)), 0, -1)

    omega = 2.0 * np.pi * _AC
    by_gate, by_drain = plots[::2], plots[1::2]
    gm = np.abs(np.real(read(by_gate, "vd_")))
    long, wide = (x[..., None, None] for x in _sizes(grid))
    found = {
        "cgg": np.imag(read(by_gate, "vg")) / omega / (long * wide),
        "cgs": np.imag(read(by_gate, "vs")) / omega / (long * wide),
        "cgd": np.imag(read(by_drain, "vg")) / omega / wide,
        "cdd": np.imag(read(by_drain, "vd_")) / omega / wide,
    }
    noise = [
        c for v in grid.v_gs_ac for c in (f"alter vg dc={number(sign * v)}", "noise v(out) vg lin 1 1 1 1")
    ]
    last = f"alter vg dc={number(sign * wanted.installed.pdk.supply / 2.0)}"
    noise += [last, *(f"noise v(out) vg lin 1 {f} {f} 1" for f in (1, 100))]
    lines[lines.index("vg g 0 0")] = "vg g 0 0 ac 1"
    plots = run_commands(lines, noise)

    def density(plot: dict[str, np.ndarray], what: str) -> list[float]:
        return [float(plot[f"onoise.{device.path(f'x{k}')}.{what}"][-1]) ** 2 for k in range(len(cases))]

    *plots, at_one, at_hundred = plots
    white = np.moveaxis(np.reshape([density(p, "id") for p in plots], (len(plots), *shape)), 0, -1)
    flicker = np.moveaxis(np.reshape([density(p, "1overf") for p in plots], (len(plots), *shape)), 0, -1)
    found |= {"white": white / gm, "flicker": flicker / gm**2 * (long * wide)}
    ratio = np.sum(density(at_one, "1overf")) / np.sum(density(at_hundred, "1overf"))
    exponent = np.log(ratio) / np.log(100.0)
    return {name: _log(values) for name, values in found.items()} | {"exponent": np.array([exponent])}


def _junction_lines(wanted: _Wanted) -> list[str]:
    """Write devices with very large drains, in reverse at half the supply."""
    size = (wanted.grid.lengths[0], wanted.grid.widths[0])
    # A junction without area and edge has 10 fA in ngspice, so that all have the area.
    area = f"ad={number(_LARGE_AREA)}"
    more = (area, f"ad={number(2.0 * _LARGE_AREA)}", f"{area} pd={number(_LARGE_EDGE)}")
    supply = f"vj j 0 {number(_sign(wanted.device) * wanted.installed.pdk.supply / 2.0)}"
    return [supply, *(_call(wanted, f"xj{k}", "j 0 0 0", size, given) for k, given in enumerate(more))]


def _junction(device: PdkDevice, plot: dict[str, np.ndarray]) -> Junction:
    """Find what area and edge of a drain add."""
    (i0, c0), (i1, c1), (i2, c2) = (
        tuple(float(_of(plot, device.path(f"xj{k}"), key)[-1]) for key in _OF_JUNCTION) for k in range(3)
    )
    return Junction(
        (i1 - i0) / _LARGE_AREA, (i2 - i0) / _LARGE_EDGE, (c1 - c0) / _LARGE_AREA, (c2 - c0) / _LARGE_EDGE
    )
