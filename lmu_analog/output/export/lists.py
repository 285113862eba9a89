"""A circuit as lists: what to order, as CSV, and what is joined to what, as JSON."""

import csv
import io
from dataclasses import asdict
from typing import Any

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import Ammeter, Capacitor, Resistor
from lmu_analog.circuits.devices.tolerance import law_text
from lmu_analog.circuits.devices.values import nearest
from lmu_analog.circuits.families.registry import is_on_chip
from lmu_analog.circuits.rounding import capacitors_beside
from lmu_analog.design import Design
from lmu_analog.output.export.board import Placed, board
from lmu_analog.output.summary import dumps
from lmu_analog.units import write

_FINEST = "E96"  # series that is offered where the design asks for none
COLUMNS = (
    "references",
    "quantity",
    "kind",
    "value",
    "value_si",
    "unit",
    "order_as",
    "off_percent",
    "tolerance_percent",
    "tolerance_law",
    "part",
    "roles",
    "deck_names",
)


def bom(design: Design, circuit: Circuit) -> str:
    """Write the bill of materials as CSV: equal parts in one line, with what the nearest standard value is.

    ``value`` has six digits, ``value_si`` all; ``order_as`` is the standard value (of the design's series, or
    E96 and E12) and ``off_percent`` how far it is from the circuit's. Ammeters are wires and left out; so
    are standard values on a chip.
    """
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows([COLUMNS, *bom_rows(design, circuit)])
    return written.getvalue()


def bom_rows(design: Design, circuit: Circuit) -> list[list[str | int]]:
    """Give the lines of the bill of materials, one cell a column of ``COLUMNS``."""
    groups: dict[tuple[str, ...], list[Placed]] = {}
    for placed in board(circuit):
        if not isinstance(placed.component, Ammeter):
            key = (placed.kind, placed.text, placed.part, *_tolerance(design, placed))
            groups.setdefault(key, []).append(placed)
    rows: list[list[str | int]] = []
    for (kind, text, part, tolerance, law), members in groups.items():
        first = members[0]
        rows.append(
            [
                " ".join(p.reference for p in members),
                len(members),
                kind,
                text,
                "" if first.value is None else repr(first.value),
                first.unit,
                *_standard(design, circuit, first),
                tolerance,
                law,
                part,
                "; ".join(dict.fromkeys(p.component.role for p in members)),
                " ".join(p.component.name for p in members),
            ]
        )
    return rows


def _tolerance(design: Design, placed: Placed) -> tuple[str, str]:
    """Give the largest tolerance of a part, in percent, and its law in words."""
    known = design.tolerances
    found = [known[c] for c in placed.component.classes if c in known]
    if not found or placed.value is None:
        return "", ""
    widest = max(found, key=lambda t: t.tolerance)
    return f"{100.0 * widest.tolerance:.6g}", law_text(widest).partition(", ")[2]


def _standard(design: Design, circuit: Circuit, placed: Placed) -> tuple[str, str]:
    component = placed.component
    if not isinstance(component, Resistor | Capacitor) or is_on_chip(circuit) or component.value <= 0.0:
        return "", ""
    series = _FINEST if design.values == "exact" else design.values
    if isinstance(component, Capacitor):
        series = capacitors_beside(series)
    value = float(nearest(component.value, series))
    return write(value, placed.unit), f"{100.0 * (value / component.value - 1.0):+.3g}"


def components_json(design: Design, circuit: Circuit) -> str:
    """Write components, nets and probes as JSON, for programs of one's own."""
    placed = board(circuit)
    nets: dict[str, list[str]] = {}
    for p in placed:
        for pin, net in p.pins:
            nets.setdefault(net, []).append(f"{p.reference}.{pin}")
    content: dict[str, Any] = {
        **design.provenance,
        "input": circuit.source,
        "components": [_component(p) for p in placed],
        "nets": nets,
        "probes": [[asdict(term) for term in probe] for probe in circuit.probes],
    }
    return dumps(content) + "\n"


def _component(placed: Placed) -> dict[str, Any]:
    c = placed.component
    model = getattr(c, "model", None)
    return {
        "reference": placed.reference,
        "name": c.name,
        "kind": placed.kind,
        "pins": dict(placed.pins),
        "value": placed.value,
        "unit": placed.unit,
        "role": c.role,
        "classes": list(c.classes),
        "model": None if model is None else asdict(model),
    }
