"""Read the state space back out of a circuit: nodal analysis, then reduction to independent states."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy import linalg

from lmu_analog.circuits.circuit import Circuit, small_signal_values
from lmu_analog.circuits.components import DifferentialOpAmp
from lmu_analog.circuits.nodal.charge import extract_sampled
from lmu_analog.circuits.nodal.saturation import Limits
from lmu_analog.circuits.nodal.stamps import Equations, stamp
from lmu_analog.circuits.nodal.unknowns import Index, storage
from lmu_analog.errors import CircuitError
from lmu_analog.memory.statespace import StateSpace

CHUNK_BYTES = 16e6  # working set of one pass over samples; beyond the cache it only gets slower


def extract(
    circuit: Circuit, values: Float[np.ndarray, "*s m"] | None = None, *, plan: "Split | None" = None
) -> StateSpace:
    """Read the state space back out of a linear circuit.

    Parameters
    ----------
    circuit : Circuit
    values : (..., m) array, optional
        Values of ``circuit.parameters`` to use instead of the nominal ones, SI units. Leading axes, for
        example a sample axis, carry over.
    plan : Split, optional
        What ``split(circuit)`` gives, for callers that extract many times from one circuit without clock or twin.

    Returns
    -------
    StateSpace
        Input u, outputs the Legendre states m (V); its ``offset`` is what op-amp offsets leave in m.
        The states are independent capacitor voltages, inductor currents and amplifier outputs, in the
        order of the components. Rails and slew limits are not linear and do not appear.

    Raises
    ------
    CircuitError
        If the circuit has no state space: a floating part, or an op-amp without feedback.
    """
    if circuit.small_signal is not None:
        return extract(circuit.small_signal, None if values is None else small_signal_values(circuit, values))
    if circuit.clock is not None:
        return extract_sampled(circuit, values)
    values = circuit.values if values is None else np.asarray(values, float)
    flat = values.reshape(-1, values.shape[-1])
    plan = split(circuit) if plan is None else plan
    step = max(1, int(CHUNK_BYTES / (24.0 * max(plan.index.size, 1) ** 2)))
    starts = range(0, max(len(flat), 1), step)
    parts = [_reduced(plan, circuit, flat[k : k + step]) for k in starts]
    lead = values.shape[:-1]
    A, B, C, D, offset = (np.concatenate(p).reshape(*lead, *p[0].shape[1:]) for p in zip(*parts, strict=True))
    return StateSpace(A, B, C, D, None, offset)


def unknowns(circuit: Circuit) -> tuple[Index, StateSpace]:
    """Give the nominal state space of a linear circuit whose outputs are all its unknowns, and their numbers.

    Raises
    ------
    CircuitError
        As ``extract``.
    """
    plan = split(circuit)
    whole = replace(plan, output=np.eye(plan.index.size), feedthrough=np.zeros((plan.index.size, 1)))
    A, B, C, D, offset = (part[0] for part in _reduced(whole, circuit, circuit.values[None]))
    return plan.index, StateSpace(A, B, C, D, None, offset)


@dataclass(frozen=True, eq=False)
class Split:
    """What the connections alone decide: N unknowns v = M x + Z y, with r states x and the rest algebraic.

    Attributes
    ----------
    index : Index
    M, Z : (N, r) and (N, N - r) arrays
    rows, null : (N, r) and (N, N - r) arrays
        Span the equations that hold derivatives, and those that hold none.
    scale : (N, 1) array
        Balances equations that mix siemens, volts and 1/s.
    output, feedthrough : (p, N) and (p, 1) arrays
        The probes, from the unknowns and from the input.
    """

    index: Index
    M: np.ndarray
    Z: np.ndarray
    rows: np.ndarray
    null: np.ndarray
    scale: np.ndarray
    output: np.ndarray
    feedthrough: np.ndarray


def split(circuit: Circuit) -> Split:
    """Part a linear circuit's unknowns into states and those that follow at once.

    Raises
    ------
    CircuitError
        If there are not as many equations that store as stored quantities.
    """
    index = Index(circuit)
    nominal = stamp(circuit, index, circuit.values[None])
    unit = units(index, nominal.F[0])
    size = np.abs(nominal.F[0] * unit).max(axis=1, initial=0.0)
    scale = 1.0 / np.where(size > 0.0, size, np.abs(nominal.E[0]).max(axis=1, initial=1e-300))[:, None]
    left, right = storage(circuit, index)
    right = _balanced(right, circuit, index)
    left = left * scale
    left = left / np.maximum(np.abs(left).max(axis=0, initial=0.0), 1e-300)
    independent = right[:, _independent_columns(right)]
    rows = linalg.orth(left)
    if rows.shape[1] != independent.shape[1]:
        raise CircuitError(
            f"{rows.shape[1]} storage equations for {independent.shape[1]} stored quantities; "
            "an ideal op-amp holds a capacitor at both ends"
        )
    output, feedthrough = probe_rows(circuit, index)
    M, Z = _bases(independent, len(index.column))
    return Split(index, M, Z, rows, linalg.null_space(rows.T), scale, output, feedthrough)


def units(index: Index, F: np.ndarray) -> np.ndarray:
    """Give unknowns their size, to balance equations by: 1 V, and the largest conductance times it, (N,)."""
    laws, voltages = list(index.law.values()), list(index.column.values())
    conductance = np.abs(F[np.ix_(laws, voltages)]).max(initial=0.0)
    unit = np.ones(index.size)
    unit[list(index.current.values())] = conductance or 1.0
    return unit


def _bases(independent: np.ndarray, voltages: int) -> tuple[np.ndarray, np.ndarray]:
    """Give M with independent^T M = I and the complement Z; no column has both volts and amperes.

    A basis that mixed them would add volts' rounding to microamperes.
    """
    size, states = independent.shape
    M, Z = np.zeros((size, states)), np.zeros((size, 0))
    for rows in (slice(0, voltages), slice(voltages, size)):
        part = independent[rows]
        mine = part.any(axis=0)
        M[rows, mine] = linalg.pinv(part[:, mine].T) if mine.any() else 0.0
        block = np.zeros((size, len(part) - int(mine.sum())))
        block[rows] = linalg.null_space(part[:, mine].T) if mine.any() else np.eye(len(part))
        Z = np.hstack([Z, block])
    return M, Z


def _balanced(right: np.ndarray, circuit: Circuit, index: Index) -> np.ndarray:
    """Take out what ideal differential amplifiers hold at zero, the means of their outputs: nothing is stored."""
    names = [c for c in circuit.only(DifferentialOpAmp) if c.model.ideal]
    means = np.zeros((len(right), len(names)))
    for k, c in enumerate(names):
        means[[index.column[c.out_plus], index.column[c.out_minus]], k] = np.sqrt(0.5)
    return right - means @ (means.T @ right)


def _independent_columns(M: np.ndarray) -> list[int]:
    """Keep every column that is no combination of those before it."""
    kept: list[int] = []
    basis = np.zeros((len(M), 0))
    for k, column in enumerate(M.T):
        rest = column - basis @ (basis.T @ column)
        # Columns hold 0, 1/2, 1 and their negatives, so a dependent one leaves rounding only.
        if (norm := np.linalg.norm(rest)) > 1e-9:
            kept.append(k)
            basis = np.column_stack([basis, rest / norm])
    return kept


def probe_rows(circuit: Circuit, index: Index) -> tuple[np.ndarray, np.ndarray]:
    """Give the probes as rows over the unknowns, (p, N), and what of the input each shows at once, (p, 1)."""
    rows = np.zeros((circuit.order, index.size + 1))
    for k, probe in enumerate(circuit.probes):
        for term in probe:
            if term.kind == "v":
                index.add(rows[k], term.of, term.factor)
            elif term.of in index.current:
                rows[k, index.current[term.of]] += term.factor
            else:
                raise CircuitError(f"probe m{k}: no current is measured through {term.of}; add an ammeter")
    return rows[:, :-1].copy(), rows[:, -1:].copy()


@dataclass(frozen=True, eq=False)
class Forced:
    """The systems x' = A x + B f, y = C x + D f, with f the n sources w of nonlinear laws, the input u, and 1.

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


