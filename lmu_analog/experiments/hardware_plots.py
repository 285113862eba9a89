"""What circuits cost a trained network, as a figure."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from lmu_analog.output import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS = {
    "cell": ("whole cell as a circuit", style.PURPLE),
    "circuit": ("memory as a circuit", style.VERMILLION),
    "aware": ("trained with mismatch", style.ORANGE),
    "calibrated": ("calibrated", style.BLUE),
    "both": ("trained and calibrated", style.GREEN),
}
WIDTH = 24  # characters of a line of the legend
APART = 0.09  # of a place: how far the kinds stand beside each other


def plot_digits_loss(result: dict[str, Any], ax: Axes | None = None) -> Axes:
    """Draw the percentage points that circuits cost, with their intervals, and what a published circuit cost.

    Parameters
    ----------
    result : dict
        From ``hardware_loss.run``.
    ax : Axes, optional
    """
    ax = _losses(result["digits"], style.axes(ax), linear=1.0)
    published = result["published"]
    said = fill(f"published whole circuit (beside the whole cell): {published['task']}", WIDTH)
    ax.axhline(published["loss"], color=style.INK, linestyle="--", linewidth=1.2, label=said)
    ax.set(title="Digits", ylabel="Accuracy lost (points)")
    ax.set_yticks([-1, 0, 1, 3, 10, 30], ["−1", "0", "1", "3", "10", "30"])
    return style.finish(ax, style.SIDE_LEGEND)


def plot_series_loss(result: dict[str, Any], ax: Axes | None = None) -> Axes:
    """Draw the error of the Mackey-Glass series that circuits add, with its intervals."""
    ax = _losses(result["mackey-glass"], style.axes(ax), linear=1e-3)
    ax.set(title="Mackey-Glass series, 15 steps ahead", ylabel="NRMSE added")
    ticks = (-0.001, 0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
    ax.set_yticks(ticks, [f"{t:g}".replace("-", "−") for t in ticks])
    return style.finish(ax, style.SIDE_LEGEND)


def _losses(levels: dict[str, Any], ax: Axes, *, linear: float) -> Axes:
    """Draw the mean loss of every kind at every mismatch with its 95 % interval, below ``linear`` not in logarithms."""
    kinds = {k: said for k, said in KINDS.items() if all(k in row["loss"] for row in levels.values())}
    for k, (name, (said, colour)) in enumerate(kinds.items()):
        found = [row["loss"][name] for row in levels.values()]
        places = np.arange(len(found)) + APART * (k - 0.5 * (len(kinds) - 1))
        means = np.array([one["mean"] for one in found])
        ends = [
            (one["mean"], one["mean"]) if one["low"] is None else (one["low"], one["high"]) for one in found
        ]
        spread = np.abs(np.array(ends).T - means)
        ax.errorbar(
            places, means, spread, fmt="o-", color=colour, markersize=4, capsize=2, linewidth=1.0, label=said
        )
    ax.axhline(0.0, color=style.INK, linewidth=0.8)
    ax.set_yscale("symlog", linthresh=linear)
    ax.set_xticks(range(len(levels)), [f"{100.0 * float(sigma):g} %" for sigma in levels])
    ax.minorticks_off()
    ax.set(
        xlabel="Mismatch, sigma of every element; bars: 95 % intervals of the mean of networks, one split of the data"
    )
    return ax
