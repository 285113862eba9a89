"""ngspice's binary raw file: a text header, then float64 values, point by point."""

from pathlib import Path

import numpy as np

from lmu_analog.errors import SimulationError


def read_raw(path: Path | str) -> dict[str, np.ndarray]:
    """Read the only plot of a raw file: vector name to values, complex for an AC analysis.

    Raises
    ------
    SimulationError
        If the file is missing, cut short, or holds another number of plots than one.
    """
    path = Path(path)
    if not path.is_file():
        raise SimulationError("ngspice wrote no results")
    header, mark, data = path.read_bytes().partition(b"Binary:\n")
    lines = header.decode(errors="replace").splitlines()
    fields = dict(line.split(": ", 1) for line in lines if ": " in line)
    if not mark or "No. Points" not in fields:
        raise SimulationError("ngspice's results have no header")
    kind = np.dtype(np.complex128 if "complex" in fields["Flags"] else np.float64)
    names = [line.split()[1] for line in lines[lines.index("Variables:") + 1 :]]
    points, variables = int(fields["No. Points"]), len(names)
    if len(data) != points * variables * kind.itemsize:
        raise SimulationError("ngspice's results are cut short, or hold more than one plot")
    table = np.frombuffer(data, kind).reshape(points, variables)
    return {name: column.copy() for name, column in zip(names, table.T, strict=True)}
