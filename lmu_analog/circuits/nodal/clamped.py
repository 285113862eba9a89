"""The operating point of a circuit whose op-amps reach their rails, by trying which of them do."""

import numpy as np

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import DifferentialOpAmp, OpAmp
from lmu_analog.circuits.nodal.stamps import stamp
from lmu_analog.circuits.nodal.unknowns import Index
from lmu_analog.errors import CircuitError

_BEYOND = 1e-6  # of a rail: rounding
_TRIES = 4  # changes of what is clamped, for every amplifier


def operating_point(circuit: Circuit, *, sign: float = 1.0) -> dict[str, float] | None:
    """Solve for all voltages at rest, with outputs of op-amps clamped where they would pass their rails.

    One output after another is clamped, the one that is farthest beyond first, and freed again where its input would
    drive it back. What starts it all are bias currents and offsets.

    Parameters
    ----------
    circuit : Circuit
        Of linear parts and op-amps of one output that are not ideal.
    sign : float
        Of bias currents and offsets, which are as likely the other way round.

    Returns
    -------
    dict or None
        Net to voltage, V; None if no set of clamped outputs is consistent, or the equations are singular.

    Raises
    ------
    CircuitError
        If the circuit has ideal op-amps, some with two outputs, or a single supply.
    """
    if any(c.model.middle for c in circuit.amplifiers):
        raise CircuitError("operating points at the rails are found of circuits about ground")
    if circuit.only(DifferentialOpAmp) or any(c.model.ideal for c in circuit.only(OpAmp)):
        raise CircuitError(
            "operating points at the rails are found of op-amps with one output and finite gain"
        )
    index = Index(circuit)
    equations = stamp(circuit, index, circuit.values[None])
    F, constant = equations.F[0], sign * equations.drive[0, :, 2]
    amplifiers = circuit.only(OpAmp)
    outputs = np.array([index.output(c.out) for c in amplifiers], int)
    rows = np.array([index.own[c.name] for c in amplifiers], int)
    rails = np.array([c.model.swing for c in amplifiers])
    clamped = np.zeros(len(amplifiers))  # -1 and 1: at which rail
    for _ in range(_TRIES * len(amplifiers) + 1):
        matrix, right = F.copy(), -constant
        held = np.flatnonzero(clamped)
        matrix[rows[held]] = 0.0
        matrix[rows[held], outputs[held]] = 1.0
        right[rows[held]] = (clamped * rails)[held]
        balance = 1.0 / np.maximum(np.abs(matrix).max(axis=1), 1e-300)
        try:
            v = np.linalg.solve(balance[:, None] * matrix, balance * right)
        except np.linalg.LinAlgError:
            return None
        # An output at its rail stays there while its input drives it outward.
        back = held[(F[rows[held]] @ v + constant[rows[held]]) * clamped[held] < 0.0]
        excess = np.where(clamped == 0.0, np.abs(v[outputs]) / rails - 1.0, 0.0)
        if excess.max(initial=0.0) > _BEYOND:
            worst = int(np.argmax(excess))
            clamped[worst] = np.sign(v[outputs[worst]])
        elif len(back):
            clamped[back[0]] = 0.0
        else:
            return {net: float(v[k]) for net, k in index.column.items()}
    return None
