"""A page for the person with the board: what to connect, what to find where, and how to record it; with its numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lmu_analog.analysis.faults import alike
from lmu_analog.analysis.resources import resources
from lmu_analog.analysis.testplan import Spread, TapPlan, TestPlan, plan_of
from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit, Output
from lmu_analog.circuits.components import GROUND, Follower
from lmu_analog.circuits.interface import REFERENCE
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.files_out import write_text
from lmu_analog.output import html, style
from lmu_analog.output.figures import Figure, figure
from lmu_analog.output.report.taps import shows
from lmu_analog.output.summary import dumps, laws
from lmu_analog.output.svg import draw
from lmu_analog.output.text_tables import Table, quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_INSTANTS = (0.25, 0.5, 1.0, 1.5, 2.0)  # theta after the step, of the table
_RATE = 100  # samples in a theta that a recorder should take
_ACROSS = 2  # panels side by side
_MOST_PANELS = 12  # points whose step response is drawn


def write_testplan(design: Design, path: Path | str, *, design_file: str = "design.toml") -> Path:
    """Write the page, and its numbers beside it as JSON.

    Parameters
    ----------
    design : Design
    path : Path
        Ends in .html; the numbers go to the same name with .json.
    design_file : str
        As the command for the recording names it.

    Raises
    ------
    DesignError
        If the name does not suit, or the circuit has no linear answer to expect.
    """
    path = Path(path)
    if path.suffix != ".html":
        raise DesignError(f"-o {path}: testplan files end in .html; give such a name")
    circuit, plan = build(design), plan_of(design)
    found = content(design, circuit, plan, design_file=design_file)
    write_text(path, _html(design, circuit, plan, found))
    write_text(path.with_suffix(".json"), dumps(found) + "\n")
    return path


def content(design: Design, circuit: Circuit, plan: TestPlan, *, design_file: str) -> dict[str, Any]:
    """Give the plan as plain objects: V, Hz, s, degrees."""
    names = _names(plan)
    try:
        groups = [list(group) for group in alike(design)]
    except DesignError as error:
        groups = str(error)
    return {
        "design": dict(design.provenance),
        "supplies": _supplies(design, circuit),
        "input": {**_input(circuit), "amplitude": plan.amplitude, "bandwidth": design.bandwidth},
        "states": list(plan.states),
        "points": [{"name": name, "dc": _three(plan.dc, k)} for k, name in enumerate(names)],
        "frequencies": [
            {
                "frequency": float(f),
                "points": [
                    {
                        "name": name,
                        "amplitude": _three(plan.magnitude, (i, k)),
                        "phase": _three(plan.phase, (i, k)),
                    }
                    for k, name in enumerate(names)
                ],
            }
            for i, f in enumerate(plan.frequency)
        ],
        "step": {
            "volts": plan.step,
            "time": plan.time.tolist(),
            "points": [
                {
                    "name": name,
                    **{key: getattr(plan.response, key)[:, k].tolist() for key in ("nominal", "p05", "p95")},
                }
                for k, name in enumerate(names)
            ],
        },
        "ensemble": {
            "samples": plan.samples,
            "unstable": plan.unstable,
            "seed": plan.seed,
            "engine": "exact",
            "mismatch": laws(design),
        },
        "record": {
            "columns": ["time", "input", *_states_read(plan, circuit)],
            "rate": _RATE / design.theta,
            "seconds": plan.record,
            "command": f"lmu-analog analyze {design_file} --measured board.csv",
            "taps": _recorded_taps(plan, design_file),
        },
        "taps": _taps(plan),
        "alike": groups,
    }


def _states_read(plan: TestPlan, circuit: Circuit) -> list[str]:
    """Name the points that states are read from: taps are none of them, unless they are such a net too."""
    read = {(t.kind, t.of) for probe in circuit.probes for t in probe}
    pairs = zip(plan.points, _names(plan), strict=True)
    return [name for point, name in pairs if (point.kind, point.of) in read]


def _recorded_taps(plan: TestPlan, design_file: str) -> dict[str, Any] | None:
    """Say how taps are recorded and scored; None where none shows the delayed input."""
    shown = [] if plan.taps is None else [tap for tap in plan.taps.outputs if tap.of.r is not None]
    if not shown:
        return None
    nets = dict.fromkeys(name for tap in shown for name in _at(tap))  # taps share their reference
    columns = ["time", "input", *nets]
    return {"columns": columns, "command": f"lmu-analog analyze {design_file} --measured taps.csv"}


def _at(tap: Output) -> tuple[str, ...]:
    """Name the points of a tap: one net, or two."""
    return tuple(f"{t.kind}({t.of})" for t in tap.terms)


def _taps(plan: TestPlan) -> list[dict[str, Any]]:
    """Give what is to be found at every tap, and what the ideal memory's input would be there."""
    found = plan.taps
    if found is None:
        return []
    return [
        {
            "name": tap.name,
            "points": list(_at(tap)),
            "r": tap.of.r,
            "gain": tap.gain,
            "dc": _three(found.dc, k),
            "frequencies": [
                {
                    "frequency": float(f),
                    "amplitude": _three(found.magnitude, (i, k)),
                    "phase": _three(found.phase, (i, k)),
                    "ideal_amplitude": plan.amplitude * float(np.abs(found.wanted[i, k])),
                    "ideal_phase": float(np.degrees(np.angle(found.wanted[i, k]))),
                }
                for i, f in enumerate(plan.frequency)
            ],
            "step": {
                **{key: getattr(found.response, key)[:, k].tolist() for key in ("nominal", "p05", "p95")},
                "ideal": found.ideal[:, k].tolist(),
            },
        }
        for k, tap in enumerate(found.outputs)
    ]


