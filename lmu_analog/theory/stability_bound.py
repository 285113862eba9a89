"""A size of errors below which no circuit is unstable: an upper bound of the structured singular value.

Every element enters the equations as a matrix of low rank, so errors are a diagonal feedback D around the nominal
circuit, w = D z, z = G(s) w. A pole reaches the imaginary axis (or infinity) only where det(I - D G(jw)) = 0, which
needs errors of at least 1/|S G(jw) S^-1|, whatever the positive diagonal S (Doyle, IEE Proceedings D 129, 1982). With
a fixed S a frequency where that norm reaches a level is an imaginary eigenvalue of a Hamiltonian matrix (Boyd,
Balakrishnan and Kabamba, Mathematics of Control, Signals and Systems 2, 1989), so between two of them the norm stays
below the level. Bands of several S are joined until they cover all frequencies: no grid is trusted.
"""

from dataclasses import dataclass

import numpy as np
from scipy import linalg, optimize
from scipy.sparse import linalg as sparse_linalg

from lmu_analog.circuits.circuit import Circuit, small_signal_values
from lmu_analog.circuits.components import Ammeter, Capacitor, Inductor, Resistor, Supply
from lmu_analog.circuits.nodal.modes import Pencil, Reduced
from lmu_analog.theory.deviations import Box

_GIVEN_AWAY = 0.03  # of the bound at the worst frequency of a grid, for bands that are wide
GRID = 40  # frequencies that the first guess is from
_MOST_BANDS = 200
_BALANCINGS = 25  # of the scaling S: more win less than .1 %
_NEGLIGIBLE = 1e-4  # of the largest entry of the balanced G: what counts as that much
_LEAP = 1e4  # largest ratio of a column to its row that one balancing sees
_MOST_SPREAD = 1e6  # of the norm at infinity over the level: its square is in the Hamiltonian
_APART = 1e-7  # of a level from the singular values of D: eigenvalues keep half of their digits
_ON_AXIS = 1e-6  # real part beside size of an eigenvalue that counts as imaginary: rounding is 1e-10
DENSE, NORM_TOLERANCE = (
    150,
    1e-8,
)  # errors from which on norms are iterated, far closer than what is given away
_RANK = 1e-9  # of the largest singular value of an element's matrix
MOST_STATES, MOST_ERRORS = 80, 800  # minutes beyond
_PASSIVE = Resistor | Inductor | Capacitor | Ammeter | Supply


@dataclass(frozen=True)
class Bound:
    """A size of a box in which all circuits are stable.

    Attributes
    ----------
    size : float or None
        None where it was not computed.
    reason : str
        Why, or how it was found.
    """

    size: float | None
    reason: str


@dataclass(frozen=True, eq=False)
class Feedback:
    """G(s) = C (s - A)^-1 B + D, from what errors add to what they multiply; each has one error of its own.

    Attributes
    ----------
    A, B, C, D : arrays
        s in units of ``rate``.
    rate : float, 1/s
    parameter : (k,) int array
        Of the linear circuit, whose relative error closes the loop.
    """

    A: np.ndarray
    B: np.ndarray
    C: np.ndarray
    D: np.ndarray
    rate: float
    parameter: np.ndarray

    def at(self, w: float) -> np.ndarray:
        """Give G(jw), (k, k)."""
        if np.isinf(w):
            return self.D.astype(complex)
        return self.C @ np.linalg.solve(1j * w * np.eye(len(self.A)) - self.A, self.B) + self.D


