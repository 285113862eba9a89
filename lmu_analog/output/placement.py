"""Measured parts in their places, for people and scripts."""

import csv
import io
from typing import Any

from lmu_analog.circuits.devices.measured import UNITS
from lmu_analog.codesign.bins import Placement
from lmu_analog.output.layout import lined_up
from lmu_analog.output.text_tables import Table, percent
from lmu_analog.units import write


def content(found: Placement) -> dict[str, Any]:
    """Give the figures; errors are fractions, values SI units."""
    return {
        "nrmse": {"nominal": found.nominal, "nearest": found.nearest, "placed": found.error},
        "added": {"nominal": found.added_nominal, "nearest": found.added_nearest, "placed": found.added},
        "placed": [
            {"component": p.component, "part": p.part, "value": p.value, "nominal": p.nominal}
            for p in found.placed
        ],
        "unused": found.unused,
        "unknown": found.unknown,
    }


def table(given: dict[str, Any]) -> Table:
    """Lay the figures out, then every part with what it deviates by."""
    added = given["added"]
    notes = {
        "nominal": "values as the design has them",
        "nearest": "every place with the part nearest to its value",
        "placed": "parts that make up for each other",
    }
    rows = [
        (f"window NRMSE, {name}", percent(given["nrmse"][name]), f"{said}: {percent(added[name])} added")
        for name, said in notes.items()
    ]
    rows.append(("parts left", str(given["unused"]), f"{given['unknown']} of no value that the circuit has"))
    for p in given["placed"]:
        unit = UNITS["resistor" if p["component"].startswith("R") else "capacitor"]
        off = f"{100.0 * (p['value'] / p['nominal'] - 1.0):+.2f} % of {write(p['nominal'], unit)}"
        rows.append((p["component"], p["part"], off))
    return Table("Measured parts in their places", ("what", "figure", ""), tuple(rows))


def text(given: dict[str, Any]) -> str:
    """Write the figures for a terminal."""
    return lined_up(table(given))


def as_csv(found: Placement) -> str:
    """Write which part goes where, for the bench."""
    stream = io.StringIO()
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(["component", "part", "value", "nominal"])
    rows.writerows([p.component, p.part, repr(p.value), repr(p.nominal)] for p in found.placed)
    return stream.getvalue()