def _names(plan: TestPlan) -> list[str]:
    """Name the points as columns of a recording do."""
    return [f"{p.kind}({p.of})" for p in plan.points]


def _three(spread: Spread, at: int | tuple[int, int]) -> dict[str, float]:
    return {key: float(getattr(spread, key)[at]) for key in ("nominal", "p05", "p95")}


def _supplies(design: Design, circuit: Circuit) -> list[dict[str, Any]]:
    """List what feeds the board: nothing, if it has no amplifier."""
    found = resources(design)
    if not circuit.amplifiers and not found.currents:
        return []
    return [
        {"name": name, "volts": sign * design.supply, "current": found.current_at_rest}
        for name, sign in (("V+", 1.0), ("V-", -1.0))[: 1 if design.runs_from_ground else 2]
    ]


def _html(design: Design, circuit: Circuit, plan: TestPlan, found: dict[str, Any]) -> str:
    title = f"Order {design.order}, {design.family} {design.realization}, θ = {quantity(design.theta, 's')}"
    return html.page(
        "testplan.html.j2",
        title=title,
        about=f"{len(circuit.components)} parts; signals to {quantity(design.bandwidth, 'Hz')}.",
        spread=f"Spreads are 5 % to 95 % of {plan.samples} boards of the exact engine, seed {plan.seed}"
        + (f", of which {plan.unstable} are unstable and left out" if plan.unstable else "")
        + f". Parts: {'; '.join(f'{k} {v}' for k, v in laws(design).items()) or 'exact, but for offsets of op-amps'}.",
        supplies=_supply_table(found),
        points=point_table(plan, found),
        sines=[_sine_table(plan, i) for i in range(len(plan.frequency))],
        step=_step_figure(plan, design.theta),
        taps=None if plan.taps is None else _tap_table(plan, plan.taps, _at_rest(found)),
        tap_sines=[]
        if plan.taps is None
        else [_tap_sines(plan, plan.taps, i) for i in range(len(plan.frequency))],
        tap_step=None if plan.taps is None else _tap_figure(plan, plan.taps, design.theta),
        clocked=circuit.clock is not None,
        rest=_at_rest(found).replace(" ", "\N{NO-BREAK SPACE}"),
        driven=None if found["input"]["against"] == GROUND else found["input"],
        groups=found["alike"],
        record=found["record"],
        seconds=quantity(plan.record, "s"),
        interval=quantity(design.theta / _RATE, "s"),
        origin=design.provenance,
    )


def _input(circuit: Circuit) -> dict[str, str]:
    """Say which net a source drives, and against which: with a single supply that is no ground."""
    driven = [c.out for c in circuit.only(Follower) if c.plus == circuit.source and c.base != GROUND]
    return {"net": driven[0], "against": REFERENCE} if driven else {"net": circuit.source, "against": GROUND}


def _at_rest(found: dict[str, Any]) -> str:
    """Say where an input without a signal is."""
    against = found["input"]["against"]
    return "0 V" if against == GROUND else against


def _range(low: float, high: float, unit: str) -> str:
    return f"{quantity(low, unit)} to {quantity(high, unit)}"


