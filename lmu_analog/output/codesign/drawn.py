"""What a search found, drawn: the front, errors by cause, limits that none keeps.

Plots read what ``result.json`` has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lmu_analog.codesign.relaxing import over_limit
from lmu_analog.output import style
from lmu_analog.output.codesign.tables import (
    error_text,
    of_network,
    ordered_errors,
    plain,
    price,
    price_name,
    winner_of,
)
from lmu_analog.output.figures import Figure, figure
from lmu_analog.output.svg import draw
from lmu_analog.output.text_tables import Table, percent, quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDE = 4.0  # largest over least value from which on an axis is logarithmic
_COLOURS = 16  # of the powers
_ALIKE = 1e-3  # powers that are closer are not told apart
_NEGLIGIBLE = 5e-4  # of the mean square error
_MOST_ROWS = 64


def plot_front(content: Mapping[str, Any], ax: Axes | None = None) -> Axes:
    """Draw the front: p95 against cost, or area of a chip, with power as colour; the winner, and the limits.

    Parameters
    ----------
    content : mapping
        As in ``result.json``; its front has members.
    ax : Axes, optional
    """
    from matplotlib.colors import ListedColormap, LogNorm

    ax = style.axes(ax)
    content = ordered_errors(content)
    best = winner_of(content)
    front = [one for one in content["front"] if np.isfinite(one["nrmse_p95"])]
    if not front:  # they are in the table
        ax.set_axis_off()
        ax.text(0.5, 0.5, "more than 5 % of circuits are unstable", ha="center", transform=ax.transAxes)
        return ax
    name = price_name(best)
    factor = 1e6 if name == "area" else 1.0
    across = np.array([factor * one[name] for one in front])
    loss = of_network(content)
    up = np.array([_height(content, one["nrmse_p95"]) for one in front])
    power = np.array([one["power"] for one in front])
    dots: style.Look = {"s": 34.0, "linewidths": 0.5, "edgecolors": style.INK, "zorder": 3}
    if power.max() > (1.0 + _ALIKE) * power.min():
        shades = ListedColormap(style.ramp(_COLOURS))
        points = ax.scatter(across, up, c=power, cmap=shades, norm=LogNorm(power.min(), power.max()), **dots)
        bar = ax.figure.colorbar(points, ax=ax, location="top", aspect=40, pad=0.03)
        shown = np.geomspace(power.min(), power.max(), 4)
        bar.set_ticks(shown.tolist(), labels=[quantity(float(f"{p:.3g}"), "W") for p in shown])
        bar.minorticks_off()
        bar.outline.set_visible(False)  # type: ignore[operator]
        bar.set_label("Power")
    else:
        ax.scatter(across, up, color=style.BLUE, **dots)
    ring: style.Look = {
        "s": 170.0,
        "facecolors": "none",
        "edgecolors": style.INK,
        "linewidths": 1.8,
        "zorder": 4,
    }
    if best in front:
        ax.scatter([factor * best[name]], [_height(content, best["nrmse_p95"])], label="the winner", **ring)
    need = content["requirement"]["need"]
    line: style.Look = {"color": style.VERMILLION, "linewidth": 1.4, "zorder": 2}
    if (limit := need.get("loss", need.get("nrmse"))) is not None:
        height = limit if loss else 100.0 * limit
        named = f"limit {height:g}{'' if loss else ' %'}"
        ax.axhline(height, label=named, linestyle=(0, (5, 2)), **line)
        up = np.append(up, height)
    if (limit := need.get(name)) is not None:
        ax.axvline(
            factor * limit,
            label=f"limit {factor * limit:.4g}{' mm²' if name == 'area' else ''}",
            linestyle=(0, (1, 1.5)),
            **line,
        )
        across = np.append(across, factor * limit)
    _ranged(ax, "x", across)
    _ranged(ax, "y", up)
    ax.set(
        xlabel="Area (mm²)" if name == "area" else "Cost",
        ylabel="p95 of circuits, loss" if loss else "p95 of circuits, NRMSE (%)",
    )
    return style.finish(ax, {**style.LOW_LEGEND, "ncols": 3, "handlelength": 1.6})


def _height(content: Mapping[str, Any], error: float) -> float:
    """Give an error as it is drawn: a window NRMSE in percent, or a network's loss."""
    return error * error if of_network(content) else 100.0 * error


