"""Sheets onto paper: the one place that knows schemdraw and Matplotlib's artists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from lmu_analog.output.drawings.sheet import INCH, Arc, Area, Item, Label, Sheet, Symbol, Wire, extent, points
from lmu_analog.output.style import INK
from lmu_analog.output.svg import STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_MARGIN = 0.6  # units around a sheet
_TITLE = 1.6  # units above it
_LEAST = 3.8 / INCH  # units: narrower sheets are centred on paper as wide as a telephone
_TYPE = 11.0  # points, of a title
_LINE = 0.9  # points
_HEAD = 0.36  # units: length of an arrowhead


def paint(sheets: Sequence[Sheet]) -> Canvas:
    """Paint sheets below one another, on paper as large as they need."""
    from matplotlib import style
    from matplotlib.figure import Figure as Canvas

    boxes = [_frame(sheet) for sheet in sheets]
    width = max(_LEAST, *(right - left for left, _, right, _ in boxes))
    height = sum(top - bottom for _, bottom, _, top in boxes)
    with style.context(["default", STYLE]):
        canvas = Canvas(figsize=(width * INCH, height * INCH))
        above = height
        for sheet, (left, bottom, right, top) in zip(sheets, boxes, strict=True):
            above -= top - bottom
            spare = 0.5 * (width - (right - left))
            ax = canvas.add_axes((0.0, above / height, 1.0, (top - bottom) / height))
            ax.set_axis_off()
            _paint(ax, sheet.items)
            ax.text(left - spare + _MARGIN, top - 0.9, sheet.title, fontsize=_TYPE, va="center", color=INK)
            # schemdraw moves the limits: they are set after it.
            ax.set(xlim=(left - spare, right + spare), ylim=(bottom, top))
            ax.set_aspect("equal", adjustable="box")
    return canvas


def _frame(sheet: Sheet) -> tuple[float, float, float, float]:
    left, bottom, right, top = extent(sheet.items)
    _, (end, _) = points(Label((left, top), sheet.title, size=_TYPE))
    right = max(right, end)
    return left - _MARGIN, bottom - _MARGIN, right + _MARGIN, top + _MARGIN + _TITLE


def _paint(ax: Axes, items: Sequence[Item]) -> None:
    _symbols(ax, [item for item in items if isinstance(item, Symbol)])
    for item in items:
        match item:
            case Symbol():
                continue
            case Label():
                weight = "bold" if item.bold else "normal"
                look: dict[str, Any] = {"ha": item.align, "va": "center", "color": item.colour}
                ax.text(*item.at, item.text, fontsize=item.size, fontweight=weight, **look)
            case Wire():
                _wire(ax, item)
            case Arc():
                _arc(ax, item)
            case Area():
                _area(ax, item)
            case _:
                assert_never(item)


def _symbols(ax: Axes, symbols: Sequence[Symbol]) -> None:
    import schemdraw
    from schemdraw import elements as known

    two = {
        "resistor": known.Resistor,
        "capacitor": known.Capacitor,
        "inductor": known.Inductor,
        "switch": known.Switch,
        "source-i": known.SourceI,
        "source-v": known.SourceV,
    }
    if not symbols:
        return
    drawing = schemdraw.Drawing(canvas=ax, show=False)
    drawing.config(lw=_LINE, color=INK, unit=2.0)
    for s in symbols:
        if s.kind in two:
            drawing.add(two[s.kind]().endpoints(s.start, s.end))
        elif s.kind == "ground":
            angle = np.degrees(np.arctan2(s.end[1] - s.start[1], s.end[0] - s.start[0])) + 90.0
            drawing.add(known.Ground().at(s.start).theta(angle))
        elif s.kind == "opamp":
            drawing.add(known.Opamp().theta(0).anchor("in1").at(s.start))
        elif s.kind == "dot":
            drawing.add(known.Dot(radius=0.09).at(s.start))
        else:
            transistor = known.NFet() if s.kind == "nmos" else known.PFet()
            anchor = "drain" if s.kind == "nmos" else "source"
            turned = transistor.theta(0).reverse() if s.end[0] < s.start[0] else transistor.theta(0)
            drawing.add(turned.anchor(anchor).at(s.start))
    drawing.draw(show=False)


def _wire(ax: Axes, wire: Wire) -> None:
    x, y = zip(*wire.points, strict=True)
    look: dict[str, Any] = {"color": wire.colour, "alpha": wire.alpha}
    line = (0, (4, 2)) if wire.dashed else "-"
    ax.plot(x, y, linewidth=wire.width, linestyle=line, solid_joinstyle="round", **look)
    if wire.arrow:
        _head(ax, wire.points[-1], np.subtract(wire.points[-1], wire.points[-2]), look)


def _arc(ax: Axes, arc: Arc) -> None:
    a, b = np.array(arc.start), np.array(arc.end)
    along = b - a
    across = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-9)
    t = np.linspace(0.0, 1.0, 33)[:, None]
    # Half an ellipse: steep at its ends, so that arcs between neighbours part soon.
    curve = 0.5 * (a + b) - 0.5 * np.cos(np.pi * t) * along + np.sin(np.pi * t) * arc.height * across
    look: dict[str, Any] = {"color": arc.colour, "alpha": arc.alpha}
    line = (0, (4, 2)) if arc.dashed else "-"
    ax.plot(curve[:, 0], curve[:, 1], linewidth=arc.width, linestyle=line, **look)
    _head(ax, arc.end, curve[-1] - curve[-3], look)


def _head(ax: Axes, at: Sequence[float], direction: np.ndarray, look: dict[str, Any]) -> None:
    from matplotlib.patches import Polygon

    along = direction / max(float(np.hypot(*direction)), 1e-9)
    across = np.array([-along[1], along[0]])
    back = np.array(at) - _HEAD * along
    corners = [np.array(at), back + 0.3 * _HEAD * across, back - 0.3 * _HEAD * across]
    ax.add_patch(Polygon(corners, closed=True, linewidth=0.0, **look))


def _area(ax: Axes, area: Area) -> None:
    from matplotlib.patches import Polygon

    fill = area.fill or "none"
    ax.add_patch(
        Polygon(
            area.points,
            closed=True,
            facecolor=fill,
            edgecolor=area.colour,
            linewidth=area.width,
            alpha=area.alpha,
        )
    )
