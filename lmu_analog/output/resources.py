"""Resources of a circuit, for people and scripts."""

from dataclasses import asdict
from typing import Any

from lmu_analog.analysis.resources import Resources
from lmu_analog.output.layout import lined_up
from lmu_analog.output.text_tables import Table, quantity

UNITS = {"resistor": "Ohm", "capacitor": "F", "OTA": "S"}  # of a unit element; transistors count by W/L
_UNKNOWN = "–"


def content(found: Resources) -> dict[str, Any]:
    """Give the figures: sums, then what they are of; null where nothing is known."""
    return {
        "supply": found.supply,
        "theta": found.theta,
        "supply_current": found.current,
        "power": found.power,
        "energy_per_window": found.energy,
        "area_m2": found.area,
        "cost": found.cost,
        **{key: [asdict(part) for part in getattr(found, key)] for key in ("currents", "areas", "costs")},
        "missing": list(missing(found)),
    }


def missing(found: Resources) -> tuple[str, ...]:
    """Say in lines what the sums do not contain."""
    said = [f"current of {c.what}: {c.note}" for c in found.currents if c.each is None]
    said += [f"area of {a.what}: {a.note}" for a in found.areas if a.total is None]
    said += [f"price of {c.what}" for c in found.costs if c.each is None]
    if found.areas and found.currents:
        said.append("area of amplifiers, wires and spacing")
    return tuple(said)


def tables(found: Resources) -> tuple[Table, ...]:
    """List power, area and cost, each with its parts; tables without rows are left out."""
    whole = [
        ("supply current", _written(found.current, "A")),
        ("power", _written(found.power, "W")),
        ("energy per window", _written(found.energy, "J")),
        ("area on the chip", _UNKNOWN if found.area is None else f"{1e6 * found.area:.3g} mm²"),
        ("parts", _UNKNOWN if found.cost is None else f"{found.cost:.2f}"),
    ]
    currents = [(c.what, str(c.count), _written(c.each, "A"), c.note) for c in found.currents]
    areas = [
        (
            a.what,
            str(a.count),
            f"{a.units:.0f}",
            quantity(a.unit, UNITS[kind]) if (kind := a.what.split()[0]) in UNITS else f"{a.unit:.3g}",
            _UNKNOWN if a.total is None else f"{1e6 * a.total:.3g} mm²",
            a.note,
        )
        for a in found.areas
    ]
    costs = [
        (c.what, str(c.count), str(c.packages), _UNKNOWN if c.each is None else f"{c.each:g}", "")
        for c in found.costs
    ]
    every = (
        Table("what the circuit takes", ("sum", "value"), tuple(whole)),
        Table("supply current", ("of", "number", "each", "source"), tuple(currents)),
        Table("area on the chip", ("of", "number", "units", "unit", "area", "source"), tuple(areas)),
        Table("cost of parts", ("of", "number", "packages", "each", ""), tuple(costs)),
    )
    return tuple(t for t in every if t.rows)


def text(found: Resources) -> str:
    """Lay out the tables, and what is missing."""
    lines = [lined_up(t) for t in tables(found)]
    return "\n\n".join(lines) + "".join(f"\n  not counted: {line}" for line in missing(found))


def _written(value: float | None, unit: str) -> str:
    return _UNKNOWN if value is None else quantity(float(f"{value:.3g}"), unit)
