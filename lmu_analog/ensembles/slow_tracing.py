"""How a circuit comes down to its slow states, written down as a program: see ``slow`` and ``tape``."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from lmu_analog.circuits.nodal.pencil import eliminate, table
from lmu_analog.engine.tape import Program, Tape, program
from lmu_analog.engine.tracing import equations
from lmu_analog.reduction.remainder import Reduction, probe_series, remainder


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
