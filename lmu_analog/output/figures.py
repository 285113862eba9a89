"""Figures of the report: a plot as inline SVG, what it shows in words, and its numbers as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from markupsafe import Markup

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.ensembles.taps import TapSpread
from lmu_analog.ensembles.yields import percentiles
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.sampled import steady_response
from lmu_analog.memory.statespace import frequency_response
from lmu_analog.memory.window import readout
from lmu_analog.output import plots
from lmu_analog.output.style import LOWEST_DB
from lmu_analog.output.svg import draw, is_narrow, picture
from lmu_analog.output.text_tables import Table, percent, quantity

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_TAPS = np.array([0.0, 0.5, 1.0])  # theta
_POINTS_A_DECADE = 60
_MOST_TAPS = 6  # drawn over time
_MOST_ROWS = 64  # of a table below a figure; a longer one is thinned evenly


@dataclass(frozen=True)
class Figure:
    """A drawing, what it shows, and its numbers.

    Attributes
    ----------
    key : str
        Prefix of all ids in the drawing.
    title, caption : str
    picture : Markup
        An ``<svg>`` element that needs nothing outside it but the page's colours, or an ``<img>`` that holds
        its own pixels.
    table : Table
    is_narrow : bool
        Whether a wide page has room for the caption beside it.
    """

    key: str
    title: str
    caption: str
    picture: Markup
    table: Table
    is_narrow: bool


def bode(circuit: Circuit, *, bandwidth: float) -> xr.Dataset:
    """Evaluate what ``plots.plot_bode`` draws: states and window taps of a circuit and of the ideal memory.

    Parameters
    ----------
    circuit : Circuit
        Linear, or linear between its sampling instants.
    bandwidth : float, Hz
        Highest input frequency, kept in the attributes.

    Returns
    -------
    xarray.Dataset
        ``state_magnitude`` (dB) and ``state_phase`` (degrees) over (frequency, state), ``tap_magnitude`` and
        ``tap_phase`` over (frequency, delay), and the same with ``ideal_`` before it. Phases are continuous
        and NaN where the ideal magnitude is below -100 dB.
    """
    unit = max(bandwidth, 1.0 / circuit.theta)
    low, high = 0.01 * min(bandwidth, 1.0 / circuit.theta), 10.0 * unit
    if circuit.clock is not None:
        high = min(high, 0.49 * circuit.clock)
    frequency = np.geomspace(low, high, int(_POINTS_A_DECADE * np.log10(high / low)))
    rows = readout(circuit.order, _TAPS)
    ideal = frequency_response(legendre(circuit.order, circuit.theta), frequency)
    actual = steady_response(extract(circuit), frequency)
    variables: dict[str, tuple[tuple[str, str], np.ndarray, dict[str, str]]] = {}
    pairs = {"state": (actual, ideal), "tap": (actual @ rows.T, ideal @ rows.T)}
    for name, (a, b) in pairs.items():
        over = ("frequency", "state" if name == "state" else "delay")
        phase = _continuous(b, np.angle(b))
        # The circuit's phase follows the ideal one, so the two never lie whole turns apart.
        phases = {"": (a, phase + _continuous(b, np.angle(a / b))), "ideal_": (b, phase)}
        for prefix, (response, angle) in phases.items():
            decibel = 20.0 * np.log10(np.maximum(np.abs(response), 1e-30))
            variables[f"{prefix}{name}_magnitude"] = over, decibel, {"units": "dB"}
            variables[f"{prefix}{name}_phase"] = over, np.rad2deg(angle), {"units": "degree"}
    coords = {
        "frequency": ("frequency", frequency, {"units": "Hz"}),
        "state": np.arange(circuit.order),
        "delay": ("delay", _TAPS, {"units": "theta"}),
    }
    return xr.Dataset(variables, coords, {"bandwidth": bandwidth, "theta": circuit.theta})


def _continuous(response: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Unwrap every column of angles over the stretch where the response is above the floor."""
    unwrapped = np.full(angle.shape, np.nan)
    for column in range(angle.shape[1]):
        heard = np.abs(response[:, column]) > 10.0 ** (LOWEST_DB / 20.0)
        unwrapped[heard, column] = np.unwrap(angle[heard, column])
    return unwrapped


def figure(key: str, title: str, caption: str, *, drawn: Canvas, table: Table) -> Figure:
    """Give what was drawn with what it shows and its numbers."""
    shown = picture(drawn, key=key, title=title, about=caption)
    return Figure(key, title, caption, shown, table, is_narrow(drawn))