def feedback(circuit: Circuit, moved: np.ndarray) -> Feedback:
    """Write relative errors of some parameters as a feedback around the nominal circuit, exactly.

    Parameters
    ----------
    circuit : Circuit
        Linear, in continuous time.
    moved : (k,) int array
        Places in ``circuit.parameters``. One whose matrix has rank r comes r times.
    """
    pencil = Pencil.of(circuit)
    plan, found = pencil.plan, Reduced.of(pencil, pencil.nominal[None])
    parameter, stores, into, of = [], [], [], []
    for k in moved:
        mine = np.flatnonzero(pencil.parameter == k)
        for storing, amount in ((True, pencil.storing[mine]), (False, pencil.direct[mine])):
            rows, row = np.unique(pencil.row[mine], return_inverse=True)
            columns, column = np.unique(pencil.column[mine], return_inverse=True)
            matrix = np.zeros((len(rows), len(columns)))
            np.add.at(matrix, (row, column), amount)
            left, size, right = linalg.svd(matrix, full_matrices=False)
            for r in np.flatnonzero(size > _RANK * size.max(initial=0.0)):
                parameter.append(k)
                stores.append(storing)
                into.append(np.zeros(len(pencil.F)))
                of.append(np.zeros(len(pencil.F)))
                into[-1][rows], of[-1][columns] = left[:, r] * size[r], right[r]
    U, V = np.reshape(into, (-1, len(pencil.F))).T, np.reshape(of, (-1, len(pencil.F)))
    parameter, stores = np.array(parameter, int), np.array(stores, bool)
    lift, moving = found.lift[0], found.moving[0]
    y = -np.linalg.solve(found.algebraic[0], plan.null.T @ U)
    driven = plan.rows.T @ U + found.coupled[0] @ y
    A, B = np.linalg.solve(found.storing[0], moving), np.linalg.solve(found.storing[0], driven)
    # What stores multiplies v', and what its error adds stands on the other side of the equations.
    C = np.where(stores[:, None], -V @ plan.M @ A, V @ lift)
    D = np.where(stores[:, None], -V @ plan.M @ B, V @ plan.Z @ y)
    # 1/(1 + e) - 1 = -e/(1 + e) is a loop of its own: w (1 + e) = -e z is w = -e (z + w).
    turned = pencil.reciprocal[parameter]
    C[turned], D[turned] = -C[turned], -D[turned]
    D[turned] -= np.eye(len(D))[turned]
    rate = float(np.abs(np.linalg.eigvals(A)).min())
    return Feedback(A / rate, B / rate, C, D, rate, parameter)


def stability_bound(circuit: Circuit, box: Box) -> Bound:
    """Find a size of the box below which no circuit in it is unstable, its inside and edges included.

    Parameters
    ----------
    circuit : Circuit
        Nominally stable.
    box : Box
    """
    if circuit.clock is not None:
        return Bound(None, "not computed of sampled circuits")
    if not box.count:
        return Bound(None, "nothing in the circuit deviates")
    if all(isinstance(c, _PASSIVE) for c in circuit.components):
        return Bound(
            box.most, "resistors, inductors and capacitors alone: no positive values make it unstable"
        )
    linear, share = _linear(circuit, box)
    moved = np.flatnonzero(share)
    loop = feedback(linear, moved)
    if len(loop.A) > MOST_STATES or len(loop.D) > MOST_ERRORS:
        return Bound(
            None, f"not computed beyond {MOST_STATES} states or {MOST_ERRORS} errors: it would take minutes"
        )
    level = _certified(loop, share[loop.parameter])
    if level is None:
        return Bound(None, f"no {_MOST_BANDS} bands of frequency covered all")
    return Bound(_size(box, 1.0 / level), "by a structured singular value")


def _linear(circuit: Circuit, box: Box) -> tuple[Circuit, np.ndarray]:
    """Give the linear circuit and what every parameter of it errs by at small size, over the size."""
    share = np.zeros(len(circuit.values))
    np.add.at(share, box.parameter, box.amount)
    if circuit.small_signal is None:
        return circuit, share
    nominal = circuit.small_signal.values
    moved = small_signal_values(circuit, circuit.values * (1.0 + share)) - nominal
    return circuit.small_signal, moved / np.where(nominal == 0.0, 1.0, nominal)


def _size(box: Box, reach: float) -> float:
    """Give the largest size at which no parameter errs by more than ``reach`` times what it does at small size."""
    share = np.zeros(box.parameter.max() + 1)
    np.add.at(share, box.parameter, box.amount)
    moved = share > 0.0

    def beyond(size: float) -> float:
        # Upwards errors of a product are larger than downwards.
        up = np.log(box.values(np.ones(len(share)), np.array([size]), np.ones((1, box.count)))[0])
        return float((np.expm1(up[moved]) / share[moved]).max()) - reach

    if box.most <= reach or beyond(reach) <= 0.0:
        return min(reach, box.most)
    return float(optimize.root_scalar(beyond, bracket=(0.0, reach)).root)