def _unit(name: str) -> str:
    return "A" if name.startswith("i(") else "V"


def _supply_table(found: dict[str, Any]) -> Table:
    rows = [
        (s["name"], quantity(s["volts"], "V"), "–" if s["current"] is None else quantity(s["current"], "A"))
        for s in found["supplies"]
    ]
    rows += [("ground", "0 V", "–")]
    return Table(
        "Supplies; the current is that without a signal",
        ("connection", "voltage", "about"),
        tuple(rows),
    )


def point_table(plan: TestPlan, found: dict[str, Any]) -> Table:
    """Lay out the points at rest, and which states are read from each."""
    rows = []
    for point in found["points"]:
        unit = _unit(point["name"])
        nominal, low, high = (_zero(point["dc"][key]) for key in ("nominal", "p05", "p95"))
        read = [s for s in plan.states if point["name"] in s]
        # A net of several states, as a reference is one of all, would be shown as the first alone.
        state = read[0] if len(read) == 1 else ", ".join(s.split(" = ")[0] for s in read)
        rows.append(
            (
                point["name"],
                quantity(nominal, unit),
                _range(low, high, unit),
                state.replace(" ", "\N{NO-BREAK SPACE}"),
            )
        )
    caption = f"At rest, with the input at {_at_rest(found)}"
    return Table(caption, ("test point", "expected", "5 % to 95 % of boards", "state"), tuple(rows))


def _zero(x: float) -> float:
    """Write a nanovolt as nothing: no meter shows it."""
    return 0.0 if abs(x) < 1e-9 else x


def _degrees(x: float) -> str:
    return f"{round(x, 1) + 0.0:.1f}°"  # no minus before zero


def _sine_table(plan: TestPlan, i: int) -> Table:
    rows = []
    for k, name in enumerate(_names(plan)):
        size, phase = _three(plan.magnitude, (i, k)), _three(plan.phase, (i, k))
        unit = _unit(name)
        if _zero(size["p95"]) == 0.0:  # the reference, which no signal moves
            rows.append((name, quantity(0.0, unit), "–", "–", "–"))
            continue
        rows.append(
            (
                name,
                quantity(size["nominal"], unit),
                _range(size["p05"], size["p95"], unit),
                _degrees(phase["nominal"]),
                f"{_degrees(phase['p05'])} to {_degrees(phase['p95'])}",
            )
        )
    caption = f"Sine of {quantity(plan.amplitude, 'V')} peak at {quantity(float(plan.frequency[i]), 'Hz')}"
    columns = ("test point", "peak", "5 % to 95 %", "phase to the input", "5 % to 95 %")
    return Table(caption, columns, tuple(rows))


def _tap_table(plan: TestPlan, found: TapPlan, rest_at: str) -> Table:
    rows = []
    for k, tap in enumerate(found.outputs):
        nominal, low, high = (_zero(value) for value in _three(found.dc, k).values())
        rest = (quantity(nominal, "V"), _range(low, high, "V"))
        rows.append((tap.name, " to ".join(_at(tap)), shows(tap.of, tap.gain), *rest))
    columns = ("tap", "test point", "shows", "at rest", "5 % to 95 % of boards")
    return Table(f"Taps, with the input at {rest_at}", columns, tuple(rows))


def _tap_sines(plan: TestPlan, found: TapPlan, i: int) -> Table:
    rows = []
    for k, tap in enumerate(found.outputs):
        size, phase, ideal = _three(found.magnitude, (i, k)), _three(found.phase, (i, k)), found.wanted[i, k]
        rows.append(
            (
                tap.name,
                quantity(size["nominal"], "V"),
                _range(size["p05"], size["p95"], "V"),
                quantity(plan.amplitude * float(np.abs(ideal)), "V"),
                _degrees(phase["nominal"]),
                f"{_degrees(phase['p05'])} to {_degrees(phase['p95'])}",
                _degrees(float(np.degrees(np.angle(ideal)))),
            )
        )
    caption = f"Sine of {quantity(plan.amplitude, 'V')} peak at {quantity(float(plan.frequency[i]), 'Hz')}"
    columns = ("tap", "peak", "5 % to 95 %", "ideal", "phase", "5 % to 95 %", "ideal phase")
    return Table(caption, columns, tuple(rows))


