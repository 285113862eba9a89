"""Exact responses of a circuit with one or two elements altered, from open to short: one solve a frequency for all.

An element's value enters the node equations M v = b as a matrix of rank one, so that an altered element sends
what it sees through two vectors that the nominal circuit has: with its admittance (a resistor's conductance, a
capacitance, an inductance, a transconductance) times 1 + D, the outputs change by

    O M^-1 a D x,   x = w / (1 - D z),   w = r^T v,   z = r^T M^-1 a

(Sherman and Morrison, Ann. Math. Statist. 21, 1950), whatever D is; several elements solve a system of that size.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float

from lmu_analog.circuits.circuit import Circuit, numbered
from lmu_analog.circuits.components import Capacitor, Inductor, Resistor
from lmu_analog.circuits.nodal.adjoint import EquationSlopes
from lmu_analog.circuits.nodal.extract import probe_rows
from lmu_analog.circuits.nodal.stamps import stamp
from lmu_analog.circuits.nodal.unknowns import Index

_ONE_RANK = 1e-9  # of the largest singular value: the others are rounding


@dataclass(frozen=True, eq=False)
class Altered:
    """A circuit at complex frequencies s, and what its e parameters of rank one do to it.

    Attributes
    ----------
    parameter : (e,) int array
        Places in ``circuit.parameters``: values of R, L, C and transconductors, gains and poles of op-amps.
    is_element : (e,) bool array
        Whether it is the value of a component, not a figure of an amplifier.
    is_reciprocal : (e,) bool array
        Whether the admittance is one over the value: of resistors.
    storing : (s,) int array
        Capacitors and inductors, whose initial charge or flux the circuit remembers; places in ``parameter``.
    nominal : (f, p) complex array
        Outputs for an input of 1 V.
    moved : (f, N, e) complex array
        M^-1 a: unknowns for a unit on the right of the element's equations.
    shown : (f, p, e) complex array
        The same at the outputs.
    seen : (f, e) complex array
        w: what the element sees, for an input of 1 V.
    reads : (f, e, N) complex array
        r, without the input.
    """

    parameter: np.ndarray
    is_element: np.ndarray
    is_reciprocal: np.ndarray
    storing: np.ndarray
    nominal: Complex[np.ndarray, "f p"]
    moved: Complex[np.ndarray, "f N e"]
    shown: Complex[np.ndarray, "f p e"]
    seen: Complex[np.ndarray, "f e"]
    reads: Complex[np.ndarray, "f e N"]

    @property
    def slopes(self) -> Complex[np.ndarray, "f p e"]:
        """Derivatives of the outputs, for an input of 1 V, by the logarithm of every admittance."""
        return self.shown * self.seen[:, None, :]

    def responses(
        self, elements: tuple[int, ...], change: Float[np.ndarray, " k"]
    ) -> Complex[np.ndarray, "f p c"]:
        """Give outputs for an input of 1 V, and then for a unit impulse at every storing element.

        Parameters
        ----------
        elements : tuple of int
            Places in ``parameter`` of what is altered.
        change : (k,) array
            D: admittance over the nominal one, less one; -1 is none at all.
        """
        outputs = np.concatenate([self.nominal[:, :, None], self.shown[:, :, self.storing]], axis=2)
        if not elements:
            return outputs
        chosen = list(elements)
        sources = np.concatenate([chosen, self.storing])
        coupling = self.reads[:, chosen] @ self.moved[:, :, sources]
        count = len(chosen)
        seen = np.concatenate([self.seen[:, chosen, None], coupling[:, :, count:]], axis=2)
        own = np.eye(count) - coupling[:, :, :count] * change
        return outputs + (self.shown[:, :, chosen] * change) @ np.linalg.solve(own, seen)


def altered(
    circuit: Circuit, s: Complex[np.ndarray, " f"], rows: Float[np.ndarray, "p d"] | None = None
) -> Altered:
    """Solve a linear circuit in continuous time for all that its elements may do.

    Parameters
    ----------
    circuit : Circuit
    s : (f,) complex array, 1/s
    rows : (p, d) array, optional
        What is looked at, of the Legendre states; these themselves unless given.

    Raises
    ------
    CircuitError
        If the circuit is not linear.
    """
    index = Index(circuit)
    equations = stamp(circuit, index, circuit.values[None])
    E, F, drive = equations.E[0], equations.F[0], equations.drive[0]
    output, feedthrough = probe_rows(circuit, index)
    if rows is not None:
        output, feedthrough = rows @ output, rows @ feedthrough
    parameter, into, out_of, is_storing = _rank_one(circuit, index)
    s = np.asarray(s, complex)
    matrix = s[:, None, None] * E - F
    balance = 1.0 / np.abs(matrix).max(axis=2)  # laws in siemens beside equations in volts
    right = np.concatenate(
        [(drive[:, 0] - s[:, None] * drive[:, 1])[:, :, None], np.broadcast_to(into, (len(s), *into.shape))], axis=2
    )
    solved = np.linalg.solve(balance[:, :, None] * matrix, balance[:, :, None] * right)
    unknowns, moved = solved[:, :, 0], solved[:, :, 1:]
    factor = np.where(is_storing, s[:, None], 1.0)
    seen = factor * (unknowns @ out_of[:, : index.size].T + out_of[:, index.size])
    owners = {c.name: c for c in circuit.components}
    names = [circuit.parameters[k] for k in parameter]
    return Altered(
        parameter,
        np.array(["." not in p.name for p in names], bool),
        np.array([isinstance(owners[p.component], Resistor) for p in names], bool),
        np.array([k for k, p in enumerate(names) if isinstance(owners[p.component], Capacitor | Inductor)], int),
        unknowns @ output.T + feedthrough[:, 0],
        moved,
        output @ moved,
        seen,
        factor[:, :, None] * out_of[:, : index.size],
    )


def _rank_one(circuit: Circuit, index: Index) -> tuple[np.ndarray, ...]:
    """Factor d(b - M v) / d ln(admittance) = a r^T of every parameter where it has rank one.

    Gives their places (e,), a (N, e), r (e, N + 1) over the unknowns and the input, and whether r is to be taken
    times s. Offsets drive by themselves and are left out, as is what acts at two places.
    """
    slopes = EquationSlopes.of(circuit, index)
    weight = circuit.values.copy()  # d ln(1/R) = -dR/R
    for c, at in numbered(circuit):
        if isinstance(c, Resistor):
            weight[at] *= -1.0
    size = index.size
    # The derivative of the input acts in the columns of the input, times s.
    column = np.minimum(slopes.column, size)
    matter = slopes.column != size + 2
    kept: list[tuple[int, np.ndarray, np.ndarray, bool]] = []
    for k in np.unique(slopes.parameter):
        mine = (slopes.parameter == k) & matter
        parts = np.zeros((2, size, size + 1))
        where = slopes.row[mine], column[mine]
        np.add.at(parts[0], where, weight[k] * slopes.direct[mine])
        np.add.at(parts[1], where, -weight[k] * slopes.storing[mine])
        if not parts.any() or (parts[0].any() and parts[1].any()):
            continue
        is_storing = bool(parts[1].any())
        whole = parts[int(is_storing)]
        lines = np.flatnonzero(whole.any(axis=1))
        left, singular, right = np.linalg.svd(whole[lines], full_matrices=False)
        if singular[1:].max(initial=0.0) > _ONE_RANK * singular[0]:
            continue
        into = np.zeros(size)
        into[lines] = left[:, 0] * singular[0]
        kept.append((int(k), into, right[0], is_storing))
    places = np.array([k for k, *_ in kept], int)
    into = np.array([a for _, a, *_ in kept]).reshape(-1, size).T
    out_of = np.array([r for *_, r, _ in kept]).reshape(-1, size + 1)
    return places, into, out_of, np.array([storing for *_, storing in kept], bool)


