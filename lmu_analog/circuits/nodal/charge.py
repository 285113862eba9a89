"""Read the sampled state space back out of a switched-capacitor circuit: charge conservation, phase by phase.

In a phase, closed switches join nets into groups. Charge stays on a group that no amplifier and no source
drives; amplifiers add their own equations. Everything is taken as settled when a phase ends; between the
phases all switches are open, so charges are handed over net by net.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.circuit import Circuit, numbered
from lmu_analog.circuits.components import (
    GROUND,
    Amplifier,
    Capacitor,
    DifferentialOpAmp,
    Follower,
    OpAmp,
    Switch,
    outputs,
)
from lmu_analog.circuits.connected import connected
from lmu_analog.errors import CircuitError
from lmu_analog.memory.statespace import StateSpace

CHUNK_BYTES = 16e6  # working set of one pass over samples
NEGLIGIBLE = 1e-9  # of the largest coefficient: rounding


@dataclass(frozen=True, eq=False)
class Phase:
    """Groups of nets in one phase: v = spread y + source u, with charge kept on the groups in ``laws``.

    Attributes
    ----------
    spread : (nets, y) array
    source : (nets,) array
    laws : (n, nets) array
    """

    spread: np.ndarray
    source: np.ndarray
    laws: np.ndarray


@dataclass(frozen=True, eq=False)
class Cycle:
    """One clock cycle, the state s[k] being the charges (in V, over ``scale``) kept through phase 1.

    Attributes
    ----------
    A, B, constant : (s, n, n), (s, n, 1) and (s, n, 1) arrays
    C, bias : (s, p, n) and (s, p, 1) arrays
        Outputs, which phase 1 holds.
    entry : (s, n, n) array
        What charge (over ``scale``) that enters a group before phase 2 adds to s.
    freed : (s, n, n) array, F
        Capacitance matrix of what leaves each group when a phase ends: the source of kT/C noise.
    scale : (n,) array, F
    """

    A: np.ndarray
    B: np.ndarray
    constant: np.ndarray
    C: np.ndarray
    bias: np.ndarray
    entry: np.ndarray
    freed: np.ndarray
    scale: np.ndarray


def extract_sampled(circuit: Circuit, values: Float[np.ndarray, "*s m"] | None = None) -> StateSpace:
    """Read the sampled state space x[k] = A x[k-1] + B u[k] out of a two-phase switched-capacitor circuit.

    Parameters
    ----------
    circuit : Circuit
        With a clock; the input must reach the memory through switches of phase 1 alone.
    values : (..., m) array, optional
        Values of ``circuit.parameters``, SI units; on-resistances and gain-bandwidth products have no effect.

    Returns
    -------
    StateSpace
        dt = 1/clock. u[k] is the input when phase 1 ends, half a clock before the states x[k] and the
        outputs m are read, when phase 2 ends. Of a balanced circuit half of the states are common modes,
        which nominally nothing excites.

    Raises
    ------
    CircuitError
        If the circuit has no clock or no such state space.
    """
    if circuit.clock is None:
        raise CircuitError("the circuit has no clock; extract reads continuous circuits")
    values = circuit.values if values is None else np.asarray(values, float)
    lead = values.shape[:-1]
    found = cycle(circuit, values.reshape(-1, values.shape[-1]))
    offset = found.bias[..., 0]
    if found.constant.any():
        steady = np.linalg.solve(np.eye(found.A.shape[-1]) - found.A, found.constant)
        offset = offset + (found.C @ steady)[..., 0]
    A, B, C, offset = (part.reshape(*lead, *part.shape[1:]) for part in (found.A, found.B, found.C, offset))
    return StateSpace(A, B, C, np.zeros((*C.shape[:-1], 1)), 1.0 / circuit.clock, offset)


def cycle(circuit: Circuit, values: Float[np.ndarray, "s m"]) -> Cycle:
    """Follow the charges of s samples through one clock cycle."""
    first, second = phases(circuit)
    step = max(1, int(CHUNK_BYTES / (48.0 * len(circuit.nets) ** 2)))
    starts = range(0, max(len(values), 1), step)
    capacitance = _capacitance(circuit, circuit.values[None])[0]
    scale = np.einsum("in,nm,im->i", first.laws, capacitance, first.laws)
    try:
        parts = [_follow(circuit, values[k : k + step], first, second, scale=scale) for k in starts]
    except np.linalg.LinAlgError as error:
        raise CircuitError(
            "the charge equations are singular: a part floats, or an op-amp has no feedback"
        ) from error
    A, B, constant, C, bias, entry, freed = (np.concatenate(p) for p in zip(*parts, strict=True))
    return Cycle(A, B, constant, C, bias, entry, freed, scale)


def phases(circuit: Circuit) -> tuple[Phase, Phase]:
    """Group the nets of both phases, the groups that keep charge in the same order in both."""
    first, second = (_phase(circuit, number) for number in (1, 2))
    match = first.laws @ second.laws.T > 0.0
    if match.shape[0] != match.shape[1] or (match.sum(axis=0) != 1).any() or (match.sum(axis=1) != 1).any():
        raise CircuitError("every net that keeps charge in one phase must keep it in the other, on its own")
    return first, Phase(second.spread, second.source, second.laws[match.argmax(axis=1)])


def _phase(circuit: Circuit, number: int) -> Phase:
    joined = [(c.a, c.b) for c in circuit.only(Switch) if c.phase == number]
    position = {net: k for k, net in enumerate(circuit.nets)}
    driven = {net for c in circuit.components for net in outputs(c)}
    source, laws, free = np.zeros(len(position)), [], []
    groups = connected([GROUND, *circuit.nets], joined)
    for group in sorted(groups, key=lambda g: min(position.get(n, -1) for n in g)):
        drivers = len(group & {GROUND, circuit.source, *driven})
        if drivers > 1:
            raise CircuitError(f"in phase {number} the switches short {', '.join(sorted(group))}")
        member = np.array([float(net in group) for net in circuit.nets])
        if circuit.source in group:
            source = member
        elif GROUND not in group:
            free.append(member)
            if not drivers:
                laws.append(member)
    return Phase(np.array(free).T, source, np.array(laws).reshape(-1, len(position)))


def _capacitance(circuit: Circuit, values: np.ndarray) -> np.ndarray:
    """Capacitance matrix (s, nets, nets), F, ground left out."""
    position = {net: k for k, net in enumerate(circuit.nets)}
    matrix = np.zeros((len(values), len(position), len(position)))
    for c, at in numbered(circuit):
        if isinstance(c, Capacitor):
            ends = [position[net] for net in (c.a, c.b) if net != GROUND]
            for k in ends:
                matrix[:, k, k] += values[:, at.start]
            if len(ends) == 2:
                matrix[:, ends, ends[::-1]] -= values[:, at]
        elif isinstance(c, Amplifier):
            for k in (position[net] for net in (c.plus, c.minus) if net != GROUND):
                matrix[:, k, k] += c.model.input_capacitance
    return matrix


def _drained(circuit: Circuit, duration: float) -> np.ndarray:
    """Charge, C, that the bias currents of op-amps take from every net in a time, s; (nets,)."""
    position = {net: k for k, net in enumerate(circuit.nets)}
    charge = np.zeros(len(position) + 1)
    for c in circuit.amplifiers:
        for net in (c.plus, c.minus):
            charge[position.get(net, -1)] += c.model.bias * duration
    return charge[:-1]


def _amplifiers(circuit: Circuit, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Equations rows v + constant = 0 of amplifiers, (rows, nets) and (s, rows)."""
    position = {net: k for k, net in enumerate(circuit.nets)}
    rows: list[np.ndarray] = []
    constants: list[np.ndarray] = []

    def add(weights: dict[str, float], constant: np.ndarray) -> None:
        row = np.zeros(len(position) + 1)
        for net, weight in weights.items():
            row[position.get(net, -1)] += weight
        rows.append(row[:-1])
        constants.append(constant)

    none = np.zeros(len(values))
    for c, at in numbered(circuit):
        match c:
            case OpAmp() | DifferentialOpAmp():
                error = none if c.model.ideal else values[:, at.start + 1]
                ends = outputs(c)
                out = dict(zip(ends, (-1.0 / c.model.gain, 1.0 / c.model.gain), strict=False))
                add({c.plus: 1.0, c.minus: -1.0, **out}, error)
                if isinstance(c, DifferentialOpAmp):
                    add(dict.fromkeys(ends, 1.0), none)
            case Follower():
                add({c.out: -1.0, c.plus: c.gain, c.minus: -c.gain}, none)
            case Capacitor() | Switch():
                pass
            case _:
                raise CircuitError(f"{c.name}: a switched-capacitor circuit has no {type(c).__name__}")
    return np.reshape(rows, (-1, len(position))), np.reshape(constants, (-1, len(values))).T


