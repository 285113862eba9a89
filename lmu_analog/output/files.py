"""Figures on disk."""

from pathlib import Path
from typing import TYPE_CHECKING

from lmu_analog.errors import DesignError
from lmu_analog.files_out import check_file, whole_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES = (".svg", ".png", ".pdf")


def check_figure(path: Path | str | None) -> None:
    """Refuse a figure's name that nothing can be written to, before the work is done."""
    if path is None:
        return
    path = Path(path)
    if path.suffix not in FIGURES or not path.parent.is_dir() or path.is_dir():
        raise DesignError(
            f"plot={path}: a file in an existing folder that ends in {', '.join(FIGURES)} is wanted"
        )
    try:
        check_file(path)
    except DesignError as error:
        raise DesignError(f"plot={error}") from error


def write_figure(figure: "Figure", path: Path | str) -> Path:
    """Write a figure, whole or not at all; SVG, PNG or PDF by the suffix.

    Raises
    ------
    DesignError
        If it cannot be written.
    """
    path = Path(path)
    try:
        with whole_file(path) as half:
            figure.savefig(half, dpi=150, format=path.suffix[1:])
    except DesignError as error:
        raise DesignError(f"plot={error}") from error
    return path
