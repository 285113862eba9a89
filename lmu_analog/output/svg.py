"""Plots as SVG elements of a page: themed by its colours, described, the same bytes for the same input."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from lmu_analog.output.style import BLUE, GREEN, INK, ORANGE, PURPLE, VERMILLION

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

WIDTH = 9.2  # inch: the page's 60 rem at 96 dots an inch
STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "lmu-analog",
    "font.size": 9.5,
    "font.family": "DejaVu Sans",
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "axes.linewidth": 0.6,
    "axes.labelsize": "medium",
    "axes.titlesize": "medium",
    "legend.fontsize": "medium",
    "hatch.linewidth": 0.6,
}
# Colours become variables of the page, which a dark theme lightens.
THEMED = {
    INK: "currentColor",
    BLUE: "var(--blue)",
    GREEN: "var(--green)",
    ORANGE: "var(--orange)",
    VERMILLION: "var(--vermillion)",
    PURPLE: "var(--purple)",
}


def draw(plot: Callable[[Canvas], object], *, height: float) -> Canvas:
    """Draw on a canvas of the page's width; height in inch. The user's own Matplotlib style has no say."""
    from matplotlib import style
    from matplotlib.figure import Figure as Canvas

    with style.context(["default", STYLE]):
        canvas = Canvas(figsize=(WIDTH, height), layout="constrained")
        plot(canvas)
        return canvas


def svg(canvas: Canvas, *, key: str, title: str, about: str) -> Markup:
    """Write a figure as an SVG element for HTML: themed, described, its ids prefixed with ``key``."""
    from matplotlib import style

    text = io.StringIO()
    with style.context(["default", STYLE]):
        canvas.savefig(text, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    drawing = re.sub(r"^.*?<svg\b[^>]*?viewBox", "<svg viewBox", text.getvalue(), flags=re.DOTALL)
    drawing = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r'(<svg viewBox="[^"]*")[^>]*>', r"\1>", drawing)
    drawing = re.sub(r"(?<= d=\")[^\"]*", lambda d: re.sub(r"(\.\d\d)\d+", r"\1", d.group()), drawing)
    drawing = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{key}-", drawing).replace("xlink:href", "href")
    for colour, variable in THEMED.items():
        drawing = re.sub(colour, variable, drawing, flags=re.IGNORECASE)
    label = f'<title id="{key}-title">{escape(title)}</title><desc id="{key}-desc">{escape(about)}</desc>'
    opened = f'<svg role="img" aria-labelledby="{key}-title {key}-desc" viewBox'
    return Markup(re.sub(r"<svg viewBox(=\"[^\"]*\")>", rf"{opened}\1>{label}", drawing, count=1))
