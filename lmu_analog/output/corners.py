"""Corners for people and scripts: each alone, the worst of the cross, and a figure."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from lmu_analog.analysis.corners import one_at_a_time, worst
from lmu_analog.output import style
from lmu_analog.output.layout import lined_up, percent_along
from lmu_analog.output.text_tables import Table, percent, quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = ("corner", "nominal", "median", "95 %", "theta", "offset", "headroom")


def content(found: xr.Dataset) -> dict[str, Any]:
    """Give the figures of all corners.

    Parameters
    ----------
    found : Dataset
        From ``analysis.corners.corners``.
    """
    dims = [str(d) for d in found.window_nrmse.dims]
    name, place = worst(found)
    every = itertools.product(*(range(found.sizes[d]) for d in dims))
    crossed = (found.isel(dict(zip(dims, at, strict=True))) for at in every)
    kept = ("order", "family", "realization", "seed", "samples", "theta")
    return {
        **{key: found.attrs[key] for key in kept},
        "unknown_drift": list(found.attrs["unknown_drift"]),
        "axes": {d: found[d].values.tolist() for d in dims},
        "lots": {k.removeprefix("lot_"): v for k, v in found.attrs.items() if k.startswith("lot_")},
        "one_at_a_time": [{"corner": corner, **_figures(at)} for corner, at in one_at_a_time(found)],
        "worst": {"corner": name, **_figures(place)},
        "corners": [{**{d: at[d].item() for d in dims}, **_figures(at)} for at in crossed],
    }


def _figures(place: xr.Dataset) -> dict[str, float]:
    return {str(name): float(value) for name, value in place.data_vars.items()}


def table(given: dict[str, Any]) -> Table:
    """List what each corner alone does, and the worst of all crossed."""
    crossed = f"worst: {given['worst']['corner']}"
    listed: list[dict[str, Any]] = [*given["one_at_a_time"], {**given["worst"], "corner": crossed}]
    rows: list[tuple[str, ...]] = []
    for row in listed:
        errors = (percent(row[key]) for key in ("window_nrmse", "median_nrmse", "p95_nrmse"))
        volts = row["offset"] if np.isnan(row["offset_rms"]) else row["offset_rms"]
        theta, offset = quantity(row["effective_theta"], "s"), quantity(float(f"{volts:.3g}"), "V")
        rows.append((row["corner"], *errors, theta, offset, percent(row["headroom"])))
    caption = f"corners, {len(given['corners'])} in all, {given['samples']} mismatched circuits in each"
    return Table(caption, _COLUMNS, tuple(rows))


def text(given: dict[str, Any]) -> str:
    """Lay out the object of ``corners``."""
    lines = [f"{given['family']}, {given['realization']}, order {given['order']}", lined_up(table(given))]
    return "\n".join([*lines, *(f"  {line}" for line in remarks(given))])


def remarks(given: dict[str, Any]) -> tuple[str, ...]:
    """Say which corners the design does not have, and where amplifiers clip."""
    said: list[str] = []
    if not given["lots"]:
        said.append("no process corners: give lots in [mismatch], or [circuit] technology")
    if len(given["axes"]["temperature"]) == 1:
        said.append("no temperature corners: give [drift], or [circuit] technology")
    said += [
        f"temperature leaves every {kind} where it is: its coefficient is not known; give [drift] {kind}"
        for kind in given["unknown_drift"]
    ]
    if given["worst"]["headroom"] < 0.0 or any(c["headroom"] < 0.0 for c in given["corners"]):
        said.append("warning: amplifiers clip in some corners, which the figures do not contain")
    return tuple(said)


def plot_corners(found: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw window NRMSE of nominal circuits: each corner alone, then the whole cross as a range.

    Parameters
    ----------
    found : Dataset
        From ``analysis.corners.corners``.
    ax : Axes, optional
    """
    ax = style.axes(ax)
    rows = [(name, at) for name, at in one_at_a_time(found) if not name.startswith("supply")]
    names = [name for name, _ in rows]
    for k, (_, at) in enumerate(rows):
        ax.plot(100.0 * float(at.window_nrmse), k, "o", color=style.BLUE, label="nominal" if not k else None)
        ax.plot(
            100.0 * float(at.p95_nrmse), k, "|", color=style.VERMILLION, markersize=14,
            label="95 % of mismatched circuits" if not k else None,
        )  # fmt: skip
    finite = found.window_nrmse.values[np.isfinite(found.window_nrmse.values)]
    if len(finite):
        ax.plot([100.0 * finite.min(), 100.0 * finite.max()], [len(rows)] * 2, **style.PALE)
    ax.set_yticks(range(len(rows) + 1), [*names, "all crossed"])
    ax.invert_yaxis()
    ax.margins(y=0.12)
    percent_along(ax)
    ax.set(xlabel="Window NRMSE (%)")
    return style.finish(ax, style.TOP_LEGEND)