def window_figure(result: xr.Dataset) -> Figure:
    """Show the window at its loudest instant."""
    now = result.isel(time=plots.loudest(result))
    drawn = draw(lambda canvas: plots.plot_window(result, canvas.subplots()), height=3.6)
    caption = (
        f"What the sliding window holds at t = {quantity(float(now.time), 's')}, the instant of its largest "
        "energy, against what the circuit's states give back."
    )
    columns = {"r (θ)": now.delay, "ideal (V)": now.window, "circuit (V)": now.estimate}
    table = _columns("Window at one instant", columns)
    return figure("window", "Window reconstruction", caption, drawn=drawn, table=table)


def traces_figure(result: xr.Dataset) -> Figure:
    """Show three delays over time."""
    drawn = draw(lambda canvas: plots.plot_traces(result, canvas.subplots()), height=3.9)
    caption = "The input at the newest, middle and oldest place of the window, and the circuit's estimates."
    columns: dict[str, Any] = {"time (s)": result.time}
    for delay in _TAPS:
        here = result.sel(delay=delay, method="nearest")
        columns |= {f"ideal, r = {delay:g} (V)": here.window, f"circuit, r = {delay:g} (V)": here.estimate}
    return figure(
        "traces", "Delayed inputs over time", caption, drawn=drawn, table=_columns("Traces", columns)
    )


def taps_figure(result: xr.Dataset) -> Figure:
    """Show taps over time."""
    shown = min(_MOST_TAPS, result.sizes["tap"])
    drawn = draw(lambda c: plots.plot_taps(result, c.subplots(), shown), height=1.5 + 0.8 * shown)
    caption = "The voltages of the taps, and what they are to show times their gains."
    if shown < result.sizes["tap"]:
        caption += f" The first {shown} of {result.sizes['tap']}."
    columns: dict[str, Any] = {"time (s)": result.time}
    for k, name in enumerate(result.tap.values[:shown]):
        here = result.isel(tap=k)
        columns |= {f"to show, {name} (V)": here.ideal_taps, f"{name} (V)": here.taps}
    return figure("taps", "Taps over time", caption, drawn=drawn, table=_columns("Taps over time", columns))


def tap_spread_figure(
    spreads: Sequence[TapSpread], *, limit: float | None, nominal: Mapping[str, float]
) -> Figure:
    """Show the errors of the taps of an ensemble."""
    height = 1.6 + 0.42 * len(spreads)
    drawn = draw(
        lambda c: plots.plot_tap_spread(spreads, c.subplots(), limit=limit, nominal=nominal), height=height
    )
    keys = ("mean", "median", "p05", "p95")
    rows = tuple((tap.name, *(percent(tap.nrmse[key]) for key in keys)) for tap in spreads)
    table = Table("NRMSE of the taps", ("tap", *keys), rows)
    caption = "NRMSE of every tap, of all circuits of the ensemble."
    return figure("tap-spread", "Spread of the taps", caption, drawn=drawn, table=table)


def profile_figure(results: Mapping[str, xr.Dataset], run: xr.Dataset | None) -> Figure:
    """Show the error against delay, of every engine and of the ensemble."""
    shown = {**results, **({"mismatch": run} if run is not None else {})}
    drawn = draw(lambda canvas: plots.plot_profile(shown, canvas.subplots()), height=3.6)
    caption = "Error of every place in the window. Pale: what the ideal memory of this order already lacks."
    first = next(iter(shown.values()))
    columns: dict[str, Any] = {"r (θ)": first.delay}
    columns |= {f"{name} (%)": 100.0 * result.profile for name, result in results.items()}
    if run is not None and len(finite := run.profile.values[np.isfinite(run.window_nrmse.values)]):
        for q in (5, 50, 95):
            columns[f"mismatch p{q:02} (%)"] = 100.0 * np.percentile(finite, q, axis=0)
    table = _columns("NRMSE against delay r", columns)
    return figure("profile", "NRMSE against delay r", caption, drawn=drawn, table=table)


def histogram_figure(run: xr.Dataset, *, limit: float | None, nominal: float | None) -> Figure:
    """Show the errors of an ensemble."""
    drawn = draw(lambda c: plots.plot_histogram(run, c.subplots(), limit, nominal=nominal), height=3.4)
    errors = run.window_nrmse.values[np.isfinite(run.window_nrmse.values)]
    rows: list[tuple[str, str]] = []
    if len(errors):
        edges = plots.histogram_edges(errors, limit)
        count, _ = np.histogram(errors, edges)
        for low, high, number in zip(edges[:-1], edges[1:], count, strict=True):
            rows.append((f"{100.0 * low:.4g} to {100.0 * high:.4g}", str(number)))
    table = Table("Circuits in every interval", ("Window NRMSE (%)", "circuits"), tuple(rows))
    spread = percentiles(run)
    middle, high = percent(spread["median"]), percent(spread["p95"])
    hatched = "" if limit is None else " Hatched: beyond the limit."
    caption = f"Window NRMSE of every circuit: median {middle}, p95 {high}.{hatched}"
    return figure("histogram", "Spread", caption, drawn=drawn, table=table)


