"""Cells that the tables of the learning experiments share."""

from typing import Any

COSTS = ("states", "parameters", "s an epoch", "us a step")


def cost_cells(row: dict[str, Any]) -> tuple[str, ...]:
    """Lay out what a network takes, under ``COSTS``."""
    return (
        str(row["states"]),
        str(row["parameters"]),
        f"{row['seconds_an_epoch']:.2g}",
        f"{1e6 * row['seconds_a_step']:.3g}",
    )