def _ranged(ax: Axes, which: Literal["x", "y"], values: np.ndarray) -> None:
    """Show all values with a margin, on a logarithmic axis where they differ much; with plain numbers."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    low, high = float(values.min()), float(values.max())
    axis = ax.xaxis if which == "x" else ax.yaxis
    if low > 0.0 and high > _WIDE * low:
        margin = (high / low) ** 0.06
        ax.set(**{f"{which}scale": "log", f"{which}lim": (low / margin, high * margin)})
        steps = (1.0, 2.0, 5.0) if high < 200.0 * low else (1.0,)
        axis.set_major_locator(LogLocator(subs=steps, numticks=15))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())
    else:
        margin = 0.06 * (high - low) or 0.05 * high
        ax.set(**{f"{which}lim": (low - margin, high + margin)})
        axis.set_major_locator(MaxNLocator(6))


def front_figure(content: Mapping[str, Any]) -> Figure:
    """Show the front, with the winner and the limits."""
    front, best = content["front"], winner_of(content)
    name, need = price_name(best), content["requirement"]["need"]
    wanted = content["requirement"]["minimise"]
    least = {"p95": "error", "parts": "number of parts"}.get(wanted, wanted)
    caption = (
        f"What 95 % of circuits keep against {name}. The ring is the winner, which has the least {least}."
    )
    if {"nrmse", "loss"} & set(need):
        caption += f" The dashed line is the limit, which {plain(need['yield'])} of circuits are to keep."
    powers = [one["power"] for one in front]
    if max(powers) <= (1.0 + _ALIKE) * min(powers):
        caption += f" All take {quantity(powers[0], 'W')}."
    if len(front) == 1:
        caption += " Nothing else is on the front: no candidate that holds is better in any of error, power and parts."
    rows = tuple(
        (
            one["design"].rpartition("/")[2].removesuffix(".toml"),
            error_text(content, one["nrmse_p95"]),
            price(one, "mm²"),
            quantity(one["power"], "W"),
            str(one["parts"]),
        )
        for one in front[:_MOST_ROWS]
    )
    of = f" (the first {_MOST_ROWS} of {len(front)})" if len(front) > _MOST_ROWS else ""
    table = Table(f"Members of the front{of}", ("design", "p95", name, "power", "parts"), rows)
    drawn = draw(lambda canvas: plot_front(content, canvas.subplots()), height=3.7)
    return figure("front", "The front", caption, drawn=drawn, table=table)


def plot_bars(
    names: Sequence[str], values: Sequence[float], notes: Sequence[str], *, label: str, ax: Axes | None = None
) -> Axes:
    """Draw bars, one below the other, with a note beside each.

    Parameters
    ----------
    names : sequence of str
    values : sequence of float, %
    notes : sequence of str
    label : str
        Of the axis.
    ax : Axes, optional
    """
    ax = style.axes(ax)
    bars = ax.barh(range(len(names)), values, color=style.BLUE, alpha=0.65, height=0.7)
    ax.bar_label(bars, list(notes), padding=4)
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.margins(x=0.18)
    ax.set_xlabel(label)
    style.finish(ax, None)
    ax.grid(visible=False, axis="y")
    return ax


def _by_cause(causes: Mapping[str, float]) -> tuple[list[str], list[float], list[str]]:
    """Give names, shares of the mean square error in percent, and the error alone; the largest first.

    A cause that makes up for another has a share below zero, and no error of its own.
    """
    total = sum(causes.values()) or 1.0
    ranked = sorted(causes, key=lambda name: -causes[name])
    shares = [100.0 * causes[name] / total for name in ranked]
    return ranked, shares, [percent(causes[name] ** 0.5) if causes[name] >= 0.0 else "" for name in ranked]


def causes_figure(causes: Mapping[str, float], *, of: str) -> Figure:
    """Show the mean square error by cause; ``of`` says whose."""
    names, shares, alone = _by_cause(causes)
    drawn_ones = [k for k, value in enumerate(shares) if abs(value) >= 100.0 * _NEGLIGIBLE] or [0]

    def plot(canvas: Any) -> None:
        chosen = [[column[k] for k in drawn_ones] for column in (names, shares, alone)]
        label = "Share of the mean square error (%)"
        plot_bars(*chosen, label=label, ax=canvas.subplots())  # type: ignore[arg-type]

    total = sum(causes.values())
    caption = (
        f"Mean square error of {of} by cause, by the law; "
        f"together {percent(max(total, 0.0) ** 0.5)} rms over all circuits. Beside the bars: NRMSE of each alone."
    )
    if left := [name for k, name in enumerate(names) if k not in drawn_ones]:
        caption += f" Less than {100.0 * _NEGLIGIBLE:g} %: {', '.join(left)}."
    rows = tuple(
        (name, percent(value / 100.0), note or "makes up for others")
        for name, value, note in zip(names, shares, alone, strict=True)
    )
    table = Table("Mean square error by cause", ("cause", "share", "NRMSE alone"), rows)
    drawn = draw(plot, height=1.0 + 0.29 * len(drawn_ones))
    return figure("causes", "Error by cause", caption, drawn=drawn, table=table)


def other_limits(near: Mapping[str, Any]) -> dict[str, Sequence[float]]:
    """Give the limits beside the error's that none keeps, of ``closest`` in ``result.json``."""
    return {name: pair for name, pair in near["beyond"].items() if name != "nrmse"}


