"""Inputs of a network from a file: a row a step, a column an input."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lmu_analog.errors import DesignError
from lmu_analog.tables import Table, is_counter, is_time, read_table, volt_scale

_WANTED = "a row a step and a column an input"


def read_sequence(path: Path | str, inputs: int, *, column: Sequence[str] = ()) -> np.ndarray:
    """Read a table of numbers, (steps, inputs), as `lmu_analog.tables.read_table` does; a header is optional.

    Parameters
    ----------
    path : Path or str
    inputs : int
        Of the layer.
    column : sequence of str, optional
        Which columns are the inputs, in their order: names of the header, or numbers from 1; all unless given.

    Raises
    ------
    DesignError
        If the file cannot be read, a row is no row of numbers, or there are not as many columns as inputs.
    """
    table = read_table(path, wanted=_WANTED)
    chosen = [_column(table, name) for name in column] or list(range(table.columns.shape[1]))
    if len(chosen) != inputs:
        raise DesignError(
            f"{path}, line {table.lines[0]}: {len(chosen)} columns ({table.listed}), and the weights have {inputs} "
            "inputs; choose them with column="
        )
    for k in chosen if table.headings else ():
        name, unit = table.names[k], table.units[k]
        if not column and (is_time(name, unit) or (is_counter(name) and name)):
            raise DesignError(
                f"{path}: column {table.headings[k][:40]!r} is no input by its name; choose them with column="
            )
        if unit not in ("", "1") and volt_scale(unit) != (1.0, 1.0):
            raise DesignError(
                f"{path}: column {table.headings[k][:40]!r} is in {unit[:20]!r}; inputs of a layer are plain numbers"
            )
    return np.ascontiguousarray(table.columns[:, chosen])


def _column(table: Table, name: str) -> int:
    found = table.find(name)
    if len(found) != 1:
        raise DesignError(
            f"{table.path}: {len(found)} columns are called {name[:40]!r}; there are {table.listed}"
        )
    return found[0]