def bode_figure(response: xr.Dataset) -> Figure:
    """Show the frequency responses of states and taps."""

    def panels(canvas: Canvas) -> None:
        grid = canvas.subplots(4, 1, sharex=True)
        rows: list[tuple[Literal["state", "tap"], Literal["magnitude", "phase"]]]
        rows = [("state", "magnitude"), ("state", "phase"), ("tap", "magnitude"), ("tap", "phase")]
        for ax, (of, quantity_) in zip(grid, rows, strict=True):
            plots.plot_bode(response, ax, of=of, quantity=quantity_)
            ax.set_ylabel(ax.get_ylabel().partition(": ")[2])  # whose it is, the caption says
            if quantity_ == "phase":
                ax.get_legend().remove()
            if ax is not grid[-1]:
                ax.set_xlabel("")

    caption = (
        "Above: the Legendre states; below: the estimate û of u(t − rθ). Pale: the ideal memory. "
        f"Shaded: the signal band, up to {quantity(response.attrs['bandwidth'], 'Hz')}."
    )
    return figure("bode", "Bode plots", caption, drawn=draw(panels, height=7.6), table=_bode_table(response))


def _bode_table(response: xr.Dataset) -> Table:
    part = response.isel(frequency=_thin(response.sizes["frequency"], 24))
    columns: dict[str, Any] = {"frequency": [quantity(f, "Hz") for f in part.frequency.values]}
    taps, states = [f"r = {r:g}" for r in _TAPS], [f"m{i}" for i in response.state.values]
    for of, places in (("tap", taps), ("state", states)):
        for k, name in enumerate(places):
            decibels, angles = part[f"{of}_magnitude"].values[:, k], part[f"{of}_phase"].values[:, k]
            columns[name] = [
                f"{decibel:.2f} dB" + (f" ∠ {angle:.1f}°" if np.isfinite(angle) else "")
                for decibel, angle in zip(decibels, angles, strict=True)
            ]
    return _columns("Circuit: magnitude and phase", columns)


def elements_figure(sensitivity: xr.Dataset, *, values: Mapping[str, str]) -> Figure:
    """Show which elements matter; ``values`` writes their nominal values by name."""
    count = min(12, sensitivity.sizes["element"])
    height = 1.0 + 0.25 * (count + 1)
    drawn = draw(lambda canvas: plots.plot_elements(sensitivity, canvas.subplots(), count), height=height)
    top = sensitivity.isel(element=slice(_MOST_ROWS))
    rows = zip(
        (str(name) for name in top.element.values),
        (values.get(str(name), "–") for name in top.element.values),
        (percent(share) for share in top.share.values),
        (percent(total) for total in np.cumsum(top.share.values)),
        (percent(added) for added in top.excess.values),
        strict=True,
    )
    columns = ("element", "nominal", "share of variance", "cumulated", "NRMSE alone")
    caption = (
        "First-order theory: what each element's mismatch alone adds, by its share of the variance. "
        f"All together predict {percent(sensitivity.attrs.get('predicted_rms'))} of rms(u)."
    )
    title = f"The first {top.sizes['element']} of {sensitivity.sizes['element']} elements"
    table = Table(title, columns, tuple(rows))
    return figure("elements", "Elements by effect", caption, drawn=drawn, table=table)


def _columns(caption: str, columns: Mapping[str, Iterable[Any]]) -> Table:
    """Make a table of columns of equal length, thinned where it is long."""
    lists = [list(c.values if isinstance(c, xr.DataArray) else c) for c in columns.values()]
    kept = _thin(len(lists[0]), _MOST_ROWS)
    if len(kept) < len(lists[0]):
        caption = f"{caption} ({len(kept)} of {len(lists[0])} rows)"
    cells = [[v if isinstance(v, str) else f"{v:.5g}" for v in (column[k] for k in kept)] for column in lists]
    return Table(caption, tuple(columns), tuple(zip(*cells, strict=True)))


def _thin(length: int, most: int) -> np.ndarray:
    return np.unique(np.linspace(0, length - 1, min(length, most)).round().astype(int))
