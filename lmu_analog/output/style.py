"""The look that all plots share: colours, legends beside the data, axes with plain numbers.

Colours are those of Okabe and Ito (2008), which colour-blind people can tell apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from lmu_analog.units import parse, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Transform

Look = dict[str, Any]  # keywords of a Matplotlib artist
INK, BLUE, GREEN = "#000000", "#0072B2", "#009E73"
ORANGE, VERMILLION, PURPLE = "#E69F00", "#D55E00", "#CC79A7"
SKY, YELLOW, GREY = "#56B4E9", "#F0E442", "#999999"  # for areas: too pale for lines
PALE: Look = {"color": INK, "alpha": 0.22, "linewidth": 4.0, "solid_capstyle": "round"}
ENGINE_STYLE: tuple[Look, ...] = (
    {"color": BLUE, "linewidth": 1.8},
    {"color": ORANGE, "linewidth": 1.8, "linestyle": (0, (3, 2))},
)
TOP_LEGEND: Look = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0), "borderaxespad": 0.4}
# Below the label of the axis, by points of type: the narrow figures of a report have no room beside.
LOW_LEGEND: Look = {
    "loc": "upper left", "bbox_to_anchor": (0.0, 0.0), "borderaxespad": 0.0, "ncols": 2, "below": 36.0,
    "columnspacing": 1.2,
}  # fmt: skip
SIDE_LEGEND: Look = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)}
MOST_LABELS = 6  # states that a legend names; more would be a column of text
LOWEST_DB = -100.0  # below it a Legendre state is rounding or leakage
LOWER = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def axes(ax: Axes | None) -> Axes:
    """Give the axes, made when there are none."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.subplots(layout="constrained")[1]


def finish(ax: Axes, legend: Look | None) -> Axes:
    """Take off what is not data, add a grid and a legend."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(visible=True, color=INK, alpha=0.12, linewidth=0.6)
    ax.set_axisbelow(True)
    if legend is not None:
        placed = dict(legend)
        if below := placed.pop("below", None):
            placed["bbox_transform"] = _lowered(ax, below)
        ax.legend(frameon=False, **placed)
    return ax


def _lowered(ax: Axes, points: float) -> Transform:
    from matplotlib.transforms import ScaledTranslation

    return ax.transAxes + ScaledTranslation(0.0, -points / 72.0, ax.figure.dpi_scale_trans)


def linear(factor: float) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Map an axis to another unit and back."""
    return lambda x: factor * x, lambda x: x / factor


def scale(value: float, unit: str) -> tuple[float, str]:
    """Choose a prefix for an axis up to ``value``: what one step of it is in SI, and its name."""
    suffix = re.split(r"\s", write(value, unit))[-1]
    return parse(f"1 {suffix}", unit), suffix.replace("u", "µ")


def ramp(count: int) -> np.ndarray:
    """Colours of an ordered family, blue to orange with rising lightness, (count, 4)."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("", [BLUE, GREEN, ORANGE])(np.linspace(0.0, 1.0, count))


def percent_axis(ax: Axes) -> None:
    """Make the vertical axis logarithmic over at least a decade, with plain numbers."""
    from matplotlib.ticker import LogLocator, NullFormatter

    ax.set_yscale("log")
    bottom, top = ax.get_ylim()
    widen = max(1.0, np.sqrt(10.0 * bottom / top))
    ax.set_ylim(bottom / widen, top * widen)
    steps = (1.0, 2.0, 5.0) if top / bottom < 1e4 else (1.0,)
    ax.yaxis.set_major_locator(LogLocator(subs=steps, numticks=15))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())


def count_axis(ax: Axes) -> None:
    """Keep the vertical axis to whole numbers."""
    from matplotlib.ticker import MaxNLocator

    ax.yaxis.set_major_locator(MaxNLocator(integer=True))


def frequency_axis(ax: Axes) -> None:
    """Make the horizontal axis logarithmic, with prefixes."""
    from matplotlib.ticker import EngFormatter, NullFormatter

    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(EngFormatter())
    ax.xaxis.set_minor_formatter(NullFormatter())
