"""Inputs of a network from a file: a row a step, a column an input."""

from pathlib import Path

import numpy as np

from lmu_analog.errors import DesignError

MOST_BYTES = 100_000_000


def read_sequence(path: Path, inputs: int) -> np.ndarray:
    """Read a CSV file of numbers with commas between them, (steps, inputs); a first line of words is a header.

    Raises
    ------
    DesignError
        If the file is missing, or a row does not hold as many numbers as there are inputs.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DesignError(f"{path} is larger than {MOST_BYTES // 10**6} MB; give fewer steps")
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise DesignError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DesignError(f"{path} is no text; a CSV file with a row a step is wanted") from error
    rows = [(number, line.split(",")) for number, line in enumerate(lines, start=1) if line.strip()]
    if rows and not _numbers(rows[0][1]):
        rows = rows[1:]
    if not rows:
        raise DesignError(f"{path} holds no numbers; a row a step is wanted")
    for number, row in rows:
        if len(row) != inputs:
            raise DesignError(
                f"{path} line {number}: {len(row)} columns, and the weights have {inputs} inputs"
            )
        if not _numbers(row):
            raise DesignError(f"{path} line {number}: {','.join(row)!r:.60} is not finite numbers")
    return np.array([[float(cell) for cell in row] for _, row in rows])


def _numbers(row: list[str]) -> bool:
    try:
        return all(np.isfinite(float(cell)) for cell in row)
    except ValueError:
        return False
