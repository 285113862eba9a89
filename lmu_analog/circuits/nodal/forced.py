"""A circuit's state space with the sources of its nonlinear laws as further inputs, many samples at once."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.nodal.extract import Split
from lmu_analog.circuits.nodal.saturation import Limits
from lmu_analog.circuits.nodal.stamps import Equations
from lmu_analog.errors import CircuitError


@dataclass(frozen=True, eq=False)
class Forced:
    """The systems x' = A x + B f, y = C x + D f, with f the n sources w, the input u, and 1.

    Attributes
    ----------
    A : (s, r, r) array, 1/s
    B : (s, r, n + 2) array, 1/s
    C : (s, n + p, r) array
        First the saturating voltages, then the Legendre states.
    D : (s, n + p, n + 2) array
    """

    A: Float[np.ndarray, "s r r"]
    B: Float[np.ndarray, "s r m"]
    C: Float[np.ndarray, "s y r"]
    D: Float[np.ndarray, "s y m"]


def forced(plan: Split, equations: Equations, limited: Limits) -> Forced:
    """Solve the algebraic unknowns of E v' + E_u u' = F v + G u + h + push w.

    As ``extract`` does, x + q u is the state where a capacitor couples the input in, so that there is no u'.

    Parameters
    ----------
    plan : Split
    equations : Equations
        Of s samples.
    limited : Limits
        The nonlinear laws, of the same samples.

    Raises
    ------
    CircuitError
        If the equations of a sample are singular.
    """
    E, F, drive, push = (
        plan.scale * part for part in (equations.E, equations.F, equations.drive, limited.push)
    )
    r, n = plan.M.shape[1], push.shape[-1]
    split = np.concatenate([F @ plan.M, push, drive[..., [0, 2]], F @ plan.Z], axis=-1)
    algebraic, dynamic = plan.null.T @ split, plan.rows.T @ split
    known = r + n + 2
    try:
        y = -np.linalg.solve(algebraic[..., known:], algebraic[..., :known])
        right = dynamic[..., :known] + dynamic[..., known:] @ y
        jump = -plan.rows.T @ drive[..., 1:2]
        solved = np.linalg.solve(plan.rows.T @ E @ plan.M, np.concatenate([right, jump], axis=-1))
    except np.linalg.LinAlgError as error:
        raise CircuitError("the node equations of a sample are singular: a part floats") from error
    A, B, q = solved[..., :r], solved[..., r:known], solved[..., known:]
    seen = np.concatenate([limited.seen, plan.output])
    direct = np.concatenate([limited.direct, plan.feedthrough[:, 0]])
    read = seen @ (np.concatenate([plan.M, np.zeros((len(plan.M), n + 2))], axis=1) + plan.Z @ y)
    C, D = read[..., :r], read[..., r:].copy()
    B[..., n : n + 1] += A @ q
    D[..., n : n + 1] += C @ q
    D[..., n] += direct
    return Forced(A, B, C, D)
