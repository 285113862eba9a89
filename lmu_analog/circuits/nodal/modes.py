"""Poles of a linear circuit and their sensitivities to every parameter, many samples at once.

The pole s of E v' = F v with right and left vectors v and w moves by w (dF - s dE) v / (w E v).
"""

from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Complex, Float

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import Resistor
from lmu_analog.circuits.nodal.adjoint import EquationSlopes
from lmu_analog.circuits.nodal.extract import Split, split
from lmu_analog.circuits.nodal.stamps import stamp
from lmu_analog.errors import CircuitError


@dataclass(frozen=True, eq=False)
class Pencil:
    """The equations E v' = F v of a linear circuit: affine in its values, and in the reciprocals of resistances.

    Attributes
    ----------
    nominal : (m,) array
        Values of ``circuit.parameters``, SI units.
    reciprocal : (m,) bool array
        Parameters that enter as their reciprocal.
    plan : Split
    E, F : (N, N) arrays
        Nominal, with the rows scaled.
    row, column, parameter : (l,) int arrays
        Where a parameter enters, an entry a line.
    storing, direct : (l,) arrays
        What the entry of E, and of F, has of it in the nominal circuit.
    """

    nominal: Float[np.ndarray, " m"]
    reciprocal: np.ndarray
    plan: Split
    E: np.ndarray
    F: np.ndarray
    row: np.ndarray
    column: np.ndarray
    parameter: np.ndarray
    storing: np.ndarray
    direct: np.ndarray

    @classmethod
    def of(cls, circuit: Circuit) -> "Pencil":
        """Write the equations of a circuit down.

        Raises
        ------
        CircuitError
            If the circuit has no state space, or is sampled, or not linear.
        """
        if circuit.small_signal is not None or circuit.clock is not None:
            raise CircuitError(
                f"a {circuit.family} circuit has no E v' = F v; give a linear one without a clock"
            )
        plan, nominal = split(circuit), circuit.values
        kind = {c.name: type(c) for c in circuit.components}
        reciprocal = np.array([kind[p.component] is Resistor for p in circuit.parameters], bool)
        equations, lines = stamp(circuit, plan.index, nominal[None]), EquationSlopes.of(circuit, plan.index)
        inside = lines.column < plan.index.size
        row, column, parameter = (x[inside] for x in (lines.row, lines.column, lines.parameter))
        # Of a conductance, that is what is there; its slope by the resistance has the other sign.
        share = plan.scale[row, 0] * (nominal * np.where(reciprocal, -1.0, 1.0))[parameter]
        storing, direct = share * lines.storing[inside], share * lines.direct[inside]
        E, F = plan.scale * equations.E[0], plan.scale * equations.F[0]
        return cls(nominal, reciprocal, plan, E, F, row, column, parameter, storing, direct)

    def matrices(self, values: Float[np.ndarray, "s m"]) -> tuple[np.ndarray, np.ndarray]:
        """Give E and F of samples, (s, N, N)."""
        base = np.where(self.nominal == 0.0, 1.0, self.nominal)
        share = np.where(self.nominal == 0.0, 1.0, values / base)
        change = np.where(self.reciprocal, 1.0 / share, share) - 1.0
        size = len(self.E)
        shape, at = (size * size, len(self.nominal)), (self.row * size + self.column, self.parameter)
        storing, direct = (scipy.sparse.csr_array((x, at), shape) for x in (self.storing, self.direct))
        E, F = ((part @ change.T).T.reshape(-1, size, size) for part in (storing, direct))
        return self.E + E, self.F + F


@dataclass(frozen=True, eq=False)
class Reduced:
    """Samples reduced to their states x, v = lift x: storing x' = moving x.

    ``algebraic`` holds the equations without derivatives, and ``coupled`` what those with derivatives have of
    the unknowns that are no states.
    """

    storing: np.ndarray
    moving: np.ndarray
    lift: np.ndarray
    algebraic: np.ndarray
    coupled: np.ndarray

    @classmethod
    def of(cls, pencil: Pencil, values: Float[np.ndarray, "s m"]) -> "Reduced":
        """Solve for what follows from the states at once."""
        plan = pencil.plan
        E, F = pencil.matrices(values)
        algebraic, dynamic = plan.null.T @ F, plan.rows.T @ F
        y = -np.linalg.solve(algebraic @ plan.Z, algebraic @ plan.M)
        lift = plan.M + plan.Z @ y
        return cls(plan.rows.T @ E @ plan.M, dynamic @ lift, lift, algebraic @ plan.Z, dynamic @ plan.Z)

    @property
    def A(self) -> Float[np.ndarray, "s n n"]:
        """State matrices, 1/s."""
        return np.linalg.solve(self.storing, self.moving)


def growths(pencil: Pencil, values: Float[np.ndarray, "s m"]) -> Float[np.ndarray, " s"]:
    """Give the largest real part of the poles of samples, (s,), 1/s."""
    return np.linalg.eigvals(Reduced.of(pencil, values).A).real.max(axis=1)


def pole_slopes(
    pencil: Pencil, values: Float[np.ndarray, "s m"], *, count: int = 1
) -> tuple[Complex[np.ndarray, "s k"], Complex[np.ndarray, "s k m"]]:
    """Find the poles with the largest real parts, and how they answer to relative changes of all parameters.

    Parameters
    ----------
    pencil : Pencil
    values : (s, m) array
        Of ``circuit.parameters``, SI units.
    count : int
        How many poles.

    Returns
    -------
    poles : (s, k) complex array, 1/s
    slopes : (s, k, m) complex array, 1/s
    """
    plan, found = pencil.plan, Reduced.of(pencil, values)
    poles, right = (x.astype(complex) for x in np.linalg.eig(found.A))
    chosen = np.argsort(-np.real(poles), axis=1)[:, :count]
    at = np.arange(len(values))[:, None]
    poles = poles[at, chosen]
    left = np.linalg.inv(right)[at, chosen] @ np.linalg.inv(found.storing)
    # The weights of the equations without derivatives are those that keep w F Z at zero.
    others = -left @ found.coupled @ np.linalg.inv(found.algebraic)
    w = left @ plan.rows.T + others @ plan.null.T
    v = np.moveaxis(found.lift @ right, 1, 2)[at, chosen]
    rate = pencil.direct - poles[..., None] * pencil.storing
    each = w[..., pencil.row] * v[..., pencil.column] * rate
    gather = scipy.sparse.csr_array(
        (np.ones(len(pencil.parameter)), (pencil.parameter, np.arange(len(pencil.parameter)))),
        (len(pencil.nominal), len(pencil.parameter)),
    )
    slopes = (gather @ each.reshape(-1, each.shape[-1]).T).T.reshape(*chosen.shape, -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(pencil.nominal == 0.0, 1.0, values / pencil.nominal)
    return poles, slopes * np.where(pencil.reciprocal, -1.0 / share, share)[:, None, :]
