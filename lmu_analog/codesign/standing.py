"""Where a named candidate stands among all of a search, and what it loses on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from lmu_analog.codesign.search import Search
from lmu_analog.errors import DesignError, shown
from lmu_analog.units import tolerance


@dataclass(frozen=True)
class Standing:
    """Where a named candidate stands.

    Attributes
    ----------
    row : int
    figures : dict
        Objective to its value.
    rank : dict
        Objective to how many candidates that keep all limits are better in it, plus one.
    keeps : bool
        Whether it keeps all limits by the law.
    lost : list of str
        What it loses on, against the winner or against the limits.
    beaten_by : int or None
        A member of the front that is as good in all and better in some.
    """

    row: int
    figures: dict[str, float]
    rank: dict[str, int]
    keeps: bool
    lost: list[str]
    beaten_by: int | None


def standing(found: Search, wanted: Mapping[str, str]) -> Standing:
    """Find the best candidate with some keys, and tell where it stands.

    Parameters
    ----------
    found : Search
    wanted : mapping
        Of ``order, family, realization, opamp, values, calibration, resistor, capacitor, decade`` to a value.

    Raises
    ------
    DesignError
        If a key is unknown, or no candidate of the grid has these values.
    """
    grid, allow = found.grid, found.grid.requirement.allow
    banks = grid.banks
    of_banks: dict[str, Callable[[int], str]] = {
        "order": lambda b: str(banks[b].order),
        "family": lambda b: banks[b].family,
        "realization": lambda b: banks[b].realization,
        "values": lambda b: banks[b].series,
        "calibration": lambda b: banks[b].calibration,
    }
    known = (*of_banks, "opamp", "decade", "resistor", "capacitor")
    chosen = np.ones(len(grid), bool)
    for key, value in wanted.items():
        if key in of_banks:
            chosen &= np.array([of_banks[key](b) == value for b in range(len(banks))] or [False])[grid.bank]
        elif key == "opamp":
            chosen &= np.array([part == value for part in allow.opamps])[grid.opamp]
        elif key == "decade":
            chosen &= grid.decade.astype(str) == value
        elif key in ("resistor", "capacitor"):
            at = np.array([abs(t - tolerance(value)) < 1e-9 for t in getattr(allow, key)])
            chosen &= at[getattr(grid, key)]
        else:
            raise DesignError(f"--why: unknown key {shown(key)}; known are {', '.join(known)}")
    rows = np.flatnonzero(chosen & np.isfinite(grid.p95))
    if not len(rows):
        raise DesignError(
            "--why: no candidate of the grid has these values: it is not allowed, was pruned by a bound, or a part of "
            "it is not sold"
        )
    row = int(rows[np.lexsort((grid.cost[rows], grid.kept[rows]))][0])
    objectives = grid.objectives()
    good = grid.within_limits()
    figures = {name: float(values[row]) for name, values in objectives.items()}
    rank = {
        name: int(np.count_nonzero(values[good] < values[row])) + 1 for name, values in objectives.items()
    }
    lost = _lost(found, row)
    table = np.stack(list(objectives.values()), axis=-1)
    better = [k for k in found.front if (table[k] <= table[row]).all() and (table[k] < table[row]).any()]
    return Standing(row, figures, rank, bool(good[row]), lost, better[0] if better else None)


def _lost(found: Search, row: int) -> list[str]:
    """Say which limits a candidate does not keep, and by how much it is worse than the winner in what."""
    grid, need = found.grid, found.grid.requirement.need
    lines = []
    for name, value, limit in (
        ("nrmse", float(grid.kept[row]), need.nrmse),
        ("cost", float(grid.cost[row]), need.cost),
        ("power", float(grid.power[row]), need.power),
        ("parts", float(grid.parts[row]), need.parts),
    ):
        if limit is not None and value > limit:
            lines.append(f"{name} {value:.4g} is beyond the limit of {limit:.4g}")
    if row in found.verified and found.verified[row].reason:
        lines.append(f"verification: {found.verified[row].reason}")
    winner = found.winner
    if winner is not None and winner != row:
        for name, values in grid.objectives().items():
            if values[row] > values[winner] * (1.0 + 1e-9):
                lines.append(f"{name} {values[row]:.4g}, the winner's {values[winner]:.4g}")
    return lines
