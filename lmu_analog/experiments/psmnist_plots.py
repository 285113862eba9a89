"""Figures of permuted sequential MNIST: how training went, what is taken for what, and what the order is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lmu_analog.experiments import psmnist
from lmu_analog.experiments.learning_plots import COLOURS
from lmu_analog.output import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = {**COLOURS, "parallel": style.GREEN}
_TICKS = (0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 50, 90)
_EPOCHS = (1, 2, 5, 10, 20, 50, 100)
_DARK = 0.5  # of the largest number: from here on figures are white


def plot_training(result: dict[str, Any], ax: Axes | None = None) -> Axes:
    """Draw the share of validation images told wrong after every epoch: a line a seed.

    Parameters
    ----------
    result : dict
        From ``psmnist.run``.
    ax : Axes, optional
    """
    ax = style.axes(ax)
    curves = [(psmnist.NAMES[name], name, result[name]) for name in ("lmu", "lstm") if name in result]
    if rows := result.get("orders"):
        largest = max(rows, key=lambda row: row["order"])
        curves.append((f"{psmnist.NAMES['parallel']}, order {largest['order']}", "parallel", largest))
    for label, name, row in curves:
        for k, accuracy in enumerate(row.get("validation_accuracy", ())):
            said = f"{label}, {row['parameters']} parameters" if k == 0 and accuracy else None
            wrong = 100.0 * (1.0 - np.array(accuracy))
            ax.plot(1 + np.arange(len(wrong)), wrong, "o-", color=_COLOURS[name], markersize=3, label=said)
    _logarithmic(ax, _EPOCHS, _TICKS)
    ax.set(xlabel="Epoch", ylabel=f"Wrong of {result['images']['valid']} validation images (%)")
    return style.finish(ax, style.TOP_LEGEND)


def plot_confusion(result: dict[str, Any], ax: Axes | None = None) -> Axes:
    """Draw which digit the parallel LMU takes for which, over seeds; right answers have no colour."""
    ax = style.axes(ax)
    row = result["parallel"]
    counts = np.array(row["confusion"])
    wrong = counts * ~np.eye(len(counts), dtype=bool)
    ax.imshow(wrong, cmap="Blues", aspect="auto")
    for (digit, told), count in np.ndenumerate(counts):
        shade = wrong[digit, told] > _DARK * max(wrong.max(), 1)
        ax.text(
            told,
            digit,
            str(count),
            ha="center",
            va="center",
            fontsize=8,
            color="white" if shade else style.INK,
        )
    digits = range(len(counts))
    ax.set_xticks(digits)
    ax.set_yticks(digits)
    seeds = len(row["accuracy"])
    ax.set(
        xlabel=f"Told by the parallel LMU, {seeds} seed{'s' if seeds != 1 else ''} together",
        ylabel="Digit shown",
    )
    ax = style.finish(ax, None)
    ax.grid(visible=False)
    return ax


def plot_orders(result: dict[str, Any], ax: Axes | None = None) -> Axes:
    """Draw the share of test images told wrong against the order of the memory, with the others beside it."""
    ax = style.axes(ax)
    finished = [row for row in result["orders"] if row["accuracy"]]
    orders = [row["order"] for row in finished]
    ax.plot(
        orders, [_wrong(row["mean"]) for row in finished], "o-", color=_COLOURS["parallel"], markersize=5,
        label="LMU, parallel, one seed each",
    )  # fmt: skip
    for name in ("parallel", "lmu"):
        row = result.get(name)
        if row and row["accuracy"]:
            places = [row["order"]] * len(row["accuracy"])
            said = f"{psmnist.NAMES[name]}, all images" if name == "parallel" else psmnist.NAMES[name]
            ax.plot(
                places, [_wrong(a) for a in row["accuracy"]], "s", color=_COLOURS[name], markersize=5,
                markerfacecolor="none", label=f"{said}, a square a seed",
            )  # fmt: skip
        if row:
            said = f"published: {psmnist.NAMES[name]}"
            ax.plot(
                row["order"], _wrong(result["published"][name]), "D", color=style.VERMILLION, markersize=7,
                fillstyle="full" if name == "lmu" else "none", label=said,
            )  # fmt: skip
    for name in ("lstm", "feedforward"):
        row = result.get(name)
        if row and row["accuracy"]:
            ax.axhline(_wrong(row["mean"]), color=_COLOURS[name], linestyle="--", label=psmnist.NAMES[name])
    _logarithmic(ax, sorted({row["order"] for row in result["orders"]}), _TICKS)
    ax.set(xlabel="Order of the memory", ylabel=f"Wrong of {result['images']['test']} test images (%)")
    return style.finish(ax, style.TOP_LEGEND)


def _wrong(accuracy: float) -> float:
    return 100.0 * (1.0 - accuracy)


def _logarithmic(ax: Axes, along: Any, up: Any) -> None:
    """Make both axes logarithmic, with plain numbers at the places that are given."""
    ax.set(xscale="log", yscale="log")
    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    ax.set_xticks([t for t in along if x0 <= t <= x1], [f"{t:g}" for t in along if x0 <= t <= x1])
    ax.set_yticks([t for t in up if y0 <= t <= y1], [f"{t:g}" for t in up if y0 <= t <= y1])
    ax.minorticks_off()
