"""Noise for people and scripts: its sources and the SNR."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import xarray as xr

from lmu_analog.analysis.noise import bounds
from lmu_analog.design import Design
from lmu_analog.output import style
from lmu_analog.output.figures import Figure, figure
from lmu_analog.output.summary import records
from lmu_analog.output.svg import draw
from lmu_analog.output.tables import aligned
from lmu_analog.output.text_tables import Table, percent, quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LISTED = 12  # contributions in the terminal
_DRAWN = 6  # contributions with a colour of their own


def as_json(found: xr.Dataset, design: Design) -> dict[str, Any]:
    """Give the figures of ``analysis.noise.noise``; what diverges is null."""
    attrs = found.attrs
    finite = math.isfinite(attrs["window_mean_v2"])
    return {
        **{key: attrs[key] for key in ("order", "family", "realization")},
        "temperature_k": attrs["temperature_k"],
        "window_mean_v2": attrs["window_mean_v2"] if finite else None,
        "band_v2": attrs["band_v2"],
        "snr_db": attrs["snr_db"] if finite else None,
        "band_snr_db": attrs["band_snr_db"],
        "lowest_hz": attrs["lowest_hz"],
        "contributions": records(found, {"name": "component", "kind": "kind", "share": "share"}),
        "left_out": list(attrs["left_out"]),
        "bounds": bounds(
            design,
            attrs["snr_db"] if finite else attrs["band_snr_db"],
            on_chip=(attrs["kt_c_v2"], attrs["gain"]) if "kt_c_v2" in attrs else None,
        ),
    }


def text(content: dict[str, Any]) -> str:
    """Lay out the object of ``noise``."""
    total, band, least = content["window_mean_v2"], content["band_v2"], content["bounds"]
    title = (
        f"noise at the window: {content['family']}, {content['realization']}, order {content['order']}, "
        f"{content['temperature_k']:.5g} K"
    )
    rows = [
        _row("all frequencies", total, content["snr_db"]),
        _row("signal band", band, content["band_snr_db"]),
        ("lossless circuit", _volts(least["lossless_v2"]), "order kT/C at the same swing"),
    ]
    if least["power_w"] is not None:
        rows.append(("least power", quantity(least["power_w"], "W"), "8 k T f SNR a pole"))
    lines = [aligned(title, rows, width=12), "", f"{'source':<24}{'kind':<12}{'share':>9}"]
    for row in content["contributions"][:_LISTED]:
        lines.append(f"{row['name']:<24}{row['kind']:<12}{percent(row['share']):>9}")
    if (rest := len(content["contributions"]) - _LISTED) > 0:
        lines.append(f"and {rest} more")
    lines += [f"not counted: {line}" for line in content["left_out"]]
    return "\n".join(lines)


def _row(name: str, power: float | None, decibels: float | None) -> tuple[str, str, str]:
    if power is None:
        return name, "none", "white noise reaches the output directly: its power has no bound"
    ratio = "no noise" if decibels is None or math.isinf(decibels) else f"SNR {decibels:.4g} dB"
    return name, _volts(power), f"rms; full-scale sine over it: {ratio}"


def _volts(power: float) -> str:
    return quantity(math.sqrt(power), "V")


def plot_noise(found: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw the noise voltage over the window: all sources together, and the largest ones.

    Parameters
    ----------
    found : Dataset
        From ``analysis.noise.noise``. Where the total diverges, the band is drawn.
    ax : Axes, optional
    """
    ax = style.axes(ax)
    finite = math.isfinite(found.attrs["window_mean_v2"])
    power = found.total if finite else found.band
    volts, unit = style.scale(float((power.sum("source") ** 0.5).max()) or 1.0, "V")
    ax.plot(found.delay, power.sum("source") ** 0.5 / volts, color=style.INK, linewidth=1.8, label="all")
    top = power.isel(source=slice(_DRAWN))
    for colour, one in zip(style.ramp(top.sizes["source"]), top, strict=True):
        ax.plot(found.delay, one**0.5 / volts, color=colour, linewidth=1.2, label=str(one.source.values))
    what = "all frequencies" if finite else "signal band"
    ax.set(xlabel="Delay r (θ)", ylabel=f"Noise, {what} ({unit} rms)", xlim=(0.0, 1.0), ylim=(0.0, None))
    return style.finish(ax, {**style.LOW_LEGEND, "ncols": 3})


def noise_figure(content: dict[str, Any], found: xr.Dataset) -> Figure:
    """Show the noise over the window, and its sources as a table from the object of ``as_json``."""
    drawn = draw(lambda canvas: plot_noise(found, canvas.subplots()), height=3.6)
    ratio = found.attrs["band_snr_db"]
    caption = (
        f"Noise of the circuit at every place of the window; in the signal band the SNR is {ratio:.4g} dB."
    )
    listed = content["contributions"][: 2 * _LISTED]
    rows = tuple((row["name"], row["kind"], percent(row["share"])) for row in listed)
    table = Table("Sources of noise by share", ("source", "kind", "share"), rows)
    return figure("noise", "Noise over the window", caption, drawn=drawn, table=table)
