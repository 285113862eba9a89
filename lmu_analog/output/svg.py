"""Plots as elements of a page: themed by its colours, described, the same bytes for the same input."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

from markupsafe import Markup
from PIL import Image

from lmu_analog.output.style import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, SKY, VERMILLION, YELLOW

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_WIDTH = 5.0  # inch: a telephone's page at three quarters, and half of a screen's, with the caption beside it
_DOTS = 96.0  # of a page, an inch
_SMALLEST_TYPE = 9.0  # dots: on a page that is narrower than that, a figure scrolls
_ENLARGED = 1.1  # at most, on a page that has room
_LARGEST = 250_000  # characters of an SVG element; a larger one becomes pixels if these take less
_PIXELS = 1840  # across such a figure, two to a dot of the page
_SHADES = 64  # of its colours
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
_THEMED = {
    INK: "currentColor",
    BLUE: "var(--blue)",
    GREEN: "var(--green)",
    ORANGE: "var(--orange)",
    VERMILLION: "var(--vermillion)",
    PURPLE: "var(--purple)",
    SKY: "var(--sky)",
    YELLOW: "var(--yellow)",
    GREY: "var(--grey)",
}


def draw(plot: Callable[[Canvas], object], *, height: float) -> Canvas:
    """Draw on a canvas that a narrow page has room for; height in inch. The user's own Matplotlib style has no say."""
    from matplotlib import style
    from matplotlib.figure import Figure as Canvas

    with style.context(["default", STYLE]):
        canvas = Canvas(figsize=(_WIDTH, height), layout="constrained")
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
    drawing = _trimmed(drawing)
    drawing = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{key}-", drawing).replace("xlink:href", "href")
    for colour, variable in _THEMED.items():
        drawing = re.sub(colour, variable, drawing, flags=re.IGNORECASE)
    label = f'<title id="{key}-title">{escape(title)}</title><desc id="{key}-desc">{escape(about)}</desc>'
    opened = f'<svg role="img" aria-labelledby="{key}-title {key}-desc" viewBox'
    return Markup(re.sub(r"<svg viewBox(=\"[^\"]*\")>", rf"{opened}\1>{label}", drawing, count=1))


def _trimmed(drawing: str) -> str:
    """Take out what no browser looks at: digits, line ends, ids without a reference, groups of one element."""

    def path(given: re.Match[str]) -> str:
        return re.sub(r"(\.\d\d)\d+", r"\1", " ".join(given.group().split()))

    drawing = re.sub(r"(?<= d=\")[^\"]*", path, drawing)
    used = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", drawing))
    drawing = re.sub(r" id=\"([^\"]*)\"", lambda name: name.group() if name[1] in used else "", drawing)
    alone = r"<[^<>]*/>|<text[^<>]*>[^<>]*</text>"
    return re.sub(rf"<g>\s*({alone})\s*</g>", r"\1", re.sub(r">\s*\n\s*<", ">\n<", drawing))


def picture(canvas: Canvas, *, key: str, title: str, about: str) -> Markup:
    """Write a figure for a page: as SVG, or as pixels where it is large and these take less.

    It is as wide as the page, but never so narrow that its smallest type cannot be read, nor much larger than drawn.
    """
    drawn = svg(canvas, key=key, title=title, about=about)
    shown = drawn if len(drawn) <= _LARGEST else min(drawn, _pixels(canvas, about), key=len)
    least, most = widths(canvas)
    style = f'style="min-width:{least:.0f}px;max-width:{most:.0f}px"'
    return Markup(re.sub(r'^<(svg role|img class)="(\w+)"', rf'<\1="\2" {style}', str(shown)))


def widths(canvas: Canvas) -> tuple[float, float]:
    """Give the least and the largest width that a figure has on a page, in dots of the page."""
    from matplotlib.text import Text

    drawn = _DOTS * float(canvas.get_size_inches()[0])
    said = [t for t in canvas.findobj(Text) if t.get_visible() and t.get_text().strip()]
    smallest = min((_DOTS / 72.0 * float(t.get_fontsize()) for t in said), default=_SMALLEST_TYPE)
    return drawn * min(_SMALLEST_TYPE / smallest, _ENLARGED), _ENLARGED * drawn


def is_narrow(canvas: Canvas) -> bool:
    """Tell whether a page has room for the caption beside a figure."""
    return float(canvas.get_size_inches()[0]) <= _WIDTH


def _pixels(canvas: Canvas, about: str) -> Markup:
    """Write a figure as an image that holds its own data, clear where there is no ink."""
    whole, fewer = io.BytesIO(), io.BytesIO()
    canvas.savefig(whole, format="png", dpi=_PIXELS / canvas.get_size_inches()[0], transparent=True)
    with Image.open(whole) as image:
        palette = image.convert("RGBA").quantize(_SHADES, method=Image.Quantize.FASTOCTREE)
        palette.save(fewer, format="png", optimize=True)
        size = f'width="{image.width}" height="{image.height}"'
    data = base64.b64encode(fewer.getvalue()).decode("ascii")
    return Markup(f'<img class="raster" alt="{escape(about)}" {size} src="data:image/png;base64,{data}">')
