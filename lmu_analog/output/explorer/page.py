"""The explorer as one file of HTML, and its script as one module for notebooks."""

import base64
import hashlib
import re
import zlib
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

from lmu_analog.codesign.grid import Grid
from lmu_analog.output.explorer.content import as_json

MODULES = ("law", "grid", "design", "view")  # each imports only from those before it
_START = """
const inflate = async (text) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).json();
};
inflate(document.getElementById("content").textContent.trim()).then((content) => {
  globalThis.shownExplorer = mount(document.getElementById("explorer"), content);
});
"""
_WIDGET = """
export default {
  render({ model, el }) {
    const shown = getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g)?.map(Number) ?? [255, 255, 255];
    const isDark = shown.length < 4 || shown[3] > 0 ? 0.3 * shown[0] + 0.6 * shown[1] + 0.1 * shown[2] < 128 : false;
    el.style.colorScheme = isDark ? "dark" : "light";
    const tell = (row, text) => {
      model.set("row", row);
      model.set("design", text);
      model.save_changes();
    };
    return mount(el, JSON.parse(model.get("content")), { onChoice: tell, heading: "h2" }).destroy;
  },
};
"""


@cache
def script() -> str:
    """Give the modules as one: what they import from each other is above it, and nothing is exported."""
    folder = files("lmu_analog.output.explorer")
    texts = [folder.joinpath(f"{name}.js").read_text("utf-8") for name in MODULES]
    plain = (re.sub(r"^import [^;]*;\n", "", text, flags=re.MULTILINE) for text in texts)
    return "\n".join(re.sub(r"^export ", "", text, flags=re.MULTILINE) for text in plain)


def style() -> str:
    """Give the style sheet, all of whose rules are of the explorer's own element."""
    return files("lmu_analog.output.explorer").joinpath("explorer.css").read_text("utf-8")


def widget_module() -> str:
    """Give the module that notebooks show, in the form of anywidget."""
    return script() + _WIDGET


def page(grid: Grid) -> str:
    """Write the explorer of a grid as one page that needs no network.

    Its content is compressed; the page's security policy lets in this script alone, by its digest.
    """
    code = "\n" + script() + _START
    environment = Environment(
        loader=PackageLoader("lmu_analog.output.explorer", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    packed = zlib.compress(as_json(grid).encode(), 9)
    return environment.get_template("explorer.html.j2").render(
        title=f"window of {grid.requirement.base.theta:g} s",
        style=style(),
        script=code,
        digest=base64.b64encode(hashlib.sha256(code.encode()).digest()).decode(),
        content=base64.b64encode(packed).decode(),
    )
