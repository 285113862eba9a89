"""The explorer of a requirement: structures are made, and the page is written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from lmu_analog.codesign.grid import Grid
from lmu_analog.codesign.requirement import Requirement
from lmu_analog.codesign.search import gathered, structures
from lmu_analog.ensembles.cluster import hired
from lmu_analog.ensembles.montecarlo import check_numbers
from lmu_analog.errors import DesignError
from lmu_analog.files_out import check_file, write_text
from lmu_analog.output.explorer.page import page

LARGE = 2_000_000  # bytes of a page that is no longer quickly sent and opened


def check_page(path: Path) -> None:
    """Refuse a name that no page can be written to, before the work is done.

    Raises
    ------
    DesignError
        If it is a folder, or in none.
    """
    if path.is_dir() or not path.parent.is_dir():
        raise DesignError(f"-o {path}: a file in an existing folder is wanted")
    check_file(path)


def steps(requirement: Requirement) -> int:
    """Length of the progress bar: structures that a requirement allows."""
    return len(requirement.allow.orders) * len(requirement.allow.pairs)


def write_explorer(
    requirement: Requirement,
    path: Path,
    *,
    workers: int | None = None,
    prune: bool = False,
    progress: Callable[[float], None] = lambda _: None,
) -> dict[str, Any]:
    """Write the explorer's page, and say what it holds.

    Parameters
    ----------
    requirement : Requirement
    path : Path
    workers : int, optional
        Processes; one a processor unless given. The page does not depend on it.
    prune : bool
        Whether structures that cannot keep the limit of the error are left out.
    progress : callable
        Called with 1 after every structure.

    Raises
    ------
    DesignError
        If circuits are on a chip, or the page cannot be written.

    Returns
    -------
    content : dict
        ``page``, ``bytes``, ``candidates``, ``banks``, ``counts`` as of ``codesign.search.Search``, and ``reasons``
        why structures could not be built, to how many.
    """
    if requirement.allow.chip is not None:
        raise DesignError(
            "[allow] families: the explorer shows circuits on a board; lmu-analog optimize searches those on a chip"
        )
    _, count = check_numbers(1, workers)
    with hired(count) as crew:
        made, failed = structures(
            requirement, crew, count=lambda _, done, __: progress(1.0 if done else 0.0), prune=prune
        )
    found = gathered(requirement, made, failed)
    grid = cast("Grid", found.grid)
    text = page(grid)
    write_text(path, text)
    return {
        "page": str(path),
        "bytes": len(text.encode()),
        "candidates": len(grid),
        "banks": len(grid.banks),
        "counts": found.counts,
        "reasons": found.reasons,
    }


def text(content: dict[str, Any]) -> str:
    """Lay out what ``write_explorer`` says, for a terminal."""
    counts = content["counts"]
    lines = [
        f"{content['candidates']} candidates of {content['banks']} banks of values, {content['bytes'] / 1e3:.0f} kB",
        f"{counts['grid']} on the grid: {counts['unfit']} beyond the limits of a board or of their op-amp, "
        f"{counts['pruned']} pruned, {counts['failed']} not to be built",
    ]
    return "\n".join([*lines, *(f"{n} structures: {reason}" for reason, n in content["reasons"].items())])
