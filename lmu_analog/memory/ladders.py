"""Ladder realizations: O(d) elements, each coupled to its neighbours only."""

import numpy as np
from scipy import linalg

from lmu_analog.memory.statespace import StateSpace
from lmu_analog.memory.structure import (
    Coefficient,
    Structure,
    algebraic_response,
    entries,
    inputs,
    integrators,
)

Built = tuple[np.ndarray, Structure, np.ndarray | None]


def ladder(system: StateSpace, theta: float, taus: tuple[float, float]) -> Built:
    """Orthonormal (Schwarz) ladder: skew-tridiagonal, one damped and driven state, Gramian the identity.

    Johns, Snelgrove and Sedra, IEEE Trans. Circuits and Systems 36(3), 1989. Where the controllability
    Gramian is the identity, A + A^T = -B B^T; Lanczos on the skew part from B does the rest, and the
    damping is d^2/theta, the trace.
    """
    t = _orthonormal_scale(system.order)
    A, B = theta * t[:, None] * system.A / t, theta * t[:, None] * system.B
    lower = linalg.cholesky(linalg.solve_continuous_lyapunov(A, -B @ B.T), lower=True)
    to_identity = linalg.inv(lower)
    A, B = to_identity @ A @ lower, to_identity @ B
    skew = A + 0.5 * B @ B.T
    basis = _lanczos(0.5 * (skew - skew.T), B[:, 0])
    below = np.diag(basis.T @ skew @ basis, -1)
    drive = float(np.linalg.norm(B))
    tridiagonal = np.diag(below, -1) - np.diag(below, 1)
    tridiagonal[0, 0] = -0.5 * drive**2
    driven = np.zeros((system.order, 1))
    driven[0] = drive
    readout = (lower @ basis) / t[:, None]
    # The last Legendre state is a multiple of s^(d-1) over the poles' polynomial, and state j of one of degree d-1-j
    # that is even or odd (Schwarz form): every other one has no part in it. Beyond order 50, rounding would hide it.
    readout[-1, 1::2] = 0.0
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
    t = _orthonormal_scale(d)
    even = np.where(np.arange(d) % 2 == 0, 1.0 / t, 0.0)
    odd = np.where(np.arange(d) % 2 == 1, 1.0 / t, 0.0)
    skew = theta * t[:, None] * system.A / t + np.outer(even, even) + np.outer(odd, odd)
    basis = _lanczos(0.5 * (skew - skew.T), even)
    below = np.diag(basis.T @ skew @ basis, -1)
    # Even vectors span even coordinates only: what the bus has at even places is rounding.
    bus = np.where(np.arange(d) % 2 == 1, basis.T @ odd, 0.0)
    power = float(even @ even)
    F = np.zeros((d + 1, d + 1))
    F[:d, :d] = (np.diag(below, -1) - np.diag(below, 1)) / theta
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
    return basis.T * t, Structure(E, fixed, np.zeros((d + 1, 1)), tuple(coefficients), d), None


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


def _orthonormal_scale(order: int) -> np.ndarray:
    return 1.0 / np.sqrt(2.0 * np.arange(order) + 1.0)


def _lanczos(K: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Orthonormal Krylov basis of a skew matrix, with full re-orthogonalisation (twice is enough)."""
    basis = np.zeros_like(K)
    basis[:, 0] = start / np.linalg.norm(start)
    for j in range(1, len(K)):
        vector = K @ basis[:, j - 1]
        for _ in range(2):
            vector = vector - basis[:, :j] @ (basis[:, :j].T @ vector)
        basis[:, j] = vector / np.linalg.norm(vector)
    return basis
