"""Files that are whole or not there: written beside, then moved into place."""

import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lmu_analog.errors import DesignError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES = (".svg", ".png", ".pdf")


def write_text(path: Path, text: str) -> Path:
    """Write UTF-8 text so that a reader never meets half of it.

    Raises
    ------
    DesignError
        If the folder is missing or cannot be written, or the disk is full.
    """
    with whole_file(path) as half:
        half.write_text(text, "utf-8")
    return path


@contextmanager
def whole_file(path: Path) -> Generator[Path, None, None]:
    """Hand out a file to fill, which takes its name once all is in it; else nothing is left of it.

    Raises
    ------
    DesignError
        If the folder is missing or cannot be written, or the disk is full.
    """
    if path.is_dir():
        raise DesignError(f"{path} is a folder; give the name of a file in it")
    half = None
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(descriptor)
        half = Path(name)
        yield half
        half.chmod(0o644)
        half.replace(path)
    except OSError as error:
        raise DesignError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        if half is not None:
            half.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Generator[Path, None, None]:
    """Hand out a folder to fill, which takes its name once all is in it; else nothing is left of it.

    Raises
    ------
    DesignError
        If it cannot be made, or another file of that name is in the way.
    """
    half = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        half = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        yield half
        half.chmod(0o755)
        half.replace(path)
    except OSError as error:
        raise DesignError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        if half is not None:
            shutil.rmtree(half, ignore_errors=True)


def check_figure(path: Path | None) -> None:
    """Refuse a figure's name that nothing can be written to, before the work is done."""
    if path is not None and (path.suffix not in FIGURES or not path.parent.is_dir() or path.is_dir()):
        raise DesignError(
            f"--plot {path}: a file in an existing folder that ends in {', '.join(FIGURES)} is wanted"
        )


def write_figure(figure: "Figure", path: Path) -> Path:
    """Write a figure, whole or not at all; SVG, PNG or PDF by the suffix.

    Raises
    ------
    DesignError
        If it cannot be written.
    """
    try:
        with whole_file(path) as half:
            figure.savefig(half, dpi=150, format=path.suffix[1:])
    except DesignError as error:
        raise DesignError(f"--plot {error}") from error
    return path
