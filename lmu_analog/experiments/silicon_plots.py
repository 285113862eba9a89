"""Figures of the experiments in an open process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lmu_analog.output import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WAYS = {
    "built": ("as built", style.VERMILLION),
    "trimmed": ("bias trimmed", style.ORANGE),
    "calibrated": ("bias trimmed, readout calibrated", style.BLUE),
}


def plot_chips(result: dict[str, Any], ax: Axes | None = None) -> Axes:
    """Draw which part of the chips has at most an accuracy, with the software's and the nominal chip's.

    Parameters
    ----------
    result : dict
        From ``silicon_digits.run``.
    ax : Axes, optional
    """
    ax = style.axes(ax)
    for key, (label, colour) in WAYS.items():
        values = np.sort(result[key]["accuracy"])
        ax.step(values, np.arange(1, len(values) + 1) / len(values), where="post", color=colour, label=label)
    ax.axvline(result["software"]["test"], color=style.INK, linewidth=1.0, label="software")
    ax.axvline(result["nominal"], color=style.GREY, linewidth=1.0, linestyle="--", label="nominal chip")
    ax.set(
        xlabel="Accuracy on test images (%)",
        ylabel="Chips with at most this",
        ylim=(0.0, 1.0),
        title=f"{result['chips']} chips of GF180MCU with process and mismatch",
    )
    return style.finish(ax, style.SIDE_LEGEND)
