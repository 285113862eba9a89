"""Errors that destabilise, as text: the smallest found by search, and the proven bound."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lmu_analog.output.text_tables import percent

_MULTIPLE = "× the tolerances"


def corner_rows(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Give rows, name and value, on all elements in error at once: what was found, and what is certain.

    Parameters
    ----------
    found : mapping
        The ``worst_corner`` keys of ``FiguresOfMerit``.
    """
    rows = [
        ("all R, L, C, gm found unstable at", found_at(found, "worst_corner")),
        ("and certainly stable below", bounded(found, "worst_corner")),
    ]
    if found["worst_corner_scale_searched"] is not None:
        rows += [
            ("all tolerances found unstable at", found_at(found, "worst_corner_scale")),
            ("and certainly stable below", bounded(found, "worst_corner_scale")),
        ]
    return rows


def found_at(found: Mapping[str, Any], name: str) -> str:
    """Write the least size found, or up to where none was: ``6.65 %``, ``none found up to 99 %``."""
    size, searched = found[name], found[f"{name}_searched"]
    if searched is None:
        return "not searched"
    return _size(size, name) if size is not None else f"none found up to {_size(searched, name)}"


def bounded(found: Mapping[str, Any], name: str) -> str:
    """Write the size below which there is none, rounded down, or why it is not known."""
    size = found[f"{name}_bound"]
    return found[f"{name}_bound_reason"] if size is None else _size(_down(size), name)


def _size(value: float, name: str) -> str:
    return f"{value:.3g} {_MULTIPLE}" if name.endswith("scale") else percent(value)


def _down(value: float) -> float:
    """Round down to three digits, what rounding has left in the last place aside."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return math.floor(value / unit * (1.0 + 1e-12)) * unit
