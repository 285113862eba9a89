"""Ladder realizations: O(d) elements, each coupled to its neighbours only."""

import numpy as np

from lmu_analog.memory.statespace import StateSpace
from lmu_analog.memory.structure import (
    Coefficient,
    Structure,
    algebraic_response,
    entries,
    inputs,
    integrators,
)
from lmu_analog.memory.tridiagonal import basis, couplings, even_krylov, rounded, schwarz

Built = tuple[np.ndarray, Structure, np.ndarray | None]


def ladder(system: StateSpace, theta: float, taus: tuple[float, float]) -> Built:
    """Orthonormal (Schwarz) ladder: skew-tridiagonal, one damped and driven state, Gramian the identity.

    Johns, Snelgrove and Sedra, IEEE Trans. Circuits and Systems 36(3), 1989. Where the controllability
    Gramian is the identity, A + A^T = -B B^T: the damping is d^2/theta, the trace, and the drive sqrt(2) d/theta.
    """
    d = system.order
    form = schwarz(d)
    tridiagonal, driven = couplings(form), np.zeros((d, 1))
    tridiagonal[0, 0], driven[0] = -(d**2), np.sqrt(2.0) * d
    readout = basis(form)  # its inverse only ranks terms: no element's value comes from it
    return np.linalg.inv(readout), integrators(tridiagonal / theta, driven / theta), readout


def bus_ladder(system: StateSpace, theta: float, taus: tuple[float, float]) -> Built:
    """Split the damping of the orthonormal memory into an even and an odd part (derived here).

    theta A_o = K - e e^T - o o^T with K skew and e, o the even and odd entries of sqrt(2i+1); b = e - o.
    Lanczos on K from e turns it tridiagonal and e into one state's damping and drive; the odd part stays
    a bus: its sum S = o^T z goes back to where it came from, together with u.
    """
    d = system.order
    if d == 1:  # nothing is odd: no bus
        return np.eye(1), integrators(system.A, system.B), None
    form, weight = even_krylov(d), 2 * np.arange(d) + 1
    columns, power = basis(form), int(weight[::2].sum())
    # In orthonormal coordinates o has sqrt(2i+1) where a column has c_i / sqrt(2i+1): the product is c_i.
    bus = [rounded(sum(column.entries[1::2]), column.weight) for column in form.columns]
    F = np.zeros((d + 1, d + 1))
    F[:d, :d] = couplings(form) / theta
    F[0, 0] = -power / theta
    G = np.zeros((d + 1, 1))
    G[0] = np.sqrt(power) / theta
    coefficients = [*entries("a", "F", F), *inputs("b", G)]
    for j in np.flatnonzero(bus).tolist():
        coefficients.append(Coefficient(f"s[{j}]", "F", j, d, float(-bus[j] / theta)))
        coefficients.append(Coefficient(f"b[{j}]", "G", j, 0, float(-bus[j] / theta)))
        coefficients.append(Coefficient(f"sum[{j}]", "F", d, j, float(bus[j])))
    E, fixed = np.eye(d + 1), np.zeros((d + 1, d + 1))
    E[d, d], fixed[d, d] = 0.0, -1.0
    structure = Structure(E, fixed, np.zeros((d + 1, 1)), tuple(coefficients), d)
    # The columns are orthonormal where state i weighs 1/(2i+1); the sum is read by nobody.
    return (columns / weight[:, None]).T, structure, np.hstack([columns, np.zeros((d, 1))])


def rlc_ladder(system: StateSpace, theta: float, taus: tuple[float, float]) -> Built:
    """Doubly terminated RLC ladder whose node voltages and capacitor currents are the states (derived here).

    From I4, (theta/2)(y_{i+1}' - y_{i-1}') = (2i+1) y_i with y_i = x_i/(2i+1). For R = 1 Ohm: L_0 = theta/2 in
    series to node 0, R there to ground; C_i = theta/(2(2i+1)) in series for odd i, L_i = theta/(2(2i+1)) to
    ground for even i >= 2, R to ground at the far end. Variables: inductor currents and capacitor voltages,
    then node voltages and capacitor currents. x_i = (2i+1) v(node i) for even i, -(2i+1) i(C_i) for odd i.
    """
    d = system.order
    node, current = _rlc_places(d)
    v = d + len(node) + len(current)
    E, F, G = np.zeros((v, v)), np.zeros((v, v)), np.zeros((v, 1))
    coefficients = [Coefficient("L[0]", "E", 0, 0, 0.5 * theta)]
    F[0, node[0]], G[0] = -1.0, 1.0
    for i in range(1, d):
        coefficients.append(Coefficient(f"{'CL'[i % 2 == 0]}[{i}]", "E", i, i, 0.5 * theta / (2 * i + 1)))
        F[i, node[i] if i % 2 == 0 else current[i]] = 1.0
    for k, at in node.items():
        _current_law(F, at, (k, node, current))
    for i, at in current.items():
        F[at, [node[i - 1], node[i + 1], i]] = 1.0, -1.0, -1.0
    ends = (node[0], node[max(node)])
    # Conductances of the two terminations; at order 1 both stand at the same node.
    coefficients += [Coefficient(f"R[{k}]", "F", at, at, -1.0) for k, at in zip((0, d), ends, strict=True)]
    structure = Structure(E, F, G, tuple(coefficients), d)
    readout = np.zeros((d, v))
    for i in range(d):
        readout[i, node[i] if i % 2 == 0 else current[i]] = (2 * i + 1) * (-1.0) ** i
    transform = np.linalg.inv(readout @ algebraic_response(structure).C)
    return transform, structure, readout


def _rlc_places(order: int) -> tuple[dict[int, int], dict[int, int]]:
    """Place the algebraic variables: node voltages 0, 2, 4, ... and currents of C_1, C_3, ..."""
    nodes = range(0, order + 1, 2) if order % 2 == 0 else range(0, order, 2)
    node = {k: order + n for n, k in enumerate(nodes)}
    current = {i: order + len(node) + n for n, i in enumerate(range(1, order, 2))}
    return node, current


def _current_law(F: np.ndarray, at: int, place: tuple[int, dict[int, int], dict[int, int]]) -> None:
    """Write what flows into node k: from the left, minus what its inductor and the next capacitor take."""
    k, _, current = place
    order = len(F) - len(place[1]) - len(current)
    if k == 0:
        F[at, 0] = 1.0
    else:
        F[at, current[k - 1]] = 1.0
        if k < order:
            F[at, k] = -1.0
    if k + 1 in current:
        F[at, current[k + 1]] = -1.0
