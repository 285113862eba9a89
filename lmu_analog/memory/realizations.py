"""Ways to build the same memory: coordinates, and the elements that set each coefficient.

All have the input-output map of the Legendre memory; they differ in cost and in what mismatch does. Ladders have O(d)
elements, each coupled to its neighbours only.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lmu_analog.errors import DesignError, shown
from lmu_analog.memory.balanced import balanced
from lmu_analog.memory.block_ladder import block_ladder
from lmu_analog.memory.contractive import contractive
from lmu_analog.memory.legendre import window_length
from lmu_analog.memory.statespace import StateSpace
from lmu_analog.memory.structure import (
    Asked,
    Built,
    Coefficient,
    Structure,
    algebraic_response,
    entries,
    filters,
    inputs,
    integrators,
    read_out,
    significant,
)
from lmu_analog.memory.tridiagonal import basis, couplings, even_krylov, rounded, schwarz

# Of theta, for principle3: near theta/d for common orders, far from the disastrous tau << theta/d.
DEFAULT_TAU = 0.1
# Of tau, for principle3-two-pole, but at most theta/d^2: a slower second pole lets the cascade's extra poles,
# which no input should reach, magnify every error (at 1 % and d = 24 all of 200 circuits are unstable).
SECOND_POLE = 0.2


@dataclass(frozen=True, eq=False)
class Realization:
    """A memory in coordinates that a circuit can implement.

    The invariant: z = T m obeys ``structure``, and ``system`` maps u to m.

    Attributes
    ----------
    name : str
        One of ``REALIZATIONS``.
    system : StateSpace
        States z, outputs the Legendre states m.
    transform : (n, d) array
        T of z = T m; square but for ``principle3-two-pole``, whose filters have two states each.
    structure : Structure
        The elements.
    theta : float, s
        Length of the window.
    readout : (d, v) array
        m from all variables of the structure, the algebraic ones included.
    """

    name: str
    system: StateSpace
    transform: Float[np.ndarray, "n d"]
    structure: Structure
    theta: float
    readout: Float[np.ndarray, "d v"]


def realize(
    system: StateSpace,
    name: str,
    *,
    tau: float | None = None,
    second_tau: float | None = None,
    variant: str = "",
    bandwidth: float | None = None,
) -> Realization:
    """Give the Legendre memory another physical structure.

    Parameters
    ----------
    system : StateSpace
        From ``legendre``.
    name : str
        One of ``REALIZATIONS``.
    tau : float, s, optional
        Time constant of the synapse filters of ``principle3``, and the first of its two-pole form; a tenth
        of theta unless given.
    second_tau : float, s, optional
        Second pole of ``principle3-two-pole``; a fifth of tau unless given, at most theta/d^2.
    variant : str
        ``no-derivative`` leaves the input's derivative out of ``principle3-two-pole``, which then has the
        memory's map no longer. Other variants, and other realizations, are not touched.
    bandwidth : float, Hz, optional
        The band in which the coordinates of ``contractive`` and ``block-ladder`` are to be the best; that which the
        memory holds to 1 % unless given.

    Raises
    ------
    DesignError
        If the name is unknown, a time constant is not a positive time or the bandwidth not positive.
    """
    if name not in REALIZATIONS:
        raise DesignError(f"unknown realization {shown(name)}; known are {', '.join(REALIZATIONS)}")
    theta = window_length(system)
    tau = DEFAULT_TAU * theta if tau is None else tau
    second = min(SECOND_POLE * tau, theta / system.order**2) if second_tau is None else second_tau
    for label, value in (("tau", tau), ("second tau", second)):
        if not 0.0 < value < np.inf:
            raise DesignError(f"{label} = {value:g} s is not a positive time")
    if bandwidth is not None and not 0.0 < bandwidth < np.inf:
        raise DesignError(f"bandwidth = {bandwidth:g} Hz is not a positive frequency")
    turns = None if bandwidth is None else bandwidth * theta
    builder = VARIANTS.get((name, variant), REALIZATIONS[name])
    T, structure, readout = builder(system, theta, Asked(tau, second, turns))
    if readout is None:
        readout = np.zeros((system.order, structure.variables))
        readout[:, : structure.dynamic] = np.linalg.inv(T)
    structure, readout = significant(structure, readout, T)
    return Realization(name, read_out(structure, readout), T, structure, theta, readout)


def _legendre(system: StateSpace, theta: float, asked: Asked) -> Built:
    return np.eye(system.order), integrators(system.A, system.B), None


def _orthonormal(system: StateSpace, theta: float, asked: Asked) -> Built:
    """Use z_i = m_i / sqrt(2i+1), with alternating sign the LegT memory of HiPPO (Gu et al., NeurIPS 2020)."""
    t = 1.0 / np.sqrt(2.0 * np.arange(system.order) + 1.0)
    return np.diag(t), integrators(t[:, None] * system.A / t, t[:, None] * system.B), None


def _cap_feedforward(system: StateSpace, theta: float, asked: Asked) -> Built:
    """Feed each integrator from its two predecessors, one through a capacitor (derived here).

    x_i' = (2i+1)/(2i-3) x_{i-2}' + 2 (2i+1)/theta x_{i-1} for i >= 2; x_0 and x_1 take u and S = sum x_j.
    """
    d = system.order
    sum_at = d
    E, F = np.zeros((d + 1, d + 1)), np.zeros((d + 1, d + 1))
    E[np.arange(d), np.arange(d)] = 1.0
    F[sum_at, sum_at] = -1.0
    coefficients = [
        Coefficient("b[0]", "G", 0, 0, 1.0 / theta),
        Coefficient("s[0]", "F", 0, sum_at, -1.0 / theta),
    ]
    if d > 1:
        coefficients += [
            Coefficient("b[1]", "G", 1, 0, -3.0 / theta),
            Coefficient("s[1]", "F", 1, sum_at, -3.0 / theta),
            Coefficient("a[1,0]", "F", 1, 0, 6.0 / theta),
        ]
    for i in range(2, d):
        coefficients.append(Coefficient(f"a[{i},{i - 1}]", "F", i, i - 1, 2.0 * (2 * i + 1) / theta))
        coefficients.append(Coefficient(f"c[{i},{i - 2}]", "E", i, i - 2, -(2 * i + 1) / (2 * i - 3)))
    coefficients += [Coefficient(f"sum[{j}]", "F", sum_at, j, 1.0) for j in range(d)]
    return np.eye(d), Structure(E, F, np.zeros((d + 1, 1)), tuple(coefficients), d), None


def _unit_weight(system: StateSpace, theta: float, asked: Asked) -> Built:
    """First-order filters tau_i = theta/(2i+1): weights +-1 and no self-weight (derived here)."""
    tau = theta / (2.0 * np.arange(system.order) + 1.0)
    return np.eye(system.order), filters(system.A, system.B, tau), None


def _principle3(system: StateSpace, theta: float, asked: Asked) -> Built:
    return np.eye(system.order), filters(system.A, system.B, np.full(system.order, asked.tau)), None


def _ladder(system: StateSpace, theta: float, asked: Asked) -> Built:
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


def _bus_ladder(system: StateSpace, theta: float, asked: Asked) -> Built:
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


def _rlc_ladder(system: StateSpace, theta: float, asked: Asked) -> Built:
    """Doubly terminated RLC ladder whose node voltages and capacitor currents are the states (derived here).

    From I4, (theta/2)(y_{i+1}' - y_{i-1}') = (2i+1) y_i with y_i = x_i/(2i+1). For R = 1 Ohm: L_0 = theta/2 in
    series to node 0, R there to ground; C_i = theta/(2(2i+1)) in series for odd i, L_i = theta/(2(2i+1)) to
    ground for even i >= 2, R to ground at the far end. Variables: inductor currents and capacitor voltages,
    then node voltages and capacitor currents. x_i = (2i+1) v(node i) for even i, -(2i+1) i(C_i) for odd i.
    """
    d = system.order
    node = {k: d + n for n, k in enumerate(range(0, d + 1, 2))}
    current = {i: d + len(node) + n for n, i in enumerate(range(1, d, 2))}
    read = [node[i] if i % 2 == 0 else current[i] for i in range(d)]
    v = d + len(node) + len(current)
    E, F, G = np.zeros((v, v)), np.zeros((v, v)), np.zeros((v, 1))
    coefficients = [Coefficient("L[0]", "E", 0, 0, 0.5 * theta)]
    F[0, node[0]], G[0] = -1.0, 1.0
    for i in range(1, d):
        coefficients.append(Coefficient(f"{'CL'[i % 2 == 0]}[{i}]", "E", i, i, 0.5 * theta / (2 * i + 1)))
        F[i, read[i]] = 1.0
    for k, at in node.items():
        # What flows into node k: from the left, minus what its inductor and the next capacitor take.
        F[at, current[k - 1] if k else 0] = 1.0
        if 0 < k < d:
            F[at, k] = -1.0
        if k + 1 in current:
            F[at, current[k + 1]] = -1.0
    for i, at in current.items():
        F[at, [node[i - 1], node[i + 1], i]] = 1.0, -1.0, -1.0
    ends = (node[0], node[max(node)])
    # Conductances of the two terminations; at order 1 both stand at the same node.
    coefficients += [Coefficient(f"R[{k}]", "F", at, at, -1.0) for k, at in zip((0, d), ends, strict=True)]
    structure = Structure(E, F, G, tuple(coefficients), d)
    readout = np.zeros((d, v))
    readout[range(d), read] = (2.0 * np.arange(d) + 1.0) * (-1.0) ** np.arange(d)
    return np.linalg.inv(readout @ algebraic_response(structure).C), structure, readout


def _two_pole(system: StateSpace, theta: float, asked: Asked) -> Built:
    """Principle 3 for synapses 1/((t1 s + 1)(t2 s + 1)), the input's derivative included.

    Their drive must be w = A^H m + B_0 u + B_1 u' with A^H = t1 t2 A^2 + (t1 + t2) A + I,
    B_0 = ((t1 + t2) I + t1 t2 A) B, B_1 = t1 t2 B (Voelker and Eliasmith, Neural Computation 30, 2018,
    section 3.3). Nothing differentiates u: the second filter takes the part of u that the first would have
    made of B_1 u' (derived here),

        t1 p' = -p + A^H x + (B_0 - B_1/t1) u,    t2 x' = -x + p + (B_1/t1) u.

    Then x = m and p = (I + t2 A) m. Besides the memory's poles there are those of -(1/t1 + 1/t2) I - A, which
    the input does not reach. They decay as long as 1/t1 + 1/t2 exceeds every -Re of the memory's poles, and
    without magnifying what mismatch feeds them where it exceeds d^2/theta, the sum of those.
    """
    late = asked.second_tau * system.B
    early = _drive(system, asked) - late
    return _cascade(system, asked, (early, late))


def _two_pole_without_derivative(system: StateSpace, theta: float, asked: Asked) -> Built:
    """``_two_pole`` with B_1 left out: fewer inputs, and no longer exactly the memory.

    It keeps x = m for a constant input alone; ``transform`` stays that of ``_two_pole``.
    """
    return _cascade(system, asked, (_drive(system, asked), np.zeros_like(system.B)))


def _drive(system: StateSpace, asked: Asked) -> np.ndarray:
    """B_0."""
    first, second = asked.tau, asked.second_tau
    return (first + second) * system.B + first * second * (system.A @ system.B)


def _cascade(system: StateSpace, asked: Asked, drives: tuple[np.ndarray, np.ndarray]) -> Built:
    """Write filters x, the second poles, then p, the first ones; ``drives`` lead from u into p and into x."""
    first, second, d, one = asked.tau, asked.second_tau, system.order, np.eye(system.order)
    weights = first * second * (system.A @ system.A) + (first + second) * system.A + one
    E, F, G = np.zeros((2 * d, 2 * d)), np.zeros((2 * d, 2 * d)), np.zeros((2 * d, 1))
    E[range(d), range(d)], E[range(d, 2 * d), range(d, 2 * d)] = second, first
    F[d:, :d] = weights
    G[d:], G[:d] = drives
    taus_of = tuple(Coefficient(f"tau[{i}]", "E", i, i, float(E[i, i])) for i in range(2 * d))
    through = tuple(Coefficient(f"p[{i}]", "F", i, d + i, 1.0) for i in range(d))
    coefficients = (*taus_of, *through, *entries("w", "F", F), *inputs("b", G))
    structure = Structure(np.zeros_like(E), -np.eye(2 * d), np.zeros_like(G), coefficients, 2 * d)
    transform = np.vstack([one, one + second * system.A])
    return transform, structure, np.hstack([one, np.zeros((d, d))])


Builder = Callable[[StateSpace, float, Asked], Built]
REALIZATIONS: dict[str, Builder] = {
    "legendre": _legendre,
    "orthonormal": _orthonormal,
    "balanced": balanced,
    "contractive": contractive,
    "cap-feedforward": _cap_feedforward,
    "ladder": _ladder,
    "bus-ladder": _bus_ladder,
    "block-ladder": block_ladder,
    "rlc-ladder": _rlc_ladder,
    "unit-weight": _unit_weight,
    "principle3": _principle3,
    "principle3-two-pole": _two_pole,
}
VARIANTS: dict[tuple[str, str], Builder] = {
    ("principle3-two-pole", "no-derivative"): _two_pole_without_derivative,
}
