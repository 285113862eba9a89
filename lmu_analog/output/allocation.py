"""Tolerances part by part, for people and scripts."""

from typing import Any

from lmu_analog.codesign.allocation import Allocation
from lmu_analog.output.layout import lined_up
from lmu_analog.output.text_tables import Table, percent


def content(found: Allocation) -> dict[str, Any]:
    """Give the figures; errors and yields are fractions."""
    one = found.uniform
    return {
        "limit": found.limit,
        "wanted_yield": found.wanted,
        "cost": found.cost,
        "assumed_prices": found.assumed,
        "nrmse_theory": found.kept,
        "nrmse_exact": found.exact_kept,
        "yield": {"value": found.good, "low": found.low, "high": found.high},
        "samples": found.samples,
        "counts": {
            kind: [{"tolerance": t, "parts": n} for t, n in of.items()] for kind, of in found.counts.items()
        },
        "parts": [
            {"components": list(part.components), "tolerance": part.tolerance}
            for part in found.design.part_tolerances
        ],
        "classes": {kind: found.design.tolerances[kind].tolerance for kind in found.counts},
        "uniform": None if one is None else {**one.tolerance, "cost": one.cost, "nrmse_theory": one.kept},
        "tightest_cost": found.tightest,
    }


def table(given: dict[str, Any]) -> Table:
    """Lay the figures out."""
    money = "USD, middles of price classes from memory" if given["assumed_prices"] else "by the price list"
    good, one = given["yield"], given["uniform"]
    rows = [
        (kind, ", ".join(f"{row['parts']} of {percent(row['tolerance'])}" for row in rows), "")
        for kind, rows in given["counts"].items()
    ]
    rows.append(("cost", f"{given['cost']:.2f}", f"of R and C, {money}"))
    if one is None:
        rows.append(("one class for all", "–", "none keeps the limit"))
    else:
        said = ", ".join(f"{kind}s {percent(one[kind])}" for kind in given["counts"])
        rows.append(("one class for all", f"{one['cost']:.2f}", f"{said}: the cheapest that keep the limit"))
    theory = percent(given["nrmse_theory"])
    kept = f"of {given['samples']} exact circuits, others than those that decided; {theory} by first-order theory"
    rows.append(("tightest for all", f"{given['tightest_cost']:.2f}", ""))
    rows.append((f"{percent(given['wanted_yield'])} keep", percent(given["nrmse_exact"]), kept))
    interval = f"within {percent(given['limit'])}; {percent(good['low'])} to {percent(good['high'])} at 95 %"
    rows.append(("yield", percent(good["value"]), interval))
    return Table("Tolerances part by part, as cheap as was found", ("what", "figure", ""), tuple(rows))


def text(given: dict[str, Any]) -> str:
    """Write the figures for a terminal."""
    return lined_up(table(given))
