"""The slow states of a circuit: memoryless unknowns are eliminated, for many samples together.

Nets, inverters and the poles of fast amplifiers are taken out of (s E - F) v = (G - s E_u) u + h entry by
entry, in an order found on the nominal circuit. An entry is a series in s: its terms fall like (signal
frequency / amplifier's crossover)^k. What remains is a matrix polynomial on the states that remember, and
``reduction.solvent`` turns it into a state space. There is no dense matrix of all nets on the way.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.circuits.nodal.pencil import eliminate, order_of, pencil_entries
from lmu_analog.circuits.nodal.unknowns import Index
from lmu_analog.circuits.nodal.whole import agree, largest_deviation, response_of
from lmu_analog.errors import CircuitError
from lmu_analog.memory.stability import lyapunov
from lmu_analog.memory.statespace import StateSpace, cut, frequency_response, joined
from lmu_analog.reduction.reduced_equations import (
    BalancingTransform,
    Reduction,
    gauss_jordan,
    plan_gauss_jordan,
    probe_series,
    reduced_equations,
    shown_constants,
)
from lmu_analog.reduction.solvent import Polynomial, nominal_solvent, state_space

DEGREES = (1, 2, 3, 5, 8)  # powers of s that are tried
ACCURACY = 2e-9  # of the nominal response, largest error over the band; well below what engines agree to
# Circuits tried, and by how much they deviate: symmetry may part modes that a sample mixes.
TRIALS, DEVIATION = 3, 0.02
DAMPED = 0.1  # real part beside size of a fast pole: mismatch does not make it unstable
GAP = 3.0  # at least, between the slowest of the fast poles and the fastest of the slow ones, or the band
CHECKED = np.array([0.1, 1.0])  # of the band, where one sample of every batch is solved as a whole
FLOOR = 1e-3  # of the drive on all states together: what no input reaches still has a size
SMALL = 0.03  # beside 1: the solvent is then found without help
CELLS = 6e5  # entries of the largest array; beyond the cache it only gets slower


def plan_reduction(circuit: Circuit, *, band: float) -> Reduction:
    """Plan the reduction of a linear circuit without a clock.

    Parameters
    ----------
    circuit : Circuit
    band : float, Hz
        Highest frequency at which the response counts.

    Raises
    ------
    CircuitError
        If no reduction reproduces the nominal response to ``ACCURACY``.
    """
    index, full = Index(circuit), extract(circuit)
    rate = max(2.0 * circuit.order / circuit.theta, 2.0 * np.pi * band)
    frequency = band * np.linspace(0.1, 1.0, 10)
    trials = _trials(circuit)
    wanted = frequency_response(extract(circuit, trials), frequency)
    for slow in _gaps(full.poles, rate):
        try:
            order = order_of(circuit, index, rate=rate, slow=slow)
            steps = plan_gauss_jordan(circuit, index, order, rate=rate)
        except (CircuitError, np.linalg.LinAlgError):
            continue
        for degree in DEGREES:
            try:
                reduction = _balanced(Reduction(circuit, index, order, rate, degree, steps, band))
                found = frequency_response(slow_states(reduction, trials), frequency)
            except (CircuitError, np.linalg.LinAlgError):
                continue
            if np.abs(found - wanted).max() <= ACCURACY * np.abs(wanted).max():
                return reduction
    raise CircuitError("fast and slow modes of the circuit lie too close together to be parted")


def slow_states(reduction: Reduction, values: np.ndarray) -> StateSpace:
    """Reduce samples with values (s, m) of the circuit's parameters to their slow states.

    Raises
    ------
    CircuitError
        If the modes of a sample cannot be parted, or the sample that deviates most is not reproduced.
    """
    pencil = pencil_entries(reduction.circuit, reduction.index, values, rate=reduction.rate)
    watched = largest_deviation(values, reduction.circuit.values)
    frequency = reduction.band * CHECKED
    turns = 2j * np.pi * frequency / reduction.rate
    wanted = response_of(pencil, reduction.index.size, watched, turns=turns)
    for step in reduction.order.steps:
        eliminate(pencil, step, reduction.degree)
    outputs = probe_series(reduction, pencil, len(values))
    shown = shown_constants(reduction, pencil, len(values))
    samples = max(1, int(CELLS / (len(reduction.order.rows) ** 2 * (reduction.degree + 1))))
    parts, workspace = [], None
    for start in range(0, len(values), samples):
        stretch = slice(start, min(start + samples, len(values)))
        workspace = reduced_equations(reduction, pencil, stretch, workspace=workspace)
        M, b, constant = gauss_jordan(reduction, workspace)
        C, D = (
            [x[stretch] if x.ndim == top else x for x in found]
            for found, top in zip(outputs, (3, 2), strict=True)
        )
        start_at = None
        if (balancing := reduction.balancing) is not None:
            C, start_at = [x @ balancing.right for x in C], balancing.start
        beside = None if shown is None else shown[stretch]
        parts.append(state_space(Polynomial(M, b, C, D, constant, start_at, beside), reduction.rate))
    system = joined(parts)
    found = frequency_response(cut(system, watched), frequency)
    if not agree(found, wanted):
        raise CircuitError("fast and slow modes of a sample lie too close together to be parted")
    return system


def _trials(circuit: Circuit) -> np.ndarray:
    """Give the nominal values and a few deviated ones."""
    random = np.random.default_rng(0).standard_normal((TRIALS, len(circuit.values)))
    return np.concatenate([circuit.values[None], circuit.values * (1.0 + DEVIATION * random)])


def _gaps(poles: np.ndarray, rate: float) -> Iterator[tuple[int, float]]:
    """Give ways to part the poles: how many are slow, and a radius, 1/s, around those; fewest first."""
    poles = poles[np.argsort(np.abs(poles))]
    sizes = np.abs(poles)
    for count in range(int((sizes <= rate).sum()), len(sizes)):
        inner = max(sizes[count - 1], rate) if count else rate
        if sizes[count] > GAP * inner and (np.real(poles[count:]) < -DAMPED * sizes[count:]).all():
            yield count, float(np.sqrt(inner * sizes[count]))
    yield len(sizes), 10.0 * float(max(sizes[-1], rate))


def _balanced(reduction: Reduction) -> Reduction:
    """Prepare for M_2, M_3, ... that are not small: divide by N_0 of M(s) = N(s) (s - A), nominally."""
    pencil = pencil_entries(
        reduction.circuit, reduction.index, reduction.circuit.values[None], rate=reduction.rate
    )
    for step in reduction.order.steps:
        eliminate(pencil, step, reduction.degree)
    reduced, forced, _ = gauss_jordan(reduction, reduced_equations(reduction, pencil, slice(0, 1)))
    M = [part[0] for part in reduced]
    if len(M) == 2:
        return reduction
    A, N = nominal_solvent(M), M[-1]
    for part in M[-2:0:-1]:
        N = part + N @ A
    left = np.linalg.inv(N)
    if np.abs(left - np.eye(len(left))).max() < SMALL:
        return reduction
    drive = np.outer(left @ forced[0][0], left @ forced[0][0])
    drive += FLOOR * np.trace(drive) * np.eye(len(drive))
    reached = lyapunov(A, drive)
    if reached is None:
        raise CircuitError("what is left of the circuit without its fast modes is not stable")
    right = np.linalg.cholesky(reached)
    inverse = np.linalg.inv(right)
    return replace(reduction, balancing=BalancingTransform(inverse @ left, right, inverse @ A @ right))
