"""Pages of HTML: templates filled in, with every number and its unit on one line."""

from __future__ import annotations

import re
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

_HARD_SPACE, _JOINED = "\N{NO-BREAK SPACE}", "/\N{WORD JOINER}"  # browsers break lines behind a slash
_SI = r"[TGMkmuµnpf]?(?:s|Hz|V|F|Ohm|Ω|H|A|S|W)"
_PER = r"/(?:[mµun]?s|√Hz|rtHz|K)"
_UNIT = rf"(?:1{_PER}|{_SI}[²2]?(?:{_PER})?|%²?|ppm(?:/K)?|dB|°C?|[KC]|θ|sigma|bits?|USD|×|[mµ]m²)"
_QUANTITY = re.compile(rf"(?<=[0-9∞]) ({_UNIT})(?!\w)")
# Behind a sign, and within u(t − 0.5 θ).
_COMPARED = re.compile(r"(?<=[≤≥<>±×]) (?=[0-9.−-])|(?<=u\(t) (?=[−-])|(?<=u\(t.[−-]) (?=[0-9rθ])")
_MICRO = re.compile(r"(^|/)u(?=[sVFAHSWΩ])")


def unbroken(text: str) -> str:
    """Keep numbers with their units on one line, and write these as people do: Ω and µ for Ohm and u.

    For pages alone. Files and terminals keep plain spaces and the letters that ``units.parse`` is given.
    """

    def joined(found: re.Match[str]) -> str:
        return _HARD_SPACE + _MICRO.sub(r"\1µ", found[1].replace("Ohm", "Ω")).replace("/", _JOINED)

    return _COMPARED.sub(_HARD_SPACE, _QUANTITY.sub(joined, text))


def page(template: str, **shown: Any) -> str:
    """Fill in a template of the folder ``report``: text is escaped, and unbroken; what is escaped already stays."""
    environment = Environment(
        loader=PackageLoader("lmu_analog.output.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: unbroken(value) if type(value) is str else value,
    )
    return environment.get_template(template).render(**shown)
