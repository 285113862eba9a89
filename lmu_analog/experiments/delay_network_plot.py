"""The delay-network benchmark as a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lmu_analog.experiments.delay_network import NAMES
from lmu_analog.output import style
from lmu_analog.output.layout import percent_along

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FAN = 0.25  # of a row: how far its circuits spread apart, so that all are seen


def plot_delay_network(result: dict[str, Any], ax: Axes | None = None) -> Axes:
    """Draw the error of every circuit in ngspice against the ideal memory, above the published ranges.

    Parameters
    ----------
    result : dict
        From ``delay_network.run``.
    ax : Axes, optional
    """
    ax = style.axes(ax)
    names: list[str] = []
    for name, colour in (("tolerance", style.BLUE), ("sigma", style.GREEN)):
        found = result["active_rc"][name]["ngspice"]
        errors = np.array([e for e in found["errors"] if e is not None])
        places = len(names) + FAN * np.resize([-1.0, 0.0, 1.0, -0.5, 0.5], len(errors))
        ax.plot(errors, places, "o", color=colour, markersize=3, alpha=0.6)
        _mark(ax, found["ideal"]["mean"], len(names), "{:.4f}")
        names.append(f"op-amps, {NAMES[name]}")
    for one in result["coefficients"]:
        ends = [one["ideal"]["p05"], one["ideal"]["p95"]]
        ax.plot(ends, [len(names)] * 2, **style.PALE)
        _mark(ax, one["ideal"]["mean"], len(names), "{:.3f}")
        ax.plot(one["published"], len(names), "D", color=style.VERMILLION, markersize=5)
        names.append(f"coefficients alone, σ = {100 * one['sigma']:g} %")
    for one in result["published"]:
        ax.plot([one["low"], one["high"]], [len(names)] * 2, color=style.VERMILLION, linewidth=8.0)
        text = f"{one['low']:.3f} to {one['high']:.3f}"
        _say(ax, (one["low"] * one["high"]) ** 0.5, len(names), text)
        names.append(one["what"])
    ax.plot(
        [], [], "D", color=style.VERMILLION, markersize=5, label="mean of coefficients alone, as published"
    )
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.margins(y=0.09)
    percent_along(ax)
    ax.set(xlabel="Whole-window NRMSE against the ideal memory of order 3")
    return style.finish(ax, style.TOP_LEGEND)


def _mark(ax: Axes, value: float, row: int, form: str) -> None:
    """Draw a mean, and say it."""
    ax.plot([value], [row], "|", color=style.INK, markersize=13, markeredgewidth=2.0)
    _say(ax, value, row, form.format(value))


def _say(ax: Axes, value: float, row: int, text: str) -> None:
    ax.annotate(text, (value, row), (0.0, 12.0), textcoords="offset points", ha="center", fontsize="small")
