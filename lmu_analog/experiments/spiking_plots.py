"""Figures of the delay networks, and of the experiments with spikes, synapses and integers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lmu_analog.experiments.delay_network import NAMES as CIRCUITS
from lmu_analog.experiments.digital_memory import BITS
from lmu_analog.experiments.spiking_delay_network import SAYS
from lmu_analog.experiments.synapse_mismatch import NAMES as SYNAPSE_NAMES
from lmu_analog.experiments.synapse_mismatch import READOUTS
from lmu_analog.output import style
from lmu_analog.output.layout import percent_along

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FAN = 0.25  # of a row: how far its circuits spread apart, so that all are seen


def plot_scaling(result: dict[str, Any], ax: Axes | None = None) -> Axes:
    """Draw the error of channel and memories against their neurons, d/sqrt(m) and 5/sqrt(m) beside them.

    Parameters
    ----------
    result : dict
        From ``poisson_scaling.run``.
    ax : Axes, optional
    """
    ax = style.axes(ax)
    memories = result["recurrent"]
    constant = np.median([value for found in memories.values() for value in found["scaled"]])
    for (order, found), colour in zip(memories.items(), style.ramp(len(memories)), strict=True):
        m = np.array(found["neurons"], float)
        ax.errorbar(
            m, found["rmse"], found["standard_error"], fmt="o-", color=colour, markersize=4,
            label=f"memory, d = {order}, slope {found['slope']:.2f}",
        )  # fmt: skip
        ax.plot(m, constant * int(order) / np.sqrt(m), color=colour, linestyle=":", linewidth=1.2)
    channel = result["feedforward"]
    m = np.array(channel["neurons"], float)
    ax.errorbar(
        m, channel["rmse"], channel["standard_error"], fmt="s-", color=style.INK, markersize=4,
        label=f"channel, slope {channel['slope']:.2f}",
    )  # fmt: skip
    ax.plot(m, 5.0 / np.sqrt(m), color=style.INK, linestyle="--", linewidth=1.2, label="5/√m, published")
    ax.plot([], [], color=style.GREY, linestyle=":", label=f"{constant:.2f} d/√m")
    style.percent_axis(ax)
    percent_along(ax)
    ax.set(xlabel="Neurons m", ylabel="RMSE")
    return style.finish(ax, style.SIDE_LEGEND)


def plot_cost(result: dict[str, Any], ax: Axes | None = None) -> Axes:
    """Draw the time that a memory of neurons takes against their number, with the straight lines fitted to it."""
    ax = style.axes(ax)
    cost = result["cost"]
    neurons = np.array([one["neurons"] for one in cost["runs"]], float)
    kinds = (
        ("build_seconds", "to build", style.BLUE),
        ("run_seconds", f"to run {cost['steps']} steps", style.ORANGE),
    )
    for name, said, colour in kinds:
        fit = cost["fits"][name]
        ax.plot(neurons / 1e6, [one[name] for one in cost["runs"]], "o", color=colour)
        line = fit["constant"] + fit["per_neuron"] * neurons
        said += f": {1e6 * fit['per_neuron']:.2g} µs a neuron"
        ax.plot(neurons / 1e6, line, color=colour, linewidth=1.2, label=said)
    ax.set(xlabel="Neurons (millions)", ylabel="Time (s)")
    ax.set_xlim(left=0.0)
    ax.set_ylim(bottom=0.0)
    return style.finish(ax, style.TOP_LEGEND)


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
        _dots(ax, found["errors"], len(names), colour)
        _mark(ax, found["ideal"]["mean"], len(names), f"{found['ideal']['mean']:.4f}", above=12.0)
        names.append(f"op-amps, {CIRCUITS[name]}")
    for one in result["coefficients"]:
        found = one["ideal"]
        ax.plot([found["p05"], found["p95"]], [len(names)] * 2, **style.PALE)
        _mark(ax, found["mean"], len(names), f"{found['mean']:.3f}", above=12.0)
        ax.plot(one["published"], len(names), "D", color=style.VERMILLION, markersize=5)
        names.append(f"coefficients alone, σ = {100 * one['sigma']:g} %")
    for one in result["published"]:
        low, high = one["low"], one["high"]
        ax.plot([low, high], [len(names)] * 2, color=style.VERMILLION, linewidth=8.0)
        _say(ax, (low * high) ** 0.5, len(names), f"{low:.3f} to {high:.3f}", above=12.0)
        names.append(one["what"])
    ax.plot(
        [], [], "D", color=style.VERMILLION, markersize=5, label="mean of coefficients alone, as published"
    )
    _name_rows(ax, names)
    ax.margins(y=0.09)
    return style.finish(ax, style.TOP_LEGEND)


def plot_delay_networks(result: dict[str, Any], ax: Axes | None = None) -> Axes:
    """Draw the error of every spiking network, above our op-amps and the published ranges."""
    ax = style.axes(ax)
    names: list[str] = []
    for key, said in SAYS.items():
        found = result["details"][key]
        _dots(ax, found["errors"], len(names), style.BLUE if key.startswith("cpu") else style.GREEN)
        _mark(ax, found["mean"], len(names), f"{found['mean']:.3g}")
        names.append(said.strip())
    for key in ("tolerance", "sigma"):
        found = result["details"]["active_rc"][key]
        ax.plot([found["p05"], found["p95"]], [len(names)] * 2, **style.PALE)
        _mark(ax, found["mean"], len(names), f"{found['mean']:.3g}")
        names.append(f"our op-amps, {CIRCUITS[key]}")
    words = {"braindrop": "Braindrop, analog silicon", "loihi": "Loihi, digital", "cpu": "CPU, as published"}
    for key, (low, high) in result["published"].items():
        ax.plot([low, high], [len(names)] * 2, color=style.VERMILLION, linewidth=8.0)
        said, beside = f"{low:.3f} to {high:.3f}", (8.0, -3.0)
        ax.annotate(said, (high, len(names)), beside, textcoords="offset points", fontsize="small")
        names.append(words[key])
    _name_rows(ax, names)
    ax.set_xlim(right=0.5)  # room for the last ranges
    return style.finish(ax, None)


def _dots(ax: Axes, errors: list[float | None], row: int, colour: str) -> None:
    """Draw a dot a circuit, or a network, spread apart so that all are seen."""
    good = np.array([e for e in errors if e is not None])
    places = row + FAN * np.resize([-1.0, 0.0, 1.0, -0.5, 0.5], len(good))
    ax.plot(good, places, "o", color=colour, markersize=3, alpha=0.6)


def _mark(ax: Axes, value: float, row: int, said: str, *, above: float = 9.0) -> None:
    """Draw a mean, and say it ``above`` points higher."""
    ax.plot([value], [row], "|", color=style.INK, markersize=13, markeredgewidth=2.0)
    _say(ax, value, row, said, above=above)


def _say(ax: Axes, x: float, y: float, said: str, *, above: float) -> None:
    ax.annotate(said, (x, y), (0.0, above), textcoords="offset points", ha="center", fontsize="small")


def _name_rows(ax: Axes, names: list[str]) -> None:
    """Name the rows, the first on top, and the axis of errors."""
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    percent_along(ax)
    ax.set(xlabel="Whole-window NRMSE against the ideal memory of order 3")


def plot_readouts(result: dict[str, Any], ax: Axes | None = None) -> Axes:
    """Draw what a readout makes of synapses that deviate: bars for every order, on a logarithmic axis."""
    ax = style.axes(ax)
    colours = (style.GREY, style.BLUE, style.GREEN, style.ORANGE)
    groups = result["readouts"]
    for k, ((key, said), colour) in enumerate(zip(READOUTS.items(), colours, strict=True)):
        places = np.arange(len(groups)) + 0.2 * (k - 1.5)
        heights = [one[key] for one in groups]
        ax.bar(places, heights, 0.18, color=colour, label=said)
        for place, height in zip(places, heights, strict=True):
            _say(ax, place, height, f"{height:.3f}", above=2.0)
    ax.set_xticks(range(len(groups)), [f"order {one['order']}" for one in groups])
    style.percent_axis(ax)
    ax.set(ylabel="Window NRMSE (median)")
    return style.finish(ax, style.SIDE_LEGEND)


def plot_spreads(result: dict[str, Any], ax: Axes | None = None) -> Axes:
    """Draw what time constants that deviate cost: median and 95th percentile, beside the published medians.

    Parameters
    ----------
    result : dict
        From ``synapse_mismatch.run``.
    ax : Axes, optional
    """
    ax = style.axes(ax)
    found = result["taus"]
    spreads = [100.0 * one["spread"] for one in found]
    medians = [one["median"] for one in found]
    ax.fill_between(
        spreads, medians, [one["p95"] for one in found], color=style.BLUE, alpha=0.15, linewidth=0.0,
        label="up to its 95th percentile",
    )  # fmt: skip
    ax.plot(spreads, medians, "o-", color=style.BLUE, label=f"median of {found[0]['samples']} circuits")
    ax.plot(
        spreads, result["published"]["medians"], "D", color=style.VERMILLION, markersize=4, label="published"
    )
    ax.plot(
        spreads, [one["compensated"] for one in found], "s-", color=style.GREEN, markersize=4,
        label="weights for the measured τ",
    )  # fmt: skip
    percent_along(ax)
    style.percent_axis(ax)
    ax.set(xlabel="Spread of time constants (%)", ylabel="Window NRMSE")
    return style.finish(ax, style.SIDE_LEGEND)


def plot_synapses(result: dict[str, Any], ax: Axes | None = None) -> Axes:
    """Draw what synapses that are not of first order cost, by how much of them the weights know."""
    ax = style.axes(ax)
    kinds = ("naive", "own weights", "and the input's derivative", "and its second")
    colours = (style.GREY, style.BLUE, style.GREEN, style.ORANGE)
    names = list(result["synapses"])
    for k, (said, colour) in enumerate(zip(kinds, colours, strict=True)):
        found = [result["synapses"][name] for name in names]
        heights = [one["naive"] if k == 0 else one["derivatives"][k - 1] for one in found]
        ax.bar(np.arange(len(names)) + 0.2 * (k - 1.5), heights, 0.18, color=colour, label=said)
    published = result["published"]["poles"]
    places = names.index("second") + 0.2 * (np.arange(len(published)) - 1.5)
    ax.plot(places, published, "D", color=style.VERMILLION, markersize=5, label="published")
    ax.axhline(result["nominal"], color=style.INK, linestyle=":", linewidth=1.2, label="ideal memory")
    ax.set_xticks(range(len(names)), [SYNAPSE_NAMES[name] for name in names])
    style.percent_axis(ax)
    ax.set(ylabel="Window NRMSE")
    return style.finish(ax, style.SIDE_LEGEND)


def plot_bits(result: dict[str, Any], ax: Axes | None = None) -> Axes:
    """Draw the error of the memory in integers against the bits of each word."""
    ax = style.axes(ax)
    for word, colour in zip(BITS, (style.BLUE, style.ORANGE, style.GREEN), strict=True):
        for rounding, dash, said in (("nearest", "-", "rounded"), ("truncate", ":", "cut off")):
            found = result[rounding][word]
            errors = [one["ideal"] for one in found]
            ax.plot(
                [one["bits"] for one in found],
                errors,
                dash,
                color=colour,
                marker="o",
                markersize=3,
                label=f"{word}, {said}",
            )
    style.percent_axis(ax)
    ax.set(xlabel="Bits of the word", ylabel="Window NRMSE from rounding")
    return style.finish(ax, style.SIDE_LEGEND)