def _follow(
    circuit: Circuit, values: np.ndarray, first: Phase, second: Phase, *, scale: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Columns of what is solved: the state, the input in phase 1 and in phase 2, one, charge put in."""
    charge = _capacitance(circuit, values)
    rows, constants = _amplifiers(circuit, values)
    n, lead = len(scale), (len(values),)
    kept, moved = ((p.laws / scale[:, None]) @ charge for p in (first, second))
    drained = _drained(circuit, 0.5 / (circuit.clock or np.inf))
    known = np.zeros((*lead, n, 2 * n + 3))
    known[:, :, :n] = np.eye(n)
    known[:, :, n + 2] -= first.laws @ drained / scale
    v1 = _settle(first, kept, rows, constants, known, driven=n)
    known = moved @ v1
    known[:, :, n + 2] -= second.laws @ drained / scale
    known[:, :, n + 3 :] = np.eye(n)
    v2 = _settle(second, moved, rows, constants, known, driven=n + 1)
    after, seen = kept @ v2, _probes(circuit) @ v1
    # A source that leaks past phase 1 would make two samples of one.
    if np.abs(after[:, :, n + 1]).max() > NEGLIGIBLE or np.abs(seen[:, :, n]).max() > NEGLIGIBLE:
        raise CircuitError("the input reaches the memory in phase 2; sample it in phase 1 alone")
    leaving = second.laws - first.laws
    A, B, _, constant, entry = np.split(after, [n, n + 1, n + 2, n + 3], axis=2)
    C, bias = seen[:, :, :n], seen[:, :, n + 2 : n + 3]
    return A, B, constant, C, bias, entry, leaving @ charge @ leaving.T


def _settle(
    phase: Phase,
    charges: np.ndarray,
    rows: np.ndarray,
    constants: np.ndarray,
    known: np.ndarray,
    *,
    driven: int,
) -> np.ndarray:
    """Voltages of all nets at the end of a phase, (s, nets, columns); column ``driven`` is its input."""
    one = known.shape[1] + 2
    right = np.zeros((len(known), known.shape[1] + len(rows), known.shape[2]))
    right[:, : known.shape[1]] = known
    right[:, : known.shape[1], driven] -= charges @ phase.source
    right[:, known.shape[1] :, driven] -= rows @ phase.source
    right[:, known.shape[1] :, one] -= constants
    stacked = np.concatenate([charges, np.broadcast_to(rows, (len(known), *rows.shape))], axis=1)
    left = stacked @ phase.spread
    if left.shape[1] != left.shape[2]:
        raise CircuitError(f"{left.shape[1]} charge equations for {left.shape[2]} unknown voltages")
    voltages = phase.spread @ np.linalg.solve(left, right)
    voltages[:, :, driven] += phase.source
    return voltages


def _probes(circuit: Circuit) -> np.ndarray:
    position = {net: k for k, net in enumerate(circuit.nets)}
    rows = np.zeros((circuit.order, len(position)))
    for row, probe in zip(rows, circuit.probes, strict=True):
        for term in probe:
            if term.kind == "i":
                raise CircuitError(f"a probe reads i({term.of}); a sampled circuit has voltages alone")
            row[position[term.of]] += term.factor
    return rows
