"""Figures of the experiments that train networks, and of the memory that needs no training."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from lmu_analog.experiments import digits, mackey_glass, scale, task_tolerances
from lmu_analog.output import style
from lmu_analog.output.layout import percent_along

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {
    "lmu": style.BLUE,
    "lstm": style.ORANGE,
    "hybrid": style.GREEN,
    "feedforward": style.GREY,
}
KINDS = {
    "cell": ("whole cell as a circuit", style.PURPLE),
    "circuit": ("memory as a circuit", style.VERMILLION),
    "aware": ("trained with mismatch", style.ORANGE),
    "calibrated": ("calibrated", style.BLUE),
    "both": ("trained and calibrated", style.GREEN),
}
TASK_WAYS = {"task": style.BLUE, "nrmse": style.VERMILLION, "uniform": style.GREY}
WIDTH = 24  # characters of a line of the legend
APART = 0.09  # of a place: how far the kinds stand beside each other
FAN = 0.14  # of a row: how far the seeds of a network spread apart, so that all are seen


def plot_capacity(result: dict[str, Any], ax: Axes | None = None) -> Axes:
    """Draw the error against the longest delay: the memory, the range over its delays, and the LSTM beside it.

    Parameters
    ----------
    result : dict
        From ``capacity.run``.
    ax : Axes, optional
    """
    ax = style.axes(ax)
    table = result["table"]
    steps = [row["steps"] for row in table]
    by_delay = np.array([row["mse_by_delay"] for row in table])
    said = f"memory of order {result['states']}, untrained; ± standard error"
    ax.fill_between(
        steps, by_delay.min(axis=1), by_delay.max(axis=1), color=style.BLUE, alpha=0.15, linewidth=0.0,
        label="its five delays, 0 to T",
    )  # fmt: skip
    ax.errorbar(
        steps, [row["mse"] for row in table], [row["standard_error"] for row in table], fmt="o-",
        color=style.BLUE, markersize=4, capsize=3, label=said,
    )  # fmt: skip
    trained = [row for row in table if row["lstm"]]
    if trained:
        lstm = trained[0]["lstm"]
        ax.plot(
            [row["steps"] for row in trained], [row["lstm"]["mse"] for row in trained], "s-",
            color=style.ORANGE, markersize=5, label=f"LSTM, {lstm['parameters']} parameters trained",
        )  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel="Longest delay T (steps)", ylabel="Mean square error")
    return style.finish(ax, style.TOP_LEGEND)


def plot_digits(result: dict[str, Any], ax: Axes | None = None) -> Axes:
    """Draw the accuracy of every network on the test digits: a dot a seed, and the mean."""
    ax = style.axes(ax)
    for row, name in enumerate(digits.NAMES):
        _seeds(ax, 100.0 * np.array(result[name]["accuracy"]), row, COLOURS[name])
        _mark(ax, 100.0 * result[name]["mean"], row, f"{100.0 * result[name]['mean']:.1f} %")
    names = [f"{label}, {result[name]['parameters']} parameters" for name, label in digits.NAMES.items()]
    return _named(ax, names, f"Accuracy on {result['images']['test']} test digits (%)")


def plot_mackey_glass(result: dict[str, Any], ax: Axes | None = None) -> Axes:
    """Draw the error of every network, seed by seed, beside the published one.

    Published errors count all steps of series that begin alike, so ours are drawn with all steps too.
    """
    ax = style.axes(ax)
    names = mackey_glass.NAMES
    for row, name in enumerate(names):
        found = result[name]
        _seeds(ax, np.array(found["nrmse_by_seed"]), row, COLOURS[name])
        _mark(ax, found["nrmse"], row, f"{found['nrmse']:.4f}")
        ax.plot(found["nrmse_all_steps"], row, "o", color=COLOURS[name], markerfacecolor="none", markersize=7)
        ax.plot(result["published"][name], row, "D", color=style.VERMILLION, markersize=7)
    handles = (
        ("o", style.INK, f"ours, from step {mackey_glass.FIRST} on, a dot a seed"),
        ("o", "none", "ours, all steps, mean"),
        ("D", style.VERMILLION, "published, all steps"),
    )
    for marker, face, said in handles:
        edge = style.INK if face == "none" else face
        ax.plot([], [], marker, color=edge, markerfacecolor=face, label=said)
    labels = [f"{label}, {result[name]['parameters']} parameters" for name, label in names.items()]
    percent_along(ax)
    ax = _named(ax, labels, f"Error {result['ahead']} steps ahead, over the rms")
    return style.finish(ax, style.TOP_LEGEND)


def plot_scale(result: dict[str, Any], ax: Axes | None = None) -> Axes:
    """Draw the error of the same weights at other step sizes: a line a seed."""
    ax = style.axes(ax)
    places = range(len(scale.SCALES))
    for name, label in scale.NAMES.items():
        errors = np.array([result[name][step] for step in scale.SCALES])
        lines = ax.plot(places, errors, "o-", color=COLOURS[name], markersize=4, alpha=0.7)
        lines[0].set_label(f"{label}, {result[name]['parameters']} parameters, a line a seed")
    ax.set_xticks(places, [f"{step:g}" for step in scale.SCALES.values()])
    style.percent_axis(ax)
    ax.set(xlabel="Step size, over that of the training", ylabel="NRMSE of the delayed signal")
    return style.finish(ax, style.TOP_LEGEND)


def plot_learned_theta(result: dict[str, Any], ax: Axes | None = None) -> Axes:
    """Draw the course of theta from every start towards the delay."""
    ax = style.axes(ax)
    steps, table = result["steps"], result["table"]
    for row, colour in zip(table, style.ramp(len(table)), strict=True):
        places = max(1, steps // 50) * np.arange(len(row["course"]))
        said = f"from {row['start']:g} to {row['theta']:.2f}"
        ax.plot([*places, steps], [*row["course"], row["theta"]], color=colour, linewidth=1.8, label=said)
    said = f"the delay, {result['delay']:g} steps"
    ax.axhline(result["delay"], color=style.INK, linestyle="--", linewidth=1.2, label=said)
    ax.set(xlabel="Steps of training", ylabel="Window theta (steps)", xlim=(0, steps))
    return style.finish(ax, style.SIDE_LEGEND)


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


def _seeds(ax: Axes, values: np.ndarray, row: int, colour: str) -> None:
    """Draw a dot a seed, fanned out."""
    fan = row + FAN * np.linspace(-1.0, 1.0, len(values)) if len(values) > 1 else [row]
    ax.plot(values, fan, "o", color=colour, markersize=5, alpha=0.7)


def _mark(ax: Axes, value: float, row: int, said: str) -> None:
    """Draw a mean, and say it."""
    ax.plot([value], [row], "|", color=style.INK, markersize=22, markeredgewidth=2.0)
    ax.annotate(said, (value, row), (0.0, 15.0), textcoords="offset points", ha="center", fontsize="small")


def _named(ax: Axes, names: Sequence[str], xlabel: str) -> Axes:
    """Name the rows, the first on top."""
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.6)
    ax.set(xlabel=xlabel)
    return style.finish(ax, None)


def plot_task_tolerances(result: dict[str, Any], ax: Axes | None = None) -> Axes:
    """Draw what parts cost that keep a loss, by how their tolerances were chosen, for every circuit and limit.

    Parameters
    ----------
    result : dict
        From ``task_tolerances.run``.
    ax : Axes, optional
    """
    ax = style.axes(ax)
    table = task_tolerances.savings(result)
    for way, marker in (("uniform", "s"), ("nrmse", "D"), ("task", "o")):
        known = [(row[way], k) for k, row in enumerate(table) if way in row]
        costs, places = zip(*known, strict=True) if known else ((), ())
        said, colour = task_tolerances.WAYS[way], TASK_WAYS[way]
        ax.plot(costs, places, marker, color=colour, markersize=6, linestyle="none", label=said)
    labels = [f"{row['family']}\n{row['realization']}, loss {row['limit']:g}" for row in table]
    ax.set_yticks(range(len(table)), labels)
    ax.invert_yaxis()
    percent_along(ax)
    ax.set(xlabel="Cost of resistors and capacitors (USD)", title="Parts that keep the loss of the digits")
    return style.finish(ax, style.SIDE_LEGEND)
