"""Where a named candidate stands among all of a search, and what it loses on."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lmu_analog.codesign.chip import ChipGrid
from lmu_analog.codesign.grid import Grid
from lmu_analog.codesign.search import Search
from lmu_analog.errors import DesignError, shown
from lmu_analog.units import area, fraction, parse


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
        Of a key, as in ``Grid.axes``, to a value.

    Raises
    ------
    DesignError
        If a key is unknown, or no candidate of the grid has these values.
    """
    grid = found.grid
    check_keys(grid, wanted)
    axes = grid.axes()
    chosen = np.ones(len(grid), bool)
    for key, value in wanted.items():
        known, places = axes[key]
        chosen &= np.array([_is(one, value) for one in known] or [False])[places]
    rows = np.flatnonzero(chosen & np.isfinite(grid.p95))
    if not len(rows):
        raise DesignError(
            "--why: no candidate of the grid has these values: it is not allowed, was pruned by a bound, or a part of "
            "it is not sold"
        )
    objectives = grid.objectives()
    wanted_least = objectives[grid.requirement.minimise]
    row = int(rows[np.lexsort((wanted_least[rows], grid.kept[rows]))][0])
    good = grid.within_limits()
    figures = {name: float(values[row]) for name, values in objectives.items()}
    rank = {
        name: int(np.count_nonzero(values[good] < values[row])) + 1 for name, values in objectives.items()
    }
    lost = _lost(found, row)
    table = np.stack(list(objectives.values()), axis=-1)
    better = [k for k in found.front if (table[k] <= table[row]).all() and (table[k] < table[row]).any()]
    return Standing(row, figures, rank, bool(good[row]), lost, better[0] if better else None)


def check_keys(grid: Grid | ChipGrid, wanted: Mapping[str, str]) -> None:
    """Refuse keys that no candidate has.

    Raises
    ------
    DesignError
        With the keys that there are.
    """
    axes = grid.axes()
    if unknown := [key for key in wanted if key not in axes]:
        raise DesignError(f"--why: unknown key {shown(unknown[0])}; known are {', '.join(axes)}")


def _is(one: object, value: str) -> bool:
    """Tell whether a text means a value: a word, a number, a tolerance or a quantity."""
    if not isinstance(one, float):
        return str(one) == value
    for read in (fraction, area, lambda text: parse(text, "F"), lambda text: parse(text, "V")):
        try:
            if math.isclose(read(value), one, rel_tol=1e-6):
                return True
        except DesignError:
            continue
    return False


def _lost(found: Search, row: int) -> list[str]:
    """Say which limits a candidate does not keep, and by how much it is worse than the winner in what."""
    grid, need = found.grid, found.grid.requirement.need
    lines = []
    values = {"nrmse": float(grid.kept[row])} | grid.figures(row)
    for name, value in values.items():
        limit = getattr(need, name, None)
        if limit is not None and value > limit:
            lines.append(f"{name} {value:.4g} is beyond the limit of {limit:.4g}")
    if need.snr is not None and grid.snr[row] < need.snr:
        lines.append(f"snr {float(grid.snr[row]):.4g} dB is below the limit of {need.snr:.4g} dB")
    if row in found.verified and found.verified[row].reason:
        lines.append(f"verification: {found.verified[row].reason}")
    winner = found.winner
    if winner is not None and winner != row:
        for name, best in grid.figures(winner).items():
            if values[name] > best * (1.0 + 1e-9):
                lines.append(f"{name} {values[name]:.4g}, the winner's {best:.4g}")
    return lines
