"""Plots of results: each takes a dataset, draws on an ``Axes`` and returns it.

Nothing is simulated here. In every plot the ideal is pale and wide, or open dots, and the circuit lies on it
as a thin coloured line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr

from lmu_analog.memory.window import readout, time_profile
from lmu_analog.output import style
from lmu_analog.output.layout import percent_along
from lmu_analog.storage.completed import circuits, completed
from lmu_analog.storage.results import FAILED, UNSTABLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lmu_analog.ensembles.taps import TapSpread


def plot_window(result: xr.Dataset, ax: Axes | None = None, at: float | None = None) -> Axes:
    """Draw the window at one instant: what it truly holds, and what the circuit remembers.

    Parameters
    ----------
    result : Dataset
        From ``simulate``.
    ax : Axes, optional
    at : float, s, optional
        The nearest instant is taken; where the window holds the most energy, unless given.
    """
    ax = style.axes(ax)
    now = result.isel(time=loudest(result)) if at is None else result.sel(time=at, method="nearest")
    r = np.linspace(0.0, 1.0, 301)
    ax.plot(
        now.delay, now.window, "o", color=style.INK, markerfacecolor="none", markersize=5, alpha=0.65,
        label="ideal window u(t − rθ)",
    )  # fmt: skip
    curve = readout(result.sizes["state"], r) @ now.states.values
    ax.plot(r, curve, color=style.BLUE, linewidth=1.8, label=_circuit(result))
    scale, unit = style.scale(result.attrs["theta"], "s")
    seconds = ax.secondary_xaxis("top", functions=style.linear(result.attrs["theta"] / scale))
    seconds.set_xlabel(f"Delay rθ ({unit})")
    instant, its_unit = style.scale(max(abs(float(now.time)), 1e-12), "s")
    ax.set_title(f"t = {float(now.time) / instant:.4g} {its_unit}", loc="right", fontsize="medium")
    ax.set(xlabel="Delay r (θ);  0 = now, 1 = oldest", ylabel="Input u (V)", xlim=(0.0, 1.0))
    return style.finish(ax, style.LOW_LEGEND)


def loudest(result: xr.Dataset) -> int:
    """Index of the instant at which the ideal window holds the most energy."""
    return int((result.window**2).sum("delay").values.argmax())


def plot_traces(
    result: xr.Dataset, ax: Axes | None = None, delays: Sequence[float] = (0.0, 0.5, 1.0)
) -> Axes:
    """Draw delayed inputs and their estimates over time, one below the other as on an oscilloscope.

    Parameters
    ----------
    result : Dataset
        From ``simulate``.
    ax : Axes, optional
    delays : sequence of float, theta
        The nearest points of ``result.delay`` are drawn.
    """
    places = [result.sel(delay=delay, method="nearest") for delay in delays]
    traces = [(f"r = {float(here.delay):.2f}", here.window, here.estimate) for here in places]
    peak = float(np.abs(result.window).max())
    ax = _set_apart(result, traces, style.axes(ax), peak=peak, ideal="ideal u(t − rθ)")
    ax.set_ylabel("u(t − rθ) (V), traces set apart")
    return ax


def plot_taps(result: xr.Dataset, ax: Axes | None = None, count: int = 6) -> Axes:
    """Draw taps over time, and what they are to show, one below the other as on an oscilloscope.

    Parameters
    ----------
    result : Dataset
        From ``simulate``, of a circuit with taps.
    ax : Axes, optional
    count : int
        The first so many are drawn.
    """
    taps = [result.isel(tap=k) for k in range(min(count, result.sizes["tap"]))]
    traces = [(str(here.tap.values), here.ideal_taps, here.taps) for here in taps]
    peak = max(float(np.abs(here.ideal_taps).max()) for here in taps)
    ax = _set_apart(result, traces, style.axes(ax), peak=peak, ideal="what it is to show")
    ax.set_ylabel("Voltage (V), taps set apart")
    return ax


def _set_apart(
    result: xr.Dataset,
    traces: Sequence[tuple[str, xr.DataArray, xr.DataArray]],
    ax: Axes,
    *,
    peak: float,
    ideal: str,
) -> Axes:
    """Draw named pairs of ideal and actual traces over time, each with its own zero."""
    scale, unit = style.scale(float(result.time.max()), "s")
    mark = float(f"{peak:.0e}") if float(f"{peak:.0e}") <= peak else float(f"{0.75 * peak:.0e}")
    ticks, labels = [], []
    for k, (name, wanted, actual) in enumerate(traces):
        middle = -2.5 * peak * k
        names = (ideal, _circuit(result)) if k == 0 else (None, None)
        ax.plot(result.time / scale, middle + wanted, **style.PALE, label=names[0])
        ax.plot(result.time / scale, middle + actual, color=style.BLUE, linewidth=1.3, label=names[1])
        ticks += [middle - mark, middle, middle + mark]
        labels += [f"{-mark:g}".replace("-", "−"), "0", f"{mark:g}"]
        ax.text(1.02, middle, name, transform=ax.get_yaxis_transform(), va="center")
    ax.set_yticks(ticks, labels)
    ax.set(xlabel=f"Time ({unit})")
    ax.margins(x=0.0)
    return style.finish(ax, {**style.TOP_LEGEND, "ncols": 2})


def plot_tap_spread(
    spreads: Sequence[TapSpread],
    ax: Axes | None = None,
    *,
    nominal: Mapping[str, float] | None = None,
    limit: float | None = None,
) -> Axes:
    """Draw the NRMSE of every tap over an ensemble, a row a tap: 5 % to 95 % as a bar, the median as a mark.

    Parameters
    ----------
    spreads : sequence of TapSpread
        From ``ensembles.taps.tap_spreads``.
    ax : Axes, optional
    nominal : mapping of str to float, optional
        Errors of the circuit without mismatch by name, fractions.
    limit : float, fraction, optional
    """
    ax = style.axes(ax)
    told: set[str] = set()

    def once(label: str) -> str | None:
        first = label not in told
        told.add(label)
        return label if first else None

    for k, tap in enumerate(spreads):
        low, middle, high = (tap.nrmse[key] for key in ("p05", "median", "p95"))
        if low is not None and middle is not None and high is not None:
            ax.plot([100.0 * low, 100.0 * high], [k, k], **style.PALE, label=once("5 % to 95 % of circuits"))
            ax.plot(100.0 * middle, k, "o", color=style.BLUE, label=once("median"))
            text = f"{100.0 * middle:.3g} %"
            ax.annotate(text, (100.0 * middle, k), (0.0, 7.0), textcoords="offset points", ha="center")
        if nominal and tap.name in nominal:
            hollow: style.Look = {"color": style.INK, "markerfacecolor": "none", "label": once("nominal")}
            ax.plot(100.0 * nominal[tap.name], k, "D", markersize=5, **hollow)
    if limit is not None:
        ax.axvline(
            100.0 * limit, color=style.VERMILLION, linewidth=1.6, label=f"limit  {100.0 * limit:.3g} %"
        )
    ax.set_yticks(range(len(spreads)), [tap.name for tap in spreads])
    ax.set_ylim(len(spreads) - 0.4, -0.75)
    percent_along(ax)
    ax.set(xlabel="NRMSE of the tap (% of rms(u))")
    return style.finish(ax, style.LOW_LEGEND)


def plot_profile(results: xr.Dataset | Mapping[str, xr.Dataset], ax: Axes | None = None) -> Axes:
    """Draw the NRMSE against delay r, in %, on a logarithmic axis.

    Parameters
    ----------
    results : Dataset, or dict of Dataset
        From ``simulate``, one a label: with the truncation of the ideal memory beneath. Or from
        ``monte_carlo`` (known by its dimension ``sample``): the median and the band from p05 to p95.
    ax : Axes, optional
        May have a profile already.
    """
    ax = style.axes(ax)
    named = {results.attrs.get("engine", ""): results} if isinstance(results, xr.Dataset) else results
    for k, (name, result) in enumerate(named.items()):
        if "sample" in result.dims:
            _band(ax, result)
            continue
        if k == 0:
            rms = float(np.sqrt((result.input**2).mean()))
            ideal = result.ideal_states.values
            profile = time_profile(ideal, result.window.values, rms)
            ax.plot(result.delay, 100.0 * profile, **style.PALE, label="ideal memory (truncation)")
        ax.plot(result.delay, 100.0 * result.profile, **style.ENGINE_STYLE[k % 2], label=f"circuit ({name})")
    ax.set(xlabel="Delay r (θ);  0 = now, 1 = oldest", ylabel="NRMSE (% of rms(u))", xlim=(0.0, 1.0))
    style.percent_axis(ax)
    return style.finish(ax, style.LOW_LEGEND)


def _band(ax: Axes, run: xr.Dataset) -> None:
    run = completed(run)
    finite = run.profile.values[np.isfinite(run.window_nrmse.values)]
    if len(finite):
        p05, median, p95 = 100.0 * np.percentile(finite, [5.0, 50.0, 95.0], axis=0)
        look: style.Look = {"color": style.PURPLE, "alpha": 0.3, "linewidth": 0.0}
        ax.fill_between(run.delay, p05, p95, **look, label="mismatch, p05 to p95")
        ax.plot(run.delay, median, color=style.PURPLE, linewidth=1.4, label="mismatch, median")


def plot_histogram(
    run: xr.Dataset, ax: Axes | None = None, limit: float | None = None, *, nominal: float | None = None
) -> Axes:
    """Draw the window NRMSE of an ensemble.

    Parameters
    ----------
    run : Dataset
        From ``monte_carlo``.
    ax : Axes, optional
    limit : float, fraction, optional
        Largest error allowed; a bar edge falls on it, and bars beyond it are hatched.
    nominal : float, fraction, optional
        Error of the circuit without mismatch.
    """
    ax, run = style.axes(ax), completed(run)
    errors = run.window_nrmse.values[np.isfinite(run.window_nrmse.values)]
    counted = {"unstable": int((run.status == UNSTABLE).sum()), "failed": int((run.status == FAILED).sum())}
    marks: list[tuple[str, float | None, str, object]] = [("nominal", nominal, style.INK, (0, (1, 1.5)))]
    if len(errors):
        edges = histogram_edges(errors, limit)
        counted["beyond the axis"] = int((errors > edges[-1]).sum())
        _bars(ax, np.histogram(errors, edges)[0], edges, limit=limit)
        median, p95 = np.percentile(errors, [50.0, 95.0])
        marks += [("median", float(median), style.BLUE, "-"), ("p95", float(p95), style.BLUE, "--")]
    for name, value, colour, dashes in [*marks, ("limit", limit, style.VERMILLION, "-")]:
        if value is not None:
            label = f"{name}  {100 * value:.3g} %"
            ax.axvline(100.0 * value, color=colour, linestyle=dashes, linewidth=1.6, label=label)
    shown = [f"{number} {name}" for name, number in counted.items() if number or name != "beyond the axis"]
    ax.set_title(f"{circuits(run)}: {', '.join(shown)}", loc="left", fontsize="medium")
    ax.set(xlabel="Window NRMSE (% of rms(u))", ylabel="Circuits")
    style.count_axis(ax)
    return style.finish(ax, style.LOW_LEGEND)


def _bars(ax: Axes, count: np.ndarray, edges: np.ndarray, *, limit: float | None) -> None:
    bad = edges[:-1] >= (np.inf if limit is None else limit * (1.0 - 1e-9))
    good_look: style.Look = {"facecolor": style.BLUE, "alpha": 0.55}
    bad_look: style.Look = {"facecolor": style.VERMILLION, "hatch": "///"}
    for where, look in ((~bad, good_look), (bad, bad_look)):
        left, width = 100.0 * edges[:-1][where], 100.0 * np.diff(edges)[where]
        ax.bar(left, count[where], width, align="edge", edgecolor=style.INK, linewidth=0.4, **look)


def histogram_edges(errors: np.ndarray, limit: float | None) -> np.ndarray:
    """Choose bar edges, fractions, with one on the limit; a far tail (beyond 3 p95) is left out."""
    kept = errors[errors <= 3.0 * np.percentile(errors, 95.0)]
    low, high = float(kept.min()), float(kept.max())
    if not high - low > 1e-9 * high:
        high = low * (1.0 + 1e-6) + 1e-12
    edges = np.histogram_bin_edges(kept, bins=int(np.clip(2.0 * len(kept) ** 0.4, 5, 40)), range=(low, high))
    if limit is None or not low < limit < high:
        return edges
    width = edges[1] - edges[0]
    first, last = np.floor((low - limit) / width), np.ceil((high - limit) / width)
    return limit + width * np.arange(first, last + 1.0)


def plot_bode(
    response: xr.Dataset,
    ax: Axes | None = None,
    *,
    of: Literal["state", "tap"] = "state",
    quantity: Literal["magnitude", "phase"] = "magnitude",
) -> Axes:
    """Draw magnitude (dB) or phase (degrees) over frequency; the band of the signal is shaded.

    Parameters
    ----------
    response : Dataset
        From ``figures.bode``.
    ax : Axes, optional
    of : {"state", "tap"}
        The Legendre states m_i, or the window's estimate at single delays r.
    quantity : {"magnitude", "phase"}
    """
    ax = style.axes(ax)
    circuit, ideal = response[f"{of}_{quantity}"], response[f"ideal_{of}_{quantity}"]
    places = response[circuit.dims[-1]].values
    named = set(np.linspace(0, len(places) - 1, min(len(places), style.MOST_LABELS)).round().astype(int))
    colours = style.ramp(len(places))
    for k, place in enumerate(places):
        name = f"m{place}".translate(style.LOWER) if of == "state" else f"r = {place:g}"
        pale: style.Look = {**style.PALE, "linewidth": 3.0, "label": "ideal" if k == 0 else None}
        thin: style.Look = {"color": colours[k], "linewidth": 1.3, "label": name if k in named else None}
        ax.plot(response.frequency, ideal[:, k], **pale)
        ax.plot(response.frequency, circuit[:, k], **thin)
    lowest, highest = response.frequency.values[0], response.attrs["bandwidth"]
    ax.axvspan(lowest, highest, color=style.INK, alpha=0.07, linewidth=0.0)
    style.frequency_axis(ax)
    what = "Legendre states" if of == "state" else "Window taps"
    label = f"{what}: |m/u| (dB)" if of == "state" else f"{what}: |û/u| (dB)"
    ax.set(xlabel="Frequency (Hz)", ylabel=label if quantity == "magnitude" else f"{what}: phase (°)")
    ax.margins(x=0.0)
    if quantity == "magnitude":
        bottom, top = ax.get_ylim()
        ax.set_ylim(max(bottom, style.LOWEST_DB), top)
    tight = {"ncols": 7, "columnspacing": 0.9, "handlelength": 0.9, "handletextpad": 0.5}
    return style.finish(ax, {**style.TOP_LEGEND, **tight})


def plot_elements(sensitivity: xr.Dataset, ax: Axes | None = None, count: int = 12) -> Axes:
    """Draw the elements that matter: their shares of the error's variance, and the error of each alone.

    Parameters
    ----------
    sensitivity : Dataset
        From ``sensitivity.elements``: ``share`` and ``excess`` over ``element``, largest first.
    ax : Axes, optional
    count : int
        Elements drawn; of the others a note gives the sum.
    """
    ax = style.axes(ax)
    top = sensitivity.isel(element=slice(count))
    names = [str(name).replace("$", r"\$") for name in top.element.values]
    bars = ax.barh(range(len(names)), 100.0 * top.share, color=style.BLUE, alpha=0.65, height=0.7)
    ax.bar_label(bars, [f"{100.0 * added:.3g} %" for added in top.excess.values], padding=4)
    if rest := sensitivity.sizes["element"] - len(names):
        share = 100.0 * float(sensitivity.share[count:].sum())
        ax.set_title(f"{rest} others: {share:.3g} % of the variance", loc="right", fontsize="medium")
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.set(xlabel="Share of the variance (%);  beside the bars: NRMSE alone")
    ax.margins(x=0.12)
    style.finish(ax, None)
    ax.grid(visible=False, axis="y")
    return ax


def _circuit(result: xr.Dataset) -> str:
    return f"circuit ({result.attrs.get('engine', 'measured')})"