def _certified(loop: Feedback, share: np.ndarray) -> float | None:
    """Give a level that the scaled norm of the weighted loop is proved to stay below at all frequencies."""
    weighted = Feedback(loop.A, loop.B * share, loop.C, loop.D * share, loop.rate, loop.parameter)
    sizes = np.abs(np.linalg.eigvals(loop.A))
    grid = np.concatenate([[0.0], np.geomspace(0.1 * sizes.min(), 10.0 * sizes.max(), GRID), [np.inf]])
    norms = [_norm(G, _scaling(G)) for G in map(weighted.at, grid)]
    level = max(norms) / (1.0 - _GIVEN_AWAY)
    tried = [float(grid[int(np.argmax(norms))]), 0.0, np.inf]
    bands: list[tuple[float, float]] = []
    scalings: list[tuple[float, np.ndarray]] = []
    for _ in range(_MOST_BANDS):
        w = tried.pop(0) if tried else _gap(bands)
        if w is None:
            return level
        G = weighted.at(w)
        scaling = _scaling(G)
        norm = _norm(G, scaling)
        scalings.append((w, scaling))
        if norm >= (1.0 - 0.2 * _GIVEN_AWAY) * level:
            level = norm / (1.0 - _GIVEN_AWAY)
            bands = [b for at, s in scalings if (b := _band(weighted, s, at, level)) is not None]
        elif (band := _band(weighted, scaling, w, level)) is not None:
            bands.append(band)
    return None


def _gap(bands: list[tuple[float, float]]) -> float | None:
    """Give a frequency that no band holds; None where they hold all from 0 to infinity."""
    reached = 0.0
    for low, high in sorted(bands):
        if low > reached:
            return 0.5 * (reached + low) if np.isfinite(low) and reached == 0.0 else _middle(reached, low)
        reached = max(reached, high)
    return None if np.isinf(reached) else _middle(reached, np.inf)


def _middle(low: float, high: float) -> float:
    return 2.0 * low + 1.0 if np.isinf(high) else float(np.sqrt(low * high))


def _scaling(G: np.ndarray) -> np.ndarray:
    """Balance rows against columns (Osborne, 1960), all at once; (k,)."""
    power = np.abs(G) ** 2
    rough = _balance(power, np.ones(len(G)))
    # What is zero would let a row and its column drift apart without end.
    least = _NEGLIGIBLE**2 * (rough[:, None] * power / rough).max() * rough / rough[:, None]
    return np.sqrt(_balance(power + least, rough))


def _balance(power: np.ndarray, square: np.ndarray) -> np.ndarray:
    for _ in range(_BALANCINGS):
        columns, rows = (power.T @ square) / square, (power @ (1.0 / square)) * square
        with np.errstate(divide="ignore", invalid="ignore"):
            square = square * np.clip(np.nan_to_num(columns / rows, nan=1.0), 1.0 / _LEAP, _LEAP) ** 0.25
    return square


def _norm(G: np.ndarray, scaling: np.ndarray) -> float:
    scaled = scaling[:, None] * G / scaling
    if len(G) <= DENSE:
        return float(np.linalg.norm(scaled, 2))
    # A fixed start makes it the same every time.
    _, (norm,), _ = sparse_linalg.svds(scaled, k=1, v0=np.ones(len(G), complex))
    return float(norm)


def _band(loop: Feedback, scaling: np.ndarray, w: float, level: float) -> tuple[float, float] | None:
    """Give the band around w where the scaled norm is below the level; None where there is none, or no digits."""
    B, C = loop.B / scaling, scaling[:, None] * loop.C
    D = scaling[:, None] * loop.D / scaling
    here, at_infinity = _norm(loop.at(w), scaling), np.linalg.svd(D, compute_uv=False)
    # Where the norm reaches a singular value of D, the Hamiltonian has a pole: a lower level's band is narrower, and so
    # holds as well.
    while np.min(np.abs(at_infinity / level - 1.0), initial=1.0) < _APART:
        level *= 1.0 - 2.0 * _APART
    # A scaling for a frequency where elements do nothing may blow them up at infinity, beyond all digits.
    if here >= level or np.max(at_infinity, initial=0.0) > _MOST_SPREAD * level:
        return None
    R = level**2 * np.eye(len(D)) - D.T @ D
    closed = loop.A + B @ np.linalg.solve(R, D.T @ C)
    up = B @ np.linalg.solve(R, B.T)
    down = -C.T @ (C + D @ np.linalg.solve(R, D.T @ C))
    eigenvalues = np.linalg.eigvals(np.block([[closed, up], [down, -closed.T]]))
    on_axis = np.abs(eigenvalues.real) <= _ON_AXIS * np.abs(eigenvalues)
    crossings = np.abs(eigenvalues.imag[on_axis])
    return (
        float(crossings[crossings <= w].max(initial=0.0)),
        float(crossings[crossings > w].min(initial=np.inf)),
    )