def _tap_figure(plan: TestPlan, found: TapPlan, theta: float) -> Figure:
    """Draw the taps after the step, each over what it is to show."""
    names = [tap.name for tap in found.outputs]
    shown = names[:_MOST_PANELS]

    def panels(canvas: Canvas) -> None:
        for k, ax in _panels(canvas, plan, shown):
            ax.plot(*_against(plan, found.ideal[:, k]), **style.PALE)
            _band(ax, plan, found.response, k)
            tap = found.outputs[k]
            ax.set_title(f"{shown[k]}: {shows(tap.of, tap.gain)}", loc="left", fontsize="medium")

    title = f"Taps after a step from 0 V to {quantity(plan.step, 'V')}"
    about = "Nominal board as a line, 5 % to 95 % of boards as a band; pale and wide what the tap is to show."
    if len(shown) < len(names):
        about += f" The first {len(shown)} of {len(names)} taps are drawn; the JSON has all."
    instants = [x for x in _INSTANTS if x * theta <= plan.time[-1]]
    at = [int(np.argmin(np.abs(plan.time - x * theta))) for x in instants]
    rows = tuple(
        (name, *(quantity(_zero(float(found.response.nominal[j, k])), "V") for j in at))
        for k, name in enumerate(names)
    )
    table = Table("Nominal taps after the step", ("tap", *(f"{x:g} θ" for x in instants)), rows)
    return figure("tap-step", title, about, drawn=draw(panels, height=_height(shown)), table=table)


def _panels(canvas: Canvas, plan: TestPlan, shown: Sequence[str]) -> Iterator[tuple[int, Axes]]:
    """Give a panel for each of some points, with its axes labelled once it is drawn."""
    grid = canvas.subplots(-(-len(shown) // _ACROSS), _ACROSS, squeeze=False, sharex=True)
    unit = style.scale(float(plan.time[-1]), "s")[1]
    for k, ax in enumerate(grid.flat):
        if k >= len(shown):
            ax.set_visible(False)
            continue
        yield k, ax
        ax.margins(x=0.0)
        style.finish(ax, None)
        if k + _ACROSS >= len(shown):
            ax.set_xlabel(f"Time ({unit})")
            ax.tick_params(labelbottom=True)
        if k % _ACROSS == 0:
            ax.set_ylabel(_unit(shown[k]))


def _height(shown: Sequence[str]) -> float:
    return 0.5 + 1.75 * -(-len(shown) // _ACROSS)


def _against(plan: TestPlan, volts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return plan.time / style.scale(float(plan.time[-1]), "s")[0], volts


def _band(ax: Axes, plan: TestPlan, response: Spread, k: int) -> None:
    """Draw the spread of a response, and the nominal one on it."""
    time, low = _against(plan, response.p05[:, k])
    ax.fill_between(time, low, response.p95[:, k], color=style.BLUE, alpha=0.25, linewidth=0.0)
    ax.plot(time, response.nominal[:, k], color=style.BLUE, linewidth=1.4)


def _step_figure(plan: TestPlan, theta: float) -> Figure:
    """Draw the step responses, a panel a point, over a few of their numbers."""
    names = _names(plan)
    shown = names[:_MOST_PANELS]

    def panels(canvas: Canvas) -> None:
        for k, ax in _panels(canvas, plan, shown):
            _band(ax, plan, plan.response, k)
            ax.set_title(shown[k], loc="left", fontsize="medium")

    title = f"Step from 0 V to {quantity(plan.step, 'V')}"
    about = "Nominal board as a line, 5 % to 95 % of boards as a band."
    if len(shown) < len(names):
        about += f" The first {len(shown)} of {len(names)} test points are drawn; the JSON has all."
    drawn = draw(panels, height=_height(shown))
    return figure("step", title, about, drawn=drawn, table=_step_table(plan, theta))


def _step_table(plan: TestPlan, theta: float) -> Table:
    instants = [x for x in _INSTANTS if x * theta <= plan.time[-1]]
    at = [int(np.argmin(np.abs(plan.time - x * theta))) for x in instants]
    rows = []
    for k, name in enumerate(_names(plan)):
        unit, wave = _unit(name), plan.response.nominal[:, k]
        peak = int(np.argmax(np.abs(wave - plan.dc.nominal[k])))
        rows.append(
            (
                name,
                *(quantity(_zero(float(wave[j])), unit) for j in at),
                f"{quantity(_zero(float(wave[peak])), unit)} at {quantity(float(plan.time[peak]), 's')}",
            )
        )
    columns = ("test point", *(f"{x:g} θ" for x in instants), "largest excursion")
    return Table("Nominal values after the step", columns, tuple(rows))
