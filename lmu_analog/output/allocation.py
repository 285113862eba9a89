"""Tolerances part by part, for people and scripts."""

from dataclasses import asdict
from typing import Any

from lmu_analog.codesign.allocation import Allocation
from lmu_analog.output.layout import lined_up
from lmu_analog.output.text_tables import Table, percent


def content(found: Allocation) -> dict[str, Any]:
    """Give the figures; errors and yields are fractions, losses what they are."""
    one, of, scores = found.uniform, found.of, found.scores
    return {
        "limit": found.limit,
        "wanted_yield": found.wanted,
        "cost": found.cost,
        "assumed_prices": found.assumed,
        f"{of}_theory": found.kept,
        f"{of}_exact": found.exact_kept,
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
        "uniform": None if one is None else {**one.tolerance, "cost": one.cost, f"{of}_theory": one.kept},
        "tightest_cost": found.tightest,
        **({} if scores is None else {"score": asdict(scores)}),
    }


def table(given: dict[str, Any]) -> Table:
    """Lay the figures out."""
    money = "USD, middles of price classes from memory" if given["assumed_prices"] else "by the price list"
    good, one, of = given["yield"], given["uniform"], "loss" if "loss_theory" in given else "nrmse"
    written = percent if of == "nrmse" else "{:.3g}".format
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
    theory = written(given[f"{of}_theory"])
    kept = f"of {given['samples']} exact circuits, others than those that decided; {theory} by first-order theory"
    rows.append(("tightest for all", f"{given['tightest_cost']:.2f}", ""))
    rows.append((f"{percent(given['wanted_yield'])} keep", written(given[f"{of}_exact"]), kept))
    interval = f"within {written(given['limit'])}; {percent(good['low'])} to {percent(good['high'])} at 95 %"
    rows.append(("yield", percent(good["value"]), interval))
    if score := given.get("score"):
        ends = f"{percent(score['low'])} to {percent(score['high'])} of 90 % of circuits"
        ends += f"; {percent(score['software'])} in software"
        rows.append(("network", percent(score["mean"]), f"right, or NRMSE of series, in the mean; {ends}"))
    return Table("Tolerances part by part, as cheap as was found", ("what", "figure", ""), tuple(rows))


def text(given: dict[str, Any]) -> str:
    """Write the figures for a terminal."""
    return lined_up(table(given))
