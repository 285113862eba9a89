"""Centred values, for people and scripts."""

from dataclasses import asdict
from typing import Any

from lmu_analog.codesign.centring import Centred, Errors
from lmu_analog.output.layout import lined_up
from lmu_analog.output.text_tables import Table, percent

_SHOWN = 6  # moves in one line


def content(found: Centred) -> dict[str, Any]:
    """Give the figures; errors are fractions."""
    circuits = {
        "before": found.before,
        "predistorted": found.predistorted,
        "exact": found.exact,
        "after": found.after,
    }
    return {
        **{name: None if errors is None else _errors(errors) for name, errors in circuits.items()},
        "second_order": found.second_order,
        "from_predistorted": found.from_predistorted,
        "moves": found.moves,
        "values": found.design.values,
        "circuits": found.evaluated,
        "element_values": found.design.element_values,
    }


def _errors(errors: Errors) -> dict[str, Any]:
    given = asdict(errors)
    return {
        "nrmse": given["nominal"],
        "nrmse_p95": given["p95"],
        "band": given["band"],
        "check": given["check"],
    }


def table(given: dict[str, Any]) -> Table:
    """Lay the figures out."""
    said = {
        "before": "as it was",
        "predistorted": 'predistort = "gbw"',
        "exact": "centred",
        "after": "centred" if given["exact"] is None else f"centred, of {given['values']}",
    }
    rows = [
        (text, *(percent(given[name][key]) for key in ("nrmse", "nrmse_p95", "band", "check")))
        for name, text in said.items()
        if given[name] is not None
    ]
    return Table("Error of the window", ("values", "nominal", "p95", "flat band", "other tones"), tuple(rows))


def text(given: dict[str, Any]) -> str:
    """Write the figures for a terminal."""
    far = sorted(given["moves"].items(), key=lambda move: -max(move[1], 1.0 / move[1]))
    moved = ", ".join(f"{name} by {factor:.3g}" for name, factor in far[:_SHOWN])
    least = "the mean square error with mismatch" if given["second_order"] else "the nominal error"
    start = "the predistorted values" if given["from_predistorted"] else "the values as they were"
    return (
        f"{lined_up(table(given))}\n"
        f"least: {least}, from {start}, {given['circuits']} circuits looked at\n"
        f"moved most: {moved}; {len(far)} values in all"
    )