def eliminated(plan: Split, equations: Equations, limited: Limits | None = None) -> Forced:
    """Solve the algebraic unknowns of E v' + E_u u' = F v + G u + h + push w; no w without nonlinear laws.

    The state is x - q u where a capacitor couples the input in, so that there is no u'.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the equations of a sample are singular.
    """
    E, F, drive = (plan.scale * part for part in (equations.E, equations.F, equations.drive))
    push = [] if limited is None else [plan.scale * limited.push]
    seen, direct = plan.output, plan.feedthrough[:, 0]
    if limited is not None:
        seen, direct = np.concatenate([limited.seen, seen]), np.concatenate([limited.direct, direct])
    r, n = plan.M.shape[1], push[0].shape[-1] if push else 0
    known = r + n + 2
    split = np.concatenate([F @ plan.M, *push, drive[..., [0, 2]], F @ plan.Z], axis=-1)
    algebraic, dynamic = plan.null.T @ split, plan.rows.T @ split
    y = -np.linalg.solve(algebraic[..., known:], algebraic[..., :known])
    right = dynamic[..., :known] + dynamic[..., known:] @ y
    jump = -plan.rows.T @ drive[..., 1:2]
    solved = np.linalg.solve(plan.rows.T @ E @ plan.M, np.concatenate([right, jump], axis=-1))
    A, B, q = solved[..., :r], solved[..., r:known], solved[..., known:]
    read = seen @ (np.concatenate([plan.M, np.zeros((len(plan.M), n + 2))], axis=1) + plan.Z @ y)
    C, D = read[..., :r], read[..., r:].copy()
    B[..., n : n + 1] += A @ q
    D[..., n : n + 1] += C @ q
    D[..., n] += direct
    return Forced(A, B, C, D)


def _reduced(plan: Split, circuit: Circuit, values: np.ndarray) -> tuple[np.ndarray, ...]:
    """Give A, B, C, D and the offset of samples."""
    try:
        found = eliminated(plan, stamp(circuit, plan.index, values))
        offset = found.D[..., 1]
        if (constant := found.B[..., 1:]).any():
            offset = offset - (found.C @ np.linalg.solve(found.A, constant))[..., 0]
    except np.linalg.LinAlgError as error:
        raise CircuitError(
            "the node equations are singular: a part floats, or an op-amp has no feedback"
        ) from error
    return found.A, found.B[..., :1], found.C, found.D[..., :1], offset