def plot_beyond(beyond: Mapping[str, Sequence[float]], ax: Axes | None = None) -> Axes:
    """Draw the least of every figure whose limit no candidate keeps, in percent of that limit.

    Parameters
    ----------
    beyond : mapping
        Figure to the least that there is, and its limit.
    ax : Axes, optional
    """
    shares = [100.0 * over_limit(name, *pair) for name, pair in beyond.items()]
    notes = [_written(name, least) for name, (least, _) in beyond.items()]
    ax = plot_bars(list(beyond), shares, notes, label="The least that there is, in % of its limit", ax=ax)
    ax.axvline(100.0, color=style.VERMILLION, linewidth=1.4, linestyle=(0, (5, 2)))
    return ax


def beyond_figure(beyond: Mapping[str, Sequence[float]]) -> Figure:
    """Show limits that no candidate keeps: the least that there is, in percent of each."""
    rows = tuple(
        (name, _written(name, least), _written(name, limit)) for name, (least, limit) in beyond.items()
    )
    table = Table("Limits that none keeps", ("figure", "least", "limit"), rows)
    caption = (
        "Of all candidates that keep the limit of the error, the least of each figure. Dashed: its limit."
    )
    drawn = draw(lambda canvas: plot_beyond(beyond, canvas.subplots()), height=1.0 + 0.32 * len(rows))
    return figure("beyond", "What binds", caption, drawn=drawn, table=table)


def _written(name: str, value: float) -> str:
    match name:
        case "power":
            return quantity(value, "W")
        case "snr":
            return f"{value:.4g} dB"
        case "area":
            return f"{1e6 * value:.4g} mm²"
        case _:
            return f"{value:.4g}"


def plot_found(content: Mapping[str, Any], ax: Axes) -> Axes:
    """Draw the front, or without one the error of what comes closest, by cause."""
    if content["front"]:
        return plot_front(content, ax)
    near = content["closest"]
    if near is None:
        ax.set_axis_off()
        ax.text(0.5, 0.5, "no circuit can be built", ha="center", transform=ax.transAxes)
        return ax
    if beyond := other_limits(near):
        return plot_beyond(beyond, ax)
    names, shares, alone = _by_cause(near["causes"])
    return plot_bars(
        names, shares, alone, label="Share of the mean square error of what comes closest (%)", ax=ax
    )
