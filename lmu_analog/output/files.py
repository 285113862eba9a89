"""Files that are whole or not there: written beside, then moved into place."""

import os
import tempfile
from pathlib import Path

from lmu_analog.errors import DesignError


def write_text(path: Path, text: str) -> Path:
    """Write UTF-8 text so that a reader never meets half of it.

    Raises
    ------
    DesignError
        If the folder is missing or cannot be written, or the disk is full.
    """
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise DesignError(f"{path} cannot be written: {error.strerror}") from error
    return path
