"""Tables of text for a terminal, and figures onto a file that the user names."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lmu_analog.output.files import write_figure
from lmu_analog.output.text_tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 80  # characters of a terminal
_LEAST_ROOM = 18  # characters for which a column is broken into lines


def lined_up(table: Table) -> str:
    """Lay a table out in columns: the first and the last to the left, the others to the right.

    A last column that does not fit on a terminal goes on below itself, where at least ``_LEAST_ROOM`` is left for it.
    """
    lines = [table.columns, *table.rows]
    widths = [max(len(line[k]) for line in lines) for k in range(len(table.columns))]
    last = len(widths) - 1
    before = sum(widths[:last]) + 2 * len(widths)
    room = WIDTH - before

    def cell(text: str, k: int) -> str:
        return text.ljust(widths[k]) if k in (0, last) else text.rjust(widths[k])

    body = []
    for line in lines:
        tail = [line[last]]
        if _LEAST_ROOM <= room < len(line[last]):
            tail = _broken(line[last], room)
        body.append(
            "  " + "  ".join(cell(text, k) for k, text in enumerate((*line[:last], tail[0]))).rstrip()
        )
        body += [" " * before + more for more in tail[1:]]
    return "\n".join([*wrapped(table.caption), *body])


def wrapped(text: str) -> list[str]:
    """Break a sentence into lines of a terminal, between words and not before "%"; all but the first are indented."""
    return _broken(text, WIDTH, "  ")


def _broken(text: str, width: int, indent: str = "") -> list[str]:
    whole = text.replace(" %", "\N{NO-BREAK SPACE}%")
    lines = textwrap.wrap(
        whole, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return [line.replace("\N{NO-BREAK SPACE}%", " %") for line in lines]


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
