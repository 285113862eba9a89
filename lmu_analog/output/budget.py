"""The error budget for people and scripts: error contributors, figures of merit, and a stacked plot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from lmu_analog.analysis.budget import budget
from lmu_analog.analysis.figures_of_merit import FiguresOfMerit, figures_of_merit
from lmu_analog.building import build
from lmu_analog.design import Design
from lmu_analog.limits import limit_warnings
from lmu_analog.output import style
from lmu_analog.output.figures import Figure, figure
from lmu_analog.output.stability import corner_rows
from lmu_analog.output.summary import records
from lmu_analog.output.svg import draw
from lmu_analog.output.text_tables import Table, percent, quantity
from lmu_analog.units import write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, those of contributors that are often large the most different.
COLOURS = (
    style.BLUE, style.SKY, style.PURPLE, style.GREEN,
    style.YELLOW, style.ORANGE, style.GREY, style.VERMILLION,
)  # fmt: skip
_NEGLIGIBLE = 1e-9  # share of the power; differences of mean squares leave rounding below it
NAMES = {
    "truncation": "truncation of the order",
    "values": "element values",
    "gain": "finite gain",
    "speed": "finite bandwidth",
    "offset": "offsets",
    "mismatch": "mismatch",
    "noise": "noise",
    "distortion": "rails, slew, distortion",
}


# SINAD is the signal over what is not in the signal: noise and distortion (IEEE Std 1241). A window that is linear and
# wrong has as many bits as one that is right.
_LEFT_OUT_OF_SINAD = ("truncation", "values", "gain", "speed", "offset", "mismatch")
SINAD = (
    "SINAD and ENOB count noise and distortion alone. They leave out what follows the input linearly, or is constant: "
    "truncation, element values, gain, bandwidth, mismatch and offsets; the signal over all errors has these too."
)


def as_json(found: xr.Dataset, figures: FiguresOfMerit, warnings: Sequence[str] = ()) -> dict[str, Any]:
    """Give the budget and the figures of merit as one object; what a family does not have is null.

    ``warnings``: which parts of the circuit cannot give what the signal asks.
    """
    attrs = found.attrs
    mean = attrs["measured_nrmse"] ** 2
    return {
        **{key: attrs[key] for key in ("order", "family", "realization")},
        "measured_nrmse": attrs["measured_nrmse"],
        "remainder_share": attrs["remainder_share"],
        **{key: attrs[key] for key in ("engine", "samples", "drawn", "left_out")},
        "causes": [
            {**row, "share": row["power"] / mean}
            for row in records(found, {"cause": "cause", "rms": "mean_alone", "power": "mean_power"})
        ],
        "places": records(
            found, {"r": "place", "window_db": "window_db", "sinad_db": "sinad_db", "enob": "enob"}
        ),
        "sinad_leaves_out": list(_LEFT_OUT_OF_SINAD),
        "merits": {**asdict(figures), "joint_error": figures.joint_error},
        "warnings": list(warnings),
    }


def budget_of(design: Design, *, samples: int, seed: int) -> tuple[dict[str, Any], xr.Dataset]:
    """Give what the command ``budget`` says, and the dataset that its plot shows."""
    found = budget(design, samples=samples, seed=seed)
    warned = limit_warnings(build(design), design.stimulus, random="opamp" in design.mismatch)
    return as_json(found, figures_of_merit(design), warned), found


def text(content: dict[str, Any]) -> str:
    """Lay out the object of ``budget``."""
    lines = [
        f"error budget: {content['family']}, {content['realization']}, order {content['order']}; "
        f"{content['samples']} of {content['drawn']} circuits, {content['engine']} engine",
        f"{'contributor':<26}{'rms alone':>12}{'share':>14}",
    ]
    for row in content["causes"]:
        lines.append(f"{NAMES[row['cause']]:<26}{percent(row['rms']):>12}{_share(row['share']):>14}")
    lines.append(f"{'remainder':<26}{'':>12}{_share(content['remainder_share']):>14}")
    lines += [f"{'all at once':<26}{percent(content['measured_nrmse']):>12}", ""]
    lines.append(f"{'r':<8}{'over all errors':>18}{'SINAD':>12}{'ENOB':>8}")
    for row in content["places"]:
        decibels = f"{row['window_db']:>15.4g} dB{row['sinad_db']:>9.4g} dB"
        lines.append(f"{row['r']:<8g}{decibels}{row['enob']:>8.3g}")
    lines += wrap(SINAD, 88)
    lines += ["", *(f"{name:<36}{value:>12}" for name, value in _figure_rows(content["merits"]))]
    lines.append(f"supply rejection: {content['merits']['psrr_note']}")
    lines += [f"not known of {content['family']}: {name}" for name in content["left_out"]]
    lines += [f"  warning: {line}" for line in content["warnings"]]
    return "\n".join(lines)


def _share(value: float) -> str:
    """Write a share of the power; rounding is none."""
    return percent(0.0 if abs(value) < _NEGLIGIBLE else value)


def _figure_rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    def shown(value: float | None, unit: str = "") -> str:
        if value is None:
            return "none"
        return quantity(value, unit) if unit else f"{value:.4g}"

    return [
        ("effective theta", write(found["theta_eff"], "s")),
        ("group delay, spread", percent(found["delay_flatness"])),
        ("largest swing", shown(found["swing"], "V")),
        ("headroom", percent(found["headroom"])),
        ("slew margin", shown(found["slew_margin"])),
        ("output current margin", shown(found["current_margin"])),
        ("THD at full scale", "0 (linear)" if found["thd"] == 0.0 else percent(found["thd"])),
        ("settling to 0.1 %", shown(found["settling"], "s")),
        ("offset at the window", shown(found["offset"], "V")),
        ("largest real part", f"{found['growth']:.4g} 1/s"),
        ("one element found unstable at", percent(found["single_error"])),
        *corner_rows(found),
        ("supply rejection", _decibels(found["psrr"])),
        ("the same, all of one sign", _decibels(found["psrr_one_sign"])),
        ("the same, worst signs found", _decibels(found["psrr_worst"])),
        ("and certainly no less than", _decibels(found["psrr_bound"])),
    ]


def _decibels(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g} dB"


def plot_budget(found: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw the mean square error over the window, stacked by contributor, and the error of all at once.

    Parameters
    ----------
    found : Dataset
        From ``analysis.budget.budget``. A contributor that undoes another's error hangs below zero.
    ax : Axes, optional
    """
    ax = style.axes(ax)
    power = 1e4 * found.power.values
    floors = {1.0: np.zeros(found.sizes["delay"]), -1.0: np.zeros(found.sizes["delay"])}
    for colour, name, part in zip(COLOURS, found.cause.values, power, strict=True):
        for sign, floor in floors.items():
            top = floor + sign * np.maximum(sign * part, 0.0)
            label = NAMES[str(name)] if sign > 0.0 else None
            ax.fill_between(found.delay, floor, top, color=colour, alpha=0.75, linewidth=0.0, label=label)
            floors[sign] = top
    ax.plot(found.delay, 1e4 * found.measured, color=style.INK, linewidth=1.8, label="all at once")
    ax.set(xlabel="Delay r (θ)", ylabel="Mean square error (%² of rms(u))", xlim=(0.0, 1.0))
    return style.finish(ax, style.LOW_LEGEND)


