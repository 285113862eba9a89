"""Tables of text for a terminal, and figures onto a file that the user names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lmu_analog.output.files import write_figure
from lmu_analog.output.text_tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def lined_up(table: Table) -> str:
    """Lay a table out in columns: the first and the last to the left, the others to the right."""
    lines = [table.columns, *table.rows]
    widths = [max(len(line[k]) for line in lines) for k in range(len(table.columns))]
    last = len(widths) - 1

    def cell(text: str, k: int) -> str:
        return text.ljust(widths[k]) if k in (0, last) else text.rjust(widths[k])

    body = ["  " + "  ".join(cell(text, k) for k, text in enumerate(line)).rstrip() for line in lines]
    return "\n".join([table.caption, *body])


def save_figure(draw: Callable[[Axes], Axes], path: Path | str, *, height: float) -> Path:
    """Draw on axes of 9 by ``height`` inches and write them; SVG, PNG or PDF by the suffix."""
    return save_panels([(draw, height)], path)


def save_panels(panels: Sequence[tuple[Callable[[Axes], Axes], float]], path: Path | str) -> Path:
    """Draw panels of 9 inches by the height of each, one below the other, and write them."""
    from matplotlib.figure import Figure

    heights = [height for _, height in panels]
    figure = Figure(figsize=(9.0, sum(heights)), layout="constrained")
    rows = figure.subplots(len(panels), squeeze=False, height_ratios=heights)
    for (draw, _), ax in zip(panels, rows[:, 0], strict=True):
        draw(ax)
    return write_figure(figure, path)


def percent_along(ax: Axes) -> None:
    """Make the horizontal axis logarithmic, with plain numbers."""
    from matplotlib.ticker import LogLocator, NullFormatter

    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=15))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())
