"""Device tables as text, plain data, CSV and drawings: against the inversion coefficient, a curve a length."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from lmu_analog.errors import DesignError
from lmu_analog.output import style
from lmu_analog.silicon.sizing import OperatingPoint, biased, drain_junction, specific_current
from lmu_analog.silicon.tables import DeviceTable, usable
from lmu_analog.units import ICE, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LENGTHS = (
    0.28e-6,
    0.49e-6,
    1e-6,
    2e-6,
    5e-6,
    9.9e-6,
    20e-6,
    50e-6,
)  # m, those of the device's bins are shown
INVERSIONS = tuple(float(f"{10.0 ** (k / 4):.4g}") for k in range(-12, 9))
_WORDS = {
    "inversion": "inversion coefficient",
    "v_gs": "V_GS, V",
    "v_dsat": "V_dsat, V",
    "current": "I_D, A",
    "efficiency": "gm/I_D, 1/V",
    "gain": "gm/gds",
    "bulk": "gmb/gm",
    "f_t": "f_T, Hz",
    "cgg": "cgg, F",
    "cgd": "cgd, F",
    "cdd": "cdd, F",
    "white": "thermal noise at the gate, V/rtHz",
    "flicker": "1/f noise at the gate at 1 Hz, V/rtHz",
    "sigma_current": "sigma of the current, fraction",
}


def content(table: DeviceTable) -> dict[str, Any]:
    """Give a table as plain data: at half the supply, without bulk bias, at the reference width."""
    device, width = table.device, table.grid.reference
    ranges = [usable(device.bins_l, k) for k in range(len(device.bins_l) - 1)]
    held = [r for r in ranges if any(r[0] <= node <= r[1] for node in table.grid.lengths)]
    lengths = [x for x in LENGTHS if any(low <= x <= high for low, high in held)]
    current, capacitance = drain_junction(table, width=width)
    return {
        "process": table.process,
        "device": device.name,
        "corner": table.corner,
        "temperature_C": round(table.temperature - ICE, 6),
        "v_ds_V": table.supply / 2.0,
        "width_m": width,
        "sigma_vt_V_m": device.threshold,
        "sigma_beta_m": device.mobility,
        "drain_junction_A": current,
        "drain_junction_F": capacitance,
        "flicker_exponent": table.exponent,
        "lengths": [_row(table, length) for length in lengths],
    }


def _row(table: DeviceTable, length: float) -> dict[str, Any]:
    square, width = specific_current(table, length), table.grid.reference
    points: list[OperatingPoint] = []
    for inversion in INVERSIONS:
        current = inversion * square * width / length
        try:
            points.append(biased(table, width=width, length=length, current=current, v_ds=table.supply / 2.0))
        except DesignError:  # below the leakage at V_GS = 0, or above what the supply can drive
            continue
    figures = {key: [_figure(p, key) for p in points] for key in _WORDS}
    return {
        "length_m": length,
        "specific_current_A": square,
        "off_A": points[0].off,
        "sigma_vt_V": points[0].sigma_vt,
        **figures,
    }


def _figure(point: OperatingPoint, key: str) -> float:
    found = point.gmb / point.gm if key == "bulk" else getattr(point, key)
    return float(f"{found:.6g}")


def text(found: dict[str, Any]) -> str:
    """Lay out a table: a line a length, at inversion coefficients 0.1, 1 and 10."""
    lines = [
        f"{found['device']} of {found['process']}, {found['corner']}, {found['temperature_C']:g} C: "
        f"W = {write(found['width_m'], 'm')}, V_DS = {write(found['v_ds_V'], 'V')}, no bulk bias"
    ]
    heads = [
        "L",
        "IC",
        "I_D",
        "gm/I_D",
        "V_GS",
        "V_dsat",
        "gm/gds",
        "f_T",
        "noise/rtHz",
        "at 1 Hz",
        "sigma I",
    ]
    rows: list[list[str]] = []
    for row in found["lengths"]:
        for inversion in (0.1, 1.0, 10.0):
            at = int(np.argmin(np.abs(np.log(np.array(row["inversion"]) / inversion))))
            v = {key: row[key][at] for key in _WORDS}
            rows.append(
                [
                    write(row["length_m"], "m") if inversion == 0.1 else "",
                    f"{inversion:g}",
                    _short(v["current"], "A"),
                    f"{v['efficiency']:.1f}",
                    f"{v['v_gs']:.3f}",
                    f"{v['v_dsat']:.3f}",
                    f"{v['gain']:.0f}",
                    _short(v["f_t"], "Hz"),
                    _short(v["white"], "V"),
                    _short(v["flicker"], "V"),
                    f"{100 * v['sigma_current']:.2f} %",
                ]
            )
    lines += ["", _columns(heads, rows), ""]
    off = [
        [write(row["length_m"], "m"), _short(row["specific_current_A"], "A"), _short(row["off_A"], "A")]
        for row in found["lengths"]
    ]
    lines.append(_columns(["L", "I_S of a square", "I_D at V_GS = 0"], off))
    lines.append("")
    lines.append(
        f"drain junction with contacts: {_short(found['drain_junction_A'], 'A')} in reverse, "
        f"{_short(found['drain_junction_F'], 'F')}"
    )
    return "\n".join(lines)


def _columns(heads: list[str], rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    lines = ["  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in (heads, *rows)]
    return "\n".join(lines)


def _short(value: float, unit: str) -> str:
    """Write three digits; what is below all prefixes as a power of ten."""
    return write(float(f"{value:.3g}"), unit) if value >= 1e-15 else f"{value:.2e} {unit}"


def file_name(row: dict[str, Any]) -> str:
    """Name the file of a length."""
    return f"L-{1e6 * row['length_m']:g}um.csv"


def as_csv(row: dict[str, Any]) -> str:
    """Write the table of a length: a line an inversion coefficient."""
    head = ",".join(f'"{word}"' if "," in word else word for word in _WORDS.values())
    body = [",".join(f"{row[key][k]:.6g}" for key in _WORDS) for k in range(len(row["inversion"]))]
    return "\n".join([head, *body, ""])


def plot_table(found: dict[str, Any]) -> Figure:
    """Draw six figures against the inversion coefficient, a curve a length."""
    from matplotlib import pyplot

    figure, grid = pyplot.subplots(3, 2, figsize=(8.6, 9.6), layout="constrained", sharex=True)
    drawn: list[tuple[str, str, Callable[[float], float], bool]] = [
        ("efficiency", "gm/I_D (1/V)", lambda v: v, False),
        ("gain", "Intrinsic gain gm/gds", lambda v: v, True),
        ("f_t", "Transit frequency (Hz)", lambda v: v, True),
        ("v_gs", "V_GS (V)", lambda v: v, False),
        ("flicker", "1/f noise at the gate, at 1 Hz (µV/√Hz)", lambda v: 1e6 * v, True),
        ("sigma_current", "Sigma of the current (%)", lambda v: 100 * v, True),
    ]
    for ax, (key, label, unit, is_log) in zip(grid.flat, drawn, strict=True):
        _curves(ax, found, key, unit)
        if key == "efficiency":
            _ideal(ax, found)
        ax.set_ylabel(label)
        if is_log:
            ax.set_yscale("log")
        else:
            ax.set_ylim(bottom=0.0)
        style.finish(ax, None)
    for ax in grid[-1]:
        ax.set_xlabel("Inversion coefficient I_D / (I_S W/L)")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)
    figure.suptitle(
        f"{found['device']}, {found['corner']}, {found['temperature_C']:g} °C: "
        f"W = {write(found['width_m'], 'm').replace('u', 'µ')}, V_DS = {write(found['v_ds_V'], 'V')}",
        fontsize="medium",
    )
    pyplot.close(figure)
    return figure


def _curves(ax: Axes, found: dict[str, Any], key: str, unit: Callable[[float], float]) -> None:
    rows = found["lengths"]
    for row, color in zip(rows, style.ramp(len(rows)), strict=True):
        label = f"L = {write(row['length_m'], 'm').replace('u', 'µ')}"
        ax.plot(row["inversion"], [unit(v) for v in row[key]], color=color, linewidth=1.5, label=label)
    ax.set_xscale("log")


def _ideal(ax: Axes, found: dict[str, Any]) -> None:
    """Draw the long device of the charge-based model, without loss of mobility."""
    longest = found["lengths"][-1]
    inversion = np.array(INVERSIONS)
    top = max(longest["efficiency"])
    ax.plot(
        inversion, top / (0.5 + np.sqrt(0.25 + inversion)), zorder=0, label="EKV, long channel", **style.PALE
    )
