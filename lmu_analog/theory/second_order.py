"""What mismatch adds to the mean square error of a nominal circuit, to second order, and its exact slopes.

With relative errors x of the elements, of mean zero and covariance S = D D^T, and an error e + J x + x^T H x / 2,

    E |error|^2 = |e|^2 + tr(J S J^T) + e . tr(H S) + terms of fourth order.

The second term is what first-order theory adds, the third what curvature does to a circuit that is not exact. Both, and
their slopes by the logarithm of every value, follow from the equations of the circuit, M v = b, in which a value enters
linearly or as its reciprocal: for every tone M is inverted once, dv/dp costs a solve for each parameter, and whatever a
second or third derivative is multiplied with is moved to the other side (adjoints), so that no tensor is ever made.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float, Int

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import Resistor
from lmu_analog.circuits.nodal.adjoint import EquationSlopes
from lmu_analog.circuits.nodal.extract import probe_rows
from lmu_analog.circuits.nodal.stamps import stamp
from lmu_analog.circuits.nodal.unknowns import Index
from lmu_analog.design import Design
from lmu_analog.errors import CircuitError, DesignError
from lmu_analog.mismatch.law import Mismatch
from lmu_analog.stimulus import Tones
from lmu_analog.theory.first_order import Coordinates, by_draws


@dataclass(frozen=True, eq=False)
class Added:
    """What mismatch adds to the mean square error, a fraction of rms(u)^2, and its slopes.

    Attributes
    ----------
    spread : float
        tr(J S J^T).
    curvature : float
        e . tr(H S).
    spread_slopes, curvature_slopes : (m,) arrays
        By the logarithm of every value of the circuit.
    """

    spread: float
    curvature: float
    spread_slopes: Float[np.ndarray, " m"]
    curvature_slopes: Float[np.ndarray, " m"]


def relative_spreads(circuit: Circuit, law: Mismatch) -> Float[np.ndarray, "m z"]:
    """Give D: what one standard deviation of every draw does to each value, relative to it.

    Offsets, which are nothing relative to zero, are left out: they add to the error whatever the elements are.
    """
    values = circuit.values
    relative = np.divide(1.0, values, out=np.zeros(len(values)), where=values != 0.0)
    return by_draws(circuit, law, np.diag(relative))


def added(design: Design, circuit: Circuit, spreads: Float[np.ndarray, "m z"]) -> Added:
    """Give what mismatch adds for a design's signal.

    Parameters
    ----------
    design : Design
        Its order, window and signal.
    circuit : Circuit
        Linear, without a clock.
    spreads : (m, z) array
        From ``relative_spreads``; they are taken not to change with the values.

    Raises
    ------
    CircuitError
        If the circuit is sampled or nonlinear.
    DesignError
        If the signal is a recording.
    """
    tones = design.stimulus
    if not isinstance(tones, Tones):
        raise DesignError(
            "the second order of mismatch is known of periodic signals; leave the recording out"
        )
    if circuit.clock is not None or circuit.small_signal is not None:
        raise CircuitError(
            f"the second order of mismatch is known of linear circuits, not of {circuit.family}"
        )
    at = Coordinates.of(tones, design)
    along, count = at.phasor[:, None, None] * at.readout, len(at.phasor) * len(at.readout)
    wanted = np.reshape(at.ideal[:count] + 1j * at.ideal[count : 2 * count], (len(along), -1))
    index = Index(circuit)
    nominal = stamp(circuit, index, circuit.values[None])
    E, F, drive = nominal.E[0], nominal.F[0], nominal.drive[0]
    rows, feedthrough = probe_rows(circuit, index)
    slopes = EquationSlopes.of(circuit, index)
    by_value = circuit.values[slopes.parameter]
    covariance = spreads @ spreads.T
    is_resistor = {c.name: isinstance(c, Resistor) for c in circuit.components}
    # A value p enters as theta = p, or for resistors as 1/p: d(theta)/d(ln p) is plus or minus theta.
    sign = np.array([-1.0 if is_resistor[p.component] else 1.0 for p in circuit.parameters])
    of_tones = []
    for k, frequency in enumerate(tones.frequency):
        s = 2j * np.pi * frequency
        of_tones.append(
            _of_tone(
                s * E - F,
                drive[:, 0] - s * drive[:, 1],
                along[k] @ rows,
                along[k] @ feedthrough[:, 0] - wanted[k],
                _Slopes(slopes.row, slopes.column, slopes.parameter, slopes.at(s) * by_value, sign),
                covariance,
            )
        )
    spread, curvature, spread_slopes, curvature_slopes = (sum(each) for each in zip(*of_tones, strict=True))
    return Added(float(spread), float(curvature), np.asarray(spread_slopes), np.asarray(curvature_slopes))


@dataclass(frozen=True, eq=False)
class _Slopes:
    """d(b - M v)/d(relative error of a value), entry by entry, at one frequency.

    ``column`` counts the unknowns v, then three drives, which are one. ``sign`` is of every value: in what follows M_k
    is the slope of M v - b by value k, and its own slope by ln p_k is sign_k M_k; by the relative error of a resistor,
    of which 1/p is no linear function, it is -2 M_k besides.
    """

    row: Int[np.ndarray, " l"]
    column: Int[np.ndarray, " l"]
    parameter: Int[np.ndarray, " l"]
    amount: Complex[np.ndarray, " l"]
    sign: Float[np.ndarray, " m"]

    def inner(self, size: int) -> "_Slopes":
        """Leave the drives out, which do not move."""
        kept = self.column < size
        return _Slopes(self.row[kept], self.column[kept], self.parameter[kept], self.amount[kept], self.sign)

    def times(self, v: np.ndarray) -> Complex[np.ndarray, "n m"]:
        """Give M_k v of every value."""
        found = np.zeros((len(v), len(self.sign)), complex)
        with_drives = np.concatenate([v, np.ones(3)])
        np.add.at(found, (self.row, self.parameter), -self.amount * with_drives[self.column])
        return found

    def own(self, size: int, X: Complex[np.ndarray, "n m"]) -> Complex[np.ndarray, " n"]:
        """Give the sum over values of M_k X_k."""
        found = np.zeros(size, complex)
        np.add.at(found, self.row, -self.amount * X[self.column, self.parameter])
        return found

    def own_left(self, L: Complex[np.ndarray, "n m"]) -> Complex[np.ndarray, " n"]:
        """Give the sum over values of L_k^T M_k."""
        found = np.zeros(len(L), complex)
        np.add.at(found, self.column, -self.amount * L[self.row, self.parameter])
        return found

    def left(self, y: Complex[np.ndarray, " n"]) -> Complex[np.ndarray, "n m"]:
        """Give M_k^T y of every value."""
        found = np.zeros((len(y), len(self.sign)), complex)
        np.add.at(found, (self.column, self.parameter), -self.amount * y[self.row])
        return found

    def within(self, W: Complex[np.ndarray, "n n"]) -> Complex[np.ndarray, " m"]:
        """Give the sum over entries of M_k times those of W, for every value: y^T M_k x where W = y x^T."""
        found = np.zeros(len(self.sign), complex)
        np.add.at(found, self.parameter, -self.amount * W[self.row, self.column])
        return found

    def between(
        self, y: Complex[np.ndarray, " n"], X: Complex[np.ndarray, "n m"]
    ) -> Complex[np.ndarray, " m"]:
        """Give y^T M_k X_k of every value."""
        found = np.zeros(len(self.sign), complex)
        np.add.at(found, self.parameter, -self.amount * y[self.row] * X[self.column, self.parameter])
        return found


def _of_tone(
    M: Complex[np.ndarray, "n n"],
    b: Complex[np.ndarray, " n"],
    output: Complex[np.ndarray, "d n"],
    constant: Complex[np.ndarray, " d"],
    slopes: _Slopes,
    covariance: Float[np.ndarray, "m m"],
) -> tuple[float, float, Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    """Give spread, curvature and their slopes, of an error ``output @ v + constant`` with M v = b."""
    balance = 1.0 / np.abs(M).max(axis=1)  # laws in siemens beside equations in volts
    inverse = np.linalg.inv(balance[:, None] * M) * balance
    v, inner = inverse @ b, slopes.inner(len(M))
    moved = slopes.times(v)
    X = -inverse @ moved  # dv by every value
    XS = X @ covariance
    error = output @ v + constant

    # For q = sum_kl S_kl d^2 v: M q = -(sum_kl S_kl (M_k X_l + M_l X_k) + sum_k S_kk M_kk v), where M_kk is -2 M_k of
    # resistors and nothing of others.
    bent = np.where(slopes.sign < 0.0, -2.0, 0.0) * np.diag(covariance)
    q = -inverse @ (2.0 * inner.own(len(M), XS) + moved @ bent)
    bias = 0.5 * output @ q
    seen = output @ X
    spread = float(np.sum((seen @ covariance) * seen.conj()).real)
    curvature = 2.0 * float(np.vdot(error, bias).real)

    def through(L: np.ndarray) -> np.ndarray:
        """Give the slopes of sum_k L_k^T M X_k with L and M held: M dX_k = -(M_l X_k + M_k X_l + own)."""
        back = inner.within(L @ X.T) + inner.own_left(L) @ X
        return -np.real(back + slopes.sign * np.einsum("nm,nm->m", L, moved))

    adjoint = inverse.T @ output.T
    spread_slopes = through(2.0 * adjoint @ np.conj(output @ XS))
    y = adjoint @ error.conj()
    curvature_slopes = 2.0 * np.real((bias.conj() @ output) @ X) - np.real(
        inner.within(np.outer(y, q))
        + slopes.sign * (2.0 * inner.between(y, XS) + bent * (y @ moved))
        + (inner.own_left(y[:, None] * bent[None, :])) @ X
    )
    curvature_slopes += through(-2.0 * inverse.T @ (inner.left(y) @ covariance))
    return spread, curvature, spread_slopes, curvature_slopes
