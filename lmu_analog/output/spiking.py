"""A run of spiking neurons for people and scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lmu_analog.networks.spiking.runs import THETA, Outcome, Request, sine
from lmu_analog.output import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def content(request: Request, outcome: Outcome) -> dict[str, Any]:
    """Give what was asked for and what came of it; ``scaled`` is rmse sqrt(m)/d, 1 for a channel's d."""
    neurons = request.each * request.order
    feedforward = outcome.window_nrmse is None
    scale = np.sqrt(request.each) if feedforward else np.sqrt(neurons) / request.order
    return {
        "order": request.order,
        "neurons": neurons,
        "neurons_per_state": request.each,
        "feedforward": feedforward,
        "firing": request.firing,
        "curve": request.curve,
        "realization": None if feedforward else request.realization,
        "seed": request.seed,
        "rmse": outcome.rmse,
        "scaled": float(outcome.rmse * scale),
        "window_nrmse": outcome.window_nrmse,
        "seconds": outcome.seconds,
    }


def text(figures: dict[str, Any]) -> str:
    """Say it in lines."""
    said = f"{figures['neurons']} neurons ({figures['firing']}, {figures['curve']})"
    if figures["feedforward"]:
        lines = [
            f"{figures['order']} feed-forward channel(s), {said}: sines of 10 Hz and amplitude 1",
            f"rmse {figures['rmse']:.4g}, times sqrt(neurons of a channel) {figures['scaled']:.3g}",
        ]
    else:
        lines = [
            f"memory of order {figures['order']}, {said}: theta = 1 s, a sine of 1 Hz and amplitude 0.5",
            f"rmse of the states {figures['rmse']:.4g}, times sqrt(m)/d {figures['scaled']:.3g}",
            f"window NRMSE {100.0 * figures['window_nrmse']:.3g} %",
        ]
    return "\n".join([*lines, f"{figures['seconds']:.3g} s"])


def plot_window(outcome: Outcome, ax: Axes | None = None) -> Axes:
    """Draw three places of the window that a run of a memory has stored, above the input as it truly was."""
    ax = style.axes(ax)
    if outcome.time is None or outcome.window is None:
        return style.finish(ax, None)
    for tap, column, colour in zip(
        (0.0, 0.5, 1.0), outcome.window.T, (style.BLUE, style.GREEN, style.ORANGE), strict=True
    ):
        ax.plot(outcome.time, sine(outcome.time - tap * THETA), **style.PALE)
        ax.plot(outcome.time, column, color=colour, linewidth=1.2, label=f"{tap:g} s ago")
    ax.set(xlabel="Time (s)", ylabel="Window, read off spikes")
    return style.finish(ax, {**style.TOP_LEGEND, "ncols": 3})
