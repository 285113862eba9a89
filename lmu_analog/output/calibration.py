"""Calibration for people and scripts: a row a method, and a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from lmu_analog.analysis.calibration import calibrate
from lmu_analog.design import Design
from lmu_analog.ensembles.uniform import applies
from lmu_analog.ensembles.yields import percentiles, yield_within
from lmu_analog.output import style
from lmu_analog.output.layout import lined_up, percent_along
from lmu_analog.output.text_tables import Table, percent
from lmu_analog.storage.results import FAILED, UNSTABLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WORDS = {
    "nominal": "as built, read out nominally",
    "readout": "least-squares readout for every circuit",
    "ensemble": "one readout, fitted to 100 other circuits",
    "theta": "one knob on all capacitors and inductors",
    "trim": "k elements turned together",
    "exact-k": "the k most sensitive elements exact",
    "dac": "a converter on every element",
    "tau": "weights computed anew from measured taus",
}
_PLACES = {"fitted_nrmse": "fitted", "window_nrmse": "nrmse", "drifted_nrmse": "drifted"}


def content(
    found: xr.Dataset, limit: float | None = None, uniform: xr.Dataset | None = None
) -> dict[str, Any]:
    """Give the figures of a calibration.

    Parameters
    ----------
    found : Dataset
        From ``analysis.calibration.calibrate``.
    limit : float, optional
        Of the window NRMSE, for the yield.
    uniform : Dataset, optional
        The same with parts uniform within their tolerance, for the yield of those.
    """
    kept = ("order", "family", "realization", "seed", "temperature_k")
    return {
        **{key: found.attrs[key] for key in kept},
        "samples": found.sizes["sample"],
        "trimmed": list(found.attrs["trimmed"]),
        "exact": list(found.attrs["exact"]),
        "methods": {
            str(m): _method(found.sel(calibration=m), limit)
            | {"yield_uniform": None if uniform is None else _yield(uniform.sel(calibration=m), limit)}
            for m in found.calibration.values
        },
    }


def _method(run: xr.Dataset, limit: float | None) -> dict[str, Any]:
    """Give medians with their 95 % intervals, and the yield, of one method."""
    figures: dict[str, Any] = {}
    for name, key in _PLACES.items():
        spread = percentiles(run.assign(window_nrmse=run[name]))
        picked = ("median", "median_low", "median_high", "p95")
        figures[key] = {k: spread[k] for k in picked} if run[name].notnull().any() else None
    figures["unstable"] = int((run.status == UNSTABLE).sum())
    figures["failed"] = int((run.status == FAILED).sum())
    figures["yield"] = _yield(run, limit)
    return figures


def _yield(run: xr.Dataset, limit: float | None) -> dict[str, float | None] | None:
    if limit is None:
        return None
    good = yield_within(run, limit)
    return {"limit": limit, "value": good.value, "low": good.low, "high": good.high}


def uniform_beside(design: Design, samples: int, seed: int, **chosen: Any) -> xr.Dataset | None:
    """Calibrate the same draws with parts uniform within their tolerance; None where there is no such yield."""
    if design.nrmse is None or not applies(design):
        return None
    return calibrate(design, samples, seed, is_uniform=True, **chosen)


def table(given: dict[str, Any]) -> Table:
    """List methods: medians by the tones of the fit, by the design's input and at its temperature, and yield."""
    methods = given["methods"]
    columns = {"fitted": ("fitted", "median"), "median": ("nrmse", "median"), "95 %": ("nrmse", "p95")}
    kelvin = given["temperature_k"]
    if_any = {
        "" if kelvin is None else f"{kelvin - 273.15:g} C": ("drifted", "median"),
        "yield": ("yield", "value"),
        "uniform parts": ("yield_uniform", "value"),
    }
    columns |= {name: at for name, at in if_any.items() if any(m[at[0]] for m in methods.values())}
    rows = []
    for name, m in methods.items():
        figures = (percent((m[key] or {}).get(figure)) for key, figure in columns.values())
        rows.append((name, *figures, WORDS[name]))
    caption = f"window NRMSE after calibration, {given['samples']} circuits"
    return Table(caption, ("method", *columns, "what is done"), tuple(rows))


def text(given: dict[str, Any]) -> str:
    """Lay out the object of ``calibrate``."""
    lines = [f"{given['family']}, {given['realization']}, order {given['order']}, seed {given['seed']}"]
    lines.append(lined_up(table(given)))
    for key in ("trimmed", "exact"):
        if given[key] and {"trimmed": "trim", "exact": "exact-k"}[key] in given["methods"]:
            lines.append(f"  {key}: {', '.join(given[key])}")
    return "\n".join(lines)


def plot_calibration(found: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw the window NRMSE of all circuits, a row a method: 5 % to 95 % as a bar, the median as a mark.

    Parameters
    ----------
    found : Dataset
        From ``analysis.calibration.calibrate``.
    ax : Axes, optional
    """
    ax = style.axes(ax)
    names = [str(m) for m in found.calibration.values]
    for k, name in enumerate(names):
        errors = found.window_nrmse.sel(calibration=name).values
        finite = 100.0 * errors[np.isfinite(errors)]
        if len(finite):
            low, middle, high = np.percentile(finite, [5.0, 50.0, 95.0])
            ax.plot([low, high], [k, k], **style.PALE)
            ax.plot(middle, k, "o", color=style.BLUE)
            ax.annotate(f"{middle:.3g} %", (middle, k), (0.0, 7.0), textcoords="offset points", ha="center")
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.margins(y=0.12)
    percent_along(ax)
    ax.set(xlabel="Window NRMSE (%)\nbar: 5 % to 95 % of circuits, mark: median")
    return style.finish(ax, None)
