"""How a circuit comes down to its slow states, written down as a program: see ``slow`` and ``tape``."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from lmu_analog.circuits.elimination import Table, eliminate, table
from lmu_analog.circuits.remainder import Reduction, probe_series, remainder
from lmu_analog.circuits.tape import Number, Program, Tape, program


@dataclass(frozen=True, eq=False)
class Traced:
    """Programs of a reduction.

    Attributes
    ----------
    table : Program
        Of all equations: outputs are (2, N + p, N + 2), coefficients of 1 and s.
    slow : Program
        Of what elimination leaves: n rows of ``width`` entries as in ``remainder``, one spare output, and
        the probes C_0, C_1, ..., (p, n) each, then D_0, D_1, ..., (p,) each.
    width : int
    probed : int
        Number of powers of C and D.
    """

    table: Program
    slow: Program
    width: int
    probed: int


def trace(reduction: Reduction, moving: Bool[np.ndarray, " m"]) -> Traced:
    """Write down both programs; parameters that do not move are constants in them."""
    tape, nominal = Tape(), reduction.circuit.values
    values = np.array(
        [
            tape.load(k) if moves else float(x)
            for k, (x, moves) in enumerate(zip(nominal, moving, strict=True))
        ],
        object,
    )
    content = table(reduction.circuit, reduction.index, values[None], rate=reduction.rate)
    whole = equations(tape, content, reduction.index.size, outputs=reduction.circuit.order)
    for step in reduction.order.steps:
        eliminate(content, step, reduction.degree)
    C, D = probe_series(reduction, content, 1, dtype=object)
    board = remainder(reduction, content, slice(0, 1), dtype=object)
    flat = [board[..., 0].ravel(), np.zeros(1), *(x.ravel() for x in C), *(x.ravel() for x in D)]
    outputs = dict(enumerate(np.concatenate(flat)))
    return Traced(whole, program(tape, outputs, len(outputs)), board.shape[1], len(C))


def equations(tape: Tape, content: Table, size: int, *, outputs: int) -> Program:
    """Write down all equations and probes: outputs are (2, N + p, N + 2), coefficients of 1 and s."""
    rows, columns = size + outputs, size + 2
    found: dict[int, Number | float] = {}
    for (row, column), series in content.items():
        for power, x in enumerate(series):
            if x is not None:
                found[(power * rows + row) * columns + column] = np.asarray(x, object).ravel()[0]
    return program(tape, found, 2 * rows * columns)