def budget_tables(content: dict[str, Any]) -> tuple[Table, Table, Table]:
    """Make the tables of the report from the object of ``as_json``: contributors, places, figures of merit."""
    contributors = [
        (NAMES[row["cause"]], percent(row["rms"]), _share(row["share"])) for row in content["causes"]
    ]
    contributors += [
        ("remainder", "", _share(content["remainder_share"])),
        ("all at once", percent(content["measured_nrmse"]), "100 %"),
    ]
    places = [
        (f"{row['r']:g}", f"{row['window_db']:.4g}", f"{row['sinad_db']:.4g}", f"{row['enob']:.3g}")
        for row in content["places"]
    ]
    columns = ("r (θ)", "signal over all errors (dB)", "SINAD (dB)", "ENOB")
    return (
        Table(
            "Error by contributor", ("contributor", "rms alone", "share of the power"), tuple(contributors)
        ),
        Table(f"As a converter. {SINAD}", columns, tuple(places)),
        Table("Figures of merit", ("figure", "value"), tuple(_figure_rows(content["merits"]))),
    )


def budget_figure(content: dict[str, Any], found: xr.Dataset) -> Figure:
    """Show the budget over the window, and its contributors as a table."""
    drawn = draw(lambda canvas: plot_budget(found, canvas.subplots()), height=4.4)
    caption = (
        "Each contributor turned on alone, stacked; the line is the circuit with all of them at once. "
        f"The remainder is {_share(content['remainder_share'])} of the power."
    )
    return figure("budget", "Error budget", caption, drawn=drawn, table=budget_tables(content)[0])
