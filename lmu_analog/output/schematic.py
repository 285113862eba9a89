"""Drawings of a circuit as files and as figures of the report: a cell, the network, the signal flow."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.interface import without_interface
from lmu_analog.errors import DesignError
from lmu_analog.files_out import whole_file, write_text
from lmu_analog.output.drawings.cells import cell_sheet
from lmu_analog.output.drawings.flow import flow_sheet
from lmu_analog.output.drawings.links import network
from lmu_analog.output.drawings.network import network_sheet
from lmu_analog.output.drawings.paint import paint
from lmu_analog.output.drawings.sheet import Sheet
from lmu_analog.output.figures import Figure, figure
from lmu_analog.output.files import FIGURES
from lmu_analog.output.style import BLUE, GREEN, ORANGE, PURPLE, VERMILLION
from lmu_analog.output.svg import svg
from lmu_analog.output.text_tables import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

What = Literal["cell", "network", "flow"]
_SHEETS = {"cell": cell_sheet, "network": network_sheet, "flow": flow_sheet}
_DOTS = 150  # an inch, of PNG
_ALONE = "The memory alone, without what stands around it on the board."
_PLAIN = {"blue": BLUE, "green": GREEN, "orange": ORANGE, "vermillion": VERMILLION, "purple": PURPLE}
# Alone in a browser or an <img> a drawing has no page to take its ink from.
_INK_ALONE = (
    "<style>svg{color-scheme:light dark;color:#000}text{fill:currentColor;font-family:'DejaVu Sans',Verdana,"
    "sans-serif}@media(prefers-color-scheme:dark){svg{color:#e8e8e8}}</style>"
)


def sheets(circuit: Circuit, what: What | Literal["all"] = "all") -> tuple[Sheet, ...]:
    """Lay out the drawings of a circuit: data that ``paint`` puts on paper.

    Parameters
    ----------
    circuit : Circuit
    what : {"all", "cell", "network", "flow"}
        A cell with all its parts and values; what drives what; the signal flow of the state space, with ideal
        op-amps, as a graph, or as a matrix of more than 40 gains. What stands around the memory is left out, and the
        sheets say so.
    """
    memory = without_interface(circuit)
    drawn = (_SHEETS[name](memory) for name in (get_args(What) if what == "all" else (what,)))
    if len(memory.components) == len(circuit.components):
        return tuple(drawn)
    return tuple(replace(sheet, about=f"{sheet.about} {_ALONE}") for sheet in drawn)


def draw_circuit(circuit: Circuit, what: What | Literal["all"] = "all") -> Canvas:
    """Draw a circuit on a Matplotlib figure as large as it needs; several sheets lie below one another."""
    return paint(sheets(circuit, what))


def as_svg(circuit: Circuit, what: What | Literal["all"] = "all") -> str:
    """Draw a circuit as an SVG file: the same bytes for the same circuit, readable on light and dark."""
    drawn = sheets(circuit, what)
    canvas = paint(drawn)
    title = f"{circuit.family}, {circuit.realization}, order {circuit.order}"
    about = " ".join(sheet.about for sheet in drawn)
    element = str(svg(canvas, key=f"{what}-of", title=title, about=about))
    for name, colour in _PLAIN.items():  # few programs but browsers know variables
        element = element.replace(f"var(--{name})", colour)
    width, height = canvas.get_size_inches()
    size = f'width="{width:.4g}in" height="{height:.4g}in"'
    opened = f'<svg xmlns="http://www.w3.org/2000/svg" {size} color="black" fill="currentColor" '
    element = element.replace("<svg ", opened, 1)
    return re.sub(r"(<title )", rf"{_INK_ALONE}\1", element, count=1) + "\n"


def write_drawing(circuit: Circuit, path: Path | str, *, what: What | Literal["all"] = "all") -> Path:
    """Write drawings as SVG, PNG or PDF, by the ending of the file's name.

    Raises
    ------
    DesignError
        If the ending is another, or the file cannot be written.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in FIGURES:
        raise DesignError(f"-o {path}: drawings are {', '.join(FIGURES)}; give one of these endings")
    if kind == ".svg":
        return write_text(path, as_svg(circuit, what))
    stamps = {
        ".png": {"Software": None},
        ".pdf": {"Creator": None, "Producer": None, "CreationDate": None},
    }
    canvas = draw_circuit(circuit, what)
    with whole_file(path) as half:
        canvas.savefig(half, format=kind[1:], dpi=_DOTS, facecolor="white", metadata=stamps[kind])
    return path


def drawing_figure(circuit: Circuit, what: What) -> Figure:
    """Give a drawing as a figure of the report, with its parts or coefficients as a table."""
    (sheet,) = sheets(circuit, what)
    rows = tuple(
        (link.target, link.source, "+" if link.sign > 0 else "−", link.name or "coefficient", link.text)
        for link in network(without_interface(circuit)).links
    )
    table = Table("What drives what", ("into", "from", "sign", "part", "value"), rows)
    return figure(f"drawing-{what}", sheet.title, sheet.about, drawn=paint((sheet,)), table=table)
